"""`hvctl replica` as a user has it: each verb to its end, again, and taken up after a host was lost in the middle of it."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.connection import Connection
from hvctl.fleet.connect import Wire
from mocks.clock import START
from mocks.estate import Estate
from mocks.failures import failure
from mocks.machine import Checkpoint, Replication, Vm
from mocks.twin import TwinTransport
from tests.estates.harness import Reached, written

ID = "11111111-1111-1111-1111-111111111111"
RULES = {"VIRT-HVRHTTPL-In-TCP-NoScope": True, "VIRT-HVRHTTPSL-In-TCP-NoScope": False}
NAMES = {"primary_server": "HV01.example.com", "replica_server": "HV02.example.com"}
PLAYS = """
- hosts: hv01
  vms: [{name: web01, state: running, replication: {server: hv02}}]
- hosts: hv02
  host: {replica_server: {enabled: yes}}
"""


def web01(path: str, **more: Any) -> dict[str, Any]:
    return {"name": "web01", "id": ID, "drives": [{"at": "ide 0:0", "path": path}], **more}


class Lab:
    """hv01 sends web01 to hv02, hv03 has nothing to do with it; and a user before them."""

    def __init__(self, folder: Path, os: str = "2022") -> None:
        receives = {"enabled": True, "any_server": True, "storage": "D:\\R"}
        common: dict[str, Any] = {"os": os, "domain": "example.com", "folders": ["D:\\R"], "firewall_rules": RULES}
        hosts: dict[str, Any] = {h: {**common, "replica_server": dict(receives)} for h in ("hv01", "hv02", "hv03")}
        hosts["hv01"]["vms"] = [web01(r"D:\VMs\web01.vhdx", state="Running", replication=dict(NAMES))]
        hosts["hv02"]["vms"] = [
            web01(r"D:\R\web01.vhdx", replication={**NAMES, "mode": "Replica"}, adapters=[{"name": "lan"}])
        ]
        self.estate = Estate.from_data({"hosts": hosts})
        self.folder = folder
        written(folder, self.estate, {}, PLAYS)
        self.wires: dict[str, Reached] = {}
        self.lost_at: dict[str, int] = {}
        self.errors = ""

    def run(self, capsys: Any, *words: str) -> tuple[int, str]:
        def connect(connection: Connection, wire: Wire) -> Transport:
            name = connection.name
            inner = TwinTransport(self.estate.hosts[name])
            if name not in self.wires:
                self.wires[name] = Reached(inner, self.estate, name, away=False, lost_at=self.lost_at.get(name, 0))
            return self.wires[name]

        inventory = str(self.folder / "inventory.yml")
        status = main(["-i", inventory, *words], connect=connect, pause=self.estate.clock.sleep)
        said = capsys.readouterr()
        self.errors = said.err
        return status, said.out

    def replica(self, capsys: Any, *words: str) -> tuple[int, str]:
        return self.run(capsys, "replica", *words, "--auto-approve")

    def vm(self, host: str) -> Vm:
        return next(v for v in self.estate.hosts[host].state.vms if v.id == ID)

    def relation(self, host: str) -> Replication:
        found = self.vm(host).replication
        assert found is not None
        return found

    def at(self) -> dict[str, tuple[str, str, str]]:
        return {h: (self.relation(h).mode, self.relation(h).state, self.vm(h).state) for h in ("hv01", "hv02")}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


TURNED = {"hv01": ("Replica", "Replicating", "Off"), "hv02": ("Primary", "Replicating", "Running")}
BEFORE = {"hv01": ("Primary", "Replicating", "Running"), "hv02": ("Replica", "Replicating", "Off")}


@pytest.mark.parametrize("os", ["2012r2", "2016", "2022"])
def test_a_planned_failover(os: str, tmp_path: Path, capsys: Any) -> None:
    lab = Lab(tmp_path, os)
    status, said = lab.run(capsys, "replica", "failover", "web01", "--to", "hv02", "--check")
    assert lab.at() == BEFORE
    for word in ("shut_down", "prepare", "fail_over", "reverse", "start"):
        assert word in said
    status, _ = lab.replica(capsys, "failover", "web01", "--to", "hv02.example.com")
    assert (status, lab.at()) == (0, TURNED)
    assert all(len(w.changes) == n for w, n in zip(lab.wires.values(), (1, 1, 0), strict=True))
    status, said = lab.replica(capsys, "failover", "web01", "--to", "hv02")
    assert (status, lab.at()) == (0, TURNED), "once more does nothing"
    # the playbook still says the other way round, which the next plan understands
    status, said = lab.run(capsys, "plan", str(lab.folder / "site.yml"), "--detailed-exitcode")
    assert "turn the playbook around" in said
    assert lab.at() == TURNED
    lab.estate.clock.sleep(60)  # its guest has booted
    status, _ = lab.replica(capsys, "failover", "web01", "--to", "hv01")
    assert (status, lab.at()) == (0, BEFORE), "and back"


@pytest.mark.parametrize("host", ["hv01", "hv02"])
@pytest.mark.parametrize("start", [True, False])
def test_a_planned_failover_is_taken_up_where_a_host_was_lost(lab: Lab, host: str, start: bool, capsys: Any) -> None:
    lab.lost_at = {host: 1}
    words = ("failover", "web01", "--to", "hv02", *([] if start else ["--no-start"]))
    status, said = lab.replica(capsys, *words)
    assert status != 0
    lab.estate.bring_back(host)
    for wire in lab.wires.values():
        wire._lost_at = 0
    status, said = lab.replica(capsys, *words)
    power = "Running" if start else "Off"
    assert (status, lab.at()["hv02"]) == (0, ("Primary", "Replicating", power)), said
    assert lab.at()["hv01"] == TURNED["hv01"]
    calls = [c.cmdlet for h in lab.estate.hosts.values() for c in h.log if not c.errors]
    assert calls.count("Start-VMFailover") == 2, "prepared once, failed over once"


@pytest.mark.parametrize("cmdlet", ["Stop-VM", "Start-VMFailover", "Set-VMReplication", "Start-VM"])
def test_a_step_that_fails_is_taken_up(lab: Lab, cmdlet: str, capsys: Any) -> None:
    for host in lab.estate.hosts.values():
        host.failures.add(failure(f"{cmdlet}:error=no such luck"))
    status, _ = lab.replica(capsys, "failover", "web01", "--to", "hv02")
    assert status != 0
    for _ in range(2):
        status, said = lab.replica(capsys, "failover", "web01", "--to", "hv02")
    assert (status, lab.at()) == (0, TURNED), said


def test_what_would_be_refused_in_the_end_is_found_before_anything_is_stopped(lab: Lab, capsys: Any) -> None:
    lab.estate.hosts["hv01"].state.replica_server.enabled = False
    status, said = lab.replica(capsys, "failover", "web01", "--to", "hv02")
    assert "hv01 does not receive replicas itself" in said
    assert lab.at() == BEFORE
    assert status != 0


def test_a_firewall_that_may_refuse_the_reverse_is_told_before_anything_is_stopped(lab: Lab, capsys: Any) -> None:
    """Another rule may let it in."""
    lab.estate.hosts["hv01"].state.firewall_rules = dict.fromkeys(RULES, False)
    _, said = lab.run(capsys, "replica", "failover", "web01", "--to", "hv02", "--check")
    assert "the firewall rule VIRT-HVRHTTPL-In-TCP-NoScope of hv01 is off" in " ".join(said.split())


def test_a_guest_that_does_not_hear_and_a_network_that_is_not_there_are_said_before(lab: Lab, capsys: Any) -> None:
    lab.vm("hv01").silent = ["shutdown"]
    _, said = lab.replica(capsys, "failover", "web01", "--to", "hv02")
    told = " ".join(said.split())
    assert "web01 cannot be shut down on hv01: its shutdown service has no contact with its guest" in told
    assert "on no switch of hv02: lan; web01 starts there without that network" in told
    assert (lab.at(), "Stop-VM" in {c.cmdlet for c in lab.estate.hosts["hv01"].log}) == (BEFORE, False)


def test_a_vm_that_does_not_replicate_is_not_failed_over(lab: Lab, capsys: Any) -> None:
    lab.relation("hv01").state = "Suspended"
    _, said = lab.replica(capsys, "failover", "web01", "--to", "hv02")
    assert "web01 does not replicate: paused" in said
    assert lab.vm("hv01").state == "Running"


def test_an_unplanned_failover_and_the_way_back(lab: Lab, capsys: Any) -> None:
    lab.estate.lose("hv01")
    status, _ = lab.replica(capsys, "failover", "web01", "--to", "hv02")
    assert status == 1
    assert "hv01" in lab.errors and "--unplanned" in lab.errors
    status, said = lab.replica(capsys, "failover", "web01", "--to", "hv02", "--unplanned")
    assert "--allow destroy" in said
    assert lab.relation("hv02").state == "Replicating"
    words = ("failover", "web01", "--to", "hv02", "--unplanned", "--allow", "destroy")
    status, _ = lab.replica(capsys, *words)
    assert (lab.relation("hv02").state, lab.vm("hv02").state) == ("FailedOver", "Running")
    status, _ = lab.replica(capsys, *words)
    assert status == 0, "once more does nothing"
    lab.estate.clock.sleep(3600)
    lab.estate.bring_back("hv01")
    status, said = lab.run(capsys, "plan", str(lab.folder / "site.yml"))
    told = " ".join(said.split())
    assert "web01 was failed over to hv02, and runs there and on hv01" in told, "nobody has stopped the old one"
    status, said = lab.replica(capsys, "reverse", "web01")
    assert "--allow destroy" in said
    sent = {c.cmdlet for h in lab.estate.hosts.values() for c in h.log}
    assert not sent & {"Set-VMReplication", "Start-VMInitialReplication"}, "nor is what rests on what is held back"
    lab.lost_at = {}
    status, said = lab.replica(capsys, "reverse", "web01", "--allow", "destroy")
    assert status == 0, said
    lab.estate.clock.sleep(300)
    lab.estate.hosts["hv02"].invoke("Get-VMReplication", {})
    assert lab.at() == TURNED
    status, _ = lab.replica(capsys, "reverse", "web01")
    assert (status, lab.at()) == (0, TURNED)
    assert "hv02 sends web01 to hv01, and no failover of it is left to be reversed" in lab.errors


def test_a_copy_that_is_to_begin_later_is_not_begun_by_a_reversal(lab: Lab, capsys: Any) -> None:
    lab.relation("hv01").state, lab.relation("hv01").starts = "ReadyForInitialReplication", 86_400.0
    lab.relation("hv02").state = "WaitingForInitialReplication"
    status, _ = lab.replica(capsys, "reverse", "web01")
    assert (status, lab.relation("hv01").state) == (0, "ReadyForInitialReplication")
    assert "no failover of it is left to be reversed" in lab.errors


@pytest.mark.parametrize(("host", "batch"), [("hv01", 1), ("hv02", 1)])
def test_a_reversal_is_taken_up(lab: Lab, host: str, batch: int, capsys: Any) -> None:
    lab.estate.lose("hv01")
    words = ("failover", "web01", "--to", "hv02", "--unplanned", "--allow", "destroy")
    assert lab.replica(capsys, *words)[0] == 0
    lab.estate.bring_back("hv01")
    lab.wires.clear()
    lab.lost_at = {host: batch}
    assert lab.replica(capsys, "reverse", "web01", "--allow", "destroy")[0] != 0
    lab.estate.bring_back(host)
    lab.wires.clear()
    lab.lost_at = {}
    status, said = lab.replica(capsys, "reverse", "web01", "--allow", "destroy")
    lab.estate.clock.sleep(300)
    lab.estate.hosts["hv02"].invoke("Get-VMReplication", {})
    assert (status, lab.at()) == (0, TURNED), said


def test_a_primary_that_runs_is_not_failed_over_unplanned(lab: Lab, capsys: Any) -> None:
    words = ("failover", "web01", "--to", "hv02", "--unplanned", "--allow", "destroy")
    _, said = lab.replica(capsys, *words)
    assert "web01 runs on hv01" in said
    assert lab.at() == BEFORE


def test_a_test_and_its_end(lab: Lab, capsys: Any) -> None:
    status, said = lab.replica(capsys, "test", "web01")
    assert status == 0, said
    (made,) = (v for v in lab.estate.hosts["hv02"].state.vms if v.id != ID)
    assert made.name == "web01 - Test"
    made.state = "Running"
    assert lab.replica(capsys, "test", "web01")[0] == 0
    assert lab.replica(capsys, "cancel", "web01")[0] == 0
    assert len(lab.estate.hosts["hv02"].state.vms) == 1
    assert lab.at() == BEFORE


def test_a_failover_is_taken_back(lab: Lab, capsys: Any) -> None:
    lab.vm("hv01").state = "Off"
    lab.relation("hv01").state = "PreparedForFailover"
    lab.relation("hv02").state = "FailedOverWaitingCompletion"
    lab.vm("hv02").state = "Running"
    status, said = lab.replica(capsys, "cancel", "web01")
    assert "--allow destroy" in said
    status, said = lab.replica(capsys, "cancel", "web01", "--allow", "destroy")
    assert status == 0, said
    assert lab.at() == {"hv01": ("Primary", "Replicating", "Off"), "hv02": BEFORE["hv02"]}
    status, said = lab.run(capsys, "apply", str(lab.folder / "site.yml"), "--auto-approve")
    assert lab.at() == BEFORE


def test_what_is_complete_is_not_taken_back(lab: Lab, capsys: Any) -> None:
    lab.relation("hv02").state = "FailedOver"
    _, said = lab.replica(capsys, "cancel", "web01")
    assert "is complete, and is not taken back" in said


def chained(lab: Lab) -> Vm:
    """hv02 sends web01 on to hv03."""
    onward: dict[str, Any] = {
        "primary_server": "HV02.example.com",
        "replica_server": "HV03.example.com",
        "relationship": "Extended",
    }
    lab.vm("hv02").extended = Replication("Replica", **onward)
    third = deepcopy(lab.vm("hv02"))
    third.drives, third.extended, third.replication = [], None, Replication("ExtendedReplica", **onward)
    lab.estate.hosts["hv03"].state.vms.append(third)
    return third


def test_a_planned_failover_ends_what_is_sent_on_to_a_third_site(lab: Lab, capsys: Any) -> None:
    """B sends to one other only: what it sends on ends, with consent, before anything is stopped for it."""
    third = chained(lab)
    words = ("failover", "web01", "--to", "hv02")
    status, said = lab.replica(capsys, *words)
    assert lab.at() == BEFORE and status != 0
    assert "--allow destroy" in said
    assert not [t.call.cmdlet for w in lab.wires.values() for b in w.changes for t in b.tasks], said
    status, said = lab.replica(capsys, *words, "--allow", "destroy")
    assert (status, lab.at()) == (0, TURNED), said
    assert (lab.vm("hv02").extended, third.replication, third.state) == (None, None, "Off")
    status, said = lab.replica(capsys, *words)
    assert (status, lab.at()) == (0, TURNED), "once more does nothing"


@pytest.mark.parametrize("at", ["hv01", "hv02", "hv03", "Stop-VM", "Remove-VMReplication", "Set-VMReplication"])
def test_that_is_taken_up_where_a_host_was_lost_or_a_step_failed(lab: Lab, at: str, capsys: Any) -> None:
    third = chained(lab)
    words = ("failover", "web01", "--to", "hv02", "--allow", "destroy")
    if at in lab.estate.hosts:
        lab.lost_at = {at: 1}
    else:
        for host in lab.estate.hosts.values():
            host.failures.add(failure(f"{at}:error=no such luck"))
    assert lab.replica(capsys, *words)[0] != 0
    lab.estate.bring_back(*(h for h in lab.estate.hosts if h == at))
    for wire in lab.wires.values():
        wire._lost_at = 0
    for _ in range(3 if at not in lab.estate.hosts else 1):
        status, said = lab.replica(capsys, *words)
    assert (status, lab.at()) == (0, TURNED), said
    assert (lab.vm("hv02").extended, third.replication) == (None, None)


def test_a_planned_failover_where_the_third_site_is_away(lab: Lab, capsys: Any) -> None:
    third = chained(lab)
    lab.estate.lose("hv03")
    status, said = lab.replica(capsys, "failover", "web01", "--to", "hv02", "--allow", "destroy")
    assert (status, lab.at()) == (0, TURNED), said
    assert "the third site was not read" in said
    assert third.replication is not None


def test_a_reversal_ends_what_is_sent_on(lab: Lab, capsys: Any) -> None:
    third = chained(lab)
    lab.estate.lose("hv01")
    assert lab.replica(capsys, "failover", "web01", "--to", "hv02", "--unplanned", "--allow", "destroy")[0] == 0
    lab.estate.bring_back("hv01")
    status, said = lab.replica(capsys, "reverse", "web01", "--allow", "destroy")
    assert status == 0, said
    lab.estate.clock.sleep(300)
    lab.estate.hosts["hv02"].invoke("Get-VMReplication", {})
    assert (lab.at(), lab.vm("hv02").extended, third.replication) == (TURNED, None, None)


def test_a_third_site_takes_over_when_nobody_runs_it(lab: Lab, capsys: Any) -> None:
    third = chained(lab)
    words = ("failover", "web01", "--to", "hv03", "--allow", "destroy")
    assert lab.replica(capsys, *words)[0] == 1 and "only --unplanned" in lab.errors
    assert lab.replica(capsys, *words, "--unplanned")[0] == 1 and "web01 runs on hv01" in lab.errors
    lab.estate.lose("hv01", "hv02")
    status, said = lab.replica(capsys, *words, "--unplanned")
    assert (status, lab.relation("hv03").state, third.state) == (0, "FailedOver", "Running"), said
    lab.estate.bring_back("hv01")
    assert lab.replica(capsys, "reverse", "web01", "--allow", "destroy")[0] != 0
    assert "not read: hv02" in lab.errors, "a site that is not known of goes on"
    assert lab.vm("hv01").state == "Running"


@pytest.mark.parametrize("lost", ["", "hv01", "hv02", "hv03"])
def test_from_a_third_site_replication_ends_on_all_sites(lab: Lab, lost: str, capsys: Any) -> None:
    """Nothing is reversed from there: the others stop, each side ends, and a playbook goes on from what they have."""
    third = chained(lab)
    lab.estate.lose("hv01", "hv02")
    assert lab.replica(capsys, "failover", "web01", "--to", "hv03", "--unplanned", "--allow", "destroy")[0] == 0
    lab.estate.bring_back("hv01", "hv02")
    status, said = lab.replica(capsys, "reverse", "web01")
    assert "--allow destroy" in said and lab.vm("hv01").state == "Running"
    lab.wires.clear()
    lab.lost_at = {lost: 1}
    status, said = lab.replica(capsys, "reverse", "web01", "--allow", "destroy")
    if lost:
        assert status != 0
        lab.estate.bring_back(lost)
        lab.wires.clear()
        lab.lost_at = {}
        lab.replica(capsys, "reverse", "web01", "--allow", "destroy")
    assert [(lab.vm(h).replication, lab.vm(h).extended, lab.vm(h).state) for h in ("hv01", "hv02", "hv03")] == [
        (None, None, "Off"), (None, None, "Off"), (None, None, "Running"),
    ]  # fmt: skip
    back = """
- hosts: hv03
  vms: [{name: web01, replication: {server: hv02, initial_copy: backup}}]
- hosts: hv02
  host: {replica_server: {enabled: yes}}
"""
    (lab.folder / "back.yml").write_text(back)
    third.drives = deepcopy(lab.vm("hv02").drives)
    lab.estate.hosts["hv03"].state.vhds += deepcopy(lab.estate.hosts["hv02"].state.vhds)
    status, said = lab.run(capsys, "apply", str(lab.folder / "back.yml"), "--auto-approve", "--allow", "destroy")
    assert status == 0, said
    assert (lab.relation("hv03").mode, lab.relation("hv02").mode) == ("Primary", "Replica")


def test_a_vm_that_nobody_replicates(lab: Lab, capsys: Any) -> None:
    assert lab.replica(capsys, "test", "web09")[0] == 1
    assert "no host that was read replicates a VM web09" in lab.errors
    assert lab.replica(capsys, "failover", "web01", "--to", "hv03")[0] == 1
    assert "hv03 has no web01" in lab.errors
    assert lab.replica(capsys, "failover", "web01", "--to", "hv99")[0] == 1
    assert "hv99 is no host of the inventory" in lab.errors


def test_a_failover_to_an_older_recovery_point(lab: Lab, capsys: Any) -> None:
    """Looked at and taken back; then another one, for good."""
    states = [
        ("08:00", "Replica", 28_800.0),
        ("09:00", "AppConsistentReplica", 32_400.0),
        ("mine", "Standard", 30_000.0),
    ]
    for n, (name, type_, at) in enumerate(states):
        lab.vm("hv02").checkpoints.append(Checkpoint(name, f"{ID[:-1]}{n + 2}", type_, created=at))
    lab.vm("hv01").state = "Off"
    words = ("failover", "web01", "--to", "hv02", "--unplanned", "--allow", "destroy")
    assert lab.replica(capsys, *words, "--recovery-point", "07:00")[0] == 1
    assert "08:00" in lab.errors and "consistent for applications (09:00)" in lab.errors and "mine" not in lab.errors
    status, said = lab.replica(capsys, *words, "--recovery-point", "09:00", "--no-complete")
    assert (status, lab.relation("hv02").state, lab.relation("hv02").point) == (
        0,
        "FailedOverWaitingCompletion",
        "09:00",
    ), said
    status, said = lab.replica(capsys, *words, "--recovery-point", "08:00")
    assert status != 0 and "was failed over already" in said, "to which, no host says"
    assert lab.replica(capsys, "cancel", "web01", "--allow", "destroy")[0] == 0
    day = START.strftime("%Y-%m-%d")
    status, said = lab.replica(capsys, *words, "--recovery-point", f"{day} 08:59", "--no-start")
    assert (status, lab.relation("hv02").state, lab.relation("hv02").point) == (0, "FailedOver", "08:00"), said
    assert [p.name for p in lab.vm("hv02").checkpoints] == ["mine"]
    assert lab.replica(capsys, "failover", "web01", "--to", "hv02", "--recovery-point", "x")[0] == 1


def test_what_a_verb_did_is_remembered(lab: Lab, tmp_path: Path, capsys: Any) -> None:
    history = str(tmp_path / "history.db")
    assert lab.replica(capsys, "failover", "web01", "--to", "hv02", "--history", history)[0] == 0, lab.errors
    _, said = lab.run(capsys, "history", "--history", history)
    assert "web01: planned failover to hv02" in said
    assert "replication web01: replicating to hv01, normal" in said
    assert "replication web01: replicating from hv02, normal" in said
    lab.run(capsys, "drift", str(lab.folder / "site.yml"), "--history", history)
    _, said = lab.run(capsys, "history", "--history", history, "--json")
    assert '"planned_failover"' not in said, "no field of a runbook is wanted for good"
