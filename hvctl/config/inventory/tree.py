"""Groups, their hosts and children, and the order among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hvctl.text.diagnostic import Diagnostic, Mark, RefusedError
from hvctl.text.limits import HOSTS, NESTING
from hvctl.text.number import whole
from hvctl.text.scalars import meant
from hvctl.text.visible import quoted

ALL, UNGROUPED = "all", "ungrouped"
PRIORITY = "ansible_group_priority"


@dataclass
class Variables:
    """Values with their places, and which of them came encrypted."""

    values: dict[str, Any] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    vaulted: set[str] = field(default_factory=set)

    def put(self, name: str, value: Any, mark: Mark, *, vaulted: bool = False) -> None:
        self.values[name], self.marks[name] = value, mark
        (self.vaulted.add if vaulted else self.vaulted.discard)(name)

    def add(self, other: Variables) -> None:
        """What the other has wins."""
        self.values |= other.values
        self.marks |= other.marks
        self.vaulted = (self.vaulted - other.values.keys()) | other.vaulted


@dataclass
class Group:
    """As written: its own hosts and children, in the order in which they were added."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, None] = field(default_factory=dict)
    variables: Variables = field(default_factory=Variables)
    priority: int = 1


class Tree:
    """Grows as the files are read, in their order; `complete` ends it. Problems are collected."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {ALL: Group({}, {UNGROUPED: None}), UNGROUPED: Group()}
        self.hosts: dict[str, Variables] = {}
        self.sources: dict[str, str] = {}
        self.places: dict[str, Mark] = {}
        self._left: set[str] = set()
        self.problems: list[Diagnostic] = []
        self.unread = False
        """Whether there may be more hosts, groups and variables than were found."""
        self.warnings: list[Diagnostic] = []

    def add_group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group())

    def add_child(self, group: str, child: str, mark: Mark) -> None:
        below = self.below(child, mark)
        if child == group or group in below:
            message = (
                f"the group {child} would be within itself: it is above {group}"
                if child != group
                else (f"the group {child} is a child of itself")
            )
            self.problems.append(Diagnostic(mark, message, "take one of the two out of the other's children"))
            return
        self.groups[group].children[child] = None

    def add_host(self, name: str, group: str, source: str, port: int | None, mark: Mark) -> None:
        """The port counts where the host is named first, as in Ansible. Raises RefusedError."""
        if name not in self.hosts:
            if len(self.hosts) == HOSTS.most:
                raise RefusedError(
                    [Diagnostic(mark, f"the inventory has more hosts than hvctl takes ({HOSTS})", "divide it")]
                )
            self.hosts[name] = Variables()
            self.sources[name], self.places[name] = source, mark
            if port:
                self.hosts[name].put("ansible_port", port, mark)
        self.groups[group].hosts[name] = None

    def set_group_variable(self, group: str, name: str, value: Any, mark: Mark, *, vaulted: bool = False) -> None:
        if name != PRIORITY:
            self.groups[group].variables.put(name, value, mark, vaulted=vaulted)
            return
        try:
            self.groups[group].priority = _whole(meant(value))
        except (TypeError, ValueError, OverflowError):
            self.problems.append(Diagnostic(mark, f"{quoted(value)} is not a valid {PRIORITY}", "write a whole number"))

    def set_host_variable(self, host: str, name: str, value: Any, mark: Mark, *, vaulted: bool = False) -> None:
        """Where a group has the host's name, the variable is the group's, as in Ansible."""
        if host in self.groups:
            self.set_group_variable(host, name, value, mark, vaulted=vaulted)
        else:
            self.hosts[host].put(name, value, mark, vaulted=vaulted)

    def complete(self) -> None:
        """Every group is within all; hosts of no other group are in ungrouped, and no others."""
        inner = {c for g in self.groups.values() for c in g.children}
        for name in self.groups:
            if name != ALL and name not in inner:
                self.groups[ALL].children[name] = None
        ungrouped = self.groups[UNGROUPED].hosts
        for host, names in self._memberships().items():
            if not names - {ALL, UNGROUPED}:
                ungrouped[host] = None
            elif host in ungrouped:
                ungrouped.pop(host)
                self._left.add(host)  # it is not in ungrouped even if that has the host's group within it
        for name in self.groups.keys() & self.hosts.keys():
            hint = "the host is meant where a pattern names it, the group by its variables; rename one"
            self.warnings.append(Diagnostic(self.places[name], f"{name} is a group and a host", hint, "warning"))

    def below(self, name: str, mark: Mark | None = None) -> dict[str, None]:
        """The groups within a group, level by level, in the order of their parents. Raises RefusedError."""
        found: dict[str, None] = {}
        levels = 0
        level: Iterable[str] = self.groups[name].children
        while level := [c for c in dict.fromkeys(level) if c not in found]:
            found |= dict.fromkeys(level)
            levels += 1
            if levels > NESTING.most:
                message = f"the groups within {name} are nested too deeply ({NESTING})"
                raise RefusedError([Diagnostic(mark, message, "no inventory needs that")])
            level = [c for g in level for c in self.groups[g].children]
        return found

    def members(self, name: str) -> tuple[str, ...]:
        """A group's own hosts first, then those of the groups within it."""
        return tuple(dict.fromkeys(h for g in (name, *self.below(name)) for h in self.groups[g].hosts))

    def groups_of(self) -> dict[str, list[str]]:
        """Of each host the groups that it is in, the one that wins last. All is the first."""
        depths = self._depths()
        memberships = self._memberships()
        return {
            h: sorted(names, key=lambda g: (depths[g], self.groups[g].priority, g)) for h, names in memberships.items()
        }

    def _memberships(self) -> dict[str, set[str]]:
        above = self._above()
        found: dict[str, set[str]] = {host: {ALL} for host in self.hosts}
        for name, group in self.groups.items():
            for host in group.hosts:
                found[host] |= {name, *above[name]}
        for host in self._left:
            found[host].discard(UNGROUPED)
        return found

    def _above(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {name: set() for name in self.groups}
        for name in self._parents_first():
            for child in self.groups[name].children:
                found[child] |= {name, *found[name]}
        return found

    def _depths(self) -> dict[str, int]:
        """By the longest way down from all."""
        found = dict.fromkeys(self.groups, 0)
        for name in self._parents_first():
            for child in self.groups[name].children:
                found[child] = max(found[child], found[name] + 1)
        return found

    def _parents_first(self) -> Iterator[str]:
        waiting = dict.fromkeys(self.groups, 0)
        for group in self.groups.values():
            for child in group.children:
                waiting[child] += 1
        ready = [name for name, parents in waiting.items() if not parents]
        while ready:
            name = ready.pop()
            yield name
            for child in self.groups[name].children:
                waiting[child] -= 1
                if not waiting[child]:
                    ready.append(child)


def _whole(value: Any) -> int:
    """Raises ValueError, TypeError or OverflowError."""
    return whole(value.strip()) if isinstance(value, str) else int(value)
