"""Parts of what is desired: VMs by their names or by tags of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from hvctl.core.resource import Entry, Index, Resource
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.source import suggest

_TAGGED = "vms"
"""The section whose items may have tags of their own."""


def words_of(value: Any) -> list[str] | None:
    """Tags as they may be written: a list of words, or one text of them; None for anything else."""
    found = value.split(",") if isinstance(value, str) else value
    if isinstance(found, list) and all(isinstance(v, str) for v in found):
        return [v.strip() for v in found if v.strip()]
    return None


def tagged(body: Mapping[str, Any], tags: Iterable[str]) -> frozenset[int]:
    """The numbers of the VMs of a play that have one of these tags themselves."""
    items = body.get(_TAGGED)
    wanted = set(tags)
    if not isinstance(items, list):
        return frozenset()
    return frozenset(n for n, item in enumerate(items) if isinstance(item, dict) and wanted & set(own_tags(item)))


def own_tags(item: Mapping[str, Any]) -> list[str]:
    return words_of(item.get("tags", [])) or []


def tags_in(body: Mapping[str, Any]) -> Iterator[str]:
    """All tags of its VMs."""
    items = body.get(_TAGGED)
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict):
            yield from own_tags(item)


def narrowed(body: Mapping[str, Any], picked: frozenset[int]) -> dict[str, Any]:
    """The play as if it had these VMs alone; each keeps its number, so that it keeps its place."""
    return {_TAGGED: [item if n in picked else None for n, item in enumerate(body[_TAGGED])]}


def named(found: Index, patterns: Sequence[str]) -> Index:
    """What is desired of the VMs that match one of these patterns, without case, by what they are or were called."""
    kept = [n for n, one in enumerate(found) if _matches(_top(one), patterns)]
    numbers = {old: new for new, old in enumerate(kept)}

    def moved(entry: Entry) -> Entry:
        return entry if entry.owner is None else replace(entry, owner=numbers[entry.owner])

    return Index((moved(found.entries[n]) for n in kept), found.host, found.together, known=found.known)


def unmatched(patterns: Sequence[str], found: Iterable[Sequence[Resource]]) -> Iterator[Diagnostic]:
    """What is given for --vm and names none."""
    tops = [one for desired in found for one in desired if one.owner is None and one.section == _TAGGED]
    names = list(dict.fromkeys(name for one in tops for name in _names(one)))
    for pattern in patterns:
        if not pattern.strip():
            yield Diagnostic(None, "--vm is empty", "leave it out, or name VMs")
        elif not any(_matches(one, (pattern,)) for one in tops):
            hint = suggest(pattern, names) or (
                f"declared are {', '.join(names[:10])}" if names else "no VM is declared"
            )
            yield Diagnostic(None, f"--vm {pattern}: no VM of these playbooks and hosts is called so", hint)


def _matches(one: Resource, patterns: Sequence[str]) -> bool:
    return one.section == _TAGGED and any(
        fnmatchcase(name.casefold(), pattern.strip().casefold()) for name in _names(one) for pattern in patterns
    )


def _names(one: Resource) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(one, "names", (one.key(),))
    return names


def _top(one: Resource) -> Resource:
    while one.owner is not None:
        one = one.owner
    return one
