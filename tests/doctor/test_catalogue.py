"""Doctor against every fault of the catalogue: it names the cause, changes nothing, and finds nothing where hvctl gets by."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mocks.catalogue import CATALOGUE, GROUPS, fault_named
from mocks.tls import Authority
from tests.doctor.rig import rig
from tests.faults.test_table import ROWS, Row, some

CAUSES: dict[str, str] = yaml.safe_load(Path(__file__).with_name("causes.yaml").read_text(encoding="utf-8"))


def cause_of(row: Row) -> str:
    """Where NTLM or https makes a fault none, there is no cause."""
    harmless = row.plan == 0 and CATALOGUE[row.fault.partition(":")[0]].group != 16
    return "" if harmless else CAUSES.get(row.fault, "")


NAMED = [row for row in ROWS if cause_of(row)]
REST = [row for row in some(1, seed=3) if not cause_of(row)]


def test_every_fault_that_keeps_a_plan_from_being_made_has_its_cause() -> None:
    assert {row.fault for row in ROWS if row.plan} <= set(CAUSES)
    assert set(CAUSES) <= {row.fault for row in ROWS}
    assert len({CATALOGUE[r.fault.partition(":")[0]].group for r in (*NAMED, *REST)}) == len(GROUPS)


@pytest.mark.parametrize("row", [*NAMED, *REST], ids=str)
def test_fault(row: Row, folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority) -> None:
    way = {"scheme": row.way["scheme"], "transport": row.way["transport"], "slack": row.way["slack"]}
    slow = row.hang or row.fault.startswith("drip")
    with rig(
        folder, capsys, authority, [fault_named(row.fault)], limits=row.way["limits"], impatient=slow, **way
    ) as at:
        said = at.doctor()
        assert at.changes() == []
    cause = cause_of(row)
    assert said.causes[:1] == ([cause] if cause else []), said.hosts[0]["causes"]
    blocked = cause and said.first["weight"] != "warns"
    assert said.status == (4 if blocked else 0)
    if cause:
        assert said.first["remedy"]
