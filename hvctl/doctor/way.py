"""Looks at the way to a host without logging on: name, port, TLS, certificate, and how one may log on (operations 4)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
import urllib3
from urllib3.exceptions import InsecureRequestWarning

from hvctl.config.connection import Connection
from hvctl.doctor.certificate import certificate_at
from hvctl.doctor.evidence import Symptom, Way
from hvctl.winrm.client import Address
from hvctl.winrm.faults import WireFault
from hvctl.winrm.meter import Meter
from hvctl.winrm.retries import trying
from hvctl.winrm.session import secured
from hvctl.winrm.translation import translated

PORTS = (5986, 5985)
TRIES = 3
_PASSES = ("refused", "connect", "lost", "tls", "name", "busy")
"""What may be an accident, so that it is tried again."""


def look(
    at: Connection,
    *,
    now: Callable[[], datetime],
    sleep: Callable[[float], None],
    connect_s: float = 5,
    answer_s: float = 10,
    ports: Sequence[int] = PORTS,
) -> Way:
    """Sends no account and no password. Never raises for what the host does."""
    try:
        known = socket.getaddrinfo(at.host, at.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Way(fault=Symptom("name", text=str(error)))
    addresses = tuple(dict.fromkeys(str(one[4][0]) for one in known))
    asking = _Asking(at, now, sleep, connect_s, answer_s)
    way = replace(asking.answer(), addresses=addresses, own_address=_own_address(at.host, at.port))
    kind = way.fault.kind if way.fault else ""
    if kind in ("refused", "connect", "lost"):
        others = tuple(p for p in ports if p != at.port and _open(at.host, p, connect_s))
        way = replace(way, open_ports=others, connects=kind != "refused" and _open(at.host, at.port, connect_s))
    if at.scheme == "https" and kind not in ("refused", "connect"):
        certificate = certificate_at(at.host, at.port, answer_s)
        if certificate is None and kind in ("tls", "lost", "protocol") and asking.speaks("http"):
            way = replace(way, speaks="http")
        way = replace(way, certificate=certificate)
    if at.scheme == "http" and kind in ("lost", "protocol") and certificate_at(at.host, at.port, answer_s):
        way = replace(way, speaks="https")
    return way


class _Asking:
    """An empty request, as pywinrm sends one before it logs on: its answer names the ways to log on (winrm 2.1)."""

    def __init__(
        self,
        at: Connection,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        connect_s: float,
        answer_s: float,
    ) -> None:
        self._at, self._now, self._sleep = at, now, sleep
        self._connect_s, self._answer_s = connect_s, answer_s
        self._address = Address(at.name, at.host, at.port, at.scheme, path=at.path)

    def answer(self) -> Way:
        try:
            return trying(
                lambda error: isinstance(error, WireFault) and error.kind in _PASSES,
                TRIES,
                sleep=self._sleep,
            )(lambda: self._once(self._address, _verified_by(self._at)))
        except WireFault as fault:
            return Way(fault=Symptom(fault.kind, fault.code, fault.text, fault.advice, (fault.outside,)))

    def speaks(self, scheme: str) -> bool:
        other = replace(self._address, scheme="http" if scheme == "http" else "https")
        with suppress(WireFault):
            return self._once(other, False).status > 0
        return False

    def _once(self, address: Address, verify: bool | str) -> Way:
        target = address.target
        own = self._at.wiring.limits
        # Twice as long for all of it as for a silence, so that a silence is told as one.
        limits = replace(own, seconds=min(2 * self._answer_s, own.seconds))
        meter = Meter(target, limits)
        session = secured(requests.Session(), meter)
        session.verify = verify
        if self._at.transport == "certificate" and self._at.cert_pem and self._at.cert_key_pem:
            session.cert = (self._at.cert_pem, self._at.cert_key_pem)
        with translated(target), session:
            meter.begin(self._answer_s)
            answer = session.post(
                address.endpoint,
                data=b"",
                headers={"Content-Type": "application/soap+xml;charset=UTF-8"},
                timeout=(self._connect_s, self._answer_s),
            )
        return Way(
            status=answer.status_code,
            offers=tuple(_schemes(answer.headers.get("WWW-Authenticate", ""))),
            date=_date(answer.headers.get("Date", "")),
            asked=self._now(),
        )


def _verified_by(at: Connection) -> bool | str:
    """As pywinrm decides it for the requests that log on (winrm 1.4)."""
    if not at.verify:
        urllib3.disable_warnings(InsecureRequestWarning)  # said in every run by hvctl itself
        return False
    return at.ca_path or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True


def _schemes(header: str) -> list[str]:
    """requests joins several lines of it by commas."""
    return [word for part in header.split(",") if (word := part.strip().split(" ")[0]) and "=" not in word]


def _date(header: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _open(host: str, port: int, seconds: float) -> bool:
    """Also where it is reset at once: then something has taken the connection, and let go of it before it was looked at."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except ConnectionResetError:
        return True
    except OSError:
        return False


def _own_address(host: str, port: int) -> str:
    """By the routes of this machine; nothing is sent."""
    with suppress(OSError):
        family, kind, *_, to = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as one:
            one.connect(to)
            return str(one.getsockname()[0])
    return ""
