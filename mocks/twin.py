"""The runner's Python twin: the same lines in, the same lines out, over a simulated host and without PowerShell."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from hvctl.call import Batch, Event, HostInfo, Reply, TransportError
from hvctl.winrm import protocol
from hvctl.winrm.staging import Staging, with_files
from hvctl.winrm.steps import steps_of
from mocks.clock import START
from mocks.refs import HOME
from mocks.run import Clock, Disk, Frames, Host, Run
from mocks.staging import Put, names, safe

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
        self._takes_files = False
        self._put: Put | None = None
        self._put_frames = Frames(protocol.NO_BATCH)

    def let_go(self) -> None:
        """The lock is a file that is open: it goes with the process."""
        if self.disk.holder is not None and self.disk.holder.get("pid") == self.pid:
            self.disk.holder = None

    def feed(self, line: bytes) -> Iterator[bytes]:
        for chunk in self._fed(line):
            held, self._waiting = self._waiting, b""
            yield held + chunk

    def _fed(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b'{"src"'):
            yield from self._load(line)
        elif self._allow is None:
            yield _fatal("the runner is not loaded")
        elif self._put is not None and line.startswith(b"@put "):
            yield from self._bytes(self._put, line.decode("ascii").rstrip("\n").split(" "))
        else:
            yield from self._envelope(line, self._allow)

    def _load(self, line: bytes) -> Iterator[bytes]:
        try:
            source = json.loads(line)
            self._allow = {k.casefold(): v for k, v in source["allow"].items()}
            self._takes_files |= source.get("sha") == protocol.source_sha("staging.ps1")
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
            batch_id, p = _opened(line, self.host.hello()["language_mode"] == "FullLanguage")
            body = _body(p, self._takes_files)
        except EnvelopeError as error:
            yield Frames(protocol.NO_BATCH).put("refused", code="envelope", why=str(error))
            return
        frames = Frames(batch_id)
        if body["action"] == "stop":
            self.disk.stops.add(body["of"])
            yield from (frames.put("accepted"), frames.put("end", ok=True))
        elif body["action"] == "stage":
            yield from (frames.put("accepted"), *self._stage(body, frames), frames.put("end", ok=True))
            self._put_frames = frames
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
        lease, hello = body.get("lease"), self.host.hello()
        if change and (refused := self._leased(lease, hello.get("user", ""), str(body.get("client", "")))):
            yield frames.put("refused", **refused)
            return
        self._seen.add(batch_id)
        if change:
            self.disk.holder = {
                "user": hello.get("user", ""),
                "client": body.get("client", ""),
                "pid": self.pid,
                "batch_id": batch_id,
                "since": (START + timedelta(seconds=self.host.clock.now())).strftime("%Y-%m-%dT%H:%M:%S.0000000Z"),
            }
            self.disk.journals[batch_id] = [{"at": "begin"}]
        try:
            run = Run(self.host, self.disk, frames, allow, change, lambda: self._lasts(lease))
            begun = frames.put("accepted")
            yield from _held(begun, run.steps(body["steps"], body.get("deadline_s")), change)
            yield frames.put("end", ok=len(run.done) == len(body["steps"]))
            if change:
                self.disk.journals[batch_id].append({"at": "end"})
        finally:
            if change:
                self.let_go()
                self.disk.stops.discard(batch_id)

    def _leased(self, lease: Mapping[str, Any] | None, user: str, client: str) -> dict[str, Any] | None:
        """As hvLease does it: why it is refused."""
        held, now = self.disk.lease, self._stamp(0)
        own = held is not None and lease is not None and held["lease"] == lease["id"]
        if lease is not None and lease["do"] == "release":
            self.disk.lease = None if own else held
            return None
        over = lease is not None and held is not None and held["lease"] == lease["over"]
        if lease is not None and lease["do"] == "keep" and not own:
            return {"code": "lease", "why": "the lease is not there any more"}
        if held is not None and not own and not over and held["until"] > now:
            return {"code": "locked", "why": "another apply is running", "holder": json.dumps(held)}
        if lease is not None:
            since = (START + timedelta(seconds=self.host.clock.now())).strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
            who = {"user": user, "client": client, "pid": self.pid, "since": since}
            self.disk.lease = {"lease": lease["id"], "until": now, "owner": lease["owner"], **who}
            self._lasts(lease)
        return None

    def _lasts(self, lease: Mapping[str, Any] | None) -> None:
        if lease is not None and self.disk.lease is not None:
            self.disk.lease["until"] = self._stamp(lease["s"])

    def _stamp(self, seconds: float) -> str:
        return (START + timedelta(seconds=self.host.clock.now() + seconds)).strftime("%Y%m%d%H%M%S")

    # --- files ------------------------------------------------------------------------------------------------------

    def _stage(self, body: Mapping[str, Any], frames: Frames) -> Iterator[bytes]:
        """As staging.ps1 answers."""
        self._put = None
        if self.host.hello().get("language_mode") != "FullLanguage":
            text = "its PowerShell is restricted (ConstrainedLanguage) and cannot write bytes"
            yield frames.put("stage", error=text)
            return
        run, name = names(body)
        staging = self.disk.staging
        if body["do"] == "remove":
            self._forget(staging.remove(run))
            return
        self._forget(staging.make(run, self.host.clock.now()))
        if not self.disk.writable:
            yield frames.put("stage", error="There is not enough space on the disk.")
        elif body["do"] == "open":
            yield frames.put("stage", at=staging.opened(run, name, bool(body.get("fresh"))))
            self._put = Put(frames.batch_id, run, name)
        elif body["do"] == "close":
            yield frames.put("stage", shas=[self._kept(run, name)])
        else:
            for file in body["files"]:
                staging.opened(run, safe(file["name"]), True)
                staging.write(run, safe(file["name"]), 0, file["data"], file["packed"])
            yield frames.put("stage", shas=[self._kept(run, safe(file["name"])) for file in body["files"]])

    def _bytes(self, put: Put, part: list[str]) -> Iterator[bytes]:
        if part[1] != put.id or put.failed:
            return
        try:
            at = self.disk.staging.write(put.run, put.name, int(part[3]), part[4], part[2][0] == "z")
        except (ValueError, KeyError, zlib.error) as error:
            put.failed = True
            yield self._put_frames.put("stage", error=str(error))
            return
        if part[2][1] == "a":
            yield self._put_frames.put("stage", at=at)

    def _kept(self, run: str, name: str) -> str:
        """The file's hash; the cmdlets of the host see the file from now on."""
        sha, size, text = self.disk.staging.sha256(run, name)
        if (keep := getattr(self.host, "keep", None)) is not None:
            path = staged_path(run, name)
            keep(path, size, sha, text, self.disk.staging.disk(run, name, path))
        return sha

    def _forget(self, gone: Iterable[tuple[str, str]]) -> None:
        if (forget := getattr(self.host, "forget", None)) is not None:
            for run, name in gone:
                forget(staged_path(run, name))


def staged_path(run: str, name: str) -> str:
    return f"{HOME}\\staging\\{run}\\{name}"


def _hello(host: Host) -> dict[str, Any]:
    said = dict(host.hello())
    return {"ps": said.pop("powershell"), "lang": said.pop("language_mode"), **said}


def _held(first: bytes, frames: Iterator[bytes], change: bool) -> Iterator[bytes]:
    """The frames of a read leave together, up to 108 KB (78 and a frame of rows): each write ends a pending Receive."""
    if change:
        yield first
        yield from frames
        return
    held = first
    for frame in frames:
        if len(held) >= 78_000:
            yield held
            held = b""
        held += frame
    yield held


def _fatal(why: str) -> bytes:
    return Frames(protocol.NO_BATCH).put("fatal", code="source", why=why)


def _opened(line: bytes, full: bool) -> tuple[str, str]:
    """Where the language is constrained no hash can be made (winrm 7.4)."""
    try:
        envelope = json.loads(line)
        v, batch_id, p = envelope["v"], envelope["batch_id"], envelope["p"]
    except (ValueError, KeyError, TypeError) as error:
        raise EnvelopeError("not an envelope") from error
    if v != protocol.VERSION:
        raise EnvelopeError("version")
    if not isinstance(p, str) or len(p) != envelope.get("len"):
        raise EnvelopeError("length")
    if full and hashlib.sha256(p.encode()).hexdigest() != envelope.get("sha256"):
        raise EnvelopeError("sha256")
    if not p.endswith(f'"batch_id":"{batch_id}"}}'):
        raise EnvelopeError("cut")
    return batch_id, p


def _body(p: str, takes_files: bool) -> dict[str, Any]:
    try:
        body = json.loads(p)
    except ValueError as error:
        raise EnvelopeError("not a batch") from error
    known = ("batch", "journal", "stop", *(("stage",) if takes_files else ()))
    if body.get("action") not in known or (body["action"] == "batch" and not (body.get("steps") or body.get("lease"))):
        raise EnvelopeError("not a batch")
    return dict(body)


class LinePipe:
    """Lines to a runner in the same process, for files."""

    def __init__(self, feed: Callable[[bytes], Iterable[bytes]]) -> None:
        self._feed = feed
        self._said = b""

    def talk(self, decoder: protocol.Decoder, line: bytes) -> None:
        for chunk in self._feed(line):
            decoder.feed(chunk)

    def send(self, line: bytes) -> None:
        self._said += b"".join(self._feed(line))

    def receive(self, decoder: protocol.Decoder, until: Callable[[], bool]) -> None:
        said, self._said = self._said, b""
        decoder.feed(said)
        assert until(), "the runner did not answer"


class TwinTransport:
    """A Transport to a simulated host in the same process, through the real encoding and decoding."""

    def __init__(self, host: Host, allow: Mapping[str, str] | None = None, disk: Disk | None = None) -> None:
        """Without `allow`, every cmdlet that a batch names may be called."""
        self.twin = Twin(host, disk)
        self._allow = allow
        self._info: HostInfo | None = None
        self._count = 0
        self._running: tuple[str, Batch] | None = None
        self._pipe = LinePipe(self.twin.feed)

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        def bring(staging: Staging) -> None:
            self._load(self._allow or {})
            self._pipe.send(protocol.staging_line(self._allow or {}))
            staging.push(self._pipe)

        return with_files(
            batch, on_event, bring, lambda b: self._run(b, on_event), lambda staging: staging.remove(self._pipe)
        )

    def _run(self, batch: Batch, on_event: Callable[[Event], None]) -> list[Reply]:
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
        self._running = (batch_id, batch)
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

    def stop(self) -> TransportError | None:
        now = self._running
        if now is None:
            return None
        running, batch = now
        self.twin.disk.stops.add(running)
        if batch.mode == "read":
            return None
        return TransportError(f"still running, batch {running}", executed="unknown", running=running)

    def close(self) -> None:
        return None
