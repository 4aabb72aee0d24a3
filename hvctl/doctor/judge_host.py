"""What keeps hvctl from working on a host that it can log on to: pure judging of what the host answered."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from hvctl.contract import nearest, title
from hvctl.doctor import judge_around, judge_folder, judge_hyper_v, wmi_v1
from hvctl.doctor.cause import Cause
from hvctl.doctor.clock import SKEW, clock_skew
from hvctl.doctor.evidence import Examination, Wanted
from hvctl.doctor.questions import SHELL_QUOTAS, Told
from hvctl.kinds._host import CLOCK, instant

MEMORY_MB = 256
"""A read takes up to 160 MB (winrm 7.6), without what the modules of Hyper-V add."""
PROCESSES = 2
"""cmd.exe and powershell.exe (winrm 3.2)."""


def of_host(e: Examination) -> Iterator[Cause]:
    if e.facts is None or e.connection is None:
        return
    told = Told(e.facts)
    yield from _powershell(e)
    hyper_v = [*judge_hyper_v.hyper_v(e, told)]
    yield from hyper_v
    if not hyper_v:
        yield from judge_hyper_v.rights(e, told)
    yield from _quotas(told, e.wanted)
    yield from _time(e, told)
    yield from judge_around.cluster(told)
    yield from judge_around.domain(e, told)
    yield from judge_around.replica(e)
    yield from judge_folder.folder(e, told)
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
    elif e.connection is not None and e.connection.os not in (None, e.facts.os):
        yield Cause(
            "version_differs", "powershell", "limits",
            f"the host is {title(e.facts.os)} (build {info.build}), and the inventory says hvctl_os: {e.connection.os}: "
            "playbooks are checked for the wrong version",
            f"hvctl_os: {e.facts.os}", "inventory",
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
