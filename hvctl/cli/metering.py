"""The verb metering: what VMs used since their meters were read last."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

import typer

from hvctl.call import TransportError
from hvctl.cli.app import app
from hvctl.cli.drifting import alone
from hvctl.cli.elsewhere import refused
from hvctl.cli.labels import Labels, labels_of
from hvctl.cli.lazy import Verbs
from hvctl.cli.nightly import at_night
from hvctl.cli.options import Exclusive, Extra, Grace, History, Hours, Limit, Metrics, NoHistory, Settings, Splay
from hvctl.cli.prepared import Asked, extra_variables, inventory_of, prepared, run_of, warn, work_of
from hvctl.cli.remembered import remembering
from hvctl.cli.since import since as moment
from hvctl.cli.span import span
from hvctl.config.owners import owners_by_host
from hvctl.config.prepare import Prepared
from hvctl.core.resource import Index
from hvctl.core.status import SKIPPED, TROUBLE
from hvctl.fleet.meters import read_meters, reset_meters
from hvctl.fleet.run import Run
from hvctl.history import HistoryError
from hvctl.kinds._metering import OwnerOf
from hvctl.metering import HostReading, Reading
from hvctl.metering.stretch import Stretch
from hvctl.metering.subtraction import stretches
from hvctl.metering.usage import Usage, used
from hvctl.monitor.schedule.lock import LockedError
from hvctl.monitor.watch import RealClock, wait
from hvctl.show.metering import Measurement, measured_csv, measured_data, measured_lines
from hvctl.show.plain import plain
from hvctl.show.problems import problem_lines
from hvctl.show.screen import print_json
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.extras import need
from hvctl.text.files import why_not
from hvctl.text.machine import this_machine
from hvctl.text.visible import json_text

Form = Literal["table", "csv", "json"]
READ = "read"


class _DefaultVerb(Verbs):
    """`hvctl metering [PLAYBOOK…]` is `hvctl metering read [PLAYBOOK…]`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("--help",)):
            args = [READ, *args]
        found: list[str] = super().parse_args(ctx, args)
        return found


metering = typer.Typer(
    cls=_DefaultVerb,
    rich_markup_mode=None,
    help="Read what VMs used, and bill it. `hvctl metering [PLAYBOOK...]` reads the meters of these hosts, or of all.",
)
app.add_typer(metering, name="metering")


@metering.command(READ)
def read(
    context: typer.Context,
    playbooks: Annotated[
        list[str] | None, typer.Argument(metavar="[PLAYBOOK...]", help="Only the hosts of these playbooks.")
    ] = None,
    limit: Limit = None,
    extra: Extra = None,
    reset: Annotated[bool, typer.Option("--reset", help="Reset the meters when they are read and stored.")] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="What was used since then: 12h, 7d, a date.")
    ] = None,
    periods: Annotated[bool, typer.Option("--periods", help="Each period between two readings by itself.")] = False,
    form: Annotated[Form, typer.Option("--format", help="How it is printed.")] = "table",
    metrics: Metrics = None,
    labels: Labels = None,
    history: History = None,
    no_history: NoHistory = False,
    exclusive: Exclusive = None,
    splay: Splay = None,
    grace: Grace = None,
    hours: Hours = None,
) -> None:
    """Read the meters of all VMs, remember them, and show what was used since they were read last (or since TIME)."""
    needed = "--reset" if reset else "--since" if since is not None else None
    settings = remembering(context.obj, history, no_history, needed=needed)
    settings.follow(grace)
    context.with_resource(at_night(settings, hours, None))
    if reset and settings.elsewhere is not None:
        raise ConfigError([refused("metering --reset")])
    now = settings.now()
    start = None if since is None else moment(since, now)
    wanted = labels_of(labels, metrics)
    if reset and settings.history is None:
        hint = "leave out --no-history: what is reset is gone from the host, so it must be on record first"
        raise ConfigError([Diagnostic(None, "--reset without a history would lose what the meters have counted", hint)])
    if start is not None and settings.history is None:
        raise ConfigError([Diagnostic(None, "--since needs the readings of before", "leave out --no-history")])
    if metrics is not None and (why := why_not(metrics)):
        raise ConfigError([Diagnostic(None, f"--metrics {metrics} cannot be written: {why}", "name another file")])
    if metrics is not None:
        need("metrics", "--metrics")
    clock = RealClock()
    try:
        with alone(exclusive, clock):
            wait((span("--splay", splay) or 0) * clock.chance(), clock)
            asked = _Request(reset, start, periods, form, metrics, wanted)
            status = _read(settings, _work(settings, Asked.of(playbooks or (), limit, None, extra)), extra or (), asked)
    except LockedError as error:
        settings.err.print(
            f"Left out: {exclusive} is being read already by {error}. Nothing was looked at.",
            markup=False, soft_wrap=True,
        )  # fmt: skip
        raise typer.Exit(SKIPPED) from None
    raise typer.Exit(settings.stop.status or status)


@dataclass(frozen=True)
class _Request:
    reset: bool
    since: datetime | None
    periods: bool
    form: Form
    metrics: str | None
    labels: tuple[str, ...]


def _work(settings: Settings, asked: Asked) -> Prepared:
    """The hosts of the playbooks, or those of the inventory."""
    if asked.playbooks:
        return prepared(settings, asked)
    inventory = inventory_of(settings)
    over = extra_variables(asked.extra, settings.vault)
    work = tuple(work_of(settings, inventory, host, Index(), over) for host in inventory.select("all", asked.limit))
    warn(settings, dict.fromkeys(w for one in work for w in one.connection.warnings))
    return Prepared(work, (), inventory)


def _read(settings: Settings, work: Prepared, extra: Sequence[str], asked: _Request) -> int:
    assert work.inventory is not None
    over = extra_variables(extra, settings.vault)
    named = owners_by_host(work.inventory, (one.host for one in work.work), over)
    owners: dict[str, OwnerOf] = {host: one.of for host, one in named.items()}
    with run_of(settings, work, frozenset()) as run:
        found = settings.redactor.value(read_meters(run, owners, keep=asked.reset))
        looks = {host: look for host, look in found.items() if isinstance(look, HostReading)}
        failed = {host: error for host, error in found.items() if isinstance(error, TransportError)}
        at = settings.now()
        stored = _stored(settings, run, looks, at)
        measured = _measured(settings, run, looks, failed, asked, at)
        settings.tried(partial(_show, settings, run, work, measured, asked), None)
        trouble = bool(failed or not stored or any(w.wrong for w in work.work) or measured.problems)
        if asked.reset and not settings.stop.asked:
            if stored:
                trouble |= _reset(settings, run, owners, looks)
            else:
                settings.err.print("Nothing was reset: what the meters have counted is not on record.")
    if asked.metrics is not None and not settings.stop.asked:
        trouble |= _write_metrics(settings, work, plain(measured), asked)
    return TROUBLE if trouble else 0


def _stored(
    settings: Settings, run: Run, looks: Mapping[str, HostReading], at: datetime, *, after_reset: bool = False
) -> bool:
    """Whether all of it is on record. A history that is away is told."""
    if settings.history is None or not looks:
        return True
    from hvctl.history.meters import Meters  # the database's library is slow to import

    try:
        Meters(settings.history).write(
            looks.values(), run.addresses, at, after_reset=after_reset, machine=this_machine()
        )
    except HistoryError as error:
        problem = Diagnostic(None, f"{error.message}; these readings are not remembered", error.hint)
        for line in problem_lines([problem]):
            settings.err.print(line, soft_wrap=True)
        return False
    return True


def _reset(settings: Settings, run: Run, owners: Mapping[str, OwnerOf], looks: Mapping[str, HostReading]) -> bool:
    """Reset, and read again at once, so that the next reading has something to be compared with. Whether anything went
    wrong."""
    done = settings.redactor.value(reset_meters(run, looks))
    trouble, count = len(done) < len(looks), 0
    for host, one in done.items():
        if isinstance(one, TransportError):
            run.showing.error(host, one)
            trouble = True
            continue
        count += one.done
        trouble |= bool(one.problems)
        for problem in one.problems:
            settings.err.print(f"{host}: {plain(problem)}", markup=False, soft_wrap=True)
    again = settings.redactor.value(read_meters(run, owners, list(done)))
    after = {host: look for host, look in again.items() if isinstance(look, HostReading)}
    stored = _stored(settings, run, after, settings.now(), after_reset=True)
    settings.err.print(f"Reset: the meters of {count} VM{'s' * (count != 1)}{', not of all' * trouble}.")
    return trouble or not stored or len(after) < len(done)


def _measured(
    settings: Settings,
    run: Run,
    looks: Mapping[str, HostReading],
    failed: Mapping[str, TransportError],
    asked: _Request,
    now: datetime,
) -> Measurement:
    """What was used, by what is on record and what was read just now."""
    readings, all_looks = _on_record(settings, looks, asked.since)
    found = stretches(readings, all_looks)
    latest = {one.vm_id: one for one in readings if not one.replica} | {
        one.vm_id: one for look in looks.values() for one in look.readings if not one.replica
    }
    ends = [look.at for look in looks.values()]
    end = max(ends, default=now)
    start = asked.since or min((s.start for s in _last(found).values()), default=end)
    problems = {host: look.problems for host, look in looks.items() if look.problems}
    return Measurement(start, end, _usages(found, asked, end), latest, failed, problems)


def _on_record(
    settings: Settings, looks: Mapping[str, HostReading], since: datetime | None
) -> tuple[Sequence[Reading], Sequence[HostReading]]:
    now = tuple(looks.values())
    fresh = [one for look in now for one in look.readings]
    if settings.history is None or not now:
        return fresh, now
    from hvctl.history.meters import Meters  # the database's library is slow to import

    start = since or min(look.at for look in now)
    try:
        told = Meters(settings.history).told(start, max(look.at for look in now), list(looks))
    except HistoryError:
        return fresh, now  # it was told when it was written
    return told.readings, told.looks


def _usages(found: Sequence[Stretch], asked: _Request, end: datetime) -> tuple[Usage, ...]:
    if asked.periods:
        start = asked.since or min((s.start for s in _last(found).values()), default=end)
        chosen = [s for s in found if s.end > s.start and s.end > start] if asked.since else list(_last(found).values())
        usages = [u for s in chosen for u in used([s], max(s.start, start), s.end)]
    elif asked.since is not None:
        usages = list(used(found, asked.since, end))
    else:
        usages = [u for s in _last(found).values() for u in used([s], s.start, s.end)]
    return tuple(sorted(usages, key=lambda u: (u.host.casefold(), u.name.casefold(), u.start)))


def _last(found: Sequence[Stretch]) -> dict[tuple[str, str], Stretch]:
    """Of each VM what ended last; what is no longer there has used nothing since."""
    last: dict[tuple[str, str], Stretch] = {}
    for one in found:
        if any(event.kind == "gone" for event in one.events):
            last.pop((one.vm_id, one.where), None)
        else:
            last[one.vm_id, one.where] = one
    return last


def _show(settings: Settings, run: Run, work: Prepared, measured: Measurement, asked: _Request) -> None:
    measured = plain(measured)
    match asked.form:
        case "json":
            print_json(settings.out, json_text(measured_data(measured)))
        case "csv":
            sys.stdout.write(measured_csv(measured).replace("\r\n", "\n"))
            sys.stdout.flush()
        case "table":
            for line in measured_lines(measured, width=settings.out.width):
                settings.out.print(line, soft_wrap=True)
    for host, error in measured.failed.items():
        if asked.form == "table":
            run.showing.error(host, error)
        else:
            settings.err.print(f"{host}: {error.message}", markup=False, soft_wrap=True)
    for one in work.work:
        for line in problem_lines(one.wrong):
            settings.err.print(line, soft_wrap=True)


def _write_metrics(settings: Settings, work: Prepared, measured: Measurement, asked: _Request) -> bool:
    """Whether it could not be written."""
    from hvctl.show.usage_metrics import write

    assert asked.metrics is not None
    try:
        write(measured, [one.name for one in work.work], asked.metrics, asked.labels)
    except OSError as error:
        said = f"warning: the metrics could not be written to {asked.metrics}: {error.strerror}"
        settings.err.print(said, markup=False, soft_wrap=True)
        return True
    return False
