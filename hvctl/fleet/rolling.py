"""Changes in batches: which hosts come when, and whether the next batch may begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

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
    failed: list[str] = []
    done: list[str] = []
    number = 0
    for number, batch in enumerate(order, 1):
        say(f"Batch {number} of {len(order)}: {', '.join(batch)}")
        for one in apply([found[host] for host in batch], number > 1):
            found[one.host] = one
        failed += [host for host in batch if broken(found[host])]
        done += [host for host in batch if not broken(found[host])]
        if len(failed) > most or stopped():
            break
    left = [host for batch in order[number:] for host in batch]
    if left and not stopped():
        allowed = f"more than --max-failures {most} allows" if most else "and --max-failures allows none"
        hosts = f"{len(failed)} host{'s' * (len(failed) != 1)}"
        say(f"Stopped after batch {number} of {len(order)}: {hosts} failed, {allowed}.")
    if left:
        for word, named in (("Done", done), ("Failed", failed), ("Not begun", left)):
            say(f"{word}: {', '.join(named) or 'none'}")
    for host in left:
        one = found[host]
        if one.plan is not None:
            found[host] = replace(one, report=held_back(one.plan, stopped=stopped()))
    return [found[one.host] for one in outcomes]
