"""Asking before anything is changed."""

from __future__ import annotations

import sys
from functools import partial

from hvctl.cli.options import Settings
from hvctl.core.outcome import Outcome
from hvctl.core.serial import Serial
from hvctl.fleet.rolling import Rolling, few_of
from hvctl.fleet.run import Run
from hvctl.language import said
from hvctl.text.diagnostic import ConfigError, Diagnostic

ALL_AT_ONCE = Rolling()
INTERRUPTED = "Interrupted: what is marked as not done was not begun."
OVER = "The window is over: what is marked as not done was not begun."


def approved(settings: Settings) -> bool:
    if not sys.stdin.isatty():
        settings.err.print("There is nobody to ask; say --auto-approve to go on without asking.")
        return False
    if settings.out.fault is not None:
        settings.err.print("The question cannot be shown; say --auto-approve to go on without asking.")
        return False
    try:
        settings.stop.release()
        return settings.out.input(said("Apply this? Only 'yes' goes on: ")).strip() == "yes"
    except (KeyboardInterrupt, EOFError):
        settings.out.print()
        return False
    finally:
        settings.stop.hold()


def applied(
    settings: Settings,
    run: Run,
    outcomes: list[Outcome],
    *,
    auto_approve: bool,
    quiet: bool,
    rolling: Rolling = ALL_AT_ONCE,
) -> list[Outcome]:
    """What came of the plans, if they are approved; the same as before if not. `quiet`: it is not shown."""
    order = run.batches(outcomes, rolling)
    if len(order) > 1:
        sizes = ", ".join(str(len(batch)) for batch in order[:12]) + (", …" if len(order) > 12 else "")
        settings.err.print(f"In {len(order)} batches of {sizes} hosts; the first: {few_of(order[0])}", soft_wrap=True)
    if not auto_approve and not approved(settings):
        settings.err.print("Nothing was changed.")
        return outcomes
    done = run.roll(outcomes, rolling, recheck=not auto_approve)
    if not quiet:
        settings.tried(partial(run.showing.reports, done), None)
    if settings.stop.asked:
        settings.err.print(INTERRUPTED if settings.stop.times else OVER)
    return done


def rolling_of(serial: str | None, most: int | None) -> Rolling:
    """Raises ConfigError."""
    try:
        found = None if serial is None else Serial.of_words(serial.split(","), "--serial")
    except ValueError as error:
        hint = "say such as --serial 2, 10% or 1,10%,100%"
        raise ConfigError([Diagnostic(None, f"--serial {serial}: {error}", hint)]) from None
    return Rolling(found, most or 0)


def check_batches(run: Run, rolling: Rolling, most: int | None) -> None:
    """Raises ConfigError where a number of failures is said, and nothing is done in batches."""
    if most is not None and not run.rolls(rolling):
        wrong = "--max-failures has no effect without batches"
        raise ConfigError([Diagnostic(None, wrong, "say --serial too, such as --serial 1,10%,100%")])
