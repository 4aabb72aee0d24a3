"""docs/import.md shows what hvctl import writes."""

from __future__ import annotations

from pathlib import Path

from hvctl.importing.look import Wanted, imported
from hvctl.importing.text import playbook_text
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

ROOT = Path(__file__).parents[2]


def test_the_example_is_what_is_written() -> None:
    host = SimulatedHost.from_yaml(ROOT / "mocks" / "hosts" / "hv01.tokyo.yaml")
    text = playbook_text([imported("hv01.tokyo", TwinTransport(host), Wanted())])
    assert f"```yaml\n{text}```" in (ROOT / "docs" / "import.md").read_text("utf-8")
