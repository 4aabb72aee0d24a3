"""The contract as data: versions, modules, classes, enums, and that it is what its source gives."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

from hvctl.contract import VERSIONS, Contract, at_least, contract, nearest, os_of_build, title
from tests import requirements
from tests.contract.test_bindings import disagreement, parsed

SCRIPT = Path(__file__).parent.parent.parent / "scripts/trim_contract.py"


def test_the_trimmed_contract_is_current() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, requirements.contract(), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_agrees_with_the_engine_about_every_cmdlet() -> None:
    folder = requirements.contract()
    full = runpy.run_path(str(SCRIPT))["trimmed"](folder)
    disagreements = []
    for os in VERSIONS:
        facts = Contract(os, full[os], full["types"])
        lines = (folder / f"bindings/{os}.jsonl").read_text("utf-8").splitlines()
        disagreements += [f"{os}: {found}" for line in lines if (found := disagreement(facts, parsed(line)))]
    assert not disagreements, "\n".join(disagreements)


def test_builds_name_versions() -> None:
    assert [os_of_build(b) for b in (9200, 9600, 14393, 17763, 20348, 26100)] == list(VERSIONS)
    assert os_of_build(19041) is None
    assert nearest(19041) == "2019"
    assert nearest(7601) is None
    assert nearest(99999) == "2025"


def test_versions_have_an_order_and_a_title() -> None:
    assert at_least("2016", "2012r2")
    assert not at_least("2012", "2012r2")
    assert title("2012r2") == "Windows Server 2012 R2"
    assert title("2025") == "Windows Server 2025"


def test_what_a_version_does_not_have_is_absent() -> None:
    assert contract("2012").knows("Set-VMFirmware") == "absent"
    assert contract("2012").cmdlet("Set-VMFirmware") is None
    assert contract("2012r2").knows("set-vmfirmware") == "present"


def test_modules_have_their_real_names() -> None:
    facts = contract("2016")
    assert facts.module_of("get-vm") == "Hyper-V"
    assert facts.module_of("Get-NetAdapter") == "NetAdapter"
    assert facts.module_of("Test-Path") == "Microsoft.PowerShell.Management"
    assert facts.module_of("Get-Volume") == "Storage"


def test_enums_have_the_members_of_the_version() -> None:
    assert contract("2012").enums["OnOffState"].number == {"On": 0, "Off": 1}
    assert "PMEM" not in contract("2016").enums["ControllerType"].members
    assert contract("2019").enums["ControllerType"].number["PMEM"] == 2
    assert contract("2012").enums["BootDevice"].members == ("CD", "Floppy", "IDE", "LegacyNetworkAdapter")


def test_classes_have_their_properties() -> None:
    machine = contract("2016").classes["VirtualMachine"]
    assert machine.full_name == "Microsoft.HyperV.PowerShell.VirtualMachine"
    assert machine.properties["ProcessorCount"] == "Int64"


def test_every_cmdlet_can_be_read() -> None:
    for os in VERSIONS:
        facts = contract(os)
        for name in facts.cmdlets:
            cmdlet = facts.cmdlet(name)
            assert cmdlet is not None
            assert cmdlet.sets
            assert cmdlet.default_set is None or cmdlet.default_set in cmdlet.sets
