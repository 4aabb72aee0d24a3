"""Ansible's host patterns: `lab:&tokyo:!hv03`, globs, `~regex`, `group[0:2]`; and ranges `hv[01:12]`."""

from __future__ import annotations

import fnmatch
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_RANGE = re.compile(r"\[([0-9]+|[a-zA-Z]):([0-9]+|[a-zA-Z])(?::([0-9]+))?\]")
_SUBSCRIPT = re.compile(r"^(.+)\[(-?\d+)(?:([:-])(-?\d*))?\]$")
_MOST = 100_000


class PatternError(ValueError):
    """Not a pattern, or not a range; says why."""


def expand(name: str) -> list[str]:
    """`hv[01:12].lab` → its names, leading zeros kept. Raises PatternError."""
    found = _RANGE.search(name)
    if not found:
        return [name]
    head, tail = name[: found.start()], name[found.end() :]
    names = [head + middle + rest for middle in _range(found) for rest in expand(tail)]
    if len(names) > _MOST:
        raise PatternError(f"{name} stands for more than {_MOST:,} hosts")
    return names


def _range(found: re.Match[str]) -> Iterator[str]:
    first, last, step = found[1], found[2], int(found[3] or 1)
    if step < 1 or first.isdigit() != last.isdigit():
        raise PatternError(f"{found[0]} is no range; write [01:12] or [a:f]")
    if first.isdigit():
        if int(last) < int(first) or int(last) - int(first) > _MOST:
            raise PatternError(f"{found[0]} ends before it begins, or never")
        width = len(first) if first.startswith("0") else 0
        yield from (str(n).zfill(width) for n in range(int(first), int(last) + 1, step))
        return
    letters = string.ascii_letters
    if letters.index(last) < letters.index(first):
        raise PatternError(f"{found[0]} ends before it begins")
    yield from letters[letters.index(first) : letters.index(last) + 1 : step]


def matching(pattern: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Hosts in inventory order that the pattern names, and the words of it that name nothing.
    Raises PatternError."""
    chosen: dict[str, None] = {}
    unknown: list[str] = []
    words = sorted(_words(pattern), key=lambda w: {"!": 2, "&": 1}.get(w[:1], 0))
    if words and words[0][:1] in "!&":
        words = ["all", *words]
    for word in words:
        bare = word.lstrip("!&")
        found = _named(bare, hosts, groups)
        if not found and bare not in groups and bare not in ("all", "*"):
            unknown.append(bare)
        if word.startswith("!"):
            chosen = {h: None for h in chosen if h not in found}
        elif word.startswith("&"):
            chosen = {h: None for h in chosen if h in found}
        else:
            chosen |= dict.fromkeys(found)
    order = {host: n for n, host in enumerate(hosts)}
    return sorted(chosen, key=lambda h: order[h]), unknown


def _words(pattern: str) -> list[str]:
    if pattern.startswith("@"):
        try:
            lines = Path(pattern[1:]).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise PatternError(f"{pattern[1:]} cannot be read") from error
        return [w for line in lines if line.strip() and not line.startswith("#") for w in _words(line.strip())]
    if "," in pattern:
        return [w for part in pattern.split(",") for w in _words(part.strip()) if w]
    if pattern.startswith("~"):
        return [pattern]
    # A colon separates, but not within brackets (ranges, subscripts) and not in an IPv6 address.
    return [w.strip() for w in re.split(r":(?![^\[]*\])", pattern) if w.strip()]


def _named(word: str, hosts: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    if word.startswith("~"):
        try:
            wanted = re.compile(word[1:])
        except re.error as error:
            raise PatternError(f"{word} is no regular expression: {error}") from error
        names = [h for h in hosts if wanted.match(h)]
        return names + [h for g, members in groups.items() if wanted.match(g) for h in members]
    if (found := _SUBSCRIPT.match(word)) and (found[1] in groups or found[1] == "all"):
        members = list(_named(found[1], hosts, groups))
        first = int(found[2])
        if found[3] is None:
            return members[first : first + 1] if first >= 0 else members[first:][:1]
        last = int(found[4]) + 1 if found[4] else None
        return members[first : last or None]
    if word in ("all", "*"):
        return list(hosts)
    if word in groups:
        return list(groups[word])
    if any(c in word for c in "*?["):
        named = [h for h in hosts if fnmatch.fnmatchcase(h, word)]
        return named + [h for g, members in groups.items() if fnmatch.fnmatchcase(g, word) for h in members]
    return [h for h in hosts if h == word]
