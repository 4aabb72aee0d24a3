"""An apply in batches: what comes when, what is looked at again, and what a failure leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hvctl.call import Batch, Event, Reply, Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.core.apply import Report, StepResult, not_begun
from hvctl.core.outcome import Outcome
from hvctl.core.planner import make_plan
from hvctl.fleet.connect import Wire
from hvctl.fleet.reconcile import look
from hvctl.fleet.rolling import few_of, rolled
from mocks.bench import state_of, wishes_of
from mocks.failures import failure
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

NAMES = [f"hv{n:02}" for n in range(1, 11)]
INVENTORY = f"all: {{vars: {{hvctl_os: 2022, ansible_user: u}}, hosts: {{{', '.join(f'{n}: ' for n in NAMES)}}}}}\n"
PLAYBOOK = "- hosts: all\n  vms: [{name: web01, processor: {weight: 200}}]\n"
STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "state": "Off", "drives": [], "adapters": []}]}


@dataclass
class Fleet:
    """`changed`: hosts in the order in which they were changed. `meanwhile`: called when a host is about to be."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    hosts: dict[str, SimulatedHost] = field(
        default_factory=lambda: {n: SimulatedHost.from_yaml({**STATE, "name": n}) for n in NAMES}
    )
    changed: list[str] = field(default_factory=list)
    meanwhile: Callable[[str], None] = lambda name: None

    def connect(self, connection: Connection, wire: Wire) -> Transport:
        fleet, name = self, connection.name

        class Told(TwinTransport):
            def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
                if batch.mode == "change":
                    fleet.meanwhile(name)
                    fleet.changed.append(name)
                return super().run(batch, on_event)

        return Told(self.hosts[name])

    def hvctl(self, *words: str) -> tuple[int, str, str]:
        status = main(["--forks", "1", *words], self.connect)
        out, err = self.capsys.readouterr()
        return status, out, err

    def apply(self, *words: str) -> tuple[int, str, str]:
        return self.hvctl("apply", "lab.yml", "--auto-approve", "--no-history", *words)

    def weights(self) -> dict[str, int]:
        return {n: h.state.vms[0].processor.relative_weight for n, h in self.hosts.items()}

    def fails(self, name: str) -> None:
        self.hosts[name].failures.add(failure("Set-VMProcessor:times=always"))

    def batches(self, err: str) -> list[str]:
        return [line for line in err.splitlines() if line.startswith("Batch ")]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    monkeypatch.chdir(tmp_path)
    for name, value in {"NO_COLOR": "1", "COLUMNS": "160", "XDG_STATE_HOME": str(tmp_path / "state")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HVCTL_INVENTORY", raising=False)
    (tmp_path / "inventory.yml").write_text(INVENTORY)
    (tmp_path / "lab.yml").write_text(PLAYBOOK)
    return Fleet(tmp_path, capsys)


def test_a_canary_then_a_few_then_the_rest(fleet: Fleet) -> None:
    status, out, err = fleet.apply("--serial", "1,30%,100%")
    assert (status, fleet.changed) == (0, NAMES), out + err
    assert fleet.batches(err) == [
        "Batch 1 of 3: hv01",
        "Batch 2 of 3: hv02, hv03, hv04",
        "Batch 3 of 3: hv05, hv06, hv07, hv08, hv09, hv10",
    ]
    assert "In 3 batches of 1, 3, 6 hosts; the first: hv01" in err
    assert set(fleet.weights().values()) == {200}


def test_a_failed_canary_leaves_the_others_alone(fleet: Fleet) -> None:
    fleet.fails("hv01")
    status, out, err = fleet.apply("--serial", "1,100%")
    assert status == 6  # left undone, and a step failed
    assert fleet.changed == ["hv01"]
    assert set(fleet.weights().values()) == {100}
    assert "Stopped after batch 1 of 2: 1 host failed, and --max-failures allows none." in err
    assert "Failed (1): hv01\n" in err
    assert "Done: none\n" in err
    assert err.endswith("→ run the same command again: it looks at the hosts first, and does what is left\n")
    assert "Not begun (9): hv02, hv03, hv04, hv05, hv06, hv07, hv08, hv09, hv10\n" in err
    assert "hv02  not begun: too many hosts of earlier batches failed (1 step)" in out


def test_so_many_failures_are_borne_as_are_allowed(fleet: Fleet) -> None:
    for name in ("hv02", "hv05"):
        fleet.fails(name)
    status, _, err = fleet.apply("--serial", "2", "--max-failures", "1")
    assert status == 6
    assert fleet.changed == NAMES[:6]
    assert "Stopped after batch 3 of 5: 2 hosts failed, more than --max-failures 1 allows." in err
    assert "Done (4): hv01, hv03, hv04, hv06\n" in err
    assert "Not begun (4): hv07, hv08, hv09, hv10\n" in err


def test_a_stop_within_a_batch_tells_what_was_begun_from_what_was_not() -> None:
    """The first of the batch was done and seen, one was done, one is half done, one failed before, one was not begun."""
    desired = wishes_of(1)
    host = SimulatedHost.from_yaml({**state_of(1), "vms": []})
    plan = make_plan(desired, look(TwinTransport(host), desired), frozenset())
    ok = [StepResult(step, "ok") for step in plan.steps]
    half = [*ok[:1], *(StepResult(step, "skipped", why="stopped") for step in plan.steps[1:])]
    reports = {
        "a": Report(plan, tuple(ok), after=plan),
        "b": Report(plan, tuple(ok)),
        "c": Report(plan, tuple(half), stopped=True),
        "d": Report(plan, (StepResult(plan.steps[0], "failed"),), after=plan),
        "e": not_begun(plan),
    }
    said: list[str] = []
    found = rolled(
        [Outcome(name, plan) for name in "abcde"], [tuple("abcde")], 0,
        lambda some, again: [replace(one, report=reports[one.host]) for one in some], lambda: True, said.append,
    )  # fmt: skip
    assert [one.report for one in found] == list(reports.values())
    assert said[1:-1] == [
        "Done (1): a",
        "Done, not seen afterwards (1): b",
        "Broken off (1): c",
        "Failed (1): d",
        "Not begun (1): e",
    ]


def test_a_batch_of_many_is_told_by_its_first(fleet: Fleet) -> None:
    status, _, err = fleet.apply("--serial", "100%")
    assert (status, fleet.batches(err)[0].count("hv")) == (0, 10)
    assert few_of([f"h{n}" for n in range(900)]) == "h0, h1, h2, h3, h4, h5, h6, h7, h8 and 891 more"


def test_each_batch_but_the_first_is_planned_again(fleet: Fleet) -> None:
    """Somebody renames the VM of hv03 while hv01 is being changed: what was planned is not what would be done now."""

    def rename(name: str) -> None:
        if name == "hv01":
            assert not fleet.hosts["hv03"].invoke("Rename-VM", {"Name": "web01", "NewName": "other"}, "Stop").errors

    fleet.meanwhile = rename
    status, out, err = fleet.apply("--serial", "2,1")
    assert status == 2
    assert "hv03" not in fleet.changed
    assert "hv03  refused: something has changed since the plan was made" in out
    assert "Stopped after batch 2 of 9" in err
    assert "Failed (1): hv03\n" in err


def test_a_play_says_its_batches_and_the_command_line_overrules_it(fleet: Fleet) -> None:
    (fleet.folder / "lab.yml").write_text(PLAYBOOK.replace("all\n", "all\n  serial: [1, 50%]\n"))
    assert fleet.batches(fleet.apply()[2]) == [
        "Batch 1 of 3: hv01",
        "Batch 2 of 3: hv02, hv03, hv04, hv05, hv06",
        "Batch 3 of 3: hv07, hv08, hv09, hv10",
    ]
    for host in fleet.hosts.values():
        host.state.vms[0].processor.relative_weight = 100
    assert fleet.batches(fleet.apply("--serial", "5")[2])[-1] == "Batch 2 of 2: hv06, hv07, hv08, hv09, hv10"


def test_hosts_in_sync_are_in_no_batch(fleet: Fleet) -> None:
    for name in NAMES[:8]:
        fleet.hosts[name].state.vms[0].processor.relative_weight = 200
    assert fleet.batches(fleet.apply("--serial", "1")[2]) == ["Batch 1 of 2: hv09", "Batch 2 of 2: hv10"]
    assert fleet.batches(fleet.apply("--serial", "1")[2]) == []


def test_without_batches_nothing_is_said_of_them(fleet: Fleet) -> None:
    status, _, err = fleet.apply()
    assert (status, fleet.changed) == (0, NAMES)
    assert "atch" not in err


def test_a_report_tells_what_was_not_begun(fleet: Fleet) -> None:
    fleet.fails("hv01")
    status, out, _ = fleet.apply("--serial", "1", "--json")
    assert status == 6
    hosts = {one["host"]: one for one in json.loads(out)["hosts"]}
    assert {s["status"] for s in hosts["hv02"]["report"]["steps"]} == {"skipped"}
    assert hosts["hv02"]["report"]["steps"][0]["why"] == "too many hosts of earlier batches failed"


def test_a_plan_file_names_the_batches_of_its_play(fleet: Fleet) -> None:
    (fleet.folder / "lab.yml").write_text(PLAYBOOK.replace("all\n", "all\n  serial: [1, 100%]\n"))
    _, _, err = fleet.hvctl("plan", "lab.yml", "--out", "lab.plan")
    assert "hvctl apply lab.plan --serial 1,100%" in err
    status, _, err = fleet.hvctl("apply", "lab.plan", "--serial", "1,100%", "--auto-approve", "--no-history")
    assert (status, len(fleet.batches(err))) == (0, 2)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("0", "lab.yml:2:11: serial: 0 is not a size of a batch: 1 or more; write such as 2, 10% or [1, 10%, 100%]"),
        ("[1, 200%]", "lab.yml:2:11: serial: 200% is not a size of a batch: 1% to 100%"),
        ("some", "lab.yml:2:11: serial: some is not a number of hosts, nor a percentage of them"),
        (
            "１",
            "lab.yml:2:11: serial: １ is not a number of hosts, nor a percentage of them; write 1 in half-width characters",
        ),
        ("[]", "lab.yml:2:11: serial: no size of a batch is written"),
        ("{a: 1}", "lab.yml:2:11: serial: a batch is a number of hosts, or a percentage of them"),
    ],
)
def test_what_is_no_size_is_refused_at_its_place(fleet: Fleet, written: str, said: str) -> None:
    (fleet.folder / "lab.yml").write_text(PLAYBOOK.replace("all\n", f"all\n  serial: {written}\n"))
    status, _, err = fleet.hvctl("validate", "lab.yml")
    assert status == 1
    assert said in err


def test_a_wrong_option_is_refused_before_any_host_is_asked(fleet: Fleet) -> None:
    assert "the comma ， (U+FF0C) in it is full-width: type 1,10%" in fleet.apply("--serial", "１，１０％")[2]
    assert "(U+FF52) in it is full-width: type restart" in fleet.apply("--allow", "ｒｅｓｔａｒｔ")[2]
    status, _, err = fleet.apply("--serial", "1,none")
    assert (status, fleet.changed) == (1, [])
    assert "--serial 1,,2: no size of a batch is written; say" in fleet.apply("--serial", "1,,2")[2]
    status, _, err = fleet.apply("--max-failures", "3")
    assert (status, fleet.changed) == (1, [])
    assert "--max-failures has no effect without batches; say --serial too, such as" in err
    status, _, err = fleet.apply("--serial", "1,none")
    assert "--serial 1,none: none is not a number of hosts, nor a percentage of them; say such as --serial 2" in err
