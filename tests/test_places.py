"""What is wrong on the control node is said at its place, whatever files and names are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hvctl.cli import main
from hvctl.config.inventory import Inventory
from hvctl.config.prepare import prepare
from hvctl.text.diagnostic import ConfigError

PLAYBOOK = "- hosts: all\n  vms: [{name: web01}]\n"


def problems(tmp_path: Path, inventory: str, playbook: str = PLAYBOOK, name: str = "inventory.yml") -> list[str]:
    (tmp_path / name).write_text(inventory, encoding="utf-8")
    (tmp_path / "lab.yml").write_text(playbook, encoding="utf-8")
    try:
        prepare(Inventory.load(tmp_path / name), [str(tmp_path / "lab.yml")], learn=lambda secret: None)
    except ConfigError as error:
        return [str(problem).replace(f"{tmp_path}{os.sep}", "") for problem in error.problems]
    return []


def test_a_host_without_user_is_named_where_it_stands(tmp_path: Path) -> None:
    text = "all:\n  hosts:\n    hv01: {ansible_user: u}\n    hv02:\n  children:\n    lab: {hosts: {'hv[03:04]': }}\n"
    assert problems(tmp_path, text) == [
        "inventory.yml:4:5: hv02 has no user to connect as; set ansible_user",
        "inventory.yml:6:19: hv03 has no user to connect as; set ansible_user",
        "inventory.yml:6:19: hv04 has no user to connect as; set ansible_user",
    ]
    assert problems(tmp_path, "\nhv01\n  hv02 ansible_user=u\n", name="hosts") == [
        "hosts:2:1: hv01 has no user to connect as; set ansible_user"
    ]


def test_a_circle_of_groups_is_named_at_the_child(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "a:\n  children:\n    b:\n      children:\n        a:\n")[-1:]
    assert found.startswith("inventory.yml:5:9: ")
    (found,) = problems(tmp_path, "[a]\n[b]\n[a:children]\nb\n[b:children]\na\n", name="hosts")[-1:]
    assert found.startswith("hosts:6:1: ")


def test_a_host_with_the_name_of_a_group_is_named_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("[lab]\nh1\n[tokyo]\nlab\n")
    (warning,) = Inventory.load(tmp_path / "hosts").warnings
    assert f"{tmp_path / 'hosts'}:4:1: lab is a group and a host" in str(warning)


def test_a_file_of_variables_that_is_not_there_is_named_where_it_is_wanted(tmp_path: Path) -> None:
    text = "all: {hosts: {h: {ansible_user: u}}}\n"
    for name in ("none.yml", '"a\\0b"', "a" * 300, "."):
        (found,) = problems(tmp_path, text, f"- hosts: all\n  vars_files: [vars.yml, {name}]\n  vms: []\n")[-1:]
        assert found.startswith("lab.yml:2:26: "), found
        (tmp_path / "vars.yml").write_text("a: 1\n")


def run(folder: Path, *words: bytes | str) -> subprocess.CompletedProcess[bytes]:
    """A process of its own: whose words are bytes, and whose standard error is no text of pytest's."""
    command = [sys.executable, "-m", "hvctl", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX only")
def test_names_of_files_that_are_no_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inventory.yml").write_text("all: {hosts: {h: {ansible_user: u}}}\n")
    name = os.fsencode(tmp_path) + b"/\xff.yml"
    for text, status in ((PLAYBOOK, 0), ("- hosts: all\n  vmz: []\n", 1)):
        Path(os.fsdecode(name)).write_text(text)
        done = run(tmp_path, "validate", b"\xff.yml")
        assert (done.returncode, b"Traceback" in done.stderr) == (status, False), done.stderr
    monkeypatch.chdir(tmp_path)
    for words in (
        (b"none\xff.yml",),
        (b"lab.yml", b"-ex=\xff"),
        (b"lab.yml", b"-l\xff"),
        (b".",),
        (b"\xff.yml", b"--tags", b"\xff"),
    ):
        (tmp_path / "lab.yml").write_text(PLAYBOOK)
        Path(os.fsdecode(name)).write_text(PLAYBOOK)
        assert main(["validate", *map(os.fsdecode, words)]) in (0, 1)
        assert "Traceback" not in capfd.readouterr().err


def test_playbooks_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inventory.yml").write_text("all: {hosts: {h: {ansible_user: u}}}\n")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.yml").mkdir()
    (tmp_path / "circle.yml").symlink_to("circle.yml")
    for name in ("folder.yml", "circle.yml", "a" * 300):
        status, said = main(["-i", "inventory.yml", "validate", name]), capsys.readouterr().err
        assert (status, "cannot be read" in said, "Traceback" in said) == (1, True, False), said
