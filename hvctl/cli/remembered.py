"""The history at the command line: where it is, and that its faults never spoil a check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from hvctl.cli.options import Settings
from hvctl.cli.runs import remember_killed
from hvctl.core.check import Check
from hvctl.history import HistoryError, place, secrets_in
from hvctl.show.problems import problem_lines
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.extras import command, missing, need
from hvctl.text.state import spool_folder

if TYPE_CHECKING:
    from hvctl.history.seen import Seen
    from hvctl.history.spool import Spool


def remembering(
    settings: Settings, history: str | None, no_history: bool = False, *, needed: str | None = None
) -> Settings:
    """The same settings, with the place of the history as it was asked for. Without the extra nothing is remembered, which is
    said. `needed`: what cannot be done without. Raises ConfigError."""
    if not no_history and missing("history"):
        if history is not None or needed is not None:
            need("history", "--history" if history is not None else str(needed))
        lacks = " and ".join(missing("history"))
        hint = f"{command('history')}; or say --no-history"
        for line in problem_lines([Diagnostic(None, f"nothing is remembered without {lacks}", hint, "warning")]):
            settings.err.print(line, soft_wrap=True)
        return replace(settings, history=None)
    found = None if no_history else place(history)
    for secret in secrets_in(found.url) if found is not None else ():
        settings.redactor.learn(secret)
    for one in settings.runs:
        one.place = found
        one.begun()
    return replace(settings, history=found)


def spooled(settings: Settings, begun: Check) -> Spool | None:
    """Where what is seen of each host is kept until the check is remembered. `begun`: the check, of no host yet."""
    if settings.history is None:
        return None
    from hvctl.history.spool import Begun, Spool

    at = (begun.started, settings.history.name)
    return Spool(spool_folder(), Begun(begun.verb, begun.playbooks, *at, begun.addresses, begun.machine))


def recovered(settings: Settings) -> None:
    """What checks saw that were killed in the middle, and that schedules ran that were, is remembered now. Raises HistoryError;
    then it is kept."""
    if settings.history is None:
        return
    remember_killed(settings.history)
    if not any(spool_folder().glob("check-*.jsonl")):
        return
    from hvctl.history.spool import broken_off
    from hvctl.history.store import Store

    for one in broken_off(spool_folder(), settings.history.name):
        Store(settings.history).write(one.check, one.seen, one.check.finished.replace(microsecond=0))
        one.end()
        hosts = f"{len(one.seen)} host{'s' * (len(one.seen) != 1)}"
        text = f"A check of {one.check.started:%Y-%m-%d %H:%M} UTC was broken off; what it saw of {hosts} is remembered now."
        settings.err.print(text, soft_wrap=True)


def database() -> None:
    """Imports what remembers: that takes a fifth of a second, in which other hosts are waited for."""
    import hvctl.history.remember  # noqa: F401


def remembered(settings: Settings, check: Check, known: Mapping[str, Seen] | None = None) -> Check:
    """The check with what earlier ones add. A history that is away is a warning and no more. `known`: what was seen of some
    of its hosts."""
    if settings.history is None:
        return check
    # The database's library takes a fifth of a second to import; plan does without.
    from hvctl.history.remember import remember
    from hvctl.history.store import Store

    try:
        recovered(settings)
        return remember(check, Store(settings.history), known or {})
    except HistoryError as error:
        problem = Diagnostic(None, f"{error.message}; this check is not remembered", error.hint, "warning")
        for line in problem_lines([problem]):
            settings.err.print(line)
    return check
