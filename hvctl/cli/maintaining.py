"""hvctl cluster: a node is emptied for maintenance and taken back, through the same plan and apply as playbooks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

import typer

from hvctl.cli.app import app
from hvctl.cli.approval import applied
from hvctl.cli.options import AutoApprove, Extra, Grace, Json, Report, Settings
from hvctl.cli.prepared import extra_variables, inventory_of, run_of, warn, work_of
from hvctl.cli.reported import Reports
from hvctl.config.inventory import Host, Inventory
from hvctl.config.overlay import Overlay
from hvctl.config.prepare import CLUSTER, Prepared
from hvctl.core.outcome import exit_status
from hvctl.core.resource import Entry, Index, Place
from hvctl.kinds.maintenance import FAILBACK, Maintenance
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import COMMAND_LINE
from hvctl.text.visible import quoted

cluster = typer.Typer(help="Maintenance of the nodes of a cluster.", no_args_is_help=True)
app.add_typer(cluster, name="cluster")

Node = Annotated[str, typer.Argument(metavar="NODE", help="A host of the inventory that is a node.")]
Check = Annotated[bool, typer.Option("--check", "-C", help="Only show what would be done.")]


@cluster.command()
def drain(
    context: typer.Context,
    node: Node,
    extra: Extra = None,
    auto_approve: AutoApprove = False,
    only_plan: Check = False,
    as_json: Json = False,
    report: Report = None,
    grace: Grace = None,
) -> None:
    """Move all roles off a node, which takes none until it is resumed."""
    _maintained(context, node, Maintenance(node=node, wanted_state="drained"), extra, auto_approve, only_plan, as_json, report,
                grace)  # fmt: skip


@cluster.command()
def resume(
    context: typer.Context,
    node: Node,
    failback: Annotated[
        str, typer.Option("--failback", metavar="WORD", help=f"Whether its roles come back: {', '.join(FAILBACK)}.")
    ] = "immediate",
    extra: Extra = None,
    auto_approve: AutoApprove = False,
    only_plan: Check = False,
    as_json: Json = False,
    report: Report = None,
    grace: Grace = None,
) -> None:
    """Take a node back, and the roles that it was drained of."""
    if failback not in FAILBACK:
        raise typer.BadParameter(f"--failback {failback}: one of {', '.join(FAILBACK)}")
    word: Literal["immediate", "policy", "no"] = (
        "no" if failback == "no" else "policy" if failback == "policy" else "immediate"
    )
    wanted = Maintenance(node=node, wanted_state="up", failback=word)
    _maintained(context, node, wanted, extra, auto_approve, only_plan, as_json, report, grace)


def _maintained(
    context: typer.Context,
    node: str,
    wanted: Maintenance,
    extra: Sequence[str] | None,
    auto_approve: bool,
    only_plan: bool,
    as_json: bool,
    report: list[str] | None,
    grace: str | None,
) -> None:
    settings: Settings = context.obj
    settings.follow(grace)
    reports = Reports.to_approve(report, as_json=as_json, asks=not (auto_approve or only_plan))
    work = _nodes(settings, node, wanted, extra_variables(extra or (), settings.vault))
    # That it moves VMs is what the verb is for; the question after the plan is the consent.
    with run_of(settings, work, frozenset({"move"})) as run:
        outcomes = run.plan(warm=not only_plan)
        if not reports.on_stdout:
            settings.tried(partial(run.showing.plans, outcomes), None)
        changes = any(o.plan is not None and o.plan.steps for o in outcomes)
        if changes and not only_plan and not settings.stop.asked:
            outcomes = applied(settings, run, outcomes, auto_approve=auto_approve, quiet=reports.on_stdout)
        status = settings.stop.status or exit_status(outcomes, changes_count=not only_plan)
        check = run.check("plan" if only_plan else "apply", (), outcomes, status)
    raise typer.Exit(reports.write(settings, check))


def _nodes(settings: Settings, node: str, wanted: Maintenance, over: Overlay) -> Prepared:
    """All hosts of the node's cluster that the inventory has: what of its roles could go where is seen from them."""
    inventory = inventory_of(settings)
    found = inventory.select(node)
    if len(found) != 1:
        hint = "name one host of the inventory"
        raise ConfigError([Diagnostic(None, f"{quoted(node)} names {len(found)} hosts", hint)])
    name = _cluster_of(inventory, found[0], over)
    if not name:
        hint = f"write {CLUSTER}: NAME in the variables of the group of its nodes"
        raise ConfigError(
            [Diagnostic(None, f"the inventory does not say which cluster {found[0].name} is a node of", hint)]
        )
    one = wanted.model_copy(update={"node": found[0].name})
    hosts = [h for h in inventory.select("all") if _cluster_of(inventory, h, over) == name]
    work = tuple(work_of(settings, inventory, h, _index(h, one, name), over) for h in hosts)
    warn(settings, dict.fromkeys(w for w in (*inventory.warnings, *(x for o in work for x in o.connection.warnings))))
    return Prepared(work, (), inventory)


def _cluster_of(inventory: Inventory, host: Host, over: Overlay) -> str:
    value = inventory.variables(host, over.values).get(CLUSTER)
    return value if isinstance(value, str) else ""


def _index(host: Host, wanted: Maintenance, name: str) -> Index:
    place = Place(COMMAND_LINE, ())
    return Index((Entry(wanted, place),), host.name, name)
