"""Who hears of a finished check: the metrics file, the listener, the notifications. None of them can spoil it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from hvctl.cli.options import Settings
from hvctl.core.check import Check
from hvctl.monitor.news import NOTHING, news, remembered
from hvctl.monitor.notify import Target, targets
from hvctl.monitor.watch import Clock, Rhythm
from hvctl.show import metrics
from hvctl.show.digest import digest
from hvctl.show.standing import printable
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.extras import lacking

if TYPE_CHECKING:
    from hvctl.monitor.listen import Listener


class Audience:
    """Made before any host is asked, so that what is wrong with it is known by then."""

    def __init__(
        self, err: Console, file: str | None, listener: Listener | None, told: Sequence[Target], *, again: bool
    ) -> None:
        self._err, self._file, self._listener, self._told, self._again = err, file, listener, told, again
        self._known = NOTHING
        self._successes = metrics.successes_in(file) if file else {}

    @classmethod
    @contextmanager
    def of(
        cls,
        settings: Settings,
        file: str | None,
        address: str | None,
        notify: Sequence[str],
        rhythm: Rhythm,
        clock: Clock,
    ) -> Iterator[Audience]:
        """Raises ConfigError. `rhythm.every` is 0 for a single check."""
        problems = [] if file is None else lacking("metrics", "--metrics")
        problems += [] if address is None else lacking("metrics", "--listen")
        problems += lacking("notify", "--notify") if notify else []
        if problems:
            raise ConfigError(problems)
        if file is not None:
            _writable(file)
        told = targets(notify, settings.redactor.learn)
        again = bool(rhythm.every)
        if address is None:
            yield cls(settings.err, file, None, told, again=again)
            return
        from hvctl.monitor.listen import Listener, parse_address  # which brings a server of HTTP

        try:
            listener = Listener(parse_address(address), rhythm.overdue, clock.monotonic)
        except ValueError as error:
            raise ConfigError([Diagnostic(None, f"--listen: {error}")]) from error
        except OSError as error:
            raise ConfigError(
                [
                    Diagnostic(
                        None, f"--listen {address}: {error.strerror or error}", "name a free address of this machine"
                    )
                ]
            ) from error
        with listener:
            yield cls(settings.err, file, listener, told, again=again)

    def hear(self, check: Check) -> None:
        """What goes wrong is a warning."""
        if self._file is None and self._listener is None and not self._told:
            return
        check = printable(check)
        self._successes = metrics.successes(check, self._successes)
        if self._file is not None:
            try:
                metrics.write(check, self._file, self._successes)
            except OSError as error:
                self._warn(f"the metrics could not be written to {self._file}: {error.strerror}")
        if self._listener is not None:
            self._listener.heard(check, self._successes)
        found, self._known = news(self._known, check)
        if remembered(check):
            found = check.memory.news
        elif not self._again:
            if found and self._told:
                self._warn("no notification: without a history or --every nobody knows what is new")
            return
        text = digest(check, found) if found else None
        for target in self._told:
            fault = target.tell(text)
            if fault:
                self._warn(fault + ("; it is tried again after the next check" if self._again else ""))

    def _warn(self, text: str) -> None:
        self._err.print(f"warning: {text}", soft_wrap=True)


def _writable(file: str) -> None:
    folder = Path(file).absolute().parent
    if not folder.is_dir():
        raise ConfigError([Diagnostic(None, f"--metrics {file}: there is no folder {folder}", "make it first")])
    if Path(file).is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError([Diagnostic(None, f"--metrics {file} cannot be written", "name a file in a folder of yours")])
