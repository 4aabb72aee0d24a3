"""hvctl import --split: many hosts, what they have in common once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.importing.conftest import Run

COUNT = 6


def fleet_host(number: int) -> dict[str, Any]:
    tokyo = number < 3
    return {
        "os": "2022",
        "virtual_machine_path": r"D:\VMs" if tokyo else r"E:\VMs",
        "virtual_hard_disk_path": r"D:\Disks",
        "enable_enhanced_session_mode": True,
        "maximum_storage_migrations": 4 if number else 8,
        "net_adapters": [{"name": "Ethernet"}, {"name": "Uplink A"}, {"name": "Uplink B"}],
        "management": "Ethernet",
        "switches": [
            {"name": "社内", "net_adapters": ["Uplink A" if number != 4 else "Uplink B"], "allow_management_os": False,
             "minimum_bandwidth_mode": "Weight", "notes": "yes"},
            *([{"name": "only here", "type": "Private", "minimum_bandwidth_mode": "Weight"}] if number == 5 else []),
        ],
        "vms": [{"name": f"vm{number}", "generation": 2, "state": "Off", "drives": [], "adapters": [
            {"name": "lan", "switch": "社内"}]}],
    }  # fmt: skip


@pytest.fixture(autouse=True)
def _fleet(tmp_path: Path, hosts: dict[str, Any]) -> None:
    names = [f"hv{n}" for n in range(COUNT)]
    hosts |= {name: fleet_host(n) for n, name in enumerate(names)}
    groups = {"tokyo": {"hosts": dict.fromkeys(names[:3])}, "osaka": {"hosts": dict.fromkeys([*names[3:], "gone"])}}
    data = {"all": {"vars": {"ansible_user": "admin", "ansible_password": "x"}, "children": groups}}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(data), encoding="utf-8")


def test_the_files_plan_nothing_and_say_things_once(hvctl: Run, tmp_path: Path) -> None:
    status, out, err = hvctl("import", "tokyo:osaka:!gone", "--split", "--out", "fleet")
    assert (status, out) == (0, ""), err
    folder = tmp_path / "fleet"
    common = yaml.safe_load((folder / "common.yml").read_text("utf-8"))
    assert [play["hosts"] for play in common] == ["all:!gone"]
    (play,) = common
    assert play["host"] == {
        "virtual_machine_path": "{{ host_virtual_machine_path }}",
        "virtual_hard_disk_path": r"D:\Disks",
        "enhanced_session_mode": True,
        "maximum_storage_migrations": "{{ host_maximum_storage_migrations }}",
    }
    (switch,) = play["switches"]
    assert switch["net_adapters"] == "{{ switch_net_adapters }}"
    assert switch["notes"] == "yes"
    variables = {
        str(file.relative_to(folder)): yaml.safe_load(file.read_text("utf-8")) for file in folder.glob("*_vars/*.yml")
    }
    assert variables == {
        "group_vars/tokyo.yml": {"host_virtual_machine_path": r"D:\VMs"},
        "group_vars/osaka.yml": {"host_virtual_machine_path": r"E:\VMs"},
        "group_vars/all.yml": {"switch_net_adapters": ["Uplink A"], "host_maximum_storage_migrations": 4},
        "host_vars/hv0.yml": {"host_maximum_storage_migrations": 8},
        "host_vars/hv4.yml": {"switch_net_adapters": ["Uplink B"]},
    }
    (own,) = yaml.safe_load((folder / "hv5.yml").read_text("utf-8"))
    assert [s["name"] for s in own["switches"]] == ["only here"]
    assert [vm["name"] for vm in own["vms"]] == ["vm5"]
    files = sorted(str(file) for file in Path("fleet").glob("*.yml"))
    assert len(files) == COUNT + 1
    status, out, err = hvctl("plan", *files, "--detailed-exitcode")
    assert status == 0, out + err
    assert f"{COUNT} hosts" in out


def test_what_nobody_shares_is_not_lifted(hvctl: Run, tmp_path: Path) -> None:
    assert hvctl("import", "hv0", "--split", "--out", "one")[0] == 0
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == ["hv0.yml"]


def test_one_file_that_is_there_keeps_all_from_being_written(hvctl: Run, tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "hv3.yml").write_text("mine", encoding="utf-8")
    status, _, err = hvctl("import", "tokyo:osaka:!gone", "--split", "--out", "fleet")
    assert (status, "hv3.yml is there already" in err) == (1, True)
    assert sorted(p.name for p in (tmp_path / "fleet").iterdir()) == ["hv3.yml"]
