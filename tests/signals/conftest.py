"""Real processes of hvctl over the real wire, against simulated hosts, and signals at chosen moments."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
import yaml

from mocks.catalogue import Fault, arm
from mocks.host import SimulatedHost
from mocks.run import Disk
from mocks.tls import Authority
from mocks.wsman import Endpoint, Server
from tests.faults.conftest import authority

__all__ = ["authority", "lab", "terminal"]

Scheme = Literal["http", "https"]
A = TypeVar("A")
B = TypeVar("B")
USER, PASSWORD = "hvadmin", "Pa55-lab"
STATE = """
os: 2022
vms: [{name: web01, generation: 2, state: Off, drives: [], adapters: []}]
"""
PLAYBOOK = """
- name: lab
  hosts: all
  vms:
    - name: web01
      notes: one
      processor: {count: 2, weight: 200}
      memory: {startup: 2GB}
"""
PROGRAM = ("-m", "hvctl")
STEPS = ["Set-VM", "Set-VMMemory", "Set-VMProcessor"]


def each_with_each(ones: Sequence[A], others: Sequence[B]) -> list[tuple[A, B]]:
    """All pairs in a soak; else each of `ones` with one of `others`, by turns: every pair is two starts of Python."""
    if os.environ.get("HVCTL_SOAK"):
        return list(product(ones, others))
    return [(one, others[number % len(others)]) for number, one in enumerate(ones)]


@dataclass
class Running:
    """One hvctl. `said`: what it printed so far, of both streams."""

    process: subprocess.Popen[str]
    said: str = ""
    _heard: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while char := self.process.stdout.read(1):
            with self._heard:
                self.said += char
                self._heard.notify_all()

    def until(self, text: str) -> None:
        with self._heard:
            assert self._heard.wait_for(lambda: text in self.said, 60), self.said

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ends(self, within: float = 60) -> int:
        status = self.process.wait(within)
        self._reader.join(10)
        assert "Traceback" not in self.said, self.said
        return status


@dataclass
class Lab:
    """Hosts hv0, hv1, … on loopback, a playbook for all of them, and a folder to run in."""

    folder: Path
    endpoints: list[Endpoint]

    def start(self, *words: str, stdin: int = subprocess.DEVNULL, program: Sequence[str] = PROGRAM) -> Running:
        """`program`: what runs hvctl, before its words."""
        return Running(
            subprocess.Popen(
                [sys.executable, *program, *words],
                cwd=self.folder, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
        )  # fmt: skip

    def hvctl(self, *words: str) -> tuple[int, str]:
        running = self.start(*words)
        return running.ends(), running.said

    def changes(self, number: int) -> list[str]:
        log = self.endpoints[number].simulated.log
        return [c.cmdlet for c in log if not c.cmdlet.startswith(("Get-", "Test-"))]

    def report(self, name: str = "r.json") -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / name).read_text(encoding="utf-8"))
        return found


@dataclass
class Labs:
    """Makes labs."""

    folder: Path
    authority: Authority
    _open: list[Server] = field(default_factory=list)

    def __call__(self, count: int = 1, faults: Sequence[Fault] = (), *, scheme: Scheme = "http") -> Lab:
        endpoints = [self._endpoint(n, scheme) for n in range(count)]
        for endpoint in endpoints:
            arm(endpoint, faults)
        server = Server(endpoints, self.authority)
        server.__enter__()
        self._open.append(server)
        hosts = {f"hv{n}": {"ansible_port": e.port} for n, e in enumerate(endpoints)}
        shared = {
            "ansible_host": "127.0.0.1", "ansible_user": USER, "ansible_password": PASSWORD,
            "ansible_winrm_scheme": scheme, "ansible_winrm_transport": "basic", "hvctl_os": "2022",
            "ansible_winrm_ca_trust_path": str(self.authority.ca),
        }  # fmt: skip
        inventory = yaml.safe_dump({"all": {"vars": shared, "hosts": hosts}})
        (self.folder / "inventory.yml").write_text(inventory, encoding="utf-8")
        (self.folder / "lab.yml").write_text(PLAYBOOK, encoding="utf-8")
        return Lab(self.folder, endpoints)

    def _endpoint(self, number: int, scheme: Scheme) -> Endpoint:
        host = SimulatedHost.from_yaml({**yaml.safe_load(STATE), "name": f"HV{number}"})
        return Endpoint(host, {USER: PASSWORD}, disk=Disk(), pace=0.1, scheme=scheme)

    def close(self) -> None:
        for server in self._open:
            server.__exit__(None, None, None)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: Authority) -> Iterator[Labs]:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    labs = Labs(tmp_path, authority)
    yield labs
    labs.close()


@pytest.fixture
def terminal() -> Iterator[int]:
    """The user's end of a terminal; what is started reads the other one."""
    mine, other = pty.openpty()
    yield other
    os.close(mine)
    os.close(other)
