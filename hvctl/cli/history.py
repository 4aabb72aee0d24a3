"""The verb history: what earlier checks saw."""

from __future__ import annotations

from collections.abc import Sequence
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
from hvctl.show.history import history_data, history_lines
from hvctl.show.plain import plain
from hvctl.show.screen import print_json
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.visible import json_text, quoted


@app.command("history")
def show_history(
    context: typer.Context,
    hosts: Annotated[str, typer.Argument(metavar="[HOST]", help="Only these hosts: a name or pattern.")] = "all",
    since: Annotated[
        str, typer.Option("--since", metavar="TIME", help="Only what was not over before: 30m, 12h, 7d, a date.")
    ] = "30d",
    as_json: Json = False,
    history: History = None,
) -> None:
    """Show what differed on the hosts, since when and until when, and when they could not be reached."""
    settings: Settings = remembering(context.obj, history, needed="the history")
    now = settings.now()
    start = moment(since, now)
    assert settings.history is not None
    from hvctl.history.store import Store  # the database's library is slow to import

    try:
        recovered(settings)
        found = Store(settings.history).told(start, lambda names: _chosen(settings, hosts, names))
    except HistoryError as error:
        raise ConfigError([Diagnostic(None, error.message, error.hint)]) from error
    if as_json:
        print_json(settings.out, json_text(history_data(found, start, now)))
        return
    for line in history_lines(plain(found), hosts, start, now, settings.history.name, width=settings.out.width):
        settings.out.print(line, soft_wrap=True)


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
