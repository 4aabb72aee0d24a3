"""The desired state of a host: plain resources, and beside them where each stands."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from hvctl.core.order import kinds_within
from hvctl.core.planner import make_plan
from hvctl.core.questions import asked_of
from hvctl.core.resource import Entry, Index, Names, Place, Resource
from hvctl.core.target import Held, targets
from hvctl.fleet.reconcile import look
from hvctl.kinds import kinds
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._memory import MemoryPart
from hvctl.kinds._switch import SwitchPart
from hvctl.kinds.guest_file import GuestFile
from hvctl.kinds.network_adapter import NetworkAdapter
from hvctl.kinds.vm import VM
from hvctl.text.source import Document
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished
from tests.held import only

PLAYBOOK = """
- hosts: all
  switches: [{name: lan, type: internal}]
  vms:
    - name: web01
      generation: 2
      memory: {startup: 1GB}
      disks: [{at: scsi 0:0, path: 'D:\\VMs\\os.vhdx', size: 40GB}, {at: scsi 0:1, path: 'D:\\VMs\\data.vhdx', size: 1GB}]
      network_adapters: [{name: nic, switch: LAN}]
    - {name: web02, generation: 2, memory: {startup: 2GB}}
"""


@pytest.fixture
def desired() -> Index:
    found, problems = wished(PLAYBOOK)
    assert not problems
    return found


def vm(desired: Index, name: str) -> VM:
    return next(one for one in desired if isinstance(one, VM) and one.name == name)


def test_a_part_is_asked_for_by_its_class(desired: Index) -> None:
    web01, web02 = vm(desired, "web01"), vm(desired, "web02")
    memory = web01.part(MemoryPart)
    assert memory is not None
    assert (memory.startup, memory.owner) == (1024**3, web01)
    assert [d.at for d in web01.parts_of(DiskPart)] == ["scsi 0:0", "scsi 0:1"]
    assert web02.part(DiskPart) is None
    assert [m.startup for m in web02.beside(MemoryPart)] == [1024**3, 2 * 1024**3]
    assert web01.named(SwitchPart, "LAN") is desired[0]
    assert web01.named(SwitchPart, "nic") is None


def test_what_is_desired_travels_as_plain_data(desired: Index) -> None:
    """To another process, say; a resource alone leaves behind where it stood."""
    again = pickle.loads(pickle.dumps(desired))
    assert [one.address() for one in again] == [one.address() for one in desired]
    assert [one.model_dump(exclude_unset=True) for one in again] == [
        one.model_dump(exclude_unset=True) for one in desired
    ]
    assert [str(one.place.mark()) for one in again] == [str(one.place.mark()) for one in desired]
    alone = pickle.loads(pickle.dumps(vm(desired, "web01")))
    assert (alone.name, alone.owner, alone.file) == ("web01", None, None)
    with pytest.raises(ValueError, match="in no index"):
        _ = alone.parts


def test_a_plan_changes_nothing_of_what_is_desired(desired: Index) -> None:
    before = pickle.dumps(desired)
    transport = TwinTransport(SimulatedHost.from_yaml({"os": "2022"}))
    plan = make_plan(desired, look(transport, desired), frozenset())
    assert plan.steps
    assert pickle.dumps(desired) == before
    again = pickle.loads(before)
    assert [str(s.task.call) for s in make_plan(again, plan.facts, frozenset()).steps] == [
        str(s.task.call) for s in plan.steps
    ]


def test_a_target_leaves_the_desired_state_as_it_is(desired: Index) -> None:
    web01 = vm(desired, "web01")
    disk = web01.parts_of(DiskPart)[1]
    memory = web01.part(MemoryPart)
    assert memory is not None
    goals = targets(desired, Held({memory.address(): frozenset({"startup"})}, frozenset({disk.address()})))
    target = vm(goals, "web01")
    assert [d.at for d in target.parts_of(DiskPart)] == ["scsi 0:0"]
    changed = target.part(MemoryPart)
    assert changed is not None
    assert (changed.startup, memory.startup) == (None, 1024**3)
    assert goals[disk.seat].owner is target  # it sees what it sits within; nothing sees it
    assert len(web01.parts_of(DiskPart)) == 2


def test_only_takes_parts_with_their_owner(desired: Index) -> None:
    kept = only(desired, lambda one: not (isinstance(one, VM) and one.name == "web01"))
    assert [one.kind for one in kept] == ["switch", "vm", "memory"]
    assert kept[2].owner is kept[1]


def test_resources_cannot_be_written_to(desired: Index) -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(vm(desired, "web01"), "name", "other")  # noqa: B010 - mypy sees that it is


def test_names_of_fields_are_none_of_the_index() -> None:
    """A field of that name would hide what the index says."""
    asked = {n for n in vars(Resource) if not n.startswith("_")}
    for kind in kinds():
        assert not asked & kind.model_fields.keys(), kind


def test_every_kind_of_part_finds_its_owner(desired: Index) -> None:
    place = Place(Document(None, {}, {}, "x"), ())
    for kind in (k for k in kinds_within("vm") if k in kinds()):
        if issubclass(kind, GuestFile):
            continue
        part = kind.model_construct()
        index = Index([Entry(VM(name="a"), place), Entry(part, place, 0)])
        assert index[1].owner is index[0]
        assert index[0].part(kind) is index[1]


def test_the_work_of_planning_grows_with_the_vms_and_not_with_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    def calls(vms: int) -> int:
        lines = [f"- {{name: v{n:03}, network_adapters: [{{name: nic, switch: lan}}]}}" for n in range(vms)]
        found, problems = wished("- switches: [{name: lan, type: internal}]\n  vms:\n    " + "\n    ".join(lines))
        assert not problems
        host = SimulatedHost.from_yaml({"os": "2022", "switches": [{"name": "lan", "type": "Internal"}]})
        facts = look(TwinTransport(host), found)
        counted = 0
        for kind in (VM, SwitchPart, NetworkAdapter):
            real = kind.key

            def key(self: Resource, real: Callable[[Any], str] = real) -> str:
                nonlocal counted
                counted += 1
                return real(self)

            monkeypatch.setattr(kind, "key", key)
        assert make_plan(found, facts, frozenset()).steps
        monkeypatch.undo()
        return counted

    few, many = calls(20), calls(40)
    assert many < 2.3 * few


def test_what_is_asked_is_made_once_for_hosts_of_which_the_same_is_wanted() -> None:
    """Not so where it rests on what other hosts are called."""
    one, _ = wished("- vms: [{name: web01, processor: {count: 2}}]")
    other, away = one.of("hv02"), one.of("hv03").knowing(Names({"hv02": "hv02"}))
    assert asked_of(other) is asked_of(one)
    assert asked_of(away) == asked_of(one)
    assert asked_of(away) is not asked_of(one)
    assert pickle.loads(pickle.dumps(one)).entries.asked is None
