"""hvctl replica: failing a replicated VM over, testing that, and going back, through the same plan and apply as a playbook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NoReturn

import typer

from hvctl.call import Call, Transport, TransportError
from hvctl.cli.app import app
from hvctl.cli.approval import applied
from hvctl.cli.lazy import Verbs
from hvctl.cli.options import (
    EXIT_CONFIG,
    AutoApprove,
    Grace,
    History,
    Json,
    Limit,
    NoHistory,
    Report,
    Settings,
)
from hvctl.cli.prepared import allowed, inventory_of, run_of, work_of
from hvctl.cli.remembered import remembered, remembering
from hvctl.cli.reported import Reports
from hvctl.config.prepare import HostWork, Prepared, names_of
from hvctl.config.secrets import Secrets
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.impact import Impact
from hvctl.core.outcome import Outcome, exit_status
from hvctl.core.resource import Entry, Index, Place
from hvctl.core.status import TROUBLE
from hvctl.fleet.reconcile import look_at
from hvctl.history.seen import Seen, Standing
from hvctl.kinds._recovery_points import QUERIES as POINTS
from hvctl.kinds._recovery_points import meant, recovery_points
from hvctl.kinds._runbook import (
    QUERIES,
    Cancellation,
    PlannedFailover,
    Release,
    Reversal,
    Runbook,
    TestFailover,
    UnplannedFailover,
    standing_of,
)
from hvctl.kinds._runbook import Seen as Sent
from hvctl.kinds._vm import VMS
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import COMMAND_LINE

replica = typer.Typer(
    cls=Verbs,
    help="Fail a replicated VM over, test that, and go back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(replica, name="replica")

VmName = Annotated[str, typer.Argument(metavar="VM", help="The name of the VM.")]
Check = Annotated[bool, typer.Option("--check", "-C", help="Only show what would be done.")]
Allow = Annotated[
    list[str] | None, typer.Option("--allow", metavar="IMPACT", help="What may be done besides, such as destroy.")
]
To = Annotated[str, typer.Option("--to", metavar="HOST", help="Where it is to run: the host that has its replica.")]
On = Annotated[str | None, typer.Option("--on", metavar="HOST", help="Which of several hosts that have its replica.")]
Point = Annotated[
    str | None,
    typer.Option("--recovery-point", metavar="NAME|TIME", help="An older one: its name, or the newest before a time."),
]
NoStart = Annotated[bool, typer.Option("--no-start", help="Leave it off there.")]


@dataclass(frozen=True)
class Sides:
    """What was seen of a VM: by host, those that send it and those that receive it. `unseen`: hosts that were not read."""

    vm_id: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    seen: dict[str, Sent]
    unseen: dict[str, TransportError]


@dataclass(frozen=True)
class Verb:
    """What was typed, but for the VM's name."""

    settings: Settings
    limit: str | None
    auto_approve: bool
    check: bool
    as_json: bool
    report: list[str] | None
    allow: frozenset[Impact]
    secrets: Secrets


@replica.command()
def test(
    context: typer.Context,
    name: VmName,
    on: On = None,
    limit: Limit = None,
    auto_approve: AutoApprove = False,
    check: Check = False,
    as_json: Json = False,
    report: Report = None,
    grace: Grace = None,
    point: Point = None,
    history: History = None,
    no_history: NoHistory = False,
) -> None:
    """Make a VM for tests from its replica; replication goes on. `replica cancel` removes it."""
    verb = _verb(context, limit, auto_approve, check, as_json, report, None, grace, history, no_history=no_history)
    found = _found(verb, name, () if point is None else POINTS)
    here = _receiver(verb, found, name, on)
    chosen = _point(verb, found, here, name, point)
    _run(verb, found, here, TestFailover(name=name, vm_id=found.vm_id, **chosen), "a test begun")


@replica.command()
def failover(
    context: typer.Context,
    name: VmName,
    to: To,
    unplanned: Annotated[
        bool, typer.Option("--unplanned", help="The other side is lost: without what it did not send.")
    ] = False,
    no_start: NoStart = False,
    allow: Allow = None,
    limit: Limit = None,
    auto_approve: AutoApprove = False,
    check: Check = False,
    as_json: Json = False,
    report: Report = None,
    grace: Grace = None,
    point: Point = None,
    no_complete: Annotated[
        bool, typer.Option("--no-complete", help="Unplanned: keep the recovery points, so that it can be cancelled.")
    ] = False,
    history: History = None,
    no_history: NoHistory = False,
) -> None:
    """Have its replica take over. Planned: nothing is lost, and it replicates the other way round then."""
    if not unplanned and (point is not None or no_complete):
        word = "--recovery-point" if point is not None else "--no-complete"
        raise typer.BadParameter(f"{word} goes with --unplanned: a planned failover loses nothing")
    verb = _verb(context, limit, auto_approve, check, as_json, report, allow, grace, history, no_history=no_history)
    found = _found(verb, name, () if point is None else POINTS)
    here = _named(verb, to, found)
    if here not in found.seen:
        _end(verb, f"{here} has no {name}, or was not read; it is on {', '.join(found.seen) or 'no host'}")
    third = found.seen[here].mode == "ExtendedReplica"
    if third and not unplanned:
        text = (
            f"{here} is a third site: nothing prepares what is sent on to it, so that only --unplanned fails over to it"
        )
        _end(verb, f"{text}; without a loss {name} goes to the site that sends to it")
    if third and (running := [h for h, one in found.seen.items() if h != here and one.runs]):
        _end(
            verb, f"{name} runs on {' and '.join(running)}; turn it off there before it is failed over to a third site"
        )
    there = "" if third else _other(found, here)
    if not unplanned and not there:
        away = "; not read: " + ", ".join(found.unseen) if found.unseen else ""
        _end(verb, f"no host that was read sends {name}{away}; --unplanned fails over without it")
    common: dict[str, Any] = {"name": name, "vm_id": found.vm_id, "there": there, "starts": not no_start}
    if not unplanned:
        book = PlannedFailover(**common, **_chain(found, here))
        _run(verb, found, here, book, f"planned failover to {here}")
    chosen = _point(verb, found, here, name, point)
    told = f", to the recovery point of {chosen['point_told']}" if chosen else ""
    lost = UnplannedFailover(**common, **chosen, completes=not no_complete)
    _run(verb, found, here, lost, f"unplanned failover to {here}{told}")


@replica.command()
def reverse(
    context: typer.Context,
    name: VmName,
    allow: Allow = None,
    limit: Limit = None,
    auto_approve: AutoApprove = False,
    check: Check = False,
    as_json: Json = False,
    report: Report = None,
    grace: Grace = None,
    history: History = None,
    no_history: NoHistory = False,
) -> None:
    """After a failover, when the other side is back: replicate the other way round."""
    verb = _verb(context, limit, auto_approve, check, as_json, report, allow, grace, history, no_history=no_history)
    found = _found(verb, name)
    over = [host for host, one in found.seen.items() if one.over]
    ready = [host for host in found.senders if found.seen[host].told == "not started"]
    begun = over or ready or list(found.senders)
    if len(begun) != 1:
        _end(verb, f"which side of {name} was failed over is not clear: {', '.join(found.seen)}; see to it by hand")
    if found.seen[begun[0]].mode == "ExtendedReplica":
        _run(verb, found, begun[0], _release(verb, found, begun[0], name), "its replication ended on all sites")
    there = _other(found, begun[0])
    if not over and not ready:
        text = f"{begun[0]} sends {name} to {there or 'another host'}, and no failover of it is left to be reversed"
        verb.settings.err.print(text, soft_wrap=True)
    if not there:
        away = "; not read: " + ", ".join(found.unseen) if found.unseen else ""
        _end(verb, f"no other host that was read has {name}{away}")
    book = Reversal(name=name, vm_id=found.vm_id, there=there, **_chain(found, begun[0]))
    _run(verb, found, begun[0], book, f"reversed: {begun[0]} to {there}")


@replica.command()
def cancel(
    context: typer.Context,
    name: VmName,
    on: On = None,
    allow: Allow = None,
    limit: Limit = None,
    auto_approve: AutoApprove = False,
    check: Check = False,
    as_json: Json = False,
    report: Report = None,
    grace: Grace = None,
    history: History = None,
    no_history: NoHistory = False,
) -> None:
    """End a test, or take back a failover that is not complete."""
    verb = _verb(context, limit, auto_approve, check, as_json, report, allow, grace, history, no_history=no_history)
    found = _found(verb, name)
    here = _receiver(verb, found, name, on)
    third = found.seen[here].mode == "ExtendedReplica"  # nobody prepares what is sent on
    there = "" if third else next(iter(found.senders), "")
    book = Cancellation(name=name, vm_id=found.vm_id, there=there)
    _run(verb, found, here, book, "a test or a failover taken back")


# --- finding both sides -----------------------------------------------------------------------------------------------


def _verb(
    context: typer.Context,
    limit: str | None,
    auto_approve: bool,
    check: bool,
    as_json: bool,
    report: list[str] | None,
    allow: Sequence[str] | None,
    grace: str | None,
    history: str | None,
    *,
    no_history: bool,
) -> Verb:
    settings: Settings = remembering(context.obj, history, no_history or check)
    settings.follow(grace)
    # The verb itself says that the VM goes down on one side.
    return Verb(
        settings,
        limit,
        auto_approve,
        check,
        as_json,
        report,
        allowed(allow) | {"restart"},
        Secrets(settings.redactor.learn),
    )


def _found(verb: Verb, name: str, more: tuple[Call, ...] = ()) -> Sides:
    """Where the VM is, by what all hosts say. `more`: what is asked besides."""
    settings = verb.settings
    inventory = inventory_of(settings)
    work = tuple(work_of(settings, inventory, h, Index()) for h in inventory.select("all", verb.limit))
    with run_of(settings, Prepared(work, (), inventory, verb.secrets), frozenset()) as run:
        answers = run.ask("reading", partial(_looked, more=more))
    unseen = {host: one for host, one in answers.items() if isinstance(one, TransportError)}
    seen: dict[str, dict[str, Sent]] = {}
    for host, facts in answers.items():
        if isinstance(facts, TransportError):
            continue
        try:
            ids = [str(r["Id"]) for r in facts.of_key(VMS, "Name", name) if r["ReplicationMode"] not in (None, "None")]
            for vm_id in ids:
                one = Sent.of(vm_id, facts)
                if one is not None and one.relation is not None:
                    seen.setdefault(vm_id.casefold(), {})[host] = one
        except UnreadableError as error:
            unseen[host] = TransportError(str(error))
    for host, why in unseen.items():
        settings.err.print(f"{host}: not read: {why.message}", soft_wrap=True)
    if not seen:
        _end(verb, f"no host that was read replicates a VM {name}", TROUBLE if unseen else EXIT_CONFIG)
    if len(seen) > 1:
        where = "; ".join(", ".join(hosts) for hosts in seen.values())
        _end(verb, f"there are {len(seen)} replicated VMs named {name} ({where}); say which with --limit")
    ((vm_id, sides),) = seen.items()
    senders = tuple(h for h, one in sides.items() if one.sends)
    receivers = tuple(h for h, one in sides.items() if one.receives)
    return Sides(vm_id, senders, receivers, sides, unseen)


def _looked(name: str, transport: Transport, *, more: tuple[Call, ...]) -> Facts:
    return look_at(transport, (*QUERIES, *more))


def _point(verb: Verb, found: Sides, here: str, name: str, wanted: str | None) -> dict[str, Any]:
    """The recovery point that is meant, as a runbook takes it; nothing for the latest."""
    if wanted is None:
        return {}
    try:
        points = recovery_points(found.vm_id, found.seen[here].facts)
    except UnreadableError as error:
        _end(verb, f"{here}: {error}", TROUBLE)
    chosen = meant(wanted, points)
    if chosen is None:
        verb.settings.err.print(f"{here} has no recovery point of {name} {wanted}", soft_wrap=True)
        for one in points:
            verb.settings.err.print(f"  {one}", soft_wrap=True)
        _end(verb, "name one of these, or a time: the newest before it" if points else "it keeps none but the latest")
    return {"point": chosen.id, "point_told": str(chosen)}


def _receiver(verb: Verb, found: Sides, name: str, on: str | None) -> str:
    if on is not None:
        here = _named(verb, on, found)
        if here not in found.receivers:
            _end(verb, f"{here} has no replica of {name}; {', '.join(found.receivers) or 'no host'} has")
        return here
    if len(found.receivers) != 1:
        several = f"{' and '.join(found.receivers)} have a replica of {name}; say which with --on"
        _end(verb, several if found.receivers else f"no host that was read has a replica of {name}")
    return found.receivers[0]


def _other(found: Sides, here: str) -> str:
    """The other end of what it is received by, or sent to."""
    others = (*(() if found.seen[here].sends else found.senders), *found.receivers)
    return next((h for h in others if h != here and found.seen[h].mode != "ExtendedReplica"), "")


def _chain(found: Sides, here: str) -> dict[str, Any]:
    """What a runbook is told of a third site that this host sends on to, or did when it began."""
    third = next((h for h in found.receivers if h != here and found.seen[h].mode == "ExtendedReplica"), "")
    return {"chained": found.seen[here].onward or bool(third), "third": third}


def _release(verb: Verb, found: Sides, here: str, name: str) -> Release:
    """All other sites must be read: one that was left out would go on."""
    if found.unseen:
        _end(verb, f"not read: {', '.join(found.unseen)}; what is there of {name} is not known", TROUBLE)
    middle = next((h for h in found.receivers if h != here), "")
    return Release(name=name, vm_id=found.vm_id, there=middle, first=next(iter(found.senders), ""))


def _named(verb: Verb, host: str, found: Sides) -> str:
    """A host by any of its names; behind a broker, the node that has it."""
    known = names_of(inventory_of(verb.settings))
    wanted = host.rstrip(".").casefold()
    name = known.get(wanted)
    if name is None and (broker := known.broker(wanted)):
        nodes = known.shared[broker]
        name = next((n for n in nodes if n in found.seen), nodes[0])
    if name is None:
        raise ConfigError([Diagnostic(None, f"{host} is no host of the inventory", "see hvctl inventory --graph")])
    return name


def _end(verb: Verb, text: str, status: int = EXIT_CONFIG) -> NoReturn:
    verb.settings.err.print(text, soft_wrap=True)
    raise typer.Exit(status)


# --- doing it ---------------------------------------------------------------------------------------------------------


def _run(verb: Verb, found: Sides, here: str, runbook: Runbook, told: str) -> NoReturn:
    """`told`: what is remembered of it."""
    settings = verb.settings
    reports = Reports.to_approve(verb.report, as_json=verb.as_json, asks=not (verb.auto_approve or verb.check))
    inventory = inventory_of(settings)
    place = Place(COMMAND_LINE, ())
    hosts = [here, *runbook.links()]
    desired = {here: Index((Entry(runbook, place),), here, known=names_of(inventory))}
    work: list[HostWork] = [
        work_of(settings, inventory, inventory.hosts[h], desired.get(h, Index((), h))) for h in hosts
    ]
    prepared = Prepared(tuple(work), (), inventory, verb.secrets)
    with run_of(settings, prepared, verb.allow) as run:
        outcomes = run.plan(warm=not verb.check)
        if not settings.stop.asked and not reports.on_stdout:
            settings.tried(partial(run.showing.plans, outcomes), None)
        if not verb.check and not settings.stop.asked and any(o.plan is not None and o.plan.steps for o in outcomes):
            outcomes = applied(settings, run, outcomes, auto_approve=verb.auto_approve, quiet=reports.on_stdout)
        status = settings.stop.status or exit_status(outcomes, changes_count=not verb.check)
        check = run.check("plan" if verb.check else "apply", (), outcomes, status)
    if not verb.check:
        check = settings.tried(lambda: remembered(settings, check, _seen(runbook, here, outcomes, told)), check)
    raise typer.Exit(reports.write(settings, check))


def _seen(runbook: Runbook, here: str, outcomes: Sequence[Outcome], told: str) -> dict[str, Seen]:
    """What is remembered of hosts that were looked at: how it replicates on each side, and that it was failed over. No field
    of a runbook is wanted for good, so that nothing of it differs."""
    found: dict[str, Seen] = {}
    facts = next((o.now.facts for o in outcomes if o.now is not None and o.host == here), None)
    for one in outcomes:
        if one.error is not None or one.now is None:
            continue
        own = Sent.of(runbook.vm_id, facts.others.get(one.host) or one.now.facts) if facts is not None else None
        noted = standing_of(runbook.name, own)
        standings = (
            [Standing.of("replication", "", noted.name, noted.standing, None, noted.parts)] if noted is not None else []
        )
        results = one.report.results if one.report is not None else ()
        if any(r.status in ("ok", "unknown") for r in results) and one.host == here:
            left = next((r.step.text for r in results if r.status != "ok"), "")
            standings.append(Standing.of("move", "", runbook.name, told + (f"; not done: {left}" if left else "")))
        found[one.host] = Seen(one.host, standings=tuple(standings))
    return found
