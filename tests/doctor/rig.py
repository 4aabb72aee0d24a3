"""`hvctl doctor` as a user runs it, over the real wire, against simulated hosts that things are wrong with."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire, real_connect
from hvctl.winrm.client import CredentialGuard, Patience
from hvctl.winrm.limits import Limits
from mocks.catalogue import Fault, arm
from mocks.clock import START
from mocks.host import SimulatedHost
from mocks.run import Disk
from mocks.tls import Authority
from mocks.wsman import Endpoint, Server

USER, PASSWORD = "hvadmin", "Pa55-lab"
HEALTHY: Mapping[str, Any] = {
    "os": "2022",
    "name": "HV01",
    "domain": "lab.example",
    "user": "LAB\\hvadmin",
    "switches": [{"name": "lan", "type": "Private"}],
    "vms": [
        {
            "name": "db01",
            "id": "11111111-1111-1111-1111-111111111111",
            "generation": 2,
            "state": "Running",
            "drives": [],
            "adapters": [{"name": "lan", "switch": "lan"}],
        }
    ],
}


@dataclass
class Said:
    """What one run gave. `causes`: of the first host, ranked."""

    status: int
    hosts: list[dict[str, Any]]
    out: str
    err: str

    @property
    def causes(self) -> list[str]:
        return [one["name"] for one in self.hosts[0]["causes"]]

    @property
    def first(self) -> dict[str, Any]:
        return dict(self.hosts[0]["causes"][0])


@dataclass
class Rig:
    """Hosts hv01, hv02, … and a folder with an inventory."""

    folder: Path
    endpoints: list[Endpoint]
    capsys: pytest.CaptureFixture[str]
    slack: float = 10
    limits: Limits = field(default_factory=Limits)
    patience: Patience | None = None
    """Other than for one host that answers at once, or never."""
    ahead: timedelta = timedelta(0)
    """How much the control node's clock is ahead of the first host's."""

    @property
    def endpoint(self) -> Endpoint:
        return self.endpoints[0]

    @property
    def host(self) -> SimulatedHost:
        return self.endpoint.simulated

    def doctor(self, *words: str, pattern: str = "all") -> Said:
        said = self.run("doctor", pattern, "--json", *words)
        assert said.out.startswith("{"), said
        return replace(said, hosts=json.loads(said.out)["hosts"])

    def run(self, *words: str) -> Said:
        patience = self.patience or Patience(connect=1, call=1, receive=1, slack=self.slack, back=5)

        def connect(connection: Connection, wire: Wire) -> Transport:
            connection = replace(connection, wiring=replace(connection.wiring, limits=self.limits))
            return real_connect(connection, replace(wire, patience=patience, sleep=self._nap, guard=wire.guard))

        status = main(list(words), connect, now=self._now, pause=self._nap)
        out, err = self.capsys.readouterr()
        assert "Traceback" not in out + err, out + err
        assert PASSWORD not in out + err
        return Said(status, [], out, err)

    def changes(self) -> list[str]:
        reads = ("Get-", "Measure-", "Test-")
        return [c.cmdlet for e in self.endpoints for c in e.simulated.log if not c.cmdlet.startswith(reads)]

    def _now(self) -> datetime:
        return START + timedelta(seconds=self.host.clock.now()) + self.ahead

    def _nap(self, seconds: float) -> None:
        time.sleep(min(0.1, seconds / 100))


@contextmanager
def rig(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    authority: Authority,
    faults: Iterable[Fault] = (),
    *,
    scheme: str = "http",
    transport: str = "ntlm",
    slack: float = 10,
    limits: Limits = Limits(),  # noqa: B008  frozen
    hosts: Iterable[Mapping[str, Any]] = ({},),
    variables: Mapping[str, Any] | None = None,
    impatient: bool = False,
    user: str = USER,
) -> Iterator[Rig]:
    """`hosts`: what of each is otherwise than with a healthy one; `faults`: of the first; `variables`: of the inventory's
    first host, None for one that it lacks; `impatient`: answers are awaited for 2 s."""
    endpoints = []
    for number, state in enumerate(hosts, 1):
        host = SimulatedHost.from_yaml({**HEALTHY, "name": f"HV{number:02}", **state})
        # Certificates are judged by the real time.
        host.clock.sleep(max(0.0, (datetime.now(UTC) - START).total_seconds()))
        users = {USER: PASSWORD, user.rpartition("\\")[2]: PASSWORD}
        endpoints.append(Endpoint(host, users, disk=Disk(), pace=0.1, scheme=scheme))  # type: ignore[arg-type]
    arm(endpoints[0], faults)
    with Server(endpoints, authority):
        inventory = {}
        for number, endpoint in enumerate(endpoints, 1):
            own = {
                "ansible_host": "127.0.0.1",
                "ansible_port": endpoint.port,
                "ansible_user": user,
                "ansible_password": PASSWORD,
                "ansible_winrm_scheme": scheme,
                "ansible_winrm_transport": transport,
                "ansible_winrm_ca_trust_path": authority.ca.as_posix(),
            } | dict(variables or {} if number == 1 else {})
            if impatient:
                own |= {"ansible_winrm_operation_timeout_sec": 1, "ansible_winrm_read_timeout_sec": 2}
            inventory[f"hv{number:02}"] = {k: v for k, v in own.items() if v is not None}
        (folder / "inventory.yml").write_text(
            yaml.safe_dump({"all": {"hosts": inventory}}, sort_keys=False), encoding="utf-8"
        )
        yield Rig(folder, endpoints, capsys, slack, limits)


def alone() -> CredentialGuard:
    return CredentialGuard(alone=1)
