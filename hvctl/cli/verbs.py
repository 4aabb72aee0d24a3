"""The verbs: validate, plan, apply, drift, facts, inventory, record, report-schema. Thin; what they do is elsewhere, and
is imported when they run: help and completion need their options only."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from hvctl.cli.app import app
from hvctl.cli.options import (
    Allow,
    AlsoAsked,
    AtMost,
    AutoApprove,
    Every,
    Exclusive,
    Extra,
    Grace,
    History,
    Hours,
    Json,
    Limit,
    Listen,
    MaxFailures,
    Metrics,
    NoHistory,
    Notify,
    Playbooks,
    Report,
    RestartsAtOnce,
    SerialOf,
    Settings,
    Splay,
    Tags,
    Vms,
)

if TYPE_CHECKING:
    from hvctl.core.check import Check


@app.command()
def validate(
    context: typer.Context,
    playbooks: Playbooks,
    limit: Limit = None,
    tags: Tags = None,
    vms: Vms = None,
    extra: Extra = None,
) -> None:
    """Check inventory and playbooks without asking any host."""
    from hvctl.cli.prepared import Asked, extra_variables, prepared, warn
    from hvctl.config.accepting import ended
    from hvctl.config.owners import owners_by_host
    from hvctl.config.secrets import never
    from hvctl.config.undeclared import undeclared

    settings: Settings = context.obj
    work = prepared(settings, Asked.of(playbooks, limit, tags, extra, vms), ask=never)
    if work.inventory is not None:
        owners_by_host(work.inventory, (one.host for one in work.work), extra_variables(extra or (), settings.vault))
    # What the chosen VMs use is declared beside them.
    told = (p for w in work.work for p in (*(undeclared(w.desired) if vms is None else ()), *ended(w.desired)))
    warn(settings, dict.fromkeys(told))
    hosts, wishes = len(work.work), sum(len(w.desired) for w in work.work)
    unnamed = [w.name for w in work.work if w.connection.os is None]
    warned = len(work.warnings)
    found = f"no error found offline, {warned} warning{'s' * (warned != 1)}" if warned else "no problem found offline"
    settings.out.print(f"{hosts} host{'s' * (hosts != 1)}, {wishes} resource{'s' * (wishes != 1)}: {found}.")
    if unnamed:
        settings.out.print(
            f"Not checked against a version of Windows: {', '.join(unnamed)} (set hvctl_os in the inventory)."
        )


@app.command()
def plan(
    context: typer.Context,
    playbooks: Playbooks,
    limit: Limit = None,
    tags: Tags = None,
    vms: Vms = None,
    extra: Extra = None,
    allow: Allow = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Save the plan for `hvctl apply FILE`.")
    ] = None,
    as_json: Json = False,
    report: Report = None,
    powershell: Annotated[
        str | None,
        typer.Option("--powershell", metavar="FILE", help="Also write it as a script, to read and to run by hand."),
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show the difference as unified text.")] = False,
    detailed: Annotated[bool, typer.Option("--detailed-exitcode", help="Exit with 2 if something differs.")] = False,
    grace: Grace = None,
) -> None:
    """Show what would change."""
    from hvctl.cli.prepared import Asked, allowed, prepared, run_of
    from hvctl.cli.reported import Reports
    from hvctl.cli.saved import apply_command, check_out, check_reached, sealing
    from hvctl.core.outcome import exit_status

    settings: Settings = context.obj
    settings.follow(grace)
    reports = Reports.asked(report, as_json=as_json, powershell=powershell)
    if out:
        check_out(out, playbooks)
    work = prepared(settings, Asked.of(playbooks, limit, tags, extra, vms))
    if out:
        check_reached(settings, work, extra or ())
    with run_of(settings, work, allowed(allow)) as run:
        outcomes = run.plan(only_told=not out)
        if not reports.on_stdout:
            settings.tried(lambda: run.showing.plans(outcomes, diff=diff), None)
        status = settings.stop.status or exit_status(outcomes, changes_count=detailed, steps_count=detailed)
        check = run.check("plan", playbooks, outcomes, status)
        status = reports.write(settings, check)
        if out and not settings.stop.asked:
            run.save(outcomes, out, apply_command(settings, work, out, extra or ()), sealing(settings, work))
    raise typer.Exit(status)


@app.command()
def apply(
    context: typer.Context,
    playbooks: Annotated[list[str], typer.Argument(metavar="PLAYBOOK...|PLANFILE", help="Playbooks, or a saved plan.")],
    limit: Limit = None,
    tags: Tags = None,
    vms: Vms = None,
    extra: Extra = None,
    allow: Allow = None,
    auto_approve: AutoApprove = False,
    serial: SerialOf = None,
    max_failures: MaxFailures = None,
    restarts_at_once: RestartsAtOnce = None,
    only_plan: Annotated[bool, typer.Option("--check", "-C", help="The same as plan.")] = False,
    as_json: Json = False,
    report: Report = None,
    history: History = None,
    no_history: NoHistory = False,
    grace: Grace = None,
    at_most: AtMost = None,
    hours: Hours = None,
    exclusive: Exclusive = None,
    splay: Splay = None,
) -> None:
    """Make the hosts as the playbooks say, then look again."""
    from hvctl.cli.approval import applied, check_batches, rolling_of
    from hvctl.cli.nightly import at_night, closed, too_many
    from hvctl.cli.prepared import Asked, allowed, extra_variables, prepared, run_of
    from hvctl.cli.remembered import remembered, remembering
    from hvctl.cli.reported import Reports
    from hvctl.cli.saved import saved_plan, saved_run, show_saved
    from hvctl.core.outcome import exit_status
    from hvctl.core.status import DIFFERS

    settings = remembering(context.obj, history, no_history)
    settings.follow(grace)
    rolling = rolling_of(serial, max_failures)
    context.with_resource(at_night(settings, hours, exclusive, splay))
    reports = Reports.to_approve(report, as_json=as_json, asks=not (auto_approve or only_plan))
    asked = Asked.of(playbooks, limit, tags, extra, vms)
    saved = saved_plan(settings, playbooks)
    if saved is not None:
        if limit or tags or vms or allow:
            raise typer.BadParameter("a saved plan is applied as it is: no --limit, --tags, --vm or --allow")
        run = saved_run(settings, saved, extra_variables(extra or (), settings.vault))
    else:
        run = run_of(settings, prepared(settings, asked), allowed(allow))
    check_batches(run, rolling, max_failures)
    run.restarting(restarts_at_once)
    with run:
        warm = not (only_plan or run.rolls(rolling))
        outcomes = run.plan_again(saved.hosts) if saved is not None else run.plan(warm=warm, only_done=True)
        if not reports.on_stdout:
            shown = partial(show_saved, settings, saved, run) if saved is not None else run.showing.plans
            settings.tried(partial(shown, outcomes), None)
        changes = any(o.plan is not None and o.plan.steps and not o.changed for o in outcomes)
        refused = not only_plan and too_many(settings, outcomes, at_most)
        if changes and not only_plan and not refused and not closed(settings) and not settings.stop.asked:
            quiet = reports.on_stdout
            outcomes = applied(settings, run, outcomes, auto_approve=auto_approve, quiet=quiet, rolling=rolling)
        status = settings.stop.status or exit_status(outcomes, changes_count=not only_plan) | DIFFERS * refused
        covers = () if saved is not None else asked.covers
        check = replace(run.check("apply", playbooks, outcomes, status, covers), saved=saved is not None)
    if not only_plan:
        check = settings.tried(partial(remembered, settings, check), check)
    raise typer.Exit(reports.write(settings, check))


@app.command()
def drift(
    context: typer.Context,
    playbooks: Playbooks,
    limit: Limit = None,
    tags: Tags = None,
    vms: Vms = None,
    extra: Extra = None,
    as_json: Json = False,
    report: Report = None,
    history: History = None,
    no_history: NoHistory = False,
    every: Every = None,
    splay: Splay = None,
    exclusive: Exclusive = None,
    metrics: Metrics = None,
    listen: Listen = None,
    notify: Notify = None,
    grace: Grace = None,
    everything: Annotated[bool, typer.Option("--all", help="List the hosts that are in sync too.")] = False,
) -> None:
    """Say whether the hosts are as the playbooks say; changes nothing. Exit 2: they are not."""
    from hvctl.cli.checked import checked
    from hvctl.cli.drifting import Ways, drifting
    from hvctl.cli.prepared import Asked
    from hvctl.cli.remembered import remembering
    from hvctl.cli.reported import Reports

    settings = remembering(context.obj, history, no_history)
    settings.follow(grace)
    reports = Reports.asked(report, as_json=as_json)
    asked = Asked.of(playbooks, limit, tags, extra, vms)

    def check() -> Check:
        done = checked(settings, asked, quiet=reports.on_stdout, everything=everything)
        return replace(done, exit_status=reports.write(settings, done))

    ways = Ways(every, splay, exclusive, metrics, listen, tuple(notify or ()))
    raise typer.Exit(drifting(settings, asked, ways, check))


@app.command()
def facts(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the inventory.")],
    as_json: Json = False,
    playbooks: AlsoAsked = None,
    extra: Extra = None,
) -> None:
    """Print what hvctl reads of a host."""
    from hvctl.cli.prepared import one_host, run_of

    settings: Settings = context.obj
    with run_of(settings, one_host(settings, host, playbooks or (), extra or ()), frozenset()) as run:
        status = run.facts(run.only(), as_json=as_json)
    raise typer.Exit(settings.stop.status or status)


@app.command()
def record(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the inventory.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="Where to write it.")] = "recording.json",
    scrub: Annotated[bool, typer.Option("--scrub", help="Replace host names and addresses too.")] = False,
    playbooks: AlsoAsked = None,
    extra: Extra = None,
) -> None:
    """Write down what a host answers, so that tests can replay it. Changes nothing on the host."""
    from hvctl.cli.prepared import one_host, run_of

    settings: Settings = context.obj
    with run_of(settings, one_host(settings, host, playbooks or (), extra or ()), frozenset()) as run:
        status = run.record(run.only(), out, scrub=scrub)
    raise typer.Exit(settings.stop.status or status)


@app.command("report-schema")
def report_schema() -> None:
    """Print the JSON Schema of what --json and --report json=FILE write."""
    from hvctl.show.data import schema_text

    typer.echo(schema_text(), nl=False)


@app.command("inventory")
def show_inventory(
    context: typer.Context,
    as_list: Annotated[bool, typer.Option("--list", help="As JSON, as ansible-inventory prints it.")] = False,
    graph: Annotated[bool, typer.Option("--graph", help="As a tree.")] = False,
) -> None:
    """Print the inventory as hvctl understands it."""
    from hvctl.cli.prepared import inventory_of
    from hvctl.show.problems import problem_lines
    from hvctl.show.screen import print_json
    from hvctl.text.visible import json_text

    settings: Settings = context.obj
    if as_list == graph:
        raise typer.BadParameter("say --list or --graph")
    inventory = inventory_of(settings)
    for line in problem_lines(inventory.warnings):
        settings.err.print(line, soft_wrap=True)
    if as_list:
        print_json(settings.out, json_text(inventory.as_list()))
    else:
        settings.out.print(Text(inventory.as_graph()), soft_wrap=True)
