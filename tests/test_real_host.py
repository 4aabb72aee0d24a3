"""Cases against a real host named in HVCTL_REAL_HOST=INVENTORY:HOST; and the same way of running them against an empty
simulated host, so that it works on the day somebody has one. Only what is called hvctl-test-… is made, all of it is
removed. Nobody has run this against a real host yet."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from hvctl.call import Batch, Call, Task, Transport
from hvctl.connect import Wire, real_connect
from hvctl.contract import OS, nearest
from hvctl.inventory import Inventory
from hvctl.plan import Plan, make_plan
from hvctl.reconcile import apply_plan, look
from hvctl.resource import IMPACTS, Impact
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import Case, all_cases, wished

FOLDER = os.environ.get("HVCTL_REAL_FOLDER", r"C:\hvctl-test-files")
EVERYTHING: frozenset[Impact] = frozenset(IMPACTS)
MADE_BY_HVCTL = {"name", "id", "generation", "state", "processor", "memory", "drives", "adapters"}
"""What of a case's host hvctl itself can bring about on a real one."""


def realisable(case: Case) -> bool:
    """Off, since a guest without a system never answers a shutdown; disks at places that hvctl can fill."""
    data = case.data
    host = data.get("host") or {}
    vms = host.get("vms") or []
    return (
        "calls" in data
        and not data.keys() & {"problems", "blocked", "failed"}
        and bool(vms)
        and set(host) <= {"vms", "vhds"}
        and all(set(vm) <= MADE_BY_HVCTL and str(vm.get("state", "Off")) in ("Off", "False") for vm in vms)
        and all(set(d) <= {"at", "path"} for vm in vms for d in vm.get("drives") or ())
        and all(set(v or {}) <= {"size"} for v in (host.get("vhds") or {}).values())
        and all(
            set(vm.get(part) or {}) <= {"count", "startup", "reserve"} for vm in vms for part in ("processor", "memory")
        )
        and not any(vm.get("adapters") for vm in vms)
        and not any(p in case.playbook for p in ("network_adapters", "dvds", "switches", "boot_order"))
    )


def renamed(value: Any, names: set[str]) -> Any:
    """Every name begins with hvctl-test-, every file lies in the test folder."""
    if isinstance(value, dict):
        return {renamed(k, names): renamed(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [renamed(v, names) for v in value]
    if isinstance(value, str):
        value = f"hvctl-test-{value}" if value in names else value
        return re.sub(r"^[A-Za-z]:\\", lambda m: FOLDER + "\\", value)
    return value


def before(host: dict[str, Any]) -> dict[str, Any]:
    """A playbook that makes what the case finds."""
    vhds = host.get("vhds") or {}
    return {
        "vms": [
            {
                "name": vm["name"],
                "generation": vm.get("generation", 1),
                "path": FOLDER,
                **{p: vm[p] for p in ("processor", "memory") if p in vm},
                "disks": [
                    {"at": d["at"], "path": d["path"], "size": (vhds.get(d["path"]) or {}).get("size", "1GB")}
                    for d in vm.get("drives") or ()
                ],
            }
            for vm in host["vms"]
        ]
    }


def plan_of(body: dict[str, Any], transport: Transport) -> tuple[list[Any], Plan]:
    found, problems = wished(yaml.safe_dump([body], allow_unicode=True))
    assert not problems, problems
    return found, make_plan("real", found, look(transport, found), EVERYTHING)


@contextmanager
def cleaned(transport: Transport) -> Iterator[None]:
    """The folder is there, and afterwards neither it nor any hvctl-test- VM."""
    folder = Task("f", Call("New-Item", {"ItemType": "Directory", "Path": FOLDER, "Force": True}))
    transport.run(Batch((folder,), "change"))
    try:
        yield
    finally:
        query = Call("Get-VM", select=("Name",))
        names = [r["Name"] for r in transport.run(Batch((Task("v", query),)))[0].rows]
        gone = [{"name": n, "ensure": "absent"} for n in names if n.startswith("hvctl-test-")]
        if gone:
            found, plan = plan_of({"vms": gone}, transport)
            apply_plan(plan, found, transport)
        files = Task("r", Call("Remove-Item", {"LiteralPath": FOLDER, "Recurse": True, "Force": True}))
        transport.run(Batch((files,), "change"))


def run_on(transport: Transport, case: Case) -> None:
    data = case.data
    names = {vm["name"] for vm in data["host"]["vms"]}
    with cleaned(transport):
        found, plan = plan_of(renamed(before(data["host"]), names), transport)
        made = apply_plan(plan, found, transport)
        assert not isinstance(made, list) and made.complete, made
        found, plan = plan_of(renamed(data["playbook"], names), transport)
        assert [s.task.call.cmdlet for s in plan.steps] == [c.split(" ")[0] for c in data["calls"]]
        done = apply_plan(plan, found, transport)
        assert not isinstance(done, list) and done.complete, done


CASES = [c for c in all_cases() if realisable(c)]


def test_there_are_cases_for_a_real_host() -> None:
    assert len(CASES) >= 5


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_on_an_empty_simulated_host(case: Case) -> None:
    transport = TwinTransport(SimulatedHost.from_yaml({"os": case.os}))
    run_on(transport, case)
    left = transport.run(Batch((Task("v", Call("Get-VM", select=("Name",))),)))[0].rows
    assert left == ()


@pytest.mark.real_host
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_on_a_real_host(case: Case) -> None:
    named = os.environ.get("HVCTL_REAL_HOST")
    if not named:
        pytest.skip("no real host: HVCTL_REAL_HOST=INVENTORY:HOST names one")
    file, _, name = named.rpartition(":")
    inventory = Inventory.load(file)
    transport = real_connect(inventory.connection(inventory.select(name)[0]), Wire())
    try:
        version: OS | None = nearest(transport.info().build)
        if version != case.os:
            pytest.skip(f"the case is for {case.os}, the host is {version}")
        run_on(transport, case)
    finally:
        transport.close()
