"""What a move of a VM to another host would meet, as far as both hosts tell before anything is moved
(replica-migration 4, domain 14.1)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from hvctl.call import Call, Failure, Ref, Reply, Row
from hvctl.contract import OS, at_least, title
from hvctl.core.changes import Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Planned
from hvctl.kinds._drives import DISKS, DVDS, Slot, file_query, on_share, volume_of
from hvctl.kinds._limits import DEFAULT_VM_VERSION, OLDEST_VM_VERSION, version_at_least
from hvctl.kinds._machine import Machine
from hvctl.kinds._network import ADDRESSES, SWITCHES, VM_ADAPTERS
from hvctl.kinds._owed import FILES
from hvctl.kinds._protection import security
from hvctl.kinds._services import SERVICES, shutdown_service
from hvctl.kinds._space import VOLUMES, free_at, sizes_query
from hvctl.kinds._switch import SwitchPart
from hvctl.kinds._types import about_size, path_key, same_path
from hvctl.kinds._vhd import chain, is_checkpoint
from hvctl.kinds._vm import DEVICES, PARTITIONS, VMS, check_steady, in_vm, partitions, passed_through, power
from hvctl.kinds.host import Host
from hvctl.kinds.migration_network import MigrationNetwork
from hvctl.text.diagnostic import Diagnostic

KINDS = Call(
    "Get-VM",
    select=(*VMS.select, "VirtualMachineType", "ConfigurationLocation", "ProcessorCount", "MemoryAssigned"),
)
HOST = Call(
    "Get-VMHost",
    select=(
        *("Name", "LogicalProcessorCount", "MemoryCapacity", "VirtualMachineMigrationEnabled"),
        *("VirtualMachineMigrationAuthenticationType", "UseAnyNetworkForMigration", "MaximumVirtualMachineMigrations"),
        "SupportedVmVersions[]",
    ),
)
COMPUTER = Call(
    "Get-CimInstance", {"ClassName": "Win32_ComputerSystem"}, select=("PartOfDomain", "DNSHostName", "Domain")
)
PROCESSOR = Call("Get-CimInstance", {"ClassName": "Win32_Processor"}, select=("Manufacturer",))
FREE = Call("Get-CimInstance", {"ClassName": "Win32_OperatingSystem"}, select=("FreePhysicalMemory",))
NETWORKS = Call("Get-VMMigrationNetwork", select=("Subnet",))
HOSTS = (KINDS, HOST, COMPUTER, PROCESSOR, FREE, NETWORKS, ADDRESSES, SWITCHES, VOLUMES)
"""Of both hosts."""
PLACED = (DISKS, DVDS, DEVICES, PARTITIONS, VM_ADAPTERS, SERVICES, sizes_query(), FILES)
"""Of the VMs of a host that one may come from."""

_CARRIED = ("credssp", "kerberos delegated")
"""Logins that carry what a host needs to go on to another one as the same account (replica-migration 4.3)."""
_MOVING = "MigratingVirtualMachine"


@dataclass(frozen=True)
class Moved:
    """A disk whose file goes along. `folder`: where to, "" where the playbook does not say; `wanted`: the path that the
    playbook wants of it."""

    slot: Slot
    path: str
    folder: str
    wanted: str
    row: Row

    @property
    def to(self) -> str:
        return f"{self.folder.rstrip(chr(92))}\\{self.path.rpartition(chr(92))[2]}"


@dataclass(frozen=True)
class Journey:
    """A VM on its way. `host`: the name of the one that it is on, `here` what that answered, `there` the destination."""

    vm: Machine
    host: str
    row: Row
    here: Facts
    there: Facts
    moved: tuple[Moved, ...]
    places: Mapping[str, str]

    @property
    def goal(self) -> str:
        return self.vm.index.host

    @property
    def destination(self) -> str:
        """As Windows knows it: the form that a delegation has to hold (replica-migration 4.1)."""
        computer = _first(COMPUTER, self.there)
        name = str(computer.get("DNSHostName") or self.there.info.computer)
        return f"{name}.{computer['Domain']}" if computer.get("PartOfDomain") else name

    @property
    def runs(self) -> bool:
        return power(self.row) == "Running"

    def of(self, host: str) -> Facts:
        return self.here if host == self.host else self.there

    def settings(self, host: str) -> Row:
        """Of one of the two hosts, as they will be once its own plan is done, which comes before a move."""
        return Planned.done(self.vm.planned(Host, host), _first(HOST, self.of(host)), self.there)

    @property
    def quick(self) -> str:
        """Why it cannot go while it runs, though it can while it is off; "" if it can, or is off."""
        if not self.runs:
            return ""
        one, other = (str(_first(PROCESSOR, f).get("Manufacturer") or "") for f in (self.here, self.there))
        if one and other and one != other:
            return f"the processors of {self.host} are of {one}, those of {self.goal} of {other}"
        return ""


def asked(facts: Facts, query: Call) -> Reply | None:
    """What was asked once it was known where the VM is; None where nobody asked."""
    try:
        return facts.reply(query)
    except KeyError:
        return None


def _first(query: Call, facts: Facts) -> Row:
    rows = facts.rows(query)
    if not rows:
        raise UnreadableError(query, facts.reply(query).failure)
    return rows[0]


def files(way: Journey) -> tuple[Call, ...]:
    """Whether these are at the destination."""
    paths = [one.to for one in way.moved if one.folder]
    paths += [str(row["Path"]) for row in in_vm(DVDS, way.row, way.here) if row.get("Path")]
    paths += [v for one in way.moved if (v := volume_of(one.to))]
    paths += [v for path in way.places.values() if (v := volume_of(path))]
    return tuple(file_query(path) for path in dict.fromkeys(paths))


def _there(path: str, facts: Facts) -> bool | None:
    reply = asked(facts, file_query(path))
    return bool(reply.rows[0][""]) if reply is not None and reply.rows else None


def findings(way: Journey, ahead: Sequence[Journey] = ()) -> Iterator[Diagnostic]:
    """Held back are all that surely fail; what cannot be seen is warned of. `ahead`: what goes to the same host before it."""
    check_steady(way.vm.key(), way.row)
    if way.row.get("IsClustered"):
        yield _no(f"{way.vm.key()} is a role of a cluster on {way.host}", "move it there, or take the role away first")
    if power(way.row) not in ("Running", "Off"):
        state = power(way.row).lower()
        yield _no(f"it is {state} on {way.host}, and only a VM that runs or is off is moved", "start it or turn it off")
    yield from _versions(way)
    yield from _hosts(way)
    yield from _login(way)
    yield from _networks(way)
    yield from _hardware(way, ahead)
    yield from _devices(way)
    yield from _storage(way, ahead)
    if way.quick:
        yield from _hears(way)


def _no(text: str, hint: str, field: str = "on_host") -> Diagnostic:
    return finding(field, text, hint)


def _warn(text: str, hint: str = "", field: str = "on_host") -> Diagnostic:
    return finding(field, text, hint, "warning")


def _versions(way: Journey) -> Iterator[Diagnostic]:
    """From 2012 to 2012 R2 and never back; later to a host that lists the configuration version."""
    have, os = str(way.row.get("Version") or DEFAULT_VM_VERSION["2012"]), way.there.os
    listed = _first(HOST, way.there).get("SupportedVmVersions[]")
    takes = have in [str(v) for v in listed] if listed else _between(have, os)
    if not takes:
        oldest, newest = OLDEST_VM_VERSION[os], DEFAULT_VM_VERSION[os]
        runs = f"version {newest}" if oldest == newest else f"versions {oldest} to {newest}"
        hint = "there is no way back to an older Windows"
        if not version_at_least(have, oldest):
            over = (
                "from 2012 the way leads over 2012 R2"
                if have == DEFAULT_VM_VERSION["2012"]
                else f"Update-VMVersion on {way.host}"
            )
            hint = f"raise its version before: {over}"
        yield _no(f"it is of configuration version {have}, and {title(os)} on {way.goal} runs {runs}", hint)


def _between(version: str, os: OS) -> bool:
    return version_at_least(version, OLDEST_VM_VERSION[os]) and version_at_least(DEFAULT_VM_VERSION[os], version)


def _hosts(way: Journey) -> Iterator[Diagnostic]:
    here, there = way.settings(way.host), way.settings(way.goal)
    for name, row in ((way.host, here), (way.goal, there)):
        if not row["VirtualMachineMigrationEnabled"]:
            text = f"live migration is off on {name}"
            yield _not_set(way, name, "enabled", text, f"write `host: {{live_migration: {{enabled: yes}}}}` for {name}")
        elif int(row["MaximumVirtualMachineMigrations"]) == 0:
            text = f"{name} allows no move at a time"
            yield _not_set(way, name, "maximum", text, "write `host: {live_migration: {maximum: 2}}`")
    for name, facts, row in ((way.host, way.here, here), (way.goal, way.there, there)):
        moving = sum(_MOVING in (vm.get("OperationalStatus[]") or ()) for vm in facts.rows(KINDS))
        if (most := int(row["MaximumVirtualMachineMigrations"])) and moving >= most:
            text = f"{moving} of {most} moves are under way on {name}, and Hyper-V refuses more"
            yield _no(text, "run hvctl again when one is done")
    kinds = {str(row["VirtualMachineMigrationAuthenticationType"]).casefold() for row in (here, there)}
    if len(kinds) > 1:
        text = f"{way.host} and {way.goal} authenticate moves in different ways"
        hint = "write the same `host: {live_migration: {authentication: …}}` for both"
        held = [n for n in (way.host, way.goal) if _held(way, n, "authentication")]
        yield _not_set(way, held[0] if held else way.goal, "authentication", text, hint)


def _held(way: Journey, host: str, field: str) -> bool:
    return any(one.holds_back(f"live_migration.{field}") for one in way.vm.planned(Host, host))


def _not_set(way: Journey, host: str, field: str, text: str, hint: str) -> Diagnostic:
    """Of a setting of a host that keeps the move back; it may itself be held back in the plan of that host."""
    if not _held(way, host, field):
        return _no(text, hint)
    return _no(f"{text}: to set {field} of its live_migration is held back", f"see what is said of host of {host}")


def _login(way: Journey) -> Iterator[Diagnostic]:
    """Who hvctl is logged on as must be passed on from the source to the destination (replica-migration 4.3)."""
    login = way.here.login
    kind = str(way.settings(way.host)["VirtualMachineMigrationAuthenticationType"]).casefold()
    computers = [_first(COMPUTER, facts) for facts in (way.here, way.there)]
    for name, computer in zip((way.host, way.goal), computers, strict=True):
        if not computer.get("PartOfDomain"):
            yield _no(f"{name} is in no domain, so that nobody can be passed on to it", "join both to one domain")
            return
    if len({str(c.get("Domain")).casefold() for c in computers}) > 1:
        yield _warn(f"{way.host} and {way.goal} are in different domains, which must trust each other")
    if not login:
        return
    if login in _CARRIED and (kind == "kerberos" or login == "credssp"):
        if login == "credssp" and way.here.os == "2025":
            text = (
                f"where Credential Guard is on, as it is by default on {title('2025')}, CredSSP does not start a move"
            )
            yield _warn(text, "use Kerberos with constrained delegation (docs/migration.md)")
        return
    said = f"hvctl is logged on to {way.host} by {login}, which carries no credentials that go on to {way.goal}"
    if kind != "kerberos":
        yield _no(
            f"{said}: the move would fail (0x8009030E)",
            f"write `ansible_winrm_transport: credssp` for {way.host}; or `authentication: kerberos` under live_migration of "
            "both hosts, with constrained delegation between them (docs/migration.md)",
        )
        return
    protocol = "any authentication protocol" if _any_protocol(way) else "Kerberos"
    yield _warn(
        f"{said}: both computer accounts need constrained delegation to each other, for cifs and Microsoft Virtual System "
        f"Migration Service, by {protocol}",
        f"delegation must name {way.destination}; see docs/migration.md",
    )


def _any_protocol(way: Journey) -> bool:
    """From 2016 on WinRM runs as NetworkService (replica-migration 4.3); NTLM always needs the protocol to change."""
    return way.here.os not in ("2012", "2012r2") or way.here.login != "kerberos"


def _networks(way: Journey) -> Iterator[Diagnostic]:
    """Of the destination: what is set there governs incoming moves only (domain 2)."""
    if way.settings(way.goal)["UseAnyNetworkForMigration"]:
        return
    planned = [*way.vm.planned(MigrationNetwork, way.goal)]
    gone = {ip_network(one.target.subnet) for one in planned if one.target.absent}
    known = {ip_network(str(row["Subnet"]), strict=False) for row in way.there.rows(NETWORKS)}
    subnets = sorted((known | {ip_network(one.target.subnet) for one in planned if one.there}) - gone, key=str)
    if not subnets:
        hint = "write `migration_networks` or `live_migration: {any_network: yes}` under `host:` of that host"
        yield _no(f"{way.goal} takes moves on no network", hint)
        return
    here, there = (_addresses(facts) for facts in (way.here, way.there))
    nets = ", ".join(map(str, subnets))
    if not any(a in net for net in subnets for a in there if a.version == net.version):
        yield _no(f"{way.goal} has no address in the networks that it takes moves on ({nets})", "correct them")
    elif not any(a in net for net in subnets for a in here if a.version == net.version):
        text = f"{way.host} has no address in the networks that {way.goal} takes moves on ({nets})"
        yield _warn(text, "the move needs a route there, or fails (0x8007274C)")


def _addresses(facts: Facts) -> list[IPv4Address | IPv6Address]:
    return [ip_address(str(row["IPAddress"]).partition("%")[0]) for row in facts.rows(ADDRESSES)]


def _hardware(way: Journey, ahead: Sequence[Journey]) -> Iterator[Diagnostic]:
    there = _first(HOST, way.there)
    count = int(way.row.get("ProcessorCount") or 0)
    if count > int(there["LogicalProcessorCount"]):
        yield _no(f"it has {count} processors, and {way.goal} {there['LogicalProcessorCount']}", "give it fewer first")
    needed, before = _memory(way), sum(_memory(one) for one in ahead)
    free = int(_first(FREE, way.there).get("FreePhysicalMemory") or 0) * 1024
    if needed and needed + before > free:
        text = f"it has {about_size(needed)} of memory, and {way.goal} has about {about_size(free)} free{_less(before)}"
        yield _no(f"{text} (0x8007000E)", "stop something there, or give it less")
    try:
        locked = any(
            row.get("TpmEnabled") for n in way.vm.names if (r := asked(way.here, security(n))) for row in r.rows
        )
    except UnreadableError:
        locked = False
    if locked:
        text = f"it has a TPM: {way.goal} needs the certificates of its key protector, or refuses it"
        yield _warn(text, "see docs/tpm.md")
    mode = str(way.row.get("ReplicationMode") or "None")
    if mode != "None":
        text = f"it is replicated, and its replication goes on only where the replica server admits {way.goal} too"
        yield _warn(text, "add it to the same trust group")


def _memory(way: Journey) -> int:
    return int(way.row.get("MemoryAssigned") or 0) if way.runs else 0


def _less(taken: int) -> str:
    return f", of which {about_size(taken)} go to what is moved there before it" if taken else ""


def _devices(way: Journey) -> Iterator[Diagnostic]:
    known = {str(row["Name"]).casefold() for row in way.there.rows(SWITCHES)}
    known |= {one.target.key().casefold() for one in way.vm.planned(SwitchPart, way.goal) if one.there}
    for name in dict.fromkeys(
        str(a["SwitchName"]) for a in in_vm(VM_ADAPTERS, way.row, way.here) if a.get("SwitchName")
    ):
        if name.casefold() not in known:
            text = f"{way.goal} has no switch {name}, which an adapter of it is on"
            yield _no(text, f"write one of the same name under `switches:` for {way.goal}")
    for row in in_vm(DISKS, way.row, way.here):
        if row.get("DiskNumber") is not None:
            yield _no(f"the disk at {Slot.of(row)} is a physical one of {way.host}", "take it out of the VM first")
        if row.get("SupportPersistentReservations"):
            yield _no(f"the disk at {Slot.of(row)} is shared, and does not move", "take it out of the VM first")
    for device in passed_through(way.row, way.here):
        text = f"it has a device of {way.host} itself ({device}), which does not go along"
        yield _no(text, "take it out of the VM first, while it is off")
    if count := partitions(way.row, way.here):
        yield from _partitions(way, count)
    for row in in_vm(DVDS, way.row, way.here):
        path = str(row.get("Path") or "")
        if path and not on_share(path) and _there(path, way.there) is False:
            yield _no(f"{way.goal} has no {path}, which its DVD drive has", "eject it first: `dvds: [{…, path: null}]`")


def _partitions(way: Journey, count: int) -> Iterator[Diagnostic]:
    """They go along from 2025 on (domain 14.1)."""
    text = f"it has {count} partition{'s' if count > 1 else ''} of a GPU of {way.host}"
    old = next((f.os for f in (way.here, way.there) if not at_least(f.os, "2025")), None)
    if old is not None:
        yield _no(f"{text}, which {title(old)} does not move", "take it out of the VM first, while it is off")
        return
    yield _warn(f"{text}: {way.goal} must have the same kind of GPU, with a partition that is free")


def _storage(way: Journey, ahead: Sequence[Journey]) -> Iterator[Diagnostic]:
    """Nothing of it is overwritten, and room is looked at by nobody else before (replica-migration 5)."""
    for one in way.moved:
        if not one.folder:
            text = f"the disk at {one.slot} is {one.path} of {way.host} itself, and nothing says where it goes"
            yield _no(text, "write `storage: PATH`, or a path of the disk", "storage")
            return
        base = [link for link in chain(one.path, way.here) if not is_checkpoint(link.path)]
        name = base[0].path.rpartition("\\")[2] if base else ""
        if one.wanted and name and path_key(name) != path_key(one.wanted.rpartition("\\")[2]):
            text = f"the disk at {one.slot} is {name}, and a move keeps the names of files"
            yield _no(f"{text}: it cannot become {one.wanted}", "write a path that ends so", "storage")
        if len(base) > 1:
            yield _no(
                f"{base[0].path} is made from {base[1].path}, which would go along", "merge them first", "storage"
            )
        if _there(one.to, way.there):
            yield _no(f"{way.goal} has a file {one.to} already", "remove it, or write another path", "storage")
    targets = [one.to for one in way.moved]
    for n, path in enumerate(targets):
        if any(same_path(path, other) for other in targets[:n]):
            yield _no(f"two of its disks would become {path}", "write a path for one of them", "storage")
    volumes = dict.fromkeys(v.upper() for p in (*targets, *way.places.values()) if (v := volume_of(p)))
    for volume in volumes:
        if _there(volume, way.there) is False:
            yield _no(f"{way.goal} has no volume {volume}", "write a path on one that it has", "storage")
            continue
        needed, before = _taken(way, volume), sum(_taken(one, volume) for one in ahead)
        free = free_at(volume, way.there)
        if free is not None and needed and needed + before > free:
            text = f"its disks take {about_size(needed)}, and {volume[:2]} of {way.goal} has {about_size(free)} free"
            yield _no(f"{text}{_less(before)}", "free some, or write another path", "storage")


def _taken(way: Journey, volume: str) -> int:
    return sum(_size(one, way) for one in way.moved if volume_of(one.to).upper() == volume)


def _size(one: Moved, way: Journey) -> int:
    rows = (link.row for link in chain(one.path, way.here))
    return sum(int(row.get("FileSize") or 0) for row in rows if isinstance(row, Mapping))


def _hears(way: Journey) -> Iterator[Diagnostic]:
    """Whether the guest can be asked to shut down (domain 4.4)."""
    if way.vm.stop_method == "turn_off":
        return
    service = shutdown_service(way.row["Id"], way.here)
    if service is None or not all(service):
        text = f"{way.quick}, so it must be shut down first, and its guest cannot be asked to"
        yield _no(text, "shut it down from within, then run hvctl again")


# --- what Hyper-V itself says, and the quick way ------------------------------------------------------------------------


def denied(failure: Failure) -> bool:
    return failure.kind == "AccessDenied" or failure.category == "PermissionDenied"


def refused(way: Journey, failure: Failure) -> Diagnostic:
    hint = "see docs/migration.md"
    if "8009030e" in str(failure.message).casefold():
        hint = f"{way.host} may not go on to {way.destination} as this account; see docs/migration.md"
    return finding("on_host", f"Hyper-V on {way.host} would refuse the move: {failure.message}", hint)


def down(way: Journey, needs: tuple[Step, ...]) -> Step:
    params: dict[str, object] = {"VM": Ref(Call("Get-VM", {"Id": way.row["Id"]}))}
    if way.vm.stop_method == "turn_off":
        call = Call("Stop-VM", {**params, "TurnOff": True, "Force": True})  # type: ignore[dict-item]
        return Step(call, f"cut the power of {way.vm.key()} on {way.host}", ("on_host",), needs, host=way.host)
    text = f"shut down the guest of {way.vm.key()} on {way.host}"
    call = Call("Stop-VM", params)  # type: ignore[arg-type]
    return Step(call, text, ("on_host",), needs, job=True, limit_s=way.vm.stop_timeout, host=way.host)
