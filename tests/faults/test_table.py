"""Every fault of the catalogue × every verb: no traceback, the exit status right, the report true, nothing done twice,
nothing lost, no orphan shell, and a further apply converges."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.winrm.limits import Limits
from mocks.catalogue import CATALOGUE, GROUPS, OFTEN, Fault, fault_named
from mocks.tls import Authority
from tests.faults.rig import Rig, Said, honest, rig

TABLE: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("table.yaml").read_text(encoding="utf-8"))
STEPS = 10


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    fault: str
    plan: int
    apply: int | str
    copy: int | None = None
    ntlm: bool = False
    https: bool = False
    hang: bool = False
    says: str = ""
    orphans: int = 0
    skip: tuple[str, ...] = ()
    seconds: float = 90

    def __str__(self) -> str:
        return self.fault + "-ntlm" * self.ntlm + "-https" * self.https

    @property
    def way(self) -> dict[str, Any]:
        return {
            "scheme": "https" if self.https else "http",
            "transport": "ntlm" if self.ntlm else "basic",
            "slack": 0.2 if self.hang else 10,
            "limits": Limits(seconds=self.seconds),
        }


ROWS = [Row(**one) for one in TABLE]


def some(most: int, seed: int) -> list[Row]:
    """All rows in a soak; else so many of each group, the same ones every time."""
    if os.environ.get("HVCTL_SOAK"):
        return ROWS
    chance = random.Random(seed)
    groups: dict[int, list[Row]] = {}
    for row in ROWS:
        groups.setdefault(CATALOGUE[row.fault.partition(":")[0]].group, []).append(row)
    return [row for rows in groups.values() for row in chance.sample(rows, min(most, len(rows)))]


def at_the_changes(fault: Fault) -> Fault:
    """The same one batch later: facts were read with the first Send and Receive."""
    return replace(
        fault,
        troubles=tuple(
            replace(t, nth=t.nth + 1)
            if t.action in ("Send", "Receive") and t.times < OFTEN and t.effect != "outsider"
            else t
            for t in fault.troubles
        ),
    )


def test_every_fault_of_all_groups_is_in_the_table() -> None:
    tried = {row.fault.partition(":")[0] for row in ROWS}
    assert tried == set(CATALOGUE)
    assert {fault.group for fault in CATALOGUE.values()} == set(GROUPS) == set(range(1, 18))


@pytest.mark.parametrize("row", some(1, seed=16), ids=str)
def test_plan(row: Row, folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority) -> None:
    with rig(folder, capsys, authority, [fault_named(row.fault)], **row.way) as at:
        said = at.hvctl("plan", "lab.yml", "--json")
        at.ends()
        assert said.status == row.plan, said
        told(row, said)
        if said.status == 0:
            assert len(said.data["plan"]["steps"]) == STEPS
            assert said.data["plan"]["readable"]
        assert at.changes() == []
        no_orphans(row, at)


@pytest.mark.parametrize("row", [r for r in some(2, seed=6) if "apply" not in r.skip], ids=str)
def test_apply(row: Row, folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority) -> None:
    with rig(folder, capsys, authority, [at_the_changes(fault_named(row.fault))], **row.way) as at:
        said = at.hvctl("apply", "--auto-approve", "lab.yml", "--json")
        at.ends()
        assert row.apply in (said.status, "any"), said
        if row.apply != 0:
            told(row, said)
        honest(at, said)
        at.disarm()
        again = at.hvctl("apply", "--auto-approve", "lab.yml", "--json")
        at.ends()
        assert again.status == 0, again
        assert at.done()["New-VM"] <= 1
        no_orphans(row, at)


def told(row: Row, said: Said) -> None:
    if said.status and row.says:
        assert row.says in said.err + yaml.safe_dump(said.data, width=10**6, allow_unicode=True)


def no_orphans(row: Row, at: Rig) -> None:
    """Every shell is closed, or written down for the next run, which closes it."""
    at.disarm()
    left = at.endpoint.shells.open - row.orphans
    if left > 0:
        assert at.hvctl("plan", "lab.yml").status == 0
        at.ends()
    assert at.endpoint.shells.open <= row.orphans
