"""Which files of the control node a playbook can take along: ordinary ones, and none unseen."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from hvctl.call import Staged, Transport
from hvctl.cli import main
from hvctl.config.controlnode import ControlNode
from hvctl.config.inventory import Connection
from hvctl.core.contents import open_ordinary, opened
from hvctl.fleet.connect import Wire
from hvctl.text.diagnostic import ConfigError, Mark
from hvctl.text.limits import FOLDER_FILES
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

HERE = Mark("lab.yml", 2, 3)
STATE = {"vms": [{"name": "web01", "state": "Running", "integration_services": {"guest_service_interface": True}}]}
Plan = Callable[..., tuple[int, str]]


def shelf(folder: Path, *trees: Path) -> ControlNode:
    return ControlNode(folder, {}, lambda secret: None, trees=trees)


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """A machine with something to hide, and the folder of a playbook."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "id_rsa").write_text("key\n")
    (tmp_path / "lab" / "files").mkdir(parents=True)
    (tmp_path / "lab" / "files" / "app.conf").write_text("one\n")
    return tmp_path


@pytest.fixture
def plan(control: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Plan:
    """Plans one guest file."""
    monkeypatch.chdir(control / "lab")
    monkeypatch.setenv("COLUMNS", "300")
    Path("inventory.yml").write_text("all: {vars: {ansible_user: u, ansible_password: p}, hosts: {hv01: {}}}\n")

    def connect(connection: Connection, wire: Wire) -> Transport:
        return TwinTransport(SimulatedHost.from_yaml(STATE))

    def run(item: str, *options: str) -> tuple[int, str]:
        Path("lab.yml").write_text(f"- hosts: all\n  vms:\n    - name: web01\n      guest_files: [{{{item}}}]\n")
        status = main(["plan", "lab.yml", *options], connect)
        out, err = capsys.readouterr()
        return status, out if options else out + err

    return run


def test_a_file_beside_the_playbook_is_named_as_written(plan: Plan, control: Path) -> None:
    _, said = plan(r"source: files/app.conf, destination: 'C:\a'")
    assert "files/app.conf, 4 bytes" in said
    assert str(control) not in said


@pytest.mark.parametrize("name", ["../home/id_rsa", "{control}/home/id_rsa", "files/link", "folder/id_rsa"])
@pytest.mark.parametrize("field", ["source", "template"])
def test_one_from_elsewhere_is_shown_with_its_resolved_path(plan: Plan, control: Path, name: str, field: str) -> None:
    (control / "lab" / "files" / "link").symlink_to(control / "home" / "id_rsa")
    (control / "lab" / "folder").symlink_to(control / "home")
    item = f"{field}: '{name.format(control=control)}', destination: 'C:\\a'"
    real = str(control / "home" / "id_rsa")
    status, said = plan(item)
    assert status == 0
    assert real in next(line for line in said.splitlines() if "+ guest file" in line or "~ guest file" in line)
    assert f"it is {real} of this machine" in said
    _, said = plan(item, "--json")
    (action,) = json.loads(said)["hosts"][0]["plan"]["actions"]
    assert real in action["title"]
    assert real in action["remarks"][0]["message"]


def test_a_link_within_the_playbooks_folder_is_shown_too(plan: Plan, control: Path) -> None:
    (control / "lab" / "link").symlink_to("files/app.conf")
    _, said = plan(r"source: link, destination: 'C:\a'")
    assert str(control / "lab" / "files" / "app.conf") in said


def test_every_member_of_a_folder_is_judged(plan: Plan, control: Path) -> None:
    (control / "lab" / "files" / "link").symlink_to(control / "home" / "id_rsa")
    _, said = plan(r"source: files/, destination: 'C:\a'")
    assert f"files/link ({control / 'home' / 'id_rsa'}), 4 bytes" in said
    os.mkfifo(control / "lab" / "files" / "pipe")
    status, said = plan(r"source: files/, destination: 'C:\a'")
    assert (status, "lab.yml:4:30: files/pipe is not an ordinary file" in said) == (1, True)


def test_the_inventorys_folder_and_a_linked_home_are_no_surprise(control: Path) -> None:
    (control / "by-link").symlink_to(control / "lab")
    (control / "inventory").mkdir()
    (control / "inventory" / "site.conf").write_text("x")
    assert shelf(control / "by-link").file("files/app.conf", HERE).where == ""
    name = str(control / "inventory" / "site.conf")
    assert shelf(control / "lab", control / "inventory").file(name, HERE).where == ""
    assert shelf(control / "lab").file(name, HERE).where == name


@pytest.mark.parametrize("name", ["/proc/self/environ", "/proc/self/mem", "/dev/zero", "/dev/null", "pipe", "socket", "link",
                                  "odd/a", "/proc/../proc/cpuinfo", "\0", "a" * 300, "circle"])  # fmt: skip
def test_what_is_no_ordinary_file_is_refused_at_its_place(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
    (tmp_path / "link").symlink_to("/proc/self/environ")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a").symlink_to("/dev/zero")
    (tmp_path / "circle").symlink_to("circle")
    for look in (shelf(tmp_path).file, lambda n, mark: shelf(tmp_path).rendered(n, {}, mark)):
        with pytest.raises(ConfigError, match=r"lab.yml:2:3: .*(is not an ordinary file|of the kernel|cannot be read)"):
            look(name, HERE)


@pytest.mark.parametrize("name", ["/proc/self", "/sys", "/dev", "kernel"])
def test_folders_of_the_kernel_are_not_walked(tmp_path: Path, name: str) -> None:
    (tmp_path / "kernel").symlink_to("/proc/self")
    with pytest.raises(ConfigError, match=r"lab.yml:2:3: .* is a file of the kernel"):
        list(shelf(tmp_path).below(name, HERE))


def test_a_folder_without_end_is_refused_by_a_limit(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / "many" / str(n)).mkdir(parents=True)
        for m in range(FOLDER_FILES.most // 2):
            (tmp_path / "many" / str(n) / str(m)).touch()
    with pytest.raises(ConfigError, match=r"holds too many files \(files of a folder: at most 10,000 files\)"):
        list(shelf(tmp_path).below("many", HERE))


def test_the_file_that_is_sent_is_the_file_that_was_judged(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key")
    file = tmp_path / "a"
    file.write_text("one")
    judged: Staged = shelf(tmp_path).file("a", HERE)
    file.unlink()
    file.symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="it is a link to"):
        opened(judged)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(OSError, match="not an ordinary file"):
        opened(judged)
    with pytest.raises(IsADirectoryError):
        open_ordinary(tmp_path)


@pytest.mark.parametrize("text", ["{% include '../home/id_rsa' %}", "{% import '../home/id_rsa' as x %}{{ x }}",
                                  "{% extends '../home/id_rsa' %}", "{{ lookup('file', '../home/id_rsa') }}"])  # fmt: skip
def test_a_template_reads_no_other_file(control: Path, text: str) -> None:
    (control / "lab" / "t.j2").write_text(text)
    with pytest.raises(ConfigError, match=r"t.j2:1:\d+: "):
        shelf(control / "lab").rendered("t.j2", {}, HERE)
