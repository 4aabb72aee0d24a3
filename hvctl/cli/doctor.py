"""hvctl doctor: what keeps hvctl from working on hosts, ranked, each cause with one remedy. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from hvctl.call import Event
from hvctl.cli.app import app
from hvctl.cli.elsewhere import at_a_time, referring
from hvctl.cli.options import AlsoAsked, Extra, Json, Settings
from hvctl.cli.prepared import Asked, extra_variables, inventory_of, prepared, warn, work_of
from hvctl.config.logon import with_passwords
from hvctl.config.prepare import HostWork
from hvctl.config.secrets import Secrets
from hvctl.core.resource import Index
from hvctl.core.status import FAULT, TROUBLE
from hvctl.doctor.evidence import Examination
from hvctl.doctor.judge import Diagnosis, diagnosis
from hvctl.doctor.report import as_data, lines
from hvctl.doctor.round import Round
from hvctl.fleet.connect import Wire
from hvctl.fleet.forks import MOST_FORKS
from hvctl.language import said
from hvctl.show.plain import plain
from hvctl.show.screen import print_json
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.visible import json_text


@app.command()
def doctor(
    context: typer.Context,
    hosts: Annotated[list[str], typer.Argument(metavar="HOST...|PATTERN", help="Hosts, groups or patterns of them.")],
    playbooks: AlsoAsked = None,
    extra: Extra = None,
    as_json: Json = False,
) -> None:
    """Say what keeps hvctl from working on hosts, and what to do about it; changes nothing. Exit 4: something does."""
    settings: Settings = context.obj
    work, wrong = _work(settings, hosts, playbooks or (), extra or ())
    settings.stop.hold()
    found, fewer = _round(settings).examined(work)
    if fewer:
        settings.err.print(
            said(f"warning: {fewer} hosts at a time, not {settings.forks}: this machine starts no more threads")
        )
    looked = {one.host for one in found}
    if left := [one.name for one in work if one.name not in looked]:
        settings.err.print(said(f"Stopped before these were looked at: {', '.join(left)}"), soft_wrap=True)
    told: Sequence[Diagnosis] = settings.redactor.value((*wrong, *found))
    status = FAULT if any(one.defect for one in told) else 0 if all(one.healthy for one in told) else TROUBLE
    if as_json:
        print_json(settings.out, json_text(as_data(told, status)))
    else:
        for line in lines(plain(tuple(told)), width=settings.out.width, verbose=settings.verbose > 0):
            settings.out.print(line, soft_wrap=True)
    raise typer.Exit(settings.stop.status or status)


def _round(settings: Settings) -> Round:
    """Raises ConfigError where workers elsewhere cannot be asked."""
    wire = _wire(settings)
    if settings.elsewhere is None:
        most = 0 if settings.forks_said else MOST_FORKS
        return Round(settings.connect, wire, settings.now, settings.forks, settings.stop, most=most)
    from hvctl.doctor.elsewhere import Eyes

    elsewhere = settings.elsewhere.of(settings)
    forks = at_a_time(settings.forks if settings.forks_said else None, settings.elsewhere)
    return Round(elsewhere.connect, wire, settings.now, forks, settings.stop, Eyes(elsewhere).look)


def _wire(settings: Settings) -> Wire:
    pause = settings.pause or settings.stop.wait

    def heard(event: Event) -> None:
        settings.err.print(plain(settings.redactor.value(event)).text, style="dim", soft_wrap=True)

    def sleep(seconds: float) -> None:
        pause(seconds)

    return Wire(on_wire=heard if settings.verbose >= 2 else None, learn=settings.redactor.learn, sleep=sleep)


def _work(
    settings: Settings, patterns: Sequence[str], playbooks: Sequence[str], extra: Sequence[str]
) -> tuple[list[HostWork], list[Diagnosis]]:
    """The hosts with what playbooks want of them, and those whose configuration is wrong. Raises ConfigError for what is no
    single host's."""
    inventory = inventory_of(settings, playbooks)
    chosen = inventory.select(patterns)
    if not chosen:
        raise ConfigError(
            [Diagnostic(None, "these patterns name no host", "hvctl inventory --graph shows which there are")]
        )
    variables = extra_variables(extra, settings.vault)
    secrets = Secrets(settings.redactor.learn)
    planned: dict[str, HostWork] = {}
    if playbooks:
        found = prepared(settings, Asked.of(playbooks, ",".join(h.name for h in chosen), (), extra))
        secrets, planned = found.secrets or secrets, {one.name: one for one in found.work}
    warnings = dict.fromkeys(inventory.warnings)
    work: list[HostWork] = []
    wrong: list[Diagnosis] = []
    for host in chosen:
        try:
            one = planned.get(host.name) or work_of(settings, inventory, host, Index(), variables)
            warnings |= dict.fromkeys(one.connection.warnings)
            if settings.elsewhere is not None:
                work.append(referring(one, settings.vault))
            else:
                work.append(_with_password(one, secrets))
        except ConfigError as error:
            wrong.append(diagnosis(Examination(host.name, None, settings.now(), wrong=error.problems)))
    warn(settings, warnings)
    return work, wrong


def _with_password(one: HostWork, secrets: Secrets) -> HostWork:
    """Without it the way to the host can be looked at all the same."""
    try:
        return with_passwords([one], secrets)[0]
    except ConfigError as error:
        return replace(one, wrong=error.problems)
