"""hvctl import as a user runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.cli.importing import for_editors
from tests.importing.conftest import PASSWORD, Run

INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: !env HVCTL_PASSWORD}
  hosts: {hv01: {}, gone: {}}
"""
HOST: dict[str, Any] = {
    "os": "2022",
    "switches": [{"name": "lan", "type": "Internal"}],
    "vms": [
        {"name": "web01", "generation": 2, "state": "Running", "notes": "メモ: yes",
         "drives": [{"at": "scsi 0:0", "path": r"D:\web01.vhdx"}], "adapters": [{"name": "lan", "switch": "lan"}],
         "checkpoints": [{"name": "更新前"}]},
        {"name": "yes", "generation": 1, "state": "Saved", "drives": [], "adapters": [{"name": "a"}, {"name": "A"}]},
        {"name": "copy", "generation": 1, "state": "Off", "drives": [], "adapters": [],
         "replication": {"mode": "Replica"}},
        {"name": "Twice", "generation": 1, "drives": [], "adapters": []},
        {"name": "twice", "generation": 1, "drives": [], "adapters": []},
        {"name": "told", "generation": 1, "state": "Off", "notes": f"the password is {PASSWORD}", "drives": [],
         "adapters": []},
        {"name": "role", "generation": 1, "state": "Off", "is_clustered": True, "drives": [], "adapters": []},
    ],
    "vhds": {r"D:\web01.vhdx": {"size": "40GB"}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, hosts: dict[str, Any]) -> None:
    hosts["hv01"] = HOST
    (tmp_path / "inventory.yml").write_text(INVENTORY, encoding="utf-8")


def test_what_is_written_plans_nothing(hvctl: Run, tmp_path: Path) -> None:
    status, out, err = hvctl("import", "hv01", "--out", "hv01.yml")
    assert (status, out) == (0, "")
    text = (tmp_path / "hv01.yml").read_text("utf-8")
    assert text == EXPECTED
    assert "Written: hv01.yml" in err
    assert hvctl("validate", "hv01.yml")[0] == 0
    status, out, _ = hvctl("plan", "hv01.yml", "--detailed-exitcode")
    assert (status, "nothing to do" in out or "in sync" in out) == (0, True), out


EXPECTED = r"""# As hvctl found it. Defaults are left out; what is not written is not touched.
- name: hv01
  hosts: hv01
  # not written: vm Twice (there are 2 VMs of this name, which nothing in a playbook can tell apart)
  # not written: vm copy (copy is a replica; its settings belong to its primary)
  switches:
    - {name: lan, type: internal, minimum_bandwidth_mode: absolute}
  vms:
    # it has checkpoints, which no playbook keeps: 更新前
    - name: web01
      generation: 2
      state: running
      notes: 'メモ: yes'
      memory: {startup: 512MB}
      disks:
        # the VM writes to D:\web01_24B47440-5261-5623-8920-AACE27339434.avhdx, of a checkpoint
        - {at: scsi 0:0, path: 'D:\web01.vhdx', size: 40GB}
      network_adapters:
        - {name: lan, switch: lan}
    # not written: network adapter yes, A (yes has 2 adapters named A)
    - {name: 'yes', generation: 1, state: saved, memory: {startup: 512MB}}
    # not written: notes (it holds a secret)
    - {name: told, generation: 1, memory: {startup: 512MB}}
    # a role of the cluster, which rules its start and stop and may move it to another node
    # not written: automatic_start_action, automatic_start_delay, automatic_stop_action (something else rules it)
    - {name: role, generation: 1, memory: {startup: 512MB}}
"""


def test_what_is_left_out_is_told(hvctl: Run) -> None:
    _, out, err = hvctl("import", "hv01")
    (play,) = yaml.safe_load(out)
    vms = {vm["name"]: vm for vm in play["vms"]}
    assert set(vms) == {"web01", "yes", "told", "role"}
    assert vms["yes"]["state"] == "saved"
    assert "notes" not in vms["told"]
    for said in (
        "vm Twice: there are 2 VMs of this name",
        "vm copy: copy is a replica; its settings belong to its primary",
        "vm told, notes: it holds a secret",
        "network adapter yes, A: yes has 2 adapters named A",
        "vm role, automatic_start_action, automatic_start_delay, automatic_stop_action: something else rules it",
        "--all writes them",
    ):
        assert said in err
    assert "# a role of the cluster, which rules its start and stop" in out
    assert "更新前" in out
    assert "{name: 'yes'" in out or "name: 'yes'" in out


def test_one_vm(hvctl: Run) -> None:
    status, out, _ = hvctl("import", "hv01", "--vm", "WEB*")
    (play,) = yaml.safe_load(out)
    assert (status, {*play}) == (0, {"name", "hosts", "vms"})
    assert [vm["name"] for vm in play["vms"]] == ["web01"]
    status, _, err = hvctl("import", "hv01", "--vm", "nobody")
    assert (status, "these hosts have no VM nobody" in err) == (1, True)


def test_all_writes_defaults(hvctl: Run) -> None:
    _, out, _ = hvctl("import", "hv01", "--vm", "web01", "--all")
    (play,) = yaml.safe_load(out)
    (vm,) = play["vms"]
    assert vm["processor"]["weight"] == 100
    assert vm["disks"][0]["block_size"] == "32MB"
    assert "checkpoints" not in vm


def test_nothing_is_overwritten(hvctl: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("- mine\n", encoding="utf-8")
    status, _, err = hvctl("import", "hv01", "--out", "mine.yml")
    assert (status, "mine.yml is there already, and is not overwritten" in err) == (1, True)
    assert (tmp_path / "mine.yml").read_text("utf-8") == "- mine\n"


def test_a_host_that_is_away_stays_its_own_trouble(hvctl: Run) -> None:
    status, out, err = hvctl("import", "all")
    assert status == 4
    assert [play["hosts"] for play in yaml.safe_load(out)] == ["hv01"]
    assert "gone" in err
    status, _, err = hvctl("import", "nowhere")
    assert status == 1


def test_folders_of_exports_are_found_by_their_markers(hvctl: Run, hosts: dict[str, Any]) -> None:
    marker = '{"hvctl_export": 1, "vm": "web01", "vm_id": "11111111-1111-1111-1111-111111111111"}'
    folder = r"E:\exports\20260331T0100Z_web01"
    hosts["hv01"] = {
        "os": "2022",
        "volumes": {"C": {}, "E": {}},
        "vms": [
            {
                "name": "web01",
                "id": "11111111-1111-1111-1111-111111111111",
                "state": "Off",
                "drives": [],
                "adapters": [],
            },
            {"name": "web02", "state": "Off", "drives": [], "adapters": []},
        ],
        "files": {rf"{folder}\web01\Virtual Machines\11111111-1111-1111-1111-111111111111.vmcx": "1MB"},
        "contents": {
            rf"{folder}\hvctl-export.json": {"text": marker, "written": -82_800},
            rf"{folder}\hvctl-export-done.json": {"text": "{}", "written": -82_000},
            r"E:\other\somebody\hvctl-export.json": {"text": "{}"},
        },
    }
    _, out, err = hvctl("import", "hv01")
    (play,) = yaml.safe_load(out)
    assert [vm.get("exports") for vm in play["vms"]] == [[{"path": r"E:\exports"}], None], err
    assert "how often and how many (every, keep) is not written on the host" in out


def test_a_secret_is_in_no_comment_and_no_file(hvctl: Run, hosts: dict[str, Any], tmp_path: Path) -> None:
    vm = {"name": "web01", "state": "Off", "drives": [], "adapters": [], "checkpoints": [{"name": f"with {PASSWORD}"}]}
    hosts["hv01"] = {"os": "2022", "vms": [vm], "switches": [{"name": f"lan-{PASSWORD}", "type": "Internal"}]}
    status, _, err = hvctl("import", "hv01", "--out", "x.yml")
    text = (tmp_path / "x.yml").read_text("utf-8")
    assert (status, PASSWORD in text) == (0, False), text
    assert "a comment is left out: it holds a secret" in text
    assert "it holds a secret" in err


def test_a_folder_or_file_in_the_way_is_told_before_a_host_is_asked(hvctl: Run, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("mine", "utf-8")
    for words in (("--out", "there"), ("--split", "--out", "file")):
        status, _, err = hvctl("import", "gone", *words)
        assert (status, "is there already, and is not overwritten" in err) == (1, True)


def test_what_is_written_beside_schemas_names_its_own(hvctl: Run, tmp_path: Path) -> None:
    assert hvctl("init", "shop")[0] == 0
    assert hvctl("import", "hv01", "--out", "shop/hv01.yml")[0] == 0
    line, _, rest = (tmp_path / "shop" / "hv01.yml").read_text("utf-8").partition("\n")
    assert (line, rest) == ("# yaml-language-server: $schema=schemas/playbook.json", EXPECTED)
    found = for_editors({tmp_path / "shop" / "group_vars" / "all.yml": "x: 1\n"})
    assert [*found.values()] == ["# yaml-language-server: $schema=../schemas/variables.json\nx: 1\n"]
