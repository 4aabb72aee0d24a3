"""Plain YAML scalars: what they mean, as YAML 1.1 and Ansible read them, and how they were written."""

from __future__ import annotations

import re
from typing import Any

import yaml

from hvctl.text.visible import quoted

_CORE = "tag:yaml.org,2002:"
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)|0x[0-9a-fA-F]+")
_FRACTION = re.compile(r"[-+]?(?:[0-9][0-9_]*)?\.[0-9]+(?:[eE][-+][0-9]+)?")
_RESOLVERS = yaml.SafeLoader.yaml_implicit_resolvers


class Written(str):
    """A scalar that fields and expressions read in different ways. It is the word that was written (`no`, `0644`,
    `10:15:50:01:02:03`), for a field that wants a word; `value` is what it is in an expression (False, 420, a number)."""

    value: Any

    def __new__(cls, text: str, value: Any) -> Written:
        made = super().__new__(cls, text)
        made.value = value
        return made

    def __getnewargs__(self) -> tuple[str, Any]:  # type: ignore[override]
        return (str(self), self.value)


class Given(Written):
    """name=value of the command line: text in an expression, as in Ansible; `field` is what a field reads alone."""

    field: Any

    @classmethod
    def of(cls, text: str, field: Any) -> Given:
        made = cls(text, text)
        made.field = field
        return made


class Settled(dict[str, Any]):
    """Holds neither expressions nor scalars that are read in different ways: however large, it is passed on as it is."""


def scalar(tag: str, text: str) -> Any:
    """What a scalar of this tag is. Raises ValueError or OverflowError for a text that the tag does not fit."""
    kind = tag.removeprefix(_CORE)
    if kind in ("bool", "int", "float", "null", "timestamp"):
        implicit = tag_of(text) == tag
        if not implicit and not _fits(kind, text):
            raise ValueError(f"{quoted(text)} is not a valid {kind}")
        try:
            value = _construct(kind, text)
        except (ValueError, KeyError, AttributeError) as error:
            if kind == "timestamp" and implicit:
                return text  # looks like a date, and is none: a version, a name
            raise ValueError(f"{quoted(text)} is not a valid {kind}") from error
        return value if not implicit or _as_meant(kind, text) else Written(text, value)
    return text


def key(tag: str, text: str) -> str:
    """A key of a mapping: always a word here, though `80: x` has the key 80 in an expression."""
    try:
        value = _construct(tag.removeprefix(_CORE), text) if tag.startswith(_CORE) else text
    except (ValueError, KeyError, AttributeError, OverflowError):
        return text
    return text if value == text else Written(text, value)


def meant(data: Any) -> Any:
    """The data as expressions see it."""
    if isinstance(data, Written):
        return data.value
    if isinstance(data, Settled):
        return data
    if isinstance(data, dict):
        return {meant(k): meant(v) for k, v in data.items()}
    return [meant(v) for v in data] if isinstance(data, list) else data


def words(data: Any) -> Any:
    """The data as it was written, whoever reads it."""
    if isinstance(data, Written):
        return str(data)
    if isinstance(data, dict):
        return {str(k): words(v) for k, v in data.items()}
    return [words(v) for v in data] if isinstance(data, list) else data


def for_field(data: Any) -> Any:
    """The data as a field reads it, where it came from the command line."""
    if isinstance(data, Given):
        return data.field
    if isinstance(data, dict):
        return {k: for_field(v) for k, v in data.items()}
    return [for_field(v) for v in data] if isinstance(data, list) else data


def _as_meant(kind: str, text: str) -> bool:
    """A field reads it as an expression does."""
    match kind:
        case "bool":
            return text.casefold() in ("true", "false")
        case "int":
            return bool(_DECIMAL.fullmatch(text))
        case "float":
            return bool(_FRACTION.fullmatch(text))
    return kind == "null"


def tag_of(text: str) -> str:
    """The tag of a scalar that has none written."""
    for tag, pattern in (*_RESOLVERS.get(text[:1], ()), *_RESOLVERS.get("*", ())):
        if pattern.match(text):
            return str(tag)
    return f"{_CORE}str"


def _fits(kind: str, text: str) -> bool:
    """A tag that is written makes a number of a text in quotes, not of any word."""
    kinds = {f"{_CORE}{kind}", f"{_CORE}int"} if kind == "float" else {f"{_CORE}{kind}"}
    return any(tag in kinds and pattern.match(text) for tag, pattern in _RESOLVERS.get(text[:1], ()))


def _construct(kind: str, text: str) -> Any:
    """With PyYAML's own constructors, which are Ansible's too."""
    node = yaml.ScalarNode(f"{_CORE}{kind}", text)
    maker = yaml.constructor.SafeConstructor()
    match kind:
        case "bool":
            return maker.construct_yaml_bool(node)
        case "int":
            return maker.construct_yaml_int(node)
        case "float":
            return maker.construct_yaml_float(node)
        case "null":
            return None
        case "timestamp":
            return maker.construct_yaml_timestamp(node)
    return text
