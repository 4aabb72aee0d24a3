"""Judges Hyper-V on a host and the rights to manage it: role, module, service, hypervisor, account (domain 1.3)."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.contract import at_least
from hvctl.core.facts import ABSENT_CMDLET
from hvctl.doctor.cause import Cause
from hvctl.doctor.evidence import Examination
from hvctl.doctor.questions import COMPUTER, Told, is_denied
from hvctl.kinds._host import HOST
from hvctl.text.quoting import literal


def hyper_v(e: Examination, told: Told) -> Iterator[Cause]:
    failure = told.failure(HOST)
    absent = failure is not None and any(word in failure.kind for word in ABSENT_CMDLET)
    if absent or told.feature("Hyper-V") not in ("", "Installed"):
        yield _not_installed(told)
        return
    status = told.service("vmms")
    if status and status != "Running":
        yield Cause(
            "vmms_stopped", "hyper_v", "blocks", f"the service of Hyper-V, vmms, is {status.lower()}",
            "Start-Service vmms", "host",
        )  # fmt: skip
    elif told.first(COMPUTER).get("HypervisorPresent") is False:
        yield Cause(
            "hypervisor_off", "hyper_v", "blocks",
            "the hypervisor does not run, so no VM starts: virtualization is off in the firmware, or a restart is due",
            "bcdedit /set hypervisorlaunchtype auto  # then restart the host", "host", "likely",
        )  # fmt: skip
    elif failure is not None and not is_denied(failure):
        yield Cause(
            "hyper_v_fails", "hyper_v", "blocks", f"Hyper-V does not answer: {failure}", "Restart-Service vmms", "host",
            "possible", (str(failure),),
        )  # fmt: skip


def _not_installed(told: Told) -> Cause:
    role = told.feature("Hyper-V")
    if role == "Installed":
        return Cause(
            "module_missing", "hyper_v", "blocks", "the host has the role Hyper-V and not its PowerShell module",
            "Install-WindowsFeature Hyper-V-PowerShell", "host",
        )  # fmt: skip
    if role == "InstallPending":
        return Cause(
            "restart_due", "hyper_v", "blocks", "the role Hyper-V is installed when the host has restarted",
            "Restart-Computer", "host",
        )  # fmt: skip
    return Cause(
        "role_missing", "hyper_v", "blocks", "the host does not have the role Hyper-V",
        "Install-WindowsFeature Hyper-V -IncludeManagementTools -Restart", "host", "certain" if role else "likely",
    )  # fmt: skip


def rights(e: Examination, told: Told) -> Iterator[Cause]:
    """Without them an inventory reads as empty, so the host itself is asked about (domain 1.3)."""
    assert e.facts is not None
    account = e.facts.info.user or (e.connection.user if e.connection else None) or "ACCOUNT"
    failure = told.failure(HOST)
    if failure is not None and is_denied(failure):
        yield Cause(
            "not_hyper_v_administrator", "rights", "blocks",
            f"{account} may not manage Hyper-V: it is in neither 'Hyper-V Administrators' nor 'Administrators'",
            _member(e, "S-1-5-32-578", "Hyper-V Administrators", account), "host",
        )  # fmt: skip
        return
    denied = told.denied(e.asked)
    if denied:
        more = f" and {len(denied) - 5} more" if len(denied) > 5 else ""
        yield Cause(
            "reads_denied", "rights", "limits",
            f"{account} manages Hyper-V, and may not read what lies beside it: {', '.join(denied[:5])}{more}; what rests on "
            "that is unknown to hvctl",
            _member(e, "S-1-5-32-544", "Administrators", account), "host",
        )  # fmt: skip


def _member(e: Examination, sid: str, group: str, account: str) -> str:
    """Names of groups are localised; their SIDs are not."""
    if e.facts is not None and at_least(e.facts.os, "2016"):
        return f"Add-LocalGroupMember -SID {sid} -Member {literal(account)}"
    return f"net localgroup {literal(group)} {literal(account)} /add"
