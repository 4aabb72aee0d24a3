"""Imports of what Hyper-V Replica is set to: of the host that receives, and of VMs that it sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.importing.conftest import Run

INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: !env HVCTL_PASSWORD}
  hosts: {hv2012: {}, hv2012r2: {}, hv2022: {}}
"""
SENT = {"primary_server": "HV01.example.com", "replica_server": "HV02.example.com"}


def vm(name: str, **replication: Any) -> dict[str, Any]:
    disk = {"at": "ide 0:0", "path": rf"D:\{name}.vhdx"}
    return {"name": name, "state": "Running", "drives": [disk], "adapters": [], "replication": {**SENT, **replication}}


def host(os: str) -> dict[str, Any]:
    entries = [{"allowed": "*.example.com", "storage": "D:\\R", "trust_group": "g"}]
    return {
        "os": os,
        "domain": "example.com",
        "folders": ["D:\\R"],
        "replica_server": {"enabled": True, "entries": entries},
        "vms": [
            vm("plain"),
            vm(
                "more",
                frequency=30 if os != "2012" else 300,
                history=4,
                vss_hours=4,
                compression=False,
                auto_resync=True,
            ),
            vm("resting", state="Suspended", health="Warning"),
            vm("ill", state="Error", health="Critical"),
        ],
    }


def test_replications_and_who_may_send_are_written_and_plan_nothing(hvctl: Run, tmp_path: Path, hosts: Any) -> None:
    (tmp_path / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    for os in ("2012", "2012r2", "2022"):
        hosts[f"hv{os}"] = host(os)
        status, out, err = hvctl("import", f"hv{os}", "--out", f"{os}.yml")
        assert status == 0, err
        text = (tmp_path / f"{os}.yml").read_text("utf-8")
        play = yaml.safe_load(text)[0]
        assert play["host"]["replica_server"]["authorizations"] == [
            {"server": "*.example.com", "storage": "D:\\R", "trust_group": "g"}
        ]
        found = {one["name"]: one.get("replication") for one in play["vms"]}
        assert found["plain"] == {"server": "HV02.example.com"}
        assert found["resting"] == {"server": "HV02.example.com", "state": "paused"}
        assert found["ill"] is None
        assert "its replication is: error, critical" in text
        assert found["more"]["recovery_points"] == 4
        status, out, _ = hvctl("plan", f"{os}.yml", "--detailed-exitcode")
        assert (status, "in sync" in out) == (0, True), out


def test_a_host_that_receives_is_written_and_its_replicas_are_told(hvctl: Run, tmp_path: Path, hosts: Any) -> None:
    """With what of them belongs into the replication of their primary, as it is written there."""
    (tmp_path / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    replica = vm("web01", mode="Replica")
    replica["extended"] = {"mode": "Replica", "relationship": "Extended", **SENT, "replica_server": "HV03.example.com"}
    replica["adapters"] = [{"name": "lan", "switch": "lan", "test_replica_switch_name": "test"}, {"name": "out"}]
    own = {**host("2022"), "switches": [{"name": "lan"}, {"name": "test"}], "vms": [{**replica, "state": "Off"}]}
    hosts["hv2022"] = own
    status, _, err = hvctl("import", "hv2022", "--out", "r.yml")
    assert status == 0, err
    text = (tmp_path / "r.yml").read_text("utf-8")
    (play,) = yaml.safe_load(text)
    assert play["host"]["replica_server"]["enabled"] is True
    assert "vms" not in play, "a replica is its primary's"
    told = " ".join(text.replace("#", " ").split())
    assert (
        "web01 is a replica; its settings belong to its primary; from HV01.example.com: replicating, normal; "
        "`extended: {server: HV03.example.com}`; `adapters: [{name: lan, switch: lan, test_switch: test}]`"
    ) in told
    status, out, _ = hvctl("plan", "r.yml", "--detailed-exitcode")
    assert (status, "in sync" in out) == (0, True), out
