"""A run of a schedule as it tells of itself: at its end and, in a file while it runs, so that one that is killed is told of by
the next one on its machine."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from hvctl.text.files import PRIVATE, make_private_folder, write_whole
from hvctl.text.number import is_whole, whole
from hvctl.text.processes import lives

KILLED = 137
"""The exit status that a shell gives to what SIGKILL has ended."""


@dataclass(frozen=True)
class ScheduledRun:
    """One run. `rhythm`: as it was installed, such as "every 1 h" or cron's fields. `next`: when it is to run again, as it was
    known at the end of it. One that was KILLED ended nobody knows when; `finished` is then when it began."""

    schedule: str
    verb: str
    rhythm: str
    playbooks: tuple[str, ...]
    started: datetime
    finished: datetime
    exit_status: int
    next: datetime | None = None


class Running:
    """The file of a run that has begun. What cannot be written is not: the run tells of itself at its end."""

    def __init__(self, folder: Path) -> None:
        self._file = _new_file(folder)

    def note(self, one: ScheduledRun, history: str) -> None:
        """As it is known so far. `history`: where it is to be remembered, without a password."""
        told = {**asdict(one), "history": history}
        with suppress(OSError):
            make_private_folder(self._file.parent)
            write_whole(self._file, json.dumps(told, default=datetime.isoformat), PRIVATE)

    def end(self) -> None:
        _own.discard(self._file)
        with suppress(OSError):
            self._file.unlink()


def killed(folder: Path, history: str) -> Iterator[tuple[Path, ScheduledRun]]:
    """Runs of processes that are gone, which were to be remembered there. Each file is this process's own from now on."""
    for file in sorted(folder.glob("run-*.json")):
        found = None if file in _own or _lives(file) else _read(file)
        if found is None or found[0] != history:
            continue
        mine = _new_file(folder)
        try:
            file.rename(mine)
        except OSError:
            _own.discard(mine)
            continue  # another hvctl was quicker
        yield mine, found[1]


_own: set[Path] = set()
"""Files that this process has made or taken; in a container every process has the same id."""


def _new_file(folder: Path) -> Path:
    file = folder / f"run-{os.getpid()}-{secrets.token_hex(4)}.json"
    _own.add(file)
    return file


def _lives(file: Path) -> bool:
    pid = file.name.split("-")[1]
    return not is_whole(pid) or (whole(pid) != os.getpid() and lives(whole(pid)))


def _read(file: Path) -> tuple[str, ScheduledRun] | None:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return told["history"], _run(**told)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _run(
    schedule: str, verb: str, rhythm: str, playbooks: list[str], started: str, next: str | None, **_: object
) -> ScheduledRun:
    began = datetime.fromisoformat(started)
    again = datetime.fromisoformat(next) if next is not None else None
    return ScheduledRun(schedule, verb, rhythm, tuple(playbooks), began, began, KILLED, again)
