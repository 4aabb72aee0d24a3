"""A role that is replicated from a cluster to another one: it moves on both sides, nodes are lost, it is failed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.core.outcome import exit_status
from hvctl.core.status import DIFFERS
from mocks.estate import Estate
from mocks.failover import carry, nodes_of
from mocks.machine import Replication
from tests.estates.harness import CASES, Session, written
from tests.estates.test_replica_verbs import ID, Lab

CASE = yaml.safe_load((CASES / "replica" / "of_a_role_goes_from_broker_to_broker.yaml").read_text(encoding="utf-8"))
PLAYS = """
- hosts: tokyo
  cluster: {vms: [{name: web01, replication: {server: hvr11}}]}
- hosts: osaka
  host: {replica_server: {enabled: yes, any_server: yes, storage: 'C:\\ClusterStorage\\r1', firewall: yes}}
"""


@pytest.fixture
def estate() -> Estate:
    data = yaml.safe_load(yaml.safe_dump(CASE["estate"]))
    for own in data["hosts"].values():
        own["os"] = "2022"
    return Estate.from_data(data)


@pytest.fixture
def session(estate: Estate, tmp_path: Path) -> Session:
    written(tmp_path, estate, CASE["inventory"], PLAYS)
    return Session(estate, tmp_path)


def go(estate: Estate, node: str) -> None:
    """The role to another node of its cluster, as somebody else does it."""
    states = nodes_of(estate.hosts[node].state)
    role = next(r for r in states[0].cluster.roles if r.vm_id == ID) if states[0].cluster else None
    assert role is not None
    carry(role, node.upper(), states)


def holders(estate: Estate) -> dict[str, str]:
    return {
        name: vm.replication.mode
        for name, host in estate.hosts.items()
        for vm in host.state.vms
        if vm.id == ID and vm.replication is not None
    }


def differs(session: Session) -> bool:
    return bool(exit_status(session.planned().values(), changes_count=True) & DIFFERS)


def test_it_is_in_sync_wherever_it_is_on_both_sides(session: Session) -> None:
    session.applied()
    session.estate.clock.sleep(300)
    assert not differs(session), session.out.getvalue()
    go(session.estate, "hv01")
    go(session.estate, "hv12")
    assert holders(session.estate) == {"hv01": "Primary", "hv12": "Replica"}
    assert not differs(session), session.out.getvalue()


def test_a_node_that_is_lost_hides_no_replica_and_makes_no_second_one(session: Session) -> None:
    session.applied()
    session.estate.clock.sleep(300)
    session.estate.lose("hv11")  # which had it: its cluster starts it on the other one
    session.estate.clock.sleep(600)
    plans = [o.plan for o in session.planned().values() if o.plan is not None]
    assert not [s for p in plans for s in p.steps], session.out.getvalue()
    assert holders(session.estate).get("hv12") == "Replica"


def test_of_a_node_and_not_the_broker_it_is_said(session: Session) -> None:
    playbook = session.folder / "site.yml"
    playbook.write_text(PLAYS.replace("hvr11", "hv11"), encoding="utf-8")
    session.planned()
    session.applied()
    assert "hv11 is a node of hvcl11, where the broker receives replicas and not a node" in session.out.getvalue()
    assert not holders(session.estate)


def test_without_a_broker_that_is_online_it_is_said(session: Session) -> None:
    for state in (session.estate.hosts["hv01"].state, session.estate.hosts["hv11"].state):
        assert state.cluster is not None
        state.cluster.broker_online = False
    session.planned()
    session.applied()
    said = session.out.getvalue()
    assert "hvcl01 has no broker that is online" in said and "hvcl11 has no broker that is online" in said
    assert not holders(session.estate)


def test_it_is_failed_over_between_clusters(estate: Estate, tmp_path: Path, capsys: Any) -> None:
    lab = Lab(tmp_path)
    lab.estate = estate
    written(tmp_path, estate, CASE["inventory"], PLAYS + "- hosts: tokyo\n  host: {replica_server: {enabled: yes}}\n")
    names = {"primary_server": "hvr01.example.com", "replica_server": "hvr11.example.com"}
    assert lab.run(capsys, "apply", str(tmp_path / "site.yml"), "--auto-approve")[0] == 0
    estate.clock.sleep(300)
    first = estate.hosts["hv01"].state
    first.replica_server.enabled, first.replica_server.any_server = True, True
    first.replica_server.storage = "C:\\ClusterStorage\\v1"
    for state in (first, estate.hosts["hv02"].state):
        state.firewall_rules["VIRT-HVRHTTPL-In-TCP-NoScope"] = True
    go(estate, "hv12")
    status, said = lab.replica(capsys, "failover", "web01", "--to", "hvr11")
    assert (status, holders(estate)) == (0, {"hv02": "Replica", "hv12": "Primary"}), said
    found = estate.hosts["hv12"].state.vms[0].replication
    assert isinstance(found, Replication)
    assert (found.primary_server, found.replica_server) == (names["replica_server"], names["primary_server"])
    status, said = lab.run(capsys, "plan", str(tmp_path / "site.yml"))
    assert "turn the playbook around" in said


def test_hosts_of_the_other_side_are_not_taken_for_nodes(session: Session) -> None:
    session.planned()
    assert "is no node of" not in session.out.getvalue()
