"""A virtual machine: that it exists, its own settings, its power state (domain 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from pydantic import PrivateAttr

from hvctl.call import Call, Guard, Ref, Row
from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import Bracket, Change, HeldBackError, Occasion, Step, finding
from hvctl.core.describe import Omission
from hvctl.core.facts import Facts, UnclearError, UnreadableError
from hvctl.core.fields import properties, settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Index, Renewal, Resource
from hvctl.core.values import NOT_COMPARED, Missing, State
from hvctl.kinds import (
    _avma,
    _conversion,
    _conversion_steps,
    _doomed,
    _guests,
    _maximums,
    _owed,
    _placement,
    _room,
    _wait,
)
from hvctl.kinds import _replica_adapters as replica_adapters
from hvctl.kinds._checkpoints import AGES, CHECKPOINTS, check_ages, checkpoints, coming
from hvctl.kinds._cluster import (
    KNOWN,
    PAUSED,
    WHOLE,
    ClusteredVm,
    elsewhere,
    is_node,
    nodes_without,
    owner_of,
    removal,
    role_named,
    role_of,
    roles_elsewhere,
    view,
    whereabouts,
)
from hvctl.kinds._conversion import Conversion
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._host import HOST, host_row
from hvctl.kinds._limits import DEFAULT_VM_VERSION, OLDEST_VM_VERSION, version_at_least
from hvctl.kinds._machine import STATES, Machine
from hvctl.kinds._memory import MemoryPart
from hvctl.kinds._places import PLACES, migration, moves, place_findings, place_queries
from hvctl.kinds._power import CUT, Power
from hvctl.kinds._protection import security
from hvctl.kinds._replica import RELATIONS, failed_over, told_of_replica
from hvctl.kinds._role import RolePart
from hvctl.kinds._services import SERVICES
from hvctl.kinds._types import (
    FOLD,
    MB,
    same_path,
)
from hvctl.kinds._vm import (
    CRITICAL_PAUSE,
    REPLICAS,
    VMS,
    check_steady,
    critical_pause,
    generation,
    off_impacts,
    power,
    queries_behind,
    replica_row,
    vm_ref,
    vm_row,
)
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.source import suggest
from hvctl.text.visible import quoted

METERING = "resource_metering"
_UNFINISHED = "conversion"
_HOST_PATH = Call("Get-VMHost", select=("VirtualMachinePath",))
_BY_CLUSTER = {"automatic_start_action", "automatic_start_delay", "automatic_stop_action"}
"""What the cluster sets by itself for its roles (domain 4.3)."""


class VM(Machine):
    """A virtual machine. It is found by its name, without case; hvctl takes over one that exists. `previous_names`:
    if none has the name, one that has the first of these that is there is renamed. `path`, `checkpoint_path` and
    `smart_paging_path` move what lies there, also while the VM runs; its disks stay where they are. Checkpoints that
    are not listed and older than `checkpoint_maximum_age` differ, and are removed with consent. With `ensure: absent`,
    `remove_disks: yes` removes the files of its disks too, but for those that something else uses.
    `boot_disk` says how a VM of generation 1 becomes one of generation 2 (docs/generation-2.md): `converted`, its disk was
    prepared in the guest, which is looked for; `reinstall`, a system is installed anew.
    `on_host`: it is wanted once, on this host of the play; found on another one it is moved there, with consent, and
    `storage` is the folder there for what has no path of its own (docs/migration.md). `wait_for`: after a start, the apply
    waits until the guest gives a sign of life or tells an address, for `wait_timeout` at most. `guest_os` says what runs in
    it, so that the rest is judged by what that can do (docs/guest-systems.md); nothing of it is sent. `avma: yes`: the host
    can activate it, and data exchange is on (docs/avma.md).
    `clustered: no`, under `cluster: vms:`, takes its role away and leaves the VM (docs/clusters.md)."""

    kind: ClassVar[str] = "vm"
    section: ClassVar[str] = "vms"
    many: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("host", "host_file", "vhd", "switch", "host_network_adapter")
    setter: ClassVar[str] = "Set-VM"
    stand_in: ClassVar[Mapping[str, Any]] = {"name": "unnamed"}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("cpu", "cpus", "vcpu", "vcpus", "cores", "processors", "processor_count"), "processor.count"),
        **dict.fromkeys(("ram", "memory_startup", "startup_memory"), "memory.startup"),
        **dict.fromkeys(("dynamic_memory", "balloon"), "memory.dynamic"),
        **dict.fromkeys(("nic", "nics", "network", "networks", "interfaces", "adapters"), "network_adapters"),
        **dict.fromkeys(("hdd", "hdds", "drives", "hard_drives", "hard_disks", "vhd", "vhds", "vhdx"), "disks"),
        **dict.fromkeys(("iso", "isos", "cdrom", "cd", "cds", "optical"), "dvds"),
        **dict.fromkeys(("snapshot", "snapshots"), "checkpoints"),
        "snapshot_type": "checkpoint_type",
        **dict.fromkeys(("snapshot_path", "snapshot_file_location"), "checkpoint_path"),
        **dict.fromkeys(("backup", "backups"), "exports"),
        **dict.fromkeys(("os", "guest", "guestos", "operating_system", "os_type", "guest_id"), "guest_os"),
        **dict.fromkeys(("note", "description", "comment", "annotation"), "notes"),
        **dict.fromkeys(("power", "power_state", "powerstate", "status"), "state"),
        **dict.fromkeys(("gen", "vm_generation"), "generation"),
        **dict.fromkeys(("autostart", "onboot", "start_action"), "automatic_start_action"),
        **dict.fromkeys(("secure_boot", "secureboot"), "firmware.secure_boot"),
        **dict.fromkeys(("tools", "guest_services"), "integration_services"),
        **dict.fromkeys(("nested", "nested_virtualization"), "processor.expose_virtualization_extensions"),
        **dict.fromkeys(("wait", "wait_for_ip", "wait_for_guest"), "wait_for"),
        **dict.fromkeys(("files", "copy"), "guest_files"),
        **dict.fromkeys(("user_data", "userdata", "cloudinit", "cloud_config"), "cloud_init.user_data"),
        **dict.fromkeys(("answer_file", "autounattend", "sysprep"), "unattend.template"),
        **dict.fromkeys(("switch", "vlan", "mac", "mac_address"),
                        "it belongs to an adapter: `network_adapters: [{name: …, switch: …}]`"),
        **dict.fromkeys(("old_name", "previous_name", "renamed_from"), "previous_names"),
        **dict.fromkeys(("on", "host", "node", "placement", "target_host", "vm_host"), "on_host"),
        **dict.fromkeys(("destination_storage", "storage_path", "move_to"), "storage"),
    }  # fmt: skip
    usual: ClassVar[Mapping[str, Any]] = {
        "state": "off",
        "notes": "",
        "automatic_start_action": "start_if_running",
        "automatic_start_delay": 0,
        "automatic_stop_action": "save",
        "automatic_critical_error_action": "pause",
        "automatic_critical_error_action_timeout": 30,
        "checkpoint_type": "production",
        "automatic_checkpoints": False,
        "lock_on_disconnect": False,
        "low_memory_mapped_io_space": 128 * MB,
        "high_memory_mapped_io_space": 512 * MB,
        "guest_controlled_cache_types": False,
        "resource_metering": False,
    }  # domain 4.2
    odd: ClassVar[frozenset[str]] = frozenset(
        {*PLACES, "on_host", "storage", "state", "generation", "version", "resource_metering", "clustered"}
    )

    _claims: _doomed.Claims = PrivateAttr(default=())
    _conversion: Conversion | None = PrivateAttr(default=None)

    def seated(self, index: Index, number: int, owner: Resource | None) -> Self:
        """Files that the playbook uses are known from the first index: a target lacks what is held back."""
        copy = super().seated(index, number, owner)
        if self.on_host and not self._home:
            copy._home = self.on_host
        if self._with_disks and not self._claims:
            copy._claims = _doomed.claims_of(index.entries)
        return copy

    def key(self) -> str:
        return self.name

    # --- rules ------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        for n, section in enumerate(self.exclusive):
            if section not in ("disks", "dvds", "network_adapters"):
                yield finding(
                    f"exclusive.{n}",
                    f"{quoted(section)} is no list that can be exclusive",
                    "one of disks, dvds, network_adapters",
                )
        if any(c in self.name for c in '\\/:*?"<>|'):
            # New-VM and Export-VM make a folder of that name (domain 4.1).
            yield finding(
                "name", f"{quoted(self.name)} has a character that no folder name can have", "choose another name"
            )
        if self.name != self.name.rstrip(". "):
            yield finding("name", f"{quoted(self.name)} ends as no folder name can", "choose another name")
        if self.generation == 2 and not at_least(os, "2012r2"):
            yield finding(
                "generation", f"{title(os)} has no generation 2", f"{exists_from('2012r2')}; use generation 1"
            )
        if self.boot_disk is not None and self.generation != 2:
            yield finding("boot_disk", "it says how a VM becomes one of generation 2", "write generation: 2 too")
        if self.version is not None:
            yield from self._version_rules(self.version, os)
        yield from _avma.rules(self, os)
        yield from _wait.rules(self)
        yield from self._placement_rules()
        if self.remove_disks and not self.absent:
            hint = "write `ensure: absent`, or leave it out"
            yield finding("remove_disks", "disks are removed only together with their VM", hint)
        if self.clustered is False and self.part(RolePart) is None:
            hint = "write the VM under `cluster: vms:` with it"
            yield finding("clustered", "`vms:` is of every host, not of a cluster", hint)
        if self.clustered and self.part(RolePart) is None:
            yield finding(
                "clustered", "`vms:` is of every host, not of a cluster", "write the VM under `cluster: vms:`"
            )
        if self.absent and any(not isinstance(p, RolePart) for p in self.parts):
            yield finding("ensure", "a VM that is to be absent cannot have sections", "remove them")

    def _placement_rules(self) -> Iterator[Diagnostic]:
        hosts = self.place.hosts
        if self.on_host and hosts and self.on_host not in hosts:
            hint = suggest(self.on_host, hosts) or f"one of {', '.join(hosts)}"
            yield finding("on_host", f"{quoted(self.on_host)} is no host of this play", hint)
        elif self.on_host and self.absent:
            hint = "leave out on_host: it is removed wherever it is"
            yield finding("on_host", "a VM that is to be absent is wanted on no host", hint)
        if self.storage and not self.on_host:
            yield finding(
                "storage", "it says where files go with a move, and nothing says where to", "write `on_host: …`"
            )

    def only_on(self, hosts: Sequence[str]) -> str:
        """One that is wanted on a host that the play does not have is told of on each."""
        return self.on_host if self.on_host is not None and self.on_host in hosts else ""

    def links(self) -> tuple[str, ...]:
        return _placement.others(self) if self.home else ()

    def queries_on(self, host: str) -> tuple[Call, ...]:
        return (*_placement.queries_on(), *(security(name) for name in self.names), *queries_behind(self))

    def further(self, facts: Facts) -> Iterator[tuple[str, Call]]:
        if self.home and not self.absent:
            yield from _placement.further(self, facts)

    def not_on(self, facts: Facts) -> tuple[str, ...]:
        if self.home:
            return _placement.not_on(self, facts) if self._source(facts) is None else ()
        beside = (
            self.index.together and self.part(RolePart) is None
        )  # a role is planned on its owner, which says as much
        return nodes_without(self, self.row(facts), facts) if beside else ()

    def follows(self, step: Step) -> tuple[Address, ...]:
        """A move comes after what is set of both hosts."""
        return _placement.first(self, step.host) if step.host and "on_host" in step.because else ()

    def away(self, facts: Facts) -> bool:
        return bool(self.home) and self._source(facts) is not None

    def _source(self, facts: Facts) -> _placement.Found | None:
        return _placement.source(self, facts) if self.home and not self.absent else None

    @classmethod
    def rules_together(cls, wishes: tuple[Self, ...], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
        """One VM cannot become two, nor one that is wished under its old name as well; one host runs so many."""
        yield from _maximums.rules_together(wishes, os)
        for wish in wishes:
            yield from _guests.rules(wish, os)
        taken = {w.key().casefold(): w for w in wishes}
        for wish in wishes:
            for n, name in enumerate(wish.previous_names if isinstance(wish, VM) else ()):
                other = taken.setdefault(name.casefold(), wish)
                if other is not wish:
                    hint = "a VM has one wish; remove one of the two"
                    yield (
                        wish,
                        finding(f"previous_names.{n}", f"{name} is what VM {other.key()} is wished of too", hint),
                    )

    def _version_rules(self, version: str, os: OS) -> Iterator[Diagnostic]:
        oldest, newest = OLDEST_VM_VERSION[os], DEFAULT_VM_VERSION[os]
        if not (version_at_least(version, oldest) and version_at_least(newest, version)):
            runs = f"version {newest}" if oldest == newest else f"versions {oldest} to {newest}"
            yield finding("version", f"{title(os)} runs VMs of {runs}", f"use {newest}")

    # --- looking ----------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (*cls._own(), *_avma.SURVEY, Call("Get-VM", select=("IsTemplate",)))

    @classmethod
    def _own(cls) -> tuple[Call, ...]:
        own = properties(cls, *VMS.select, "ParentSnapshotId", "ConfigurationLocation")
        return (Call("Get-VM", select=own), SERVICES, HOST)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """By name; of two that share one, neither can be declared."""
        counts = Counter(str(row["Name"]).casefold() for row in facts.rows(VMS))
        for row in facts.rows(VMS):
            if counts[str(row["Name"]).casefold()] == 1:
                yield cls(name=str(row["Name"]), generation=generation(row))

    def as_written(self, found: State, facts: Facts) -> State:
        """`path` as New-VM takes it, which makes a folder of the VM's name in it (domain 4.2). What a cluster rules for its
        roles is nobody's to write."""
        if self.part(RolePart) is not None:
            found = {name: value for name, value in found.items() if value is not NOT_COMPARED}
        folder, _, name = str(found.get("path") or "").rpartition("\\")
        own = name.casefold() == self.name.casefold() and folder
        return {**found, "path": folder + "\\" * folder.endswith(":")} if own else found

    @classmethod
    def describing(cls) -> tuple[Call, ...]:
        return (*cls.survey(), _HOST_PATH, *KNOWN, CHECKPOINTS, RELATIONS, replica_adapters.ADAPTERS)

    def described(self, facts: Facts) -> tuple[Self, tuple[Omission, ...]] | None:
        if (replica := replica_row(self, facts)) is not None:
            text = f"{self.name} is a replica; its settings belong to its primary"
            more = (told_of_replica(replica["Id"], facts), replica_adapters.as_written(replica["Id"], facts))
            raise HeldBackError("; ".join((text, *(one for one in more if one))))
        return super().described(facts)

    def by_default(self, facts: Facts) -> State:
        """Its folders are one, below the host's (domain 4.2)."""
        row = self.row(facts) or {}
        own = str(row.get("ConfigurationLocation") or "")
        host = next((str(r["VirtualMachinePath"]) for r in facts.rows(_HOST_PATH)), "")
        return {
            **self.usual,
            "version": DEFAULT_VM_VERSION[facts.os],
            "path": host,
            "checkpoint_path": own,
            "smart_paging_path": own,
        }

    def asides(self, facts: Facts) -> Iterator[str]:
        row = self.row(facts)
        if row is None:
            return
        if row.get("IsClustered") and self.part(RolePart) is None:
            yield "a role of the cluster, which rules its start and stop and may move it to another node"
        if names := [str(r["Name"]) for r in checkpoints(row, facts)]:
            yield f"it has checkpoints, which no playbook keeps: {', '.join(names)}"

    @classmethod
    def unnameable(cls, owner: Resource | None, facts: Facts) -> Iterator[tuple[str, str]]:
        names = [str(row["Name"]) for row in facts.rows(VMS)]
        counts = Counter(name.casefold() for name in names)
        for name, count in {n.casefold(): (n, counts[n.casefold()]) for n in reversed(names)}.values():
            if count > 1:
                yield name, f"there are {count} VMs of this name, which nothing in a playbook can tell apart"

    def stays(self, owner: Resource, listed: tuple[Resource, ...], facts: Facts) -> bool:
        """What is not this host's alone to remove, a template, and one that is to be renamed."""
        row = vm_row(self, facts) or replica_row(self, facts) or {}
        away = (root for _, root in owner.index.away)  # written for the cluster, and planned on another node
        renamed = {n.casefold() for one in (*listed, *away) if isinstance(one, VM) for n in one.names}
        guarded = row.get("IsClustered") or row.get("IsTemplate") or row.get("ReplicationMode") in REPLICAS
        return bool(guarded) or self.name.casefold() in renamed

    def queries(self) -> tuple[Call, ...]:
        places = place_queries(self.path, self.checkpoint_path, self.smart_paging_path)
        room = _room.QUERIES if _room.asked(self) else ()
        more = () if self.absent else (_owed.FILES, *room, *_guests.queries(self), *_avma.queries(self))
        doomed = _doomed.QUERIES if self._with_disks else ()
        ages = AGES if self.checkpoint_maximum_age is not None else ()
        cluster = KNOWN if self.part(RolePart) is None else WHOLE
        placed = _placement.queries() if self.home else ()
        asked = (*more, *doomed, *places, *ages, *placed)
        return (*self._own(), _maximums.COUNTS, *cluster, *asked, *_conversion.queries(self))

    def queries_once(self) -> tuple[Call, ...]:
        return KNOWN if self.part(RolePart) is None else WHOLE

    def seat_of(self, facts: Facts) -> str:
        """A role is where the cluster has it."""
        role = self.part(RolePart)
        if role is None or not facts.others:
            return ""
        return whereabouts(self, role.preferred_owners or (), role.possible_owners or (), facts).host

    def row(self, facts: Facts) -> Row | None:
        host_row(facts)  # without rights Get-VM answers nothing: that would read as "not there" (domain 1.3)
        return vm_row(self, facts)

    def actual(self, facts: Facts) -> State | None:
        row = self.row(facts)
        if (found_at := self._source(facts)) is not None:
            return {**dict.fromkeys(self.wanted(), NOT_COMPARED), "on_host": found_at.host}
        self._check_place(row, facts)
        if row is None:
            return {} if self._with_disks and owner_of(self.name, facts) is None and _doomed.left(self, facts) else None
        if self.checkpoint_maximum_age is not None:
            check_ages(row, facts)
        found = self.read_settings(row)
        if self.previous_names:
            found["name"] = row["Name"]
        if self.on_host:
            found["on_host"] = self.on_host
        if self.generation:
            # Windows Server 2012 has no generations and no property for them: every VM is of the first.
            found["generation"] = generation(row)
        if _avma.wanted(self):
            found[_avma.FIELD] = _avma.actual(self, row, facts)
        if row.get("IsClustered"):
            found |= dict.fromkeys(_BY_CLUSTER & found.keys(), NOT_COMPARED)
        return found

    def _check_place(self, row: Row | None, facts: Facts) -> None:
        """Raise UnreadableError where the cluster and Hyper-V do not agree that it is here."""
        role = self.part(RolePart)
        if role is not None:
            where = whereabouts(self, role.preferred_owners or (), role.possible_owners or (), facts)
            if where.fault is not None:
                raise where.fault
            if facts.others and where.host != self.address().host:
                raise UnclearError(f"it is on {where.host}, for which it is not written", "write it for all nodes")
        elif (own := self._plain_role(row, facts)) is not None and not self._here(own.owner, facts):
            text = (
                f"{self.name} is a role of the cluster, owned by {own.owner or 'no node'}, and Hyper-V has it here too"
            )
            raise UnclearError(text, "see which of them is the right one; nothing is done about either")

    def _plain_role(self, row: Row | None, facts: Facts) -> ClusteredVm | None:
        """Of a VM that is here; None also where the cluster does not say."""
        try:
            return view(facts).of_vm(row["Id"]) if row is not None else None
        except UnreadableError:
            return None

    def _here(self, node: str, facts: Facts) -> bool:
        return node.casefold() == facts.info.computer.casefold()

    def owned_elsewhere(self, facts: Facts) -> str:
        """A role that another node of the cluster owns; a replica, which is its primary's."""
        if (replica := replica_row(self, facts)) is not None:
            turned = any(part.kind == "replication" for part in self.parts)
            if turned and failed_over(replica["Id"], facts):
                goes = f"{self.name} was failed over to this host, and its replication is not reversed"
                return f"{goes}: hvctl replica reverse {self.name} goes on from there"
            goes = "its replication goes the other way: turn the playbook around" if turned else "it is its primary's"
            return f"{self.name} is a replica here, and nothing of it is changed: {goes}"
        name, role = next(((n, r) for n in self.names if (r := role_named(n, facts)) is not None), ("", None))
        if role is None:
            return ""
        if self._here(role.owner, facts):
            text = f"the cluster has the role {name} on this node, where Hyper-V has no such VM"
            raise UnclearError(text, "look at the role in the cluster")
        told = f"{name} is a role of the cluster, owned by {role.owner or 'no node'}"
        if name.casefold() not in role.name.casefold():
            told = f"{name} is a role of the cluster called {role.name}, owned by {role.owner or 'no node'}"
        if not self.may_be_made:
            raise HeldBackError(told, "run it for that node")
        return told

    def wanted(self) -> State:
        activated = {_avma.FIELD: True} if _avma.wanted(self) else {}
        named = {"name": self.name} if self.previous_names else {}
        placed = {"on_host": self.on_host} if self.on_host else {}
        return {**super().wanted(), **activated, **named, **placed}

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "path":  # New-VM -Path makes a folder of the VM's name in it (domain 4.2), which a new name leaves
            folders = (wanted, *(f"{wanted}\\{name}" for name in self.names))
            return any(same_path(now, folder) for folder in folders)
        if field == "name":  # names compare without case (domain 4.1)
            return FOLD.same(now, wanted)
        return super().same(field, now, wanted)

    def changes(self, actual: State, facts: Facts) -> tuple[Change, ...]:
        """And what hvctl itself took down and owes a start, the one exception to what is not written."""
        found = super().changes(actual, facts)
        if self._conversion is not None and self.row(facts) is not None:
            note = "it was removed to be made anew, which did not come to its end"
            found = (Change(_UNFINISHED, "unfinished", "finished", note=note), *found)
        if "state" in self.model_fields_set or power(self.row(facts)) != "Off":
            return found
        if (debt := _owed.owed(self, facts)) is None or debt[0] not in STATES.names:
            return found
        impacts = self._state_impacts("off", debt[0])
        return (*found, Change("state", "off", debt[0], impacts, self._owed_since(debt[1])))

    def _runs_elsewhere(self, row: Row, facts: Facts) -> Iterator[Diagnostic]:
        """On a host that it was replicated to it has the same Id, also when that has ended (replica-migration 9)."""
        for host, other in facts.beside.items():
            same = other.of_key(VMS, "Id", row["Id"]) if other is not None and other.asked(VMS) else ()
            if any(power(vm) == "Running" for vm in same):
                text = f"{self.name} runs on {host}, with the same Id: it would run twice"
                yield finding("state", text, "turn the playbook around, or turn it off there first")

    def _settled_by_hand(self, row: Row, facts: Facts) -> Iterator[Diagnostic]:
        """Somebody else has brought it up: the note outlives that, and would start it when it is next off."""
        try:
            debt = _owed.state_owed(row, facts)
        except UnreadableError:
            return
        if debt is not None:
            text = f"{self._owed_since(debt[1])}; it runs now, and would be started when it is next off"
            note = rf"%ProgramData%\hvctl\{_owed.FOLDER}\{str(row['Id']).lower()}.{debt[0]}.txt"
            yield finding("", text, f"remove {note}", "warning")

    def _owed_since(self, time: str) -> str:
        since = f" at {time[:16].replace('T', ' ')} UTC" if time else ""
        return f"hvctl took it down{since} and could not bring it up again"

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if (found_at := self._source(facts)) is not None:
            yield from _placement.findings(self, found_at, facts)
            return
        row = self.row(facts)
        if _conversion.asked(self) and not _conversion.due(self, row):
            _conversion.under_way(self, facts)  # what cannot be read of it is not taken for nothing
        if self.home and not self.absent:
            for error in _placement.unread(self, facts):
                yield finding("", f"{error}: whether it has a VM {self.name} too is not known", "", "warning")
        if row is not None and not (changes or self.absent) and power(row) == "Running":
            yield from self._settled_by_hand(row, facts)
        if row is None and not self.may_be_made:
            raise HeldBackError(f"there is no VM {self.name} on this host", "see its name with hvctl facts")
        started = any(c.field == "state" for c in changes) and _room.starts(self, facts)
        if started and row is not None:
            yield from self._runs_elsewhere(row, facts)
        if started and not _room.changes_startup(self, facts):  # otherwise its memory says so
            yield from _room.short(self, "state", facts)
        if any(c.field == "state" for c in changes):
            yield from _maximums.starting(self, facts)
        yield from _guests.findings(self, frozenset(c.field for c in changes), facts)
        yield from _avma.findings(self, facts)
        if self._with_disks:
            yield from _doomed.findings(self, self._claims, facts)
        if row is None:
            if not self.absent:
                _conversion.forsaken(self, facts)
                yield from self._new_findings(facts)
            return
        if power(row) == CRITICAL_PAUSE:
            yield finding("", *critical_pause(self.name), "warning")
        if occasion != "leave":
            check_steady(self.name, row)
        if _conversion.due(self, row):
            yield from _conversion_steps.findings(self, row, facts)
            yield from self._power(facts).doubts()
            return
        if self.generation not in (None, generation(row)) and not self.absent:
            # Whatever else is wanted is wanted of a VM of the other generation.
            found = f"{self.name} is of generation {generation(row)}, which cannot be changed: nothing of it is touched"
            hint = settings(VM)["generation"].fixed if self.generation == 2 else "write generation: 2, or make a new VM"
            raise HeldBackError(found, hint, "generation", parts=True)
        for change in changes:
            yield from self._change_findings(change, row, facts)
            if change.field == "checkpoint_path" and (before := coming(self, facts)):
                why = f"the checkpoint {before} is made before, and it cannot be changed while the VM has checkpoints"
                yield finding("checkpoint_path", why, "leave the checkpoint out until the path is as wanted")
        if self.absent or any((c.field, c.wanted) == ("state", "off") for c in changes):
            yield from self._power(facts).doubts()
        if self.absent:
            yield from self._removal_findings(row)
            return
        if row.get("IsClustered") and self.part(RolePart) is None:
            yield from self._belongs(row, facts)
        if row.get("IsClustered"):
            for field in sorted(_BY_CLUSTER & self.written().keys()):
                yield finding(field, "the cluster rules this, so it is not compared", "leave it out", "warning")

    def _belongs(self, row: Row, facts: Facts) -> Iterator[Diagnostic]:
        role = self._plain_role(row, facts)
        if role is None:
            return
        called = f" called {role.name}" if role.name.casefold() != self.name.casefold() else ""
        text = f"{self.name} is a role of the cluster{called}: on other nodes it is no VM of theirs"
        yield finding("", text, "write it under `cluster: vms:`", "warning")

    def _new_findings(self, facts: Facts) -> Iterator[Diagnostic]:
        os = facts.os
        if roles_elsewhere(facts):
            text = "roles of nodes that are not read are known by names alone: a VM that was renamed is not seen"
            hint = "look for it in the cluster first, or have all its nodes read (hvctl_cluster of the inventory)"
            yield finding("", text, hint, "warning")
        if self.state == "saved":
            yield finding("state", "a new VM is off, and only a running one can be saved", "wish for running or off")
        if self.version not in (None, DEFAULT_VM_VERSION[os]) and not at_least(os, "2016"):
            yield finding("version", f"{title(os)} makes VMs of version {DEFAULT_VM_VERSION[os]} only", "leave it out")

    def _change_findings(self, change: Change, row: Row, facts: Facts) -> Iterator[Diagnostic]:
        os = facts.os
        now, wanted, newest = str(change.now), str(change.wanted), DEFAULT_VM_VERSION[os]
        if change.field == "name" and row.get("IsClustered"):  # domain 4.3 [I]
            yield finding("name", "its role in the cluster keeps the old name", "rename the role too", "warning")
        if change.field == "name" and (owner := elsewhere(self.name, facts)) is not None:
            text = f"the cluster has a role {self.name} already, owned by {owner or 'no node'}"
            yield finding("name", text, "choose another name, or rename that role's VM first")
        if change.field == "state" and (now, wanted) == ("off", "saved"):
            yield finding("state", f"{self.name} is off; only a running VM can be saved", "wish for running or off")
        if change.field == "state" and wanted == "running" and now != "running" and self.part(RolePart) is not None:
            node = view(facts).nodes.get(facts.info.computer.casefold())
            if node is not None and node[1] == PAUSED:  # cluster 6
                text = f"{node[0]} is paused: no role comes online there"
                yield finding("state", text, "resume the node, or move the role to another one")
        if change.field == "version" and not isinstance(change.now, Missing):
            if not version_at_least(wanted, now):
                hint = "leave the version out or make the VM anew"
                yield finding("version", f"it is version {now}; there is no way back to {wanted}", hint)
            elif wanted != newest:
                yield finding("version", f"{title(os)} raises VMs to version {newest} only", f"use {newest}")
            elif not at_least(os, "2016"):
                yield finding("version", f"{title(os)} raises a version only on import", "import the VM again")
        if change.field in PLACES:
            yield from place_findings(self, change, row, facts)
        if change.field == "checkpoint_path" and row.get("ParentSnapshotId"):
            hint = "remove the checkpoints first"
            yield finding("checkpoint_path", "it cannot be changed while the VM has checkpoints", hint)

    def _removal_findings(self, row: Row) -> Iterator[Diagnostic]:
        if row.get("IsClustered") and self.part(RolePart) is None:
            hint = "remove the role from the cluster first"
            if self.index.together:
                hint = "write it under `cluster: vms:`, where its role goes with it"
            yield finding("", f"{self.name} is a clustered role", hint)
        if str(row.get("ReplicationMode") or "None") != "None":
            yield finding("", f"{self.name} is replicated", "remove its replication first")  # domain 4.2

    # --- changing ---------------------------------------------------------------------------------------------

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        if field == "state":
            return self._state_impacts(str(now), str(wanted))
        if field == "on_host":
            found_at = self._source(facts)
            return _placement.impacts(self, found_at, facts) if found_at else frozenset({"online"})
        if field == "generation" and _conversion.due(self, self.row(facts)):
            anew: frozenset[Impact] = frozenset({"recreate", "destroy"})
            return anew | (off_impacts(self, facts) - {"online"})
        found: frozenset[Impact] = super().impacts(field, now, wanted, facts)
        if (field in settings(VM) and settings(VM)[field].off) or (field in PLACES and not moves(self, facts)):
            found |= off_impacts(self, facts)
        return (found - {"online"}) or frozenset({"online"})

    def _state_impacts(self, now: str, wanted: str) -> frozenset[Impact]:
        if now == "off" or wanted == "running" or (wanted == "paused" and now == "saved"):
            return frozenset({"online"})
        lost: frozenset[Impact] = frozenset({"restart"})
        if now == "saved" or (self.stop_method == "turn_off" and wanted == "off"):
            lost |= {"destroy"}
        return lost

    def renews(self, field: str) -> bool:
        return field == "generation" and _conversion.asked(self)

    def rests_on(self, field: str, facts: Facts) -> str:
        """Whatever else is wanted is wanted of the VM that is made anew."""
        return "generation" if field != "generation" and _conversion.due(self, self.row(facts)) else ""

    def renewal(self, facts: Facts) -> Renewal | None:
        if (found := _conversion.renewal(self, facts)) is None:
            return None
        renewal, conversion = found
        whole = renewal.whole.model_copy()
        assert isinstance(whole, VM)
        if conversion.running:
            conversion = replace(conversion, stop=self._power(facts).bracket("running", ("generation",)).stop)
        whole._conversion = conversion
        return replace(renewal, whole=whole)

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "on_host" and (found_at := self._source(facts)) is not None:
            return _placement.note(self, found_at, facts)
        if field == "generation" and _conversion.due(self, self.row(facts)):
            return "it is removed and made anew; its disks stay"
        if field == "name":
            return "its folders keep the old name"
        if (field, wanted) == ("", "present"):
            return self._gives_way()
        if (field, wanted) == ("", "absent"):
            return self._fate(facts)
        if field == "path":
            return f"its configuration moves to {wanted}\\{self.name}; its disks stay"
        if field == "version":
            return "there is no way back to an older version"
        if field == "state" and now == "saved" and wanted == "off":
            return "the saved memory is discarded"
        if field == "state" and wanted == "off" and self.stop_method == "turn_off":
            return f"it {CUT}"
        if field == _avma.FIELD:
            return _avma.note(self, facts)
        if field == METERING and not wanted:
            return "what was measured so far is discarded"
        return ""

    @property
    def _with_disks(self) -> bool:
        return self.absent and self.remove_disks

    def _fate(self, facts: Facts) -> str:
        """Of its disks."""
        gone = _doomed.fate(self, self._claims, facts).gone if self._with_disks else ()
        left = self.row(facts) is None
        told = "it is gone, but a removal before left" if left else "its disks go with it:"
        return f"{told} {', '.join(gone)}" if gone else ""

    def _gives_way(self) -> str:
        """What New-VM adds where the playbook wants something else (domain 4.2)."""
        taken = next((p for p in self.parts_of(DiskPart) if p.key() == "ide 1:0" and not p.absent), None)
        if taken is None or (self.generation or 1) != 1:
            return ""
        return "the DVD drive that New-VM makes at ide 1:0 gives way to the disk"

    def summary(self) -> str:
        role = self.part(RolePart)
        clustered = "" if role is None or role.absent else f"role of {self.index.together}, "
        return f"{clustered}generation {self.generation or 1}"

    def _nobody(self) -> Guard:
        unmet = f"there is a VM {self.name} now, which was not there when the plan was made"
        return Guard(Call("Get-VM"), {"Name": self.name}, most=0, unmet=unmet)

    def create(self, facts: Facts) -> Iterator[Step]:
        """New-VM and the undoing of what it adds by itself: an adapter, and on generation 1 a DVD drive
        (domain 4.2)."""
        params: dict[str, Any] = {"Name": self.name}
        if at_least(facts.os, "2012r2"):
            params["Generation"] = self.generation or 1
        memory = self.part(MemoryPart)
        startup = memory.startup if memory is not None else None
        params |= {"MemoryStartupBytes": startup or 512 * MB, "NoVHD": True}
        if self.path:
            params["Path"] = self.path
        if self.version and at_least(facts.os, "2016"):
            params["Version"] = self.version
        unique = self._nobody()  # a second VM of the name would be accepted
        free = tuple(self._no_role(facts))
        yield from free
        made = Step(Call("New-VM", params), f"make VM {self.name}", ("name", *self.written()), free, guard=unique)
        earlier: tuple[Step, ...] = ()
        if self._conversion is not None:
            earlier = _conversion_steps.before(self, self._conversion)
            made = _conversion_steps.anew(made, earlier)
        yield made
        yield from earlier
        vm = vm_ref(self, facts)
        for noun in ("VMNetworkAdapter", "VMDvdDrive"):
            found = Ref(Call(f"Get-{noun}", {"VM": vm}), many=True)
            text = "remove the network adapter" if noun == "VMNetworkAdapter" else "remove the DVD drive"
            yield Step(
                Call(f"Remove-{noun}", {noun: found}),
                f"{text} that New-VM adds to {self.name}",
                needs=(made,),
            )
        metering = () if self.resource_metering else (METERING,)
        done = ("name", "on_host", _avma.FIELD, *PLACES, "generation", "version", "state", *metering)
        changes = self.as_changes(facts)
        yield from self._set(tuple(c for c in changes if c.field not in done), facts, (made,))
        if moved := tuple(c for c in changes if c.field in PLACES and c.field != "path"):
            yield migration(self, moved, facts, made)
        if self._conversion is not None:
            yield from _conversion_steps.finished(self, self._conversion)
        up = self.state in ("running", "paused")
        if up and self._conversion is not None and self._conversion.running:
            started = tuple(_conversion_steps.up_again(self, self._conversion, earlier))
            yield from started
            yield from _wait.awaited(self, facts, started[:1])
        elif up:
            yield from self._power(facts).steps("off", str(self.state))

    def _no_role(self, facts: Facts) -> Iterator[Step]:
        """On a node the name may have become a role of another one since it was read."""
        if not is_node(facts):
            return
        call = Call("Get-ClusterGroup")
        guard = Guard(call, {"Name": self.name}, most=0, unmet=f"the cluster has a role {self.name} now")
        yield Step(call, f"see that the cluster has no role {self.name}", ("name",), guard=guard)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        by_field = {c.field: c for c in changes}
        if "on_host" in by_field and (found_at := self._source(facts)) is not None:
            yield from _placement.steps(self, found_at, facts)
            return
        if "generation" in by_field:
            return  # made anew
        if by_field.pop(_UNFINISHED, None) is not None and self._conversion is not None:
            yield from _conversion_steps.finished(self, self._conversion)
        state = by_field.pop("state", None)
        version = by_field.pop("version", None)
        if _avma.FIELD in by_field:
            yield from _avma.steps(self, by_field.pop(_avma.FIELD), facts)
        moved = tuple(by_field.pop(f) for f in PLACES if f in by_field)
        if state:
            steps = tuple(self._power(facts).steps(str(state.now), str(state.wanted)))
            yield from steps
            debt = _owed.owed(self, facts)
            if debt is not None:
                yield from _owed.settled(self, debt[0], facts, steps[-1:])
        if "name" in by_field:
            row = self.row(facts) or {}
            unique = self._nobody()
            call = Call("Rename-VM", {"VM": vm_ref(self, facts), "NewName": self.name})
            yield Step(call, f"rename VM {row['Name']} to {self.name}", ("name",), guard=unique)
            del by_field["name"]
        if moved:
            yield migration(self, moved, facts)
        yield from self._set(tuple(by_field.values()), facts, ())
        if version:
            yield Step(
                Call("Update-VMVersion", {"VM": vm_ref(self, facts), "Force": True}),
                f"raise the version of {self.name}",
                ("version",),
                off=True,
            )

    def _set(self, changes: tuple[Change, ...], facts: Facts, needs: tuple[Step, ...]) -> Iterator[Step]:
        vm = vm_ref(self, facts)
        plain = tuple(c for c in changes if c.field != METERING)
        if arguments := self.arguments(plain):
            off = any(settings(VM)[c.field].off for c in plain)
            yield Step(
                Call("Set-VM", {"VM": vm, **arguments}),
                f"set {self.name}",
                tuple(c.field for c in plain),
                needs=needs,
                off=off,
            )
        for change in changes:
            if change.field == METERING:
                verb = "Enable" if change.wanted else "Disable"
                yield Step(
                    Call(f"{verb}-VMResourceMetering", {"VM": vm}),
                    f"{verb.lower()} resource metering of {self.name}",
                    (METERING,),
                    needs=needs,
                )

    def remove(self, facts: Facts) -> Iterator[Step]:
        """Disks stay, unless their removal is written."""
        row = vm_row(self, facts)
        if row is None:
            yield from _doomed.steps(self, None, self._claims, facts)
            return
        vm = vm_ref(self, facts)
        stop = tuple(self._power(facts).stopped(("ensure",))) if power(row) in ("Running", "Paused") else ()
        yield from stop
        role = role_of(self, row, facts) if self.part(RolePart) is not None else None
        if role is not None:
            taken = replace(removal(role, f"take the role {role.name} away"), needs=stop)
            yield taken
            stop = (*stop, taken)
        stays = "" if self._with_disks else "; its disks stay"
        call = Call("Remove-VM", {"VM": vm, "Force": True})
        gone = Step(call, f"remove VM {self.name}{stays}", ("ensure",), needs=stop)
        yield from _doomed.steps(self, gone, self._claims, facts) if self._with_disks else (gone,)

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        found: frozenset[Impact] = frozenset({"destroy"})
        return found | {"restart"} if power(vm_row(self, facts)) in ("Running", "Paused") else found

    # --- power ------------------------------------------------------------------------------------------------

    def _power(self, facts: Facts) -> Power:
        return Power(self, facts, self.stop_method == "turn_off", self.stop_timeout)

    def bracket(self, facts: Facts) -> Bracket | None:
        """Down, and from off to the wished state, or to what it was. What was saved stays off if nothing is
        wished: its memory is gone with the saved state."""
        now = power(vm_row(self, facts))
        if now == "Off":
            return None
        wanted = self.state or {"Running": "running", "Paused": "paused"}.get(now, "off")
        because = ("state",) if self.state and STATES.names[self.state] != now else ()
        return self._power(facts).bracket(wanted, because)
