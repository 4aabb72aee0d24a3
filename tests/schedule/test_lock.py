"""The lock ends with the process that holds it, and says who that is."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hvctl.monitor.schedule.lock import LockedError, locked

HOLD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from hvctl.monitor.schedule.lock import locked
with locked(Path(sys.argv[1]), datetime(2026, 3, 1, tzinfo=UTC)):
    print("held", flush=True)
    sys.stdin.read()
"""
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_second_one_hears_who_holds_it_until_that_dies(tmp_path: Path) -> None:
    file = tmp_path / "locks" / "lab.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with pytest.raises(LockedError, match=f"process {holder.pid} of .+ on .+, since 2026-03-01T00:00:00") as error, \
            locked(file, NOW):  # fmt: skip
        pass
    assert error.value.holder is not None and error.value.holder.pid == holder.pid
    holder.kill()
    holder.communicate()
    with locked(file, NOW):
        assert f'"pid": {os.getpid()}' in file.read_text(encoding="utf-8")
    assert file.read_text(encoding="utf-8") == ""


def test_a_lock_file_that_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "lab.lock"
    with locked(file, NOW):
        file.write_text("?", encoding="utf-8")
        with pytest.raises(LockedError, match="another process"), locked(file, NOW):
            pass
