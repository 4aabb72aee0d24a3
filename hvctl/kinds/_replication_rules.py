"""What a replication links and waits for, and the rules that are known without a host (domain 15.2, 15.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import Step, finding
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._replication import (
    FREQUENCIES,
    ONWARD,
    UNREPLICATED,
    Extended,
    ReplicationFields,
)
from hvctl.kinds._servers import broker_named, host_named, hosts_of, own_broker, same_server
from hvctl.kinds.replica_authorization import ReplicaAuthorization
from hvctl.kinds.replica_server import ReplicaServer
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic


class ReplicationRules(ReplicationFields):
    """As desired."""

    # --- where it stands --------------------------------------------------------------------------------------------

    def links(self) -> tuple[str, ...]:
        names = (self.server, self.extended.server if self.extended is not None else None)
        return tuple(dict.fromkeys(host for name in names if name for host in hosts_of(self, name)))

    def requires(self) -> tuple[Address, ...]:
        """The disks it is about; the replica server that is planned with it, and what its replica is to be on."""
        disks = tuple(d.address() for d in self.vm.parts_of(DiskPart) if not d.absent)
        seconds = hosts_of(self, self.server)
        names = {n for a in self.adapters for n in (a.switch, a.test_switch) if n}
        switches = tuple(Address(second, "switch", (), name) for second in seconds for name in sorted(names))
        own = self._names_of(self.index.host, own_broker(self))
        return (*disks, *(a for second in seconds for a in self._receiving(second, own)), *switches)

    def follows(self, step: Step) -> tuple[Address, ...]:
        """All authorizations of the server: by which of them it lets the sender in only the hosts know. What is sent on waits
        for the third site's server; the second site does not, whatever becomes of the third."""
        admitting = tuple(Address(second, ReplicaAuthorization.kind) for second in hosts_of(self, self.server))
        thirds = hosts_of(self, self.extended.server) if self.extended is not None else ()
        if not any(field.startswith("extended.") for field in step.because):
            return admitting
        sender = self._names_of(host_named(self, self.server), broker_named(self, self.server))
        known = (a for third in thirds for a in self._receiving(third, sender))
        return (*admitting, *known, *(Address(third, ReplicaAuthorization.kind) for third in thirds))

    def _names_of(self, host: str, broker: str) -> list[str]:
        """By which an authorization may let a sender in, as far as the inventory knows it."""
        own = sorted(name for name, known in self.index.known.items() if known == host and "." in name)
        return [broker] if broker else own

    def _receiving(self, host: str, sender: Sequence[str]) -> Iterator[Address]:
        """The replica server of a host, and the authorizations that may let the sender in."""
        yield Address(host, ReplicaServer.kind, (), "")
        for name in dict.fromkeys((*sender, *(f"*.{name.partition('.')[2]}" for name in sender), "*")):
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
        for disk in self.vm.parts_of(DiskPart):
            if disk.shared and not disk.absent and disk.key() not in (self.excluded_disks or ()):
                yield finding("", f"the disk at {disk.key()} is shared, and {UNREPLICATED}", f"exclude {disk.key()}")

    def _leg_rules(self, os: OS) -> Iterator[Diagnostic]:
        if self._is_own_host(self.server):
            yield finding("server", "a VM is not replicated to the host that it is on", "write another host")
        if (broker := broker_named(self, self.server)) and broker == own_broker(self):
            yield finding("server", "a VM is not replicated within its own cluster", "write another host or broker")
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

    def _is_own_host(self, server: str) -> bool:
        """By any of the names that the inventory knows it by."""
        own = self.index.host.casefold()
        return server.casefold() == own or host_named(self, server).casefold() == own

    def _onward_rules(self, onward: Extended, os: OS) -> Iterator[Diagnostic]:
        if not at_least(os, "2012r2"):
            yield finding("extended", f"{title(os)} has no third site", exists_from("2012r2"))
        second, third = host_named(self, self.server), host_named(self, onward.server)
        if same_server(onward.server, self.server) or (second and second == third):
            yield finding("extended.server", "the third site is the second one", "write another host")
        if self._is_own_host(onward.server):
            yield finding("extended.server", "the third site is the first one", "write another host")
        if onward.frequency is not None and onward.frequency not in ONWARD:
            yield finding("extended.frequency", "a third site is sent to every 5 or 15 min", "write 5m or 15m")
        elif onward.frequency is not None and onward.frequency < (self.frequency or 0):
            text = "a third site is not sent to more often than the second one"
            yield finding("extended.frequency", text, "write the same, or 15m")
        if onward.authentication == "certificate" and onward.certificate is None:
            yield finding("extended.authentication", "no certificate is written", "write `certificate`")
