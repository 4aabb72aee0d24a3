"""Seed images as a user has them: planned, applied, checked for drift, saved, with secrets."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from hvctl.kinds._iso import iso
from mocks.host import SimulatedHost
from mocks.run import Disk
from mocks.twin import TwinTransport

INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: !env HVCTL_TEST_PASSWORD, api_key: !env HVCTL_TEST_KEY, domain: example.net}
  hosts: {hv01: {}}
"""
PLAYBOOK = r"""
- hosts: all
  vms:
    - name: web01
      generation: 2
      state: running
      disks: [{at: scsi 0:0, path: 'D:\VMs\web01\os.vhdx', image: 'D:\images\ubuntu.vhdx'}]
      cloud_init: {user_data: USER, network_config: templates/net.yaml}
"""
TEMPLATES = {
    "web.yaml": "#cloud-config\nfqdn: {{ vm.name }}.{{ domain }}\n",
    "secret.yaml": "#cloud-config\npassword: {{ api_key | upper }}\n",
    "net.yaml": "version: 2\n",
}
META = b'instance-id: "web01"\nlocal-hostname: "web01"\n'
SEED = r"D:\VMs\web01\web01.cloud-init.iso"
STATE = {"vhds": {r"D:\images\ubuntu.vhdx": {"size": "30GB", "file_size": "2GB", "installed": True}}}
Run = Callable[..., tuple[int, str, str]]


def seed(user_data: str) -> str:
    """The hash of the image that is to lie on the host."""
    files = {"meta-data": META, "user-data": user_data.encode(), "network-config": TEMPLATES["net.yaml"].encode()}
    return hashlib.sha256(iso("CIDATA", files)).hexdigest()


@pytest.fixture
def host() -> SimulatedHost:
    return SimulatedHost.from_yaml(STATE)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def hvctl(
    host: SimulatedHost, disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "HVCTL_TEST_PASSWORD": "pw-of-tests",
        "HVCTL_TEST_KEY": "key-of-tests",
        "NO_COLOR": "1",
        "COLUMNS": "150",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }.items():
        monkeypatch.setenv(name, value)
    Path("templates").mkdir()
    Path("inventory.yml").write_text(INVENTORY, encoding="utf-8")
    for name, text in TEMPLATES.items():
        Path("templates", name).write_text(text, encoding="utf-8")
    Path("lab.yml").write_text(PLAYBOOK.replace("USER", "templates/web.yaml"), encoding="utf-8")
    Path("secret.yml").write_text(PLAYBOOK.replace("USER", "templates/secret.yaml"), encoding="utf-8")

    def connect(connection: Connection, wire: Wire) -> Transport:
        return TwinTransport(host, disk=disk)

    def run(*words: str) -> tuple[int, str, str]:
        status = main(list(words), connect)
        out, err = capsys.readouterr()
        return status, out, err

    yield run


def on_host(host: SimulatedHost) -> str:
    return host.state.contents[SEED].sha256


def test_a_new_vm_has_its_seed_and_a_changed_template_is_drift(hvctl: Run, host: SimulatedHost) -> None:
    status, out, err = hvctl("apply", "lab.yml", "-y")
    assert status == 0, out + err
    first = "#cloud-config\nfqdn: web01.example.net\n"
    assert on_host(host) == seed(first)
    (vm,) = host.state.vms
    assert [(str(d.at), d.path) for d in vm.drives or () if d.dvd] == [("scsi 0:63", SEED)]
    calls = [c.cmdlet for c in host.log]
    assert calls.index("Add-VMDvdDrive") < calls.index("Start-VM")
    assert hvctl("drift", "lab.yml")[0] == 0
    Path("templates/web.yaml").write_text("#cloud-config\nfqdn: {{ vm.name }}.lab\n")
    status, out, _ = hvctl("plan", "lab.yml", "--diff")
    assert "fqdn: web01.lab" in out
    status, out, _ = hvctl("drift", "lab.yml")
    assert status == 2
    assert "made from " in out
    assert hvctl("apply", "lab.yml", "-y")[0] == 0
    assert on_host(host) == seed("#cloud-config\nfqdn: web01.lab\n")


def test_a_saved_plan_has_its_templates_in_it(hvctl: Run, host: SimulatedHost) -> None:
    assert hvctl("plan", "lab.yml", "--out", "plan.json")[0] == 0
    Path("templates/web.yaml").unlink()
    status, out, err = hvctl("apply", "plan.json", "-y")
    assert status == 0, out + err
    assert on_host(host) == seed("#cloud-config\nfqdn: web01.example.net\n")


def test_a_secret_reaches_the_image_and_nothing_else(hvctl: Run, host: SimulatedHost, disk: Disk) -> None:
    status, out, err = hvctl("plan", "secret.yml", "--out", "plan.json")
    assert status == 1
    assert "templates/secret.yaml, templates/net.yaml holds a secret, so its plan cannot be saved" in err
    assert not Path("plan.json").exists()
    assert hvctl("validate", "secret.yml")[0] == 0
    said = [out, err]
    for words in (
        ("-v", "plan", "secret.yml"),
        ("plan", "secret.yml", "--diff"),
        ("apply", "secret.yml", "-y", "--report", "html=report.html", "--report", "json=report.json"),
        ("drift", "secret.yml", "--json"),
    ):
        said += hvctl(*words)[1:]
    assert on_host(host) == seed("#cloud-config\npassword: KEY-OF-TESTS\n")
    kept = [c.text or "" for path, c in host.state.contents.items()]
    written = [f.read_text(errors="replace") for f in Path().rglob("*") if f.is_file() and f.name != "secret.yaml"]
    encoded = base64.b64encode(b"password: KEY-OF-TESTS")[4:-4].decode()
    for text in (*said, *kept, *written, str(disk.journals), str(host.log)):
        assert "KEY-OF-TESTS" not in text.upper()
        assert encoded not in text


def test_without_the_library_it_is_said_before_any_host_is_asked(
    hvctl: Run, host: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycdlib", None)
    status, _, err = hvctl("plan", "lab.yml")
    assert status == 1
    assert "lab.yml:8:19: cloud_init needs pycdlib; install it: python -m pip install 'hvctl[images]'" in err
    assert not host.log
