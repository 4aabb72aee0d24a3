"""A check → the same check, with what earlier ones add to it; and it is remembered itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hvctl.core.check import Check, Memory, News, Since, Spot
from hvctl.history.judge import Judged
from hvctl.history.seen import Seen, seen
from hvctl.history.store import Store

_NOTHING: Mapping[str, Seen] = {}


def remember(check: Check, store: Store, known: Mapping[str, Seen] = _NOTHING) -> Check:
    """Raises HistoryError; the check is then as good as it was, and nothing of it is stored. Of hosts that it was stopped
    before nothing is. `known`: what was seen of some, if that is known already."""
    found = [known.get(one.host) or seen(check, one) for one in check.outcomes if one.looked and not one.unasked]
    # Not every database keeps fractions of a second.
    at = check.finished.replace(microsecond=0)
    return replace(check, memory=_memory(found, store.write(check, found, at)))


def _memory(found: Sequence[Seen], results: Sequence[Judged]) -> Memory:
    since: dict[Spot, Since] = {}
    appeared: list[Spot] = []
    went: list[Spot] = []
    for one, result in zip(found, results, strict=True):
        since |= {one.differing[key].spot: told for key, told in result.since.items()}
        appeared += [d.spot for key, d in result.begun.items() if d.accepted is None and key not in result.came]
        appeared += [one.differing[key].spot for key in sorted(result.returned)]
        went += [ended.spot for ended in result.ended.values() if ended.ending in ("as wished", "not wished")]
    pairs = list(zip(found, results, strict=True))
    return Memory(
        since,
        {one.host: result.unreachable for one, result in pairs if result.unreachable is not None},
        News(
            tuple(appeared),
            tuple(went),
            tuple(one.host for one, result in pairs if result.lost),
            tuple(one.host for one, result in pairs if result.back),
        ),
    )
