"""The labs of hosts that know each other, as `make lab-estate` runs them, over the wire."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.xdist_group("labs")


@pytest.fixture(scope="module")
def programs() -> Iterator[Path]:
    """A folder with hvctl and python, which start at once; in /tmp, as the path of a socket has some hundred characters."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with TemporaryDirectory(prefix="hvctl-", dir="/tmp") as folder:
        command = [sys.executable, "-m", "tests.estates.started", folder]
        with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            yield Path(folder)
            server.terminate()


def said(lab: str, programs: Path) -> str:
    """By a lab that ends as it should: each script knows which exit status each of its commands is to have."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    hosts = ["--hosts", f"mocks/estates/{lab}", "--speed", "6000"]
    # `mocks run` puts the programs of its own environment first.
    started = ["env", f"PATH={programs}{os.pathsep}{os.environ['PATH']}", "sh", f"playbooks/{lab}.sh"]
    command = ["-m", "mocks", "run", *hosts, "--", *started]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


def test_a_vm_goes_from_2012_to_2012_r2_and_not_back(programs: Path) -> None:
    out = said("moves", programs)
    assert "move app01 from hv21 to hv22" in out
    assert "there is no way back to an older Windows" in out


def test_a_role_is_followed_and_a_lost_node_told(programs: Path) -> None:
    out = said("cluster", programs)
    assert "node HV02 → HV01 move" in out
    assert "the node HV01 is down" in out
    assert "1 role moves; web01 live to HV02" in out
    assert "the node HV01 is paused" in out


def test_replication_goes_on_to_a_third_site_and_a_pause_is_found(programs: Path) -> None:
    out = said("replica", programs)
    assert "send web01 on to hv03" in out
    assert "state paused → replicating" in out
    assert "test none → a VM for tests" in out
