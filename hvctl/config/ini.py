"""Ansible's INI inventory → its statements, line by line, with marks."""

from __future__ import annotations

import ast
import math
import re
import shlex
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hvctl.config.hostnames import PatternError, named
from hvctl.text.diagnostic import Diagnostic, Mark
from hvctl.text.limits import DIGITS
from hvctl.text.source import UNTEXT
from hvctl.text.visible import quoted

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?")
_GROUP = re.compile(r"([^:\]\s]+)\s*(?:#.*)?")


@dataclass(frozen=True)
class Section:
    """A heading: what follows is the group's hosts, variables or children."""

    group: str
    part: Literal["hosts", "vars", "children"]
    mark: Mark


@dataclass(frozen=True)
class HostLine:
    """Hosts of the section's group, with the variables that stand beside them."""

    names: tuple[str, ...]
    port: int | None
    variables: Mapping[str, Any]
    mark: Mark


@dataclass(frozen=True)
class VariableLine:
    name: str
    value: Any
    mark: Mark


@dataclass(frozen=True)
class ChildLine:
    name: str
    mark: Mark


Statement = Section | HostLine | VariableLine | ChildLine


def load_ini(text: str, file: str) -> tuple[list[Statement], list[Diagnostic]]:
    """And every line that cannot be read."""
    problems: list[Diagnostic] = []
    found: list[Statement] = []
    part: str = "hosts"
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if not words or words[0] in "#;":
            continue
        mark = Mark(file, number, line.index(words) + 1)
        try:
            statement = _section(words, mark) or _statement(part, words, mark)
        except ValueError as error:
            message, _, hint = str(error).partition("; ")
            problems.append(Diagnostic(mark, message, hint))
            continue
        part = statement.part if isinstance(statement, Section) else part
        found.append(statement)
    return found, problems


def _section(text: str, mark: Mark) -> Section | None:
    found = _SECTION.fullmatch(text)
    if found and (found[2] or "hosts") in ("hosts", "vars", "children"):
        return Section(found[1], found[2] or "hosts", mark)  # type: ignore[arg-type]
    if found or (text.startswith("[") and text.endswith("]")):
        raise ValueError(f"{text} is not a valid heading of a group; write [group], [group:vars] or [group:children]")
    return None


def _statement(part: str, text: str, mark: Mark) -> Statement:
    if part == "hosts":
        return _host(text, mark)
    if part == "vars":
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ValueError("this line is not a variable; write name=value")
        return VariableLine(name.strip(), literal(value.strip()), mark)
    found = _GROUP.fullmatch(text)
    if not found:
        raise ValueError(f"{text} is not the name of a group; write one name on each line")
    return ChildLine(found[1], mark)


def _host(text: str, mark: Mark) -> HostLine:
    try:
        name, *assignments = shlex.split(text, comments=True)
    except ValueError as error:
        raise ValueError("a quote is not closed; close it on the same line") from error
    variables: dict[str, Any] = {}
    for word in assignments:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise ValueError("a word of this line is not a variable; write name=value, with quotes around spaces")
        variables[key] = literal(value)
    try:
        names, port = named(name)
    except PatternError as error:
        hint = "; correct the range" if ";" not in str(error) else ""
        raise ValueError(f"{error}{hint}") from error
    if not name or name.strip().endswith(":") or "---" in names:
        raise ValueError(f"{quoted(name)} is not the name of a host; this looks like YAML, which needs the ending .yml")
    return HostLine(tuple(names), port, variables, mark)


def literal(text: str) -> Any:
    """A Python literal if it is one, as Ansible reads it; else the text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            value = _plain(ast.literal_eval(text))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text
    return value if _is_plain(value) else text


def _plain(value: Any) -> Any:
    """What JSON has no word for becomes what Ansible makes of it: tuples and sets are lists."""
    if isinstance(value, list | tuple | set):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if value is ...:
        return "..."
    return str(value) if isinstance(value, complex) else value


def _is_plain(value: Any) -> bool:
    """What YAML could have said too. A long number is a text, and so is what escapes make that is none."""
    match value:
        case bool() | None:
            return True
        case str():
            return not UNTEXT.search(value)
        case int():
            return value.bit_length() <= 3 * DIGITS.most
        case float():
            return math.isfinite(value)
        case list():
            return all(_is_plain(v) for v in value)
        case dict():
            return all(isinstance(k, str | int) and _is_plain(k) and _is_plain(v) for k, v in value.items())
    return False
