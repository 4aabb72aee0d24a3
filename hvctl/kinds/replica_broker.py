"""The Hyper-V Replica Broker of a cluster: name and address by which it sends and receives replicas (replica-migration 3).

Group, resource, dependency and start are those of the team blog of 2012-08-14. It makes the client access point with
Add-ClusterServerRole, which the pages of 2016 and later no longer have, and moves it; here its address and its name are
made as resources of the group itself, which needs no move and no renaming. Not seen on a real host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Interface
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field

from hvctl.call import Call, Guard, Map, Ref, Row, Value
from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import State
from hvctl.kinds._cluster import RESOURCES, ROLES, WHOLE, view
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._servers import own_broker
from hvctl.kinds.cluster import NETWORKS
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.visible import quoted

GROUP_TYPE = 115
"""VMReplicaBroker (types.json)."""
BROKER, NAME, ADDRESS = "Virtual Machine Replication Broker", "Network Name", "IP Address"
"""Types of resources, the same in every language; the first is also what the resource is called."""
_STATES = {0: "online", 1: "offline", 2: "failed", 3: "online in part", 4: "pending"}
_CLIENTS = 3
"""Role of a network that clients may use."""
START_S = 300


def _address(text: str) -> str:
    try:
        found = IPv4Interface(text)
    except ValueError:
        found = None
    if found is None or "/" not in text:
        raise ValueError(f"{quoted(text)} is not an IPv4 address with the length of its prefix, such as 10.0.0.9/24")
    return str(found)


class ReplicaBroker(OfHyperV):
    """The Hyper-V Replica Broker, a role of the cluster with a `name` and an `address` of its own: made where there is none,
    and brought online. `network`: the cluster network of the address, where clients may use several. What is written of the
    address counts while it is made. The inventory names it too: `hvctl_replica_broker`."""

    kind: ClassVar[str] = "replica_broker"
    section: ClassVar[str] = "replica_broker"
    within: ClassVar[str | None] = "cluster"
    stand_in: ClassVar[Mapping[str, Any]] = {"name": "unnamed", "address": "192.0.2.1/24"}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("ip", "static_address", "ip_address"), "address"),
        **dict.fromkeys(("cluster_network",), "network"),
    }

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]{0,13}[A-Za-z0-9])?$")]
    address_: Annotated[str, AfterValidator(_address), Field(alias="address")]
    network: str | None = None
    ensure: Literal["present", "absent"] = "present"

    def title(self) -> str:
        return self.name

    # --- looking ----------------------------------------------------------------------------------------------------

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        yield from ()  # it is no host's own

    def queries(self) -> tuple[Call, ...]:
        return (*WHOLE, NETWORKS)

    def queries_once(self) -> tuple[Call, ...]:
        return self.queries()

    def _group(self, facts: Facts) -> Row | None:
        """The cluster's broker, whatever it is called. Raises UnreadableError."""
        view(facts)  # a cluster that does not say what it holds is not judged
        if (failure := facts.reply(ROLES).failure) is not None:
            raise UnreadableError(ROLES, failure)
        return next((r for r in facts.rows(ROLES) if r.get("GroupType") == GROUP_TYPE), None)

    def wanted(self) -> State:
        return {"state": "online"}

    def actual(self, facts: Facts) -> State | None:
        row = self._group(facts)
        if row is None or (self.absent and not self._ours(row)):
            return None
        state = _STATES.get(int(row.get("State") or 0), str(row.get("State")))
        return {"state": state if self._has(BROKER, facts) else "not complete"}

    def _ours(self, row: Row) -> bool:
        return str(row["Name"]).casefold() == self.name.casefold()

    def _has(self, kind: str, facts: Facts) -> str:
        """The name of a resource of its group; "" for none."""
        found = (r for r in facts.rows(RESOURCES) if str(r.get("OwnerGroup")).casefold() == self.name.casefold())
        return next((str(r["Name"]) for r in found if r.get("Type") == kind), "")

    # --- judging ----------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if not at_least(os, "2012r2"):
            text = f"no cmdlet of {title(os)} makes a group of this type"
            yield finding("", text, f"{exists_from('2012r2')}; there, make it in Failover Cluster Manager")
        known = own_broker(self)
        if known and known.partition(".")[0].casefold() != self.name.casefold() and not self.absent:
            text = f"the inventory says that the broker is {known}"
            yield finding("name", text, "write the same name, and hvctl_replica_broker in full")

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        row = self._group(facts)
        if self.absent:
            return
        if row is not None and not self._ours(row):
            text = f"the cluster has the broker {row['Name']}, and takes one"
            yield finding("", text, "write that name, or remove it from the cluster first")
            return
        taken = any(str(r["Name"]).casefold() == self.name.casefold() for r in facts.rows(ROLES)) and row is None
        if taken:
            yield finding("name", f"the cluster has another role called {self.name}", "choose another name")
        if changes or occasion == "create":
            yield from self._network_findings(facts)
        if not own_broker(self):
            hint = f"write hvctl_replica_broker: {self.name}.DOMAIN in the variables of the group of its nodes"
            yield finding("", "the inventory does not say by which name others reach it", hint, "warning")

    def _clients(self, facts: Facts) -> list[str]:
        return [str(r["Name"]) for r in facts.rows(NETWORKS) if r.get("Role") == _CLIENTS]

    def _network_findings(self, facts: Facts) -> Iterator[Diagnostic]:
        names = self._clients(facts)
        told = f"clients may use {', '.join(names)}" if names else "clients may use none of its networks"
        if self.network is None and len(names) != 1:
            yield finding("", f"the network of its address is not clear: {told}", "write `network`")
        elif self.network is not None and self.network.casefold() not in {n.casefold() for n in names}:
            yield finding("network", f"the cluster has no network {self.network} for clients", told)

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if (field, wanted) == ("", "absent"):
            return "the cluster neither sends nor receives replicas from then on"
        return ""

    def summary(self) -> str:
        return self.address_

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        return frozenset({"disconnect"})

    # --- changing ---------------------------------------------------------------------------------------------------

    def create(self, facts: Facts) -> Iterator[Step]:
        unmet = f"the cluster has a role {self.name} now, which it had not when the plan was made"
        call = Call("Add-ClusterGroup", {"Name": (self.name,), "GroupType": "VMReplicaBroker"})
        guard = Guard(Call("Get-ClusterGroup"), {"Name": self.name}, most=0, unmet=unmet)
        made = Step(call, f"make the group of the broker {self.name}", ("name",), guard=guard)
        yield made
        yield from self._filled(made, facts)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        """One that is not online gets all that it may lack: nothing tells how far its making had come."""
        yield from self._filled(None, facts)

    def _filled(self, made: Step | None, facts: Facts) -> Iterator[Step]:
        at = IPv4Interface(self.address_)
        address = self._has(ADDRESS, facts) or f"{self.name} address"
        name = self._has(NAME, facts) or self.name
        broker = self._has(BROKER, facts) or BROKER
        network = self.network or next(iter(self._clients(facts)), "")
        of_address: dict[str, Value] = {
            "Address": str(at.ip),
            "SubnetMask": str(at.netmask),
            "Network": network,
            "EnableDhcp": 0,
        }
        needs: tuple[Step, ...] = (made,) if made is not None else ()
        told = f"of the broker {self.name}"
        for step in (
            self._added(address, ADDRESS, f"add the address {told}", facts),
            self._set(address, of_address, f"set the address {told}"),
            self._added(name, NAME, f"add the network name {told}", facts),
            self._set(name, {"Name": self.name, "DnsName": self.name}, f"set the network name {told}"),
            self._after(name, address, f"have the network name {told} come after its address"),
            self._added(broker, BROKER, f"add the broker {self.name} itself", facts),
            self._after(broker, name, f"have the broker {self.name} come after its network name"),
            (Call("Start-ClusterGroup", {"Name": self.name, "Wait": START_S}), f"bring the broker {self.name} online"),
        ):
            if step is None:
                continue
            call, text = step
            one = Step(call, text, ("state",), needs)
            yield one
            needs = (one,)

    def _added(self, name: str, kind: str, text: str, facts: Facts) -> tuple[Call, str] | None:
        if self._has(kind, facts):
            return None
        return Call("Add-ClusterResource", {"Name": name, "ResourceType": kind, "Group": self.name}), text

    def _set(self, name: str, values: Mapping[str, Value], text: str) -> tuple[Call, str]:
        one = Ref(Call("Get-ClusterResource"), {"Name": name})
        return Call("Set-ClusterParameter", {"InputObject": one, "Multiple": Map(values)}), text

    def _after(self, name: str, other: str, text: str) -> tuple[Call, str]:
        """Unlike Add-ClusterResourceDependency it may be said twice."""
        return Call("Set-ClusterResourceDependency", {"Resource": name, "Dependency": f"[{other}]"}), text

    def remove(self, facts: Facts) -> Iterator[Step]:
        call = Call("Remove-ClusterGroup", {"Name": (self.name,), "RemoveResources": True, "Force": True})
        yield Step(call, f"remove the broker {self.name}", ("ensure",))
