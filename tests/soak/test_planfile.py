"""Plan files that are damaged, or edited by somebody who knows the format: each is refused or shown, none is run unseen."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Batch, Event, Reply, Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

SOAK = bool(os.environ.get("HVCTL_SOAK"))
EACH = 100
"""Plan files of one seed."""

INVENTORY = (
    "all: {vars: {ansible_user: admin, ansible_password: secret-of-tests}, hosts: {hv01: {hvctl_os: 2022}, hv02: {}}}"
)
PLAYBOOK = r"""
- hosts: all
  host: {enhanced_session_mode: on}
  switches: [{name: lan, type: internal}, {name: backup, type: private}]
  vms:
    - name: web01
      notes: fuzzed
      checkpoint_maximum_age: 7d
      processor: {count: 2, weight: 200}
      memory: {startup: 2GB, dynamic: {minimum: 1GB, maximum: 4GB}}
      disks: [{at: 'scsi 0:0', path: 'D:\web01.vhdx', size: 60GB, iops: {maximum: 100}}]
      network_adapters: [{name: lan, switch: lan, vlan: {access: 20}}]
      integration_services: {guest_service_interface: on}
      guest_files:
        - {source: app.conf, destination: 'C:\app.conf'}
        - {template: hosts.j2, destination: 'C:\hosts'}
      checkpoints: [{name: before}]
      exports: [{path: 'E:\exports', every: 24h, keep: 1}]
    - {name: new01, generation: 2, firmware: {secure_boot: off}, memory: {startup: 1GB}}
    - {name: old01, ensure: absent}
"""
STATE = {
    "os": "2022",
    "volumes": {"C": {}, "D": {}, "E": {}},
    "switches": [{"name": "lan", "type": "private"}],
    "vhds": {r"D:\web01.vhdx": {"size": "40GB"}},
    "vms": [
        {"name": "web01", "generation": 2, "state": "Running", "drives": [{"at": "scsi 0:0", "path": r"D:\web01.vhdx"}],
         "adapters": [{"name": "lan", "switch": "lan"}]},
        {"name": "old01", "generation": 2, "state": "Off", "drives": [], "adapters": []},
    ],
}  # fmt: skip
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 1.5, 1e308, float("nan"),
    float("inf"), 10**18, -(10**30), 10**400, "", " ", "x", "0", "²", "on", "\x00", "\x1b[2J",
    "a\nb", "\u202e", "{{ 7 * 7 }}", "!command [id]", "../../../etc/hosts", "/etc/hosts", "/dev/zero", "C:\\", "all", "*",
    "destroy", "vm", "Remove-VM", "2026-04-01T00:00:00Z", "9999-12-31T23:59:59Z", "0" * 64, [], {}, [[]], [None], {"": None},
    {"$ref": {}}, {"$call": {"cmdlet": "Remove-VM"}}, {"$secret": "x"}, "x" * 5000,
)  # fmt: skip


@dataclass
class Heard(TwinTransport):
    """A host that remembers which changes it was sent."""

    simulated: SimulatedHost
    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.simulated)

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda e: None) -> list[Reply]:
        if batch.mode == "change":
            self.sent += [str(task.call) for task in batch.tasks]
        return super().run(batch, on_event)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "140")
    Path("inventory.yml").write_text(INVENTORY, "utf-8")
    Path("lab.yml").write_text(PLAYBOOK, "utf-8")
    Path("app.conf").write_text("one\n", "utf-8")
    Path("hosts.j2").write_text("{{ inventory_hostname }}\n", "utf-8")
    hosts = fresh()
    command = ["plan", "lab.yml", "--allow", "restart,destroy,disconnect", "--out", "lab.plan"]
    assert main(command, lambda connection, wire: hosts[connection.name]) == 0, capsys.readouterr()
    capsys.readouterr()
    yield json.loads(Path("lab.plan").read_text("utf-8"))


def fresh() -> dict[str, Heard]:
    return {name: Heard(SimulatedHost.from_yaml({**deepcopy(STATE), "name": name})) for name in ("hv01", "hv02")}


def applied(text: bytes, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, list[str]]:
    """The status, all that was said, and the changes that the hosts were sent."""
    Path("x.plan").write_bytes(text)
    hosts = fresh()

    def connect(connection: Connection, wire: Wire) -> Transport:
        return hosts[connection.name]

    status = main(["-v", "apply", "x.plan", "-y", "--no-history"], connect, pause=lambda seconds: True)
    out, err = capsys.readouterr()
    return status, out + err, [call for one in hosts.values() for call in one.sent]


def test_the_plan_as_it_is_is_applied(plan: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """So that what follows is not refused for another reason."""
    status, said, sent = applied(json.dumps(plan).encode(), capsys)
    assert "refused" not in said, said
    assert {call.partition(" ")[0] for call in sent} >= {
        "Remove-VM",
        "Copy-VMFile",
        "Export-VM",
        "New-VM",
        "Checkpoint-VM",
    }
    assert status in (0, 2), said
    unseen(said, sent)


@pytest.mark.parametrize("seed", range(30) if SOAK else (7,))
def test_no_mutation_is_a_traceback_or_runs_unseen(seed: int, plan: Any, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(seed)
    for number in range(EACH if SOAK else EACH // 4):
        text = mutated(plan, chance)
        status, said, sent = applied(text, capsys)
        place = f"seed {seed}, number {number}: {said[-3000:]}"
        assert status in (0, 1, 2, 4, 6), place
        assert "Traceback" not in said, place
        assert status != 1 or not sent, place
        unseen(said, sent)


def unseen(said: str, sent: list[str]) -> None:
    """Every change stands in what was printed before, however it was wrapped."""
    shown = flat(said)
    assert [call for call in sent if flat(call) not in shown] == []


def flat(text: str) -> str:
    return re.sub(r"\s", "", text)


def mutated(plan: Any, chance: random.Random) -> bytes:
    data = deepcopy(plan)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        _mutate(data, chance)
    text = json.dumps(data, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        at = chance.randrange(len(text))
        text = chance.choice(
            (text[:at], text[:at] + text[at + 1 :], text[:at] + bytes([chance.randrange(256)]) + text[at:])
        )
    return text


def _mutate(data: Any, chance: random.Random) -> None:
    places = list(_places(data))
    holder, key = chance.choice(places)
    match chance.randrange(7):
        case 0:
            del holder[key]
        case 1 | 2:
            holder[key] = deepcopy(chance.choice(ODD))
        case 3:
            other, at = chance.choice(places)
            holder[key] = deepcopy(other[at])
        case 4 if isinstance(holder, list):
            holder.insert(key, deepcopy(holder[key]))
        case 5 if isinstance(holder, list):
            chance.shuffle(holder)
        case 4 | 5:
            holder[str(chance.choice(ODD))[:50]] = holder.pop(key)
        case _:
            holder[key] = _near(holder[key], chance)


def _near(value: Any, chance: random.Random) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + chance.choice((-1, 1, 1000))
    if isinstance(value, str) and value:
        at = chance.randrange(len(value))
        return value[:at] + chance.choice(("", "A", "0", "\ud800", "é", '"', "/")) + value[at + 1 :]
    return [value]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    inner = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, one in inner:
        yield value, key
        yield from _places(one)
