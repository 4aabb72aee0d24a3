"""SIGTERM and Ctrl-C, once or twice, at any moment of an apply: the report is there and true, nothing is ended on the host,
and the next apply converges."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from mocks.catalogue import fault_named
from mocks.tls import Authority
from tests.faults.process import Process
from tests.faults.rig import Rig, rig
from tests.soak.test_kills import Moment, moments

__all__ = ["moments"]
SEEDS = range(150) if os.environ.get("HVCTL_SOAK") else (2, 7, 19, 30)
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_stopped_apply_tells_the_truth_and_is_finished_by_the_next(
    seed: int, moments: list[Moment], folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    chance = random.Random(seed)
    first, second = (chance.choice(moments) for _ in range(2))
    numbers = chance.choices((signal.SIGINT, signal.SIGTERM), k=2)
    at_all = {first: numbers[0]} | ({second: numbers[1]} if chance.random() < 0.3 else {})
    slow = f"slow-step:nth={chance.randint(1, 9)},seconds={chance.choice((0.3, 1.5))}"
    with rig(folder, capsys, authority, [fault_named(slow)] if chance.random() < 0.7 else []) as at:
        came, status, said = stopped(at, at_all, chance.choice(("0s", "1s", "1m")))
        assert "Traceback" not in said, said
        assert status in {*(STATUS[number] for number in came), 0 if came else status}, (at_all, status, said)
        (host,) = json.loads((folder / "r.json").read_text(encoding="utf-8"))["hosts"]
        again = at.hvctl("apply", "--auto-approve", "lab.yml", "--json")
        at.ends()
        assert again.status == 0, (at_all, again.out[-3000:], again.err)
        assert at.done()["New-VM"] == 1
        if host["report"] is not None:
            true(host["report"], at)
        # A shell whose id never reached hvctl cannot be closed by anybody; it goes by its idle timeout.
        assert at.endpoint.shells.open <= any(moment[0] == "Create" for moment in at_all)


def true(report: dict[str, Any], at: Rig) -> None:
    """What the report calls done was done, what it calls not done was never begun: by the journal of the first apply."""
    journal = next(iter(at.endpoint.disk.journals.values()), [])
    begun = {entry["step"] for entry in journal if entry["at"] == "before"}
    ended = {entry["step"]: entry["ok"] for entry in journal if entry["at"] == "after"}
    for step in report["steps"]:
        match step["status"]:
            case "ok":
                assert ended.get(step["id"]) is True, (step, journal)
            case "failed":
                assert ended.get(step["id"]) is False, (step, journal)
            case "skipped" if not step["why"].startswith("needs"):
                assert step["id"] not in begun, (step, report["steps"], report["error"], report["stopped"])


def stopped(at: Rig, moments: dict[Moment, signal.Signals], grace: str) -> tuple[list[signal.Signals], int, str]:
    """An apply to which signals come; those that did, its exit status and what it said."""
    running: list[Process] = []
    started, came = threading.Event(), list[signal.Signals]()
    left = dict(moments)

    def watch(action: str, phase: str, nth: int) -> None:
        number = left.pop((action, phase, nth), None)
        if number is not None:
            started.wait(60)
            came.append(number)
            running[0].signal(number)

    at.endpoint.faults.watch = watch
    running.append(at.start("apply", "--auto-approve", "--grace", grace, "lab.yml", "--report", "json=r.json"))
    started.set()
    status = running[0].wait()
    at.endpoint.faults.watch = None
    return came, status, running[0].said
