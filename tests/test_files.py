"""Files of this machine: who may read what hvctl writes, and that nobody decides where it goes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hvctl.call import HostInfo
from hvctl.core.facts import Facts
from hvctl.fleet.recording import write_recording
from hvctl.history.opening import opened, writing
from hvctl.history.place import place
from hvctl.monitor.schedule.lock import locked
from hvctl.text.files import PRIVATE, write_whole
from hvctl.winrm.leftovers import OpenShells

WIDE, NARROW = 0o000, 0o077
"""The most that a umask leaves, and the least."""


@pytest.fixture(params=[WIDE, NARROW])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_what_is_for_the_user_alone_is_for_nobody_else(umask: int, tmp_path: Path) -> None:
    state = tmp_path / "share" / "hvctl"
    OpenShells(state).opened("https://hv01:5986/wsman", "shell")
    with locked(state / "locks" / "lab.lock", datetime(2026, 4, 1, tzinfo=UTC)):
        pass
    engine = opened(place(str(state / "history.db")))
    with engine.connect() as reader, writing(engine):
        reader.exec_driver_sql("SELECT 1 FROM sqlite_master")
        assert {f.name for f in state.glob("history.db*")} == {"history.db", "history.db-wal", "history.db-shm"}
        write_recording(str(state / "hv01.json"), Facts("2022", HostInfo("h", 20348, "", "5.1", ""), {}), scrub=False)
        found = {f.relative_to(tmp_path).as_posix(): f for f in tmp_path.rglob("*")}
        (shells,) = (f.name for f in state.glob("shells-*"))
        assert {name: mode(f) for name, f in found.items() if f.is_file()} == {
            f"share/hvctl/{shells}": 0o600,
            "share/hvctl/locks/lab.lock": 0o600,
            "share/hvctl/history.db": 0o600,
            "share/hvctl/history.db-wal": 0o600,
            "share/hvctl/history.db-shm": 0o600,
            "share/hvctl/hv01.json": 0o600,
        }
        assert {name: mode(f) for name, f in found.items() if f.is_dir()} == {
            "share": 0o700,
            "share/hvctl": 0o700,
            "share/hvctl/locks": 0o700,
        }


def test_a_report_is_for_whom_the_umask_says(umask: int, tmp_path: Path) -> None:
    write_whole(tmp_path / "r.html", "for all")
    assert mode(tmp_path / "r.html") == 0o666 & ~umask


def test_a_private_file_becomes_private_and_replaces_a_link(tmp_path: Path) -> None:
    other, link = tmp_path / "bashrc", tmp_path / "plan.json"
    other.write_text("mine")
    link.symlink_to(other)
    write_whole(link, "plan", PRIVATE)
    assert (other.read_text(), link.is_symlink(), link.read_text(), mode(link)) == ("mine", False, "plan", 0o600)
    link.chmod(0o666)
    write_whole(link, "again", PRIVATE)
    assert (link.read_text(), mode(link)) == ("again", 0o600)


def test_nothing_is_written_through_a_link_that_somebody_put_there(tmp_path: Path) -> None:
    """Under the names that a file has while it is written, as they can be guessed, and those of locks."""
    precious = tmp_path / "precious"
    precious.write_text("precious")
    state = tmp_path / "state"
    state.mkdir()
    OpenShells(state).opened("https://hv01:5986/wsman", "shell")
    (shells,) = state.glob("shells-*.json")
    shells.unlink()
    for name in (f"{shells.stem}.part", f".{shells.name}.{os.getpid()}.new", "lab.lock"):
        (state / name).symlink_to(precious)
    OpenShells(state).opened("https://hv01:5986/wsman", "shell")
    with pytest.raises(OSError), locked(state / "lab.lock", datetime(2026, 4, 1, tzinfo=UTC)):
        pass
    assert precious.read_text() == "precious"
    assert json.loads(shells.read_text())


def test_a_stream_is_written_to_not_replaced(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    write_whole(f"/dev/fd/{writer}", "through a pipe", PRIVATE)
    os.close(writer)
    assert os.read(reader, 99) == b"through a pipe"
    os.close(reader)
    file = tmp_path / "redirected"
    with file.open("w") as stream:
        write_whole(f"/dev/fd/{stream.fileno()}", "into a file", PRIVATE)
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{stream.fileno()}")
        write_whole(tmp_path / "stdout", "into the file", PRIVATE)
    assert (file.read_text(), (tmp_path / "stdout").is_symlink()) == ("into the file", True)
