"""How a host is reached: who wins among the command line, plays and inventory; old and misspelt names; secrets that
cannot be had, before anybody is contacted."""

from __future__ import annotations

import sys
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend

from hvctl.call import Secret, Transport
from hvctl.cli import main
from hvctl.cli.prepared import extra_variables
from hvctl.config.connection import Connection
from hvctl.fleet.connect import Wire
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "state": "Running", "drives": [], "adapters": []}]}
PLAY = "- hosts: {}\n{}  vms: [{{name: web01, notes: x}}]\n"
SECOND = "- hosts: {}\n{}  host: {{enhanced_session_mode: on}}\n"


class Lab:
    """A folder, and the connections that were opened from it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.opened: dict[str, Connection] = {}

    def __call__(self, command: str, **files: str) -> tuple[int, str, str]:
        for name, text in files.items():
            (self.folder / name.replace("__", "/").replace("_", ".")).write_text(text, encoding="utf-8")
        self.opened.clear()

        def connect(connection: Connection, wire: Wire) -> Transport:
            self.opened[connection.name] = connection
            return TwinTransport(SimulatedHost.from_yaml({**STATE, "name": connection.name}))

        self._capsys.readouterr()
        status = main(command.split(), connect)
        printed = self._capsys.readouterr()
        return status, printed.out, printed.err


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("P", "s3cret-of-env")
    monkeypatch.delenv("MISSING", raising=False)
    (tmp_path / "lab.yml").write_text(PLAY.format("all", ""), encoding="utf-8")
    return Lab(tmp_path, capsys)


INVENTORY = """
all:
  vars: {ansible_user: u, ansible_password: !env P, ansible_port: 1, g: group}
  hosts:
    hv1: {ansible_host: "{{ target }}", ansible_port: 2}
    hv2: {}
"""


# --- who wins ---------------------------------------------------------------------------------------------------------


def test_the_command_line_reaches_connection_variables(lab: Lab) -> None:
    assert lab("plan lab.yml -e target=192.0.2.7", inventory_yml=INVENTORY)[0] == 0
    assert (lab.opened["hv1"].host, lab.opened["hv1"].port, lab.opened["hv2"].port) == ("192.0.2.7", 2, 1)
    assert lab("plan lab.yml -e target=x -e ansible_port=9999")[0] == 0
    assert {c.port for c in lab.opened.values()} == {9999}
    assert lab("plan lab.yml -e @more.yml", more_yml="{target: x, ansible_user: other, hvctl_os: 2019}")[0] == 0
    assert {(c.user, c.os) for c in lab.opened.values()} == {("other", "2019")}
    assert lab("plan lab.yml -e target=x -e ansible_password=1_000")[0] == 0  # as typed, not as a number
    assert {c.password for c in lab.opened.values()} == {Secret("1_000")}
    assert lab("facts hv1 -e target=y")[0] == 0
    assert lab.opened["hv1"].host == "y"
    assert lab("export web01 --to E:\\x --check -e target=z --limit hv1")[0] in (0, 2)
    assert lab.opened["hv1"].host == "z"


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ("a=1 b=x", {"a": "1", "b": "x"}), ("a='two words' b=\"c d\"", {"a": "two words", "b": "c d"}),
        ("a=two words", {"a": "two words"}), ("a=b=c", {"a": "b=c"}), ("a=", {"a": ""}), ("a= b=1", {"a": "", "b": "1"}),
        ("a='x'", {"a": "x"}), ("a=[1, 2]", {"a": [1, 2]}), ("a={b: 1}", {"a": {"b": 1}}),
        ("a=C:\\new b=1", {"a": "C:\\new", "b": "1"}),
        ('{"a": 1, "b": "x"}', {"a": 1, "b": "x"}),
    ],
)  # fmt: skip
def test_what_extra_variables_are(item: str, found: dict[str, object]) -> None:
    assert extra_variables([item]).values == found


def test_what_the_command_line_has_wrong_is_said(lab: Lab) -> None:
    status, _, err = lab("plan lab.yml -e target=x -e ansible_port=none", inventory_yml=INVENTORY)
    assert status == 1
    assert "'none' is not a valid port" in err
    assert "--extra-vars" in err
    status, _, err = lab("plan lab.yml")
    assert status == 1
    assert "inventory.yml:5:25: 'target' is undefined" in err


def test_plays_stand_between_the_inventory_and_the_command_line(lab: Lab) -> None:
    variables = "  vars: {target: of-play, ansible_port: 3, ansible_user: of-vars}\n  vars_files: [more.yml]\n"
    (lab.folder / "more.yml").write_text("{ansible_user: of-file}")
    assert lab("plan lab.yml", inventory_yml=INVENTORY, lab_yml=PLAY.format("all", variables))[0] == 0
    assert {(c.port, c.user) for c in lab.opened.values()} == {(3, "of-file")}  # vars_files over vars, as in Ansible
    assert lab.opened["hv1"].host == "of-play"
    assert lab("plan lab.yml -e ansible_port=4")[0] == 0
    assert {c.port for c in lab.opened.values()} == {4}


def test_a_limit_that_leaves_no_host_is_summed_up(lab: Lab) -> None:
    status, out, err = lab(
        "drift lab.yml --limit hv2 --no-history", inventory_yml=INVENTORY, lab_yml=PLAY.format("hv1", "")
    )
    assert (status, out) == (0, "0 hosts.\n")
    assert "--limit hv2 leaves none of the hosts" in err


def test_two_plays_that_reach_a_host_differently_are_refused_with_both_places(lab: Lab) -> None:
    plays = PLAY.format("all", "  vars: {target: x, ansible_port: 3}\n") + SECOND.format("hv1", "  vars: {target: x}\n")
    status, _, err = lab("plan lab.yml", inventory_yml=INVENTORY, lab_yml=plays)
    assert status == 1
    assert "lab.yml:4:3: hv1: ansible_port is 2, not 3 as for the play at lab.yml:2:35" in err
    assert not lab.opened
    other = PLAY.format("all", "  vars: {target: x}\n") + SECOND.format("hv1", "  vars: {target: y}\n")
    status, _, err = lab("plan lab.yml", lab_yml=other)  # through a variable of the inventory
    assert status == 1
    assert "hv1: ansible_host is y, not x as for the play at lab.yml:1:3" in err
    hidden = PLAY.format("hv2", "  vars: {ansible_password: s3cret-one}\n") + SECOND.format("hv2", "")
    status, _, err = lab("plan lab.yml", lab_yml=hidden)
    assert status == 1
    assert "ansible_password is another one as for the play" in err
    assert "s3cret" not in err
    assert (
        lab("plan lab.yml -e ansible_port=5 -e target=x -e ansible_host=q", lab_yml=plays)[0] == 0
    )  # the same for both


def test_files_beside_the_playbook_reach_connection_variables(lab: Lab) -> None:
    files = {
        "inventories/hosts.yml": INVENTORY,
        "group_vars/all.yml": "{target: beside, ansible_user: of-group_vars}",
        "host_vars/hv1.yml": "ansible_port: 4444",
    }
    for name, text in files.items():
        (lab.folder / name).parent.mkdir(exist_ok=True)
        (lab.folder / name).write_text(text, encoding="utf-8")
    assert lab("-i inventories/hosts.yml plan lab.yml")[0] == 0
    reached = {n: (c.host, c.port, c.user) for n, c in lab.opened.items()}
    assert reached == {"hv1": ("beside", 4444, "of-group_vars"), "hv2": ("hv2", 1, "of-group_vars")}


def test_plays_of_one_folder_share_what_lies_beside_it(lab: Lab) -> None:
    """Two passwords look the same where they are printed, and are not."""
    plays = "".join(PLAY.format("hv2", f"  vars: {{target: x, ansible_password: s3cret-{n}}}\n") for n in "ab")
    status, _, err = lab("plan lab.yml", inventory_yml=INVENTORY, lab_yml=plays)
    assert status == 1
    assert "hv2: ansible_password is another one as for the play at" in err


def test_a_plan_file_is_applied_to_the_hosts_that_were_planned(lab: Lab) -> None:
    """It does not say how they are reached: the command that is printed does, where the inventory does not."""
    status, _, err = lab("plan lab.yml -e note=x -e target=10.0.0.1 --out p", inventory_yml=INVENTORY)
    assert status == 0
    assert "Plan saved: hvctl apply p -e target=10.0.0.1\n" in err  # and of no variable that may be a secret
    planned = {n: c.host for n, c in lab.opened.items()}
    assert lab("apply p -y -e target=10.0.0.1")[0] == 0
    assert {n: c.host for n, c in lab.opened.items()} == planned == {"hv1": "10.0.0.1", "hv2": "hv2"}
    assert lab("apply p -y --limit hv1")[0] == 1


def test_a_plan_whose_hosts_apply_would_not_reach_is_not_saved(lab: Lab) -> None:
    play = PLAY.format("all", "  vars: {target: x, ansible_port: 3}\n")
    status, _, err = lab("plan lab.yml --out p", inventory_yml=INVENTORY, lab_yml=play)
    assert status == 1
    assert "'target' is undefined, by what apply of a plan file knows" in err
    assert "inventory.yml:3:67: hv2: ansible_port is 3 here, and 1 by what apply of a plan file knows" in err
    assert not lab.opened
    assert not (lab.folder / "p").exists()
    hidden = PLAY.format("hv2", "  vars: {ansible_password: s3cret-one}\n")
    err = lab("plan lab.yml --out p", lab_yml=hidden)[2]
    assert "hv2: ansible_password is another one here" in err
    assert "s3cret" not in err


def test_variables_of_the_current_folder_reach_the_hosts_of_a_plan_file(lab: Lab) -> None:
    """As those beside a playbook that lies there do; those beside a playbook elsewhere are not looked for."""
    for name, text in {"inventories/hosts.yml": INVENTORY, "group_vars/all.yml": "target: beside"}.items():
        (lab.folder / name).parent.mkdir(exist_ok=True)
        (lab.folder / name).write_text(text, encoding="utf-8")
    assert lab("-i inventories/hosts.yml plan lab.yml --out p")[0] == 0
    assert lab("-i inventories/hosts.yml apply p -y")[0] == 0
    assert lab.opened["hv1"].host == "beside"


def test_a_warning_about_a_host_of_a_plan_file_is_said_once(lab: Lab) -> None:
    lab("plan lab.yml --out p -e target=x", inventory_yml=INVENTORY)
    warned = INVENTORY.replace("g: group", "g: group, ansible_winrm_scheme: https, ansible_sheme: http")
    err = lab("apply p --check -e target=x", inventory_yml=warned)[2]
    assert err.count("ansible_sheme has no effect") == 1


def test_a_password_may_be_an_expression_that_is_one_variable_alone(lab: Lab) -> None:
    inventory = """
all:
  vars: {ansible_user: u, ansible_password: "{{ vault_password }}", vault_password: "{{ deeper }}", deeper: !env P}
  hosts: {hv1: }
"""
    assert lab("plan lab.yml", inventory_yml=inventory)[0] == 0
    assert lab.opened["hv1"].password == Secret("s3cret-of-env")
    status, _, err = lab("plan lab.yml", inventory_yml=inventory.replace("{{ deeper }}", "x{{ deeper }}"))
    assert status == 1
    assert "a secret cannot stand in an ordinary value" in err


def test_what_a_password_is_taken_from_is_hidden_wherever_it_stands(lab: Lab) -> None:
    inventory = "all: {hosts: {hv1: {ansible_user: u, ansible_password: '{{ pw }}', site: s3cret-of-site}}}"
    for variables in ("{pw: s3cret-of-play, name: pw}", "{ansible_password: '{{ site }}', pw: x, name: site}"):
        name = "pw" if "of-play" in variables else "site"
        play = f"- hosts: all\n  vars: {variables}\n  vms: [{{name: web01, notes: 'x {{{{ {name} }}}}'}}]\n"
        status, out, err = lab("plan lab.yml", inventory_yml=inventory, lab_yml=play)
        assert status == 1
        assert "a secret cannot stand in an ordinary value" in err
        assert "s3cret" not in out + err


# --- names ------------------------------------------------------------------------------------------------------------


def host(lab: Lab, variables: str) -> tuple[Connection, str]:
    status, _, err = lab(
        "plan lab.yml", inventory_ini=f"hv1 ansible_winrm_server_cert_validation=validate {variables}\n"
    )
    assert status == 0, err
    return lab.opened["hv1"], err


@pytest.mark.parametrize("text", ["!command [touch, ran]", "{a: [!command [touch, ran]]}", "!env P"])
def test_a_text_says_nowhere_where_a_secret_is(lab: Lab, text: str) -> None:
    """What comes from somewhere else as a text is no YAML of the inventory's."""
    (lab.folder / "more.yml").write_text('ansible_password: "{{ text | from_yaml }}"\ntext: \'' + text + "'\n", "utf-8")
    status, _, err = lab("plan lab.yml -e target=x -e @more.yml", inventory_yml=INVENTORY)
    assert (status, "from_yaml: a text cannot say where a secret is (!" in err) == (1, True), err
    assert not (lab.folder / "ran").exists()


def test_old_names_work_with_a_warning(lab: Lab) -> None:
    old = "ansible_ssh_user=o ansible_ssh_pass=s3cret-old ansible_ssh_port=5 ansible_ssh_host=192.0.2.9"
    made, err = host(lab, old)
    assert (made.user, made.password, made.port, made.host) == ("o", Secret("s3cret-old"), 5, "192.0.2.9")
    assert "inventory.ini:1:1: warning: ansible_ssh_user is the old name of ansible_user; write ansible_user" in err
    assert err.count("is the old name of") == 4
    made, err = host(lab, old + " ansible_user=n ansible_password=s3cret-new ansible_port=6 ansible_host=192.0.2.8")
    assert (made.user, made.password, made.port, made.host) == ("n", Secret("s3cret-new"), 6, "192.0.2.8")
    assert "ansible_ssh_user has no effect, since ansible_user is set too at inventory.ini:1:1" in err


def test_winrms_own_names_win_as_in_ansible(lab: Lab) -> None:
    made, err = host(lab, "ansible_user=a ansible_winrm_user=w ansible_port=1 ansible_winrm_port=2 ansible_host=a "
                          "ansible_winrm_host=w ansible_password=s3cret-a ansible_winrm_pass=s3cret-b "
                          "ansible_winrm_password=s3cret-c")  # fmt: skip
    assert (made.user, made.port, made.host, made.password) == ("w", 2, "w", Secret("s3cret-c"))
    assert "ansible_port has no effect, since ansible_winrm_port is set too" in err


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("anisble_winrm_transport", "ansible_winrm_transport"), ("hvctl_oss", "hvctl_os"), ("Ansible_host", "ansible_host"),
        ("ansible_prot", "ansible_port"), ("hvctrl_os", "hvctl_os"), ("asnible_ssh_user", "ansible_ssh_user"),
    ],
)  # fmt: skip
def test_a_near_miss_is_named_with_its_place(lab: Lab, name: str, meant: str) -> None:
    _, err = host(lab, f"ansible_user=u {name}=x")
    assert f"inventory.ini:1:1: warning: {name} has no effect in hvctl; did you mean '{meant}'?" in err


def test_variables_of_ones_own_are_no_near_miss(lab: Lab) -> None:
    _, err = host(
        lab, "ansible_user=u winrm_transport=x validate_certs=x host=x os=x hv_os=x ansible=x password_file=x port=1"
    )
    assert err == ""


def test_an_inventory_of_an_older_ansible_is_understood(lab: Lab) -> None:
    text = """[windows]
192.0.2.138

[windows:vars]
ansible_ssh_user = 'svc@EXAMPLE.TEST'
ansible_password = 'hunter22x'
ansible_connection = winrm
ansible_ssh_port = 5986
anisble_winrm_transport = kerberos
ansible_winrm_server_cert_validation = ignore
validate_certs = false
"""
    status, _, err = lab("plan lab.yml", inventory_ini=text)
    assert status == 0
    assert (lab.opened["192.0.2.138"].user, lab.opened["192.0.2.138"].transport) == ("svc@EXAMPLE.TEST", "ntlm")
    for said in ("inventory.ini:5:1: warning: ansible_ssh_user is the old name", "inventory.ini:8:1: warning: ansible_ssh_port",
                 "inventory.ini:9:1: warning: anisble_winrm_transport has no effect in hvctl; did you mean"):  # fmt: skip
        assert said in err


def test_warnings_are_said_with_the_errors(lab: Lab) -> None:
    hv1, hv2 = "{ansible_user: u, ansible_prot: 1, ansible_port: x}", "{ansible_usr: u, ansible_user: u}"
    inventory = f"all: {{hosts: {{hv1: {hv1}, hv2: {hv2}}}}}"
    status, _, err = lab("plan lab.yml", inventory_yml=inventory)
    assert status == 1
    assert "'x' is not a valid port" in err
    assert "warning: ansible_prot has no effect in hvctl" in err
    assert "warning: ansible_usr has no effect in hvctl" in err


# --- secrets ----------------------------------------------------------------------------------------------------------

SECRETS = """
all:
  vars: {ansible_user: u}
  hosts:
    hv1: {ansible_password: !env P}
    hv2: {ansible_password: %s}
"""


class Ring(KeyringBackend):
    priority = 1

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append((service, username))
        if service == "locked":
            raise RuntimeError("of the backend's own")
        return "s3cret-of-ring" if service == "s" else None

    def set_password(self, service: str, username: str, password: str) -> None: ...

    def delete_password(self, service: str, username: str) -> None: ...


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("!env MISSING", "the environment variable MISSING is not set; set it, or use --ask-pass"),
        ("!keyring none/u", "the keyring has nothing for none/u; `keyring set none u`"),
        ("!keyring locked/u", "the keyring cannot be asked (RuntimeError); unlock it"),
        ("!command [hvctl-no-such-program]", "there is no program 'hvctl-no-such-program'"),
        (f"!command [{sys.executable}, -c, \"raise SystemExit('locked')\"]", "ended with status 1: locked"),
        (f"!command [{sys.executable}, -c, pass]", "printed nothing"),
    ],
)
def test_a_secret_that_cannot_be_had_is_its_hosts_configuration_error(lab: Lab, source: str, said: str) -> None:
    keyring.set_keyring(Ring())
    for verb, json_too in (("plan", ""), ("drift --no-history", ""), ("apply -y --no-history", "")):
        status, out, err = lab(f"{verb} lab.yml{json_too}", inventory_yml=SECRETS % source)
        assert status & 4
        assert list(lab.opened) == ["hv1"]
        assert "hv2  not contacted: its configuration is wrong" in out
        assert "    inventory.yml:6:29: " in out
        assert said in out
        assert "unreachable" not in out + err
        assert "not contacted, configuration wrong" in out.splitlines()[-1]


def test_nobody_is_contacted_if_no_host_can_log_on(lab: Lab) -> None:
    for verb in (
        "plan lab.yml",
        "apply -y --no-history lab.yml",
        "drift --no-history lab.yml",
        "facts hv1",
        "record hv1",
    ):
        status, out, err = lab(verb, inventory_yml=(SECRETS % "!env MISSING").replace("!env P", "!env MISSING"))
        assert (status, out) == (1, "")
        assert "inventory.yml:5:29: the environment variable MISSING is not set" in err
        assert not lab.opened


def test_validate_asks_for_no_secret(lab: Lab) -> None:
    ring = Ring()
    keyring.set_keyring(ring)
    touched = lab.folder / "touched"
    command = f"!command [{sys.executable}, -c, \"open(r'{touched}', 'w')\"]"
    inventory = (SECRETS % command).replace("!env P", "!keyring s/u") + "      key: !keyring s/u\n".replace(
        "      ", "  # "
    )
    (lab.folder / "t.j2").write_text("{{ key | b64decode }} {{ vm.name }}", encoding="utf-8")
    play = (
        "- hosts: all\n  vars: {key: !keyring s/u}\n  vms:\n    - name: web01\n"
        "      guest_files: [{template: t.j2, destination: 'C:\\t'}]\n"
    )
    status, out, err = lab("validate lab.yml", inventory_yml=inventory, lab_yml=play)
    assert (status, err) == (0, "")
    assert "no problem found offline" in out
    assert ring.asked == []
    assert not touched.exists()


def test_a_secret_of_a_template_that_cannot_be_had_is_its_hosts_configuration_error(lab: Lab) -> None:
    inventory = (SECRETS % "!env P").replace("{ansible_password: !env P}", "{ansible_password: !env P, key: !env P}", 1)
    inventory = inventory.replace("hv2: {", "hv2: {key: !env MISSING, ")
    (lab.folder / "t.j2").write_text("{{ key }}", encoding="utf-8")
    play = "- hosts: all\n  vms:\n    - name: web01\n      guest_files: [{template: t.j2, destination: 'C:\\t'}]\n"
    status, out, _ = lab("plan lab.yml", inventory_yml=inventory, lab_yml=play)
    assert status & 4
    assert list(lab.opened) == ["hv1"]
    assert "inventory.yml:6:16: the environment variable MISSING is not set, for t.j2 at lab.yml:" in out


def test_each_source_is_asked_once_for_all_hosts(lab: Lab) -> None:
    ring = Ring()
    keyring.set_keyring(ring)
    count = lab.folder / "count"
    program = f"open(r'{count}', 'a').write('x'); print('s3cret-of-command')"
    hosts = "".join(
        f"    hv{n}: {{ansible_password: {'!keyring s/u' if n % 2 else f'!command [{sys.executable}, -c, {program!r}]'}}}\n"
        for n in range(40)
    )
    inventory = f"all:\n  vars: {{ansible_user: u}}\n  hosts:\n{hosts}"
    assert lab("plan lab.yml", inventory_yml=inventory)[0] == 0
    assert len(lab.opened) == 40
    assert ring.asked == [("s", "u")]
    assert count.read_text() == "x"
    assert {c.password for c in lab.opened.values()} == {Secret("s3cret-of-ring"), Secret("s3cret-of-command")}


def test_all_secrets_are_had_before_the_first_host_is_contacted(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Watching(Ring):
        def get_password(self, service: str, username: str) -> str | None:
            order.append(f"secret {service}")
            return super().get_password(service, username)

    keyring.set_keyring(Watching())
    (lab.folder / "inventory.yml").write_text((SECRETS % "!keyring none/u").replace("!env P", "!keyring s/u"))

    def connect(connection: Connection, wire: Wire) -> Transport:
        order.append(f"host {connection.name}")
        return TwinTransport(SimulatedHost.from_yaml({**STATE, "name": connection.name}))

    main(["plan", "lab.yml"], connect)
    assert order == ["secret s", "secret none", "host hv1"]


def test_a_vm_named_no_is_planned_saved_applied_and_remembered(lab: Lab) -> None:
    inventory = "all: {vars: {ansible_user: u, ansible_password: !env P}, hosts: {hv1: {wanted: off, vm: no}}}"
    play = "- hosts: all\n  vms: [{name: '{{ vm }}', generation: 2, state: '{{ wanted }}', notes: 0644}]\n"
    status, out, err = lab("plan lab.yml --out plan.json", inventory_yml=inventory, lab_yml=play)
    assert status == 0, err
    assert "+ vm no" in out
    assert lab("apply plan.json -y --history h.db")[0] == 0
    status, out, err = lab("apply lab.yml -y --history h.db --report json=r.json,html=r.html,junit=r.xml,markdown=r.md")
    assert status == 0, err
    assert lab("drift lab.yml --history h.db")[0] == 2  # a new host each time
    assert lab("history --history h.db")[0] in (0, 2)
