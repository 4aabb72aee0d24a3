"""Replication between simulated hosts: which call leads from which state to which, what is refused, what passes by itself.

A row is a fact of replica-migration 2 with its source and grade: D documented, O observed, Os only a script in production
rests on it, I inferred. It does not model: the sizes of what travels, how recovery points come and what is in them, how long a
cycle takes, a resynchronization that the tracking log asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mocks import files
from mocks.arguments import like
from mocks.clock import Clock
from mocks.complete import vhd as complete_vhd
from mocks.machine import MB, Drive, Replication, Vm
from mocks.state import HostState, Vhd

if TYPE_CHECKING:
    from mocks.estate import Estate

COPY_RATE = 100 * MB  # bytes a second
LEAST_S = 60.0
UPDATE_S = 30.0


@dataclass(frozen=True)
class Transition:
    """Called on a side in one of these states, where both then are. `variant`: the switch that makes it another call.
    "": as it was. A call on a side that no row has is refused as of a wrong state."""

    call: str
    variant: str
    side: str
    before: tuple[str, ...]
    after: str
    peer: str
    grade: str
    source: str


PRIMARY, REPLICA = "Primary", "Replica"
RECOVERY_POINTS = ("Replica", "AppConsistentReplica")
"""Types of checkpoints of a replica (replica-migration 2.4)."""
FAILED_OVER = ("FailedOverWaitingCompletion", "FailedOver")
TRANSITIONS = (
    Transition("Start-VMInitialReplication", "", PRIMARY, ("ReadyForInitialReplication",),
               "InitialReplicationInProgress", "", "O", "LIS polls it; VB/20120615 says Waiting on the primary [C]"),
    Transition("Start-VMInitialReplication", "InitialReplicationStartTime", PRIMARY, ("ReadyForInitialReplication",),
               "", "", "D", "PSDOC"),
    Transition("Start-VMInitialReplication", "DestinationPath", PRIMARY, ("ReadyForInitialReplication",),
               "InitialReplicationInProgress", "", "D", "VB/20130628"),
    Transition("Start-VMInitialReplication", "UseBackup", PRIMARY, ("ReadyForInitialReplication",),
               "Resynchronizing", "", "D", "VB/20130827"),
    Transition("Stop-VMInitialReplication", "", PRIMARY,
               ("ReadyForInitialReplication", "InitialReplicationInProgress"),
               "ReadyForInitialReplication", "WaitingForInitialReplication", "D", "PSDOC"),
    Transition("Import-VMInitialReplication", "", REPLICA, ("WaitingForInitialReplication",),
               "Replicating", "Replicating", "D", "VB/20130628"),
    Transition("Suspend-VMReplication", "", PRIMARY, ("Replicating",), "Suspended", "", "D", "VB/20120615"),
    Transition("Suspend-VMReplication", "", REPLICA, ("Replicating",), "Suspended", "", "D", "VB/20120615"),
    Transition("Suspend-VMReplication", "", PRIMARY, ("Resynchronizing",), "ResynchronizeSuspended", "",
               "D", "VB/20130510"),
    Transition("Resume-VMReplication", "", PRIMARY, ("Suspended", "Error"), "Replicating", "", "D", "PSDOC"),
    Transition("Resume-VMReplication", "", REPLICA, ("Suspended", "Error"), "Replicating", "", "D", "PSDOC"),
    Transition("Resume-VMReplication", "Resynchronize", PRIMARY, ("WaitingForStartResynchronize", "Suspended"),
               "Resynchronizing", "", "D", "VB/20130510"),
    Transition("Resume-VMReplication", "Continue", PRIMARY, ("ResynchronizeSuspended",), "Resynchronizing", "",
               "D", "VB/20130510"),
    Transition("Start-VMFailover", "Prepare", PRIMARY, ("Replicating",), "PreparedForFailover", "", "O", "NEC, LIS"),
    Transition("Start-VMFailover", "", REPLICA, ("Replicating", "Suspended", "Error"),
               "FailedOverWaitingCompletion", "", "O", "NEC; that a paused one can be failed over [I]"),
    Transition("Start-VMFailover", "AsTest", REPLICA, ("Replicating", "Suspended", "Error"), "", "", "D", "VB/20120725"),
    Transition("Complete-VMFailover", "", REPLICA, ("FailedOverWaitingCompletion",), "FailedOver", "", "D", "PSDOC"),
    Transition("Stop-VMFailover", "", REPLICA, ("FailedOverWaitingCompletion",), "Replicating", "", "D", "PSDOC"),
    Transition("Stop-VMFailover", "", PRIMARY, ("PreparedForFailover",), "Replicating", "", "D", "PSDOC"),
    Transition("Set-VMReplication", "Reverse", REPLICA, FAILED_OVER, "", "", "O", "NEC, LIS"),
    Transition("Set-VMReplication", "AsReplica", PRIMARY,
               ("Error", "WaitingForStartResynchronize", "Replicating", "Suspended"),
               "WaitingForInitialReplication", "", "O", "NEC; that one which has not noticed yet can, too [I]"),
    Transition("Set-VMReplication", "ReplicatedDiskPaths", PRIMARY, ("Replicating",), "WaitingForUpdateCompletion", "",
               "I", "the enum and the contract (2016 on)"),
    Transition("Set-VMReplication", "", PRIMARY,
               ("ReadyForInitialReplication", "Replicating", "Suspended", "Error", "WaitingForStartResynchronize"),
               "", "", "I", "domain 15.2: live"),
    Transition("Remove-VMReplication", "", PRIMARY, ("*",), "gone", "", "D", "PSDOC; BAL"),
    Transition("Remove-VMReplication", "", REPLICA, ("*",), "gone", "", "I", "an ordinary VM, off"),
    Transition("Reset-VMReplicationStatistics", "", PRIMARY, ("*",), "", "", "D", "VB/20120621"),
    Transition("Reset-VMReplicationStatistics", "", REPLICA, ("*",), "", "", "D", "VB/20120621"),
)  # fmt: skip


@dataclass(frozen=True)
class Refused:
    """`kind`: of the error's id, inferred for the whole family (replica-migration 10). `text`: its key in mocks/messages.py."""

    kind: str
    text: str
    grade: str
    source: str


REFUSALS = {
    "wrong state": Refused("InvalidState", "replication_state", "D", "SUP/hyper-v-replica-troubleshooting-guide"),
    "not replicated": Refused("InvalidOperation", "replication_none", "O", "VB/20131230, of 2012 R2"),
    "enabled already": Refused("InvalidState", "replication_state", "I", "replica-migration 10"),
    "no way": Refused("OperationFailed", "replication_no_way", "O", "VB/20120621, BAL; id [I]"),
    "server refuses": Refused("OperationFailed", "replication_not_admitted", "D", "VB/20120423; text and id [I]"),
    "a node and not its broker": Refused("OperationFailed", "replication_no_way", "I", "VB/20120327: the broker is named"),
    "the VM is there": Refused("OperationFailed", "replication_vm_there", "O", "BAL; VB/20130827"),
    "disk": Refused("InvalidParameter", "replication_disk", "O", "BAL: IncludedDisks is not valid"),
    "value": Refused("InvalidParameter", "out_of_range", "I", "domain 15.2"),
    "a replica does not start": Refused("InvalidState", "replication_start", "D", "VB/20120528; class [I]"),
    "prepared does not start": Refused("InvalidState", "replication_start", "D", "PSDOC; class [I]"),
    "prepare needs off": Refused("InvalidState", "bad_state", "O", "NEC: the VM is off; class [I]"),
    "primary runs": Refused("InvalidOperation", "replication_primary_runs", "D", "VB/20120808; class [I]"),
    "tested already": Refused("InvalidOperation", "replication_state", "D", "VB/20120725; class [I]"),
    "no recovery point": Refused("InvalidParameter", "replication_state", "I", "PSDOC: a recovery snapshot is taken"),
    "nothing to stop": Refused("InvalidOperation", "replication_state", "O", "BAL"),
    "stop needs off": Refused("InvalidState", "bad_state", "I", "replica-migration 10: the stricter of BAL and PSDOC [C]"),
    "no reverse": Refused("OperationFailed", "replication_no_reverse", "O", "BAL; PSDOC"),
    "reverse under extended": Refused("InvalidOperation", "replication_extended", "D", "a book on HVR; WMI"),
    "reverse of a third site": Refused("InvalidOperation", "replication_no_reverse", "I", "nobody tells of one: the stricter"),
    "removed under extended": Refused("InvalidOperation", "replication_extended", "D", "WMI RemoveReplicationRelationshipEx"),
    "as replica needs off": Refused("InvalidState", "bad_state", "O", "NEC: off, its saved state removed"),
    "copy exported": Refused("InvalidState", "replication_state", "D", "PSDOC"),
    "no media": Refused("ObjectNotFound", "replication_no_media", "D", "VB/20130628: the folder <VM>_<id>; class [I]"),
}  # fmt: skip

HEALTH = {
    # VB/20120615, 20140505 [D]: critical where nothing can be sent, it is paused at the replica, or a resync is needed
    **dict.fromkeys(
        ("Error", "UpdateError", "WaitingForStartResynchronize", "Resynchronizing", "ResynchronizeSuspended"),
        "Critical",
    ),
    # a warning while paused at the primary, before the initial copy is done, and when failed over and not reversed
    **dict.fromkeys(
        ("ReadyForInitialReplication", "InitialReplicationInProgress", "WaitingForInitialReplication", "Suspended"),
        "Warning",
    ),
    **dict.fromkeys(FAILED_OVER, "Warning"),
}


def to(relation: Replication, state: str) -> None:
    if not state:
        return
    relation.state = state
    relation.health = HEALTH.get(state, "Normal")
    if state == "Suspended" and side(relation) == REPLICA:
        relation.health = "Critical"
    if state not in ("Error", "UpdateError"):
        relation.fault = ""


def side(relation: Replication) -> str:
    """A replica sends on as a primary does: its extended relationship is of that side."""
    return PRIMARY if relation.mode == "Primary" or sends_on(relation) else REPLICA


def sends_on(relation: Replication) -> bool:
    return relation.relationship == "Extended" and relation.mode == "Replica"


def transition(call: str, variant: str, relation: Replication) -> Transition | None:
    return next(
        (
            t
            for t in TRANSITIONS
            if (t.call, t.variant, t.side) == (call, variant, side(relation))
            and (relation.state in t.before or "*" in t.before)
        ),
        None,
    )


def full_name(state: HostState) -> str:
    """As servers read on both sides, in a domain; a node goes by the broker of its cluster (replica-migration 1.1)."""
    name = state.cluster.broker if state.cluster is not None and state.cluster.broker else state.name
    return f"{name}.{state.domain}" if state.domain else name


def node_names(state: HostState) -> tuple[str, str]:
    return state.name.casefold(), node_name(state).casefold()


def node_name(state: HostState) -> str:
    """Of the computer itself."""
    return f"{state.name}.{state.domain}" if state.domain else state.name


def relations(vm: Vm) -> list[Replication]:
    return [r for r in (vm.replication, vm.extended) if r is not None and r.mode != "None"]


def counterpart(estate: Estate | None, here: HostState, vm: Vm, relation: Replication) -> tuple[HostState, Vm] | None:
    """The other side's host, where there is a way to it, and its VM: they share their id."""
    if estate is None:
        return None
    name = relation.replica_server if side(relation) == PRIMARY else relation.primary_server
    host = estate.receiving(name, vm.id, by=here)
    other = host.state.vm(vm.id) if host is not None and host.state is not here else None
    return (host.state, other) if host is not None and other is not None else None


def peer_of(estate: Estate | None, here: HostState, vm: Vm, relation: Replication) -> Replication | None:
    """What the other side holds of this relationship."""
    found = counterpart(estate, here, vm, relation)
    if found is None:
        return None
    state, other = found
    for one in relations(other):
        sent = side(relation) == PRIMARY
        if sent and one.mode in ("Replica", "ExtendedReplica") and not sends_on(one):
            return one
        if not sent and side(one) == PRIMARY and _names(state, here, one):
            return one
    return None


def _names(state: HostState, here: HostState, relation: Replication) -> bool:
    return relation.replica_server.casefold() == full_name(here).casefold()


def admitting(server: HostState, method: str, port: int, sender: HostState) -> tuple[str, str] | None:
    """Where a server keeps what the sender sends, and the trust group; None where it takes nothing of it."""
    own = server.replica_server
    ports = {"Kerberos": own.kerberos_port, "Certificate": own.certificate_port}
    if not own.enabled or own.authentication not in (method, "CertificateAndKerberos") or ports[method] != port:
        return None
    rules = dict(zip(("Kerberos", "Certificate"), server.firewall_rules, strict=False))
    if not server.firewall_rules.get(rules[method], False):
        return None  # VB/20120423: the rules of the listeners are off until somebody turns them on
    name = full_name(sender)
    found = next((e for e in own.entries if like(name, e.allowed)), None)
    if found is not None:
        return found.storage, found.trust_group
    return (own.storage, "DEFAULT") if own.any_server else None


def copy_time(state: HostState, vm: Vm, relation: Replication) -> float:
    """Of all that the disks hold, over the network."""
    size = 0
    for drive in vm.disks:
        if relation.disks is None or str(drive.at) in relation.disks:
            disk = files.vhd(state, drive.path)
            size += (disk.file_size if disk else None) or 0
    return max(LEAST_S, size / COPY_RATE)


# --- what passes by itself --------------------------------------------------------------------------------------------


def settle(estate: Estate | None, state: HostState, clock: Clock) -> None:
    """Everything that has fallen due on the hosts of the estate, or on this one."""
    states: Iterable[HostState] = [h.state for h in estate.hosts.values()] if estate is not None else [state]
    for here in states:
        if estate is not None and estate.name_of(here) in estate.lost:
            continue
        for vm in here.vms:
            for relation in relations(vm):
                if side(relation) == PRIMARY:
                    _go_on(estate, here, vm, relation, clock.now())


def _go_on(estate: Estate | None, here: HostState, vm: Vm, relation: Replication, now: float) -> None:
    peer = peer_of(estate, here, vm, relation)
    if relation.starts is not None and now >= relation.starts and relation.state == "ReadyForInitialReplication":
        relation.until = relation.starts + copy_time(here, vm, relation)
        relation.starts = None
        to(relation, "InitialReplicationInProgress")
    if relation.until is not None and now >= relation.until:
        _done(estate, here, vm, relation, peer)
    if estate is not None and relation.state in ("Replicating", "Error"):
        _cycle(estate, here, relation, peer, now)


def _done(estate: Estate | None, here: HostState, vm: Vm, relation: Replication, peer: Replication | None) -> None:
    """A copy, a resynchronization or an update of the set of disks; one whose other side is gone fails."""
    due, relation.until = relation.until, None
    if relation.state == "InitialReplicationInProgress" and relation.media:
        to(relation, "Replicating")  # VB/20130628: changes flow into the placeholder from then on
        relation.last = due
        return
    if estate is not None and peer is None:
        to(relation, "Error")
        relation.fault = "way"
        return
    if relation.state == "WaitingForUpdateCompletion" and estate is not None:
        found = counterpart(estate, here, vm, relation)
        if found is not None:
            place_disks(here, vm, relation, *found)
    to(relation, "Replicating")
    relation.last = due
    if peer is not None:
        to(peer, "Replicating")
        peer.last = due


def _cycle(estate: Estate, here: HostState, relation: Replication, peer: Replication | None, now: float) -> None:
    """What is sent every so many seconds. After retries a way that is gone is an error, which mends itself (VB/20120615)."""
    last = relation.last if relation.last is not None else 0.0
    there = estate.receiving(relation.replica_server, "", by=here)
    way = there is not None
    taking = peer is not None and peer.state in ("Replicating", "WaitingForInitialReplication")
    if way and taking and relation.fault == "way":
        to(relation, "Replicating")
    if relation.state != "Replicating":
        return
    if taking and there is not None and _let_in(there.state, here, relation, now):
        relation.last = last + (now - last) // relation.frequency * relation.frequency
        if peer is not None:
            peer.last = relation.last
    elif now - last >= 2 * relation.frequency:
        to(relation, "Error")
        relation.fault = "way" if not way else "refused" if taking else "peer"


def _let_in(there: HostState, here: HostState, relation: Replication, now: float) -> bool:
    """Nothing comes in where it is not received, by a closed firewall or from whom nobody admits: closing any of it stops what
    others send (domain 15.1). That it does not mend itself is inferred [I]; certificates are in force on both sides
    (replica-migration 3)."""
    if relation.authentication == "Certificate":
        both = ((here, relation.certificate), (there, there.replica_server.certificate))
        if not all(_in_force(state, thumbprint, now) for state, thumbprint in both):
            return False
    return admitting(there, relation.authentication, relation.port, here) is not None


def _in_force(state: HostState, thumbprint: str, now: float) -> bool:
    known = (c for c in state.certificates if c.thumbprint.replace(" ", "").casefold() == thumbprint.casefold())
    return any(c.begins <= now / 86_400 < c.expires for c in known)


def place_disks(here: HostState, vm: Vm, relation: Replication, there: HostState, replica: Vm) -> None:
    """On the replica's side: placeholders of the disks of the set, which have the sizes of the originals."""
    store = (replica.replication.store if replica.replication else "") or there.virtual_hard_disk_path
    for drive in vm.disks:
        if relation.disks is not None and str(drive.at) not in relation.disks:
            continue
        if any(d.at == drive.at for d in replica.drives or ()) or drive.path is None:
            continue
        disk = files.vhd(here, drive.path)
        base = drive.path.rpartition("\\")[2]
        path = f"{store}\\Hyper-V Replica\\Virtual hard disks\\{vm.id.upper()}\\{base}"
        made = Vhd(path, size=disk.size if disk else 0, type="Dynamic")
        there.vhds.append(made)
        complete_vhd(there, made)
        replica.drives = [*(replica.drives or ()), Drive(drive.at, path)]
