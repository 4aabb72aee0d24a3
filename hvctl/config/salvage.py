"""A resource of what is right of it, where some of what is written is faulty."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hvctl.config.wording import explained, inside, meant
from hvctl.core.fields import nulls_refused
from hvctl.core.resource import Entries, Entry, Resource
from hvctl.text.diagnostic import Diagnostic, Mark
from hvctl.text.source import Document, Path


@dataclass
class Made:
    """What was made of data without any fault: it is the same for each host of a play where no expression is in it.
    `resources`: by the data; `entries`: by what is in them, without what is of one host alone; `wholes`: by their plays, all
    that is wanted of hosts on which nothing is of one host alone, and what is wrong with it; `varying`: whether the values of a
    play may be others on each host."""

    resources: dict[tuple[Any, ...], Resource] = field(default_factory=dict)
    entries: dict[tuple[Any, ...], Entry] = field(default_factory=dict)
    wholes: dict[tuple[Any, ...], tuple[Entries, list[Diagnostic]]] = field(default_factory=dict)
    varying: dict[tuple[Any, ...], bool] = field(default_factory=dict)
    _sound: dict[tuple[int, ...], Entries] = field(default_factory=dict)

    def sound(self, entries: Entries) -> Entries | None:
        """The very same entries, of which it is known that none of them is written twice."""
        return self._sound.get(tuple(map(id, entries)))

    def found_sound(self, entries: Entries) -> None:
        self._sound[tuple(map(id, entries))] = entries

    def once(self, one: Entry) -> Entry:
        """An equal one: the first of them."""
        if one.file is not None or not one.place.path:
            return one
        place = one.place
        # What was made once is the same object, and what is kept here keeps its id. To hash the hosts of a play for each thing
        # on each host would be the square of them.
        key = (id(one.resource), id(place.document), place.path, place.allow, id(place.hosts), place.left_out,
               one.owner, one.left_out, one.accept)  # fmt: skip
        return self.entries.setdefault(key, one)


def made_once(
    kind: type[Resource], data: Any, document: Document, path: Path, unclear: frozenset[Mark], made: Made
) -> tuple[Resource | None, frozenset[str], list[Diagnostic]]:
    """As `salvaged`."""
    # A document is kept by its play for as long as anything is made of it, so that no other gets its id.
    key = None if unclear else (kind, id(document), path, _frozen(data))
    if key is not None and key[-1] is not None and (known := made.resources.get(key)) is not None:
        return known, frozenset(), []
    found = one, left_out, problems = salvaged(kind, data, document, path, unclear)
    if key is not None and key[-1] is not None and one is not None and not (left_out or problems):
        made.resources[key] = one
    return found


def _frozen(data: Any) -> Any:
    """The same for the same data alone, so that true is not 1; None where there is more in it than texts and numbers."""
    if data.__class__ in _SIMPLE:
        return data.__class__, data
    if data.__class__ is not dict and not isinstance(data, list):
        return None
    parts: list[Any] = [dict if data.__class__ is dict else list]
    for item in chain.from_iterable(data.items()) if data.__class__ is dict else data:
        if (part := _frozen(item)) is None:
            return None
        parts.append(part)
    return tuple(parts)


_SIMPLE = frozenset({str, int, bool, float, type(None)})


def salvaged(
    kind: type[Resource], data: Any, document: Document, path: Path, unclear: frozenset[Mark]
) -> tuple[Resource | None, frozenset[str], list[Diagnostic]]:
    """The resource, as if what is faulty were not written, so that the rest of it can be judged in the same round, and
    what is left out; None where nothing can be. `unclear`: places whose values could not be had, which is told already."""
    left_out = {_key_of(at) for at in _unclear(data, document, path, unclear)} if unclear else set()
    for at in left_out:
        data = _without(data, at)
    problems: list[Diagnostic] = []
    for at, hint in tuple(nulls_refused(kind, data)):
        problems.append(Diagnostic(document.mark((*path, *at)), f"{at[-1]}: null has no meaning here", hint))
        left_out.add(_key_of(at))
        data = _without(data, _key_of(at))
    words: set[str] = set()
    stand_in: dict[str, Any] = {}
    while True:
        try:
            made = kind.model_validate({**data, **stand_in})
        except ValidationError as error:
            errors = [d for d in error.errors() if not _rests_on(d, data, left_out)]
            problems += explained(errors, kind, data, document, path)
            words |= {meant(kind, d["loc"]) for d in errors if d["type"] == "extra_forbidden"}
            lacking = {str(d["loc"][0]) for d in error.errors() if d["loc"] and not inside(d["loc"], data)}
            faulty = _innermost({_key_of(inside(d["loc"], data)) for d in error.errors()} - {()})
            if not faulty and not lacking & kind.stand_in.keys() - stand_in.keys():
                return None, frozenset(), problems
            for at in faulty:
                left_out.add(at)
                data = _without(data, at)
            for name in lacking & kind.stand_in.keys():
                left_out.add((name,))
                stand_in[name] = kind.stand_in[name]
        else:
            return (
                made,
                frozenset({_dotted(at) for at in left_out} | {w for w in words if w and " " not in w}),
                problems,
            )


def _rests_on(detail: ErrorDetails, data: Any, left_out: set[Path]) -> bool:
    """Whether it is wrong only without what is left out."""
    at = inside(detail["loc"], data)
    lacks = tuple(detail["loc"]) if detail["type"] == "missing" else at
    return any(known[: len(lacks)] == lacks for known in left_out)


def _innermost(paths: set[Path]) -> set[Path]:
    """A union is wrong as a whole too where something within it is."""
    return {at for at in paths if not any(other[: len(at)] == at for other in paths - {at})}


def _unclear(data: Any, document: Document, path: Path, unclear: frozenset[Mark], at: Path = ()) -> Iterator[Path]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        here = (*at, key)
        if value is None and document.mark((*path, *here)) in unclear:
            yield here
        yield from _unclear(value, document, path, unclear, here)


def _key_of(path: Path) -> Path:
    """Of an item of a list, the key of the list: the others would be counted otherwise without it."""
    while path and isinstance(path[-1], int):
        path = path[:-1]
    return path


def _without(data: Any, path: Path) -> Any:
    """A copy without what stands at a path, if it does."""
    first, *rest = path
    if isinstance(data, list):
        return [_without(item, tuple(rest)) if n == first else item for n, item in enumerate(data)]
    if not isinstance(data, dict):
        return data
    if rest:
        return {key: _without(value, tuple(rest)) if key == first else value for key, value in data.items()}
    return {key: value for key, value in data.items() if key != first}


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)
