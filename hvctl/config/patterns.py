"""Ansible's host patterns: `lab:&tokyo:!hv03`, globs, `~regex`, `group[0:2]`, as Ansible evaluates them."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from hvctl.config.expressions import matched
from hvctl.config.hostnames import PatternError, address
from hvctl.text.diagnostic import ConfigError
from hvctl.text.number import whole
from hvctl.text.source import read_text
from hvctl.text.visible import quoted

_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]")
_BRACKETS_AT_END = re.compile(r".+\[[-0-9:]*\]")
_WORD = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_MORE_THAN_A_GROUP = (".", "?", "*", "[")
"""A pattern with one of these is looked for among the hosts too, when groups match."""


def words(pattern: str) -> list[str]:
    """Commas separate if there is one; else colons do, unless the whole is an address."""
    if "," in pattern:
        found = pattern.split(",")
    elif address(pattern):
        found = [pattern]
    else:
        found = _WORD.findall(pattern)
    return [word for w in found if (word := w.strip())]


def limit_words(limit: str) -> list[str]:
    """As `words`; `@file` stands for the lines of a file, each a word. Raises PatternError."""
    return [line for word in words(limit) for line in (_lines(word[1:]) if word.startswith("@") else [word])]


def _lines(file: str) -> list[str]:
    try:
        lines = read_text(file).splitlines()
    except ConfigError as error:
        raise PatternError(str(error)) from error
    return [text for line in lines if (text := line.strip()) and not text.startswith("#")]


def matching(
    wanted: Sequence[str], hosts: Iterable[str], groups: Mapping[str, Sequence[str]]
) -> tuple[list[str], list[str]]:
    """The hosts that these words name, in the order in which they name them; and the words that name nothing. `groups`
    hold all their members in their order. Raises PatternError."""
    chosen: list[str] = []
    unknown: list[str] = []
    known = dict.fromkeys(hosts)
    for word in _ordered(wanted):
        if word in known:
            chosen.append(word)
            continue
        bare = word[1:] if word[0] in "!&" else word
        if not bare:
            raise PatternError(f"{quoted(word)} stands alone; write a host or a group after it")
        found, named = _named(bare, known, groups)
        if not named:
            unknown.append(bare)
        if word[0] in "!&":
            those = set(found)
            chosen = [h for h in chosen if (h in those) == (word[0] == "&")]
        else:
            chosen += found
    return list(dict.fromkeys(chosen)), unknown


def _ordered(wanted: Sequence[str]) -> list[str]:
    """First those that add, then those that keep (&), then those that take away (!)."""
    found = sorted(wanted, key=lambda w: {"!": 2, "&": 1}.get(w[:1], 0))
    return ["all", *found] if not found or found[0][0] in "!&" else found


def _named(word: str, hosts: Mapping[str, None], groups: Mapping[str, Sequence[str]]) -> tuple[list[str], bool]:
    """The hosts of one word, some of them twice, and whether the word names anything (a group may be empty)."""
    subscript = None if word.startswith("~") else _SUBSCRIPT.fullmatch(word)
    expression = subscript[1] if subscript else word
    fits = _fitting(expression, hosts, groups)
    of_groups = [g for g in groups if fits(g)]
    found = [h for g in of_groups for h in groups[g]]
    if not of_groups or expression.startswith("~") or any(c in expression for c in _MORE_THAN_A_GROUP):
        found += [h for h in hosts if fits(h)]
    if not found and not of_groups and not subscript and word[0] != "~" and _BRACKETS_AT_END.fullmatch(word):
        raise PatternError(f"{word}: these brackets are not a subscript; write [0], [-1], [0:2] or [1:]")
    return _subscripted(word, subscript, found) if subscript and found else found, bool(found or of_groups)


def _fitting(expression: str, hosts: Iterable[str], groups: Iterable[str]) -> Callable[[str], object]:
    if expression[0] == "~":
        return matched(expression[1:], tuple(dict.fromkeys((*groups, *hosts)))).__contains__
    try:
        return re.compile(fnmatch.translate(expression)).match
    except (re.error, RecursionError, OverflowError) as error:
        raise PatternError(f"{expression} is not a valid regular expression: {error}") from error


def _subscripted(word: str, subscript: re.Match[str], found: list[str]) -> list[str]:
    """One, or a range that includes its end; [x:0] is the one at x."""
    _, index, first, last = subscript.groups()
    try:
        if index is None and last != "" and whole(last) == 0:
            index = first
        if index is not None:
            return [found[whole(index)]]
        return found[whole(first) : whole(last) + 1 if last else None]
    except (IndexError, ValueError) as error:
        raise PatternError(f"{word}: there are only {len(found)} hosts to count from") from error
