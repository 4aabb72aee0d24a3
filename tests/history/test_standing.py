"""Where roles were, how replications went and what hvctl moved: from a plan into the history, and told again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hvctl.core.check import Check
from hvctl.core.impact import IMPACTS
from hvctl.history import place
from hvctl.history.past import Stood
from hvctl.history.record import KEPT
from hvctl.history.remember import remember
from hvctl.history.seen import Seen, Standing
from hvctl.history.store import Store
from hvctl.show.history import history_data, history_lines
from mocks.estate import Estate
from tests.estates import test_clusters, test_moves, test_replica_playbook
from tests.estates.harness import Session, written
from tests.history.looks import AT, HOUR, told
from tests.history.postgresql import Server

DATABASES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.xdist_group("postgresql")))


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return Store(place(str(tmp_path / "new" / "history.db")))
    server: Server = request.getfixturevalue("postgresql")
    return Store(place(server.new()))


def looked(store: Store, at: datetime, **hosts: Sequence[Standing] | None) -> None:
    """None: it was not reached."""
    found = [
        Seen(name, unreachable="refused") if own is None else Seen(name, standings=tuple(own))
        for name, own in hosts.items()
    ]
    store.write(Check("drift", ("lab.yml",), at, at, (), 0), found, at)


def role(node: str, name: str = "web01", unit: str = "hvcl01") -> Standing:
    return Standing("role", unit, name, f"on {node}")


def replication(standing: str, lag_s: int | None = None) -> Standing:
    return Standing("replication", "", "web01", standing, lag_s)


def of(store: Store, host: str) -> list[Stood]:
    return [one for past in told(store) if past.name == host for one in past.standings]


def test_a_role_on_its_way_from_node_to_node(store: Store) -> None:
    looked(store, AT, hv01=[role("HV01")], hv02=[])
    looked(store, AT + HOUR, hv01=[role("HV01")], hv02=[])
    looked(store, AT + 2 * HOUR, hv01=[], hv02=[role("HV02")])
    (was,), (now,) = of(store, "hv01"), of(store, "hv02")
    assert (was.standing, was.first_seen, was.last_seen, was.gone) == ("on HV01", AT, AT + HOUR, AT + 2 * HOUR)
    assert (now.standing, now.first_seen, now.gone) == ("on HV02", AT + 2 * HOUR, None)
    looked(store, AT + 3 * HOUR, hv01=[role("HV01")], hv02=None)  # a node that is not reached has it no more either
    assert [s.gone for s in of(store, "hv01")] == [AT + 2 * HOUR, None]
    assert of(store, "hv02")[0].gone == AT + 3 * HOUR


def test_of_another_cluster_or_another_check_nothing_ends(store: Store) -> None:
    looked(store, AT, hv01=[role("HV01")], hv02=[role("HV02", unit="hvcl02")])
    looked(store, AT + HOUR, hv03=[role("HV03")])
    looked(store, AT + 2 * HOUR, hv01=[], hv02=[])  # of a playbook that says nothing of it
    assert [(s.gone, s.last_seen) for host in ("hv01", "hv02") for s in of(store, host)] == [(None, AT)] * 2


def test_a_replication_and_how_far_it_is_behind(store: Store) -> None:
    for n, lag in enumerate((5, 900, 40)):
        looked(store, AT + n * HOUR, hv01=[replication("replicating to hv02, normal", lag)])
    looked(store, AT + 3 * HOUR, hv01=[replication("paused to hv02, warning")])
    first, second = of(store, "hv01")
    assert (first.lag_s, first.most_lag_s, first.last_seen, first.gone) == (40, 900, AT + 2 * HOUR, AT + 3 * HOUR)
    assert (second.standing, second.lag_s, second.most_lag_s) == ("paused to hv02, warning", None, None)


def test_each_move_is_told(store: Store) -> None:
    move = Standing("move", "", "app01", "move app01 to hv04")
    looked(store, AT, hv03=[move])
    looked(store, AT + HOUR, hv03=[move])
    assert [(s.first_seen, s.gone) for s in of(store, "hv03")] == [(AT, AT), (AT + HOUR, AT + HOUR)]


def test_a_look_that_comes_late_changes_nothing(store: Store) -> None:
    looked(store, AT + HOUR, hv01=[role("HV01")], hv02=[])
    looked(store, AT, hv01=[], hv02=[role("HV02")])
    assert [s.gone for s in of(store, "hv01")] == [None]
    assert of(store, "hv02") == []


def test_what_nobody_has_seen_for_long_is_pruned(store: Store) -> None:
    looked(store, AT, hv01=[role("HV01")])
    looked(store, AT + KEPT + HOUR, hv01=[role("HV01", "web02")])
    assert [s.name for s in of(store, "hv01")] == ["web02"]


# --- as it comes from hosts --------------------------------------------------------------------------------------------


def checked(session: Session, store: Store, at: datetime, *, apply: bool = False) -> None:
    with session.run() as run:
        outcomes = run.plan(warm=apply, only_told=not apply)
        done = run.apply(outcomes, recheck=False) if apply else outcomes
        check = run.check("apply" if apply else "drift", ("site.yml",), done, 0)
    remember(replace(check, finished=at), store)


def lines(store: Store) -> str:
    now = AT + 9 * HOUR
    return "\n".join(line.plain for line in history_lines(told(store), "all", AT, now, "h.db", everything=True))


@pytest.fixture
def here(tmp_path: Path) -> Store:
    return Store(place(str(tmp_path / "history.db")))


def test_roles_of_a_cluster(tmp_path: Path, here: Store) -> None:
    own = test_clusters.estate()
    session = test_clusters.session(tmp_path, own)
    checked(session, here, AT)
    test_clusters.moved(own, "web01", "hv02")
    checked(session, here, AT + HOUR)
    assert [(s.what, s.name, s.standing, s.gone) for s in of(here, "hv01")] == [
        ("role", "web01", "on HV01", AT + HOUR),
        ("cluster", "hvcl01", "HV01 up, HV02 up", None),
    ]
    assert [(s.unit, s.name, s.standing, s.gone) for s in of(here, "hv02")] == [
        ("hvcl01", "web01", "on HV02", None),
        ("hvcl01", "web02", "on HV02", None),
    ]
    assert "role web01: on HV02, since " in lines(here)


def test_a_replication_as_it_comes_from_its_host(tmp_path: Path, here: Store) -> None:
    own: Estate = test_replica_playbook.estate("2022")
    written(tmp_path, own, {}, test_replica_playbook.PLAYS)
    session = Session(own, tmp_path, frozenset(IMPACTS))
    test_replica_playbook.set_up(session)
    checked(session, here, AT)
    own.hosts["hv01"].invoke("Suspend-VMReplication", {"VMName": "web01"})
    checked(session, here, AT + HOUR)
    first, second = of(here, "hv01")
    assert first.standing.startswith("replicating to ") and first.standing.endswith(", normal")
    assert first.lag_s == 5 and first.gone == AT + HOUR
    assert second.standing.startswith("paused to ")
    assert ", lag 5 s" in lines(here)


def test_a_move_that_an_apply_made(here: Store) -> None:
    on = test_moves.estate()
    with test_moves.session(on) as session:
        checked(session, here, AT, apply=True)
    (move,) = of(here, "hv03")
    assert (move.what, move.name, move.first_seen) == ("move", "app01", AT) and "hv04" in move.standing
    data = json.loads(json.dumps(history_data(told(here), AT, datetime.now(UTC))))
    (found,) = [host["standings"] for host in data["hosts"] if host["host"] == "hv03"]
    assert [one["what"] for one in found] == ["move"]
