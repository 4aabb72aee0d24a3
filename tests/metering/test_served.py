"""Reading and resetting meters as calls: they bind on each version of Windows, and mean the same over the runner's twin and
over the real runner in a real PowerShell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hvctl.call import Batch, Reply, Task, Transport
from hvctl.contract import OS, VERSIONS, bind
from hvctl.core.facts import Facts, read_batch
from hvctl.kinds._metering import QUESTIONS, host_reading, reset_calls
from hvctl.metering import HostReading
from mocks.engine import EngineTransport
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.conftest import Engines
from tests.metering.fleet import host, vm

Serve = Callable[[SimulatedHost], Transport]


def simulated(os: OS, **more: Any) -> SimulatedHost:
    child, parent = r"D:\VMs\web01\os_1.avhdx", r"D:\VMs\web01\os.vhdx"
    web = vm("web01", drives=[{"at": "scsi 0:0", "path": child}], notes="owner: sales")
    data = host("hv01", web, vm("plain", 2, resource_metering_enabled=False), vm("nodur", 3, duration_unknown=True))
    disks = {
        parent: {"size": "40GB", "file_size": "10GB"},
        child: {"parent": parent, "type": "Differencing", "size": "40GB", "file_size": "1GB"},
    }
    generation = 1 if os == "2012" else 2
    vms = [{**one, "generation": generation} for one in data["vms"]]
    return SimulatedHost.from_yaml({**data, "os": os, "vms": vms, "vhds": {**data["vhds"], **disks}, **more})


def looked(on: SimulatedHost, transport: Transport, os: OS) -> HostReading:
    batch = read_batch(QUESTIONS)
    replies = transport.run(batch)
    return host_reading("hv01", Facts.of(os, transport.info(), batch, replies), lambda name, notes: notes)


def reset(look: HostReading, transport: Transport) -> list[Reply]:
    tasks = tuple(Task(f"s{n}", call) for n, (_, call) in enumerate(reset_calls(look.readings)))
    return transport.run(Batch(tasks, "change"))


@pytest.mark.parametrize("os", VERSIONS)
def test_each_version_of_windows_takes_the_calls(os: OS) -> None:
    on = simulated(os)
    on.clock.sleep(3600)
    look = looked(on, TwinTransport(on), os)
    asked = [i.cmdlet for i in on.log]
    assert asked.count("Measure-VM") == asked.count("Get-VM") == 1
    (call,) = {call.cmdlet for _, call in reset_calls(look.readings)}
    assert bind(os, call, {"VM": []}) is not None
    web, plain, nodur = look.readings
    assert (web.metered, plain.metered, nodur.duration_s) == (True, False, None)
    assert web.duration_s == pytest.approx(3600, abs=2)
    assert (web.disk_size, web.disk_files) == (40 * 2**30, 11 * 2**30)  # with what its checkpoint takes
    assert web.owner == "owner: sales"
    assert ("data_read" in web.counters) == (os != "2012")
    assert look.problems == ()
    assert look.units["memory"] == "byte * 2^20"
    replies = reset(look, TwinTransport(on))
    assert [r.ok for r in replies] == [True, True]
    again = looked(on, TwinTransport(on), os).readings[0]
    assert again.duration_s is not None
    assert again.duration_s < 10


@pytest.mark.engine
@pytest.mark.parametrize(
    ("os", "mode"),
    [
        pytest.param(os, mode, marks=pytest.mark.xdist_group(f"engine-{os}-{mode}"))
        for os, mode in (("2012r2", "FullLanguage"), ("2022", "FullLanguage"), ("2022", "ConstrainedLanguage"))
    ],
)
def test_a_real_powershell_reads_and_resets_the_same(os: OS, mode: Any, engines: Engines) -> None:
    found = []
    serves: tuple[Serve, ...] = (TwinTransport, lambda on: EngineTransport(engines(os, mode), on))
    for serve in serves:
        on = simulated(os, language="ja" if os == "2012r2" else "en", language_mode=mode)
        on.clock.sleep(3600)
        transport = serve(on)
        first = looked(on, transport, os)
        replies = reset(first, transport)
        assert [r.ok for r in replies] == [True, True]
        on.clock.sleep(60)
        second = looked(on, transport, os)
        found.append([_whole(one) for look in (first, second) for one in look.readings])
        transport.close()
    assert found[0] == found[1]
    assert found[0][0].counters["data_read"] == pytest.approx(3600, abs=3)
    assert found[0][3].counters["data_read"] == pytest.approx(60, abs=3)


def _whole(one: Any) -> Any:
    """Without what the time of a call makes: the two do not call in the same instant."""
    seconds = None if one.duration_s is None else round(one.duration_s / 10)
    counters = {q: round(n / 50) * 50 if q == "io" else n // 10 * 10 for q, n in one.counters.items()}
    return replace(one, at=one.at.replace(second=0, microsecond=0), duration_s=seconds, counters=counters)
