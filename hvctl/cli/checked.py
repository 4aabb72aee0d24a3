"""One drift check: look at the hosts, remember it, show what is not as written."""

from __future__ import annotations

from functools import partial

from hvctl.cli.options import Settings
from hvctl.cli.prepared import Asked, prepared, run_of
from hvctl.cli.remembered import database, remembered, spooled
from hvctl.core.check import Check
from hvctl.core.impact import IMPACTS
from hvctl.core.outcome import Briefs, Outcome, exit_status
from hvctl.history.seen import seen


def checked(settings: Settings, asked: Asked, *, quiet: bool = False, everything: bool = False) -> Check:
    """Raises ConfigError before any host is asked. `quiet`: nothing is printed to the output; `everything`:
    also hosts on which nothing differs. Of an interrupted check
    what is known is remembered too; of a host that was not looked at nothing is."""
    # Nothing is done, so nothing needs consent.
    with run_of(settings, prepared(settings, asked), frozenset(IMPACTS)) as run:
        begun = run.check("drift", asked.playbooks, (), 0, asked.covers)
        spool = settings.tried(partial(spooled, settings, begun), None)
        briefs = Briefs()

        def heard(one: Outcome) -> Outcome:
            if spool is None or not one.looked or one.unasked:
                return one
            one = settings.redactor.value(one)
            spool.add(seen(begun, one))
            database()
            return settings.redactor.part(one, briefs.of(one))

        outcomes = run.plan(only_told=True, heard=lambda one: settings.tried(partial(heard, one), one))
        status = settings.stop.status or exit_status(outcomes, changes_count=True)
        check = run.check("drift", asked.playbooks, outcomes, status, asked.covers)
        known = spool.seen if spool is not None else {}
        check = settings.tried(partial(remembered, settings, check, known), check)
        if spool is not None:
            spool.end()
        if not quiet:
            settings.tried(partial(run.showing.check, check, everything=everything), None)
    return check
