"""What a plan of hosts costs that are planned together, beside asking for every VM by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from hvctl.call import Batch, Call, Task, Transport
from hvctl.config.inventory import Inventory
from hvctl.config.prepare import HostWork, prepare
from hvctl.fleet.connect import real_connect
from hvctl.fleet.forks import SideBySide
from hvctl.fleet.run import Run
from mocks.bench_server import elsewhere
from mocks.estate import Estate
from mocks.tls import Authority, make_authority
from mocks.wsman import Endpoint, Server

FOLDER = Path("build/bench")
FORKS = 16
BY_NAME = {"Get-VM": "Name", "Get-VMReplication": "VMName", "Measure-VMReplication": "VMName"}
"""What takes the name of a VM, and how."""

Counted = Callable[[], tuple[int, int, int]]
Measured = Callable[[Callable[[], None], Counted], dict[str, Any]]
Client = Callable[[int], Transport]
Only = Callable[[Call, str], Call]


@dataclass(frozen=True)
class Scene:
    """`vms`: by host, those that it is asked about."""

    title: str
    estate: dict[str, Any]
    plays: list[dict[str, Any]]
    vms: dict[str, list[str]]
    cluster: str = ""


def rows(measured: Measured, client: Client, only: Only, user: tuple[str, str], *, quick: bool) -> list[dict[str, Any]]:
    """`only`: a question about many VMs, about one. `user`: name and password on the hosts."""
    found = []
    scenes = (cluster(2, 4), pairs(2, 2)) if quick else (cluster(4, 200), pairs(20, 5))
    for scene in scenes:
        make_authority(FOLDER)
        with served(scene, user) as (ports, counted):
            work = _written(scene, ports, user)
            ours = measured(partial(_plan, work), counted)
        with served(scene, user) as (ports, counted):
            naive = measured(partial(_one_by_one, scene, work, ports, client, only), counted)
        found.append({"scenario": f"plan, {scene.title}", "ours": ours, "naive": naive})
    return found


# --- what there is ---------------------------------------------------------------------------------------------------


def cluster(nodes: int, roles: int) -> Scene:
    """Roles that are as they are wanted, on all nodes alike."""
    volume = r"C:\ClusterStorage\v1"
    hosts = [f"hv{n:02}" for n in range(nodes)]
    on = {host: [f"vm{n:03}" for n in range(roles) if n % nodes == at] for at, host in enumerate(hosts)}
    names = [vm for vms in on.values() for vm in vms]

    def vm(name: str) -> dict[str, Any]:
        disk = {"at": "scsi 0:0", "path": rf"{volume}\{name}\os.vhdx"}
        own = {"name": name, "generation": 2, "state": "Running", "path": rf"{volume}\{name}"}
        return {**own, "memory": {"startup": "2GB"}, "drives": [disk], "adapters": []}

    wanted = [
        {
            "name": name,
            "memory": {"startup": "2GB"},
            "disks": [{"at": "scsi 0:0", "path": rf"{volume}\{name}\os.vhdx", "size": "40GB"}],
            "role": {"priority": "medium"},
        }
        for name in names
    ]
    estate = {
        "hosts": {name: {"os": "2022", "vms": [vm(one) for one in vms]} for name, vms in on.items()},
        "shared": {volume: {"vhds": {rf"{volume}\{name}\os.vhdx": {"size": "40GB"} for name in names}}},
        "clusters": {
            "hvcl01": {
                "networks": [{"name": "a"}, {"name": "b"}],
                "roles": [{"name": vm, "owner": name.upper()} for name, vms in on.items() for vm in vms],
            }
        },
    }
    plays = [{"hosts": "all", "cluster": {"vms": wanted}}]
    return Scene(f"a cluster of {nodes} nodes, {roles} roles", estate, plays, on, "hvcl01")


def pairs(count: int, vms: int) -> Scene:
    """Of standalone hosts, each with VMs that replicate from the first to the second."""
    hosts: dict[str, Any] = {}
    plays: list[dict[str, Any]] = []
    on: dict[str, list[str]] = {}
    for n in range(count):
        one, other = f"hv{n:02}a", f"hv{n:02}b"
        names = [f"vm{n:02}{m:02}" for m in range(vms)]
        ends = {"primary_server": f"{one.upper()}.example.com", "replica_server": f"{other.upper()}.example.com"}
        sent, received = {**ends, "frequency": 300, "history": 4}, {"mode": "Replica", **ends}

        def vm(name: str, folder: str, replication: Mapping[str, Any]) -> dict[str, Any]:
            disk = {"at": "ide 0:0", "path": rf"D:\{folder}\{name}.vhdx"}
            own = {"name": name, "id": f"00000000-0000-0000-0000-{int(name[2:]) + 1:012}", "adapters": []}
            return {**own, "drives": [disk], "replication": dict(replication)}

        common = {"os": "2022", "domain": "example.com"}
        receiving = {"enabled": True, "any_server": True, "storage": r"D:\R"}
        hosts[one] = {**common, "vms": [vm(name, "VMs", sent) for name in names]}
        copies = [vm(name, "R", received) for name in names]
        hosts[other] = {**common, "folders": [r"D:\R"], "replica_server": receiving, "vms": copies}
        replication = {"server": other, "frequency": "5m", "recovery_points": 4}
        plays.append({"hosts": one, "vms": [{"name": name, "replication": replication} for name in names]})
        plays.append({"hosts": other, "host": {"replica_server": {"enabled": True}}})
        on |= {one: names, other: names}
    return Scene(f"{count} replica pairs, {vms} VMs each", {"hosts": hosts}, plays, on)


def served(scene: Scene, user: tuple[str, str]) -> AbstractContextManager[tuple[dict[str, int], Counted]]:
    """Ports by host, and what says requests, processes and bytes so far."""
    return elsewhere(_serve, scene.estate, user)


def _serve(pipe: Any, data: Mapping[str, Any], user: tuple[str, str]) -> None:
    hosts = Estate.from_data(data).hosts
    endpoints = {name: Endpoint(host, dict([user]), scheme="https") for name, host in hosts.items()}
    with Server([*endpoints.values()], Authority(FOLDER / "ca.pem", FOLDER / "server.pem")):
        pipe.send({name: endpoint.port for name, endpoint in endpoints.items()})
        while pipe.recv() != "end":
            entries = [entry for e in endpoints.values() for entry in e.log]
            size = sum(e.received + e.sent for e in entries)
            pipe.send((len(entries), sum(e.shells.processes for e in endpoints.values()), size))


# --- the two ways ----------------------------------------------------------------------------------------------------


def _written(scene: Scene, ports: Mapping[str, int], user: tuple[str, str]) -> tuple[HostWork, ...]:
    given = {
        "ansible_connection": "winrm",
        "ansible_user": user[0],
        "ansible_password": user[1],
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_ca_trust_path": str(FOLDER / "ca.pem"),
        **({"hvctl_cluster": scene.cluster} if scene.cluster else {}),
    }
    hosts = {name: {"ansible_host": "127.0.0.1", "ansible_port": port} for name, port in ports.items()}
    inventory, playbook = FOLDER / "units-inventory.yml", FOLDER / "units.yml"
    inventory.write_text(yaml.safe_dump({"all": {"vars": given, "hosts": hosts}}), encoding="utf-8")
    playbook.write_text(yaml.safe_dump(scene.plays), encoding="utf-8")
    return prepare(Inventory.load(inventory), [str(playbook)], learn=lambda secret: None).work


def _plan(work: Sequence[HostWork]) -> None:
    """As `hvctl plan` does it, but for the start of the program and the files."""
    out = Console(file=StringIO())
    with Run(work, real_connect, frozenset(), out, out, forks=FORKS, now=lambda: datetime.now(UTC)) as run:
        for one in run.plan():
            assert one.plan is not None, one.error
            assert one.plan.in_sync, one.host


def _one_by_one(scene: Scene, work: Sequence[HostWork], ports: Mapping[str, int], client: Client, only: Only) -> None:
    """The same questions about each VM on the host that has it, in a shell and a process for each VM; of its role, its
    group alone."""
    desired = [wish for one in work for wish in one.desired]

    def one(host: str) -> bool:
        for vm in scene.vms[host]:
            about = [wish for wish in desired if (wish.owner or wish).key() == vm]
            calls = dict.fromkeys(q for w in about for q in w.queries() if q not in {*w.queries_once()})
            asked = [*dict.fromkeys(_narrowed(call, vm, only) for call in calls)]
            if scene.cluster:
                asked.append(Call("Get-ClusterGroup", {"Name": vm}, select=("Name", "OwnerNode.Name", "State")))
            transport = client(ports[host])
            transport.run(Batch(tuple(Task(f"q{n}", call) for n, call in enumerate(asked))))
            transport.close()
        return True

    for _ in SideBySide([(host, partial(one, host)) for host in scene.vms], FORKS):
        pass


def _narrowed(call: Call, vm: str, only: Only) -> Call:
    name = BY_NAME.get(call.cmdlet)
    return replace(call, params={**call.params, name: vm}) if name else only(call, vm)
