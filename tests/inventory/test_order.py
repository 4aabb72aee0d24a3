"""Which hosts a pattern names, and in which order: Ansible's answers, as ansible-core 2.19 gave them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.config.hostnames import Address, PatternError, address, expand
from hvctl.config.inventory import Inventory
from hvctl.text.diagnostic import ConfigError
from tests.inventory.folders import written

TREE = """
all:
  children:
    late: {children: {tokyo: , kyoto: }}
    tokyo: {hosts: {"hv[03:04]": , hv01: }}
    kyoto: {hosts: {k2: , k1: }}
    lab: {hosts: {hv05: , hv01: }, children: {kyoto: , tokyo: }}
    spare:
"""
ALL = ["hv03", "hv04", "hv01", "k2", "k1", "hv05"]


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return Inventory.load(written(tmp_path, {"inv.yml": TREE}) / "inv.yml")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("all", ALL), ("all[0]", ["hv03"]), ("all[-1]", ["hv05"]), ("*[0]", ["hv03"]), ("*[0:1]", ["hv03", "hv04"]),
        ("lab", ["hv05", "hv01", "k2", "k1", "hv03", "hv04"]), ("lab[0:1]", ["hv05", "hv01"]), ("lab[-1]", ["hv04"]),
        ("late[0]", ["hv03"]), ("hv*[0]", ["hv03"]), ("hv*[1:2]", ["hv04", "hv01"]), ("lab[2:]", ["k2", "k1", "hv03", "hv04"]),
        ("lab[1:0]", ["hv01"]), ("lab[7:9]", []), ("hv0[34]*", ["hv03", "hv04"]), ("hv03[0]", ["hv03"]),
        ("kyoto:tokyo", ["k2", "k1", "hv03", "hv04", "hv01"]), ("hv01,k1,hv01", ["hv01", "k1"]),
        ("tokyo,!hv*[0]", ["hv04", "hv01"]), ("!tokyo", ["k2", "k1", "hv05"]), ("&kyoto,lab", ["k2", "k1"]),
        ("spare", []), ("~(k|t).*o$", ["hv03", "hv04", "hv01", "k2", "k1"]), (" k1 , k2 ", ["k1", "k2"]),
    ],
)  # fmt: skip
def test_patterns_name_what_ansible_names(inventory: Inventory, pattern: str, names: list[str]) -> None:
    assert [h.name for h in inventory.select(pattern)] == names


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("lab[-1:]", "these brackets are not a subscript; write [0], [-1], [0:2] or [1:]"),
        ("lab[:2]", "are not a subscript"), ("lab[1:2:1]", "are not a subscript"), ("lab[]", "are not a subscript"),
        ("lab[9]", "there are only 6 hosts to count from"), (f"all[{'9' * 5000}]", "there are only 6 hosts"),
        ("~lab[0]", "'~lab[0]' names no host or group"), ("!", "stands alone"), ("hv01:5986", "names no host or group"),
        ("tokyo:kyoto,lab", "'tokyo:kyoto' names no host or group"), ("~(", "is not a valid regular expression"),
        ("localhost", "hvctl adds no implicit localhost"), ("@limit", "'@limit' names no host or group"),
    ],
)  # fmt: skip
def test_what_ansible_does_not_match_is_refused(inventory: Inventory, pattern: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        inventory.select(pattern)
    assert said in str(error.value)


def test_a_list_of_patterns_is_taken_one_by_one(inventory: Inventory) -> None:
    assert [h.name for h in inventory.select(["kyoto:!k2", "hv05"])] == ["k1", "hv05"]


def test_a_limit_keeps_the_order_of_the_pattern(inventory: Inventory, tmp_path: Path) -> None:
    (tmp_path / "limit").write_text("# hosts\nhv01\nkyoto[0]\n", encoding="utf-8")
    assert [h.name for h in inventory.select("lab", f"@{tmp_path / 'limit'}")] == ["hv01", "k2"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hv01:5986", Address("hv01", 5986)), ("[fd00::2]:5986", Address("fd00::2", 5986)), ("fd00::2", Address("fd00::2")),
        ("h:²", None), ("h:" + "9" * 5000, None), ("fd00::[1:3]", Address("fd00::[1:3]")), ("fd00::5[0:1]", None),
        ("a_.b", None), ("my host", None), ("fe80::1%eth0", None), ("", None),
    ],
)  # fmt: skip
def test_addresses(text: str, found: Address | None) -> None:
    assert address(text) == found


@pytest.mark.parametrize(
    "name", ["[0:0]" * 3000, "[0:9]" * 40, "h[1:99999999]", "h[1:3", "h[3:1]", "h[01:100]", "h[1:b]", "h[1]", "h[1:²]"]
)
def test_ranges_have_an_end(name: str) -> None:
    if name.startswith("[0:0]"):
        assert expand(name) == ["0" * 3000]
        return
    with pytest.raises(PatternError):
        expand(name)


def test_children_of_an_ini_inventory_stand_where_their_sections_do(tmp_path: Path) -> None:
    text = "[lab:children]\nb\na\n[a]\na1\n[b]\nb1\n"
    inventory = Inventory.load(written(tmp_path, {"hosts": text}) / "hosts")
    assert inventory.children["lab"] == ("a", "b")
    assert [h.name for h in inventory.select("lab")] == ["a1", "b1"]


def test_the_graph_and_the_list_show_ungrouped(inventory: Inventory) -> None:
    assert inventory.as_graph().splitlines()[:3] == ["@all:", "  |--@ungrouped:", "  |--@late:"]
    assert inventory.as_list()["all"]["children"][0] == "ungrouped"


def test_a_circle_is_told_at_its_place(tmp_path: Path) -> None:
    written(tmp_path, {"inv.yml": "a:\n  children:\n    b:\n      children:\n        a:\n"})
    with pytest.raises(ConfigError, match=r"inv\.yml:5:9: the group a would be within itself: it is above b"):
        Inventory.load(tmp_path / "inv.yml")
