"""Hosts at a glance, below what is told of each: state, since when, what it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

from hvctl.core.check import Check
from hvctl.core.outcome import Outcome
from hvctl.language import said
from hvctl.show.block import Group
from hvctl.show.cells import fold, padded
from hvctl.show.page import drifted
from hvctl.show.remembered import NOW
from hvctl.show.report import went_wrong
from hvctl.show.standing import since_of
from hvctl.show.state import state_of, word_of
from hvctl.show.text import WIDEST
from hvctl.text.duration import lasted

FEW = 3
"""So many hosts are seen at a glance as they are."""
_GAP = "  "
_STYLE = {"in_sync": "green", "accepted": "dim", "differs": "yellow", "unreadable": "magenta"}


def checked_in_few_words(one: Outcome, check: Check) -> str:
    """Of a host that was read: what differs, and for how long something has."""
    since = _for(one, check)
    found = drifted(one.plan) if one.plan is not None else ""
    return ", ".join(t for t in (found or "not all of it could be read", since) if t)


def overview_lines(
    hosts: Sequence[Outcome], check: Check, groups: Iterable[Group] = (), *, width: int = 120
) -> Iterator[Text]:
    """A line a host, where there are more than a few; hosts that were told as a group above have one together."""
    yield from _lines(hosts, [said(_for(one, check)) for one in hosts], groups, min(width, WIDEST))


def left_lines(hosts: Sequence[Outcome], groups: Iterable[Group] = (), *, width: int = 120) -> Iterator[Text]:
    """The same of hosts that were to be changed."""
    yield from _lines(hosts, ["" for _ in hosts], groups, min(width, WIDEST))


def _lines(hosts: Sequence[Outcome], since: Sequence[str], groups: Iterable[Group], width: int) -> Iterator[Text]:
    drift = all(one.report is None for one in hosts)
    first = {host: group.hosts[0] for group in groups for host in group.hosts}
    alike: dict[tuple[str, str, str, str], list[Outcome]] = {}
    for one, for_ in zip(hosts, since, strict=True):
        word, says = said(word_of(one, drift=drift)), said(_says(one))
        alike.setdefault((first.get(one.host, one.host), word, for_, says), []).append(one)
    if len(alike) <= FEW:
        return
    rows = [(word, _named(own), for_, says) for (_, word, for_, says), own in alike.items()]
    widths = [max(cell_len(row[n]) for row in rows) for n in range(3)]
    room = max(20, width - sum(widths) - (2 + bool(widths[2])) * len(_GAP))
    for own, row in zip(alike.values(), rows, strict=True):
        line = Text(padded(row[0], widths[0]), _STYLE.get(state_of(own[0]), "red"))
        line.append(_GAP + padded(row[1], widths[1]), "not bold default")
        line.append(_GAP + padded(row[2], widths[2]) if widths[2] else "", "default")
        summary = fold(row[3], room)
        line.append(_GAP + summary[0] + (" …" if len(summary) > 1 else ""), "default")
        line.rstrip()
        yield line
    yield Text()


def _named(hosts: Sequence[Outcome]) -> str:
    """Of a group all are named above."""
    others = len(hosts) - 1
    return said(f"{hosts[0].host} and {others} other{'s' * (others > 1)}") if others else hosts[0].host


def _says(one: Outcome) -> str:
    if one.error is not None:
        return one.error.message
    if one.wrong:
        return str(one.wrong[0])
    if one.changed:
        return one.changed[0]
    if one.report is not None:
        return went_wrong(one.report)
    return drifted(one.plan) if one.plan is not None else ""


def _for(one: Outcome, check: Check) -> str:
    since = since_of(one, check)
    if since is None:
        return ""
    return "new" if check.finished - since < NOW else f"for {lasted(check.finished - since)}"
