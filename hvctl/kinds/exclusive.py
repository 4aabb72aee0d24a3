"""Lists of a play that leave nothing else: what somebody made by hand is a difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from pydantic import Field

from hvctl.call import Call
from hvctl.contract import OS
from hvctl.core.changes import Change, Occasion, finding
from hvctl.core.facts import Facts
from hvctl.core.resource import Entry, Index, Resource
from hvctl.core.values import State
from hvctl.kinds import sections
from hvctl.kinds._host import OfHyperV
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.source import suggest
from hvctl.text.visible import quoted


class Exclusive(OfHyperV):
    """Lists in which everything stands that a host is to have: `vms`, `switches`, `host_network_adapters`. What it has beyond
    what all plays of the run list is to be absent, and is removed with the consent `destroy`; the disks of a VM stay. `keep`
    names what may be there all the same, by patterns (`template-*`). Roles of a cluster, replicas and templates are always left
    alone. With `--tags` it is not looked at, since not all plays are."""

    kind: ClassVar[str] = "exclusive"
    section: ClassVar[str] = "exclusive"
    many: ClassVar[bool] = True
    shorthand: ClassVar[str] = "list"
    stand_in: ClassVar[Mapping[str, Any]] = {"list": "vms"}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("section", "of", "name"), "list"),
        **dict.fromkeys(("except", "but", "ignore"), "keep"),
    }

    list_: str = Field(alias="list")
    keep: list[str] = Field(default_factory=list)

    def key(self) -> str:
        return self.list_

    def _unwrite(self, dotted: str) -> None:
        super()._unwrite("list_" if dotted == "list" else dotted)

    def whole_lists(self) -> tuple[type[Resource], ...]:
        kind = sections(None).get(self.list_)
        return (kind,) if kind is not None and _can_be(kind) else ()

    def listed(self, kind: type[Resource]) -> tuple[Resource, ...]:
        return tuple(one for one in self.beside(kind) if one.owner is None)

    def kept(self, one: Resource) -> bool:
        return any(fnmatchcase(one.key().casefold(), pattern.casefold()) for pattern in self.keep)

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if not self.whole_lists():
            known = [section for section, kind in sections(None).items() if _can_be(kind)]
            hint = suggest(self.list_, known) or f"one of {', '.join(known)}"
            yield finding("list", f"{quoted(self.list_)} is not a list that can be exclusive", hint)

    def queries(self) -> tuple[Call, ...]:
        """What the removal of any of them rests on."""
        found: list[Call] = []
        for kind in self.whole_lists():
            gone = Entry(kind.model_validate({**kind.stand_in, "ensure": "absent"}), self.place)
            found += (*kind.survey(), *Index([gone], self.index.host)[0].queries())
        return tuple(found)

    def actual(self, facts: Facts) -> State | None:
        return {}

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        listed = {one.key().casefold() for kind in self.whole_lists() for one in self.listed(kind)}
        for kind in self.whole_lists():
            for name, why in kind.unnameable(None, facts):
                if name.casefold() not in listed:  # otherwise it says so itself
                    yield finding("", f"{name}: {why}", "rename or remove one of them")


def _can_be(kind: type[Resource]) -> bool:
    """What a host can be asked for, and what can be absent."""
    finds = kind.discover.__func__ is not Resource.discover.__func__  # type: ignore[attr-defined]
    return kind.many and finds and "ensure" in kind.model_fields
