"""Ansible's host patterns: `lab:&tokyo:!hv03`, globs, `~regex`, `group[0:2]`; and ranges `hv[01:12]`."""

from __future__ import annotations

import fnmatch
import re
import string
from collections.abc import Mapping, Sequence

from hvctl.limits import HOSTS, LimitError
from hvctl.number import is_whole, whole
from hvctl.source import ConfigError, read_text

_RANGE = re.compile(r"\[([0-9]+|[a-zA-Z]):([0-9]+|[a-zA-Z])(?::([0-9]+))?\]")
_SUBSCRIPT = re.compile(r"^(.+)\[(-?[0-9]+)(?:([:-])(-?[0-9]*))?\]$")


class PatternError(ValueError):
    """Not a pattern, or not a range; says why."""


def expand(name: str) -> list[str]:
    """`hv[01:12].lab` → its names, leading zeros kept. Raises PatternError."""
    texts, ranges, at, count = [""], [], 0, 1
    for found in _RANGE.finditer(name):
        ranges.append(_range(found))
        texts[-1] = name[at : found.start()]
        texts.append("")
        at = found.end()
        count *= len(ranges[-1])
        if count > HOSTS.most:
            raise PatternError(f"{name} stands for more hosts than hvctl takes ({HOSTS})")
    texts[-1] = name[at:]
    names = [texts[0]]
    for middles, text in zip(ranges, texts[1:], strict=True):
        names = [head + middle + text for head in names for middle in middles]
    return names


def _range(found: re.Match[str]) -> Sequence[str]:
    first, last = found[1], found[2]
    step = _number(found[3] or "1")
    if step < 1 or is_whole(first) != is_whole(last):
        raise PatternError(f"{found[0]} is no range; write [01:12] or [a:f]")
    if is_whole(first):
        span = range(_number(first), _number(last) + 1, step)
        if not span:
            raise PatternError(f"{found[0]} ends before it begins")
        if span.stop - span.start > HOSTS.most * span.step:
            raise PatternError(f"{found[0]} stands for more hosts than hvctl takes ({HOSTS})")
        width = len(first) if first.startswith("0") else 0
        return [str(n).zfill(width) for n in span]
    letters = string.ascii_letters
    if letters.index(last) < letters.index(first):
        raise PatternError(f"{found[0]} ends before it begins")
    return letters[letters.index(first) : letters.index(last) + 1 : step]


def _number(text: str) -> int:
    """A position or an end of a range; one too long for any list is none."""
    try:
        return whole(text)
    except LimitError as error:
        raise PatternError(f"{error} is not a position ({error.limit})") from error


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
            lines = read_text(pattern[1:]).splitlines()
        except ConfigError as error:
            raise PatternError(str(error)) from error
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
        first = _number(found[2])
        if found[3] is None:
            return members[first : first + 1] if first >= 0 else members[first:][:1]
        last = _number(found[4]) + 1 if found[4] not in (None, "", "-") else None
        return members[first : last or None]
    if word in ("all", "*"):
        return list(hosts)
    if word in groups:
        return list(groups[word])
    if any(c in word for c in "*?["):
        named = [h for h in hosts if fnmatch.fnmatchcase(h, word)]
        return named + [h for g, members in groups.items() if fnmatch.fnmatchcase(g, word) for h in members]
    return [h for h in hosts if h == word]
