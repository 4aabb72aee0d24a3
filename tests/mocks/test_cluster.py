"""The simulated cluster: what it refuses, row by row, and what goes from node to node by itself (cluster 2 to 6, domain 16)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mocks.estate import Estate
from mocks.objects import Outcome
from mocks.schema import dump

F = "Microsoft.FailoverClusters.PowerShell."
CASES = yaml.safe_load((Path(__file__).parent / "cluster_refusals.yaml").read_text(encoding="utf-8"))
CSV = r"C:\ClusterStorage\v1"


def pair(os: str = "2022", **given: Any) -> Estate:
    vm = {"name": "web01", "generation": 2, "path": rf"{CSV}\web01", "state": "Running", "drives": [], "adapters": []}
    hosts = {
        "hv01": {"os": os, "vms": [vm | given.get("vm", {})], **given.get("host", {})},
        "hv02": {"os": os, "vms": [vm | {"name": "elsewhere"}], **given.get("other", {})},
    }
    cluster = {
        "nodes": [{"name": "HV01"}, {"name": "HV02", **given.get("node", {})}],
        "roles": [{"name": "web01", "owner": "HV01", **given.get("role", {})}],
    }
    clusters = {} if given.get("without") else {"hvcl01": cluster}
    return Estate.from_data({"hosts": hosts, "shared": {CSV: {}}, "clusters": clusters})


def call(own: Estate, name: str, **params: Any) -> Outcome:
    outcome = own.hosts["hv01"].invoke(name, params)
    own.clock.sleep(outcome.took)
    return outcome


def names(own: Estate, host: str) -> list[str]:
    return [v.name for v in own.hosts[host].state.vms]


def role(own: Estate) -> Any:
    cluster = own.hosts["hv01"].state.cluster
    assert cluster is not None
    return cluster.roles[0]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['what']}, {c['call']}")
def test_is_refused(case: dict[str, Any]) -> None:
    own = pair(
        case.get("os", "2022"), **{k: v for k, v in case.items() if k in ("vm", "host", "node", "role", "without")}
    )
    before = [dump(host.state) for host in own.hosts.values()]
    outcome = call(own, case["call"], **case.get("with", {}))
    (error,) = outcome.errors
    assert error.id == case["id"].replace("F.", F)
    assert error.category == case["category"]
    assert case.get("says", "") in error.message
    assert case["grade"] in "ODI"
    assert [dump(host.state) for host in own.hosts.values()] == before, "a refused call changes nothing"


@pytest.mark.parametrize(("os", "waits"), [("2012r2", False), ("2016", True), ("2022", True)])
def test_what_a_lost_node_ran_starts_on_another_one(os: str, waits: bool) -> None:
    """From 2016 on after the resiliency period (domain 16)."""
    own = pair(os)
    own.lose("hv01")
    assert names(own, "hv02") == (["elsewhere"] if waits else ["elsewhere", "web01"])
    own.clock.sleep(241)
    assert names(own, "hv02") == ["elsewhere", "web01"]
    assert role(own).owner == "HV02"
    own.bring_back("hv01")
    assert names(own, "hv01") == []


def test_a_node_that_comes_back_in_time_keeps_what_it_ran() -> None:
    own = pair()
    own.lose("hv01")
    own.clock.sleep(60)
    own.bring_back("hv01")
    own.clock.sleep(600)
    assert names(own, "hv01") == ["web01"]
    assert role(own).status == 0


WIRED = {"net_adapters": [{"name": "nic1"}], "switches": [{"name": "lan", "net_adapters": ["nic1"]}]}


@pytest.mark.parametrize(
    ("os", "watched", "other", "back", "moves"),
    [
        ("2012r2", True, "Up", False, True),
        ("2022", True, "Up", False, True),
        ("2012", True, "Up", False, False),
        ("2022", False, "Up", False, False),
        ("2022", True, "Disconnected", False, False),  # only to a node where that network is up
        ("2022", True, "Up", True, False),  # it returns before the move has begun
    ],
)
def test_a_network_that_is_lost_moves_what_watches_it(
    os: str, watched: bool, other: str, back: bool, moves: bool
) -> None:
    """Cluster 8; how long such a move waits is inferred [I]."""
    adapter = {"name": "lan", "switch": "lan", "cluster_monitored": watched}
    own = pair(
        os, host=WIRED, vm={"adapters": [adapter]}, other={**WIRED, "net_adapters": [{"name": "nic1", "status": other}]}
    )
    own.lose_link("hv01", "nic1")
    if back:
        own.restore_link("hv01", "nic1")
    own.clock.sleep(60)
    assert ("web01" in names(own, "hv02")) is moves
    assert role(own).owner == ("HV02" if moves else "HV01")
    assert next(v for host in own.hosts.values() for v in host.state.vms if v.name == "web01").state == "Running"


def test_a_role_that_no_node_can_take_has_failed() -> None:
    own = pair("2012r2", role={"possible_owners": ["HV01"]})
    own.lose("hv01")
    assert role(own).failed
    assert names(own, "hv01") == ["web01"]


def test_a_move_takes_the_vm_and_its_switch_by_name() -> None:
    own = pair()
    for host in own.hosts.values():
        host.invoke("New-VMSwitch", {"Name": "lan", "SwitchType": "Private"})
    call(own, "Add-VMNetworkAdapter", VMName="web01", Name="lan", SwitchName="lan")
    assert not call(own, "Move-ClusterVirtualMachineRole", Name="web01", Node="HV02").errors
    there = own.hosts["hv02"].state
    (adapter,) = there.vms[1].nics
    assert there.switch(adapter.switch) is there.switches[0]


def test_a_move_is_refused_where_the_switch_is_not() -> None:
    """domain 14 [O]"""
    own = pair()
    call(own, "New-VMSwitch", Name="lan", SwitchType="Private")
    call(own, "Add-VMNetworkAdapter", VMName="web01", Name="lan", SwitchName="lan")
    (error,) = call(own, "Move-ClusterVirtualMachineRole", Name="web01", Node="HV02").errors
    assert "Could not find Ethernet switch 'lan'" in error.message
    assert names(own, "hv01") == ["web01"]


def test_a_new_role_off_shared_storage_is_made_with_a_warning() -> None:
    """cluster 4: a report file, and no error"""
    own = pair(vm={"path": r"D:\web01"})
    assert not call(own, "Remove-ClusterGroup", Name="web01", RemoveResources=True, Force=True).errors
    assert names(own, "hv01") == ["web01"]
    outcome = call(own, "Add-ClusterVirtualMachineRole", VMName="web01")
    assert not outcome.errors
    assert "There were issues while creating the clustered role" in outcome.warnings[0]


def test_a_drain_returns_at_once_and_ends_later() -> None:
    """cluster 6: the opposite of the cmdlets that move"""
    own = pair()
    assert not call(own, "Suspend-ClusterNode", Name="HV01", Drain=True).errors
    (node,) = call(own, "Get-ClusterNode", Name="HV01").objects
    assert (str(node.properties["State"].name), node.properties["DrainStatus"].name) == ("Paused", "InProgress")
    own.clock.sleep(30)
    (node,) = call(own, "Get-ClusterNode", Name="HV01").objects
    assert node.properties["DrainStatus"].name == "Completed"
    assert names(own, "hv02") == ["elsewhere", "web01"]


def test_a_group_of_a_vm_that_is_off_is_online_in_part() -> None:
    """cluster 2, by the rule [I]: power is read from Hyper-V, never from here"""
    own = pair(vm={"state": "Off"})
    (group,) = call(own, "Get-ClusterGroup").objects
    assert group.properties["State"].name == "PartialOnline"
