"""Few hosts at a time of those on which VMs restart, however many of the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hvctl.call import Batch, Event, Reply, Transport
from hvctl.cli.app import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from hvctl.fleet.forks import SideBySide
from hvctl.fleet.turns import Few
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

NAMES = [f"hv{n}" for n in range(1, 9)]
RESTARTING = {f"hv{n}" for n in range(1, 5)}
INVENTORY = (
    f"all: {{vars: {{hvctl_os: 2022, ansible_user: u}}, hosts: {{{', '.join(f'{n}: ' for n in NAMES)}}},\n"
    f"  children: {{busy: {{hosts: {{{', '.join(f'{n}: ' for n in sorted(RESTARTING))}}}}}}}}}\n"
)
PLAYBOOK = """- hosts: busy
  vms: [{name: web01, processor: {count: 4}}]
- hosts: all:!busy
  vms: [{name: web01, processor: {weight: 200}}]
"""
STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "state": "Running", "drives": [], "adapters": []}]}


@dataclass
class Meter:
    """How many are at it, and how many were at most."""

    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize("words, restarting", [(("--restarts-at-once", "1"), 1), (("--restarts-at-once", "2"), 2)])
def test_no_more_hosts_at_a_time_than_may_restart(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str],
    restarting: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("HVCTL_INVENTORY", raising=False)
    (tmp_path / "inventory.yml").write_text(INVENTORY)
    (tmp_path / "lab.yml").write_text(PLAYBOOK)
    hosts = {n: SimulatedHost.from_yaml({**STATE, "name": n}) for n in NAMES}
    down, everyone = Meter(), Meter()

    def connect(connection: Connection, wire: Wire) -> Transport:
        class Slow(TwinTransport):
            def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
                if batch.mode != "change":
                    return super().run(batch, on_event)
                with everyone, down if connection.name in RESTARTING else Meter():
                    time.sleep(0.2)
                    return super().run(batch, on_event)

        return Slow(hosts[connection.name])

    status = main(("apply", "lab.yml", "--auto-approve", "--no-history", "--allow", "restart", *words), connect)
    out, err = capsys.readouterr()
    assert status == 0, out + err
    assert down.most == restarting
    assert everyone.most > restarting
    assert {h.state.vms[0].processor.count for n, h in hosts.items() if n in RESTARTING} == {4}


def test_what_fails_lets_the_next_one_go_on() -> None:
    meter, done = Meter(), []

    def work(name: str) -> None:
        with meter:
            time.sleep(0.01)
        if name == "b":
            raise ValueError
        done.append(name)

    def job(name: str) -> tuple[str, Callable[[], None]]:
        return name, lambda: work(name)

    hosts = SideBySide([job(n) for n in "abcde"], 4, few=Few(((1, frozenset("abcd")),)))
    with pytest.raises(ValueError):
        list(hosts)
    assert sorted(done) == ["a", "c", "d", "e"]
    assert meter.most <= 2


def test_work_that_is_added_waits_for_its_turn_too() -> None:
    meter = Meter()

    def work() -> None:
        with meter:
            time.sleep(0.05)

    hosts = SideBySide([("a", work)], 4, few=Few(((1, frozenset("ab")),)))
    seen = []
    for name, _ in hosts:
        seen.append(name)
        if name == "a" and seen.count("a") == 1:
            hosts.add([("b", work), ("a", work)])
    assert sorted(seen) == ["a", "a", "b"]
    assert meter.most == 1
