"""What remembering costs: checks stored, one host told, pages of the dashboard, over 90 days of checks every 15 minutes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import insert, select

from hvctl.core.check import Check, Spot
from hvctl.history import place
from hvctl.history.opening import opened, writing
from hvctl.history.record import CHECKS_KEPT
from hvctl.history.schema import checks, hosts, looks
from hvctl.history.seen import Difference, Seen, Wished, key_of
from hvctl.history.store import Store
from hvctl.kinds import address_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERY = timedelta(minutes=15)
FIELDS = ("count", "weight", "reserve", "limit")
FILE = "/fleet.yml"


@dataclass(frozen=True)
class Remembered:
    """CPU. `check_ms`: to store a check of all hosts; `day_ms`: all checks of a day, one after the other, at that cost.
    `host_ms`: `hvctl history` of one of them. `overview_ms` and `page_ms`: the dashboard's first page, and that of a
    host, made and served within this process. `mb`: the database afterwards."""

    check_ms: float
    day_ms: float
    host_ms: float
    overview_ms: float
    page_ms: float
    mb: float


def rows(fleets: tuple[int, ...], days: int = CHECKS_KEPT.days) -> list[dict[str, Any]]:
    found = []
    for fleet in fleets:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "history.db"
            cost = _measured(Store(place(str(file))), file, fleet, days)
        found.append({"scenario": f"history: {fleet:,} hosts, {days} days of checks", "ours": asdict(cost)})
    return found


def _measured(store: Store, file: Path, fleet: int, days: int) -> Remembered:
    seen = [_seen(f"hv{n:04}", drifted=n % 10 == 0) for n in range(fleet)]
    store.write(_check(AT), seen, AT)
    _fill(store, int(timedelta(days=days) / EVERY))
    times = [AT + EVERY * n for n in (1, 2, 3)]
    check_ms = median(_cpu_ms(partial(store.write, _check(at), seen, at)) for at in times)
    at = times[-1]
    host_ms = _cpu_ms(lambda: store.told(AT - timedelta(days=30), lambda names: [seen[0].host]))
    overview_ms, page_ms = _pages(store, at, f"/hosts/{seen[0].host}")
    day_ms = round(check_ms * (timedelta(days=1) / EVERY))
    return Remembered(check_ms, day_ms, host_ms, overview_ms, page_ms, round(file.stat().st_size / 1e6, 1))


def _pages(store: Store, now: datetime, page: str) -> tuple[float, float]:
    """Each asked for a second time: what is imported or compiled at the first one is not of the page."""
    from starlette.testclient import TestClient  # noqa: PLC0415  nothing but the benchmark needs it

    from hvctl.dashboard.app import application  # noqa: PLC0415
    from hvctl.dashboard.guard import Anyone  # noqa: PLC0415
    from hvctl.dashboard.pages import Site  # noqa: PLC0415

    site = Site(store.place, Anyone(), timedelta(days=1), {}, lambda: now)
    found = []
    with TestClient(application(site, ["localhost"]), "http://localhost", headers={"accept": "text/html"}) as client:

        def asked(path: str) -> None:
            answer = client.get(path)
            assert answer.status_code == 200, answer.text[:500]

        for path in ("/", page):
            asked(path)
            found.append(_cpu_ms(partial(asked, path)))
    return found[0], found[1]


def _fill(store: Store, number: int) -> None:
    """With checks of before that found everything as wished."""
    with writing(opened(store.place)) as connection:
        ids = connection.execute(select(hosts.c.id)).scalars().all()
        for n in range(number):
            at = AT - EVERY * (number - n)
            values = {"verb": "drift", "started": at, "finished": at, "exit_status": 0, "playbooks": "[]"}
            (check,) = connection.execute(insert(checks).values(values)).inserted_primary_key or (0,)
            shared = {"check_id": check, "reached": True, "differing": 0}
            connection.execute(insert(looks), [{"host_id": host, **shared} for host in ids])


def _seen(host: str, *, drifted: bool) -> Seen:
    wished: dict[str, Wished] = {}
    differing: dict[str, Difference] = {}
    for vm in range(10):
        for field in FIELDS:
            spot = Spot(address_of(host, ("processor", f"vm{vm}")), field)
            wished[key_of(spot)] = Wished(spot, "json:4", FILE)
    if drifted:
        key, wish = next(iter(wished.items()))
        differing[key] = Difference(wish.spot, "2", "4", "", FILE, key)
    return Seen(host, None, differing, wished, frozenset(wished.keys() - differing.keys()), covered=frozenset({FILE}))


def _check(at: datetime) -> Check:
    return Check("drift", (FILE,), at, at, (), 0)


def _cpu_ms(act: Callable[[], object]) -> float:
    before = time.process_time()
    act()
    return round((time.process_time() - before) * 1000, 1)
