"""What can go wrong on the way to a host, in one vocabulary: every foreign exception is translated here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import requests.exceptions as http
from winrm.exceptions import (
    AuthenticationError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from hvctl.call import TransportError
from hvctl.text.exhaustion import exhaustion

Kind = Literal[
    "refused", "name", "connect", "certificate", "tls", "proxy", "credentials", "undecryptable", "too_large", "busy",
    "quota", "denied", "disabled", "unopened", "undelivered", "timed_out", "gone", "lost", "protocol", "redirect",
    "oversized", "slow", "exhausted", "stopped",
]  # fmt: skip

TIMED_OUT = 2150858793
_GONE = {2150858843, 2150859082, 2150859087, 2150859212}
_QUOTA = {2150859173, 2150859174, 2150859175, 2150859176, 2150859179, 2150858815, *range(2150859236, 2150859243)}
_SEND_UNSURE = {170, 1460}
_TOO_LARGE = {2150858790, 2150858825}

NOT_EXECUTED: frozenset[Kind] = frozenset(
    {"refused", "name", "connect", "certificate", "tls", "proxy", "credentials", "undecryptable", "too_large", "busy",
     "quota", "denied", "disabled", "unopened", "undelivered", "exhausted"}
)  # fmt: skip
"""After these the request was not carried out: it may be sent again (winrm 5.1)."""


@dataclass
class WireFault(Exception):
    """A request that did not come back as it should. `code`: WS-Man's or HTTP's number. `delivered`: what it was about
    had reached the host before, whatever became of this request. `hint`: what to do, if not as usual for its kind.
    `outside`: what of the text is not hvctl's wording."""

    kind: Kind
    text: str
    code: int = 0
    delivered: bool = False
    hint: str = ""
    outside: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.text)

    @property
    def away(self) -> bool:
        """Whether nobody is there, who may come back: not an answer, however odd."""
        return self.kind in ("refused", "connect", "name", "tls", "busy", "exhausted") or (
            self.kind == "lost" and not self.code
        )

    @property
    def executed(self) -> Literal["no", "unknown"]:
        return "no" if self.kind in NOT_EXECUTED and not self.delivered else "unknown"

    @property
    def advice(self) -> str:
        """What to do: by its kind, or by what it was at first where it is told as another."""
        first = self.__cause__
        return self.hint or HINTS.get(self.kind, "") or (first.advice if isinstance(first, WireFault) else "")


HINTS: dict[Kind, str] = {
    "refused": "is WinRM running there, and the port right (5986 https, 5985 http)?",
    "name": "check ansible_host and the name service",
    "connect": "check the address, the network and the firewall",
    "certificate": "trust its CA with ansible_winrm_ca_trust_path (a relative path begins in the current folder), or "
    "check the name it was issued for",
    "tls": "is this port the https listener? (5986; http is 5985)",
    "credentials": "check ansible_user and the password; no other host was tried with them",
    "denied": "WinRM's shell admits administrators, or who was given Invoke in its RootSDDL",
    "disabled": "remote shells are switched off by policy on that host",
    "quota": "another client may hold shells open there; wait or raise WinRM's quotas",
    "busy": "is the WinRM service starting?",
    "redirect": "what answers there is not WinRM, or an address of the host in ansible_host is an old one",
    "oversized": "no WinRM answers like that; if this host does, raise the variable in the inventory",
    "slow": "no WinRM answers like that; over a slow line, raise the variable in the inventory",
}


@contextmanager
def translated(target: str) -> Iterator[None]:
    """Whatever pywinrm and the libraries below it raise becomes a WireFault (winrm 1.5)."""
    try:
        yield
    except WireFault:
        raise
    except Exception as error:
        raise fault_of(error, target) from error


@contextmanager
def said() -> Iterator[None]:
    """A WireFault leaves as a TransportError."""
    try:
        yield
    except WireFault as fault:
        outside = (fault.outside,)
        raise TransportError(fault.text, executed=fault.executed, hint=fault.advice, outside=outside) from fault


def fault_of(error: Exception, target: str) -> WireFault:
    if (short := exhaustion(error)) is not None:
        return WireFault(
            "exhausted", f"no connection to {target}: {short.what}", delivered=not short.opening, hint=short.hint
        )
    match error:
        case WinRMOperationTimeoutError():
            return WireFault("timed_out", f"{target} had nothing to say in time", TIMED_OUT)
        case WSManFaultError():
            return _of_fault(error, target)
        case AuthenticationError():
            return WireFault("credentials", f"{target} did not accept user and password", 401)
        case WinRMTransportError():
            return _of_status(int(error.code), target)
        case http.SSLError():
            return _of_tls(error, target)
        case http.ProxyError():
            return WireFault("proxy", f"a proxy stands before {target} and refuses")
        case http.ConnectTimeout():
            return WireFault("connect", f"no connection to {target} in time")
        case http.ReadTimeout():
            return WireFault("lost", f"{target} did not answer in time")
        case http.ConnectionError():
            return _of_connection(error, target)
        case OSError() if missing := re.search(r"^Could not find .*, invalid path: (.+)", str(error)):
            # requests looks for the files of TLS before it connects.
            return WireFault("certificate", f"{missing[1]} is not there, which the connection to {target} needs")
    # pywinrm asserts, requests_ntlm and spnego have their own: what became of the request is not known.
    told = str(error)[:200]
    text = f"{target} answered in a way that cannot be read ({type(error).__name__}: {told})"
    return WireFault("protocol", text, outside=told)


def _of_fault(error: WSManFaultError, target: str) -> WireFault:
    codes = {int(c) for c in (error.wsman_fault_code, error.wmierror_code) if c}
    code = min(codes, default=0)
    reason = " ".join(str(error.reason or "").split())[:200]
    if codes & _QUOTA:
        text = f"{target} is at one of WinRM's quotas: {reason}"
        return WireFault("quota", text, min(codes & _QUOTA), outside=reason)
    if codes & _GONE:
        return WireFault("gone", f"{target} knows the shell no more; was it or its WinRM restarted?", code)
    if codes & _TOO_LARGE:
        return WireFault("too_large", f"{target} takes no message of that size", code)
    if 5 in codes:
        return WireFault("denied", f"{target} denies access: {reason}", 5, outside=reason)
    if 2150859180 in codes:
        return WireFault("disabled", f"{target} allows no remote shells", code)
    if codes & _SEND_UNSURE:
        return WireFault("lost", f"{target} did not take the input in time", code)
    return WireFault("protocol", f"{target} refused: {reason} (fault {code})", code, outside=reason)


def _of_status(status: int, target: str) -> WireFault:
    if status == 400:
        # Sealed with the key of a connection that is gone, so it was not even read (winrm 1.7).
        return WireFault("undecryptable", f"{target} could not read the message (HTTP 400)", 400)
    if status == 413:
        return WireFault("too_large", f"{target} takes no message of that size (HTTP 413)", 413)
    if status == 503:
        return WireFault("busy", f"WinRM on {target} is not ready (HTTP 503)", 503)
    if status in (403, 404):
        return WireFault("disabled", f"there is no WinRM at {target} (HTTP {status})", status)
    return WireFault("lost", f"{target} answered HTTP {status}", status)


def _of_tls(error: Exception, target: str) -> WireFault:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text or "certificate verify failed" in text:
        why = re.search(r"certificate verify failed: ([^(\"']+)", text)
        return WireFault(
            "certificate", f"the certificate of {target} is not trusted" + (f": {why[1].strip()}" if why else "")
        )
    return WireFault("tls", f"{target} does not speak TLS as expected")


def _of_connection(error: Exception, target: str) -> WireFault:
    text = str(error)
    if "NameResolutionError" in text or "getaddrinfo" in text or "Name or service not known" in text:
        return WireFault("name", f"the name of {target} cannot be resolved")
    if "Connection refused" in text or "Errno 111" in text or "10061" in text:
        return WireFault("refused", f"connection refused by {target}")
    if "NewConnectionError" in text or "No route to host" in text or "unreachable" in text:
        return WireFault("connect", f"no connection to {target}")
    return WireFault("lost", f"the connection to {target} was lost")
