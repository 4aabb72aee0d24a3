"""The verb history: what earlier checks saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from hvctl.cli.app import app
from hvctl.cli.options import History, Json, Settings
from hvctl.cli.prepared import inventory_of
from hvctl.cli.remembered import recovered, remembering
from hvctl.cli.since import since as moment
from hvctl.config.hostnames import PatternError
from hvctl.config.patterns import matching, words
from hvctl.history import HistoryError
from hvctl.history.past import Span
from hvctl.kinds import kinds
from hvctl.show.history import history_data, history_lines
from hvctl.show.plain import plain
from hvctl.show.screen import print_json
from hvctl.show.standing import vm_of
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import suggest
from hvctl.text.visible import json_text, quoted


@app.command("history")
def show_history(
    context: typer.Context,
    hosts: Annotated[str, typer.Argument(metavar="[HOST]", help="Only these hosts: a name or pattern.")] = "all",
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Only what was not over before: 30m, 12h, 7d, a date.")
    ] = "30d",
    vm: Annotated[
        list[str] | None,
        typer.Option("--vm", metavar="NAME", help="Only these VMs and what is theirs: a name or glob."),
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", metavar="KIND", help="Only these kinds, as vm, disk or switch.")
    ] = None,
    still: Annotated[bool, typer.Option("--open", help="Only what is not over.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also hosts of which there is nothing to tell.")] = False,
    as_json: Json = False,
    history: History = None,
) -> None:
    """Show what differed on the hosts, since when and until when, and when they could not be reached."""
    settings: Settings = remembering(context.obj, history, needed="the history")
    wanted = _wanted(vm or (), kind or ())
    now = settings.now()
    start = moment(since, now)
    assert settings.history is not None
    from hvctl.history.store import Store  # the database's library is slow to import

    try:
        recovered(settings)
        found = Store(settings.history).told(start, lambda names: _chosen(settings, hosts, names))
    except HistoryError as error:
        raise ConfigError([Diagnostic(None, error.message, error.hint)]) from error
    narrowed = bool(vm or kind)
    found = tuple(one.only(wanted, still=still) for one in found)
    if narrowed:  # an absence is no VM's, and tells nothing where nothing of it is left
        found = tuple(replace(one, absences=one.absences if one.spans else ()) for one in found)
    if as_json:
        print_json(settings.out, json_text(history_data(found, start, now)))
        return
    width = settings.out.width
    told = history_lines(plain(found), hosts, start, now, settings.history.name, width=width, everything=everything)
    for line in told:
        settings.out.print(line, soft_wrap=True)


def _wanted(vms: Sequence[str], names: Sequence[str]) -> Callable[[Span], bool]:
    """Raises ConfigError for a kind that there is not."""
    known = [k.kind for k in kinds()]
    wanted_kinds = [name.strip().replace(" ", "_").casefold() for word in names for name in word.split(",")]
    problems = [
        Diagnostic(
            None, f"--kind {quoted(one)}: there is no such kind", suggest(one, known) or f"one of {', '.join(known)}"
        )
        for one in wanted_kinds
        if one not in known
    ]
    if problems:
        raise ConfigError(problems)
    patterns = [vm.casefold() for vm in vms]

    def wanted(span: Span) -> bool:
        address = span.spot.address
        vm = vm_of(address).casefold()
        of_vm = not patterns or (vm != "" and any(fnmatchcase(vm, pattern) for pattern in patterns))
        return of_vm and (not wanted_kinds or address.kind in wanted_kinds)

    return wanted


def _chosen(settings: Settings, pattern: str, names: Sequence[str]) -> list[str]:
    """Of the hosts on record; groups are those of the inventory, if there is one. Raises ConfigError."""
    groups = {"all": list(names)}
    if pattern != "all" and pattern not in names:
        try:
            inventory = inventory_of(settings)
        except ConfigError:
            if settings.inventory:
                raise
        else:
            groups = {name: [m for m in members if m in names] for name, members in inventory.groups.items()}
    try:
        return matching(words(pattern), names, groups)[0]
    except PatternError as error:
        raise ConfigError(
            [Diagnostic(None, f"{quoted(pattern)}: {error}", "name hosts or groups as in a playbook")]
        ) from error
