"""kill -9 of hvctl at any moment of an apply: the host's journal explains what it had done, the next run says so,
closes what was left open, and converges; every VM is made once."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mocks.catalogue import fault_named
from mocks.tls import Authority
from tests.faults.process import Process
from tests.faults.rig import Rig, rig

SEEDS = range(200) if os.environ.get("HVCTL_SOAK") else random.Random(42).sample(range(200), 5)
Moment = tuple[str, str, int]


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[list[Moment]]:
    """Every moment of an apply that is left alone, by its name, so that a seed means the same one again."""
    found: set[Moment] = set()
    folder = tmp_path_factory.mktemp("undisturbed")
    with rig(folder, None, authority) as at, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HVCTL_TEST_PASSWORD", at.password)
        patch.setenv("XDG_STATE_HOME", str(folder / "home"))
        at.endpoint.faults.watch = lambda action, phase, nth: found.add((action, phase, nth))
        assert at.start("apply", "--auto-approve", "lab.yml").wait() == 0
    yield sorted(m for m in found if m[0] not in ("connect", "read", "headers"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_killed_apply_is_explained_and_finished_by_the_next(
    seed: int, moments: list[Moment], folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    chance = random.Random(seed)
    moment = chance.choice(moments)
    # In every other run a step takes so long that the batch still runs when the next hvctl comes.
    slow = f"slow-step:nth={chance.randint(1, 9)},seconds=0.6"
    with rig(folder, capsys, authority, [fault_named(slow)] if seed % 2 else []) as at:
        killed = kill_at(at, moment)
        again = at.hvctl("apply", "--auto-approve", "lab.yml", "--json")
        at.ends()
        assert again.status == 0, (moment, again.out[-3000:], again.err)
        explained(at)
        assert at.done()["New-VM"] == 1
        if killed and moment[0] == "invoke":
            assert "an earlier apply was broken off here: " in again.err, (moment, again)
        # A shell whose id never reached the client cannot be closed by anybody; it goes by its idle timeout.
        unknown = moment[0] == "Create"
        assert at.endpoint.shells.open <= unknown, moment


def kill_at(at: Rig, moment: Moment) -> bool:
    """Runs an apply up to the moment, and whether it came to it."""
    running: list[Process] = []
    started, came = threading.Event(), threading.Event()

    def watch(action: str, phase: str, nth: int) -> None:
        if (action, phase, nth) == moment and not came.is_set():
            came.set()
            started.wait(60)
            running[0].kill()

    at.endpoint.faults.watch = watch
    running.append(at.start("apply", "--auto-approve", "lab.yml"))
    started.set()
    running[0].wait()
    at.endpoint.faults.watch = None
    return came.is_set()


def explained(at: Rig) -> None:
    """What was called is what the journals say was begun, and what they call done was done."""
    journals: list[list[dict[str, Any]]] = list(at.endpoint.disk.journals.values())
    begun = Counter(e["cmdlet"] for journal in journals for e in journal if e["at"] == "before")
    steps = {e["step"]: e["cmdlet"] for journal in journals for e in journal if e["at"] == "before"}
    ended = Counter(
        steps[e["step"]]
        for journal in journals
        for e in journal
        if e["at"] == "after" and e["ok"] and e["step"] in steps
    )
    called = Counter(at.changes())
    assert called <= begun
    assert at.done() - ended <= begun - ended
