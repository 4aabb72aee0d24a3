"""Plays → data: expressions evaluated, and an item with a `loop` made once for each of its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hvctl.config.template import is_template, rendered
from hvctl.core.resource import Resource
from hvctl.kinds import sections
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.source import Document, Path

LOOP, ITEM = "loop", "item"


class Unrolled(list[Any]):
    """Items of a list, of which some come of one loop. `places`: the number of each in the list as it is written."""

    def __init__(self, items: list[Any], places: list[int]) -> None:
        super().__init__(items)
        self.places = places


def places_of(items: list[Any]) -> list[int]:
    return items.places if isinstance(items, Unrolled) else list(range(len(items)))


def unrolled(
    body: Mapping[str, Any], variables: Mapping[str, Any], document: Document, path: Path
) -> tuple[dict[str, Any], list[Diagnostic]]:
    """The sections of a play as `rendered` gives them, and what is wrong."""
    if not _loops(body):
        found, problems = rendered(body, variables, document, path)
        return found, problems
    work = _Unrolling(document)
    return work.sections(body, None, variables, path), work.problems


def varies(data: Any) -> bool:
    """Whether anything of it is made of variables."""
    if isinstance(data, Mapping):
        return LOOP in data or any(map(varies, data.values()))
    return any(map(varies, data)) if isinstance(data, list) else is_template(data)


def _loops(data: Any) -> bool:
    if isinstance(data, Mapping):
        return LOOP in data or any(map(_loops, data.values()))
    return isinstance(data, list) and any(map(_loops, data))


@dataclass
class _Unrolling:
    document: Document
    problems: list[Diagnostic] = field(default_factory=list)

    def sections(
        self, data: Mapping[str, Any], within: str | None, known: Mapping[str, Any], path: Path
    ) -> dict[str, Any]:
        """What stands in a play, or in an item of a list."""
        kinds = sections(within)
        found: dict[str, Any] = {}
        for key, value in data.items():
            kind, at = kinds.get(key), (*path, key)
            if kind is not None and kind.many and isinstance(value, list):
                found[key] = self.items(kind, value, known, at)
            elif kind is not None and isinstance(value, Mapping):
                found[key] = self.sections(value, kind.kind, known, at)
            else:
                found[key] = self.value(value, known, at)
        return found

    def items(self, kind: type[Resource], items: list[Any], known: Mapping[str, Any], path: Path) -> Unrolled:
        made: list[Any] = []
        places: list[int] = []
        for n, item in enumerate(items):
            at = (*path, n)
            if not isinstance(item, Mapping):
                made.append(self.value(item, known, at))
                places.append(n)
                continue
            once = {key: value for key, value in item.items() if key != LOOP}
            for value in self.values(item[LOOP], known, (*at, LOOP)) if LOOP in item else (None,):
                mine = known if LOOP not in item else {**known, ITEM: value}
                made.append(self.sections(once, kind.kind, mine, at))
                places.append(n)
        return Unrolled(made, places)

    def values(self, written: Any, known: Mapping[str, Any], path: Path) -> list[Any]:
        before = len(self.problems)
        found = self.value(written, known, path)
        if isinstance(found, list | tuple | range):
            return list(found)
        if len(self.problems) == before:
            said = "an expression that gives no list" if is_template(written) else "not a list"
            hint = "write such as `loop: [a, b]`, `loop: '{{ range(1, 5) }}'`, or `'{{ mapping | dict2items }}'`"
            self.problems.append(Diagnostic(self.document.mark(path), f"loop is {said}", hint))
        return []

    def value(self, data: Any, known: Mapping[str, Any], path: Path) -> Any:
        found, problems = rendered(data, known, self.document, path)
        self.problems += problems
        return found
