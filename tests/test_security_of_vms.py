"""What a key protector is told by, and the template that a TPM of the same plan fixes."""

from __future__ import annotations

from typing import Any

import pytest

from hvctl.call import Failure, HostInfo, Reply
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.impact import IMPACTS
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.kinds._protection import is_protected, key_protector
from mocks.failures import failure
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

INFO = HostInfo("HV01", 20348, "", "5.1", "FullLanguage")


@pytest.mark.parametrize(
    ("rows", "there"),
    [
        ([{"Length": 4}], False),
        ([{"Length": 3562}], True),
        ([{}] * 4, False),  # byte by byte
        ([{}] * 3562, True),
        ([], False),  # some scripts test for null
    ],
)
def test_a_key_protector_is_told_by_its_length(rows: list[dict[str, Any]], there: bool) -> None:
    query = key_protector("a")
    assert is_protected(query, Facts("2022", INFO, {query: Reply(tuple(rows))})) is there


def test_one_that_cannot_be_read_is_not_known() -> None:
    query = key_protector("a")
    with pytest.raises(UnreadableError):
        is_protected(query, Facts("2022", INFO, {query: Reply(failures=(Failure("AccessDenied,X"),))}))


@pytest.mark.parametrize("more", ["", ", key_protector: local"])
def test_nothing_rests_on_a_key_protector_that_cannot_be_read(more: str) -> None:
    host = SimulatedHost.from_yaml({"os": "2022", "vms": [{"name": "a", "generation": 2}]})
    host.failures.add(failure("Get-VMKeyProtector:times=always"))
    found, _ = wished(f"- vms: [{{name: a, security: {{tpm: on{more}}}}}]")
    plan = make_plan(found, look(TwinTransport(host), found), frozenset(IMPACTS))
    assert not plan.steps
    said = [r.message for a in plan.actions for r in a.remarks]
    assert "whether the VM has a key protector could not be read, and it needs one" in said


def test_the_template_is_set_before_a_tpm_that_fixes_it() -> None:
    host = SimulatedHost.from_yaml({"os": "2022", "vms": [{"name": "a", "generation": 2}]})
    text = (
        "- vms: [{name: a, state: running, security: {tpm: on, key_protector: local}, "
        "firmware: {secure_boot_template: microsoft_uefi_certificate_authority}}]"
    )
    found, _ = wished(text)
    transport = TwinTransport(host)
    report = apply_plan(make_plan(found, look(transport, found), frozenset()), found, transport)
    assert not isinstance(report, list) and report.complete
    vm = host.state.vms[0]
    assert vm.tpm_initialized and vm.firmware.secure_boot_template == "MicrosoftUEFICertificateAuthority"
