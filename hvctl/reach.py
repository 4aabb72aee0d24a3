"""One host's connection in a run, from its inventory, the plays that are for it and the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from hvctl.inventory import Connection, Host, Inventory
from hvctl.overlay import NOTHING, Overlay
from hvctl.playbook import Play
from hvctl.source import ConfigError, Mark, Problem, SecretSource

_VARIABLES = {
    "host": "ansible_host", "port": "ansible_port", "user": "ansible_user", "password": "ansible_password",
    "verify": "ansible_winrm_server_cert_validation", "ca_path": "ansible_winrm_ca_trust_path", "os": "hvctl_os",
}  # fmt: skip
"""Where a connection's field does not come from ansible_winrm_ and its name."""
_SECRET = ("password",)


def connection_for(
    inventory: Inventory, host: Host, plays: Sequence[Play], over: Overlay = NOTHING
) -> tuple[Connection, list[Problem]]:
    """As Ansible ranks them: the command line over a play's variables over the inventory's; and its warnings. Raises
    ConfigError, also if two plays would reach the host in different ways: it is reached in one way per run."""
    first: tuple[Connection, Play] | None = None
    warnings: list[Problem] = []
    for n, play in enumerate(plays):
        if any(play.variables == earlier.variables for earlier in plays[:n]):
            continue
        made = inventory.connection(host, Overlay(play.variables, play.marks).under(over))
        warnings += made.warnings
        if first is None:
            first = made, play
        elif problems := list(_differing(host, *first, made, play)):
            raise ConfigError([*problems, *warnings])
    if first is None:
        made = inventory.connection(host, over)
        return made, list(made.warnings)
    return first[0], list(dict.fromkeys(warnings))


def _differing(host: Host, one: Connection, first: Play, other: Connection, second: Play) -> Iterator[Problem]:
    for field in fields(Connection):
        was, now = _plain(getattr(one, field.name)), _plain(getattr(other, field.name))
        if field.name in ("name", "warnings") or was == now:
            continue
        name = _VARIABLES.get(field.name, f"ansible_winrm_{field.name}")
        told = "another one" if field.name in _SECRET else f"{now}, not {was}"
        yield Problem(
            _place(second, name),
            f"{host.name}: {name} is {told} as for the play at {_place(first, name)}",
            "a host is reached in one way per run: set it in the inventory, or run the plays one by one",
        )


def _plain(value: Any) -> Any:
    return (value.kind, value.words) if isinstance(value, SecretSource) else value


def _place(play: Play, name: str) -> Mark:
    return play.marks.get(name) or play.document.mark(play.path)
