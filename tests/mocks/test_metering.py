"""Meters of the simulated host: what Measure-VM says after simulated time has passed."""

from __future__ import annotations

from typing import Any

import pytest

from hvctl.contract import VERSIONS
from mocks.host import SimulatedHost
from mocks.objects import PsObject, TimeSpan
from tests.mocks.hosts import done, host, one, one_vm, read, refused, run

HOUR = 3600.0
DYNAMIC = {"startup": "2GB", "dynamic_memory_enabled": True}
USAGE = {
    "processor_mhz": 500,
    "memory": "1GB",
    "read": "1MB",
    "written": "2MB",
    "incoming": "3MB",
    "outgoing": "4MB",
    "iops": 100,
    "latency": 700,
}


def metered(os: str = "2022", **more: Any) -> SimulatedHost:
    on = one_vm(
        os,
        **{"state": "Running", "memory": DYNAMIC, "adapters": [{"switch": "lan"}], "usage": USAGE} | more,
    )
    done(on, "Enable-VMResourceMetering", VMName="web01")
    return on


def measured(on: SimulatedHost) -> dict[str, Any]:
    return dict(one(on, "Measure-VM", Name="web01").properties)


def traffic(report: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in report["NetworkMeteredTrafficReport"]:
        assert isinstance(entry, PsObject)
        way = entry.properties["Direction"].name
        found[way] = found.get(way, 0) + entry.properties["TotalTraffic"]
    return found


def test_static_memory_is_what_it_was_given() -> None:
    on = metered(memory={"startup": "2GB"})
    on.clock.sleep(HOUR)
    report = measured(on)
    assert {report[f"{word}MemoryUsage"] for word in ("Average", "Minimum", "Maximum")} == {2048}


def test_averages_and_sums_are_those_of_the_time_that_passed() -> None:
    on = metered()
    began = on.clock.now()
    on.clock.sleep(began + HOUR - on.clock.now())
    report = measured(on)
    seconds = HOUR - 0.1  # enabling took so long
    assert report["MeteringDuration"].ticks == pytest.approx((HOUR - 0.1) * 1e7, abs=2e6)
    assert (report["AverageProcessorUsage"], report["AverageMemoryUsage"]) == (500, 1024)
    assert report["AggregatedDiskDataRead"] == pytest.approx(seconds, abs=2)
    assert report["AggregatedNormalizedIOCount"] == pytest.approx(100 * seconds, abs=100)
    assert (report["AggregatedAverageNormalizedIOPS"], report["AggregatedAverageLatency"]) == (100, 700)
    assert traffic(report) == {
        "Inbound": pytest.approx(3 * seconds, abs=3),
        "Outbound": pytest.approx(4 * seconds, abs=4),
    }


def test_the_time_off_counts_in_the_averages_and_uses_nothing() -> None:
    on = metered()
    on.clock.sleep(HOUR)
    done(on, "Stop-VM", Name="web01", TurnOff=True)
    before = measured(on)
    on.clock.sleep(HOUR)
    after = measured(on)
    assert after["AverageProcessorUsage"] == pytest.approx(before["AverageProcessorUsage"] / 2, abs=1)
    assert after["AverageMemoryUsage"] == pytest.approx(512, abs=1)
    assert (after["MinimumMemoryUsage"], after["MaximumMemoryUsage"]) == (1024, 1024)  # of the time it ran
    assert after["AggregatedDiskDataRead"] == before["AggregatedDiskDataRead"]


def test_a_reset_begins_anew_and_goes_on() -> None:
    on = metered()
    on.clock.sleep(HOUR)
    done(on, "Reset-VMResourceMetering", VMName="web01")
    report = measured(on)
    assert report["MeteringDuration"].ticks < 1e7
    assert traffic(report) == {"Inbound": 0, "Outbound": 0}
    assert report["AverageMemoryUsage"] == report["MaximumMemoryUsage"] == report["MinimumMemoryUsage"] == 1024
    on.clock.sleep(HOUR)
    assert measured(on)["AggregatedDiskDataRead"] == pytest.approx(HOUR, abs=3)


@pytest.mark.parametrize("os", VERSIONS)
def test_what_is_not_metered_is_refused_and_the_others_are_told(os: str) -> None:
    on = host(os, vms=[{"name": "a"}, {"name": "b", "resource_metering_enabled": True}])
    outcome = run(on, "Measure-VM", action="Continue", Name=["a", "b"])
    assert [o.properties["VMName"] for o in outcome.objects] == ["b"]
    assert len(outcome.errors) == 1
    assert refused(on, "Reset-VMResourceMetering", VMName="a") == "InvalidState"
    assert ("AggregatedDiskDataRead" in outcome.objects[0].properties) == (os != "2012")  # operations 1.1


def test_disabling_discards_what_was_counted_and_leaves_the_acls() -> None:
    on = metered()
    on.clock.sleep(HOUR)
    done(on, "Disable-VMResourceMetering", VMName="web01")
    assert read(on, "Get-VM", "ResourceMeteringEnabled", Name="web01") is False
    assert len(done(on, "Get-VMNetworkAdapterAcl", VMName="web01")) == 4
    assert refused(on, "Measure-VM", Name="web01") == "InvalidState"
    done(on, "Enable-VMResourceMetering", VMName="web01")
    assert measured(on)["MeteringDuration"].ticks < 1e7


def test_enabling_what_is_metered_already_changes_nothing() -> None:
    on = metered()
    on.clock.sleep(HOUR)
    done(on, "Enable-VMResourceMetering", VMName="web01")
    assert measured(on)["MeteringDuration"].ticks > HOUR * 1e7


def test_the_duration_may_be_null() -> None:
    on = metered(duration_unknown=True)
    on.clock.sleep(HOUR)
    assert measured(on)["MeteringDuration"] is None
    assert measured(on)["AverageProcessorUsage"] == 500


def test_the_allocation_of_disks_is_the_most_since_the_reset() -> None:
    disk = r"D:\VMs\web01\os.vhdx"
    on = host(
        "2022",
        vms=[
            {
                "name": "web01",
                "generation": 2,
                "drives": [{"at": "scsi 0:0", "path": disk}],
                "resource_metering_enabled": True,
            }
        ],
        vhds={disk: {"size": "40GB"}},
    )
    assert measured(on)["TotalDiskAllocation"] == 40 * 1024
    on.clock.sleep(HOUR)
    done(on, "Remove-VMHardDiskDrive", VMName="web01", ControllerType="SCSI", ControllerNumber=0, ControllerLocation=0)
    on.clock.sleep(HOUR)
    assert measured(on)["TotalDiskAllocation"] == 40 * 1024  # operations 1.2: a detached disk stays in it


def test_a_snapshot_keeps_what_was_counted() -> None:
    on = metered()
    on.clock.sleep(HOUR)
    measured(on)
    again = SimulatedHost.from_yaml(on.snapshot(), on.clock)
    assert isinstance(measured(again)["MeteringDuration"], TimeSpan)
    assert measured(again)["AggregatedDiskDataRead"] == measured(on)["AggregatedDiskDataRead"]


def test_pools_are_not_simulated_and_say_so() -> None:
    on = metered()
    kind = refused(on, "Reset-VMResourceMetering", ResourcePoolName="Primordial", ResourcePoolType="Memory")
    assert kind == "NotSimulated"
