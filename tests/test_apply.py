"""What an apply does when the host is not as it was planned for."""

from __future__ import annotations

import yaml

from hvctl.core.apply import Report
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import apply_plan, look
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

HOST = """
os: '2022'
vms:
  - {name: web01, generation: 2, state: Running, firmware: {secure_boot: 'On', secure_boot_template: MicrosoftWindows}}
"""
PLAYBOOK = """
- vms:
    - name: web01
      firmware: {secure_boot_template: open_source_shielded_vm}
"""


def test_a_step_that_fails_does_not_keep_the_vm_down() -> None:
    wishes, problems = wished(PLAYBOOK)
    assert problems == []
    host = SimulatedHost.from_yaml(yaml.safe_load(HOST))
    transport = TwinTransport(host)
    plan = make_plan(wishes, look(transport, wishes), frozenset({"restart"}))
    (vm,) = host.state.vms
    vm.tpm_enabled = vm.tpm_initialized = True
    report = apply_plan(plan, wishes, transport)
    assert isinstance(report, Report)
    said = {r.step.task.call.cmdlet: (r.status, str(r.failure or "")) for r in report.results}
    assert said["Set-VMFirmware"] == ("failed", said["Set-VMFirmware"][1])
    assert "OperationFailed" in said["Set-VMFirmware"][1]
    assert said["Stop-VM"][0] == said["Start-VM"][0] == "ok"
    assert vm.state == "Running"


FULL = """
os: 2012r2
memory: 64GB
vms:
  - {name: big, generation: 2, state: Running, memory: {startup: 40GB}}
  - {name: db01, generation: 2, state: Running, memory: {startup: 4GB}}
"""


def test_a_vm_that_could_not_be_started_again_differs_until_it_runs() -> None:
    wishes, problems = wished("- vms:\n    - {name: db01, memory: {startup: 48GB, dynamic: false}}\n")
    assert problems == []
    host = SimulatedHost.from_yaml(yaml.safe_load(FULL))
    transport = TwinTransport(host)
    big, db01 = host.state.vms
    plan = make_plan(wishes, look(transport, wishes), frozenset({"restart"}))
    report = apply_plan(plan, wishes, transport)
    assert isinstance(report, Report)
    assert report.failed
    assert report.undone
    assert report.left_down == ("db01",)
    assert db01.state == "Off"

    again = make_plan(wishes, look(transport, wishes), frozenset())
    (line,) = next(a for a in again.actions if a.address.words == ("vm", "db01")).lines
    assert (line.field, line.now, line.wanted) == ("state", "off", "running")
    assert "hvctl took it down" in line.note
    assert not again.in_sync

    big.state = "Off"
    assert isinstance(apply_plan(again, wishes, transport), Report)
    assert db01.state == "Running"
    assert make_plan(wishes, look(transport, wishes), frozenset()).in_sync
    assert not any("owed" in path for path in host.state.files)
