"""The runner's Python twin: the same lines in, the same lines out, over a simulated host and without PowerShell."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hvctl.call import Batch, Event, HostInfo, Reply, TransportError
from hvctl.winrm import protocol
from hvctl.winrm.steps import steps_of
from mocks.run import Clock, Disk, Frames, Host, Run

__all__ = ["Clock", "Disk", "Host", "Twin", "TwinTransport"]


class EnvelopeError(Exception):
    """A line that is not a whole envelope."""


class Twin:
    """One powershell.exe. `feed` takes one line and yields what would be written to stdout."""

    def __init__(self, host: Host, disk: Disk | None = None, pid: int = 4242) -> None:
        self.host = host
        self.disk = disk or Disk()
        self.pid = pid
        self._allow: Mapping[str, str] | None = None
        self._seen: set[str] = set()
        self._frames = Frames(protocol.NO_BATCH)
        self._waiting = b""

    def feed(self, line: bytes) -> Iterator[bytes]:
        for chunk in self._fed(line):
            held, self._waiting = self._waiting, b""
            yield held + chunk

    def _fed(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b'{"src"'):
            yield from self._load(line)
        elif self._allow is None:
            yield _fatal("the runner is not loaded")
        else:
            yield from self._envelope(line, self._allow)

    def _load(self, line: bytes) -> Iterator[bytes]:
        try:
            source = json.loads(line)
            self._allow = {k.casefold(): v for k, v in source["allow"].items()}
        except (ValueError, KeyError):
            yield _fatal("the runner was not loaded: ConvertFromJson")
            return
        hello = Frames(protocol.NO_BATCH).put("hello", **_hello(self.host), pid=self.pid, sha=source.get("sha"))
        if source.get("hold"):
            self._waiting = hello
        else:
            yield hello

    def _envelope(self, line: bytes, allow: Mapping[str, str]) -> Iterator[bytes]:
        try:
            batch_id, p = _opened(line)
            body = _body(p)
        except EnvelopeError as error:
            yield Frames(protocol.NO_BATCH).put("refused", code="envelope", why=str(error))
            return
        frames = Frames(batch_id)
        if body["action"] == "stop":
            self.disk.stops.add(body["of"])
            yield from (frames.put("accepted"), frames.put("end", ok=True))
        elif body["action"] == "journal":
            lines = [json.dumps(entry) for entry in self.disk.journals.get(body["of"], [])]
            yield from (frames.put("accepted"), frames.put("journal", lines=lines), frames.put("end", ok=True))
        else:
            yield from self._batch(frames, body, allow)

    def _batch(self, frames: Frames, body: Mapping[str, Any], allow: Mapping[str, str]) -> Iterator[bytes]:
        change, batch_id = body["mode"] == "change", frames.batch_id
        if batch_id in self._seen or (change and batch_id in self.disk.journals):
            yield frames.put("refused", code="duplicate", why="this batch was here before")
            return
        if change and not self.disk.writable:
            yield frames.put("refused", code="journal", why="the journal cannot be written")
            return
        if change and self.disk.holder is not None:
            holder = json.dumps(self.disk.holder)
            yield frames.put("refused", code="locked", why="another apply is running", holder=holder)
            return
        self._seen.add(batch_id)
        if change:
            hello = self.host.hello()
            self.disk.holder = {"user": hello.get("user", ""), "pid": self.pid, "batch_id": batch_id}
            self.disk.journals[batch_id] = [{"at": "begin"}]
        try:
            run = Run(self.host, self.disk, frames, allow, change)
            begun = frames.put("accepted")
            yield from _held(begun, run.steps(body["steps"], body.get("deadline_s")), change)
            yield frames.put("end", ok=len(run.done) == len(body["steps"]))
        finally:
            if change:
                self.disk.holder = None
                self.disk.stops.discard(batch_id)


def _hello(host: Host) -> dict[str, Any]:
    said = dict(host.hello())
    return {"ps": said.pop("powershell"), "lang": said.pop("language_mode"), **said}


def _held(first: bytes, frames: Iterator[bytes], change: bool) -> Iterator[bytes]:
    """The frames of a read leave together, up to 108 KB (78 and a frame of rows): each write ends a pending Receive."""
    held = first
    for frame in frames:
        if change or len(held) >= 78_000:
            yield held
            held = b""
        held += frame
    yield held


def _fatal(why: str) -> bytes:
    return Frames(protocol.NO_BATCH).put("fatal", code="source", why=why)


def _opened(line: bytes) -> tuple[str, str]:
    try:
        envelope = json.loads(line)
        v, batch_id, p = envelope["v"], envelope["batch_id"], envelope["p"]
    except (ValueError, KeyError, TypeError) as error:
        raise EnvelopeError("not an envelope") from error
    if v != protocol.VERSION:
        raise EnvelopeError("version")
    if not isinstance(p, str) or len(p) != envelope.get("len"):
        raise EnvelopeError("length")
    if hashlib.sha256(p.encode()).hexdigest() != envelope.get("sha256"):
        raise EnvelopeError("sha256")
    if not p.endswith(f'"batch_id":"{batch_id}"}}'):
        raise EnvelopeError("cut")
    return batch_id, p


def _body(p: str) -> dict[str, Any]:
    try:
        body = json.loads(p)
    except ValueError as error:
        raise EnvelopeError("not a batch") from error
    if body.get("action") not in ("batch", "journal", "stop") or (body["action"] == "batch" and not body.get("steps")):
        raise EnvelopeError("not a batch")
    return dict(body)


class TwinTransport:
    """A Transport to a simulated host in the same process, through the real encoding and decoding."""

    def __init__(self, host: Host, allow: Mapping[str, str] | None = None, disk: Disk | None = None) -> None:
        """Without `allow`, every cmdlet that a batch names may be called."""
        self.twin = Twin(host, disk)
        self._allow = allow
        self._info: HostInfo | None = None
        self._count = 0
        self._running: str | None = None

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        self.info()
        if self._allow is None:
            self._load({str(step["cmdlet"]): "" for step in steps_of(batch)})
        self._count += 1
        batch_id = f"{id(self):x}-{self._count:04}"
        decoder = protocol.Decoder(batch, batch_id)
        try:
            line = protocol.encode_batch(batch, batch_id)
        except protocol.LineTooLongError as error:
            raise TransportError(str(error), executed="no") from error
        self._running = batch_id
        for chunk in self.twin.feed(line):
            for event in decoder.feed(chunk):
                on_event(event)
        self._running = None
        return decoder.finish()

    def info(self) -> HostInfo:
        return self._info or self._load(self._allow or {})

    def _load(self, allow: Mapping[str, str]) -> HostInfo:
        decoder = protocol.Decoder(Batch(()), "hello")
        for chunk in self.twin.feed(protocol.source_line(allow)):
            decoder.feed(chunk)
        if decoder.info is None:
            raise TransportError("the simulated host did not say who it is")
        self._info = decoder.info
        return decoder.info

    @property
    def requests(self) -> int:
        return 0

    def stop(self) -> None:
        if self._running is not None:
            self.twin.disk.stops.add(self._running)

    def close(self) -> None:
        return None
