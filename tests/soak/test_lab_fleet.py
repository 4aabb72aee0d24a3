"""`make lab-fleet`: 300 hosts over the wire, as its script has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mocks.clock import Clock
from mocks.fleet import write_fleet
from mocks.lab import read_lab

ROOT = Path(__file__).parents[2]


def test_hosts_are_written_that_can_be_served(tmp_path: Path) -> None:
    write_fleet(tmp_path, 12, 2)
    write_fleet(tmp_path, 9, 2)
    lab = read_lab(tmp_path, tmp_path / "inventory.yml", Clock)
    assert (len(lab.served), len(lab.absent), lab.refused) == (7, 2, ())


@pytest.mark.skipif(not os.environ.get("HVCTL_SOAK"), reason="300 hosts take two minutes")
def test_a_monday_with_300_hosts() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["make", "lab-fleet"], cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False,
        timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 hosts: 291 in sync, 7 drifted, 2 unreachable." in done.stdout
    assert "In 3 batches of 1, 1, 5 hosts" in done.stdout
    assert '"states": {"away": 2, "in_sync": 298}' in done.stdout
