"""Inventories from the command line: sources, scripts, encrypted variables, playbooks of several folders."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hvctl.cli import main
from tests.inventory.folders import written
from tests.inventory.sealing import sealed

Run = Callable[..., tuple[int, str, str]]
HOSTS = "[lab]\nh1\nh2\n[lab:vars]\nansible_user=u\n"
PLAY = "- hosts: lab\n  vms: [{name: '{{ vm }}'}]\n"


@pytest.fixture
def hvctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("HVCTL_INVENTORY", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        status = main(list(words))
        return (status, *capsys.readouterr())

    return run


def test_several_sources_by_option_and_by_environment(
    hvctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {"a.yml": "lab: {hosts: {h1: }}", "b.yml": "lab: {hosts: {h2: }}"})
    _, out, _ = hvctl("-i", "a.yml", "-i", "b.yml", "-i", "h3,", "inventory", "--list")
    assert json.loads(out)["lab"]["hosts"] == ["h1", "h2"]
    assert json.loads(out)["ungrouped"]["hosts"] == ["h3"]
    monkeypatch.setenv("HVCTL_INVENTORY", f"b.yml{os.pathsep}a.yml")
    assert json.loads(hvctl("inventory", "--list")[1])["lab"]["hosts"] == ["h2", "h1"]


@pytest.mark.skipif(sys.platform == "win32", reason="a script begins with #! and has an execute permission")
def test_a_script_that_lies_about_is_not_run(hvctl: Run, tmp_path: Path) -> None:
    written(tmp_path, {"inventory": '#!/bin/sh\ntouch ran\necho \'{"lab": ["h1"]}\'\n'}, mode=0o755)
    status, _, err = hvctl("inventory", "--graph")
    assert (status, (tmp_path / "ran").exists()) == (1, False)
    assert "--inventory-scripts" in err
    assert "|--h1" in hvctl("--inventory-scripts", "inventory", "--graph")[1]


def test_variables_beside_each_playbook_are_its_own(hvctl: Run, tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "hosts": HOSTS, "one/play.yml": PLAY, "one/group_vars/lab.yml": "vm: one", "two/play.yml": PLAY,
            "two/group_vars/lab.yml": "vm: two",
        },
    )  # fmt: skip
    status, out, err = hvctl("-i", "hosts", "validate", "one/play.yml", "two/play.yml")
    assert (status, err, out.splitlines()[0]) == (0, "", "2 hosts, 4 resources: no problem found offline.")
    (tmp_path / "two/group_vars/lab.yml").write_text("vm: one", encoding="utf-8")
    merged = hvctl("-i", "hosts", "validate", "one/play.yml", "two/play.yml")
    assert (merged[0], merged[1].splitlines()[0]) == (0, "2 hosts, 2 resources: no problem found offline.")


def test_what_is_wrong_beside_a_playbook_is_told_with_the_rest(hvctl: Run, tmp_path: Path) -> None:
    written(
        tmp_path,
        {"hosts": HOSTS, "one/play.yml": PLAY, "one/group_vars/lab.yml": "- vm", "two.yml": "- hosts: nobody\n"},
    )
    status, _, err = hvctl("-i", "hosts", "validate", "one/play.yml", "two.yml")
    assert status == 1
    assert "one/group_vars/lab.yml:1:1: variables are a mapping" in err
    assert "'nobody' names no host or group" in err


def test_a_host_is_reached_in_one_way(hvctl: Run, tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "hosts": HOSTS, "one/play.yml": PLAY, "one/group_vars/all.yml": "vm: one", "two/play.yml": PLAY,
            "two/group_vars/all.yml": "vm: two\nansible_port: 5985",
        },
    )  # fmt: skip
    status, _, err = hvctl("-i", "hosts", "validate", "one/play.yml", "two/play.yml")
    assert status == 1
    other = "h1: ansible_port is 5985, not 5986 as for the play at one/play.yml:1:3"
    assert f"two/group_vars/all.yml:2:15: {other}" in err.replace(os.sep, "/")


def test_encrypted_files_of_variables_and_extra_variables(hvctl: Run, tmp_path: Path) -> None:
    written(
        tmp_path,
        {
            "hosts": HOSTS, "password": "pw", "secret.yml": sealed("vm: hidden-machine", "pw"),
            "play.yml": PLAY.replace("  vms", "  vars_files: [secret.yml]\n  vms"), "plain.yml": PLAY,
            "book.yml": sealed(PLAY, "pw"),
        },
    )  # fmt: skip
    vault = ("-i", "hosts", "--vault-password-file", "password")
    assert hvctl(*vault, "validate", "play.yml")[0] == 0
    assert hvctl(*vault, "validate", "plain.yml", "-e", "@secret.yml")[0] == 0
    for verb in (
        ("plan", "plain.yml"),
        ("drift", "plain.yml"),
        ("export", "x", "--to", "E:\\x", "--check"),
        ("facts",),
    ):
        assert "encrypted" not in hvctl(*vault, *verb, "-e", "@secret.yml")[2], verb
    assert "secret.yml:1:1: this is encrypted" in hvctl("-i", "hosts", "validate", "play.yml")[2]
    assert "book.yml:1:1: an encrypted playbook is not read" in hvctl(*vault, "validate", "book.yml")[2]


def test_a_list_of_patterns_in_a_play(hvctl: Run, tmp_path: Path) -> None:
    written(tmp_path, {"hosts": HOSTS, "play.yml": "- hosts: ['lab:!h2', h1]\n  vms: [{name: x}]\n"})
    assert hvctl("-i", "hosts", "validate", "play.yml")[1].startswith("1 host, 1 resource:")


def test_a_schedule_names_sources_and_password_files_in_full(hvctl: Run, tmp_path: Path) -> None:
    written(tmp_path, {"hosts": HOSTS, "play.yml": PLAY, "password": "pw", "group_vars/lab.yml": "vm: x"})
    words = ("-i", "hosts", "-i", "h3,", "--inventory-scripts", "--vault-password-file", "password")
    install = ("schedule", "install", "--every", "15m", "--format", "cron", "--print", "play.yml")
    status, out, err = hvctl(*words, *install)
    assert status == 0, err
    line = out.replace("'", "")
    assert f"-i {tmp_path}/hosts -i h3, --inventory-scripts --vault-password-file {tmp_path}/password" in line
    assert "nobody to ask by --ask-vault-pass" in hvctl("-i", "hosts", "--ask-vault-pass", *install)[2]
