"""What a move of a VM to another host is refused for: a row each, with its source and its grade.

Grades: D documented, O observed, I inferred (docs/reference of replica-migration). Sections are those of replica-migration
where nothing else is said. What cannot be connected ends the cmdlet with an error; what is not compatible stands in a
report of Compare-VM, and ends a move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Literal

from mocks import files
from mocks.machine import Drive, Vm, version
from mocks.state import VM_VERSIONS, Content, HostState, Vhd

MOVING = "MigratingVirtualMachine"


@dataclass
class Move:
    """A VM that is to go from one host to another. `there`: None where no way leads to it. `name`: of the destination, as the
    caller wrote it. `disks`: where the files of its drives go; `places`: its own files. `storage`: whether it takes any
    along."""

    vm: Vm
    here: HostState
    there: HostState | None
    name: str
    storage: bool = False
    disks: list[tuple[Vhd, str]] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        return self.vm.state == "Running"

    @property
    def target(self) -> HostState:
        assert self.there is not None
        return self.there

    def lands(self, path: str) -> str:
        """Where a file is afterwards."""
        return next((to for disk, to in self.disks if files.same(disk.path, path)), path)


@dataclass(frozen=True)
class Row:
    """`why`: for which things it is refused, each the third word of the text; none where it is not."""

    name: str
    kind: Literal["connection", "compatibility"]
    text: str
    why: Callable[[Move], Iterator[str]]
    source: str
    grade: str
    message_id: int = 0
    at: Literal["source", "destination"] = "source"
    of: Literal["vm", "adapter", "drive"] = "vm"


def can_connect(move: Move) -> bool:
    """Whether whoever is logged on at the source can be passed on to the destination (4.3)."""
    here, there, session = move.here, move.target, move.here.session
    if not here.domain or here.domain.casefold() != there.domain.casefold():
        return False
    if here.virtual_machine_migration_authentication_type != there.virtual_machine_migration_authentication_type:
        return False  # domain 14.1: the same on both
    if session in ("console", "credssp"):  # it carries credentials; Credential Guard keeps them back
        return not (session == "credssp" and here.at_least("2025") and here.credential_guard)
    if here.virtual_machine_migration_authentication_type != "Kerberos":
        return False
    if session == "kerberos delegated":
        return True
    mutual = _delegates(here, there) and _delegates(there, here)
    if here.delegation == "any_protocol":
        return mutual
    return mutual and session == "kerberos" and not here.module2


def _delegates(one: HostState, other: HostState) -> bool:
    names = {other.name.casefold(), f"{other.name}.{other.domain}".casefold()}
    return not names.isdisjoint(n.casefold() for n in one.delegates_to)


def _addresses(state: HostState) -> list[str]:
    own = [a.split("/")[0] for nic in state.nics for a in nic.addresses]
    return own + [a.split("/")[0] for adapter in state.management_adapters for a in adapter.ip_addresses]


def _listens(move: Move) -> bool:
    """Whether the destination takes moves on a network that the source is on too."""
    there = move.target
    if there.use_any_network_for_migration:
        return True
    for network in there.migration_networks:
        subnet = ip_network(network.subnet)
        listens = any(ip_address(a) in subnet for a in _addresses(there))
        if listens and (subnet.num_addresses == 1 or any(ip_address(a) in subnet for a in _addresses(move.here))):
            return True
    return False


def _if(test: Callable[[Move], bool]) -> Callable[[Move], Iterator[str]]:
    def why(move: Move) -> Iterator[str]:
        if test(move):
            yield ""

    return why


def _moving(state: HostState) -> int:
    return sum(MOVING in vm.tasks for vm in state.vms)


def _full(move: Move) -> Iterator[str]:
    for state in (move.here, move.target):
        limit = state.maximum_virtual_machine_migrations
        if _moving(state) + (0 if state is move.here else _moving(move.here)) >= limit:
            yield str(limit)
            return


def _switches(move: Move) -> Iterator[str]:
    for adapter in move.vm.nics:
        switch = move.here.switch(adapter.switch)
        if switch is not None and not any(s.name.casefold() == switch.name.casefold() for s in move.target.switches):
            yield switch.name


def _unreached(move: Move) -> Iterator[str]:
    """Files that the destination does not have under the path that they are at afterwards."""
    for drive in move.vm.drives or ():
        stays = drive.path and not any(files.same(disk.path, drive.path) for disk, _ in move.disks)
        if stays and not files.is_file(move.target, drive.path or ""):
            yield drive.path or ""


def _shared(move: Move) -> Iterator[str]:
    if move.storage:
        yield from (d.path or "" for d in move.vm.disks if d.support_persistent_reservations)


def _passed_through(move: Move) -> Iterator[str]:
    yield from (move.here.name for d in move.vm.disks if d.disk_number is not None)


def _partitioned(move: Move) -> bool:
    return bool(move.vm.gpu_partitions) and not (move.here.at_least("2025") and move.target.at_least("2025"))


def _too_new(move: Move) -> bool:
    """A host takes what it lists; 2012 lists what 2012 R2 does not make, and nothing goes back (domain 14.1)."""
    return move.vm.version not in VM_VERSIONS[move.target.os]


def _used(state: HostState) -> int:
    return sum(v.memory.startup for v in state.vms if v.state in ("Running", "Paused"))


def _another_processor(move: Move) -> bool:
    here, there = move.here, move.target
    if not move.runs:
        return False
    if here.processor_vendor != there.processor_vendor:
        return True
    limited = move.vm.processor.compatibility_for_migration_enabled
    return not limited and here.processor_level > there.processor_level


def _locked_in(move: Move) -> bool:
    """Its key protector is of this host alone, and the destination lacks the certificates."""
    if not move.vm.tpm_enabled or move.vm.key_protector != "local":
        return False
    guardian = (move.vm.guardian or move.here.name).casefold()
    return guardian not in {move.target.name.casefold(), *(g.casefold() for g in move.target.guardians)}


ROWS = (
    Row("unreached", "connection", "move_timed_out", _if(lambda m: m.there is None), "4.2", "D"),
    Row("itself", "connection", "move_to_itself", _if(lambda m: m.there is m.here), "class and text ours", "I"),
    Row("clustered", "connection", "move_clustered", _if(lambda m: m.vm.is_clustered), "4.2, domain 14.1", "D"),
    Row("not_configured", "connection", "move_not_configured",
        _if(lambda m: not m.here.virtual_machine_migration_enabled), "4.2", "O"),
    Row("no_credentials", "connection", "move_no_credentials", _if(lambda m: not can_connect(m)), "4.2, 4.3", "O"),
    Row("not_listening", "connection", "move_refused",
        _if(lambda m: not m.target.virtual_machine_migration_enabled), "4.2", "D"),
    Row("no_network", "connection", "move_timed_out", _if(lambda m: not _listens(m)), "1.3, 4.2", "D"),
    Row("limit", "connection", "move_limit", _full, "4.2, 10", "D"),
    Row("logon", "connection", "move_logon", _if(lambda m: not m.target.logon_as_a_service), "4.2", "D"),
    Row("version", "compatibility", "move_hardware", _if(_too_new), "4.2, domain 14.1", "D", 24000, "destination"),
    Row("processor", "compatibility", "move_processor", _if(_another_processor), "4.2", "D", 24004, "destination"),
    Row("switch", "compatibility", "move_switch", _switches, "4.2, 6", "O", 33012, "destination", "adapter"),
    Row("file", "compatibility", "move_file", _unreached, "4.2, 6: 40010", "O", 40010, "destination", "drive"),
    Row("shared", "compatibility", "move_shared_disk", _shared, "domain 8.5, 14.1", "D", 24010, "source", "drive"),
    Row("pass_through", "compatibility", "move_pass_through", _passed_through, "domain 14.1", "D", 24011, "source", "drive"),
    Row("device", "compatibility", "move_device",
        _if(lambda m: bool(m.vm.assigned_devices)), "domain 14.1: DDA; text ours", "I", 24008),
    Row("gpu", "compatibility", "move_gpu", _if(_partitioned), "domain 14.1: GPU-P before 2025; text ours", "I", 24009),
    Row("memory", "compatibility", "move_memory",
        _if(lambda m: m.runs and _used(m.target) + m.vm.memory.startup > m.target.memory), "4.2", "D", 24002, "destination"),
    Row("processors", "compatibility", "move_processors",
        _if(lambda m: m.vm.processor.count > m.target.logical_processors), "6, id open", "I", 24003, "destination"),
    Row("present", "compatibility", "move_present",
        _if(lambda m: any(v.id == m.vm.id for v in m.target.vms)), "4.4, 9: 4.1", "I", 24005, "destination"),
    Row("nested", "compatibility", "move_nested",
        _if(lambda m: m.runs and m.vm.guest.nested_hypervisor), "domain 14.1", "D", 24006),
    Row("tpm", "compatibility", "move_tpm", _if(_locked_in), "4.2, 8", "O", 24007, "destination"),
)  # fmt: skip
"""In the order in which they are found. Ids below 33000 are ours: none is public (6)."""


def refused(move: Move, kind: str) -> Iterator[tuple[Row, str]]:
    for row in ROWS:
        if row.kind == kind:
            yield from ((row, about) for about in row.why(move))


def landed(move: Move) -> None:
    """The VM is at its destination; the switches are those of the same names there."""
    vm, here, there = move.vm, move.here, move.target
    named = {s.name.casefold(): s.id for s in there.switches}
    for owner in (vm.nics, *(point.adapters or () for point in vm.checkpoints)):
        for adapter in owner:
            switch = here.switch(adapter.switch)
            adapter.switch = named.get(switch.name.casefold()) if switch is not None else None
    vm.guardian = vm.guardian or (here.name if vm.key_protector == "local" else "")
    here.vms.remove(vm)
    there.vms.append(vm)
    for disk, to in move.disks:
        _carried(move, disk, to)
    configuration = f"{vm.path}\\Virtual Machines\\".casefold()  # its own; what was exported of it stays
    for place, path in move.places.items():
        files.make_folder(there, path)
        setattr(vm, place, path)
    for file in [f for f in here.files if vm.id in f.lower() and f.casefold().startswith(configuration)]:
        files.forget(here, file)
    if version(vm.version) < version("5.0") and there.os != "2012":
        vm.version = "5.0"  # as an import takes over a configuration of 2012 (domain 13) [I]


def _carried(move: Move, disk: Vhd, to: str) -> None:
    """Its bytes are the same, and so is what is known of them; its folder stays behind, empty."""
    here, there, old = move.here, move.target, disk.path
    known = files.content(here, old)
    hashed = files.sha256(here, old)
    files.make_folder(here, files.parent(old))
    files.forget(here, old)
    disk.path = to
    for other in _above(move, old):
        other.parent = to
    for drive in (*move.vm.disks, *(d for v in here.vms for d in v.disks)):
        if files.same(drive.path, old):
            drive.path = to
    for point in move.vm.checkpoints:
        point.disks = {at: to if files.same(path, old) else path for at, path in point.disks.items()}
    there.vhds.append(disk)
    files.make_folder(there, files.parent(to))
    if known is not None:
        there.contents[to] = known
    elif old != to:
        there.contents[to] = Content(sha256=hashed)


def _above(move: Move, path: str) -> Iterator[Vhd]:
    yield from (disk for disk, _ in move.disks if files.same(disk.parent, path))


def chain_of(state: HostState, drive: Drive) -> list[Vhd]:
    found = (files.vhd(state, path) for path in files.chain_paths(state, drive.path))
    return [disk for disk in found if disk is not None]
