"""The verb serve: who may be let in, where, and that it ends when it is told to."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from hvctl.cli import main
from tests.dashboard.fleet import fleet


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--listen", "0.0.0.0:0"], "others than this machine could look"),
        (["--listen", "nonsense"], "--listen"),
        (["--auth", "token"], "HVCTL_DASHBOARD_TOKEN has a short one"),
        (["--auth", "header:"], "write token, or header: and the name of a header"),
        (["--auth", "header:X-User", "--proxy", "nowhere"], "--proxy"),
        (["--lang", "fr"], "one of en, ja"),
        (["--stale", "soon"], "--stale"),
    ],
)
def test_what_it_refuses(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_DASHBOARD_TOKEN", "short")
    assert main(["serve", "--history", "h.db", "--listen", "127.0.0.1:0", *words]) == 1
    assert said in capsys.readouterr().err


def test_what_is_lacking_is_told_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [n for n in sys.modules if n.startswith(("starlette", "hvctl.dashboard"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["serve", "--history", str(tmp_path / "h.db")]) == 1
    assert "python -m pip install 'hvctl[dashboard]'" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_stop(tmp_path: Path, number: signal.Signals) -> None:
    where = fleet(tmp_path)
    running = subprocess.Popen(
        [sys.executable, "-m", "hvctl", "serve", "--history", str(where.file), "--listen", "127.0.0.1:0"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    line = running.stdout.readline()
    address = line.rpartition(" at ")[2].strip()
    assert address.startswith("http://localhost:"), line
    with urllib.request.urlopen(f"{address}healthz", timeout=30) as answer:
        assert answer.read() == b"ok\n"
    running.send_signal(number)
    out, _ = running.communicate(timeout=30)
    assert (running.returncode, out) == ({signal.SIGTERM: 0, signal.SIGINT: 130}[number], "Stopped.\n")
