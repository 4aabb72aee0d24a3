"""On which of several hosts a VM stands, and how it gets to the one where it is wanted (domain 14.1, replica-migration 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hvctl.call import Call, Map, Ref, Row
from hvctl.core.changes import HeldBackError, Step, finding
from hvctl.core.facts import Facts, UnreadableError, UnreadHostError
from hvctl.core.impact import Impact
from hvctl.kinds import _preflight
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._drives import DISKS, Slot, folder_of, on_share
from hvctl.kinds._machine import Machine
from hvctl.kinds._owed import forget, note_owed, state_owed
from hvctl.kinds._preflight import HOSTS, KINDS, PLACED, Journey, Moved, asked
from hvctl.kinds._switch import SwitchPart
from hvctl.kinds._vm import REPLICAS, in_vm, power, vm_row
from hvctl.kinds.host import Host
from hvctl.kinds.migration_network import MigrationNetwork
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic

MOVE_S = 24 * 3600
PLANNED = "PlannedVirtualMachine"


@dataclass(frozen=True)
class Found:
    """A VM of the name or the Id on a host."""

    host: str
    row: Row

    @property
    def planned(self) -> bool:
        return str(self.row.get("VirtualMachineType")) == PLANNED

    @property
    def replica(self) -> bool:
        """It has the Id and the name of its primary (replica-migration 9)."""
        return self.row.get("ReplicationMode") in REPLICAS

    def __str__(self) -> str:
        return f"{self.host} ({power(self.row).lower()})"


def others(vm: Machine) -> tuple[str, ...]:
    """The other hosts that it may be found on."""
    return tuple(host for host in vm.place.hosts if host != vm.index.host)


def queries() -> tuple[Call, ...]:
    return (KINDS, *HOSTS)


def queries_on() -> tuple[Call, ...]:
    return (*HOSTS, *PLACED)


def unread(vm: Machine, facts: Facts) -> list[UnreadHostError]:
    """The hosts on which it may be, for all that is known."""
    found = []
    for host in others(vm):
        try:
            _rows(vm, facts.on(host))
        except UnreadHostError as error:
            found.append(error)
        except UnreadableError as error:
            found.append(UnreadHostError(host, said=error))
    return found


def elsewhere(vm: Machine, facts: Facts) -> list[Found]:
    """On the other hosts that could be read: of its name, or of the Id that it has here."""
    here = vm_row(vm, facts)
    ids = {str(here["Id"]).casefold()} if here is not None else set()
    found = []
    for host in others(vm):
        try:
            rows = _rows(vm, facts.on(host), ids)
        except UnreadableError:
            continue
        found += [Found(host, row) for row in rows]
    return found


def not_on(vm: Machine, facts: Facts) -> tuple[str, ...]:
    """The other hosts that could be read and have nothing of it, no replica either."""
    doubtful = {one.host for one in elsewhere(vm, facts)}
    return tuple(
        h for h in others(vm) if facts.others.get(h) is not None and h not in doubtful and _readable(vm, h, facts)
    )


def _readable(vm: Machine, host: str, facts: Facts) -> bool:
    try:
        _rows(vm, facts.on(host))
    except UnreadableError:
        return False
    return True


def _rows(vm: Machine, facts: Facts, ids: Collection[str] = ()) -> list[Row]:
    found = [row for name in vm.names for row in facts.of_key(KINDS, "Name", name)]
    found += [row for one in ids for row in facts.of_key(KINDS, "Id", one)]
    return list({str(row["Id"]).casefold(): row for row in found}.values())


def source(vm: Machine, facts: Facts) -> Found | None:
    """Where it comes from; None: it is here, or nowhere. Raises HeldBackError where it is on two hosts or a move of it did
    not end, UnreadHostError where it may be on a host that could not be read."""
    here = vm_row(vm, facts)
    away = [one for one in elsewhere(vm, facts) if not one.replica]
    own = Found(vm.index.host, here) if here is not None else None
    whole = [one for one in ((own,) if own else ()) + tuple(away) if not one.planned]
    left = [one for one in ((own,) if own else ()) + tuple(away) if one.planned]
    if left:
        where = " and ".join(str(one) for one in whole) or "no host that could be read"
        planned = " and ".join(one.host for one in left)
        raise HeldBackError(
            f"{vm.key()} is on {where}, and {planned} has a planned VM of it: it is being moved, or a move was cut off",
            f"if no move is under way, remove what it left on {planned} (Remove-VM -Force there), then run hvctl again",
            "on_host",
            parts=True,
        )
    if len(whole) > 1:
        raise HeldBackError(
            f"{vm.key()} is on {' and on '.join(str(one) for one in whole)}",
            _which(whole),
            "on_host",
            parts=True,
        )
    if own is not None:
        return None
    if not whole and (errors := unread(vm, facts)):
        raise errors[0]
    return whole[0] if whole else None


def _which(found: list[Found]) -> str:
    """Module 1.x does not say which VM is a planned one."""
    same = len({str(one.row["Id"]).casefold() for one in found}) == 1
    untold = any("VirtualMachineType" not in one.row for one in found)
    more = (
        "; they have one Id: a move that was cut off leaves such a one, off and without disks"
        if same and untold
        else ""
    )
    return f"remove or rename the one that is not meant, nothing of either is touched{more}"


# --- the way there ----------------------------------------------------------------------------------------------------


def journey(vm: Machine, found: Found, facts: Facts) -> Journey:
    """Raises UnreadableError."""
    here = facts.on(found.host)
    disks = [row for row in in_vm(DISKS, found.row, here) if row.get("DiskNumber") is None and row.get("Path")]
    moved = tuple(_moved(vm, row) for row in disks if not on_share(str(row["Path"])))
    local = not on_share(str(found.row.get("ConfigurationLocation") or ""))
    return Journey(vm, found.host, found.row, here, facts, moved, _places(vm) if local or moved else {})


def _ahead(vm: Machine, facts: Facts) -> tuple[Journey, ...]:
    """Those that the same playbook moves to the same host before it: what they take there is not free for it."""
    found: list[Journey] = []
    for other in vm.index.peers:
        if other.key() == vm.key() and isinstance(other, type(vm)):
            break
        if isinstance(other, Machine) and other.home and not other.absent:
            try:
                if (at := source(other, facts)) is not None:
                    found.append(journey(other, at, facts))
            except (UnreadableError, HeldBackError):
                continue  # it does not move
    return tuple(found)


def _moved(vm: Machine, row: Row) -> Moved:
    """A disk that lies on the host itself, and the folder that it goes to: that of the path which is wanted of it, or the
    folder that the playbook gives for the rest."""
    slot, path = Slot.of(row), str(row["Path"])
    wish = next((d for d in vm.parts_of(DiskPart) if d.slot == slot and not d.absent), None)
    wanted = wish.path if wish is not None else None
    rest = f"{vm.storage.rstrip(chr(92))}\\Virtual Hard Disks" if vm.storage else ""
    return Moved(slot, path, folder_of(wanted) if wanted else rest, wanted or "", row)


def _places(vm: Machine) -> Mapping[str, str]:
    """Its configuration goes where New-VM would have put it: into a folder of the VM's name."""
    rest = vm.storage.rstrip("\\") if vm.storage else ""
    own = {
        "VirtualMachinePath": f"{vm.path}\\{vm.name}" if vm.path else rest,
        "SnapshotFilePath": vm.checkpoint_path or rest,
        "SmartPagingFilePath": vm.smart_paging_path or rest,
    }
    return {name: path for name, path in own.items() if path}


def move(cmdlet: str, way: Journey) -> Call:
    """Of Move-VM or Compare-VM. The name of a file cannot change: only the folder does (replica-migration 4.1)."""
    params: dict[str, Any] = {"VM": Ref(Call("Get-VM", {"Id": way.row["Id"]})), "DestinationHost": way.destination}
    params |= way.places
    vhds = tuple(Map({"SourceFilePath": one.path, "DestinationFilePath": one.to}) for one in way.moved if one.folder)
    if vhds:
        params["Vhds"] = vhds
    elif not way.places:  # without it none of the sets of 2016 and later is meant rather than another
        params["IncludeStorage"] = False
    return Call(cmdlet, params)


def report(way: Journey) -> Call:
    """What would hinder the move, as Hyper-V itself sees it, without moving anything."""
    compare = move("Compare-VM", way)
    return Call(compare.cmdlet, compare.params, select=("Incompatibilities[MessageId,Message]",))


def further(vm: Machine, facts: Facts) -> Iterator[tuple[str, Call]]:
    """What is asked once it is known where it is: whether the destination has room for its files under these paths, and what
    Hyper-V itself says of the move."""
    try:
        found = source(vm, facts)
        if found is None:
            return
        way = journey(vm, found, facts)
        yield from ((vm.index.host, query) for query in _preflight.files(way))
        # One that runs is compared as one that runs, also where it is to be off on its way.
        if not way.quick and not any(f.holds for f in _preflight.findings(way)):
            yield found.host, report(way)
    except (UnreadableError, HeldBackError):
        return  # the plan says so


def findings(vm: Machine, found: Found, facts: Facts) -> Iterator[Diagnostic]:
    way = journey(vm, found, facts)
    told = list(_preflight.findings(way, _ahead(vm, facts)))
    yield from told
    if not any(f.holds for f in told):
        yield from _compared(way)
    then = f"what else is wanted of it is judged on {vm.index.host}, once it is there, in the same run"
    yield finding("on_host", f"it is on {found}; {then}", "", "warning")


def _compared(way: Journey) -> Iterator[Diagnostic]:
    query = report(way)
    reply = asked(way.here, query)
    if reply is None:
        if not way.quick:  # it was not asked for what is set first
            text = "Compare-VM is asked only of hosts that are ready for moves: whether Hyper-V takes this one is seen when "
            yield finding("on_host", f"{text}it begins", "", "warning")
        return
    if reply.failure is not None:
        if _preflight.denied(reply.failure):
            text = "Compare-VM is not allowed to this account, so whether Hyper-V takes the move is seen when it begins"
            yield finding("on_host", text, "", "warning")
            return
        yield _preflight.refused(way, reply.failure)
        return
    for row in reply.rows:
        entries = row.get("Incompatibilities[MessageId,Message]") or ()
        if said := "; ".join(dict.fromkeys(str(entry.get("Message")) for entry in entries)):
            # Any cause comes with entries that say no more than that it fails (replica-migration 4.4).
            yield finding("on_host", f"Hyper-V on {way.host} would refuse the move: {said}", "see docs/migration.md")


def first(vm: Machine, source: str) -> tuple[Address, ...]:
    """What is planned of both hosts that comes before a move."""
    goal = vm.index.host
    hosts = (one.target.address() for one in vm.planned(Host, source, goal))
    networks = (one.target.address() for one in vm.planned(MigrationNetwork, goal))
    return (*hosts, *networks, *(one.target.address() for one in vm.planned(SwitchPart, goal)))


def impacts(vm: Machine, found: Found, facts: Facts) -> frozenset[Impact]:
    """It keeps running, unless only a quick way is left: shut down, moved, started."""
    word: frozenset[Impact] = frozenset({"move"})
    quick = journey(vm, found, facts).quick
    if not quick:
        return word
    down: frozenset[Impact] = frozenset({"restart"})
    lost: frozenset[Impact] = frozenset({"destroy"}) if vm.stop_method == "turn_off" else frozenset()
    return word | down | lost


def note(vm: Machine, found: Found, facts: Facts) -> str:
    way = journey(vm, found, facts)
    files = f"with {len(way.moved)} disk{'s' if len(way.moved) != 1 else ''}" if way.moved else "its files stay"
    if way.quick:
        return f"{files}; {way.quick}, so it is shut down, moved and started"
    return f"{files}, and the VM runs on" if power(found.row) == "Running" else files


def steps(vm: Machine, found: Found, facts: Facts) -> Iterator[Step]:
    """All on the source, but for the note of a start that is owed afterwards. One that was owed there before goes along."""
    way = journey(vm, found, facts)
    needs: tuple[Step, ...] = ()
    owes = state_owed(way.row, way.here) if power(way.row) == "Off" else None
    state = owes[0] if owes is not None else "running"
    old = state_owed(way.row, way.there) if way.runs and not way.quick else None
    if old is not None:
        # Of a move that was broken off, or of when it was there before. It is up: it would be started when it is next off.
        stale = forget(way.row, old[0], vm.key())
        stale = replace(stale, text=f"{stale.text} on {vm.index.host} before", because=("on_host",))
        yield stale
        needs = (stale,)
    if way.quick or owes is not None:
        noted = replace(note_owed(way.row, state, vm.key()), because=("on_host",), needs=needs)
        yield noted
        needs = (noted,)
    if way.quick:
        down = _preflight.down(way, needs)
        yield down
        needs = (down,)
    moved = Step(
        move("Move-VM", way),
        f"move {found.row['Name']} from {found.host} to {vm.index.host}",
        ("on_host",),
        needs=needs,
        job=True,
        limit_s=MOVE_S,
        host=found.host,
        moves=True,
    )
    yield moved
    if owes is not None:  # it would be taken for owed there once the VM comes back
        left = forget(way.row, state, vm.key())
        yield replace(left, text=f"{left.text} on {way.host}", because=("on_host",), needs=(moved,), host=way.host)
