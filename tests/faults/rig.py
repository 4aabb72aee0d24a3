"""hvctl as a user runs it, over the real wire, against one simulated host that things go wrong with."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire, real_connect
from hvctl.text.state import state_folder
from hvctl.winrm.client import Patience
from hvctl.winrm.leftovers import OpenShells
from hvctl.winrm.limits import Limits
from mocks.catalogue import Fault, arm, put
from mocks.host import SimulatedHost
from mocks.run import Disk
from mocks.tls import Authority
from mocks.wsman import Endpoint, Server
from tests.faults.process import Process

USER, PASSWORD = "hvadmin", "Pa55-lab"
DEAD = 2**22 - 7
"""No process has this id: beyond pid_max of a usual system."""

STATE = r"""
os: 2022
name: HV01
volumes: {D: {free: 500GB, size: 1TB}}
switches: [{name: lan, type: Private}]
vms:
  - name: db01
    id: 11111111-1111-1111-1111-111111111111
    generation: 2
    state: Running
    processor: {count: 2}
    drives: [{at: scsi 0:0, path: 'D:\db01\os.vhdx'}]
    adapters: [{name: lan, switch: lan}]
  - {name: old01, id: 22222222-2222-2222-2222-222222222222, generation: 2, state: Running, drives: [], adapters: []}
vhds:
  'D:\db01\os.vhdx': {size: 40GB}
folders: ['D:\web01']
"""
PLAYBOOK = r"""
- name: lab
  hosts: hv01
  allow: [restart, disconnect]
  vms:
    - name: web01
      generation: 2
      memory: {startup: 1GB}
      disks: [{at: scsi 0:0, path: 'D:\web01\os.vhdx', size: 20GB}]
    - name: db01
      processor: {weight: 200}
      disks: [{at: scsi 0:0, path: 'D:\db01\os.vhdx', size: 50GB}]
      network_adapters: [{name: lan, vlan: {access: 7}}]
    - name: old01
      state: off
"""
INVENTORY = """
all:
  hosts:
    hv01:
      ansible_host: 127.0.0.1
      ansible_port: {port}
      ansible_user: {user}
      ansible_password: !env HVCTL_TEST_PASSWORD
      ansible_winrm_scheme: {scheme}
      ansible_winrm_transport: {transport}
      ansible_winrm_ca_trust_path: '{ca}'
      hvctl_os: 2022
"""


@dataclass
class Said:
    """What one run of hvctl gave."""

    status: int
    data: Any
    out: str
    err: str


@dataclass
class Rig:
    """One host and a folder with an inventory and a playbook."""

    folder: Path
    endpoint: Endpoint
    server: Server
    clean: dict[str, Any]
    capsys: pytest.CaptureFixture[str] | None
    patience: Patience
    limits: Limits = field(default_factory=Limits)
    password: str = PASSWORD
    started: int = 0

    @property
    def host(self) -> SimulatedHost:
        return self.endpoint.simulated

    def hvctl(self, *words: str) -> Said:
        """Waits take no time, but for a little: others need the machine too."""
        shells = OpenShells(state_folder())

        def connect(connection: Connection, wire: Wire) -> Transport:
            connection = replace(connection, wiring=replace(connection.wiring, limits=self.limits))
            return real_connect(connection, replace(wire, patience=self.patience, sleep=self._nap, shells=shells))

        status = main(list(words), connect, pause=self._nap)
        assert self.capsys is not None
        out, err = self.capsys.readouterr()
        assert "Traceback" not in out + err
        assert PASSWORD not in out + err
        data = json.loads(out)["hosts"][0] if "--json" in words and out.startswith("{") else {}
        return Said(status, data, out, err)

    def start(self, *words: str) -> Process:
        self.started += 1
        return Process(self.folder, words, self.started)

    def _nap(self, seconds: float) -> None:
        self.host.clock.sleep(seconds)
        time.sleep(min(0.1, seconds / 100))

    def ends(self) -> None:
        """The process of the last run is gone, and what it wrote down is left."""
        for file in state_folder().glob(f"shells-{os.getpid()}-*.json"):
            file.rename(file.with_name(file.name.replace(str(os.getpid()), str(DEAD), 1)))

    def disarm(self) -> None:
        """Nothing goes wrong from now on."""
        self.endpoint.faults.troubles.clear()
        for path, value in self.clean.items():
            put(self.endpoint, path, value)
        self.server.write_users()
        self.server.up(self.endpoint)
        self.host.clock.sleep(3600)

    def changes(self) -> list[str]:
        return [c.cmdlet for c in self.host.log if not c.cmdlet.startswith(("Get-", "Test-"))]

    def done(self) -> Counter[str]:
        """Changes that the host accepted."""
        return Counter(c.cmdlet for c in self.host.log if not c.cmdlet.startswith(("Get-", "Test-")) and not c.errors)


@contextmanager
def rig(
    folder: Path,
    capsys: pytest.CaptureFixture[str] | None,
    authority: Authority,
    faults: Iterable[Fault] = (),
    *,
    scheme: str = "http",
    transport: str = "basic",
    slack: float = 10,
    seed: int = 0,
    limits: Limits = Limits(),  # noqa: B008  frozen
    state: str = STATE,
    playbook: str = PLAYBOOK,
) -> Iterator[Rig]:
    host = SimulatedHost.from_yaml(yaml.safe_load(state))
    endpoint = Endpoint(host, {USER: PASSWORD}, disk=Disk(), pace=0.1, seed=seed, scheme=scheme)  # type: ignore[arg-type]
    clean = arm(endpoint, faults)
    with Server([endpoint], authority) as server:
        text = INVENTORY.format(
            port=endpoint.port, user=USER, scheme=scheme, transport=transport, ca=authority.ca.as_posix()
        )
        (folder / "inventory.yml").write_text(text, encoding="utf-8")
        (folder / "lab.yml").write_text(playbook, encoding="utf-8")
        patience = Patience(connect=1, call=1, receive=1, slack=slack, back=20)
        yield Rig(folder, endpoint, server, clean, capsys, patience, limits)


def honest(at: Rig, said: Said, faults: Iterable[str] = ()) -> None:
    """What the report calls done was done, what it calls not done was not, and nothing was done twice."""
    steps = (said.data.get("report") or {}).get("steps", [])
    counts = {s: Counter(x["call"].split(" ")[0] for x in steps if x["status"] == s)
              for s in ("ok", "failed", "skipped", "unknown")}  # fmt: skip
    planned = sum(counts.values(), Counter())
    tried, done = Counter(at.changes()), at.done()
    for cmdlet in planned | tried:
        sure, perhaps = counts["ok"][cmdlet], counts["unknown"][cmdlet] + counts["failed"][cmdlet]
        assert tried[cmdlet] <= planned[cmdlet], f"{cmdlet} was called {tried[cmdlet]} times"
        assert done[cmdlet] <= sure + perhaps, f"{cmdlet} was done and is not told"
        if cmdlet not in EMPTY:
            assert done[cmdlet] >= sure, f"{cmdlet} is told and was not done"
    if said.status == 0:
        assert said.data["report"]["complete"]
    if any(x["status"] == "failed" for x in steps):
        assert said.status & 4


EMPTY = ("Remove-VMDvdDrive",)
"""Of a generation 2 VM made without one there is none to remove, and the step makes no call."""
