"""Clusters by chance: one apply brings them to what is wanted, or what holds them is named; nothing is doubled or lost."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hvctl.core.impact import IMPACTS
from mocks.estate import Estate
from tests.estates.harness import Session, written

PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""A failing estate is small enough: to make it smaller takes minutes."""
NODES = ("hv01", "hv02", "hv03", "hv04")
Nodes = tuple[str, ...]


def owners(nodes: Nodes) -> st.SearchStrategy[list[str]]:
    """Some of them, in any order."""
    return st.lists(st.sampled_from(nodes), min_size=1, unique=True)


CSV = r"C:\ClusterStorage\v1"


@st.composite
def machines(draw: st.DrawFn, nodes: Nodes) -> dict[str, Any]:
    """What is there of one VM: on a node, as a role, both, or nothing."""
    return {
        "node": draw(st.sampled_from(nodes)),
        "vm": draw(st.booleans()),
        "role": draw(st.booleans()),
        "named": draw(st.sampled_from(["", "SCVMM {} Resources", "other {}"])),
        "state": draw(st.sampled_from(["Running", "Off"])),
        "adapter": draw(st.booleans()),
        "locked": draw(st.sampled_from([False, False, False, True])),
    }


@st.composite
def wanted(draw: st.DrawFn, nodes: Nodes) -> dict[str, Any]:
    role: dict[str, Any] = {}
    if draw(st.booleans()):
        role["priority"] = draw(st.sampled_from(["none", "low", "medium", "high"]))
    if draw(st.booleans()):
        role["preferred_owners"] = draw(owners(nodes))
        role["failback"] = {"allowed": draw(st.booleans())}
    if draw(st.booleans()):
        role["failover"] = {"threshold": draw(st.sampled_from([None, 1, 3])), "period": draw(st.integers(1, 48))}
    if draw(st.booleans()):
        role["anti_affinity"] = draw(st.lists(st.sampled_from(["web", "db"]), unique=True))
        role["offline_action"] = draw(st.sampled_from(["turn_off", "save", "shut_down"]))
        role["heartbeat_monitoring"] = draw(st.booleans())
    fate = draw(st.sampled_from(["kept", "kept", "kept", "absent", "unclustered", "unwanted"]))
    found: dict[str, Any] = {"generation": 2, "path": CSV, "notes": draw(st.sampled_from(["", "x"])), "role": role}
    if draw(st.booleans()):
        found["state"] = draw(st.sampled_from(["running", "off"]))
    if fate == "absent":
        found = {"ensure": "absent"}
    elif fate == "unclustered":
        found = {"clustered": False}
    return {} if fate == "unwanted" else found


@st.composite
def clusters(draw: st.DrawFn) -> dict[str, Any]:
    nodes = NODES[: draw(st.integers(2, 4))]
    names = [f"vm{n}" for n in range(draw(st.integers(1, 4)))]
    there = {name: draw(machines(nodes)) for name in names}
    away = draw(st.sampled_from([None, None, None, *nodes]))
    return {
        "nodes": nodes,
        "os": draw(st.sampled_from(["2012r2", "2016", "2022"])),
        "there": there,
        "wanted": {name: found for name in names if (found := draw(wanted(nodes)))},
        "paused": draw(st.sampled_from([None, None, *nodes])),
        "lan": draw(st.lists(st.sampled_from(nodes), unique=True, min_size=2)),
        "away": away,
    }


def made(data: dict[str, Any]) -> Estate:
    hosts: dict[str, Any] = {}
    for node in data["nodes"]:
        switches = [{"name": "lan", "type": "Internal"}] if node in data["lan"] else []
        hosts[node] = {"os": data["os"], "switches": switches, "vms": []}
    roles = []
    for name, one in data["there"].items():
        if one["vm"]:
            host = hosts[one["node"]]
            adapters = [{"name": "lan", "switch": "lan"}] if one["adapter"] and host["switches"] else []
            vm = {"name": name, "generation": 2, "path": rf"{CSV}\{name}", "state": one["state"], "drives": []}
            host["vms"].append({**vm, "adapters": adapters})
        if one["role"]:
            called = one["named"].format(name) or name
            status = 1 if one["locked"] else 0
            roles.append({"name": called, "vm": name, "owner": one["node"].upper(), "status": status})
    nodes = [{"name": n.upper(), "state": "Paused" if n == data["paused"] else "Up"} for n in data["nodes"]]
    networks = [{"name": "a"}, {"name": "b"}]
    cluster = {"nodes": nodes, "roles": roles, "networks": networks}
    return Estate.from_data({"hosts": hosts, "shared": {CSV: {}}, "clusters": {"hvcl01": cluster}})


def names_of(own: Estate) -> list[str]:
    return sorted(v.name for host in own.hosts.values() for v in host.state.vms)


@given(clusters())
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow], phases=PHASES)
def test_one_apply_is_enough_or_what_holds_it_is_named(data: dict[str, Any]) -> None:
    own = made(data)
    vms = [{"name": name, **one} for name, one in data["wanted"].items()]
    play = {"hosts": "nodes", "cluster": {"drain_on_shutdown": True, "vms": vms}}
    inventory = {"children": {"nodes": {"hosts": dict.fromkeys(data["nodes"]), "vars": {"hvctl_cluster": "hvcl01"}}}}
    before = names_of(own)
    with TemporaryDirectory() as folder:
        written(Path(folder), own, inventory, json.dumps([play]))
        away = [data["away"]] if data["away"] else []
        session = Session(own, Path(folder), frozenset(IMPACTS), away=away)
        done = session.applied()
        reports = [one.report for one in done.values() if one.report is not None]
        failed = [r for report in reports for r in report.results if r.status != "ok"]
        told = [one.plan for one in done.values() if one.plan is not None]
        assert len(told) == len(data["nodes"]) - len(away), [one.error for one in done.values()]
        promised = [r.hint for plan in told for a in plan.actions for r in a.remarks if "the next run" in r.hint]
        left = session.planned()
        if promised:
            reports = [one.report for one in session.applied().values() if one.report is not None]
            failed += [r for report in reports for r in report.results if r.status != "ok"]
            left = session.planned()
        for one in left.values():
            for action in one.plan.actions if one.plan is not None else ():
                if action.differs or action.verb == "unknown":
                    assert failed or any(r.level != "warning" for r in action.remarks), (action.address, action.verb)
        if not failed:
            steps = [str(s.task.call) for one in left.values() if one.plan is not None for s in one.plan.steps]
            assert steps == [], session.out.getvalue()
    after = names_of(own)
    assert len(after) == len(set(after)), after
    gone = {n for n in before if n not in after}
    assert gone <= {name for name, one in data["wanted"].items() if one.get("ensure") == "absent"}, gone
    cluster = own.hosts["hv01"].state.cluster
    assert cluster is not None
    ids = [role.vm_id for role in cluster.roles]
    assert len(ids) == len(set(ids))
