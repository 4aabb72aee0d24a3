"""Pairs of hosts, or a host and a cluster behind its broker, in any state, and any replication wanted of them: a few
applies end in sync, or say what holds them. No step that a plan has sent is refused."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hvctl.core.impact import IMPACTS
from hvctl.core.outcome import Outcome
from mocks.estate import Estate
from tests.estates.harness import Session, written

ID = "11111111-1111-1111-1111-111111111111"
RULES = {"VIRT-HVRHTTPL-In-TCP-NoScope": True, "VIRT-HVRHTTPSL-In-TCP-NoScope": False}
NAMES = {"primary_server": "HV01.example.com", "replica_server": "HV02.example.com"}
PLACES = ("ide 0:0", "ide 0:1")

PAIRS: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {
    "none": (None, None),
    "enabled": ({"state": "ReadyForInitialReplication", "health": "Warning"},
                {"state": "WaitingForInitialReplication", "health": "Warning"}),
    "replicating": ({}, {}),
    "paused": ({"state": "Suspended", "health": "Warning"}, {}),
    "paused there": ({}, {"state": "Suspended", "health": "Critical"}),
    "error": ({"state": "Error", "health": "Critical", "fault": "way"}, {}),
    "resync needed": ({"state": "WaitingForStartResynchronize", "health": "Critical"}, {}),
    "resync paused": ({"state": "ResynchronizeSuspended", "health": "Critical"}, {}),
    "prepared": ({"state": "PreparedForFailover"}, {}),
    "failed over": ({"state": "Error", "health": "Critical", "fault": "peer"}, {"state": "FailedOver", "health": "Warning"}),
    "removed there": ({}, None),
    "elsewhere": ({"replica_server": "HV09.example.com"}, None),
    "reversed": ({"mode": "Replica", "primary_server": "HV02.example.com", "replica_server": "HV01.example.com"},
                 {"mode": "Primary", "primary_server": "HV02.example.com", "replica_server": "HV01.example.com"}),
}  # fmt: skip
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "frequency": st.sampled_from(["30s", "5m", "15m"]),
        "recovery_points": st.integers(1, 24),
        "vss": st.sampled_from(["1h", "12h", None]),
        "compression": st.booleans(),
        "bypass_proxy": st.booleans(),
        "host_data_exchange": st.booleans(),
        "state": st.sampled_from(["replicating", "paused"]),
        "initial_copy": st.sampled_from(["now", "by_hand"]),
        "excluded_disks": st.sampled_from([[], ["ide 0:1"]]),
        "auto_resync": st.sampled_from([{"enabled": True}, {"start": "01:00", "end": "02:30"}]),
        "ensure": st.sampled_from(["present", "absent"]),
        "extended": st.sampled_from(
            [None, {"server": "hv03"}, {"server": "hv03", "frequency": "15m", "recovery_points": 1}]
        ),
    },
)


NODES = ("hv02", "hv04")
BROKER = "hvr02.example.com"
INVENTORY = {
    "children": {
        "nodes": {"hosts": dict.fromkeys(NODES), "vars": {"hvctl_cluster": "hvcl01", "hvctl_replica_broker": BROKER}}
    }
}


def behind(broker: bool, names: dict[str, Any]) -> dict[str, Any]:
    """A relationship of one that is sent to the broker, if there is one."""
    known = {"primary_server", "replica_server"} & names.keys() if broker else ()
    return {**names, **{k: BROKER for k in known if str(names[k]).startswith("HV02.")}}


def world(os: str, pair: str, power: str, listens: bool, broker: bool) -> Estate:
    common: dict[str, Any] = {"os": os, "domain": "example.com", "folders": ["D:\\R"]}
    if listens:
        common |= {"replica_server": {"enabled": True, "any_server": True, "storage": "D:\\R"}, "firewall_rules": RULES}
    names = ("hv01", "hv02", "hv03", *(NODES[1:] if broker else ()))
    hosts: dict[str, Any] = {name: dict(common) for name in names}
    here, there = PAIRS[pair]
    drives = [{"at": place, "path": rf"D:\VMs\{n}.vhdx"} for n, place in enumerate(PLACES)]
    vm: dict[str, Any] = {"name": "web01", "id": ID, "state": power, "drives": drives}
    own = None if here is None else behind(broker, {**NAMES, **here})
    if own is not None and (own.get("mode") == "Replica" or own.get("state") == "PreparedForFailover"):
        vm["state"] = "Off"
    hosts["hv01"]["vms"] = [{**vm, "replication": own}]
    if there is not None or pair == "removed there":
        other = None if there is None else behind(broker, {"mode": "Replica", "store": "D:\\R", **NAMES, **there})
        hosts["hv02"]["vms"] = [{"name": "web01", "id": ID, "drives": drives, "replication": other}]
    if not broker:
        return Estate.from_data({"hosts": hosts})
    roles = [{"name": "web01", "owner": "HV02"}] if hosts["hv02"].get("vms") else []
    cluster = {"hosts": list(NODES), "broker": "hvr02", "roles": roles}
    return Estate.from_data({"hosts": hosts, "clusters": {"hvcl01": cluster}})


def failed(done: dict[str, Outcome]) -> list[str]:
    results = [r for one in done.values() if one.report is not None for r in one.report.results]
    return [f"{r.step.task.call}: {r.failure}" for r in results if r.status == "failed"]


def unexplained(done: dict[str, Outcome]) -> list[str]:
    actions = [a for one in done.values() if one.plan is not None for a in one.plan.actions]
    return [str(a.address) for a in actions if (a.differs or a.verb == "unknown") and not a.remarks]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    os=st.sampled_from(["2012r2", "2016", "2022"]),
    pair=st.sampled_from(sorted(PAIRS)),
    power=st.sampled_from(["Running", "Off"]),
    listens=st.booleans(),
    broker=st.booleans(),
    wanted=SETTINGS,
)
def test_a_pair_converges_or_says_what_holds_it(
    os: str, pair: str, power: str, listens: bool, broker: bool, wanted: dict[str, Any]
) -> None:
    if wanted.get("ensure") == "absent":
        wanted = {"ensure": "absent"}
    if (wanted.get("extended") or {}).get("frequency") == "15m" or wanted.get("extended") is None:
        pass
    elif wanted.get("frequency") == "15m":
        wanted = {**wanted, "extended": {**wanted["extended"], "frequency": "15m"}}
    server = {"enabled": True, "firewall": True, "any_server": True, "storage": "D:\\R"}
    to = "hvr02" if broker else "hv02"
    plays = [
        {"hosts": "hv01", "vms": [{"name": "web01", "replication": {"server": to, **wanted}}]},
        {"hosts": "nodes" if broker else "hv02", "host": {"replica_server": server}},
        {"hosts": "hv03", "host": {"replica_server": server}},
    ]
    estate = world(os, pair, power, listens, broker)
    with TemporaryDirectory() as folder:
        written(Path(folder), estate, INVENTORY if broker else {}, yaml.safe_dump(plays))
        session = Session(estate, Path(folder), frozenset(IMPACTS))
        before = [v.id for h in estate.hosts.values() for v in h.state.vms]
        for _ in range(4):
            done = session.applied()
            assert failed(done) == []
            estate.clock.sleep(400)
        end = session.planned()
    assert unexplained(end) == []
    steps = {
        h: [str(s.task.call) for s in one.plan.steps]
        for h, one in end.items()
        if one.plan is not None and one.plan.steps
    }
    assert steps == {}
    assert len(before) <= sum(len(h.state.vms) for h in estate.hosts.values()) <= 3
