"""kill -9 of hvctl in the middle of a move between hosts, over the real wire: the hosts go on with the batch that they have,
and the next run says where the VM is and does the rest. It is moved once, it is on one host, and what it was owed is done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hvctl.core.status import DIFFERS, TROUBLE
from hvctl.fleet.leases import LASTS_S
from mocks.estate import Estate
from tests.faults.rig import PASSWORD
from tests.soak.test_replica_kills import ID, Lab, Watched

PLAY = r"""
- hosts: hv01, hv02
  vms:
  - {name: web01, on_host: hv02, storage: 'D:\VMs', notes: there}
"""
APPLY = ("apply", "--auto-approve", "--allow", "move,restart", "lab.yml")
# Of each: in what hvctl is killed, on which host, before or after the host has done it, and whether only a quick way is left.
MOMENTS = (
    ("Stop-VM", "hv01", "after", True),
    ("Move-VM", "hv01", "after", False),
    ("Move-VM", "hv01", "before", False),
    ("Set-VM", "hv02", "before", False),
    ("New-Item", "hv02", "after", True),
    ("Move-VM", "hv01", "after", True),
    ("Start-VM", "hv02", "before", True),
    ("Start-VM", "hv02", "after", True),
)
CHOSEN = MOMENTS if os.environ.get("HVCTL_SOAK") else MOMENTS[:1]
AT_MOST_ONCE = ("Move-VM", "Stop-VM", "Start-VM", "Set-VM")


class Pair(Lab):
    """Two hosts that may pass each other's VMs on. `quick`: of different makers, so that a VM has to be off on its way."""

    plays = PLAY

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], *, quick: bool) -> None:
        common: dict[str, Any] = {
            "os": "2022",
            "domain": "example.com",
            "virtual_machine_migration_enabled": True,
            "virtual_machine_migration_authentication_type": "Kerberos",
            "use_any_network_for_migration": True,
            "delegation": "any_protocol",
            "volumes": {"C": {}, "D": {"free": "100GB"}},
        }
        disk = {"at": "ide 0:0", "path": r"D:\VMs\web01.vhdx"}
        vm = {"name": "web01", "id": ID, "state": "Running", "drives": [disk], "adapters": []}
        there = {"processor_vendor": "AuthenticAMD"} if quick else {}
        one = {**common, "delegates_to": ["hv02"], "vms": [vm]}
        self.estate = Estate.from_data({"hosts": {"hv01": one, "hv02": {**common, **there, "delegates_to": ["hv01"]}}})
        for host in self.estate.hosts.values():
            host.__class__ = Watched
        self.folder, self.capsys = folder, capsys

    def where(self) -> list[list[tuple[str, str]]]:
        return [[(vm.state, vm.notes) for vm in host.state.vms] for host in self.estate.hosts.values()]


@pytest.fixture
def at_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", PASSWORD)
    monkeypatch.chdir(folder)


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize(("cmdlet", "host", "phase", "quick"), CHOSEN)
def test_a_killed_move_is_taken_up_by_the_next_run(
    cmdlet: str, host: str, phase: str, quick: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab = Pair(folder, capsys, quick=quick)
    with lab.served():
        lab.killed(APPLY, host, cmdlet, phase)
        status, said = lab.hvctl(*APPLY)
        assert status == 0, said
        assert lab.where() == [[], [("Running", "there")]], said
        done = lab.done()
        assert all(done[one] <= 1 for one in AT_MOST_ONCE), done
        assert lab.hvctl("drift", "lab.yml")[0] == 0
        assert lab.hvctl(*APPLY)[0] == 0, "once more does nothing"
        assert lab.done()["Move-VM"] == 1
        assert not [f for h in lab.estate.hosts.values() for f in h.state.files if "owed" in f], "nothing is owed"


@pytest.mark.usefixtures("at_work")
def test_what_was_killed_elsewhere_keeps_both_hosts_until_its_lease_is_over(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From here nobody sees whether that run is gone. It is told whose the hosts are and until when, and nothing is sent."""
    lab = Pair(folder, capsys, quick=False)
    with lab.served():
        monkeypatch.setenv("LOGNAME", "sato")
        lab.killed(APPLY, "hv01", "Move-VM", "before")
        monkeypatch.delenv("LOGNAME")
        status, said = lab.hvctl(*APPLY)
        assert status == DIFFERS + TROUBLE, said
        told = " ".join(said.split())
        assert "another apply has taken HV02 (" in told and "from sato@" in told and ", until 2026-04-01 00:15" in told
        assert lab.done()["Set-VM"] == 0, "nothing is sent"
        assert lab.hvctl("drift", "lab.yml")[0] in (0, 2), "reading is nobody's matter"
        lab.estate.clock.sleep(LASTS_S)
        status, said = lab.hvctl(*APPLY)
        assert (status, lab.where()) == (0, [[], [("Running", "there")]]), said
        assert lab.done()["Move-VM"] == 1
