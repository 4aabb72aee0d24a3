"""What is wrong with the desired states of a run before a host is asked, and whether it is one host's or everybody's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hvctl.config.flaws import sound_rules
from hvctl.contract import OS, VERSIONS, title
from hvctl.core.resource import Index, Resource
from hvctl.text.diagnostic import Diagnostic, Mark

_NAMED = 10
"""Hosts that one message names."""


@dataclass(frozen=True)
class Desired:
    """What one host is to be. `os`: as the inventory says it; None where it does not."""

    host: str
    os: OS | None
    wishes: Index


@dataclass(frozen=True)
class _Spot:
    """A field as it is written: where the hosts of one play meet."""

    mark: Mark
    kind: str
    field: str

    @classmethod
    def of(cls, wish: Resource, found: Diagnostic) -> _Spot:
        return cls(wish.place.mark(), wish.kind, found.field)


def offline_problems(run: Sequence[Desired], *, seen: bool = False) -> list[Diagnostic]:
    """What no version of Windows takes is an error, and so is what no host of the run takes. What only some of them do
    not take is a warning that names them: their plans hold it back. `seen`: those plans have been looked at."""
    told: list[tuple[Diagnostic, OS | None, str]] = []
    refused: list[tuple[_Spot, Diagnostic, OS, str]] = []
    sound: set[tuple[Any, ...]] = set()
    for one in run:
        os = one.os or VERSIONS[-1]
        # What is wanted of many hosts is the very same entries, and no rule knows which of them it is about.
        alike = (os, one.wishes.together, id(one.wishes.known), bool(one.host), tuple(map(id, one.wishes.entries)))
        if alike in sound:
            continue
        found = list(sound_rules(one.wishes, os))
        if not found:
            sound.add(alike)
        always = _always({_Spot.of(w, f) for w, f in found if f.holds}, one.wishes)
        for wish, finding in found:
            spot = _Spot.of(wish, finding)
            problem = Diagnostic(wish.place.mark(finding.field), finding.message, finding.hint)
            if not finding.holds:
                by_version = one.os and title(one.os) in finding.message
                told += (
                    [(replace(problem, level="warning"), one.os if by_version else None, one.host)] if one.os else []
                )
            elif spot in always:
                told.append((problem, None, ""))
            elif one.os:
                refused.append((spot, problem, one.os, one.host))
        one.wishes.rest()
    hosts_of: dict[_Spot, set[str]] = {}
    for spot, _, _, host in refused:
        hosts_of.setdefault(spot, set()).add(host)
    for spot, problem, os, host in refused:
        everywhere = not seen and len(hosts_of[spot]) == len(run)
        told.append((problem if everywhere else replace(problem, level="warning"), os, host))
    return _with_hosts(told)


def wanted_on_two(run: Sequence[Desired]) -> Iterator[Diagnostic]:
    """What is wanted once, on one host of several, and is wanted on another of them too: it would go to and fro."""
    if not any(e.resource.only_on(e.place.hosts) == one.host for one in run for e in one.wishes.entries):
        return
    named = {one.host: {(w.kind, w.key().casefold()): w for w in one.wishes if w.owner is None} for one in run}
    told: set[tuple[object, ...]] = set()
    for host, own in named.items():
        for (kind, key), wish in own.items():
            for other in wish.links() if wish.only_on(wish.place.hosts) == host else ():
                twin, both = named.get(other, {}).get((kind, key)), (kind, key, frozenset({host, other}))
                if twin is not None and not twin.absent and both not in told:
                    told.add(both)
                    text = f"{kind} {wish.key()} is wanted on {host} and on {other}"
                    yield Diagnostic(wish.place.mark(), text, f"the other is at {twin.place.mark()}; write it once")


def _always(spots: set[_Spot], wishes: Sequence[Resource]) -> set[_Spot]:
    """Those at which every version has something to refuse."""
    for os in VERSIONS:
        if not spots:
            break
        here = {_Spot.of(wish, found) for wish, found in sound_rules(wishes, os) if found.holds}
        spots = {s for s in spots if s in here or replace(s, field="") in here}
    return spots


def _with_hosts(told: Sequence[tuple[Diagnostic, OS | None, str]]) -> list[Diagnostic]:
    """A problem of several hosts is told once, with their names where it is of their version."""
    hosts: dict[tuple[Diagnostic, OS | None], list[str]] = {}
    for problem, os, host in told:
        hosts.setdefault((problem, os), []).append(host)
    return [_naming(problem, os, list(dict.fromkeys(names))) for (problem, os), names in hosts.items()]


def _naming(problem: Diagnostic, os: OS | None, hosts: Sequence[str]) -> Diagnostic:
    if os is None:
        return problem
    names = ", ".join(hosts[:_NAMED]) + (f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else "")
    if title(os) in problem.message:
        return replace(problem, message=problem.message.replace(title(os), f"{title(os)} ({names})", 1))
    return replace(problem, message=f"{names}: {problem.message}")
