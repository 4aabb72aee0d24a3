"""Write docs/playbook.md from the models, and the README's plan; `--check` says whether they are current."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from hvctl.contract import VERSIONS, contract
from hvctl.core.fields import Fields, Null, Setting, models_in
from hvctl.core.resource import Resource
from hvctl.kinds import kinds, sections
from hvctl.kinds._types import Words
from hvctl.text.duration import spoken
from scripts.guest_systems import GUESTS, guests
from scripts.maximums import MAXIMUMS, maximums
from scripts.plan_in_readme import README, readme

TARGET = Path(__file__).parent.parent / "docs" / "playbook.md"
HEAD = """# Playbook reference

<!-- Written by scripts/make_docs.py from the models in hvctl/kinds; change those, not this. -->

A playbook is a list of plays. A play has these keys beside the sections below:

| key | meaning |
| --- | --- |
| `name` | what the play is called in messages |
| `hosts` | a pattern over the inventory: `all`, a group, `lab:&tokyo:!hv03`, globs, `~regex`, `group[0:2]` |
| `vars`, `vars_files` | variables for `{{ }}` and for connections, over those of the inventory; `vars_files` win |
| `tags` | words for `--tags` |
| `serial` | hosts changed at a time: `2`, `10%`, or in turn `[1, 10%, 100%]`: [rolling changes](fleet.md#rolling-changes) |
| `allow` | consents for this play: `disconnect`, `restart`, `recreate`, `destroy`, `management` |

What is not written is not managed. `null` clears a field where its row says what null means, and is refused elsewhere.
Sizes are binary (`60GB` is 60·2³⁰ bytes, as in PowerShell), rates decimal
(`1Gbps` is 10⁹ bit/s), times take `w`, `d`, `h`, `m` (or `min`) and
`s`, with decimals and in sums, the greatest first (`90s`, `1.5h`, `1h30m`, `1d 12h`); a plain number is one of seconds. The
command line (`--every`, `--grace`, `--since` …) reads the same, but no plain numbers.
`yes`, `no`, `on`, `off`, `true` and `false` are booleans where a boolean is wanted and words where a word is wanted. Windows
paths belong in single quotes. Values may hold Jinja2
expressions; an expression alone keeps its type, and what `no` or `0644` are in it is in
[the inventory](inventory.md#variables-in-expressions).

Every resource takes `accept: {until: 2027-01-31, reason: …, fields: […]}`: [known drift](everyday.md#known-drift), which is
told apart and left as it is until that day.

**Impact** says what a change costs; without consent it is planned as blocked. "VM off": the VM must be off for it, so
on a running VM it counts as `restart`; on one that is off it is `online`. Where a column says "see kind", the impact
depends on the host's version and the VM's state, and the plan says which it is.
"""


def main() -> int:
    written = {TARGET: "\n".join([HEAD, *_top()]) + "\n", GUESTS: guests(), MAXIMUMS: maximums(), README: readme()}
    if "--check" in sys.argv:
        stale = [str(file) for file, text in written.items() if file.read_text(encoding="utf-8") != text]
        print(f"not current, run make docs: {', '.join(stale)}" if stale else "the generated documentation is current")
        return 1 if stale else 0
    for file, text in written.items():
        file.write_text(text, encoding="utf-8")
    return 0


def _top() -> Iterator[str]:
    for kind in sorted((k for k in kinds() if k.within is None), key=lambda k: k.section):
        yield from _kind(kind, 2)


def _kind(kind: type[Resource], level: int) -> Iterator[str]:
    where = f" of a {kind.within}" if kind.within else ""
    many = "a list" if kind.many else "one mapping"
    yield f"\n{'#' * level} `{kind.section}`{where}: {many}\n"
    yield inspect.cleandoc(kind.__doc__ or "") + "\n"
    yield "| field | value | impact | from |"
    yield "| --- | --- | --- | --- |"
    yield from _rows(kind, kind, "")
    for _, part in sorted(sections(kind.kind).items()):
        yield from _kind(part, level + 1)


def _rows(kind: type[Resource], model: type[Fields], prefix: str) -> Iterator[str]:
    for name, info in model.model_fields.items():
        inner = next(models_in(info.annotation), None)
        setting = next((m for m in info.metadata if isinstance(m, Setting)), None)
        need = " (required)" if info.is_required() else ""
        yield f"| `{prefix}{info.alias or name}`{need} | {_value(info)} | {_impact(setting)} | {_since(kind, setting)} |"
        if inner is not None:
            yield from _rows(kind, inner, f"{prefix}{name}.")


def _value(info: FieldInfo) -> str:
    null = next((f"; null: {m.means}" for m in info.metadata if isinstance(m, Null)), "")
    return _said(info) + null


def _said(info: FieldInfo) -> str:
    words = next((m for m in info.metadata if isinstance(m, Words)), None)
    if words:
        return words.listed or ", ".join(f"`{w}`" for w in words.names)
    known = _alias(Annotated[(object, *info.metadata)]) if info.metadata else ""  # type: ignore[misc]
    found = [known or _type(info.annotation)]
    for extra in info.metadata:
        for attribute, text in (("ge", "at least"), ("le", "at most"), ("max_length", "at most, letters:")):
            if hasattr(extra, attribute) and getattr(extra, attribute) is not None:
                bound = getattr(extra, attribute)
                found.append(f"{text} {spoken(bound) if found[0] == 'time' else f'{bound:,}'}")
    return "; ".join(found)


_NAMES = {int: "number", str: "text", bool: "yes or no", type(None): "null"}


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        alias = _alias(annotation)
        return alias or _type(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{str(a).lower() if isinstance(a, bool) else a}`" for a in get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        parts = [_type(a) for a in get_args(annotation) if a is not type(None)]
        return " or ".join(dict.fromkeys(parts))
    if origin in (list, tuple):
        return f"list of {_type(get_args(annotation)[0])}"
    if origin is dict:
        return f"mapping of names to {_type(get_args(annotation)[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Fields):
        return "a mapping:"
    return _NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _alias(annotation: Any) -> str:
    from hvctl.kinds import _types  # noqa: PLC0415

    first = get_args(annotation)[1:2]
    names = {"Size": "size", "Rate": "rate", "Seconds": "time", "WindowsPath": "Windows path",
             "MacAddress": "MAC address", "Flag": "yes or no"}  # fmt: skip
    for name, text in names.items():
        if get_args(getattr(_types, name))[1:2] == first:
            return text
    words = next((a for a in get_args(annotation)[1:] if isinstance(a, Words)), None)
    return ", ".join(f"`{w}`" for w in words.names) if words else ""


def _impact(setting: Setting | None) -> str:
    if setting is None:
        return "see kind"
    if setting.fixed:
        return "cannot be changed"
    found = [*(["VM off"] if setting.off else []), *setting.costs]
    return ", ".join(found) or "online"


def _since(kind: type[Resource], setting: Setting | None) -> str:
    if setting is None or not kind.setter:
        return ""
    for os in VERSIONS:
        cmdlet = contract(os).cmdlet(kind.setter)
        if cmdlet is not None and cmdlet.answer(setting.set_with) == "present":
            return "" if os == VERSIONS[0] else os.replace("r2", " R2")
    return ""


if __name__ == "__main__":
    sys.exit(main())
