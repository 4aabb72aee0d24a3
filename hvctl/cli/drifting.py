"""A drift check once or again and again, under a lock, and told to metrics and notifications."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

import typer

from hvctl.cli.audience import Audience
from hvctl.cli.options import EXIT_INTERRUPTED, Settings
from hvctl.cli.prepared import Asked, prepared
from hvctl.cli.span import span
from hvctl.core.check import Check
from hvctl.core.status import SKIPPED
from hvctl.monitor.schedule.job import name_fault
from hvctl.monitor.schedule.lock import LockedError, locked
from hvctl.monitor.watch import Clock, RealClock, Rhythm, wait, watch
from hvctl.show.problems import problem_lines
from hvctl.show.screen import Screen
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.garbage import resting
from hvctl.text.state import state_folder

_SHORTEST = 10


@dataclass(frozen=True)
class Ways:
    """When to check, and whom to tell; as it was typed."""

    every: str | None = None
    splay: str | None = None
    exclusive: str | None = None
    metrics: str | None = None
    listen: str | None = None
    notify: Sequence[str] = ()


def drifting(
    settings: Settings, asked: Asked, ways: Ways, check: Callable[[], Check], clock: Clock | None = None
) -> int:
    """The exit status. Raises ConfigError before any host is asked."""
    clock = clock or RealClock()
    rhythm = _rhythm(ways)
    with ExitStack() as stack:
        audience = stack.enter_context(Audience.of(settings, ways.metrics, ways.listen, ways.notify, rhythm, clock))
        try:
            stack.enter_context(alone(ways.exclusive, clock))
        except LockedError as error:
            settings.err.print(
                f"Left out: {ways.exclusive} is being checked already by {error}. Nothing was looked at.",
                soft_wrap=True,
            )  # fmt: skip
            return SKIPPED
        if not rhythm.every:
            wait(rhythm.splay * clock.chance(), clock)
            done = check()
            if not done.interrupted:
                settings.tried(partial(audience.hear, done), None)
            return done.exit_status
        return _again_and_again(settings, asked, rhythm, check, audience, clock)


def _again_and_again(
    settings: Settings, asked: Asked, rhythm: Rhythm, check: Callable[[], Check], audience: Audience, clock: Clock
) -> int:
    def once() -> None:
        try:
            done = check()
        except (ConfigError, OSError) as error:
            problems = error.problems if isinstance(error, ConfigError) else (Diagnostic(None, str(error)),)
            for line in problem_lines(problems):
                settings.err.print(line)
            settings.err.print("No host was asked. The next check reads the playbooks and the inventory again.")
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            settings.fault(error)
        else:
            if not done.interrupted:
                settings.tried(partial(audience.hear, done), None)
        if settings.out.unread:
            raise BrokenPipeError
        settings.stop.release()
        settings.faults.clear()  # each check tells its own; a loop that is stopped has not failed

    def and_rest() -> None:
        once()
        resting()

    def say(text: str) -> None:
        settings.err.print(text, soft_wrap=True)

    try:
        # What is wrong from the start is told at once, not after the first pause.
        prepared(replace(settings, err=Screen(quiet=True)), asked)
        watch(and_rest, rhythm, clock, say)
    except KeyboardInterrupt:
        settings.stop.hold()
    except typer.Exit as end:
        if end.exit_code != EXIT_INTERRUPTED:
            raise
    say("Stopped.")
    return 0 if settings.stop.terminated else EXIT_INTERRUPTED


def _rhythm(ways: Ways) -> Rhythm:
    """`every` is 0 for a single check."""
    every, splay = span("--every", ways.every) or 0, span("--splay", ways.splay) or 0
    problems = []
    if ways.every is not None and every < _SHORTEST:
        problems.append(Diagnostic(None, f"--every {ways.every} is too often", f"take {_SHORTEST}s or more"))
    elif every and splay >= every:
        problems.append(Diagnostic(None, f"--splay {ways.splay} is no less than --every {ways.every}", "take less"))
    if ways.listen is not None and ways.every is None:
        problems.append(
            Diagnostic(
                None, "--listen serves between checks, and there is one only", "say --every too, or --metrics FILE"
            )
        )
    if problems:
        raise ConfigError(problems)
    return Rhythm(every, splay)


@contextmanager
def alone(name: str | None, clock: Clock) -> Iterator[None]:
    if name is None:
        yield
        return
    if fault := name_fault(name):
        raise ConfigError([Diagnostic(None, f"--exclusive {name}: {fault}")])
    file = state_folder() / "locks" / f"{name}.lock"
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(file, clock.now()))
        except OSError as error:
            raise ConfigError(
                [
                    Diagnostic(
                        None, f"the lock {file} cannot be made: {error.strerror}", "set XDG_STATE_HOME to a folder"
                    )
                ]
            ) from error
        yield
