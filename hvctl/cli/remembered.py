"""The history at the command line: where it is, and that its faults never spoil a check."""

from __future__ import annotations

from dataclasses import replace

from hvctl.cli.options import Settings
from hvctl.core.check import Check
from hvctl.history import HistoryError, place, secrets_in
from hvctl.show.problems import problem_lines
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.extras import command, missing, need


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
    return replace(settings, history=found)


def remembered(settings: Settings, check: Check) -> Check:
    """The check with what earlier ones add. A history that is away is a warning and no more."""
    if settings.history is None:
        return check
    # The database's library takes a fifth of a second to import; plan does without.
    from hvctl.history.remember import remember
    from hvctl.history.store import Store

    try:
        return remember(check, Store(settings.history))
    except HistoryError as error:
        problem = Diagnostic(None, f"{error.message}; this check is not remembered", error.hint, "warning")
        for line in problem_lines([problem]):
            settings.err.print(line)
    return check
