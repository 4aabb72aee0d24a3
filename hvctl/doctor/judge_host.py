"""What keeps hvctl from working on a host that it can log on to: pure judging of what the host answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from shlex import quote

from hvctl.contract import at_least, nearest, title
from hvctl.core.facts import ABSENT_CMDLET
from hvctl.doctor import wmi_v1
from hvctl.doctor.cause import Cause
from hvctl.doctor.clock import SKEW, clock_skew
from hvctl.doctor.evidence import Examination, Wanted
from hvctl.doctor.questions import (
    COMPUTER,
    JOURNALS,
    NO_NAMESPACE,
    SHELL_QUOTAS,
    STAGED,
    VOLUMES,
    Told,
    has_code,
    is_denied,
)
from hvctl.kinds._cluster import ROLES
from hvctl.kinds._host import CLOCK, HOST, instant
from hvctl.kinds._owed import FILES as OWED
from hvctl.text.quoting import argument, literal

ROOM = 200 << 20
"""Bytes that journals and files on their way to guests should have on the system's drive; an estimate."""
MEMORY_MB = 256
"""A read takes up to 160 MB (winrm 7.6), without what the modules of Hyper-V add."""
PROCESSES = 2
"""cmd.exe and powershell.exe (winrm 3.2)."""
OLD_LEFT = timedelta(days=1)


def of_host(e: Examination) -> Iterator[Cause]:
    if e.facts is None or e.connection is None:
        return
    told = Told(e.facts)
    yield from _powershell(e)
    hyper_v = [*_hyper_v(e, told)]
    yield from hyper_v
    if not hyper_v:
        yield from _rights(e, told)
    yield from _quotas(told, e.wanted)
    yield from _time(e, told)
    yield from _cluster(told)
    yield from _domain(e, told)
    yield from _folder(e, told)
    yield from _wmi_v1(e, told)


# --- PowerShell -----------------------------------------------------------------------------------------------------


def _powershell(e: Examination) -> Iterator[Cause]:
    assert e.facts is not None
    info = e.facts.info
    if nearest(info.build) is None:
        yield Cause(
            "windows_old", "powershell", "blocks",
            f"{info.computer} runs {info.caption or 'a Windows'} of build {info.build}; hvctl knows Windows Server 2012 and "
            "later",
            f"hosts: all:!{e.host}", "playbook",
        )  # fmt: skip
    if info.powershell.partition(".")[0] in ("1", "2", "3"):
        yield Cause(
            "powershell_old", "powershell", "warns",
            f"its PowerShell is {info.powershell}, and hvctl is written for 4.0 and later",
            "Get-HotFix -Id KB3191565  # WMF 5.1; install it where this finds nothing", "host",
        )  # fmt: skip
    if info.language_mode and info.language_mode != "FullLanguage":
        yield Cause(
            "language_mode", "powershell", "limits" if e.wanted.guest_files else "warns",
            f"its PowerShell is in {info.language_mode} (WDAC or AppLocker): no file can be brought to the host for guests",
            "Get-AppLockerPolicy -Effective -Xml", "host",
        )  # fmt: skip


# --- Hyper-V and rights ---------------------------------------------------------------------------------------------


def _hyper_v(e: Examination, told: Told) -> Iterator[Cause]:
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


def _rights(e: Examination, told: Told) -> Iterator[Cause]:
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


# --- quotas ---------------------------------------------------------------------------------------------------------


def _quotas(told: Told, wanted: Wanted) -> Iterator[Cause]:
    needs = (
        ("shells_quota", "MaxShellsPerUser", wanted.shells, 30, _shells_needed(wanted)),
        ("processes_quota", "MaxProcessesPerShell", PROCESSES, 25, f"hvctl needs {PROCESSES} processes in a shell"),
        ("memory_quota", "MaxMemoryPerShellMB", MEMORY_MB, 1024, f"a read may take {MEMORY_MB} MB"),
    )
    for name, setting, least, usual, why in needs:
        value = told.number(SHELL_QUOTAS, setting)
        if value is not None and value < least:
            yield Cause(
                name, "quotas", "limits", f"{setting} of WinRM is {value:,} there, and {why}",
                rf"Set-Item WSMan:\localhost\Shell\{setting} {max(usual, least)}", "host",
            )  # fmt: skip


def _shells_needed(wanted: Wanted) -> str:
    if len(wanted.names) > 1:
        return (
            f"this run needs {wanted.shells} shells at a time: the inventory has {len(wanted.names)} names for this machine "
            f"({', '.join(wanted.names[:3])}{', …' if len(wanted.names) > 3 else ''})"
        )
    return f"hvctl needs {wanted.shells} shells at a time: one to work, one to stop what runs"


# --- time -----------------------------------------------------------------------------------------------------------


def _time(e: Examination, told: Told) -> Iterator[Cause]:
    time = told.first(CLOCK).get("LocalDateTime")
    try:
        ahead = instant(time) - e.now
    except ValueError:
        return
    if abs(ahead) > SKEW:
        yield clock_skew(ahead, kerberos=False)


# --- cluster and domain ---------------------------------------------------------------------------------------------


def _cluster(told: Told) -> Iterator[Cause]:
    status = told.service("ClusSvc")
    if status and status != "Running":
        yield Cause(
            "cluster_stopped", "cluster", "limits",
            f"the host is a node of a cluster whose service is {status.lower()} there: roles of other nodes are unknown",
            "Start-Service ClusSvc", "host",
        )  # fmt: skip
        return
    failure = told.failure(ROLES)
    if status and failure is not None and not has_code(failure, NO_NAMESPACE) and not is_denied(failure):
        yield Cause(
            "cluster_unread", "cluster", "limits", f"the cluster does not say which roles it has: {failure}",
            "Get-ClusterNode", "host", "possible", (str(failure),),
        )  # fmt: skip


def _domain(e: Examination, told: Told) -> Iterator[Cause]:
    assert e.facts is not None and e.connection is not None
    wanted, computer = e.wanted, told.first(COMPUTER)
    joined = computer.get("PartOfDomain")
    if joined is False and wanted.kerberos_migration:
        yield Cause(
            "not_in_domain", "domain", "limits",
            "the playbook wants live migration by Kerberos, and the host is in no domain",
            "Add-Computer -DomainName DOMAIN -Restart", "host",
        )  # fmt: skip
    elif joined is False and wanted.live_migration and e.facts.os != "2025":
        yield Cause(
            "not_in_domain", "domain", "limits",
            f"the playbook wants live migration, which on {title(e.facts.os)} needs a domain, and the host is in none",
            "Add-Computer -DomainName DOMAIN -Restart", "host",
        )  # fmt: skip
    elif wanted.kerberos_migration:
        # On both computer accounts (domain 14).
        yield Cause(
            "migration_delegation_unseen", "domain", "warns",
            "the playbook wants live migration by Kerberos, which needs constrained delegation for cifs and Microsoft Virtual "
            "System Migration Service: the host does not tell whether it has that",
            f"Get-ADComputer {argument(e.facts.info.computer)} -Properties msDS-AllowedToDelegateTo", "domain", "possible",
        )  # fmt: skip
    if not wanted.shares:
        return
    yield from _delegation(e, wanted.shares[0], joined=joined is not False)


def _delegation(e: Examination, share: str, *, joined: bool) -> Iterator[Cause]:
    """Whether the host may go on to another machine as the account that is logged on to it (winrm 3.4; operations 4, rank
    13). What the domain allows cannot be seen from the host."""
    assert e.facts is not None and e.connection is not None
    transport, options = e.connection.transport, e.connection.wiring.options
    if transport == "credssp" or (transport == "kerberos" and options.get("kerberos_delegation") is True):
        return
    if not joined:
        yield Cause(
            "share_without_domain", "domain", "limits",
            f"the playbook names {share}, and the host is in no domain: it reaches no other machine as this account",
            "Add-Computer -DomainName DOMAIN -Restart", "host",
        )  # fmt: skip
    elif transport == "kerberos":
        server = share.strip("\\").partition("\\")[0].partition(".")[0]
        yield Cause(
            "delegation_unseen", "domain", "warns",
            f"the playbook names {share}: the host reaches it as this account only where the domain lets it delegate",
            # The server trusts this host's account alone (resource-based constrained delegation).
            f"Set-ADComputer {argument(server)} -PrincipalsAllowedToDelegateToAccount "
            f"(Get-ADComputer {argument(e.facts.info.computer)})",
            "domain", "possible",
        )  # fmt: skip
    else:
        yield Cause(
            "double_hop", "domain", "limits",
            f"the playbook names {share}: from the host on, {transport} does not go further as this account; Kerberos can",
            "ansible_winrm_transport: kerberos", "inventory",
        )  # fmt: skip


# --- hvctl's own folder ---------------------------------------------------------------------------------------------


def _folder(e: Examination, told: Told) -> Iterator[Cause]:
    assert e.facts is not None
    account = e.facts.info.user or "ACCOUNT"
    failures = [f for call in (STAGED, JOURNALS, OWED) if (f := told.failure(call)) is not None]
    if any(is_denied(f) or f.kind.startswith("DirUnauthorizedAccess") for f in failures):
        yield Cause(
            "folder_denied", "folder", "limits",
            f"{account} may not read hvctl's folder, %ProgramData%\\hvctl: receipts of guest files and exports are unknown",
            f"icacls \"$env:ProgramData\\hvctl\" /grant {literal(f'{account}:(OI)(CI)RX')}", "host",
        )  # fmt: skip
    free = next((r.get("SizeRemaining") for r in told.rows(VOLUMES) if r.get("DriveLetter") == "C"), None)
    if isinstance(free, int) and free < ROOM:
        yield Cause(
            "disk_full", "folder", "limits",
            f"drive C: has {free >> 20} MB left: journals of changes, and files on their way to guests, may not fit",
            "Dism /Online /Cleanup-Image /StartComponentCleanup", "host",
        )  # fmt: skip
    owed = told.rows(OWED)
    staged = [row for row in told.rows(STAGED) if _age(row, told) > OLD_LEFT]
    if owed:
        yield Cause(
            "owed_start", "folder", "warns",
            f"hvctl took down {len(owed)} VM{'s' * (len(owed) != 1)} there and has not brought "
            f"{'them' if len(owed) > 1 else 'it'} up again",
            f"hvctl plan PLAYBOOK --limit {quote(e.host)}", "control node",
        )  # fmt: skip
    if staged:
        yield Cause(
            "staged_files", "folder", "warns",
            f"files that were on their way to guests lie there since more than a day ({len(staged)} runs)",
            'Remove-Item "$env:ProgramData\\hvctl\\staging\\*" -Recurse', "host",
        )  # fmt: skip


def _age(row: Mapping[str, object], told: Told) -> timedelta:
    """By the host's own clock."""
    try:
        return instant(told.first(CLOCK).get("LocalDateTime")) - instant(row.get("LastWriteTimeUtc"))
    except ValueError:
        return timedelta(0)


# --- WMI v1 ---------------------------------------------------------------------------------------------------------


def _wmi_v1(e: Examination, told: Told) -> Iterator[Cause]:
    found = wmi_v1.report(told)
    if not found.references:
        return
    when = "still works here, and will not on 2012 R2 and later" if found.present else "is not on this host any more"
    first = found.references[0]
    more = f" and {len(found.references) - 1} more" if len(found.references) > 1 else ""
    yield Cause(
        "wmi_v1_used", "wmi_v1", "warns",
        rf"something refers to WMI v1, root\virtualization, which {when}: {first}{more}",
        rf"hvctl --verbose doctor {quote(e.host)}  # names them; they need root\virtualization\v2, and calls of v2",
        "control node", "certain", (first,),
    )  # fmt: skip
