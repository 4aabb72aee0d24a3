"""What a check sees of its hosts, written down as they end, so that one that is killed in the middle loses nothing: the next
check, or whoever asks for the history, remembers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import monotonic
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from hvctl.core.check import Check, Verb
from hvctl.history import unfinished
from hvctl.history.scheduled import KILLED
from hvctl.history.seen import Seen, Twins
from hvctl.text.files import PRIVATE, append_line, make_private_folder, write_whole

T = TypeVar("T")
_KIND = ("check", ".jsonl")
_REST = 50
"""So many times as long as the disk has taken, it is not waited for again: 2 % of the time, however slow it is."""


@dataclass(frozen=True)
class Begun:
    """The check, as it is known before any host has ended. `history`: where it is to be remembered, without a password."""

    verb: Verb
    playbooks: tuple[str, ...]
    started: datetime
    history: str
    addresses: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""


class Spool:
    """A file of one check: its first line is the check, each further one a host. What cannot be written is not: the check
    itself is remembered at its end. Where the power fails, what is lost is what the disk was not waited for yet."""

    def __init__(self, folder: Path, begun: Begun, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._waits_from = clock()
        self._file = unfinished.new_file(folder, *_KIND)
        self.seen: dict[str, Seen] = {}
        """What was seen, by host; for the check's own end."""
        self._twins = Twins()
        with suppress(OSError):
            make_private_folder(folder)
            write_whole(self._file, _line(_of_check(), begun), PRIVATE)

    def add(self, one: Seen) -> None:
        self.seen[one.host] = self._twins.shared(one)
        with suppress(OSError):
            line = _line(_of_host(), one).rstrip("\n")
            began = self._clock()
            lasting = began >= self._waits_from
            append_line(self._file, line, lasting=lasting)
            if lasting:
                ended = self._clock()
                self._waits_from = ended + _REST * (ended - began)

    def end(self) -> None:
        """It is remembered, or told why not."""
        unfinished.ended(self._file)
        with suppress(OSError):
            self._file.unlink()


@dataclass(frozen=True)
class BrokenOff:
    """A check that was killed, with what it had seen."""

    file: Path
    check: Check
    seen: tuple[Seen, ...]

    def end(self) -> None:
        with suppress(OSError):
            self.file.unlink()


def broken_off(folder: Path, history: str) -> Iterator[BrokenOff]:
    """Of processes that are gone, and was to be remembered there. Each is this process's own from now on."""
    for file in unfinished.orphans(folder, *_KIND):
        found = _read(file)
        if found is None or found[0].history != history or not unfinished.abandoned(file, found[0].machine):
            continue
        try:
            ended = datetime.fromtimestamp(file.stat().st_mtime, UTC)
        except OSError:
            continue  # another hvctl was quicker
        mine = unfinished.taken(file, _KIND[0])
        if mine is None:
            continue
        begun, seen = found
        check = Check(
            begun.verb,
            begun.playbooks,
            begun.started,
            ended,
            (),
            KILLED,
            addresses=begun.addresses,
            machine=begun.machine,
        )
        yield BrokenOff(mine, check, seen)


def _read(file: Path) -> tuple[Begun, tuple[Seen, ...]] | None:
    """None if it cannot be read. A line may have been cut off: the last one by a kill, another where the disk was full, which
    costs the one after it too."""
    try:
        first, *more = file.read_text(encoding="utf-8", errors="replace").split("\n")
        begun = _of_check().validate_json(first)
    except (OSError, ValidationError):
        return None
    seen = tuple(one for line in more[:-1] if (one := _host_of(line)) is not None)
    return (begun, seen) if seen or not more[:-1] else None  # else another hvctl has written it


def _host_of(line: str) -> Seen | None:
    try:
        return _of_host().validate_json(line)
    except ValidationError:
        return None


def _line(adapter: TypeAdapter[T], value: T) -> str:
    return adapter.dump_json(value).decode() + "\n"


@cache
def _of_check() -> TypeAdapter[Begun]:
    return TypeAdapter(Begun)


@cache
def _of_host() -> TypeAdapter[Seen]:
    return TypeAdapter(Seen)
