"""Brings the files that a batch needs to the host before it runs: packed, streamed, resumed, checked, removed."""

from __future__ import annotations

import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Protocol

from hvctl.call import Batch, Event, Failure, Home, Reply, Staged, Task
from hvctl.core.contents import files_in, files_of, hash_of, opened
from hvctl.winrm import protocol
from hvctl.winrm.faults import WireFault
from hvctl.winrm.frames import Staged as Said

PIECE = 270_000
"""Bytes per line: in base64 they fill one Send."""
WINDOW = 4 * 1024 * 1024
"""The host says every so many bytes what it has written; one such answer may be outstanding."""
SMALL = 64 * 1024
"""Files up to this size travel whole, many in one line."""
PACK = 250_000
"""Characters of file content in such a line."""


class Pipe(Protocol):
    """What an upload needs of a conversation with a runner that has staging.ps1."""

    def talk(self, decoder: protocol.Decoder, line: bytes) -> None:
        """Send a line and receive to the end of its answer."""

    def send(self, line: bytes) -> None:
        """Send a line that has no end frame; it may wait for others."""

    def receive(self, decoder: protocol.Decoder, until: Callable[[], bool]) -> None:
        """Send what waits, and receive until that is so."""


class _NotTakenError(Exception):
    """One file cannot be brought to the host, however often it is tried."""


@dataclass
class Staging:
    """The files of one batch on their way. After a fault of the wire `push` goes on where it ended."""

    files: Sequence[Staged]
    on_event: Callable[[Event], None]
    run: str = field(default_factory=lambda: str(uuid.uuid4()))
    clock: Callable[[], float] = time.monotonic
    failed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._left = {f.sha256: f for f in self.files}
        self._at: dict[str, int] = dict.fromkeys(self._left, 0)
        self._total = sum(f.size for f in self.files)
        self._began = self.clock()
        self._damaged: set[str] = set()

    @property
    def moved(self) -> int:
        """Bytes that the host has."""
        return sum(self._at.values())

    def push(self, pipe: Pipe) -> None:
        """Bring over what is not there yet. Raises what the pipe raises; files that cannot go are in `failed`."""
        small = [f for f in self._left.values() if f.size <= SMALL]
        for pack in _packs(small):
            self._pack(pipe, pack)
        while self._left:
            file = next(iter(self._left.values()))
            try:
                self._stream(pipe, file)
            except OSError as error:
                self._give_up(file, f"cannot be read: {error.strerror or error}")
            except _NotTakenError as error:
                self._give_up(file, str(error))

    def remove(self, pipe: Pipe) -> None:
        self._asked(pipe, "remove")

    def resolved(self, batch: Batch) -> tuple[Batch, dict[str, Reply]]:
        """The batch with paths for files, without the tasks whose file did not come and those that need them; and
        what is to be answered for these."""
        known: dict[str, Reply] = {}
        tasks: list[Task] = []
        for task in batch.tasks:
            lacking = next((f for f in files_in(task.call.params) if f.sha256 in self.failed), None)
            needed = next((n for n in task.needs if n in known), None)
            if needed is not None:
                known[task.id] = Reply(skipped=f"needs {needed}")
            elif lacking is not None:
                why = f"{lacking.name} was not brought to the host: {self.failed[lacking.sha256]}"
                known[task.id] = Reply(failures=(Failure("NotStaged", "ReadError", why),))
            else:
                params = {name: self._placed(value) for name, value in task.call.params.items()}
                tasks.append(replace(task, call=replace(task.call, params=params)))
        return replace(batch, tasks=tuple(tasks)), known

    def _placed(self, value: Any) -> Any:
        if isinstance(value, Staged):
            return Home(f"staging\\{self.run}\\{value.sha256}")
        return tuple(self._placed(v) for v in value) if isinstance(value, tuple) else value

    # --- small ones, many at once ------------------------------------------------------------------------------------

    def _pack(self, pipe: Pipe, pack: Sequence[Staged]) -> None:
        items, sent = [], []
        for file in pack:
            try:
                with opened(file) as source:
                    data = source.read(file.size + 1)
            except OSError as error:
                self._give_up(file, f"cannot be read: {error.strerror or error}")
                continue
            deflated = _deflated(data)
            packed = len(deflated) < len(data)
            body = protocol.base64_text(deflated if packed else data)
            items.append({"name": file.sha256, "packed": packed, "data": body})
            sent.append(file)
        if not items:
            return
        said = self._asked(pipe, "files", files=items).staged
        for n, file in enumerate(sent):
            if said.error is not None:
                self._give_up(file, said.error)
            elif said.shas is None or len(said.shas) != len(sent):
                raise _lost()
            elif said.shas[n] == file.sha256:
                self._arrived(file)
            else:
                self._give_up(file, self._why_different(file))

    # --- a large one, in pieces --------------------------------------------------------------------------------------

    def _stream(self, pipe: Pipe, file: Staged) -> None:
        fresh = file.sha256 in self._damaged
        try:
            shas = self._sent(pipe, file, fresh)
        except _NotTakenError:
            # A full disk stays full; a line that was garbled on its way does not come again.
            if fresh:
                raise
            shas = None
        if shas == (file.sha256,):
            self._arrived(file)
            return
        self._at[file.sha256] = 0
        if fresh or hash_of(file) != file.sha256:
            raise _NotTakenError(self._why_different(file))
        self._damaged.add(file.sha256)

    def _sent(self, pipe: Pipe, file: Staged, fresh: bool) -> tuple[str, ...]:
        """The hash of what the host has when all was sent."""
        decoder = self._asked(pipe, "open", name=file.sha256, fresh=fresh)
        # What is there was written from its beginning on, without gaps: lines come in order.
        asked = at = self._at[file.sha256] = self._written(decoder)
        with opened(file) as source:
            source.seek(at)
            for piece in _pieces(source):
                offset, at = at, at + len(piece.raw)
                answer = at // WINDOW != offset // WINDOW or at >= file.size
                pipe.send(protocol.put_line(decoder.batch_id, offset, piece.data, packed=piece.packed, answer=answer))
                if answer:
                    self._await(pipe, decoder, file, asked)
                    asked = at
        self._await(pipe, decoder, file, asked)
        shas = self._checked(self._asked(pipe, "close", name=file.sha256)).shas
        if shas is None:
            raise _lost()
        return shas

    def _await(self, pipe: Pipe, decoder: protocol.Decoder, file: Staged, upto: int) -> None:
        """Until the host has written so much; what it has written is not sent again, whatever happens."""

        def written() -> bool:
            return decoder.staged.error is not None or (decoder.staged.at or 0) >= upto

        if not written():
            pipe.receive(decoder, written)
        self._at[file.sha256] = self._written(decoder)
        self._tell(file)

    def _written(self, decoder: protocol.Decoder) -> int:
        at = self._checked(decoder).at
        if at is None:
            raise _lost()
        return at

    def _checked(self, decoder: protocol.Decoder) -> Said:
        if decoder.staged.error is not None:
            raise _NotTakenError(decoder.staged.error)
        return decoder.staged

    # --- both --------------------------------------------------------------------------------------------------------

    def _asked(self, pipe: Pipe, do: Any, **body: Any) -> protocol.Decoder:
        decoder = protocol.Decoder(Batch(()), str(uuid.uuid4()))
        pipe.talk(decoder, protocol.encode_stage(do, self.run, decoder.batch_id, **body))
        if decoder.gap or not (decoder.staged or (decoder.refusal is None and do == "remove")):
            raise _lost()
        return decoder

    def _why_different(self, file: Staged) -> str:
        try:
            now = hash_of(file)
        except OSError as error:
            return f"cannot be read: {error.strerror or error}"
        if now != file.sha256:
            return f"it has changed since the plan was made (sha256 {file.sha256[:12]} → {now[:12]}); make a new plan"
        return "what arrived there is not what was sent"

    def _arrived(self, file: Staged) -> None:
        del self._left[file.sha256]
        self._at[file.sha256] = file.size
        self._tell(file)

    def _give_up(self, file: Staged, why: str) -> None:
        del self._left[file.sha256]
        self.failed[file.sha256] = why

    def _tell(self, file: Staged) -> None:
        seconds = self.clock() - self._began
        rate = self.moved / seconds if seconds >= 1 else 0.0  # the first moment says nothing
        self.on_event(Event("upload", text=file.name, done=self.moved, total=self._total, rate=rate))


def with_files(
    batch: Batch,
    on_event: Callable[[Event], None],
    bring: Callable[[Staging], None],
    run: Callable[[Batch], list[Reply]],
    remove: Callable[[Staging], None],
) -> list[Reply]:
    """Run a batch around the files that it needs: `bring` pushes, `remove` takes them away whatever happened."""
    files = files_of(batch)
    if not files:
        return run(batch)
    staging = Staging(files, on_event)
    try:
        bring(staging)
        sendable, known = staging.resolved(batch)
        ran = run(sendable) if sendable.tasks else []
        known |= {task.id: reply for task, reply in zip(sendable.tasks, ran, strict=True)}
        return [known[task.id] for task in batch.tasks]
    finally:
        remove(staging)


def _lost() -> WireFault:
    return WireFault("lost", "part of the host's answer was lost")


@dataclass(frozen=True)
class _Piece:
    raw: bytes
    data: bytes
    packed: bool


def _pieces(source: BinaryIO) -> Iterator[_Piece]:
    """Deflated where that makes them smaller. Where it does not, it is tried at every sixteenth piece only."""
    futile = 0
    while raw := source.read(PIECE):
        deflated = _deflated(raw) if futile < 4 or futile % 16 == 0 else raw
        packed = len(deflated) < 0.95 * len(raw)
        futile = 0 if packed else futile + 1
        yield _Piece(raw, deflated if packed else raw, packed)


def _packs(files: Sequence[Staged]) -> Iterator[list[Staged]]:
    pack: list[Staged] = []
    for file in files:
        if pack and sum(f.size for f in pack) + file.size > PACK * 3 // 4:
            yield pack
            pack = []
        pack.append(file)
    if pack:
        yield pack


def _deflated(data: bytes) -> bytes:
    """Without a header, as .NET's DeflateStream reads it."""
    worker = zlib.compressobj(1, wbits=-15)
    return worker.compress(data) + worker.flush()
