"""Many simulated hosts for `make lab-fleet`: their starting states, and the inventory that says where they are served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SITES = ("sapporo", "sendai", "tokyo", "nagoya", "osaka", "fukuoka")
VERSIONS = ("2012r2", "2016", "2019", "2022", "2022")
FIRST_PORT = 20_001
_HEAD = "# Written by `python -m mocks fleet`.\n"


def write_fleet(folder: Path, count: int, away: int) -> None:
    """Host files and `inventory.yml`. The last `away` hosts of the inventory have no file, so they refuse connections.
    Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.yaml"):
        old.unlink()
    names = [f"hv{n:03}.{SITES[n % len(SITES)]}" for n in range(1, count + 1)]
    for n, name in enumerate(names[: count - away]):
        text = yaml.safe_dump(_host(n, name), sort_keys=False, allow_unicode=True)
        (folder / f"{name}.yaml").write_text(_HEAD + text, encoding="utf-8")
    (folder / "inventory.yml").write_text(_HEAD + "".join(f"{line}\n" for line in _inventory(names)), encoding="utf-8")


def _host(n: int, name: str) -> dict[str, Any]:
    disks = {rf"D:\VMs\{vm}\os.vhdx": {"size": "40GB"} for vm in ("web01", "db01")}
    return {
        "os": VERSIONS[n % len(VERSIONS)],
        "language": "en" if n % 3 == 0 else "ja",
        "name": name.partition(".")[0].upper(),
        "volumes": {"C": {"free": "60GB", "size": "240GB"}, "D": {"free": "1TB", "size": "2TB"}},
        "switches": [{"name": "lan", "type": "Internal"}],
        "vms": [_vm("web01", 200), _vm("db01", 100)],
        "vhds": disks,
    }


def _vm(name: str, weight: int) -> dict[str, Any]:
    return {
        "name": name,
        "generation": 2,
        "state": "Running",
        "path": rf"D:\VMs\{name}",
        "processor": {"count": 2, "relative_weight": weight},
        "memory": {"startup": "4GB"},
        "drives": [{"at": "scsi 0:0", "path": rf"D:\VMs\{name}\os.vhdx", "maximum_iops": 1000}],
        "adapters": [{"name": "lan", "switch": "lan", "vlan": {"mode": "Access", "access": 20}}],
    }


def _inventory(names: list[str]) -> Iterator[str]:
    yield "all:"
    yield "  vars:"
    yield "    ansible_connection: winrm"
    yield "    ansible_user: hvadmin"
    yield "    ansible_password: !env HVCTL_LAB_PASSWORD"
    yield "    ansible_winrm_transport: ntlm"
    yield "    ansible_winrm_ca_trust_path: build/lab/ca.pem"
    yield "  children:"
    for site in SITES:
        yield f"    {site}:"
        yield "      hosts:"
        for n, name in enumerate(names):
            if name.endswith(f".{site}"):
                where = f"ansible_host: 127.0.0.1, ansible_port: {FIRST_PORT + n}"
                yield f"        {name}: {{{where}, hvctl_os: {VERSIONS[n % len(VERSIONS)]}}}"
