"""Faults at random places, reboots at any step, two applies at any distance: the report is true, nothing is done twice,
and the next apply converges."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from mocks.catalogue import fault_named
from mocks.tls import Authority
from tests.faults.rig import honest, rig

SOAK = bool(os.environ.get("HVCTL_SOAK"))
ANYWHERE = (
    "reset-before", "reset-after", "fin-before", "fin-after", "http-503", "http-500-html", "http-401-once",
    "http-200-page", "fault-timed-out", "fault-busy", "fault-no-shell", "timed-out-done", "close-each", "shells-lost",
    "redirect", "endless-chunks", "gzip-bomb", "xml-entities",
)  # fmt: skip
AT = {
    "gap": "Receive", "replay": "Receive", "nothing": "Receive", "split": "Receive", "send-lost": "Send",
    "send-truncated": "Send", "send-twice": "Send", "die-1": "invoke", "die-memory": "invoke",
}  # fmt: skip


@pytest.mark.parametrize("seed", range(150) if SOAK else (3, 8))
def test_faults_at_random_places(
    seed: int, folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    chance = random.Random(seed)
    names = chance.sample([*ANYWHERE, *AT], 3)
    probable = f"nth=1,times={chance.randint(1, 4)},chance={chance.choice((0.05, 0.1, 0.2))}"
    faults = [fault_named(f"{name}:action={AT.get(name, '*')},{probable}") for name in names]
    way = chance.choice(("basic", "ntlm"))
    with rig(folder, capsys, authority, faults, seed=seed, transport=way) as at:
        for _ in range(2):
            said = at.hvctl("apply", "--auto-approve", "lab.yml", "--json")
            at.ends()
            assert said.status in (0, 4, 6), said
            if at.host.log and said.data["report"]:
                honest(at, said, names)
                at.host.log.clear()
        at.disarm()
        assert at.hvctl("apply", "--auto-approve", "lab.yml", "--json").status == 0
        assert [vm.name for vm in at.host.state.vms].count("web01") == 1


@pytest.mark.parametrize("seed", range(40) if SOAK else (5,))
def test_a_host_that_reboots_at_any_step_comes_back_and_is_reported(
    seed: int, folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    chance = random.Random(seed)
    phase, nth = chance.choice(("before", "after")), chance.randint(1, 9)
    away, vmms = chance.choice((0.05, 0.3, 1.0)), chance.choice((0, 30, 90))
    fault = fault_named(f"reboot:action=invoke,nth={nth},phase={phase},seconds={away},amount={vmms}")
    with rig(folder, capsys, authority, [fault], transport=chance.choice(("basic", "ntlm"))) as at:
        said = at.hvctl("apply", "--auto-approve", "lab.yml", "--json")
        at.ends()
        assert said.status in (0, 6), said
        assert said.data["report"]["left"] is not None, "the host was not seen after it came back"
        honest(at, said)
        at.disarm()
        assert at.hvctl("apply", "--auto-approve", "lab.yml", "--json").status == 0
        assert at.done()["New-VM"] == 1
        assert at.endpoint.shells.open == 0


@pytest.mark.parametrize("seed", range(25) if SOAK else ())
def test_two_applies_at_any_distance(
    seed: int, folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    chance = random.Random(seed)
    slow = fault_named(f"slow-step:nth=1,times=9,seconds={chance.choice((0.0, 0.05, 0.2))}")
    with rig(folder, capsys, authority, [slow], transport="ntlm") as at:
        first = at.start("apply", "--auto-approve", "lab.yml")
        time.sleep(chance.uniform(0, 1.5))
        second = at.start("apply", "--auto-approve", "lab.yml")
        for one in (first, second):
            held = "another apply holds the lock of HV01"
            assert one.wait() == 0 or held in one.said or " failed" in one.said, one.said
            assert "Traceback" not in one.said
        assert at.hvctl("apply", "--auto-approve", "lab.yml").status == 0
        assert at.done()["New-VM"] == 1
        assert at.endpoint.shells.open == 0
