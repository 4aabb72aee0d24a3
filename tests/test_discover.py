"""What a host has, as resources: declared as it was found, nothing of it differs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hvctl.core.facts import Facts
from hvctl.core.order import kinds_within
from hvctl.core.planner import make_plan
from hvctl.core.questions import questions
from hvctl.core.resource import Entry, Index, Place
from hvctl.fleet.reconcile import look_at
from hvctl.kinds import kinds
from hvctl.kinds.vm import VM
from hvctl.text.source import Document
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

ROOT = Path(__file__).parents[1]

HOSTS = sorted(file.stem for file in (ROOT / "mocks" / "hosts").glob("*.yaml"))
PLACE = Place(Document(None, {}, {}, "found.yml"), ())


def surveyed(host: SimulatedHost) -> Facts:
    return look_at(TwinTransport(host), [q for kind in kinds() for q in (*kind.proof, *kind.survey())])


def discovered(facts: Facts) -> Index:
    entries: list[Entry] = []
    for kind in sorted(kinds(), key=lambda k: k.within is not None):
        if kind.within is None:
            entries += [Entry(one, PLACE) for one in kind.discover(None, facts)]
    for number, entry in enumerate(tuple(entries)):
        owner = Index(entries)[number]
        for part in (k for k in kinds_within(entry.resource.kind) if k in kinds()):  # not those of other tests
            entries += [Entry(one, PLACE, number) for one in part.discover(owner, facts)]
    return Index(entries, "found")


@pytest.mark.parametrize("name", HOSTS)
def test_what_is_discovered_is_in_sync(name: str) -> None:
    host = SimulatedHost.from_yaml(ROOT / "mocks" / "hosts" / f"{name}.yaml")
    desired = discovered(surveyed(host))
    plan = make_plan(desired, look_at(TwinTransport(host), questions(desired)), frozenset())
    assert [str(s.task.call) for s in plan.steps] == []
    assert {str(a.address): a.verb for a in plan.actions if a.verb not in ("none",)} == {}


def test_everything_that_is_no_intent_is_discovered() -> None:
    host = SimulatedHost.from_yaml(
        {
            "os": "2022",
            "switches": [{"name": "lan", "type": "Internal"}],
            "vms": [
                {"name": "a", "generation": 2, "state": "Off",
                 "drives": [{"at": "scsi 0:0", "path": r"D:\a.vhdx"}],
                 "adapters": [{"name": "nic", "switch": "lan"}]},
                {"name": "b", "generation": 1, "state": "Off", "drives": [], "adapters": []},
                {"name": "Twice", "generation": 1, "state": "Off", "drives": [], "adapters": []},
                {"name": "twice", "generation": 1, "state": "Off", "drives": [], "adapters": []},
            ],
            "vhds": {r"D:\a.vhdx": {"size": "40GB", "type": "Dynamic"}},
        }
    )  # fmt: skip
    found = discovered(surveyed(host))
    assert sorted(one.name for one in found if isinstance(one, VM)) == ["a", "b"]
    kinds_of = {vm: {p.kind for p in one.parts} for one in found if isinstance(one, VM) for vm in (one.name,)}
    once = {"memory", "processor", "integration_services", "scsi_controllers"}
    assert kinds_of["a"] == once | {"firmware", "disk", "network_adapter"}
    assert kinds_of["b"] == once | {"bios", "floppy"}
    assert Counter(one.kind for one in found if one.owner is None)["switch"] == 1


def test_beyond_a_list_is_what_is_discovered_and_not_listed() -> None:
    vm = {"name": "a", "generation": 2, "state": "Off", "drives": [], "adapters": [{"name": "one"}, {"name": "two"}]}
    host = SimulatedHost.from_yaml({"os": "2022", "vms": [vm]})
    facts = surveyed(host)
    desired = discovered(facts)
    (owner,) = (one for one in desired if isinstance(one, VM))
    for kind in (k for k in kinds_within("vm") if k in kinds()):
        listed = owner.parts_of(kind)
        assert [one.key() for one in kind.surplus(owner, listed, facts)] == []
        beyond = list(kind.surplus(owner, (), facts)) if kind.many else []
        assert [one.key() for one in beyond] == [one.key() for one in listed if kind.many]
        assert all(one.absent for one in beyond)
