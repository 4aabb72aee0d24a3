"""hvctl's inventory beside ansible-core's: everything is the same but for what differences.yaml gives a reason for."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ansible.compared import Case, Difference, compared
from tests.ansible.random_inventories import random_case

HERE = Path(__file__).parent
RANDOM = 60
SOAK = 1500

pytestmark = pytest.mark.xdist_group("ansible")


@pytest.fixture(scope="module")
def ansible() -> str:
    """The bin folder of an environment with requirements.txt; without one the tests are skipped, unless they must run."""
    folder = os.environ.get("HVCTL_ANSIBLE", "")
    if not folder:
        message = "no ansible-core: set HVCTL_ANSIBLE to the bin folder of an environment with tests/ansible/requirements.txt"
        if "ansible" in os.environ.get("HVCTL_REQUIRE", "").split(","):
            pytest.fail(message)
        pytest.skip(message)
    return str(Path(folder).absolute())


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


def test_every_listed_difference_has_a_reason() -> None:
    assert all(d["reason"].strip() for d in (*_listed(random=False), *_listed(random=True)))
