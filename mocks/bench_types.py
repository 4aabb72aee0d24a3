"""What a drift check costs as it is typed, beside one query per type: by pywinrm alone, and by Ansible with `raw` tasks.

All three ask the same server (mocks/playback.py) for the same properties of the same resources. What hvctl asks besides
(volumes, clusters, what waits to be cleaned up) and what it does with the answers (a plan, its report, the history) is in its
figures. The two others ask and read JSON; they compare nothing with what is desired.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hvctl.call import Call
from hvctl.core.facts import read_batch
from hvctl.core.questions import questions
from hvctl.core.resource import Index
from hvctl.fleet.reconcile import look
from mocks.bench_fleet import LAUNCHED, VMS, written
from mocks.bench_server import elsewhere
from mocks.host import SimulatedHost
from mocks.playback import Pace, Playback, run
from mocks.tls import Authority, make_authority
from mocks.twin import TwinTransport

ANSIBLE = Path(os.environ.get("HVCTL_ANSIBLE") or "build/ansible/bin") / "ansible-playbook"
FORKS = 16
USER, PASSWORD = "bench", "bench-Pa55"
CA = Path("build/bench/ca.pem")
PACE = Pace(round_trip=0.01, host=0.2)
ASKED = {
    "Get-VMHost": "Get-VMHost",
    "Get-VM": "Get-VM",
    "Get-VMProcessor": "Get-VMProcessor -VMName *",
    "Get-VMMemory": "Get-VMMemory -VMName *",
    "Get-VMHardDiskDrive": "Get-VMHardDiskDrive -VMName *",
    "Get-VHD": "Get-VMHardDiskDrive -VMName * | Get-VHD",
    "Get-VMIntegrationService": "Get-VMIntegrationService -VMName *",
}
"""A query for each type of resource, as a good playbook has it."""

PER_TYPE = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from winrm.protocol import Protocol

given = json.load(open(sys.argv[1]))

def ask(port):
    for script in given["scripts"]:
        connection = Protocol(f"https://127.0.0.1:{port}/wsman", transport="ntlm", username=given["user"],
            password=given["password"], ca_trust_path=given["ca"], proxy=None)
        shell = connection.open_shell(codepage=65001)
        command = connection.run_command(shell, "powershell", ["-NoProfile", "-EncodedCommand", script])
        out, err, status = connection.get_command_output(shell, command)
        connection.cleanup_command(shell, command)
        connection.close_shell(shell)
        assert status == 0 and json.loads(out), err

with ThreadPoolExecutor(given["forks"]) as pool:
    list(pool.map(ask, given["ports"]))
"""


@dataclass(frozen=True)
class Typed:
    """Of the whole process and all that it starts; CPU is the control node's. Handshakes are not counted as requests."""

    requests_per_host: float
    processes_per_host: float
    kb_per_host: float
    cpu_ms_per_host: float
    wall_s: float


def rows(
    playbook_of: Callable[[int], str],
    wishes_of: Callable[[int], Index],
    state_of: Callable[[int], dict[str, Any]],
    sizes: Sequence[int],
) -> Iterator[dict[str, Any]]:
    """`ours`, `naive` (pywinrm, a query per type) and, where `make ansible` has been run, `ansible`, for no more than
    100 hosts: the rest costs the same for each of them and takes very long."""
    scripts = answers(wishes_of(VMS), state_of(VMS))
    for hosts in sizes:
        ways = {"ours": hvctl, "naive": per_type}
        if ANSIBLE.is_file() and hosts <= 100:
            ways["ansible"] = ansible
        row: dict[str, Any] = {"scenario": f"as typed, {hosts:,} host{'s' * (hosts > 1)} of {VMS} VMs"}
        for name, way in ways.items():
            with served(state_of(VMS), hosts, scripts) as (ports, counted), tempfile.TemporaryDirectory() as folder:
                command = way(Path(folder), ports, playbook_of(VMS), list(scripts))
                if (
                    hosts <= 100
                ):  # bytecode and history are there the second time; of more hosts they are lost in the sum
                    _typed(Path(folder), command, hosts, counted)
                row[name] = asdict(_typed(Path(folder), command, hosts, counted))
        yield row


# --- the three ways: each writes what it needs and returns its command ---------------------------------------------


def hvctl(folder: Path, ports: Sequence[int], playbook: str, scripts: Sequence[str]) -> list[str]:
    written(folder, ports, playbook)
    options = ["-i", str(folder / "inventory.yml"), "--history", str(folder / "h.db")]
    return [sys.executable, "-c", LAUNCHED, "drift", str(folder / "fleet.yml"), *options]


def per_type(folder: Path, ports: Sequence[int], playbook: str, scripts: Sequence[str]) -> list[str]:
    given = {
        "ports": list(ports), "user": USER, "password": PASSWORD, "ca": str(CA.absolute()), "forks": FORKS,
        "scripts": [_encoded(script) for script in scripts],
    }  # fmt: skip
    (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
    return [sys.executable, "-c", PER_TYPE, str(folder / "given.json")]


def ansible(folder: Path, ports: Sequence[int], playbook: str, scripts: Sequence[str]) -> list[str]:
    """One play, no gathering of facts, one `raw` task for each query."""
    written(folder, ports, playbook)
    inventory = (folder / "inventory.yml").read_text(encoding="utf-8").replace("!env BENCH_PASSWORD", PASSWORD)
    (folder / "inventory.yml").write_text(inventory.replace("vars: {", "vars: {ansible_shell_type: powershell, "))
    tasks = [{"ansible.builtin.raw": script, "register": f"found{n}"} for n, script in enumerate(scripts)]
    play = [{"hosts": "all", "gather_facts": False, "tasks": tasks}]
    (folder / "ask.yml").write_text(json.dumps(play), encoding="utf-8")
    return [str(ANSIBLE.absolute()), "-f", str(FORKS), "-i", str(folder / "inventory.yml"), str(folder / "ask.yml")]


def _typed(folder: Path, command: Sequence[str], hosts: int, counted: Callable[[], tuple[int, int, int]]) -> Typed:
    names = ("ANSIBLE_HOME", "ANSIBLE_LOCAL_TEMP", "XDG_STATE_HOME")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env |= {
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        **{name: str(folder / "state") for name in names},
        "BENCH_PASSWORD": PASSWORD,
    }
    before, began = counted(), time.monotonic()
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(command, env=env, stdout=said, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        text = (folder / "said").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {text[-2000:]}")
    requests, processes, size = (now - then for now, then in zip(counted(), before, strict=True))
    cpu = (used.ru_utime + used.ru_stime) * 1000
    each = [round(value / hosts, 1) for value in (requests, processes, size / 1000, cpu)]
    return Typed(each[0], each[1], each[2], each[3], round(wall, 1))


# --- the hosts -----------------------------------------------------------------------------------------------------


def answers(desired: Index, state: dict[str, Any]) -> dict[str, bytes]:
    """The text of each query, and what a host prints: the properties that hvctl reads of that type, as JSON."""
    facts = look(TwinTransport(SimulatedHost.from_yaml(state)), desired)
    calls: dict[str, Call] = {task.call.cmdlet: task.call for task in read_batch(questions(desired)).tasks}
    found = {}
    for cmdlet, asked in ASKED.items():
        names = [str(name).removesuffix("[]") for name in calls[cmdlet].select or ()]
        text = f"{asked} | Select-Object {', '.join(names)} | ConvertTo-Json -Compress"
        read = [
            dict(row.items()) for call, reply in facts.replies.items() if call.cmdlet == cmdlet for row in reply.rows
        ]
        found[text] = json.dumps(read, separators=(",", ":"), default=str).encode() + b"\r\n"
    return found


def _encoded(script: str) -> str:
    return base64.b64encode(script.encode("utf-16-le")).decode()


def served(
    state: dict[str, Any], hosts: int, scripts: dict[str, bytes]
) -> AbstractContextManager[tuple[list[int], Callable[[], tuple[int, int, int]]]]:
    """Ports of so many hosts in another process, and what says requests, processes and bytes of SOAP so far."""
    return elsewhere(_serve, state, hosts, scripts, make_authority(CA.parent))


def _serve(pipe: Any, state: dict[str, Any], hosts: int, scripts: dict[str, bytes], authority: Authority) -> None:
    playback = Playback(state, hosts, PACE, authority.context(), scripts)

    def until_told() -> None:
        while pipe.recv() != "end":
            asked = playback.requests
            pipe.send((asked.total() - asked["handshake"], asked["Command"], playback.bytes))

    run(lambda one: pipe.send(one.ports), until_told, playback)
