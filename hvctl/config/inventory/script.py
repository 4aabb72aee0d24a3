"""An executable inventory: it prints groups, hosts and variables as JSON, and runs only if that was allowed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from hvctl.config.inventory.tree import Tree
from hvctl.config.vault import Vault
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark
from hvctl.text.program import ProgramError, Ran, ran
from hvctl.text.source import SecretSource, name_of

_SECONDS = 120
_MOST = 50_000_000
_ERRORS_SHOWN = 2_000
_PARTS = ("hosts", "vars", "children")


@dataclass
class Script:
    """`where`: its absolute path."""

    file: File
    where: str
    tree: Tree
    vault: Vault
    may_run: bool

    def read(self) -> None:
        """Raises ConfigError."""
        if not self.may_run:
            hint = "allow inventory scripts with --inventory-scripts, if you trust it"
            raise self._wrong(f"{name_of(self.file)} is a program, which would run on this computer", hint)
        data = self._json("--list")
        meta = data.pop("_meta", None)
        hosts: dict[str, None] = {}
        for name, group in data.items():
            hosts |= dict.fromkeys(self._group(name, group))
        known = self._known(meta)
        for host in hosts:
            variables = self._json("--host", host) if known is None else known.get(host, {})
            for key, value in self._mapping(variables, f"the variables of {host}").items():
                self.tree.set_host_variable(host, key, self._value(value), self._mark)

    def _known(self, meta: Any) -> Mapping[str, Any] | None:
        """The variables that came with the list; None: each host is to be asked for."""
        if meta is None:
            return None
        found = self._mapping(meta, "_meta")
        profile = found.get("profile", "inventory_legacy")
        if profile != "inventory_legacy":
            raise self._wrong(f"it answers in the profile {profile}, which hvctl does not read", "use inventory_legacy")
        return self._mapping(found.get("hostvars"), "_meta.hostvars")

    def _group(self, name: str, data: Any) -> list[str]:
        """Its hosts. A list is its hosts; a mapping without hosts, vars and children, the variables of a host of the
        group's name."""
        if not isinstance(data, dict):
            data = {"hosts": data}
        elif not any(part in data for part in _PARTS):
            data = {"hosts": [name], "vars": data}
        self.tree.add_group(name)
        hosts = self._names(data.get("hosts", []), f"{name}.hosts")
        for host in hosts:
            self.tree.add_host(host, name, self.where, None, self._mark)
        for key, value in self._mapping(data.get("vars", {}), f"{name}.vars").items():
            self.tree.set_group_variable(name, key, self._value(value), self._mark)
        for child in self._names(data.get("children", []), f"{name}.children"):
            self.tree.add_group(child)
            self.tree.add_child(name, child, self._mark)
        return hosts

    def _json(self, *words: str) -> dict[str, Any]:
        done = self._ran(words)
        try:
            text = done.out.decode("utf-8")
            data = json.loads(text) if text.strip() or words[0] == "--list" else {}
        except (ValueError, RecursionError) as error:
            raise self._wrong(f"what it printed for {words[0]} is not JSON: {error}", _said(done)) from error
        return self._mapping(data, f"what it printed for {words[0]}")

    def _ran(self, words: Iterable[str]) -> Ran:
        try:
            done = ran([self.where, *words], seconds=_SECONDS, most=_MOST)
        except ProgramError as error:
            raise self._wrong(f"the inventory script {name_of(self.file)} failed: {error}") from error
        if done.status:
            raise self._wrong(f"the inventory script {name_of(self.file)} ended with status {done.status}", _said(done))
        if said := _said(done):
            self.tree.warnings.append(Diagnostic(self._mark, f"the inventory script {said}", "", "warning"))
        return done

    def _value(self, value: Any) -> Any:
        """`{"__ansible_vault": TEXT}` is an encrypted value."""
        if isinstance(value, dict):
            if isinstance(text := value.get("__ansible_vault"), str) and len(value) == 1:
                return self.vault.value(SecretSource("vault", (text,), self._mark))
            return {k: self._value(v) for k, v in value.items()}
        return [self._value(v) for v in value] if isinstance(value, list) else value

    def _mapping(self, value: Any, what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(f"{what} is not a mapping", "see Ansible's page on developing dynamic inventory")
        return value

    def _names(self, value: Any, what: str) -> list[str]:
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise self._wrong(f"{what} is not a list of names", "see Ansible's page on developing dynamic inventory")
        return value

    def _wrong(self, message: str, hint: str = "") -> ConfigError:
        return ConfigError([Diagnostic(self._mark, message, hint)])

    @property
    def _mark(self) -> Mark:
        return Mark(name_of(self.file), 1, 1)


def _said(done: Ran) -> str:
    errors = done.err.decode("utf-8", "replace").strip()
    return f"said: {errors[-_ERRORS_SHOWN:]}" if errors else ""
