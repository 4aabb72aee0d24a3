"""Roles of a cluster as hvctl import writes them: once for all its nodes, and in sync."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.connection import Connection
from hvctl.fleet.connect import Wire
from mocks.estate import Estate
from mocks.twin import TwinTransport
from tests.estates import test_clusters
from tests.estates.harness import written


def estate(os: str = "2022") -> Estate:
    own = test_clusters.estate(os)
    own.hosts["hv02"].state.vms += (
        Estate.from_data(
            {"hosts": {"x": {"os": os, "vms": [{**test_clusters.vm("alone", 3, "Off"), "path": "D:\\VMs"}]}}}
        )
        .hosts["x"]
        .state.vms
    )
    cluster = test_clusters.state(own, "hv01").cluster
    assert cluster is not None
    one, two = cluster.roles
    one.priority, one.preferred_owners, one.auto_failback, one.anti_affinity = 3000, ["HV01"], 1, ["web"]
    one.failback_start, one.failback_end, one.failover_period = 22, 6, 3
    two.name, two.preferred_owners, two.auto_failback, two.failover_threshold = "renamed", ["HV01"], 1, 2
    two.failed, cluster.quarantine_threshold = True, 5
    cluster.migration_network_order, cluster.migration_exclude_networks = (n.id for n in cluster.networks)
    return own


def hvctl(folder: Path, own: Estate, *words: str) -> int:
    if not (folder / "inventory.yml").exists():
        written(folder, own, test_clusters.INVENTORY, "[]")

    def connect(connection: Connection, wire: Wire) -> Transport:
        return TwinTransport(own.hosts[connection.name])

    return main(["-i", str(folder / "inventory.yml"), *words], connect=connect, pause=own.clock.sleep)


@pytest.mark.parametrize("os", ["2012r2", "2022"])
def test_roles_of_all_nodes_are_one_play(tmp_path: Path, capsys: Any, os: str) -> None:
    own, file = estate(os), tmp_path / "import.yml"
    assert hvctl(tmp_path, own, "import", "all", "--out", str(file)) == 0
    assert ": 1 VM, 1 role" in capsys.readouterr().err
    alone, cluster = yaml.safe_load(file.read_text("utf-8"))
    assert (alone["hosts"], [vm["name"] for vm in alone["vms"]]) == ("hv02", ["alone"])
    assert (cluster["name"], cluster["hosts"]) == ("hvcl01", "nodes")
    quarantine = {"quarantine": {"threshold": 5}} if os != "2012r2" else {}
    told = {key: value for key, value in cluster["cluster"].items() if key != "vms"}
    assert told == {**quarantine, "live_migration_networks": ["a"]}, "once, without defaults"
    roles = {vm["name"]: vm["role"] for vm in cluster["cluster"]["vms"]}
    assert roles["web01"] == {
        "priority": "high", "preferred_owners": ["HV01"], "failback": {"allowed": True, "window": "22-6"},
        "failover": {"period": 3}, "anti_affinity": ["web"], "heartbeat_monitoring": True,
    }  # fmt: skip
    assert roles["web02"] == {"preferred_owners": ["HV01"], "failover": {"threshold": 2}, "heartbeat_monitoring": True}
    text = file.read_text("utf-8")
    assert "# not written: failback.allowed (it runs on HV02, and would be moved)" in text
    assert "automatic_start_action" not in text, "which the cluster rules"
    assert hvctl(tmp_path, own, "plan", str(file), "--detailed-exitcode") == 2, "web02 has failed"
    assert "1 impossible" in capsys.readouterr().out
    simulated = test_clusters.state(own, "hv01").cluster
    assert simulated is not None
    simulated.roles[1].failed = False
    own.hosts["hv01"].invoke("Set-VM", {"Name": "web01", "Notes": "by hand"})
    assert hvctl(tmp_path, own, "plan", str(file), "--detailed-exitcode") == 0, "notes that nobody wrote"


def test_of_one_node_its_own_and_what_is_left_out(tmp_path: Path) -> None:
    own = estate("2012r2")
    assert hvctl(tmp_path, own, "import", "hv01", "--split", "--out", str(tmp_path / "fleet")) == 0
    assert [file.name for file in (tmp_path / "fleet").iterdir()] == ["hvcl01.yml"]
    text = (tmp_path / "fleet" / "hvcl01.yml").read_text("utf-8")
    assert "# roles on hv02 are not here: it was not read" in text
    assert hvctl(tmp_path, own, "plan", str(tmp_path / "fleet" / "hvcl01.yml"), "--detailed-exitcode") == 0


def test_without_the_inventory_a_role_is_a_vm_with_a_comment(tmp_path: Path) -> None:
    own = estate()
    written(tmp_path, own, {}, "[]")
    assert hvctl(tmp_path, own, "import", "hv01", "--out", str(tmp_path / "import.yml")) == 0
    text = (tmp_path / "import.yml").read_text("utf-8")
    assert "cluster:" not in text and "# a role of the cluster, which rules its start and stop" in text
