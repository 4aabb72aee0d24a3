"""Two readings and what lies between them: subtraction, resets, moves, gaps. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.metering import HostReading, Reading
from hvctl.metering.reading import COUNTERS
from hvctl.metering.stretch import Stretch
from hvctl.metering.subtraction import stretches
from hvctl.metering.usage import used

T0 = datetime(2026, 11, 1, tzinfo=UTC)
HOUR = 3600.0


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def reading(hours: float, since: float | None = 0, run: int | None = None, **more: Any) -> Reading:
    """A VM that uses 300 MHz, 512 MB and 1 of each counter a second since its meters began, at the hour `since`."""
    counted = None if since is None else int((hours - since) * HOUR)
    given: dict[str, Any] = {
        "duration_s": counted,
        "average_processor_mhz": 300,
        "average_memory_mb": 512,
        "counters": {q: int(hours * HOUR) if counted is None else counted for q in COUNTERS},
        "disk_size": 100,
        "disk_files": 10,
        "state": "Running",
    } | more
    return Reading(
        at(hours), given.pop("host", "hv01"), "a1", given.pop("name", "web01"), run=run or int(hours), **given
    )


def last(*readings: Reading, looks: tuple[HostReading, ...] = ()) -> Stretch:
    return [s for s in stretches(readings, looks) if not any(e.kind == "gone" for e in s.events)][-1]


def kinds(one: Stretch) -> list[str]:
    return [event.kind for event in one.events]


def values(one: Stretch) -> Mapping[str, float]:
    return {q: a.value for q, a in one.amounts.items()}


def test_readings_of_one_series_are_subtracted() -> None:
    found = last(reading(1), reading(3))
    expected: dict[str, float] = {"processor": 300 * 2 * HOUR, "memory": 512 * 2 * HOUR}
    expected |= dict.fromkeys(COUNTERS, 2 * HOUR)
    assert values(found) == expected | {"disk_size": 100 * 2 * HOUR, "disk_files": 10 * 2 * HOUR}
    assert (found.gaps, kinds(found)) == ((), [])


def test_an_average_that_sinks_is_what_it_used_in_the_end() -> None:
    """1 hour at 300 MHz, 3 at none: its average falls to 75."""
    found = last(reading(1), reading(4, average_processor_mhz=75))
    assert found.amounts["processor"].value == 0
    assert (kinds(found), found.gaps) == ([], ())


def test_what_was_counted_before_the_first_reading_is_told_with_its_beginning() -> None:
    (found,) = stretches([reading(5, since=2)])
    assert (found.start, found.end, kinds(found)) == (at(2), at(5), ["first"])
    assert found.amounts["processor"].value == 300 * 3 * HOUR
    assert "disk_size" not in found.amounts  # what it had before is not known


def test_a_reset_that_was_not_ours_leaves_a_gap_before_it() -> None:
    found = last(reading(4), reading(10, since=7))
    assert kinds(found) == ["reset"]
    assert [(g.start, g.end) for g in found.gaps] == [(at(4), at(7))]
    assert (found.amounts["processor"].value, found.amounts["processor"].start) == (300 * 3 * HOUR, at(7))
    assert found.amounts["disk_size"].seconds == 6 * HOUR  # the disks were there all the time


def test_a_reset_is_seen_though_every_counter_has_grown() -> None:
    found = last(reading(1), reading(10, since=2))
    assert kinds(found) == ["reset"]
    assert found.amounts["io"].value == 8 * HOUR


def test_a_reset_by_hvctl_is_told_as_such() -> None:
    found = last(reading(4), reading(4.01, since=4.005, run=5, reset=True))
    assert kinds(found) == ["reset by hvctl"]
    assert found.gaps[0].seconds == pytest.approx(18, abs=1)


def test_a_move_keeps_what_was_counted_and_is_told() -> None:
    found = last(reading(1), reading(3, host="hv02"))
    assert kinds(found) == ["moved"]
    assert found.amounts["processor"].value == 300 * 2 * HOUR
    assert found.host == "hv01"


def test_clocks_of_two_hosts_that_differ_are_no_reset() -> None:
    moved = replace(reading(3, host="hv02"), at=at(3) + timedelta(minutes=4))
    found = last(reading(1), moved)
    assert kinds(found) == ["moved"]
    assert found.amounts["network_in"].value == 2 * HOUR


def test_metering_that_is_switched_off_and_on_leaves_gaps() -> None:
    a, off, still, on = reading(1), reading(2, metered=False), reading(3, metered=False), reading(6, since=5)
    off, still = (replace(r, duration_s=None, counters={}) for r in (off, still))
    found = stretches([a, off, still, on])
    assert [kinds(s) for s in found] == [["first"], ["switched off"], [], ["switched on"]]
    assert [(g.start, g.end) for s in found for g in s.gaps] == [(at(1), at(2)), (at(2), at(3)), (at(3), at(5))]
    assert found[-1].amounts["memory"].value == 512 * HOUR
    assert [s.amounts["disk_size"].seconds for s in found[1:]] == [HOUR, HOUR, 3 * HOUR]


def test_meters_that_went_back_to_an_earlier_state_are_not_billed_twice() -> None:
    """A checkpoint was applied that restored what they had counted at hour 2."""
    back = replace(reading(10), duration_s=5 * HOUR, counters=dict.fromkeys(COUNTERS, 5 * 3600))
    found = last(reading(8), back)
    assert kinds(found) == ["backwards"]
    assert "processor" not in found.amounts
    assert [(g.start, g.end) for g in found.gaps] == [(at(8), at(10))]
    assert last(reading(8), back, replace(back, at=at(11), duration_s=6 * HOUR, run=11)).amounts["processor"].value > 0


def test_time_that_was_not_metered_is_a_gap_and_no_reset() -> None:
    """The host was down for two hours, and its meters with it."""
    found = last(reading(4), replace(reading(10), duration_s=8 * HOUR, counters=dict.fromkeys(COUNTERS, 8 * 3600)))
    assert kinds(found) == ["time lost"]
    assert sum(g.seconds for g in found.gaps) == 2 * HOUR
    assert found.amounts["processor"].value == 300 * 4 * HOUR


def test_a_duration_that_is_missing_leaves_the_averages_out_and_the_sums_in() -> None:
    found = last(reading(1, since=None), reading(3, since=None))
    assert kinds(found) == ["no duration"]
    assert "processor" not in found.amounts
    assert found.amounts["network_in"].value == 2 * HOUR
    assert [g.why for g in found.gaps] == ["no averages: the host does not tell since when it counts"]


def test_without_a_duration_a_step_back_is_a_reset_at_a_time_nobody_knows() -> None:
    found = last(reading(3, since=None), replace(reading(5, since=None), counters=dict.fromkeys(COUNTERS, 7)))
    assert kinds(found) == ["reset"]
    assert set(found.amounts) == {"disk_size", "disk_files"}


def test_one_counter_that_falls_is_an_adapter_that_went() -> None:
    b = reading(3)
    found = last(reading(1), replace(b, counters={**b.counters, "network_in": 5, "network_out": 5}))
    assert kinds(found) == ["partly", "partly"]
    assert not {"network_in", "network_out"} & set(found.amounts)
    assert found.amounts["processor"].value == 300 * 2 * HOUR


def test_a_clock_that_went_back_is_told() -> None:
    found = last(reading(5, run=1), reading(4, run=2), reading(6, run=3))
    assert values(found)["io"] == 2 * HOUR
    assert [kinds(s) for s in stretches([reading(5, run=1), reading(4, run=2)])][-1] == ["clock"]


def test_a_vm_that_was_on_no_host_for_a_while_has_no_disks_then() -> None:
    looks = tuple(HostReading("hv01", at(n), run=n) for n in range(1, 8))
    found = last(reading(1), reading(2), reading(6), looks=looks)
    assert kinds(found) == ["not seen"]
    assert found.amounts["disk_size"].seconds == HOUR
    assert found.amounts["processor"].value == 300 * 4 * HOUR  # its meters went on


def test_a_move_within_one_run_is_no_absence() -> None:
    looks = (HostReading("hv01", at(1), run=1), HostReading("hv01", at(2.9), run=2), HostReading("hv02", at(3), run=2))
    found = last(reading(1, run=1), reading(3, host="hv02", run=2), looks=looks)
    assert kinds(found) == ["moved"]


def test_a_vm_that_is_gone_is_told() -> None:
    looks = (HostReading("hv01", at(1), run=1), HostReading("hv01", at(2), run=2))
    assert kinds(stretches([reading(1)], looks)[-1]) == ["gone"]
    assert kinds(stretches([reading(1), reading(2)], looks)[-1]) == []


def test_a_replica_is_not_its_primary() -> None:
    mine = [reading(1), reading(2), reading(3)]
    theirs = [replace(r, host="hv02", replica=True, metered=False) for r in mine]
    found = stretches([r for pair in zip(mine, theirs, strict=True) for r in pair])
    assert not any("moved" in kinds(s) for s in found)
    assert sum(s.amounts["io"].value for s in found if "io" in s.amounts) == 3 * HOUR


def test_a_copy_with_the_same_id_is_another_vm() -> None:
    mine = [reading(1), reading(2), reading(3)]
    copies = [replace(r, host="hv02", duration_s=60.0, counters={}) for r in mine]
    found = stretches([r for pair in zip(mine, copies, strict=True) for r in pair])
    assert not any("moved" in kinds(s) for s in found)


def test_off_and_renamed_are_told() -> None:
    found = last(reading(1), reading(2, state="Off", name="web02"))
    assert kinds(found) == ["renamed", "off"]
    assert found.amounts["memory"].value == 512 * HOUR


def test_a_unit_that_the_host_tells_otherwise_scales_what_it_counts() -> None:
    told = {"memory": "byte * 10^6", "data_read": "byte * 2^20", "network_in": "furlong"}
    found = last(reading(1, units=told), reading(2, units=told))
    assert found.amounts["memory"].value == pytest.approx(512 * HOUR * 10**6 / 2**20)
    assert not found.amounts["data_read"].doubtful
    assert found.amounts["data_written"].doubtful  # nobody documents it
    assert found.amounts["network_in"].doubtful


# --- whatever happens ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(0, 2000), min_size=2, max_size=30))
def test_a_series_sums_up_to_what_its_two_ends_say(loads: list[int]) -> None:
    """However whole the numbers of the host are, the sum is off by what the two ends are, no more."""
    truth, found = 0.0, []
    for n, mhz in enumerate(loads, 1):
        truth += mhz * HOUR
        found.append(reading(n, average_processor_mhz=int(truth / (n * HOUR))))
    (usage,) = used(stretches(found), T0, at(len(loads)))
    total = usage.totals["processor"]
    assert abs(total.value - truth) <= total.off
    assert total.seconds == len(loads) * HOUR
    assert not usage.gaps


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.booleans()), min_size=1, max_size=30), st.integers(1, 24))
def test_what_is_known_and_what_is_not_are_the_whole_time(hours: list[tuple[int, bool]], cut: int) -> None:
    """With resets at any time: what is counted and the gaps fill the time, whichever part of it is looked at."""
    found, began = [reading(1)], 0.0
    for n, (seconds, reset) in enumerate(hours, 2):
        began = n - 1 + (300 + seconds) / HOUR if reset else began
        found.append(reading(n, since=began))
    end = at(len(found))
    (usage,) = used(stretches(found), at(1), end)
    known = usage.totals["io"].seconds if "io" in usage.totals else 0.0
    assert known + usage.gap_seconds == pytest.approx((end - at(1)).total_seconds(), abs=len(found))
    middle = min(at(cut), end)
    parts = [u for a, b in ((at(1), middle), (middle, end)) for u in used(stretches(found), a, b)]
    whole = usage.totals["disk_size"].value
    assert sum(u.totals["disk_size"].value for u in parts if "disk_size" in u.totals) == pytest.approx(whole)
