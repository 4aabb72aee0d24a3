"""What is written of a VM's replication, and what both sides say of it (domain 15.2, 15.3; replica-migration 1 and 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from hvctl.call import Row, Value
from hvctl.core.facts import Facts, UnclearError, UnreadHostError
from hvctl.core.fields import Fields, Null, Setting
from hvctl.core.values import Json, Plain, as_json
from hvctl.kinds._certificates import THUMBPRINT, Thumbprint
from hvctl.kinds._cluster import view
from hvctl.kinds._drives import Slot
from hvctl.kinds._replica import METHODS, RELATIONS, REPLICAS, TIME_OF_DAY, Side, TimeOfDay, relation
from hvctl.kinds._replica_adapters import ReplicaAdapter
from hvctl.kinds._servers import COMPUTER, SERVER, broker_named, full_name, hosts_of, is_server_name, same_server
from hvctl.kinds._types import Flag, Seconds, WindowsPath, Words
from hvctl.kinds._vm import VMS, VmPart
from hvctl.text.duration import spoken
from hvctl.text.visible import quoted

FREQUENCIES = (30, 300, 900)
"""Seconds. The parameter takes others, Hyper-V does not (domain 15.2)."""
UNREPLICATED = "Hyper-V's cmdlets replicate none that is"
"""Shared VHDX of 2012 R2 not at all (domain 8.5); sets (.vhds) and shared VHDX of 2016 and later as part of a group of VMs,
which only WMI makes: Msvm_CollectionReplicationService (replica-migration 2.3, D and BAL)."""
ONWARD = FREQUENCIES[1:]
"""To a third site (replica-migration 2.4)."""


class _FrequencyCodec(Plain):
    def show(self, value: Any) -> str:
        return spoken(value) if isinstance(value, int) else super().show(value)


class _HoursCodec(Plain):
    """Seconds here, hours there; 0 is off."""

    def read(self, value: Any) -> Any:
        return value * 3600 if isinstance(value, int) and value else None

    def write(self, value: Any) -> Value:
        return int(value) // 3600

    def show(self, value: Any) -> str:
        return spoken(value) if isinstance(value, int) else "off"


class _PlacesCodec(Plain):
    """Places of disks, without an order."""

    def show(self, value: Any) -> str:
        return ", ".join(sorted(value)) if value else "none"

    def value(self, value: Any) -> Json:
        return as_json(sorted(value)) if isinstance(value, frozenset | list | tuple) else as_json(value)


FREQUENCY, HOURS, PLACES = _FrequencyCodec(), _HoursCodec(), _PlacesCodec()


def _server(text: str) -> str:
    if not is_server_name(text):
        raise ValueError(
            f"{quoted(text)} is not the name of a server; write its name in the inventory, or its full name: neither "
            "Kerberos nor a certificate knows an address"
        )
    return text


def _hours(value: int | None) -> int | None:
    if value is not None and (value % 3600 or not 3600 <= value <= 43_200):
        raise ValueError("whole hours, from 1h to 12h; null for none")
    return value


def _when(text: str) -> str:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}", text):
        raise ValueError(f"{quoted(text)} is not a time; write it as '2026-04-02 22:00', by the host's clock")
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is no time that a calendar has") from None
    return text.replace("T", " ")


def _place(value: Any) -> Any:
    return str(Slot.at(str(value)))


Server = Annotated[str, AfterValidator(_server), Setting("ReplicaServerName", codec=SERVER)]
Port = Annotated[int | None, Field(ge=1, le=65_535), Setting("ReplicaServerPort")]
Method = Annotated[str | None, METHODS, Setting("AuthenticationType", codec=METHODS)]
OwnCertificate = Annotated[Thumbprint | None, Setting("CertificateThumbprint", codec=THUMBPRINT)]
Frequency = Annotated[Seconds | None, Setting("ReplicationFrequencySec", codec=FREQUENCY)]
Compression = Annotated[Flag | None, Setting("CompressionEnabled")]
Proxy = Annotated[Flag | None, Setting("BypassProxyServer")]
Points = Annotated[int | None, Field(ge=0, le=24), Setting("RecoveryHistory")]

WANTED = Words(replicating="replicating", paused="paused")


class AutoResync(Fields):
    """Whether it resynchronizes by itself when it must, and when in the day."""

    enabled: Annotated[Flag | None, Setting("AutoResynchronizeEnabled")] = None
    start: Annotated[TimeOfDay | None, Setting("AutoResynchronizeIntervalStart", codec=TIME_OF_DAY)] = None
    end: Annotated[TimeOfDay | None, Setting("AutoResynchronizeIntervalEnd", codec=TIME_OF_DAY)] = None


class Extended(Fields):
    """From the replica on to a third site, as the replica's host does it; every 5 or 15 minutes, and not more often than
    the replica is sent."""

    server: Server
    port: Port = None
    authentication: Method = None
    certificate: OwnCertificate = None
    frequency: Frequency = None
    compression: Compression = None
    bypass_proxy: Proxy = None
    recovery_points: Points = None
    initial_copy: Literal["now", "by_hand"] = "now"


class ReplicationFields(VmPart):
    """The fields of a VM's replication."""

    odd: ClassVar[frozenset[str]] = frozenset(
        {"server", "frequency", "vss", "extended.server", "extended.frequency", "extended.certificate"}
    )
    stand_in: ClassVar[Mapping[str, Any]] = {"server": "hv02.example.com"}

    server: Server
    ensure: Literal["present", "absent"] = "present"
    port: Port = None
    authentication: Method = None
    certificate: OwnCertificate = None
    frequency: Frequency = None
    compression: Compression = None
    bypass_proxy: Proxy = None
    recovery_points: Points = None
    vss: Annotated[
        Seconds | None, AfterValidator(_hours), Setting("VSSSnapshotFrequencyHour", codec=HOURS), Null("off")
    ] = None
    host_data_exchange: Annotated[Flag | None, Setting("ReplicateHostKvpItems")] = None
    auto_resync: AutoResync = Field(default_factory=AutoResync)
    excluded_disks: list[Annotated[str, BeforeValidator(_place)]] | None = None
    state: Annotated[str | None, WANTED] = None
    initial_copy: Literal["now", "by_hand", "backup"] = "now"
    initial_copy_at: Annotated[str, AfterValidator(_when)] | None = None
    initial_copy_export: WindowsPath | None = None
    initial_copy_import: WindowsPath | None = None
    adapters: list[ReplicaAdapter] = Field(default_factory=list)
    extended: Annotated[Extended | None, Null("none")] = None

    @property
    def no_third_site(self) -> bool:
        """Whether it is written that it is sent on to none."""
        return "extended" in self.model_fields_set and self.extended is None


# --- both sides -------------------------------------------------------------------------------------------------------


def side_of(one: VmPart, server: str | None, vm_id: object, facts: Facts) -> Side | None:
    """Of a server, by its name; None where it is no host of this run. Raises UnreadHostError where it is one that could not
    be read, and UnreadableError where it is not known which node behind a broker has it."""
    broker = broker_named(one, server)
    hosts = [h for h in hosts_of(one, server) if h in facts.others]
    if not hosts:
        return None
    host = _holder(hosts, vm_id, facts) if broker else hosts[0]
    there = facts.on(host)
    name = broker or full_name(there)
    vm = next(iter(there.of_key(VMS, "Id", vm_id)), None) if vm_id is not None else None
    if vm is None:
        return Side(host, there, name)
    received = relation(vm_id, there, modes=REPLICAS)
    onward = relation(vm_id, there, modes=("Replica",), onward=True)
    return Side(host, there, name, vm, received, onward)


def side_called(one: VmPart, name: object, vm_id: object, facts: Facts) -> Side | None:
    """Of a server by what a relationship calls it, whether the playbook names it or not; None where it was not read."""
    try:
        found = side_of(one, str(name or ""), vm_id, facts)
    except UnreadHostError:
        return None
    if found is not None:
        return found
    asked = (COMPUTER, VMS, RELATIONS)
    read = ((h, f) for h, f in facts.others.items() if f is not None and all(f.asked(call) for call in asked))
    host = next((h for h, f in read if f.rows(COMPUTER) and same_server(full_name(f), name)), None)
    return side_of(one, host, vm_id, facts) if host is not None else None


def _holder(hosts: Sequence[str], vm_id: object, facts: Facts) -> str:
    """The node that has the replica, which is a role of its cluster (VB/20120327); the first that answers, where none has."""
    read = [h for h in hosts if facts.others[h] is not None]
    if not read:
        return hosts[0]
    if vm_id is None:
        return read[0]
    found = [h for h in read if facts.on(h).of_key(VMS, "Id", vm_id)]
    role = view(facts.on(read[0])).of_vm(vm_id) if not found else None
    if role is None:
        return next(iter(found), read[0])
    if away := next((h for h in hosts if h not in read), None):
        return away
    text = f"the cluster has the role {role.name} on {role.owner}, where Hyper-V has no such VM"
    raise UnclearError(text, "look at the role in the cluster")


def places(row: Row, column: str) -> frozenset[str] | None:
    """Of the disks in a list of a relationship; None where this version does not say."""
    key = f"{column}[ControllerType,ControllerNumber,ControllerLocation]"
    if key not in row:
        return None
    return frozenset(str(Slot.of(disk)) for disk in row[key] or ())


def of_vm(rows: tuple[Row, ...]) -> Iterator[str]:
    yield from (str(Slot.of(row)) for row in rows)
