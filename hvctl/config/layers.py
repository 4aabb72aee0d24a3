"""One resource that several plays write: put together key by key. Within one play a second entry stays an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from hvctl.core.resource import Entry, Place, Resource
from hvctl.kinds import sections
from hvctl.text.diagnostic import Diagnostic, Mark
from hvctl.text.source import Document, Path
from hvctl.text.visible import quoted

Origin = tuple[int, Path]
"""A play: its document, and where in that."""


def layered(entries: Sequence[Entry]) -> tuple[list[Entry], list[Diagnostic]]:
    """The entries of one host, those of several plays for one thing put together; and where they contradict each other."""
    work = _Layers()
    for entry in entries:
        work.add(entry)
    return work.slots, [*work.problems, *work.disagreements()]


@dataclass
class _Layers:
    slots: list[Entry] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)
    layers: list[list[Entry]] = field(default_factory=list)
    """Of each slot, the entries as the plays have them."""
    moved: list[int] = field(default_factory=list)
    """The slot of each entry."""
    known: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        entry = entry if entry.owner is None else replace(entry, owner=self.moved[entry.owner])
        one = entry.resource
        key = (entry.owner, one.kind, one.key().casefold())
        at = self.known.get(key) if entry.left_out.isdisjoint(one.stand_in) else None
        if at is None or _origin(entry) in map(_origin, self.layers[at]):
            self.moved.append(len(self.slots))
            if entry.left_out.isdisjoint(one.stand_in):
                self.known.setdefault(key, len(self.slots))
            self.slots.append(entry)
            self.layers.append([entry])
            return
        self.moved.append(at)
        self.slots[at] = self._merged(at, entry)
        self.layers[at].append(entry)

    def _merged(self, at: int, more: Entry) -> Entry:
        below = self.slots[at]
        one, other = below.resource, more.resource
        wrong = list(self._contradictions(at, more))
        self.problems += wrong
        if wrong:
            return below
        data = _joined(_written(one), _written(other))
        try:
            made = type(one).model_validate(data)
        except ValidationError as error:
            told = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
            self.problems.append(
                self._told(at, more, "", f"cannot be put together with what another play says: {told}")
            )
            return below
        return replace(below, resource=made, place=_both(below, more), left_out=below.left_out | more.left_out,
                       accept=(*below.accept, *more.accept))  # fmt: skip

    def _contradictions(self, at: int, more: Entry) -> Iterator[Diagnostic]:
        below = self.slots[at]
        one, other = below.resource, more.resource
        if one.absent != other.absent:
            yield self._told(
                at, more, "ensure", f"is to be {_presence(other)} here and {_presence(one)} in another play"
            )
            return
        for path, (before, now) in _differing(_written(one), _written(other)):
            dotted = ".".join(path)
            said, was = (other.show(dotted, _at(other, path, v)) for v in (now, before))
            yield self._told(at, more, dotted, f"{dotted} is {said} here and {was} in another play")
        if below.file != more.file:
            yield self._told(at, more, "", "is made of a file, which another play has otherwise")

    def _told(self, at: int, more: Entry, dotted: str, text: str) -> Diagnostic:
        first = next((e for e in self.layers[at] if _says(e, dotted)), self.layers[at][0])
        what = self._name(at)
        return Diagnostic(
            more.place.mark(dotted),
            f"{what}: {text}",
            f"the other is at {first.place.mark(dotted)}; write it once, or the same",
        )

    def _name(self, at: int) -> str:
        entry = self.slots[at]
        owner = "" if entry.owner is None else self.slots[entry.owner].resource.key()
        names = ", ".join(n for n in (owner, entry.resource.key()) if n)
        return f"{entry.resource.kind.replace('_', ' ')} {names}".rstrip()

    def disagreements(self) -> Iterator[Diagnostic]:
        """A list that is all there may be must be called so by every play that adds to it: with --tags one of them may be
        alone."""
        for at, layers in enumerate(self.layers):
            claiming = next((e for e in layers if _exclusive(e)), None) if len(layers) > 1 else None
            if claiming is None:
                continue
            for section in _exclusive(claiming):
                for other in layers:
                    if section in _exclusive(other) or not _lists(other, section):
                        continue
                    yield Diagnostic(
                        other.place.mark(section),
                        f"{self._name(at)}: {section} are listed here, and another play says that its list is exclusive",
                        f"that is at {claiming.place.mark('exclusive')}; write `exclusive: [{section}]` in both, or in neither",
                    )


def _exclusive(entry: Entry) -> tuple[str, ...]:
    return tuple(getattr(entry.resource, "exclusive", ()))


def _origin(entry: Entry) -> Origin:
    return id(entry.place.document), entry.place.path[:1]


def _presence(one: Resource) -> str:
    return "absent" if one.absent else "present"


def _written(one: Resource) -> dict[str, Any]:
    return one.model_dump(exclude_unset=True, by_alias=True)


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(one)
    for name, value in other.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = _joined(found[name], value) if both else value
    return found


def _differing(
    one: Mapping[str, Any], other: Mapping[str, Any], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], tuple[Any, Any]]]:
    """What both have, with two values. Null is a value."""
    for name in one.keys() & other.keys():
        before, now = one[name], other[name]
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            yield from _differing(before, now, (*above, name))
        elif before != now and not (not above and _same_key(name, before, now)):
            yield (*above, name), (before, now)


def _same_key(name: str, before: Any, now: Any) -> bool:
    """Names compare without case, and both plays name the thing."""
    return name == "name" and isinstance(before, str) and isinstance(now, str) and before.casefold() == now.casefold()


def _at(one: Resource, path: tuple[str, ...], value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | bool) else quoted(value)


def _says(entry: Entry, dotted: str) -> bool:
    return dotted.partition(".")[0] in {*entry.resource.model_fields_set, ""}


def _lists(entry: Entry, section: str) -> bool:
    """Whether a play lists something in this section of its VM."""
    return any(path[: len(entry.place.path) + 1] == (*entry.place.path, section) for path in entry.place.document.marks)


def _both(below: Entry, more: Entry) -> Place:
    """Where each field was written. What one of the plays does not allow is not allowed."""
    marks: dict[Path, Mark] = {**_marks(more), **_marks(below)}
    document = Document(None, marks, {}, below.place.document.file)
    return Place(document, (), below.place.allow & more.place.allow)


def _marks(entry: Entry) -> dict[Path, Mark]:
    place, inner = entry.place, sections(entry.resource.kind)
    within = len(place.path)
    return {
        path[within:]: mark
        for path, mark in place.document.marks.items()
        if path[:within] == place.path and (len(path) == within or path[within] not in inner)
    }
