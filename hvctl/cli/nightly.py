"""What may only be done at certain times, alone, and up to so many changes: work at night."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import typer

from hvctl.cli.drifting import alone
from hvctl.cli.options import Settings
from hvctl.cli.span import span
from hvctl.core.outcome import Outcome
from hvctl.core.status import SKIPPED
from hvctl.kinds._window import Window
from hvctl.monitor.schedule.lock import LockedError
from hvctl.monitor.watch import Clock, RealClock, wait
from hvctl.show.summary import changes_in
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.duration import spoken

PATIENCE_S = 600
"""How long a change waits for a check that is just being made."""
_AGAIN_S = 2


def window(text: str | None, option: str = "--window") -> Window | None:
    """Raises ConfigError."""
    try:
        return None if text is None else Window.parse(text)
    except ValueError as error:
        raise ConfigError(
            [Diagnostic(None, f"{option}: {str(error).partition(';')[0]}", "write '01:00-05:00'")]
        ) from error


@contextmanager
def at_night(
    settings: Settings,
    hours: str | None,
    exclusive: str | None,
    splay: str | None = None,
    clock: Clock | None = None,
) -> Iterator[None]:
    """Within the window, and while no other of that name runs, which is waited for. Raises typer.Exit where it may not
    begin, which is said; once the window is over nothing more is begun."""
    clock, opened = clock or RealClock(), window(hours)
    delay = span("--splay", splay) or 0
    _within(settings, opened, hours)
    if opened is not None:
        until = opened.closing(_here(settings))
        settings.stop.when(lambda: settings.now() >= until)
    wait(delay * clock.chance(), clock)
    left = PATIENCE_S
    while True:
        _within(settings, opened, hours)
        try:
            with alone(exclusive, clock):
                yield
                return
        except LockedError as error:
            if left <= 0:
                _left_out(settings, f"{exclusive} is held by {error}, still after {spoken(PATIENCE_S)}")
            left -= _AGAIN_S
            wait(_AGAIN_S, clock)


def _within(settings: Settings, opened: Window | None, hours: str | None) -> None:
    now = _here(settings)
    if opened is not None and (settings.stop.closed or not opened.is_open(now)):
        _left_out(settings, f"it is {now:%H:%M}, and the window is {hours}")


def _left_out(settings: Settings, why: str) -> None:
    settings.err.print(f"Left out: {why}. Nothing was looked at.", soft_wrap=True)
    raise typer.Exit(SKIPPED)


def _here(settings: Settings) -> datetime:
    """In the zone of the control node."""
    return settings.now().astimezone()


def too_many(settings: Settings, outcomes: Sequence[Outcome], at_most: int | None) -> bool:
    """Whether the plans come to more changes than there may be, which is said."""
    plans = [o.plan for o in outcomes if o.plan is not None and not o.changed]
    count = sum(map(changes_in, plans))
    if at_most is None or count <= at_most:
        return False
    hosts = sum(bool(changes_in(plan)) for plan in plans)
    settings.err.print(
        f"Nothing was changed: {count:,} changes on {hosts} host{'s' * (hosts != 1)} are more than --at-most {at_most}. "
        "Look at the plan, then apply it by hand or raise the limit.",
        soft_wrap=True,
    )
    return True
