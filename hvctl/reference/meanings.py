"""What the fields mean: the lines of meanings.yaml."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from hvctl.core.fields import Fields


@dataclass(frozen=True)
class Meaning:
    """`example`: a value that the field takes; None where its type has one. `beside`: what must be written with it.
    `cmdlet`: what changes it, where that is not the setter of its kind."""

    text: str = ""
    example: Any = None
    beside: Mapping[str, Any] = field(default_factory=dict)
    cmdlet: str = ""


NONE = Meaning()


@cache
def meanings() -> Mapping[str, Mapping[str, Meaning]]:
    """By class and field."""
    data = yaml.safe_load(files(__package__).joinpath("meanings.yaml").read_text(encoding="utf-8"))
    return {name: {key: _meaning(said) for key, said in fields.items()} for name, fields in data.items()}


def _meaning(said: Any) -> Meaning:
    if isinstance(said, str):
        return Meaning(said)
    return Meaning(said["means"], said.get("example"), said.get("beside", {}), said.get("cmdlet", ""))


def meaning(model: type[Fields], name: str, written: str) -> Meaning:
    """Of a field, by the class that declares it; `written`: its name in the playbook."""
    return meanings().get(declared_in(model, name), {}).get(written, NONE)


def declared_in(model: type[Fields], name: str) -> str:
    return next(c.__name__ for c in model.__mro__ if name in inspect.get_annotations(c))
