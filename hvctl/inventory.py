"""Hosts, groups and variables, read from Ansible's inventories as they are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from hvctl.connection import Connection, connection_of
from hvctl.ini import load_ini
from hvctl.limits import HOSTS
from hvctl.number import is_whole, whole
from hvctl.patterns import PatternError, expand, matching
from hvctl.secrets import Source
from hvctl.shield import shielded, shown
from hvctl.source import (
    ConfigError,
    Document,
    Mark,
    Path,
    Problem,
    RefusedError,
    SecretSource,
    load,
    load_text,
    read_text,
    suggest,
)
from hvctl.template import render

__all__ = ["Connection", "Host", "Inventory", "Source"]

_GROUP_KEYS = ("hosts", "vars", "children")
_INI_SUFFIXES = ("", ".ini", ".cfg", ".hosts")
_IGNORED = (".bak", ".orig", ".retry", ".pyc", ".md", ".rst", ".txt", "~")


@dataclass(frozen=True)
class Host:
    """A host, the places of its variables, and where it is named first."""

    name: str
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    marks: Mapping[str, Mark] = field(default_factory=dict, repr=False)
    mark: Mark | None = None


@dataclass
class _Group:
    name: str
    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Mark] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True)
class Inventory:
    """What one or several inventory files say together."""

    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    file: str = ""

    @classmethod
    def load(cls, path: str | File) -> Inventory:
        """Raises ConfigError with everything that is wrong in all its files."""
        return _Loading(File(path)).inventory()

    @property
    def folders(self) -> tuple[File, ...]:
        """Where its files stand."""
        path = File(self.file)
        return (path if path.is_dir() else path.parent,)

    def select(self, pattern: str, limit: str | None = None) -> list[Host]:
        """The hosts that a pattern names, in inventory order. A word that names nothing is an error."""
        names = self._matching(pattern)
        if limit:
            wanted = set(self._matching(limit))
            names = [n for n in names if n in wanted]
        return [self.hosts[n] for n in names]

    def _matching(self, pattern: str) -> list[str]:
        try:
            names, unknown = matching(pattern, list(self.hosts), self.groups)
        except PatternError as error:
            raise ConfigError([Problem(None, str(error), "correct the pattern")]) from error
        if unknown:
            known = [*self.groups, *self.hosts]
            raise ConfigError(
                Problem(
                    None,
                    f"{word!r} names no host or group of {self.file or 'the inventory'}",
                    suggest(word, known) or "see hvctl inventory --graph",
                )
                for word in unknown
            )
        return names

    def variables(self, host: Host) -> dict[str, Any]:
        """A host's variables with the ones that Ansible gives to every host; secrets are there in name only."""
        return shielded(self._variables(host))

    def _variables(self, host: Host) -> dict[str, Any]:
        return {
            **host.variables,
            "inventory_hostname": host.name,
            "inventory_hostname_short": host.name.split(".")[0],
            "group_names": [g for g, members in self.groups.items() if host.name in members and g != "all"],
            "groups": {g: list(members) for g, members in self.groups.items()},
            "hostvars": _HostVars(self),
        }

    def connection(self, host: Host) -> Connection:
        """How to reach a host. Raises ConfigError for values that cannot be."""
        document = Document(None, {(n,): m for n, m in host.marks.items()}, {}, self.file)
        own = {n: v for n, v in host.variables.items() if n.startswith(("ansible_", "hvctl_"))}
        secret = {n: v for n, v in own.items() if isinstance(v, SecretSource)}
        rendered = render({n: v for n, v in own.items() if n not in secret}, self._variables(host), document)
        return connection_of(host.name, {**rendered, **secret}, host.marks, host.mark)

    def as_list(self) -> dict[str, Any]:
        """As `ansible-inventory --list` prints it; where a secret is to be had stands in its place."""
        data: dict[str, Any] = {"_meta": {"hostvars": {h.name: shown(h.variables) for h in self.hosts.values()}}}
        for group, members in self.groups.items():
            children = list(self.children.get(group, ()))
            own = [m for m in members if not any(m in self.groups[c] for c in children)]
            data[group] = {k: v for k, v in (("children", children), ("hosts", own)) if v}
        return data

    def as_graph(self) -> str:
        """As `ansible-inventory --graph` prints it."""
        return "\n".join(self._graph("all", 0))

    def _graph(self, group: str, depth: int) -> Iterator[str]:
        bar = "  |" * depth + "--" * bool(depth)
        yield f"{bar}@{group}:"
        children = self.children.get(group, ())
        for child in children:
            yield from self._graph(child, depth + 1)
        for host in self.groups[group]:
            if not any(host in self.groups[c] for c in children):
                yield f"{'  |' * (depth + 1)}--{host}"


class _HostVars(Mapping[str, Any]):
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def __getitem__(self, name: str) -> Any:
        variables = shielded(self._inventory.hosts[name].variables)
        return {n: v for n, v in variables.items() if not isinstance(v, SecretSource)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._inventory.hosts)

    def __len__(self) -> int:
        return len(self._inventory.hosts)


class _Loading:
    """Reads the files and puts groups, hosts and variables together."""

    def __init__(self, path: File) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.groups: dict[str, _Group] = {"all": _Group("all"), "ungrouped": _Group("ungrouped")}
        self.host_variables: dict[str, dict[str, Any]] = {}
        self.host_marks: dict[str, dict[str, Mark]] = {}
        self.host_places: dict[str, Mark] = {}

    def inventory(self) -> Inventory:
        for file in self._files():
            try:
                self._file(file)
            except RefusedError:
                raise
            except ConfigError as error:
                self.problems += error.problems
        self._circles()
        if self.problems:
            raise ConfigError(self.problems)
        self._complete()
        members = {name: tuple(self._members(name)) for name in self.groups}
        hosts = {name: self._host(name, members) for name in self.host_variables}
        if self.problems:
            raise ConfigError(self.problems)
        children = {name: tuple(group.children) for name, group in self.groups.items()}
        kept = {g: m for g, m in members.items() if g != "ungrouped" or m}
        children["all"] = tuple(c for c in children["all"] if c in kept)
        return Inventory(hosts, kept, children, tuple(self.warnings), str(self.path))

    def _files(self) -> list[File]:
        if not self.path.is_dir():
            return [self.path]
        found = sorted(f for f in self.path.iterdir() if f.is_file() and not f.name.startswith("."))
        files = [f for f in found if not f.name.endswith(_IGNORED)]
        if not files:
            self.problems.append(Problem(None, f"{self.path} holds no inventory", "put a file with hosts into it"))
        return files

    def _file(self, file: File) -> None:
        text = read_text(file)
        document = load_ini(text, str(file)) if _is_ini(file, text) else load_text(text, str(file))
        if document.data is None:
            return
        if not isinstance(document.data, dict):
            mark = document.mark(())
            raise ConfigError([Problem(mark, "an inventory is a mapping of groups", "begin with `all:`")])
        for name, data in document.data.items():
            self._group(str(name), data, document, (name,))

    def _group(self, name: str, data: Any, document: Document, path: Path) -> None:
        group = self.groups.setdefault(name, _Group(name))
        if data is None:
            return
        if not isinstance(data, dict):
            self._wrong(document, path, f"the group {name} is a mapping", "write hosts, vars or children below it")
            return
        for key in data:
            if key not in _GROUP_KEYS:
                mark = document.key_marks.get((*path, key))
                hint = suggest(str(key), _GROUP_KEYS) or "known are hosts, vars and children"
                self.problems.append(Problem(mark, f"unknown key {key!r} in the group {name}", hint))
        for pattern, variables in self._mapping(data, "hosts", document, path):
            self._hosts(group, str(pattern), variables, document, (*path, "hosts", pattern))
        for key, value in self._mapping(data, "vars", document, path):
            group.variables[str(key)] = value
            group.marks[str(key)] = document.mark((*path, "vars", key))
        for child, inner in self._mapping(data, "children", document, path):
            group.children[str(child)] = document.key_marks.get((*path, "children", child)) or document.mark(path)
            self._group(str(child), inner, document, (*path, "children", child))

    def _hosts(self, group: _Group, pattern: str, variables: Any, document: Document, path: Path) -> None:
        name, port = _port_of(pattern)
        try:
            names = expand(name)
        except PatternError as error:
            self._wrong(document, path, str(error), "correct the range")
            return
        if variables is not None and not isinstance(variables, dict):
            self._wrong(document, path, f"the variables of {pattern} are a mapping", "write `name: value`")
            return
        if len(self.host_variables) + len(names) > HOSTS.most:
            problem = f"the inventory has more hosts than hvctl takes ({HOSTS})"
            raise RefusedError([Problem(document.mark(path), problem, "divide it")])
        for host in names:
            group.hosts[host] = None
            self.host_places.setdefault(host, document.key_marks.get(path) or document.mark(path))
            own = self.host_variables.setdefault(host, {})
            marks = self.host_marks.setdefault(host, {})
            if port is not None:
                own["ansible_port"], marks["ansible_port"] = port, document.mark(path)
            for key, value in (variables or {}).items():
                own[str(key)], marks[str(key)] = value, document.mark((*path, key))

    def _mapping(self, data: Any, key: str, document: Document, path: Path) -> Iterable[tuple[Any, Any]]:
        value = data.get(key)
        if value is None:
            return ()
        if isinstance(value, str) and key == "hosts":
            return ((value, None),)
        if not isinstance(value, dict):
            self._wrong(
                document, (*path, key), f"{key} is a mapping, not a list", "write each name with a colon after it"
            )
            return ()
        return tuple(value.items())

    def _circles(self) -> None:
        for name, group in self.groups.items():
            for child, place in group.children.items():
                if child == name or name in self._below(child):
                    message = f"the group {name} is within itself: {child} stands above it"
                    self.problems.append(Problem(place, message, "take it out here or there"))

    def _below(self, name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        found: set[str] = set()
        for child in self.groups[name].children:
            if child not in seen:
                found |= {child} | (self._below(child, seen | {child}) if child in self.groups else set())
        return found

    def _complete(self) -> None:
        """Every group is in all; hosts of no group are ungrouped."""
        inner = {c for g in self.groups.values() for c in g.children}
        for name in self.groups:
            if name != "all" and name not in inner:
                self.groups["all"].children[name] = Mark("", 1, 1)
        grouped = {h for n, g in self.groups.items() if n not in ("all", "ungrouped") for h in g.hosts}
        for host in self.host_variables:
            if host not in grouped:
                self.groups["ungrouped"].hosts[host] = None

    def _members(self, name: str) -> list[str]:
        names = {name, *self._below(name)} if name != "all" else set(self.groups)
        return [h for h in self.host_variables if any(h in self.groups[n].hosts for n in names)]

    def _host(self, name: str, members: Mapping[str, tuple[str, ...]]) -> Host:
        """Variables as Ansible ranks them: groups in the inventory, group_vars/all, group_vars of the others,
        the host in the inventory, host_vars."""
        variables: dict[str, Any] = {}
        marks: dict[str, Mark] = {}

        def add(found: Mapping[str, Any], places: Mapping[str, Mark]) -> None:
            variables.update(found)
            marks.update({k: places[k] for k in found if k in places})

        groups = sorted((g for g in self.groups if name in members[g]), key=self._rank)
        for group in groups:
            add(self.groups[group].variables, self.groups[group].marks)
        for group in groups:
            add(*self._beside("group_vars", group))
        add(self.host_variables[name], self.host_marks[name])
        add(*self._beside("host_vars", name))
        return Host(name, variables, marks, self.host_places[name])

    def _rank(self, group: str) -> tuple[int, int, str]:
        priority = self.groups[group].variables.get("ansible_group_priority", 1)
        return (self._depth(group), priority if isinstance(priority, int) else 1, group)

    def _depth(self, group: str) -> int:
        above = [g for g, data in self.groups.items() if group in data.children]
        return 1 + max((self._depth(g) for g in above), default=-1)

    def _beside(self, folder: str, name: str) -> tuple[dict[str, Any], dict[str, Mark]]:
        base = (self.path if self.path.is_dir() else self.path.parent) / folder
        variables: dict[str, Any] = {}
        marks: dict[str, Mark] = {}
        for file in _variable_files(base, name):
            if file not in self._cache:
                self._cache[file] = self._variables(file)
            found, places = self._cache[file]
            variables |= found
            marks |= places
        return variables, marks

    @property
    def _cache(self) -> dict[File, tuple[dict[str, Any], dict[str, Mark]]]:
        found: dict[File, tuple[dict[str, Any], dict[str, Mark]]] = self.__dict__.setdefault("_read", {})
        return found

    def _variables(self, file: File) -> tuple[dict[str, Any], dict[str, Mark]]:
        try:
            document = load(file)
        except ConfigError as error:
            self.problems += error.problems
            return {}, {}
        if document.data is not None and not isinstance(document.data, dict):
            self._wrong(document, (), "variables are a mapping", "write `name: value` lines")
            return {}, {}
        data = document.data or {}
        return data, {str(k): document.mark((k,)) for k in data}

    def _wrong(self, document: Document, path: Path, message: str, hint: str) -> None:
        self.problems.append(Problem(document.mark(path), message, hint))


def _variable_files(base: File, name: str) -> list[File]:
    if not name or "/" in name or "\0" in name or len(os.fsencode(name)) > 200:
        return []  # no name of a file
    found = [base / (name + suffix) for suffix in ("", ".yml", ".yaml", ".json")]
    files = [f for f in found if f.is_file()]
    folder = base / name
    if folder.is_dir():
        files += sorted(f for f in folder.iterdir() if f.is_file() and f.suffix in ("", ".yml", ".yaml", ".json"))
    return files


def _is_ini(file: File, text: str) -> bool:
    if file.suffix in (".yml", ".yaml", ".json"):
        return False
    if file.suffix in _INI_SUFFIXES:
        first = next((s for line in text.splitlines() if (s := line.strip()) and s[0] not in "#;"), "")
        return not (first == "---" or first.endswith(":") or first.startswith("{"))
    return True


def _port_of(pattern: str) -> tuple[str, int | None]:
    """`host:5986` → name and port; a range's colon and an IPv6 address are no port."""
    head, colon, tail = pattern.rpartition(":")
    outside = head.count("[") == head.count("]") and (":" not in head or "[" in head)
    return (head, whole(tail)) if colon and is_whole(tail) and outside else (pattern, None)
