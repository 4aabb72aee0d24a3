"""Random standalone hosts and VMs that belong on one of them: after one apply each is there, or the plan says what holds it."""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from hvctl.core.outcome import Outcome
from mocks.estate import Estate
from tests.estates.harness import Session, written
from tests.estates.test_moves import HOST, where

SEEDS = range(400) if os.environ.get("HVCTL_SOAK") else range(24)


def a_host(chance: random.Random, number: int, os: str) -> dict[str, Any]:
    """Sometimes one that nothing can go to, or come from."""
    found: dict[str, Any] = {
        **HOST,
        "os": os,
        "net_adapters": [{"name": "NIC1", "addresses": [f"192.0.2.{number}/24"]}, {"name": "NIC2"}],
        "volumes": {"C": {}, "D": {"free": chance.choice(["500GB", "500GB", "15GB"])}},
    }
    for key, value in (
        ("virtual_machine_migration_enabled", False),
        ("use_any_network_for_migration", False),
        ("switches", []),
        ("session", "ntlm"),
        ("processor_level", 2),
        ("processor_vendor", "AuthenticAMD"),
        ("memory", "1GB"),
        ("domain", ""),
    ):
        if chance.random() < 0.06:
            found[key] = value
    return found


def a_vm(chance: random.Random, name: str, host: dict[str, Any]) -> dict[str, Any]:
    drives = [{"at": f"ide 0:{n}", "path": rf"D:\VMs\{name}\{n}.vhdx"} for n in range(chance.randint(0, 2))]
    if chance.random() < 0.1:
        drives.append({"at": "ide 1:0", "path": r"D:\iso\w.iso"})
    switch = chance.choice([None, "lan"]) if host["switches"] else None
    return {
        "name": name,
        "state": chance.choice(["Running", "Running", "Off", "Saved", "Paused"]),
        "drives": drives,
        "adapters": [{"name": "a", "switch": switch}] if switch else [],
        "checkpoints": [{"name": "before"}] if drives and chance.random() < 0.2 else [],
        "processor": {"compatibility_for_migration_enabled": chance.random() < 0.5},
        "guest": {"nested_hypervisor": chance.random() < 0.05, "integration": chance.random() < 0.9},
    }


def of_vm(outcomes: Mapping[str, Outcome], vm: str) -> list[str]:
    plans = [one.plan for one in outcomes.values() if one.plan is not None]
    return [str(r.message) for p in plans for a in p.actions if a.address.key == vm for r in a.remarks if r.holds]


@pytest.mark.parametrize("seed", SEEDS)
def test_converges_in_one_apply_or_says_what_holds_it(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"hv{n}" for n in range(1, chance.randint(2, 3) + 1)]
    oldest = chance.choice(["2012", "2012r2", "2016", "2022"])
    newer = {"2012": "2012r2"}.get(oldest, oldest)
    hosts = {h: a_host(chance, n, newer if n > 1 else oldest) for n, h in enumerate(names, 1)}
    vms: dict[str, tuple[str, str]] = {}
    for n in range(chance.randint(1, 4)):
        at, to = chance.choice(names), chance.choice(names)
        vms[f"vm{n}"] = (at, to)
        hosts[at].setdefault("vms", []).append(a_vm(chance, f"vm{n}", hosts[at]))
    wanted = "".join(
        f"  - {{name: {vm}, on_host: {to}, storage: 'D:\\Moved\\{vm}', notes: placed}}\n" for vm, (_, to) in vms.items()
    )
    estate = Estate.from_data({"hosts": hosts})
    disks = sum(len(host.state.vhds) for host in estate.hosts.values())
    with TemporaryDirectory() as folder:
        written(Path(folder), estate, None, f"- hosts: {','.join(names)}\n  vms:\n{wanted}")
        session = Session(estate, Path(folder), frozenset(("move", "restart", "destroy")))
        done = session.applied()
        now = session.planned()
        found = {vm: host for host, here in where(estate).items() for vm in here}
        assert sorted(found) == sorted(vms), "none is lost, none is doubled"
        assert sum(len(host.state.vhds) for host in estate.hosts.values()) == disks
        for vm, (_, to) in vms.items():
            said = of_vm(done, vm) + of_vm(now, vm)
            failed = [str(r.failure) for o in done.values() if o.report for r in o.report.results if r.failure]
            assert found[vm] == to or said or failed, f"{vm} is on {found[vm]}, and nothing says why"
            if found[vm] == to and not failed:
                (here,) = [v for v in estate.hosts[to].state.vms if v.name == vm]
                assert here.notes == "placed"
        assert not [s for o in now.values() if o.plan for s in o.plan.steps if s.moves] or any(
            r.failure for o in done.values() if o.report for r in o.report.results
        )
