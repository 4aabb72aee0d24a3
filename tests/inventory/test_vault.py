"""What ansible-vault wrote is read; what is decrypted is used everywhere and shown nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.call import Secret
from hvctl.cli import main
from hvctl.config.connection import Connection
from hvctl.config.inventory import Inventory
from hvctl.config.secrets import SecretError
from hvctl.config.vault import PasswordFile, Vault, VaultError, decrypt
from hvctl.fleet.connect import Wire
from hvctl.text.diagnostic import ConfigError
from hvctl.text.source import Vaulted
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.inventory.folders import written
from tests.inventory.sealing import sealed

HERE = Path(__file__).parent / "vault"
PASSWORD = Secret("correct horse")
PLAYBOOK = """
- hosts: lab
  vms:
    - name: "{{ vm_name }}"
      notes: "{{ vm_notes }}"
      state: "{{ vm_state }}"
      processor: {count: "{{ vm_count }}"}
      memory: {startup: "{{ vm_memory }}"}
"""
VARIABLES = """
ansible_user: svc-hyperv-admin
ansible_password: hunter22-is-long
ansible_host: hidden-address.example
vm_name: hidden-machine
vm_notes: "hidden notes"
vm_state: running
vm_count: 2
vm_memory: 4GB
"""


@pytest.mark.parametrize("name", ["format_1.1.yml", "format_1.2.yml"])
def test_whole_files(name: str) -> None:
    learned: list[Secret] = []
    document, encrypted = Vault((PASSWORD,), learned.append).load(HERE / name)
    assert encrypted
    assert document.data == {"vault_text": "日本語 secret", "vault_number": 64}
    assert learned == [PASSWORD, Secret("日本語 secret")]


def test_a_label_may_have_spaces() -> None:
    text = (HERE / "format_1.2.yml").read_text("utf-8")
    heading, _, body = text.partition("\n")
    assert heading.startswith("$ANSIBLE_VAULT;1.2;AES256;")
    labelled = f"$ANSIBLE_VAULT;1.2;AES256;of the lab \r\n{body}"
    assert decrypt(labelled, PASSWORD.reveal().encode()) == decrypt(text, PASSWORD.reveal().encode())


def test_values() -> None:
    document, encrypted = Vault((Secret("wrong"), PASSWORD)).load(HERE / "values.yml")
    assert not encrypted
    assert document.data == {"x": "plain", "y": "hunter22 {{ braces }}"}
    assert isinstance(document.data["y"], Vaulted)


def test_a_wrong_password_and_what_was_changed() -> None:
    envelope = (HERE / "format_1.1.yml").read_text("utf-8")
    with pytest.raises(VaultError, match="not right for it, or it was changed"):
        decrypt(envelope, b"wrong")
    lines = envelope.splitlines()
    last = lines[-1][:-1] + ("1" if lines[-1][-1] != "1" else "2")
    for changed in ("\n".join([*lines[:-1], last]), "\n".join(lines[:-1])):
        with pytest.raises(VaultError):
            decrypt(changed, b"correct horse")
    with pytest.raises(VaultError, match="its heading is"):
        decrypt(envelope.replace("1.1", "1.0", 1), b"correct horse")
    with pytest.raises(VaultError, match="it is damaged"):
        decrypt("$ANSIBLE_VAULT;1.1;AES256\nxyz", b"correct horse")


def test_without_a_password_only_what_is_used_matters(tmp_path: Path) -> None:
    value = (HERE / "values.yml").read_text("utf-8")
    written(
        tmp_path, {"inv.yml": "lab: {hosts: {h1: {seen: '{{ y }}', ansible_user: u}}}", "group_vars/lab.yml": value}
    )
    inventory = Inventory.load(tmp_path / "inv.yml")
    assert inventory.connection(inventory.hosts["h1"]).user == "u"
    written(tmp_path, {"group_vars/lab.yml": value + "ansible_host: '{{ y }}'\n"})
    inventory = Inventory.load(tmp_path / "inv.yml")
    with pytest.raises(ConfigError, match="--ask-vault-pass or --vault-password-file"):
        inventory.connection(inventory.hosts["h1"])


def test_a_whole_file_without_a_password_is_an_error(tmp_path: Path) -> None:
    text = (HERE / "format_1.1.yml").read_text("utf-8")
    written(tmp_path, {"inv.yml": "lab: {hosts: {h1: }}", "group_vars/lab.yml": text})
    with pytest.raises(ConfigError, match=r"lab\.yml:1:1: this is encrypted with ansible-vault"):
        Inventory.load(tmp_path / "inv.yml")


def test_password_files(tmp_path: Path) -> None:
    written(tmp_path, {"plain": " pass word \n", "empty": "\n"})
    written(tmp_path, {"program": "#!/bin/sh\necho printed\n"}, mode=0o755)
    assert PasswordFile(str(tmp_path / "plain")).password() == "pass word"
    assert PasswordFile(str(tmp_path / "program"), programs=True).password() == "printed"
    wrong = {"program": "is run only with --inventory-scripts", "empty": "no password", "none": "cannot be read"}
    for file, said in wrong.items():
        with pytest.raises(SecretError, match=said):
            PasswordFile(str(tmp_path / file)).password()


# --- from the command line -----------------------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a wholly vaulted group_vars."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    envelope = sealed(VARIABLES, "correct horse")
    written(
        tmp_path,
        {
            "inventory.yml": "lab: {hosts: {hv01: {hvctl_os: 2022}}}",
            "group_vars/lab/vault.yml": envelope,
            "play.yml": PLAYBOOK,
            "password": "correct horse\n",
        },
    )
    return tmp_path


def test_a_wholly_vaulted_group_vars_is_ordinary_and_shows_nothing(
    lab: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host = SimulatedHost.from_yaml({"os": "2022", "name": "hv01", "vms": []})
    used: list[Connection] = []

    def connect(connection: Connection, wire: Wire) -> TwinTransport:
        used.append(connection)
        return TwinTransport(host)

    vault = ("--vault-password-file", "password")
    reports = "json=r.json,html=r.html,markdown=r.md,junit=r.xml"
    for words in (
        (*vault, "validate", "play.yml"),
        (*vault, "-v", "plan", "play.yml", "--report", reports),
        (*vault, "-vv", "apply", "play.yml", "-y", "--json"),
        (*vault, "inventory", "--list"),
    ):
        assert main(list(words), connect) == 0, capfd.readouterr()
        out, err = capfd.readouterr()
        everything = out + err + "".join(f.read_text("utf-8") for f in lab.glob("r.*"))
        for hidden in ("hidden-machine", "hidden notes", "hidden-address", "svc-hyperv", "hunter22", "correct horse"):
            assert hidden not in everything, words
        assert "a password stands in plain" not in err
    assert (used[0].host, used[0].user) == ("hidden-address.example", "svc-hyperv-admin")
    assert [vm.name for vm in host.state.vms] == ["hidden-machine"]


def test_a_vault_password_that_is_not_given_or_not_right(lab: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "play.yml"]) == 1
    assert "give it with --ask-vault-pass" in capfd.readouterr().err
    (lab / "password").write_text("wrong", encoding="utf-8")
    assert main(["--vault-password-file", "password", "validate", "play.yml"]) == 1
    assert "the vault password is not right for it, or it was changed" in capfd.readouterr().err
