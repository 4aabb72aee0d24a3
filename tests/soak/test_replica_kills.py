"""kill -9 of hvctl in the middle of enabling, of the initial copy and of a failover, over the real wire: the hosts go on
with the batch that they have, and the next run takes up the rest. Nothing is doubled, nothing is lost, and what was broken off
is said."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.connection import Connection
from hvctl.fleet.connect import Wire, real_connect
from hvctl.winrm.client import Patience
from mocks.endpoint import Endpoint
from mocks.estate import Estate
from mocks.host import SimulatedHost
from mocks.objects import Outcome
from mocks.run import Disk
from mocks.wsman import Server
from tests.faults.process import Process
from tests.faults.rig import PASSWORD, USER

ID = "11111111-1111-1111-1111-111111111111"
RULES = {"VIRT-HVRHTTPL-In-TCP-NoScope": True, "VIRT-HVRHTTPSL-In-TCP-NoScope": False}
NAMES = {"primary_server": "HV01.example.com", "replica_server": "HV02.example.com"}
PLAYS = """
- hosts: hv01
  vms: [{name: web01, state: running, replication: {server: hv02}}]
- hosts: hv02
  host:
    replica_server:
      enabled: yes
      firewall: yes
      authorizations: [{server: hv01.example.com, storage: 'D:\\R', trust_group: g}]
"""
SET_UP = ("apply", "--auto-approve", "lab.yml")
FAIL_OVER = ("replica", "failover", "web01", "--to", "hv02", "--auto-approve")
# Of each: in what hvctl is killed, on which host, and whether before or after the host has done it.
MOMENTS = (
    (SET_UP, "hv01", "Enable-VMReplication", "after"),
    (FAIL_OVER, "hv01", "Start-VMFailover", "after"),
    (SET_UP, "hv01", "Start-VMInitialReplication", "before"),
    (SET_UP, "hv02", "Set-VMReplicationServer", "after"),
    (SET_UP, "hv02", "New-VMReplicationAuthorizationEntry", "before"),
    (FAIL_OVER, "hv01", "Stop-VM", "after"),
    (FAIL_OVER, "hv02", "Start-VMFailover", "before"),
    (FAIL_OVER, "hv02", "Set-VMReplication", "before"),
    (FAIL_OVER, "hv02", "Start-VM", "after"),
)
CHOSEN = MOMENTS if os.environ.get("HVCTL_SOAK") else MOMENTS[:2]
AT_MOST_ONCE = ("Enable-VMReplication", "Start-VMInitialReplication", "New-VMReplicationAuthorizationEntry",
                "Set-VMReplication", "Stop-VM", "Start-VM")  # fmt: skip


class Watched(SimulatedHost):
    """Calls back once, before or after a cmdlet."""

    at: tuple[str, str] = ("", "")

    def told(self) -> None:
        """By whoever waits for it."""

    def execute(self, cmdlet: str, set_name: str, bound: Mapping[str, Any], *more: Any) -> Outcome:
        here = self.at[0] == cmdlet
        if here and self.at[1] == "before":
            self.told()
        outcome = super().execute(cmdlet, set_name, bound, *more)
        if here and self.at[1] == "after":
            self.told()
        return outcome


class Lab:
    """hv01 and hv02 over the wire. `replicating`: web01 replicates already."""

    plays = PLAYS

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], *, replicating: bool) -> None:
        receives = {"enabled": True, "any_server": True, "storage": "D:\\R"}
        common: dict[str, Any] = {"os": "2022", "domain": "example.com", "folders": ["D:\\R"]}
        vm: dict[str, Any] = {"name": "web01", "id": ID}
        disk: dict[str, Any] = {"at": "ide 0:0", "path": r"D:\VMs\web01.vhdx"}
        hosts: dict[str, Any] = {host: dict(common) for host in ("hv01", "hv02")}
        hosts["hv01"]["vms"] = [{**vm, "state": "Running", "drives": [disk]}]
        if replicating:
            for given in hosts.values():
                given |= {"firewall_rules": RULES, "replica_server": dict(receives)}
            hosts["hv01"]["vms"][0]["replication"] = dict(NAMES)
            there = {**disk, "path": r"D:\R\web01.vhdx"}
            hosts["hv02"]["vms"] = [{**vm, "drives": [there], "replication": {**NAMES, "mode": "Replica"}}]
        self.estate = Estate.from_data({"hosts": hosts})
        for one in self.estate.hosts.values():
            one.__class__ = Watched
        self.folder, self.capsys = folder, capsys

    @contextmanager
    def served(self) -> Iterator[None]:
        endpoints = [Endpoint(host, {USER: PASSWORD}, disk=Disk(), pace=0.1) for host in self.estate.hosts.values()]
        with Server(endpoints):
            known = {
                name: {"ansible_host": "127.0.0.1", "ansible_port": endpoint.port, "hvctl_os": 2022}
                for name, endpoint in zip(self.estate.hosts, endpoints, strict=True)
            }
            login = {"ansible_user": USER, "ansible_winrm_scheme": "http", "ansible_winrm_transport": "basic"}
            text = yaml.safe_dump({"all": {"hosts": known, "vars": login}})
            (self.folder / "inventory.yml").write_text(
                f"{text}    ansible_password: !env HVCTL_TEST_PASSWORD\n", encoding="utf-8"
            )
            (self.folder / "lab.yml").write_text(self.plays, encoding="utf-8")
            yield

    def killed(self, words: tuple[str, ...], host: str, cmdlet: str, phase: str) -> None:
        came = threading.Event()
        running: list[Process] = []
        watched = self.estate.hosts[host]
        assert isinstance(watched, Watched)

        def told() -> None:
            if not came.is_set():
                came.set()
                running[0].kill()

        watched.at, watched.told = (cmdlet, phase), told  # type: ignore[method-assign]
        running.append(Process(self.folder, words, 1))
        assert running[0].wait() == -9, running[0].said
        assert came.is_set()

    def hvctl(self, *words: str) -> tuple[int, str]:
        patience = Patience(connect=1, call=1, receive=1, slack=10, back=20)

        def connect(connection: Connection, wire: Wire) -> Transport:
            return real_connect(connection, replace(wire, patience=patience, sleep=self._nap))

        status = main(list(words), connect=connect, pause=self._nap)
        said = self.capsys.readouterr()
        assert "Traceback" not in said.err, said.err
        return status, said.out + said.err

    def _nap(self, seconds: float) -> None:
        """Waits take no time, but for a little."""
        self.estate.clock.sleep(seconds)
        time.sleep(min(0.1, seconds / 100))

    def done(self) -> Counter[str]:
        return Counter(c.cmdlet for h in self.estate.hosts.values() for c in h.log if not c.errors)

    def sides(self) -> list[list[tuple[str, str, str]]]:
        self.estate.clock.sleep(300)
        for host in self.estate.hosts.values():
            host.invoke("Get-VMReplication", {})
        return [
            [(vm.state, vm.replication.mode, vm.replication.state) for vm in h.state.vms if vm.replication is not None]
            for h in self.estate.hosts.values()
        ]


@pytest.mark.parametrize(
    ("words", "host", "cmdlet", "phase"), CHOSEN, ids=lambda one: one if isinstance(one, str) else one[0]
)
def test_a_killed_run_is_taken_up_by_the_next(
    words: tuple[str, ...],
    host: str,
    cmdlet: str,
    phase: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", PASSWORD)
    monkeypatch.chdir(folder)
    lab = Lab(folder, capsys, replicating=words is FAIL_OVER)
    with lab.served():
        lab.killed(words, host, cmdlet, phase)
        status, said = lab.hvctl(*words)
        assert status == 0, said
        if words is SET_UP:
            assert "an earlier apply was broken off here: " in said
        elif host == "hv01":  # what it did not come to; hv02 has gone on by itself
            assert "planned failover web01" in said
        over = [[("Off", "Replica", "Replicating")], [("Running", "Primary", "Replicating")]]
        up = [[("Running", "Primary", "Replicating")], [("Off", "Replica", "Replicating")]]
        assert lab.sides() == (over if words is FAIL_OVER else up), said
        done = lab.done()
        assert all(done[one] <= 1 for one in AT_MOST_ONCE), done
        assert done["Start-VMFailover"] == 2 * (words is FAIL_OVER), "prepared once, failed over once"
        assert lab.hvctl(*words)[0] == 0, "once more does nothing"
        more = [one for one in lab.done() - done if not one.startswith(("Get-", "Measure-", "Test-"))]
        assert not more
