"""A WS-Man server on loopback that the real pywinrm talks to: HTTP, authentication, sealing, faults on demand.

It does not model: Kerberos and CredSSP, client certificates, chunked requests, more than one listener per host.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from mocks.endpoint import Endpoint, Entry, Lockout
from mocks.exchange import Exchange
from mocks.faults import Trouble
from mocks.tls import Authority
from mocks.wire import Fin, Reset, Wire, at_connect, cut_off, in_handshake, torn

__all__ = ["Endpoint", "Entry", "Lockout", "Server", "Trouble"]

TAKEN_S = 5.0
"""For so long a port may be taken: the system gives the same ports to connections of other programs, which come and go."""


def listening(port: int) -> socket.socket:
    """Raises OSError where the port stays taken."""
    until = time.monotonic() + TAKEN_S
    while True:
        try:
            return socket.create_server(("127.0.0.1", port), backlog=256)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= until:
                raise
            time.sleep(0.1)


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
            cut_off(one)

    def _listen(self, endpoint: Endpoint) -> None:
        listener = listening(endpoint.port)
        endpoint.port = listener.getsockname()[1]
        self._sockets[endpoint.port] = listener
        threading.Thread(target=self._accept, args=(listener, endpoint), daemon=True).start()

    def _down(self, endpoint: Endpoint, seconds: float) -> None:
        """The machine is away: connections break, new ones are refused, until it is back."""
        cut_off(self._sockets[endpoint.port])
        for one in [s for s, e in self._open.items() if e is endpoint]:
            cut_off(one)

        timer = threading.Timer(seconds, self.up, [endpoint])
        timer.daemon = True
        self._timers[endpoint.port] = timer
        timer.start()

    def away(self, endpoint: Endpoint) -> bool:
        return endpoint.port in self._timers

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
                at_connect(trouble, raw, listener)
            if endpoint.scheme == "https" and self._authority is not None:
                context = self._authority.context(endpoint.flaw)
                for trouble in endpoint.faults.strike("handshake"):
                    in_handshake(trouble, raw)
                connection = context.wrap_socket(raw, server_side=True)
                del self._open[raw]
                self._open[connection] = endpoint
            connection.settimeout(endpoint.keep_alive_s)
            Exchange(Wire(connection, endpoint.faults), endpoint).serve()
        except Reset:
            torn(connection)
        except (OSError, ssl.SSLError, Fin):
            pass
        finally:
            self._open.pop(connection, None)
            connection.close()
