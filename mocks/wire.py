"""One connection as bytes: HTTP requests read from it, answers put on it, and the ways in which it breaks."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple, NoReturn

from mocks.faults import Injector, Trouble

PLAIN_TYPE = "application/soap+xml;charset=UTF-8"
TCP_CORK = getattr(socket, "TCP_CORK", socket.TCP_NODELAY)
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Payload Too Large",
            500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


class Reset(Exception):
    """The connection is to be torn down."""


class Fin(Exception):
    """The connection is to be closed in good order."""


class HttpRequest(NamedTuple):
    """One request; names of headers in lower case."""

    headers: dict[str, str]
    body: bytes
    path: str


class Wire:
    """HTTP on one TCP connection."""

    def __init__(self, connection: socket.socket, faults: Injector) -> None:
        self._socket, self._faults = connection, faults
        self._buffer = b""

    def read(self) -> HttpRequest | None:
        """The next request; None when the client has closed."""
        while b"\r\n\r\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                return None
            if not self._buffer:
                self._broken("read")
            self._buffer += data
            if self._buffer.startswith(b"\x16\x03"):
                # TLS where http is spoken: no method begins so, which HTTP.sys answers at once [I].
                self.reply(400, b"<h2>Bad Request - Invalid Verb</h2>", kind="text/html; charset=us-ascii")
                raise Fin
        self._broken("headers")
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        parts = [rest]
        have = len(rest)
        while have < length:
            data = self._socket.recv(min(1 << 20, length - have))
            if not data:
                return None
            parts.append(data)
            have += len(data)
        body = b"".join(parts)
        self._buffer = body[length:]
        return HttpRequest(headers, body[:length], first.split(" ")[1])

    def reply(
        self, status: int, body: bytes = b"", extra: str = "", kind: str = PLAIN_TYPE, trouble: Trouble | None = None
    ) -> None:
        """Answer. `extra`: further header lines; `trouble`: on the way back."""
        head = (
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: {kind}\r\n{extra}"
            f"Server: Microsoft-HTTPAPI/2.0\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._put(head.encode("latin-1") + body, trouble)

    def pour(self, pieces: Iterable[bytes], seconds: float) -> int:
        """One piece after another, so many seconds apart, until there are none or nobody takes them: how many bytes."""
        sent = 0
        with suppress(OSError):
            for piece in pieces:
                self._socket.sendall(piece)
                sent += len(piece)
                time.sleep(seconds)
        return sent

    def hang(self) -> NoReturn:
        """Never answer."""
        _hang(self._socket)

    def _broken(self, action: str) -> None:
        for trouble in self._faults.strike(action):
            raise Fin if trouble.effect == "fin" else Reset

    def _put(self, data: bytes, trouble: Trouble | None) -> None:
        if trouble is None:
            self._socket.sendall(data)
        elif trouble.effect == "drip":
            size = max(1, len(data) // (trouble.amount or 10))
            for at in range(0, len(data), size):
                self._socket.sendall(data[at : at + size])
                time.sleep(trouble.seconds)
        elif trouble.effect == "close":
            # The goodbye travels with the answer, or the next request would race it.
            self._socket.setsockopt(socket.IPPROTO_TCP, TCP_CORK, 1)
            self._socket.sendall(data)
            raise Fin
        else:
            self._socket.sendall(data[: trouble.amount or len(data) // 2])
            time.sleep(0.01)  # or the reset would overtake what was sent
            raise Reset if trouble.effect == "mid_reset" else Fin


def cut_off(one: socket.socket) -> None:
    """From any thread: what waits for it hears of it."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def torn(one: socket.socket) -> None:
    """A reset instead of a goodbye; only from the thread that reads it."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def at_connect(trouble: Trouble, raw: socket.socket, listener: socket.socket) -> None:
    """What goes wrong before a byte of a connection that `listener` accepted was read."""
    match trouble.effect:
        case "reset":
            raise Reset
        case "hang":
            _hang(raw)
        case "backlog":
            # A full queue: what connects further hears nothing. Linux keeps one more than was asked for.
            listener.listen(0)
            full = [socket.create_connection(listener.getsockname()) for _ in range(1)]
            time.sleep(trouble.seconds)
            listener.listen(256)
            for one in full:
                one.close()
            raise Reset


def in_handshake(trouble: Trouble, raw: socket.socket) -> NoReturn:
    """What goes wrong when a client has said that it wants TLS."""
    raw.recv(64)
    if trouble.effect == "drip":
        # The head of a ServerHello of 16 KB, and then its bytes one by one.
        raw.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
        for _ in range(trouble.amount or 2_000):
            raw.sendall(b"\x03")
            time.sleep(trouble.seconds)
    raise Reset


def _hang(one: socket.socket) -> NoReturn:
    while one.recv(65536):
        pass
    raise Fin
