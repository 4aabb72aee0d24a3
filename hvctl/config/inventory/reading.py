"""Inventory files of each form → the tree, statement by statement in the order in which they are written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from hvctl.config.hostnames import PatternError, address, named
from hvctl.config.ini import ChildLine, HostLine, Section, VariableLine, load_ini
from hvctl.config.inventory.files import ENDINGS, files_of, is_host_list
from hvctl.config.inventory.script import Script
from hvctl.config.inventory.tree import UNGROUPED, Tree
from hvctl.config.vault import Vault, is_program, is_vault
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark, RefusedError
from hvctl.text.source import Document, PartlyReadError, Path, name_of, read_text, suggest
from hvctl.text.visible import quoted

_GROUP_KEYS = ("hosts", "vars", "children")
_ANSIBLE_ONLY = "hvctl does not run it; write its hosts down: `ansible-inventory --list -i FILE > hosts.json`"


@dataclass(frozen=True)
class Reader:
    """`programs`: inventory scripts may be run."""

    tree: Tree
    vault: Vault
    programs: bool = False

    def source(self, given: str) -> None:
        """Problems are the tree's."""
        if is_host_list(given):
            self._host_list(given)
            return
        try:
            files = files_of(given)
        except ConfigError as error:
            self.tree.problems += error.problems
            self.tree.unread = True
            return
        for file in files:
            try:
                self._file(file)
            except RefusedError:
                raise
            except ConfigError as error:
                self.tree.problems += error.problems
                self.tree.unread = True

    def _host_list(self, given: str) -> None:
        mark = Mark("-i", 1, 1)
        for word in filter(None, (w.strip() for w in given.split(","))):
            found = address(word)
            plain = found if found and "[" not in found.name else None
            name = plain.name if plain else word
            if name not in self.tree.hosts:
                self.tree.add_host(name, UNGROUPED, given, plain.port if plain else None, mark)

    def _file(self, file: File) -> None:
        where = os.path.abspath(file)  # noqa: PTH100 - as inventory_file says it: a link stays one
        if _is_script(file):
            Script(file, where, self.tree, self.vault, may_run=self.programs).read()
            return
        if file.suffix == ".toml":
            message = f"{name_of(file)} is a TOML inventory, which hvctl does not read"
            raise ConfigError([Diagnostic(Mark(name_of(file), 1, 1), message, "write it as YAML")])
        text = read_text(file)
        if not text.strip():
            return
        self._text(text, file, where)

    def _text(self, text: str, file: File, where: str) -> None:
        """YAML where the ending allows it and the text is a mapping; INI where it is not, as in Ansible."""
        encrypted = is_vault(text)
        plain = self.vault.text(text, Mark(name_of(file), 1, 1)) if encrypted else text
        if file.suffix not in ENDINGS:
            self._ini(plain, name_of(file), where, encrypted=encrypted)
            return
        try:
            document = self._yaml(text, file, partly=not _looks_like_ini(plain))
            _check_shape(document)
        except ConfigError as error:
            if file.suffix and not _looks_like_ini(plain):
                raise
            if not _looks_like_ini(plain) and load_ini(plain, name_of(file))[1]:
                raise error from None
            self._ini(plain, name_of(file), where, encrypted=encrypted)
            return
        YamlGroups(self.tree, document, where, encrypted).read()

    def _yaml(self, text: str, file: File, *, partly: bool) -> Document:
        """`partly`: with the problems collected, if there is something beside them. Raises ConfigError."""
        try:
            return self.vault.read(text, name_of(file))[0]
        except PartlyReadError as error:
            if not partly:
                raise
            _check_shape(error.document)
            self.tree.problems += error.problems
            self.tree.unread |= bool(error.document.unread)
            return error.document

    def _ini(self, text: str, file: str, where: str, *, encrypted: bool) -> None:
        """A child counts from where its own section stands."""
        tree, section = self.tree, Section(UNGROUPED, "hosts", Mark(file, 1, 1))
        waiting: dict[str, list[ChildLine]] = {}
        parents: dict[int, str] = {}
        only_variables: dict[str, Section] = {}
        statements, unreadable = load_ini(text, file)
        for statement in statements:
            match statement:
                case Section(group=group, part=part):
                    section = statement
                    if part == "vars":
                        if group not in tree.groups and group not in waiting:
                            only_variables[group] = statement
                        tree.add_group(group)
                        continue
                    tree.add_group(group)
                    only_variables.pop(group, None)
                    for line in waiting.pop(group, ()):
                        tree.add_child(parents[id(line)], group, line.mark)
                case HostLine(names=names, port=port, variables=variables, mark=mark):
                    for host in names:
                        tree.add_host(host, section.group, where, port, mark)
                        for key, value in self._secret(variables, encrypted).items():
                            tree.set_host_variable(host, key, value, mark, vaulted=encrypted)
                case VariableLine(name=name, value=value, mark=mark):
                    value = self._secret({name: value}, encrypted)[name]
                    tree.set_group_variable(section.group, name, value, mark, vaulted=encrypted)
                case ChildLine(name=child, mark=mark):
                    if child in tree.groups:
                        tree.add_child(section.group, child, mark)
                    else:
                        parents[id(statement)] = section.group
                        waiting.setdefault(child, []).append(statement)
        problems = [*unreadable, *(_undefined(line, parents[id(line)]) for lines in waiting.values() for line in lines)]
        problems += [
            Diagnostic(
                s.mark, f"[{name}:vars] is for a group that is not defined", f"write [{name}], or correct the name"
            )
            for name, s in only_variables.items()
        ]
        if problems:
            raise ConfigError(problems)

    def _secret(self, variables: Mapping[str, Any], encrypted: bool) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.vault.secret(variables) if encrypted else variables
        return found


def _undefined(line: ChildLine, parent: str) -> Diagnostic:
    hint = f"write [{line.name}], or correct the name"
    return Diagnostic(line.mark, f"[{parent}:children] names the group {line.name}, which is not defined", hint)


def _is_script(file: File) -> bool:
    try:
        with file.open("rb") as opened:
            return is_program(file, opened.read(4))
    except (OSError, ValueError):
        return False  # told when it is read


def _looks_like_ini(text: str) -> bool:
    first = next((s for line in text.splitlines() if (s := line.strip()) and s[0] not in "#;"), "")
    return first.startswith("[") or not (first == "---" or ":" in first or first[:1] in "{-")


def _check_shape(document: Document) -> None:
    """Raises ConfigError for what is not a mapping of groups."""
    data, mark = document.data, document.mark(())
    if data is not None and not isinstance(data, dict):
        raise ConfigError([Diagnostic(mark, "an inventory is a mapping of groups", "begin with `all:`")])
    if data and isinstance(data.get("plugin"), str):
        message = f"this configures Ansible's inventory plugin {data['plugin']}"
        raise ConfigError([Diagnostic(document.mark(("plugin",)), message, _ANSIBLE_ONLY)])


@dataclass
class YamlGroups:
    """A YAML or JSON inventory."""

    tree: Tree
    document: Document
    where: str
    encrypted: bool = False

    def read(self) -> None:
        for name, data in (self.document.data or {}).items():
            self._group(str(name), data, (name,))

    def _group(self, name: str, data: Any, path: Path) -> None:
        self.tree.add_group(name)
        if data is None:
            return
        if not isinstance(data, dict):
            self._wrong(path, f"the group {name} is a mapping", "write hosts, vars or children below it")
            return
        for key in data:
            match key:
                case "hosts":
                    for pattern, variables in self._entries(data, "hosts", path):
                        self._hosts(name, str(pattern), variables, (*path, "hosts", pattern))
                case "vars":
                    for variable, value in self._entries(data, "vars", path):
                        if self.document.lacks((*path, "vars", variable), value):
                            continue
                        mark = self.document.mark((*path, "vars", variable))
                        self.tree.set_group_variable(name, str(variable), value, mark, vaulted=self.encrypted)
                case "children":
                    for child, inner in self._entries(data, "children", path):
                        self.tree.add_group(str(child))
                        self.tree.add_child(name, str(child), self._key_mark((*path, "children", child)))
                        self._group(str(child), inner, (*path, "children", child))
                case _:
                    hint = suggest(str(key), _GROUP_KEYS) or "known are hosts, vars and children"
                    mark = self._key_mark((*path, key))
                    self.tree.problems.append(Diagnostic(mark, f"unknown key {quoted(key)} in the group {name}", hint))

    def _hosts(self, group: str, pattern: str, variables: Any, path: Path) -> None:
        try:
            names, port = named(pattern)
        except PatternError as error:
            message, _, hint = str(error).partition("; ")
            self._wrong(path, message, hint or "correct the range")
            return
        if variables is not None and not isinstance(variables, dict):
            self._wrong(path, f"the variables of {pattern} are a mapping", "write `name: value`")
            return
        if not pattern:
            self._wrong(path, "a host has no name", "write one")
            return
        for host in names:
            self.tree.add_host(host, group, self.where, port, self._key_mark(path))
            for key, value in (variables or {}).items():
                if self.document.lacks((*path, key), value):
                    continue
                place = self.document.mark((*path, key))
                self.tree.set_host_variable(host, str(key), value, place, vaulted=self.encrypted)

    def _entries(self, data: Mapping[str, Any], key: str, path: Path) -> Iterator[tuple[Any, Any]]:
        value = data[key]
        if isinstance(value, str) and key != "vars":  # one name, as Ansible allows it
            yield value, None
        elif isinstance(value, dict):
            yield from value.items()
        elif value is not None:
            self._wrong((*path, key), f"{key} is a mapping, not a list", "write each name with a colon after it")

    def _key_mark(self, path: Path) -> Mark:
        return self.document.key_marks.get(path) or self.document.mark(path)

    def _wrong(self, path: Path, message: str, hint: str) -> None:
        self.tree.problems.append(Diagnostic(self.document.mark(path), message, hint))
