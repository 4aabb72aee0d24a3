"""Simulated hosts that share one clock, and a command line over them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Batch, Transport, TransportError
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from mocks import clock as clocks
from mocks import metering
from mocks.clock import Clock
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

SECRET = "s3cret-in-tests"
DB = "history.db"
USAGE = {
    "processor_mhz": 500,
    "memory": "1GB",
    "read": "1MB",
    "written": "512KB",
    "incoming": "128KB",
    "outgoing": "256KB",
    "iops": 100,
    "latency": 700,
}
ACLS = [{"action": "Meter", "direction": way, "remote": "0.0.0.0/0"} for way in ("Inbound", "Outbound")]


def vm(name: str, number: int = 1, **more: Any) -> dict[str, Any]:
    disk = rf"D:\VMs\{name}\os.vhdx"
    return {
        "name": name,
        "id": f"{number:08d}-1111-1111-1111-111111111111",
        "generation": 2,
        "state": "Running",
        "memory": {"startup": "2GB", "dynamic_memory_enabled": True},
        "drives": [{"at": "scsi 0:0", "path": disk}],
        "adapters": [{"name": "lan", "switch": "lan", "acls": ACLS}],
        "resource_metering_enabled": True,
        "usage": USAGE,
        **more,
    }


def host(name: str, *vms: Mapping[str, Any], os: str = "2022", **more: Any) -> dict[str, Any]:
    disks = {d["path"]: {"size": "40GB", "file_size": "10GB"} for one in vms for d in one.get("drives", ())}
    generation = 1 if os == "2012" else 2
    return {
        "os": os,
        "name": name,
        "switches": [{"name": "lan", "net_adapters": ["Ethernet 2"]}],
        "vms": [{**one, "generation": generation} for one in vms],
        "vhds": disks,
        **more,
    }


class Fleet:
    """The time is that of the hosts' clocks."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], *hosts: Mapping[str, Any]) -> None:
        self.clock = Clock()
        self.hosts = {str(h["name"]): SimulatedHost.from_yaml(dict(h), self.clock) for h in hosts}
        self.away: set[str] = set()
        self.batches: list[tuple[str, Batch]] = []
        self.folder, self._capsys = folder, capsys
        self.err = ""
        self.inventory()

    def inventory(self, **variables: Mapping[str, Any]) -> None:
        """`variables`: by host."""
        hosts = {name: dict(variables.get(name, {})) for name in self.hosts}
        data = {"all": {"vars": {"ansible_user": "admin", "ansible_password": SECRET}, "hosts": hosts}}
        (self.folder / "inventory.yml").write_text(json.dumps(data), encoding="utf-8")

    @property
    def now(self) -> datetime:
        return self.clock.utc()

    def until(self, moment: datetime) -> None:
        self.clock.sleep((moment - clocks.START).total_seconds() - self.clock.now())

    def invoke(self, host: str, cmdlet: str, **params: Any) -> None:
        outcome = self.hosts[host].invoke(cmdlet, params)
        assert not outcome.errors, outcome.errors

    def move(self, name: str, source: str, target: str) -> None:
        """Its meters travel with it (operations 1.2), and its disks."""
        a, b = self.hosts[source].state, self.hosts[target].state
        for state in (a, b):
            metering.settle(state, self.clock.now())
        (one,) = [v for v in a.vms if v.name == name]
        disks = [v for v in a.vhds for d in one.disks if v.path == d.path]
        a.vms.remove(one)
        a.vhds = [v for v in a.vhds if v not in disks]
        b.vms.append(one)
        b.vhds += disks
        for adapter in one.nics:
            adapter.switch = b.switches[0].id

    def run(self, *words: str, after: timedelta = timedelta(0), status: int | None = 0) -> str:
        self.clock.sleep(after.total_seconds())
        found = main(list(words), self.connect, lambda: self.now)
        out, self.err = self._capsys.readouterr()
        assert SECRET not in out + self.err
        assert status is None or found == status, out + self.err
        return out

    def data(self, *words: str, after: timedelta = timedelta(0), status: int | None = 0) -> Any:
        return json.loads(self.run("metering", *words, "--format", "json", after=after, status=status))

    def connect(self, connection: Connection, wire: Wire) -> Transport:
        return _Heard(self, connection.name)


class _Heard(TwinTransport):
    def __init__(self, fleet: Fleet, name: str) -> None:
        super().__init__(fleet.hosts[name])
        self._fleet, self._name = fleet, name

    def run(self, batch: Batch, on_event: Any = lambda event: None) -> Any:
        if self._name in self._fleet.away:
            raise TransportError(
                "connection refused by 192.0.2.1:5986 (5 tries in 8 s)", hint="is WinRM running there?"
            )
        self._fleet.batches.append((self._name, batch))
        return super().run(batch, on_event)


def settle(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HVCTL_HISTORY", DB)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TZ", "UTC")
