"""YAML as users write it, wrong in every way they do; and text that nobody would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.config.ini import load_ini
from hvctl.config.playbook import read_playbook, wishes
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark
from hvctl.text.source import SecretSource, load, load_text, suggest


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2", "f:2:1: the key 'a' stands here again; it stands at f:1:1 already"),
        ("a:\n\t- b", "f:2:1: a tab stands where YAML wants spaces; indent with spaces"),
        ("a: [1", "f:1:6: YAML cannot read this"),
        ("a: b: c", "f:1:5: a colon stands where no key can be; put the text in quotes"),
        ("a: *x", "f:1:4: found undefined alias 'x'; define the anchor"),
        ("- &a [*a]", "an alias refers to what it stands in"),
        ('p: "D:\\VMs"', "f:1:8: YAML cannot read this"),
        ("a: !vault x", "f:1:4: !vault takes what ansible-vault wrote"),
        ("a: !foo x", "f:1:4: unknown tag !foo; known are"),
        ("? [a]\n: b", "a key is a word"),
        ("a: 1\n---\nb: 2", "a second document begins here"),
        ("a: !env 1x", "!env takes the name of a variable"),
        ("a: !keyring x", "!keyring takes service/user"),
        ("a: !command pass", "!command takes a list"),
        ("a: {<<: 1}", "only a mapping can be merged"),
        ("a:\n b: \x00", "f:2:5: this is not YAML: the character U+0000 is not allowed; remove it"),
        ("a: !!int abc", "f:1:4: 'abc' is not a whole number; correct it, or remove !!int"),
        ("a: !!int ²", "f:1:4: '²' is not a whole number"),
        ("a: !!bool maybe", "f:1:4: 'maybe' is not true or false"),
        ("a: !!float nan", "f:1:4: 'nan' is not a number"),
        ("a: !!null x", "f:1:4: 'x' is not null"),
        ("a: 1.0e+999", "f:1:4: '1.0e+999' is not a number; correct it, or put it in quotes if it is a text"),
        (f"a: {'9' * 5000}", "f:1:4: this number is too long (digits of a number: at most 100 digits)"),
        (f"a: 0x{'f' * 5000}", "f:1:4: this number is too long (digits of a number: at most 100 digits)"),
        ("a: !!binary x", "f:1:4: unknown tag !!binary"),
        ("a: !!timestamp soon", "f:1:4: 'soon' is not a date"),
        ("a: !!set {b, c}", "f:1:4: unknown tag !!set"),
        ("a: !!python/object/apply:os.system [x]", "f:1:4: unknown tag !!python/object/apply:os.system"),
        ("%TAG !y! tag:x,2000:\n---\na: !y!y z", "f:3:4: unknown tag tag:x,2000:y"),
        ("a: !!str [b]", "f:1:4: !!str does not go with a list"),
        ("a: !!map b", "f:1:4: !!map does not go with a text"),
        ("!env A: 1", "a key is a word"),
        ('a: "\\ud800"', "f:1:4: a text cannot hold the character U+D800; remove its escape"),
        ('"\\0": b', "f:1:1: a text cannot hold the character U+0000"),
        ('a: "\\UFFFFFFFF"', "f:1:"),
        ("%YAML 99999999999.1\n---\na: 1", "f:1:"),
        ("a: &a\n  <<: *a", "f:2:3: an alias refers to what it stands in"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_text(text, "f")
    assert said in str(error.value)


def test_json_may_write_a_character_as_two_escapes() -> None:
    assert load_text(json.dumps({"a": "\N{GRINNING FACE}"}), "f").data == {"a": "\N{GRINNING FACE}"}


def test_a_problem_in_what_is_used_twice_is_told_once() -> None:
    with pytest.raises(ConfigError) as error:
        load_text("a: &a {b: !x y}\nc: *a\nd: {<<: *a}", "f")
    assert len(error.value.problems) == 1


def test_all_problems_are_told_together() -> None:
    with pytest.raises(ConfigError) as error:
        load_text("a: 1\na: 2\nb: !foo x\nc: {d: 1, d: 2}", "f")
    assert [p.mark for p in error.value.problems] == [Mark("f", 2, 1), Mark("f", 3, 4), Mark("f", 4, 11)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("true", True), ("FALSE", False),
        ("012", "012"), ("0x1F", 31), ("1_000", 1000), ("-3", -3), ("60:00", "60:00"), ("2026-01-01", "2026-01-01"),
        ("1.5", 1.5), ("1e3", "1e3"), ("~", None), ("null", None), ("", None), ("'5'", "5"), ("60GB", "60GB"),
        (".", "."), ("<<", "<<"),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(text: str, value: object) -> None:
    found = load_text(f"a: {text}", "f").data["a"]
    assert found == value
    assert isinstance(found, type(value))


def test_marks_lead_to_the_nearest_place() -> None:
    document = load_text("- a:\n    b: [1, {c: 2}]\n", "f")
    assert document.mark((0, "a", "b", 1, "c")) == Mark("f", 2, 16)
    assert document.mark((0, "a", "x", "y")) == Mark("f", 2, 5)
    assert document.key_marks[0, "a", "b"] == Mark("f", 2, 5)


def test_merged_values_keep_their_place_and_lose_to_what_is_written() -> None:
    document = load_text("x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz: {<<: [*x, *y], a: 9}\n", "f")
    assert document.data["z"] == {"a": 9, "b": 2, "c": 4}
    assert document.mark(("z", "c")) == Mark("f", 2, 17)


def test_aliases_that_multiply_are_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="multiply without end"):
        load_text("\n".join(lines), "f")


def test_secrets_are_named_not_read() -> None:
    data = load_text("a: !env X\nb: !keyring s/u\nc: !command [pass, show, x]", "f").data
    assert [(v.kind, v.words) for v in data.values() if isinstance(v, SecretSource)] == [
        ("env", ("X",)), ("keyring", ("s", "u")), ("command", ("pass", "show", "x")),
    ]  # fmt: skip
    assert repr(data["c"]) == "!command pass …"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    japanese = tmp_path / "sjis.yml"
    japanese.write_bytes("a: 1\nb: 仮想".encode("cp932"))
    with pytest.raises(ConfigError, match=":2:1: this is not UTF-8 text; save the file as UTF-8"):
        load(japanese)
    wide = tmp_path / "wide.yml"
    wide.write_bytes("a: 1".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"save the file as UTF-8 \(it may be UTF-16 now"):
        load(wide)
    with pytest.raises(ConfigError, match="not a valid file name"):
        load("a\0b")
    marked = tmp_path / "bom.yml"
    marked.write_bytes(b"\xef\xbb\xbfa: \xe4\xbb\xae")
    assert load(marked).data == {"a": "仮"}
    assert load_text("", "f").data is None


def test_suggestions() -> None:
    assert suggest("wieght", ["weight", "count"]) == "did you mean 'weight'?"
    assert suggest("zzz", ["weight"]) == ""
    assert str(Diagnostic(None, "m", "h")) == "m; h"


YAMLISH = st.text(alphabet=st.sampled_from(list("ab:- \n\t[]{}&*!#'\"|>%@`,?<=0123.~é仮\\")), max_size=80)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), YAMLISH))
def test_any_text_is_data_or_a_problem(text: str) -> None:
    for read in (load_text, load_ini):
        try:
            read(text, "f")
        except ConfigError as error:
            assert error.problems


VALUES: st.SearchStrategy[object] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 10**13), st.text("ab60GB:\\ {}", max_size=8), st.floats(0, 9)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["name", "vms", "switches", "host", "disks", "at", "path", "size", "memory", "dynamic", "startup", "vlan",
                 "network_adapters", "firmware", "boot_order", "ensure", "exclusive", "x", "hosts", "allow", "tags"]
            ),
            inner, max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(["hosts", "vms", "host", "switches", "vars", "allow"]), VALUES), max_size=2
    )
)
def test_any_playbook_is_wishes_or_problems(tmp_path_factory: pytest.TempPathFactory, plays: list[object]) -> None:
    file = tmp_path_factory.mktemp("fuzz") / "p.yml"
    file.write_text(json.dumps(plays), encoding="utf-8")
    try:
        found, problems = read_playbook(file)
        problems += wishes(found, {})[1]
    except ConfigError as error:
        problems = list(error.problems)
    assert all(p.message for p in problems)
