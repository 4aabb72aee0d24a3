"""Judging is pure: what no simulated server can show (Kerberos, CredSSP, other ports) is judged of evidence written by hand."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest

from hvctl.call import Failure, HostInfo, Reply, Secret
from hvctl.config.connection import TRANSPORTS, Connection
from hvctl.config.wiring import Wiring
from hvctl.core.facts import Facts
from hvctl.doctor.account import Account
from hvctl.doctor.cause import STAGES, Cause, ranked
from hvctl.doctor.evidence import Certificate, Examination, Symptom, Wanted, Way
from hvctl.doctor.judge import causes, diagnosis
from hvctl.doctor.questions import ALWAYS, FEATURES
from hvctl.doctor.report import as_data, lines
from hvctl.doctor.wmi_v1 import refers
from hvctl.show.plain import plain
from hvctl.winrm.faults import Kind

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 11, 27, tzinfo=UTC)
WAY = Way(("192.0.2.11",), status=401, offers=("Negotiate", "Kerberos"), date=NOW, asked=NOW, own_address="192.0.2.1")
AT = Connection("hv01", "hv01.lab.example", 5986, "https", "ntlm", user="LAB\\svc", password=Secret("Pa55-lab"))
HTTP = replace(AT, scheme="http", port=5985)
SHOWN = Certificate(
    "CN=hv01", "CN=hv01", ("hv01.lab.example",), NOW - timedelta(days=1), NOW + timedelta(days=300), "AB" * 20, True
)


def examined(
    kind: str = "", code: int = 0, text: str = "", *, way: Way = WAY, wanted: Wanted | None = None, **at: Any
) -> Examination:
    fault = Symptom(kind, code, text) if kind else None
    on_the_way = fault is not None and kind in ("name", "refused", "connect", "certificate")
    return Examination(
        "hv01",
        replace(AT, **at),
        NOW,
        replace(way, fault=fault, status=0) if on_the_way else way,
        None if on_the_way else fault,
        wanted=wanted or Wanted(),
    )


def names(e: Examination) -> list[str]:
    return [one.name for one in causes(e)]


@pytest.mark.parametrize(
    ("e", "expected", "remedy"),
    [
        (examined("refused", way=replace(WAY, open_ports=(5985,))), ["no_https_listener"], "ansible_port: 5985"),
        (
            examined("refused", way=replace(WAY, open_ports=(5985,)), transport="basic", user="svc"),
            ["no_https_listener"],
            "winrm quickconfig -transport:https",
        ),
        (
            examined("connect", way=replace(WAY, open_ports=(5986,)), scheme="http", port=5985),
            ["no_http_listener"],
            "ansible_port: 5986",
        ),
        (examined("refused"), ["port_refused"], "Enable-PSRemoting -Force"),
        (
            examined("connect"),
            ["port_silent"],
            "New-NetFirewallRule -DisplayName 'WinRM for hvctl' -Direction Inbound -Protocol TCP -LocalPort 5986 "
            "-RemoteAddress 192.0.2.1 -Action Allow",
        ),
        (
            examined("credentials", 401, transport="kerberos", host="192.0.2.11", user="svc@LAB.EXAMPLE"),
            ["kerberos_name", "password"],
            "ansible_host: FULL-NAME-OF-ITS-COMPUTER-OBJECT",
        ),
        (
            examined("credentials", 401, transport="kerberos"),
            ["kerberos_account", "password"],
            "ansible_user: svc@LAB",
        ),
        (
            examined("protocol", text="Server not found in Kerberos database", transport="kerberos"),
            ["kerberos_name"],
            "setspn -Q HTTP/hv01.lab.example",
        ),
        (
            examined("protocol", text="Clock skew too great", transport="kerberos"),
            ["clock_skew"],
            "w32tm /resync",
        ),
        (
            examined("protocol", text="Cannot find KDC for realm", transport="kerberos", user="svc@lab.example"),
            ["kerberos_realm"],
            "ansible_user: svc@LAB.EXAMPLE  # in upper case, and with DNS of the domain",
        ),
        (
            examined("protocol", text="No Kerberos credentials available", transport="kerberos", user="svc@LAB"),
            ["kerberos_ticket"],
            "kinit svc@LAB",
        ),
        (
            examined(
                "credentials",
                401,
                transport="kerberos",
                user="svc@LAB",
                way=replace(WAY, date=NOW + timedelta(hours=1)),
            ),
            ["password", "clock_skew"],
            "hvctl --ask-pass doctor hv01",
        ),
        (
            examined("credentials", 401, transport="credssp"),
            ["not_offered"],
            "ansible_winrm_transport: ntlm",
        ),
        (
            examined("credentials", 401, transport="credssp", way=replace(WAY, offers=("Kerberos",))),
            ["not_offered"],
            "Enable-WSManCredSSP -Role Server -Force",
        ),
        (
            examined("credentials", 401, way=replace(WAY, offers=("Basic",))),
            ["not_offered"],
            r"Set-Item WSMan:\localhost\Service\Auth\Negotiate $true",
        ),
        (
            examined("credentials", 401, transport="certificate"),
            ["client_certificate"],
            r"Set-Item WSMan:\localhost\Service\Auth\Certificate $true  # and see WSMan:\localhost\ClientCertificate",
        ),
        (
            examined("quota", 2150859174),
            ["operations_full"],
            r"Set-Item WSMan:\localhost\Service\MaxConcurrentOperationsPerUser 1500",
        ),
        (
            examined(
                "certificate",
                text="... is not trusted: certificate is not yet valid",
                way=replace(WAY, certificate=SHOWN),
            ),
            ["certificate_not_yet_valid"],
            "timedatectl set-ntp true",
        ),
        (
            examined(
                "certificate",
                text="... is not trusted: unsuitable certificate purpose",
                way=replace(WAY, certificate=replace(SHOWN, server=False)),
            ),
            ["certificate_usage"],
            "Set-WSManInstance winrm/config/Listener -SelectorSet @{Address='*'; Transport='HTTPS'} "
            "-ValueSet @{CertificateThumbprint='THUMBPRINT-OF-A-NEW-CERTIFICATE'}",
        ),
        (
            examined("certificate", text="... is not trusted: CA md too weak", way=replace(WAY, certificate=SHOWN)),
            ["certificate_untrusted"],
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem",
        ),
        (
            examined(
                "certificate",
                text="the certificate of expired.example:5986 is not trusted: Hostname mismatch, certificate is not valid for "
                "'expired.example'.",
                way=replace(WAY, certificate=SHOWN),
                host="expired.example",
            ),
            ["certificate_name"],
            "ansible_host: hv01.lab.example",
        ),
        (
            replace(
                examined(way=replace(WAY, status=0, fault=Symptom("lost"), connects=True)),
                log_on=Symptom("connect"),
                connection=HTTP,
            ),
            ["no_answer"],
            "Restart-Service WinRM",
        ),
        (replace(examined(), log_on=Symptom("connect")), ["breaks_off"], "Restart-Service WinRM"),
        (examined("exhausted", text="no file descriptors are left"), ["control_node"], "ulimit -n 4096"),
        (examined("quota", 2150859236), ["quota_full"], "Restart-Service WinRM"),
        (
            examined("too_large", 413),
            ["envelope_small"],
            r"Set-Item WSMan:\localhost\MaxEnvelopeSizekb 500",
        ),
        (examined("undecryptable", 400), ["sealed_unread"], "ansible_host: ADDRESS-OF-THE-HOST-ITSELF"),
        (
            examined(
                "certificate", text="... is not trusted: self-signed certificate", way=replace(WAY, certificate=SHOWN)
            ),
            ["certificate_issuer"],
            "ansible_winrm_ca_trust_path: FILE-OF-ITS-CA.pem  # check the thumbprint on the host first",
        ),
        (
            examined(
                "certificate",
                text="... is not trusted: certificate has expired",
                way=replace(
                    WAY, certificate=replace(SHOWN, ends=NOW - timedelta(days=2), names=("other.lab.example",))
                ),
            ),
            ["certificate_expired", "certificate_name"],
            "Set-WSManInstance winrm/config/Listener -SelectorSet @{Address='*'; Transport='HTTPS'} "
            "-ValueSet @{CertificateThumbprint='THUMBPRINT-OF-A-NEW-CERTIFICATE'}",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_way_that_fails(e: Examination, expected: list[str], remedy: str) -> None:
    found = causes(e)
    assert [one.name for one in found] == expected
    assert found[0].remedy == remedy


def test_a_wildcard_stands_for_one_label() -> None:
    for name, trusted in (("*.lab.example", True), ("*.example", False), ("HV01.LAB.example", True)):
        text = "the certificate of hv01.lab.example:5986 is not trusted: self-signed certificate"
        e = examined("certificate", text=text, way=replace(WAY, certificate=replace(SHOWN, names=(name,))))
        assert ("certificate_name" in names(e)) is not trusted


def every() -> Iterator[Examination]:
    """Every fault of the wire, by every transport, over both schemes, of accounts of each form."""
    ways = (
        WAY,
        replace(WAY, certificate=SHOWN),
        replace(WAY, open_ports=(5985, 5986)),
        replace(WAY, offers=("Basic",)),
    )
    for kind, transport, scheme, way, user in product(
        get_args(Kind), TRANSPORTS, ("https", "http"), ways, ("LAB\\svc", "svc", "svc@LAB")
    ):
        for code in (0, 5, 401, 403, 500, 2150859173, 2150859180):
            yield examined(kind, code, "what it said", way=way, transport=transport, scheme=scheme, user=user)


def test_every_fault_has_a_cause_with_a_remedy_and_none_that_makes_things_worse() -> None:
    seen: set[str] = set()
    for e in every():
        found = causes(e)
        assert found, e
        assert found[0].weight == "blocks"
        for one in found:
            assert one.message
            assert one.remedy
            assert "\n" not in one.remedy
            harmful = ("allowunencrypted", "trustedhosts", "ignore", "bypass", "cert_validation:")
            assert not any(word in one.remedy.casefold() for word in harmful), one
            if one.remedy == "ansible_winrm_transport: basic":
                raise AssertionError(one)
            seen.add(one.name)
    assert len(seen) >= 25


def test_a_sealing_transport_alone_is_sent_to_plain_http() -> None:
    for e in every():
        assert e.connection is not None
        for one in causes(e):
            if one.remedy == "ansible_port: 5985":
                assert e.connection.transport in ("ntlm", "kerberos", "credssp")


def test_what_blocks_comes_first_and_then_what_comes_first_on_the_way() -> None:
    def cause(name: str, stage: Any, weight: Any, sure: Any = "certain") -> Cause:
        return Cause(name, stage, weight, "x", "y", "host", sure)

    given = [
        cause("warn", "name", "warns"),
        cause("quota", "quotas", "limits"),
        cause("service", "hyper_v", "blocks"),
        cause("guess", "logon", "blocks", "possible"),
        cause("password", "logon", "blocks", "likely"),
        cause("password", "logon", "blocks", "possible"),
    ]
    assert [c.name for c in ranked(given)] == ["password", "guess", "service", "quota", "warn"]
    assert STAGES[0] == "configuration"


@pytest.mark.parametrize(
    ("text", "name", "domain", "local"),
    [
        ("LAB\\svc", "svc", "LAB", False),
        ("svc", "svc", "", True),
        (".\\svc", "svc", ".", True),
        ("HV01\\svc", "svc", "HV01", True),
        ("svc@lab.example", "svc", "lab.example", False),
    ],
)
def test_accounts(text: str, name: str, domain: str, local: bool) -> None:
    account = Account.of(text)
    assert (account.name, account.domain, account.is_local("hv01.lab.example")) == (name, domain, local)


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        (r"gwmi -Namespace root\virtualization Msvm_ComputerSystem", True),
        (r'GetObject("winmgmts:\\\\.\\ROOT\\Virtualization")', True),
        ("winmgmts:root/virtualization:Msvm_ComputerSystem", True),
        (r"root\virtualization", True),
        (r"root\virtualization\v2", False),
        (r"ROOT\\virtualization\\V2", False),
        ("root/virtualization/v2", False),
        (r"root\cimv2", False),
        ("virtualization", False),
    ],
)
def test_references_to_v1(text: str, yes: bool) -> None:
    assert refers(text) is yes


JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**70,
    1.5,
    "",
    "x" * 5000,
    "\u202e\x1b[2J",
    [],
    {},
    [[1]],
    [{"Execute": 5}],
    [None],
)


@pytest.mark.parametrize("junk", JUNK, ids=lambda v: repr(v)[:12])
def test_whatever_a_host_answers_is_judged(junk: Any) -> None:
    """It is that host's trouble, and none of hvctl's."""
    replies = {
        call: Reply(rows=(dict.fromkeys(call.select, junk),), failures=(Failure(str(junk), str(junk), str(junk)),))
        for call in (*ALWAYS, FEATURES)
    }
    facts = Facts("2022", HostInfo("HV01", 20348, "", "5.1", "FullLanguage", user="\\"), replies)
    e = replace(examined(wanted=Wanted(shares=("\\\\a\\b",))), facts=facts)
    found = diagnosis(e)
    assert found.v1 is not None
    text = "\n".join(line.plain for line in lines([plain(found)], width=100, verbose=True))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert json.loads(json.dumps(as_data([found], 0)))["hosts"][0]["host"] == "hv01"


def test_delegation_is_asked_for_in_two_steps() -> None:
    """First Kerberos, then what the domain allows, which nobody sees from the host; then nothing."""
    facts = Facts("2022", HostInfo("HV01", 20348, "", "5.1", "FullLanguage"), {})
    wanted = Wanted(shares=("\\\\files.lab.example\\iso",))

    def found(transport: Any, **options: Any) -> list[tuple[str, str, str]]:
        e = replace(examined(wanted=wanted, transport=transport, wiring=Wiring(options)), facts=facts)
        return [(c.name, c.remedy, c.weight) for c in causes(e) if c.stage == "domain"]

    assert found("ntlm") == [("double_hop", "ansible_winrm_transport: kerberos", "limits")]
    delegated = "Set-ADComputer files -PrincipalsAllowedToDelegateToAccount (Get-ADComputer HV01)"
    assert found("kerberos") == [("delegation_unseen", delegated, "warns")]
    assert found("kerberos", kerberos_delegation=True) == []
    assert found("credssp") == []


def test_every_cause_stands_in_the_documentation() -> None:
    text = (ROOT / "docs" / "first-host.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(\w+)`", text[text.index("### What it looks at") : text.index("### Who still uses")]))
    named = {
        node.args[0].value
        for file in sorted((ROOT / "hvctl" / "doctor").glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("Cause", "_of_certificate")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    by_table = {
        "shells_full",
        "operations_full",
        "users_full",
        "quota_full",
        "shells_quota",
        "processes_quota",
        "memory_quota",
    }
    assert named | by_table == told
    assert len(named) > 50
