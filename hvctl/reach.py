"""One host's connection in a run, from its inventory, the plays that are for it and the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hvctl.inventory import Connection, Host, Inventory
from hvctl.overlay import NOTHING, Overlay
from hvctl.playbook import Play
from hvctl.source import ConfigError, Mark, Problem, SecretSource
from hvctl.winrm.limits import VARIABLES as LIMITS

_VARIABLES = {
    "host": "ansible_host", "port": "ansible_port", "user": "ansible_user", "password": "ansible_password",
    "verify": "ansible_winrm_server_cert_validation", "ca_path": "ansible_winrm_ca_trust_path", "os": "hvctl_os",
}  # fmt: skip
"""Where a connection's field does not come from ansible_winrm_ and its name."""
_NO_VARIABLES = ("name", "warnings", "wiring")


def connection_for(
    inventory: Inventory, host: Host, plays: Sequence[Play], over: Overlay = NOTHING
) -> tuple[Connection, list[Problem]]:
    """As Ansible ranks them: the command line over a play's variables over the inventory's, to which the files beside the
    playbook belong; and its warnings. Raises ConfigError, also if two plays would reach the host in different ways: it is
    reached in one way per run."""
    ways: list[_Way] = []
    for play in plays:
        way = _Way.of(inventory, host, play)
        if not any(way == earlier for earlier in ways):
            ways.append(way)
    first: Connection | None = None
    warnings: list[Problem] = []
    for way in ways:
        made = way.inventory.connection(way.host, Overlay(way.play.variables, way.play.marks).under(over))
        warnings += made.warnings
        if first is None:
            first = made
        elif problems := list(_differing(first, ways[0], made, way)):
            raise ConfigError([*problems, *warnings])
    if first is None:
        first = inventory.connection(host, over)
        warnings += first.warnings
    return first, list(dict.fromkeys(warnings))


def different(one: Connection, other: Connection) -> Iterator[tuple[str, Any, Any]]:
    """The variables by which one reaches a host otherwise than the other, with both values; passwords by their sources."""
    before, now = _variables(one), _variables(other)
    yield from ((n, before.get(n), now.get(n)) for n in {**before, **now} if before.get(n) != now.get(n))


def _variables(connection: Connection) -> dict[str, Any]:
    wiring = connection.wiring
    found = {f.name: getattr(connection, f.name) for f in fields(Connection) if f.name not in _NO_VARIABLES}
    found["password"] = _plain(connection.password)
    return {
        **{_VARIABLES.get(name, f"ansible_winrm_{name}"): value for name, value in found.items()},
        **{f"ansible_winrm_{name}": value for name, value in wiring.options.items()},
        **{variable: getattr(wiring.limits, name) for name, variable in LIMITS.items()},
        "ansible_winrm_operation_timeout_sec": wiring.timeouts,
    }


@dataclass(frozen=True)
class _Way:
    """What reaches a host for a play. Plays whose variables and folders are the same have one."""

    variables: Mapping[str, Any] = field(repr=False)
    playbooks: str
    inventory: Inventory = field(compare=False, repr=False)
    host: Host = field(compare=False)
    play: Play = field(compare=False)
    beside: Mapping[str, Mark] = field(compare=False)
    """Variables of files beside the playbook."""

    @classmethod
    def of(cls, inventory: Inventory, host: Host, play: Play) -> _Way:
        here = inventory.beside(play.folder)
        found = here.hosts[host.name]
        beside = {name: mark for name, mark in found.marks.items() if mark != host.marks.get(name)}
        return cls(play.variables, here.playbooks, here, found, play, beside)

    def place(self, name: str) -> Mark:
        written = self.play.marks.get(name) or self.beside.get(name)
        return written or self.play.document.mark(self.play.path)


def _differing(one: Connection, first: _Way, other: Connection, second: _Way) -> Iterator[Problem]:
    for name, was, now in different(one, other):
        told = "another one" if name == _VARIABLES["password"] else f"{_said(now)}, not {_said(was)}"
        yield Problem(
            second.place(name),
            f"{one.name}: {name} is {told} as for the play at {first.place(name)}",
            "a host is reached in one way per run: set it in the inventory, or run the plays one by one",
        )


def _said(value: Any) -> str:
    return "not set" if value is None else str(value)


def _plain(value: Any) -> Any:
    return (value.kind, value.words) if isinstance(value, SecretSource) else value
