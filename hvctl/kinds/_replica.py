"""Words and values of Hyper-V Replica that its kinds share (domain 15)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator

from hvctl.call import Call, Ref, Row
from hvctl.core.changes import Noted
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.values import Plain
from hvctl.kinds._cluster import bare
from hvctl.kinds._types import Words
from hvctl.text.visible import quoted

METHODS = Words(kerberos="Kerberos", certificate="Certificate")

_WRITTEN = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_TICKS = 10_000_000


def _time(text: str) -> str:
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f"{quoted(text)} is not a time of day; write it as '09:00'")
    return f"{int(match[1]):02}:{match[2]}"


class _TimeOfDay(Plain):
    """`09:00` here, a TimeSpan there: ticks of 100 ns as read."""

    def read(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        minutes = value // _TICKS // 60
        return f"{minutes // 60:02}:{minutes % 60:02}"

    def write(self, value: Any) -> str:
        return f"{value}:00"


TIME_OF_DAY = _TimeOfDay()
TimeOfDay = Annotated[str, AfterValidator(_time)]
"""By the host's clock on the wall."""


# --- what hosts say of it ---------------------------------------------------------------------------------------------

_PLACE = "ControllerType,ControllerNumber,ControllerLocation"
RELATIONS = Call(
    "Get-VMReplication",
    select=(
        *("VMId", "VMName", "ReplicationMode", "ReplicationRelationshipType", "ReplicationState", "ReplicationHealth"),
        *("PrimaryServerName", "ReplicaServerName", "CurrentReplicaServerName", "ReplicaServerPort"),
        *("AuthenticationType", "CertificateThumbprint", "CompressionEnabled", "BypassProxyServer"),
        *("ReplicationFrequencySec", "RecoveryHistory", "VSSSnapshotFrequencyHour", "VSSSnapshotReplicationEnabled"),
        *("ReplicateHostKvpItems", "AutoResynchronizeEnabled", "InitialReplicationStartTime"),
        *("AutoResynchronizeIntervalStart", "AutoResynchronizeIntervalEnd", "TestVirtualMachine.Id"),
        *(f"ReplicatedDisks[{_PLACE}]", f"ExcludedDisks[{_PLACE}]"),
    ),
)
"""By the names of the class: the columns that people read are aliases (replica-migration 1.1). Never Get-VM's
ReplicationState, which is off by one on some versions (domain 15.4)."""

LATENCY = "AverageReplicationLatency"
"""How long it took until a change was there, over the time that the host measures; 100 ns."""
MEASURED = Call(
    "Measure-VMReplication",
    select=("VMId", "ReplicationMode", "ReplicationRelationshipType", "ReplicationHealthDetails[]", LATENCY),
)
"""Details are sentences, in the host's language: for people only."""

REPLICAS = ("Replica", "ExtendedReplica")
FAILED_OVER = ("FailedOverWaitingCompletion", "FailedOver")

STATES = {
    "Disabled": "off",
    "ReadyForInitialReplication": "not started",
    "InitialReplicationInProgress": "initial copy",
    "WaitingForInitialReplication": "waiting for the initial copy",
    "Replicating": "replicating",
    "PreparedForFailover": "prepared for failover",
    "FailedOverWaitingCompletion": "failed over",
    "FailedOver": "failed over",
    "Suspended": "paused",
    "Error": "error",
    "WaitingForStartResynchronize": "resync needed",
    "Resynchronizing": "resynchronizing",
    "ResynchronizeSuspended": "resync paused",
    "WaitingForUpdateCompletion": "update of its disks",
    "UpdateError": "error in the update of its disks",
}
"""In the words of plans. What is not here is told as the host says it."""

UNDER_WAY = ("initial copy", "resynchronizing", "update of its disks", "scheduled")
"""States that lead to where it is to be by themselves."""


def extended(row: Row) -> bool:
    """A replica that is sent on has two objects (domain 15.3); 2012 has no such property, and no third site."""
    return str(row.get("ReplicationRelationshipType") or "Simple") == "Extended"


def relation(vm_id: object, facts: Facts, *, modes: tuple[str, ...], onward: bool = False) -> Row | None:
    """A VM's relationship on a host, of these modes. `onward`: the one by which a replica is sent to a third site."""
    rows = facts.of_key(RELATIONS, "VMId", vm_id)
    if not rows and (failure := facts.reply(RELATIONS).failure):
        raise UnreadableError(RELATIONS, failure)
    found = (r for r in rows if r["ReplicationMode"] in modes)
    return next((r for r in found if (extended(r) and r["ReplicationMode"] == "Replica") is onward), None)


def state_of(row: Row) -> str:
    state = str(row["ReplicationState"])
    if state == "ReadyForInitialReplication" and row.get("InitialReplicationStartTime"):
        return "scheduled"
    return STATES.get(state, state)


def noted_of(name: str, row: Row, lag_s: int | None = None) -> Noted:
    """How a relationship stands on its side, for who remembers it."""
    to, other = ("to", "ReplicaServerName") if row["ReplicationMode"] == "Primary" else ("from", "PrimaryServerName")
    health = str(row["ReplicationHealth"]).casefold()
    other_side = bare(str(row[other]))
    side = {"Primary": "primary", "ExtendedReplica": "extended"}.get(str(row["ReplicationMode"]), "replica")
    parts = (("side", side), ("other", other_side), ("state", state_of(row)), ("health", health))
    return Noted(name, f"{state_of(row)} {to} {other_side}, {health}", lag_s=lag_s, parts=parts)


def told_of_replica(vm_id: object, facts: Facts) -> str:
    """What its host knows of a replica, for who writes `replication` of its primary; "" where it does not say."""
    try:
        received = relation(vm_id, facts, modes=REPLICAS)
        onward = relation(vm_id, facts, modes=("Replica",), onward=True)
    except (UnreadableError, KeyError):
        return ""
    if received is None or not received["PrimaryServerName"]:
        return ""
    health = str(received["ReplicationHealth"]).casefold()
    found = f"from {received['PrimaryServerName']}: {state_of(received)}, {health}"
    if onward is not None:
        found += f"; `extended: {{server: {onward['ReplicaServerName']}}}`"
    return found


def failed_over(vm_id: object, facts: Facts) -> bool:
    """Whether a replica has taken over, as far as its host was asked and says."""
    try:
        row = relation(vm_id, facts, modes=REPLICAS) if facts.asked(RELATIONS) else None
    except UnreadableError:
        return False
    return row is not None and row["ReplicationState"] in FAILED_OVER


def by_id(vm_id: object) -> Ref:
    return Ref(Call("Get-VM", {"Id": str(vm_id)}))


def relation_of(vm: Ref, kind: str) -> Ref:
    """The relationship itself, as a cmdlet takes it: Simple or Extended; where a version has no word for that, the only
    one."""
    call = Call("Get-VMReplication", {"VM": vm})
    return Ref(call, {"ReplicationRelationshipType": kind}, lenient=True)


@dataclass(frozen=True)
class Side:
    """A host that receives, or is to. `vm`: what it has by the id of the VM. `received`: the relationship by which that is
    received; `onward`: by which it is sent on."""

    host: str
    facts: Facts
    name: str
    vm: Row | None = None
    received: Row | None = None
    onward: Row | None = None
