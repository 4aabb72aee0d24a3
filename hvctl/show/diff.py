"""A plan as unified diffs: what the host has and what is desired, field by field, and the texts of files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import unified_diff

from rich.text import Text

from hvctl.call import Staged
from hvctl.core.contents import opened
from hvctl.core.plan import Line, Plan
from hvctl.core.values import Json
from hvctl.show.columns import Entry
from hvctl.show.wording import restart_of, restart_text, shown_actions

_LARGEST = 64 * 1024
"""Bytes of a file that is shown as text."""
_STYLE = {"-": "red", "+": "green", "@": "cyan"}


def diff_lines(
    plan: Plan, *, width: int = 120, verbose: bool = False, mask: Callable[[str], str] = str
) -> Iterator[Text]:
    """The same fields as the plan, marked in the same words where they are not done or cost something. `mask`: for the
    texts of files, which are read here."""
    for action in shown_actions(plan, everything=True):
        yield Text(f"--- {plan.host}: {action.address}", "bold")
        yield Text(f"+++ {action.mark}", "bold")
        if restart := restart_of(plan, action):
            yield _comment(restart_text(restart))
        for line in action.lines:
            yield from _line(line)
        for field in action.made:
            yield Text(f"+{field}", "green")
        if action.file is not None and (action.lines or action.made):
            within = bool(action.address.owners)
            told = "the new text; that of the guest cannot be read back" if within else "the new text"
            yield from _content(action.file, told, mask)
        if action.accepted:
            yield _comment(str(action.accepted))
        for remark in action.remarks:
            yield _comment(f"{remark.message}; {remark.hint}" if remark.hint else remark.message)


def _line(line: Line) -> Iterator[Text]:
    name, entry = line.field or "ensure", Entry(line)
    said = Text(f"   # {entry.impact}" if entry.impact != "online" else "", "dim")
    if _is_text(line.before, line.after):
        yield Text(f"@@ {name} @@", "cyan").append(said)
        before, after = (str(side or "").splitlines() for side in (line.before, line.after))
        for text in list(unified_diff(before, after, lineterm=""))[2:]:
            yield Text(text, _STYLE.get(text[:1], ""))
    else:
        yield Text(f"-{name}: {line.now}", "red")
        yield Text(f"+{name}: {line.wanted}", "green").append(said)
    if line.accepted:
        yield _comment(str(line.accepted))
    if line.note:
        yield _comment(line.note)


def _is_text(*sides: Json) -> bool:
    return all(side is None or isinstance(side, str) for side in sides) and any("\n" in str(side) for side in sides)


def _content(file: Staged, told: str, mask: Callable[[str], str]) -> Iterator[Text]:
    """There is no old text to compare: what a guest has cannot be read back."""
    if file.secret:
        # A filter may have changed the secret beyond what a mask would find.
        yield _comment(f"{file.name} holds a secret, and is not shown")
        return
    if file.size > _LARGEST:
        yield _comment(f"{file.name} is too large to be shown: {file.size:,} bytes")
        return
    try:
        with opened(file) as source:
            text = source.read().decode("utf-8")
    except OSError as error:
        yield _comment(f"{file.name} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        yield _comment(f"{file.name} is not text")
    else:
        yield Text(f"@@ {file.name}: {told} @@", "cyan")
        yield from (Text(f"+{line}", "green") for line in mask(text).splitlines())


def _comment(text: str) -> Text:
    return Text(f"# {text}", "dim")
