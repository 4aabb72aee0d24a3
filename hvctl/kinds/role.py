"""The role of a clustered VM: that the cluster has it, how it is failed over and back, where it may be (domain 16)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from hvctl.call import EACH, Call, Guard, Map, Ref, Row
from hvctl.contract import OS, at_least, title
from hvctl.core.changes import Change, Noted, Occasion, Step, finding
from hvctl.core.describe import Omission
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import settings
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import NOT_COMPARED, UNKNOWN, State
from hvctl.kinds._adapter import Adapter
from hvctl.kinds._cluster import (
    FAILED,
    RESOURCES,
    ROLES,
    UP,
    VM_RESOURCE,
    WHOLE,
    ClusteredVm,
    bare,
    hosts_by_node,
    removal,
    role_of,
    set_common,
    usual_names,
    view,
    whereabouts,
)
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._drives import DISKS, DVDS, Slot, file_query, on_cluster, on_share, there
from hvctl.kinds._ip import INTERFACES
from hvctl.kinds._limits import DEFAULT_VM_VERSION, version_at_least
from hvctl.kinds._machine import Machine
from hvctl.kinds._network import SWITCHES, VM_ADAPTERS, described
from hvctl.kinds._role import NODES_LESS_ONE, RolePart
from hvctl.kinds._switch import SwitchPart
from hvctl.kinds._vm import VMS, in_vm, power, vm_ref, vm_row
from hvctl.text.diagnostic import Diagnostic, Level

_GROUPS = replace(
    ROLES,
    select=(
        *(
            "Name",
            "Priority",
            "AntiAffinityClassNames[]",
            "AutoFailbackType",
            "FailbackWindowStart",
            "FailbackWindowEnd",
        ),
        *("FailoverThreshold", "FailoverPeriod", "PersistentState"),
    ),
)
_PARAMETERS = replace(
    RESOURCES,
    select=(
        *("Type", "OwnerGroup", "PrivateProperties.OfflineAction", "PrivateProperties.CheckHeartbeat"),
        *("RestartAction", "RestartThreshold", "RestartPeriod", "RetryPeriodOnFailure"),
    ),
)
_OWNERS = ("OwnerNodes[Name]",)
PREFERRED = Call(
    "Get-ClusterOwnerNode",
    {"Group": (Ref(Call("Get-ClusterGroup"), {"GroupType": "VirtualMachine"}, path="Name", many=True),)},
    select=_OWNERS,
    each="Group",
)
POSSIBLE = Call(
    "Get-ClusterOwnerNode",
    {"Resource": (Ref(Call("Get-ClusterResource"), {"ResourceType.Name": VM_RESOURCE}, path="Name", many=True),)},
    select=_OWNERS,
    each="Resource",
)
_ADAPTERS = replace(VM_ADAPTERS, select=("VMId", "Name", "SwitchName", "ClusterMonitored"))
_PATHS = Call("Get-VM", select=("Id", "Path", "SnapshotFileLocation", "SmartPagingFilePath"))

_OF_GROUP = ("priority", "anti_affinity", "failback.allowed", "failback.window", "failover.threshold", "failover.period",
             "persistent_state")  # fmt: skip
_OF_RESOURCE = ("offline_action", "heartbeat_monitoring")
_RESTARTS = ("restart.action", "restart.threshold", "restart.period", "restart.retry_after")
_SERVICES, _EVENTS = _WATCHED = "monitored_services", "monitored_events"


_STATES = {0: "online", 1: "offline", 2: "failed", 3: "partly online", 4: "pending"}
"""Of a group of the cluster (domain 2); a VM that is off may be offline or partly online (cluster 2)."""


_EVENT = re.compile(r"[^,]+,.+,[0-9]+")
"""How one is told among services, which have no commas: log, source and id, with a plus for the slash of the log's name (the
example of Get-ClusterVMMonitoredItem, Windows Server 2012)."""


def monitored(vm: Machine) -> Iterator[Call]:
    """What is watched in its guest, on whichever node it runs."""
    for name in vm.names:
        of = Ref(VMS, {"Name": name, "State": "Running"}, path="Id", many=True)
        yield Call("Get-ClusterVMMonitoredItem", {"VMId": (of,)}, select=("Name",), each="VMId")


class Role(RolePart):
    """The role that the cluster has for a VM, made with it. `preferred_owners` in their order; with `failback: {allowed: yes}`
    one that runs on a node that is not among them differs, and is moved with consent. With `priority: none` it does not
    start by itself. `offline_action` is what happens to the VM when the cluster takes it offline or shuts its node down.
    Services of `monitored_services` and events of `monitored_events` (`log,source,id`) are watched in the guest, which must
    answer for it; each is the whole list. A cluster may write `persistent_state` itself."""

    kind: ClassVar[str] = "role"
    section: ClassVar[str] = "role"
    after: ClassVar[tuple[str, ...]] = (
        "scsi_controllers",
        "disk",
        "dvd",
        "network_adapter",
        "firmware",
        "memory",
        "processor",
    )
    made_along: ClassVar[bool] = True
    query: ClassVar[Call] = ROLES
    usual: ClassVar[Mapping[str, Any]] = {
        "priority": "medium",
        "anti_affinity": (),
        "failback.allowed": False,
        "failback.window": None,
        "failover.threshold": None,
        "failover.period": 6,
        "restart.action": "failover",
        "restart.threshold": 1,
        "restart.period": 900,
        "restart.retry_after": 3600,
        "offline_action": "save",
        "monitored_services": (),
        "monitored_events": (),
    }
    """Cluster 1.2, 1.3, 1.5; of a role that was made (domain 16)."""
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("owners", "preferred_nodes", "preferred"), "preferred_owners"),
        **dict.fromkeys(("possible_nodes", "nodes"), "possible_owners"),
        **dict.fromkeys(("anti_affinity_class_names", "availability_set"), "anti_affinity"),
        **dict.fromkeys(("start_priority", "startup_priority"), "priority"),
        **dict.fromkeys(("stop_action", "cluster_stop_action"), "offline_action"),
        **dict.fromkeys(("heartbeat", "check_heartbeat"), "heartbeat_monitoring"),
        **dict.fromkeys(("services", "monitored_items"), "monitored_services"),
        **dict.fromkeys(("events",), "monitored_events"),
    }

    # --- looking ----------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return WHOLE

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[RolePart]:  # type: ignore[override]
        """Of a VM of a node, which the inventory must say."""
        if (
            owner is not None
            and owner.index.together
            and isinstance(owner, Machine)
            and role_of(owner, vm_row(owner, facts), facts)
        ):
            yield cls()

    @classmethod
    def describing_in(cls, owner: Resource) -> tuple[Call, ...]:
        if not owner.index.together or not isinstance(owner, Machine):
            return ()
        return (VMS, *WHOLE, _GROUPS, _PARAMETERS, PREFERRED, POSSIBLE, *monitored(owner))

    def described(self, facts: Facts) -> tuple[Self, tuple[Omission, ...]] | None:
        """A role that is not where it prefers to be would be moved."""
        found, role = super().described(facts), self.role(facts)
        if found is None or role is None:
            return found
        model, omitted = found
        if power(self.vm_row(facts)) != "Running":
            omitted = (*omitted, *(Omission(field, "its guest is asked, which does not run") for field in _WATCHED))
        if model._off(role.owner):
            omitted = (*omitted, Omission("failback.allowed", f"it runs on {role.owner}, and would be moved"))
            model = model.without(["failback.allowed"])
        return model, omitted

    def as_written(self, found: State, facts: Facts) -> State:
        """What the cluster writes itself is left to it; no preference is not written."""
        gone = {"node", "persistent_state"} | ({"preferred_owners"} if not found.get("preferred_owners") else set())
        told = {k: v for k, v in found.items() if k not in gone and v is not NOT_COMPARED}
        if told.get("failover.threshold") == NODES_LESS_ONE:
            told["failover.threshold"] = None
        return super().as_written(told, facts)

    def by_default(self, facts: Facts) -> State:
        """Any node may own a role that nobody has said it of."""
        return {**self.usual, "possible_owners": [name for name, _, _ in view(facts).nodes.values()]}

    def queries(self) -> tuple[Call, ...]:
        if self.absent:
            return (VMS, *WHOLE)
        fields = self.model_fields_set
        preferred = (PREFERRED,) if "preferred_owners" in fields else ()
        possible = (POSSIBLE,) if "possible_owners" in fields else ()
        services = tuple(monitored(self.vm)) if not fields.isdisjoint(_WATCHED) else ()
        return (
            VMS,
            _ADAPTERS,
            _PATHS,
            SWITCHES,
            DISKS,
            DVDS,
            VM_ADAPTERS,
            *WHOLE,
            _GROUPS,
            _PARAMETERS,
            *preferred,
            *possible,
            *services,
            *((INTERFACES,) if self.preferred_owners or self.possible_owners else ()),
            *(file_query(folder) for folder in self._shared_folders()),
        )

    def queries_once(self) -> tuple[Call, ...]:
        everywhere = ROLES.params["Namespace"]
        return tuple(q for q in self.queries() if q in (PREFERRED, POSSIBLE) or q.params.get("Namespace") == everywhere)

    def role(self, facts: Facts) -> ClusteredVm | None:
        return role_of(self.vm, self.vm_row(facts), facts)

    def actual(self, facts: Facts) -> State | None:
        if self.vm.absent:
            return None
        where = whereabouts(self.vm, self.preferred_owners or (), self.possible_owners or (), facts)
        if where.fault is not None:  # of one that is to be taken away too: whose it is is not known
            raise where.fault
        role = self.role(facts)
        if role is None:
            return None
        if self.absent:
            return {}
        rows = facts.of_key(_GROUPS, "Name", role.name)
        if not rows:
            raise UnreadableError(_GROUPS)
        resource = next(
            (r for r in facts.of_key(_PARAMETERS, "OwnerGroup", role.name) if r.get("Type") == VM_RESOURCE), {}
        )
        found = {
            **self._read(rows[0], _OF_GROUP),
            **self._read(resource, _OF_RESOURCE, "PrivateProperties."),
            **self._read(resource, _RESTARTS),
            "preferred_owners": self._owners(PREFERRED, role.name, facts),
            "possible_owners": self._owners(POSSIBLE, role.resource, facts),
            **{field: self._watched_now(field, facts) for field in _WATCHED},
        }
        found |= {"node": role.owner}
        return {name: found[name] for name in (*self.written(), "node") if name in found}

    def _read(self, row: Row, fields: Sequence[str], before: str = "") -> dict[str, Any]:
        """Those that are written."""
        table, found = settings(RolePart), {}
        for field in self.written().keys() & set(fields):
            if field == "failback.window":
                first, last = int(row["FailbackWindowStart"]), int(row["FailbackWindowEnd"])
                found[field] = f"{first}-{last}" if 0 <= first < 24 and 0 <= last < 24 else None
                continue
            name = before + table[field].name + ("[]" if field == "anti_affinity" else "")
            found[field] = table[field].codec.read(row[name])
        return found

    def _owners(self, query: Call, name: str, facts: Facts) -> Any:
        if ("preferred_owners" if query is PREFERRED else "possible_owners") not in self.written():
            return None
        rows = [r for r in facts.rows(query) if str(r.get(EACH)).casefold() == name.casefold()]
        return [str(node["Name"]) for node in rows[0].get("OwnerNodes[Name]") or ()] if rows else UNKNOWN

    def _watched_now(self, field: str, facts: Facts) -> Any:
        """The guest is asked: one that does not run says nothing."""
        row = self.vm_row(facts)
        if field not in self.written():
            return None
        if row is None or power(row) != "Running":
            return NOT_COMPARED
        own = str(row["Id"]).casefold()
        replies = [facts.reply(q) for q in monitored(self.vm)]
        if any(f.value is None or str(f.value).casefold() == own for r in replies for f in r.failures):
            return UNKNOWN
        names = [str(r["Name"]) for reply in replies for r in reply.rows if str(r.get(EACH)).casefold() == own]
        events = [name for name in names if _EVENT.fullmatch(name)]
        if field == _SERVICES:
            return [name for name in names if name not in events]
        parts = (event.partition(",") for event in events)
        return [f"{log.replace('+', '/')},{rest}" for log, _, rest in parts]

    def wanted(self) -> State:
        return {**self.written()}

    def changes(self, actual: State, facts: Facts) -> tuple[Change, ...]:
        """And that it runs elsewhere than it prefers, where the cluster may bring it back; and that it has failed."""
        found = super().changes(actual, facts)
        role, home = self.role(facts), self._home(facts)
        if role is not None and role.failed and not self._starts(facts):
            found = (*found, Change("state", _STATES[FAILED], _STATES[0]))
        if role is None or home is None:
            return found
        note = "the cluster moves it there live if it runs"
        if self._barred(role.owner):
            note = f"{role.owner} is not to be a possible owner; {note}"
        return (*found, Change("node", role.owner, home, frozenset({"move"}), note))

    def _starts(self, facts: Facts) -> bool:
        """Whether this run starts its VM, and so brings it online (cluster 3)."""
        return self.vm.state == "running" and power(self.vm_row(facts)) != "Running"

    def noted(self, facts: Facts) -> Noted | None:
        """Of its owner; where that is a host of the run that could not be read, what was seen there last stands."""
        role = self.role(facts)
        if role is None or not role.owner:
            return None
        host, own = hosts_by_node(facts).get(bare(role.owner), ("", facts))
        if host and own is None:
            return None
        node = view(facts).nodes.get(role.owner.casefold(), (role.owner, 0, 0))[0]
        parts = {"node": node, "state": _STATES.get(role.state, "unknown")}
        if self.preferred_owners:
            parts["preferred"] = "yes" if bare(node) in {bare(n) for n in self.preferred_owners} else "no"
        return Noted(self.vm.key(), f"on {node}", self.index.together, parts=tuple(parts.items()))

    def apart(self, facts: Facts) -> frozenset[str]:
        """Its anti-affinity classes, as they are and as they are to be."""
        role = self.role(facts)
        rows = [] if self.absent or role is None else facts.of_key(_GROUPS, "Name", role.name)
        now = [name for row in rows for name in row.get("AntiAffinityClassNames[]") or ()]
        return frozenset(str(name).casefold() for name in (*now, *(self.anti_affinity or ())))

    def _home(self, facts: Facts) -> str | None:
        """The node that it is to go back to."""
        role = self.role(facts)
        return self._first_up(self._off(role.owner), facts) if role is not None else None

    def _off(self, node: str) -> list[str]:
        """Where it goes from a node, best first: to its preferred owners where failback is allowed; to its possible ones from
        a node that is not to be one."""
        preferred = [bare(n) for n in self.preferred_owners or ()]
        if self._barred(node):
            possible = [bare(n) for n in self.possible_owners or ()]
            return [*(n for n in preferred if n in possible), *(n for n in possible if n not in preferred)]
        return preferred if self.failback.allowed and bare(node) not in preferred else []

    def _barred(self, node: str) -> bool:
        """Whether it is not to be a possible owner."""
        return bool(self.possible_owners) and bare(node) not in {bare(n) for n in self.possible_owners or ()}

    def rests_on(self, field: str, facts: Facts) -> str:
        """It leaves a node before that is no possible owner any more."""
        role = self.role(facts)
        return "node" if field == "possible_owners" and role is not None and self._barred(role.owner) else ""

    def _first_up(self, nodes: Sequence[str], facts: Facts) -> str | None:
        up = {n.casefold(): n for n in view(facts).up()}
        return next((up[n] for n in nodes if n in up), None)

    # --- rules --------------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if not self.index.together and self.index.host and "cluster" not in self.place.path:  # which says so itself
            hint = (
                "write hvctl_cluster: NAME in the variables of the group of its nodes, and the VM under `cluster: vms:`"
            )
            yield finding("", "a role belongs to a cluster, and none is named for this host", hint)
        if "role" in self.place.path and "cluster" not in self.place.path:
            hint = "write the VM under `cluster: vms:`"
            yield finding("", f"{self.vm.key()} stands under `vms:`, which is of every host", hint)
        if "cluster" in self.place.path and self.vm.on_host:
            hint = "write preferred_owners and failback: {allowed: yes} in `role`"
            yield finding(
                "", f"{self.vm.key()} is where the cluster has its role; `on_host` is of VMs that are none", hint
            )
        if self.preferred_owners and self.possible_owners:
            possible = {bare(n) for n in self.possible_owners}
            for n, name in enumerate(self.preferred_owners):
                if bare(name) not in possible:
                    text = f"{name} is preferred and not possible"
                    yield finding(f"preferred_owners.{n}", text, "write it among possible_owners too")
        if self.failback.allowed and not self.preferred_owners:
            text = "failback has no effect without preferred owners"  # cluster 1.2
            yield finding("failback.allowed", text, "write preferred_owners", "warning")
        if "window" in self.failback.model_fields_set and self.failback.window and self.failback.allowed is False:
            yield finding("failback.window", "a window without failback", "write `allowed: yes`", "warning")
        yield from self._twice()

    def _twice(self) -> Iterator[Diagnostic]:
        for field in ("preferred_owners", "possible_owners"):
            seen: set[str] = set()
            for n, name in enumerate(getattr(self, field) or ()):
                if bare(name) in seen:
                    yield finding(f"{field}.{n}", f"{name} is named twice", "write it once")
                seen.add(bare(name))

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        if occasion == "remove":
            return
        told, role = view(facts), self.role(facts)
        for field in ("preferred_owners", "possible_owners"):
            for n, name in enumerate(getattr(self, field) or ()):
                if told.nodes and bare(name) not in told.nodes:
                    nodes = ", ".join(node for node, _, _ in told.nodes.values())
                    yield finding(f"{field}.{n}", f"the cluster has no node {name}", f"its nodes are {nodes}")
        if role is not None and self._barred(role.owner) and self._home(facts) is None:
            text = f"{self.vm.key()} is on {role.owner}, which is not to be a possible owner, and none of those is up"
            yield finding("possible_owners", text, "bring one of them up first, so that it can move there")
        if role is not None:
            yield from self._state(role, facts)
            if role.name.casefold() not in usual_names(self.vm.key()):
                yield finding(
                    "", f"the role of {self.vm.key()} is called {role.name}", "it is known by its VM", "warning"
                )
        yield from self._strayed(role, facts)
        for field in (name for name in _WATCHED if name in self.written()):
            yield from self._unasked(field, facts)
        if self.vm_row(facts) is None and told.level and told.level != facts.os and not self.vm.absent:
            version = DEFAULT_VM_VERSION[told.level]
            if self.vm.version is None or not version_at_least(version, self.vm.version):
                name, old = self.vm.key(), title(told.level)
                text = f"made with the version of {title(facts.os)}, {name} does not move to nodes of {old}"
                yield finding("", text, f"write version: '{version}' until all nodes are new", "warning")
        yield from self._storage(occasion, facts)
        yield from self._switches(facts)

    def _strayed(self, role: ClusteredVm | None, facts: Facts) -> Iterator[Diagnostic]:
        """A role is moved when there is one: of a VM that becomes one, when it has."""
        if role is None and self.vm_row(facts) is None:
            return
        name, node = (role.name, role.owner) if role is not None else (self.vm.key(), facts.info.computer)
        owners, barred = self._off(node), self._barred(node)
        field = "possible_owners" if barred else "preferred_owners"
        if owners and self._first_up(owners, facts) is None:
            text = f"{name} is on {node}, and none of its preferred owners is up"
            if barred:
                text = f"{name} is on {node}, and none of its possible owners is up"
            if role is None or not barred:  # else it is said that they cannot be set
                yield finding(field, text, "it goes there when one of them is", "warning")
        elif owners and role is None:
            text = f"{name} is on {node}, which is none of its preferred owners"
            if barred:
                text = f"{name} is on {node}, which is none of its possible owners"
            home = str(self._first_up(owners, facts))
            if lacking := self._lacking(home, facts):
                hint = f"it stays there as long as {home} has no switch {', '.join(lacking)}"
            else:
                hint = f"the next run moves it to {home}, with --allow move"
                if facts.others:
                    hint = f"this run moves it to {home} when it has its role, with --allow move"
            yield finding(field, text, hint, "warning")

    def _state(self, role: ClusteredVm, facts: Facts) -> Iterator[Diagnostic]:
        if role.failed:
            text = f"the role {role.name} has failed on {role.owner}"
            hint = "see the events of FailoverClustering on its node, mend the cause, then Start-ClusterGroup"
            starts = self._starts(facts)
            yield finding("" if starts else "state", text, hint, "warning" if starts else "impossible")
        if role.locked:
            hint = "something works on it; see what has it locked before it is moved"
            bars = self._home(facts) is not None
            text = f"the role {role.name} is locked from moving"
            yield finding("node" if bars else "", text, hint, "impossible" if bars else "warning")
        if role.unmonitored:
            text = f"the role {role.name} is not monitored: its node {role.owner} is isolated"
            yield finding("", text, "the cluster fails it over when the node does not come back", "warning")

    def _unasked(self, field: str, facts: Facts) -> Iterator[Diagnostic]:
        row = self.vm_row(facts)
        if power(row) != "Running" and self.vm.state != "running":
            text = f"{self.vm.key()} does not run, so what is watched in its guest is not known"
            yield finding(field, text, "it is compared when it runs", "warning")
        elif power(row) != "Running":
            text = f"{self.vm.key()} does not run yet, and its guest must answer for it"
            level: Level = "later" if row is None else "warning"
            yield finding(field, text, "run hvctl again when its guest is up", level)

    def _storage(self, occasion: Occasion, facts: Facts) -> Iterator[Diagnostic]:
        """Only what every possible owner can reach lets it go there (domain 16; cluster 4: a warning with a report, when it
        is made)."""
        new = self.role(facts) is None
        for what, path in self._files(facts):
            if not path or on_cluster(path):
                continue
            text = f"{what} of {self.vm.key()} lies on {path}, which other nodes do not have"
            hint = r"put it below C:\ClusterStorage or on a share"
            if path[:2].casefold() == "c:":
                yield finding("", text, hint, "impossible" if new else "warning")
            else:
                yield finding("", text, f"{hint}, unless the volume is a cluster disk", "warning")
        for what, path in self._kept(facts):
            if path and not on_cluster(path):
                text = f"{what} of {self.vm.key()} lies on {path}, which other nodes do not have"
                yield finding("", text, r"put it below C:\ClusterStorage or on a share", "warning")
        yield from self._volumes(facts)
        for at in self._passed_through(facts):
            text = f"{at} of {self.vm.key()} is a disk of its host, which other nodes do not have"
            yield finding("", text, "use a virtual disk, or make it a cluster disk", "warning")

    def _passed_through(self, facts: Facts) -> Iterator[str]:
        row, listed = self.vm_row(facts), {str(d.at): d for d in self.vm.parts_of(DiskPart)}
        for at, part in listed.items():
            if part.disk_number is not None and not part.absent:
                yield at
        for disk in in_vm(DISKS, row, facts) if row is not None else ():
            if disk.get("DiskNumber") is not None and (at := str(Slot.of(disk))) not in listed:
                yield at

    def _shared_folders(self) -> tuple[str, ...]:
        r"""Of the cluster shared volumes that its disks lie on: C:\ClusterStorage\Volume1."""
        paths = [d.path for d in self.vm.parts_of(DiskPart) if d.path and not d.absent]
        roots = ("\\".join(p.split("\\")[:3]) for p in paths if on_cluster(p) and not on_share(p))
        return tuple(dict.fromkeys(roots))

    def _volumes(self, facts: Facts) -> Iterator[Diagnostic]:
        """A volume that is offline or redirected may not be seen though it is there (cluster 9)."""
        for node, own in self._possible(facts):
            for folder in self._shared_folders():
                if not there(folder, own):
                    text = f"{node} does not see {folder}, where disks of {self.vm.key()} lie"
                    yield finding("", text, "see the state of the volume with Get-ClusterSharedVolume", "warning")

    def _possible(self, facts: Facts) -> Iterator[tuple[str, Facts]]:
        """Nodes that it may move to and that are up, by their names, with what they answered."""
        possible = {bare(n) for n in self.possible_owners or ()}
        for node, (_, own) in hosts_by_node(facts).items():
            known = view(facts).nodes.get(node)
            if own is not None and known is not None and known[1] == UP and (not possible or node in possible):
                yield known[0], own

    def _files(self, facts: Facts) -> Iterator[tuple[str, str]]:
        row = self.vm_row(facts)
        listed = {str(d.at): d for d in self.vm.parts_of(DiskPart)}
        if row is not None:
            own = facts.of_key(_PATHS, "Id", row["Id"])
            path = self.vm.path or next((str(r.get("Path") or "") for r in own), "")
            yield "the configuration", path
            for disk in in_vm(DISKS, row, facts):
                if (at := str(Slot.of(disk))) not in listed and disk.get("DiskNumber") is None:
                    yield f"the disk at {at}", str(disk.get("Path") or "")
            dvds = {part.key() for part in self._dvds()}
            for drive in in_vm(DVDS, row, facts):
                if str(Slot.of(drive)) not in dvds:
                    yield "the image in a DVD drive", str(drive.get("Path") or "")
        else:
            yield "the configuration", self.vm.path or r"C:\ (it has no `path`)"
        for at, part in listed.items():
            if not part.absent:
                yield f"the disk at {at}", part.path or ""
        for dvd in self._dvds():
            yield "the image in a DVD drive", str(getattr(dvd, "path", None) or "")

    def _dvds(self) -> Iterator[Resource]:
        return (part for part in self.vm.parts if part.kind in ("dvd", "cloud_init", "unattend") and not part.absent)

    def _kept(self, facts: Facts) -> Iterator[tuple[str, str]]:
        """What lies beside the configuration, if nobody has said otherwise."""
        row = self.vm_row(facts)
        now = next(iter(facts.of_key(_PATHS, "Id", row["Id"])), {}) if row is not None else {}
        yield "the folder of checkpoints", self.vm.checkpoint_path or str(now.get("SnapshotFileLocation") or "")
        yield "the folder of smart paging", self.vm.smart_paging_path or str(now.get("SmartPagingFilePath") or "")

    def _switches(self, facts: Facts) -> Iterator[Diagnostic]:
        """Every possible owner needs a switch of the same name (domain 14)."""
        yield from self._monitored_inside(facts)
        home = self._home(facts)
        if home is not None:
            yield from self._unconnected(home, facts)
        for node, _ in self._possible(facts):
            for name in self._lacking(node, facts):
                text = f"{node} has no switch {name}, so {self.vm.key()} cannot move there"
                hint = "declare the switch for every node, or write possible_owners"
                bars = home is not None and bare(home) == bare(node)
                yield finding("node" if bars else "", text, hint, "impossible" if bars else "warning")

    def _lacking(self, node: str, facts: Facts) -> list[str]:
        """Switches that its VM needs and a node that is read does not have, nor is to have."""
        _, own = hosts_by_node(facts).get(bare(node), ("", None))
        if own is None:
            return []
        row = self.vm_row(facts)
        names = {p.switch for p in self.vm.parts_of(Adapter) if p.switch and not p.absent}
        if row is not None:
            listed = {p.key().casefold() for p in self.vm.parts_of(Adapter)}
            adapters = (a for a in in_vm(VM_ADAPTERS, row, facts) if str(a["Name"]).casefold() not in listed)
            names |= {str(a["SwitchName"]) for a in adapters if a.get("SwitchName")}
        declared = {p.key().casefold() for p in self.index.peers if p.kind == "switch"}
        return [n for n in sorted(names) if n.casefold() not in declared and not own.of_key(SWITCHES, "Name", n)]

    def _protected(self, facts: Facts) -> Iterator[tuple[Adapter | None, str, str]]:
        """Adapters whose network is watched, from 2012 R2 on if nothing else is said (domain 9.1): as written, name, switch."""
        row = self.vm_row(facts)
        there = {str(a["Name"]).casefold(): a for a in (in_vm(_ADAPTERS, row, facts) if row is not None else ())}
        parts = {part.key().casefold(): part for part in self.vm.parts_of(Adapter)}
        for name in {**parts, **there}:
            now, part = there.get(name), parts.get(name)
            watched = getattr(part, "protected_network", None)
            if watched is None:
                watched = at_least(facts.os, "2012r2") if now is None else now.get("ClusterMonitored", False)
            switch = (part.switch if part is not None else None) or str((now or {}).get("SwitchName") or "")
            if watched and switch and not (part is not None and part.absent):
                yield part, part.key() if part is not None else str((now or {})["Name"]), switch

    def _monitored_inside(self, facts: Facts) -> Iterator[Diagnostic]:
        """A switch without an uplink fails the watch over the network, and the VM does not migrate (domain 9.1, cluster 8)."""
        types = {str(s["Name"]).casefold(): str(s["SwitchType"]) for s in facts.rows(SWITCHES)}
        types |= {p.key().casefold(): p.type for p in self.index.peers if isinstance(p, SwitchPart) and p.type}
        for part, adapter, switch in self._protected(facts):
            kind = types.get(switch.casefold(), "").casefold()
            if kind in ("internal", "private"):
                name = self.vm.key()
                text = f"the adapter {adapter} is watched on the {kind} switch {switch}, so {name} may not move live"
                hint = "write protected_network: no at it"
                yield finding("", text, hint if part is not None else f"list it, and {hint}", "warning")

    def _unconnected(self, home: str, facts: Facts) -> Iterator[Diagnostic]:
        """Where a watched network is down, the cluster moves it away again (cluster 8)."""
        _, own = hosts_by_node(facts).get(bare(home), ("", None))
        if own is None or own.reply(INTERFACES).failure is not None:
            return
        cards = {str(r["InterfaceDescription"]): r.get("Status") == "Up" for r in own.rows(INTERFACES)}
        for switch in sorted({switch for _, _, switch in self._protected(facts)}):
            rows = own.of_key(SWITCHES, "Name", switch)
            up = [cards[card] for row in rows for card in described(row) if card in cards]
            if up and not any(up):
                text = f"the switch {switch} of {home} has no connection, so the cluster would move {self.vm.key()} away again"
                yield finding("node", text, "bring its network back first")

    # --- changing -----------------------------------------------------------------------------------------------------

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        return frozenset({"online"})

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        """The VM runs on; nothing is lost that a playbook cannot make again."""
        return frozenset({"online"})

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if (field, wanted) == ("", "absent"):
            return "the VM stays, and is failed over no more"
        if field == "persistent_state":
            return "the cluster may write it itself when the role is started or stopped"
        return ""

    def show(self, field: str, value: Any) -> str:
        return str(value) if field in ("node", "state") else super().show(field, value)

    def create(self, facts: Facts) -> Iterator[Step]:
        vm, name = self.vm, self.vm.key()
        row = self.vm_row(facts)
        vm_id = str(row["Id"]) if row is not None else replace(vm_ref(vm, facts), path="Id")
        free = Guard(Call("Get-ClusterGroup"), {"Name": name}, most=0, unmet=f"the cluster has a role {name} now")
        call = Call("Add-ClusterVirtualMachineRole", {"VMId": vm_id, "Name": name})
        node = facts.info.computer
        strays = self._first_up(self._off(node), facts) is not None
        made = Step(call, f"make the role {name}", ("ensure", *self.wanted()), guard=free, leads_on=strays)
        yield made
        later = ("possible_owners",) if strays and self._barred(node) else ()
        for step in self._set(tuple(c for c in self.as_changes(facts) if c.field not in later), name, facts):
            yield replace(step, needs=(*step.needs, made))

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        role = self.role(facts)
        assert role is not None
        home = next((str(c.wanted) for c in changes if c.field == "node"), "")
        later = ("possible_owners",) if home and self._barred(role.owner) else ()
        yield from self._set(tuple(c for c in changes if c.field not in later), role.name, facts)
        if home:
            here = {"Name": role.name, "OwnerNode.Name": role.owner}
            guard = Guard(Call("Get-ClusterGroup"), here, 1, 1, unmet=f"{role.name} is not on {role.owner} any more")
            call = Call("Move-ClusterVirtualMachineRole", {"Name": role.name, "Node": home})
            there, _ = hosts_by_node(facts).get(bare(home), ("", None))
            reaches = (there,) if there in facts.others else ()
            moved = Step(call, f"move {role.name} to {home}", ("node",), when="closing", guard=guard, reaches=reaches)
            yield moved
            for step in self._set(tuple(c for c in changes if c.field in later), role.name, facts):
                yield replace(step, needs=(*step.needs, moved), when="closing")

    def _set(self, changes: tuple[Change, ...], name: str, facts: Facts) -> Iterator[Step]:
        by_field = {c.field: c for c in changes}
        if group := self._properties(by_field):
            fields = tuple(f for f in by_field if f in _OF_GROUP)
            object = Ref(Call("Get-ClusterGroup"), {"Name": name})
            yield set_common("ResourceGroup", {"Name": name}, group, object, f"set the role {name}", fields)
        if restarts := self._settings(by_field, _RESTARTS):
            fields = tuple(f for f in _RESTARTS if f in by_field)
            where = {"OwnerGroup": name, "Type": VM_RESOURCE}
            text = f"set how {name} is started again"
            yield set_common("Resource", where, restarts, _resource(name, VM_RESOURCE), text, fields)
        if "preferred_owners" in by_field:
            names = self._names(self.preferred_owners, facts)
            call = Call("Set-ClusterOwnerNode", {"Group": name, "Owners": names})
            yield Step(call, f"set where {name} prefers to be", ("preferred_owners",))
        if "possible_owners" in by_field:
            for kind in (VM_RESOURCE, f"{VM_RESOURCE} Configuration"):
                names = self._names(self.possible_owners, facts)
                call = Call("Set-ClusterOwnerNode", {"InputObject": _resource(name, kind), "Owners": names})
                yield Step(call, f"set where {name} may be", ("possible_owners",))
        if own := self._settings(by_field, _OF_RESOURCE):
            call = Call("Set-ClusterParameter", {"InputObject": _resource(name, VM_RESOURCE), "Multiple": Map(own)})
            fields = tuple(f for f in _OF_RESOURCE if f in by_field)
            yield Step(call, f"set the resource of {name}", fields)
        for field in _WATCHED if power(self.vm_row(facts)) == "Running" else ():
            if field in by_field:
                yield from self._watched(by_field[field], facts)

    def _settings(self, by_field: Mapping[str, Change], fields: Sequence[str]) -> dict[str, Any]:
        table = settings(RolePart)
        return {table[f].name: table[f].codec.write(by_field[f].wanted) for f in fields if f in by_field}

    def _properties(self, by_field: Mapping[str, Change]) -> dict[str, Any]:
        table = settings(RolePart)
        found: dict[str, Any] = {}
        for field in _OF_GROUP:
            if field not in by_field:
                continue
            wanted = by_field[field].wanted
            if field == "failback.window":
                first, _, last = str(wanted).partition("-") if wanted else ("-1", "", "-1")
                found |= {"FailbackWindowStart": int(first), "FailbackWindowEnd": int(last)}
                continue
            found[table[field].name] = table[field].codec.write(wanted)
        return found

    def _watched(self, change: Change, facts: Facts) -> Iterator[Step]:
        row = self.vm_row(facts)
        assert row is not None
        now = {str(n).casefold(): str(n) for n in change.now or ()}
        wanted = {str(n).casefold(): str(n) for n in change.wanted or ()}
        for verb, names in (
            ("Remove", [n for k, n in now.items() if k not in wanted]),
            ("Add", [n for k, n in wanted.items() if k not in now]),
        ):
            word = "watch" if verb == "Add" else "watch no more"
            for some in ([name] for name in names) if change.field == _EVENTS else (names,) if names else ():
                call = Call(f"{verb}-ClusterVMMonitoredItem", {"VMId": str(row["Id"]), **_item(change.field, some)})
                yield Step(call, f"{word} {', '.join(some)} in {self.vm.key()}", (change.field,))

    def _names(self, wanted: Sequence[str] | None, facts: Facts) -> list[str]:
        """As the cluster has them."""
        known = {node: name for node, (name, _, _) in view(facts).nodes.items()}
        return [known.get(bare(n), n) for n in wanted or ()]

    def remove(self, facts: Facts) -> Iterator[Step]:
        role = self.role(facts)
        assert role is not None
        yield removal(role, f"take the role {role.name} away; the VM stays")


def _item(field: str, names: Sequence[str]) -> dict[str, Any]:
    """Services are taken together, and of events one at a time."""
    if field != _EVENTS:
        return {"Service": list(names)}
    log, source, number = names[0].rsplit(",", 2)
    return {"EventLog": log, "EventSource": source, "EventId": int(number)}


def _resource(name: str, kind: str) -> Ref:
    return Ref(Call("Get-ClusterResource"), {"OwnerGroup.Name": name, "ResourceType.Name": kind})
