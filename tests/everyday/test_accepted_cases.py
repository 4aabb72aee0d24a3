"""Whatever is accepted is in nothing that is sent: every case, with one field of each resource accepted, and with all of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hvctl.core.acceptance import Acceptance
from hvctl.core.impact import IMPACTS
from hvctl.core.planner import make_plan
from hvctl.core.resource import Index
from hvctl.fleet.reconcile import look
from hvctl.text.address import Address
from hvctl.text.diagnostic import Mark
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import Case, all_cases, wished
from tests.held import never_written, sent

ALL = frozenset(IMPACTS)
DEFAULTED = {"disk", "dvd", "guest_file", "host_file", "migration_network", "replica_authorization"}
"""Kinds in which a field that is not written means something else than that it is not managed; or that are known by
all that is written of them, in lists that leave nothing else."""


def accepting(desired: Index, fields: Mapping[Address, tuple[str, ...]]) -> Index:
    """With these fields accepted; none: the whole."""
    mark = Mark("case.yml", 1, 1)
    return desired.mapped(
        lambda one, entry: (
            replace(entry, accept=(Acceptance(date(2027, 1, 31), "known", mark, fields[one.address()]),))
            if one.address() in fields
            else entry
        )
    )


APART = ("exclusive/", "disk/that_exists_with_another_type_is_not_attached", "disk/is_no_vhdx_by_its_name")
"""What a play's own list has too much is in no resource of the playbook that could accept it; and a field of something that is
not there yet is not accepted by itself."""
CASES = [
    case
    for case in all_cases()
    if "host" in case.data and case.os in ("2012r2", "2022") and not str(case).startswith(APART)
]


EACH = 1 if os.environ.get("HVCTL_SOAK") else 3
"""How many cases one is taken of; all in a soak."""


@pytest.mark.parametrize("case", CASES[::EACH], ids=str)
def test_what_is_accepted_is_never_sent(case: Case) -> None:
    with TemporaryDirectory() as folder:
        for name, text in case.data.get("control", {}).items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_text(text, encoding="utf-8")
        wishes, problems = wished(case.playbook, (), folder)
        if problems:
            return
        transport = TwinTransport(SimulatedHost.from_yaml({**(case.data["host"] or {}), "os": case.os}))
        facts = look(transport, wishes)
        transport.close()
        plan = make_plan(wishes, facts, ALL)

        declared = {wish.address() for wish in wishes}
        differing = [a for a in plan.actions if a.drifted and a.address in declared]
        first = {a.address: a.drifted[0].field or "ensure" for a in differing}
        some = accepting(wishes, {address: (field,) for address, field in first.items()})
        then = make_plan(some, facts, ALL)
        for action in (a for a in then.actions if a.address in first):
            told = {line.field or "ensure": line.held for line in action.lines}
            assert told.get(first[action.address], "accepted") == "accepted", (action.address, told)
        for step in (s for s in then.steps if not s.frame):
            assert first.get(step.action, "nothing") not in step.because, step
        if not {address.kind for address in first} & DEFAULTED:
            assert sent(then) == sent(make_plan(never_written(some, then), facts, ALL))

        whole = make_plan(accepting(wishes, {w.address(): () for w in wishes if w.owner is None}), facts, ALL)
        assert whole.steps == () and not whole.differs
        assert whole.accepted or not plan.differs
