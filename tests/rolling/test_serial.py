"""The sizes of batches: what may be written, and which hosts come when."""

from __future__ import annotations

import pytest

from hvctl.core.serial import Serial
from hvctl.fleet.rolling import batches


def sizes(text: str, hosts: int) -> list[int]:
    return [len(batch) for batch in Serial.of_words(text.split(",")).batches(range(hosts))]


@pytest.mark.parametrize(
    ("text", "hosts", "found"),
    [
        ("1,10%,100%", 30, [1, 3, 26]),
        ("2", 5, [2, 2, 1]),
        ("10%", 30, [3] * 10),
        ("10%", 4, [1, 1, 1, 1]),
        ("100%", 7, [7]),
        ("1,3", 8, [1, 3, 3, 1]),
        ("50", 7, [7]),
        ("1", 0, []),
        (" 5 , 50 % ", 12, [5, 6, 1]),
    ],
)
def test_the_last_size_goes_on_until_no_host_is_left(text: str, hosts: int, found: list[int]) -> None:
    assert sizes(text, hosts) == found


@pytest.mark.parametrize("words", [["0"], ["-1"], ["101%"], ["0%"], ["ten"], [""], [True], [None], [1.5], [], [[1]]])
def test_what_is_no_size_is_refused(words: list[object]) -> None:
    with pytest.raises(ValueError, match=r"batch|number of hosts"):
        Serial.of_words(words)


def test_hosts_of_plays_with_different_sizes_are_in_batches_of_their_own() -> None:
    canary, pairs = Serial(("1", "100%"), "a.yml:1"), Serial(("2",), "b.yml:1")
    serials = {"a1": canary, "a2": canary, "a3": canary, "b1": pairs, "b2": pairs, "b3": pairs}
    hosts = ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3"]
    assert batches(hosts, serials, {}) == [("c1", "c2"), ("a1",), ("a2", "a3"), ("b1", "b2"), ("b3",)]


def test_hosts_that_are_planned_together_come_together() -> None:
    one = Serial(("1",), "--serial")
    unit = ["h1", "h3", "away"]
    found = batches(["h1", "h2", "h3", "h4"], dict.fromkeys(("h1", "h2", "h3", "h4"), one), dict.fromkeys(unit, unit))
    assert found == [("h1", "h3"), ("h2",), ("h4",)]
