"""`hvctl schedule`: drift checks, applies, exports, and readings of meters, by systemd, cron or the Windows Task Scheduler."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.cells import cell_len

from hvctl.cli.app import app
from hvctl.cli.labels import Labels
from hvctl.cli.lazy import Verbs
from hvctl.cli.options import Allow, AtMost, Extra, History, Hours, Limit, Metrics, Report, Settings, Splay, Tags, Vms
from hvctl.cli.prepared import Asked
from hvctl.cli.scheduled import Wanted, job_of
from hvctl.history import HistoryError, Place, exists, place
from hvctl.history.scheduled import KILLED, ScheduledRun
from hvctl.language import listing, said
from hvctl.language.helped import helped
from hvctl.monitor.schedule.crontab import crontab
from hvctl.monitor.schedule.job import ABOUT, Job, Note, Verb, escaped
from hvctl.monitor.schedule.systemctl import ManagerError, stays_when_logged_out
from hvctl.monitor.schedule.systemd import Installed, Manager, named, outcome
from hvctl.monitor.schedule.taskxml import task
from hvctl.monitor.schedule.units import PREFIX, units
from hvctl.show.cells import padded
from hvctl.show.problems import problem_lines
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.duration import spoken
from hvctl.text.extras import missing, need
from hvctl.text.machine import this_machine
from hvctl.text.source import suggest
from hvctl.text.visible import quoted

Format = Literal["systemd", "cron", "taskxml"]
WORDS = (
    "timer",
    "next",
    "now",
    "log",
    "last",
    "system",
    "user",
    "not active",
    "by cron or otherwise",
    "checks",
    "reads the meters of",
    "applies",
    "exports what is due of",
    "allowed",
)
_WORD = 5
"""Columns of them."""

schedule = typer.Typer(
    cls=Verbs,
    help="Drift checks, applies, exports and readings of meters at fixed times.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(schedule, name="schedule")


@schedule.command()
def install(
    context: typer.Context,
    playbooks: Annotated[list[str], typer.Argument(metavar="PLAYBOOK...", help="Playbooks, in order.")],
    every: Annotated[str | None, typer.Option("--every", metavar="SPAN", help="Like 15m, 2h or 1d.")] = None,
    cron: Annotated[str | None, typer.Option("--cron", metavar="'M H D M W'", help="The five fields of cron.")] = None,
    splay: Splay = None,
    name: Annotated[str | None, typer.Option("--name", metavar="NAME", help="Instead of the playbooks' names.")] = None,
    form: Annotated[
        Format | None, typer.Option("--format", help="systemd installs a timer; the others are printed.")
    ] = None,
    system: Annotated[bool, typer.Option("--system/--user", help="The system's systemd, or the user's own.")] = False,
    run_as: Annotated[
        str | None, typer.Option("--run-as", metavar="USER", help="With --system: the account it runs as, not root.")
    ] = None,
    limit: Limit = None,
    tags: Tags = None,
    vms: Vms = None,
    extra: Extra = None,
    metrics: Metrics = None,
    notify: Annotated[
        list[str] | None,
        typer.Option("--notify", metavar="env:NAME|file:PATH", help="Where the Apprise URL is that hears of changes."),
    ] = None,
    report: Report = None,
    history: Annotated[
        str | None, typer.Option("--history", metavar="FILE|URL", help="Where checks are remembered.")
    ] = None,
    show: Annotated[bool, typer.Option("--print", help="Print the units and install nothing.")] = False,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Write what is printed to a file; a task as UTF-16.")
    ] = None,
    metering: Annotated[
        bool, typer.Option("--metering", help="Read the meters of the playbooks' hosts instead of checking them.")
    ] = False,
    labels: Labels = None,
    applying: Annotated[
        bool, typer.Option("--apply", help="Apply the playbooks, with the consents of --allow, instead of checking.")
    ] = False,
    exporting: Annotated[
        bool, typer.Option("--export", help="Make the exports of the playbooks that are due.")
    ] = False,
    allow: Allow = None,
    at_most: AtMost = None,
    hours: Hours = None,
) -> None:
    """Check, apply, export or read meters again and again, by systemd, cron or the Windows Task Scheduler. No host is
    asked now."""
    settings: Settings = context.obj
    form = form or ("taskxml" if sys.platform == "win32" else "systemd")
    if run_as and not (system and form == "systemd"):
        raise typer.BadParameter("--run-as needs --system and a timer of systemd")
    if out and form == "systemd":
        raise typer.BadParameter("--out is for cron and taskxml; a timer is installed, or printed by --print")
    verbs: dict[Verb, bool] = {"apply": applying, "export": exporting, "metering": metering}
    chosen = [verb for verb, said in verbs.items() if said]
    if len(chosen) > 1:
        raise typer.BadParameter(f"say one of {' and '.join(f'--{verb}' for verb in chosen)}")
    manager = Manager(system=system)
    wanted = Wanted(
        Asked.of(playbooks, limit, tags, extra, vms),
        name,
        every,
        cron,
        splay,
        metrics,
        tuple(notify or ()),
        tuple(report or ()),
        history,
        run_as or "",
        chosen[0] if chosen else "drift",
        tuple(labels or ()),
        tuple(allow or ()),
        at_most,
        hours,
    )
    job, warnings = job_of(settings, wanted, manager.config / "hvctl", form)
    match form:
        case "cron":
            _put(settings, crontab, job, out, "utf-8")
            settings.err.print("Add the line by `crontab -e`.")
        case "taskxml":
            _put(settings, lambda j: task(j, datetime.now()), job, out, "utf-16")
            file = out or "FILE"
            settings.err.print(
                ("" if out else "Save it as UTF-16 (--out FILE does).  ")
                + f"schtasks /Create /TN hvctl\\{job.name} /XML {file} /RU DOMAIN\\USER /RP *",
                soft_wrap=True,
            )  # fmt: skip
        case "systemd" if show:
            _put(
                settings,
                lambda j: "\n".join(f"# {file}\n{text}" for file, text in units(j, system=system).items()),
                job, None, "utf-8",
            )  # fmt: skip
        case "systemd":
            _install(settings, manager, job, place(history))
    for text in warnings:
        settings.err.print(f"warning: {text}", soft_wrap=True)


@schedule.command("list")
def show_list(context: typer.Context, history: History = None) -> None:
    """The timers of hvctl: what they check, when they ran and run. Lines of crontab and Windows tasks are known once they have
    run."""
    settings: Settings = context.obj
    now = datetime.now(UTC)
    found = [one for manager in _managers() for one in manager.installed(now)]
    ran = _ran_otherwise(settings, place(history), {(one.name, one.note.verb) for one in found})
    if not found:
        settings.out.print(
            "No timer of hvctl is installed. (Lines of crontab and Windows tasks are known once they have run.)",
            soft_wrap=True,
        )
    for line in (line for lines in (*map(_listed, found), *map(_remembered, ran)) for line in lines):
        settings.out.print(line, soft_wrap=True)


@schedule.command()
def remove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `hvctl schedule list` shows it.")],
    system: Annotated[bool | None, typer.Option("--system/--user", help="Where, if the name is in both.")] = None,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine",
            metavar="MACHINE",
            help="In the history alone: a line of crontab, a task, or a schedule of a machine that is gone or renamed.",
        ),
    ] = None,
    history: History = None,
) -> None:
    """Disable a timer and delete its units."""
    settings: Settings = context.obj
    if machine is not None:
        _forget(settings, place(history), name, machine)
        return
    managers = [m for m in _managers() if system is None or m.system == system]
    manager = named(managers, name)
    if manager is None:
        names = [one.name for m in managers for one in m.installed(datetime.now(UTC))]
        hint = suggest(name, names) or (f"there are {', '.join(names)}" if names else "none is installed")
        raise ConfigError([Diagnostic(None, f"there is no schedule {quoted(name)}", hint)])
    note = manager.note(name)
    assert note is not None
    try:
        files = manager.remove(name)
    except ManagerError as error:
        raise ConfigError([Diagnostic(None, str(error), error.hint)]) from error
    settings.out.print(f"Removed: {', '.join(map(str, files))}", soft_wrap=True)
    secrets = manager.config / "hvctl" / f"{name}.env"
    if secrets.exists():
        settings.out.print(f"{secrets} is left there; it is yours.", soft_wrap=True)
    _no_more(settings, place(history), name, note.verb)


def _forget(settings: Settings, where: Place, name: str, machine: str) -> None:
    """In the history a schedule of that machine is removed. Raises ConfigError."""
    need("history", "--machine")
    from hvctl.history.runs import remove_schedule  # the database's library is slow to import

    try:
        count = remove_schedule(where, name, machine, settings.now())
    except HistoryError as error:
        raise ConfigError([Diagnostic(None, error.message, error.hint)]) from error
    if not count:
        message = f"the history {where.name} knows no schedule {quoted(name)} of the machine {quoted(machine)}"
        raise ConfigError([Diagnostic(None, message, "name both as `hvctl serve` shows them")])
    settings.out.print(f"Removed in the history: {name} of {machine}", soft_wrap=True)


def _no_more(settings: Settings, where: Place, name: str, verb: Verb) -> None:
    """The history no longer waits for it. What keeps it from hearing of that is a warning."""
    if missing("history") or not exists(where):
        return
    from hvctl.history.runs import remove_schedule  # the database's library is slow to import

    try:
        remove_schedule(where, name, this_machine(), settings.now(), verb)
    except HistoryError as error:
        _warn(settings, error)


def _told(settings: Settings, where: Place, job: Job, again: datetime | None) -> None:
    """The history waits for the next run as the timer has it now. What keeps it from hearing of that is a warning."""
    if missing("history") or not exists(where):
        return
    from hvctl.history.runs import expect_schedule  # the database's library is slow to import

    try:
        expect_schedule(where, job.name, this_machine(), job.verb, again)
    except HistoryError as error:
        _warn(settings, error)


def _warn(settings: Settings, error: HistoryError) -> None:
    for line in problem_lines([Diagnostic(None, error.message, error.hint, "warning")]):
        settings.err.print(line, soft_wrap=True)


def _managers() -> list[Manager]:
    return [Manager(system=False), Manager(system=True)]


def _install(settings: Settings, manager: Manager, job: Job, where: Place) -> None:
    try:
        replaced = manager.install(job)
    except ManagerError as error:
        raise ConfigError([Diagnostic(None, str(error), error.hint)]) from error
    except ValueError as error:
        raise ConfigError([Diagnostic(None, str(error))]) from error
    again = next((o.next for o in manager.installed(datetime.now(UTC)) if o.name == job.name), None)
    _told(settings, where, job, again)
    unit = f"{PREFIX}{escaped(job.name)}"
    typed = shlex.quote(unit)
    user = "" if manager.system else " --user"
    lines = [
        f"{said('Changed:' if replaced else 'Installed:')} {listing((job.name, _when(job.rhythm, job.splay)))}",
        *_rows(
            ("timer", f"{manager.folder / unit}.timer"),
            *([("next", _clock(again))] if again else []),
            ("now", f"systemctl{user} start {typed}"),
            ("log", f"journalctl{user} -u {typed}"),
        ),
    ]
    if not manager.system and stays_when_logged_out() is False:
        lines.append("  It runs only while you are logged in; `loginctl enable-linger` lets it run always.")
    for line in lines:
        settings.out.print(line, soft_wrap=True)


def _put(settings: Settings, render: Callable[[Job], str], job: Job, out: str | None, encoding: str) -> None:
    try:
        text = render(job)
        if out is None:
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            Path(out).write_text(text, encoding=encoding, newline=os.linesep)
    except ValueError as error:
        raise ConfigError([Diagnostic(None, str(error))]) from error
    except OSError as error:
        raise ConfigError([Diagnostic(None, f"{out} cannot be written: {error.strerror}")]) from error
    if out is not None:
        settings.err.print(f"Written: {out}", soft_wrap=True)


def _ran_otherwise(settings: Settings, where: Place, timers: Collection[tuple[str, str]]) -> list[ScheduledRun]:
    """The last run of each schedule of this machine that is none of its timers, as the history has it."""
    if missing("history") or not exists(where):
        return []
    from hvctl.history.runs import schedules_of  # the database's library is slow to import

    try:
        found = schedules_of(where, this_machine())
    except HistoryError as error:
        _warn(settings, error)
        return []
    return [one for one in found if (one.schedule, one.verb) not in timers and one.removed is None]


def _remembered(one: ScheduledRun) -> list[str]:
    verb: Verb = next((verb for verb in ABOUT if verb == one.verb), "drift")
    ended = said("ended by force" if one.exit_status == KILLED else outcome(str(one.exit_status), verb))
    status = ended or f"{said('failed')} ({one.exit_status})"
    rows = [("last", listing((_clock(one.started), status)))]
    return [
        f"{one.schedule}   {said(one.rhythm)}   ({helped('by cron or otherwise')})",
        f"  {helped(Note(one.playbooks, one.rhythm, 0, verb).does)} {', '.join(one.playbooks)}",
        *_rows(*rows, *([("next", _clock(one.next))] if one.next else [])),
    ]


def _listed(one: Installed) -> list[str]:
    where = listing(map(helped, ("system" if one.system else "user", *(() if one.active else ("not active",)))))
    return [
        f"{one.name}   {_when(one.note.when, one.note.splay)}   ({where})",
        f"  {_does(one)} {', '.join(one.note.playbooks)}",
        *_rows(
            *([("last", listing(filter(None, (_clock(one.last), said(one.result)))))] if one.last else []),
            *([("next", _clock(one.next))] if one.next else []),
        ),
    ]


def _clock(moment: datetime) -> str:
    """In the zone of this machine."""
    return f"{moment.astimezone():%a %Y-%m-%d %H:%M:%S %Z}"


def _when(rhythm: str, splay: int) -> str:
    """As `described`, in the reader's language."""
    return listing((said(rhythm), *([said(f"up to {spoken(splay)} later")] if splay else [])))


def _does(one: Installed) -> str:
    verb, opening, rest = one.note.does.partition(" (allowed")
    return f"{helped(verb)} ({helped('allowed')}{rest}" if opening else helped(verb)


def _rows(*rows: tuple[str, str]) -> list[str]:
    """A word and what it is about, one below the other."""
    width = max((cell_len(helped(word)) for word, _ in rows), default=0)
    return [f"  {padded(helped(word), max(width, _WORD))}  {text}" for word, text in rows]
