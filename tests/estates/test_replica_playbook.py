"""The example of docs/replica.md, as somebody works with it: set up, extended, paused behind its back, failed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hvctl.core.outcome import exit_status
from hvctl.core.status import DIFFERS
from mocks.estate import Estate
from tests.estates.harness import Session, written

ID = "11111111-1111-1111-1111-111111111111"
PLAYS = (Path(__file__).parents[2] / "playbooks" / "replica.yml").read_text(encoding="utf-8")


def estate(os: str) -> Estate:
    lan = {"switches": [{"name": "lan", "net_adapters": ["Ethernet 2"]}]}
    common: dict[str, Any] = {"os": os, "domain": "example.com", "folders": ["D:\\Replicas"], **lan}
    disk = {"at": "ide 0:0", "path": r"D:\VMs\web01.vhdx"}
    vm = {
        "name": "web01",
        "id": ID,
        "state": "Running",
        "drives": [disk],
        "adapters": [{"name": "lan", "switch": "lan"}],
    }
    return Estate.from_data({"hosts": {"hv01": {**common, "vms": [vm]}, "hv02": {**common}, "hv03": {**common}}})


@pytest.fixture(params=["2012r2", "2016", "2022"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Session:
    made = estate(request.param)
    written(tmp_path, made, {}, PLAYS)
    return Session(made, tmp_path)


def told(session: Session) -> str:
    said = session.out.getvalue()
    session.out.truncate(0)
    session.out.seek(0)
    return said


def differs(session: Session) -> bool:
    return bool(exit_status(session.planned().values(), changes_count=True) & DIFFERS)


def set_up(session: Session) -> None:
    """In two applies: the second when the initial copy is done."""
    session.applied()
    session.estate.clock.sleep(300)
    session.applied()
    session.estate.clock.sleep(300)


def test_it_is_set_up_and_extended(session: Session) -> None:
    session.applied()
    assert "sends on when the initial copy is there" in told(session)
    session.estate.clock.sleep(300)
    session.applied()
    session.estate.clock.sleep(300)
    assert not differs(session), told(session)
    third = session.estate.hosts["hv03"].state.vms[0].replication
    assert third is not None and (third.mode, third.state) == ("ExtendedReplica", "Replicating")


def test_a_pause_behind_its_back_is_a_difference(session: Session) -> None:
    set_up(session)
    session.estate.hosts["hv01"].invoke("Suspend-VMReplication", {"VMName": "web01"})
    told(session)
    assert differs(session)
    said = told(session)
    assert "paused → replicating" in said
    session.applied()
    assert not differs(session)


def test_each_host_may_be_lost_in_the_midst(session: Session) -> None:
    """In the first apply, one after the other; nothing is doubled, and it ends as it should."""
    for host in session.estate.hosts:
        for wire in session.wires.values():
            wire.changes.clear()
            wire._lost_at = 0
        session.wires[host]._lost_at = 1
        session.applied()
        session.estate.bring_back(host)
    for wire in session.wires.values():
        wire._lost_at = 0
    for _ in range(3):
        session.estate.clock.sleep(300)
        session.applied()
    session.estate.clock.sleep(300)
    assert not differs(session), told(session)
    log = [c for h in session.estate.hosts.values() for c in h.log if not c.errors]
    assert [c.cmdlet for c in log].count("Enable-VMReplication") == 2
    assert [len(h.state.vms) for h in session.estate.hosts.values()] == [1, 1, 1]


def test_a_third_site_that_is_gone_is_an_error_and_told(session: Session) -> None:
    set_up(session)
    session.estate.lose("hv03")
    session.estate.clock.sleep(7200)
    told(session)
    session.planned()
    assert "hv03" in told(session)
    session.estate.bring_back("hv03")
    assert not differs(session), "it mends itself"


def test_of_a_part_it_is_said_what_is_left_out(session: Session) -> None:
    work = session.prepared(limit="hv01")
    with session.run(work) as run:
        outcomes = run.plan()
        assert outcomes[0].plan is not None
    said = {r.message for a in outcomes[0].plan.actions for r in a.remarks}
    assert "hv02 is not among the hosts of this run: only this side is looked at and changed" in said


NAMED = "- {hosts: hv01, vms: [{name: web01, replication: {server: hv02, extended: {server: hv03}}}]}"


def test_hosts_that_a_replication_names_need_no_play(tmp_path: Path) -> None:
    """Nothing is wanted of them; --limit leaves them out, and hv04 has nothing to do with it."""
    estate = Estate.from_data({"hosts": {name: {} for name in ("hv01", "hv02", "hv03", "hv04")}})
    written(tmp_path, estate, None, NAMED)
    for limit, hosts in ((None, ["hv01", "hv02", "hv03"]), ("hv01", ["hv01"]), ("hv01,hv03", ["hv01", "hv03"])):
        work = Session(estate, tmp_path).prepared(limit=limit)
        assert [w.name for w in work] == hosts
        assert not any(tuple(w.desired) for w in work if w.name != "hv01")


PARTLY = """
- hosts: hv01
  vms: [{name: web01, tags: [web], replication: {server: hv02}}, {name: web02}]
- hosts: hv02
  host: {replica_server: {enabled: yes}}
- hosts: hv03
  host: {replica_server: {enabled: yes}}
"""


@pytest.mark.parametrize("chosen", [{"vms": ("web01",)}, {"tags": ("web",)}])
def test_the_other_side_of_what_is_chosen_is_looked_at(chosen: dict[str, Any], tmp_path: Path) -> None:
    """Nothing that is wanted of hv02 itself is chosen; hv03 has nothing to do with it."""
    estate = Estate.from_data({"hosts": {name: {} for name in ("hv01", "hv02", "hv03")}})
    written(tmp_path, estate, None, PARTLY)
    work = Session(estate, tmp_path).prepared(**chosen)
    assert [(w.name, len(tuple(w.desired))) for w in work] == [("hv01", 2), ("hv02", 0)]
