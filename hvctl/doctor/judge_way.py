"""Why a host cannot be reached or logged on to: pure judging of the way and of the first request that failed (operations 4)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal

from hvctl.config.connection import Connection
from hvctl.doctor.account import Account
from hvctl.doctor.cause import Cause
from hvctl.doctor.evidence import Certificate, Examination, Symptom, Way
from hvctl.text.duration import spoken
from hvctl.text.quoting import literal

SOON = timedelta(days=30)
SKEW = timedelta(minutes=5)
"""Kerberos' tolerance, and what dates of plan files and exports bear."""
SEALED = ("ntlm", "kerberos", "credssp")
"""What seals messages over http."""

Judge = Callable[[Examination, Connection, Symptom], Iterator[Cause]]


def of_way(e: Examination) -> Iterator[Cause]:
    """What is seen without logging on, and what of it is a trouble by itself."""
    at, way = e.connection, e.way
    if at is None or way is None:
        return
    if at.scheme == "https" and way.certificate is not None:
        yield from _certificate(at, way.certificate, e.now, untrusted=_untrusted(e))
    if not at.verify:
        yield Cause(
            "certificate_unchecked", "tls", "warns",
            "the host's certificate is not checked: whoever stands between can read all",
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem  # and no ansible_winrm_server_cert_validation", "inventory",
        )  # fmt: skip
    if at.transport == "kerberos" and not at.wiring.options.get("kerberos_hostname_override"):
        yield from _kerberos_name(at, failed=e.log_on is not None)
    if way.date is not None and way.asked is not None and abs(way.date - way.asked) > SKEW:
        yield clock_skew(way.date - way.asked, kerberos=at.transport == "kerberos" and e.log_on is not None)


def of_fault(e: Examination) -> Iterator[Cause]:
    """Why the first request that failed did so. The way may have been at fault, or the logging on. What has been asked in
    the end was no trouble, whatever happened before."""
    fault = e.log_on or (e.way.fault if e.way else None)
    if e.connection is None or fault is None or e.facts is not None:
        return
    judge = _JUDGES.get(fault.kind, _unknown)
    yield from judge(e, e.connection, fault)


def clock_skew(ahead: timedelta, *, kerberos: bool) -> Cause:
    way = "ahead of" if ahead > timedelta() else "behind"
    says = f"the host's clock is {spoken(int(abs(ahead).total_seconds()))} {way} this machine's"
    if not ahead:
        says = "the clocks of this machine, the host and the domain controller differ"
    more = "; Kerberos refuses more than 5 minutes" if kerberos else ""
    return Cause(
        "clock_skew", "time", "blocks" if kerberos else "warns", says + more, "w32tm /resync", "host",
        "certain" if kerberos else "likely",
    )  # fmt: skip


# --- name and port --------------------------------------------------------------------------------------------------


def _name(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "name_unknown", "name", "blocks", f"the name {at.host} cannot be resolved on this machine",
        "ansible_host: ADDRESS-OR-FULL-NAME", "inventory",
    )  # fmt: skip


def _refused(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    other = _other_listener(e, at)
    if other is not None:
        yield other
        return
    yield Cause(
        "port_refused", "port", "blocks",
        f"nothing listens on port {at.port} of {at.host}: WinRM is off, or its listener is on another port",
        "Enable-PSRemoting -Force", "host", "likely",
    )  # fmt: skip


def _silent(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    other = _other_listener(e, at)
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


def _other_listener(e: Examination, at: Connection) -> Cause | None:
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


# --- TLS ------------------------------------------------------------------------------------------------------------


def _untrusted(e: Examination) -> str:
    """OpenSSL's reason, in lower case; "" where the certificate is trusted or nobody has looked."""
    found = (e.way.fault if e.way else None) or e.log_on
    return found.text.lower() if found is not None and found.kind == "certificate" else ""


def _certificate(at: Connection, shown: Certificate, now: datetime, untrusted: str) -> Iterator[Cause]:
    # OpenSSL judges by this machine's clock; where nobody has asked it, the dates are judged here.
    if "expired" in untrusted or (not at.verify and shown.ends <= now):
        yield _of_certificate(
            "certificate_expired", f"the host's certificate ended on {shown.ends:%Y-%m-%d} ({_mark(shown)})", _RENEW
        )
    elif "not yet valid" in untrusted or (not at.verify and shown.begins > now):
        yield _of_certificate(
            "certificate_not_yet_valid",
            f"the host's certificate begins on {shown.begins:%Y-%m-%d %H:%M} UTC ({_mark(shown)}), and here it is earlier",
            "timedatectl set-ntp true", at="control node",
        )  # fmt: skip
    elif shown.ends <= now + SOON:
        days = max(0, (shown.ends - now).days)
        says = (
            f"the host's certificate ends in {days} day{'s' * (days != 1)}, on {shown.ends:%Y-%m-%d} ({_mark(shown)})"
        )
        yield Cause("certificate_ends_soon", "tls", "warns", says, _RENEW, "host")
    if not untrusted:
        return
    if "mismatch" in untrusted or "doesn't match" in untrusted or not _is_for(shown, at.host):
        names = ", ".join(shown.names[:5]) or "no name at all"
        first = next((n for n in shown.names if "*" not in n), "")
        yield _of_certificate(
            "certificate_name", f"the host's certificate is for {names}, and not for {at.host}",
            f"ansible_host: {first}" if first else _RENEW, at="inventory" if first else "host",
        )  # fmt: skip
    if any(word in untrusted for word in ("self-signed", "self signed", "issuer", "unable to get")):
        whose = "is signed by itself" if shown.self_signed else f"is issued by {shown.issuer}"
        yield _of_certificate(
            "certificate_issuer", f"the host's certificate {whose}, which this machine does not trust ({_mark(shown)})",
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem  # check the thumbprint on the host first", at="inventory",
        )  # fmt: skip
    if not shown.server:
        yield _of_certificate(
            "certificate_usage", f"the host's certificate is not one for servers ({_mark(shown)})", _RENEW
        )


_RENEW = (
    "Set-WSManInstance winrm/config/Listener -SelectorSet @{Address='*'; Transport='HTTPS'} "
    "-ValueSet @{CertificateThumbprint='THUMBPRINT-OF-A-NEW-CERTIFICATE'}"
)


def _of_certificate(name: str, says: str, remedy: str, *, at: str = "host") -> Cause:
    place = "inventory" if at == "inventory" else "control node" if at == "control node" else "host"
    return Cause(name, "tls", "blocks", says, remedy, place)  # type: ignore[arg-type]


def _mark(shown: Certificate) -> str:
    return f"thumbprint {shown.thumbprint}"


def _is_for(shown: Certificate, host: str) -> bool:
    """A wildcard stands for one label (RFC 6125, 6.4.3)."""
    wanted = host.casefold().rstrip(".")
    _, dot, rest = wanted.partition(".")
    return any(n.casefold() == wanted or (dot and n.casefold() == f"*.{rest}") for n in shown.names)


def _certificate_fault(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    if "is not there" in fault.text:
        yield Cause(
            "file_missing", "tls", "blocks", fault.text,
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem", "inventory",
        )  # fmt: skip
        return
    shown = e.way.certificate if e.way else None
    if shown is None or not any(True for c in _certificate(at, shown, e.now, _untrusted(e)) if c.weight == "blocks"):
        yield Cause(
            "certificate_untrusted", "tls", "blocks", fault.text,
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem", "inventory", "likely",
        )  # fmt: skip


def _tls(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    if e.way is not None and e.way.speaks == "http":
        yield Cause(
            "speaks_http", "tls", "blocks", f"port {at.port} speaks http, not https",
            "ansible_port: 5986" if at.port != 5986 else "winrm enumerate winrm/config/listener",
            "inventory" if at.port != 5986 else "host",
        )  # fmt: skip
        return
    yield Cause(
        "handshake", "tls", "blocks",
        f"port {at.port} of {at.host} breaks off the TLS handshake: its listener has no certificate with a private key, "
        "or nothing of TLS is there",
        "winrm enumerate winrm/config/listener", "host", "likely",
    )  # fmt: skip


# --- logging on -----------------------------------------------------------------------------------------------------


def _kerberos_name(at: Connection, *, failed: bool) -> Iterator[Cause]:
    """Tickets are for names of computer objects (operations 4, rank 2)."""
    if not failed or ("." in at.host and not _is_address(at.host)):
        return
    what = "an address" if _is_address(at.host) else "a short name"
    yield Cause(
        "kerberos_name", "logon", "blocks",
        f"Kerberos knows a host by its full name, and ansible_host is {what} ({at.host})",
        "ansible_host: FULL-NAME-OF-ITS-COMPUTER-OBJECT", "inventory", "likely",
    )  # fmt: skip


_SCHEMES: Mapping[str, tuple[str, ...]] = {
    "basic": ("basic",),
    "ntlm": ("negotiate", "ntlm"),
    "kerberos": ("kerberos", "negotiate"),
    "credssp": ("credssp",),
}
_SWITCHES = {"basic": "Basic", "ntlm": "Negotiate", "kerberos": "Kerberos", "credssp": "CredSSP"}


def _refused_log_on(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    """HTTP 401 (operations 4, rank 1): what the host does not offer cannot have been a wrong password."""
    if fault.text.startswith("not tried"):
        yield Cause(
            "not_tried", "logon", "blocks", "another host refused this account's password, so it was not tried here too",
            f"hvctl --ask-pass doctor {e.host}", "control node",
        )  # fmt: skip
        return
    if at.password is None and at.transport in ("basic", "ntlm", "credssp"):
        yield Cause(
            "no_password", "configuration", "blocks", f"the inventory has no password for {at.user or 'the account'}",
            "ansible_password: !env NAME-OF-A-VARIABLE", "inventory",
        )  # fmt: skip
        return
    account = Account.of(at.user or "")
    local = account.is_local(at.host, at.name)
    offers = {offer.casefold() for offer in (e.way.offers if e.way else ())}
    if offers and not offers & set(_SCHEMES.get(at.transport, offers)):
        yield from _not_offered(at, offers)
        return
    if at.transport == "basic" and not local:
        yield Cause(
            "basic_of_domain", "logon", "blocks", f"Basic knows accounts of the host itself only, and {at.user} is a domain's",
            "ansible_winrm_transport: ntlm", "inventory",
        )  # fmt: skip
        return
    if at.transport == "kerberos" and not account.is_upn:
        yield Cause(
            "kerberos_account", "logon", "blocks", f"Kerberos takes an account as user@REALM, not as {at.user}",
            f"ansible_user: {account.name}@{(account.domain or 'REALM').upper()}", "inventory", "likely",
        )  # fmt: skip
    yield Cause(
        "password", "logon", "blocks",
        f"the host does not accept {at.user or 'the account'} with this password, or the account is locked or disabled",
        f"hvctl --ask-pass doctor {e.host}", "control node", "likely",
    )  # fmt: skip
    if local and not account.is_builtin_administrator:
        yield filtered_token("logon")


def filtered_token(stage: Literal["logon", "shell"]) -> Cause:
    """What else it may be where an account of the host is refused (winrm 3.4; operations 4, rank 1)."""
    return Cause(
        "filtered_token", stage, "blocks",
        "a local account other than the built-in administrator has no rights over the network while User Account Control "
        "filters its token",
        r"Set-ItemProperty HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System LocalAccountTokenFilterPolicy 1",
        "host", "possible",
    )  # fmt: skip


def _not_offered(at: Connection, offers: set[str]) -> Iterator[Cause]:
    told = ", ".join(sorted(offers))
    says = f"the host does not offer to log on by {_SWITCHES.get(at.transport, at.transport)}; it offers {told}"
    if offers & {"negotiate", "ntlm"} and at.transport in ("basic", "credssp"):
        yield Cause("not_offered", "logon", "blocks", says, "ansible_winrm_transport: ntlm", "inventory")
        return
    if at.transport == "credssp":
        yield Cause("not_offered", "logon", "blocks", says, "Enable-WSManCredSSP -Role Server -Force", "host")
        return
    switch = _SWITCHES.get(at.transport, "Negotiate")
    command = rf"Set-Item WSMan:\localhost\Service\Auth\{switch} $true"
    yield Cause("not_offered", "logon", "blocks", says, command, "host")


# --- the shell ------------------------------------------------------------------------------------------------------


def _denied(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    """Fault 5 after a log on that was accepted (operations 4, rank 10)."""
    account = Account.of(at.user or "")
    name = literal(at.user or "ACCOUNT")
    yield Cause(
        "shell_denied", "shell", "blocks",
        f"{at.user or 'the account'} may log on, but WinRM's shell does not admit it: it is in neither Administrators nor "
        "the RootSDDL (Remote Management Users are not enough)",
        f"net localgroup Administrators {name} /add", "host",
    )  # fmt: skip
    if account.is_local(at.host, at.name) and not account.is_builtin_administrator:
        yield filtered_token("shell")


def _disabled(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    if fault.code in (403, 404):
        yield from _not_winrm(e, at, fault)
        return
    yield Cause(
        "shells_disabled", "shell", "blocks", "remote shells are switched off there, by setting or by policy",
        r"Set-Item WSMan:\localhost\Shell\AllowRemoteShellAccess $true", "host",
    )  # fmt: skip


_QUOTAS: Mapping[int, tuple[str, str, str]] = {
    2150859173: ("shells_full", "the account has as many shells open as it may", r"Shell\MaxShellsPerUser 30"),
    2150859174: (
        "operations_full",
        "the account has as many operations under way as it may",
        r"Service\MaxConcurrentOperationsPerUser 1500",
    ),
    2150859179: ("users_full", "as many accounts have shells open as may", r"Shell\MaxConcurrentUsers 10"),
}
"""winrm 2.4; the values are those of Windows Server 2012 R2 (3.1)."""


def _quota(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    name, says, setting = _QUOTAS.get(fault.code, ("quota_full", "the host is at one of WinRM's quotas", ""))
    command = rf"Set-Item WSMan:\localhost\{setting}" if setting else "Restart-Service WinRM"
    yield Cause(name, "shell", "blocks", f"{says} ({fault.code})", command, "host", "certain" if setting else "likely")


def _busy(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "winrm_not_ready", "port", "blocks", "something answers for WinRM that it is not ready (HTTP 503): its service hangs, "
        "or is stopped",
        "Restart-Service WinRM", "host",
    )  # fmt: skip


def _too_large(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "envelope_small", "shell", "blocks", "the host takes no messages of the size that hvctl needs",
        r"Set-Item WSMan:\localhost\MaxEnvelopeSizekb 500", "host",
    )  # fmt: skip


def _undecryptable(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "sealed_unread", "logon", "blocks",
        "the host cannot read sealed messages (HTTP 400): something between changes connections, such as a load balancer",
        "ansible_host: ADDRESS-OF-THE-HOST-ITSELF", "inventory", "likely",
    )  # fmt: skip


def _not_winrm(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "not_winrm", "port", "blocks", f"what answers at port {at.port} of {at.host} is not WinRM: {fault.text}",
        "ansible_host: ADDRESS-OF-THE-HOST-ITSELF", "inventory", "likely",
    )  # fmt: skip


def _lost(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    if e.way is not None and e.way.speaks == "https":
        yield Cause(
            "speaks_https", "tls", "blocks", f"port {at.port} speaks https, not http",
            "ansible_winrm_scheme: https", "inventory",
        )  # fmt: skip
        return
    if fault.code == 500 and at.scheme == "http" and at.transport not in SEALED:
        yield Cause(
            "unsealed_refused", "logon", "blocks",
            "the host takes no unencrypted messages, rightly, and Basic over http seals none",
            "ansible_winrm_transport: ntlm", "inventory",
        )  # fmt: skip
        return
    if e.way is not None and e.way.fault is not None:
        if at.scheme == "https" and e.way.certificate is None and not e.way.open_ports:
            yield from _tls(e, at, fault)
            return
        if (other := _other_listener(e, at)) is not None:
            yield other
            return
        yield Cause(
            "no_answer", "port", "blocks",
            f"port {at.port} of {at.host} takes connections, and then answers nothing: {fault.text}",
            "Restart-Service WinRM", "host", "likely",
        )  # fmt: skip
        return
    yield Cause(
        "breaks_off", "shell", "blocks", f"the host answered, and then broke off: {fault.text}",
        "Restart-Service WinRM", "host", "possible",
    )  # fmt: skip


def _kerberos(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    """By the words of MIT's library, which it does not translate (operations 4, ranks 2, 8, 9)."""
    said = fault.text.casefold()
    if "not found in kerberos database" in said:
        yield Cause(
            "kerberos_name", "logon", "blocks", f"the domain has no computer, or two, that is called HTTP/{at.host}",
            f"setspn -Q HTTP/{at.host}", "domain", "likely",
        )  # fmt: skip
    elif "clock skew" in said:
        yield clock_skew(timedelta(0), kerberos=True)
    elif "kdc" in said or "realm" in said:
        realm = Account.of(at.user or "").domain or "REALM"
        yield Cause(
            "kerberos_realm", "logon", "blocks", f"this machine finds no domain controller of the realm {realm}",
            f"ansible_user: {Account.of(at.user or '').name}@{realm.upper()}  # in upper case, and with DNS of the domain",
            "inventory", "likely",
        )  # fmt: skip
    elif "credentials" in said or "ticket" in said:
        yield Cause(
            "kerberos_ticket", "logon", "blocks", "this machine has no Kerberos ticket that is valid",
            f"kinit {at.user or 'USER@REALM'}", "control node", "likely",
        )  # fmt: skip


def _unknown(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    """A fault of WS-Man, or an answer that was not whole."""
    if at.transport == "kerberos" and fault.kind == "protocol" and (known := [*_kerberos(e, at, fault)]):
        yield from known
        return
    if fault.kind in ("protocol", "gone", "timed_out") and e.way is not None and not _is_winrm(e.way):
        yield from _not_winrm(e, at, fault)
        return
    if fault.kind == "":
        yield Cause(
            "powershell_ends", "powershell", "blocks", f"PowerShell on the host does not answer as it should: {fault.text}",
            f"hvctl -vv facts {e.host}", "control node", "possible",
        )  # fmt: skip
        return
    if fault.kind == "exhausted":
        yield Cause(
            "control_node", "configuration", "blocks", fault.text, fault.hint or "ulimit -n 4096", "control node"
        )
        return
    yield Cause(
        "wsman_fault", "shell", "blocks", f"WinRM answers with a fault: {fault.text}",
        fault.hint or "Restart-Service WinRM", "host", "possible",
    )  # fmt: skip


def _is_winrm(way: Way) -> bool:
    """HTTP 401 to whoever does not log on, with a way to do so (winrm 2.1)."""
    return way.status == 401 and bool(way.offers)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


_JUDGES: Mapping[str, Judge] = {
    "name": _name,
    "refused": _refused,
    "connect": _silent,
    "certificate": _certificate_fault,
    "tls": _tls,
    "credentials": _refused_log_on,
    "denied": _denied,
    "disabled": _disabled,
    "quota": _quota,
    "busy": _busy,
    "too_large": _too_large,
    "undecryptable": _undecryptable,
    "redirect": _not_winrm,
    "oversized": _not_winrm,
    "slow": _not_winrm,
    "proxy": _not_winrm,
    "lost": _lost,
}
