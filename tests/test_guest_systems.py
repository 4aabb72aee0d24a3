"""The table of guest systems, and that what its rules advise is right by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.config.playbook import read_playbook, wishes
from hvctl.contract import OS, VERSIONS
from hvctl.core.planner import make_plan
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.kinds._guest_systems import GUEST_SYSTEMS
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished


def test_each_row_says_where_it_is_from() -> None:
    for word, guest in GUEST_SYSTEMS.items():
        assert guest.source and all("://" in s or s.startswith("domain ") for s in guest.source), word
        assert guest.generations in ((1,), (2,), (1, 2)), word


def held(playbook: str, os: OS) -> list[str]:
    """Why the VM of a playbook is not made on an empty host of this version."""
    found, problems = wished(playbook)
    assert not problems
    wrong = [p.message for p in validate(found, os) if p.level == "error"]
    facts = look(TwinTransport(SimulatedHost.from_yaml({"os": os})), found)
    plan = make_plan(found, facts, frozenset())
    return wrong + [r.message for a in plan.actions for r in a.remarks if r.level != "warning"]


@pytest.mark.parametrize("os", VERSIONS[1:])
@pytest.mark.parametrize("word", GUEST_SYSTEMS)
def test_a_guest_can_be_made_as_the_rules_advise(word: str, os: OS) -> None:
    guest = GUEST_SYSTEMS[word]
    for generation in (1, 2):
        vm = f"- vms: [{{name: a, guest_os: {word}, generation: {generation}"
        told = held(vm + "}]", os)
        if generation not in guest.generations:
            assert any(f"does not start in a generation {generation} VM" in text for text in told), told
        elif generation == 1 or guest.family == "windows":
            assert not told
        else:
            assert any("secure boot" in text for text in told), told
            assert not held(vm + ", firmware: {secure_boot: false}}]", os)
            if guest.signed is not False and os != "2012r2":
                template = "secure_boot_template: microsoft_uefi_certificate_authority"
                assert not held(vm + f", firmware: {{secure_boot: true, {template}}}}}]", os)


EXAMPLE = Path(__file__).parent.parent / "playbooks" / "guests.yml"


@pytest.mark.parametrize("os", ["2022", "2025"])
def test_the_example_of_guests_is_made_in_one_apply(os: OS) -> None:
    found, problems = wishes(read_playbook(EXAMPLE)[0], {}, host="hv01")
    assert not problems
    assert not [p for p in validate(found, os) if p.level == "error"]
    disk = {r"D:\VMs\app01\os.vhdx": {"size": "64GB", "installed": True}}
    host = SimulatedHost.from_yaml({"os": os, "sku": 8, "volumes": {"C": {}, "D": {}}, "vhds": disk})
    transport = TwinTransport(host)
    report = apply_plan(make_plan(found, look(transport, found), frozenset()), found, transport)
    assert not isinstance(report, list)
    assert report.complete and report.after is not None and report.after.in_sync
    made = {vm.name: vm for vm in host.state.vms}
    assert made["desk01"].tpm_enabled and made["desk01"].encrypt_state
    assert made["tux01"].firmware.secure_boot_template == "MicrosoftUEFICertificateAuthority"
    text = made["app01"].guest.files[r"C:\setup\activate.cmd"].text or ""
    assert "/ipk W3GNR-8DDXR-2TFRP-H8P33-DV9BG" in text


def test_an_older_host_does_not_activate_the_example() -> None:
    found, _ = wishes(read_playbook(EXAMPLE)[0], {}, host="hv01")
    told = [p.message for p in validate(found, "2019") if p.level == "error"]
    assert told == ["Windows Server 2019 does not activate Windows Server 2022 by AVMA"]
