"""Files of what runs, each its process's own: of a process that is gone another one takes them over."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from hvctl.text.machine import silent, this_machine
from hvctl.text.number import is_whole, whole
from hvctl.text.processes import lives

_own: set[Path] = set()
"""Files that this process has made or taken; in a container every process has the same id."""


def new_file(folder: Path, what: str, suffix: str) -> Path:
    """Its name; it is not made."""
    file = folder / f"{what}-{os.getpid()}-{secrets.token_hex(4)}{suffix}"
    _own.add(file)
    return file


def orphans(folder: Path, what: str, suffix: str) -> Iterator[Path]:
    """Of processes that are gone."""
    return (file for file in sorted(folder.glob(f"{what}-*{suffix}")) if file not in _own and not _lives(file))


def abandoned(file: Path, machine: str | None) -> bool:
    """Whether an orphan that `machine` has made is one. "", None: by a release that did not keep it."""
    return not machine or machine == this_machine() or silent(file)


def taken(file: Path, what: str) -> Path | None:
    """An orphan as this process's own from now on; None: another hvctl was quicker."""
    mine = new_file(file.parent, what, file.suffix)
    try:
        file.rename(mine)
    except OSError:
        _own.discard(mine)
        return None
    return mine


def ended(file: Path) -> None:
    """This process has no more to do with it."""
    _own.discard(file)


def _lives(file: Path) -> bool:
    pid = file.name.split("-")[1]
    return not is_whole(pid) or (whole(pid) != os.getpid() and lives(whole(pid)))
