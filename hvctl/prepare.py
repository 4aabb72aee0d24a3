"""Inventory and playbooks → the work for each host, with everything that is wrong before any host is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hvctl.call import Secret
from hvctl.contract import OS
from hvctl.inventory import Connection, Host, Inventory
from hvctl.overlay import NOTHING, Overlay
from hvctl.plan import validate
from hvctl.playbook import Play, read_playbook, wishes, written_twice
from hvctl.reach import connection_for
from hvctl.resource import Resource
from hvctl.secrets import Ask, Secrets, resolve
from hvctl.source import ConfigError, HostProblem, Problem, RefusedError, suggest
from hvctl.vault import Vault

INVENTORY_NAMES = ("inventory.yml", "inventory.yaml", "inventory.ini", "hosts.yml", "hosts.ini", "hosts", "inventory")


@dataclass(frozen=True)
class HostWork:
    """One host, how to reach it, what is wished for it."""

    host: Host
    connection: Connection
    wishes: tuple[Resource, ...]
    wrong: tuple[Problem, ...] = ()
    """Why nothing can be done there, though it can elsewhere."""

    @property
    def name(self) -> str:
        return self.host.name


@dataclass(frozen=True)
class Prepared:
    work: tuple[HostWork, ...]
    warnings: tuple[Problem, ...] = ()
    inventory: Inventory | None = field(default=None, repr=False)
    secrets: Secrets | None = field(default=None, repr=False)


def find_inventory(given: Sequence[str], near: Iterable[str]) -> tuple[str, ...]:
    """The sources named, else one beside the playbooks, else one in the current folder. Raises ConfigError."""
    near = tuple(near)
    if given:
        return tuple(given)
    if missing := [p for p in near if not Path(p).exists()]:
        raise ConfigError(Problem(None, f"{p} is not there", "name a playbook that is") for p in missing)
    folders = [*(Path(p).parent for p in near), Path()]
    for folder in folders:
        for name in INVENTORY_NAMES:
            if (folder / name).exists():
                return (str(folder / name),)
    looked = ", ".join(sorted({str(f) for f in folders}))
    raise ConfigError(
        [
            Problem(
                None,
                f"no inventory found in {looked}",
                f"name one with -i or HVCTL_INVENTORY; looked for {', '.join(INVENTORY_NAMES)}",
            )
        ]
    )


def prepare(
    inventory: Inventory,
    playbooks: Sequence[str],
    *,
    limit: str | None = None,
    tags: Sequence[str] = (),
    variables: Overlay = NOTHING,
    learn: Callable[[Secret], None],
    vault: Vault | None = None,
    ask: Ask = resolve,
) -> Prepared:
    """Raises ConfigError with all problems and warnings of all files and hosts together. `variables`: over all others.
    `learn` hears of secrets that are used, `ask` gets them."""
    problems: list[Problem] = []
    warnings: list[Problem] = [*inventory.warnings]
    plays: list[Play] = []
    for file in playbooks:
        try:
            found_plays, wrong = read_playbook(file, vault)
            plays += found_plays
            problems += wrong
        except ConfigError as error:
            problems += error.problems
    if tags:
        _known_tags(plays, tags, warnings)
        plays = [p for p in plays if set(p.tags) & set(tags)]
    chosen = _hosts(inventory, plays, limit, problems, warnings)
    trees = inventory.folders
    work = []
    for host, own in chosen:
        connection = _connection(inventory, host, own, variables, problems, warnings)
        try:
            # All at once: a password of the inventory may be taken from a variable of a play, and that is hidden then.
            plays = [replace(p, variables=_variables(inventory, host, p, variables)) for p in own]
        except RefusedError:
            raise
        except ConfigError as error:  # in group_vars or host_vars beside a playbook
            problems += error.problems
            continue
        found, faults = wishes(plays, {}, learn, trees, ask)
        wrong = [p for p in faults if not isinstance(p, HostProblem)]
        problems += wrong
        if connection is None:
            continue
        # What is written twice does not keep the rules from being asked; a value that is no value does.
        if set(wrong) <= set(written_twice(found)):
            for problem in _offline(found, connection.os):
                (problems if problem.level == "error" else warnings).append(problem)
        alone = tuple(p for p in faults if isinstance(p, HostProblem))
        work.append(HostWork(host, connection, tuple(found), alone))
    if problems:
        raise ConfigError(_once([*problems, *warnings]))
    return Prepared(tuple(work), tuple(_once(warnings)), inventory)


def _known_tags(plays: Sequence[Play], tags: Sequence[str], warnings: list[Problem]) -> None:
    known = sorted({tag for play in plays for tag in play.tags})
    for tag in tags:
        if tag not in known:
            hint = suggest(tag, known) or (f"known are {', '.join(known)}" if known else "no play has tags")
            warnings.append(Problem(None, f"--tags {tag}: no play has this tag", hint, "warning"))


def _hosts(
    inventory: Inventory, plays: Sequence[Play], limit: str | None, problems: list[Problem], warnings: list[Problem]
) -> list[tuple[Host, list[Play]]]:
    per_host: dict[str, tuple[Host, list[Play]]] = {}
    within = _limited(inventory, limit, problems)
    for play in plays:
        place = play.document.mark((*play.path, "hosts"))
        try:
            matched = inventory.select(play.hosts)
        except ConfigError as error:
            problems += [p if p.mark else replace(p, mark=place) for p in error.problems]
            continue
        for host in matched:
            if host.name in within:
                per_host.setdefault(host.name, (host, []))[1].append(play)
        if not matched:
            warnings.append(Problem(place, f"{play.hosts!r} matches no host", "", "warning"))
    if limit and plays and within and not per_host:
        message = f"--limit {limit} leaves none of the hosts that the plays are for"
        warnings.append(Problem(None, message, "see hvctl inventory --graph", "warning"))
    return list(per_host.values())


def _limited(inventory: Inventory, limit: str | None, problems: list[Problem]) -> set[str]:
    """An empty limit is a mistake (a variable of a shell that is not set), and must not stand for every host."""
    if limit is None:
        return set(inventory.hosts)
    if not limit.strip():
        problems.append(Problem(None, "--limit is empty", "leave it out, or name hosts or groups"))
        return set()
    try:
        return {host.name for host in inventory.limited(limit)}
    except ConfigError as error:
        problems += [replace(p, message=f"--limit: {p.message}") for p in error.problems]
        return set()


def _variables(inventory: Inventory, host: Host, play: Play, over: Overlay) -> dict[str, Any]:
    """As a play sees them: group_vars and host_vars beside its playbook count too."""
    here = inventory.beside(play.folder)
    return here.variables(here.hosts[host.name], {**play.variables, **over.values})


def _connection(
    inventory: Inventory,
    host: Host,
    plays: Sequence[Play],
    over: Overlay,
    problems: list[Problem],
    warnings: list[Problem],
) -> Connection | None:
    try:
        connection, found = connection_for(inventory, host, plays, over)
    except RefusedError:
        raise
    except ConfigError as error:
        problems += error.problems
        return None
    warnings += found
    return connection


def _offline(found: Sequence[Resource], os: OS | None) -> list[Problem]:
    """Rules of the version the inventory names; without one, they wait until the host has said what it is."""
    return validate(found, os) if os else []


def _once(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """A problem that several hosts share is said once."""
    return tuple(dict.fromkeys(problems))
