"""An image of 40 GB is copied on the host: what is asked of its file over a second connection meanwhile, over the real wire,
whatever becomes of that connection."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.fleet import watching
from mocks.clock import RunningClock
from mocks.faults import Trouble
from mocks.host import SimulatedHost
from mocks.objects import ErrorAction, Outcome
from mocks.shells import Quotas
from mocks.tls import Authority
from tests.faults.rig import Rig, rig

STATE = r"""
os: 2022
name: HV01
volumes: {D: {free: 500GB, size: 1TB}}
vhds: {'D:\images\ws.vhdx': {size: 80GB, file_size: 40GB}}
folders: ['D:\web01']
"""
PLAYBOOK = r"""
- name: lab
  hosts: hv01
  vms:
    - name: web01
      generation: 2
      disks: [{at: scsi 0:0, path: 'D:\web01\os.vhdx', image: 'D:\images\ws.vhdx'}]
"""
APPLY = ("apply", "--auto-approve", "lab.yml")
PART = "os.hvctl-unfinished.vhdx"


@pytest.fixture
def host(
    folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    """Its 107 s of copying take two real ones, in which it is asked every tenth of one."""
    monkeypatch.setattr(watching, "EVERY_S", 0.1)
    with rig(folder, capsys, authority, state=STATE, playbook=PLAYBOOK) as at:
        at.endpoint.host = SimulatedHost.from_yaml(yaml.safe_load(STATE), RunningClock(50))
        yield at


def looks(at: Rig) -> list[str]:
    return [c.cmdlet for c in at.host.log if c.cmdlet == "Get-Item" and PART in str(c.params) and not c.errors]


def told(err: str) -> list[int]:
    """Percents of the copy."""
    return [int(line.partition(" % of 40.0 GB")[0].rpartition(" ")[2]) for line in err.splitlines() if " % of " in line]


def until(true: Callable[[], object], what: str = "") -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def closed(at: Rig) -> None:
    """The last look may end after the run."""
    until(lambda: not at.endpoint.shells.open, "a shell stays open")


def test_its_percent_and_the_time_left_are_told(host: Rig) -> None:
    said = host.hvctl(*APPLY)
    assert said.status == 0, said
    percents = told(said.err)
    assert len(percents) >= 2, said.err
    assert percents == sorted(percents) and percents[-1] < 100
    assert all(line.endswith(" left") for line in said.err.splitlines() if " % of " in line), said.err
    assert len(looks(host)) > 3
    assert host.done()["Copy-Item"] == 1
    closed(host)


def test_a_destination_of_the_whole_length_is_asked_for_once_and_tells_nothing(host: Rig) -> None:
    host.host.state.long_at_once = True
    said = host.hvctl(*APPLY)
    assert said.status == 0, said
    assert told(said.err) == []
    assert len(looks(host)) == 1
    closed(host)


def test_where_there_is_no_second_shell_the_copy_goes_on(host: Rig) -> None:
    host.endpoint.shells.quotas = Quotas(1)
    said = host.hvctl(*APPLY)
    assert said.status == 0, said
    assert told(said.err) == []
    assert looks(host) == []
    assert host.done()["Copy-Item"] == 1


def test_looks_that_are_cut_off_are_left_out(host: Rig) -> None:
    """The plan reads in the first shell, which the apply goes on with."""
    host.endpoint.faults.troubles.append(Trouble("Create", "reset", nth=2, times=1000))
    said = host.hvctl(*APPLY)
    assert said.status == 0, said
    assert told(said.err) == []
    assert host.done()["Copy-Item"] == 1


def test_the_end_is_not_waited_for(host: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is done while the host still owes the answer to the first look."""
    invoke, slow = host.host.invoke, iter([20.0])

    def slowly(cmdlet: str, params: Mapping[str, Any], error_action: ErrorAction = "Stop") -> Outcome:
        if cmdlet == "Get-Item" and PART in str(params) and host.done()["Copy-Item"]:
            time.sleep(next(slow, 0.0))
        return invoke(cmdlet, params, error_action)

    monkeypatch.setattr(host.host, "invoke", slowly)
    before = time.monotonic()
    said = host.hvctl(*APPLY)
    assert said.status == 0, said
    assert next(slow, None) is None, "it was asked"
    assert time.monotonic() - before < 18
    assert told(said.err) == []


@pytest.mark.parametrize("shells", [2, 30])
def test_a_stop_is_not_held_up(host: Rig, shells: int) -> None:
    """Ctrl-C while it is copied: the step is finished, and nothing is asked any more. Where the host has two shells, the one
    that tells it to stop is the one that looks were made in. Its copying takes four seconds, so that the stop comes in time."""
    host.endpoint.host = SimulatedHost.from_yaml(yaml.safe_load(STATE), RunningClock(25))
    host.endpoint.shells.quotas = Quotas(shells)
    seen: list[int] = []

    def interrupts() -> None:
        until(lambda: looks(host))
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        seen.append(len(looks(host)))

    thread = threading.Thread(target=interrupts, daemon=True)
    thread.start()
    said = host.hvctl(*APPLY)
    thread.join(20)
    assert said.status == 130, said
    assert host.done()["Copy-Item"] == 1
    assert host.done()["Rename-Item"] == 0
    assert len(looks(host)) == seen[0]
    closed(host)
