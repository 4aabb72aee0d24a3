"""What a schedule ran, told to the history when it ends, however it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import typer

from hvctl.history import HistoryError, Place
from hvctl.monitor.schedule.cron import Cron
from hvctl.text.duration import seconds, spoken


@dataclass
class Scheduled:
    """The run of a schedule that this process is. `rhythm`: 1h30m, or cron's fields. `place` and `playbooks` are known once the
    verb has looked at its options."""

    name: str
    verb: str
    rhythm: str
    started: datetime
    place: Place | None = None
    playbooks: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        return self.rhythm if " " in self.rhythm or "@" in self.rhythm else f"every {spoken(seconds(self.rhythm))}"

    def next(self) -> datetime | None:
        """As a timer of systemd goes: from when it began, or by the clock of the control node."""
        try:
            if " " in self.rhythm or "@" in self.rhythm:
                return Cron.parse(self.rhythm).after(self.started.astimezone())
            return self.started + timedelta(seconds=seconds(self.rhythm))
        except ValueError:
            return None

    def ended(self, at: datetime, status: int) -> str:
        """It is remembered; or why not."""
        if self.place is None:
            return ""
        from hvctl.history.runs import ScheduledRun, write_run  # the database's library is slow to import

        times = (self.started, at, status, self.next())
        try:
            write_run(self.place, ScheduledRun(self.name, self.verb, self.said, self.playbooks, *times))
        except HistoryError as error:
            return f"{error.message}; this run of {self.name} is not remembered"
        return ""


def scheduled(text: str, verb: str, now: datetime) -> Scheduled:
    """Of NAME=RHYTHM. Raises typer.BadParameter."""
    name, equals, rhythm = text.rpartition("=")
    try:
        found = Scheduled(name, verb, rhythm, now)
        if not (equals and name and found.said and found.next()):
            raise ValueError("write NAME=SPAN, or NAME=FIELDS of cron")
    except ValueError as error:
        raise typer.BadParameter(f"--schedule: {error}") from error
    return found
