"""The timers of systemd: put there, listed, taken away; whole or not at all."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hvctl.monitor.schedule.job import Job, Note, Verb, escaped, unescaped
from hvctl.monitor.schedule.systemctl import ManagerError, Systemctl
from hvctl.monitor.schedule.units import PREFIX, SECTION, units
from hvctl.text.files import write_whole


@dataclass(frozen=True)
class Installed:
    """A timer of ours. What systemd does not tell is None, or ""."""

    name: str
    system: bool
    note: Note
    active: bool = False
    last: datetime | None = None
    next: datetime | None = None
    result: str = ""


class Manager:
    """The system's manager, or the user's own."""

    def __init__(self, *, system: bool, environ: Mapping[str, str] | None = None) -> None:
        self.system = system
        self._environ = os.environ if environ is None else environ
        self._systemctl = Systemctl(system, self._environ)

    @property
    def folder(self) -> Path:
        if self.system:
            return Path("/etc/systemd/system")
        return self.config / "systemd" / "user"

    @property
    def config(self) -> Path:
        """Where the user's, or the system's, settings are."""
        if self.system:
            return Path("/etc")
        return Path(self._environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")

    def install(self, job: Job) -> bool:
        """Write and enable it; whether there was one of that name. Raises ManagerError with nothing left half done, or
        ValueError for what a unit cannot hold."""
        texts = units(job, system=self.system)
        timer = f"{PREFIX}{escaped(job.name)}.timer"
        before = {name: _text(self.folder / name) for name in texts}
        there = any(text is not None for text in before.values())
        if there and (old := self.note(job.name)) is not None and old.playbooks != job.playbooks:
            raise ManagerError(
                f"the name {job.name} is taken by a schedule of {', '.join(old.playbooks)}",
                f"give another --name, or `hvctl schedule remove {job.name}`",
            )
        self._systemctl.program()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, text in texts.items():
                _replace(self.folder / name, text)
            self._systemctl.ask("daemon-reload")
            self._systemctl.ask("enable", "--now", timer)
            if there:
                self._systemctl.ask("restart", timer)  # one that runs keeps its old times otherwise
        except (ManagerError, OSError) as error:
            self._undo(timer, before)
            raise self._fault(error) from error
        return there

    def remove(self, name: str) -> list[Path]:
        """Disable it and delete its units, which are returned. Raises ManagerError."""
        stem = PREFIX + escaped(name)
        files = [self.folder / f"{stem}{kind}" for kind in (".timer", ".service")]
        found = [file for file in files if file.exists()]
        if not found:
            return []
        try:
            self._systemctl.ask("disable", "--now", f"{stem}.timer")
            for file in found:
                file.unlink(missing_ok=True)
            self._systemctl.ask("daemon-reload")
        except (ManagerError, OSError) as error:
            raise self._fault(error) from error
        return found

    def note(self, name: str) -> Note | None:
        """What an installed one says of itself; None: there is none, or it is not ours."""
        text = _text(self.folder / f"{PREFIX}{escaped(name)}.timer") or ""
        _, here, rest = text.partition(f"[{SECTION}]\n")
        lines = [line.removeprefix("Job=") for line in rest.splitlines() if line.startswith("Job=")]
        return Note.read(lines[0]) if here and lines else None

    def installed(self, now: datetime) -> Iterator[Installed]:
        """Every one of ours, by name. What systemd does not tell is left out."""
        for file in sorted(self.folder.glob(f"{PREFIX}*.timer")):
            name = unescaped(file.stem.removeprefix(PREFIX))
            note = self.note(name)
            if note is None:
                continue
            try:
                timer = self._systemctl.show(file.name, "ActiveState", "LastTriggerUSec", "NextElapseUSecRealtime",
                                   "NextElapseUSecMonotonic")  # fmt: skip
                service = self._systemctl.show(f"{file.stem}.service", "ActiveState", "Result", "ExecMainStatus")
            except ManagerError:
                yield Installed(name, self.system, note)
                continue
            yield Installed(
                name,
                self.system,
                note,
                timer.get("ActiveState") == "active",
                _time(timer.get("LastTriggerUSec", "")),
                _time(timer.get("NextElapseUSecRealtime", ""))
                or _from_start(timer.get("NextElapseUSecMonotonic", ""), now),
                _result(service, note.verb),
            )

    def _undo(self, timer: str, before: Mapping[str, str | None]) -> None:
        """Best effort: the fault that led here is the one that is told."""
        new = all(text is None for text in before.values())
        if new:
            self._systemctl.attempt("disable", "--now", timer)
        for name, text in before.items():
            file = self.folder / name
            try:
                if text is None:
                    file.unlink(missing_ok=True)
                else:
                    _replace(file, text)
            except OSError:
                continue
        self._systemctl.attempt("daemon-reload")
        if not new:
            self._systemctl.attempt("restart", timer)

    def _fault(self, error: ManagerError | OSError) -> ManagerError:
        if isinstance(error, ManagerError):
            return error
        return ManagerError(f"{self.folder} cannot be written: {error.strerror}", self._systemctl.hint(""))


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return None


def _replace(file: Path, text: str) -> None:
    write_whole(file, text, 0o644)


def _time(text: str) -> datetime | None:
    """ "Tue 2026-03-03 11:45:00 UTC", as systemctl tells it to who is in that zone."""
    found = re.fullmatch(r"(?:[A-Z][a-z]{2} )?([0-9-]{10} [0-9:]{8})(?:\.[0-9]+)? UTC", text)
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC) if found is not None else None
    except ValueError:
        return None


def _result(service: Mapping[str, str], verb: Verb) -> str:
    if service.get("ActiveState") == "activating":
        return "running now"
    status = service.get("ExecMainStatus", "")
    return outcome(status, verb) or (f"failed ({service.get('Result', '')}, status {status})" if status else "")


def outcome(status: str, verb: str) -> str:
    """How a run ended, by its exit status; "" if that is for none of its ends."""
    words = {"0": "in sync", "2": "drifted", "75": "left out, one was running", "130": "stopped", "143": "stopped"}
    if verb != "drift":
        words |= {"0": "done", "2": "something was left undone", "75": "left out: not its time, or one was running"}
    words |= {"4": "not every host could be looked at", "6": f"{words['2']}; not every host could be looked at"}
    words |= {"1": "not begun: its words, playbooks or inventory are at fault", "70": "a fault of hvctl"}
    return words.get(status, "")


_SPANS = {"y": 31_557_600, "month": 2_629_800, "w": 604_800, "d": 86_400, "h": 3_600, "min": 60, "s": 1,
          "ms": 0.001, "us": 0.000_001}  # fmt: skip


def _from_start(text: str, now: datetime) -> datetime | None:
    """A span since the machine was started, as systemd.time(7) writes spans, as a moment."""
    total = 0.0
    for word in text.split():
        unit = word.lstrip("0123456789.")
        if unit not in _SPANS or unit == word:
            return None
        total += float(word[: -len(unit)]) * _SPANS[unit]
    return now + timedelta(seconds=total - time.monotonic()) if total else None


def named(managers: Sequence[Manager], name: str) -> Manager | None:
    """The first manager that has a schedule of that name."""
    return next((m for m in managers if m.note(name) is not None), None)
