"""The history in a database: what is written, told again, brought up to date, and refused."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.schema import CreateTable

from hvctl.core.check import Check, Spot
from hvctl.core.outcome import Outcome
from hvctl.history import HistoryError, Place, place, record
from hvctl.history.opening import VERSIONS, _engine, migrate, need_driver, opened, writing
from hvctl.history.plans import write_plans
from hvctl.history.record import CHECKS_KEPT, KEPT
from hvctl.history.remember import remember
from hvctl.history.runs import last_runs, runs_of, write_runs
from hvctl.history.schema import VERSION_TABLE, checks, drifts, hosts, metadata, runs
from hvctl.history.seen import Difference, Seen, Wished, key_of
from hvctl.history.store import Store
from hvctl.kinds import address_of
from tests.history.looks import AT, COUNT, HOUR, LAB, sees, told, write, write_some
from tests.history.postgresql import Server

ROOT = Path(__file__).parents[2]


DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")))


@pytest.fixture(params=DATABASES)
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty history, as --history names it."""
    if request.param == "sqlite":
        return str(tmp_path / "new" / "history.db")
    server: Server = request.getfixturevalue("postgresql")
    return server.new()


@pytest.fixture
def store(where: str) -> Store:
    return Store(place(where))


def test_a_difference_from_its_beginning_to_its_end(store: Store) -> None:
    for n, now in enumerate(["4", "2", "3", "4"]):
        write(store, sees(now), AT + n * HOUR)
    (host,) = told(store)
    (span,) = host.spans
    assert (host.name, host.checks, host.missed, host.looked) == ("hv01", 4, 0, AT + 3 * HOUR)
    assert (span.spot, span.now, span.wanted, span.moved) == (COUNT, "3", "4", "host")
    assert (span.first_seen, span.last_seen, span.gone) == (AT + HOUR, AT + 2 * HOUR, AT + 3 * HOUR)
    assert told(store, AT + 4 * HOUR)[0].spans == ()
    assert store.told(AT, lambda names: []) == ()


def test_a_host_away_and_back(store: Store) -> None:
    write(store, sees("2"), AT)
    for n, why in ((1, "refused"), (2, "timed out")):
        assert write(store, Seen("hv01", unreachable=why), AT + n * HOUR).unreachable == AT + HOUR
    (host,) = told(store)
    assert [(s.gone, s.last_seen) for s in host.spans] == [(None, AT)]
    (away,) = host.absences
    assert (away.first_seen, away.last_seen, away.why, away.back) == (AT + HOUR, AT + 2 * HOUR, "timed out", None)
    assert write(store, sees("2"), AT + 3 * HOUR).back
    (host,) = told(store)
    assert (host.absences[0].back, host.missed, host.checks) == (AT + 3 * HOUR, 2, 4)


def test_a_host_that_a_check_was_stopped_before_is_not_back(store: Store) -> None:
    """Nothing is known of it, so nothing of it is remembered, and none of its differences ends."""
    write(store, sees("2"), AT)
    write(store, Seen("hv01", unreachable="refused"), AT + HOUR)
    stopped = Check("drift", ("lab.yml",), AT, AT + 2 * HOUR, (Outcome("hv01"),), 143, covers=("/lab.yml",))
    assert not remember(stopped, store).memory.news
    (host,) = told(store)
    assert (host.absences[0].back, host.spans[0].gone, host.checks) == (None, None, 2)


def test_hosts_of_one_name_at_two_addresses_are_two_hosts(store: Store) -> None:
    write(store, sees("4"), AT, {"hv01": "192.0.2.1"})
    assert write(store, sees("2"), AT + HOUR, {"hv01": "192.0.2.2"}).since[key_of(COUNT)].moved == "unknown"
    assert [(h.name, h.address, len(h.spans)) for h in told(store)] == [
        ("hv01", "192.0.2.1", 0),
        ("hv01", "192.0.2.2", 1),
    ]


def test_what_is_long_over_is_pruned(store: Store) -> None:
    write(store, sees("2"), AT)
    write(store, sees("2", Spot(address_of("hv02", ("vm", "lost")))), AT)  # a host that nobody looks at any more
    write(store, sees("4"), AT + HOUR)
    write(store, sees("4"), AT + CHECKS_KEPT + HOUR)
    assert [h.checks for h in told(store)] == [2, 0]
    assert [len(h.spans) for h in told(store)] == [1, 1]
    write(store, sees("4"), AT + KEPT + 2 * HOUR)
    assert [len(h.spans) for h in told(store)] == [0, 0]


# --- several at once -----------------------------------------------------------------------------------------------


def test_hosts_are_all_made_before_one_is_held_and_held_in_one_order(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else two writers of new and known hosts wait for each other."""
    monkeypatch.setattr(record, "_AT_ONCE", 2)
    said: list[str] = []
    engine = opened(store.place)
    listened = event.listens_for(engine, "before_cursor_execute")
    listened(lambda _c, _u, statement, *_: said.append(statement))
    for names in ("dca", "abcde"):
        with writing(engine) as connection:
            found = record.locked(connection, dict.fromkeys(names, "10.0.0.1"))
            again = record.locked(connection, dict.fromkeys(names, "10.0.0.1"))
        assert {*found} == {*names}
        assert found == again
        assert len({row.id for row in found.values()}) == len(names)
    held = [n for n, one in enumerate(said) if "ORDER BY hvctl_hosts.id" in one]
    made = [n for n, one in enumerate(said) if one.startswith("INSERT")]
    assert (len(made), len(held)) == (3, 10)  # twice in each transaction
    assert [n for n in made if held[0] < n < held[3]] == [n for n in made if held[4] < n] == []


def test_plans_that_other_hosts_have_too_are_written_for_all_hosts_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are judged at a time: written with each of these, two writers would hold them in two orders."""
    written: list[list[str]] = []

    def write_all(connection: Connection, texts: Iterable[str], at: datetime) -> None:
        written.append([*texts])
        write_plans(connection, written[-1], at)

    monkeypatch.setattr("hvctl.history.store._AT_ONCE", 1)
    monkeypatch.setattr("hvctl.history.store.write_plans", write_all)
    found = [replace(sees("2", Spot(address_of(host, ("vm", "a")))), plan=host) for host in "abc"]
    Store(place(str(tmp_path / "history.db"))).write(Check("drift", ("lab.yml",), AT, AT, (), 0), found, AT)
    assert written == [["a", "b", "c"]]


def test_processes_that_open_a_new_history_at_once_and_write_lose_nothing(where: str) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.starmap(write_some, [(where, n, 6) for n in (11, 12, 13)]) == [6, 6, 6]
    found = {host.name: host for host in told(Store(place(where)))}
    assert {name: host.checks for name, host in found.items()} == {"hv01": 18, "hv11": 6, "hv12": 6, "hv13": 6}
    assert len(found["hv01"].spans) == 1  # it began once, whoever saw it first
    for name in ("hv11", "hv12", "hv13"):
        assert [s.gone is None for s in found[name].spans] == [False, False, True]


def test_a_file_has_readers_beside_its_writer_and_is_whole(tmp_path: Path) -> None:
    file = str(tmp_path / "history.db")
    assert write_some(file, 11, 3) == 3
    with sqlite3.connect(file) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# --- versions of the schema ----------------------------------------------------------------------------------------


def test_the_versions_known_are_those_that_are_there() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "hvctl" / "history" / "migrations"))
    found = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(found)) == VERSIONS


def test_the_migrations_lead_to_the_tables(store: Store) -> None:
    with opened(store.place).connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_a_history_of_the_first_version_is_brought_up_and_keeps_what_it_holds(store: Store) -> None:
    with writing(_engine(store.place)) as connection:
        migrate(connection, "0001")
        connection.execute(insert(hosts).values(id=1, name="hv01", address="hv01", looked=AT))
        row = {"spot": key_of(COUNT), "address": '["processor", "ウェブ"]', "field": "count", "file": LAB, "why": ""}
        seen = {"now": "2", "wanted": "4", "moved": "host", "first_seen": AT, "last_seen": AT, "ending": ""}
        connection.execute(insert(drifts).values(host_id=1, **row, **seen))
    result = write(store, sees("2"), AT + HOUR)
    assert result.since[key_of(COUNT)].first_seen == AT
    (host,) = told(store)
    assert [(s.spot, s.first_seen, s.last_seen) for s in host.spans] == [(COUNT, AT, AT + HOUR)]
    assert host.checks == 1


def test_runs_of_before_machines_were_kept_can_be_read_and_are_those_of_the_machine_that_goes_on(store: Store) -> None:
    old = {"schedule": "lab", "verb": "drift", "rhythm": "every 1 h", "playbooks": '["lab.yml"]', "exit_status": 2}
    with writing(_engine(store.place)) as connection:
        migrate(connection, "0009")
        connection.execute(insert(runs).values(**old, started=AT, finished=AT, next=AT + HOUR))
    with opened(store.place).connect() as connection:
        (before,) = last_runs(connection)
    assert (before.machine, before.removed, before.exit_status) == (None, None, 2)
    write_runs(store.place, [replace(before, machine=name, started=AT + HOUR) for name in ("ctl1", "ctl2")])
    with opened(store.place).connect() as connection:
        assert [one.machine for one in last_runs(connection)] == ["ctl1", "ctl2"]
        total, found = runs_of(connection, "lab", "drift", "ctl2", 10)
    assert (total, [one.machine for one in found]) == (2, ["ctl2", None])


def test_a_history_of_a_newer_hvctl_is_not_touched(store: Store) -> None:
    write(store, sees("2"), AT)
    with writing(opened(store.place)) as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '0099'")
    with pytest.raises(HistoryError, match=r"made by a newer hvctl \(schema 0099; this one knows 0010\)"):
        write(store, sees("4"), AT + HOUR)
    with _engine(store.place).connect() as connection:
        assert connection.execute(select(checks.c.finished)).scalars().all() == [AT]


@pytest.mark.parametrize("name", ["postgresql", "mysql", "mssql", "oracle"])
def test_the_tables_can_be_made_elsewhere(name: str) -> None:
    dialect = make_url(f"{name}://").get_dialect()()
    for table in metadata.sorted_tables:
        assert "CREATE TABLE hvctl_" in str(CreateTable(table).compile(dialect=dialect))


# --- where it lies, and that it cannot be had ----------------------------------------------------------------------


def test_it_lies_in_the_state_directory_unless_told_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert place(None).file == tmp_path / "state" / "hvctl" / "history.db"
    assert place("h.db") == Place("sqlite:///h.db", "h.db", Path("h.db"))
    assert place("sqlite:////var/h.db?timeout=3").file == Path("/var/h.db")
    assert place("postgresql://db/hvctl").file is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://hv:s3cret@db:5432/hvctl", "postgresql://hv:***@db:5432/hvctl"),
        ("postgresql://hv:s3@cr/e?t@db/hvctl?sslpassword=s3cret", "postgresql://hv:***@db/hvctl"),
        ("mysql+pymysql://hv@db/hvctl?password=s3cret", "mysql+pymysql://hv@db/hvctl"),
        ("mysql://db/hvctl?password=s3cret@home", "mysql://db/hvctl@home"),
    ],
)
def test_no_password_is_in_its_name(url: str, name: str) -> None:
    assert place(url).name == name
    assert "s3cret" not in repr(place(url))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("nonsense://u:s3cret@h/d", "Can't load plugin"),
        ("postgresql+nonsense://u:s3cret@h/d", "Can't load plugin"),
        ("mssql+pymssql://u:s3cret@h/d", "No module named"),
        ("no nonsense://u:s3cret@h/d", "this is no URL of a database"),
        ("sqlite://", "names no file"),
    ],
)
def test_a_place_that_is_none_is_said_without_its_password(given: str, says: str) -> None:
    with pytest.raises(HistoryError, match=says) as caught:
        write(Store(place(given)), sees(), AT)
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint


def test_a_driver_that_is_not_installed_is_told_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(HistoryError) as told:
        need_driver(place("postgresql+psycopg://u@h/db"))
    assert told.value.hint == "install it: python -m pip install 'hvctl[postgresql]'"


def test_a_file_that_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "h.db").write_text("not a database at all " * 100, encoding="utf-8")
    with pytest.raises(HistoryError, match="file is not a database") as caught:
        write(Store(place(str(tmp_path / "h.db"))), sees(), AT)
    assert "move the file away" in caught.value.hint
    assert (tmp_path / "h.db").read_text(encoding="utf-8").startswith("not a database")


def test_a_file_that_is_a_folder(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="unable to open database file"):
        write(Store(place(str(tmp_path))), sees(), AT)


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError, match=r"cannot be used: .*(exists|directory)"):
        write(Store(place(str(tmp_path / "file" / "h.db"))), sees(), AT)


def test_nothing_is_made_to_tell_that_there_is_nothing(tmp_path: Path) -> None:
    assert told(Store(place(str(tmp_path / "new" / "history.db")))) == ()
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_release_kept_as_texts_is_adopted_and_moves_nobody(tmp_path: Path) -> None:
    """Rows as the release with schema 0002 wrote them: the wanted size as "2 GB", a time as "90 min"."""
    file = tmp_path / "history.db"
    engine = _engine(place(str(file)))
    spots = {
        n: replace(COUNT, field=n) for n in ("agreed", "reworded", "drifted", "changed", "secret", "drifted-since")
    }
    old = {
        "agreed": ("2 GB", "2 GB"),
        "reworded": ("90 min", "90 min"),
        "drifted": ("2 GB", "2 GB"),
        "changed": ("2 GB", "1 GB"),
        "secret": (None, None),
        "drifted-since": ("90 min", "90 min"),
    }
    with writing(engine) as connection:
        migrate(connection, "0002")
        connection.exec_driver_sql(
            "INSERT INTO hvctl_hosts (id, name, address, looked) VALUES (1, 'hv01', 'hv01', '2026-02-28 12:00:00.000000')"
        )
        for n, (value, agreed) in old.items():
            connection.exec_driver_sql(
                "INSERT INTO hvctl_wishes (host_id, spot, address, field, file, value, since, agreed) "
                "VALUES (1, ?, ?, ?, ?, ?, '2026-02-01 12:00:00.000000', ?)",
                (key_of(spots[n]), json.dumps(COUNT.address.words), n, LAB, value, agreed),
            )
        connection.exec_driver_sql("INSERT INTO hvctl_covered VALUES (1, 'x', ?)", (LAB,))
    engine.dispose()

    def look(drifted: set[str]) -> Seen:
        told = dict.fromkeys(spots, ("json:2147483648", "text:2 GB"))
        told |= dict.fromkeys(("reworded", "drifted-since"), ("json:5400", "text:1 h 30 min"))
        wished = {key_of(s): Wished(s, told[n][0], LAB, told[n][1]) for n, s in spots.items()}
        wished[key_of(spots["secret"])] = Wished(spots["secret"], None, LAB, None)
        differing = {key_of(s): Difference(s, "x", "y", "", LAB, key_of(s)) for n, s in spots.items() if n in drifted}
        agreed = frozenset(wished.keys() - differing.keys())
        return Seen("hv01", None, differing, wished, agreed, covered=frozenset({LAB}))

    store = Store(place(str(file)))
    first = write(store, look({"drifted", "changed", "drifted-since"}), AT, {"hv01": "hv01"})
    moved = {n: first.since[key_of(s)].moved for n, s in spots.items() if key_of(s) in first.since}
    assert moved == {"drifted": "host", "changed": "wish", "drifted-since": "unknown"}
    assert {w.since.month for w in first.wishes.values()} == {2}  # wanted since then, not since the update
    again = write(store, look({"agreed", "reworded"}), AT + HOUR, {"hv01": "hv01"})
    assert {again.since[key_of(spots[n])].moved for n in ("agreed", "reworded")} == {"host"}
    with writing(opened(place(str(file)))) as connection:
        kept = connection.exec_driver_sql("SELECT value, agreed FROM hvctl_wishes").all()
    assert {str(v).partition(":")[0] for row in kept for v in row} == {"json", "None"}


def test_a_check_in_which_nothing_is_new_asks_the_same_of_the_database_for_many_hosts_as_for_few(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And reads no wish: there are hundreds for each host."""
    asked: list[str] = []

    def watched(place: Place) -> Engine:
        engine = opened(place)
        event.listen(engine, "before_cursor_execute", lambda c, cursor, text, *more: asked.append(text))
        return engine

    monkeypatch.setattr("hvctl.history.store.opened", watched)

    def again(hosts: int, at: datetime) -> list[str]:
        spots = [Spot(address_of(f"hv{n:02}", ("processor", "web01")), "count") for n in range(hosts)]
        asked.clear()
        store.write(Check("drift", ("lab.yml",), at, at, (), 0), [sees("4", spot) for spot in spots], at)
        return list(asked)

    again(40, AT)
    few, many = again(20, AT + HOUR), again(40, AT + 2 * HOUR)
    assert len(few) == len(many) < 24
    assert not [text for text in many if text.startswith("SELECT hvctl_wishes")]
    changed = write(store, sees("2", Spot(address_of("hv07", ("processor", "web01")), "count")), AT + 3 * HOUR)
    assert [(since.moved, since.wished) for since in changed.since.values()] == [("host", AT)]
