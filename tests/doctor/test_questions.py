"""Doctor's questions: reads of the contract on every version, and answered alike by the runner in PowerShell and its twin."""

from __future__ import annotations

from typing import Any

import pytest

from hvctl.call import Transport
from hvctl.contract import OS, VERSIONS, check
from hvctl.contract.verdict import ACCEPTED
from hvctl.core.facts import read_batch
from hvctl.doctor.questions import ALWAYS, FEATURES
from hvctl.fleet.connect import allowed
from mocks.engine import EngineTransport
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.conftest import Engines
from tests.doctor.rig import HEALTHY

QUESTIONS = (*ALWAYS, FEATURES)
STATE: dict[str, Any] = {
    **HEALTHY,
    "scheduled_tasks": [
        {"name": "check", "path": "\\ops\\", "execute": "cscript", "arguments": r"vms.vbs root\virtualization"},
        {"name": "other", "execute": "cmd"},
    ],
    "subscriptions": [
        {"name": "vms", "event_namespace": r"root\virtualization", "command": "notify.exe 日本語"},
        {"name": "old", "script": 'GetObject("winmgmts:root/virtualization")'},
    ],
    "cluster": {"roles": [{"name": "db01", "owner": "HV01"}]},
    "shell_quotas": {"shells": 5},
    "folders": [r"C:\ProgramData\hvctl\staging\run1"],
    "files": {r"C:\ProgramData\hvctl\owed\11111111-1111-1111-1111-111111111111.running.txt": 0},
}


def test_only_reads_that_hvctl_may_make_are_asked() -> None:
    may = allowed()
    for call in QUESTIONS:
        assert call.cmdlet in may
        assert call.cmdlet.startswith("Get-")


@pytest.mark.parametrize("os", VERSIONS)
@pytest.mark.parametrize("call", QUESTIONS, ids=str)
def test_each_binds_on_every_version(call: Any, os: OS) -> None:
    assert check(os, call) == ACCEPTED


def answers(transport: Transport) -> list[Any]:
    return [(list(map(dict, r.rows)), [f.id for f in r.failures]) for r in transport.run(read_batch(QUESTIONS))]


@pytest.mark.engine
@pytest.mark.parametrize("os", ["2012", "2012r2", "2022"])
@pytest.mark.parametrize("mode", ["FullLanguage", "ConstrainedLanguage"])
def test_powershell_answers_as_the_twin_does(os: OS, mode: Any, engines: Engines) -> None:
    state = {**STATE, "os": os, "vms": [] if os == "2012" else STATE["vms"]}
    twin = answers(TwinTransport(SimulatedHost.from_yaml(state), allowed()))
    real = answers(EngineTransport(engines(os, mode), SimulatedHost.from_yaml(state)))
    assert real == twin
    assert sum(len(rows) for rows, _ in twin) > 10
