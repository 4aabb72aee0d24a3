"""A file as an editor's language server reads it: YAML 1.2, tags that it was told of, the schema that the modeline names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

MODELINE = re.compile(r"^# yaml-language-server: \$schema=(\S+)$", re.MULTILINE)
_CORE = "tag:yaml.org,2002:"


class _Core(yaml.SafeLoader):
    """The core schema of YAML 1.2: yes, no, on and off are words, 0644 is a number like any other."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  PyYAML's own, of all its loaders


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN"),
):
    _Core.add_implicit_resolver(f"{_CORE}{_tag}", re.compile(_pattern), [*_first, *([""] if _tag == "null" else [])])


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> Any:
    """!env, !keyring and !vault are texts, !command a list."""
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Core.add_multi_constructor("!", _tagged)


def read(text: str) -> Any:
    return yaml.load(text, _Core)


def complaints(schema: dict[str, Any], data: Any) -> list[str]:
    """Where, and what, the deepest reasons first."""
    return [
        f"{'.'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in Draft7Validator(schema).iter_errors(data)
    ]


def complaints_of(file: Path) -> list[str]:
    """By the schema that its modeline names."""
    text = file.read_text(encoding="utf-8")
    found = MODELINE.search(text)
    assert found, f"{file} has no modeline"
    schema = json.loads((file.parent / found[1]).read_text(encoding="utf-8"))
    return complaints(schema, read(text))
