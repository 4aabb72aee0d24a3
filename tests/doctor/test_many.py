"""Many hosts at once, what is printed of them, and what is not told."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import yaml

from hvctl.winrm.client import Patience
from mocks.tls import Authority, make_authority
from tests.doctor.rig import PASSWORD, rig


def test_a_hundred_hosts_at_once(folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority) -> None:
    """Each trouble is told once, with the hosts that have it; each host's stays its own."""
    states = [
        {"vmms_running": n % 10 != 0, "scheduled_tasks": [{"name": "c", "execute": r"root\virtualization"}] * (n == 7)}
        for n in range(100)
    ]
    with rig(folder, capsys, authority, transport="basic", hosts=states) as at:
        at.patience = Patience(connect=30, call=60, receive=15, slack=60)  # one machine plays them all
        began = time.monotonic()
        said = at.run("--forks", "32", "doctor", "all")
        assert time.monotonic() - began < 300
    assert said.status == 4
    lines = said.out.splitlines()
    assert lines[0] == "10 hosts: hv01, hv11, hv21, hv31, hv41 and 5 more"
    assert lines[1].strip() == "✗ the service of Hyper-V, vmms, is stopped"
    assert lines[2].strip() == "→ on the host: Start-Service vmms"
    assert lines[3] == "1 host: hv08"
    assert lines[-1] == (
        "100 hosts: 90 can be worked on (1 with warnings), 10 cannot, or not in full; -v tells them one by one."
    )
    assert len(lines) < 24


def test_each_host_has_its_own_trouble(folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority) -> None:
    with rig(folder, capsys, authority, hosts=[{}, {"vmms_running": False}, {"administrator": False}]) as at:
        data = yaml.safe_load((folder / "inventory.yml").read_text(encoding="utf-8"))
        data["all"]["hosts"]["away"] = {**data["all"]["hosts"]["hv01"], "ansible_host": "nowhere.invalid"}
        data["all"]["hosts"]["wrong"] = {**data["all"]["hosts"]["hv01"], "ansible_port": "no port"}
        (folder / "inventory.yml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        said = at.doctor()
    found = {one["host"]: [c["name"] for c in one["causes"]] for one in said.hosts}
    assert found == {
        "hv01": [],
        "hv02": ["vmms_stopped"],
        "hv03": ["not_hyper_v_administrator"],
        "away": ["name_unknown"],
        "wrong": ["configuration"],
    }
    assert said.status == 4


def test_one_machine_under_several_names_needs_as_many_shells(
    folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    with rig(folder, capsys, authority, hosts=[{"shell_quotas": {"shells": 5}}]) as at:
        data = yaml.safe_load((folder / "inventory.yml").read_text(encoding="utf-8"))
        hosts = data["all"]["hosts"]
        hosts |= dict.fromkeys(("alias1", "alias2"), hosts["hv01"])
        (folder / "inventory.yml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        few = at.doctor(pattern="hv01")
        many = at.doctor()
        one_at_a_time = at.run("--forks", "1", "doctor", "all", "--json")
    assert few.causes == []
    assert many.causes == ["shells_quota"]
    assert (
        "needs 6 shells at a time: the inventory has 3 names for this machine (hv01, alias1, alias2)"
        in many.first["message"]
    )
    assert many.first["remedy"] == r"Set-Item WSMan:\localhost\Shell\MaxShellsPerUser 30"
    assert one_at_a_time.status == 0


def test_what_is_printed_of_one_host(folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority) -> None:
    task = {"name": "check", "path": "\\ops\\", "execute": "cscript", "arguments": r"vms.vbs root\virtualization"}
    state = {"vmms_running": False, "scheduled_tasks": [task]}
    with rig(folder, capsys, authority, hosts=[state]) as at:
        said = at.run("doctor", "hv01")
        address = f"127.0.0.1:{at.endpoint.port}"
    lines = [line.rstrip() for line in said.out.splitlines()]
    assert lines[0].startswith(f"hv01  {address}, Windows Server 2022 (20348), as LAB\\hvadmin ")
    assert lines[0].endswith("1 cause, 1 warning")
    assert lines[1:4] == [
        "  ✗ the service of Hyper-V, vmms, is stopped",
        "    → on the host: Start-Service vmms",
        r"  ! something refers to WMI v1, root\virtualization, which is not on this host any more: \ops\check: cscript "
        r"vms.vbs root\virtualization",
    ]
    assert r"    → command lines of scheduled tasks: found" in lines
    assert r"        \ops\check: cscript vms.vbs root\virtualization" in lines
    assert "    → event subscriptions in root/subscription: none found in what was searched" in lines
    assert any("not searched: the files of scripts and programs" in line for line in lines)
    assert lines[-1] == "1 host: 1 cannot, or not in full."


def test_what_lies_behind_a_trouble_is_said_not_to_be_looked_at(
    folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    with rig(folder, capsys, authority, variables={"ansible_password": "wrong"}) as at:
        said = at.run("doctor", "hv01")
    behind = "WinRM's shell, PowerShell, rights, Hyper-V, quotas, clock, cluster, domain, hvctl's folder, WMI v1"
    assert f"· not looked at: {behind}" in said.out


def test_rights_that_lack_for_the_search_are_no_verdict_of_none(
    folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    with rig(folder, capsys, authority, hosts=[{"administrator": False}]) as at:
        said = at.doctor()
    searched = {one["place"]: one["verdict"] for one in said.hosts[0]["wmi_v1"]["searched"]}
    assert searched == {
        "event subscriptions in root/subscription": "not searched",
        "event subscriptions in root/default": "not searched",
        "event subscriptions in root/cimv2": "not searched",
        "command lines of scheduled tasks": "none found in what was searched",
    }


def test_a_wrong_password_is_tried_once_for_all_hosts(
    folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    with rig(folder, capsys, authority, hosts=[{}] * 3) as at:
        data = yaml.safe_load((folder / "inventory.yml").read_text(encoding="utf-8"))
        for host in data["all"]["hosts"].values():
            host["ansible_password"] = "wrong"
        (folder / "inventory.yml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        said = at.run("--forks", "1", "doctor", "all", "--json")
        tried = [e.auth_requests for e in at.endpoints]
    causes = [[c["name"] for c in one["causes"]] for one in json.loads(said.out)["hosts"]]
    assert causes == [["password", "filtered_token"], ["not_tried"], ["not_tried"]]
    assert tried[1] == tried[2] == 1, "the question for the ways to log on, and no password"


def test_a_password_that_cannot_be_had_leaves_the_way_to_look_at(
    folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    with rig(folder, capsys, authority, scheme="https") as at:
        text = (folder / "inventory.yml").read_text(encoding="utf-8")
        text = text.replace(f"ansible_password: {PASSWORD}", "ansible_password: !env NOT_THERE")
        text = text.replace(authority.ca.as_posix(), "gone.pem")
        (folder / "inventory.yml").write_text(text, encoding="utf-8")
        said = at.doctor()
    assert said.causes == ["configuration", "file_missing"]
    assert "NOT_THERE" in said.first["message"]


def test_patterns_that_name_nothing_are_a_fault_of_the_command_line(
    folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    with rig(folder, capsys, authority) as at:
        said = at.run("doctor", "nobody")
    assert said.status == 1
    assert "nobody" in said.err


def test_certificates_are_told_of_before_they_end(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with rig(folder, capsys, make_authority(tmp_path_factory.mktemp("week")), scheme="https") as at:
        said = at.doctor()
    assert (said.status, said.causes) == (0, ["certificate_ends_soon"])
    assert "ends in 6 days" in said.first["message"]
