"""A conversion to generation 2: its record on the host, what is gone on from, and what is not taken for it."""

from __future__ import annotations

import yaml

from hvctl.core.apply import apply
from hvctl.core.impact import IMPACTS
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import look
from hvctl.kinds.vm import VM
from mocks import files
from mocks.failures import failure
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

ID = "11111111-1111-1111-1111-111111111111"
FOLDER = r"C:\ProgramData\hvctl\conversions"
HOST = rf"""
os: '2022'
switches: [{{name: lan, type: Internal}}]
files: {{'D:\iso\drivers.iso': 1000000}}
vhds:
  'D:\web01\os.vhd': {{size: 60GB, installed: yes, partitions: [efi, basic]}}
  'D:\web01\data.vhdx': {{size: 10GB}}
vms:
  - name: web01
    id: {ID}
    generation: 1
    state: Running
    notes: "owner=ops\nsince: 2019"
    processor: {{count: 2, reserve: 10}}
    memory: {{startup: 2GB, dynamic_memory_enabled: yes, minimum: 1GB, maximum: 4GB}}
    drives:
      - {{at: ide 0:0, path: 'D:\web01\os.vhd', maximum_iops: 500}}
      - {{at: scsi 0:3, path: 'D:\web01\data.vhdx'}}
      - {{at: ide 1:0, dvd: yes, path: 'D:\iso\drivers.iso'}}
    adapters:
      - {{name: lan, switch: lan, mac_address: 00155D010203, vlan: {{mode: Trunk, allowed: '10,20-30', native: 10}}}}
      - {{name: old, is_legacy: yes, switch: lan, mac_address: 00155D010204}}
    integration_services: {{heartbeat: false}}
"""
PLAYBOOK = "- vms: [{name: web01, generation: 2, boot_disk: converted, guest_os: windows_server_2022}]\n"


def planned(host: SimulatedHost, playbook: str = PLAYBOOK) -> Plan:
    desired, problems = wished(playbook, IMPACTS)
    assert not [p for p in problems if p.level == "error"]
    return make_plan(desired, look(TwinTransport(host), desired), frozenset())


def done(host: SimulatedHost, plan: Plan) -> list[str]:
    """What failed."""
    results = apply(plan, TwinTransport(host), lambda event: None).results
    return [f"{r.step.text}: {r.failure or r.why}" for r in results if r.status != "ok"]


def test_the_record_is_a_playbook_of_the_vm_as_it_was() -> None:
    host = SimulatedHost.from_yaml(yaml.safe_load(HOST))
    (root,) = [a for a in planned(host).actions if a.address.kind == "vm"]
    assert root.file is not None and root.file.content is not None
    text = root.file.content.decode()
    assert r"# D:\web01\os.vhd stays; its copy is D:\web01\os.vhdx" in text
    described, problems = wished(text)
    assert not problems and not [p for p in validate(described, "2022") if p.level == "error"]
    # Of generation 2 by its own, it is what the old one was: what differs is what that cannot be.
    plan = make_plan(described, look(TwinTransport(host), described), frozenset())
    differing = {line.field for action in plan.actions for line in action.lines}
    assert differing <= {"mac_address", "legacy"}


def test_all_that_travels_is_there_afterwards() -> None:
    host = SimulatedHost.from_yaml(yaml.safe_load(HOST))
    assert done(host, planned(host)) == []
    (vm,) = host.state.vms
    assert (vm.generation, vm.state, vm.notes.split()) == (2, "Running", ["owner=ops", "since:", "2019"])
    assert vm.id != ID
    assert (vm.processor.count, vm.processor.reserve) == (2, 10)
    assert vm.memory.dynamic_memory_enabled and vm.memory.maximum == 4 * 2**30
    assert {str(d.at): d.path for d in vm.disks} == {
        "scsi 0:0": r"D:\web01\os.vhdx",
        "scsi 0:3": r"D:\web01\data.vhdx",
    }
    assert vm.disks[0].maximum_iops == 500
    assert [(str(d.at), d.path) for d in vm.dvds] == [("scsi 0:1", r"D:\iso\drivers.iso")]
    lan, old = vm.nics
    assert (lan.mac_address, lan.vlan.mode, lan.vlan.native) == ("00155D010203", "Trunk", 10)
    assert (old.is_legacy, old.mac_address) == (False, "00155D010204")
    assert files.vhd(host.state, r"D:\web01\os.vhd") is not None  # the old file stays
    assert not [path for path in host.state.files if path.startswith(FOLDER)]
    assert planned(host).in_sync


def test_a_record_that_is_damaged_is_not_taken_for_none() -> None:
    host = SimulatedHost.from_yaml(yaml.safe_load(HOST))
    host.failures.add(failure("New-VM:error=in_use"))
    assert done(host, planned(host))
    (path,) = [p for p in host.state.files if p.startswith(FOLDER) and not p.endswith("removed.txt")]
    content = files.content(host.state, path)
    assert content is not None and content.text is not None
    content.text = content.text.replace("vms:", "vms: {")
    plan = planned(host)
    assert [a.verb for a in plan.actions if a.address.kind == "vm"] == ["unknown"]
    assert not plan.steps
    content.text = content.text.replace("vms: {", "vms:")
    assert done(host, planned(host)) == []
    assert [d.path for d in host.state.vms[0].disks] == [r"D:\web01\os.vhdx", r"D:\web01\data.vhdx"]
    assert planned(host).in_sync


def test_a_record_of_a_vm_that_is_there_is_none() -> None:
    """It was written, and the VM not removed: the next plan begins anew."""
    host = SimulatedHost.from_yaml(yaml.safe_load(HOST))
    host.failures.add(failure("Remove-VM:error=in_use"))
    failed = done(host, planned(host))
    assert failed
    (vm,) = host.state.vms
    assert (vm.id, vm.generation, vm.state) == (ID, 1, "Running")
    files.forget(host.state, r"D:\web01\os.vhdx")  # the copy is stale: the old VM runs again
    host.clock.sleep(60)  # its guest has booted
    assert done(host, planned(host)) == []
    assert planned(host).in_sync


def test_a_copy_in_the_way_ends_it_before_anything_is_removed() -> None:
    host = SimulatedHost.from_yaml(yaml.safe_load(HOST))
    host.failures.add(failure("Remove-VM:error=in_use"))
    assert done(host, planned(host))
    host.clock.sleep(60)
    assert any("name the finished copy" in text for text in done(host, planned(host)))
    (vm,) = host.state.vms
    assert (vm.id, vm.generation, vm.state) == (ID, 1, "Running")


def test_the_desired_state_travels_without_its_index() -> None:
    import pickle  # noqa: PLC0415

    desired, _ = wished(PLAYBOOK)
    copy = pickle.loads(pickle.dumps(desired))
    (vm,) = [one for one in copy if isinstance(one, VM)]
    assert vm.as_desired.boot_disk == "converted"
