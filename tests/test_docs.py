"""The documentation says what the code does."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hvctl.core.order
import hvctl.kinds
from mocks.twin import TwinTransport
from tests.harness import Case, witness

ROOT = Path(__file__).parent.parent


def test_what_is_generated_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.make_docs", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_worked_example_of_a_kind_works(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "adding-a-kind.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    case = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert code and case
    (tmp_path / "com_port.py").write_text(code[1], encoding="utf-8")
    file = tmp_path / "cases" / "connects.yaml"
    file.parent.mkdir()
    file.write_text(case[1], encoding="utf-8")
    before = [k.kind for k in hvctl.kinds.kinds()]
    hvctl.kinds.__path__.append(str(tmp_path))
    forget()
    try:
        for os in ("2012r2", "2022"):
            assert witness(Case(file, os), TwinTransport).wrong == []
    finally:
        hvctl.kinds.__path__.remove(str(tmp_path))
        del sys.modules["hvctl.kinds.com_port"]
        forget()
    assert [k.kind for k in hvctl.kinds.kinds()] == before


def forget() -> None:
    """What was found of the kinds is looked for anew."""
    gc.collect()
    hvctl.kinds.kinds.cache_clear()
    hvctl.core.order._kinds.cache_clear()


@pytest.mark.parametrize("file", [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", file.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (file.parent / target).exists(), f"{file.name}: {target}"
