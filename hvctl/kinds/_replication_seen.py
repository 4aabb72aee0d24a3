"""A replication as both sides say it is, and what changing it means (domain 15.2, 15.3; replica-migration 1, 2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from hvctl.call import Call, Row
from hvctl.core.changes import Change, HeldBackError, Noted
from hvctl.core.describe import Omission, all_written
from hvctl.core.facts import Facts, UnreadHostError
from hvctl.core.fields import settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import NOT_COMPARED, State
from hvctl.kinds import _replica_adapters as replica_adapters
from hvctl.kinds._certificates import QUERIES as CERTIFICATES
from hvctl.kinds._cluster import WHOLE
from hvctl.kinds._drives import DISKS
from hvctl.kinds._host import CLOCK, HOST
from hvctl.kinds._replica import (
    LATENCY,
    MEASURED,
    RELATIONS,
    REPLICAS,
    STATES,
    UNDER_WAY,
    Side,
    extended,
    noted_of,
    relation,
    state_of,
)
from hvctl.kinds._replication import (
    PLACES,
    Extended,
    of_vm,
    places,
    side_called,
    side_of,
)
from hvctl.kinds._replication_rules import ReplicationRules
from hvctl.kinds._servers import (
    COMPUTER,
    among,
    broker_named,
    full_name,
    host_named,
    hosts_of,
    is_server_name,
    own_name,
    same_server,
)
from hvctl.kinds._vm import VMS, in_vm, queries_behind, replica_row
from hvctl.kinds.replica_authorization import ReplicaAuthorization
from hvctl.kinds.replica_server import RULES, ReplicaServer
from hvctl.text.visible import quoted

_THERE = (VMS, HOST, RELATIONS, COMPUTER, ReplicaServer.query, ReplicaAuthorization.query, DISKS, RULES, *WHOLE)
"""What is asked of a host that receives."""

_TICKS = 10_000_000
LOST = ("no such VM there", "an ordinary VM there")
"""Of a replica: there is none any more."""


def _media(folder: str) -> Call:
    return Call(
        "Get-ChildItem", {"LiteralPath": (folder,), "Directory": True}, ("Name", "FullName"), each="LiteralPath"
    )


def _received_now(row: Row, there: Side | None) -> Any:
    """What the host that a relationship sends to has of the VM."""
    if there is None or not same_server(row["ReplicaServerName"], there.name):
        return NOT_COMPARED
    if there.vm is None:
        return "no such VM there"
    if there.received is None:
        return "an ordinary VM there"
    state = state_of(there.received)
    return state if state in ("paused", "failed over") else "receiving"


class ReplicationSeen(ReplicationRules):
    """As it is."""

    # --- looking ----------------------------------------------------------------------------------------------------

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """By the name that Hyper-V has for the other side; what is sent on is another host's to say."""
        row = facts.of_key(VMS, "Name", owner.key())[0] if owner is not None else None
        sent = relation(row["Id"], facts, modes=("Primary",)) if row is not None else None
        if sent is not None:
            server = str(sent["ReplicaServerName"] or "")
            if not is_server_name(server):  # that of Azure is none
                raise HeldBackError(f"it is replicated, and {quoted(server)} is not the name of a server", "")
            one = cls(server="unnamed.invalid")
            yield one.model_copy(update={"server": server})

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (RELATIONS,)

    @classmethod
    def describing(cls) -> tuple[Call, ...]:
        return (VMS, RELATIONS, MEASURED, COMPUTER, DISKS)

    def reader(self) -> Self:
        return all_written(self, {"extended": None})  # which is another host's to say

    def described(self, facts: Facts) -> tuple[Self, tuple[Omission, ...]] | None:
        """What is in trouble has no steady state that a playbook could say."""
        row = self._own(facts)
        if row is not None:
            state, health = state_of(row), str(row["ReplicationHealth"]).casefold()
            if state not in ("replicating", "paused") or (state == "replicating" and health != "normal"):
                hint = "see to it, and import again"
                raise HeldBackError(f"its replication is: {state}, {health}", hint)
        return super().described(facts)

    def as_written(self, found: State, facts: Facts) -> State:
        """What belongs to another method, what is not compared and what is so unless somebody does something is not written."""
        kerberos = found.get("authentication") == "kerberos"
        left = {"health", "replica", *({"certificate"} if kerberos else ())}
        left |= {"state"} if found.get("state") == "replicating" else set()
        left |= {n for n, value in found.items() if value is NOT_COMPARED or n.partition(".")[0] == "extended"}
        left |= set() if found.get("excluded_disks") else {"excluded_disks"}
        return {name: value for name, value in found.items() if name not in left}

    def by_default(self, facts: Facts) -> State:
        return {**self.usual, "port": 443 if self.authentication == "certificate" else 80}

    def asides(self, facts: Facts) -> Iterator[str]:
        yield "what its replica's host has of it (switches, addresses, a third site) is not read here"

    def queries(self) -> tuple[Call, ...]:
        more: tuple[Call, ...] = CERTIFICATES if self.certificate is not None else ()
        if self.index.together:  # a node sends by the broker of its cluster
            more += (ReplicaServer.query, *WHOLE)
        more += (CLOCK,) if self.initial_copy_at is not None else ()
        return (*super().queries(), RELATIONS, MEASURED, COMPUTER, DISKS, *more)

    def queries_on(self, host: str) -> tuple[Call, ...]:
        second = host in hosts_of(self, self.server)
        media: tuple[Call, ...] = (
            (_media(self.initial_copy_import),) if self.initial_copy_import is not None and second else ()
        )
        media += replica_adapters.queries(self.adapters) if second else ()
        own = self.certificate is not None or (self.extended is not None and self.extended.certificate is not None)
        return (*_THERE, *media, *(CERTIFICATES if own else ()), *queries_behind(self.vm))

    def _vm_id(self, facts: Facts) -> object:
        row = self.vm_row(facts)
        return None if row is None else row["Id"]

    def _own(self, facts: Facts) -> Row | None:
        """By which the VM is sent."""
        vm_id = self._vm_id(facts)
        return None if vm_id is None else relation(vm_id, facts, modes=("Primary",))

    def _second(self, facts: Facts) -> Side | None:
        return side_of(self, self.server, self._vm_id(facts), facts)

    def _third(self, facts: Facts) -> Side | None:
        server = self.extended.server if self.extended is not None else None
        return side_of(self, server, self._vm_id(facts), facts)

    def _third_of(self, second: Side, facts: Facts) -> Side | None:
        """Where the second site sends it on to now, whatever is written; None where that was not read, or is another's."""
        name = second.onward["ReplicaServerName"] if second.onward is not None else None
        third = side_called(self, name, self._vm_id(facts), facts) if name else None
        received = third.received if third is not None else None
        return third if received is not None and same_server(received["PrimaryServerName"], second.name) else None

    def noted(self, facts: Facts) -> Noted | None:
        row = self._own(facts)
        if row is None:
            return self._noted_of_replica(facts)
        measured = facts.of_key(MEASURED, "VMId", self._vm_id(facts))
        lag = next(
            (int(m[LATENCY]) // _TICKS for m in measured if not extended(m) and m.get(LATENCY) is not None), None
        )
        return noted_of(self.vm.key(), row, lag)

    def _noted_of_replica(self, facts: Facts) -> Noted | None:
        """After a failover it is this side that receives."""
        vm = replica_row(self.vm, facts)
        row = relation(vm["Id"], facts, modes=REPLICAS) if vm is not None else None
        return noted_of(self.vm.key(), row) if row is not None else None

    def wanted(self) -> State:
        found: dict[str, Any] = {**super().wanted(), "state": self.state or "replicating", "health": "normal"}
        found["replica"] = "receiving"
        found |= replica_adapters.written(self.adapters)
        if self.excluded_disks is not None:
            found["excluded_disks"] = frozenset(self.excluded_disks)
        if self.extended is not None:
            found["extended.state"] = "replicating"
            found["extended.replica"] = "receiving"
        elif self.no_third_site:
            found["extended"] = None
        return found

    def as_changes(self, facts: Facts) -> tuple[Change, ...]:
        """What it is made with. A third site comes after the initial copy."""
        left = ("health", "replica", "extended")
        return tuple(c for c in super().as_changes(facts) if c.field.partition(".")[0] not in left)

    def actual(self, facts: Facts) -> State | None:
        if self._vm_id(facts) is None:
            return None
        row, second = self._own(facts), self._second(facts)
        if row is None:
            left = second is not None and second.received is not None and self._ours(second.received, facts)
            return {} if self.absent and left else None
        found: dict[str, Any] = {n: v for n, v in self.read_settings(row).items() if not n.startswith("extended")}
        found["server"] = self._server_now(row, second)
        if facts.os == "2012" and self.frequency == 300:
            found["frequency"] = NOT_COMPARED  # it has no property, and no other frequency (domain 15.2)
        if facts.os == "2012" and "vss" in self.model_fields_set:
            found["vss"] = NOT_COMPARED if row["VSSSnapshotReplicationEnabled"] and self.vss else None
        state = state_of(row)
        found["state"] = state
        steady = state in ("replicating", "paused")
        found["health"] = str(row["ReplicationHealth"]).casefold() if steady and state != "paused" else "normal"
        found["replica"] = self._replica_now(row, second)
        if self.excluded_disks is not None:
            found["excluded_disks"] = self._excluded(row, second, facts)
        found |= self._onward_now(second, facts)
        names = replica_adapters.written(self.adapters)
        if second is None:
            found |= dict.fromkeys(names, NOT_COMPARED)
        else:
            found |= replica_adapters.now(self.adapters, second) if second.vm is not None else dict.fromkeys(names)
        return found

    def _ours(self, received: Row, facts: Facts) -> bool:
        return same_server(received["PrimaryServerName"], own_name(self, facts))

    def _server_now(self, row: Row, second: Side | None) -> Any:
        """As it is written, if that is the one: by its name there, or by what the inventory calls it."""
        now = str(row["ReplicaServerName"] or "")
        broker = broker_named(self, self.server)
        if same_server(now, broker or self.server) or (second is not None and same_server(now, second.name)):
            return self.server
        unseen = second is None and host_named(self, self.server).casefold() == self.server.casefold()
        return NOT_COMPARED if unseen and host_named(self, self.server) else now

    def _replica_now(self, row: Row, second: Side | None) -> Any:
        found = _received_now(row, second)
        if found != "receiving" or second is None or second.received is None:
            return found
        state = state_of(second.received)
        exported = self.initial_copy_import is not None and state_of(row) in ("initial copy", "replicating")
        return "waiting for its media" if exported and state == STATES["WaitingForInitialReplication"] else "receiving"

    def _excluded(self, row: Row, second: Side | None, facts: Facts) -> Any:
        """Before 2016 no host says it; what is left out has no drive on the replica (replica-migration 2.4)."""
        left = places(row, "ExcludedDisks")
        if left is not None:
            return left
        if second is None or second.vm is None or second.received is None:
            return NOT_COMPARED
        have = frozenset(of_vm(in_vm(DISKS, second.vm, second.facts)))
        vm = self.vm_row(facts)
        assert vm is not None
        return frozenset(of_vm(in_vm(DISKS, vm, facts))) - have

    def _third_read(self, facts: Facts) -> Side | None:
        """None also where it could not be."""
        try:
            return self._third(facts)
        except UnreadHostError:
            return None

    def _onward_now(self, second: Side | None, facts: Facts) -> dict[str, Any]:
        wanted = [n for n in self.wanted() if n.partition(".")[0] == "extended"]
        if not wanted:
            return {}
        if second is None:
            return dict.fromkeys(wanted, NOT_COMPARED)
        row = second.onward
        if self.extended is None:
            return {"extended": None if row is None else str(row["ReplicaServerName"])}
        if row is None:
            return dict.fromkeys(wanted)
        table = settings(Extended)
        found = {f"extended.{n}": table[n].get(row) for n in self.extended.written()}
        now, broker = str(row["ReplicaServerName"] or ""), broker_named(self, self.extended.server)
        hosts = () if broker else hosts_of(self, self.extended.server)
        others = [f for h in hosts if (f := second.facts.others.get(h)) is not None]
        names = (broker or self.extended.server, *(full_name(f) for f in others))
        found["extended.server"] = self.extended.server if among(now, names) else now
        found["extended.state"] = state_of(row)
        found["extended.replica"] = _received_now(row, self._third_read(facts))
        return found

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "state" and wanted == "paused" and now in ("not started", "resync paused"):
            return True  # nothing is sent
        if field in ("state", "extended.state"):
            return now == wanted or (wanted == "replicating" and now in UNDER_WAY) or self._left_to_others(field, now)
        if field == "excluded_disks":
            return bool(now == wanted)
        return super().same(field, now, wanted)

    def _left_to_others(self, field: str, now: Any) -> bool:
        """A copy that somebody else begins."""
        by = self.extended.initial_copy if field != "state" and self.extended is not None else self.initial_copy
        return now == "not started" and by == "by_hand"

    def show(self, field: str, value: Any) -> str:
        return PLACES.show(value) if field == "excluded_disks" else super().show(field, value)

    def value(self, field: str, value: Any) -> Any:
        return PLACES.value(value) if field == "excluded_disks" else super().value(field, value)

    # --- what it means ----------------------------------------------------------------------------------------------

    def summary(self) -> str:
        return f"to {self.server}" + (f", on to {self.extended.server}" if self.extended is not None else "")

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        if field in ("server", "extended.server") and now is not None:
            return frozenset({"recreate"})
        if field in ("replica", "extended.replica") and now in LOST:
            return frozenset({"recreate"})
        if field == "extended" or (field in ("state", "extended.state") and now == "resync needed"):
            return frozenset({"destroy"})
        return frozenset({"online"})

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "" and wanted == "absent":
            sides = "on all sides" if self.extended is not None else "on both sides"
            return f"{sides}; {self.vm.key()} stays on {self.server} as a VM that is off, its recovery points go"
        if field == "" and self._seeds(facts):
            return f"what {self.server} has of it is made a replica anew: its recovery points go"
        if field in ("server", "extended.server") and now is not None:
            return f"a whole initial copy; what {now} has stays as a VM that is off, its recovery points go"
        if field == "extended.replica" and now in LOST:
            return "a whole initial copy"
        if field in ("state", "extended.state") and now == "resync needed":
            return "all of its disks are read and compared; its recovery points go"
        if field in ("state", "extended.state") and now == "not started":
            return "the initial copy"
        if field == "extended" and wanted is None:
            return "the replica at the third site stays there as a VM that is off"
        return ""

    def rests_on(self, field: str, facts: Facts) -> str:
        """What is wanted of a third site that is not there is wanted of none; nothing is resumed that is not received."""
        if field == "state":
            row, other = self._own(facts), self._second(facts)
            lost = row is not None and self._replica_now(row, other) in (*LOST, "failed over")
            return "replica" if lost else ""
        if field == "extended.state" and self._onward_lost(facts):
            return "extended.replica"
        onward = field.startswith("extended.") and field != "extended.server" and self.extended is not None
        second = self._second(facts) if onward else None
        return "extended.server" if second is not None and second.onward is None else ""

    def _onward_lost(self, facts: Facts) -> bool:
        second = self._second(facts)
        row = second.onward if second is not None else None
        return row is not None and _received_now(row, self._third_read(facts)) in (*LOST, "failed over")

    def _seeds(self, facts: Facts) -> bool:
        """Whether a replica that is there already is what the copy goes on from."""
        second = self._second(facts) if self.initial_copy == "backup" else None
        return second is not None and second.received is not None

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        return frozenset({"destroy"}) if self._seeds(facts) else super().create_impacts(facts)

    def _imported(self, second: Side) -> str:
        """The folder of this VM, which the export has named <name>_<id> (replica-migration 2.1); "" if it is not there."""
        assert self.initial_copy_import is not None and second.vm is not None
        ending = f"_{second.vm['Id']}".casefold()
        rows = second.facts.reply(_media(self.initial_copy_import)).rows
        return next((str(r["FullName"]) for r in rows if str(r["Name"]).casefold().endswith(ending)), "")
