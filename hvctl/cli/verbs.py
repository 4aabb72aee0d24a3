"""The verbs: validate, plan, apply, drift, facts, inventory, record. Thin; what they do stands elsewhere."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from hvctl.check import Check
from hvctl.cli.app import app
from hvctl.cli.approval import approved
from hvctl.cli.checked import checked
from hvctl.cli.drifting import Every, Exclusive, Listen, Metrics, Notify, Splay, Ways, drifting
from hvctl.cli.options import (
    EXIT_INTERRUPTED,
    Allow,
    Extra,
    History,
    Json,
    Limit,
    NoHistory,
    Playbooks,
    Settings,
    Tags,
)
from hvctl.cli.prepared import Asked, allowed, one_host, prepared, run_of, saved_run
from hvctl.cli.remembered import remembered, remembering
from hvctl.inventory import Inventory
from hvctl.outcome import exit_status
from hvctl.prepare import Prepared, find_inventory
from hvctl.show.data import outcome_data
from hvctl.show.text import problem_lines


@app.command()
def validate(
    context: typer.Context, playbooks: Playbooks, limit: Limit = None, tags: Tags = None, extra: Extra = None
) -> None:
    """Check inventory and playbooks without asking any host."""
    settings: Settings = context.obj
    work = prepared(settings, Asked.of(playbooks, limit, tags, extra))
    hosts, wishes = len(work.work), sum(len(w.wishes) for w in work.work)
    unnamed = [w.name for w in work.work if w.connection.os is None]
    settings.out.print(f"{hosts} host{'s' * (hosts != 1)}, {wishes} resources: no problem found offline.")
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
    extra: Extra = None,
    allow: Allow = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Save the plan for `hvctl apply FILE`.")
    ] = None,
    as_json: Json = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show the difference as unified text.")] = False,
    detailed: Annotated[bool, typer.Option("--detailed-exitcode", help="Exit with 2 if something differs.")] = False,
) -> None:
    """Show what would change."""
    settings: Settings = context.obj
    work = prepared(settings, Asked.of(playbooks, limit, tags, extra))
    with run_of(settings, work, allowed(allow)) as run:
        outcomes = run.plan()
        run.show_plans(outcomes, as_json=as_json, diff=diff)
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        if out:
            run.save(outcomes, out, work.inventory.file if work.inventory else "")
        check = run.check("plan", playbooks, outcomes, exit_status(outcomes, changes_count=detailed))
    raise typer.Exit(check.exit_status)


@app.command()
def apply(
    context: typer.Context,
    playbooks: Annotated[
        list[str], typer.Argument(metavar="PLAYBOOK...|PLAN.json", help="Playbooks, or a saved plan.")
    ],
    limit: Limit = None,
    tags: Tags = None,
    extra: Extra = None,
    allow: Allow = None,
    auto_approve: Annotated[bool, typer.Option("--auto-approve", "-y", help="Do not ask.")] = False,
    only_plan: Annotated[bool, typer.Option("--check", "-C", help="The same as plan.")] = False,
    as_json: Json = False,
    history: History = None,
    no_history: NoHistory = False,
) -> None:
    """Make the hosts as the playbooks say, then look again."""
    settings = remembering(context.obj, history, no_history)
    saved = len(playbooks) == 1 and playbooks[0].casefold().endswith(".json")
    if saved:
        if limit or tags or extra or allow:
            raise typer.BadParameter("a saved plan is applied as it is: no --limit, --tags, --extra-vars or --allow")
        run = saved_run(settings, playbooks[0])
    else:
        run = run_of(settings, prepared(settings, Asked.of(playbooks, limit, tags, extra)), allowed(allow))
    with run:
        outcomes = run.look_at_saved() if saved else run.plan()
        if not as_json:
            run.show_plans(outcomes)
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        changes = any(o.plan is not None and o.plan.steps for o in outcomes)
        if only_plan or not changes:
            if as_json:
                settings.out.print_json(json.dumps([outcome_data(o) for o in outcomes], ensure_ascii=False))
        elif not auto_approve and not approved(settings):
            settings.err.print("Nothing was changed.")
        else:
            outcomes = run.apply(outcomes, recheck=not auto_approve)
            run.show_reports(outcomes, as_json=as_json)
        if run.interrupted:
            settings.err.print("Interrupted: what is marked as not done was not begun.")
            raise typer.Exit(EXIT_INTERRUPTED)
        status = exit_status(outcomes, changes_count=not only_plan)
        covers = () if saved or tags else playbooks
        check = run.check("apply", playbooks, outcomes, status, covers)
    if not only_plan:
        check = remembered(settings, check)
    raise typer.Exit(check.exit_status)


@app.command()
def drift(
    context: typer.Context,
    playbooks: Playbooks,
    limit: Limit = None,
    tags: Tags = None,
    extra: Extra = None,
    as_json: Json = False,
    history: History = None,
    no_history: NoHistory = False,
    every: Every = None,
    splay: Splay = None,
    exclusive: Exclusive = None,
    metrics: Metrics = None,
    listen: Listen = None,
    notify: Notify = None,
) -> None:
    """Say whether the hosts are as the playbooks say; changes nothing. Exit 2: they are not."""
    settings = remembering(context.obj, history, no_history)
    asked = Asked.of(playbooks, limit, tags, extra)

    def check() -> Check:
        return checked(settings, asked, as_json=as_json)

    ways = Ways(every, splay, exclusive, metrics, listen, tuple(notify or ()))
    raise typer.Exit(drifting(settings, asked, ways, check))


@app.command()
def facts(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the inventory.")],
    as_json: Json = False,
) -> None:
    """Print what hvctl reads of a host."""
    settings: Settings = context.obj
    work = one_host(settings, host)
    with run_of(settings, Prepared((work,)), frozenset()) as run:
        raise typer.Exit(run.facts(work, as_json=as_json))


@app.command()
def record(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the inventory.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="Where to write it.")] = "recording.json",
    scrub: Annotated[bool, typer.Option("--scrub", help="Replace host names and addresses too.")] = False,
    playbooks: Annotated[
        list[str] | None, typer.Option("--playbook", metavar="FILE", help="Also ask what this playbook asks.")
    ] = None,
) -> None:
    """Write down what a host answers, so that tests can replay it. Changes nothing on the host."""
    settings: Settings = context.obj
    work = one_host(settings, host, playbooks or ())
    with run_of(settings, Prepared((work,)), frozenset()) as run:
        raise typer.Exit(run.record(work, out, scrub=scrub))


@app.command("inventory")
def show_inventory(
    context: typer.Context,
    as_list: Annotated[bool, typer.Option("--list", help="As JSON, as ansible-inventory prints it.")] = False,
    graph: Annotated[bool, typer.Option("--graph", help="As a tree.")] = False,
) -> None:
    """Print the inventory as hvctl understands it."""
    settings: Settings = context.obj
    if as_list == graph:
        raise typer.BadParameter("say --list or --graph")
    inventory = Inventory.load(find_inventory(settings.inventory, ()))
    for line in problem_lines(inventory.warnings):
        settings.err.print(line, soft_wrap=True)
    typer.echo(json.dumps(inventory.as_list(), indent=2, ensure_ascii=False) if as_list else inventory.as_graph())
