"""A WS-Man server for very many hosts that are all alike: what one simulated host answered once is replayed in bytes, so that
serving costs next to nothing, and answers take as long as those of real hosts far away.

It does not model: who may log on (the first leg of NTLM gets a challenge, the second one is let in), sealing, quotas, changes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import socket
import ssl
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import spnego

from hvctl.winrm.protocol import bootstrap
from mocks import soap
from mocks.host import SimulatedHost
from mocks.shapes import plain
from mocks.shells import MOST_OUTPUT
from mocks.soap import Request
from mocks.twin import Twin
from mocks.wire import PLAIN_TYPE

_BATCH = b"00000000-0000-0000-0000-000000000000"
"""Stands for the id of a batch in what is kept."""


@dataclass(frozen=True)
class Pace:
    """Seconds. `round_trip`: between control node and host; `host`: what the host works on a batch of reads."""

    round_trip: float = 0.0
    host: float = 0.0


class Recordings:
    """What a process wrote after which lines, from the first one that was given them."""

    def __init__(self, state: dict[str, object]) -> None:
        self._state = state
        self._kept: dict[bytes, bytes] = {}
        self.made = 0

    def answer(self, lines: list[bytes]) -> bytes:
        """To the last of them. Raises ValueError for a change: a host that changes cannot be replayed."""
        told = [_neutral(line) for line in lines]
        key = hashlib.sha256(b"".join(text for text, _ in told)).digest()
        if key not in self._kept:
            twin = Twin(SimulatedHost.from_yaml(self._state))
            *_, last = (b"".join(twin.feed(line)) for line in lines)
            self._kept[key] = last.replace(told[-1][1], _BATCH) if told[-1][1] else last
            self.made += 1
        found = self._kept[key]
        return found.replace(_BATCH, told[-1][1]) if told[-1][1] else found


def _neutral(line: bytes) -> tuple[bytes, bytes]:
    """The same line of every host, and the id of its batch, which is its own."""
    envelope = json.loads(line)
    if "p" not in envelope:
        return line, b""
    body = json.loads(envelope["p"])
    if body.get("mode") == "change":
        raise ValueError("only reads are replayed")
    return json.dumps({**body, "batch_id": ""}).encode(), str(envelope["batch_id"]).encode()


@dataclass
class _Process:
    """`until`: when what it has written is there, in the loop's time."""

    lines: list[bytes] = field(default_factory=list)
    rest: bytes = b""
    out: bytes = b""
    until: float = 0.0
    ends: bool = False
    """It was given one script, and ends with what it wrote."""


class Playback:
    """So many hosts, each on a port of its own. Use `serve` as a task in a running loop."""

    def __init__(
        self,
        state: dict[str, object],
        hosts: int,
        pace: Pace,
        context: ssl.SSLContext,
        scripts: Mapping[str, bytes] | None = None,
    ) -> None:
        """`scripts`: what others than hvctl run on a host, and what it prints."""
        self._scripts = scripts or {}
        self._recordings, self._pace, self._context = Recordings(state), pace, context
        self._hosts = hosts
        self._processes: dict[str, _Process] = {}
        self._commands: dict[str, str] = {}
        """The last of each shell."""
        self.requests: Counter[str] = Counter()
        self.bytes = 0
        self.silent: set[int] = set()
        """Ports that take connections and say nothing."""
        self.ports: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def listen(self) -> list[int]:
        """The ports."""
        for _ in range(self._hosts):
            listener = socket.create_server(("127.0.0.1", 0), backlog=32)
            listener.setblocking(False)
            self.ports.append(listener.getsockname()[1])
            self._tasks.append(asyncio.create_task(self._accepted(listener)))
        return self.ports

    async def _accepted(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            raw, _ = await loop.sock_accept(listener)
            self._tasks.append(asyncio.create_task(self._connected(raw, listener.getsockname()[1])))

    async def _connected(self, raw: socket.socket, port: int) -> None:
        if port in self.silent:
            await asyncio.sleep(3600)
        # One round trip for TCP, whose handshake loopback has done by itself, and one for TLS 1.3. Nothing is read before.
        await asyncio.sleep(2 * self._pace.round_trip)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        with suppress(OSError, EOFError, ssl.SSLError):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, raw, ssl=self._context)
            writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            await self._served(reader, writer)
            writer.close()

    async def _served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        legs = 0
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            headers = {n.strip().lower(): v.strip() for n, _, v in (x.partition(":") for x in head.split("\r\n")[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            given = headers.get("authorization", "")
            legs += given.startswith("Negotiate ")
            if legs < 2:
                self.requests["handshake"] += 1
                challenge = f" {_challenge(base64.b64decode(given[10:]))}" if legs else ""
                await self._reply(writer, 401, b"", f"WWW-Authenticate: Negotiate{challenge}\r\n")
            elif not body:
                self.requests["handshake"] += 1
                await self._reply(writer, 200, b"")
            else:
                answer = await self._answer(soap.read(body))
                self.bytes += len(body) + len(answer)
                await self._reply(writer, 200, answer)

    async def _reply(self, writer: asyncio.StreamWriter, status: int, body: bytes, extra: str = "") -> None:
        await asyncio.sleep(self._pace.round_trip)
        word = "OK" if status == 200 else "Unauthorized"
        head = f"HTTP/1.1 {status} {word}\r\nContent-Type: {PLAIN_TYPE}\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode("latin-1") + body)
        await writer.drain()

    async def _answer(self, request: Request | None) -> bytes:
        assert request is not None
        self.requests[request.action] += 1
        name = str(uuid.uuid4()).upper()
        match request.action:
            case "Create":
                return soap.created(request, name, "bench")
            case "Command":
                self._processes[name] = self._started(request)
                self._commands[request.shell] = name
                inner = f"<rsp:CommandResponse><rsp:CommandId>{name}</rsp:CommandId></rsp:CommandResponse>"
                return soap.answer(request, inner)
            case "Send":
                self._written(self._processes[request.command_id], request.data)
                return soap.answer(request, "<rsp:SendResponse/>")
            case "Receive":
                process = self._processes[request.command_id]
                await asyncio.sleep(process.until - asyncio.get_running_loop().time())
                piece, process.out = process.out[:MOST_OUTPUT], process.out[MOST_OUTPUT:]
                return soap.received(request, plain(piece, b"", 0 if process.ends and not process.out else None))
            case "Signal":
                self._processes.pop(request.command_id, None)
                return soap.answer(request, "<rsp:SignalResponse/>")
            case "Delete":
                self._processes.pop(self._commands.pop(request.shell, ""), None)
        return soap.answer(request, "")

    def _started(self, request: Request) -> _Process:
        words = " ".join((request.command, *request.arguments)).replace('"', "").split()
        if not self._scripts or words[-1] == bootstrap():
            return _Process()
        text = base64.b64decode(words[-1]).decode("utf-16-le")
        out = next((out for script, out in self._scripts.items() if script in text), None)
        if out is None:
            raise ValueError(f"no answer to {text!r:.200}")
        return _Process(out=out, until=asyncio.get_running_loop().time() + self._pace.host, ends=True)

    def _written(self, process: _Process, data: bytes) -> None:
        *lines, process.rest = (process.rest + data).split(b"\n")
        for line in lines:
            process.lines.append(line + b"\n")
            if out := self._recordings.answer(process.lines):
                process.out += out
                process.until = asyncio.get_running_loop().time() + self._pace.host


def _challenge(first: bytes) -> str:
    """NTLM's answer to the first message of a client."""
    handle, name = tempfile.mkstemp()
    os.close(handle)
    before = os.environ.get("NTLM_USER_FILE")
    os.environ["NTLM_USER_FILE"] = name  # pyspnego's acceptor wants one, though nobody is looked up in it here
    try:
        return base64.b64encode(spnego.server(protocol="ntlm").step(first) or b"").decode()
    finally:
        Path(name).unlink()
        os.environ["NTLM_USER_FILE"] = before or ""


def run(listening: Callable[[Playback], None], ended: Callable[[], object], playback: Playback) -> None:
    """Serve in this process until `ended` returns, which is called in a thread. `listening`: hears when all ports are open."""

    async def main() -> None:
        await playback.listen()
        listening(playback)
        await asyncio.to_thread(ended)

    asyncio.run(main())
