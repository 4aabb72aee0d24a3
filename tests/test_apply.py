"""What an apply does when the host is not as it was planned for."""

from __future__ import annotations

import yaml

from hvctl.apply import Report
from hvctl.plan import make_plan
from hvctl.reconcile import apply_plan, look
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
    plan = make_plan("host", wishes, look(transport, wishes), frozenset({"restart"}))
    (vm,) = host.state.vms
    vm.tpm_enabled = vm.tpm_initialized = True
    report = apply_plan(plan, wishes, transport)
    assert isinstance(report, Report)
    said = {r.step.task.call.cmdlet: (r.status, str(r.failure or "")) for r in report.results}
    assert said["Set-VMFirmware"] == ("failed", said["Set-VMFirmware"][1])
    assert "OperationFailed" in said["Set-VMFirmware"][1]
    assert said["Stop-VM"][0] == said["Start-VM"][0] == "ok"
    assert vm.state == "Running"
