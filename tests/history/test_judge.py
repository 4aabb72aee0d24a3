"""What begins, lasts and ends, and whose doing it is: of values alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hvctl.core.check import Moved, Since, Spot
from hvctl.history.judge import Absence, Ended, Judged, Known, Open, Wish, judged
from hvctl.history.seen import Difference, Seen, Wished, comparable, key_of, sentence, shown
from hvctl.kinds import address_of

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE = AT - timedelta(days=3, hours=4)
LAB = "/lab.yml"
COUNT = Spot(address_of("hv01", ("processor", "web01")), "count")
KEY = key_of(COUNT)
FAMILY = ("processor", "web01")


def sees(wanted: str | None = "4", now: str = "4", **more: object) -> Seen:
    """A look at one field of a host."""
    differs = now != wanted
    plain = Seen(
        "hv01",
        differing={KEY: Difference(COUNT, now, str(wanted), "", LAB, KEY)} if differs else {},
        wished={KEY: Wished(COUNT, wanted, LAB)},
        agreed=frozenset() if differs else frozenset({KEY}),
        covered=frozenset({LAB}),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def after(result: Judged, known: Known, seen: Seen, at: datetime) -> Known:
    """What is on record when that was stored."""
    left = {key: row for key, row in known.open.items() if row.id not in result.ended}
    rows = {key: replace(row, moved=result.since[key].moved) for key, row in left.items() if key in result.since}
    new = {
        key: Open(len(known.open) + 1, d.spot, d.file, at, result.since[key].moved) for key, d in result.begun.items()
    }
    wishes = {k: w for k, w in {**known.wishes, **result.wishes}.items() if k not in result.forgotten}
    return Known(at, {**left, **rows, **new}, wishes, known.covered | seen.covered)


def told(*looks: Seen) -> Since:
    """What is said of the field at the last of several looks, an hour apart."""
    known, at, result = Known(), BEFORE, Judged()
    for look in looks:
        result = judged(known, look, at)
        known, at = after(result, known, look, at), at + timedelta(hours=1)
    return result.since[KEY]


@pytest.mark.parametrize(
    ("looks", "moved"),
    [
        ([sees("4", "4"), sees("4", "2")], "host"),
        ([sees("4", "4"), sees("8", "4")], "wish"),
        ([sees("4", "4"), sees("8", "2")], "wish"),  # both moved; what is wanted was never there
        ([sees("4", "2")], "unknown"),
        ([sees("4", "2"), sees("8", "2")], "unknown"),
        ([sees("4", "4"), sees("4", "2"), sees("8", "2")], "wish"),
        ([sees("4", "4"), sees("8", "4"), sees("4", "8")], "host"),
        ([sees(None, "***")], "unknown"),
        ([sees(None, "***", agreed=frozenset({KEY}), differing={}), sees(None, "2")], "unknown"),
        # The playbook was looked at in full and did not say it: it says it now.
        ([sees(wished={}, agreed=frozenset()), sees("4", "2")], "wish"),
        ([sees(wished={}, agreed=frozenset()), sees("4", "2"), sees("4", "2")], "wish"),
        ([sees(wished={}, agreed=frozenset(), covered=frozenset()), sees("4", "2")], "unknown"),
    ],
)
def test_the_side_that_left_what_was_agreed_has_moved(looks: list[Seen], moved: Moved) -> None:
    assert told(*looks).moved == moved


def test_since_when_it_differs_and_since_when_it_is_wanted() -> None:
    looks = [sees("4", "4"), sees("4", "2"), sees("8", "2"), sees("8", "2")]
    assert told(*looks[:2]) == Since(BEFORE + timedelta(hours=1), "host", BEFORE)
    assert told(*looks) == Since(BEFORE + timedelta(hours=1), "wish", BEFORE + timedelta(hours=2))


def known(**more: object) -> Known:
    row = Open(7, COUNT, LAB, BEFORE, "host")
    plain = Known(BEFORE, {KEY: row}, {KEY: Wish("4", BEFORE, "4", COUNT, LAB)}, frozenset({LAB}))
    return replace(plain, **more)  # type: ignore[arg-type]


def test_what_is_seen_as_wished_is_gone() -> None:
    result = judged(known(), sees("4", "4"), AT)
    assert result.ended == {7: Ended(COUNT, "as wished")}
    assert result.since == {}


@pytest.mark.parametrize(
    "look",
    [
        Seen("hv01"),  # a saved plan that was refused: nothing is known
        Seen("hv01", unreachable="connection refused"),
        sees(differing={}, agreed=frozenset()),  # wished, and could not be read
        sees(differing={}, agreed=frozenset(), wished={}, covered=frozenset({"/other.yml"})),
        sees(differing={}, agreed=frozenset(), wished={}, covered=frozenset()),  # only some tags
        sees(differing={}, agreed=frozenset(), wished={}, unsearched=frozenset({FAMILY})),
    ],
)
def test_what_was_not_looked_at_stays_open(look: Seen) -> None:
    result = judged(known(), look, AT)
    assert result.ended == {}
    assert result.forgotten == frozenset()


def test_what_the_playbook_no_longer_says_is_no_longer_wished() -> None:
    result = judged(known(), sees(differing={}, agreed=frozenset(), wished={}), AT)
    assert result.ended == {7: Ended(COUNT, "not wished")}
    assert result.forgotten == {KEY}


def test_what_an_exclusive_list_no_longer_finds_is_gone() -> None:
    look = sees(differing={}, agreed=frozenset(), wished={}, searched=frozenset({FAMILY}), covered=frozenset())
    assert judged(known(), look, AT).ended == {7: Ended(COUNT, "as wished")}


def test_a_host_that_is_lost_and_comes_back() -> None:
    away = Seen("hv01", unreachable="connection refused")
    first = judged(known(), away, AT)
    assert (first.unreachable, first.lost, first.back) == (AT, True, False)
    again = judged(known(absence=Absence(1, BEFORE)), away, AT)
    assert (again.unreachable, again.lost, again.back) == (BEFORE, False, False)
    back = judged(known(absence=Absence(1, BEFORE)), sees("4", "4"), AT)
    assert (back.unreachable, back.lost, back.back) == (None, False, True)


def test_a_check_that_arrives_after_a_newer_one_changes_nothing() -> None:
    late = judged(known(looked=AT + timedelta(minutes=2)), sees("4", "2"), AT)
    assert late == Judged({KEY: Since(BEFORE, "host")}, late=True)


def test_a_clock_that_was_wrong_does_not_stop_the_history() -> None:
    result = judged(known(looked=AT + timedelta(days=700)), sees("4", "4"), AT)
    assert result.ended == {7: Ended(COUNT, "as wished")}


def test_names_are_the_same_in_every_spelling() -> None:
    assert key_of(Spot(address_of("hv01", ("processor", "WEB01")), "count")) == KEY
    assert key_of(Spot(address_of("hv01", ("processor", "web01")), "weight")) != KEY


def test_what_is_kept_can_be_kept_and_is_no_secret() -> None:
    assert comparable("4") == "4"
    assert comparable("user: ***") is None
    long = comparable("x" * 1000)
    assert long is not None and long.startswith("sha256:")
    assert long != comparable("x" * 1001)
    assert shown("a\0b\udc80") == "a\ufffdb?"
    assert (len(shown("x" * 1000)), len(sentence("x" * 1000)), len(sentence("x" * 9000))) == (400, 1000, 2000)
