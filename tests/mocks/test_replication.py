"""Replication between simulated hosts: from state to state, and what is refused, by the rows of mocks/replicating.py."""

from __future__ import annotations

from typing import Any

import pytest

from mocks.cluster import Cluster, Node
from mocks.estate import Estate
from mocks.machine import Checkpoint
from mocks.objects import Outcome
from mocks.replica import Certificate
from mocks.replicating import REFUSALS, TRANSITIONS, relations
from mocks.schema import dump
from tests.mocks.hosts import name_of

ID = "11111111-1111-1111-1111-111111111111"
DISK = r"D:\VMs\web01.vhdx"
RULE = {"VIRT-HVRHTTPL-In-TCP-NoScope": True, "VIRT-HVRHTTPSL-In-TCP-NoScope": False}
SERVER = {"enabled": True, "any_server": True, "storage": "D:\\R"}
ENABLE = {"VMName": "web01", "ReplicaServerPort": 80, "AuthenticationType": "Kerberos"}
SURE = {"Confirm": False}


class Pair:
    """hv01 with web01, hv02 and hv03, all of them replica servers."""

    def __init__(self, os: str = "2022", **vm: Any) -> None:
        given: dict[str, Any] = {"name": "web01", "id": ID, "drives": [{"at": "ide 0:0", "path": DISK}], **vm}
        receives: dict[str, Any] = {"os": os, "domain": "example.com", "folders": ["D:\\R"], "firewall_rules": RULE}
        hosts: dict[str, Any] = {
            name: {**receives, "replica_server": dict(SERVER)} for name in ("hv01", "hv02", "hv03")
        }
        hosts["hv01"]["vms"] = [given]
        self.estate = Estate.from_data({"hosts": hosts})

    def run(self, host: str, cmdlet: str, /, **params: Any) -> Outcome:
        on = self.estate.hosts[host]
        outcome = on.invoke(cmdlet, params)
        on.clock.sleep(outcome.took)
        return outcome

    def do(self, host: str, cmdlet: str, /, **params: Any) -> None:
        outcome = self.run(host, cmdlet, **params)
        assert not outcome.errors, outcome.errors[0]

    def refused(self, host: str, cmdlet: str, why: str, /, **params: Any) -> None:
        """By a row; nothing has changed."""
        self.states()  # what has fallen due is so
        before = [dump(h.state) for h in self.estate.hosts.values()]
        (error,) = self.run(host, cmdlet, **params).errors
        assert error.id.split(",")[0] == REFUSALS[why].kind
        assert [dump(h.state) for h in self.estate.hosts.values()] == before

    def pass_(self, seconds: float) -> None:
        self.estate.clock.sleep(seconds)

    def states(self, *hosts: str) -> list[str]:
        """Of web01's relationships, as each host tells them."""
        return [s for h in hosts or self.estate.hosts for s in self._told(h, "ReplicationState")]

    def health(self, *hosts: str) -> list[str]:
        return [s for h in hosts or self.estate.hosts for s in self._told(h, "ReplicationHealth")]

    def _told(self, host: str, prop: str) -> list[str]:
        return [name_of(o.properties[prop]) for o in self.run(host, "Get-VMReplication").objects]

    # --- on the way ---------------------------------------------------------------------------------------------------

    def enabled(self, **more: Any) -> Pair:
        self.do("hv01", "Enable-VMReplication", ReplicaServerName="hv02.example.com", **ENABLE, **more)
        return self

    def replicating(self, **more: Any) -> Pair:
        self.enabled(**more)
        self.do("hv01", "Start-VMInitialReplication", VMName="web01")
        self.pass_(120)
        return self

    def extended(self) -> Pair:
        self.replicating()
        self.do("hv02", "Enable-VMReplication", ReplicaServerName="hv03", **ENABLE)
        return self

    def failed_over(self) -> Pair:
        self.replicating()
        self.do("hv01", "Start-VMFailover", VMName="web01", Prepare=True, **SURE)
        self.do("hv02", "Start-VMFailover", VMName="web01", **SURE)
        return self


def test_the_rows_have_sources_and_grades() -> None:
    known = [(t.grade, t.source) for t in TRANSITIONS] + [(r.grade, r.source) for r in REFUSALS.values()]
    assert all(grade in ("D", "O", "Os", "I") and source for grade, source in known)


@pytest.mark.parametrize("os", ["2012", "2012r2", "2016", "2022", "2025"])
def test_from_enabling_to_replicating(os: str) -> None:
    pair = Pair(os)
    before = pair.run("hv02", "Get-VMReplication")
    assert before.objects == [] and before.errors == []
    pair.enabled()
    assert pair.states() == ["ReadyForInitialReplication", "WaitingForInitialReplication"]
    assert pair.health("hv01") == ["Warning"]
    (vm,) = pair.estate.hosts["hv02"].state.vms
    assert (vm.id, vm.name, vm.state) == (ID, "web01", "Off")
    assert [a.switch for a in vm.nics] == [None]
    assert [d.path for d in vm.disks] == [rf"D:\R\Hyper-V Replica\Virtual hard disks\{ID}\web01.vhdx"]
    pair.do("hv01", "Start-VMInitialReplication", VMName="web01")
    assert pair.states() == ["InitialReplicationInProgress", "WaitingForInitialReplication"]
    pair.pass_(120)
    assert pair.states() == ["Replicating", "Replicating"]
    assert pair.health() == ["Normal", "Normal"]


def test_names_are_full_on_both_sides() -> None:
    pair = Pair().enabled()
    for host in ("hv01", "hv02"):
        (one,) = pair.run(host, "Get-VMReplication").objects
        assert one.properties["PrimaryServerName"] == "HV01.example.com"
        assert one.properties["ReplicaServerName"] == "HV02.example.com"
        assert ("ReplicatedDisks" in one.properties) == (pair.estate.hosts[host].os not in ("2012", "2012r2"))


def test_the_initial_copy_begins_by_itself_later() -> None:
    pair = Pair().enabled()
    params = {"VMName": "web01", "InitialReplicationStartTime": "2026-04-01T02:00:00Z"}
    pair.do("hv01", "Start-VMInitialReplication", **params)
    assert pair.states("hv01") == ["ReadyForInitialReplication"]
    pair.pass_(2 * 3600)
    assert pair.states("hv01") == ["InitialReplicationInProgress"]
    pair.pass_(120)
    assert pair.states() == ["Replicating", "Replicating"]
    pair = Pair().enabled()
    late = {**params, "InitialReplicationStartTime": "2026-04-09T00:00:00Z"}
    pair.refused("hv01", "Start-VMInitialReplication", "value", **late)  # I: the class


def test_the_initial_copy_goes_by_media() -> None:
    pair = Pair().enabled()
    pair.refused("hv01", "Start-VMInitialReplication", "no media", VMName="web01", DestinationPath="E:\\usb")
    for host in ("hv01", "hv02"):
        pair.estate.hosts[host].state.folders.append("E:\\usb")
    pair.do("hv01", "Start-VMInitialReplication", VMName="web01", DestinationPath="E:\\usb")
    pair.pass_(120)
    assert pair.states() == ["Replicating", "WaitingForInitialReplication"]
    folder = rf"E:\usb\web01_{ID}"
    assert folder in pair.estate.hosts["hv01"].state.folders
    pair.refused("hv02", "Import-VMInitialReplication", "no media", VMName="web01", Path=folder)
    pair.estate.hosts["hv02"].state.folders.append(folder)
    pair.do("hv02", "Import-VMInitialReplication", VMName="web01", Path=folder)
    assert pair.states() == ["Replicating", "Replicating"]


def test_the_initial_copy_goes_to_a_vm_that_is_there() -> None:
    pair = Pair()
    there = pair.estate.hosts["hv02"].state
    there.vms.append(pair.estate.hosts["hv01"].state.vms[0].__class__("web01", ID, drives=[], adapters=[]))
    pair.refused("hv01", "Enable-VMReplication", "the VM is there", ReplicaServerName="hv02", **ENABLE)
    pair.do("hv02", "Enable-VMReplication", VMName="web01", AsReplica=True)
    pair.do("hv01", "Enable-VMReplication", ReplicaServerName="hv02", **ENABLE)
    pair.do("hv01", "Start-VMInitialReplication", VMName="web01", UseBackup=True)
    pair.pass_(120)
    assert pair.states() == ["Replicating", "Replicating"]
    assert len(there.vms) == 1


def test_an_initial_copy_is_stopped() -> None:
    pair = Pair().enabled()
    pair.refused("hv01", "Stop-VMInitialReplication", "wrong state", VMName="web01")
    pair.do("hv01", "Start-VMInitialReplication", VMName="web01")
    pair.do("hv01", "Stop-VMInitialReplication", VMName="web01")
    pair.pass_(600)
    assert pair.states() == ["ReadyForInitialReplication", "WaitingForInitialReplication"]


def test_a_pause_on_either_side() -> None:
    pair = Pair().replicating()
    pair.do("hv01", "Suspend-VMReplication", VMName="web01")
    assert (pair.states("hv01"), pair.health("hv01")) == (["Suspended"], ["Warning"])
    pair.do("hv01", "Resume-VMReplication", VMName="web01")
    pair.do("hv02", "Suspend-VMReplication", VMName="web01")
    assert (pair.states("hv02"), pair.health("hv02")) == (["Suspended"], ["Critical"])
    pair.pass_(700)
    assert (pair.states("hv01"), pair.health("hv01")) == (["Error"], ["Critical"])
    pair.do("hv02", "Resume-VMReplication", VMName="web01")
    pair.do("hv01", "Resume-VMReplication", VMName="web01")
    assert pair.states() == ["Replicating", "Replicating"]


@pytest.mark.parametrize("closed", ["off", "firewall", "authorization", "certificate"])
def test_a_server_that_takes_nothing_any_more_is_an_error_of_the_primary(closed: str) -> None:
    pair = Pair().replicating()
    there = pair.estate.hosts["hv02"].state
    if closed == "off":
        there.replica_server.enabled = False
    elif closed == "firewall":
        there.firewall_rules = dict.fromkeys(RULE, False)
    elif closed == "certificate":
        there.replica_server.authentication = relations(pair.estate.hosts["hv01"].state.vms[0])[0].authentication = (
            "Certificate"
        )
        there.replica_server.certificate = "AB" * 20
        there.replica_server.certificate_port, there.firewall_rules = 80, dict.fromkeys(RULE, True)
        there.certificates = [Certificate("AB" * 20, expires=0.01)]
    else:
        there.replica_server.any_server = False
    pair.pass_(3600)
    assert pair.states("hv01") == ["Error"]


def test_a_way_that_is_cut_is_an_error_and_mends_itself() -> None:
    pair = Pair().replicating()
    pair.estate.cut.add(frozenset({"hv01", "hv02"}))
    pair.pass_(200)
    assert pair.states("hv01") == ["Replicating"]
    pair.pass_(600)
    assert (pair.states("hv01"), pair.health("hv01")) == (["Error"], ["Critical"])
    pair.refused("hv01", "Resume-VMReplication", "no way", VMName="web01")
    pair.estate.cut.clear()
    assert pair.states() == ["Replicating", "Replicating"]


def test_a_resynchronization() -> None:
    pair = Pair().replicating()
    relation = relations(pair.estate.hosts["hv01"].state.vms[0])[0]
    relation.state, relation.health = "WaitingForStartResynchronize", "Critical"
    pair.refused("hv01", "Resume-VMReplication", "wrong state", VMName="web01")
    pair.do("hv01", "Resume-VMReplication", VMName="web01", Resynchronize=True)
    pair.do("hv01", "Suspend-VMReplication", VMName="web01")
    assert pair.states("hv01") == ["ResynchronizeSuspended"]
    pair.do("hv01", "Resume-VMReplication", VMName="web01", Continue=True)
    pair.pass_(120)
    assert pair.states() == ["Replicating", "Replicating"]


def test_a_planned_failover_and_the_reverse() -> None:
    pair = Pair(state="Running").replicating()
    pair.refused("hv01", "Start-VMFailover", "prepare needs off", VMName="web01", Prepare=True, **SURE)
    pair.refused("hv02", "Start-VMFailover", "primary runs", VMName="web01", **SURE)
    pair.refused("hv02", "Start-VM", "a replica does not start", Name="web01")
    pair.do("hv01", "Stop-VM", Name="web01", TurnOff=True, Force=True)
    pair.do("hv01", "Start-VMFailover", VMName="web01", Prepare=True, **SURE)
    assert pair.states() == ["PreparedForFailover", "Replicating"]
    pair.refused("hv01", "Start-VM", "prepared does not start", Name="web01")
    pair.do("hv02", "Start-VMFailover", VMName="web01", **SURE)
    assert pair.states() == ["PreparedForFailover", "FailedOverWaitingCompletion"]
    pair.do("hv02", "Start-VM", Name="web01")
    pair.refused("hv02", "Stop-VMFailover", "stop needs off", VMName="web01")  # I: the stricter of two sources
    pair.do("hv02", "Complete-VMFailover", VMName="web01", **SURE)
    assert pair.states("hv02") == ["FailedOver"]
    pair.do("hv02", "Set-VMReplication", VMName="web01", Reverse=True)
    assert pair.states() == ["Replicating", "Replicating"]
    modes = [v.replication.mode for h in ("hv01", "hv02") for v in pair.estate.hosts[h].state.vms if v.replication]
    assert modes == ["Replica", "Primary"]
    pair.pass_(3600)
    assert pair.states() == ["Replicating", "Replicating"]


def test_a_failover_is_taken_back_on_either_side() -> None:
    pair = Pair().failed_over()
    pair.do("hv02", "Stop-VMFailover", VMName="web01")
    assert pair.states() == ["PreparedForFailover", "Replicating"]
    pair.do("hv01", "Stop-VMFailover", VMName="web01")
    assert pair.states() == ["Replicating", "Replicating"]
    pair.refused("hv01", "Stop-VMFailover", "nothing to stop", VMName="web01")


def test_a_reverse_needs_a_server_that_takes_it() -> None:
    pair = Pair().failed_over()
    pair.estate.hosts["hv01"].state.replica_server.enabled = False
    pair.refused("hv02", "Set-VMReplication", "no reverse", VMName="web01", Reverse=True)


def test_an_unplanned_failover_and_back() -> None:
    pair = Pair(state="Running").replicating()
    pair.estate.lose("hv01")
    pair.do("hv02", "Start-VMFailover", VMName="web01", **SURE)
    pair.do("hv02", "Start-VM", Name="web01")
    pair.refused("hv02", "Set-VMReplication", "no reverse", VMName="web01", Reverse=True)
    pair.do("hv02", "Complete-VMFailover", VMName="web01", **SURE)
    pair.pass_(3600)
    pair.estate.bring_back("hv01")
    assert pair.states("hv01") == ["Error"]
    pair.refused("hv01", "Set-VMReplication", "as replica needs off", VMName="web01", AsReplica=True)
    pair.do("hv01", "Stop-VM", Name="web01", TurnOff=True, Force=True)
    pair.do("hv01", "Set-VMReplication", VMName="web01", AsReplica=True)
    pair.do("hv02", "Set-VMReplication", VMName="web01", Reverse=True)
    assert pair.states() == ["WaitingForInitialReplication", "ReadyForInitialReplication"]
    pair.do("hv02", "Start-VMInitialReplication", VMName="web01")
    pair.pass_(120)
    assert pair.states() == ["Replicating", "Replicating"]


def test_a_test_failover() -> None:
    pair = Pair(state="Running").replicating()
    pair.do("hv02", "Start-VMFailover", VMName="web01", AsTest=True, **SURE)
    test = next(v for v in pair.estate.hosts["hv02"].state.vms if v.name == "web01 - Test")
    assert test.id != ID and test.replication and test.replication.mode == "TestReplica"
    pair.refused("hv02", "Start-VMFailover", "tested already", VMName="web01", AsTest=True, **SURE)
    pair.do("hv02", "Start-VM", Name="web01 - Test")
    pair.refused("hv02", "Stop-VMFailover", "stop needs off", VMName="web01")  # I: the stricter of two sources
    pair.do("hv02", "Stop-VM", Name="web01 - Test", TurnOff=True, Force=True)
    pair.do("hv02", "Stop-VMFailover", VMName="web01")
    assert [v.name for v in pair.estate.hosts["hv02"].state.vms] == ["web01"]
    assert pair.states() == ["Replicating", "Replicating"]


def test_a_third_site() -> None:
    pair = Pair().extended()
    assert pair.states("hv02") == ["Replicating", "ReadyForInitialReplication"]
    pair.do("hv02", "Start-VMInitialReplication", VMName="web01")
    pair.pass_(120)
    assert pair.states() == ["Replicating"] * 4
    third = pair.estate.hosts["hv03"].state.vms[0].replication
    assert third is not None and (third.mode, third.frequency) == ("ExtendedReplica", 300)
    pair.refused("hv02", "Remove-VMReplication", "removed under extended", VMName="web01",
                 ReplicationRelationshipType="Simple")  # fmt: skip
    pair.do("hv01", "Start-VMFailover", VMName="web01", Prepare=True, **SURE)
    pair.do("hv02", "Start-VMFailover", VMName="web01", **SURE)
    pair.refused("hv02", "Set-VMReplication", "reverse under extended", VMName="web01", Reverse=True)
    pair.do("hv03", "Start-VMFailover", VMName="web01", **SURE)
    pair.refused("hv03", "Set-VMReplication", "reverse of a third site", VMName="web01", Reverse=True)


@pytest.mark.parametrize(
    ("os", "more", "why"),
    [
        ("2012", {"RecoveryHistory": 16}, "value"),
        ("2012r2", {"RecoveryHistory": 25}, "value"),
        ("2012r2", {"ReplicationFrequencySec": 60}, "value"),
        ("2022", {"ReplicationFrequencySec": 31}, "value"),
        ("2022", {"VSSSnapshotFrequencyHour": 4}, "value"),
        ("2022", {"ExcludedVhdPath": ["D:\\none.vhdx"]}, "disk"),
        ("2022", {"ExcludedVhdPath": [DISK]}, "disk"),
        ("2022", {"ReplicaServerPort": 81}, "server refuses"),
        ("2022", {"ReplicaServerName": "hv09"}, "no way"),
        ("2022", {"ReplicaServerName": "hv01"}, "no way"),
    ],
)
def test_enabling_is_refused(os: str, more: dict[str, Any], why: str) -> None:
    Pair(os).refused("hv01", "Enable-VMReplication", why, **{**ENABLE, "ReplicaServerName": "hv02", **more})


def test_who_is_not_admitted() -> None:
    pair = Pair()
    server = pair.estate.hosts["hv02"].state
    server.firewall_rules["VIRT-HVRHTTPL-In-TCP-NoScope"] = False
    pair.refused("hv01", "Enable-VMReplication", "server refuses", ReplicaServerName="hv02", **ENABLE)
    server.firewall_rules["VIRT-HVRHTTPL-In-TCP-NoScope"] = True
    server.replica_server.any_server = False
    pair.refused("hv01", "Enable-VMReplication", "server refuses", ReplicaServerName="hv02", **ENABLE)
    assert pair.run("hv01", "Test-VMReplicationConnection", ReplicaServerName="hv02", ReplicaServerPort=80,
                    AuthenticationType="Kerberos").errors  # fmt: skip


def test_twice_and_never() -> None:
    pair = Pair().enabled()
    pair.refused("hv01", "Enable-VMReplication", "enabled already", ReplicaServerName="hv02", **ENABLE)  # I
    pair.do("hv01", "New-VM", Name="other", MemoryStartupBytes=2**29, NoVHD=True)
    pair.refused("hv01", "Suspend-VMReplication", "not replicated", VMName="other")


def test_a_disk_that_came_later_is_left_out_until_it_is_named() -> None:
    pair = Pair(drives=[{"at": "ide 0:0", "path": DISK}, {"at": "ide 0:1", "path": r"D:\VMs\data.vhdx"}])
    pair.replicating(ExcludedVhdPath=[r"D:\VMs\data.vhdx"])
    (one,) = pair.run("hv01", "Get-VMReplication").objects
    assert [d.properties["Path"] for d in one.properties["ExcludedDisks"]] == [r"D:\VMs\data.vhdx"]
    pair.do("hv01", "Set-VMReplication", VMName="web01", ReplicatedDiskPaths=[DISK, r"D:\VMs\data.vhdx"])
    assert pair.states("hv01") == ["WaitingForUpdateCompletion"]
    pair.pass_(60)
    assert pair.states() == ["Replicating", "Replicating"]
    assert len(pair.estate.hosts["hv02"].state.vms[0].disks) == 2


def test_removing_is_of_one_side() -> None:
    pair = Pair().replicating()
    pair.do("hv02", "Remove-VMReplication", VMName="web01")
    pair.pass_(700)
    assert pair.states() == ["Error"]
    assert [v.name for v in pair.estate.hosts["hv02"].state.vms] == ["web01"]
    pair.do("hv01", "Remove-VMReplication", VMName="web01")
    assert pair.states() == []


def test_its_settings_change_while_it_replicates() -> None:
    pair = Pair().replicating()
    pair.do("hv01", "Set-VMReplication", VMName="web01", ReplicationFrequencySec=30, RecoveryHistory=4)
    pair.refused("hv01", "Set-VMReplication", "value", VMName="web01", ReplicationFrequencySec=45)
    pair.refused("hv01", "Set-VMReplication", "server refuses", VMName="web01", ReplicaServerPort=99)
    pair.refused("hv01", "Set-VMReplication", "server refuses", VMName="web01", ReplicaServerName="hv03")
    (one,) = pair.run("hv01", "Get-VMReplication").objects
    assert (one.properties["ReplicationFrequencySec"], one.properties["RecoveryHistory"]) == (30, 4)
    (health,) = pair.run("hv01", "Measure-VMReplication", VMName="web01").objects
    assert health.properties["ReplicationHealthDetails"] == []


def test_every_row_is_used() -> None:
    """What no test above brings about would be a row that nothing shows."""
    assert {t.call for t in TRANSITIONS} == {
        "Start-VMInitialReplication", "Stop-VMInitialReplication", "Import-VMInitialReplication",
        "Suspend-VMReplication", "Resume-VMReplication", "Start-VMFailover", "Complete-VMFailover", "Stop-VMFailover",
        "Set-VMReplication", "Remove-VMReplication", "Reset-VMReplicationStatistics",
    }  # fmt: skip


def test_a_node_is_not_named_where_its_cluster_has_a_broker() -> None:
    pair = Pair()
    there = pair.estate.hosts["hv02"].state
    there.cluster = Cluster("hvcl02", broker="hvr02", nodes=[Node("HV02")])
    pair.refused("hv01", "Enable-VMReplication", "a node and not its broker", ReplicaServerName="hv02", **ENABLE)
    pair.do("hv01", "Enable-VMReplication", ReplicaServerName="hvr02", **ENABLE)
    assert [r.owner for r in there.cluster.roles] == ["HV02"]


def test_a_failover_to_an_older_recovery_point() -> None:
    pair = Pair()
    pair.do("hv01", "Enable-VMReplication", ReplicaServerName="hv02", **ENABLE)
    pair.do("hv01", "Start-VMInitialReplication", VMName="web01")
    pair.pass_(300)
    there = pair.estate.hosts["hv02"].state.vms[0]
    there.checkpoints = [Checkpoint("by hand", ID[:-1] + "2"), Checkpoint("08:00", ID[:-1] + "3", type="Replica")]
    own, point = (pair.run("hv02", "Get-VMSnapshot", Id=p.id).objects[0] for p in there.checkpoints)
    pair.refused("hv02", "Start-VMFailover", "no recovery point", VMRecoverySnapshot=own, **SURE)
    pair.do("hv02", "Start-VMFailover", VMRecoverySnapshot=point, **SURE)
    assert there.replication is not None and there.replication.point == "08:00"
    pair.do("hv02", "Complete-VMFailover", VMName="web01", **SURE)
    assert [p.name for p in there.checkpoints] == ["by hand"]
