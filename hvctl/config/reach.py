"""One host's connection in a run, from its inventory, the plays that are for it and the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from hvctl.config.inventory import Connection, Host, Inventory
from hvctl.config.overlay import NOTHING, Overlay
from hvctl.config.playbook import Play
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark
from hvctl.text.source import SecretSource
from hvctl.winrm.limits import VARIABLES as LIMITS

_VARIABLES = {
    "host": "ansible_host", "port": "ansible_port", "user": "ansible_user", "password": "ansible_password",
    "verify": "ansible_winrm_server_cert_validation", "ca_path": "ansible_winrm_ca_trust_path", "os": "hvctl_os",
}  # fmt: skip
"""Where a connection's field does not come from ansible_winrm_ and its name."""
_NO_VARIABLES = ("name", "warnings", "wiring")


@dataclass(frozen=True)
class _Way:
    """A connection and the play that it is for. `marks`: of the host's variables with those of the play's folder,
    `everywhere` without."""

    connection: Connection
    play: Play
    marks: Mapping[str, Mark]
    everywhere: Mapping[str, Mark]

    def place(self, name: str) -> Mark:
        """Where the play or its folder gives a variable; else where the play is."""
        if name in self.play.marks:
            return self.play.marks[name]
        if name in self.marks and self.marks[name] != self.everywhere.get(name):
            return self.marks[name]
        return self.play.document.mark(self.play.path)


def connection_for(
    inventory: Inventory, host: Host, plays: Sequence[Play], over: Overlay = NOTHING
) -> tuple[Connection, list[Diagnostic]]:
    """As Ansible ranks them: the command line over a play's variables over the inventory's; and its warnings. Raises
    ConfigError, also if two plays would reach the host in different ways: it is reached in one way per run."""
    first: _Way | None = None
    warnings: list[Diagnostic] = []
    for n, play in enumerate(plays):
        if any(play.variables == e.variables and play.folder == e.folder for e in plays[:n]):
            continue
        here = inventory.rest_beside(play.folder)  # what is wrong with it is told of the play
        made = here.connection(here.hosts[host.name], Overlay(play.variables, play.marks).under(over))
        warnings += made.warnings
        way = _Way(made, play, here.hosts[host.name].marks, inventory.hosts[host.name].marks)
        if first is None:
            first = way
        elif problems := list(_differing(host, first, way)):
            raise ConfigError([*problems, *warnings])
    if first is None:
        made = inventory.connection(host, over)
        return made, list(made.warnings)
    return first.connection, list(dict.fromkeys(warnings))


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


def _differing(host: Host, first: _Way, second: _Way) -> Iterator[Diagnostic]:
    for name, was, now in different(first.connection, second.connection):
        told = "another one" if name == _VARIABLES["password"] else f"{said(now)}, not {said(was)}"
        yield Diagnostic(
            second.place(name),
            f"{host.name}: {name} is {told} as for the play at {first.place(name)}",
            "a host is reached in one way per run: set it in the inventory, or run the plays one by one",
        )


def _plain(value: Any) -> Any:
    return (value.kind, value.words) if isinstance(value, SecretSource) else value


def said(value: Any) -> Any:
    return "its default" if value is None else value
