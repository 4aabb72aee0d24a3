"""What a check says that the one before did not: drift that appeared or went, hosts lost and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hvctl.call import TransportError
from hvctl.core.check import Check, Memory, News, Spot, accepted
from hvctl.core.outcome import Outcome


@dataclass(frozen=True)
class Known:
    """What is known of the hosts after a check. `drifted`: as each host was seen last, also one that is lost now."""

    drifted: Mapping[str, frozenset[Spot]] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()


NOTHING = Known()
"""Before the first check: whatever is wrong then, is news."""


def news(before: Known, check: Check) -> tuple[News, Known]:
    """What is new, and what is known from now on. Of a host or a resource that could not be read nothing is said to
    have gone."""
    drifted = dict(before.drifted)
    appeared: list[Spot] = []
    went: list[Spot] = []
    seen_on: dict[str, set[Spot]] = {}
    for drift in check.drifts:
        seen_on.setdefault(drift.spot.host, set()).add(drift.spot)
    for one in check.outcomes:
        if one.error is not None or one.now is None:
            continue
        known = before.drifted.get(one.host, frozenset())
        unread = {a.address for a in one.now.actions if a.verb == "unknown"}
        seen = frozenset(seen_on.get(one.host, ()))
        kept = frozenset(s for s in known - seen if s.address in unread)
        left = {d.spot for d in accepted(one)}  # from now on: no drift, and not gone either
        appeared += sorted(seen - known)
        went += sorted(known - seen - kept - left)
        drifted[one.host] = seen | kept
    lost = _lost(check.outcomes)
    here = {one.host for one in check.outcomes if one.error is None or not _unknown(one.error)}
    return (
        News(
            tuple(appeared),
            tuple(went),
            tuple(sorted(lost - before.lost)),
            tuple(sorted((before.lost & here) - lost)),
        ),
        Known(drifted, (before.lost - here) | lost),
    )


def remembered(check: Check) -> bool:
    """Whether earlier checks added to this one, so that its own news are the ones to tell. A history that has
    nothing to add to a check without any trouble reads the same as none; nor is there news then."""
    return check.memory != Memory()


def _lost(outcomes: Iterable[Outcome]) -> frozenset[str]:
    lost = (o for o in outcomes if o.wrong or (o.error is not None and not _unknown(o.error)))
    return frozenset(one.host for one in lost)


def _unknown(error: TransportError) -> bool:
    """Whether nothing was found out about the host."""
    return bool(error.defect) or error.unasked
