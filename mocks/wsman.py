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
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import spnego
import spnego.exceptions
import yaml

from mocks import soap
from mocks.faults import SHAPES, Injector, Phase, Trouble
from mocks.host import SimulatedHost
from mocks.objects import ErrorAction, Outcome
from mocks.run import Disk, Host
from mocks.shells import PROFILES, Output, Process, ProcessEnded, Shells, TwinProcess
from mocks.tls import Authority, Flaw
from mocks.twin import Twin

__all__ = ["Endpoint", "Entry", "Lockout", "Server", "Trouble"]

_SEALED = re.compile(
    rb"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
    rb"\tOriginalContent: type=application/soap\+xml;charset=UTF-8;Length=(\d+)\r\n"
    rb"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
)
_SEALED_TYPE = 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
_PLAIN_TYPE = "application/soap+xml;charset=UTF-8"
TCP_CORK = getattr(socket, "TCP_CORK", socket.TCP_NODELAY)
_REPLACES = frozenset({"http", "undecryptable", "fault", "fault_200", "garbage", "empty", "cut", "content_type"})
_BODIES = {
    "html": b"<!DOCTYPE HTML><html><head><title>Error</title></head><body><h2>Error</h2></body></html>",
    "text": b"Service Unavailable",
    "cp932": "<html>サーバー エラー</html>".encode("cp932"),
}
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Payload Too Large",
            500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


@dataclass
class Entry:
    """A request in the server's log."""

    action: str
    user: str
    status: int
    sent: int = 0
    received: int = 0
    trouble: str = ""
    message_id: str = ""


@dataclass
class Lockout:
    """An account is locked for some time after so many wrong passwords."""

    tries: int
    seconds: float
    wrong: int = 0
    until: float = 0.0


@dataclass
class Endpoint:
    """One simulated host on one port. `users`: name -> password. `plain`: whether http may go unsealed. `flaw`: of
    its certificate. `keep_alive_s`: how long a silent connection is kept. `pace`: real seconds for each of an
    operation timeout's. `seed`: of the troubles that come by chance."""

    host: Host
    users: Mapping[str, str]
    port: int = 0
    scheme: Literal["http", "https"] = "http"
    profile: str = "2016+"
    offers: Sequence[str] = ("Negotiate", "Basic")
    plain: bool = True
    admin: bool = True
    disk: Disk = field(default_factory=Disk)
    troubles: Sequence[Trouble] = ()
    log: list[Entry] = field(default_factory=list)
    start: Callable[[Output], Process] | None = None
    flaw: Flaw = ""
    keep_alive_s: float | None = None
    pace: float = 1.0
    seed: int = 0
    down_s: float = 0.0
    lockout: Lockout | None = None
    shells: Shells = field(init=False)
    faults: Injector = field(init=False)

    def __post_init__(self) -> None:
        self.shells = Shells(self.start or self._twin, PROFILES[self.profile], self.pace)
        self.faults = Injector(self.troubles, self.seed)
        self.auth_requests = 0
        self.busy_until = 0.0
        self.power: Callable[[float], None] = lambda seconds: None
        self._pids = count(4242)

    def _twin(self, output: Output) -> Process:
        struck = Struck(self)
        struck.process = TwinProcess(Twin(struck, self.disk, next(self._pids)), output)
        return struck.process

    @property
    def simulated(self) -> SimulatedHost:
        assert isinstance(self.host, SimulatedHost)
        return self.host

    def happens(self, trouble: Trouble) -> bool:
        """What befalls the machine itself; whether the trouble was of that sort."""
        match trouble.effect:
            case "lose_shells":
                self.shells.lose_all()
            case "service_restart":
                self.shells.lose_all()
                self.busy_until = time.monotonic() + trouble.seconds
            case "reboot":
                self.power(trouble.seconds)
                self.disk.stops.clear()
                self.shells.lose_all()
                self.simulated.reboot(trouble.amount)
                self._passes(trouble.amount)
            case "vmms_restart":
                self.simulated.restart_vmms(trouble.amount)
                self._passes(trouble.amount)
            case "outsider":
                self._outsider(yaml.safe_load(trouble.text))
            case _:
                return False
        return True

    def _passes(self, seconds: float) -> None:
        """Where simulated time takes real one, it passes also while nobody asks for anything."""
        clock = self.simulated.clock
        if clock.scale:
            threading.Thread(target=clock.sleep, args=[seconds], daemon=True).start()

    def _outsider(self, call: Mapping[str, Mapping[str, Any]]) -> None:
        """Somebody else changes something, by a way of his own."""
        ((cmdlet, params),) = call.items()
        errors = self.simulated.invoke(cmdlet, params, "Stop").errors
        assert not errors, errors
        self.simulated.log.pop()

    def actions(self) -> list[str]:
        """What was asked, in order, without the handshakes."""
        return [e.action for e in self.log]


class Struck:
    """The host as its processes meet it: what is to go wrong at a cmdlet goes wrong there."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.clock = endpoint.host.clock
        self.process: TwinProcess | None = None

    def __getattr__(self, name: str) -> Any:
        """What else a host may offer."""
        return getattr(self._endpoint.host, name)

    def hello(self) -> Mapping[str, Any]:
        return self._endpoint.host.hello()

    def invoke(self, cmdlet: str, params: Mapping[str, Any], error_action: ErrorAction) -> Outcome:
        if cmdlet.startswith(("Get-", "Test-")):
            return self._endpoint.host.invoke(cmdlet, params, error_action)
        self._strike("before", cmdlet)
        outcome = self._endpoint.host.invoke(cmdlet, params, error_action)
        self._strike("after", cmdlet)
        return outcome

    def _strike(self, phase: Phase, cmdlet: str) -> None:
        for trouble in self._endpoint.faults.strike("invoke", phase, also=f"invoke {cmdlet}"):
            if trouble.effect == "die":
                raise ProcessEnded(trouble.code, trouble.text)
            if trouble.effect == "delay":
                time.sleep(trouble.seconds)
            self._endpoint.happens(trouble)
        if self.process is not None and not self.process.alive:
            raise ProcessEnded(1)


class Server:
    """Serves endpoints on 127.0.0.1 while its context is open."""

    def __init__(self, endpoints: Sequence[Endpoint], authority: Authority | None = None) -> None:
        self.endpoints = list(endpoints)
        self._authority = authority
        self._sockets: dict[int, socket.socket] = {}
        self._open: dict[socket.socket, Endpoint] = {}
        self._timers: dict[int, threading.Timer] = {}
        self._closed = False
        self._users = Path()
        self._users_before: str | None = None

    def __enter__(self) -> Self:
        handle, name = tempfile.mkstemp(prefix="hvctl-simulated-users-")
        os.close(handle)
        self._users, self._users_before = Path(name), os.environ.get("NTLM_USER_FILE")
        self.write_users()
        for endpoint in self.endpoints:
            self._listen(endpoint)
            endpoint.power = partial(self._down, endpoint)
            if endpoint.down_s:
                self._down(endpoint, endpoint.down_s)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._users.unlink(missing_ok=True)
        if os.environ.get("NTLM_USER_FILE") == str(self._users):
            os.environ["NTLM_USER_FILE"] = self._users_before or ""
        for timer in self._timers.values():
            timer.cancel()
        for one in [*self._sockets.values(), *self._open]:
            _cut_off(one)

    def _listen(self, endpoint: Endpoint) -> None:
        listener = socket.create_server(("127.0.0.1", endpoint.port), backlog=256)
        endpoint.port = listener.getsockname()[1]
        self._sockets[endpoint.port] = listener
        threading.Thread(target=self._accept, args=(listener, endpoint), daemon=True).start()

    def _down(self, endpoint: Endpoint, seconds: float) -> None:
        """The machine is away: connections break, new ones are refused, until it is back."""
        _cut_off(self._sockets[endpoint.port])
        for one in [s for s, e in self._open.items() if e is endpoint]:
            _cut_off(one)

        timer = threading.Timer(seconds, self.up, [endpoint])
        timer.daemon = True
        self._timers[endpoint.port] = timer
        timer.start()

    def up(self, endpoint: Endpoint) -> None:
        """The machine is back, if it was away."""
        timer = self._timers.pop(endpoint.port, None)
        if timer is not None and not self._closed:
            timer.cancel()
            self._listen(endpoint)

    def write_users(self) -> None:
        """pyspnego's NTLM acceptor reads accounts from the file that NTLM_USER_FILE names. Anew when they change."""
        lines = {f":{u}:{p}" for e in self.endpoints for u, p in e.users.items()}
        if self._users_before and Path(self._users_before).is_file():
            lines |= set(Path(self._users_before).read_text(encoding="utf-8").splitlines())
        self._users.write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")
        os.environ["NTLM_USER_FILE"] = str(self._users)

    def _accept(self, listener: socket.socket, endpoint: Endpoint) -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw, endpoint, listener), daemon=True).start()

    def _serve(self, raw: socket.socket, endpoint: Endpoint, listener: socket.socket) -> None:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = raw
        self._open[raw] = endpoint
        try:
            for trouble in endpoint.faults.strike("connect"):
                _at_connect(trouble, raw, listener)
            if endpoint.scheme == "https" and self._authority is not None:
                context = self._authority.context(endpoint.flaw)
                for _ in endpoint.faults.strike("handshake"):
                    raw.recv(64)
                    raise _Reset
                connection = context.wrap_socket(raw, server_side=True)
                del self._open[raw]
                self._open[connection] = endpoint
            connection.settimeout(endpoint.keep_alive_s)
            _Connection(connection, endpoint).serve()
        except _Reset:
            _torn(connection)
        except (OSError, ssl.SSLError, _Fin):
            pass
        finally:
            self._open.pop(connection, None)
            connection.close()


def _cut_off(one: socket.socket) -> None:
    """From any thread: what waits for it hears of it."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _torn(one: socket.socket) -> None:
    """A reset instead of a goodbye; only from the thread that reads it."""
    with suppress(OSError):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def _at_connect(trouble: Trouble, raw: socket.socket, listener: socket.socket) -> None:
    match trouble.effect:
        case "reset":
            raise _Reset
        case "hang":
            while raw.recv(65536):
                pass
            raise _Fin
        case "backlog":
            # A full queue: what connects further hears nothing. Linux keeps one more than was asked for.
            listener.listen(0)
            full = [socket.create_connection(listener.getsockname()) for _ in range(1)]
            time.sleep(trouble.seconds)
            listener.listen(256)
            for one in full:
                one.close()
            raise _Reset


class _Reset(Exception):
    """The connection is to be torn down."""


class _Fin(Exception):
    """The connection is to be closed in good order."""


class _Connection:
    """One TCP connection. NTLM's keys live and die with it."""

    def __init__(self, connection: socket.socket, endpoint: Endpoint) -> None:
        self._socket, self._endpoint = connection, endpoint
        self._buffer = b""
        self._context: spnego.ContextProxy | None = None
        self._user = ""
        self._sending: Trouble | None = None

    def serve(self) -> None:
        while (request := self._read()) is not None:
            self._handle(*request)

    def _broken(self, action: str) -> None:
        for trouble in self._endpoint.faults.strike(action):
            raise _Fin if trouble.effect == "fin" else _Reset

    def _read(self) -> tuple[dict[str, str], bytes, str] | None:
        while b"\r\n\r\n" not in self._buffer:
            data = self._socket.recv(65536)
            if not data:
                return None
            if not self._buffer:
                self._broken("read")
            self._buffer += data
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
            right = self._endpoint.users.get(user) == password
            self._user = user if self._let_in(right) else ""
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
            self._let_in(False)
            self._unauthorised()
            return False
        if not self._context.complete:
            self._reply(401, extra=f"WWW-Authenticate: Negotiate {base64.b64encode(back or b'').decode()}\r\n")
            return False
        if not self._let_in(True):
            self._unauthorised()
            return False
        self._user = str(self._context.client_principal or "").rsplit("\\", 1)[-1]
        return True

    def _let_in(self, right: bool) -> bool:
        """Whether a password that is right or wrong opens the account."""
        lockout = self._endpoint.lockout
        if lockout is None:
            return right
        now = self._endpoint.host.clock.now()
        if now < lockout.until:
            return False
        lockout.wrong = 0 if right else lockout.wrong + 1
        if lockout.wrong >= lockout.tries:
            lockout.until = now + lockout.seconds
        return right

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
        entry = Entry(request.action, self._user, 200, received=len(body), message_id=request.message_id)
        endpoint.log.append(entry)
        before = endpoint.faults.strike(request.action, "before", request.message_id, "*")
        if self._upset(before, request, sealed, entry):
            return
        if time.monotonic() < endpoint.busy_until:
            self._told(503, "text", entry)
            return
        if len(body) > 1024 * endpoint.shells.quotas.envelope_kb:
            status, answer = 500, soap.fault(request, soap.TOO_LARGE)
        elif not endpoint.admin:
            status, answer = 500, soap.fault(request, soap.DENIED)
        else:
            found = self._answered(request, before)
            status, answer = (500, soap.fault(request, found)) if isinstance(found, soap.Fault) else (200, found)
        after = endpoint.faults.strike(request.action, "after", request.message_id, "*")
        if self._upset(after, request, sealed, entry, answer):
            return
        if self._cut():
            raise _Reset
        for trouble in (*before, *after):
            answer = soap.odd(answer, trouble)
        entry.status, entry.sent = status, len(answer)
        self._sending = next((t for t in after if t.effect in ("mid_reset", "mid_fin", "drip", "close")), None)
        self._reply(status, answer, sealed)

    def _answered(self, request: soap.Request, troubles: Sequence[Trouble]) -> bytes | soap.Fault:
        """What the shells say, where the way to and from a process may be a bad one."""
        shells, user = self._endpoint.shells, self._user
        data, end = [request.data], request.end
        for trouble in troubles:
            match trouble.effect:
                case "twice":
                    data *= 2
                case "undelivered":
                    data = [b""]
                case "truncated":
                    data = [request.data[: -(trouble.amount or 40)]]
                case "end_lost":
                    end = False
        shape = next((t for t in troubles if t.effect in SHAPES), None)
        found = shells.answer(replace(request, data=data[0], end=end), user, shape)
        for more in data[1:]:
            found = shells.answer(replace(request, data=more, end=end), user)
        return found

    def _upset(
        self, troubles: Sequence[Trouble], request: soap.Request, sealed: bool, entry: Entry, answer: bytes = b""
    ) -> bool:
        """Whether a trouble took the place of the answer."""
        for trouble in troubles:
            entry.trouble = trouble.effect
            if self._replaced(trouble, request, sealed, entry, answer):
                return True
            self._endpoint.happens(trouble)
            if trouble.effect == "reboot":
                raise _Reset
        return False

    def _replaced(self, trouble: Trouble, request: soap.Request, sealed: bool, entry: Entry, answer: bytes) -> bool:
        match trouble.effect:
            case "reset":
                raise _Reset
            case "fin":
                raise _Fin
            case "hang":
                while self._socket.recv(65536):
                    pass
                raise _Fin
            case "delay":
                time.sleep(trouble.seconds)
            case "ramp":
                time.sleep(trouble.seconds * self._endpoint.faults.count(request.action))
            case "http":
                self._told(trouble.code, trouble.text, entry)
            case "undecryptable":
                self._told(400, "", entry)
                raise _Reset
            case "fault" | "fault_200":
                fault = soap.told(trouble)
                status = 200 if trouble.effect == "fault_200" else 500
                self._reply(status, soap.fault(request, fault), sealed)
            case "garbage":
                self._reply(200, b"<html>not WS-Man", sealed)
            case "empty":
                self._reply(200)
            case "cut":
                self._reply(200, (answer or soap.answer(request, ""))[: -(trouble.amount or 30)], sealed)
            case "content_type":
                self._reply(200, answer or soap.answer(request, ""), kind="text/html")
        return trouble.effect in _REPLACES

    def _told(self, status: int, body: str, entry: Entry) -> None:
        """HTTP's own answers, as HTTP.sys and what stands before it give them. Never sealed."""
        entry.status = status
        if status == 401:
            self._user, self._context = "", None
            self._unauthorised()
            return
        extra = "Location: http://127.0.0.1:9/\r\n" if status == 301 else ""
        self._reply(status, _BODIES.get(body, body.encode()), extra=extra, kind="text/html; charset=us-ascii")

    def _reply(
        self, status: int, body: bytes = b"", sealed: bool = False, extra: str = "", kind: str = _PLAIN_TYPE
    ) -> None:
        data = self._closed(body) if sealed and body else body
        kind = _SEALED_TYPE if sealed else kind
        head = (
            f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: {kind}\r\n{extra}"
            f"Server: Microsoft-HTTPAPI/2.0\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        self._put(head.encode("latin-1") + data)

    def _put(self, data: bytes) -> None:
        trouble, self._sending = self._sending, None
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
            raise _Fin
        else:
            self._socket.sendall(data[: trouble.amount or len(data) // 2])
            time.sleep(0.01)  # or the reset would overtake what was sent
            raise _Reset if trouble.effect == "mid_reset" else _Fin
