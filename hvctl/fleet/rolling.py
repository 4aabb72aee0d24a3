"""Changes in batches: which hosts come when, and whether the next batch may begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hvctl.core.apply import held_back
from hvctl.core.outcome import Outcome
from hvctl.core.serial import Serial

Batch = tuple[str, ...]


@dataclass(frozen=True)
class Rolling:
    """`serial`: for all hosts, whatever their plays say. `most`: so many hosts may fail before no batch is begun any more."""

    serial: Serial | None = None
    most: int = 0


def batches(hosts: Iterable[str], serials: Mapping[str, Serial], units: Mapping[str, Sequence[str]]) -> list[Batch]:
    """`hosts`: that have something to do, in order. `serials`: of those whose play has one; the others come first, all at
    once. `units`: hosts that are planned together come together."""
    groups: dict[Serial | None, list[str]] = {}
    for host in hosts:
        groups.setdefault(serials.get(host), []).append(host)
    found: list[Batch] = [tuple(groups.pop(None))] if None in groups else []
    for serial, members in groups.items():
        found += serial.batches(members) if serial is not None else ()
    return [batch for batch in _together(found, units) if batch]


def _together(found: Iterable[Batch], units: Mapping[str, Sequence[str]]) -> Iterable[Batch]:
    """With the other hosts of a unit in the batch of its first."""
    found = list(found)
    all_hosts = {host for batch in found for host in batch}
    taken: set[str] = set()
    for batch in found:
        own = [o for host in batch for o in (host, *units.get(host, ())) if o in all_hosts]
        now = tuple(dict.fromkeys(o for o in own if o not in taken))
        taken |= set(now)
        yield now


def broken(one: Outcome) -> bool:
    """Whether it went wrong there: a step failed, its plan had changed, or the host was not seen afterwards. What waits for
    consent, or is held back, is no failure."""
    report = one.report
    if report is None:
        return one.error is not None or bool(one.changed)
    return (
        one.error is not None
        or report.failed
        or report.after is None
        or report.after.unreadable
        or bool(report.left_down)
    )


Word = Literal["done", "unseen", "broken off", "failed", "not begun"]
_TOLD: dict[Word, str] = {
    "done": "Done ({}): {}",
    "unseen": "Done, not seen afterwards ({}): {}",
    "broken off": "Broken off ({}): {}",
    "failed": "Failed ({}): {}",
    "not begun": "Not begun ({}): {}",
}
_NONE: dict[Word, str] = {"done": "Done: none", "failed": "Failed: none", "not begun": "Not begun: none"}
"""Told at a stop even where there is none of them."""
NAMED = 10
"""So many hosts are named when a batch begins."""


def word_of(one: Outcome, stopped: bool) -> Word:
    """How a host of a batch that was begun stands. `stopped`: the run, which has broken off what it was about: that is no
    failure of its host."""
    report = one.report
    if report is not None and not report.begun:
        return "not begun"
    if stopped and report is not None and report.after is None:
        if all(r.status == "ok" for r in report.results):
            return "unseen"
        if report.error is None or report.running:
            return "broken off"
    return "failed" if broken(one) else "done"


def rolled(
    outcomes: Sequence[Outcome],
    order: Sequence[Batch],
    most: int,
    apply: Callable[[Sequence[Outcome], bool], Sequence[Outcome]],
    stopped: Callable[[], bool],
    say: Callable[[str], None],
) -> list[Outcome]:
    """Batch after batch. `apply`: changes the hosts of one; told whether they are to be planned again before, which they are
    in every batch but the first, since its plan is as old as the batches before took."""
    found = {one.host: one for one in outcomes}
    told: dict[Word, list[str]] = {word: [] for word in _TOLD}
    number = 0
    for number, batch in enumerate(order, 1):
        say(f"Batch {number} of {len(order)}: {few_of(batch)}")
        for one in apply([found[host] for host in batch], number > 1):
            found[one.host] = one
        for host in batch:
            told[word_of(found[host], stopped())].append(host)
        if len(told["failed"]) > most or stopped():
            break
    left = [host for batch in order[number:] for host in batch]
    told["not begun"] += left
    if left and not stopped():
        failed = len(told["failed"])
        at, hosts = f"batch {number} of {len(order)}", f"{failed} host{'s' * (failed != 1)}"
        if most:
            say(f"Stopped after {at}: {hosts} failed, more than --max-failures {most} allows.")
        else:
            say(f"Stopped after {at}: {hosts} failed, and --max-failures allows none.")
    if left or (stopped() and any(named for word, named in told.items() if word != "done")):
        for word, named in told.items():
            if named:
                say(_TOLD[word].format(len(named), ", ".join(named)))
            elif word in _NONE:
                say(_NONE[word])
        say(AGAIN)
    for host in left:
        one = found[host]
        if one.plan is not None:
            found[host] = replace(one, report=held_back(one.plan, stopped=stopped()))
    return [found[one.host] for one in outcomes]


AGAIN = "→ run the same command again: it looks at the hosts first, and does what is left"


def few_of(batch: Sequence[str]) -> str:
    if len(batch) <= NAMED:
        return ", ".join(batch)
    return f"{', '.join(batch[: NAMED - 1])} and {len(batch) - NAMED + 1} more"
