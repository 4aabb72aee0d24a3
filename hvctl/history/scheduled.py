"""A run of a schedule as it tells of itself: at its end and, in a file while it runs, so that one that is killed is told of by
the next one on its machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from hvctl.history import unfinished
from hvctl.text.files import PRIVATE, make_private_folder, write_whole

_KIND = ("run", ".json")
KILLED = 137
"""The exit status that a shell gives to what SIGKILL has ended."""


@dataclass(frozen=True)
class ScheduledRun:
    """One run. `rhythm`: as it was installed, such as "every 1 h" or cron's fields. `next`: when it is to run again, as it was
    known at the end of it. One that was KILLED ended nobody knows when; `finished` is then when it began. `machine`: that it
    ran on; None: by a release that did not keep that. `removed`: when its schedule was, after this run."""

    schedule: str
    verb: str
    rhythm: str
    playbooks: tuple[str, ...]
    started: datetime
    finished: datetime
    exit_status: int
    next: datetime | None = None
    machine: str | None = None
    removed: datetime | None = None


class Running:
    """The file of a run that has begun. What cannot be written is not: the run tells of itself at its end."""

    def __init__(self, folder: Path) -> None:
        self._file = unfinished.new_file(folder, *_KIND)

    def note(self, one: ScheduledRun, history: str) -> None:
        """As it is known so far. `history`: where it is to be remembered, without a password."""
        told = {**asdict(one), "history": history}
        with suppress(OSError):
            make_private_folder(self._file.parent)
            write_whole(self._file, json.dumps(told, default=datetime.isoformat), PRIVATE)

    def end(self) -> None:
        unfinished.ended(self._file)
        with suppress(OSError):
            self._file.unlink()


def killed(folder: Path, history: str) -> Iterator[tuple[Path, ScheduledRun]]:
    """Runs of processes that are gone, which were to be remembered there. Each file is this process's own from now on."""
    for file in unfinished.orphans(folder, *_KIND):
        found = _read(file)
        if found is None or found[0] != history or not unfinished.abandoned(file, found[1].machine):
            continue
        if (mine := unfinished.taken(file, _KIND[0])) is not None:
            yield mine, found[1]


def _read(file: Path) -> tuple[str, ScheduledRun] | None:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return told["history"], _run(**told)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _run(
    schedule: str,
    verb: str,
    rhythm: str,
    playbooks: list[str],
    started: str,
    next: str | None,
    machine: str | None = None,
    **_: object,
) -> ScheduledRun:
    began = datetime.fromisoformat(started)
    again = datetime.fromisoformat(next) if next is not None else None
    return ScheduledRun(schedule, verb, rhythm, tuple(playbooks), began, began, KILLED, again, machine)
