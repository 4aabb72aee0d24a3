"""A node of a cluster that is emptied for maintenance, and taken back (cluster 6). In no playbook: a verb asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from hvctl.call import EACH, Call, Guard, Matching, Watch
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts, UnclearError, UnreadableError
from hvctl.core.impact import Impact
from hvctl.core.values import State
from hvctl.kinds._cluster import (
    PAUSED,
    ROLES,
    UP,
    VIRTUAL_MACHINE,
    VM_RESOURCE,
    WHOLE,
    ClusteredVm,
    bare,
    hosts_by_node,
    view,
)
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._network import SWITCHES, VM_ADAPTERS
from hvctl.kinds._vm import VMS, in_vm, power
from hvctl.kinds.role import POSSIBLE
from hvctl.text.diagnostic import Diagnostic

DRAIN_S = 3600
"""How long the roles of a node may take to go: large VMs take minutes each, and so many at a time go as the hosts allow."""
_PRIORITIES = Call(ROLES.cmdlet, ROLES.params, select=("Name", "Priority"))
_THRESHOLD = Call(
    ROLES.cmdlet,
    {"Namespace": "root/MSCluster", "ClassName": "MSCluster_ResourceType"},
    select=("Name", "PrivateProperties.MoveTypeThreshold"),
)
_MEDIUM = 2000
"""Below it a role is moved by way of a saved state, where the cluster says nothing else (cluster 1.5; later than 2012 [I])."""
FAILBACK = {"immediate": "Immediate", "policy": "Policy", "no": "NoFailback"}


@dataclass(frozen=True)
class Placed:
    """A role where it was seen. `name`: of its VM, where its node was read. `host`: of the run, "" if it has none."""

    name: str
    node: str
    host: str


def placed(facts: Facts) -> dict[str, Placed]:
    """Where each role of the cluster is, by the id of its VM; of one without a VM by its name. Raises UnreadableError."""
    hosts = hosts_by_node(facts)
    found = {}
    for role in view(facts).roles:
        host, own = hosts.get(bare(role.owner), ("", None))
        rows = own.of_key(VMS, "Id", role.vm_id) if own is not None and role.vm_id else ()
        name = str(rows[0]["Name"]) if rows else role.name
        node = view(facts).nodes.get(role.owner.casefold(), (role.owner, 0, 0))[0]
        found[role.vm_id or role.name] = Placed(name, node, host if own is not None else "")
    return found


def _went(how: str, names: str, to: str) -> str:
    """How some roles go, where to."""
    if how == "live":
        return f"{names} live to {to}"
    if how == "low":
        return f"{names} by way of a saved state for its low priority to {to}"
    return f"{names} as it is ({how}) to {to}"


def leaving(node: str, count: int) -> Watch | None:
    """How many of its roles have left a node that is drained."""
    left = (("OwnerNode", node), ("GroupType", str(VIRTUAL_MACHINE)))
    return Watch(ROLES, count, left) if count else None


class Maintenance(OfHyperV):
    """`node` is its name, or its host's."""

    kind: ClassVar[str] = "node"

    node: str
    wanted_state: Literal["drained", "up"]
    failback: Literal["immediate", "policy", "no"] = "immediate"

    def key(self) -> str:
        return self.node

    # --- looking ----------------------------------------------------------------------------------------------------

    def queries(self) -> tuple[Call, ...]:
        return (VMS, SWITCHES, VM_ADAPTERS, *self.queries_once())

    def queries_once(self) -> tuple[Call, ...]:
        return (*WHOLE, _PRIORITIES, _THRESHOLD, POSSIBLE)

    def seat_of(self, facts: Facts) -> str:
        """Another node that is up asks for it, if one answers: it stays when this one goes."""
        try:
            nodes = view(facts).nodes
        except UnreadableError:
            nodes = {}
        hosts = hosts_by_node(facts)
        able = [h for n, (h, own) in hosts.items() if own is not None and n in nodes and nodes[n][1] == UP]
        here = [h for n, (h, own) in hosts.items() if own is not None]
        own = hosts.get(self.computer(facts), ("", None))[0]
        return next((h for h in (*able, *here) if h != own), next(iter(here), ""))

    def computer(self, facts: Facts) -> str:
        """Its name in the cluster, case-folded: that of the computer, whatever the inventory calls it."""
        hosts = hosts_by_node(facts)
        return next((n for n, (host, own) in hosts.items() if own is not None and host == self.node), bare(self.node))

    def _now(self, facts: Facts) -> tuple[str, int, int]:
        told = view(facts)
        found = told.nodes.get(self.computer(facts))
        if found is None:
            nodes = ", ".join(name for name, _, _ in told.nodes.values()) or "not told"
            text = f"{self.node} is no node of {self.index.together}, whose nodes are {nodes}"
            raise UnclearError(text, "where it is called otherwise in the inventory, it must answer to be known")
        return found

    def _roles(self, facts: Facts) -> list[ClusteredVm]:
        return [r for r in view(facts).roles if bare(r.owner) == self.computer(facts)]

    def actual(self, facts: Facts) -> State | None:
        _, state, _ = self._now(facts)
        word = {UP: "up", PAUSED: "paused" if self._roles(facts) else "drained"}.get(state, "down")
        return {"state": word}

    def wanted(self) -> State:
        return {"state": self.wanted_state}

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        return bool(now == wanted)

    # --- judging ----------------------------------------------------------------------------------------------------

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        moves = self._roles(facts) if wanted == "drained" else [r for r in view(facts).roles if self.failback != "no"]
        return frozenset({"move"} if moves else {"online"})

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if wanted == "up":
            return {
                "immediate": "roles that it was drained of come back at once",
                "policy": "roles that may fail back come back when their window allows it",
                "no": "roles stay where they are",
            }[self.failback]
        roles = self._roles(facts)
        if not roles:
            return "no role is on it; it takes none from then on"
        count = "1 role moves" if len(roles) == 1 else f"{len(roles)} roles move"
        alike: dict[tuple[str, str], list[str]] = {}
        for role in roles:
            targets = self._targets(role, facts)
            to = f"any of {', '.join(targets)}" if len(targets) > 1 else next(iter(targets), "no node")
            alike.setdefault((self._how(role, facts), to), []).append(role.name)
        return f"{count}; {'; '.join(_went(how, ', '.join(names), to) for (how, to), names in alike.items())}"

    def _how(self, role: ClusteredVm, facts: Facts) -> str:
        """Live, by way of a saved state for its low priority, or as a VM is that does not run."""
        priority = next((int(r["Priority"]) for r in facts.of_key(_PRIORITIES, "Name", role.name)), 2000)
        _, own = hosts_by_node(facts).get(bare(role.owner), ("", None))
        row = next(iter(own.of_key(VMS, "Id", role.vm_id)), None) if own is not None else None
        if row is not None and power(row) not in ("Running", "Paused"):
            return power(row).casefold()
        return "low" if priority < self._threshold(facts) else "live"

    def _targets(self, role: ClusteredVm, facts: Facts) -> list[str]:
        """Nodes that could take it: the cluster chooses."""
        if role.locked:
            return []
        others = [n for n in self._may_take(role, facts) if not self._lacking(role, n, facts)]
        return sorted(others, key=str.casefold)

    def _may_take(self, role: ClusteredVm, facts: Facts) -> list[str]:
        """Its possible owners that are up, but for this one; where the cluster does not tell them, any that is up."""
        rows = [r for r in facts.reply(POSSIBLE).rows if str(r.get(EACH)).casefold() == role.resource.casefold()]
        possible = {bare(str(n["Name"])) for r in rows for n in r.get("OwnerNodes[Name]") or ()}
        up = [n for n in view(facts).up() if bare(n) != self.computer(facts)]
        return [n for n in up if bare(n) in possible] if rows else up

    def _threshold(self, facts: Facts) -> int:
        rows = (r for r in facts.rows(_THRESHOLD) if r.get("Name") == VM_RESOURCE)
        found = next((r.get("PrivateProperties.MoveTypeThreshold") for r in rows), None)
        return found if isinstance(found, int) else _MEDIUM

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        name, state, _ = self._now(facts)
        if state not in (UP, PAUSED):
            yield finding("state", f"{name} is down", "start it first")
        if self.wanted_state != "drained" or not changes:
            return
        others = [n for n in view(facts).up() if bare(n) != self.computer(facts)]
        if self._roles(facts) and not others:
            yield finding("state", f"no other node is up that could take the roles of {name}", "bring one up first")
        for role in self._roles(facts):
            if role.locked:
                yield finding("", f"{role.name} is locked, and does not move", "see what works on it", "warning")
            may = self._may_take(role, facts)
            if others and not may:
                text = f"no possible owner of {role.name} is up but {name}, so it stays, and {name} is not drained"
                yield finding("", text, "bring one up, or let other nodes own it", "warning")
            for node in may:
                for switch in self._lacking(role, node, facts):
                    yield finding("", f"{node} has no switch {switch}, so {role.name} cannot move there", "", "warning")

    def _lacking(self, role: ClusteredVm, node: str, facts: Facts) -> list[str]:
        """Switches that its VM needs and a node that is read does not have."""
        hosts = hosts_by_node(facts)
        (_, own), (_, there) = (hosts.get(bare(n), ("", None)) for n in (role.owner, node))
        row = next(iter(own.of_key(VMS, "Id", role.vm_id)), None) if own is not None else None
        if own is None or row is None or there is None:
            return []
        names = {str(a["SwitchName"]) for a in in_vm(VM_ADAPTERS, row, own) if a.get("SwitchName")}
        return [n for n in sorted(names) if not there.of_key(SWITCHES, "Name", n)]

    # --- changing ---------------------------------------------------------------------------------------------------

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        name, _, _ = self._now(facts)
        if self.wanted_state == "up":
            call = Call("Resume-ClusterNode", {"Name": name, "Failback": FAILBACK[self.failback]})
            yield Step(call, f"take {name} back", ("state",))
            return
        suspended = Step(Call("Suspend-ClusterNode", {"Name": name, "Drain": True}), f"drain {name}", ("state",))
        yield suspended
        look = Call("Get-ClusterNode", {"Name": name})
        ended = Guard(
            look, {"DrainStatus": Matching("^(Completed|Failed)$")}, 1, 1, DRAIN_S, f"{name} is not drained yet"
        )
        waited = Step(
            look,
            f"wait until the roles of {name} have moved",
            ("state",),
            (suspended,),
            guard=ended,
            watch=leaving(name, len(self._roles(facts))),
        )
        yield waited
        unmet = f"not every role could leave {name}, which stays paused: see the events of FailoverClustering"
        empty = Guard(look, {"DrainStatus": "Completed"}, 1, 1, unmet=unmet)
        yield Step(look, f"see that {name} is drained", ("state",), (waited,), guard=empty)
