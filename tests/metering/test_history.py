"""Readings in the history: kept as they were told, read back in their order, and not for ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hvctl.history import place
from hvctl.history.meters import Meters
from hvctl.history.record import KEPT
from hvctl.metering import HostReading, Reading

AT = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FULL = Reading(
    AT, "hv01", "11111111-1111-1111-1111-111111111111", "ウェブ", "営業", "Running", False, True, 3600.5, 1, 2, 3, 4, 5, 6, 7,
    {"io": 8, "data_read": 9, "data_written": 10, "network_in": 11, "network_out": 2**62}, 12, 13,
)  # fmt: skip
BARE = Reading(AT, "hv01", "22222222-1111-1111-1111-111111111111", "plain", state="Off", replica=True, metered=False)


@pytest.fixture
def meters(tmp_path: Path) -> Meters:
    return Meters(place(str(tmp_path / "history.db")))


def write(meters: Meters, at: datetime, host: str = "hv01", *readings: Reading, after_reset: bool = False) -> None:
    own = tuple(replace(one, at=at, host=host) for one in readings)
    look = HostReading(host, at, own, {"memory": "byte * 2^20"})
    meters.write([look], {host: f"{host}.example"}, at, after_reset=after_reset)


def test_what_is_written_is_read_back(meters: Meters) -> None:
    write(meters, AT, "hv01", FULL, BARE)
    found = meters.told(AT, AT)
    assert [replace(one, run=0, units={}) for one in found.readings] == [FULL, BARE]
    assert {one.units["memory"] for one in found.readings} == {"byte * 2^20"}
    assert [(look.host, look.at) for look in found.looks] == [("hv01", AT)]


def test_the_readings_around_a_span_of_time_are_told_with_it(meters: Meters) -> None:
    for n in range(6):
        write(meters, AT + n * HOUR, "hv01", FULL)
    found = meters.told(AT + 2.5 * HOUR, AT + 3.5 * HOUR)
    assert [one.at for one in found.readings] == [AT + n * HOUR for n in (2, 3, 4)]
    assert [look.at for look in found.looks] == [AT + 3 * HOUR]


def test_a_vm_that_was_moved_is_told_with_where_it_was(meters: Meters) -> None:
    write(meters, AT, "hv01", FULL)
    write(meters, AT + HOUR, "hv02", FULL)
    found = meters.told(AT + HOUR, AT + HOUR, ["hv02"])
    assert [one.host for one in found.readings] == ["hv01", "hv02"]
    assert meters.told(AT, AT + HOUR, ["hv03"]).readings == ()


def test_a_reading_after_a_reset_says_so(meters: Meters) -> None:
    write(meters, AT, "hv01", FULL)
    write(meters, AT, "hv01", FULL, after_reset=True)
    assert [one.reset for one in meters.told(AT, AT).readings] == [False, True]


def test_a_host_without_vms_was_looked_at_all_the_same(meters: Meters) -> None:
    write(meters, AT)
    found = meters.told(AT, AT)
    assert (found.readings, len(found.looks)) == ((), 1)


def test_readings_are_kept_long_enough_for_a_bill_of_last_year(meters: Meters) -> None:
    write(meters, AT, "hv01", FULL)
    write(meters, AT + timedelta(days=396), "hv01", FULL)
    assert len(meters.told(AT, AT).readings) == 2
    write(meters, AT + KEPT + HOUR, "hv01", FULL)
    assert [one.at for one in meters.told(AT, AT + KEPT).readings if one.at == AT] == []


def test_without_a_history_nothing_is_told_and_none_is_made(meters: Meters, tmp_path: Path) -> None:
    assert meters.told(AT, AT).readings == ()
    assert not list(tmp_path.iterdir())
