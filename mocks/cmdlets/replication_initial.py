"""Start-, Stop-, Import-VMInitialReplication (domain 15.2, replica-migration 2)."""

from __future__ import annotations

from datetime import datetime

from hvctl.contract.scalars import Moment
from mocks import files
from mocks.clock import START
from mocks.cmdlets._replica import due_in, meant, moved, passed, refusal, replication_object
from mocks.command import Command, cmdlet
from mocks.objects import Instant
from mocks.replicating import copy_time, peer_of, to

AHEAD_S = 7 * 86_400  # PSDOC: so far ahead it may begin by itself


@cmdlet("Start-VMInitialReplication", takes=1.0)
def start(cmd: Command) -> None:
    args, now = cmd.args, cmd.clock.now()
    variant = next((v for v in ("InitialReplicationStartTime", "DestinationPath", "UseBackup") if v in args), "")
    for vm, relation in meant(cmd, "Primary"):
        with cmd.trying():
            row = passed(cmd, vm, relation, variant)
            peer = peer_of(cmd.estate, cmd.state, vm, relation)
            if peer is None and variant != "DestinationPath":
                raise refusal(cmd, "no way", vm.name, relation.replica_server)
            if variant == "InitialReplicationStartTime":
                at = _seconds(cmd, args.raw("InitialReplicationStartTime"))
                if not now <= at <= now + AHEAD_S:
                    raise refusal(cmd, "value", "InitialReplicationStartTime", at)
                relation.starts = at
                due_in(cmd, at - now)
                due_in(cmd, at - now + copy_time(cmd.state, vm, relation))
            elif variant == "DestinationPath":
                folder = args.text("DestinationPath").rstrip("\\")
                if not files.is_folder(cmd.state, folder):
                    raise refusal(cmd, "no media", vm.name, folder)
                relation.media = f"{folder}\\{vm.name}_{vm.id.upper()}"
                files.make_folder(cmd.state, relation.media)
                relation.until = due_in(cmd, copy_time(cmd.state, vm, relation))
            else:
                if variant == "UseBackup" and (peer is None or peer.store):
                    raise refusal(cmd, "wrong state")  # for a VM that was made a replica by hand (VB/20130827)
                relation.starts, relation.until = None, due_in(cmd, copy_time(cmd.state, vm, relation))
            moved(row, relation, None)
            cmd.passthru(replication_object, cmd, vm, relation)


def _seconds(cmd: Command, value: object) -> float:
    """On the clock. A time without a zone is by the clock on the host's wall."""
    if isinstance(value, Moment):
        at, zoned = value.naive, value.local
    else:
        written = value.utc if isinstance(value, Instant) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        at, zoned = written.replace(tzinfo=None), written.tzinfo is not None
    since = (at - START.replace(tzinfo=None)).total_seconds()
    return since if zoned else since - cmd.state.time_zone * 60


@cmdlet("Stop-VMInitialReplication", takes=0.5)
def stop(cmd: Command) -> None:
    for vm, relation in meant(cmd, "Primary"):
        with cmd.trying():
            row = passed(cmd, vm, relation)
            if relation.until is None and relation.starts is None:
                raise refusal(cmd, "copy exported" if relation.media else "wrong state")
            relation.until = relation.starts = None
            moved(row, relation, peer_of(cmd.estate, cmd.state, vm, relation))
            cmd.passthru(replication_object, cmd, vm, relation)


@cmdlet("Import-VMInitialReplication", takes=5.0)
def load(cmd: Command) -> None:
    """Of the media that the primary exported; the folder of the VM belongs to the path (VB/20130628)."""
    path = cmd.args.text("Path").rstrip("\\")
    for vm, relation in meant(cmd, "Replica"):
        with cmd.trying():
            row = passed(cmd, vm, relation)
            named = files.key(path).endswith(f"_{vm.id.lower()}")
            if not named or not files.is_folder(cmd.state, path):
                raise refusal(cmd, "no media", vm.name, path)
            moved(row, relation, None)
            peer = peer_of(cmd.estate, cmd.state, vm, relation)
            if peer is not None and peer.state in ("InitialReplicationInProgress", "Replicating"):
                peer.media, peer.until, peer.last = "", None, cmd.clock.now()
                to(peer, "Replicating")
            cmd.passthru(replication_object, cmd, vm, relation)
