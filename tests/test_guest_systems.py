"""The table of guest systems, and that what its rules advise is right by them."""

from __future__ import annotations

import pytest

from hvctl.contract import OS, VERSIONS
from hvctl.core.planner import make_plan
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import look
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
