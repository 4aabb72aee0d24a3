"""What becomes of a command whose output cannot be written: the work is done, remembered and reported all the same."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO
from xml.etree import ElementTree

import pytest

from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from hvctl.redaction.redact import Redactor
from hvctl.redaction.streams import Output, encodable
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

ENCODINGS = ("cp932", "cp1252", "ascii", "utf-8", "cp437", "latin-1")
STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "state": "Running", "notes": "検証機 \U0001f600 é"}]}
INVENTORY = "all:\n  vars: {ansible_user: u, ansible_password: !env HVCTL_TEST_PASSWORD}\n  hosts: {hv01: , hv02: }\n"
PLAYBOOK = """
- hosts: all
  vms:
    - {name: web01, notes: 監視中 → é, processor: {count: 4, weight: 200}}
"""
FULL = Path("/dev/full")
full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


class Lab:
    """Two hosts, and a command line whose streams are chosen."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, monkeypatch
        self.hosts = {name: SimulatedHost.from_yaml({**STATE, "name": name}) for name in ("hv01", "hv02")}

    def run(self, *words: str, out: TextIO | None, err: TextIO | None) -> int:
        def connect(connection: Connection, wire: Wire) -> TwinTransport:
            return TwinTransport(self.hosts[connection.name])

        with self._patch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            return main(list(words), connect)

    def said(self, encoding: str, *words: str) -> tuple[int, str, str]:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
        status = self.run(*words, out=out, err=err)
        texts = []
        for stream in (out, err):
            stream.flush()
            assert isinstance(stream.buffer, io.BytesIO)
            texts.append(stream.buffer.getvalue().decode(encoding))
        return status, texts[0], texts[1]

    @property
    def changed(self) -> set[str]:
        return {name for name, host in self.hosts.items() if any(c.cmdlet == "Set-VMProcessor" for c in host.log)}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", "s3cret-in-tests")
    (tmp_path / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / "lab.yml").write_text(PLAYBOOK, encoding="utf-8")
    return Lab(tmp_path, monkeypatch)


# --- encodings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_an_output_of_any_encoding_takes_a_whole_apply(encoding: str, lab: Lab) -> None:
    status, out, err = lab.said(
        encoding, "-vv", "apply", "lab.yml", "-y", "--allow", "restart", "--report", "json=r.json"
    )
    assert (status, err.count("Traceback")) == (0, 0), err
    assert lab.changed == {"hv01", "hv02"}
    assert "notes" in out
    assert json.loads((lab.folder / "r.json").read_text("utf-8"))["exit_status"] == 0
    _, told, _ = lab.said("utf-8", "history", "--all", "--since", "1d")
    assert "hv01" in told


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_documents_for_programs_say_the_same_in_every_encoding(encoding: str, lab: Lab) -> None:
    _, out, _ = lab.said(encoding, "plan", "lab.yml", "--json")
    notes = [c for a in json.loads(out)["hosts"][0]["plan"]["actions"] for c in a["changes"] if c["field"] == "notes"]
    assert "監視中 → é" in notes[0]["wanted"]
    _, out, _ = lab.said(encoding, "facts", "hv01", "--json")
    assert "検証機 \U0001f600 é" in json.dumps(json.loads(out), ensure_ascii=False)
    _, out, _ = lab.said(encoding, "plan", "lab.yml", "--report", "junit=-")
    assert "監視中 → é" in "".join(ElementTree.fromstring(out).itertext())
    _, out, _ = lab.said(encoding, "inventory", "--list")
    assert json.loads(out)["all"]


def test_signs_have_forms_in_ascii() -> None:
    assert encodable("a → b ✓ ✗ … − · ━─", "ascii") == "a -> b ok x ... - . =-"
    assert encodable("a → b ✓", "cp932") == "a → b ok"
    assert (
        encodable("仮 é \U0001f600 \ud800", "ascii")
        == r"仮 é \U0001f600 \ud800".encode("ascii", "backslashreplace").decode()
    )
    assert encodable("仮\ud800", "utf-8") == "仮\\ud800"


@pytest.mark.parametrize("encoding", ["cp932", "ascii"])
@pytest.mark.parametrize(
    "words", [["--help"], ["apply", "--help"], ["schedule", "install", "--help"], ["nonsense"], ["plan"]]
)
def test_help_and_usage(encoding: str, words: list[str], lab: Lab) -> None:
    status, out, err = lab.said(encoding, *words)
    assert status == (0 if "--help" in words else 1)
    assert "Usage" in out + err


PART = "plan or apply or drift or facts or inventory or interrupt or unreachable"


@pytest.mark.parametrize("encoding", ["cp932", "ascii"] if os.environ.get("HVCTL_SOAK") else ["ascii"])
def test_the_command_lines_own_tests(encoding: str) -> None:
    run_the_command_lines_tests(encoding, "-k", PART)


def run_the_command_lines_tests(encoding: str, *chosen: str) -> None:
    """In a process of their own, with that encoding for its output and for all that it starts."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_cli.py", *chosen]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(encoding, "replace")[-6000:]


# --- outputs that take nothing -----------------------------------------------------------------------------------------


def unread() -> TextIO:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", encoding="utf-8")


def closed() -> TextIO:
    stream = io.StringIO()
    stream.close()
    return stream


BROKEN: dict[str, tuple[Callable[[], TextIO | None], int, str]] = {
    "full": (lambda: FULL.open("w", encoding="utf-8"), 4, os.strerror(errno.ENOSPC)),
    "unread": (unread, 141, ""),
    "closed": (closed, 4, "it is closed"),
    "closed before": (lambda: None, 4, "it is closed"),
}


@pytest.fixture(params=[pytest.param(name, marks=[full] if name == "full" else []) for name in BROKEN])
def broken(request: pytest.FixtureRequest) -> Iterator[tuple[TextIO | None, int, str]]:
    make, status, told = BROKEN[request.param]
    stream = make()
    yield stream, status, told
    if stream is not None and not stream.closed:
        stream.close()


@pytest.mark.parametrize("which", ["out", "err", "both"])
def test_an_apply_is_finished_reported_and_remembered(which: str, broken: tuple[Any, int, str], lab: Lab) -> None:
    stream, status, told = broken
    good = io.StringIO()
    streams = {"out": stream if which != "err" else good, "err": stream if which != "out" else good}
    words = ["-vv", "apply", "lab.yml", "-y", "--allow", "restart", "--report", "json=r.json,html=r.html"]
    assert lab.run(*words, **streams) == status
    assert lab.changed == {"hv01", "hv02"}
    document = json.loads((lab.folder / "r.json").read_text("utf-8"))
    assert {h["state"] for h in document["hosts"]} == {"applied"}
    assert (lab.folder / "r.html").exists()
    assert "hv02" in lab.said("utf-8", "history", "--all")[1]
    if which == "out":
        assert (told in good.getvalue(), "Traceback" in good.getvalue()) == (True, False)


def test_a_wrong_configuration_stays_one(broken: tuple[Any, int, str], lab: Lab) -> None:
    stream, status, _ = broken
    (lab.folder / "lab.yml").write_text("- hosts: all\n  vms: [{nmae: a}]\n", encoding="utf-8")
    assert lab.run("validate", "lab.yml", out=stream, err=stream) in (1, 141 if status == 141 else 1)


def test_nobody_is_asked_what_he_cannot_read(
    broken: tuple[Any, int, str], lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("yes\n"))
    lab.run("apply", "lab.yml", "--allow", "restart", out=broken[0], err=io.StringIO())
    assert lab.changed == set()


@full
@pytest.mark.parametrize(
    "words", [["--version"], ["--help"], ["inventory", "--list"], ["report-schema"], ["validate", "lab.yml"]]
)
def test_a_full_disk_is_told_plainly(words: list[str], lab: Lab) -> None:
    with FULL.open("wb") as target:
        done = subprocess.run(
            [sys.executable, "-m", "hvctl", *words], stdout=target, stderr=subprocess.PIPE, check=False
        )
    said = done.stderr.decode()
    assert done.returncode == 4, said
    assert said.endswith(f"hvctl: the output could not be written: {os.strerror(errno.ENOSPC)}\n")
    assert "Traceback" not in said
    assert "Exception" not in said


def test_checks_again_and_again_end_when_nobody_reads_them(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """But not before the check is finished: whoever reads the metrics is another one."""
    looks: list[str] = []

    def connect(connection: Connection, wire: Wire) -> TwinTransport:
        looks.append(connection.name)
        if len(looks) > 2:
            raise SystemExit("it went on")
        return TwinTransport(lab.hosts[connection.name])

    monkeypatch.setattr(sys, "stdout", unread())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert main(["drift", "lab.yml", "--every", "10s", "--metrics", "m.prom"], connect) == 141
    assert 'hvctl_host_up{host="hv02"} 1.0' in (lab.folder / "m.prom").read_text("utf-8")


def test_a_stream_breaks_once_and_is_silent_from_then_on() -> None:
    class Sometimes(io.StringIO):
        def write(self, text: str) -> int:
            if text == "fails":
                raise OSError(errno.ENOSPC, "No space left")
            return super().write(text)

    inner = Sometimes()
    output = Output(inner, Redactor())
    for text in ("a", "fails", "b"):
        assert output.write(text) == len(text)
        output.flush()
    assert (inner.getvalue(), output.fault is not None and output.fault.errno) == ("a", errno.ENOSPC)
