"""Inventories that are programs: run if that is allowed, with an end to what they may take and print."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hvctl.config.inventory import Inventory
from hvctl.text.diagnostic import ConfigError
from hvctl.text.program import ProgramError, ran
from tests.inventory.folders import written

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a script begins with #! and has an execute permission")

LISTED = """#!/bin/sh
echo '{"lab": {"hosts": ["h1", "h2"], "vars": {"x": 1}, "children": ["sub"]}, "sub": ["h3"],
  "_meta": {"hostvars": {"h1": {"x": 2}}}}'
echo "took 3 s" >&2
"""
ASKED = """#!/bin/sh
if [ "$1" = --list ]; then echo '{"lab": ["h1", "h2"]}'; else echo "{\\"name\\": \\"$2\\"}"; fi
"""


def script(folder: Path, text: str) -> Path:
    return written(folder, {"inv": text}, mode=0o755) / "inv"


def test_a_script_is_run_only_if_that_is_allowed(tmp_path: Path) -> None:
    file = script(tmp_path, f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    with pytest.raises(ConfigError, match="is a program, which would run on this computer"):
        Inventory.load(file)
    assert not (tmp_path / "ran").exists()


def test_what_a_script_lists(tmp_path: Path) -> None:
    inventory = Inventory.load(script(tmp_path, LISTED), scripts=True)
    assert inventory.groups["lab"] == ("h1", "h2", "h3")
    assert [dict(inventory.hosts[h].variables) for h in ("h1", "h2", "h3")] == [{"x": 2}, {"x": 1}, {"x": 1}]
    assert [w.message for w in inventory.warnings] == ["the inventory script said: took 3 s"]


def test_hosts_are_asked_for_one_by_one_without_meta(tmp_path: Path) -> None:
    inventory = Inventory.load(script(tmp_path, ASKED), scripts=True)
    assert {h.name: dict(h.variables) for h in inventory.hosts.values()} == {"h1": {"name": "h1"}, "h2": {"name": "h2"}}


def test_an_execute_permission_alone_makes_no_script(tmp_path: Path) -> None:
    assert list(Inventory.load(script(tmp_path, "[lab]\nh1\n")).hosts) == ["h1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#!/bin/sh\necho broken >&2; exit 3\n", "ended with status 3; said: broken"),
        ("#!/bin/sh\necho '[lab]'\n", "is not JSON"),
        ("#!/bin/sh\necho '[]'\n", "what it printed for --list is not a mapping"),
        ("#!/bin/sh\necho '{\"lab\": {\"hosts\": {\"h1\": 1}}}'\n", "lab.hosts is not a list of names"),
        ("#!/nowhere/at/all\n", "it cannot be run"),
        ("#!/bin/sh\necho '{\"_meta\": {\"profile\": \"inventory_new\"}}'\n", "the profile inventory_new"),
    ],
)  # fmt: skip
def test_scripts_that_fail(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        Inventory.load(script(tmp_path, text), scripts=True)
    assert said in str(error.value)


def test_a_program_that_does_not_end_or_prints_without_end_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="did not end within 0 s"):
        ran(["/bin/sh", "-c", "sleep 600 & sleep 600"], seconds=0.2, most=1000)
    with pytest.raises(ProgramError, match="more than 1,000 bytes"):
        ran(["/bin/sh", "-c", "yes"], seconds=60, most=1000)
