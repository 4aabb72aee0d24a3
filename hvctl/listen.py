"""The last check over HTTP: /metrics for Prometheus, /healthz for whoever restarts containers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from hvctl.check import Check
from hvctl.duration import spoken
from hvctl.show.metrics import registry

_PLAIN = "text/plain; charset=utf-8"


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

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
            daemon_threads = True

        self._server = Server(address, Handler)

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
                encode, kind = choose_encoder(accept)
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


class _Handler(BaseHTTPRequestHandler):
    listener: Listener
    timeout = 10
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
    """HOST:PORT, :PORT or [IPV6]:PORT. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{text!r} is no address; write HOST:PORT, :PORT for all interfaces, or [::1]:PORT")
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        raise ValueError(f"{text!r}: put an IPv6 address in brackets, like [::1]:{port}")
    return host.strip("[]"), int(port)
