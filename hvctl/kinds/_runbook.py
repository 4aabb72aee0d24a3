"""What `hvctl replica` does to a replicated VM, each step read from both sides: so that it is taken up again by running it
again (domain 15.4; replica-migration 2). A runbook is a resource that stands in no playbook: its fields are its steps, in their
order, and what they are when it is done is what is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from hvctl.call import Call, Ref, Row
from hvctl.core.changes import Change, Noted, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.impact import Impact
from hvctl.core.values import State
from hvctl.kinds._host import HOST, OfHyperV
from hvctl.kinds._replica import FAILED_OVER, RELATIONS, extended, noted_of, relation_of, state_of
from hvctl.kinds._replica import by_id as vm_of
from hvctl.kinds._replica_adapters import ADAPTERS
from hvctl.kinds._servers import COMPUTER, admitting, own_name
from hvctl.kinds._services import SERVICES, shutdown_service
from hvctl.kinds._vm import VMS, power
from hvctl.kinds.replica_authorization import ReplicaAuthorization
from hvctl.kinds.replica_server import LISTENERS, RULES, ReplicaServer, opened
from hvctl.text.diagnostic import Diagnostic

QUERIES = (
    *(HOST, VMS, RELATIONS, COMPUTER, ReplicaServer.query, ReplicaAuthorization.query),
    *(SERVICES, ADAPTERS, RULES),
)

SHUTDOWN_S = 600


@dataclass(frozen=True)
class Seen:
    """One side of a VM's replication. `relation`: by which it sends or receives; `onward`: whether it sends a replica on."""

    facts: Facts
    vm: Row
    relation: Row | None
    onward: bool

    @classmethod
    def of(cls, vm_id: str, facts: Facts) -> Seen | None:
        vm = next(iter(facts.of_key(VMS, "Id", vm_id)), None)
        if vm is None:
            return None
        rows = facts.of_key(RELATIONS, "VMId", vm_id)
        own = [r for r in rows if not (extended(r) and r["ReplicationMode"] == "Replica")]
        return cls(facts, vm, next(iter(own), None), len(own) < len(rows))

    @property
    def mode(self) -> str:
        return str(self.relation["ReplicationMode"]) if self.relation is not None else ""

    @property
    def state(self) -> str:
        return str(self.relation["ReplicationState"]) if self.relation is not None else ""

    @property
    def told(self) -> str:
        return state_of(self.relation) if self.relation is not None else "not replicated"

    @property
    def power(self) -> str:
        return power(self.vm)

    @property
    def runs(self) -> bool:
        return self.power in ("Running", "Paused")

    @property
    def sends(self) -> bool:
        return self.mode == "Primary"

    @property
    def receives(self) -> bool:
        return self.mode in ("Replica", "ExtendedReplica")

    @property
    def over(self) -> bool:
        return self.receives and self.state in FAILED_OVER


def standing_of(name: str, own: Seen | None) -> Noted | None:
    """How a side stands, in words that are remembered."""
    if own is None or own.relation is None or not (own.sends or own.receives):
        return None
    return noted_of(name, own.relation)


_ONWARD = "end_onward"


class Runbook(OfHyperV):
    """`vm_id`: what both sides know the VM by. `here`: the host of this runbook, which received it when it began; `there`: the
    host that sent it, "" where it cannot be had. `chained`: what is received here is sent on to a third site, or was when it
    began; `third`: the host of that, "" where it cannot be had."""

    name: str
    vm_id: str
    there: str = ""
    chained: bool = False
    third: str = ""
    labels: ClassVar[Mapping[str, str]] = {}
    """What is wanted of each step, in its words."""
    because: ClassVar[Mapping[str, frozenset[Impact]]] = {}

    def key(self) -> str:
        return self.name

    def links(self) -> tuple[str, ...]:
        return tuple(host for host in (self.there, self.third) if host)

    def queries(self) -> tuple[Call, ...]:
        return QUERIES

    def queries_on(self, host: str) -> tuple[Call, ...]:
        return QUERIES

    def wanted(self) -> State:
        return {k: v for k, v in self.labels.items() if self.chained or k != _ONWARD}

    @property
    def here(self) -> str:
        return self.index.host

    def noted(self, facts: Facts) -> Noted | None:
        """How the replication goes on the host of this runbook."""
        return standing_of(self.name, Seen.of(self.vm_id, facts))

    def own(self, facts: Facts) -> Seen:
        found = Seen.of(self.vm_id, facts)
        assert found is not None
        return found

    def other(self, facts: Facts) -> Seen | None:
        """None where there is no other side to be read. Raises UnreadHostError where it could not be."""
        return Seen.of(self.vm_id, facts.on(self.there)) if self.there else None

    def actual(self, facts: Facts) -> State | None:
        """What a side looks like after a step, where that is so."""
        if Seen.of(self.vm_id, facts) is None:
            return None
        done = self.done(facts)
        return {field: self.labels[field] if is_so else now for field, (is_so, now) in done.items()}

    def done(self, facts: Facts) -> Mapping[str, tuple[bool, str]]:
        """By step: whether it is done, and what is so instead."""
        raise NotImplementedError

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        """What ends the copy at a third site is asked for before the VM is stopped for it."""
        found = self.because.get(field, frozenset({"online"}))
        order = list(self.wanted())
        ends = self.chained and not self.done(facts)[_ONWARD][0] and order.index(field) <= order.index(_ONWARD)
        lost: frozenset[Impact] = frozenset({"destroy"})
        return (found | lost) - {"online"} if ends else found

    def ended_onward(self, facts: Facts) -> tuple[bool, str]:
        """Whether nothing is sent on to a third site, and that is no replica any more."""
        if not self.chained:
            return True, ""
        third = Seen.of(self.vm_id, facts.on(self.third)) if self.third else None
        if self.own(facts).onward:
            return False, f"to {self.third or 'a third site'}"
        return third is None or third.mode != "ExtendedReplica", f"a replica on {self.third}"

    def end_onward(self, needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
        """A VM has one replica: while it is sent on nothing is reversed (replica-migration 2.3)."""
        if self.own(facts).onward:
            call = Call("Remove-VMReplication", {"VMReplication": relation_of(vm_of(self.vm_id), "Extended")})
            ended = Step(call, f"no longer send {self.name} on to {self.third or 'a third site'}", (_ONWARD,), needs)
            yield ended
            needs = (ended,)
        if self.third:
            text = f"{self.name} is no replica any more on {self.third}"
            yield self.step("Remove-VMReplication", text, _ONWARD, needs, self.third)

    def onward_note(self) -> str:
        """Of what becomes of the third site."""
        if not self.third:
            return "the third site was not read: what it has stays a replica until it is ended there too"
        return f"what {self.third} has stays there as a VM that is off; its recovery points go"

    def rests_on(self, field: str, facts: Facts) -> str:
        """Each on the one before."""
        order = list(self.wanted())
        before = order[: order.index(field)]
        done = self.done(facts)
        return next((f for f in reversed(before) if not done[f][0]), "")

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        """One after the other, wherever each runs."""
        needs: tuple[Step, ...] = ()
        for change in changes:
            for step in self.steps_of(change.field, needs, facts):
                yield step
                needs = (step,)

    def steps_of(self, field: str, needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
        raise NotImplementedError

    def step(self, cmdlet: str, text: str, field: str, needs: tuple[Step, ...], host: str = "", **more: Any) -> Step:
        """About the VM itself, on one side."""
        call = Call(cmdlet, {"VM": vm_of(self.vm_id), **more})
        return Step(call, text, (field,), needs, host=host)

    def shut_down(self, field: str, needs: tuple[Step, ...], host: str = "") -> Step:
        call = Call("Stop-VM", {"VM": vm_of(self.vm_id)})
        text = f"shut down the guest of {self.name}"
        return Step(call, text, (field,), needs, host=host, job=True, limit_s=SHUTDOWN_S)

    def fail_over(self, text: str, point: str, field: str, needs: tuple[Step, ...], **more: Any) -> Step:
        """To the latest recovery point, or to the one with this id."""
        if not point:
            return self.step("Start-VMFailover", text, field, needs, Confirm=False, **more)
        params = {"VMRecoverySnapshot": Ref(Call("Get-VMSnapshot", {"Id": point})), "Confirm": False, **more}
        return Step(Call("Start-VMFailover", params), text, (field,), needs)

    def start(self, field: str, needs: tuple[Step, ...], host: str = "") -> Step:
        return self.step("Start-VM", f"start {self.name}", field, needs, host)

    def unheard(self, seen: Seen, host: str) -> Iterator[Diagnostic]:
        """Whether the guest can be asked to shut down."""
        try:
            service = shutdown_service(self.vm_id, seen.facts)
        except UnreadableError:
            service = None
        if service is None:
            text = f"it is not known whether the guest of {self.name} can be asked to shut down on {host}"
            yield finding("shut_down", text, "see its integration services", "warning")
        elif not all(service):
            enabled, _ = service
            why = (
                "its shutdown service has no contact with its guest" if enabled else "its shutdown service is disabled"
            )
            text = f"{self.name} cannot be shut down on {host}: {why}"
            yield finding(
                "shut_down", text, "shut it down from within, or wait until its guest answers, and run it again"
            )

    def unplugged(self, facts: Facts) -> Iterator[Diagnostic]:
        """A replica's adapters are on no switch unless somebody connects them (replica-migration 2.1)."""
        try:
            rows = facts.of_key(ADAPTERS, "VMId", self.vm_id)
        except UnreadableError:
            return
        loose = [str(r["Name"]) for r in rows if not r["SwitchName"]]
        if loose:
            text = f"on no switch of {self.here}: {', '.join(loose)}; {self.name} starts there without that network"
            yield finding("start", text, "write `adapters` in its replication, or connect it there", "warning")

    def reverse_findings(self, facts: Facts) -> Iterator[Diagnostic]:
        """What the reverse would be refused for (replica-migration 2.3): found before anything is stopped."""
        own, there = self.own(facts), facts.on(self.there)
        if own.onward and not self.chained:
            text = f"{self.here} sends {self.name} on to a third site, under which nothing is reversed"
            yield finding("", text, "run it again: it ends that first")
        rows = there.reply(ReplicaServer.query).rows
        if not rows:
            return
        hint = f"see to it first: `host: replica_server:` of {self.there}"
        method = str(own.relation["AuthenticationType"]) if own.relation is not None else "Kerberos"
        if opened(rule := LISTENERS[method.casefold()], there) is False:
            text = (
                f"the firewall rule {rule} of {self.there} is off: the reverse is refused unless another one lets it in"
            )
            yield finding("", text, "see to it first: `firewall: yes` under its `replica_server:`", "warning")
        if not rows[0]["ReplicationEnabled"]:
            yield finding("", f"{self.there} does not receive replicas itself", hint)
        elif method not in str(rows[0]["AllowedAuthenticationType"]):
            yield finding("", f"{self.there} does not accept {method.lower()}", hint)
        elif not rows[0]["ReplicationAllowedFromAnyServer"]:
            wanted = admitting(own_name(self, facts))
            entries = there.reply(ReplicaAuthorization.query).rows
            if not any(str(e["AllowedPrimaryServer"]).casefold() in wanted for e in entries):
                yield finding("", f"{self.there} does not admit {own_name(self, facts)}", hint)

    def reverse(self, field: str, needs: tuple[Step, ...], facts: Facts) -> Step:
        more: dict[str, Any] = {"Reverse": True}
        own = self.own(facts)
        if own.relation is not None and own.relation["AuthenticationType"] == "Certificate":
            rows = facts.reply(ReplicaServer.query).rows
            if rows and rows[0]["CertificateThumbprint"]:  # it sends by its own from now on
                more["CertificateThumbprint"] = rows[0]["CertificateThumbprint"]
        return self.step("Set-VMReplication", f"replicate {self.name} back to {self.there}", field, needs, **more)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from ()


class PlannedFailover(Runbook):
    """The VM goes to the other side and nothing is lost: it is shut down, what is left is sent, the replica takes over, and
    replication goes the other way round."""

    kind: ClassVar[str] = "planned_failover"
    starts: bool = True
    labels: ClassVar[Mapping[str, str]] = {
        "shut_down": "off",
        "prepare": "all is sent",
        "fail_over": "failed over",
        "end_onward": "sent on no more",
        "reverse": "the other way round",
        "start": "running",
    }
    because: ClassVar[Mapping[str, frozenset[Impact]]] = {"shut_down": frozenset({"restart"})}

    def wanted(self) -> State:
        return {k: v for k, v in super().wanted().items() if k != "start" or self.starts}

    def done(self, facts: Facts) -> Mapping[str, tuple[bool, str]]:
        own, other = self.own(facts), self.other(facts)
        turned = own.sends and (other is None or not other.sends)
        prepared = turned or own.over or (other is not None and other.state == "PreparedForFailover")
        return {
            "shut_down": (turned or own.over or (other is not None and other.power == "Off"),
                          other.power.lower() if other is not None else ""),
            "prepare": (prepared, "not all is sent"),
            "fail_over": (turned or own.over, "a replica"),
            _ONWARD: self.ended_onward(facts),
            "reverse": (turned, f"from {self.there}"),
            "start": (own.power == "Running", own.power.lower()),
        }  # fmt: skip

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        return self.onward_note() if field == _ONWARD else ""

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if not changes:
            return
        own, other = self.own(facts), self.other(facts)
        if any(c.field == "start" for c in changes):
            yield from self.unplugged(facts)
        if own.sends:  # only its start is left
            return
        if other is None or not other.sends:
            text = f"{self.there} does not send {self.name}: {other.told if other is not None else 'it has no such VM'}"
            yield finding("", text, "look at both hosts")
            return
        yield from self.reverse_findings(facts)
        states = ("Replicating", "PreparedForFailover")
        if not own.over and other.state not in states:
            hint = "have it replicate first, with hvctl apply; --unplanned fails over without what was not sent"
            yield finding("", f"{self.name} does not replicate: {other.told}", hint)
        if not own.over and own.state != "Replicating":
            yield finding("", f"{self.here} does not receive {self.name}: {own.told}", "see to it there first")
        if own.over and other.state != "PreparedForFailover":
            hint = f"hvctl replica reverse {self.name} goes on from an unplanned failover"
            yield finding("", f"{self.name} was failed over without being prepared on {self.there}", hint)
        if other.power == "Running" and any(c.field == "shut_down" for c in changes):
            yield from self.unheard(other, self.there)
        if other.power in ("Saved", "Paused"):
            yield finding("", f"{self.name} is {other.power.lower()}", "start it, or turn it off")
        if own.relation is not None and own.relation.get("TestVirtualMachine.Id"):
            yield finding("", f"a test of {self.name} goes on", f"hvctl replica cancel {self.name} ends it")

    def steps_of(self, field: str, needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
        if field == "shut_down":
            yield self.shut_down(field, needs, self.there)
        elif field == "prepare":
            text = f"send what is left of {self.name}"
            yield self.step("Start-VMFailover", text, field, needs, self.there, Prepare=True, Confirm=False)
        elif field == "fail_over":
            yield self.step("Start-VMFailover", f"fail {self.name} over", field, needs, Confirm=False)
        elif field == _ONWARD:
            yield from self.end_onward(needs, facts)
        elif field == "reverse":
            yield self.reverse(field, needs, facts)
        elif field == "start":
            yield self.start(field, needs)


class UnplannedFailover(Runbook):
    """The replica takes over with what it has; the side that sent is taken for lost. `reverse` goes on from there when it is
    back."""

    kind: ClassVar[str] = "unplanned_failover"
    starts: bool = True
    completes: bool = True
    point: str = ""
    """The id of an older recovery point; "" for the latest."""
    point_told: str = ""
    labels: ClassVar[Mapping[str, str]] = {"fail_over": "failed over", "complete": "complete", "start": "running"}
    because: ClassVar[Mapping[str, frozenset[Impact]]] = {
        "fail_over": frozenset({"destroy"}),
        "complete": frozenset({"destroy"}),
    }

    def wanted(self) -> State:
        left = {"start": self.starts, "complete": self.completes}
        return {k: v for k, v in self.labels.items() if left.get(k, True)}

    def done(self, facts: Facts) -> Mapping[str, tuple[bool, str]]:
        own = self.own(facts)
        over = own.over or own.sends
        return {
            "fail_over": (over, "a replica"),
            "complete": (own.state == "FailedOver" or own.sends, "not complete"),
            "start": (own.power == "Running", own.power.lower()),
        }

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        lost = f"to the recovery point of {self.point_told}: what came after it is lost"
        return {
            "fail_over": lost if self.point else "what was not sent is lost",
            "complete": "the recovery points go; it can no longer be cancelled",
        }.get(field, "")

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        other = self.other(facts)
        if changes and other is not None and other.sends and other.runs:
            hint = f"without --unplanned nothing is lost; or turn it off on {self.there} first"
            yield finding("", f"{self.name} runs on {self.there}", hint)
        if any(c.field == "start" for c in changes):
            yield from self.unplugged(facts)
        own = self.own(facts)
        if self.point and own.over:
            text = f"{self.name} was failed over already, and the host does not say to which recovery point"
            hint = f"hvctl replica cancel {self.name} takes it back, if it is not complete"
            yield finding("", text, hint, "impossible" if changes else "warning")

    def steps_of(self, field: str, needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
        if field == "fail_over":
            text = f"fail {self.name} over without {self.there or 'the side that sent it'}"
            yield self.fail_over(text, self.point, field, needs)
        elif field == "complete":
            yield self.step("Complete-VMFailover", f"complete the failover of {self.name}", field, needs, Confirm=False)
        elif field == "start":
            yield self.start(field, needs)


class Reversal(Runbook):
    """After a failover: the side that sent becomes the replica. Where it was not prepared, its VM is stopped, and an initial
    copy goes over what it has."""

    kind: ClassVar[str] = "reversal"
    labels: ClassVar[Mapping[str, str]] = {
        "stop_old": "off",
        "as_replica": "a replica",
        "end_onward": "sent on no more",
        "reverse": "the other way round",
        "copy": "begun",
    }
    because: ClassVar[Mapping[str, frozenset[Impact]]] = {
        "stop_old": frozenset({"destroy"}),
        "as_replica": frozenset({"destroy"}),
    }

    def done(self, facts: Facts) -> Mapping[str, tuple[bool, str]]:
        own, other = self.own(facts), self.other(facts)
        turned = own.sends
        prepared = other is not None and other.state == "PreparedForFailover"
        received = other is not None and other.receives
        off = turned or (other is not None and other.power == "Off")
        begun = turned and own.told != "not started"
        return {
            "stop_old": (off, other.power.lower() if other is not None else ""),
            "as_replica": (turned or prepared or received, "it sent"),
            _ONWARD: self.ended_onward(facts),
            "reverse": (turned, f"from {self.there}"),
            "copy": (begun or (prepared and not turned), "not begun"),
        }

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        return {
            "stop_old": f"its power on {self.there} is cut: what it did there since the failover is lost",
            "as_replica": f"what {self.there} has of it that was not sent is lost",
            _ONWARD: self.onward_note(),
        }.get(field, "")

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if not changes:
            return
        own, other = self.own(facts), self.other(facts)
        if not (own.over or own.sends):
            hint = f"hvctl replica failover {self.name} --to {self.here}"
            yield finding("", f"{self.name} was not failed over: it is {own.told} on {self.here}", hint)
        elif other is None:
            yield finding("", f"{self.there} has no VM with its id", "see to it there, and apply its playbook")
        elif any(c.field == "reverse" for c in changes):
            yield from self.reverse_findings(facts)

    def steps_of(self, field: str, needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
        if field == "stop_old":
            text = f"cut the power of {self.name} on {self.there}"
            yield self.step("Stop-VM", text, field, needs, self.there, TurnOff=True, Force=True)
        elif field == "as_replica":
            text = f"make {self.name} on {self.there} a replica"
            yield self.step("Set-VMReplication", text, field, needs, self.there, AsReplica=True)
        elif field == _ONWARD:
            yield from self.end_onward(needs, facts)
        elif field == "reverse":
            yield self.reverse(field, needs, facts)
        elif field == "copy":
            text = f"begin the initial copy of {self.name} to {self.there}"
            yield self.step("Start-VMInitialReplication", text, field, needs)


class Release(Runbook):
    """After a failover to a third site, from which nothing is reversed: replication ends on all sites, so that the VM can be
    replicated from where it runs. `there`: the site in the middle, `first`: the one that it came from."""

    kind: ClassVar[str] = "release"
    first: str = ""
    labels: ClassVar[Mapping[str, str]] = {
        "stop_old": "off",
        "middle": "replicates no more",
        "old": "sends no more",
        "own": "a VM of its own",
    }
    because: ClassVar[Mapping[str, frozenset[Impact]]] = {f: frozenset({"destroy"}) for f in labels}

    def links(self) -> tuple[str, ...]:
        return tuple(host for host in (self.there, self.first) if host)

    def _others(self, facts: Facts) -> dict[str, Seen]:
        found = {h: Seen.of(self.vm_id, facts.on(h)) for h in self.links()}
        return {h: one for h, one in found.items() if one is not None}

    def done(self, facts: Facts) -> Mapping[str, tuple[bool, str]]:
        own, others = self.own(facts), self._others(facts)
        runs = [h for h, one in others.items() if one.runs]
        middle, old = others.get(self.there), others.get(self.first)
        return {
            "stop_old": (not runs, f"runs on {' and '.join(runs)}"),
            "middle": (middle is None or (middle.relation is None and not middle.onward), f"a replica on {self.there}"),
            "old": (old is None or old.relation is None, f"from {self.first}"),
            "own": (own.relation is None, own.told),
        }

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "stop_old":
            return "its power is cut there: what it did there since the failover is lost"
        hint = "then replicate it from here by a playbook; `initial_copy: backup` goes on from what the others have"
        return hint if field == "own" else ""

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        own = self.own(facts)
        if own.relation is not None and own.state != "FailedOver":
            hint = f"hvctl replica failover {self.name} --to {self.here} --unplanned completes it"
            yield finding("", f"{self.here} has not taken over for good: {own.told}", hint)

    def steps_of(self, field: str, needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
        others = self._others(facts)
        if field == "stop_old":
            for host in (h for h, one in others.items() if one.runs):
                text = f"cut the power of {self.name} on {host}"
                yield self.step("Stop-VM", text, field, needs, host, TurnOff=True, Force=True)
        elif field == "middle":
            for word in (("Extended",) if others[self.there].onward else ()) + ("Simple",):
                if word == "Simple" and others[self.there].relation is None:
                    continue
                call = Call("Remove-VMReplication", {"VMReplication": relation_of(vm_of(self.vm_id), word)})
                text = (
                    f"no longer send {self.name} on from"
                    if word == "Extended"
                    else f"{self.name} is no replica any more on"
                )
                ended = Step(call, f"{text} {self.there}", (field,), needs, host=self.there)
                yield ended
                needs = (ended,)
        elif field == "old":
            text = f"end the replication of {self.name} on {self.first}"
            yield self.step("Remove-VMReplication", text, field, needs, self.first)
        elif field == "own":
            yield self.step("Remove-VMReplication", f"{self.name} is a VM of its own on {self.here}", field, needs)


class TestFailover(Runbook):
    """A VM beside the replica, from its last recovery point or an older one, on the test switches of its adapters;
    replication goes on."""

    __test__ = False  # no test of pytest's
    kind: ClassVar[str] = "test_failover"
    point: str = ""
    point_told: str = ""
    labels: ClassVar[Mapping[str, str]] = {"test": "a VM for tests"}

    def done(self, facts: Facts) -> Mapping[str, tuple[bool, str]]:
        return {"test": (tested(self.own(facts)) is not None, "none")}

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        since = f"as of {self.point_told}; " if self.point else ""
        return f"{since}'{self.name} - Test', which is off; hvctl replica cancel {self.name} removes it"

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        own = self.own(facts)
        if changes and (not own.receives or own.state not in ("Replicating", "Suspended", "Error")):
            yield finding("test", f"{self.here} has nothing to test of {self.name}: {own.told}", "see to it first")

    def steps_of(self, field: str, needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
        text = f"make a VM for tests from the replica of {self.name}"
        yield self.fail_over(text, self.point, field, needs, AsTest=True)


class Cancellation(Runbook):
    """Ends a test, or takes back a failover that is not complete and what it was prepared by; replication goes on."""

    kind: ClassVar[str] = "cancellation"
    labels: ClassVar[Mapping[str, str]] = {
        "test": "none",
        "stop": "off",
        "fail_over": "a replica",
        "prepare": "sends",
    }
    because: ClassVar[Mapping[str, frozenset[Impact]]] = {"stop": frozenset({"destroy"})}

    def done(self, facts: Facts) -> Mapping[str, tuple[bool, str]]:
        own, other = self.own(facts), self.other(facts)
        waiting = own.receives and own.state == "FailedOverWaitingCompletion"
        return {
            "test": (tested(own) is None, "a VM for tests"),
            "stop": (not waiting or own.power == "Off", own.power.lower()),
            "fail_over": (not waiting, "failed over"),
            "prepare": (other is None or other.state != "PreparedForFailover", "prepared for failover"),
        }

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        return {
            "stop": "what it did since the failover is lost",
            "test": "with its disks",
            "prepare": "it stays off: hvctl apply starts it if its playbook says so",
        }.get(field, "")

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        own = self.own(facts)
        if own.receives and own.state == "FailedOver":
            field = changes[0].field if changes else "fail_over"
            hint = f"hvctl replica reverse {self.name} goes on from there"
            yield finding(field, f"the failover of {self.name} is complete, and is not taken back", hint)

    def steps_of(self, field: str, needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
        own = self.own(facts)
        test = tested(own)
        if field == "test" and test is not None:
            row = next(iter(facts.of_key(VMS, "Id", test)), None)
            stopped: tuple[Step, ...] = needs
            if row is not None and power(row) != "Off":
                call = Call("Stop-VM", {"VM": vm_of(test), "TurnOff": True, "Force": True})
                stopped = (Step(call, f"cut the power of the VM for tests of {self.name}", (field,), needs),)
                yield stopped[0]
            yield self.step("Stop-VMFailover", f"remove the VM for tests of {self.name}", field, stopped)
        elif field == "stop":
            text = f"cut the power of {self.name}"
            yield self.step("Stop-VM", text, field, needs, TurnOff=True, Force=True)
        elif field == "fail_over":
            yield self.step("Stop-VMFailover", f"take back the failover of {self.name}", field, needs)
        elif field == "prepare":
            yield self.step("Stop-VMFailover", f"have {self.there} send {self.name} again", field, needs, self.there)


def tested(own: Seen) -> str | None:
    """The id of the VM of a test that goes on."""
    found = own.relation.get("TestVirtualMachine.Id") if own.relation is not None else None
    return str(found) if found else None
