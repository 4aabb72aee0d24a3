"""Ansible's INI inventory → the same plain data as its YAML one, with marks."""

from __future__ import annotations

import ast
import math
import re
import shlex
from dataclasses import dataclass, field
from typing import Any

from hvctl.limits import DIGITS
from hvctl.source import ConfigError, Document, Mark, Path, Problem

_SECTION = re.compile(r"^\[([^\]:]+)(?::(vars|children|hosts))?\]\s*(?:[#;].*)?$")
_ASSIGNMENT = re.compile(r"^([A-Za-z_][\w.]*)\s*=\s*(.*)$")


def load_ini(text: str, file: str) -> Document:
    """Raises ConfigError with every line that cannot be read."""
    reader = _Reader(file)
    for number, line in enumerate(text.splitlines(), 1):
        reader.line(number, line)
    if reader.problems:
        raise ConfigError(reader.problems)
    return Document(reader.data, reader.marks, reader.marks, file)


@dataclass
class _Reader:
    file: str
    data: dict[str, Any] = field(default_factory=dict)
    marks: dict[Path, Mark] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    group: str = "ungrouped"
    part: str = "hosts"

    def line(self, number: int, line: str) -> None:
        text = line.strip()
        if not text or text[0] in "#;":
            return
        column = line.index(text) + 1
        mark = Mark(self.file, number, column)
        if text.startswith("["):
            self._section(text, mark)
        elif self.part == "hosts":
            self._host(text, mark)
        elif self.part == "vars":
            self._variable(text, mark)
        else:
            name = text.split("#")[0].strip()
            self._put((self.group, "children", name), None, mark)

    def _section(self, text: str, mark: Mark) -> None:
        found = _SECTION.match(text)
        if not found:
            self._wrong(mark, f"{text} is no heading of a group", "write [group], [group:vars] or [group:children]")
            return
        self.group, self.part = found[1].strip(), found[2] or "hosts"
        if self.part == "hosts":
            self.data.setdefault(self.group, {})
            self.marks.setdefault((self.group,), mark)

    def _host(self, text: str, mark: Mark) -> None:
        try:
            words = shlex.split(text, comments=True)
        except ValueError:
            self._wrong(mark, "a quote is not closed", "close it on the same line")
            return
        name, *assignments = words
        self._put((self.group, "hosts", name), {}, mark)
        for word in assignments:
            found = _ASSIGNMENT.match(word)
            if not found:
                self._wrong(mark, "a word of this line is no variable", "write name=value, with quotes around spaces")
                continue
            self._put((self.group, "hosts", name, found[1]), _literal(found[2]), mark)

    def _variable(self, text: str, mark: Mark) -> None:
        found = _ASSIGNMENT.match(text)
        if not found:
            self._wrong(mark, "this is no variable", "write name=value")
            return
        self._put((self.group, "vars", found[1]), _literal(found[2].strip()), mark)

    def _put(self, path: Path, value: Any, mark: Mark) -> None:
        at: dict[Any, Any] = self.data
        for part in path[:-1]:
            at = at.setdefault(part, {})
        if value == {} and path[-1] in at:
            return
        at[path[-1]] = value
        self.marks[path] = mark

    def _wrong(self, mark: Mark, message: str, hint: str) -> None:
        self.problems.append(Problem(mark, message, hint))


def _literal(text: str) -> Any:
    """A Python literal if it is one, as Ansible reads it; else the text."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text
    return value if _is_plain(value) else text


def _is_plain(value: Any) -> bool:
    """What YAML could have said too; a long number is a text."""
    match value:
        case bool() | str() | None:
            return True
        case int():
            return value.bit_length() <= 3 * DIGITS.most
        case float():
            return math.isfinite(value)
        case list():
            return all(_is_plain(v) for v in value)
        case dict():
            return all(isinstance(k, str | int) and _is_plain(k) and _is_plain(v) for k, v in value.items())
    return False
