"""Why a host cannot be reached or logged on to: judging of the way and of the first request that failed (operations 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from shlex import quote

from hvctl.config.connection import Connection
from hvctl.doctor import judge_logon, judge_port, judge_shell, judge_tls
from hvctl.doctor.cause import Cause
from hvctl.doctor.clock import SKEW, clock_skew
from hvctl.doctor.evidence import Examination, Symptom

Judge = Callable[[Examination, Connection, Symptom], Iterator[Cause]]


def of_way(e: Examination) -> Iterator[Cause]:
    """What is seen without logging on, and what of it is a trouble by itself."""
    at, way = e.connection, e.way
    if at is None or way is None:
        return
    if at.scheme == "https" and way.certificate is not None:
        yield from judge_tls.certificate(at, way.certificate, e.now, untrusted=judge_tls.untrusted(e))
    if not at.verify:
        yield Cause(
            "certificate_unchecked", "tls", "warns",
            "the host's certificate is not checked: whoever stands between can read all",
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem  # and no ansible_winrm_server_cert_validation", "inventory",
        )  # fmt: skip
    if at.transport == "kerberos" and not at.wiring.options.get("kerberos_hostname_override"):
        yield from judge_logon.kerberos_name(at, failed=e.log_on is not None)
    if way.date is not None and way.asked is not None and abs(way.date - way.asked) > SKEW:
        yield clock_skew(way.date - way.asked, kerberos=at.transport == "kerberos" and e.log_on is not None)


def of_fault(e: Examination) -> Iterator[Cause]:
    """Why the first request that failed did so. The way may have been at fault, or the logging on. What has been asked in
    the end was no trouble, whatever happened before."""
    fault = e.log_on or (e.way.fault if e.way else None)
    if e.connection is None or fault is None or e.facts is not None:
        return
    kind = "lost" if fault.kind == "connect" and _takes_connections(e) else fault.kind
    yield from _JUDGES.get(kind, _unknown)(e, e.connection, fault)


def _takes_connections(e: Examination) -> bool:
    """Whether the port did so when the way was looked at, so that it is not silent."""
    return e.way is not None and (e.way.status > 0 or e.way.connects)


def _lost(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    if e.way is not None and e.way.speaks == "https":
        yield Cause(
            "speaks_https", "tls", "blocks", f"port {at.port} speaks https, not http",
            "ansible_winrm_scheme: https", "inventory",
        )  # fmt: skip
        return
    if fault.code == 500 and at.scheme == "http" and at.transport not in judge_port.SEALED:
        yield Cause(
            "unsealed_refused", "logon", "blocks",
            "the host takes no unencrypted messages, rightly, and Basic over http seals none",
            "ansible_winrm_transport: ntlm", "inventory",
        )  # fmt: skip
        return
    if e.way is not None and e.way.fault is not None:
        if at.scheme == "https" and e.way.certificate is None and not e.way.open_ports:
            yield from judge_tls.tls(e, at, fault)
            return
        if (other := judge_port.other_listener(e, at)) is not None:
            yield other
            return
        yield Cause(
            "no_answer", "port", "blocks",
            f"port {at.port} of {at.host} takes connections, and then answers nothing: {fault.text}",
            "Restart-Service WinRM", "host", "likely", fault.outside,
        )  # fmt: skip
        return
    yield Cause(
        "breaks_off", "shell", "blocks", f"the host answered, and then broke off: {fault.text}",
        "Restart-Service WinRM", "host", "possible", fault.outside,
    )  # fmt: skip


def _unknown(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    """A fault of WS-Man, or an answer that was not whole."""
    if at.transport == "kerberos" and fault.kind == "protocol" and (known := [*judge_logon.kerberos(e, at, fault)]):
        yield from known
        return
    if fault.kind in ("protocol", "gone", "timed_out") and e.way is not None and not judge_port.is_winrm(e.way):
        yield from judge_port.not_winrm(e, at, fault)
        return
    if fault.kind == "":
        yield Cause(
            "powershell_ends", "powershell", "blocks", f"PowerShell on the host does not answer as it should: {fault.text}",
            f"hvctl -vv facts {quote(e.host)}", "control node", "possible", fault.outside,
        )  # fmt: skip
        return
    if fault.kind == "exhausted":
        yield Cause("control_node", "configuration", "blocks", fault.text, "ulimit -n 4096", "control node")
        return
    yield Cause(
        "wsman_fault", "shell", "blocks", f"WinRM answers with a fault: {fault.text}",
        "Restart-Service WinRM", "host", "possible", fault.outside,
    )  # fmt: skip


_JUDGES: Mapping[str, Judge] = {
    "name": judge_port.name,
    "refused": judge_port.refused,
    "connect": judge_port.silent,
    "certificate": judge_tls.certificate_fault,
    "tls": judge_tls.tls,
    "credentials": judge_logon.refused_log_on,
    "denied": judge_shell.denied,
    "disabled": judge_shell.disabled,
    "quota": judge_shell.quota,
    "busy": judge_port.busy,
    "too_large": judge_shell.too_large,
    "undecryptable": judge_logon.undecryptable,
    "redirect": judge_port.not_winrm,
    "oversized": judge_port.not_winrm,
    "slow": judge_port.not_winrm,
    "proxy": judge_port.not_winrm,
    "lost": _lost,
}
