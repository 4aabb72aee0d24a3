"""From what was typed to a job: everything absolute, no secret in it, nothing that would fail at night."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from hvctl.cli.labels import labels_of
from hvctl.cli.nightly import window
from hvctl.cli.options import Settings
from hvctl.cli.prepared import Asked, allowed, prepared
from hvctl.cli.reported import Reports
from hvctl.cli.span import span
from hvctl.config.inventory.files import is_host_list
from hvctl.config.prepare import Prepared, find_inventory
from hvctl.config.secrets import PromptSource
from hvctl.config.vault import PasswordFile
from hvctl.core.impact import IMPACTS
from hvctl.fleet.stop import GRACE_S
from hvctl.history import place
from hvctl.language import spoken as spoken_language
from hvctl.monitor.notify import written_out
from hvctl.monitor.schedule.cron import Cron
from hvctl.monitor.schedule.job import CHANGING, Job, Verb, account_fault, name_fault, name_of, shown
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.duration import UNITS, written
from hvctl.text.extras import lacking
from hvctl.text.machine import MACHINE
from hvctl.text.source import SecretSource

_SPLAY = 300
_SETTINGS = ("HVCTL_NOTIFY", "HVCTL_HISTORY")
"""Options that are set in the environment where a schedule is installed, and would be missed where it runs."""
_KEPT = ("XDG_STATE_HOME", MACHINE)
"""The same, which are no secrets."""


@dataclass(frozen=True)
class Wanted:
    """`schedule install` as it was typed."""

    asked: Asked
    name: str | None
    every: str | None
    cron: str | None
    splay: str | None
    metrics: str | None
    notify: Sequence[str]
    report: Sequence[str]
    history: str | None
    run_as: str
    verb: Verb = "drift"
    labels: Sequence[str] = ()
    allow: Sequence[str] = ()
    at_most: int | None = None
    window: str | None = None

    @property
    def consents(self) -> tuple[str, ...]:
        """Raises ConfigError."""
        found = allowed(self.allow)
        return tuple(word for word in IMPACTS if word in found)

    @property
    def metering(self) -> bool:
        return self.verb == "metering"


def job_of(
    settings: Settings, wanted: Wanted, config: Path, form: Literal["systemd", "cron", "taskxml"]
) -> tuple[Job, list[str]]:
    """The job, and what somebody should know. Raises ConfigError with all that is wrong; no host is asked."""
    problems: list[Diagnostic] = []
    when = _when(wanted, problems)
    every = when if isinstance(when, int) else 0
    splay = span("--splay", wanted.splay)
    if splay is None:
        splay = min(every // 10, _SPLAY) if every else UNITS["m"]
    elif every and splay >= every:
        problems.append(Diagnostic(None, f"--splay {wanted.splay} is no less than --every {wanted.every}", "take less"))
    playbooks = tuple(_absolute(p) for p in wanted.asked.playbooks)
    name = wanted.name
    if name is None:  # the same playbooks may be checked too
        name = name_of(playbooks) + ("" if wanted.verb == "drift" else f"-{wanted.verb}")
    if fault := name_fault(name):
        problems.append(Diagnostic(None, f"--name {shown(name)}: {fault}"))
    problems += [
        Diagnostic(
            None,
            f"--notify no. {number} would put a URL with its secrets where everyone can read it",
            "write it into a file and say file:PATH, or env:NAME",
        )
        for number in written_out(wanted.notify)
    ]
    reports = Reports.asked(wanted.report)
    if reports.on_stdout:
        problems.append(Diagnostic(None, "--report …=-: a timer has no output to read it from", "name a file"))
    history = place(wanted.history)
    if history.name != (wanted.history or history.name) and "://" in history.url:
        hint = "set HVCTL_HISTORY in the file of the schedule's secrets instead"
        problems.append(
            Diagnostic(None, f"--history {history.name} would put a secret where everyone can read it", hint)
        )
    problems += _unfitting(wanted)
    problems += [] if wanted.metrics is None else lacking("metrics", "--metrics")
    problems += lacking("notify", "--notify") if wanted.notify and not wanted.metering else []
    problems += [] if wanted.history is None else lacking("history", "--history")
    if wanted.run_as and (fault := account_fault(wanted.run_as)):
        problems.append(Diagnostic(None, f"--run-as {shown(wanted.run_as)}: {fault}"))
    if settings.ask_pass:
        problems.append(Diagnostic(None, "there is nobody to ask by --ask-pass", "use !env, !command or !keyring"))
    if any(isinstance(source, PromptSource) for source in settings.vault.sources):
        problems.append(Diagnostic(None, "there is nobody to ask by --ask-vault-pass", "use --vault-password-file"))
    if problems:
        raise ConfigError(problems)
    work = prepared(settings, wanted.asked)
    try:
        job = _job(settings, wanted, name, playbooks, when, splay, config, form, work, reports)
    except ValueError as error:
        raise ConfigError([Diagnostic(None, str(error))]) from error
    return job, list(_warnings(job, work, form))


def _unfitting(wanted: Wanted) -> Iterator[Diagnostic]:
    """Options of the one that the other does not have."""
    if wanted.metering:
        given = (
            ("--tags", wanted.asked.tags),
            ("--vm", wanted.asked.vms),
            ("--notify", wanted.notify),
            ("--report", wanted.report),
        )
        for name, value in given:
            if value:
                yield Diagnostic(None, f"{name} is for drift checks, and --metering reads meters", f"leave {name} out")
    if wanted.verb in CHANGING:
        told = "the drift check of these playbooks tells it"
        for name, said in (("--notify", bool(wanted.notify)), ("--metrics", bool(wanted.metrics))):
            if said:
                yield Diagnostic(None, f"{name} is for checks, and --{wanted.verb} changes something", told)
    for name, said in (("--allow", bool(wanted.allow)), ("--at-most", wanted.at_most is not None)):
        if said and wanted.verb != "apply":
            yield Diagnostic(None, f"{name} is for --apply", "say --apply too, or leave it out")
    yield from _unfitting_hours(wanted)
    try:
        labels_of(wanted.labels, wanted.metrics)
    except ConfigError as error:
        yield from error.problems
    if wanted.labels and not wanted.metering:
        yield Diagnostic(None, "--labels are those of metering", "say --metering too")


def _unfitting_hours(wanted: Wanted) -> Iterator[Diagnostic]:
    """A window that is none, is for nothing, or is never open when the schedule is due."""
    if wanted.window is None:
        return
    try:
        hours = window(wanted.window)
    except ConfigError as error:
        yield from error.problems
        return
    if wanted.verb == "drift":
        yield Diagnostic(None, "--window is for --apply, --export and --metering", "a check may be made at any time")
    with suppress(ValueError):
        cron = Cron.parse(wanted.cron) if wanted.cron is not None else None
        day = datetime(2026, 1, 1)
        times = (day.replace(hour=h, minute=m) for h in cron.hours for m in cron.minutes) if cron else ()
        if hours is not None and cron and not any(map(hours.is_open, times)):
            message = f"--cron {shown(wanted.cron or '')} is never due within --window {wanted.window}"
            yield Diagnostic(None, message, "set a time within it")


def _job(
    settings: Settings,
    wanted: Wanted,
    name: str,
    playbooks: tuple[str, ...],
    when: int | Cron,
    splay: int,
    config: Path,
    form: str,
    work: Prepared,
    reports: Reports,
) -> Job:
    """Raises ValueError for a text that no schedule can hold."""
    environment = [(n, os.environ[n]) for n in _KEPT if os.environ.get(n) and form != "taskxml"]
    return Job(
        name,
        playbooks,
        _command(settings, wanted, name, playbooks, reports),
        str(Path.cwd()),
        when,
        splay,
        tuple(environment),
        _variables(work, wanted, form),
        str(config / f"{name}.env"),
        wanted.run_as,
        any(source.kind == "command" for source in _passwords(work)),
        round(settings.stop.grace),
        wanted.verb,
        wanted.consents,
    )


def _when(wanted: Wanted, problems: list[Diagnostic]) -> int | Cron:
    if (wanted.every is None) == (wanted.cron is None):
        problems.append(
            Diagnostic(None, "say either --every or --cron", "like --every 15m, or --cron '0 3 * * mon-fri'")
        )
        return 0
    try:
        if wanted.cron is not None:
            return Cron.parse(wanted.cron)
    except ValueError as error:
        problems.append(Diagnostic(None, f"--cron: {error}"))
        return 0
    every = span("--every", wanted.every) or 0
    if every < UNITS["m"]:
        problems.append(
            Diagnostic(
                None, f"--every {wanted.every} is too often for a timer", "take 1m or more, or `hvctl drift --every`"
            )
        )
    return every


def _command(
    settings: Settings, wanted: Wanted, name: str, playbooks: Sequence[str], reports: Reports
) -> tuple[str, ...]:
    asked = wanted.asked
    words = [*program()]
    words += ["--schedule", f"{name}={wanted.cron or written(span('--every', wanted.every) or 0)}"]
    for source in find_inventory(settings.inventory, asked.playbooks):
        words += ["-i", source if is_host_list(source) else _absolute(source)]
    words += ["--inventory-scripts"] if settings.inventory_scripts else []
    for password in settings.vault.sources:
        words += ["--vault-password-file", _absolute(password.path)] if isinstance(password, PasswordFile) else []
    words += ["--forks", str(settings.forks)] if settings.forks_said else []
    words += ["--processes", str(settings.processes)] if settings.processes is not None else []
    words += ["-" + "v" * settings.verbose] if settings.verbose else []
    words += ["--grace", written(settings.stop.grace)] if settings.stop.grace != GRACE_S else []
    words += ["--lang", spoken_language()] if spoken_language() != "en" else []
    words += [wanted.verb, "--exclusive", name.removesuffix(f"-{wanted.verb}") if wanted.verb in CHANGING else name]
    words += {"apply": ["--auto-approve"], "export": ["--due", "--auto-approve"]}.get(wanted.verb, [])
    words += ["--allow", ",".join(wanted.consents)] if wanted.consents else []
    words += ["--at-most", str(wanted.at_most)] if wanted.at_most is not None else []
    words += ["--window", wanted.window] if wanted.window is not None else []
    words += ["--limit", asked.limit] if asked.limit is not None else []
    for tag in asked.tags:
        words += ["--tags", tag]
    for pattern in asked.vms or ():
        words += ["--vm", pattern]
    for item in asked.extra:
        words += ["--extra-vars", f"@{_absolute(item[1:])}" if item.startswith("@") else item]
    words += ["--metrics", _absolute(wanted.metrics)] if wanted.metrics else []
    for label in labels_of(wanted.labels, wanted.metrics):
        words += ["--labels", label]
    for item in wanted.notify:
        target = f"file:{_absolute(item.removeprefix('file:'))}" if item.startswith("file:") else item
        words += ["--notify", target]
    for form, file in reports.wanted:
        words += ["--report", f"{form}={_absolute(file)}"]
    if wanted.history:
        words += ["--history", wanted.history if "://" in wanted.history else _absolute(wanted.history)]
    return (*words, *playbooks)


def program() -> tuple[str, ...]:
    """How this hvctl is started: the console script beside the Python that runs it, else that Python. Links are
    followed no further, since a virtual environment is one."""
    script = Path(sys.executable).with_name("hvctl.exe" if sys.platform == "win32" else "hvctl")
    # -P: what lies in the working folder is not taken for a module.
    return (str(script),) if script.exists() else (sys.executable, "-P", "-m", "hvctl")


def _absolute(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - a link stays one, so that it can be turned elsewhere


def _passwords(work: Prepared) -> list[SecretSource]:
    return [w.connection.password for w in work.work if isinstance(w.connection.password, SecretSource)]


def _variables(work: Prepared, wanted: Wanted, form: str) -> tuple[str, ...]:
    """Names of the variables that a check will look for."""
    named = [source.words[0] for source in _passwords(work) if source.kind == "env"]
    named += [item.removeprefix("env:") for item in wanted.notify if item.startswith("env:")]
    named += [name for name in _SETTINGS if os.environ.get(name) and (wanted.verb == "drift" or name != "HVCTL_NOTIFY")]
    named += [MACHINE] if form == "taskxml" and os.environ.get(MACHINE) else []
    return tuple(dict.fromkeys(named))


def _warnings(job: Job, work: Prepared, form: str) -> list[str]:
    found = []
    if job.secrets:
        names = ", ".join(f"{name}=…" for name in job.secrets)
        if form == "taskxml":
            found.append(f"the account of the task must have {names} among its environment variables")
        else:
            found += _about_file(Path(job.secrets_file), names, len(job.secrets))
    if any(source.kind == "keyring" for source in _passwords(work)):
        found.append("a keyring is open only while its user is logged in; !env or !command work without")
    if form == "taskxml" and sys.platform != "win32":
        found.append("the paths are of this machine, which is no Windows; make the task on the machine that runs it")
    return found


def _about_file(file: Path, names: str, count: int) -> list[str]:
    try:
        mode = file.stat().st_mode
    except FileNotFoundError:
        if count == 1:
            return [f"the check will want {names}: write it into {file}, and `chmod 600` that"]
        return [f"the check will want {names}: write them into {file}, a line each, and `chmod 600` it"]
    except OSError:
        return []
    return [f"{file} holds secrets and can be read by others: `chmod 600 {file}`"] if mode & 0o077 else []
