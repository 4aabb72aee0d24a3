"""Plans against a host as it was recorded: real objects of Windows Server 2012 R2, and our own recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.call import Batch, Call, Task, TransportError
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import look
from hvctl.fleet.recording import write_recording
from mocks.host import SimulatedHost
from mocks.recorded import RecordedHost
from mocks.twin import TwinTransport
from tests.harness import wished
from tests.replay import RecordedTransport

WISHED: dict[str, Any] = {
    "host": {"virtual_machine_path": "c:\\hyper-v", "enhanced_session_mode": True,
             "resource_metering_save_interval": "1h", "maximum_storage_migrations": 2},
    "switches": [{"name": "MOCK-SWITCH", "type": "external", "minimum_bandwidth_mode": "absolute",
                  "allow_management_os": True, "notes": ""}],
    "vms": [
        {"name": "mockvm2", "generation": 2, "state": "running", "automatic_start_action": "start",
         "automatic_stop_action": "save", "resource_metering": False, "notes": "",
         "firmware": {"secure_boot": False, "preferred_network_boot_protocol": "ipv4"},
         "disks": [{"at": "scsi 0:0", "path": "C:\\Hyper-V\\VirtualHardDisks\\MOCKVM21.vhdx", "size": "120GB",
                    "iops": {"minimum": None, "maximum": 0}}],
         "network_adapters": [{"name": "NetworkAdapter", "switch": "mock-switch", "mac_address": "dynamic",
                               "dhcp_guard": False, "vmq_weight": 100, "protected_network": True,
                               "bandwidth": {"maximum": None}}]},
        {"name": "mockvm1", "state": "off", "bios": {"boot_order": ["legacy_network_adapter", "ide", "cd", "floppy"],
                                                      "num_lock": False},
         "dvds": [{"at": "scsi 0:1", "path": None}]},
    ],
}  # fmt: skip


def planned(wanted: dict[str, Any]) -> Plan:
    found, problems = wished(yaml.safe_dump([wanted]))
    assert not problems
    return make_plan(found, look(RecordedHost(), found), frozenset())


def test_what_was_recorded_is_in_sync_with_itself() -> None:
    plan = planned(WISHED)
    said = {a.address: [(x.field, x.now, x.wanted) for x in a.lines] + [r.message for r in a.remarks]
            for a in plan.actions if a.verb not in ("none", "unknown")}  # fmt: skip
    # The first VM is pasted from two (README of the recording): generation 1 with its DVD on SCSI.
    assert {k: v for k, v in said.items() if k.kind != "dvd"} == {}


def test_differences_are_seen_with_their_impact() -> None:
    plan = planned({"vms": [{"name": "mockvm2", "state": "off", "automatic_start_action": "nothing",
                             "firmware": {"secure_boot": True},
                             "disks": [{"at": "scsi 0:1", "size": "40GB"}]}]})  # fmt: skip
    lines = {x.field: (x.now, x.wanted, x.impacts) for a in plan.actions for x in a.lines}
    assert lines["state"] == ("running", "off", ("restart",))
    assert lines["automatic_start_action"] == ("start", "nothing", ("online",))
    assert lines["secure_boot"] == ("off", "on", ("restart",))
    assert lines["size"] == ("30 GB", "40 GB", ("online",))


def test_what_was_not_recorded_is_unknown_and_never_absent() -> None:
    plan = planned({"vms": [{"name": "mockvm2", "processor": {"count": 2}}]})
    assert [a.verb for a in plan.actions if a.address.kind == "processor"] == ["unknown"]
    assert plan.unreadable


def test_a_recording_cannot_be_changed() -> None:
    change = Batch((Task("a", Call("Start-VM", {"Name": ["mockvm1"]})),), "change")
    with pytest.raises(TransportError):
        RecordedHost().run(change)


def test_our_own_recordings_replay(tmp_path: Path) -> None:
    found, _ = wished("- vms: [{name: web01, processor: {count: 4}}]")
    state = {"os": "2022", "name": "secret-name", "vms": [{"name": "web01", "generation": 2}]}
    facts = look(TwinTransport(SimulatedHost.from_yaml(state)), found)
    file = tmp_path / "r.json"
    write_recording(str(file), facts, scrub=True)
    assert "secret-name" not in file.read_text("utf-8").casefold()
    replayed = RecordedTransport(file)
    again = look(replayed, found)
    live, from_record = (make_plan(found, f, frozenset()) for f in (facts, again))
    assert live.actions == from_record.actions
    with pytest.raises(TransportError, match="cannot be changed"):
        replayed.run(Batch((), "change"))
    with pytest.raises(TransportError, match="has no answer"):
        replayed.run(Batch((Task("x", Call("Get-Volume")),)))
    replayed.stop()
    replayed.close()
