"""Which fields of what was described are written, in which order, and what is said beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from hvctl.core.changes import HeldBackError
from hvctl.core.describe import Omission
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import Fields, settings
from hvctl.core.resource import Index, Resource
from hvctl.core.values import ANYTHING, PLAIN, State
from hvctl.importing.words import in_words
from hvctl.kinds import kind_named, sections
from hvctl.text.address import Address
from hvctl.text.source import Path

Data = dict[str, Any]
_FIRST = (
    *("host", "switches", "host_network_adapters", "vms", "cluster"),
    *("processor", "memory", "security", "firmware", "bios", "scsi_controllers", "disks", "dvds", "floppy"),
    *("network_adapters", "integration_services", "exports"),
)
"""Sections in the order in which a person thinks of them; others follow."""


@dataclass
class Body:
    """The sections of a play, the comments in them by path, and how many defaults were left out."""

    data: Data = field(default_factory=dict)
    comments: dict[Path, list[str]] = field(default_factory=dict)
    usual: int = 0

    def say(self, path: Path, text: str) -> None:
        found = self.comments.setdefault(path, [])
        if text not in found:
            found.append(text)


def body_of(index: Index, omitted: Sequence[tuple[Address, Omission]], facts: Facts, *, everything: bool) -> Body:
    """`omitted`: told beside what it belongs to. `everything`: also defaults."""
    body = Body()
    work = _Writing(index, facts, everything, body)
    roots = [one for one in index if one.owner is None]
    body.data = work.sections(roots, None, ())
    for (address, why), fields in grouped(omitted).items():
        names = [", ".join(fields)] if fields else []
        what = ": ".join(names if address in work.places else [str(address), *names])
        body.say(work.place(address), f"not written{f': {what}' if what else ''} ({why})")
    return body


def grouped(omitted: Sequence[tuple[Address, Omission]]) -> dict[tuple[Address, str], list[str]]:
    """The fields that are left out for the same reason."""
    found: dict[tuple[Address, str], list[str]] = {}
    for address, omission in omitted:
        fields = found.setdefault((address, omission.why), [])
        if omission.field and omission.field not in fields:
            fields.append(omission.field)
    return found


def rank(section: str) -> tuple[int, str]:
    return (_FIRST.index(section) if section in _FIRST else len(_FIRST), section)


@dataclass
class _Writing:
    index: Index
    facts: Facts
    everything: bool
    body: Body
    places: dict[Address, Path] = field(default_factory=dict)

    def place(self, address: Address) -> Path:
        """Of what is written, else of its owner."""
        if address in self.places:
            return self.places[address]
        within = kind_named(address.kind).within
        owners = address.owners
        if within is None or not owners:
            return ()
        return self.places.get(Address(address.host, within, owners[:-1], owners[-1]), ())

    def sections(self, found: Sequence[Resource], owner: str | None, path: Path) -> Data:
        data: Data = {}
        for section, kind in sorted(sections(owner).items(), key=lambda s: rank(s[0])):
            own = [one for one in found if type(one) is kind and not kind.passing]
            if not kind.many:
                for one in own:
                    if (written := self.resource(one, (*path, section))) is not None:
                        data[section] = {**written, **data.get(section, {})}
                continue
            roles = [one for one in own if any(part.kind == "role" for part in one.parts)] if owner is None else []
            seats = {one.seat for one in roles}
            if items := self.items([one for one in own if one.seat not in seats], (*path, section)):
                data[section] = items
            if items := self.items(roles, (*path, "cluster", section)):
                data["cluster"] = {section: items}
        return data

    def items(self, found: Sequence[Resource], path: Path) -> list[Data]:
        items: list[Data] = []
        for one in found:
            if (written := self.resource(one, (*path, len(items)))) is not None:
                items.append(written)
        return items

    def resource(self, one: Resource, path: Path) -> Data | None:
        """None: nothing of it need be written."""
        written = self.fields(one, one, one.by_default(self.facts), "")
        parts = self.sections(one.parts, one.kind, path)
        bare = not parts and all(name in written and _is_known_by(one, name) for name in written)
        if one.implied and bare and not self.everything:
            names = [n for n in written if settings(type(one)).get(n)]
            if all(self._usual(one, n, getattr(one, n), one.by_default(self.facts)) for n in names):
                self.body.usual += len(names)
                return None
        self.places[one.address()] = path
        for text in _asides(one, self.facts):
            self.body.say(path, text)
        return {**written, **parts}

    def fields(self, one: Resource, model: Fields, usual: State, within: str) -> Data:
        found: Data = {}
        for name, info in type(model).model_fields.items():
            value, dotted = getattr(model, name), f"{within}{name}"
            if name not in model.model_fields_set:
                continue
            if isinstance(value, Fields) and settings(type(value)):
                inner = self.fields(one, value, usual, f"{dotted}.")
                if inner or usual.get(dotted) is False:
                    found[name] = inner or True
                continue
            if not info.is_required() and not self.everything and self._usual(one, dotted, value, usual):
                self.body.usual += 1
                continue
            found[info.alias or name] = in_words(type(model), name, value)
        return found

    def _usual(self, one: Resource, dotted: str, value: Any, usual: State) -> bool:
        if dotted not in usual:
            return False
        setting = settings(type(one)).get(dotted)
        default = usual[dotted]
        return default is ANYTHING or (setting.codec if setting else PLAIN).same(value, default)


def _is_known_by(one: Resource, name: str) -> bool:
    info = type(one).model_fields.get(name)
    return info is not None and (info.is_required() or name == "switch")


def _asides(one: Resource, facts: Facts) -> Iterator[str]:
    try:
        yield from one.asides(facts)
    except (HeldBackError, UnreadableError) as error:
        yield f"not all of it could be read ({error})"


def strings(model: BaseModel) -> Iterator[tuple[str, str]]:
    """Every text of a model with its field, dotted where nested."""
    for name in type(model).model_fields:
        if name in model.model_fields_set:
            yield from ((name, text) for text in _texts(getattr(model, name)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        yield from (text for _, text in strings(value))
    elif isinstance(value, Mapping):
        yield from (t for item in value.items() for part in item for t in _texts(part))
    elif isinstance(value, list | tuple):
        yield from (t for part in value for t in _texts(part))
