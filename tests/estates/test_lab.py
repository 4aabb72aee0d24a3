"""The lab of two hosts that a VM moves between, as `make lab-estate` runs it, over the wire."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_vm_goes_from_2012_to_2012_r2_and_not_back(tmp_path: Path) -> None:
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    command = [
        "-m",
        "mocks",
        "run",
        "--hosts",
        "mocks/estates/moves",
        "--speed",
        "6000",
        "--",
        "sh",
        "playbooks/moves.sh",
    ]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "move app01 from hv21 to hv22" in done.stdout
    assert "there is no way back to an older Windows" in done.stdout
