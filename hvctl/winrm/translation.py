"""Every foreign exception becomes a fault of the wire here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import requests.exceptions as http
from winrm.exceptions import (
    AuthenticationError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from hvctl.text.exhaustion import exhaustion
from hvctl.winrm.faults import TIMED_OUT, WireFault

_GONE = {2150858843, 2150859082, 2150859087, 2150859212}
_QUOTA = {2150859173, 2150859174, 2150859175, 2150859176, 2150859179, 2150858815, *range(2150859236, 2150859243)}
_SEND_UNSURE = {170, 1460}
_TOO_LARGE = {2150858790, 2150858825}
_SILENT = (
    "the connection was taken, then nothing came: does the host hang, or does another program listen there (WinRM: 5986 https, "
    "5985 http)? restart WinRM on it, or raise ansible_winrm_read_timeout_sec if it is only slow"
)


@contextmanager
def translated(target: str) -> Iterator[None]:
    """Whatever pywinrm and the libraries below it raise becomes a WireFault (winrm 1.5)."""
    try:
        yield
    except WireFault:
        raise
    except Exception as error:
        raise fault_of(error, target) from error


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
            return WireFault("lost", f"{target} did not answer in time", hint=_SILENT)
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
