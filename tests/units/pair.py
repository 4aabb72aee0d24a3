"""A kind that stands on two hosts, for tests: the notes of a VM are kept on a switch of another host too.

Made on the other host first, then written here, then written there: the needs cross twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from hvctl.call import Call, Ref
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.impact import Impact
from hvctl.core.resource import Entry, Index, Place
from hvctl.core.values import State
from hvctl.kinds._host import OfHyperV
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.source import Document

VMS = Call("Get-VM", select=("Id", "Name", "Notes"))
SWITCHES = Call("Get-VMSwitch", select=("Id", "Name", "Notes"))


class Pair(OfHyperV):
    kind: ClassVar[str] = "test_pair"
    many: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("switch", "vm")

    name: str
    partner: str
    text: str

    def key(self) -> str:
        return self.name

    def links(self) -> tuple[str, ...]:
        return (self.partner,)

    def queries(self) -> tuple[Call, ...]:
        return (VMS,)

    def queries_on(self, host: str) -> tuple[Call, ...]:
        return (SWITCHES,)

    def actual(self, facts: Facts) -> State | None:
        own, there = facts.of_key(VMS, "Name", self.name), facts.on(self.partner).of_key(SWITCHES, "Name", self.name)
        return {"here": own[0]["Notes"], "there": there[0]["Notes"] if there else None}

    def wanted(self) -> State:
        return {"here": self.text, "there": self.text}

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        return frozenset({"online"})

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        fields = {c.field: c for c in changes}
        needs: tuple[Step, ...] = ()
        if "there" in fields and fields["there"].now is None:
            call = Call("New-VMSwitch", {"Name": self.name, "SwitchType": "Private"})
            needs = (Step(call, f"make the switch {self.name}", ("there",), host=self.partner),)
            yield from needs
        if "here" in fields:
            vm = Ref(Call("Get-VM"), {"Name": self.name})
            needs = (Step(Call("Set-VM", {"VM": vm, "Notes": self.text}), "note it here", ("here",), needs),)
            yield from needs
        if "there" in fields:
            switch = Ref(Call("Get-VMSwitch"), {"Name": self.name})
            call = Call("Set-VMSwitch", {"VMSwitch": switch, "Notes": self.text})
            yield Step(call, "note it there", ("there",), needs, host=self.partner)


class Needing(OfHyperV):
    """A switch that is made when that of another host is there, or will be."""

    kind: ClassVar[str] = "test_needing"
    many: ClassVar[bool] = True

    name: str
    partner: str = ""
    impossible: bool = False

    def key(self) -> str:
        return self.name

    def links(self) -> tuple[str, ...]:
        return (self.partner,) if self.partner else ()

    def requires(self) -> tuple[Address, ...]:
        return (Address(self.partner, self.kind, (), "b"),) if self.partner else ()

    def queries(self) -> tuple[Call, ...]:
        return (SWITCHES,)

    def actual(self, facts: Facts) -> State | None:
        return {} if facts.of_key(SWITCHES, "Name", self.name) else None

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if self.impossible:
            yield finding("", "not here")

    def create(self, facts: Facts) -> Iterator[Step]:
        yield Step(Call("New-VMSwitch", {"Name": self.name, "SwitchType": "Private"}), "make it")


def index(host: str, *resources: Any) -> Index:
    return Index((Entry(one, Place(Document(None, {}, {}, "pair.yml"), ())) for one in resources), host)
