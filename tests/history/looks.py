"""Looks at a host as the store gets them. It imports little: processes of their own start from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hvctl.core.check import Check, Spot
from hvctl.history import place
from hvctl.history.judge import Judged
from hvctl.history.past import HostPast
from hvctl.history.seen import Difference, Seen, Wished, key_of
from hvctl.history.store import Store
from hvctl.kinds import address_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LAB = "/lab.yml"
COUNT = Spot(address_of("hv01", ("processor", "ウェブ")), "count")


def sees(now: str = "4", spot: Spot = COUNT) -> Seen:
    """A look at a host where one field, wished to be 4, reads so."""
    key = key_of(spot)
    differing = {key: Difference(spot, now, "4", "", LAB, key)} if now != "4" else {}
    agreed = frozenset() if differing else frozenset({key})
    return Seen(spot.host, None, differing, {key: Wished(spot, "4", LAB)}, agreed, covered=frozenset({LAB}))


def write(store: Store, seen: Seen, at: datetime, addresses: Mapping[str, str] | None = None) -> Judged:
    check = Check("drift", ("lab.yml",), at, at, (), 0, addresses=addresses or {})
    return store.write(check, [seen], at)[0]


def told(store: Store, since: datetime = AT - timedelta(days=9)) -> tuple[HostPast, ...]:
    return store.told(since, lambda names: names)


def write_some(file: str, number: int, rounds: int) -> int:
    """In a process of its own: its own host, and one that all look at."""
    store = Store(place(file))
    for n in range(rounds):
        at = AT + n * timedelta(minutes=1)
        write(store, sees("2" if n % 2 else "4", Spot(address_of(f"hv{number}", ("vm", "web01")))), at)
        write(store, sees("2"), at)
    return rounds
