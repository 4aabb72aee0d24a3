"""Hosts, groups and variables of an inventory; what patterns name and what variables hold."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path as File
from typing import Any

from hvctl.config.connection import Connection, connection_of
from hvctl.config.hostnames import PatternError, is_ip
from hvctl.config.inventory.reading import Reader
from hvctl.config.inventory.tree import ALL, Tree, Variables
from hvctl.config.inventory.variables import VariableFiles, folders_of, variables_of
from hvctl.config.misspelt import concerns
from hvctl.config.overlay import NOTHING, Overlay
from hvctl.config.patterns import limit_words, matching, words
from hvctl.config.secrets import Source
from hvctl.config.shield import SHIELDED, VAULT, shielded, shown
from hvctl.config.template import Evaluated, render
from hvctl.config.vault import Vault
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark
from hvctl.text.scalars import Settled
from hvctl.text.source import Document, SecretSource, suggest
from hvctl.text.visible import quoted
from hvctl.text.width import told, typed

__all__ = ["Connection", "Host", "Inventory", "PartlyLoadedError", "Source", "Unread"]

IMPLICIT = ("localhost", "127.0.0.1", "::1")
"""Ansible adds one of these where a pattern names it; hvctl changes no host that is not written down."""


@dataclass(frozen=True)
class Host:
    """A host, the places of its variables, and where it is named first. `groups`: as they rank; `vaulted`: variables
    that came encrypted."""

    name: str
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)
    marks: Mapping[str, Mark] = field(default_factory=dict, repr=False)
    mark: Mark | None = None
    groups: tuple[str, ...] = ()
    source: str = ""
    vaulted: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Unread:
    """Whether there may be more hosts, or variables, than could be read: nothing is said to be missing then."""

    hosts: bool = False
    variables: bool = False

    def __or__(self, other: Unread) -> Unread:
        return Unread(self.hosts or other.hosts, self.variables or other.variables)


class PartlyLoadedError(ConfigError):
    """Something in an inventory is wrong; `inventory` is the rest."""

    def __init__(self, problems: Iterable[Diagnostic], inventory: Inventory, unread: Unread) -> None:
        super().__init__(problems)
        self.inventory, self.unread = inventory, unread


@dataclass(frozen=True)
class Inventory:
    """What one or several inventory sources say together. `groups`: all members in their order; `own`: those that are
    in the group itself. `playbooks`: the folder whose group_vars and host_vars count too."""

    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]]
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    own: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[Diagnostic, ...] = ()
    file: str = ""
    playbooks: str = ""
    evaluated: dict[str, Evaluated] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What hosts asked of each other's variables."""
    _loaded: _Loaded | None = field(default=None, repr=False, compare=False)

    @classmethod
    def load(cls, given: str | File | Sequence[str], vault: Vault | None = None, *, scripts: bool = False) -> Inventory:
        """Of one source or several; later ones win. Raises PartlyLoadedError with all that is wrong in all files."""
        sources = (str(given),) if isinstance(given, str | File) else tuple(given)
        vault = vault or Vault()
        tree = Tree()
        for source in sources:
            Reader(tree, vault, programs=scripts).source(source)
        tree.complete()
        loaded = _Loaded(sources, tree, VariableFiles(vault))
        if not tree.problems:
            return loaded.inventory(None)
        problems, unread = [*tree.problems, *tree.warnings], Unread(tree.unread, tree.unread)
        try:
            found = loaded.inventory(None)
        except PartlyLoadedError as error:
            raise PartlyLoadedError([*problems, *error.problems], error.inventory, unread | error.unread) from error
        raise PartlyLoadedError(problems, found, unread)

    def beside(self, folder: str | File) -> Inventory:
        """The same inventory with the group_vars and host_vars of a playbook's folder. Raises PartlyLoadedError."""
        return self._loaded.inventory(File(folder)) if self._loaded else self

    def rest_beside(self, folder: str | File) -> Inventory:
        """As `beside`, with what could be read."""
        try:
            return self.beside(folder)
        except PartlyLoadedError as error:
            return error.inventory

    @property
    def folders(self) -> tuple[File, ...]:
        """Where the files of its sources stand."""
        return folders_of(self._loaded.sources) if self._loaded else ()

    def select(self, pattern: str | Sequence[str], limit: str | None = None) -> list[Host]:
        """The hosts that a pattern, or a list of them, names, in that order. A word that names nothing is an error."""
        patterns = [pattern] if isinstance(pattern, str) else pattern
        names = self._matching([w for p in patterns for w in words(p)])
        if limit:
            wanted = set(self._limited(limit))
            names = [n for n in names if n in wanted]
        return [self.hosts[n] for n in names]

    def limited(self, limit: str) -> list[Host]:
        """The hosts that a limit names: a pattern, or `@file` with a pattern in each line."""
        return [self.hosts[n] for n in self._limited(limit)]

    def _limited(self, limit: str) -> list[str]:
        try:
            found = limit_words(limit)
        except PatternError as error:
            raise _wrong_pattern(error) from error
        return self._matching(found)

    def _matching(self, wanted: Sequence[str]) -> list[str]:
        try:
            names, unknown = matching(wanted, self.hosts, self.groups)
        except PatternError as error:
            raise _wrong_pattern(error) from error
        if unknown:
            known = [*self.groups, *self.hosts]
            raise ConfigError(
                Diagnostic(
                    None,
                    f"{quoted(word)} names no host or group of {self.file or 'the inventory'}",
                    "hvctl adds no implicit localhost; write the host down"
                    if word in IMPLICIT
                    else self._in_half_width(word) or suggest(word, known) or "see hvctl inventory --graph",
                )
                for word in unknown
            )
        return names

    def _in_half_width(self, word: str) -> str:
        """What to type where that names something; letters and digits may be full-width in names."""
        for half in (typed(word, signs=True), typed(word)):
            if half and (found := words(half)) and not matching(found, self.hosts, self.groups)[1]:
                return told(word, half)
        return ""

    def variables(self, host: Host, over: Mapping[str, Any] = NOTHING.values) -> dict[str, Any]:
        """A host's variables with the ones that Ansible gives to every host, and others over them; secrets are there
        in name only."""
        return shielded({**self._variables(host), **over})

    def _variables(self, host: Host) -> dict[str, Any]:
        given = {"playbook_dir": os.path.abspath(self.playbooks)} if self.playbooks else {}  # noqa: PTH100
        return {
            **host.variables,
            **given,
            "inventory_hostname": host.name,
            "inventory_hostname_short": host.name if is_ip(host.name) else host.name.split(".")[0],
            "inventory_file": host.source,
            "inventory_dir": os.path.dirname(host.source) if os.path.isabs(host.source) else None,  # noqa: PTH117, PTH120
            "group_names": sorted(g for g in host.groups if g != ALL),
            **self._shared,
        }

    @cached_property
    def _shared(self) -> Mapping[str, Any]:
        """What all hosts are given, made once."""
        groups = Settled((g, list(members)) for g, members in self.groups.items())
        return {"groups": groups, "hostvars": _HostVars(self)}

    def connection(self, host: Host, over: Overlay = NOTHING) -> Connection:
        """How to reach a host, with variables over its own. Raises ConfigError for values that cannot be."""
        given = Overlay(host.variables, host.marks).under(over)
        document = Document(None, {(n,): m for n, m in given.marks.items()}, {}, self.file)
        own = {n: v for n, v in given.values.items() if concerns(n)}
        scope = {**self._variables(host), **over.values}
        others = [n for n in given.values if n not in own]
        rendered = render(own, scope, document, secrets=SHIELDED, typed=False)
        return connection_of(host.name, rendered, given.marks, host.mark, others)

    def as_list(self) -> dict[str, Any]:
        """As `ansible-inventory --list` prints it; where a secret is to be had stands in its place."""
        data: dict[str, Any] = {"_meta": {"hostvars": {h: v for h in self.groups[ALL] if (v := self._shown(h))}}}
        waiting = [ALL]
        while waiting:
            group = waiting.pop()
            own = () if group == ALL else self.own[group]
            children = self.children[group]
            if found := {k: list(v) for k, v in (("children", children), ("hosts", own)) if v}:
                data[group] = found
            waiting += [c for c in reversed(children) if c not in data]
        return data

    def _shown(self, host: str) -> dict[str, Any]:
        found = shown(self.hosts[host].variables)
        return {n: VAULT if n in self.hosts[host].vaulted else v for n, v in found.items()}

    def as_graph(self) -> str:
        """As `ansible-inventory --graph` prints it."""
        return "\n".join(self._graph(ALL, 0))

    def _graph(self, group: str, depth: int) -> Iterator[str]:
        bar = "  |" * depth + "--" * bool(depth)
        yield f"{bar}@{group}:"
        for child in self.children[group]:
            yield from self._graph(child, depth + 1)
        for host in () if group == ALL else self.own[group]:
            yield f"{'  |' * (depth + 1)}--{host}"


def _wrong_pattern(error: PatternError) -> ConfigError:
    message, _, hint = str(error).partition("; ")
    return ConfigError([Diagnostic(None, message, hint or "correct the pattern")])


class _HostVars(Mapping[str, Any]):
    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory

    def __getitem__(self, name: str) -> Any:
        known = self._inventory.evaluated
        if name not in known:
            variables = self._inventory.variables(self._inventory.hosts[name])
            known[name] = Evaluated({n: v for n, v in variables.items() if not isinstance(v, SecretSource)})
        return known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inventory.hosts)

    def __len__(self) -> int:
        return len(self._inventory.hosts)


def _same(one: File, other: File) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


@dataclass
class _Loaded:
    """What was read, from which an inventory is made for each folder of playbooks."""

    sources: tuple[str, ...]
    tree: Tree
    files: VariableFiles
    made: dict[File | None, Inventory | PartlyLoadedError] = field(default_factory=dict)

    def inventory(self, playbooks: File | None) -> Inventory:
        """Raises PartlyLoadedError with everything that is wrong in the files of variables."""
        if playbooks not in self.made:
            folders = folders_of(self.sources)
            try:
                if playbooks and len(folders) == 1 and _same(playbooks, folders[0]):
                    self.made[playbooks] = replace(self.inventory(None), playbooks=str(playbooks))
                else:
                    self.made[playbooks] = self._inventory(folders, playbooks)
            except PartlyLoadedError as error:  # every host asks again
                self.made[playbooks] = error
        found = self.made[playbooks]
        if isinstance(found, PartlyLoadedError):
            raise found
        return found

    def _inventory(self, folders: Sequence[File], playbooks: File | None) -> Inventory:
        tree, groups_of = self.tree, self.tree.groups_of()
        beside = (playbooks,) if playbooks else ()
        found = {h: variables_of(h, groups_of[h], tree, self.files, folders, beside) for h in tree.hosts}
        inventory = Inventory(
            {name: self._host(name, groups_of[name], variables) for name, variables in found.items()},
            {name: tree.members(name) for name in tree.groups},
            {name: tuple(group.children) for name, group in tree.groups.items()},
            {name: tuple(group.hosts) for name, group in tree.groups.items()},
            tuple(dict.fromkeys(tree.warnings)),
            ", ".join(self.sources),
            str(playbooks) if playbooks else "",
            self,
        )
        if self.files.problems:
            raise PartlyLoadedError(self.files.problems, inventory, Unread(variables=self.files.unread))
        return inventory

    def _host(self, name: str, groups: Sequence[str], found: Variables) -> Host:
        vaulted = frozenset(found.vaulted)
        tree = self.tree
        return Host(name, found.values, found.marks, tree.places[name], tuple(groups), tree.sources[name], vaulted)
