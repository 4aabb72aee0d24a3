"""Replication of a VM to another host, and on to a third one, planned on all of them (domain 15.2, 15.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

from hvctl.call import Call, Guard, Ref, Row, Value
from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadHostError
from hvctl.core.fields import settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import NOT_COMPARED, State
from hvctl.kinds import _replica_adapters as replica_adapters
from hvctl.kinds._certificates import QUERIES as CERTIFICATES
from hvctl.kinds._certificates import findings as certificate_findings
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._drives import DISKS, Slot
from hvctl.kinds._host import HOST
from hvctl.kinds._limits import DEFAULT_VM_VERSION, OLDEST_VM_VERSION, version_at_least
from hvctl.kinds._replica import (
    FAILED_OVER,
    MEASURED,
    METHODS,
    RELATIONS,
    STATES,
    UNDER_WAY,
    Side,
    by_id,
    relation,
    relation_of,
    state_of,
)
from hvctl.kinds._replication import (
    FREQUENCIES,
    ONWARD,
    PLACES,
    Extended,
    ReplicationFields,
    of_vm,
    places,
    side_of,
)
from hvctl.kinds._servers import COMPUTER, full_name, host_named, in_domain, same_server
from hvctl.kinds._vm import VMS, in_vm, made_as, vm_ref
from hvctl.kinds.replica_authorization import ReplicaAuthorization
from hvctl.kinds.replica_server import ReplicaServer
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic

_NOTHING: Mapping[str, Value] = {}

_THERE = (VMS, HOST, RELATIONS, COMPUTER, ReplicaServer.query, ReplicaAuthorization.query, DISKS)
"""What is asked of a host that receives."""


class Replication(ReplicationFields):
    """Replication of the VM to the host `server`, a name of the inventory or a full name; `extended` goes on from there to a
    third site. Where those hosts are in the inventory all of it is planned together: the replica server, enabling, the initial
    copy, then `extended` when that is done. That it replicates is wanted too, unless `state: paused`: a pause, an error, a
    resynchronization that is needed and a copy that was not begun are differences. `ensure: absent` takes it away on both
    sides; the replica stays as a VM that is off. `initial_copy`: `now`, over the network, unless it is `initial_copy_at` a
    time, by `initial_copy_export` to a folder and `initial_copy_import` from one on the other side, from a `backup` of the VM
    that is there, or `by_hand`. `excluded_disks`: by their places. `adapters` are the replica's: the switch there, the one of a
    test, the addresses after a failover. See [replica](replica.md)."""

    kind: ClassVar[str] = "replication"
    section: ClassVar[str] = "replication"
    setter: ClassVar[str] = "Set-VMReplication"
    after: ClassVar[tuple[str, ...]] = ("disk", "dvd", "network_adapter", "processor", "memory", "firmware", "security")
    query: ClassVar[Call] = RELATIONS
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

    # --- where it stands --------------------------------------------------------------------------------------------

    def links(self) -> tuple[str, ...]:
        names = (self.server, self.extended.server if self.extended is not None else None)
        return tuple(dict.fromkeys(host for name in names if (host := host_named(self, name))))

    def requires(self) -> tuple[Address, ...]:
        """The disks it is about; the replica server that is planned with it, and what its replica is to be on."""
        disks = tuple(d.address() for d in self.vm.parts_of(DiskPart) if not d.absent)
        second = host_named(self, self.server)
        if not second:
            return disks
        names = {n for a in self.adapters for n in (a.switch, a.test_switch) if n}
        switches = tuple(Address(second, "switch", (), name) for name in sorted(names))
        return (*disks, *self._receiving(second, self.index.host), *switches)

    def follows(self, step: Step) -> tuple[Address, ...]:
        """What is sent on waits for the third site's server; the second site does not, whatever becomes of the third."""
        third = host_named(self, self.extended.server) if self.extended is not None else ""
        onward = any(field.startswith("extended.") for field in step.because)
        return tuple(self._receiving(third, host_named(self, self.server))) if third and onward else ()

    def _receiving(self, host: str, sender: str) -> Iterator[Address]:
        """The replica server of a host, and by which names an authorization may let the sender in, as far as the inventory
        knows it."""
        yield Address(host, ReplicaServer.kind, (), "")
        own = sorted(name for name, known in self.index.known.items() if known == sender and "." in name)
        for name in dict.fromkeys((*own, *(f"*.{name.partition('.')[2]}" for name in own), "*")):
            yield Address(host, ReplicaAuthorization.kind, (), name)

    # --- rules ------------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        yield from self._leg_rules(os)
        if self.extended is not None:
            yield from self._onward_rules(self.extended, os)
        given = [f for f in ("initial_copy_at", "initial_copy_export") if getattr(self, f) is not None]
        given += [] if self.initial_copy == "now" else ["initial_copy"]
        if len(given) > 1:
            yield finding(given[1], f"{given[0]} says already how the initial copy is made", "keep one of them")
        if self.initial_copy_import is not None and self.initial_copy_export is None:
            yield finding(
                "initial_copy_import", "nothing is exported that could be imported", "write `initial_copy_export`"
            )
        wanted = {d.key() for d in self.vm.parts_of(DiskPart) if not d.absent}
        for n, place in enumerate(self.excluded_disks or ()):
            if wanted and place not in wanted and place in {d.key() for d in self.vm.parts_of(DiskPart)}:
                yield finding(f"excluded_disks.{n}", f"the disk at {place} is to be absent", "leave it out")

    def _leg_rules(self, os: OS) -> Iterator[Diagnostic]:
        if self.server.casefold() == self.index.host.casefold():
            yield finding("server", "a VM is not replicated to the host that it is on", "write another host")
        if self.authentication == "certificate" and self.certificate is None:
            yield finding("authentication", "no certificate is written, which this needs", "write `certificate`")
        if self.certificate is not None and self.authentication == "kerberos":
            yield finding("certificate", "Kerberos needs none", "write `authentication: certificate`, or leave it out")
        old = not at_least(os, "2012r2")
        if self.frequency is not None and self.frequency not in FREQUENCIES:
            yield finding("frequency", "it replicates every 30 s, 5 min or 15 min", "write 30s, 5m or 15m")
        elif old and self.frequency not in (None, 300):
            yield finding("frequency", f"{title(os)} replicates every 5 min", exists_from("2012r2"))
        if old and (self.recovery_points or 0) > 15:
            yield finding("recovery_points", f"{title(os)} keeps up to 15 recovery points", "write 0 to 15")
        if self.vss is not None and self.recovery_points == 0:
            hint = "write `recovery_points`, or `vss: null`"
            yield finding("vss", "without recovery points there is nothing that could be consistent", hint)

    def _onward_rules(self, onward: Extended, os: OS) -> Iterator[Diagnostic]:
        if not at_least(os, "2012r2"):
            yield finding("extended", f"{title(os)} has no third site", exists_from("2012r2"))
        if same_server(onward.server, self.server):
            yield finding("extended.server", "the third site is the second one", "write another host")
        if onward.server.casefold() == self.index.host.casefold():
            yield finding("extended.server", "the third site is the first one", "write another host")
        if onward.frequency is not None and onward.frequency not in ONWARD:
            yield finding("extended.frequency", "a third site is sent to every 5 or 15 min", "write 5m or 15m")
        elif onward.frequency is not None and onward.frequency < (self.frequency or 0):
            text = "a third site is not sent to more often than the second one"
            yield finding("extended.frequency", text, "write the same, or 15m")
        if onward.authentication == "certificate" and onward.certificate is None:
            yield finding("extended.authentication", "no certificate is written", "write `certificate`")

    # --- looking ----------------------------------------------------------------------------------------------------

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """Nothing: to which host of an inventory it goes, its own host does not say. An import tells that it is replicated."""
        yield from ()

    def queries(self) -> tuple[Call, ...]:
        more = CERTIFICATES if self.certificate is not None else ()
        return (*super().queries(), RELATIONS, MEASURED, COMPUTER, DISKS, *more)

    def queries_on(self, host: str) -> tuple[Call, ...]:
        second = host == host_named(self, self.server)
        media: tuple[Call, ...] = (
            (_media(self.initial_copy_import),) if self.initial_copy_import is not None and second else ()
        )
        media += replica_adapters.queries(self.adapters) if second else ()
        own = self.extended is not None and self.extended.certificate is not None
        return (*_THERE, *media, *(CERTIFICATES if own else ()))

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

    def wanted(self) -> State:
        found: dict[str, Any] = {**super().wanted(), "state": self.state or "replicating", "health": "normal"}
        found["replica"] = "receiving"
        found |= replica_adapters.written(self.adapters)
        if self.excluded_disks is not None:
            found["excluded_disks"] = frozenset(self.excluded_disks)
        if self.extended is not None:
            found["extended.state"] = "replicating"
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
        found |= self._onward_now(second)
        names = replica_adapters.written(self.adapters)
        if second is None:
            found |= dict.fromkeys(names, NOT_COMPARED)
        else:
            found |= replica_adapters.now(self.adapters, second) if second.vm is not None else dict.fromkeys(names)
        return found

    def _ours(self, received: Row, facts: Facts) -> bool:
        return same_server(received["PrimaryServerName"], full_name(facts))

    def _server_now(self, row: Row, second: Side | None) -> Any:
        """As it is written, if that is the one: by its name there, or by what the inventory calls it."""
        now = str(row["ReplicaServerName"] or "")
        if same_server(now, self.server) or (second is not None and same_server(now, second.name)):
            return self.server
        unseen = second is None and host_named(self, self.server).casefold() == self.server.casefold()
        return NOT_COMPARED if unseen and host_named(self, self.server) else now

    def _replica_now(self, row: Row, second: Side | None) -> Any:
        if second is None or not same_server(row["ReplicaServerName"], second.name):
            return NOT_COMPARED
        if second.vm is None:
            return "no such VM there"
        if second.received is None:
            return "an ordinary VM there"
        state = state_of(second.received)
        if state in ("paused", "failed over"):
            return state
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

    def _onward_now(self, second: Side | None) -> dict[str, Any]:
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
        third = host_named(self, self.extended.server)
        now = str(row["ReplicaServerName"] or "")
        other = second.facts.others.get(third) if third else None
        if same_server(now, self.extended.server) or (other is not None and same_server(now, full_name(other))):
            found["extended.server"] = self.extended.server
        else:
            found["extended.server"] = now
        found["extended.state"] = state_of(row)
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
        if field == "replica" and now in _LOST:
            return frozenset({"recreate"})
        if field == "extended" or (field in ("state", "extended.state") and now == "resync needed"):
            return frozenset({"destroy"})
        return frozenset({"online"})

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "" and wanted == "absent":
            return f"on both sides; {self.vm.key()} stays on {self.server} as a VM that is off, its recovery points go"
        if field in ("server", "extended.server") and now is not None:
            return "a whole initial copy; the recovery points go, and what is there stays as a VM that is off"
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
            lost = row is not None and self._replica_now(row, other) in (*_LOST, "failed over")
            return "replica" if lost else ""
        onward = field.startswith("extended.") and field != "extended.server" and self.extended is not None
        second = self._second(facts) if onward else None
        return "extended.server" if second is not None and second.onward is None else ""

    # --- judging ----------------------------------------------------------------------------------------------------

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        second = self._second(facts)
        if occasion != "remove" or not self.absent:
            yield from self._one_sided(second, facts)
        if self.absent:
            if second is None:
                hint = f"there too: Remove-VMReplication, and what is to become of {self.vm.key()}"
                yield finding(
                    "", f"it is taken away on this side only; {self.server} is not looked at", hint, "warning"
                )
            return
        changed = {c.field: c for c in changes}
        if occasion == "create":
            yield from self._new_findings(second, facts)
            return
        for change in changes:
            yield from self._change_findings(change, second, facts)
        if self.state == "paused" and {"state", "excluded_disks"} <= changed.keys():
            yield finding("state", "first its disks are set, while it replicates", "apply again after that", "later")
        row = self._own(facts)
        if row is not None:
            yield from self._said(row, changed, facts)
        if second is not None:
            yield from replica_adapters.findings(self.adapters, frozenset(changed), second)
        certificate = self.certificate if self.authentication == "certificate" else None
        if certificate is not None:
            yield from certificate_findings(certificate, "certificate", facts, sets="certificate" in changed)

    def _one_sided(self, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        if second is not None:
            return
        host = host_named(self, self.server)
        if host:
            text = f"{host} is not among the hosts of this run: only this side is looked at and changed"
            yield finding("server", text, "run it for that host too", "warning")
        else:
            text = f"{self.server} is no host of the inventory: only this side is looked at and changed"
            yield finding("server", text, "see to the other side there", "warning")
        if self.extended is not None or self.no_third_site:
            text = f"it is {self.server} that sends to a third site, and it is not looked at"
            yield finding("extended", text, "run it for that host too", "warning")

    def _said(self, row: Row, changed: Mapping[str, Change], facts: Facts) -> Iterator[Diagnostic]:
        """What is no difference, and worth knowing."""
        state = state_of(row)
        if state in UNDER_WAY and "state" not in changed:
            told = {"scheduled": "the initial copy begins by itself later"}.get(state, f"{state} goes on")
            yield finding("state", told, "", "warning")
        left = places(row, "ExcludedDisks")
        if self.excluded_disks is None and left:
            text = f"not replicated: the disk at {', '.join(sorted(left))}"
            yield finding(
                "", text, "write `excluded_disks`: with those that are to be left out, [] for none", "warning"
            )

    def _new_findings(self, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        if second is None and host_named(self, self.server).casefold() == self.server.casefold():
            text = f"{self.server} is a name of the inventory, and what that host calls itself is not known"
            yield finding("server", text, "run it for that host too, or write its full name")
        yield from self._consistent(self.recovery_points or 0)
        method = self.authentication or "kerberos"
        if method == "kerberos" and not in_domain(facts):
            yield finding("", "this host is in no domain, which Kerberos needs", "write `authentication: certificate`")
        if self.certificate is not None and method == "certificate":
            yield from certificate_findings(self.certificate, "certificate", facts, sets=True)
        yield from self._disk_findings(facts)
        if second is not None:
            yield from self._receiving_findings(second, method, facts)

    def _consistent(self, points: int) -> Iterator[Diagnostic]:
        if self.vss is not None and not points and self.recovery_points is None:
            text = "it keeps no recovery points, of which none could be consistent"
            yield finding("vss", text, "write `recovery_points`")

    def _disk_findings(self, facts: Facts) -> Iterator[Diagnostic]:
        """What no log can be kept of (replica-migration 2.3)."""
        vm = self.vm_row(facts)
        for row in in_vm(DISKS, vm, facts) if vm is not None else ():
            place = str(Slot.of(row))
            if place in (self.excluded_disks or ()):
                continue
            path = str(row.get("Path") or "")
            if row.get("DiskNumber") is not None:
                yield finding("excluded_disks", f"the disk at {place} is one of the host's own", f"exclude {place}")
            elif row.get("SupportPersistentReservations") or path.casefold().endswith(".vhds"):
                yield finding("excluded_disks", f"the disk at {place} is shared", f"exclude {place}")

    def _receiving_findings(self, second: Side, method: str, facts: Facts) -> Iterator[Diagnostic]:
        vm = self.vm_row(facts)
        if second.vm is not None and self.initial_copy != "backup":
            what = "as a replica" if second.received is not None else "as a VM"
            hint = "remove it there, or write `initial_copy: backup` to go on from what it has"
            yield finding("", f"{second.host} has {self.vm.key()} already, {what}", hint)
        if second.vm is None and self.initial_copy == "backup":
            text = f"{second.host} has no {self.vm.key()} with this VM's id to go on from"
            yield finding("initial_copy", text, "import a copy of it there with its id, or leave it out")
        version = made_as(self.vm, vm)[1] or DEFAULT_VM_VERSION[facts.os]
        oldest, newest = OLDEST_VM_VERSION[second.facts.os], DEFAULT_VM_VERSION[second.facts.os]
        if not (version_at_least(version, oldest) and version_at_least(newest, version)):
            text = f"{second.host} ({title(second.facts.os)}) cannot run a VM of version {version}"
            yield finding("server", text, "replicate to a host of the same or a later Windows")
        if method == "kerberos" and not in_domain(second.facts):
            yield finding("server", f"{second.host} is in no domain, which Kerberos needs", "use certificates")
        yield from self._not_ready(second, method, self.port, "server", facts)

    def _not_ready(self, there: Side, method: str, port: int | None, field: str, facts: Facts) -> Iterator[Diagnostic]:
        """What the server would refuse as it is now; the plan of that host may set it right before."""
        rows = there.facts.reply(ReplicaServer.query).rows
        if not rows:
            return
        row = rows[0]
        hint = f"without it this is refused: see `host: replica_server:` of {there.host}"
        if not row["ReplicationEnabled"]:
            yield finding(field, f"{there.host} does not receive replicas yet", hint, "warning")
            return
        if METHODS.names[method].casefold() not in str(row["AllowedAuthenticationType"]).casefold():
            yield finding(field, f"{there.host} does not accept {method} yet", hint, "warning")
        elif port is not None and port != row[f"{METHODS.names[method]}AuthenticationPort"]:
            yield finding(field, f"{there.host} listens on another port than {port}", hint, "warning")
        if not row["ReplicationAllowedFromAnyServer"] and not _admitted(there, full_name(facts)):
            yield finding(field, f"{there.host} does not admit {full_name(facts)} yet", hint, "warning")

    def _change_findings(self, change: Change, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        field, now = change.field, change.now
        row = self._own(facts)
        if field == "vss" and row is not None:
            yield from self._consistent(int(row["RecoveryHistory"] or 0))
        state = state_of(row) if row is not None else ""
        if state in _SETTLING and field != "server" and field in settings(type(self)):
            yield finding(field, f"nothing of it is set now: {state}", "apply again when that is done", "later")
        if field == "excluded_disks" and state != "replicating":
            yield finding(
                field, f"its disks are set while it replicates; now it is: {state}", "apply again then", "later"
            )
        if field == "state" and self.state == "paused" and now != "replicating":
            yield finding(field, f"what replicates is paused; now it is: {now}", "apply again then", "later")
            return
        if field == "server" and second is not None:
            yield from self._receiving_findings(second, self.authentication or "kerberos", facts)
        elif field in ("state", "extended.state") and now is not None:
            yield from self._state_findings(field, str(now), second)
        elif field == "health":
            told = self._details(facts)
            yield finding("health", f"its health is {now}" + (f": {told}" if told else ""), "see to what it says")
        elif field == "replica":
            yield from self._replica_findings(str(now), second)
        elif field == "excluded_disks" and not at_least(facts.os, "2016"):
            text = f"{title(facts.os)} sets the disks when replication is enabled"
            yield finding("excluded_disks", text, "take the replication away, and enable it again")
        elif field == "extended.server" and now is None:
            yield from self._onward_findings(second, facts)

    def _state_findings(self, field: str, now: str, second: Side | None) -> Iterator[Diagnostic]:
        name = self.vm.key()
        if now == "prepared for failover":
            hint = f"hvctl replica failover {name} goes on with it, hvctl replica cancel {name} ends it"
            yield finding(field, f"{name} is prepared for a planned failover, and does not start", hint)
        elif now == "error" and second is not None and second.received is not None and _over(second.received):
            hint = f"hvctl replica reverse {name} goes on from there, hvctl replica cancel {name} ends it"
            yield finding(field, f"{name} was failed over to {second.host}", hint)
        elif now not in ("paused", "error", "not started", "resync needed", "resync paused", "replicating"):
            yield finding(field, f"its state is: {now}", "look at the host")

    def _replica_findings(self, now: str, second: Side | None) -> Iterator[Diagnostic]:
        name = self.vm.key()
        if now == "failed over":
            hint = f"hvctl replica reverse {name} goes on from there, hvctl replica cancel {name} ends it"
            yield finding("replica", f"{name} was failed over to {self.server}", hint)
        elif now == "waiting for its media" and second is not None and not self._imported(second):
            text = (
                f"what is exported to {self.initial_copy_export} is not in {self.initial_copy_import} of {second.host}"
            )
            yield finding("replica", text, "bring it there, and apply again", "later")
        elif now == "an ordinary VM there" and self.initial_copy != "backup":
            text = f"{self.server} no longer receives {name}, and has it as a VM"
            hint = "remove it there, or write `initial_copy: backup` to go on from what it has"
            yield finding("replica", text, hint)

    def _onward_findings(self, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        assert self.extended is not None
        if second is None:
            return
        state = state_of(second.received) if second.received is not None else "no replica"
        if state != "replicating":
            text = f"{second.host} sends on when the initial copy is there; now it is: {state}"
            yield finding("extended", text, "apply again after that", "later")
            return
        try:
            third = self._third(facts)
        except UnreadHostError as error:
            yield finding("extended", error.text, "nothing is sent on before")
            return
        if third is not None:
            if third.vm is not None:
                yield finding("extended", f"{third.host} has {self.vm.key()} already", "remove it there")
            method = self.extended.authentication or "kerberos"
            yield from self._not_ready(third, method, self.extended.port, "extended", second.facts)
        if self.extended.certificate is not None and self.extended.authentication == "certificate":
            yield from certificate_findings(self.extended.certificate, "extended.certificate", second.facts, sets=True)

    def _details(self, facts: Facts) -> str:
        rows = facts.of_key(MEASURED, "VMId", self._vm_id(facts))
        own = (r for r in rows if r["ReplicationMode"] == "Primary")
        return " ".join(str(text) for r in own for text in r.get("ReplicationHealthDetails[]") or ())

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
            seeded = tuple(self._seed(second))
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

    def _seed(self, second: Side) -> Iterator[Step]:
        """What is there becomes the replica that the copy goes on from (replica-migration 2.5)."""
        assert second.vm is not None
        vm, name = by_id(second.vm["Id"]), self.vm.key()
        removed: tuple[Step, ...] = ()
        if second.received is not None:
            call = Call("Remove-VMReplication", {"VMReplication": relation_of(vm, "Simple")})
            removed = (Step(call, f"end what {name} was a replica of", ("initial_copy",), host=second.host),)
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
        if "server" in by_field or ("replica" in by_field and by_field["replica"].now in _LOST):
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

    def _imported(self, second: Side) -> str:
        """The folder of this VM, which the export has named <name>_<id> (replica-migration 2.1); "" if it is not there."""
        assert self.initial_copy_import is not None and second.vm is not None
        ending = f"_{second.vm['Id']}".casefold()
        rows = second.facts.reply(_media(self.initial_copy_import)).rows
        return next((str(r["FullName"]) for r in rows if str(r["Name"]).casefold().endswith(ending)), "")

    def _again(self, by_field: Mapping[str, Change], facts: Facts) -> Iterator[Step]:
        """To another host, or to one that has lost it: taken away and enabled, with a whole copy."""
        vm, name = vm_ref(self.vm, facts), self.vm.key()
        fields = tuple(f for f in ("server", "replica") if f in by_field)
        removed = Step(Call("Remove-VMReplication", {"VM": vm}), f"end the replication of {name}", fields)
        yield removed
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
            call = Call("Remove-VMReplication", {"VMReplication": leg})
            yield Step(call, f"no longer send {name} on", ("extended",), host=second.host)
            return
        fields = tuple(by_field)
        if row is None or "extended.server" in by_field:
            removed: tuple[Step, ...] = ()
            if row is not None:
                call = Call("Remove-VMReplication", {"VMReplication": leg})
                removed = (Step(call, f"no longer send {name} on", ("extended.server",), host=second.host),)
                yield from removed
            yield from self._enable_onward(second, vm, leg, fields, removed, facts)
            return
        table = settings(Extended)
        plain = {n.partition(".")[2]: c for n, c in by_field.items()}
        given = {table[n].set_with: table[n].codec.write(c.wanted) for n, c in plain.items() if n in table}
        if given:
            call = Call(self.setter, {"VMReplication": leg, **given})
            yield Step(call, f"set how {name} is sent on", fields, host=second.host)
        if "state" in plain:
            yield from self._onward_state(str(plain["state"].now), leg, second)

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
        needs: tuple[Step, ...] = ()
        if second is not None and second.onward is not None and second.vm is not None:
            call = Call("Remove-VMReplication", {"VMReplication": relation_of(by_id(second.vm["Id"]), "Extended")})
            needs = (Step(call, f"no longer send {name} on", because, host=second.host),)
            yield from needs
        if self._own(facts) is not None:
            call = Call("Remove-VMReplication", {"VM": vm_ref(self.vm, facts)})
            ended = Step(call, f"end the replication of {name}", because, needs=needs)
            yield ended
            needs = (*needs, ended)
        if second is not None and second.received is not None and second.vm is not None:
            if not self._ours(second.received, facts):
                return
            call = Call("Remove-VMReplication", {"VMReplication": relation_of(by_id(second.vm["Id"]), "Simple")})
            yield Step(call, f"{name} is no replica any more", because, needs=needs, host=second.host)


_SETTLING = (*UNDER_WAY[:3], "resync paused", "prepared for failover", "error in the update of its disks")
"""States in which settings are refused (simulated so; replica-migration 2 has none of it)."""

_LOST = ("no such VM there", "an ordinary VM there")
"""Of a replica: there is none any more."""


def _media(folder: str) -> Call:
    return Call(
        "Get-ChildItem", {"LiteralPath": (folder,), "Directory": True}, ("Name", "FullName"), each="LiteralPath"
    )


def _over(row: Row) -> bool:
    return str(row["ReplicationState"]) in FAILED_OVER


def _port(there: Side | None, method: str) -> int:
    """That of the server, where it is known."""
    rows = there.facts.reply(ReplicaServer.query).rows if there is not None else ()
    return int(rows[0][f"{METHODS.names[method]}AuthenticationPort"]) if rows else {"kerberos": 80}.get(method, 443)


def _admitted(there: Side, name: str) -> bool:
    rows = there.facts.reply(ReplicaAuthorization.query).rows
    labels = name.casefold().partition(".")
    admitted = {name.casefold(), f"*.{labels[2]}", "*"}
    return any(str(row["AllowedPrimaryServer"]).casefold() in admitted for row in rows)
