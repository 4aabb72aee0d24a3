"""What reading hosts costs: requests, processes, bytes and control-node CPU, beside the same job done naively."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from hvctl.call import Batch, Call, Ref, Secret, Task
from hvctl.config.playbook import Play, wishes
from hvctl.core.impact import IMPACTS
from hvctl.core.resource import Index
from hvctl.fleet.connect import allowed
from hvctl.fleet.forks import SideBySide
from hvctl.fleet.reconcile import plan_host
from hvctl.text.source import load_text
from hvctl.winrm.client import Address, CredentialGuard, WinRM
from mocks import bench_copy, bench_fleet, bench_history, bench_plan, bench_start, bench_types, bench_units
from mocks.bench_server import elsewhere
from mocks.host import SimulatedHost
from mocks.tls import Authority, make_authority
from mocks.wsman import Endpoint, Server

USER, PASSWORD = "bench", "bench-Pa55"
FORKS = 16
TARGET = Path("build/bench.json")


@dataclass(frozen=True)
class Cost:
    """Of one way of doing a job, over all hosts. `requests`: without the handshakes of authentication. `bytes`: of
    SOAP, both ways. `processes`: powershell.exe started on hosts. CPU is the control node's."""

    requests: int
    processes: int
    bytes: int
    cpu_ms: float
    wall_ms: float


def bench(*, quick: bool = False) -> int:
    """Print the table and write build/bench.json."""
    sizes = [(1, 1), (1, 10), (1, 50), (20, 10), (100, 2)] if not quick else [(1, 1), (1, 10), (2, 2)]
    console = Console()
    table = Table(title="hvctl, and (in brackets) one query per resource, each in a shell of its own")
    for name in ("job", "requests", "processes", "KB", "CPU ms", "CPU ms/host", "wall ms"):
        table.add_column(name, justify="left" if name == "job" else "right")
    results: list[dict[str, Any]] = []
    for hosts, vms in sizes:
        for verb in ("plan", "drift"):
            scenario = f"{verb}, {hosts} host{'s' * (hosts > 1)}, {vms} VM{'s' * (vms > 1)} each"
            with _served(hosts, vms) as (ports, counted):
                ours = _measured(partial(_ours, ports, wishes_of(vms), verb), counted)
            with _served(hosts, vms) as (ports, counted):
                naive = _measured(partial(_naive, ports, wishes_of(vms)), counted)
            results.append({"scenario": scenario, "ours": asdict(ours), "naive": asdict(naive)})
            table.add_row(scenario, *_cells(ours, naive, hosts))
            console.print(f"[dim]{scenario}: done[/]")
    console.print(table)
    together = Table(title="hosts that are planned together, and (in brackets) a shell for each VM")
    for name in ("job", "requests", "processes", "KB", "CPU ms", "wall ms"):
        together.add_column(name, justify="left" if name == "job" else "right")
    measured = lambda job, counted: asdict(_measured(job, counted))  # noqa: E731
    client = lambda port: _transport(port, CredentialGuard())  # noqa: E731
    for row in bench_units.rows(measured, client, _only, (USER, PASSWORD), quick=quick):
        results.append(row)
        together.add_row(row["scenario"], *_unit_cells(row["ours"], row["naive"]))
    console.print(together)
    copies = Table(title="a file to a host, and (in brackets) as Ansible's winrm connection sends it")
    for name in ("job", "requests", "KB", "CPU ms", "wall ms", "MB/s"):
        copies.add_column(name, justify="left" if name == "job" else "right")
    for row in bench_copy.rows(_served, measured, client, (USER, PASSWORD), 2 if quick else 20):
        results.append(row)
        copies.add_row(row["scenario"], *_copy_cells(row["ours"], row["naive"]))
    console.print(copies)
    starts = Table(title="a start, and (in brackets) with all of hvctl imported")
    for name in ("job", "CPU ms"):
        starts.add_column(name, justify="left" if name == "job" else "right")
    for row in bench_start.rows(1 if quick else bench_start.RUNS):
        results.append(row)
        starts.add_row(row["scenario"], f"{row['ours']['cpu_ms']:,.0f} ({row['naive']['cpu_ms']:,.0f})")
    console.print(starts)
    plans = Table(title="a plan of one host, without the reading")
    for name in ("job", "CPU ms", "CPU ms/VM"):
        plans.add_column(name, justify="left" if name == "job" else "right")
    for row in bench_plan.rows(wishes_of, state_of, (100,) if quick else bench_plan.SIZES):
        results.append(row)
        plans.add_row(row["scenario"], *(f"{value:,g}" for value in row["ours"].values()))
    console.print(plans)
    typed = Table(
        title="a check as it is typed, start included; with pywinrm (a query per type); with Ansible (`raw` tasks)"
    )
    for name in ("job", "requests/host", "processes/host", "KB/host", "CPU ms/host", "wall s"):
        typed.add_column(name, justify="left" if name == "job" else "right")
    for row in bench_types.rows(playbook_of, wishes_of, state_of, (2,) if quick else (1, 100, 1_000)):
        results.append(row)
        typed.add_row(row["scenario"], *_typed_cells(row))
    console.print(typed)
    fleets = Table(title="a drift check as it is typed, 50 ms from the hosts, which work for 1 s; answers are replayed")
    for name in ("job", "wall s", "CPU ms/host", "peak MB", "requests/host", "KB/host", "load before"):
        fleets.add_column(name, justify="left" if name == "job" else "right")
    for row in bench_fleet.rows(playbook_of, state_of, (4,) if quick else (100, 1_000)):
        results.append(row)
        fleets.add_row(row["scenario"], *(f"{value:,g}" for value in row["ours"].values()))
    console.print(fleets)
    remembered = Table(title="the history in SQLite, checked every 15 minutes; CPU ms")
    for name in ("job", "a check", "a day", "one host told", "overview page", "host page", "MB"):
        remembered.add_column(name, justify="left" if name == "job" else "right")
    for row in bench_history.rows((10,), 2) if quick else bench_history.rows((100,)):
        results.append(row)
        remembered.add_row(row["scenario"], *(f"{value:,g}" for value in row["ours"].values()))
    console.print(remembered)
    console.print("Over https with NTLM, WS-Man server and simulated hosts on loopback in another process.")
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    console.print(f"Written to {TARGET}.")
    return 0


def _copy_cells(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    units = {"requests": 1, "bytes": 1000, "cpu_ms": 1, "wall_ms": 1, "mb_per_s": 1}
    return [f"{ours[name] / unit:,.0f} ({theirs[name] / unit:,.0f})" for name, unit in units.items()]


def _unit_cells(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    units = {"requests": 1, "processes": 1, "bytes": 1000, "cpu_ms": 1, "wall_ms": 1}
    return [f"{ours[name] / unit:,.0f} ({theirs[name] / unit:,.0f})" for name, unit in units.items()]


def _typed_cells(row: dict[str, Any]) -> list[str]:
    ways = [row[name] for name in ("ours", "naive", "ansible") if name in row]
    return ["; ".join(f"{way[name]:,g}" for way in ways) for name in row["ours"]]


def _cells(ours: Cost, naive: Cost, hosts: int) -> list[str]:
    pairs = [
        (ours.requests, naive.requests),
        (ours.processes, naive.processes),
        (ours.bytes / 1000, naive.bytes / 1000),
        (ours.cpu_ms, naive.cpu_ms),
        (ours.cpu_ms / hosts, naive.cpu_ms / hosts),
        (ours.wall_ms, naive.wall_ms),
    ]
    return [f"{a:,.0f} ({b:,.0f})" for a, b in pairs]


# --- the two ways --------------------------------------------------------------------------------------------------


def _ours(ports: Sequence[int], wanted: Index, verb: str) -> None:
    """hvctl's own path, as `hvctl plan` and `hvctl drift` go it."""
    guard = CredentialGuard()
    allow = frozenset(IMPACTS) if verb == "drift" else frozenset()

    def one(port: int) -> bool:
        transport = _transport(port, guard)
        found = plan_host(wanted, transport, allow)
        transport.close()
        assert found.plan is not None, found.error
        return True

    for _ in SideBySide([(str(p), partial(one, p)) for p in ports], FORKS):
        pass


def _naive(ports: Sequence[int], wanted: Index) -> None:
    """The same questions, each asked for its own resource, in a shell and a process of its own."""
    guard = CredentialGuard()

    def one(port: int) -> bool:
        for wish in wanted:
            vm = (wish.owner or wish).key()
            for query in wish.queries():
                transport = _transport(port, guard)
                transport.run(Batch((Task("q", _only(query, vm)),)))
                transport.close()
        return True

    for _ in SideBySide([(str(p), partial(one, p)) for p in ports], FORKS):
        pass


def _only(query: Call, vm: str) -> Call:
    """The same question about one VM."""

    def narrowed(value: Any) -> Any:
        if isinstance(value, Ref):
            where = {"Name": vm} if value.call.cmdlet == "Get-VM" else value.where
            return replace(value, call=_only(value.call, vm), where=where)
        return tuple(narrowed(v) for v in value) if isinstance(value, tuple) else value

    return replace(query, params={name: narrowed(value) for name, value in query.params.items()})


def _transport(port: int, guard: CredentialGuard) -> WinRM:
    address = Address(
        "host", "127.0.0.1", port, "https", "ntlm", user=USER, password=Secret(PASSWORD), ca_path="build/bench/ca.pem"
    )
    return WinRM(address, allow=allowed(), guard=guard)


def _measured(job: Callable[[], None], counted: Callable[[], tuple[int, int, int]]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    job()
    cpu_ms, wall_ms = (time.process_time() - cpu) * 1000, (time.perf_counter() - wall) * 1000
    requests, processes, size = counted()
    return Cost(requests, processes, size, round(cpu_ms, 1), round(wall_ms, 1))


# --- the hosts -----------------------------------------------------------------------------------------------------


def playbook_of(vms: int) -> str:
    lines = ["- hosts: all", "  vms:"]
    for n in range(vms):
        lines += [
            f"    - name: vm{n:02}",
            "      processor: {count: 2, weight: 100}",
            "      memory: {startup: 2GB}",
            f"      disks: [{{at: 'scsi 0:0', path: 'D:\\VMs\\vm{n:02}\\os.vhdx', size: 40GB}}]",
            "      integration_services: {heartbeat: true}",
        ]
    return "\n".join(lines) + "\n"


def wishes_of(vms: int) -> Index:
    document = load_text(playbook_of(vms), "bench.yml")
    found, problems = wishes([Play(document, (0,), "bench", "all")], {})
    assert not problems, problems
    return found


def state_of(vms: int) -> dict[str, Any]:
    names = [f"vm{n:02}" for n in range(vms)]
    return {
        "os": "2022",
        "vms": [
            {
                "name": name,
                "generation": 2,
                "state": "Running",
                "processor": {"count": 2},
                "memory": {"startup": "2GB"},
                "drives": [{"at": "scsi 0:0", "path": f"D:\\VMs\\{name}\\os.vhdx"}],
            }
            for name in names
        ],
        "vhds": {f"D:\\VMs\\{name}\\os.vhdx": {"size": "40GB"} for name in names},
    }


def _served(hosts: int, vms: int, *, sink: bool = False) -> AbstractContextManager[tuple[Any, Any]]:
    """Ports of the hosts, and a function that says requests, processes and bytes so far. `sink`: their processes take
    files as Ansible sends them, and nothing else."""
    make_authority(Path("build/bench"))
    return elsewhere(_serve, hosts, vms, sink)


def _serve(pipe: Any, hosts: int, vms: int, sink: bool) -> None:
    folder = Path("build/bench")
    start = bench_copy.sink if sink else None
    endpoints = [
        Endpoint(SimulatedHost.from_yaml(state_of(vms)), {USER: PASSWORD}, scheme="https", start=start)
        for _ in range(hosts)
    ]
    with Server(endpoints, Authority(folder / "ca.pem", folder / "server.pem")):
        pipe.send([e.port for e in endpoints])
        while pipe.recv() != "end":
            entries = [entry for e in endpoints for entry in e.log]
            size = sum(e.received + e.sent for e in entries)
            pipe.send((len(entries), sum(e.shells.processes for e in endpoints), size))
