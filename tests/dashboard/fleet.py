"""A history of a fleet, as nightly checks would leave it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hvctl.core.acceptance import Acceptance
from hvctl.core.check import Check, Spot
from hvctl.history import Place, place
from hvctl.history.meters import Meters
from hvctl.history.planned import Planned, PlannedField, PlannedItem, PlannedStep, told
from hvctl.history.runs import ScheduledRun, write_run
from hvctl.history.seen import Difference, Seen, Standing, Wished, key_of
from hvctl.history.store import Store
from hvctl.kinds import address_of
from hvctl.metering import HostReading, Reading
from hvctl.text.diagnostic import Mark

NOW = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
PLAYBOOK = "/fleet/site.yml"
HOSTILE = "<script>alert(1)</script>\u202e'\"&"


def host(number: int) -> str:
    return f"hv{number:03}"


def looked(
    name: str, spots: Iterable[tuple[Sequence[str], str]], differing: Sequence[int] = (), now: str = "2"
) -> Seen:
    """A look at a host where of the spots some differ, by their numbers."""
    told = [Spot(address_of(name, words), field) for words, field in spots]
    keys = [key_of(spot) for spot in told]
    return Seen(
        name,
        None,
        {keys[n]: Difference(told[n], now, "4", "", PLAYBOOK, keys[n]) for n in differing},
        {key: Wished(spot, "json:4", PLAYBOOK) for key, spot in zip(keys, told, strict=True)},
        frozenset(key for n, key in enumerate(keys) if n not in differing),
        covered=frozenset({PLAYBOOK}),
    )


SPOTS = (
    (("processor", "web01"), "count"),
    (("network_adapter", "仮想マシン", "lan"), "vlan"),
    (("switch", "lan"), "notes"),
)


def fleet(folder: Path, hosts: int = 12, drifted: Sequence[int] = (3, 5), away: Sequence[int] = (7,)) -> Place:
    """Three checks: ten days ago all was well, yesterday half of the drift was there, this morning all of it. The last host
    was not looked at since the first."""
    where = place(str(folder / "history.db"))
    store = Store(where)
    names = [host(n) for n in range(hosts)]

    def check(at: datetime, seen: Sequence[Seen], status: int) -> None:
        addresses = {one.host: f"{one.host}.example.com" for one in seen}
        store.write(
            Check("drift", (PLAYBOOK,), at - timedelta(minutes=2), at, (), status, addresses=addresses), seen, at
        )

    check(NOW - 10 * DAY, [looked(name, SPOTS) for name in names], 0)
    check(
        NOW - 2 * DAY,
        [looked(name, SPOTS, [0] if n in drifted[: len(drifted) // 2] else []) for n, name in enumerate(names[:-1])],
        2,
    )
    morning = [
        Seen(name, unreachable="connection refused")
        if n in away
        else looked(name, SPOTS, [0, 1] if n in drifted else [], now=HOSTILE if n == drifted[0] else "2")
        for n, name in enumerate(names[:-1])
    ]
    check(NOW - timedelta(hours=1), morning, 4)
    return where


def with_units(where: Place) -> None:
    """A cluster with a role off its preferred owners, a replica pair that lags, a lone one, exports, schedules, accepted drift,
    and plans: as two checks would leave them."""
    store = Store(where)
    sides = {"hv002": ("primary", "hv003.example.com", "hv003"), "hv003": ("replica", "hv002", "hv002")}

    def role(node: str, vm: str, preferred: str, state: str = "online") -> Standing:
        parts = (("node", node.upper()), ("state", state), ("preferred", preferred))
        return Standing.of("role", "hvcl01", vm, f"on {node.upper()}", None, parts)

    def replication(host: str, lag: int | None) -> Standing:
        side, other, short = sides[host]
        parts = (("side", side), ("other", other), ("state", "replicating"), ("health", "warning"))
        return Standing.of("replication", "", "経理db", f"replicating to {short}, warning", lag, parts)

    def export(vm: str, standing: str, days: int) -> Standing:
        newest = (NOW - days * DAY).isoformat(timespec="seconds")
        parts = (("newest", newest), ("every", "86400"), ("copies", "3"))
        return Standing.of("export", r"E:\exports", vm, standing, None, parts)

    known = Acceptance(date(2027, 1, 31), "waits for the new <cluster>", Mark(PLAYBOOK, 3, 1))
    spot = Spot(address_of("hv004", ("processor", "web01")), "count")
    key = key_of(spot)
    field = PlannedField("count", HOSTILE, "4", "", "consent", ("restart",))
    item = PlannedItem("processor web01", "update", place=f"{PLAYBOOK}:7:5", fields=(field,), remarks=("web01 runs",))
    steps = (PlannedStep("set the processor of web01", "failed", "the host was busy"),)
    for n, lag in enumerate((40, 900, 65, 120)):
        at = NOW - timedelta(minutes=10 * (4 - n))
        seen = [
            Seen("hv002", standings=(role("hv002", "sql01", "yes"), replication("hv002", lag), export("sql01", "in time", 0))),
            Seen("hv003", standings=(
                role("hv003", "web09", "no"), role("hv003", "app01", "", "failed"), replication("hv003", None),
            )),
            Seen("hv004", differing={key: Difference(spot, "2", "4", "", PLAYBOOK, key, known)},
                 wished={key: Wished(spot, "json:4", PLAYBOOK)}, standings=(export("web01", "late", 3),),
                 plan=told(Planned((item,), steps, 2))),
        ]  # fmt: skip
        addresses = {one.host: f"{one.host}.example.com" for one in seen}
        store.write(Check("apply", (PLAYBOOK,), at, at, (), 2, addresses=addresses), seen, at)
    for name, verb, rhythm, hours, status in (
        ("nightly", "apply", "0 3 * * *", 5, 2), ("nightly", "drift", "every 1 h", 1, 0),
        ("夜間", "export", "0 1 * * mon-fri", 7, 4), ("meters", "metering", "every 15 min", 30, 0),
    ):  # fmt: skip
        at = NOW - timedelta(hours=hours)
        due = at + (timedelta(minutes=15) if verb == "metering" else DAY)
        write_run(where, ScheduledRun(name, verb, rhythm, (PLAYBOOK,), at, at + timedelta(minutes=2), status, due))


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
