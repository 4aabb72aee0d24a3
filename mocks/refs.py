"""What a step asks of the steps before it: the values of its parameters, and whether its guard is fulfilled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mocks.values import Missing, matching, plain, property_of

HOME = r"C:\ProgramData\hvctl"
"""The runner's own folder on every simulated host."""


@dataclass
class Step:
    """What one step gave, kept for those that refer to it."""

    objects: list[Any] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped: str | None = None
    none: bool = False
    cmdlet: str = ""

    @property
    def state(self) -> str:
        return "skipped" if self.skipped is not None else "failed" if self.errors else "ok"


class CannotRunError(Exception):
    """A step ends before its call is made."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


class NothingToDoError(Exception):
    """A Ref with `many` matched nothing."""


class SourceSkippedError(Exception):
    """A step that this one refers to was skipped."""


class Refs:
    """Looks things up in what the steps of one batch gave. `change`: errors of a step stop those that refer to it."""

    def __init__(self, done: Mapping[str, Step], change: bool) -> None:
        self._done, self._change = done, change

    def value(self, value: Any, each: bool = False) -> Any:
        """A parameter's value as a cmdlet takes it. `each`: the step is called for each of its items."""
        if isinstance(value, list):
            return self._list(value, each)
        if not isinstance(value, dict):
            return value
        ((tag, body),) = value.items()
        match tag:
            case "$ref":
                return self._ref(body)
            case "$map":
                return {plain(k): self.value(v) for k, v in body}
            case "$join" | "$secret":
                return plain(body)
            case "$home":
                return f"{HOME}\\{plain(body)}"
        return None  # $null

    def _list(self, values: list[Any], each: bool) -> list[Any]:
        made: list[Any] = []
        for value in values:
            if isinstance(value, dict) and value.get("$ref", {}).get("many"):
                try:
                    made += self._ref(value["$ref"])
                except NothingToDoError:
                    if not each:
                        raise
            else:
                made.append(self.value(value))
        if each and not made:
            raise NothingToDoError
        return made

    def _ref(self, ref: Mapping[str, Any]) -> Any:
        many, path = ref.get("many"), ref.get("path")
        found = self.matching(ref, 0, None) if many else self.matching(ref, 1, 1)
        if path:
            found = self._at(self._done[ref["step"]], found, path)
        if not many:
            return found[0]
        flat = [v for f in found for v in (f if isinstance(f, list) else [f]) if v is not None]
        if not flat:
            raise NothingToDoError
        return flat

    def matching(self, query: Mapping[str, Any], least: int, most: int | None, word: str = "") -> list[Any]:
        """What a ref or a guard asks for: the objects of a step that match, as many as are expected."""
        source = self._source(query["step"])
        where = query.get("where", [])
        objects = self._within(source, query["within"]) if query.get("within") else source.objects
        found = matching(objects, where, bool(query.get("lenient")))
        if isinstance(found, str):
            raise CannotRunError([_no_property(source, found)])
        if not least <= len(found) <= (len(found) if most is None else most):
            text = (
                f"{source.cmdlet}: {len(found)} of {len(objects)} objects match {_shown(where)};"
                f" {least} to {most} expected"
            )
            word = word or ("RefAmbiguous" if found else "RefNoMatch")
            raise CannotRunError([own(word, "ObjectNotFound", text)])
        return found

    def _within(self, source: Step, path: Sequence[str]) -> list[Any]:
        values = self._at(source, source.objects, path)
        return [v for value in values for v in (value if isinstance(value, list) else [value]) if v is not None]

    def _source(self, name: str) -> Step:
        source = self._done[name]
        if source.skipped is not None:
            raise SourceSkippedError(source.skipped)
        if source.errors and (self._change or not source.objects):
            raise CannotRunError(inherited(source))
        return source

    def _at(self, source: Step, found: list[Any], path: Sequence[str]) -> list[Any]:
        values = [property_of(f, path) for f in found]
        if any(isinstance(v, Missing) for v in values):
            raise CannotRunError([_no_property(source, ".".join(path))])
        return values


def own(name: str, category: str, text: str) -> dict[str, Any]:
    """An error of the runner itself."""
    return {"id": name, "category": category, "message": text, "target": "", "exceptions": []}


def _no_property(source: Step, path: str) -> dict[str, Any]:
    return own("RefNoSuchProperty", "InvalidArgument", f"{source.cmdlet}: no object has the property {path}")


def _shown(where: Sequence[Any]) -> str:
    return " and ".join(f"{'.'.join(path)} = {plain(wanted)}" for path, wanted, *_ in where) or "it"


def inherited(source: Step) -> list[dict[str, Any]]:
    """The errors of a step as those of one that refers to it."""
    return [e if "of" in e else {**e, "of": source.cmdlet} for e in source.errors]
