"""How the hosts of a drift check stand beside each other: the worst first, then what has been so for longest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, tzinfo

from hvctl.core.check import Check, Drift, accepted, drifts
from hvctl.core.outcome import Outcome
from hvctl.kinds import owner_of
from hvctl.kinds._host import known_zone
from hvctl.show.plain import plain
from hvctl.show.state import State, all_hosts, state_of
from hvctl.show.summary import made_within
from hvctl.text.address import Address

_WORST_FIRST: tuple[State, ...] = (
    "failed",
    "misconfigured",
    "unreachable",
    "unreadable",
    "refused",
    "left_undone",
    "differs",
    "not_looked_at",
    "accepted",
    "applied",
    "in_sync",
)
CALM: tuple[State, ...] = ("in_sync", "accepted")
"""States in which nobody has to do anything."""
MANY = 20
"""Hosts, above which those in sync are told apart from the others, and what is the same on several is told once."""


def standing(check: Check) -> tuple[Outcome, ...]:
    """All hosts of a check; those of a drift check by state, then by since when."""
    hosts = all_hosts(check)
    if check.verb != "drift":
        return hosts
    never = datetime.max.replace(tzinfo=UTC)
    return tuple(sorted(hosts, key=lambda one: (_WORST_FIRST.index(state_of(one)), since_of(one, check) or never)))


def warned(one: Outcome) -> bool:
    """Whether there is something to know of a host, be it in sync."""
    plan = one.now
    return plan is not None and any(r.level == "warning" for a in plan.actions for r in a.remarks)


def calm(one: Outcome) -> bool:
    """Whether there is nothing to say of a host but that it is in sync."""
    return state_of(one) == "in_sync" and not warned(one)


def smooth(one: Outcome) -> bool:
    """Whether all was done on a host, and there is nothing to say of it but that."""
    report = one.report
    told = report is None or any(r.warnings or r.told for r in report.results)
    return state_of(one) == "applied" and not told and not warned(one)


def worst_first(hosts: Iterable[Outcome]) -> tuple[Outcome, ...]:
    return tuple(sorted(hosts, key=lambda one: _WORST_FIRST.index(state_of(one))))


def printable(check: Check) -> Check:
    """As `plain`; of hosts of which there is nothing to say, only what is said of every host: its name."""
    bare = plain(replace(check, outcomes=()))
    return replace(bare, outcomes=tuple(_named(one) if calm(one) else plain(one) for one in check.outcomes))


def _named(one: Outcome) -> Outcome:
    host = plain(one.host)
    return one if host == one.host else replace(one, host=host)


def since_of(one: Outcome, check: Check) -> datetime | None:
    """Since when a host is away, or the first of what is open on it; None where that is not remembered."""
    if one.error is not None or one.wrong:
        return check.memory.unreachable.get(one.host)
    found = [check.memory.since.get(d.spot) for d in (*drifts(one), *accepted(one))]
    return min((since.first_seen for since in found if since is not None), default=None)


def open_drifts(check: Check) -> tuple[Drift, ...]:
    """Everything that is not as written, with what was seen first before the rest; not what is missing within something
    that is missing."""
    found = [
        drift
        for one in standing(check)
        for drift in drifts(one)
        if one.now is not None and not made_within(one.now, drift.action)
    ]
    never = datetime.max.replace(tzinfo=UTC)
    since = check.memory.since
    return tuple(sorted(found, key=lambda d: since[d.spot].first_seen if d.spot in since else never))


def zone_of(one: Outcome | None) -> tzinfo:
    """The host's zone, where it was asked for its clock; else UTC."""
    plan = one.plan if one is not None else None
    return (known_zone(plan.facts) if plan is not None else None) or UTC


def vm_of(address: Address) -> str:
    """The VM that a resource is, or is a part of; "" for what is no VM's."""
    owner = owner_of(address)
    return address.key if address.kind == "vm" else owner.key if owner is not None and owner.kind == "vm" else ""
