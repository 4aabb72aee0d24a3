"""One drift check: look at the hosts, remember it, show what is not as written."""

from __future__ import annotations

import typer

from hvctl.check import Check
from hvctl.cli.options import EXIT_INTERRUPTED, Settings
from hvctl.cli.prepared import Asked, prepared, run_of
from hvctl.cli.remembered import remembered
from hvctl.outcome import exit_status
from hvctl.resource import IMPACTS


def checked(settings: Settings, asked: Asked, *, as_json: bool = False) -> Check:
    """Raises ConfigError before any host is asked, typer.Exit when interrupted."""
    work = prepared(settings, asked)
    # Nothing is done, so nothing needs consent.
    with run_of(settings, work, frozenset(IMPACTS)) as run:
        outcomes = run.plan()
        status = exit_status(outcomes, changes_count=True)
        check = run.check("drift", asked.playbooks, outcomes, status, asked.covers)
        if not run.interrupted:
            check = remembered(settings, check)
        run.show_check(check, as_json=as_json)
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
    return check
