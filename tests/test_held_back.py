"""What the plan shows as held back is in nothing that is sent: every case, with few consents and many, is planned again
as if what is held back had never been written, and must give the same steps."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hvctl.core.impact import IMPACTS, Impact
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import look
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import Case, all_cases, sampled, wished
from tests.held import held_back, never_written, sent

CONSENTS: tuple[frozenset[Impact], ...] = (
    frozenset(),
    *(frozenset({word}) for word in IMPACTS[1:]),
    frozenset({"disconnect", "restart"}),
    frozenset(IMPACTS),
)


@pytest.mark.parametrize("case", [*sampled(c for c in all_cases() if "host" in c.data)], ids=str)
def test_steps_come_from_nothing_that_is_held_back(case: Case) -> None:
    with TemporaryDirectory() as folder:
        for name, text in case.data.get("control", {}).items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_text(text, encoding="utf-8")
        wishes, problems = wished(case.playbook, (), folder)
        if problems:
            return
        host = SimulatedHost.from_yaml({**(case.data["host"] or {}), "os": case.os})
        transport = TwinTransport(host)
        facts = look(transport, wishes)
        transport.close()
        least, most = (make_plan(wishes, facts, allow) for allow in (CONSENTS[0], CONSENTS[-1]))
        if not held_back(least) and sent(least) == sent(most):
            return  # nothing waits for a consent
        for allow in CONSENTS:
            plan = make_plan(wishes, facts, allow)
            if not held_back(plan):
                continue  # it would be made again of the same
            again = make_plan(never_written(wishes, plan), facts, allow)
            assert sent(plan) == sent(again), sorted(allow)
