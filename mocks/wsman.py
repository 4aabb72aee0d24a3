"""A WS-Man server on loopback that the real pywinrm talks to: HTTP, authentication, sealing, faults on demand.

It does not model: Kerberos and CredSSP, client certificates, chunked requests, more than one listener per host.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import spnego
import spnego.exceptions

from mocks import soap
from mocks.run import Disk, Host
from mocks.shells import PROFILES, Output, Process, Shells, TwinProcess
from mocks.tls import Authority
from mocks.twin import Twin

_SEALED = re.compile(
    rb"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
    rb"\tOriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(\d+)\r\n"
    rb"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
)
_SEALED_TYPE = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
_PLAIN_TYPE = "application/soap+xml;charset=UTF-8"
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Payload Too Large",
            500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


@dataclass
class Trouble:
    """Something that goes wrong. `action`: Create, Command, …; `nth`: which one of these, counted from 1; `phase`:
    before or after the request had its effect. `effect`: "reset" the connection, "http" with `code`, "fault" with
    `code` (a WS-Man number), "lose_shells", "noise" (text in the output), "garbage" (200 and no XML)."""

    action: str
    effect: Literal["reset", "http", "fault", "lose_shells", "noise", "garbage"]
    nth: int = 1
    times: int = 1
    phase: Literal["before", "after"] = "before"
    code: int = 0
    wmi_only: bool = False


@dataclass
class Entry:
    """A request in the server's log."""

    action: str
    user: str
    status: int
    sent: int = 0
    received: int = 0
    trouble: str = ""


@dataclass
class Endpoint:
    """One simulated host on one port. `users`: name -> password. `plain`: whether http may go unsealed."""

    host: Host
    users: Mapping[str, str]
    port: int = 0
    scheme: Literal["http", "https"] = "http"
    profile: str = "2016+"
    offers: Sequence[str] = ("Negotiate", "Basic")
    plain: bool = True
    admin: bool = True
    disk: Disk = field(default_factory=Disk)
    troubles: list[Trouble] = field(default_factory=list)
    log: list[Entry] = field(default_factory=list)
    start: Callable[[Output], Process] | None = None
    shells: Shells = field(init=False)

    def __post_init__(self) -> None:
        self.shells = Shells(self.start or self._twin, PROFILES[self.profile])
        self.seen: dict[str, int] = {}
        self.auth_requests = 0

    def _twin(self, output: Output) -> Process:
        return TwinProcess(Twin(self.host, self.disk), output)

    def trouble(self, action: str, phase: str) -> Trouble | None:
        if phase == "before":
            self.seen[action] = self.seen.get(action, 0) + 1
        count = self.seen.get(action, 0)
        for trouble in self.troubles:
            if (
                trouble.action == action
                and trouble.phase == phase
                and trouble.nth <= count < trouble.nth + trouble.times
            ):
                return trouble
        return None

    def actions(self) -> list[str]:
        """What was asked, in order, without the handshakes."""
        return [e.action for e in self.log]


class Server:
    """Serves endpoints on 127.0.0.1 while its context is open."""

    def __init__(self, endpoints: Sequence[Endpoint], authority: Authority | None = None) -> None:
        self.endpoints = list(endpoints)
        self._authority = authority
        self._sockets: list[socket.socket] = []
        self._open: set[socket.socket] = set()

    def __enter__(self) -> Self:
        self._users_file()
        for endpoint in self.endpoints:
            listener = socket.create_server(("127.0.0.1", endpoint.port), backlog=256)
            endpoint.port = listener.getsockname()[1]
            self._sockets.append(listener)
            threading.Thread(target=self._accept, args=(listener, endpoint), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in [*self._sockets, *self._open]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _users_file(self) -> None:
        """pyspnego's NTLM acceptor reads accounts from the file that NTLM_USER_FILE names."""
        lines = {f":{u}:{p}" for e in self.endpoints for u, p in e.users.items()}
        known = Path(os.environ.get("NTLM_USER_FILE", ""))
        if os.environ.get("NTLM_USER_FILE") and known.is_file():
            lines |= set(known.read_text(encoding="utf-8").splitlines())
        handle, name = tempfile.mkstemp(prefix="hvctl-simulated-users-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("\n".join(sorted(lines)) + "\n")
        os.environ["NTLM_USER_FILE"] = name

    def _accept(self, listener: socket.socket, endpoint: Endpoint) -> None:
        context = self._authority.context() if endpoint.scheme == "https" and self._authority else None
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw, endpoint, context), daemon=True).start()

    def _serve(self, raw: socket.socket, endpoint: Endpoint, context: ssl.SSLContext | None) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(raw)
        try:
            connection = context.wrap_socket(raw, server_side=True) if context else raw
            _Connection(connection, endpoint).serve()
        except (OSError, ssl.SSLError):
            pass
        finally:
            self._open.discard(raw)
            raw.close()


class _Reset(Exception):
    """The connection is to be torn down."""


class _Connection:
    """One TCP connection. NTLM's keys live and die with it."""

    def __init__(self, connection: socket.socket, endpoint: Endpoint) -> None:
        self._socket, self._endpoint = connection, endpoint
        self._buffer = b""
        self._context: spnego.ContextProxy | None = None
        self._user = ""

    def serve(self) -> None:
        try:
            while (request := self._read()) is not None:
                self._handle(*request)
        except _Reset:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.close()

    def _read(self) -> tuple[dict[str, str], bytes, str] | None:
        while b"\r\n\r\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                return None
            self._buffer += data
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
        return headers, body[:length], first.split(" ")[1]

    # --- HTTP and authentication -----------------------------------------------------------------------------------

    def _handle(self, headers: Mapping[str, str], body: bytes, path: str) -> None:
        if path.rstrip("/") != "/wsman":
            self._reply(404)
            return
        sealed = headers.get("content-type", "").startswith("multipart/encrypted")
        given = headers.get("authorization", "")
        if given.startswith("Basic ") and "Basic" in self._endpoint.offers:
            user, _, password = base64.b64decode(given[6:]).decode("latin-1").partition(":")
            self._user = user if self._endpoint.users.get(user) == password else ""
        elif given.startswith("Negotiate "):
            self._endpoint.auth_requests += 1
            if not self._negotiated(base64.b64decode(given[10:])):
                return
        if not self._user:
            self._endpoint.auth_requests += 1
            self._unauthorised()
            return
        if not body:
            self._reply(200)
            return
        if sealed:
            opened = self._opened(body)
            if opened is None:
                # The key was another connection's: 400 with nothing in it, and the context is dead (winrm 2.5).
                self._reply(400)
                raise _Reset
            body = opened
        elif not self._endpoint.plain and self._endpoint.scheme == "http":
            self._reply(500)
            return
        self._soap(body, sealed)

    def _negotiated(self, token: bytes) -> bool:
        if self._context is None or self._context.complete:
            self._context = spnego.server(protocol="ntlm")
            self._user = ""
        try:
            back = self._context.step(token)
        except (spnego.exceptions.SpnegoError, ValueError):
            self._context = None
            self._unauthorised()
            return False
        if not self._context.complete:
            self._reply(401, extra=f"WWW-Authenticate: Negotiate {base64.b64encode(back or b'').decode()}\r\n")
            return False
        self._user = str(self._context.client_principal or "").rsplit("\\", 1)[-1]
        return True

    def _unauthorised(self) -> None:
        offers = "".join(
            f"WWW-Authenticate: {o}{' realm=' + chr(34) + 'WSMAN' + chr(34) if o == 'Basic' else ''}\r\n"
            for o in self._endpoint.offers
        )
        self._reply(401, extra=offers)

    def _opened(self, body: bytes) -> bytes | None:
        found = _SEALED.match(body)
        if found is None or self._context is None:
            return None
        sealed = body[found.end() : body.rindex(b"--Encrypted Boundary--")]
        size = struct.unpack("<i", sealed[:4])[0]
        try:
            opened = self._context.unwrap(sealed[4 : 4 + size] + sealed[4 + size :]).data
        except (spnego.exceptions.SpnegoError, ValueError):
            return None
        return opened if len(opened) == int(found[1]) else None

    def _closed(self, body: bytes) -> bytes:
        assert self._context is not None
        wrapped = self._context.wrap(body).data
        return (
            b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n"
            b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n" % len(body)
            + struct.pack("<i", 16) + wrapped + b"--Encrypted Boundary--\r\n"
        )  # fmt: skip

    # --- WS-Man ------------------------------------------------------------------------------------------------------

    def _cut(self) -> bool:
        """Whether the host's own network is away, as while an external switch is made over it. Time passes."""
        host = self._endpoint.host
        if getattr(host, "reachable", True):
            return False
        host.clock.sleep(1.0)
        return True

    def _soap(self, body: bytes, sealed: bool) -> None:
        endpoint = self._endpoint
        if self._cut():
            raise _Reset
        request = soap.read(body)
        if request is None:
            self._reply(400)
            return
        entry = Entry(request.action, self._user, 200, received=len(body))
        endpoint.log.append(entry)
        if self._upset(endpoint.trouble(request.action, "before"), request, sealed, entry):
            return
        if len(body) > 1024 * 500:
            status, answer = 500, soap.fault(request, soap.TOO_LARGE)
        elif not endpoint.admin:
            status, answer = 500, soap.fault(request, soap.DENIED)
        else:
            found = endpoint.shells.answer(request, self._user)
            status, answer = (500, soap.fault(request, found)) if isinstance(found, soap.Fault) else (200, found)
        if self._upset(endpoint.trouble(request.action, "after"), request, sealed, entry):
            return
        if self._cut():
            raise _Reset
        entry.status, entry.sent = status, len(answer)
        self._reply(status, answer, sealed)

    def _upset(self, trouble: Trouble | None, request: soap.Request, sealed: bool, entry: Entry) -> bool:
        """Whether the trouble took the place of the answer."""
        if trouble is None:
            return False
        entry.trouble = trouble.effect
        match trouble.effect:
            case "reset":
                raise _Reset
            case "http":
                entry.status = trouble.code
                self._reply(trouble.code)
            case "fault":
                fault = soap.Fault(trouble.code, wsman=not trouble.wmi_only, wmi=trouble.wmi_only)
                self._reply(500, soap.fault(request, fault), sealed)
            case "garbage":
                self._reply(200, b"<html>not WS-Man", sealed)
            case "lose_shells":
                self._endpoint.shells.lose_all()
                return False
            case "noise":
                text = b"WARNING: \xe8\xad\xa6\xe5\x91\x8a\r\n#< CLIXML\r\n"
                self._reply(200, soap.received(request, text, text, None), sealed)
        return True

    def _reply(self, status: int, body: bytes = b"", sealed: bool = False, extra: str = "") -> None:
        data = self._closed(body) if sealed and body else body
        kind = _SEALED_TYPE if sealed else _PLAIN_TYPE
        head = (
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: {kind}\r\n{extra}"
            f"Server: Microsoft-HTTPAPI/2.0\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        self._socket.sendall(head.encode("latin-1") + data)
