"""VMs that are down at the same moment: as many as play and command line allow, and no two of one anti-affinity class."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.call import Batch, Event, Reply, Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from hvctl.fleet.turns import Few
from hvctl.fleet.waiting import Waiting
from mocks.estate import Estate
from mocks.failures import failure
from mocks.twin import TwinTransport

CLUSTERS = {"east": ("hv01", "hv02", "hv03"), "west": ("hv04", "hv05")}
HOSTS = [host for nodes in CLUSTERS.values() for host in nodes]
"""Each with one VM: web01 on hv01 …"""


def vm_of(host: str) -> str:
    return host.replace("hv", "web")


def estate(classes: dict[str, str]) -> Estate:
    """`classes`: of VMs, as their roles have them already."""
    hosts = {}
    for number, host in enumerate(HOSTS, 1):
        vm_id = "-".join(str(number) * n for n in (8, 4, 4, 4, 12))
        path = rf"C:\ClusterStorage\v1\{vm_of(host)}"
        vm = {
            "name": vm_of(host),
            "id": vm_id,
            "generation": 2,
            "path": path,
            "state": "Running",
            "drives": [],
            "adapters": [],
        }
        hosts[host] = {"os": "2022", "vms": [vm]}
    roles = {
        name: [
            {"name": vm_of(h), "owner": h.upper(), "anti_affinity": [classes[vm_of(h)]] if vm_of(h) in classes else []}
            for h in nodes
        ]
        for name, nodes in CLUSTERS.items()
    }
    clusters = {name: {"hosts": list(nodes), "roles": roles[name]} for name, nodes in CLUSTERS.items()}
    shared: dict[str, dict[str, object]] = {r"C:\ClusterStorage\v1": {}}
    return Estate.from_data({"hosts": hosts, "shared": shared, "clusters": clusters})


@dataclass
class Down:
    """`together`: which VMs were seen off at the same moment."""

    estate: Estate
    folder: Path
    capsys: pytest.CaptureFixture[str]
    together: set[frozenset[str]] = field(default_factory=set)
    waited: set[str] = field(default_factory=set)
    lock: threading.Condition = field(default_factory=threading.Condition)

    def look(self, host: str) -> None:
        """What is down on a host stays so for a moment, for others to go down beside it, however busy this machine is."""
        with self.lock:
            off = {n: v.name for n, h in self.estate.hosts.items() for v in h.state.vms if v.state != "Running"}
            self.together.add(frozenset(off.values()))
            self.lock.notify_all()
            if host in off and host not in self.waited:
                self.waited.add(host)
                self.lock.wait_for(lambda: self.most == len(HOSTS), 0.2)

    def connect(self, connection: Connection, wire: Wire) -> Transport:
        down = self

        class Watched(TwinTransport):
            def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
                def heard(event: Event) -> None:
                    if batch.mode == "change":
                        down.look(connection.name)
                    on_event(event)

                return super().run(batch, heard)

        return Watched(self.estate.hosts[connection.name])

    def apply(self, play: dict[str, Any], wanted: dict[str, str], *words: str) -> tuple[int, str, str]:
        """`wanted`: of VMs, their class as the playbook has it."""
        plays = [
            {
                "hosts": name,
                **play,
                "cluster": {
                    "vms": [
                        {
                            "name": v,
                            "processor": {"count": 4},
                            **({"role": {"anti_affinity": [wanted[v]]}} if v in wanted else {}),
                        }
                        for v in map(vm_of, nodes)
                    ]
                },
            }
            for name, nodes in CLUSTERS.items()
        ]
        children = {n: {"hosts": dict.fromkeys(nodes), "vars": {"hvctl_cluster": n}} for n, nodes in CLUSTERS.items()}
        inventory = {"all": {"vars": {"hvctl_os": 2022, "ansible_user": "u"}, "children": children}}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
        (self.folder / "lab.yml").write_text(yaml.safe_dump(plays))
        status = main(
            ("apply", "lab.yml", "--auto-approve", "--no-history", "--allow", "restart", *words), self.connect
        )
        return status, *self.capsys.readouterr()

    @property
    def most(self) -> int:
        return max(map(len, self.together))

    def most_of(self, *names: str) -> int:
        return max(len(found & set(names)) for found in self.together)

    def counts(self) -> dict[str, int]:
        return {v.name: v.processor.count for host in self.estate.hosts.values() for v in host.state.vms}


@pytest.fixture
def down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Down]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("HVCTL_INVENTORY", raising=False)

    def made(**classes: str) -> Down:
        return Down(estate(classes), tmp_path, capsys)

    return made


def test_without_a_word_of_it_vms_of_different_hosts_are_down_together(down: Callable[..., Down]) -> None:
    """Else the tests below would prove nothing."""
    here = down()
    status, out, err = here.apply({}, {})
    assert status == 0, out + err
    assert here.most > 2


@pytest.mark.parametrize("words", [(), ("--serial", "4,1")])
def test_two_vms_of_a_class_are_never_down_together(down: Callable[..., Down], words: tuple[str, ...]) -> None:
    """web01 has it on the cluster already, web02 gets it, and web04 is of another cluster; web03 has another one."""
    here = down(web01="DC", web03="other")
    status, out, err = here.apply({}, {"web02": "dc", "web04": "dc"}, *words)
    assert status == 0, out + err
    assert set(here.counts().values()) == {4}
    assert here.most_of("web01", "web02", "web04") == 1
    assert here.most > 1


@pytest.mark.parametrize(
    ("play", "words", "most", "of_east"),
    [
        ({"restarts_at_once": 1}, (), 2, 1),
        ({"restarts_at_once": {"cluster": 1}}, (), 2, 1),
        ({"restarts_at_once": {"play": 3, "cluster": 2}}, (), 4, 2),
        ({"restarts_at_once": 2}, ("--restarts-at-once", "1"), 1, 1),
        ({"restarts_at_once": 1}, ("--restarts-at-once", "5"), 2, 1),
    ],
)
def test_the_strictest_of_play_cluster_and_command_line_counts(
    down: Callable[..., Down], play: dict[str, Any], words: tuple[str, ...], most: int, of_east: int
) -> None:
    here = down()
    status, out, err = here.apply(play, {}, *words)
    assert status == 0, out + err
    assert set(here.counts().values()) == {4}
    assert here.most <= most
    assert here.most_of("web01", "web02", "web03") == of_east


@pytest.mark.parametrize("words", [(), ("--serial", "1", "--max-failures", "5")])
def test_what_was_left_down_keeps_its_class_from_going_down_elsewhere(
    down: Callable[..., Down], words: tuple[str, ...]
) -> None:
    here = down(web01="dc", web04="dc")
    here.estate.hosts["hv01"].failures.add(failure("Start-VM:times=always"))
    status, out, err = here.apply({}, {}, *words)
    assert status & 4, out + err
    assert here.counts() == {"web01": 4, "web02": 4, "web03": 4, "web04": 1, "web05": 4}
    assert "hv04: left alone: vm web01 of hv01 was left down, which is of the class dc too" in err
    assert "hv04  not begun: what must not be down at the same time was left down elsewhere" in out


def test_classes_and_limits_hold_beside_each_other() -> None:
    few = Few(((2, frozenset("abc")), (1, frozenset("cd"))), {"a": frozenset({"x"}), "e": frozenset({"x", "y"})})
    waiting = Waiting([(name, lambda: None) for name in "abcdefg"], few)

    def taken() -> str:
        found = iter(waiting.take, None)
        return "".join(name for name, _ in found)

    def then(ended: str) -> str:
        waiting.ended(ended)
        return taken()

    assert taken() == "abdfg"  # c: two of abc run; e: one of x
    assert [then("b"), then("a"), then("d"), then("e"), then("c")] == ["", "e", "c", "", ""]  # c: d runs, of cd
    assert not waiting


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "0",
            "lab.yml:2:21: restarts_at_once is a number of hosts, 1 or more; write such as 1 or {play: 4, cluster: 1}",
        ),
        ("２", "lab.yml:2:21: restarts_at_once is a number of hosts, 1 or more; write 2 in half-width characters"),
        ("{clusters: 1}", "lab.yml:2:32: unknown key 'clusters' in restarts_at_once; did you mean 'cluster'?"),
        ("{cluster: yes}", "lab.yml:2:31: restarts_at_once is a number of hosts, 1 or more"),
        ("{}", "lab.yml:2:21: restarts_at_once is empty; write such as {play: 4, cluster: 1}"),
    ],
)
def test_a_wrong_number_is_refused_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], written: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "inventory.yml").write_text("all: {vars: {hvctl_os: 2022, ansible_user: u}, hosts: {hv01: }}\n")
    (tmp_path / "lab.yml").write_text(
        f"- hosts: all\n  restarts_at_once: {written}\n  host: {{enhanced_session_mode: yes}}\n"
    )
    assert main(("validate", "lab.yml")) == 1
    assert said in capsys.readouterr().err


def test_a_saved_plan_names_the_strictest(down: Callable[..., Down]) -> None:
    here = down()
    here.apply({"restarts_at_once": {"play": 3, "cluster": 2}}, {}, "--check")
    assert main(("plan", "lab.yml", "--allow", "restart", "--out", "lab.plan"), here.connect) == 0
    assert "hvctl apply lab.plan --restarts-at-once 2" in here.capsys.readouterr().err
