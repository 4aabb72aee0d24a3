"""Replication of a VM to another host, and on to a third one, planned on all of them (domain 15.2, 15.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from hvctl.call import Call, Guard, Ref, Value
from hvctl.contract import OS, at_least
from hvctl.core.changes import Change, Step
from hvctl.core.facts import Facts
from hvctl.core.fields import settings
from hvctl.kinds import _replica_adapters as replica_adapters
from hvctl.kinds._drives import DISKS, Slot
from hvctl.kinds._replica import (
    METHODS,
    RELATIONS,
    Side,
    by_id,
    relation_of,
)
from hvctl.kinds._replication import (
    Extended,
    of_vm,
    side_called,
)
from hvctl.kinds._replication_judged import ReplicationJudged
from hvctl.kinds._replication_seen import LOST
from hvctl.kinds._vm import in_vm, vm_ref
from hvctl.kinds.replica_server import ReplicaServer

_NOTHING: Mapping[str, Value] = {}


class Replication(ReplicationJudged):
    """Replication of the VM to the host `server`, a name of the inventory or a full name, of a cluster that of its Hyper-V
    Replica Broker; `extended` goes on from there to a third site. Where those hosts are in the inventory all of it is
    planned together: the replica server, enabling, the initial copy, then `extended` when that is done. That it replicates
    is wanted too, unless `state: paused`: a pause, an error, a resynchronization that is needed and a copy that was not
    begun are differences. `ensure: absent` takes it away on both sides; the replica stays as a VM that is off.
    `initial_copy`: `now`, over the network, unless it is `initial_copy_at` a time, by `initial_copy_export` to a folder and
    `initial_copy_import` from one on the other side, from a `backup` of the VM that is there, or `by_hand`.
    `excluded_disks`: by their places. `adapters` are the replica's: the switch there, the one of a test, the addresses
    after a failover. See [replica](replica.md)."""

    kind: ClassVar[str] = "replication"
    section: ClassVar[str] = "replication"
    setter: ClassVar[str] = "Set-VMReplication"
    after: ClassVar[tuple[str, ...]] = (
        "disk",
        "dvd",
        "network_adapter",
        "processor",
        "memory",
        "firmware",
        "security",
        "role",
    )
    query: ClassVar[Call] = RELATIONS
    usual: ClassVar[Mapping[str, Any]] = {
        "authentication": "kerberos",
        "frequency": 300,
        "compression": True,
        "bypass_proxy": False,
        "recovery_points": 0,
        "vss": None,
        "host_data_exchange": True,
        "auto_resync.enabled": False,
        "auto_resync.start": "18:30",
        "auto_resync.end": "06:00",
    }
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("replica_server", "to", "target", "host"), "server"),
        **dict.fromkeys(("interval", "every", "frequency_seconds", "rpo"), "frequency"),
        **dict.fromkeys(("recovery_history", "history", "points"), "recovery_points"),
        **dict.fromkeys(("auth", "authentication_type"), "authentication"),
        **dict.fromkeys(("thumbprint", "certificate_thumbprint"), "certificate"),
        **dict.fromkeys(("excluded_vhds", "exclude", "excluded"), "excluded_disks"),
        **dict.fromkeys(("vss_frequency", "application_consistent"), "vss"),
        "third_site": "extended",
    }

    # --- steps ------------------------------------------------------------------------------------------------------

    def _given(self, changes: tuple[Change, ...], os: OS) -> dict[str, Value]:
        """Settings of this side, for enabling and for changing."""
        table = settings(type(self))
        found: dict[str, Value] = {}
        for change in changes:
            name = change.field
            if name == "vss":
                if change.wanted is None:
                    found["DisableVSSSnapshotReplication"] = True
                else:
                    word = "VSSSnapshotFrequencyHour" if at_least(os, "2012r2") else "VSSSnapshotFrequency"
                    found[word] = int(change.wanted) // 3600
            elif name in table and not name.startswith("extended.") and name != "server":
                if name == "frequency" and not at_least(os, "2012r2"):
                    continue
                found[table[name].set_with] = table[name].codec.write(change.wanted)
        return found

    def create(self, facts: Facts) -> Iterator[Step]:
        yield from self._enable(self.as_changes(facts), facts, ())

    def _enable(
        self, changes: tuple[Change, ...], facts: Facts, needs: tuple[Step, ...], kept: Mapping[str, Value] = _NOTHING
    ) -> Iterator[Step]:
        second = self._second(facts)
        vm, name = vm_ref(self.vm, facts), self.vm.key()
        method = self.authentication or "kerberos"
        seeded: tuple[Step, ...] = ()
        if self.initial_copy == "backup" and second is not None and second.vm is not None:
            seeded = tuple(self._seed(second, facts))
            yield from seeded
        given = {**kept, **self._given(changes, facts.os)}
        given.pop("DisableVSSSnapshotReplication", None)
        params: dict[str, Value] = {
            "VM": vm,
            "ReplicaServerName": self._full_name(second),
            "ReplicaServerPort": self.port or _port(second, method),
            "AuthenticationType": METHODS.names[method],
            **{k: v for k, v in given.items() if k not in ("ReplicaServerPort", "AuthenticationType")},
        }
        if self.excluded_disks:
            params["ExcludedVhd"] = tuple(self._disk(place, vm) for place in self.excluded_disks)
        guard = None
        if self._own(facts) is None and self.vm_row(facts) is not None:
            unmet = f"{name} is replicated now, which it was not when the plan was made"
            guard = Guard(Call("Get-VMReplication", {"VM": vm}), unmet=unmet)
        fields = ("server", *(c.field for c in changes))
        enabled = Step(
            Call("Enable-VMReplication", params),
            f"enable the replication of {name} to {self.server}",
            fields,
            needs=(*needs, *seeded),
            guard=guard,
        )
        yield enabled
        if self.initial_copy != "by_hand" and (self.state or "replicating") == "replicating":
            yield self._copy(vm, (enabled,))
        if second is not None and self.adapters:
            row = self.vm_row(facts)
            there = by_id(row["Id"]) if row is not None else Ref(Call("Get-VM"), {"Name": name})
            yield from replica_adapters.steps(self.adapters, changes, there, name, second.host, (enabled,))

    def _seed(self, second: Side, facts: Facts) -> Iterator[Step]:
        """What is there becomes the replica that the copy goes on from (replica-migration 2.5)."""
        assert second.vm is not None
        vm, name = by_id(second.vm["Id"]), self.vm.key()
        ended = tuple(self._onward_ended(second, ("initial_copy",), facts))
        yield from ended
        removed = ended[-1:]
        if second.received is not None:
            call = Call("Remove-VMReplication", {"VMReplication": relation_of(vm, "Simple")})
            text = f"end what {name} was a replica of"
            removed = (Step(call, text, ("initial_copy",), needs=removed, host=second.host),)
            yield from removed
        call = Call("Enable-VMReplication", {"VM": vm, "AsReplica": True})
        yield Step(call, f"make {name} there a replica", ("initial_copy",), needs=removed, host=second.host)

    def _copy(self, vm: Ref, needs: tuple[Step, ...]) -> Step:
        params: dict[str, Value] = {"VM": vm}
        text = f"begin the initial copy of {self.vm.key()}"
        if self.initial_copy_at is not None:
            params["InitialReplicationStartTime"] = self.initial_copy_at.replace(" ", "T") + ":00"
            text = f"have the initial copy of {self.vm.key()} begin at {self.initial_copy_at}"
        elif self.initial_copy_export is not None:
            params["DestinationPath"] = self.initial_copy_export
            text = f"export the initial copy of {self.vm.key()} to {self.initial_copy_export}"
        elif self.initial_copy == "backup":
            params["UseBackup"] = True
        return Step(Call("Start-VMInitialReplication", params), text, ("state",), needs=needs)

    def _disk(self, place: str, vm: Ref) -> Ref:
        return Ref(Call("Get-VMHardDiskDrive", {"VM": vm}), Slot.at(place).where)

    def _full_name(self, second: Side | None) -> str:
        return second.name if second is not None else self.server

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        by_field = {c.field: c for c in changes}
        second = self._second(facts)
        vm, name = vm_ref(self.vm, facts), self.vm.key()
        row = self._own(facts)
        assert row is not None
        if "server" in by_field or ("replica" in by_field and by_field["replica"].now in LOST):
            yield from self._again(by_field, facts)
            return
        own = tuple(c for c in changes if not c.field.startswith("extended") and c.field in settings(type(self)))
        made: tuple[Step, ...] = ()
        if given := self._given(own, facts.os):
            call = Call(self.setter, {"VM": vm, **given})
            made = (Step(call, f"set the replication of {name}", tuple(c.field for c in own)),)
            yield from made
        if "excluded_disks" in by_field:
            yield self._new_set(vm, facts, made)
        if "state" in by_field:
            yield from self._to_state(str(by_field["state"].now), vm, made)
        if "replica" in by_field and second is not None and second.vm is not None:
            yield self._received(str(by_field["replica"].now), second)
        if second is not None and second.vm is not None:
            yield from replica_adapters.steps(self.adapters, changes, by_id(second.vm["Id"]), name, second.host, ())
        onward = tuple(c for c in changes if c.field.partition(".")[0] == "extended")
        if onward and second is not None:
            yield from self._onward(onward, second, facts)

    def _received(self, now: str, second: Side) -> Step:
        assert second.vm is not None
        leg = relation_of(by_id(second.vm["Id"]), "Simple")
        if now == "paused":
            call = Call("Resume-VMReplication", {"VMReplication": leg})
            return Step(call, f"go on receiving {self.vm.key()}", ("replica",), host=second.host)
        folder = self._imported(second)
        call = Call("Import-VMInitialReplication", {"VMReplication": leg, "Path": folder})
        return Step(call, f"import the initial copy of {self.vm.key()}", ("replica",), host=second.host)

    def _again(self, by_field: Mapping[str, Change], facts: Facts) -> Iterator[Step]:
        """To another host, or to one that has lost it: taken away and enabled, with a whole copy."""
        vm, name = vm_ref(self.vm, facts), self.vm.key()
        fields = tuple(f for f in ("server", "replica") if f in by_field)
        row = self._own(facts)
        old = side_called(self, row["ReplicaServerName"], self._vm_id(facts), facts) if row is not None else None
        ended = tuple(self._onward_ended(old, fields, facts))
        yield from ended
        removed = Step(Call("Remove-VMReplication", {"VM": vm}), f"end the replication of {name}", fields, ended[-1:])
        yield removed
        yield from self._no_replica(old, fields, (removed,), facts)
        yield from self._enable(self.as_changes(facts), facts, (removed,), self._kept(facts))

    def _kept(self, facts: Facts) -> dict[str, Value]:
        """What nobody wrote stays as it was, where replication is taken away and enabled again."""
        row = self._own(facts)
        table, left = settings(type(self)), {"server", "port", "authentication", "certificate", "vss", "frequency"}
        found: dict[str, Value] = {}
        if row is None:
            return found
        for name, setting in table.items():
            if name in left or name.startswith("extended.") or setting.name not in row:
                continue
            found[setting.set_with] = setting.codec.write(setting.codec.read(row[setting.name]))
        if row.get("ReplicationFrequencySec"):
            found["ReplicationFrequencySec"] = row["ReplicationFrequencySec"]
        if row.get("VSSSnapshotFrequencyHour") and "vss" not in self.model_fields_set:
            found["VSSSnapshotFrequencyHour"] = row["VSSSnapshotFrequencyHour"]
        return found

    def _new_set(self, vm: Ref, facts: Facts, needs: tuple[Step, ...]) -> Step:
        """The parameter is the whole new set (replica-migration 2.4)."""
        row = self.vm_row(facts)
        assert row is not None
        left = set(self.excluded_disks or ())
        kept = [p for p in of_vm(in_vm(DISKS, row, facts)) if p not in left]
        call = Call(self.setter, {"VM": vm, "ReplicatedDisks": tuple(self._disk(p, vm) for p in kept)})
        return Step(call, f"replicate {', '.join(kept)} of {self.vm.key()}", ("excluded_disks",), needs=needs)

    def _to_state(self, now: str, vm: Ref, needs: tuple[Step, ...]) -> Iterator[Step]:
        name, because = self.vm.key(), ("state",)
        if self.state == "paused":
            yield Step(Call("Suspend-VMReplication", {"VM": vm}), f"pause the replication of {name}", because)
        elif now == "not started":
            yield self._copy(vm, needs)
        elif now in ("paused", "error"):
            yield Step(Call("Resume-VMReplication", {"VM": vm}), f"resume the replication of {name}", because, needs)
        elif now in ("resync needed", "resync paused"):
            word = "Resynchronize" if now == "resync needed" else "Continue"
            call = Call("Resume-VMReplication", {"VM": vm, word: True})
            yield Step(call, f"resynchronize {name}", because, needs)

    # --- the third site ---------------------------------------------------------------------------------------------

    def _onward(self, changes: tuple[Change, ...], second: Side, facts: Facts) -> Iterator[Step]:
        """By the host of the replica (domain 15.3)."""
        name, row = self.vm.key(), second.onward
        assert second.vm is not None
        vm = by_id(second.vm["Id"])
        leg = relation_of(vm, "Extended")
        by_field = {c.field: c for c in changes}
        if self.extended is None:
            yield from self._onward_ended(second, ("extended",), facts)
            return
        fields = tuple(by_field)
        lost = "extended.replica" in by_field and by_field["extended.replica"].now in LOST
        if row is None or "extended.server" in by_field or lost:
            because = tuple(f for f in ("extended.server", "extended.replica") if f in by_field)
            removed = tuple(self._onward_ended(second, because, facts))
            yield from removed
            yield from self._enable_onward(second, vm, leg, fields, removed[-1:], facts)
            return
        table = settings(Extended)
        plain = {n.partition(".")[2]: c for n, c in by_field.items()}
        given = {table[n].set_with: table[n].codec.write(c.wanted) for n, c in plain.items() if n in table}
        if given:
            call = Call(self.setter, {"VMReplication": leg, **given})
            yield Step(call, f"set how {name} is sent on", fields, host=second.host)
        if "state" in plain:
            yield from self._onward_state(str(plain["state"].now), leg, second)
        third = self._third_read(facts) if "replica" in plain else None
        if third is not None and third.vm is not None:
            call = Call("Resume-VMReplication", {"VM": by_id(third.vm["Id"])})
            yield Step(call, f"go on receiving {name}", ("extended.replica",), host=third.host)

    def _enable_onward(
        self, second: Side, vm: Ref, leg: Ref, fields: tuple[str, ...], needs: tuple[Step, ...], facts: Facts
    ) -> Iterator[Step]:
        onward, name = self.extended, self.vm.key()
        assert onward is not None
        third = self._third(facts)
        method = onward.authentication or "kerberos"
        table = settings(Extended)
        given = {table[n].set_with: table[n].codec.write(v) for n, v in onward.written().items() if n != "server"}
        params: dict[str, Value] = {
            "VM": vm,
            "ReplicaServerName": third.name if third is not None else onward.server,
            "ReplicaServerPort": onward.port or _port(third, method),
            "AuthenticationType": METHODS.names[method],
            **{k: v for k, v in given.items() if k not in ("ReplicaServerPort", "AuthenticationType")},
        }
        text = f"send {name} on to {onward.server}"
        enabled = Step(Call("Enable-VMReplication", params), text, fields, needs=needs, host=second.host)
        yield enabled
        if onward.initial_copy == "now":
            call = Call("Start-VMInitialReplication", {"VMReplication": leg})
            text = f"begin the initial copy of {name} to the third site"
            yield Step(call, text, ("extended.state",), needs=(enabled,), host=second.host)

    def _onward_state(self, now: str, leg: Ref, second: Side) -> Iterator[Step]:
        words: dict[str, tuple[str, dict[str, Value]]] = {
            "not started": ("Start-VMInitialReplication", {}),
            "paused": ("Resume-VMReplication", {}),
            "error": ("Resume-VMReplication", {}),
            "resync needed": ("Resume-VMReplication", {"Resynchronize": True}),
            "resync paused": ("Resume-VMReplication", {"Continue": True}),
        }
        cmdlet, more = words[now]
        text = f"go on sending {self.vm.key()} to the third site"
        yield Step(Call(cmdlet, {"VMReplication": leg, **more}), text, ("extended.state",), host=second.host)

    # --- taking it away ---------------------------------------------------------------------------------------------

    def remove(self, facts: Facts) -> Iterator[Step]:
        """On the third site's leg first: what is sent on cannot be ended before (replica-migration 2.3)."""
        name, because = self.vm.key(), ("ensure",)
        second = self._second(facts)
        ended_onward = tuple(self._onward_ended(second, because, facts))
        yield from ended_onward
        needs = ended_onward[-1:]
        if self._own(facts) is not None:
            call = Call("Remove-VMReplication", {"VM": vm_ref(self.vm, facts)})
            ended = Step(call, f"end the replication of {name}", because, needs=needs)
            yield ended
            needs = (*needs, ended)
        yield from self._no_replica(second, because, needs, facts)

    def _no_replica(
        self, second: Side | None, because: tuple[str, ...], needs: tuple[Step, ...], facts: Facts
    ) -> Iterator[Step]:
        if second is None or second.vm is None or second.received is None or not self._ours(second.received, facts):
            return
        call = Call("Remove-VMReplication", {"VMReplication": relation_of(by_id(second.vm["Id"]), "Simple")})
        yield Step(call, f"{self.vm.key()} is no replica any more", because, needs=needs, host=second.host)

    def _onward_ended(self, second: Side | None, because: tuple[str, ...], facts: Facts) -> Iterator[Step]:
        """At the third site first, where it was read: it would keep a replica that does not start, and once nothing is sent
        on no host says where that is (replica-migration 2.1)."""
        if second is None or second.vm is None or second.onward is None:
            return
        third = self._third_of(second, facts)
        needs: tuple[Step, ...] = ()
        if third is not None and third.vm is not None and third.received is not None:
            call = Call("Remove-VMReplication", {"VM": by_id(third.vm["Id"])})
            needs = (Step(call, f"{self.vm.key()} is no replica any more on {third.host}", because, host=third.host),)
            yield from needs
        call = Call("Remove-VMReplication", {"VMReplication": relation_of(by_id(second.vm["Id"]), "Extended")})
        yield Step(call, f"no longer send {self.vm.key()} on", because, needs=needs, host=second.host)


def _port(there: Side | None, method: str) -> int:
    """That of the server, where it is known."""
    rows = there.facts.reply(ReplicaServer.query).rows if there is not None else ()
    return int(rows[0][f"{METHODS.names[method]}AuthenticationPort"]) if rows else {"kerberos": 80}.get(method, 443)
