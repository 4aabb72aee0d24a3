"""Opening the history: connecting, and bringing its tables to this version, safely when several do so at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnClause, Connection, Engine, NullPool, column, create_engine, event, inspect, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from hvctl.history.place import HistoryError, Place
from hvctl.history.schema import VERSION_TABLE
from hvctl.text.extras import EXTRAS, command
from hvctl.text.files import make_private, make_private_folder
from hvctl.winrm.retries import DATABASE_TRIES, DATABASE_WAIT, trying

VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010")
"""The schema's versions that this hvctl knows, oldest first."""

BUSY_S = 30
"""How long to wait for another writer."""

CONNECT_S = 10
"""How long to wait for a database to answer at all."""

_ELSEWHERE = "name another place with --history, or leave it out with --no-history"
_TIMED = ("psycopg", "psycopg2", "pymysql", "mysqldb")
"""Drivers that take connect_timeout."""


def opened(place: Place) -> Engine:
    """Connected, with tables of this version. Raises HistoryError."""
    engine = _engine(place)

    def once() -> None:
        if not _current(engine, place):
            with writing(engine) as connection:
                if _version(connection) != VERSIONS[-1]:
                    _upgrade(connection)

    def worth(error: BaseException) -> bool:
        # Where a database has no transactions around its DDL, or no lock that we could take first,
        # another hvctl that is just making the tables gets in our way, and is done soon.
        return isinstance(error, SQLAlchemyError) and engine.dialect.name != "sqlite"

    with translated(place):
        trying(worth, DATABASE_TRIES, DATABASE_WAIT)(once)
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """One transaction that may change something: all of it or nothing."""
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        yield connection


def need_driver(place: Place) -> None:
    """Raises HistoryError where no database of that kind can be spoken to from here. Connects to none."""
    _engine(place).dispose()


@contextmanager
def translated(place: Place) -> Iterator[None]:
    """The database's faults, told without its password."""
    try:
        yield
    except (SQLAlchemyError, OSError, ImportError) as error:
        said = _said(error, place)
        hint = _ELSEWHERE
        if "not a database" in said:
            hint = f"move the file away, or {_ELSEWHERE}"
        elif isinstance(error, ImportError):
            mine = (error.name or "").partition(".")[0] in EXTRAS["postgresql"]
            hint = command("postgresql") if mine else f"install the driver into hvctl's Python, or {_ELSEWHERE}"
        raise HistoryError(f"the history {place.name} cannot be used: {said}", hint) from None


def migrate(connection: Connection, version: str) -> None:
    """Up to a version, in the transaction that is open."""
    # Alembic takes a third of a second to import and is needed once in the life of a database.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def _upgrade(connection: Connection) -> None:
    migrate(connection, VERSIONS[-1])


def _current(engine: Engine, place: Place) -> bool:
    """Raises HistoryError if a newer hvctl made the tables."""
    with engine.connect() as connection:
        version = _version(connection)
    if version is not None and version not in VERSIONS:
        raise HistoryError(
            f"the history {place.name} was made by a newer hvctl (schema {version}; this one knows {VERSIONS[-1]})",
            f"update hvctl, or {_ELSEWHERE}",
        )
    return version == VERSIONS[-1]


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    number: ColumnClause[str] = column("version_num")
    return connection.execute(select(number).select_from(table(VERSION_TABLE, number))).scalar()


def _engine(place: Place) -> Engine:
    try:
        url = make_url(place.url)
        options: dict[str, Any] = {}
        if url.get_backend_name() == "sqlite":
            if not url.database or url.database == ":memory:":
                raise HistoryError(f"the history {place.name} names no file", "write sqlite:///FILE, or the file alone")
            if not url.database.startswith("file:"):
                # Its journals (-wal, -shm) get the mode of the file (sqlite.org/src, os_unix.c: findCreateFileMode).
                make_private_folder(Path(url.database).parent)
                make_private(Path(url.database))
            options["timeout"] = BUSY_S
        elif url.get_driver_name() in _TIMED and "connect_timeout" not in url.query:
            options["connect_timeout"] = CONNECT_S
        engine = create_engine(url, poolclass=NullPool, connect_args=options)
    except ArgumentError as error:
        # NoSuchModuleError is one too: its text holds the dialect's name and no more.
        said = str(error) if isinstance(error, NoSuchModuleError) else "this is no URL of a database"
        raise HistoryError(
            f"the history {place.name} cannot be used: {said}", "write a file, or dialect://user:password@host/database"
        ) from None
    except (OSError, ImportError) as error:
        with translated(place):
            raise error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connected)
        event.listen(engine, "begin", _sqlite_begins)
    return engine


def _sqlite_connected(connection: Any, record: object) -> None:
    connection.isolation_level = None  # so that BEGIN is ours, and DDL is part of it
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _to_wal(cursor)
    cursor.close()


def _to_wal(cursor: Any) -> None:
    """Readers and a writer side by side. It is refused while another has the file open, who then does it."""
    try:
        cursor.execute("PRAGMA journal_mode = WAL")
    except cursor.connection.OperationalError as error:
        if "locked" not in str(error) and "readonly" not in str(error):
            raise


def _sqlite_begins(connection: Connection) -> None:
    # The write lock before the first read: two that have both read cannot both go on to write.
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _said(error: Exception, place: Place) -> str:
    said = str(getattr(error, "orig", None) or error).strip().splitlines()
    text = said[0] if said else type(error).__name__
    url = make_url(place.url)
    for secret in (url.password, *url.query.values()):
        for word in (secret,) if isinstance(secret, str) else secret or ():
            text = text.replace(str(word), "***") if word else text
    return text
