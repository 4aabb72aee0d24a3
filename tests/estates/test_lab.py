"""The labs of hosts that know each other, as `make lab-estate` runs them, over the wire."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def said(lab: str) -> str:
    """By a lab that ends as it should: each script knows which exit status each of its commands is to have."""
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    hosts = ["--hosts", f"mocks/estates/{lab}", "--speed", "6000"]
    command = ["-m", "mocks", "run", *hosts, "--", "sh", f"playbooks/{lab}.sh"]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


def test_a_vm_goes_from_2012_to_2012_r2_and_not_back() -> None:
    out = said("moves")
    assert "move app01 from hv21 to hv22" in out
    assert "there is no way back to an older Windows" in out


def test_a_role_is_followed_and_a_lost_node_told() -> None:
    out = said("cluster")
    assert "node HV02 → HV01 move" in out
    assert "the node HV01 is down" in out
    assert "1 role moves: web01 live" in out
    assert "the node HV01 is paused" in out


def test_replication_goes_on_to_a_third_site_and_a_pause_is_found() -> None:
    out = said("replica")
    assert "send web01 on to hv03" in out
    assert "state paused → replicating" in out
    assert "test none → a VM for tests" in out
