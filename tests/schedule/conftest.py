"""A folder with a playbook for two simulated hosts, and a clock that nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.transports import Gone

INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: !env HVCTL_TEST_PASSWORD}
  hosts: {hv01: {hvctl_os: 2022}, hv02: {hvctl_os: 2022}}
"""
PLAYBOOK = """
- name: lab
  hosts: hv01,hv02
  vms:
    - name: web01
      processor: {count: 2, weight: 200}
"""
STATE = {
    "os": "2022",
    "vms": [{"name": "web01", "generation": 2, "state": "Off", "drives": [], "adapters": [],
             "processor": {"count": 2, "relative_weight": 200}}],
}  # fmt: skip


@dataclass
class Lab:
    """`away`: hosts that cannot be reached now. `asked_once`: what happens when the first host is connected to."""

    folder: Path
    hosts: dict[str, SimulatedHost]
    capsys: pytest.CaptureFixture[str]
    away: set[str] = field(default_factory=set)
    asked_once: Callable[[], None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, connection: Connection, wire: Wire) -> Transport:
        with self._lock:
            once, self.asked_once = self.asked_once, None
            if once is not None:
                once()
        return Gone(requests=5) if connection.name in self.away else TwinTransport(self.hosts[connection.name])

    def hvctl(self, *words: str) -> tuple[int, str, str]:
        status = main(list(words), self.connect)
        out, err = self.capsys.readouterr()
        assert "s3cret-in-tests" not in out + err
        return status, out, err

    def drift(self, host: str, weight: int) -> None:
        """Somebody changes the host by hand."""
        done = self.hosts[host].invoke("Set-VMProcessor", {"VMName": "web01", "RelativeWeight": weight}, "Stop")
        assert not done.errors


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    monkeypatch.chdir(tmp_path)
    settings = {
        "HVCTL_TEST_PASSWORD": "s3cret-in-tests",
        "NO_COLOR": "1",
        "COLUMNS": "160",
        "HOME": str(tmp_path),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in ("HVCTL_NOTIFY", "HVCTL_INVENTORY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / "lab.yml").write_text(PLAYBOOK, encoding="utf-8")
    hosts = {name: SimulatedHost.from_yaml({**STATE, "name": name}) for name in ("hv01", "hv02")}
    return Lab(tmp_path, hosts, capsys)


@dataclass
class FakeClock:
    """Time passes only where somebody sleeps or works. `then`: what happens at the end of each pause, in order; when
    there is nothing left, Ctrl-C is pressed."""

    then: list[Callable[[], None]] = field(default_factory=list)
    passed: float = 0.0
    luck: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return 1000.0 + self.passed

    def chance(self) -> float:
        return self.luck

    def sleep(self, seconds: float) -> None:
        self.passed += seconds
        self.pauses.append(seconds)
        if not self.then:
            raise KeyboardInterrupt
        self.then.pop(0)()
