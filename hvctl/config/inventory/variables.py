"""A host's variables: those of its groups and its own, in the inventory and in files, and which of them win."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path as File

from hvctl.config.inventory.files import is_host_list, variable_files
from hvctl.config.inventory.tree import ALL, Tree, Variables
from hvctl.config.vault import Vault
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import PartlyReadError


def folders_of(sources: Iterable[str]) -> tuple[File, ...]:
    """Where group_vars and host_vars of an inventory stand: beside a file, in a folder."""
    paths = [File(os.path.expandvars(s)).expanduser() for s in sources if not is_host_list(s)]
    return tuple(dict.fromkeys(p if p.is_dir() else p.parent for p in paths))


@dataclass
class VariableFiles:
    """group_vars and host_vars of all folders; each file is read once. Problems are collected."""

    vault: Vault
    problems: list[Diagnostic] = field(default_factory=list)
    unread: bool = False
    """Whether there may be more variables than were found."""
    _read: dict[File, Variables] = field(default_factory=dict)
    _found: dict[tuple[File, str], list[File]] = field(default_factory=dict)
    _there: dict[File, bool] = field(default_factory=dict)

    def of(self, folders: Sequence[File], kind: str, names: Sequence[str]) -> Variables:
        """Folder after folder, so that a later folder wins over an earlier one even with a group that ranks lower."""
        found = Variables()
        for folder in filter(self._is_there, (f / kind for f in folders)):
            for name in names:
                for file in self._files(folder, name):
                    found.add(self._variables(file))
        return found

    def _is_there(self, folder: File) -> bool:
        """Asked once: an inventory may have more hosts than there are files of them."""
        if folder not in self._there:
            self._there[folder] = folder.exists()
        return self._there[folder]

    def _files(self, folder: File, name: str) -> list[File]:
        if (folder, name) not in self._found:
            try:
                self._found[folder, name] = variable_files(folder, name)
            except OSError as error:
                self._found[folder, name], self.unread = [], True
                message = f"{error.filename or folder} cannot be read: {error.strerror}"
                self.problems.append(Diagnostic(None, message, "make it readable for you"))
        return self._found[folder, name]

    def _variables(self, file: File) -> Variables:
        if file not in self._read:
            self._read[file] = Variables()
            try:
                self._read[file] = self._loaded(file)
            except ConfigError as error:
                self.problems += error.problems
                self.unread = True
        return self._read[file]

    def _loaded(self, file: File) -> Variables:
        try:
            document, encrypted = self.vault.load(file)
        except PartlyReadError as error:
            document, encrypted = error.document, False
            self.problems += error.problems
            self.unread |= bool(document.unread)
        if document.data is not None and not isinstance(document.data, dict):
            raise ConfigError([Diagnostic(document.mark(()), "variables are a mapping", "write `name: value` lines")])
        found = Variables()
        for name, value in (document.data or {}).items():
            if not document.lacks((name,), value):
                found.put(str(name), value, document.mark((name,)), vaulted=encrypted)
        return found


def variables_of(
    host: str,
    groups: Sequence[str],
    tree: Tree,
    files: VariableFiles,
    inventory: Sequence[File],
    playbook: Sequence[File],
) -> Variables:
    """As Ansible ranks them, the last wins: all and the other groups in the inventory; group_vars/all, of the inventory
    and beside the playbook; group_vars of the others, likewise; the host in the inventory; its host_vars, likewise.
    `groups`: as they rank."""
    others = [g for g in groups if g != ALL]
    found = Variables()
    for group in (ALL, *others):
        found.add(tree.groups[group].variables)
    for names in ((ALL,), others):
        for folders in (inventory, playbook):
            found.add(files.of(folders, "group_vars", names))
    found.add(tree.hosts[host])
    for folders in (inventory, playbook):
        found.add(files.of(folders, "host_vars", (host,)))
    return found
