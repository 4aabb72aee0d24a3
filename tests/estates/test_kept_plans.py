"""Plans of a cluster's nodes and of replicating hosts that are kept in a file: planned again as one, and refused as one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.connection import Connection
from hvctl.fleet.connect import Wire
from mocks.estate import Estate
from mocks.twin import TwinTransport
from tests.estates import test_clusters, test_replica_playbook
from tests.estates.harness import written

Said = tuple[int, str]
Hvctl = Callable[..., Said]


@pytest.fixture
def hvctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Hvctl:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")

    def run(own: Estate, *words: str) -> Said:
        def connect(connection: Connection, wire: Wire) -> Transport:
            return TwinTransport(own.hosts[connection.name])

        status = main(list(words), connect)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, " ".join((out + err).split())

    return run


def sent(own: Estate) -> list[str]:
    return [
        c.cmdlet
        for host in own.hosts.values()
        for c in host.log
        if not c.cmdlet.startswith(("Get-", "Test-", "Measure-"))
    ]


@pytest.fixture
def cluster(tmp_path: Path) -> Estate:
    own = test_clusters.estate()
    written(tmp_path, own, test_clusters.INVENTORY, test_clusters.PLAYS)
    return own


def test_a_plan_of_a_cluster_is_kept_and_applied(hvctl: Hvctl, cluster: Estate) -> None:
    status, said = hvctl(cluster, "plan", "site.yml", "--out", "lab.plan")
    assert status == 0 and "Plan saved: hvctl apply lab.plan" in said
    assert [host["together"] for host in json.loads(Path("lab.plan").read_text("utf-8"))["hosts"]] == ["hvcl01"] * 2
    status, said = hvctl(cluster, "apply", "lab.plan", "-y")
    assert status == 0, said
    assert test_clusters.notes(cluster) == {"web01": "new", "web02": "new"}
    status, said = hvctl(cluster, "plan", "site.yml", "--detailed-exitcode")
    assert status == 0, said


def test_it_is_refused_on_all_nodes_after_a_move(hvctl: Hvctl, cluster: Estate) -> None:
    hvctl(cluster, "plan", "site.yml", "--out", "lab.plan")
    test_clusters.moved(cluster, "web02", "hv01")
    before = sent(cluster)
    status, said = hvctl(cluster, "apply", "lab.plan", "-y")
    assert status & 2, said
    assert "hv01 refused: something has changed" in said and "hv02 refused: something has changed" in said
    assert sent(cluster) == before


def test_what_changed_on_one_node_holds_the_others_too(hvctl: Hvctl, cluster: Estate) -> None:
    hvctl(cluster, "plan", "site.yml", "--out", "lab.plan")
    next(vm for vm in cluster.hosts["hv02"].state.vms if vm.name == "web02").notes = "new"
    status, said = hvctl(cluster, "apply", "lab.plan", "-y")
    assert status & 2, said
    assert "it is planned together with hv02, where something has changed" in said
    assert "Set-VM" not in sent(cluster)


def test_a_file_that_no_longer_says_which_cluster_is_refused(hvctl: Hvctl, cluster: Estate) -> None:
    hvctl(cluster, "plan", "site.yml", "--out", "lab.plan")
    data = json.loads(Path("lab.plan").read_text("utf-8"))
    for host in data["hosts"]:
        del host["together"]
    Path("lab.plan").write_text(json.dumps(data), "utf-8")
    status, said = hvctl(cluster, "apply", "lab.plan", "-y")
    assert status & 3, said
    assert "Set-VM" not in sent(cluster)


def test_without_a_node_that_is_away_nothing_of_its_cluster_is_kept(hvctl: Hvctl, cluster: Estate) -> None:
    """Nor would it be right without it: its roles are unknown."""
    away = cluster.hosts.pop("hv02")
    try:
        _, said = hvctl(cluster, "plan", "site.yml", "--out", "lab.plan")
    finally:
        cluster.hosts["hv02"] = away
    assert "No plan saved, without hv02 and hv01, which is planned together with what could not be looked at" in said
    assert not Path("lab.plan").exists()


# --- replication -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sites(tmp_path: Path) -> Estate:
    own = test_replica_playbook.estate("2022")
    written(tmp_path, own, {}, test_replica_playbook.PLAYS)
    return own


def test_a_plan_of_replication_is_kept_and_applied(hvctl: Hvctl, sites: Estate) -> None:
    status, said = hvctl(sites, "plan", "site.yml", "--out", "lab.plan")
    assert status == 0 and "Plan saved" in said, said
    _, said = hvctl(sites, "apply", "lab.plan", "-y")
    assert "hv01 2 of 2 steps done" in said, (
        "what goes on to hv03 waits for the initial copy, as it does without a file"
    )
    assert "Enable-VMReplication" in sent(sites)


def test_it_is_shown_as_it_was_printed(hvctl: Hvctl, sites: Estate) -> None:
    _, printed = hvctl(sites, "plan", "site.yml", "--allow", "disconnect", "--out", "lab.plan")
    assert "planned together" in printed and "In this order: → 1. on " in printed
    shown = hvctl(sites, "show", "lab.plan")[1].partition(": ")[2]
    assert shown.endswith(" to change.") and printed.startswith(shown)


def test_it_is_refused_on_all_its_hosts(hvctl: Hvctl, sites: Estate) -> None:
    hvctl(sites, "plan", "site.yml", "--out", "lab.plan")
    sites.hosts["hv02"].invoke("New-VMSwitch", {"Name": "test", "SwitchType": "Private"})
    before = sent(sites)
    status, said = hvctl(sites, "apply", "lab.plan", "-y")
    assert status & 2, said
    assert all(f"{host} refused: something has changed" in said for host in ("hv01", "hv02", "hv03")), said
    assert sent(sites) == before


def test_a_part_of_it_is_kept_as_it_was_planned(hvctl: Hvctl, sites: Estate) -> None:
    """The other hosts are known by the inventory."""
    before = sent(sites)
    hvctl(sites, "plan", "site.yml", "--limit", "hv03", "--out", "third.plan")
    status, said = hvctl(sites, "apply", "third.plan", "-y")
    assert status == 0 and "Set-VMReplicationServer" in sent(sites)[len(before) :], said
    _, said = hvctl(sites, "plan", "site.yml", "--limit", "hv01", "--out", "first.plan")
    left_out = "hv02 is not among the hosts of this run: only this side is looked at and changed"
    assert left_out in said
    _, said = hvctl(sites, "apply", "first.plan", "-y")
    assert left_out in said and "something has changed" not in said


def test_a_name_that_is_another_host_of_the_inventory_now_is_refused(hvctl: Hvctl, sites: Estate) -> None:
    """Which hosts there are is no part of the file."""
    hvctl(sites, "plan", "site.yml", "--out", "lab.plan")
    text = Path("inventory.yml").read_text("utf-8")
    Path("inventory.yml").write_text(text.replace("hv01.example.com", "hv01.other.example"), "utf-8")
    before: list[Any] = sent(sites)
    status, said = hvctl(sites, "apply", "lab.plan", "-y")
    assert status & 3, said
    assert sent(sites) == before
