"""What cannot be read is neither in sync nor different: the exit status and the words of drift, apply and their JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from hvctl.core.apply import Report
from hvctl.core.impact import IMPACTS
from hvctl.core.outcome import Outcome, exit_status
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.core.resource import Index
from hvctl.core.status import TROUBLE
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.show.data import plan_data
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished
from tests.test_show import report_lines

LOCKED = r"""
os: '2022'
vms:
  - name: sql01
    generation: 2
    state: Running
    drives: [{at: 'scsi 0:0', path: 'D:\os.vhdx'}, {at: 'scsi 0:1', path: 'D:\data.vhdx'}]
vhds:
  'D:\os.vhdx': {size: 60GB}
  'D:\data.vhdx': {size: 100GB, in_use_elsewhere: true}
"""
DISKS = r"""
- vms:
    - name: sql01
      disks:
        - {at: scsi 0:0, path: 'D:\os.vhdx', size: 60GB}
        - {at: scsi 0:1, path: 'D:\data.vhdx', size: 200GB, iops: {maximum: 1000}}
"""
FLEET = """
- switches: [{name: lan}]
  vms:
    - {name: web01, generation: 2, memory: {startup: 2GB}}
    - {name: web02, generation: 2, memory: {startup: 2GB}}
    - {name: old01, ensure: absent}
"""


class Lab:
    def __init__(self, host: str, playbook: str) -> None:
        self.wishes: Index
        self.wishes, problems = wished(playbook)
        assert not problems
        self.host = SimulatedHost.from_yaml(yaml.safe_load(host))
        self.transport = TwinTransport(self.host)

    def plan(self) -> Plan:
        return make_plan(self.wishes, look(self.transport, self.wishes), frozenset(IMPACTS))

    def apply(self) -> Report:
        report = apply_plan(self.plan(), self.wishes, self.transport, pause=lambda seconds: None)
        assert isinstance(report, Report)
        return report


@pytest.fixture
def locked() -> Iterator[Lab]:
    yield Lab(LOCKED, DISKS)


def test_a_size_that_could_not_be_read_is_never_in_sync(locked: Lab) -> None:
    report = locked.apply()
    assert [r.step.task.call.cmdlet for r in report.results] == ["Set-VMHardDiskDrive"]
    assert exit_status([Outcome("hv01", report.plan, report)], changes_count=True) == TROUBLE
    told = " ".join(line.plain for line in report_lines(report, width=200))
    assert "in sync" not in told
    plan = locked.plan()
    assert exit_status([Outcome("hv01", plan)], changes_count=True) == TROUBLE
    said = [(str(a.address), r.message) for a in plan.actions for r in a.remarks]
    assert [address for address, _ in said] == ["disk sql01, scsi 0:1"]
    assert r"D:\data.vhdx could not be read" in said[0][1]
    assert "size is not known" in said[0][1]
    assert json.loads(json.dumps(plan_data(plan)))["in_sync"] is False


@pytest.mark.parametrize("os", ["2012r2", "2022"])
def test_a_host_without_rights_is_neither_empty_nor_in_sync(os: str) -> None:
    lab = Lab(f"os: '{os}'\nadministrator: false\nvms: [{{name: web01}}, {{name: old01}}]\n", FLEET)
    plan = lab.plan()
    assert {a.verb for a in plan.actions} == {"unknown"}
    assert not plan.steps
    assert exit_status([Outcome("hv01", plan)], changes_count=True) == TROUBLE
    assert not [c for c in lab.host.log if c.cmdlet.startswith(("New-", "Remove-", "Set-"))]
