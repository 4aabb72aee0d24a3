"""What a schedule ran, told to the history when it ends, however it ends: of one that is killed the next one tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import typer

from hvctl.history import HistoryError, Place
from hvctl.history.scheduled import KILLED, Running, ScheduledRun, killed
from hvctl.monitor.schedule.cron import Cron
from hvctl.text.duration import seconds, spoken
from hvctl.text.machine import this_machine
from hvctl.text.state import spool_folder


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
    _file: Running = field(default_factory=lambda: Running(spool_folder()))

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

    def begun(self) -> None:
        """What is known of it now is written down for the case that it is killed."""
        if self.place is not None:
            self._file.note(self._told(self.started, KILLED), self.place.name)

    def ended(self, at: datetime, status: int) -> str:
        """It is remembered; or why not."""
        if self.place is None:
            return ""
        from hvctl.history.runs import write_runs  # the database's library is slow to import

        try:
            remember_killed(self.place)
            write_runs(self.place, [self._told(at, status)])
        except HistoryError as error:
            return f"{error.message}; this run of {self.name} is not remembered"
        finally:
            self._file.end()
        return ""

    def _told(self, at: datetime, status: int) -> ScheduledRun:
        times = (self.started, at, status, self.next())
        return ScheduledRun(self.name, self.verb, self.said, self.playbooks, *times, this_machine())


def remember_killed(place: Place) -> None:
    """Runs of schedules of this machine that were killed. Raises HistoryError; then they are kept."""
    found = list(killed(spool_folder(), place.name))
    if found:
        from hvctl.history.runs import write_runs

        write_runs(place, [one for _, one in found])
        for file, _ in found:
            file.unlink(missing_ok=True)


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
