"""A kept text holds references and keyed hashes instead of what came encrypted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hvctl.call import Secret
from hvctl.config.inventory import Inventory
from hvctl.config.vault import Vault
from hvctl.saved.sealing import Sealing
from hvctl.text.diagnostic import ConfigError
from tests.inventory.folders import written
from tests.inventory.sealing import sealed

TEXT = json.dumps(
    {"hosts": [{"name": "h1", "path": r"D:\hidden-name\first-of-two.vhdx", "n": 5, "text": "plain"}]}, indent=1
)


def sealing(folder: Path, name: str = "hidden-name", password: str = "correct horse") -> Sealing:
    text = sealed(f"vm: {name}\nmore: [{{x: first-of-two}}, short]\n", password)
    written(folder, {"inv.yml": "lab: {hosts: {h1: , h2: }}", "group_vars/lab.yml": text})
    vault = Vault((Secret(password),))
    return Sealing(Inventory.load(folder / "inv.yml", vault), vault)


def test_values_are_references_and_come_back(tmp_path: Path) -> None:
    found = sealing(tmp_path)
    kept = found.sealed(TEXT)
    assert "hidden-name" not in kept
    assert "first-of-two" not in kept
    assert json.loads(kept)["hosts"][0]["path"]["$vault"][1]["variable"] == ["h1", "vm"]
    assert json.loads(found.opened(kept)) == json.loads(TEXT)
    assert json.loads(sealing(tmp_path).opened(kept)) == json.loads(TEXT)
    assert found.sealed(TEXT) != kept  # the same value has another hash in another file


def test_another_value_or_password_is_refused(tmp_path: Path) -> None:
    kept = sealing(tmp_path).sealed(TEXT)
    for other in ({"name": "another-name"}, {"password": "another password"}):
        with pytest.raises(
            ConfigError, match="the encrypted variable vm of h1 is not what it was when the plan was made"
        ):
            sealing(tmp_path, **other).opened(kept)
    changed = json.loads(kept)
    changed["hosts"][0]["path"]["$vault"][1]["variable"] = ["h9", "vm"]
    with pytest.raises(ConfigError, match="names an encrypted variable that the inventory does not have"):
        sealing(tmp_path).opened(json.dumps(changed))


def test_what_holds_nothing_encrypted_stays_as_it_is(tmp_path: Path) -> None:
    found = sealing(tmp_path)
    for text in ('{"a": "short and plain"}', "not JSON", "[1]", '{"vault_salt": 5}'):
        assert found.opened(text) == text
    assert found.sealed('{"a": "short"}') == '{"a": "short"}'
