"""Signals before there is anything to finish, and after all is: no traceback, the exit status of a shell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.signals.conftest import each_with_each

SIGNALS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
MODULES = ["hvctl.cli", "typer", "pydantic", "requests", "hvctl.cli.verbs", "shellingham"]
LATER = {"pydantic": "validate", "requests": "doctor", "hvctl.cli.verbs": "validate"}
"""Of which verb they are: --version does without them."""
AT = """
import os, sys
_, at, number, *words = sys.argv

class At:
    def find_spec(self, name, path=None, target=None):
        if name == at:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), int(number))

sys.meta_path.insert(0, At())
sys.argv = ["hvctl", *words]
from hvctl.__main__ import entry
entry()
"""


def run(module: str, number: signal.Signals, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """hvctl, to which a signal comes at the import of a module."""
    return subprocess.run(
        [sys.executable, "-c", AT, module, str(int(number)), *words],
        capture_output=True, text=True, check=False, timeout=60, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.parametrize(("module", "heard"), each_with_each(MODULES, SIGNALS))
def test_a_signal_while_hvctl_starts(module: str, heard: tuple[signal.Signals, int]) -> None:
    number, status = heard
    done = run(module, number, *([LATER[module], "--help"] if module in LATER else ["--version"]))
    if module == "shellingham" and done.returncode == 0:
        pytest.skip("typer does not import it here")
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_while_a_shell_completes(number: signal.Signals, status: int) -> None:
    words = {"_HVCTL_COMPLETE": "complete_bash", "COMP_WORDS": "hvctl pl", "COMP_CWORD": "1"}
    done = run("typer._completion_classes", number, **words)
    if done.returncode == 0:
        done = run("click.shell_completion", number, **words)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), done.stderr


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_when_all_is_done(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """While the interpreter ends: what runs at its exit gets the signal."""
    text = (
        "import atexit, os, sys\n"
        "from hvctl.__main__ import entry\n"
        f"atexit.register(os.kill, os.getpid(), {int(number)})\n"
        "sys.argv = ['hvctl', '--version']\n"
        "entry()\n"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout.startswith("hvctl "), done.stderr) == (status, True, "")


@pytest.mark.parametrize(
    ("words", "number", "status", "said"),
    [
        (("plan",), signal.SIGTERM, 143, "Interrupted."),
        (("plan",), signal.SIGINT, 130, "Interrupted."),
        (("drift", "--every", "15m"), signal.SIGTERM, 0, "Stopped."),
    ],
)
def test_a_signal_while_playbooks_are_read(
    words: tuple[str, ...], number: signal.Signals, status: int, said: str, tmp_path: Path
) -> None:
    """A playbook that is a pipe: nobody writes to it until hvctl reads, and then there is a signal."""
    (tmp_path / "inventory.yml").write_text("all: {hosts: {hv1: {}}}", encoding="utf-8")
    pipe = tmp_path / "lab.yml"
    os.mkfifo(pipe)
    running = subprocess.Popen(
        [sys.executable, "-m", "hvctl", *words, "lab.yml"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with pipe.open("w"):  # opens when the other end does
        running.send_signal(number)
        out, _ = running.communicate(timeout=60)
    assert (running.returncode, out) == (status, f"{said}\n")
