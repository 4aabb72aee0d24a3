"""The documentation says what the code does."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import hvctl.core.order
import hvctl.kinds
from hvctl.cli import main
from hvctl.contract import OS
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import Case, witness

ROOT = Path(__file__).parent.parent


def test_what_is_generated_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.make_docs", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


TEXT = (ROOT / "docs" / "adding-a-kind.md").read_text(encoding="utf-8")
EXAMPLES = list(
    zip(
        re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL),
        re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL),
        strict=True,
    )
)


@pytest.fixture(
    params=EXAMPLES, ids=[re.findall(r"kind: ClassVar\[str\] = \"(\w+)\"", code)[0] for code, _ in EXAMPLES]
)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The case of a worked example, whose kind is there meanwhile."""
    before = [k.kind for k in hvctl.kinds.kinds()]
    code, case = request.param
    (tmp_path / "example_kind.py").write_text(code, encoding="utf-8")
    file = tmp_path / "cases" / "example.yaml"
    file.parent.mkdir()
    file.write_text(case, encoding="utf-8")
    hvctl.kinds.__path__.append(str(tmp_path))
    forget()
    yield file
    hvctl.kinds.__path__.remove(str(tmp_path))
    del sys.modules["hvctl.kinds.example_kind"]
    forget()
    assert [k.kind for k in hvctl.kinds.kinds()] == before


@pytest.mark.parametrize("os", ["2012r2", "2022"])
def test_the_worked_examples_of_a_kind_work(example: Path, os: OS) -> None:
    assert witness(Case(example, os), TwinTransport).wrong == []


@pytest.mark.parametrize("example", EXAMPLES[1:], indirect=True, ids=["migration_network"])
def test_what_has_an_owner_without_a_name_is_told_by_its_own(
    example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the plan, in the history, and the drift that the apply mended ends there."""
    data = yaml.safe_load(example.read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "inventory.yml").write_text("all: {hosts: {hv01: {ansible_user: a, ansible_password: tests-only}}}")
    (tmp_path / "p.yml").write_text(yaml.safe_dump([{"hosts": "all", **data["playbook"]}]))
    host = SimulatedHost.from_yaml({**data["host"], "os": "2022"})

    def said(*words: str) -> str:
        main(list(words), lambda connection, wire: TwinTransport(host))
        return capsys.readouterr().out

    seen = said("drift", "p.yml", "--history", "seen.db")
    assert re.search(r"migration network +10\.0\.0\.0/24", seen), seen
    assert re.search(r"priority +20 +→ +10", seen), seen
    assert "seen in sync" in (done := said("apply", "p.yml", "-y", "--history", "seen.db")), done
    past = said("history", "--history", "seen.db")
    assert re.search(r"migration network +10\.0\.0\.0/24", past), past
    assert "3 gone" in past and "0 open" in past, past


def forget() -> None:
    """What was found of the kinds is looked for anew."""
    gc.collect()
    for cached in (hvctl.kinds.kinds, hvctl.kinds.sections, hvctl.kinds._named):
        cached.cache_clear()
    hvctl.core.order._kinds.cache_clear()
