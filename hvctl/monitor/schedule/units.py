"""A job as the two units of a systemd timer."""

from __future__ import annotations

import re

from hvctl.core.status import SKIPPED
from hvctl.monitor.schedule.cron import Cron
from hvctl.monitor.schedule.job import CHANGING, Job
from hvctl.text.duration import spoken
from hvctl.text.visible import quoted

PREFIX = "hvctl-drift-"
SECTION = "X-hvctl"  # systemd ignores sections that begin with X- (systemd.unit(5))
_AFTER_GRACE = 60  # for the history, which waits up to 30 s for others, and the reports
_HARDENED = ("LockPersonality=yes", "RestrictRealtime=yes", "RestrictSUIDSGID=yes")
# Only for the system's manager, since a user's cannot do it without more rights. No PrivateTmp: a Kerberos ticket cache
# is in /tmp. No ProtectHome and not "strict": playbooks, history and reports are where the user wants them.
_HARDENED_SYSTEM = (
    "ProtectSystem=full",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
)


def units(job: Job, *, system: bool) -> dict[str, str]:
    """File name -> text. Raises ValueError for what a unit cannot hold."""
    stem = PREFIX + job.name
    return {f"{stem}.service": _service(job, system), f"{stem}.timer": _timer(job)}


def _service(job: Job, system: bool) -> str:
    network = ["Wants=network-online.target", "After=network-online.target"] if system else []
    # A check needs no rights of its own, but a program that is asked for a secret may.
    hardened = [*([] if job.own_programs else ["NoNewPrivileges=yes", *_HARDENED]), *(_HARDENED_SYSTEM * system)]
    return _unit(
        Unit=[f"Description={_plain(f'hvctl {job.about}: ' + ', '.join(job.playbooks))}", *network],
        Service=[
            "Type=oneshot",
            *([f"User={_plain(job.run_as)}"] if job.run_as else []),
            f"WorkingDirectory={_plain(job.folder)}",
            *(f"Environment={_quoted(f'{name}={value}')}" for name, value in job.environment),
            *([f"EnvironmentFile=-{_plain(_one_file(job.secrets_file))}"] if job.secrets_file else []),
            f"ExecStart={' '.join([_word(job.command[0], program=True), *map(_word, job.command[1:])])}",
            # What differs is a finding, and a check that was told to stop is no failure: 130 by Ctrl-C, 143 by SIGTERM.
            # What a change has left undone is one.
            f"SuccessExitStatus={'' if job.verb in CHANGING else '2 '}{SKIPPED} 130 143",
            # hvctl alone is told; a program that it asks for a secret, or what is left of it, ends with it.
            "KillMode=mixed",
            "KillSignal=SIGTERM",
            f"TimeoutStopSec={job.grace + _AFTER_GRACE}s",
            *hardened,
        ],
    )


def _timer(job: Job) -> str:
    match job.when:
        case Cron():
            # What was missed while the machine was off is made up for once.
            when = [*(f"OnCalendar={text}" for text in job.when.calendars()), "Persistent=true"]
        case int():
            when = ["OnBootSec=1min", f"OnUnitActiveSec={job.when}s"]
    return _unit(
        Unit=[f"Description={_plain(f'hvctl {job.about}, {job.rhythm}: ' + ', '.join(job.playbooks))}"],
        Timer=[
            *when,
            "AccuracySec=1s",
            *([f"RandomizedDelaySec={job.splay}s"] if job.splay else []),
        ],
        Install=["WantedBy=timers.target"],
        **{SECTION: [f"Job={job.note()}"]},
    )


def _unit(**sections: list[str]) -> str:
    return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())


def _plain(text: str) -> str:
    """A value that is the rest of its line; only specifiers are looked for in it."""
    if text != text.strip() or text.endswith("\\"):
        raise ValueError(
            f"{quoted(text)} cannot stand in a unit: it begins or ends with a blank or ends with a backslash"
        )
    return text.replace("%", "%%")


def _word(text: str, *, program: bool = False) -> str:
    """One word of a command line (systemd.service(5), "Command lines"). Variables are not looked for in the path of
    the program itself, so its $ stays single; and systemd takes no quotes and backslashes there, however written."""
    if program and set(text) & set("\"'\\"):
        raise ValueError(
            f"systemd starts no program with quotes or a backslash in its path: {text}; install it elsewhere"
        )
    return _quoted(text if program else text.replace("$", "$$"))


def _quoted(text: str) -> str:
    """One word of a setting: quotes and C escapes, then specifiers. A $ means nothing (systemd.exec(5), Environment=)."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if not text or set(text) & set(" \t\"'\\;#$") else text


def _one_file(path: str) -> str:
    """EnvironmentFile= takes a pattern as of glob(7) (systemd.exec(5)); this one matches the path alone."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def described(rhythm: str, splay: int) -> str:
    """When it runs, in words."""
    return rhythm + (f", up to {spoken(splay)} later" if splay else "")
