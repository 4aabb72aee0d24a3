"""The last check over HTTP: /metrics for Prometheus, /healthz for whoever restarts containers."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from hvctl.core.check import Check
from hvctl.show.metrics import registry
from hvctl.text.duration import spoken
from hvctl.text.visible import quoted

CONNECTIONS = 16
"""At once; one more is closed unheard."""
LONGEST_S = 10
"""How long one may take, from its first byte to its last."""
_PLAIN = "text/plain; charset=utf-8"
_OPEN_METRICS = "application/openmetrics-text"


@dataclass(frozen=True)
class Status:
    """What is told. `beat`: when a check was finished last, or when it all began, on a clock that runs evenly."""

    beat: float
    check: Check | None = None
    successes: Mapping[str, float] = field(default_factory=dict)


class Listener:
    """Serves while it is a context. `status` is replaced as a whole, so that no reader sees half of a check."""

    def __init__(self, address: tuple[str, int], overdue: int, monotonic: Callable[[], float]) -> None:
        """Raises OSError where the address cannot be had."""
        self._overdue, self._monotonic = overdue, monotonic
        self.status = Status(monotonic())

        class Handler(_Handler):
            listener = self

        self._server = _Server(address, Handler, monotonic)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="listen").start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def heard(self, check: Check, successes: Mapping[str, float]) -> None:
        self.status = Status(self._monotonic(), check, successes)

    def answer(self, path: str, accept: str) -> tuple[int, str, bytes]:
        """Status, type and body."""
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - plans do without it

        status = self.status
        match path.partition("?")[0]:
            case "/metrics":
                # Of the header only whether it asks for OpenMetrics: the library would take the version as it is written.
                asked = {one.partition(";")[0].strip().casefold() for one in accept.split(",")}
                encode, kind = choose_encoder(f"{_OPEN_METRICS};version=1.0.0" if _OPEN_METRICS in asked else "")
                return 200, kind, encode(registry(status.check, status.successes))
            case "/healthz":
                age = self._monotonic() - status.beat
                said = "since the start" if status.check is None else "since the last check"
                if age > self._overdue:
                    return 503, _PLAIN, f"overdue: {spoken(age)} {said}\n".encode()
                return 200, _PLAIN, f"ok: {spoken(age)} {said}\n".encode()
            case "/":
                return 200, _PLAIN, b"hvctl: /metrics, /healthz\n"
        return 404, _PLAIN, b"hvctl: there are /metrics and /healthz\n"


class _Server(ThreadingHTTPServer):
    """With no more connections at once, and no longer ones, than are needed."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler], monotonic: Callable[[], float]
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._monotonic = monotonic
        self._since: dict[Any, float] = {}
        super().__init__(address, handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        return len(self._since) < CONNECTIONS

    def process_request(self, request: Any, client_address: Any) -> None:
        self._since[request] = self._monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._since.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Several times a second: whoever takes too long is cut off, and their thread ends."""
        now = self._monotonic()
        for request, since in list(self._since.items()):
            if now - since > LONGEST_S:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """One who went away is nothing to print."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    listener: Listener
    timeout = LONGEST_S
    server_version, sys_version = "hvctl", ""

    def do_GET(self) -> None:
        code, kind, body = self.listener.answer(self.path, self.headers.get("Accept", ""))
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """A scrape every few seconds is nothing to print."""


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT, [IPV6]:PORT, or :PORT for this machine alone. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65_535:
        raise ValueError(
            f"{quoted(text)} is not a valid address; write HOST:PORT, :PORT for this machine alone, or 0.0.0.0:PORT or "
            "[::]:PORT for all interfaces"
        )
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"{quoted(text)}: put an IPv6 address in brackets, like [::1]:{port}")
    return host.strip("[]") or "127.0.0.1", int(port)
