"""What is on record of a host and is on another one now, or nowhere: it ends there, with the word for it, and goes on here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from hvctl.core.check import Check, Memory
from hvctl.history import place
from hvctl.history.past import Span, Stood
from hvctl.history.remember import remember
from hvctl.history.seen import Seen, Standing
from hvctl.history.store import Store
from mocks.estate import Estate
from tests.estates import test_clusters, test_moves
from tests.estates.harness import Session, written
from tests.history import test_standing
from tests.history.looks import AT, HOUR, told
from tests.history.test_standing import lines

WEB01 = ("vm", "web01")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(place(str(tmp_path / "history.db")))


def of(store: Store, host: str) -> list[Stood]:
    """What is told of VMs there; how the nodes of a cluster are is told beside it."""
    return [one for one in test_standing.of(store, host) if one.what != "cluster"]


def checked(session: Session, store: Store, at: datetime, *, apply: bool = False, covers: bool = True) -> Memory:
    """`covers`: no tags narrow it."""
    with session.run() as run:
        outcomes = run.plan(warm=apply, only_told=not apply)
        done = run.apply(outcomes, recheck=False) if apply else outcomes
        check = run.check("apply" if apply else "drift", ("site.yml",), done, 0, ("site.yml",) if covers else ())
    return remember(replace(check, finished=at), store).memory


def spans(store: Store, host: str, name: str = "web01") -> list[tuple[str, str, str]]:
    found: list[Span] = [s for past in told(store) if past.name == host for s in past.spans]
    return [(s.spot.field, s.ending, s.moved_to) for s in found if name in s.spot.address.names]


def drifted(own: Estate) -> None:
    """By somebody else, of web01 wherever it is."""
    for host in own.hosts.values():
        for vm in host.state.vms:
            if vm.name == "web01":
                vm.notes = "by hand"


@pytest.mark.parametrize("covers", [True, False])
def test_what_differs_goes_along_with_a_role(tmp_path: Path, store: Store, covers: bool) -> None:
    own = test_clusters.estate()
    session = test_clusters.session(tmp_path, own)
    checked(session, store, AT, apply=True, covers=covers)
    drifted(own)
    checked(session, store, AT + HOUR, covers=covers)
    assert spans(store, "hv01") == [("notes", "", "")]
    test_clusters.moved(own, "web01", "HV02")
    memory = checked(session, store, AT + 2 * HOUR, covers=covers)
    assert spans(store, "hv01") == [("notes", "moved", "hv02")]
    assert [(s.ending, s.moved_to) for s in of(store, "hv01")] == [("moved", "hv02")]
    assert spans(store, "hv02") == [("notes", "", "")]
    (since,) = memory.since.values()
    assert (since.first_seen, since.moved) == (AT + HOUR, "host"), "it is known whose doing it was, and since when"
    assert not memory.news, "nothing is new of it"
    test_clusters.moved(own, "web01", "HV01")
    own.hosts["hv01"].state.vms[-1].notes = "new"
    checked(session, store, AT + 3 * HOUR, covers=covers)
    assert spans(store, "hv02") == [("notes", "as wished", "")], "what is as wished where it is now has not moved"
    assert "moved to hv02" in lines(store)


def test_what_nobody_can_read_where_it_is_now_stays_open(tmp_path: Path, store: Store) -> None:
    own = test_clusters.estate()
    session = test_clusters.session(tmp_path, own)
    checked(session, store, AT)
    test_clusters.moved(own, "web01", "HV02")
    own.lose("hv02")
    checked(session, store, AT + HOUR)
    assert {ending for _, ending, _ in spans(store, "hv01")} == {""}
    assert [s.gone for host in ("hv01", "hv02") for s in of(store, host)] == [None, None], (
        "nor has either role been seen"
    )
    own.bring_back("hv02")
    checked(session, store, AT + 2 * HOUR)
    assert {ending for _, ending, _ in spans(store, "hv01")} == {"moved"}


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_removed_by_hand_is_no_longer_there(tmp_path: Path, store: Store, whole: bool) -> None:
    own = test_clusters.estate()
    session = test_clusters.session(tmp_path, own)
    checked(session, store, AT)
    cluster, here = test_clusters.state(own, "hv01").cluster, test_clusters.state(own, "hv01")
    assert cluster is not None
    cluster.roles = [r for r in cluster.roles if r.name != "web01"]
    here.vms[0].is_clustered = False
    if whole:
        here.vms = []
    memory = checked(session, store, AT + HOUR)
    assert [(s.name, s.ending) for s in of(store, "hv01")] == [("web01", "not there")]
    notes = [(field, ending) for field, ending, _ in spans(store, "hv01") if field == "notes"]
    assert notes == [("notes", "not there" if whole else "")]
    assert not memory.news.went, "that it cannot differ any more is no good news"


def test_what_an_apply_moved_from_a_host_is_over_there(store: Store) -> None:
    own = test_moves.estate()
    plain = "- hosts: hv03\n  vms: [{name: app01, notes: there}]\n"
    with test_moves.session(own, plain) as session:
        checked(session, store, AT)
        assert spans(store, "hv03", "app01") == [("notes", "", "")]
        written(session.folder, own, None, test_moves.PLAY)
        own.hosts["hv03"].state.vms[0].replication = None
        checked(session, store, AT + HOUR, apply=True, covers=False)
    assert spans(store, "hv03", "app01") == [("notes", "as wished", "")]


def test_a_replication_is_told_where_its_vm_is(store: Store) -> None:
    line = Standing.of("replication", "", "web01", "replicating to hv09, normal")

    def look(at: datetime, *found: Seen) -> None:
        store.write(Check("drift", ("lab.yml",), at, at, (), 0), found, at)

    there = frozenset({WEB01})
    look(AT, Seen("hv01", standings=(line,), there=there), Seen("hv02", elsewhere=((WEB01, "hv01"),)))
    gone = Seen("hv01", elsewhere=((WEB01, "hv02"),))
    look(AT + HOUR, gone, Seen("hv02", unreachable="refused"))
    assert [s.gone for s in of(store, "hv01")] == [None]
    look(AT + 2 * HOUR, gone, Seen("hv02", standings=(line,), there=there))
    assert [(s.ending, s.moved_to, s.gone) for s in of(store, "hv01")] == [("moved", "hv02", AT + 2 * HOUR)]
    look(AT + 3 * HOUR, gone, Seen("hv02", there=there, missing=frozenset({("replication", "web01")})))
    assert [(s.ending, s.gone) for s in of(store, "hv02")] == [("not there", AT + 3 * HOUR)]
