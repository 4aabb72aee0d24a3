"""Judges the name and the port of a host (operations 4, ranks 3, 6)."""

from __future__ import annotations

from collections.abc import Iterator

from hvctl.config.connection import Connection
from hvctl.doctor.cause import Cause
from hvctl.doctor.evidence import Examination, Symptom, Way

SEALED = ("ntlm", "kerberos", "credssp")
"""What seals messages over http."""


def name(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "name_unknown", "name", "blocks", f"the name {at.host} cannot be resolved on this machine",
        "ansible_host: ADDRESS-OR-FULL-NAME", "inventory",
    )  # fmt: skip


def refused(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    other = other_listener(e, at)
    if other is not None:
        yield other
        return
    yield Cause(
        "port_refused", "port", "blocks",
        f"nothing listens on port {at.port} of {at.host}: WinRM is off, or its listener is on another port",
        "Enable-PSRemoting -Force", "host", "likely",
    )  # fmt: skip


def silent(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    other = other_listener(e, at)
    if other is not None:
        yield other
        return
    where = e.way.own_address if e.way and e.way.own_address else "ADDRESS-OF-THE-CONTROL-NODE"
    yield Cause(
        "port_silent", "port", "blocks",
        f"port {at.port} of {at.host} does not answer: a firewall drops it, or the address is another's",
        f"New-NetFirewallRule -DisplayName 'WinRM for hvctl' -Direction Inbound -Protocol TCP -LocalPort {at.port} "
        f"-RemoteAddress {where} -Action Allow", "host", "likely",
    )  # fmt: skip


def other_listener(e: Examination, at: Connection) -> Cause | None:
    """WinRM's other port is open where the one of the inventory is not."""
    open_ports = e.way.open_ports if e.way else ()
    if at.scheme == "https" and 5985 in open_ports:
        says = f"port {at.port} is closed and 5985 is open: the host has no https listener"
        if at.transport in SEALED:
            # Sealed by the log on, so that nothing goes readable over http.
            return Cause("no_https_listener", "port", "blocks", says, "ansible_port: 5985", "inventory", "likely")
        command = "winrm quickconfig -transport:https"
        return Cause("no_https_listener", "port", "blocks", says, command, "host", "likely")
    if at.scheme == "http" and 5986 in open_ports:
        says = f"port {at.port} is closed and 5986 is open: the host listens over https only"
        return Cause("no_http_listener", "port", "blocks", says, "ansible_port: 5986", "inventory", "likely")
    return None


def busy(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "winrm_not_ready", "port", "blocks", "something answers for WinRM that it is not ready (HTTP 503): its service hangs, "
        "or is stopped",
        "Restart-Service WinRM", "host",
    )  # fmt: skip


def not_winrm(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "not_winrm", "port", "blocks", f"what answers at port {at.port} of {at.host} is not WinRM: {fault.text}",
        "ansible_host: ADDRESS-OF-THE-HOST-ITSELF", "inventory", "likely", fault.outside,
    )  # fmt: skip


def is_winrm(way: Way) -> bool:
    """HTTP 401 to whoever does not log on, with a way to do so (winrm 2.1)."""
    return way.status == 401 and bool(way.offers)
