"""Whatever is asked of the listener: it answers, or closes, and goes on."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from hvctl.monitor.listen import CONNECTIONS, LONGEST_S, Listener


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def listener(clock: Clock) -> Iterator[Listener]:
    with Listener(("127.0.0.1", 0), 900, clock) as made:
        yield made


def ask(listener: Listener, request: bytes) -> bytes:
    """All that is answered, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=30) as one:
        try:
            one.sendall(request)
            return b"".join(iter(lambda: one.recv(65536), b""))
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=1.0.x",
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4",
        "application/openmetrics-text;version=²",
        "application/openmetrics-text;version=" + "9" * 5000,
        "application/openmetrics-text;version=1.0.0;escaping=nonsense",
        "text/plain;version=1.0.x",
        "text/plain;version=one",
        "text/plain;version=",
        ";,;,=;",
        "",
        "é",
    ],
)
def test_metrics_are_answered_whatever_is_accepted(listener: Listener, accept: str) -> None:
    said = ask(listener, f"GET /metrics HTTP/1.1\r\nAccept: {accept}\r\n\r\n".encode("latin-1"))
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 ")
    assert (b"application/openmetrics-text; version=1.0.0" in head) is ("openmetrics" in accept)
    assert b"hvctl_build_info" in body
    assert body.endswith(b"# EOF\n") is ("openmetrics" in accept)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"GET //metrics%00?x HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /\xff\x1b[2J HTTP/1.1\r\n\r\n", b"404"),
        (b"DELETE /metrics HTTP/1.1\r\n\r\n", b"501"),
        (b"\x16\x03\x01 no HTTP\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(200)) + b"\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", b"431"),
        (b"GET /metrics\r\n", b"200"),
    ],
    ids=lambda value: value[:12].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_what_is_no_request_of_ours_is_refused_and_harms_nobody(
    listener: Listener, request_: bytes, status: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    said = ask(listener, request_)
    assert not said or status in said.partition(b"\r\n")[0] or status == b"200"
    assert b"\x1b" not in said
    assert ask(listener, b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 200 ")
    assert capfd.readouterr() == ("", "")


def test_head_has_no_body(listener: Listener) -> None:
    assert ask(listener, b"HEAD /healthz HTTP/1.1\r\n\r\n").endswith(b"\r\n\r\n")


def test_one_connection_more_than_are_served_is_closed_unheard(listener: Listener) -> None:
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", listener.port), timeout=30))
            for _ in range(CONNECTIONS)
        ]
        assert ask(listener, b"GET /healthz HTTP/1.1\r\n\r\n") == b""
        for one in held:
            one.shutdown(socket.SHUT_WR)
            while one.recv(100):
                pass
    assert until(lambda: ask(listener, b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 200 "))


def test_one_who_takes_too_long_is_cut_off(listener: Listener, clock: Clock) -> None:
    """However many bytes come."""
    with socket.create_connection(("127.0.0.1", listener.port), timeout=30) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        assert ask(listener, b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 200 ")
        slow.sendall(b"y")
        clock.time = LONGEST_S + 1.0
        assert slow.recv(100) == b""
    assert ask(listener, b"GET /healthz HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 200 ")


def until(true: Callable[[], bool]) -> bool:
    """What comes by itself, sooner or later: the other side sees a connection that was closed."""
    return any(true() for _ in range(100_000))
