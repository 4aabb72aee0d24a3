"""Judges why WinRM's shell does not open, or breaks (operations 4, ranks 10 to 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hvctl.config.connection import Connection
from hvctl.doctor.account import Account
from hvctl.doctor.cause import Cause
from hvctl.doctor.evidence import Examination, Symptom
from hvctl.doctor.judge_logon import filtered_token
from hvctl.doctor.judge_port import not_winrm
from hvctl.text.quoting import literal

_QUOTAS: Mapping[int, tuple[str, str, str]] = {
    2150859173: ("shells_full", "the account has as many shells open as it may", r"Shell\MaxShellsPerUser 30"),
    2150859174: (
        "operations_full",
        "the account has as many operations under way as it may",
        r"Service\MaxConcurrentOperationsPerUser 1500",
    ),
    2150859179: ("users_full", "as many accounts have shells open as may", r"Shell\MaxConcurrentUsers 10"),
}
"""winrm 2.4; the values are those of Windows Server 2012 R2 (3.1)."""


def denied(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    """Fault 5 after a log on that was accepted (operations 4, rank 10)."""
    account = Account.of(at.user or "")
    name = literal(at.user or "ACCOUNT")
    yield Cause(
        "shell_denied", "shell", "blocks",
        f"{at.user or 'the account'} may log on, but WinRM's shell does not admit it: it is in neither Administrators nor "
        "the RootSDDL (Remote Management Users are not enough)",
        f"net localgroup Administrators {name} /add", "host",
    )  # fmt: skip
    if account.is_local(at.host, at.name) and not account.is_builtin_administrator:
        yield filtered_token("shell")


def disabled(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    if fault.code in (403, 404):
        yield from not_winrm(e, at, fault)
        return
    yield Cause(
        "shells_disabled", "shell", "blocks", "remote shells are switched off there, by setting or by policy",
        r"Set-Item WSMan:\localhost\Shell\AllowRemoteShellAccess $true", "host",
    )  # fmt: skip


def quota(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    name, says, setting = _QUOTAS.get(fault.code, ("quota_full", "the host is at one of WinRM's quotas", ""))
    command = rf"Set-Item WSMan:\localhost\{setting}" if setting else "Restart-Service WinRM"
    yield Cause(name, "shell", "blocks", f"{says} ({fault.code})", command, "host", "certain" if setting else "likely")


def too_large(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "envelope_small", "shell", "blocks", "the host takes no messages of the size that hvctl needs",
        r"Set-Item WSMan:\localhost\MaxEnvelopeSizekb 500", "host",
    )  # fmt: skip
