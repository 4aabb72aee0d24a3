"""Disks that go with their VM: what no case can show."""

from __future__ import annotations

from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import apply_plan, look
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

HOST = {
    "vms": [{"name": "old", "drives": [{"at": "scsi 0:0", "path": r"D:\os.vhdx"}]}],
    "vhds": {r"D:\os.vhdx": {"size": "60GB"}},
}
PLAYBOOK = r"""- vms:
    - {name: old, ensure: absent, remove_disks: yes}
    - {name: new, disks: [{at: ide 0:0, path: 'D:\os.vhdx'}]}
"""


def test_a_disk_that_the_playbook_hands_on_stays_although_that_is_held_back_at_first() -> None:
    host = SimulatedHost.from_yaml(HOST)
    transport = TwinTransport(host)
    found, problems = wished(PLAYBOOK, ["destroy"])
    assert not problems
    first = make_plan(found, look(transport, found), frozenset())
    assert {a.address.key: a.verb for a in first.actions if a.address.kind == "vm"} == {"old": "remove", "new": "held"}
    apply_plan(first, found, transport)
    assert [v.name for v in host.state.vms] == []
    second = make_plan(found, look(transport, found), frozenset())
    apply_plan(second, found, transport)
    (new,) = host.state.vms
    assert [d.path for d in new.disks] == [r"D:\os.vhdx"]
    assert "Remove-Item" not in [call.cmdlet for call in host.log]
