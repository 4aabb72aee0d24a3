"""A history of a fleet, as nightly checks would leave it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hvctl.core.acceptance import Acceptance
from hvctl.core.check import Check, Spot
from hvctl.dashboard.runs import Timer
from hvctl.history import Place, place
from hvctl.history.meters import Meters
from hvctl.history.runs import write_runs
from hvctl.history.scheduled import KILLED, ScheduledRun
from hvctl.history.seen import Difference, Seen, Standing, Wished, key_of
from hvctl.history.store import Store
from hvctl.kinds import address_of
from hvctl.metering import HostReading, Reading
from hvctl.text.diagnostic import Mark

NOW = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PLAYBOOK = "/fleet/site.yml"
HERE = "ctl.tokyo"
HOSTILE = "<script>alert(1)</script>\u202e'\"&"


def host(number: int) -> str:
    return f"hv{number:03}"


def looked(
    name: str,
    spots: Iterable[tuple[Sequence[str], str]],
    differing: Sequence[int] = (),
    now: str = "2",
    accepted: Acceptance | None = None,
) -> Seen:
    """A look at a host where of the spots some differ, by their numbers."""
    told = [Spot(address_of(name, words), field) for words, field in spots]
    keys = [key_of(spot) for spot in told]
    return Seen(
        name,
        None,
        {keys[n]: Difference(told[n], now, "4", "", PLAYBOOK, keys[n], accepted) for n in differing},
        {key: Wished(spot, "json:4", PLAYBOOK) for key, spot in zip(keys, told, strict=True)},
        frozenset(key for n, key in enumerate(keys) if n not in differing),
        covered=frozenset({PLAYBOOK}),
    )


SPOTS = (
    (("processor", "web01"), "count"),
    (("network_adapter", "仮想マシン", "lan"), "vlan"),
    (("switch", "lan"), "notes"),
)


KNOWN = Acceptance(date(2026, 12, 24), "waits for the new <cluster>", Mark(PLAYBOOK, 1, 1))
LAST, NEXT = NOW - timedelta(minutes=59, seconds=56), NOW
TIMERS = (
    Timer("site", "drift", (PLAYBOOK,), "every 1 h", "user", True, LAST, "drifted", NEXT),
    Timer("夜間-apply", "apply", (PLAYBOOK,), "0 2 * * *", "system", False),
)
UNITS = {
    "hv001": (
        Standing("cluster", "hvcl01", "hvcl01", "HV001 up, HV002 paused, HV099 down"),
        Standing("role", "hvcl01", "app01", "on HV001", parts=(("state", "online"), ("preferred", "no"))),
        Standing("replication", "", "web02", "replicating to hv004, warning", 5400),
        Standing("replication", "", "db01", "replicating to elsewhere, normal", 30),
        Standing("export", "", "web02", r"in D:\exports", 7 * 3600),
    ),
    "hv002": (
        Standing("role", "hvcl01", "仮想マシン", "on HV002", parts=(("state", "failed"),)),
        Standing("export", "", "仮想マシン", r"in E:\エクスポート"),
    ),
    "hv004": (Standing("replication", "", "web02", "replicating from hv001, warning"),),
}
"""This morning, by host."""
WERE = {
    "hv001": (
        Standing("cluster", "hvcl01", "hvcl01", "HV001 up, HV002 up, HV099 down"),
        Standing("export", "", "web02", r"in D:\exports", 26 * 3600),
        Standing("replication", "", "web02", "resynchronizing to hv004, critical", 40),
    ),
    "hv002": (Standing("role", "hvcl01", "app01", "on HV002"),),
}
"""Two days ago."""


def fleet(folder: Path, hosts: int = 12, drifted: Sequence[int] = (3, 5), away: Sequence[int] = (7,)) -> Place:
    return filled(place(str(folder / "history.db")), hosts, drifted, away)


def filled(where: Place, hosts: int = 12, drifted: Sequence[int] = (3, 5), away: Sequence[int] = (7,)) -> Place:
    """Three checks: ten days ago all was well, yesterday half of the drift was there, this morning all of it. The last host
    was not looked at since the first."""
    store = Store(where)
    names = [host(n) for n in range(hosts)]

    def check(at: datetime, seen: Sequence[Seen], status: int) -> None:
        addresses = {one.host: f"{one.host}.example.com" for one in seen}
        store.write(
            Check("drift", (PLAYBOOK,), at - timedelta(minutes=2), at, (), status, addresses=addresses), seen, at
        )

    check(NOW - 10 * DAY, [looked(name, SPOTS) for name in names], 0)
    before = [
        looked(name, SPOTS, [0] if n in drifted[: len(drifted) // 2] else []) for n, name in enumerate(names[:-1])
    ]
    check(NOW - 2 * DAY, [replace(one, standings=WERE.get(one.host, ())) for one in before], 2)
    morning = [
        Seen(name, unreachable="connection refused")
        if n in away
        else looked(name, SPOTS, [2], accepted=KNOWN)
        if n == 2
        else looked(name, SPOTS, [0, 1] if n in drifted else [], now=HOSTILE if n == drifted[0] else "2")
        for n, name in enumerate(names[:-1])
    ]
    check(NOW - timedelta(hours=1), [replace(one, standings=UNITS.get(one.host, ())) for one in morning], 4)
    write_runs(where, [*_runs()])
    return where


def _runs() -> Iterable[ScheduledRun]:
    """One that could not begin, what ran the three checks, one in between that was left out, and an apply that was killed."""
    hour = timedelta(hours=1)
    for at, status in (
        (NOW - 11 * DAY, 1),
        (NOW - 10 * DAY, 0),
        (NOW - 2 * DAY, 2),
        (NOW - 2 * hour, 75),
        (NOW - hour, 4),
    ):
        began = at - timedelta(minutes=3)
        again = NOW - 2 * hour if status == 2 else began + hour
        machine = None if status == 1 else HERE  # the first by a release that kept no machine
        yield ScheduledRun("site", "drift", "every 1 h", (PLAYBOOK,), began, at, status, again, machine)
    at = NOW - 30 * hour
    yield ScheduledRun("夜間-apply", "apply", "0 2 * * *", (PLAYBOOK,), at, at, KILLED, at + DAY)
    for at in (NOW - 5 * hour, NOW - hour):
        began = at - timedelta(minutes=3)
        yield ScheduledRun("site", "drift", "every 4 h", ("/osaka.yml",), began, at, 0, began + 4 * hour, "ctl.大阪")


def metered(where: Place, name: str, vm: str, days: int = 10) -> None:
    """Its meters, read once a day."""
    for n in range(days + 1):
        at = NOW - (days - n) * DAY
        reading = Reading(
            at, name, "6A1B9C10-0000-4000-8000-000000000001", vm, state="Running",
            duration_s=(n + 1) * 86400.0, average_processor_mhz=500, average_memory_mb=2048,
            counters={"data_read": 86400 * (n + 1), "network_in": 8640 * (n + 1)},
        )  # fmt: skip
        Meters(where).write([HostReading(name, at, (reading,))], {name: f"{name}.example.com"}, at)
