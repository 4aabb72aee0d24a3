"""hvctl's inventory beside ansible-core's: everything is the same but for what differences.yaml gives a reason for."""

from __future__ import annotations

import json
import os
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from hvctl.cli.app import main
from hvctl.config.inventory import Inventory
from tests import requirements
from tests.ansible.compared import NOWHERE, Case, Difference, compared
from tests.ansible.random_inventories import random_case

HERE = Path(__file__).parent
RANDOM = 60
SOAK = 1500

pytestmark = pytest.mark.xdist_group("ansible")


@pytest.fixture(scope="module")
def ansible() -> str:
    return str(requirements.ansible())


def cases() -> list[Case]:
    return [_case(file) for file in sorted((HERE / "cases").glob("*.yaml"))]


def _case(file: Path) -> Case:
    data: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    files = data.get("files", {})
    sources = data.get("sources") or [next(n for n in ("inv.yml", "inv.ini", "hosts") if n in files)]
    patterns = [(p, None) for p in data.get("patterns", ["all"])] + [tuple(p) for p in data.get("limits", ())]
    return Case(
        file.stem,
        files,
        tuple(sources),
        tuple(patterns),
        data.get("scripts", {}),
        data.get("playbooks", ""),
        data.get("vault", ""),
        data.get("encrypted", {}),
    )


def _unlisted(found: list[Difference], listed: list[dict[str, str]]) -> list[str]:
    """Differences without a reason, and reasons without a difference."""
    new = [str(d) for d in found if not any(_is(d, entry) for entry in listed)]
    return new + [f"gone: {entry}" for entry in listed if not any(_is(d, entry) for d in found)]


def _is(found: Difference, entry: dict[str, str]) -> bool:
    return found.part == entry["part"] and all(
        fnmatchcase(value, str(entry.get(key, ""))) for key, value in (("case", found.case), ("of", found.of))
    )


def _listed(*, random: bool) -> list[dict[str, str]]:
    found: list[dict[str, str]] = yaml.safe_load((HERE / "differences.yaml").read_text(encoding="utf-8"))
    return [d for d in found if d["case"].startswith("random") == random]


def test_every_difference_is_listed_and_every_listed_one_is_there(ansible: str, tmp_path: Path) -> None:
    wrong = _unlisted(compared(ansible, cases(), tmp_path), _listed(random=False))
    assert not wrong, "\n".join(wrong)


def test_random_inventories_are_read_the_same(ansible: str, tmp_path: Path) -> None:
    many = SOAK if os.environ.get("HVCTL_SOAK") else RANDOM
    wrong = _unlisted(compared(ansible, [random_case(seed) for seed in range(many)], tmp_path), _listed(random=True))
    assert not wrong, "\n".join(wrong[:20])


WHOLE = ("patterns", "ini_order", "script", "several_sources", "vaulted_values")
"""Cases in which Ansible itself says the same each time."""


def test_the_programs_of_ansible_say_the_same_as_those_of_hvctl(
    ansible: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found = {c.name: c for c in cases()}
    # Writes the files; what it finds is another test's.
    compared(ansible, [found[name] for name in WHOLE], tmp_path)
    for case in (found[name] for name in WHOLE):
        monkeypatch.chdir(tmp_path / case.name)
        sources = [w for s in case.sources for w in ("-i", s)]
        vault = ["--vault-password-file", "password"] if case.vault else []
        for form in ("--list", "--graph"):
            theirs = _said([f"{ansible}/ansible-inventory", *sources, *vault, form, "--playbook-dir", NOWHERE])
            assert main(["--inventory-scripts", *sources, *vault, "inventory", form]) == 0
            ours = capfd.readouterr().out
            if form == "--list":
                assert _groups(json.loads(ours)) == _groups(json.loads(theirs))
            else:
                assert ours.strip() == theirs.strip()
        inventory = Inventory.load(case.sources, scripts=True)
        for pattern, _ in [p for p in case.patterns if isinstance(p[0], str)][:2]:
            said = _said([f"{ansible}/ansible", *sources, *vault, str(pattern), "--list-hosts"])
            hosts = [line.strip() for line in said.splitlines()[1:]]
            assert [h.name for h in inventory.select(pattern)] == hosts, (case.name, pattern)


def _said(words: list[str]) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")} | {"HOME": "."}
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _groups(listed: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in listed.items() if k != "_meta"} | {"hosts": sorted(listed["_meta"]["hostvars"])}


def test_every_listed_difference_has_a_reason() -> None:
    assert all(d["reason"].strip() for d in (*_listed(random=False), *_listed(random=True)))
