"""The schemas say what hvctl takes: everything that is written here passes, every wrong key and word is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from hvctl.cli import main
from hvctl.config.playbook import _PLAY_KEYS, read_playbook, wishes
from hvctl.core.fields import models_in
from hvctl.kinds import kinds, sections
from hvctl.reference.example import example
from hvctl.reference.item import Item, items
from hvctl.reference.schema import SCHEMAS
from tests.reference.editor import complaints, complaints_of, read

ROOT = Path(__file__).parent.parent.parent
CASES = sorted((ROOT / "tests" / "cases").glob("*/*.yaml"))
TEMPLATE = "{{ something }}"


@cache
def schema(name: str) -> dict[str, Any]:
    return SCHEMAS[name]()


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_is_a_schema_and_the_committed_file_is_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Draft7Validator.check_schema(schema(name))
    assert main(["schema", name]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == schema(name)
    assert printed == (ROOT / "schemas" / f"{name}.json").read_text(encoding="utf-8"), "run make docs"


EXAMPLES = sorted(f for f in (ROOT / "playbooks").glob("**/*.yml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda f: str(f.relative_to(ROOT)))
def test_every_example_passes_by_its_modeline(file: Path) -> None:
    assert complaints_of(file) == []


def test_there_are_examples_of_every_schema() -> None:
    named = {name for f in EXAMPLES for name in SCHEMAS if f"/{name}.json" in f.read_text(encoding="utf-8")}
    assert named == set(SCHEMAS)


def test_every_playbook_of_the_cases_passes_that_hvctl_takes() -> None:
    """The cases that expect calls hold every field in the ways that people write it."""
    checker, seen = Draft7Validator(schema("playbook")), 0
    for file in CASES:
        case = read(file.read_text(encoding="utf-8"))
        if "problems" in case or "calls" not in case:
            continue
        play = {"hosts": "all", **case["playbook"]}
        assert [f"{file.name}: {e.message[:300]}" for e in checker.iter_errors([play])] == []
        seen += 1
    assert seen > 250


DOCS = [*sorted((ROOT / "docs").glob("**/*.md")), ROOT / "README.md", ROOT / "README.ja.md"]


def _blocks() -> Iterator[Any]:
    """The playbooks in the documentation."""
    for file in DOCS:
        for block in re.findall(r"^```yaml\n(.*?)^```", file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            try:
                data = read(block)
            except yaml.YAMLError:
                continue  # two keys side by side, to compare
            if isinstance(data, list) and all(isinstance(p, dict) and "hosts" in p for p in data):
                yield pytest.param(data, id=f"{file.name}: {data[0].get('name', '')}")


@pytest.mark.parametrize("data", list(_blocks()))
def test_every_playbook_of_the_documentation_passes(data: Any) -> None:
    assert complaints(schema("playbook"), data) == []


# --- what is wrong is refused ------------------------------------------------------------------------------------------


def _within(item: Item, data: Any) -> Any:
    """Where the sections of an example stand: a role's are under `cluster:`."""
    return data if item.path[0] in data else data["cluster"]


def _placed(item: Item, key: str, value: Any) -> Any:
    """The item's example, with another key beside it."""
    data = example(item)
    at = _within(item, data)
    for part in item.path[:-1]:
        at = at[part]
        at = at[0] if isinstance(at, list) else at
    at[key] = value
    return [{"hosts": "all", **data}]


def _misspelt(key: str) -> Iterator[str]:
    yield f"{key}s"
    yield key[:-2] + key[-1] + key[-2] if key[-1] != key[-2] else key[:-1]
    yield key.replace("_", "-") if "_" in key else key.upper()


@pytest.mark.parametrize("item", items(), ids=lambda i: i.name)
def test_every_key_passes_and_a_misspelt_one_is_refused(item: Item) -> None:
    checker = Draft7Validator(schema("playbook"))
    known = {i.path[-1] for i in items() if i.path[:-1] == item.path[:-1]}
    value = _within(item, example(item))
    for part in item.path:
        value = value[part] if not isinstance(value, list) else value[0][part]
    assert list(checker.iter_errors(_placed(item, item.path[-1], value))) == []
    for wrong in set(_misspelt(item.path[-1])) - known:
        assert not checker.is_valid(_placed(item, wrong, value)), wrong


@pytest.mark.parametrize("item", items(), ids=lambda i: i.name)
def test_what_the_example_says_hvctl_takes(item: Item, tmp_path: Path) -> None:
    for name in ("vars/lab.yml", "files/app.conf", "templates/app.conf.j2", "templates/hosts.j2", "templates/unattend.xml",
                 *(f"templates/{n}.yaml" for n in ("user-data", "meta-data", "network-config", "vendor-data"))):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        text = "<unattend xmlns='urn:schemas-microsoft-com:unattend'/>" if name.endswith(".xml") else "{a: b}"
        file.write_text("#cloud-config\ninstance-id: b\n" if "data" in name else text)
    playbook = tmp_path / "p.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "all", **example(item)}], allow_unicode=True), encoding="utf-8")
    plays, problems = read_playbook(playbook)
    found, more = wishes(plays, {})
    assert [p.message for p in (*problems, *more) if p.level == "error"] == []
    assert len(plays) == 1
    assert found or len(item.path) == 1


def _shape(item: Item) -> dict[str, Any]:
    """As the schema has it."""
    assert item.model is not None
    owner = item.kind.__name__ if item.kind is not None and item.model is item.kind else item.model.__name__
    found: dict[str, Any] = schema("playbook")["definitions"][owner]["properties"][item.path[-1]]
    return found


def _enums(shape: dict[str, Any]) -> list[Any]:
    own = [w for s in (shape, *shape.get("anyOf", ())) for w in s.get("enum", ())]
    return [*own, *(w for s in (shape, *shape.get("anyOf", ())) if "items" in s for w in _enums(s["items"]))]


WITH_WORDS = [i for i in items() if i.info is not None and _enums(_shape(i))]


@pytest.mark.parametrize("item", WITH_WORDS, ids=lambda i: i.name)
def test_a_word_that_is_not_listed_is_refused_and_an_expression_is_not(item: Item) -> None:
    checker = Draft7Validator(schema("playbook"))
    listed = "items" in json.dumps(_shape(item))
    for word, fits in ((TEMPLATE, True), ("no such word", False), ("{ not one }", False), (7_777_777, False)):
        for value in ([word], word) if listed and not fits else (word,):
            assert checker.is_valid(_placed(item, item.path[-1], value)) is fits, (item.name, value)
    for word in _enums(_shape(item)):
        if not listed:
            assert checker.is_valid(_placed(item, item.path[-1], word)), word
            assert not checker.is_valid(_placed(item, item.path[-1], f"{word}x")), word


@pytest.mark.parametrize("item", [i for i in items() if i.info is not None], ids=lambda i: i.name)
def test_null_is_taken_where_it_means_something_and_an_expression_everywhere(item: Item) -> None:
    checker = Draft7Validator(schema("playbook"))
    assert checker.is_valid(_placed(item, item.path[-1], TEMPLATE))
    assert checker.is_valid(_placed(item, item.path[-1], None)) is bool(item.null)


def test_a_play_has_the_keys_that_hvctl_reads() -> None:
    play = schema("playbook")["items"]["properties"]
    assert set(play) == {*_PLAY_KEYS, *sections(None)}


def test_sections_may_be_expressions_and_the_keys_of_a_play_may_not() -> None:
    play = {"hosts": "all", "vms": TEMPLATE, "host": TEMPLATE, "switches": [TEMPLATE]}
    assert complaints(schema("playbook"), [play]) == []
    assert complaints(schema("playbook"), [{**play, "allow": ["restart", "anything"]}])
    assert complaints(schema("playbook"), [{**play, "allow": "restart, disconnect"}]) == []
    assert (
        complaints(schema("playbook"), [{**play, "hosts": ["a", "b"], "vms": [{"name": "x", "unattend": "u.xml"}]}])
        == []
    )
    assert complaints(schema("playbook"), [{"vms": []}])  # no hosts


@pytest.mark.parametrize("kind", kinds(), ids=lambda k: k.kind)
def test_a_definition_has_the_fields_of_its_model(kind: Any) -> None:
    definitions = schema("playbook")["definitions"]
    inner = [m for i in kind.model_fields.values() for m in models_in(i.annotation)]
    for model in (kind, *inner):
        written = {i.alias or n for n, i in model.model_fields.items()}
        assert written <= definitions[model.__name__]["properties"].keys()
        assert definitions[model.__name__]["additionalProperties"] is False


# --- the other files ------------------------------------------------------------------------------------------------------


def test_a_misspelt_variable_of_hvctl_is_refused_and_those_of_others_are_not() -> None:
    known = [n for n in schema("variables")["definitions"]["variables"]["properties"] if not n.startswith("ansible_h")]
    checker = Draft7Validator(schema("inventory"))

    def inventory(name: str, value: Any = "x") -> Any:
        return {"all": {"children": {"lab": {"hosts": {"hv01": {name: value}}, "vars": {name: value}}}}}

    for name in (n for n in known if n.startswith(("hvctl_", "ansible_winrm_"))):
        for wrong in set(_misspelt(name)) - {name.replace("_", "-")} - set(known):
            assert not checker.is_valid(inventory(wrong)), wrong
    for name in ("ansible_network_os", "ansible_ssh_common_args", "ntp_server", "ansible_winrm_kinit_mode"):
        assert complaints(schema("inventory"), inventory(name)) == []
    for wrong, value in (
        ("hvctl_os", "2003"),
        ("ansible_winrm_scheme", "ftp"),
        ("ansible_port", 0),
        ("hvctl_row_limit", "x"),
    ):
        assert not checker.is_valid(inventory(wrong, value)), wrong
    for right, given in (("hvctl_os", 2022), ("hvctl_os", "2012r2"), ("ansible_winrm_transport", "kerberos,ntlm"),
                         ("ansible_password", ["pass", "show"]), ("hvctl_line_limit", "4MB"),
                         ("ansible_port", TEMPLATE)):  # fmt: skip
        assert complaints(schema("inventory"), inventory(right, given)) == []


def test_a_wrong_key_of_a_group_or_of_a_price_list_is_refused() -> None:
    for wrong in ("host", "child", "variables", "Hosts"):
        assert complaints(schema("inventory"), {"all": {"hosts": {}, wrong: {}}})
    prices = {"currency": "EUR", "prices": {"memory_gb_hour": 0.1}}
    assert complaints(schema("prices"), prices) == []
    assert complaints(schema("prices"), {**prices, "curency": "EUR"})
    assert complaints(schema("prices"), {**prices, "owners": {"sales": {"memory_gb_hours": 1}}})
    assert complaints(schema("prices"), {**prices, "currency": "euro"})


def test_a_schema_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "playbok"]) == 1
    assert "there is no schema of playbok; did you mean 'playbook'?" in capsys.readouterr().err
