"""Files on hosts: what takes two applies."""

from __future__ import annotations

from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import apply_plan, look
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

HOST = {
    "vhds": {r"D:\golden.vhdx": {"size": "40GB", "file_size": "1GB"}},
    "vms": [{"name": "web01", "state": "Running", "generation": 2, "drives": []}],
}
PLAYBOOK = r"""- vms:
    - {name: web01, disks: [{at: scsi 0:1, path: 'D:\web01.vhdx', image: 'D:\images\golden.vhdx'}]}
  host_files:
    - {host_source: 'D:\golden.vhdx', destination: 'D:\images\golden.vhdx'}
"""


def test_an_image_that_is_brought_is_used_by_the_same_apply() -> None:
    host = SimulatedHost.from_yaml(HOST)
    transport = TwinTransport(host)
    found, problems = wished(PLAYBOOK)
    assert not problems
    first = make_plan(found, look(transport, found), frozenset())
    assert not [r.message for a in first.actions for r in a.remarks]
    apply_plan(first, found, transport)
    (vm,) = host.state.vms
    assert [d.path for d in vm.disks] == [r"D:\web01.vhdx"]
    assert not make_plan(found, look(transport, found), frozenset()).steps


def test_a_source_that_is_gone_after_the_copy_is_no_difference() -> None:
    host = SimulatedHost.from_yaml(HOST)
    transport = TwinTransport(host)
    found, _ = wished(r"- host_files: [{host_source: 'D:\golden.vhdx', destination: 'D:\copy.vhdx'}]" + "\n")
    apply_plan(make_plan(found, look(transport, found), frozenset()), found, transport)
    host.forget(r"D:\golden.vhdx")
    plan = make_plan(found, look(transport, found), frozenset())
    assert plan.in_sync and not plan.steps
