"""What is large costs as much more as it is larger; what has no end is refused by the name of a limit, at its place."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.ini import literal
from hvctl.config.inventory import Connection, Inventory
from hvctl.config.playbook import read_playbook, wishes
from hvctl.config.template import render, render_text
from hvctl.fleet.connect import Wire
from hvctl.text import limits
from hvctl.text.diagnostic import ConfigError, RefusedError
from hvctl.text.limits import ALIASED, FILE_SIZE, HOSTS, NESTING, TEMPLATE_SIZE, TEMPLATE_STEPS, TEMPLATE_VALUES, Limit
from hvctl.text.number import is_whole, real, whole
from hvctl.text.source import load, load_text

ROOT = Path(__file__).parent.parent


def work(of: Callable[[], object]) -> int:
    """How many functions are called: a measure that no other load of the machine changes."""
    count = 0

    def called(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        of()
    finally:
        sys.setprofile(before)
    return count


def linear(of: Callable[[int], Callable[[], object]], n: int) -> None:
    of(2)()  # what is kept from the first time on
    once, twice = work(of(n)), work(of(2 * n))
    assert twice < 2.3 * once, (once, twice)


def refused(text: str, variables: dict[str, Any] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        render("x " + text, variables or {}, load_text("a: 1", "f"))
    return str(caught.value)


# --- loading ----------------------------------------------------------------------------------------------------------


def chained(n: int) -> str:
    """Mappings that each merge the one before and say the same key again."""
    return "\n".join(f"a{i}: &a{i} {{{f'<<: *a{i - 1}, ' if i else ''}k: {i}}}" for i in range(n))


def test_merges_in_a_chain_cost_what_they_yield() -> None:
    linear(lambda n: lambda: load_text(chained(n), "f"), 200)
    assert load_text(chained(200), "f").data["a199"] == {"k": 199}


def test_a_chain_of_merges_has_no_end_by_recursion() -> None:
    text = "\n".join(f"k{i}: &a{i} {{{f'<<: *a{i - 1}' if i else 'k: 1'}}}" for i in range(3000))
    assert load_text(f"x:\n  {text.replace(chr(10), chr(10) + '  ')}\n  <<: *a2999", "f").data["x"]["k"] == 1


@pytest.mark.parametrize("name", ["h[1:{}]", "h[1:{}].lab"])
def test_a_range_of_hosts_costs_what_it_stands_for(tmp_path: Path, name: str) -> None:
    def loading(n: int) -> Callable[[], object]:
        file = tmp_path / f"{n}.yml"
        file.write_text(f"all: {{children: {{lab: {{hosts: {{'{name.format(n)}': }}}}}}}}\n")
        return lambda: Inventory.load(file)

    linear(loading, 300)
    found = Inventory.load(tmp_path / "300.yml")
    linear(lambda n: lambda: [found.variables(host) for host in list(found.hosts.values())[:n]], 100)
    (groups,) = {id(found.variables(host)["groups"]) for host in found.hosts.values()}
    assert groups


@pytest.mark.parametrize(
    "hosts",
    ["h[1:9999][1:9999]", "h[1:99999]", "h[1:" + "9" * 80 + "]", "h[a:z][a:z][a:z][a:z]"],
)
def test_ranges_that_multiply_are_refused_before_they_are_made(tmp_path: Path, hosts: str) -> None:
    file = tmp_path / "i.yml"
    file.write_text(f"all:\n  hosts:\n    '{hosts}': \n")
    with pytest.raises(ConfigError, match=re.escape(str(HOSTS))) as caught:
        Inventory.load(file)
    assert caught.value.problems[0].mark is not None
    assert caught.value.problems[0].mark.line == 3


@pytest.mark.parametrize(
    ("words", "playbook"),
    [
        ("inventory --graph", ""), ("inventory --list", ""), ("validate p.yml", "web01"),
        ("validate p.yml", "web{{ groups['lab'] | length }}"), ("validate p.yml", "{{ hostvars['h1'].site }}01"),
        ("validate p.yml -e site=x -l all:!h2", "{{ site }}"),
    ],
)  # fmt: skip
def test_verbs_cost_what_the_hosts_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, playbook: str
) -> None:
    def verb(n: int) -> Callable[[], object]:
        folder = tmp_path / str(n)
        (folder / "group_vars").mkdir(parents=True, exist_ok=True)
        (folder / "group_vars" / "lab.yml").write_text("{site: '{{ place }}', place: osaka}")
        hosts = f"all: {{vars: {{ansible_user: u}}, children: {{lab: {{hosts: {{'h[1:{n}]': }}}}}}}}\n"
        (folder / "inventory.yml").write_text(hosts)
        (folder / "p.yml").write_text(f'- hosts: all\n  vms: [{{name: "{playbook}"}}]\n')

        def run() -> None:
            monkeypatch.chdir(folder)
            assert main(words.split()) == 0, capsys.readouterr().err

        return run

    linear(verb, 150)


def test_groups_in_a_chain_cost_what_they_are(tmp_path: Path) -> None:
    def loading(n: int) -> Callable[[], object]:
        """The inner ones first, so that each has all the others below it when it is added."""
        file = tmp_path / f"{n}.ini"
        file.write_text("[g0]\nh\n" + "".join(f"[g{i + 1}:children]\ng{i}\n" for i in range(n)))
        return lambda: Inventory.load(file)

    assert loading(NESTING.most - 1)()
    with pytest.raises(RefusedError, match=re.escape(str(NESTING))) as caught:
        loading(5000)()
    assert caught.value.problems[0].mark is not None


def test_a_limit_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "i.ini").write_text("h1\n")
    with pytest.raises(ConfigError, match=re.escape(str(FILE_SIZE))):
        Inventory.load(tmp_path / "i.ini").limited("@/dev/zero")


def test_what_is_wrong_beside_a_playbook_is_looked_for_once(tmp_path: Path) -> None:
    (tmp_path / "play" / "group_vars").mkdir(parents=True)
    (tmp_path / "play" / "group_vars" / "all.yml").write_text("- x")

    def asking(n: int) -> Callable[[], object]:
        (tmp_path / f"{n}.yml").write_text(f"all: {{hosts: {{'h[1:{n}]': }}}}\n")
        inventory = Inventory.load(tmp_path / f"{n}.yml")

        def ask() -> None:
            for _ in range(n):
                with suppress(ConfigError):
                    inventory.beside(tmp_path / "play")

        return ask

    linear(asking, 100)


def test_an_inventory_of_too_many_ranges_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "i.ini"
    file.write_text("".join(f"h{letter}[1:{HOSTS.most // 3}]\n" for letter in "abcd"))
    with pytest.raises(ConfigError, match=re.escape(str(HOSTS))):
        Inventory.load(file)


BOMBS = {
    "lists": "\n".join([f"a0: &a0 [{', '.join('x' * 10)}]",
                        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))]),
    "mappings": "\n".join(["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{l: *a{n - 1}, r: *a{n - 1}}}" for n in range(1, 30))]),
    "merges": "\n".join([f"a: &a {{{', '.join(f'k{n}: 1' for n in range(400))}}}", f"b: {{<<: [{', '.join(['*a'] * 400)}]}}"]),
    "chain": "\n".join(f"a{i}: &a{i} {{{f'<<: *a{i - 1}, ' if i else ''}k{i}: 1}}" for i in range(2000)),
}  # fmt: skip


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_aliases_that_multiply_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(str(ALIASED))) as caught:
        load_text(text, "f")
    assert caught.value.problems[0].mark is not None


def test_a_chain_of_merges_with_keys_of_their_own_is_loaded() -> None:
    text = "\n".join(f"a{i}: &a{i} {{{f'<<: *a{i - 1}, ' if i else ''}k{i}: 1}}" for i in range(200))
    assert len(load_text(text, "f").data["a199"]) == 200


@pytest.mark.parametrize("text", ["[" * 5000, "{a: " * 5000, "- " * 500 + "x"])
def test_what_is_nested_without_end_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(str(NESTING))):
        load_text(text, "f")
    assert load_text("[" * NESTING.most + "]" * NESTING.most, "f").data


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(str(FILE_SIZE))):
        load("/dev/zero")
    file = tmp_path / "large.yml"
    file.write_bytes(b"#" * (FILE_SIZE.most + 1))
    with pytest.raises(ConfigError, match=re.escape(str(FILE_SIZE))):
        load(file)


# --- templates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", TEMPLATE_STEPS),
        ("{% for i in range(9) recursive %}{{ loop(range(99999)) if not loop.depth0 }}{% endfor %}", TEMPLATE_STEPS),
        ("{% macro m(n) %}{{ m(n - 1) ~ m(n - 1) if n else 'x' }}{% endmacro %}{{ m(60) }}", TEMPLATE_STEPS),
        ("{% for i in range(99999) %}{{ range(99999) | map('lower') | list | length }}{% endfor %}", TEMPLATE_STEPS),
        ("{{ 'a' * 10**9 }}", TEMPLATE_SIZE),
        ("{{ 10**9 * 'a' }}", TEMPLATE_SIZE),
        ("{{ [1] * 10**9 }}", TEMPLATE_SIZE),
        ("{{ '%1000000000d' % 1 }}", TEMPLATE_SIZE),
        ("{{ '%*d' % (1000000000, 1) }}", TEMPLATE_SIZE),
        ("{{ '{:1000000000}'.format(1) }}", TEMPLATE_SIZE),
        ("{{ '{:{w}}'.format(1, w=1000000000) }}", TEMPLATE_SIZE),
        ("{{ 'x'.center(10**9) }}", TEMPLATE_SIZE),
        ("{{ 'x'.ljust(width=10**9) if 0 else 'x'.zfill(10**9) }}", TEMPLATE_SIZE),
        ("{{ ('x' * 9999).replace('x', 'y' * 9999) }}", TEMPLATE_SIZE),
        ("{{ ('x' * 9999) | replace('x', 'y' * 9999) }}", TEMPLATE_SIZE),
        ("{{ ('y' * 9999).join(range(9999) | map('upper') | list) }}", TEMPLATE_SIZE),
        ("{{ range(9999) | map('upper') | join('y' * 9999) }}", TEMPLATE_SIZE),
        ("{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}", TEMPLATE_SIZE),
        ("{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x + n.x %}{% endfor %}", TEMPLATE_SIZE),
        ("{% set n = namespace(x=1) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}", TEMPLATE_SIZE),
        ("{% set x %}{% for i in range(999) %}{{ 'y' * 9999 }}{% endfor %}{% endset %}{{ x }}", TEMPLATE_SIZE),
        ("{% for i in range(999) %}{{ 'y' * 9999 }}{% endfor %}", TEMPLATE_SIZE),
        ("{{ 10**100000 }}", limits.DIGITS),
        ("{% set n = namespace(x=9**9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}", limits.DIGITS),
    ],
)  # fmt: skip
def test_an_expression_that_does_too_much_is_refused(text: str, limit: Limit) -> None:
    assert f"f:1:1: this expression does too much ({limit})" in refused(text)


def test_an_expression_that_yields_too_much_is_refused() -> None:
    doubling = {f"v{n}": f"{{{{ [v{n + 1}, v{n + 1}] }}}}" for n in range(18)} | {"v18": "x"}
    with pytest.raises(RefusedError, match=re.escape(str(TEMPLATE_VALUES))):
        render("{{ v0 }}", doubling, load_text("a: 1", "f"))
    assert str(TEMPLATE_SIZE) in refused(
        "{{ v0 }}", {n: v.replace(", ", "~") for n, v in doubling.items()} | {"v18": "x" * 9}
    )


def test_a_variable_is_evaluated_once_however_many_name_it() -> None:
    def variables(n: int) -> dict[str, Any]:
        """Each names the next three: exponentially many ways lead to the last."""
        names = [f"v{i}" for i in range(n)]
        return {v: f"{{{{ [{', '.join(names[i + 1 : i + 4])}] | length }}}}" for i, v in enumerate(names)}

    linear(lambda n: lambda: render("{{ v0 }}", variables(n), load_text("a: 1", "f")), 9)


def test_ordinary_expressions_are_far_from_the_limits() -> None:
    vms = [{"name": f"vm{n}", "disks": [{"size": n}] * 4} for n in range(300)]
    text = "{% for vm in vms %}{{ vm.name | upper }}-{{ vm.disks | length }}{{ ', ' if not loop.last }}{% endfor %}"
    assert render(text, {"vms": vms}, load_text("a: 1", "f")).endswith("VM299-4")
    assert render("{{ vms }}", {"vms": vms}, load_text("a: 1", "f")) == vms
    assert render("{{ 2**40 * 3 + 1 }}", {}, load_text("a: 1", "f")) == 2**40 * 3 + 1
    assert render("{{ '%-20s|' % 'a' }}{{ '{:>5}'.format(1) }}", {}, load_text("a: 1", "f")) == f"{'a':20}|    1"


def test_an_expression_is_read_once_for_all_hosts() -> None:
    text, document = "{{ a * 2 }}-{{ b | upper }}", load_text("a: 1", "f")
    first = work(lambda: render(text, {"a": 1, "b": "x"}, document))
    assert render(text, {"a": 2, "b": "y"}, document) == "4-Y"
    assert work(lambda: render(text, {"a": 3, "b": "z"}, document)) < first / 2


def test_templates_cannot_change_the_variables_of_the_next_host() -> None:
    shared = {"l": [1], "d": {"a": 1}}
    for text in ("{{ l.append(2) }}", "{{ d.update(b=2) }}", "{{ d.pop('a') }}"):
        assert "this expression does what it may not" in refused(text, shared)
    assert shared == {"l": [1], "d": {"a": 1}}


@pytest.mark.parametrize("text", ["{{ range }}", "{{ self }}", "{{ namespace(a=1) }}", "{{ ''.join }}", "{{ [dict] }}"])
def test_what_is_no_value_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(ConfigError, match="f:1:1: this expression yields no value"):
        render(text, {}, load_text("a: 1", "f"))


def test_an_if_without_else_is_nothing_in_a_text_and_no_value_alone() -> None:
    document = load_text("a: 1", "f")
    assert render("a{{ 'b' if false }}", {}, document) == "a"
    with pytest.raises(ConfigError, match="no else section was defined"):
        render("{{ 'b' if false }}", {}, document)


def test_what_is_made_on_the_way_is_a_list() -> None:
    document = load_text("a: 1", "f")
    assert render("{{ ['a', 'b'] | map('upper') }}", {}, document) == ["A", "B"]
    assert render("{{ {'a': 1}.items() }}", {}, document) == [["a", 1]]
    with pytest.raises(ConfigError, match="'nothing' is undefined"):
        render("{{ [nothing] }}", {}, document)


def test_a_file_for_a_guest_is_bounded_at_its_line() -> None:
    text = "one\n{% for i in range(99999) %}\n{{ 'x' * 999 }}\n{% endfor %}\n"
    with pytest.raises(RefusedError, match=r"t.j2:\d+:1: .*template size: at most"):
        render_text(text, "t.j2", {}, str)


def test_one_refusal_ends_the_work_for_all_hosts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "i.yml").write_text("all: {vars: {ansible_user: u}, hosts: {'h[1:500]': }}\n")
    text = '- hosts: all\n  vms: [{name: "{% for i in range(99999) %}{{ i | int | int }}{% endfor %}"}]\n'
    (tmp_path / "p.yml").write_text(text)

    def connect(connection: Connection, wire: Wire) -> Transport:
        raise AssertionError("a host was contacted")

    assert main(["-i", str(tmp_path / "i.yml"), "plan", str(tmp_path / "p.yml")], connect) == 1
    err = capsys.readouterr().err
    assert err.count("does too much") == 1
    assert "p.yml:2:16: " in err


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["²", "٣", "１２", "", "-1", "+1", "1_0", " 1", "9" * 101])
def test_digits_are_ascii_and_few(text: str) -> None:
    assert not is_whole(text)


def test_numbers_are_read_or_refused() -> None:
    assert (whole("007"), whole("0x1F", 0), real("1e3")) == (7, 31, 1000.0)
    for text in ("²", "１２", "9" * 5000, "x", ""):
        with pytest.raises(ValueError, match=r".+"):
            whole(text)
    for text in ("1e999", "nan", "inf", "１.５", "9" * 101):
        with pytest.raises(ValueError, match=r".+"):
            real(text)


def test_text_becomes_a_number_in_one_place_only() -> None:
    """`str.isdigit` is true of ², and a `\\d` of every script's digits: what they let pass, int() refuses or misreads."""
    files = [file for room in ("config", "core", "kinds", "text") for file in (ROOT / "hvctl" / room).rglob("*.py")]
    assert len(files) > 100
    for file in files:
        if file.name in ("filters.py", "unmet.py"):  # groups of a regular expression; the runner's own words
            continue
        text = file.read_text(encoding="utf-8")
        assert ".isdigit()" not in text, file.name
        assert not re.search(r'"[^"]*\\d', text), file.name


@pytest.mark.parametrize(
    "item",
    [
        "processor: {count: ²}", "memory: {startup: 99999999999999999999TB}", "memory: {startup: ٣GB}",
        f"memory: {{startup: {'9' * 200}}}", "disks: [{at: 'scsi ²:0', path: 'D:\\a.vhdx'}]",
        "network_adapters: [{name: a, vlan: {trunk: 1-4000000000, native: 1}}]", "version: '²'", "state: {a: b}",
        "state: [running]", "automatic_start_action: {a: b}", "checkpoint_maximum_age: 999999999999999999999d",
        f"notes: !!int {'9' * 5000}", "stop_timeout: ²m", "name: {a: b}",
    ],
)  # fmt: skip
def test_odd_values_in_fields_are_wrong_at_their_place(tmp_path: Path, item: str) -> None:
    name = "" if item.startswith("name") else "name: a, "
    (tmp_path / "p.yml").write_text(f"- hosts: all\n  vms: [{{{name}{item}}}]\n", encoding="utf-8")
    try:
        plays, problems = read_playbook(tmp_path / "p.yml")
        problems = [*problems, *wishes(plays, {})[1]]
    except ConfigError as error:
        problems = list(error.problems)
    assert [p.mark.line if p.mark else 0 for p in problems] == [2], problems


@pytest.mark.parametrize("text", ["9" * 5000, "0x" + "f" * 5000, "1e999", "{(1, 2): 3}", "[{None: 1}]", "'\\ud800'"])
def test_a_literal_of_an_ini_inventory_that_yaml_could_not_say_is_a_text(text: str) -> None:
    assert literal(text) == text


@pytest.mark.parametrize("value", ["9" * 5000, "²", "1e9", "0x10", ".inf", "[1]", "'٣'"])
def test_a_priority_is_a_number_or_wrong_at_its_place(tmp_path: Path, value: str) -> None:
    (tmp_path / "i.yml").write_text(f"g:\n  vars:\n    ansible_group_priority: {value}\n", encoding="utf-8")
    try:
        Inventory.load(tmp_path / "i.yml")
    except ConfigError as error:
        assert [p.mark.line for p in error.problems if p.mark] == [3]


@pytest.mark.parametrize(
    "name", ["h:²", "h:" + "9" * 5000, "h[²:3]", "h[1:²]", "h[1:3:²]", "h[1:" + "9" * 5000 + "]", "[]"]
)
def test_names_of_hosts_are_names_or_wrong(tmp_path: Path, name: str) -> None:
    for file, text in (("i.yml", f"all:\n  hosts:\n    '{name}':\n"), ("i.ini", f"[g]\n\n{name}\n")):
        (tmp_path / file).write_text(text, encoding="utf-8")
        try:
            Inventory.load(tmp_path / file)
        except ConfigError as error:
            assert [p.mark.line for p in error.problems if p.mark] == [3]


@pytest.mark.parametrize(
    "pattern", ["all[" + "9" * 5000 + "]", "all[²]", "all[0:" + "9" * 5000 + "]", "all[9-1]", "~(", "h["]
)
def test_patterns_name_hosts_or_are_wrong(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "i.ini").write_text("h1\nh2\n")
    with suppress(ConfigError):
        assert Inventory.load(tmp_path / "i.ini").select(pattern) is not None


def test_the_limits_are_documented() -> None:
    text = (ROOT / "docs" / "inventory.md").read_text(encoding="utf-8")
    for limit in vars(limits).values():
        if isinstance(limit, Limit):
            assert f"| {limit.name} | {limit.most:,} {limit.unit} |" in text, limit
