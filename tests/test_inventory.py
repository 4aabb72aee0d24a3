"""Ansible's inventories as they are; patterns; variables and who wins; connections and their faults."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend

from hvctl.call import Secret
from hvctl.config import expressions
from hvctl.config.connection import Connection
from hvctl.config.hostnames import PatternError, expand
from hvctl.config.inventory import Inventory
from hvctl.config.patterns import limit_words, matching, words
from hvctl.config.secrets import PromptSource, SecretError, resolve
from hvctl.config.template import render
from hvctl.text.diagnostic import ConfigError, Mark
from hvctl.text.source import SecretSource, load_text

YAML = """
all:
  vars: {a: all, b: all, ansible_user: u}
  children:
    lab:
      hosts:
        hv[01:03]: {c: host}
      vars: {b: lab}
      children:
        tokyo: {hosts: {hv02: }, vars: {b: tokyo}}
    kyoto:
      hosts:
        hv03:
        hv10:5985:
"""
INI = """
# comment
solo ansible_host=192.0.2.1

[lab]
hv[01:03] c=host
; other

[tokyo]
hv02 n=5 t="two words" f=False

[lab:children]
tokyo

[lab:vars]
b=lab

[all:vars]
a=all
ansible_user=u
"""


def inventory(tmp_path: Path, text: str = YAML, name: str = "inv.yml") -> Inventory:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return Inventory.load(tmp_path / name)


def test_yaml_groups_ranges_and_who_wins(tmp_path: Path) -> None:
    for folder, name, text in (
        ("group_vars", "all.yml", "a: gv_all\nd: gv_all"),
        ("group_vars", "lab", "d: gv_lab"),
        ("host_vars", "hv02.yaml", "c: hv"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text, encoding="utf-8")
    found = inventory(tmp_path)
    assert list(found.hosts) == ["hv01", "hv02", "hv03", "hv10"]
    two = found.hosts["hv02"].variables
    assert {k: two[k] for k in "abcd"} == {"a": "gv_all", "b": "tokyo", "c": "hv", "d": "gv_lab"}
    assert found.hosts["hv01"].variables["b"] == "lab"
    assert found.hosts["hv10"].variables["ansible_port"] == 5985
    assert found.groups["lab"] == ("hv01", "hv02", "hv03")
    assert found.variables(found.hosts["hv02"])["group_names"] == ["lab", "tokyo"]
    assert "hv02" in found.variables(found.hosts["hv01"])["hostvars"]
    assert found.as_graph().splitlines()[0] == "@all:"
    assert found.as_list()["lab"] == {"children": ["tokyo"], "hosts": ["hv01", "hv02", "hv03"]}


def test_ini_says_the_same(tmp_path: Path) -> None:
    found = inventory(tmp_path, INI, "hosts")
    assert list(found.hosts) == ["solo", "hv01", "hv02", "hv03"]
    assert found.groups["ungrouped"] == ("solo",)
    two = found.hosts["hv02"].variables
    assert (two["n"], two["t"], two["f"], two["b"]) == (5, "two words", False, "lab")
    assert found.groups["lab"] == ("hv01", "hv02", "hv03")


def test_a_folder_of_inventories(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("all: {hosts: {x: {v: 1}}}", encoding="utf-8")
    (tmp_path / "b.ini").write_text("[g]\ny\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("no inventory", encoding="utf-8")
    assert sorted(Inventory.load(tmp_path).hosts) == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "an inventory is a mapping of groups"),
        ("all: {hots: {a: }}", "unknown key 'hots' in the group all; did you mean 'hosts'?"),
        ("all: {hosts: [a]}", "hosts is a mapping, not a list"),
        ("all: {hosts: {'hv[3:1]': }}", "ends before it begins"),
        ("all: {hosts: {a: 5}}", "the variables of a are a mapping"),
        ("a: {children: {b: {children: {a: }}}}", "would be within itself"),
        ("all: 5", "the group all is a mapping"),
    ],
)
def test_wrong_inventories(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        inventory(tmp_path, text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[a:b:c]\n", "is not a valid heading"), ("a 'b\n", "a quote is not closed"), ("[g]\nh =x\n", "is not a variable"),
     ("[g:vars]\n5\n", "is not a variable")],
)  # fmt: skip
def test_wrong_ini(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        inventory(tmp_path, text, "hosts.ini")
    assert said in str(error.value)


HOSTS = ["hv01", "hv02", "hv03", "db1"]
GROUPS = {"all": HOSTS, "lab": HOSTS[:3], "tokyo": ["hv01", "hv03"]}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("all", HOSTS), ("*", HOSTS), ("lab:&tokyo:!hv03", ["hv01"]), ("lab,db1", HOSTS), ("!lab", ["db1"]),
        ("hv0*", HOSTS[:3]), ("~hv0[12]", ["hv01", "hv02"]), ("lab[0]", ["hv01"]), ("lab[-1]", ["hv03"]),
        ("~(hv|x)+0.*.*3", ["hv03"]), ("lab[0:1]", ["hv01", "hv02"]), ("lab[1:]", ["hv02", "hv03"]), ("tok*", ["hv01", "hv03"]),
    ],
)  # fmt: skip
def test_patterns(pattern: str, found: list[str]) -> None:
    assert matching(words(pattern), HOSTS, GROUPS) == (found, [])


def test_patterns_that_name_nothing(tmp_path: Path) -> None:
    assert matching(["nope"], HOSTS, GROUPS) == ([], ["nope"])
    with pytest.raises(PatternError):
        matching(["~("], HOSTS, GROUPS)
    with pytest.raises(PatternError):
        limit_words("@none")
    (tmp_path / "limit").write_text("# x\nhv01\nhv02\n", encoding="utf-8")
    assert limit_words(f"@{tmp_path / 'limit'}") == ["hv01", "hv02"]
    with pytest.raises(ConfigError, match="did you mean 'tokyo'"):
        inventory(tmp_path).select("tokio")
    with pytest.raises(ConfigError):
        inventory(tmp_path).select("~(")
    assert [h.name for h in inventory(tmp_path).select("all", "tokyo")] == ["hv02"]


def test_a_regular_expression_that_tries_without_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "SECONDS", 0.3)
    with pytest.raises(PatternError, match=r"^~\(a\+\)\+x takes longer than .*; write it without"):
        matching(["~(a+)+x"], ["a" * 60], {})


def test_ranges() -> None:
    assert expand("hv[08:10]") == ["hv08", "hv09", "hv10"]
    assert expand("[a:c]x") == ["ax", "bx", "cx"]
    assert expand("n[0:6:3]-[1:2]") == ["n0-1", "n0-2", "n3-1", "n3-2", "n6-1", "n6-2"]
    for wrong in ("[1:c]", "[c:a]", "[0:5:0]", "[1:999999999]"):
        with pytest.raises(PatternError):
            expand(wrong)


def connection(tmp_path: Path, **variables: Any) -> Connection:
    lines = "".join(f"      {k}: {v}\n" for k, v in {"ansible_user": "u", **variables}.items())
    found = inventory(tmp_path, f"all:\n  hosts:\n    h:\n{lines}")
    return found.connection(found.hosts["h"])


def test_connections_have_ansibles_defaults(tmp_path: Path) -> None:
    one = connection(tmp_path)
    assert (one.host, one.port, one.scheme, one.transport, one.verify) == ("h", 5986, "https", "ntlm", True)
    assert connection(tmp_path, ansible_port=5985).scheme == "http"
    assert connection(tmp_path, ansible_winrm_scheme="http").port == 5985
    assert connection(tmp_path, hvctl_os="'2012 R2'").os == "2012r2"
    assert connection(tmp_path, ansible_winrm_transport="[basic, ntlm]").transport == "basic"
    assert connection(tmp_path, ansible_host="'{{ inventory_hostname }}.lab'").host == "h.lab"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ansible_port", "x", "is not a valid port"),
        ("ansible_winrm_transport", "ntml", "did you mean 'ntlm'?"),
        ("ansible_winrm_scheme", "htps", "did you mean"),
        ("hvctl_os", "2003", "is not a version that hvctl knows"),
        ("ansible_winrm_transport", "certificate", "a certificate needs its files"),
        ("ansible_host", "[a]", "ansible_host is a text"),
        ("ansible_host", "'{{ nope }}'", "'nope' is undefined"),
    ],
)
def test_wrong_connections(tmp_path: Path, name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        connection(tmp_path, **{name: value})
    assert said in str(error.value)


def test_connection_without_a_user_and_certificate_over_http(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no user"):
        connection(tmp_path, ansible_user="null")
    with pytest.raises(ConfigError, match="certificates need https"):
        connection(tmp_path, ansible_winrm_transport="certificate", ansible_winrm_scheme="http",
                   ansible_winrm_cert_pem="c", ansible_winrm_cert_key_pem="k")  # fmt: skip


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"ansible_password": "plain"}, "a password stands in plain here"),
        ({"ansible_prot": 1}, "ansible_prot has no effect in hvctl; did you mean 'ansible_port'?"),
        ({"ansible_winrm_kinit_cmd": "kinit5"}, "ansible_winrm_kinit_cmd has no effect in hvctl, which takes the"),
        ({"ansible_connection": "ssh"}, "hvctl connects over winrm, not ssh"),
        ({"ansible_winrm_server_cert_validation": "ignore"}, "the host's certificate is not checked"),
        ({"ansible_winrm_transport": "basic", "ansible_winrm_scheme": "http"}, "the password travels in the clear"),
    ],
)
def test_doubtful_connections_warn(tmp_path: Path, variables: dict[str, Any], said: str) -> None:
    warnings = connection(tmp_path, **variables).warnings
    assert any(said in str(w) for w in warnings)
    assert "plain" not in repr(connection(tmp_path, **variables).password)


# --- secrets -------------------------------------------------------------------------------------------------------

MARK = Mark("f", 1, 1)


class Ring(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        pass

    def get_password(self, service: str, username: str) -> str | None:
        return "from ring" if (service, username) == ("s", "u") else None

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


def test_secrets_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HVCTL_X", "from env")
    keyring.set_keyring(Ring())
    printed = SecretSource("command", (sys.executable, "-c", "print('from command')"), MARK)
    assert resolve(SecretSource("env", ("HVCTL_X",), MARK)).reveal() == "from env"
    assert resolve(SecretSource("keyring", ("s", "u"), MARK)).reveal() == "from ring"
    assert resolve(printed).reveal() == "from command"
    assert resolve(Secret("x")) == Secret("x")
    assert str(resolve(printed)) == repr(Secret("x")) == "***"
    assert hash(Secret("x")) == hash(Secret("x"))


@pytest.mark.parametrize(
    "source",
    [
        SecretSource("env", ("HVCTL_NOT_SET",), MARK),
        SecretSource("keyring", ("s", "nobody"), MARK),
        SecretSource("command", ("hvctl-no-such-program",), MARK),
        SecretSource("command", (sys.executable, "-c", "print('hidden'); raise SystemExit('gone wrong')"), MARK),
        SecretSource("command", (sys.executable, "-c", "pass"), MARK),
        PromptSource("password"),
    ],
)
def test_secrets_that_cannot_be_had(source: Any) -> None:
    keyring.set_keyring(Ring())
    with pytest.raises(SecretError) as error:
        resolve(source)
    assert "hidden" not in str(error.value)


# --- expressions ---------------------------------------------------------------------------------------------------


def rendered(text: str, **variables: Any) -> Any:
    document = load_text(f"a: {text}", "f")
    return render(document.data, variables, document)["a"]


def test_expressions_keep_their_types() -> None:
    assert rendered("'{{ x }}'", x=5) == 5
    assert rendered("'{{ x }}GB'", x=5) == "5GB"
    assert rendered("'0{{ x }}'", x=5) == "05"
    assert rendered("'{{ y }}'", x=5, y="{{ x + 1 }}") == 6
    assert rendered("['{{ z }}']", z={"k": "{{ x }}"}, x=[1]) == [{"k": [1]}]
    assert rendered("'{% if x %}yes{% endif %}'", x=True) == "yes"
    assert rendered("['{{ 2 + 2 }}', '{{ true }}', '{{ [1] }}', '{{ \"4\" }}', '1{{ 2 }}']") == [
        4,
        True,
        [1],
        "4",
        "12",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("'{{ nope }}'", "f:1:4: 'nope' is undefined"),
        ("'{{ conut }}'", "did you mean 'count'?"),
        ("\"{{ lookup('env', 'X') }}\"", "a secret is `!env NAME`"),
        ("'{{ 1 + }}'", "cannot be read"),
        ("'{{ 1 / 0 }}'", "this expression fails"),
        ("'{{ loop }}'", "refers to itself"),
        ("'{{ count.__class__.__mro__ }}'", "f:1:4"),
        ("'{{ range(9999999) | list }}'", "this expression fails"),
        ("'{{ secret }}'", "a secret cannot stand in an ordinary value"),
        ("'x{{ secret }}'", "a secret cannot stand in an ordinary value"),
        ("'x{{ nope }}'", "'nope' is undefined"),
    ],
)
def test_wrong_expressions(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        rendered(text, count=1, loop="{{ loop }}", secret=Secret("s3"))
    assert said in str(error.value)
    assert "s3" not in str(error.value)
