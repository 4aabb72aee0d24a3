"""pywinrm's options, hvctl's limits and the extras of transports, from the inventory to what a request is sent with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Secret
from hvctl.config.connection import Connection, connection_of
from hvctl.config.wiring import KNOWN, REFUSED, Timeouts
from hvctl.fleet.connect import Wire, real_connect
from hvctl.text.diagnostic import ConfigError, Mark
from hvctl.winrm.client import WinRM
from hvctl.winrm.connection import bounded_transport
from hvctl.winrm.limits import VARIABLES, Limits
from hvctl.winrm.meter import Meter
from mocks.tls import make_authority
from tests.faults.rig import PASSWORD, rig

HOST: dict[str, Any] = {"ansible_user": "u", "ansible_password": "p"}


def connected(**variables: Any) -> Connection:
    marks = {name: Mark("hosts.yml", n + 1, 7) for n, name in enumerate(variables)}
    return connection_of("h", {**HOST, **variables}, marks)


def transport_of(connection: Connection) -> Any:
    """What pywinrm would send with; no request is made."""
    client = real_connect(connection, Wire())
    assert isinstance(client, WinRM)
    return bounded_transport(client.address, Meter("h", client.address.limits))


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("kerberos_delegation", "yes", True),
        ("kerberos_delegation", False, False),
        ("kerberos_hostname_override", "hv01.corp.example", "hv01.corp.example"),
        ("service", "WSMAN", "WSMAN"),
        ("send_cbt", "false", False),
        ("message_encryption", "always", "always"),
        ("message_encryption", "never", "never"),
        ("credssp_disable_tlsv1_2", True, True),
        ("credssp_auth_mechanism", "kerberos", "kerberos"),
        ("credssp_minimum_version", 5, 5),
    ],
)
def test_an_option_reaches_pywinrm(name: str, value: object, taken: object) -> None:
    connection = connected(**{f"ansible_winrm_{name}": value})
    assert getattr(transport_of(connection), name) == taken
    assert connection.warnings[1:] == ()  # the first: a password stands in plain


def test_what_is_not_written_is_as_pywinrm_has_it() -> None:
    found = transport_of(connected())
    assert (found.service, found.kerberos_delegation, found.kerberos_hostname_override) == ("HTTP", False, None)
    assert (found.message_encryption, found.send_cbt, found.proxy) == ("auto", True, None)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ansible_winrm_kerberos_delegation": "maybe"}, "maybe is not a valid ansible_winrm_kerberos_delegation; write true"),
        ({"ansible_winrm_message_encryption": "on"}, "on is not a valid ansible_winrm_message_encryption; write auto"),
        ({"ansible_winrm_message_encryption": "always", "ansible_winrm_transport": "basic"}, "cannot be encrypted over basic"),
        ({"ansible_winrm_credssp_minimum_version": 1}, "1 is not a valid"),
        ({"ansible_winrm_proxy": "http://p:3128"}, "ansible_winrm_proxy cannot be used: hvctl connects to a host itself"),
        ({"ansible_winrm_realm": "CORP"}, "ansible_winrm_realm cannot be used"),
        ({"ansible_winrm_keytab": "/etc/k"}, "ansible_winrm_keytab cannot be used"),
        ({"ansible_winrm_read_timeout_sec": 20, "ansible_winrm_operation_timeout_sec": 20}, "a read timeout of 20 s ends"),
        ({"ansible_winrm_connection_timeout": 0}, "0 is not a valid ansible_winrm_connection_timeout; write seconds"),
        ({"hvctl_response_limit": "much"}, "much is not a valid hvctl_response_limit; write a size, such as 4MB"),
        ({"hvctl_line_limit": 5}, "5 is not a valid hvctl_line_limit"),
        ({"hvctl_row_limit": 0}, "0 is not a valid hvctl_row_limit; write a number"),
        ({"hvctl_request_timeout": "soon"}, "soon is not a valid hvctl_request_timeout; write seconds, such as 90"),
        ({"hvctl_request_timeout": 5}, "a request may not end after 5 s: a host that is well may be silent for 15 s; write 25"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_as_it_says_is_refused_at_its_place(variables: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        connected(**variables)
    (problem,) = (p for p in error.value.problems if p.level == "error")
    assert said in str(problem)
    assert str(problem).startswith("hosts.yml:1:7: ")


def test_all_that_is_wrong_is_said_together() -> None:
    with pytest.raises(ConfigError) as error:
        connected(
            **dict.fromkeys(set(KNOWN) - {"ansible_winrm_service", "ansible_winrm_kerberos_hostname_override"}, "?")
        )
    assert sum(p.level == "error" for p in error.value.problems) == len(KNOWN) - 2


@pytest.mark.parametrize(
    ("variables", "timeouts", "seconds"),
    [
        ({}, None, 90),
        ({"ansible_winrm_connection_timeout": 30}, Timeouts(30, 10), 90),
        ({"ansible_winrm_operation_timeout_sec": 20, "ansible_winrm_read_timeout_sec": 30}, Timeouts(20, 10), 90),
        ({"ansible_winrm_operation_timeout_sec": 120, "ansible_winrm_read_timeout_sec": 150}, Timeouts(120, 30), 160),
        ({"ansible_winrm_read_timeout_sec": 30}, Timeouts(20, 10), 90),
        ({"ansible_winrm_read_timeout_sec": 200}, Timeouts(60, 140), 210),
        ({"hvctl_request_timeout": "5m"}, None, 300),
        ({"hvctl_request_timeout": "45"}, None, 45),
    ],
)
def test_timeouts_are_ansibles_and_a_request_outlasts_them(
    variables: dict[str, Any], timeouts: Timeouts | None, seconds: float
) -> None:
    found = connected(**variables).wiring
    assert (found.timeouts, found.limits.seconds) == (timeouts, seconds)


def test_every_limit_is_set_by_its_variable() -> None:
    given = {"hvctl_response_limit": "1MB", "hvctl_line_limit": "2 MB", "hvctl_output_limit": 4_000_000,
             "hvctl_row_limit": 7, "hvctl_request_timeout": 99}  # fmt: skip
    client = real_connect(connected(**given), Wire())
    assert isinstance(client, WinRM)
    assert client.address.limits == Limits(1 << 20, 2 << 20, 4_000_000, 7, 99)
    assert set(VARIABLES.values()) == set(given)


def test_every_variable_is_in_the_documentation() -> None:
    text = (Path(__file__).parent.parent / "docs" / "inventory.md").read_text(encoding="utf-8")
    assert [name for name in (*KNOWN, *REFUSED) if f"`{name}`" not in text] == []


# --- transports -----------------------------------------------------------------------------------------------------


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    for name in modules:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    ("transport", "modules"), [("kerberos", ("kerberos", "winkerberos")), ("credssp", ("requests_credssp",))]
)
def test_a_missing_extra_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, transport: str, modules: tuple[str, ...]
) -> None:
    without(monkeypatch, *modules)
    with pytest.raises(ConfigError) as error:
        connected(ansible_winrm_transport=transport)
    (problem,) = (p for p in error.value.problems if p.level == "error")
    assert str(problem) == (
        f"hosts.yml:1:7: {transport} needs packages that are not installed here; "
        f"python -m pip install 'hvctl[{transport}]'"
    )
    assert connected(ansible_winrm_transport=f"{transport}, ntlm").transport == "ntlm"


@pytest.mark.parametrize(("transport", "module"), [("kerberos", "winkerberos"), ("credssp", "requests_credssp")])
def test_an_extra_that_is_installed_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, transport: str, module: str
) -> None:
    without(monkeypatch, "kerberos")
    monkeypatch.delitem(sys.modules, module, raising=False)
    (tmp_path / f"{module}.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert connected(ansible_winrm_transport=[transport, "ntlm"]).transport == transport
    monkeypatch.delitem(sys.modules, module, raising=False)


def test_a_missing_extra_is_said_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "requests_credssp")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", PASSWORD)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    with rig(tmp_path, capsys, make_authority(tmp_path / "ca"), transport="credssp") as at:
        for verb in ("validate", "plan"):
            said = at.hvctl(verb, "lab.yml")
            assert said.status == 1
            assert "pip install 'hvctl[credssp]'" in said.err
        assert (at.endpoint.log, at.endpoint.auth_requests) == ([], 0)


def test_ssl_is_basic_over_https_or_with_a_certificate() -> None:
    ssl = connected(ansible_winrm_transport="ssl")
    assert (ssl.transport, ssl.scheme, ssl.port) == ("basic", "https", 5986)
    named = connected(ansible_winrm_transport="ssl", ansible_winrm_cert_pem="c.pem", ansible_winrm_cert_key_pem="k.pem")
    assert named.transport == "certificate"
    assert connected(ansible_winrm_transport="plaintext", ansible_winrm_scheme="http").transport == "basic"
    for variables in ({"ansible_winrm_scheme": "http"}, {"ansible_port": 5985}):
        with pytest.raises(ConfigError, match="ssl needs https"):
            connected(ansible_winrm_transport="ssl", **variables)


def test_an_encryption_that_is_left_out_is_warned_of() -> None:
    warnings = connected(ansible_winrm_message_encryption="never", ansible_port=5985).warnings
    assert any("what is sent travels in the clear" in str(w) for w in warnings)


def test_a_secret_is_not_among_the_options() -> None:
    connection = connected(ansible_winrm_service="HTTP")
    assert isinstance(connection.password, Secret)
    assert "password" not in connection.wiring.options
