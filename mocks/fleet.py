"""The fleet of `make lab-fleet`: hosts at three sites, all as playbooks/fleet.yml says, and a look at its dashboard."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from mocks.lab import INVENTORIES, LOOPBACK

FIRST_PORT = 21_001
"""Below the ports that systems give to whoever connects (32768 and up, 49152 and up)."""
SITES = {"nagoya": "2016", "osaka": "2019", "tokyo": "2022"}
"""And the version of Windows that its hosts have."""
STARTS_S = 60.0
"""A dashboard starts within this, on a machine that does much else."""
VMS = ("db01", "files01", "web01")


class _Env(str):
    """The name of an environment variable."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Env, lambda dumper, name: dumper.represent_scalar("!env", name))


def write_fleet(folder: Path, hosts: int) -> None:
    """Files of an earlier fleet stay: an empty folder is the caller's to give."""
    folder.mkdir(parents=True, exist_ok=True)
    placed = list(_placed(hosts))
    (folder / INVENTORIES[0]).write_text(
        yaml.dump(_inventory(placed), Dumper=_Dumper, sort_keys=False), encoding="utf-8"
    )
    for name, site, _ in placed:
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(_state(SITES[site]), sort_keys=False), encoding="utf-8")


def _placed(hosts: int) -> Iterator[tuple[str, str, int]]:
    """Name, site and port."""
    for number in range(hosts):
        yield f"hv{number + 1:03}", [*SITES][number * len(SITES) // hosts], FIRST_PORT + number


def _inventory(placed: list[tuple[str, str, int]]) -> dict[str, Any]:
    variables = {
        "ansible_connection": "winrm",
        "ansible_user": "hvadmin",
        "ansible_password": _Env("HVCTL_LAB_PASSWORD"),
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_ca_trust_path": str(Path("build/lab/ca.pem").absolute()),
    }
    sites = {
        site: {
            "vars": {"hvctl_os": int(SITES[site])},
            "hosts": {n: {"ansible_host": LOOPBACK, "ansible_port": port} for n, at, port in placed if at == site},
        }
        for site in SITES
    }
    return {"all": {"vars": variables, "children": {"fleet": {"children": sites}}}}


def _state(os: str) -> dict[str, Any]:
    return {
        "os": os,
        "logical_processors": 32,
        "memory": "256GB",
        "volumes": {"C": {"free": "60GB", "size": "240GB"}, "D": {"free": "2TB", "size": "4TB"}},
        "net_adapters": [{"name": "Ethernet", "addresses": ["192.0.2.12/24"]}, {"name": "Ethernet 2"}],
        "switches": [{"name": "lan", "net_adapters": ["Ethernet 2"]}],
        "vms": [
            {
                "name": name,
                "generation": 2,
                "state": "Running",
                "path": f"D:\\VMs\\{name}",
                "processor": {"count": 2},
                "memory": {"startup": "4GB"},
                "drives": [{"at": "scsi 0:0", "path": f"D:\\VMs\\{name}\\os.vhdx"}],
                "adapters": [{"name": "lan", "switch": "lan", "vlan": {"mode": "Access", "access": 20}}],
            }
            for name in VMS
        ],
        "vhds": {f"D:\\VMs\\{name}\\os.vhdx": {"size": "60GB", "file_size": "20GB"} for name in VMS},
    }


def look(page: str, wanted: Mapping[str, int]) -> int:
    """Print the counters of a dashboard that was just started: 0 if they are as wanted, 1 if not, or if nothing answers."""
    request = urllib.request.Request(page, headers={"Accept": "application/json"})
    ends = time.monotonic() + STARTS_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=STARTS_S) as answer:
                told = json.load(answer)
            break
        except OSError as error:  # also urllib's own
            if time.monotonic() > ends:
                print(f"{page}: {error}", file=sys.stderr)
                return 1
            time.sleep(0.2)
    found = told["counts"]["states"]
    print(json.dumps(told["counts"]))
    for site, counts in told["groups"].items():
        print(f"{site}: {json.dumps(counts['states'])}")
    wrong = {name for name in wanted.keys() | found.keys() if wanted.get(name, 0) != found.get(name, 0)}
    for name in sorted(wrong):
        print(f"{page}: {name} is {found.get(name, 0)}, and {wanted.get(name, 0)} was expected", file=sys.stderr)
    return 1 if wrong else 0
