"""A host that was taken over, or what stands before one: it gets no credentials elsewhere, no memory and no time."""

from __future__ import annotations

import base64
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import pytest
import requests

from hvctl.call import Batch, Call, Secret, Task, TransportError
from hvctl.fleet.connect import allowed
from hvctl.winrm.client import Address, Patience, WinRM
from hvctl.winrm.envelope import check
from hvctl.winrm.faults import WireFault
from hvctl.winrm.limits import OTHER_LINES, VARIABLES, Limits
from hvctl.winrm.meter import Gauge, Meter
from hvctl.winrm.session import secured
from mocks.host import SimulatedHost
from mocks.tls import Authority, make_authority
from mocks.wsman import Endpoint, Server, Trouble
from tests.winrm.elsewhere import elsewhere

USER, PASSWORD = "hvadmin", "Pa55-lab"
VMS: list[dict[str, Any]] = [{"name": name, "generation": 2} for name in ("web01", "db01")]
READ = Batch((Task("vms", Call("Get-VM", select=("Name", "State"))),))
ENDLESS = ("endless_body", "endless_chunks", "endless_headers", "endless_continue", "endless_mark", "endless_header")
USUAL = Limits()
BUFFERS = 24 << 20
"""What a server may have sent before it comes to know that nobody reads: buffers of a socket, both ends."""
Make = Callable[..., tuple[WinRM, Endpoint]]
Way = Literal["basic", "ntlm", "certificate"]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def make(authority: Authority) -> Iterator[Make]:
    """A client and the endpoint it talks to."""
    with ExitStack() as stack:

        def made(
            *troubles: Trouble,
            scheme: Literal["http", "https"] = "http",
            transport: Way = "basic",
            limits: Limits = USUAL,
        ) -> tuple[WinRM, Endpoint]:
            host = SimulatedHost.from_yaml({"os": "2022", "vms": VMS})
            endpoint = Endpoint(host, {USER: PASSWORD}, scheme=scheme, troubles=list(troubles))
            stack.enter_context(Server([endpoint], authority))
            address = at(endpoint.port, scheme, transport, authority, limits)
            return client_of(address), endpoint

        yield made


def at(
    port: int, scheme: Literal["http", "https"], transport: Way, authority: Authority, limits: Limits = USUAL
) -> Address:
    return Address(
        "h", "127.0.0.1", port, scheme, transport, user=USER, password=Secret(PASSWORD), ca_path=str(authority.ca),
        cert_pem=str(authority.server), cert_key_pem=str(authority.server), limits=limits,
    )  # fmt: skip


def client_of(address: Address) -> WinRM:
    return WinRM(address, allow=allowed(), sleep=lambda seconds: None, patience=Patience(receive=1))


# --- nothing goes elsewhere -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_no_redirect_is_followed(authority: Authority, transport: Way, code: int) -> None:
    with elsewhere() as other:
        place = f"http://127.0.0.1:{other.port}/wsman"
        with elsewhere([(code, "Location", place)]) as host, pytest.raises(TransportError) as error:
            client_of(at(host.port, "http", transport, authority)).run(READ)
        assert error.value.message == (
            f"127.0.0.1:{host.port} redirects to {place} (HTTP {code}), which is not followed"
        )
        assert "not WinRM" in error.value.hint
        assert other.lines == []
        assert len(host.lines) == 1


@pytest.mark.parametrize("legs", [1, 2])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_redirect_is_followed_in_the_middle_of_a_handshake(
    authority: Authority, scheme: Literal["http", "https"], legs: int
) -> None:
    """After the first 401, or in place of the challenge: the answer that carries the account's response never leaves."""
    tls = authority.context() if scheme == "https" else None
    with elsewhere() as other:
        place = f"http://127.0.0.1:{other.port}/wsman"
        script = [(401, "WWW-Authenticate", "Negotiate")] * (legs - 1) + [(307, "Location", place)]
        with elsewhere(script, tls) as host, pytest.raises(TransportError, match="redirects to http://") as error:
            client_of(at(host.port, scheme, "ntlm", authority)).run(READ)
        assert error.value.executed == "no"
        assert other.lines == []
        assert len(host.lines) == legs


@pytest.mark.parametrize("transport", ["basic", "certificate"])
def test_a_redirect_from_https_to_http_takes_no_credentials_along(authority: Authority, transport: Way) -> None:
    with elsewhere() as other:
        script = [(308, "Location", f"http://127.0.0.1:{other.port}/")]
        with elsewhere(script, authority.context()) as host, pytest.raises(TransportError, match="redirects to"):
            client_of(at(host.port, "https", transport, authority)).run(READ)
        assert other.lines == []


def test_a_location_reaches_nobody_as_control_characters(authority: Authority) -> None:
    place = "http://x/\x1b[2J\x9b\u202e\u2028".encode().decode("latin-1")
    with (
        elsewhere([(302, "Location", place)]) as host,
        pytest.raises(TransportError, match=r"http://x/%1B\[2J") as error,
    ):
        client_of(at(host.port, "http", "basic", authority)).run(READ)
    assert error.value.message.isascii()
    assert error.value.message.isprintable()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_a_proxy_of_the_environment_is_not_asked(
    make: Make, monkeypatch: pytest.MonkeyPatch, scheme: str, transport: str
) -> None:
    with elsewhere() as proxy:
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        client, _ = make(scheme=scheme, transport=transport)
        assert [row["Name"] for row in client.run(READ)[0].rows] == ["web01", "db01"]
        client.close()
        assert proxy.lines == []


@pytest.mark.parametrize("transport", ["basic", "ntlm", "certificate"])
def test_a_password_of_netrc_is_not_sent(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, transport: Way
) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login other password from-netrc\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    with elsewhere([(503, "", "")], authority.context()) as host:
        with pytest.raises(TransportError, match="503"):
            client_of(at(host.port, "https", transport, authority)).run(READ)
        sent = [base64.b64decode(a.removeprefix("Basic ")).decode() for a in host.asked if a.startswith("Basic ")]
        assert host.asked
        assert not [one for one in sent if "from-netrc" in one]


def test_no_cookie_is_kept(authority: Authority) -> None:
    with elsewhere([(503, "Set-Cookie", "a=b; Path=/")]) as host:
        with pytest.raises(TransportError, match="503"):
            client_of(at(host.port, "http", "basic", authority)).run(READ)
        assert (len(host.lines), host.cookies) == (5, [])


def test_a_session_keeps_no_cookies() -> None:
    session = secured(requests.Session(), Meter("h", USUAL))
    with elsewhere([(200, "Set-Cookie", "a=b; Path=/")]) as host:
        for _ in range(2):
            session.post(f"http://127.0.0.1:{host.port}/", timeout=30)
        assert (list(session.cookies), host.cookies) == ([], [])


# --- no more than the limits allow ----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["Create", "Receive"])
@pytest.mark.parametrize("transport", ["basic", "ntlm"])
@pytest.mark.parametrize("effect", ENDLESS)
def test_an_answer_without_an_end_is_not_read_on(make: Make, effect: Any, transport: str, action: str) -> None:
    client, endpoint = make(Trouble(action, effect, times=99), transport=transport)
    with pytest.raises(TransportError) as error:
        client.run(READ)
    sent = [entry.sent for entry in endpoint.log if entry.trouble]
    assert sent
    assert max(sent) < BUFFERS
    if effect in ENDLESS[:4]:
        assert error.value.message == (
            f"127.0.0.1:{endpoint.port} sent an HTTP answer of more than 4,194,304 bytes, which hvctl_response_limit allows"
        )
        assert len(sent) == 1, "another answer would be no better"


def test_a_bomb_does_not_go_off(make: Make) -> None:
    client, _ = make(Trouble("Receive", "gzip_bomb", times=99))
    tracemalloc.start()
    try:
        with pytest.raises(TransportError, match="hvctl_response_limit"):
            client.run(READ)
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(line=20), "sent a line of more than 20 bytes, which hvctl_line_limit allows"),
        (Limits(output=300), "sent an answer to one batch of more than 300 bytes, which hvctl_output_limit allows"),
        (Limits(rows=1), "sent an answer to one batch of more than 1 rows, which hvctl_row_limit allows"),
        (Limits(response=500), "sent an HTTP answer of more than 500 bytes, which hvctl_response_limit allows"),
    ],
)
def test_a_limit_is_named_with_what_raises_it(make: Make, limits: Limits, said: str) -> None:
    client, endpoint = make(limits=limits)
    with pytest.raises(TransportError) as error:
        client.run(READ)
    client.close()
    assert error.value.message == f"127.0.0.1:{endpoint.port} {said}"
    assert "raise the variable" in error.value.hint
    assert endpoint.actions().count("Create") == 1


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("Create", "drip_head", seconds=0.05, times=99),
        Trouble("Receive", "drip_head", seconds=0.05, times=99),
        Trouble("Receive", "drip", phase="after", seconds=0.05, amount=10**9, times=99),
    ],
    ids=lambda t: f"{t.action}-{t.effect}",
)
@pytest.mark.parametrize(("scheme", "transport"), [("http", "basic"), ("https", "ntlm")])
def test_crumbs_do_not_hold_us(make: Make, trouble: Trouble, scheme: str, transport: str) -> None:
    """A byte comes long before every timeout of a socket."""
    client, endpoint = make(trouble, scheme=scheme, transport=transport, limits=Limits(seconds=2))
    with pytest.raises(TransportError) as error:
        client.run(READ)
    client.close()
    assert error.value.message == (
        f"127.0.0.1:{endpoint.port} took more than 2 s for one request, which hvctl_request_timeout allows"
    )
    assert [entry.action for entry in endpoint.log if entry.trouble] == [trouble.action]
    assert "Delete" not in endpoint.actions()


def test_one_who_takes_the_request_in_crumbs_does_not_hold_us() -> None:
    """Each piece is taken late, and none too late for a socket's timeout."""
    over = threading.Event()

    def sip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        while connection.recv(16_384) and not over.wait(0.02):
            pass
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=sip, args=[listener], daemon=True).start()
        meter = Meter("h", Limits(seconds=1))
        meter.begin(60)
        session = secured(requests.Session(), meter)
        with pytest.raises(WireFault, match="h took more than 1 s for one request, which hvctl_request_timeout"):
            session.post(f"http://127.0.0.1:{listener.getsockname()[1]}/", data=bytes(64 << 20), timeout=60)
        over.set()


def test_every_limit_has_a_variable() -> None:
    assert set(VARIABLES) == set(Limits.__dataclass_fields__)


def test_a_line_is_measured_across_answers() -> None:
    gauge = Gauge("h", Limits(line=10, output=100))
    for data in (b"12345", b"67890", b"\n1234567890\n", b"1234567890"):
        gauge.take(data)
    with pytest.raises(WireFault, match="a line of more than 10 bytes"):
        gauge.take(b"1")


def test_lines_are_counted_whatever_they_hold() -> None:
    gauge = Gauge("h", Limits(rows=1))
    gauge.take(b"\n" * (1 + OTHER_LINES))
    with pytest.raises(WireFault, match="an answer to one batch of more than 100,001 lines, which hvctl_row_limit"):
        gauge.take(b"\n")


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (b"<a>" * 65 + b"</a>" * 65, "more than 64 elements deep"),
        (b"<a " + b" ".join(b"x%d=''" % n for n in range(129)) + b"/>", "more than 128 attributes"),
        (b"<a>" + b"<b/>" * 100_000 + b"</a>", "more than 100,000 elements"),
        (b"<!DOCTYPE a><a/>", "it declares a document type"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "it declares a document type"),
        ("<!DOCTYPE a><a/>".encode("utf-16"), "it declares a document type"),
    ],
)
def test_xml_that_is_a_burden_is_not_read(document: bytes, said: str) -> None:
    with pytest.raises(WireFault, match=f"h answered with XML that is not read: .*{said}"):
        check(document, "h")


@pytest.mark.parametrize("document", [b"", b"<a", b"<html>not XML", b"\xff\xfe", b"<a>&b;</a>", b"<a>" * 64])
def test_what_is_no_xml_is_left_to_who_reads_it(document: bytes) -> None:
    check(document, "h")


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
@pytest.mark.parametrize("action", ["Create", "Command", "Send", "Receive"])
@pytest.mark.parametrize("effect", ["xml_entities", "xml_external", "xml_deep", "xml_wide", "xml_many"])
def test_xml_is_looked_at_before_it_is_read_whoever_sends_it(
    make: Make, effect: Any, action: str, transport: str
) -> None:
    client, _ = make(Trouble(action, effect, times=99), transport=transport)
    with pytest.raises(TransportError, match="answered with XML that is not read"):
        client.run(READ)


@pytest.mark.parametrize("body", ["<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a>" * 10_000])
def test_the_page_of_an_error_is_told_by_its_status(make: Make, body: str) -> None:
    client, _ = make(Trouble("Create", "http", code=403, text=body, times=99))
    with pytest.raises(TransportError, match=r"there is no WinRM at .* \(HTTP 403\)"):
        client.run(READ)
