"""`accept:` of a resource: what is written of known drift, and the day by which it is judged."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from hvctl.core.acceptance import KEY, WHOLE, Acceptance
from hvctl.core.fields import Fields, models_in
from hvctl.core.resource import Index, Resource
from hvctl.kinds import sections
from hvctl.text.diagnostic import Diagnostic, Mark
from hvctl.text.number import is_whole
from hvctl.text.source import Document, Path, suggest
from hvctl.text.visible import quoted

_KEYS = ("until", "reason", "fields")
_EXAMPLE = "write `accept: {until: 2027-01-31, reason: …}`"
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def accepted(
    kind: type[Resource], data: Mapping[str, Any], document: Document, path: Path, unclear: Collection[Mark] = ()
) -> tuple[tuple[Acceptance, ...], list[Diagnostic]]:
    """Of a resource as written, what stands under `accept`: one mapping, or a list of them. `unclear`: places whose values
    could not be had, which is told already."""
    given = data.get(KEY)
    at: Path = (*path, KEY)
    if given is None and document.mark(at) in unclear:
        return (), []
    items = [(at, given)] if not isinstance(given, list) else [((*at, n), one) for n, one in enumerate(given)]
    reader = _Reader(kind, data, document, unclear)
    found = [one for where, item in items if (one := reader.read(where, item))]
    return tuple(found), reader.problems


def dated(desired: Index, today: date) -> Index:
    """With what is over by that day marked so."""
    if not any(entry.accept for entry in desired.entries):
        return desired
    return desired.mapped(
        lambda one, entry: replace(entry, accept=tuple(replace(a, over=a.until < today) for a in entry.accept))
    )


def ended(desired: Index) -> Iterator[Diagnostic]:
    """What is accepted no more, for who reads the playbook."""
    for entry in desired.entries:
        for one in entry.accept:
            if one.over:
                yield Diagnostic(
                    one.mark, f"{KEY}: its day {one.until} is over", "remove it, or set a later day", "warning"
                )


class _Reader:
    def __init__(
        self, kind: type[Resource], data: Mapping[str, Any], document: Document, unclear: Collection[Mark]
    ) -> None:
        self.kind, self.data, self.document, self.unclear = kind, data, document, unclear
        self.problems: list[Diagnostic] = []

    def read(self, at: Path, given: Any) -> Acceptance | None:
        if not isinstance(given, dict):
            self._wrong(at, f"{KEY} is a mapping", _EXAMPLE)
            return None
        before = len(self.problems)
        for key in given:
            if key not in _KEYS:
                hint = suggest(str(key), _KEYS) or f"known are {', '.join(_KEYS)}"
                place = self.document.key_marks.get((*at, key)) or self.document.mark((*at, key))
                self.problems.append(Diagnostic(place, f"unknown key {quoted(str(key))} in {KEY}", hint))
        until = self._until(at, given)
        reason = self._reason(at, given)
        fields = self._fields(at, given)
        if until is None or reason is None or fields is None or len(self.problems) > before:
            return None
        return Acceptance(until, reason, self.document.mark(at), fields)

    def _until(self, at: Path, given: Mapping[str, Any]) -> date | None:
        if not self._there(at, given, "until", _EXAMPLE):
            return None
        value = getattr(given["until"], "value", given["until"])
        if isinstance(value, date) and not isinstance(value, datetime):
            return value
        text = str(given["until"])
        try:
            if _DATE.fullmatch(text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        self._wrong((*at, "until"), f"until: {quoted(text)} is not a date", "write a day as 2027-01-31")
        return None

    def _reason(self, at: Path, given: Mapping[str, Any]) -> str | None:
        if not self._there(at, given, "reason", "say why it is left as it is, for who reads the report"):
            return None
        value = given["reason"]
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())
        self._wrong((*at, "reason"), "reason is a text", "say why it is left as it is, for who reads the report")
        return None

    def _fields(self, at: Path, given: Mapping[str, Any]) -> tuple[str, ...] | None:
        if "fields" not in given:
            return ()
        names = given["fields"]
        names = [names] if isinstance(names, str) else names
        here: Path = (*at, "fields")
        if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
            if self.document.mark(here) not in self.unclear:
                self._wrong(here, "fields is a list of fields", f"write `fields: [{self._example()}]`, or leave it out")
            return None
        before = len(self.problems)
        for n, name in enumerate(names):
            self._field((*here, n) if isinstance(given["fields"], list) else here, name)
        return tuple(map(str, names)) if len(self.problems) == before else None

    def _field(self, at: Path, name: str) -> None:
        if name == WHOLE:
            return
        first = name.partition(".")[0]
        if first in sections(self.kind.kind):
            hint = f"write {KEY} within {first}, which is a resource of its own"
            self._wrong(at, f"{quoted(name)} is not a field of {self._kind}", hint)
        elif not _is_field(self.kind, name.split(".")):
            known = [n for n in _names(self.kind) if n in self.data]
            hint = suggest(name, _names(self.kind)) or f"written here are {', '.join(known) or 'none'}"
            self._wrong(at, f"{quoted(name)} is not a field of {self._kind}", hint)
        elif not _is_written(self.data, name.split(".")):
            self._wrong(at, f"{name} is not written here, so it is not compared", "remove it from the fields")

    @property
    def _kind(self) -> str:
        return self.kind.kind.replace("_", " ")

    def _example(self) -> str:
        return next((n for n in _names(self.kind) if n in self.data), WHOLE)

    def _there(self, at: Path, given: Mapping[str, Any], name: str, hint: str) -> bool:
        if name not in given:
            self._wrong(at, f"{KEY} needs {quoted(name)}", hint)
            return False
        return given[name] is not None or self.document.mark((*at, name)) not in self.unclear

    def _wrong(self, at: Path, message: str, hint: str) -> None:
        self.problems.append(Diagnostic(self.document.mark(at), message, hint))


def _names(model: type[Fields]) -> tuple[str, ...]:
    return tuple(info.alias or name for name, info in model.model_fields.items())


def _is_field(model: type[Fields], parts: list[str]) -> bool:
    """Nested ones dotted; items of a list or of a mapping of the user's by their number or key."""
    first, *rest = parts
    info = next((i for n, i in model.model_fields.items() if (i.alias or n) == first), None)
    if info is None:
        return False
    inner = list(models_in(info.annotation))
    rest = rest[1:] if rest and is_whole(rest[0]) else rest
    return not rest or not inner or any(_is_field(one, rest) for one in inner)


def _is_written(data: Any, parts: list[str]) -> bool:
    for part in parts:
        if not isinstance(data, Mapping):
            return True  # what is within it is not told apart here
        if part not in data:
            return False
        data = data[part]
    return True
