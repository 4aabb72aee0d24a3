"""A fault of hvctl itself for one host: the others go on, everything is written, its traceback is told, exit 70."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hvctl.call import Batch, Event, Reply, Transport, TransportError
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.core.check import Check
from hvctl.core.facts import Facts
from hvctl.core.outcome import Outcome, exit_status
from hvctl.core.planner import make_plan
from hvctl.core.status import FAULT, TROUBLE
from hvctl.fleet.connect import Wire
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.monitor.news import Known, news
from hvctl.show.metrics import state
from hvctl.show.text import plan_lines
from mocks.host import SimulatedHost
from mocks.hostile import HostileTransport
from mocks.twin import TwinTransport
from tests.harness import wished

INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: !env HVCTL_TEST_PASSWORD}
  hosts:
    hv01: {hvctl_os: 2022}
    hv02: {hvctl_os: 2022}
    hv03: {hvctl_os: 2022}
"""
PLAYBOOK = """
- name: lab
  hosts: all
  allow: [restart]
  vms:
    - name: web01
      processor: {count: 4, weight: 200}
      memory: {startup: 1GB}
"""
STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "state": "Off", "drives": [], "adapters": []}]}
NAMES = ("hv01", "hv02", "hv03")


class Faulty(TwinTransport):
    """Code of hvctl that fails: at reading, or when the changes have run."""

    def __init__(self, host: SimulatedHost, mode: str) -> None:
        super().__init__(host)
        self._mode = mode

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        replies = super().run(batch, on_event)
        if batch.mode == self._mode:
            raise ZeroDivisionError("nobody thought of that")
        return replies


class LookingFails(TwinTransport):
    """Code of hvctl that fails at the look after the changes."""

    changed = False

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        if self.changed:
            raise ZeroDivisionError("nobody thought of that")
        self.changed = batch.mode == "change"
        return super().run(batch, on_event)


class Lab:
    """Three hosts; hv02 is served otherwise."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], hv02: Callable[[SimulatedHost], Transport]):
        self.hosts = {name: SimulatedHost.from_yaml({**STATE, "name": name}) for name in NAMES}
        self._folder, self._capsys, self._hv02 = folder, capsys, hv02
        (folder / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
        (folder / "lab.yml").write_text(PLAYBOOK, encoding="utf-8")

    def connect(self, connection: Connection, wire: Wire) -> Transport:
        host = self.hosts[connection.name]
        return self._hv02(host) if connection.name == "hv02" else TwinTransport(host)

    def hvctl(self, *words: str) -> tuple[int, str, str]:
        status = main([*words, "--report", f"json={self._folder / 'report.json'}"], self.connect)
        return status, *self._capsys.readouterr()

    @property
    def report(self) -> Any:
        return json.loads((self._folder / "report.json").read_text(encoding="utf-8"))

    def count(self, name: str) -> int:
        return int(self.hosts[name].state.vms[0].processor.count)


@pytest.fixture
def lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Callable[[SimulatedHost], Transport]], Lab]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", "s3cret-in-tests")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return lambda hv02: Lab(tmp_path, capsys, hv02)


@pytest.mark.parametrize("verb", ["plan", "drift"])
def test_a_fault_while_a_host_is_read_is_told_and_the_others_are_planned(lab: Any, verb: str) -> None:
    at = lab(lambda host: Faulty(host, "read"))
    status, out, _ = at.hvctl(verb, "lab.yml")
    assert status == FAULT
    assert "hv02  failed: hvctl itself failed: ZeroDivisionError: nobody thought of that" in out
    assert "Traceback (most recent call last):" in out
    assert "test_defects.py" in out
    assert out.count("processor web01") == 2
    assert "1 failed" in out
    assert at.report["exit_status"] == FAULT
    found = {h["host"]: h for h in at.report["hosts"]}
    assert [found[name]["state"] for name in NAMES] == ["differs", "failed", "differs"]
    assert "ZeroDivisionError" in found["hv02"]["error"]["trace"]
    assert found["hv01"]["error"] is None


def test_every_report_has_the_traceback_at_its_host(lab: Any, tmp_path: Path) -> None:
    at = lab(lambda host: Faulty(host, "read"))
    files = {name: tmp_path / f"report.{name}" for name in ("html", "junit", "markdown")}
    at.hvctl("plan", "lab.yml", *(w for name, file in files.items() for w in ("--report", f"{name}={file}")))
    texts = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    for text in texts.values():
        assert text.count("Traceback (most recent call last):") == 1
        assert "ZeroDivisionError: nobody thought of that" in text
    assert "A fault of hvctl itself; there is something to do." in texts["html"] + texts["markdown"]
    assert 'type="defect"' in texts["junit"]


def test_a_fault_after_the_changes_ran_says_what_ran_as_far_as_it_is_known(lab: Any) -> None:
    at = lab(lambda host: Faulty(host, "change"))
    status, out, _ = at.hvctl("apply", "-y", "lab.yml")
    assert status == FAULT
    assert [at.count(name) for name in NAMES] == [4, 4, 4]
    found = {h["host"]: h for h in at.report["hosts"]}
    assert [found[name]["state"] for name in NAMES] == ["applied", "failed", "applied"]
    report = found["hv02"]["report"]
    assert {s["status"] for s in report["steps"]} == {"unknown"}
    assert "hvctl itself failed while the changes ran: ZeroDivisionError" in report["error"]["message"]
    assert report["left"] == [], "it was looked at again, and nothing is left"
    assert "Traceback" in out


def test_a_fault_at_the_look_afterwards_does_not_hide_what_ran(lab: Any) -> None:
    at = lab(LookingFails)
    status, out, _ = at.hvctl("apply", "-y", "lab.yml")
    assert status == FAULT
    report = next(h for h in at.report["hosts"] if h["host"] == "hv02")["report"]
    assert {s["status"] for s in report["steps"]} == {"ok"}
    assert "hvctl itself failed after the changes" in report["error"]["message"]
    assert report["left"] is None
    assert "Traceback" in out


def test_what_was_seen_is_remembered_although_hvctl_failed_for_one_host(lab: Any) -> None:
    at = lab(lambda host: Faulty(host, "read"))
    assert at.hvctl("drift", "lab.yml")[0] == FAULT
    status, _, err = at.hvctl("drift", "lab.yml")
    assert status == FAULT
    assert "warning" not in err
    remembered = [
        c["since"] for h in at.report["hosts"] if h["plan"] for a in h["plan"]["actions"] for c in a["changes"]
    ]
    assert remembered
    assert all(remembered)
    since = {h["host"]: h["unreachable_since"] for h in at.report["hosts"]}
    assert since == dict.fromkeys(NAMES), "nobody says that a host was unreachable"


@pytest.mark.parametrize("verb", ["plan", "apply", "drift"])
@pytest.mark.parametrize("seed", range(6))
def test_a_hostile_host_is_its_own_trouble(lab: Any, seed: int, verb: str) -> None:
    at = lab(lambda host: HostileTransport(host, Random(seed)))
    status, out, err = at.hvctl(verb, "lab.yml", *(["-y"] if verb == "apply" else []))
    assert status in (0, 2, 4, 6), out + err
    assert "Traceback" not in out + err
    states = {h["host"]: h["state"] for h in at.report["hosts"]}
    assert {states["hv01"], states["hv03"]} == {"applied" if verb == "apply" else "differs"}
    assert set(states) == set(NAMES)


def test_a_report_that_cannot_be_rendered_keeps_neither_the_others_nor_the_history(lab: Any, tmp_path: Path) -> None:
    at = lab(TwinTransport)

    def connect(connection: Connection, wire: Wire) -> Transport:
        return Odd(at.hosts[connection.name])

    status = main(["drift", "lab.yml", "--report", f"html={tmp_path / 'a.html'},json={tmp_path / 'b.json'}"], connect)
    assert status == FAULT
    assert (tmp_path / "b.json").exists()
    assert not (tmp_path / "a.html").exists()
    assert "The html report was not written" in at.hvctl("drift", "lab.yml")[2]


class Odd(TwinTransport):
    """Counts its requests in a way that one renderer only can say."""

    @property
    def requests(self) -> int:
        return UnsaidNumber(3)


class UnsaidNumber(int):
    """A number that has no text."""

    def __format__(self, spec: str) -> str:
        raise ZeroDivisionError("no text")

    __str__ = __repr__ = lambda self: self.__format__("")


def test_a_fault_of_a_kind_makes_its_resource_unknown_and_is_told_as_a_defect() -> None:
    class Failing(Facts):
        """Facts whose reading fails as only code can."""

        def rows(self, query: Any) -> Any:
            if query.cmdlet == "Get-VMProcessor":
                raise NotImplementedError("reading that")
            return super().rows(query)

    wishes, _ = wished("- vms:\n    - {name: web01, processor: {count: 4}, memory: {startup: 1GB}}\n", ["restart"])
    facts = look(TwinTransport(SimulatedHost.from_yaml(STATE)), wishes)
    plan = make_plan(wishes, Failing(facts.os, facts.info, facts.replies), frozenset())
    verbs = {a.address.kind: a.verb for a in plan.actions}
    assert (verbs["processor"], verbs["memory"]) == ("unknown", "update")
    assert len(plan.defects) == 1
    assert "NotImplementedError: reading that" in plan.defects[0]
    assert exit_status([Outcome("hv01", plan)], changes_count=False) == FAULT


def test_what_cannot_be_read_and_has_no_name_has_its_traceback_at_hand() -> None:
    wishes, _ = wished("- vms:\n    - {name: web01, processor: {count: 4}, memory: {startup: 1GB}}\n", ["restart"])
    facts = look(TwinTransport(SimulatedHost.from_yaml(STATE)), wishes)

    class Puzzling(Facts):
        """Facts whose reading fails as data may make it."""

        def rows(self, query: Any) -> Any:
            if query.cmdlet == "Get-VMProcessor":
                return (["no row"],)
            return super().rows(query)

    plan = make_plan(wishes, Puzzling(facts.os, facts.info, facts.replies), frozenset())
    (action,) = [a for a in plan.actions if a.verb == "unknown"]
    assert action.remarks[0].message.startswith("the host answered what cannot be read (TypeError: ")
    assert not plan.defects
    assert exit_status([Outcome("hv01", plan)], changes_count=False) == TROUBLE
    short, long = ("\n".join(str(line) for line in plan_lines(plan, verbose=v)) for v in (False, True))
    assert "Traceback" not in short
    assert "Traceback (most recent call last):" in long


def test_a_host_for_which_hvctl_failed_is_neither_lost_nor_back() -> None:
    failed = Outcome("hv01", error=TransportError("hvctl itself failed", defect="Traceback"))
    when = datetime(2026, 1, 1, tzinfo=UTC)
    check = Check("drift", (), when, when, (failed,), FAULT)
    found, known = news(Known(lost=frozenset({"hv01"})), check)
    assert not found
    assert known.lost == {"hv01"}
    assert state(failed) == "unreadable"


def test_apply_never_raises_whatever_fails() -> None:
    wishes, _ = wished("- vms:\n    - {name: web01, processor: {count: 4}}\n", ["restart"])
    host = SimulatedHost.from_yaml(STATE)
    transport = Faulty(host, "change")
    report = apply_plan(make_plan(wishes, look(transport, wishes), frozenset()), wishes, transport)
    assert not isinstance(report, list)
    assert report.error is not None
    assert "ZeroDivisionError" in report.error.defect
    assert report.after is not None
    assert replace(report, error=None).failed, "its steps are not known to have run"
