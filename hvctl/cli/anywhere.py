"""The options of hvctl itself (`-i`, `-v`, `-f`, `-k` …), also where they are typed after the verb, as Ansible takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

EPILOG = "Options of hvctl itself (-i, -f, -v, -k, --vault-password-file …; see hvctl --help) may stand here too."


def hoisted(root: Any, words: Sequence[str]) -> list[str]:
    """The same command line with those options before the verb, in their order. What the verb has itself is the verb's, and
    what stands after `--` no option."""
    own = _options(root)
    words = _language_first(words)
    at = _verb_at(own, words)
    command = _command(root, words[at]) if at < len(words) else None
    if command is None:
        return list(words)
    moved, kept = _parted(own, command, words[at + 1 :])
    return [*words[:at], *moved, words[at], *kept]


def _language_first(words: Sequence[str]) -> Sequence[str]:
    """Before --help, which ends the command line."""
    at = words.index("--help") if "--help" in words else len(words)
    for n, word in enumerate(words[at:], at):
        if word == "--lang" and n + 1 < len(words):
            return [word, words[n + 1], *words[:n], *words[n + 2 :]]
        if word.startswith("--lang="):
            return [word, *words[:n], *words[n + 1 :]]
    return words


def _parted(own: Mapping[str, bool], command: Any, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is hvctl's own of what stands after a verb, and what is the verb's."""
    moved: list[str] = []
    kept: list[str] = []
    known = _all_options(command)
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            return moved, [*kept, word, *left]
        if not word.startswith("-") or word == "-":
            if inner := _command(command, word):
                command, known = inner, _all_options(inner)
            kept.append(word)
        elif word.startswith("--"):
            name, given, _ = word.partition("=")
            mine = name not in known and name in own
            value = known[name] if name in known else own.get(name, False)
            (moved if mine else kept).extend([word, *([left.pop(0)] if value and not given and left else [])])
        else:
            _cluster(own, known, word[1:], left, moved, kept)
    if "--help" in kept:
        command.epilog = command.epilog or EPILOG
    return moved, kept


def _cluster(
    own: Mapping[str, bool], known: Mapping[str, bool], letters: str, left: list[str], moved: list[str], kept: list[str]
) -> None:
    """Short options in one word: `-vv`, `-yv`, `-f4`."""
    theirs = ""
    for n, letter in enumerate(letters):
        name = f"-{letter}"
        mine = name not in known and name in own
        if own[name] if mine else known.get(name, False):
            value = letters[n + 1 :]
            words = [f"{name}{value}"] if value else [name, *([left.pop(0)] if left else [])]
            if mine:
                moved += words
            else:
                kept += [f"-{theirs}{words[0][1:]}", *words[1:]]
                return
            break
        if mine:
            moved.append(name)
        else:
            theirs += letter
    if theirs:
        kept.append(f"-{theirs}")


def _verb_at(own: Mapping[str, bool], words: Sequence[str]) -> int:
    at = 0
    while at < len(words):
        word = words[at]
        if not word.startswith("-") or word == "--":
            return at
        name = word if word.startswith("--") else _last_of(own, word)
        at += 2 if own.get(name, False) else 1
    return at


def _last_of(own: Mapping[str, bool], word: str) -> str:
    """Of short options in one word, the one that takes what follows; "" if none does."""
    for n, letter in enumerate(word[1:], 2):
        if own.get(f"-{letter}", False):
            return f"-{letter}" if n == len(word) else ""
    return ""


def _options(command: Any) -> dict[str, bool]:
    """By name, whether a value follows."""
    options = (p for p in command.params if p.param_type_name == "option")
    return {
        name: not (p.is_flag or getattr(p, "count", False)) for p in options for name in (*p.opts, *p.secondary_opts)
    }


def _all_options(command: Any) -> dict[str, bool]:
    """With those of its verbs, one of which it may be without saying so."""
    return {name: value for one in (*_commands(command), command) for name, value in _options(one).items()}


def _commands(group: Any) -> Iterator[Any]:
    if hasattr(group, "list_commands"):
        context = typer.Context(group)
        for name in group.list_commands(context):
            yield group.get_command(context, name)


def _command(group: Any, name: str) -> Any:
    return group.get_command(typer.Context(group), name) if hasattr(group, "get_command") else None
