"""hvctl cluster: a node is emptied for maintenance and taken back, through the same plan and apply as playbooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import typer

from hvctl.cli.app import app
from hvctl.cli.approval import applied
from hvctl.cli.lazy import Verbs
from hvctl.cli.options import AutoApprove, Extra, Grace, History, Json, NoHistory, Report, Settings
from hvctl.cli.prepared import extra_variables, inventory_of, run_of, warn, work_of
from hvctl.cli.remembered import remembered, remembering
from hvctl.cli.reported import Reports
from hvctl.config.inventory import Host, Inventory
from hvctl.config.overlay import Overlay
from hvctl.config.prepare import CLUSTER, Prepared
from hvctl.core.facts import UnreadableError
from hvctl.core.outcome import Outcome, exit_status
from hvctl.core.plan import Plan
from hvctl.core.resource import Entry, Index, Place
from hvctl.history.seen import Seen, Standing
from hvctl.kinds._cluster import bare
from hvctl.kinds.maintenance import FAILBACK, Maintenance, Placed, placed
from hvctl.language import said
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import COMMAND_LINE
from hvctl.text.visible import quoted

cluster = typer.Typer(cls=Verbs, help="Maintenance of the nodes of a cluster.", no_args_is_help=True)
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
    history: History = None,
    no_history: NoHistory = False,
) -> None:
    """Move all roles off a node, which takes none until it is resumed."""
    wanted = Maintenance(node=node, wanted_state="drained")
    settings = remembering(context.obj, history, no_history or only_plan)
    settings.follow(grace)
    _maintained(settings, node, wanted, extra, auto_approve, only_plan, as_json, report)


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
    history: History = None,
    no_history: NoHistory = False,
) -> None:
    """Take a node back, and the roles that it was drained of."""
    if failback not in FAILBACK:
        raise typer.BadParameter(f"--failback {failback}: one of {', '.join(FAILBACK)}")
    word: Literal["immediate", "policy", "no"] = (
        "no" if failback == "no" else "policy" if failback == "policy" else "immediate"
    )
    wanted = Maintenance(node=node, wanted_state="up", failback=word)
    settings = remembering(context.obj, history, no_history or only_plan)
    settings.follow(grace)
    _maintained(settings, node, wanted, extra, auto_approve, only_plan, as_json, report)


def _maintained(
    settings: Settings,
    node: str,
    wanted: Maintenance,
    extra: Sequence[str] | None,
    auto_approve: bool,
    only_plan: bool,
    as_json: bool,
    report: list[str] | None,
) -> None:
    reports = Reports.to_approve(report, as_json=as_json, asks=not (auto_approve or only_plan))
    work, wanted, cluster = _nodes(settings, node, wanted, extra_variables(extra or (), settings.vault))
    # That it moves VMs is what the verb is for; the question after the plan is the consent.
    with run_of(settings, work, frozenset({"move"})) as run:
        outcomes = run.plan(warm=not only_plan)
        if not reports.on_stdout:
            settings.tried(partial(run.showing.plans, outcomes), None)
        changes = any(o.plan is not None and o.plan.steps for o in outcomes)
        if changes and not only_plan and not settings.stop.asked:
            outcomes = applied(settings, run, outcomes, auto_approve=auto_approve, quiet=reports.on_stdout)
            none: tuple[_Move, ...] = ()
            moves = settings.tried(lambda: _moves(wanted, outcomes), none)
            for move in moves if not reports.on_stdout else ():
                settings.out.print(said(move.text), soft_wrap=True)
        status = settings.stop.status or exit_status(outcomes, changes_count=not only_plan)
        check = run.check("plan" if only_plan else "apply", (), outcomes, status)
    if not only_plan:
        check = settings.tried(lambda: remembered(settings, check, _seen(wanted, cluster, outcomes)), check)
    raise typer.Exit(reports.write(settings, check))


@dataclass(frozen=True)
class _Move:
    """Of a role, by its name, from one node to another, as two looks tell it."""

    was: Placed
    now: Placed

    @property
    def told(self) -> str:
        return f"moved from {self.was.node} to {self.now.node}"

    @property
    def text(self) -> str:
        return f"{self.now.name} moved from {self.was.node} to {self.now.node}"


def _moves(wanted: Maintenance, outcomes: Sequence[Outcome]) -> tuple[_Move, ...]:
    """To the node or from it; none where nothing was done, or its end was not seen."""
    one = next((o for o in outcomes if o.plan is not None and o.plan.actions), None)
    results = one.report.results if one is not None and one.report is not None else ()
    if one is None or not any(r.status in ("ok", "unknown") for r in results):
        return ()
    before, node = _placed(one.plan), wanted.computer(one.plan.facts) if one.plan is not None else ""
    moves = (_Move(before.get(key, role), role) for key, role in _placed(one.now).items())
    return tuple(
        m for m in moves if bare(m.was.node) != bare(m.now.node) and node in (bare(m.was.node), bare(m.now.node))
    )


def _seen(wanted: Maintenance, cluster: str, outcomes: Sequence[Outcome]) -> dict[str, Seen]:
    """What is remembered of nodes that were looked at: the roles that are on them, and those that were moved. What playbooks
    want there was not looked at, so that nothing of it begins or ends."""
    standings: dict[str, list[Standing]] = {o.host: [] for o in outcomes if o.error is None and o.now is not None}
    one = next((o for o in outcomes if o.plan is not None and o.plan.actions), None)
    for role in (_placed(one.now) if one is not None else {}).values():
        if role.host in standings:
            standings[role.host].append(
                Standing.of("role", cluster, role.name, f"on {role.node}", None, (("node", role.node),))
            )
    for move in _moves(wanted, outcomes):
        host = next((h for h in (move.was.host, move.now.host) if h in standings), None)
        if host is not None:
            standings[host].append(Standing.of("move", cluster, move.now.name, move.told))
    return {host: Seen(host, standings=tuple(found)) for host, found in standings.items()}


def _placed(plan: Plan | None) -> Mapping[str, Placed]:
    """Nothing where the cluster does not say."""
    try:
        return placed(plan.facts) if plan is not None else {}
    except UnreadableError:
        return {}


def _nodes(settings: Settings, node: str, wanted: Maintenance, over: Overlay) -> tuple[Prepared, Maintenance, str]:
    """All hosts of the node's cluster that the inventory has: what of its roles could go where is seen from them. Also what
    is wanted of that node, by its name, and the name of the cluster."""
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
    return Prepared(work, (), inventory), one, name


def _cluster_of(inventory: Inventory, host: Host, over: Overlay) -> str:
    value = inventory.variables(host, over.values).get(CLUSTER)
    return value if isinstance(value, str) else ""


def _index(host: Host, wanted: Maintenance, name: str) -> Index:
    place = Place(COMMAND_LINE, ())
    return Index((Entry(wanted, place),), host.name, name)
