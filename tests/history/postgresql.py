"""A PostgreSQL server of the tests' own: in a folder that is deleted, reached by a socket in it, for databases that are each
used once."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import NullPool, create_engine

USER = "hvctl"


class Server:
    """`folder`: where its socket is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{USER}@/{database}?host={self._folder}"

    def new(self) -> str:
        """The URL of an empty database."""
        name = f"history_{next(self._numbers)}"
        maintenance = create_engine(self.url("postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with maintenance.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return self.url(name)


@contextmanager
def served(programs: Path) -> Iterator[Server]:
    """Not on a disk that must not lose anything, and not as root, which PostgreSQL refuses."""
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="hvctl-pg-"))  # short, for the socket's name; pytest's own is root's alone
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
    try:
        _run(account, folder, programs / "initdb", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "data")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        _run(account, folder, programs / "pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", options)
        try:
            yield Server(folder)
        finally:
            _run(account, folder, programs / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", "data")
    finally:
        shutil.rmtree(folder)


def _account() -> pwd.struct_passwd | None:
    """Whom to be instead of root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise LookupError("there is neither a user postgres nor nobody, and PostgreSQL refuses root")


def _run(account: pwd.struct_passwd | None, folder: Path, *words: str | Path) -> None:
    # What it leaves running keeps no pipe of ours open.
    with (folder / "said").open("w+", encoding="utf-8") as said:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder, check=False, timeout=120,
            user=account.pw_uid if account else None, group=account.pw_gid if account else None,
            extra_groups=() if account else None,
        )  # fmt: skip
        said.seek(0)
        assert done.returncode == 0, said.read()
