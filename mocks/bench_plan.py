"""What planning costs where a host has very many VMs: CPU of what is asked and of the plan, without the reading."""

from __future__ import annotations

import gc
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from hvctl.call import Reply, Row
from hvctl.core.facts import Facts, read_batch
from hvctl.core.planner import make_plan
from hvctl.core.questions import questions
from hvctl.core.resource import Index
from hvctl.fleet.reconcile import look
from hvctl.text.garbage import WORKING
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

SIZES = (1_000, 10_000)


@dataclass(frozen=True)
class Planned:
    cpu_ms: float
    cpu_ms_per_vm: float


def rows(
    wishes_of: Callable[[int], Index], state_of: Callable[[int], dict[str, Any]], sizes: tuple[int, ...]
) -> list[dict[str, Any]]:
    found = []
    for vms in sizes:
        desired = wishes_of(vms)
        facts = many(desired, wishes_of(1), state_of(1), vms)
        usual = gc.get_threshold()
        gc.set_threshold(*WORKING)  # as hvctl is run
        before = time.process_time()
        read_batch(questions(desired))
        plan = make_plan(desired, facts, frozenset())
        cpu_ms = (time.process_time() - before) * 1000
        gc.set_threshold(*usual)
        assert plan.in_sync
        found.append(
            {"scenario": f"plan of {vms:,} VMs", "ours": asdict(Planned(round(cpu_ms), round(cpu_ms / vms, 2)))}
        )
    return found


def many(desired: Index, one: Index, state: dict[str, Any], vms: int) -> Facts:
    """What a host with so many VMs would answer: what one with a single VM does, with a name and an id of its own for each.
    The simulated host would take longer to answer than hvctl to plan."""
    facts = look(TwinTransport(SimulatedHost.from_yaml(state)), one)
    ids = next(str(r["Id"]) for call, reply in facts.replies.items() if call.cmdlet == "Get-VM" for r in reply.rows)
    kept = [_replicated(reply, ids, vms) for reply in facts.replies.values()]
    batch = read_batch(questions(desired))
    return Facts.of(facts.os, facts.info, batch, kept)


def _replicated(reply: Reply, vm_id: str, vms: int) -> Reply:
    found: list[Row] = []
    for row in reply.rows:
        text = json.dumps(dict(row.items()))
        if "vm00" not in text and vm_id not in text:
            found.append(row)
            continue
        for n in range(vms):
            own = str(uuid.UUID(int=n + 1)) if n else vm_id
            found.append(json.loads(text.replace("vm00", f"vm{n:02}").replace(vm_id, own)))
    return replace(reply, rows=tuple(found))
