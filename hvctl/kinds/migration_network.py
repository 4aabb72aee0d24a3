"""The networks that live migrations to this host may use (domain 2, replica-migration 1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from hvctl.call import Call, Row
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import Setting, properties
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import State
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._network import ADDRESSES
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.visible import quoted

OF_A_CLUSTER = 5000
"""A cluster keeps its own networks in the list from about this priority on; the cmdlets do not reach them, so they stay."""

ANY = Call("Get-VMHost", select=("UseAnyNetworkForMigration",))


def subnet(text: str) -> str:
    """10.0.0.7/255.255.255.0 is 10.0.0.0/24; a single address is kept as a network of one."""
    try:
        return str(ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"{quoted(text)} is no network; write one such as 10.0.0.0/24 or fd00::/64") from None


class MigrationNetwork(OfHyperV):
    """A network on which this host takes live migrations from others. The one with the lower `priority` is preferred; several
    may have the same. With `exclusive: [migration_networks]` in `host:`, others than these are removed."""

    kind: ClassVar[str] = "migration_network"
    section: ClassVar[str] = "migration_networks"
    within: ClassVar[str | None] = "host"
    many: ClassVar[bool] = True
    shorthand: ClassVar[str] = "subnet"
    stand_in: ClassVar[Mapping[str, Any]] = {"subnet": "192.0.2.0/24"}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("network", "cidr", "address", "prefix"), "subnet"),
        **dict.fromkeys(("metric", "order", "preference"), "priority"),
    }
    query: ClassVar[Call]

    subnet: Annotated[str, AfterValidator(subnet)]
    priority: Annotated[int | None, Field(ge=0, lt=OF_A_CLUSTER), Setting("Priority", "NewPriority")] = None
    ensure: Literal["present", "absent"] = "present"

    def key(self) -> str:
        return self.subnet

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (cls.query,)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        for row in facts.rows(cls.query):
            if not _of_a_cluster(row):
                yield cls(subnet=str(row["Subnet"]))

    def queries(self) -> tuple[Call, ...]:
        return (*self.survey(), ANY, ADDRESSES)

    def row(self, facts: Facts) -> Row | None:
        return next((row for row in facts.rows(self.query) if subnet(str(row["Subnet"])) == self.subnet), None)

    def actual(self, facts: Facts) -> State | None:
        row = self.row(facts)
        return None if row is None else self.read_settings(row)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if self.absent:
            return
        if facts.rows(ANY)[0]["UseAnyNetworkForMigration"]:
            hint = "write `live_migration: {any_network: no}`"
            yield finding("subnet", "moves come over any network, so that this list has no effect", hint, "warning")
        net = ip_network(self.subnet)
        told = [str(row["IPAddress"]).partition("%")[0] for row in facts.rows(ADDRESSES)]
        if not any(a.version == net.version and a in net for a in map(ip_address, told)):
            text = f"the host has no address in {self.subnet}, so that no move comes over it"
            yield finding("subnet", text, "correct it, or give the host an address there", "warning")

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        """Nothing is lost that the playbook cannot make again."""
        return frozenset({"online"})

    def create(self, facts: Facts) -> Iterator[Step]:
        more = {} if self.priority is None else {"Priority": self.priority}
        call = Call("Add-VMMigrationNetwork", {"Subnet": self.subnet, **more})
        yield Step(call, f"add the migration network {self.subnet}", ("subnet", *self.wanted()))

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        call = Call("Set-VMMigrationNetwork", {"Subnet": self._as_it_is(facts), **self.arguments(changes)})
        yield Step(call, f"change the migration network {self.subnet}", tuple(c.field for c in changes))

    def remove(self, facts: Facts) -> Iterator[Step]:
        call = Call("Remove-VMMigrationNetwork", {"Subnet": self._as_it_is(facts)})
        yield Step(call, f"remove the migration network {self.subnet}", ("ensure",))

    def _as_it_is(self, facts: Facts) -> str:
        row = self.row(facts)
        return self.subnet if row is None else str(row["Subnet"])


def _of_a_cluster(row: Row) -> bool:
    priority = row.get("Priority")
    return priority is not None and int(priority) >= OF_A_CLUSTER


MigrationNetwork.query = Call("Get-VMMigrationNetwork", select=properties(MigrationNetwork, "Subnet"))
