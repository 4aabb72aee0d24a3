"""What the facts of both sides show to be impossible or doubtful about a replication (replica-migration 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hvctl.call import Row
from hvctl.contract import at_least, title
from hvctl.core.changes import Change, Occasion, finding
from hvctl.core.facts import Facts, UnreadableError, UnreadHostError
from hvctl.core.fields import settings
from hvctl.core.resource import Planned
from hvctl.kinds import _replica_adapters as replica_adapters
from hvctl.kinds._certificates import QUERIES as CERTIFICATES
from hvctl.kinds._certificates import findings as certificate_findings
from hvctl.kinds._cluster import view
from hvctl.kinds._drives import DISKS, Slot
from hvctl.kinds._host import instant, known_zone
from hvctl.kinds._host import now as clock_of
from hvctl.kinds._limits import DEFAULT_VM_VERSION, OLDEST_VM_VERSION, version_at_least
from hvctl.kinds._replica import (
    FAILED_OVER,
    MEASURED,
    METHODS,
    UNDER_WAY,
    Side,
    state_of,
)
from hvctl.kinds._replication import (
    UNREPLICATED,
    places,
)
from hvctl.kinds._replication_seen import LOST, ReplicationSeen
from hvctl.kinds._servers import (
    admitting,
    broker_named,
    host_named,
    hosts_of,
    in_domain,
    own_broker,
    own_name,
    same_server,
)
from hvctl.kinds._switch import SwitchPart
from hvctl.kinds._vm import in_vm, made_as, power
from hvctl.kinds.replica_authorization import ReplicaAuthorization
from hvctl.kinds.replica_server import LISTENERS, ReplicaServer, opened
from hvctl.text.diagnostic import Diagnostic

AHEAD = timedelta(days=7)
IN_THE_RUN = "run hvctl without --limit, or name that host in it too"
_SETTLING = (*UNDER_WAY[:3], "resync paused", "prepared for failover", "error in the update of its disks")
"""States in which settings are refused (simulated so; replica-migration 2 has none of it)."""


def _over(row: Row) -> bool:
    return str(row["ReplicationState"]) in FAILED_OVER


class ReplicationJudged(ReplicationSeen):
    """What is to be said of it."""

    # --- judging ----------------------------------------------------------------------------------------------------

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        second = self._second(facts)
        if occasion != "remove" or not self.absent:
            yield from self._one_sided(second, facts)
        yield from self._left_at_third(occasion, {c.field: c for c in changes}, second, facts)
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
            if second is not None and second.received is not None and "server" not in changed:
                yield from self._ready_still(second, row, changed, facts)
        if second is not None:
            yield from replica_adapters.findings(self.adapters, frozenset(changed), second, self._coming(second.host))
        certificate = self.certificate if self.authentication == "certificate" else None
        if certificate is not None:
            sets = "certificate" in changed
            yield from certificate_findings(certificate, "certificate", facts, sets=sets, broker=own_broker(self))

    def _coming(self, host: str) -> frozenset[str]:
        """Switches that are made there, by its own plan."""
        return frozenset(one.target.key().casefold() for one in self.planned(SwitchPart, host) if one.there)

    def _one_sided(self, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        if second is not None:
            return
        hosts = hosts_of(self, self.server)
        if hosts:
            host = self.server if broker_named(self, self.server) else hosts[0]
            text = f"{host} is not among the hosts of this run: only this side is looked at and changed"
            yield finding("server", text, IN_THE_RUN, "warning")
        else:
            text = f"{self.server} is no host of the inventory: only this side is looked at and changed"
            yield finding("server", text, "see to the other side there", "warning")
        if self.extended is not None or self.no_third_site:
            text = f"it is {self.server} that sends to a third site, and it is not looked at"
            yield finding("extended", text, IN_THE_RUN if hosts else "see to it there", "warning")

    def _said(self, row: Row, changed: Mapping[str, Change], facts: Facts) -> Iterator[Diagnostic]:
        """What is no difference, and worth knowing."""
        state = state_of(row)
        if state in UNDER_WAY and "state" not in changed:
            yield finding(
                "state", *(self._scheduled(row, facts) if state == "scheduled" else (f"{state} goes on", "")), "warning"
            )
        left = places(row, "ExcludedDisks")
        if self.excluded_disks is None and left:
            text = f"not replicated: the disk at {', '.join(sorted(left))}"
            yield finding(
                "", text, "write `excluded_disks`: with those that are to be left out, [] for none", "warning"
            )

    def _new_findings(self, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        if second is None and host_named(self, self.server).casefold() == self.server.casefold():
            text = f"{self.server} is a name of the inventory, and what that host calls itself is not known"
            yield finding("server", text, f"{IN_THE_RUN}; or write its full name")
        yield from self._itself("server", second, (own_name(self, facts),))
        yield from self._copy_time("initial_copy_at", facts)
        yield from self._consistent(self.recovery_points or 0)
        method = self.authentication or "kerberos"
        if method == "kerberos" and not in_domain(facts):
            yield finding("", "this host is in no domain, which Kerberos needs", "write `authentication: certificate`")
        if self.certificate is not None and method == "certificate":
            yield from certificate_findings(self.certificate, "certificate", facts, sets=True, broker=own_broker(self))
        yield from self._disk_findings(facts)
        if second is not None:
            yield from self._receiving_findings(second, method, facts)
            told = frozenset(replica_adapters.written(self.adapters))
            yield from replica_adapters.findings(self.adapters, told, second, self._coming(second.host))
        yield from self._own_broker(facts)

    def _own_broker(self, facts: Facts) -> Iterator[Diagnostic]:
        """A node sends by the broker of its cluster: without one that is online it cannot (replica-migration 1.2)."""
        if not self.index.together:
            return
        failure = facts.reply(ReplicaServer.query).failure
        if failure is not None and failure.kind == "ObjectNotFound":
            hint = "write `replica_broker` under `cluster:` and apply it, or bring the broker online"
            yield finding(
                "", f"{self.index.together} has no broker that is online, without which none of it replicates", hint
            )
        elif not own_broker(self):
            text = f"the broker of {self.index.together} is not known: whether {self.server} admits it is not checked"
            hint = "write hvctl_replica_broker in the variables of the group of its nodes"
            yield finding("", text, hint, "warning")

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
                text = f"the disk at {place} is shared, and {UNREPLICATED}"
                yield finding("excluded_disks", text, f"exclude {place}")

    def _receiving_findings(self, second: Side, method: str, facts: Facts) -> Iterator[Diagnostic]:
        vm = self.vm_row(facts)
        told = view(second.facts)
        if not broker_named(self, self.server) and told.nodes:
            text = f"{second.host} is a node of {told.name}, where the broker receives replicas and not a node"
            hint = "write the broker's name here, and hvctl_replica_broker in the variables of the group of its nodes"
            yield finding("server", text, hint)
            return
        if second.received is not None and not self._ours(second.received, facts):
            text = f"{second.host} receives {self.vm.key()} from {second.received['PrimaryServerName']}"
            yield finding("", text, "turn the playbook around, or end that replication first")
        elif second.vm is not None and self.initial_copy != "backup":
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
        known = own_broker(self) or not self.index.together
        sender = own_name(self, facts) if known else ""
        yield from self._not_ready(second, method, self.port, "server", sender, facts)
        yield from self._closed(second, method, "server")

    def _ready_still(self, second: Side, row: Row, changed: Mapping[str, Change], facts: Facts) -> Iterator[Diagnostic]:
        """Whether what replicates, or is to be resumed, is received when the server's own plan is done."""
        method = "certificate" if row["AuthenticationType"] == "Certificate" else "kerberos"
        known = own_broker(self) or not self.index.together
        sender = own_name(self, facts) if known else ""
        stopped = "state" in changed and changed["state"].now in ("error", "paused")
        field = "state" if stopped else "server"
        if stopped and method == "certificate" and self.certificate is not None and "certificate" not in changed:
            told = certificate_findings(self.certificate, "state", facts, sets=True, broker=own_broker(self))
            yield from (one for one in told if one.level == "impossible")
        for one in self._not_ready(second, method, row["ReplicaServerPort"], field, sender, facts):
            yield one if stopped else replace(one, level="warning")
        if stopped:
            yield from self._closed(second, method, "state")

    def _not_ready(
        self, there: Side, method: str, port: int | None, field: str, sender: str, facts: Facts
    ) -> Iterator[Diagnostic]:
        """What the server would refuse as it will be when its own plan is done, which comes before."""
        onward = self.extended.server if self.extended is not None else None
        server = onward if field.startswith("extended") else self.server
        rows = there.facts.reply(ReplicaServer.query).rows
        if not rows:
            failure = there.facts.reply(ReplicaServer.query).failure
            if failure is not None and failure.kind == "ObjectNotFound" and view(there.facts).nodes:
                hint = "write `replica_broker` under `cluster:` there and apply it, or bring the broker online"
                yield finding(field, f"{view(there.facts).name} has no broker that is online", hint)
            return
        planned = [*self.planned(ReplicaServer, *hosts_of(self, server))]
        row = Planned.done(planned, rows[0], facts)
        held = {
            f for one in planned for f in ("enabled", "authentication", "any_server", "firewall") if one.holds_back(f)
        }
        held |= {port_field for one in planned if one.holds_back(port_field := f"{method}_port")}
        where = f"`host: replica_server:` of {there.host}"

        def no(text: str, wanting: str, hint: str) -> Diagnostic:
            if wanting not in held:
                return finding(field, text, hint)
            why = f"{text}: to set {wanting} of its replica server is held back"
            return finding(field, why, f"see what is said of replica server of {there.host}")

        if not row["ReplicationEnabled"]:
            yield no(f"{there.host} does not receive replicas", "enabled", f"write `enabled: yes` in {where}")
            return
        if METHODS.names[method].casefold() not in str(row["AllowedAuthenticationType"]).casefold():
            hint = f"write `authentication: {method}` or `both` in {where}"
            yield no(f"{there.host} does not accept {method}", "authentication", hint)
        elif port is not None and port != (listens := row[f"{METHODS.names[method]}AuthenticationPort"]):
            yield no(
                f"{there.host} listens on port {listens} and not on {port}", f"{method}_port", f"write it in {where}"
            )
        elif method == "certificate" and all(there.facts.asked(call) for call in CERTIFICATES):
            shown, broker = str(row["CertificateThumbprint"] or ""), broker_named(self, server)
            told = certificate_findings(shown, field, there.facts, sets=True, broker=broker, receives=True)
            for one in told if shown else ():
                if one.level == "impossible":
                    yield no(f"{there.host}: {one.message}", "certificate", one.hint)
        if "firewall" in held:
            yield no(f"the firewall of {there.host} stays as it is", "firewall", "")
        if sender and not row["ReplicationAllowedFromAnyServer"] and not self._admits(there, sender, server):
            hint = f"write `authorizations: [{{server: {sender}, …}}]` in {where}"
            if waits := self._held_authorization(there, sender, server):
                hint = f"see what is said of replica authorization {waits} of {there.host}"
            yield no(f"{there.host} does not admit {sender}", "any_server", hint)

    def _closed(self, there: Side, method: str, field: str) -> Iterator[Diagnostic]:
        """A rule that nothing opens; another one, of somebody else's, may do the same."""
        rule = LISTENERS[method]
        if opened(rule, there.facts) is False and not any(
            one.target.firewall for one in self.planned(ReplicaServer, there.host)
        ):
            text = f"the firewall rule {rule} of {there.host} is off: it is refused unless another one lets it in"
            yield finding(field, text, f"write `firewall: yes` in `host: replica_server:` of {there.host}", "warning")

    def _held_authorization(self, there: Side, sender: str, server: str | None) -> str:
        """One that is written and would let it in, and is held back there."""
        planned = self.planned(ReplicaAuthorization, *hosts_of(self, server))
        written = (one.desired for one in planned if not one.there and not one.desired.absent)
        return next((one.server for one in written if one.server.casefold() in admitting(sender)), "")

    def _admits(self, there: Side, sender: str, server: str | None) -> bool:
        """By one of its authorizations, as they will be."""
        planned = [*self.planned(ReplicaAuthorization, *hosts_of(self, server))]
        gone = {one.target.server.casefold() for one in planned if one.target.absent}
        known = {str(r["AllowedPrimaryServer"]).casefold() for r in there.facts.reply(ReplicaAuthorization.query).rows}
        known |= {one.target.server.casefold() for one in planned if one.there}
        return not known.isdisjoint(set(admitting(sender)) - gone)

    def _change_findings(self, change: Change, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        field, now = change.field, change.now
        row = self._own(facts)
        if field == "vss" and row is not None:
            yield from self._consistent(int(row["RecoveryHistory"] or 0))
        state = state_of(row) if row is not None else ""
        onward = second.onward if second is not None and field.startswith("extended.") else None
        busy = (state_of(onward) if onward is not None else "") if field.startswith("extended.") else state
        if busy in _SETTLING and field not in ("server", "extended.server") and field in settings(type(self)):
            yield finding(field, f"nothing of it is set now: {busy}", "apply again when that is done", "later")
        if field == "excluded_disks" and state != "replicating":
            yield finding(
                field, f"its disks are set while it replicates; now it is: {state}", "apply again then", "later"
            )
        if field == "state" and self.state == "paused" and now != "replicating":
            yield finding(field, f"what replicates is paused; now it is: {now}", "apply again then", "later")
            return
        if field == "server":
            yield from self._itself("server", second, (own_name(self, facts),))
            if second is not None:
                yield from self._receiving_findings(second, self.authentication or "kerberos", facts)
        elif field in ("state", "extended.state") and now is not None:
            yield from self._state_findings(field, str(now), second, facts)
            if field == "state" and now == "not started":
                yield from self._copy_time(field, facts)
            over = second is not None and second.received is not None and _over(second.received)
            if field == "state" and now == "error" and not over and (told := self._details(facts)):
                yield finding(
                    "state", f"the host says: {told.rstrip('.')}", "it resumes once that is mended", "warning"
                )
        elif field == "health":
            told = self._details(facts)
            yield finding("health", f"its health is {now}" + (f": {told}" if told else ""), "see to what it says")
        elif field == "replica":
            yield from self._replica_findings(str(now), second, facts)
        elif field == "extended.replica":
            yield from self._third_findings(str(now), second, facts)
        elif field == "excluded_disks" and not at_least(facts.os, "2016"):
            text = f"{title(facts.os)} sets the disks when replication is enabled"
            yield finding("excluded_disks", text, "take the replication away, and enable it again")
        elif field == "excluded_disks":
            yield from self._disk_findings(facts)
        elif field == "extended.server":
            yield from self._onward_findings(second, facts)

    def _state_findings(self, field: str, now: str, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        name = self.vm.key()
        if now == "prepared for failover":
            hint = f"hvctl replica failover {name} goes on with it, hvctl replica cancel {name} ends it"
            yield finding(field, f"{name} is prepared for a planned failover, and does not start", hint)
        elif now == "error" and second is not None and second.received is not None and _over(second.received):
            yield finding(field, *self._failed_over(second, facts))
        elif now not in ("paused", "error", "not started", "resync needed", "resync paused", "replicating"):
            yield finding(field, f"its state is: {now}", "look at the host")

    def _failed_over(self, there: Side, facts: Facts) -> tuple[str, str]:
        """And what goes on from there; what is complete is not taken back."""
        name, own, host = self.vm.key(), self.vm_row(facts), self.index.host
        hint = f"hvctl replica reverse {name} goes on from there, hvctl replica cancel {name} ends it"
        if there.received is not None and there.received["ReplicationState"] == "FailedOver":
            hint = f"hvctl replica reverse {name} goes on from there"
        both = all(vm is not None and power(vm) == "Running" for vm in (there.vm, own))
        twice = f", and runs there and on {host}: what is done on {host} is lost with the reversal" if both else ""
        return f"{name} was failed over to {there.host}{twice}", hint

    def _replica_findings(self, now: str, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        name = self.vm.key()
        if now == "failed over" and second is not None:
            yield finding("replica", *self._failed_over(second, facts))
        elif now == "waiting for its media" and second is not None and not self._imported(second):
            assert second.vm is not None
            folder = f"{name}_{str(second.vm['Id']).upper()}"
            text = f"{self.initial_copy_import} of {second.host} has no folder {folder}"
            hint = f"bring it there from {self.initial_copy_export} of {self.index.host}, and apply again"
            yield finding("replica", text, hint, "later")
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
        yield from self._itself("extended.server", third, (own_name(self, facts), second.name))
        if third is not None:
            if third.vm is not None:
                yield finding("extended", f"{third.host} has {self.vm.key()} already", "remove it there")
            method = self.extended.authentication or "kerberos"
            yield from self._not_ready(third, method, self.extended.port, "extended", second.name, facts)
            yield from self._closed(third, method, "extended")
        if self.extended.certificate is not None and self.extended.authentication == "certificate":
            own, broker = self.extended.certificate, broker_named(self, self.server)
            yield from certificate_findings(own, "extended.certificate", second.facts, sets=True, broker=broker)

    def _third_findings(self, now: str, second: Side | None, facts: Facts) -> Iterator[Diagnostic]:
        """What the third site has, where it is not what it should be."""
        third, name = self._third_read(facts), self.vm.key()
        if third is None:
            return
        if now == "failed over":
            told = self._failed_over(third, facts)
            yield finding("extended.replica", *told)
        elif now == "an ordinary VM there":
            text = f"{third.host} no longer receives {name}, and has it as a VM"
            yield finding("extended.replica", text, "remove it there, and apply again")
        elif now in LOST:
            yield from self._onward_findings(second, facts)

    def _left_at_third(
        self, occasion: Occasion, changed: Mapping[str, Change], second: Side | None, facts: Facts
    ) -> Iterator[Diagnostic]:
        """A replica of which nobody knows any more once nothing is sent on."""
        fields = ("extended", "extended.server", "server")
        field = next((f for f in fields if f in changed and changed[f].now is not None), "")
        if second is None or second.onward is None or not (field or occasion == "remove"):
            return
        if field != "server" and self._third_of(second, facts) is None:
            name = str(second.onward["ReplicaServerName"])
            text = (
                f"{name} is not looked at: what it has of {self.vm.key()} stays a replica there, which does not start"
            )
            hint = f"write `extended: {{server: {name.partition('.')[0]}}}` beside `ensure: absent`, or end it there"
            hint = hint if occasion == "remove" else "end it there: Remove-VMReplication"
            yield finding(field, text, hint, "warning")

    def _itself(self, field: str, there: Side | None, hosts: tuple[str, ...]) -> Iterator[Diagnostic]:
        """By what the hosts call themselves, which the inventory does not say."""
        written = self.server if field == "server" else self.extended.server if self.extended is not None else ""
        if there is None and hosts_of(self, written):
            return
        name = there.name if there is not None else written
        if any(same_server(name, host) for host in hosts):
            text = (
                "a VM is not replicated to the host that it is on" if field == "server" else f"{written} has it already"
            )
            yield finding(field, text, "write another host")

    def _copy_time(self, field: str, facts: Facts) -> Iterator[Diagnostic]:
        """By the host's clock, and no more than seven days ahead (PSDOC Start-VMInitialReplication)."""
        if self.initial_copy_at is None:
            return
        try:
            at, clock = datetime.fromisoformat(self.initial_copy_at).replace(tzinfo=UTC), clock_of(facts)
        except UnreadableError:
            return  # Hyper-V has a clock, and refuses what does not fit
        told = f"{clock:%Y-%m-%d %H:%M} by the clock of {self.index.host}"
        if at <= clock:
            hint = "write a time to come, or leave it out: then the copy begins at once"
            yield finding(field, f"initial_copy_at is past: it is {told}", hint)
        elif at > clock + AHEAD:
            hint = f"apply again from {at - AHEAD:%Y-%m-%d %H:%M} on, or write an earlier time"
            text = f"a copy begins by itself up to seven days later, and {self.initial_copy_at} is more: it is {told}"
            yield finding(field, text, hint, "later")

    def _scheduled(self, row: Row, facts: Facts) -> tuple[str, str]:
        """When it begins, where the host's clock is known; another time than is written is told."""
        zone = known_zone(facts)
        if zone is None:
            return "the initial copy begins by itself later", ""
        at = f"{instant(row['InitialReplicationStartTime']).astimezone(zone):%Y-%m-%d %H:%M}"
        if self.initial_copy_at in (None, at):
            return f"the initial copy begins by itself at {at}", ""
        hint = "for another time: Stop-VMInitialReplication there, and apply again"
        return f"the initial copy begins by itself at {at}, and not at {self.initial_copy_at}", hint

    def _details(self, facts: Facts) -> str:
        rows = facts.of_key(MEASURED, "VMId", self._vm_id(facts))
        own = (r for r in rows if r["ReplicationMode"] == "Primary")
        return " ".join(str(text) for r in own for text in r.get("ReplicationHealthDetails[]") or ())
