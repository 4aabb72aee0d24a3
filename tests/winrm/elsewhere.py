"""A plain HTTP server on loopback that answers as it is told and writes down what it was asked."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Elsewhere:
    """`asked`: the Authorization of every request, "" where there was none; `lines`: the request lines; `cookies`: those that
    were sent."""

    port: int = 0
    asked: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    cookies: list[str] = field(default_factory=list)


@contextmanager
def elsewhere(
    answers: Sequence[tuple[int, str, str]] = ((404, "", ""),), context: ssl.SSLContext | None = None
) -> Iterator[Elsewhere]:
    """`answers`: status and a header of each; the last one again and again."""
    made = Elsewhere()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            code, name, value = answers[min(len(made.asked), len(answers) - 1)]
            made.asked.append(self.headers.get("Authorization", ""))
            made.lines.append(self.requestline)
            made.cookies += self.headers.get_all("Cookie", [])
            self.send_response(code)
            if name:
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_CONNECT = do_HEAD = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to print."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        made.port = int(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()
