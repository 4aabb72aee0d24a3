"""Doctor against the real host that HVCTL_REAL_HOST=INVENTORY:HOST names: nobody has run this yet."""

from __future__ import annotations

import json
import os

import pytest

from hvctl.cli import main
from tests import requirements

REAL_HOST = os.environ.get("HVCTL_REAL_HOST", "")


@pytest.mark.real_host
def test_a_host_that_the_cases_run_on_has_nothing_that_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    if not REAL_HOST:
        requirements.lacking("real_host")
    file, _, name = REAL_HOST.rpartition(":")
    status = main(["-i", file, "doctor", name, "--json"])
    (host,) = json.loads(capsys.readouterr().out)["hosts"]
    assert status in (0, 4)
    assert host["defect"] == ""
    assert [c["name"] for c in host["causes"] if c["weight"] == "blocks"] == []
    assert host["windows"]
