"""hvctl export: one export of a VM now, through the same plan and apply as those of a playbook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, Any

import typer

from hvctl.cli.app import app
from hvctl.cli.approval import applied
from hvctl.cli.nightly import at_night, closed
from hvctl.cli.options import (
    EXIT_CONFIG,
    AutoApprove,
    Exclusive,
    Extra,
    Grace,
    History,
    Hours,
    Json,
    Limit,
    NoHistory,
    Report,
    Settings,
    Splay,
    Tags,
)
from hvctl.cli.prepared import Asked, extra_variables, inventory_of, prepared, run_of, warn, work_of
from hvctl.cli.remembered import remembered, remembering
from hvctl.cli.reported import Reports
from hvctl.config.offline import Desired, offline_problems
from hvctl.config.playbook import Play, wishes
from hvctl.config.prepare import Prepared
from hvctl.core.check import Check
from hvctl.core.facts import UnreadableError
from hvctl.core.outcome import Outcome, exit_status
from hvctl.core.plan import Plan
from hvctl.core.resource import Entry, Index, Place, Resource
from hvctl.fleet.run import Run
from hvctl.kinds._export_steps import CAPTURES
from hvctl.kinds._host import now
from hvctl.kinds._vm import VMS
from hvctl.kinds.export import Export
from hvctl.kinds.vm import VM
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import COMMAND_LINE, load_text


@app.command()
def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="VM", help="The name of the VM; with --due a playbook.")],
    playbooks: Annotated[
        list[str] | None, typer.Argument(metavar="[PLAYBOOK...]", help="Playbooks whose exports of it are meant.")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="PATH", help="A folder of the host instead.")] = None,
    capture: Annotated[
        str | None, typer.Option("--capture", metavar="WORD", help=f"One of {', '.join(CAPTURES.names)} (2016 on).")
    ] = None,
    limit: Limit = None,
    tags: Tags = None,
    extra: Extra = None,
    auto_approve: AutoApprove = False,
    only_plan: Annotated[bool, typer.Option("--check", "-C", help="Only show what would be done.")] = False,
    as_json: Json = False,
    report: Report = None,
    history: History = None,
    no_history: NoHistory = False,
    grace: Grace = None,
    due: Annotated[
        bool, typer.Option("--due", help="The exports of all VMs of these playbooks that are due, and nothing else.")
    ] = False,
    hours: Hours = None,
    exclusive: Exclusive = None,
    splay: Splay = None,
) -> None:
    """Export a VM now, whatever its playbook says of when; or with --due what playbooks say is due."""
    if due and (to or capture):
        raise typer.BadParameter("--due makes the exports as the playbooks say: no --to or --capture")
    playbooks = [name, *(playbooks or ())] if due else playbooks
    # What no playbook wishes cannot drift: there is nothing to remember of it.
    settings = remembering(context.obj, history, no_history or not playbooks or bool(to))
    settings.follow(grace)
    context.with_resource(at_night(settings, hours, exclusive, splay))
    reports = Reports.to_approve(report, as_json=as_json, asks=not (auto_approve or only_plan))
    asked = Asked.of(playbooks or (), limit, tags, extra)
    if due:
        work = _all_due(settings, asked)
    elif playbooks:
        work = _of_playbooks(settings, asked, name, to, capture)
    else:
        work = _anywhere(settings, asked, name, to, capture)
    with run_of(settings, work, frozenset()) as run:
        outcomes = run.plan(warm=not only_plan)
        if not settings.stop.asked and not due:
            outcomes = _where_it_is(settings, name, outcomes, everywhere=bool(playbooks))
        if not settings.stop.asked and not reports.on_stdout:
            settings.tried(partial(run.showing.plans, outcomes), None)
        changes = any(o.plan is not None and o.plan.steps for o in outcomes)
        if changes and not only_plan and not closed(settings) and not settings.stop.asked:
            if not due:
                _wanted_since(run, outcomes)
            outcomes = applied(settings, run, outcomes, auto_approve=auto_approve, quiet=reports.on_stdout)
        status = settings.stop.status or exit_status(outcomes, changes_count=not only_plan)
        check = run.check("plan" if only_plan else "apply", asked.playbooks, outcomes, status)
    if not only_plan:
        check = settings.tried(partial(remembered, settings, _exports_alone(check)), check)
    raise typer.Exit(reports.write(settings, check))


def _exports_alone(check: Check) -> Check:
    """Of the VM itself nothing was wished."""
    return replace(check, outcomes=tuple(map(_of_exports, check.outcomes)), kept_as="export")


def _of_exports(one: Outcome) -> Outcome:
    report = one.report
    if report is not None and report.after is not None:
        report = replace(report, after=_plan_of_exports(report.after))
    return replace(one, plan=one.plan and _plan_of_exports(one.plan), report=report)


def _plan_of_exports(plan: Plan) -> Plan:
    actions = (a if a.address.kind == Export.kind else replace(a, wanted=(), searched=()) for a in plan.actions)
    return replace(plan, actions=tuple(actions))


def _wanted_since(run: Run, outcomes: list[Outcome]) -> None:
    """From the plan on, so that the look afterwards finds what was wanted."""
    for one in outcomes:
        if one.plan is not None and one.plan.steps:
            with suppress(UnreadableError):  # without its clock there is no step of an export
                run.revise(one.host, partial(_exports_at_once, since=now(one.plan.facts)))


def _exports_at_once(desired: Index, since: datetime | None = None) -> Index:
    return desired.mapped(lambda one, e: replace(e, resource=one.at_once(since)) if isinstance(one, Export) else e)


def _where_it_is(settings: Settings, name: str, outcomes: list[Outcome], *, everywhere: bool) -> list[Outcome]:
    """The hosts that have the VM. Which of several is meant must be said, unless a playbook says it."""
    having = [o for o in outcomes if o.plan is not None and not _missing(o, name)]
    if not having or everywhere:
        return outcomes
    hosts = " and ".join(o.host for o in having)
    if len(having) > 1:
        settings.err.print(f"{name} is on {hosts}; say which with --limit", soft_wrap=True)
        raise typer.Exit(EXIT_CONFIG)
    unseen = ", ".join(o.host for o in outcomes if o.error is not None)
    if unseen:
        settings.err.print(f"{name} is on {hosts}; not asked, since unreachable: {unseen}", soft_wrap=True)
    if wrong := ", ".join(o.host for o in outcomes if o.wrong):
        settings.err.print(
            f"{name} is on {hosts}; not asked, since their configuration is wrong: {wrong}", soft_wrap=True
        )
    return having


def _missing(one: Outcome, name: str) -> bool:
    try:
        return one.plan is not None and not one.plan.facts.of_key(VMS, "Name", name)
    except UnreadableError:
        return False  # the plan says so


def _all_due(settings: Settings, asked: Asked) -> Prepared:
    """Of what playbooks want, the exports of VMs that are there."""
    found = prepared(settings, asked)
    work = tuple(replace(w, desired=own) for w in found.work if (own := _only_exports(w.desired)))
    if not work:
        files = ", ".join(asked.playbooks)
        raise ConfigError([Diagnostic(None, f"{files} has no exports", "write `exports:` in a VM")])
    return replace(found, work=work)


def _only_exports(desired: Index) -> Index:
    entries: list[Entry] = []
    seats: dict[int, int] = {}
    for one, entry in zip(desired, desired.entries, strict=True):
        if isinstance(one, VM) and not one.absent and one.parts_of(Export):
            bare = VM.model_validate(one.model_dump(include={"name", "previous_names"}, exclude_unset=True))
            seats[one.seat] = len(entries)
            entries.append(replace(entry, resource=bare.only_if_there()))
        elif isinstance(one, Export) and entry.owner in seats:
            entries.append(replace(entry, owner=seats[entry.owner]))
    return Index(entries, desired.host)


def _of_playbooks(settings: Settings, asked: Asked, name: str, to: str | None, capture: str | None) -> Prepared:
    found = prepared(settings, asked)
    work = []
    for one in found.work:
        listed = [w for w in one.desired if isinstance(w, Export) and w.vm.key().casefold() == name.casefold()]
        if listed:
            work.append(replace(one, desired=_again(listed, to, capture)))
    if not work:
        files = ", ".join(asked.playbooks)
        raise ConfigError(
            [Diagnostic(None, f"{files} has no exports of {name}", "write them, or leave it out and say --to")]
        )
    return replace(found, work=tuple(work))


def _again(listed: Sequence[Export], to: str | None, capture: str | None) -> Index:
    """The same exports, now."""
    name = listed[0].vm.key()
    fields = [w.model_dump(exclude_unset=True) for w in listed[: 1 if to else None]]
    given = {k: v for k, v in (("path", to), ("capture", capture)) if v}
    kept = [{k: v for k, v in f.items() if k != "keep" or not to} | given for f in fields]
    return _wished(name, kept, [w.place for w in listed])


def _anywhere(settings: Settings, asked: Asked, name: str, to: str | None, capture: str | None) -> Prepared:
    if not to:
        hint = r"say --to 'E:\exports', or name a playbook that has exports of it"
        raise ConfigError([Diagnostic(None, f"where {name} is to be exported is not said", hint)])
    inventory = inventory_of(settings)
    given = {k: v for k, v in (("path", to), ("capture", capture)) if v}
    over = extra_variables(asked.extra, settings.vault)
    work = tuple(
        work_of(settings, inventory, h, _wished(name, [given], ()), over) for h in inventory.select("all", asked.limit)
    )
    found = offline_problems([Desired(w.name, w.connection.os, w.desired) for w in work])
    told = [replace(p, mark=None) for p in found]
    if any(p.level == "error" for p in told):
        raise ConfigError(p for p in told if p.level == "error")
    warn(settings, dict.fromkeys((*(w for one in work for w in one.connection.warnings), *told)))
    return Prepared(work, (), inventory)


def _wished(name: str, exports: list[dict[str, Any]], places: Sequence[Place]) -> Index:
    """Checked as if they stood in a playbook; what comes from one keeps its place there."""
    text = json.dumps([{"hosts": "all", "vms": [{"name": name, "exports": exports}]}])
    nowhere = COMMAND_LINE.mark(())
    made = load_text(text, nowhere.file)
    document = replace(made, marks=dict.fromkeys(made.marks, nowhere), key_marks=dict.fromkeys(made.key_marks, nowhere))
    found, problems = wishes([Play(document, (0,), "export", "all")], {})
    if problems:
        raise ConfigError([replace(p, mark=None) for p in problems])
    given = iter(places)

    def as_asked(one: Resource, entry: Entry) -> Entry:
        if isinstance(one, Export):
            return replace(entry, place=next(given, Place(COMMAND_LINE, ())))
        return replace(entry, resource=one.only_if_there()) if isinstance(one, VM) else entry

    return _exports_at_once(found.mapped(as_asked))
