"""A cluster that answers what none does: it is unknown, nothing is made or removed for it, and hvctl does not fall over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Batch, Event, Reply, Transport
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.estates.harness import Session, written
from tests.estates.test_clusters import INVENTORY, PLAYS, estate
from tests.transports import Around

BAD: tuple[Any, ...] = (None, "", "x", -1, 10**30, True, [], {"a": 1}, ["x"], "HV02", "\x00")
CLASSES = ("MSCluster_ResourceGroup", "MSCluster_Resource", "MSCluster_Node", "MSCluster_Cluster", "MSCluster_Network")


class Lying(Around):
    """One property of one class of the cluster is something else; or is not there."""

    def __init__(self, inner: Transport, of: str, name: str, value: Any, *, gone: bool) -> None:
        super().__init__(inner)
        self._of, self._name, self._value, self._gone = of, name, value, gone

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        replies = self.inner.run(batch, on_event)
        return [
            replace(reply, rows=tuple(map(self._bent, reply.rows)))
            if task.call.params.get("ClassName") == self._of
            else reply
            for task, reply in zip(batch.tasks, replies, strict=True)
        ]

    def _bent(self, row: Any) -> Any:
        if self._name not in row:
            return row
        return {k: v for k, v in row.items() if k != self._name} if self._gone else {**row, self._name: self._value}


def properties() -> Iterator[tuple[str, str]]:
    yield from ((CLASSES[0], n) for n in ("Name", "GroupType", "OwnerNode", "State", "StatusInformation", "Priority"))
    yield from ((CLASSES[1], n) for n in ("Name", "Type", "OwnerGroup", "PrivateProperties.VmID"))
    yield from ((CLASSES[2], n) for n in ("Name", "State", "StatusInformation"))
    yield from ((CLASSES[3], n) for n in ("Name", "ClusterFunctionalLevel"))
    yield from ((CLASSES[4], n) for n in ("Name", "ID", "Role"))


@pytest.mark.parametrize(("of", "name"), list(properties()))
def test_nothing_is_made_or_removed_for_a_lie(tmp_path: Path, of: str, name: str) -> None:
    for value in (*BAD, ...):
        own = estate()
        plays = PLAYS + "    - {name: gone, ensure: absent}\n    live_migration_networks: [a, b]\n"
        written(tmp_path, own, INVENTORY, plays)

        def serve(host: SimulatedHost, value: Any = value) -> Transport:
            return Lying(TwinTransport(host), of, name, value, gone=value is ...)

        one = Session(own, tmp_path, frozenset(), serve)
        outcomes = one.planned()
        for outcome in outcomes.values():
            assert outcome.error is None, (value, outcome.error)
            plan = outcome.plan
            assert plan is not None
            defects = [r.message for a in plan.actions for r in a.remarks if r.defect]
            assert not defects, (value, defects)
            calls = [str(s.task.call).split()[0] for s in plan.steps]
            bad = {"New-VM", "Remove-VM", "Remove-ClusterGroup", "New-VHD", "Add-ClusterVirtualMachineRole"}
            assert not bad & set(calls), (value, calls)
