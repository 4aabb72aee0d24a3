"""Judges why a host does not let an account log on (operations 4, ranks 1, 2, 7 to 9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from shlex import quote
from typing import Literal

from hvctl.config.connection import Connection
from hvctl.config.hostnames import is_ip
from hvctl.doctor.account import Account
from hvctl.doctor.cause import Cause
from hvctl.doctor.clock import clock_skew
from hvctl.doctor.evidence import Examination, Symptom

_SCHEMES: Mapping[str, tuple[str, ...]] = {
    "basic": ("basic",),
    "ntlm": ("negotiate", "ntlm"),
    "kerberos": ("kerberos", "negotiate"),
    "credssp": ("credssp",),
}
_SWITCHES = {"basic": "Basic", "ntlm": "Negotiate", "kerberos": "Kerberos", "credssp": "CredSSP"}


def refused_log_on(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    """HTTP 401 (operations 4, rank 1): what the host does not offer cannot have been a wrong password."""
    if fault.text.startswith("not tried"):
        yield Cause(
            "not_tried", "logon", "blocks", "another host refused this account's password, so it was not tried here too",
            f"hvctl --ask-pass doctor {quote(e.host)}", "control node",
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
    if at.transport == "certificate":
        yield Cause(
            "client_certificate", "logon", "blocks",
            "the host maps no account to this client certificate, or lets no certificate log on",
            r"Set-Item WSMan:\localhost\Service\Auth\Certificate $true  # and see WSMan:\localhost\ClientCertificate",
            "host", "likely",
        )  # fmt: skip
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
        f"hvctl --ask-pass doctor {quote(e.host)}", "control node", "likely",
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


def undecryptable(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
    yield Cause(
        "sealed_unread", "logon", "blocks",
        "the host cannot read sealed messages (HTTP 400): something between changes connections, such as a load balancer",
        "ansible_host: ADDRESS-OF-THE-HOST-ITSELF", "inventory", "likely",
    )  # fmt: skip


def kerberos_name(at: Connection, *, failed: bool) -> Iterator[Cause]:
    """Tickets are for names of computer objects (operations 4, rank 2)."""
    if not failed or ("." in at.host and not is_ip(at.host)):
        return
    what = "an address" if is_ip(at.host) else "a short name"
    yield Cause(
        "kerberos_name", "logon", "blocks",
        f"Kerberos knows a host by its full name, and ansible_host is {what} ({at.host})",
        "ansible_host: FULL-NAME-OF-ITS-COMPUTER-OBJECT", "inventory", "likely",
    )  # fmt: skip


def kerberos(e: Examination, at: Connection, fault: Symptom) -> Iterator[Cause]:
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
            f"kinit {quote(at.user or 'USER@REALM')}", "control node", "likely",
        )  # fmt: skip
