"""Inventory and playbooks → the work for each host, with everything that is wrong before any host is asked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hvctl.call import Secret
from hvctl.config.inventory import Connection, Host, Inventory, PartlyLoadedError, Unread
from hvctl.config.offline import Desired, offline_problems
from hvctl.config.overlay import NOTHING, Overlay
from hvctl.config.playbook import Play, read_playbook, wishes
from hvctl.config.reach import connection_for
from hvctl.config.secrets import Ask, NotAskedError, SecretError, Secrets, never, resolve
from hvctl.config.vault import Vault
from hvctl.core.resource import Index
from hvctl.core.serial import Serial
from hvctl.text.diagnostic import ConfigError, Diagnostic, HostDiagnostic, RefusedError, UndefinedDiagnostic
from hvctl.text.source import SecretSource, suggest
from hvctl.text.visible import quoted

NOTHING_UNREAD = Unread()
INVENTORY_NAMES = ("inventory.yml", "inventory.yaml", "inventory.ini", "hosts.yml", "hosts.ini", "hosts", "inventory")


@dataclass(frozen=True)
class HostWork:
    """One host, how to reach it, what is wished for it."""

    host: Host
    connection: Connection
    desired: Index
    wrong: tuple[Diagnostic, ...] = ()
    """Why nothing can be done there, though it can elsewhere."""
    serial: Serial | None = None
    """Of the first of its plays that has one."""

    @property
    def name(self) -> str:
        return self.host.name


@dataclass(frozen=True)
class Prepared:
    work: tuple[HostWork, ...]
    warnings: tuple[Diagnostic, ...] = ()
    inventory: Inventory | None = field(default=None, repr=False)
    secrets: Secrets | None = field(default=None, repr=False)


def find_inventory(given: Sequence[str], near: Iterable[str]) -> tuple[str, ...]:
    """The sources named, else one beside the playbooks, else one in the current folder. Raises ConfigError."""
    near = tuple(near)
    if given:
        return tuple(given)
    if gone := missing(near):
        raise ConfigError(not_there(p) for p in gone)
    folders = [*(Path(p).parent for p in near), Path()]
    for folder in folders:
        for name in INVENTORY_NAMES:
            if (folder / name).exists():
                return (str(folder / name),)
    looked = ", ".join(sorted({str(f) for f in folders}))
    raise ConfigError(
        [
            Diagnostic(
                None,
                f"no inventory found in {looked}",
                f"name one with -i or HVCTL_INVENTORY; looked for {', '.join(INVENTORY_NAMES)}",
            )
        ]
    )


def missing(playbooks: Iterable[str]) -> list[str]:
    return [p for p in playbooks if not os.path.exists(p)]  # noqa: PTH110 - a name that cannot be a file's is not there


def not_there(playbook: str) -> Diagnostic:
    return Diagnostic(None, f"{playbook} is not there", "name a playbook that is")


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
    wrong: Iterable[Diagnostic] = (),
    unread: Unread = NOTHING_UNREAD,
) -> Prepared:
    """Raises ConfigError with all problems and warnings of all files and hosts together. `variables`: over all others.
    `learn` hears of secrets that are used, `ask` gets them. `wrong`: with the inventory and these variables; `unread`:
    what of them is not here for that."""
    problems: list[Diagnostic] = [*wrong]
    warnings: list[Diagnostic] = [*inventory.warnings]
    plays: list[Play] = []
    for file in playbooks:
        try:
            found_plays, faults = read_playbook(file, vault)
            plays += [replace(p, unsure=p.unsure or unread.variables) for p in found_plays]
            problems += faults
        except RefusedError:
            raise
        except ConfigError as error:
            problems += error.problems
    if tags:
        _known_tags(plays, tags, warnings)
        plays = [replace(p, partial=True) for p in plays if set(p.tags) & set(tags)]
    chosen, hostless = _hosts(inventory, plays, limit, problems, warnings, unsure=unread.hosts)
    trees = inventory.folders
    work: list[HostWork] = []
    desired: list[Desired] = []
    for host, own in chosen:
        # All at once: a password of the inventory may be taken from a variable of a play, and that is hidden then.
        seen = [_seen_by(inventory, host, p, variables, problems) for p in own]
        unsure = any(p.unsure for p in seen)
        connection = _connection(inventory, host, own, variables, problems, warnings, unsure=unsure)
        found, faults = wishes(seen, {}, learn, trees, ask, host.name)
        problems += [p for p in faults if not isinstance(p, HostDiagnostic)]
        desired.append(Desired(host.name, connection.os if connection else None, found))
        if connection is None:
            continue
        alone = tuple(p for p in faults if isinstance(p, HostDiagnostic))
        work.append(HostWork(host, connection, found, alone, next((p.serial for p in own if p.serial), None)))
    told = offline_problems(desired)
    for play in hostless:  # what is wrong with it on any host
        own_variables = {**play.variables, **variables.values}
        found, faults = wishes([replace(play, variables=own_variables, unsure=True)], {}, learn, trees, never)
        problems += [p for p in faults if not isinstance(p, HostDiagnostic)]
        told += offline_problems([Desired("", None, found)])
    problems += [p for p in told if p.level == "error"]
    warnings += [p for p in told if p.level != "error"]
    if any(p.level == "error" for p in problems):
        theirs = [p for one in work for p in (*one.wrong, *_without_password(one.connection, ask))]
        raise ConfigError(_once([*problems, *theirs, *warnings]))
    return Prepared(tuple(work), tuple(_once(warnings)), inventory)


def _without_password(connection: Connection, ask: Ask) -> Iterator[Diagnostic]:
    """For who has other things to correct already. No program is run for it, and no keyring opened."""
    source = connection.password
    if isinstance(source, SecretSource) and source.kind in ("env", "vault"):
        try:
            ask(source)
        except SecretError as error:
            yield error.problem
        except NotAskedError:
            return


def _known_tags(plays: Sequence[Play], tags: Sequence[str], warnings: list[Diagnostic]) -> None:
    known = sorted({tag for play in plays for tag in play.tags})
    for tag in tags:
        if tag not in known:
            hint = suggest(tag, known) or (f"known are {', '.join(known)}" if known else "no play has tags")
            warnings.append(Diagnostic(None, f"--tags {tag}: no play has this tag", hint, "warning"))


def _hosts(
    inventory: Inventory,
    plays: Sequence[Play],
    limit: str | None,
    problems: list[Diagnostic],
    warnings: list[Diagnostic],
    *,
    unsure: bool,
) -> tuple[list[tuple[Host, list[Play]]], list[Play]]:
    """And the plays of which it cannot be said which hosts they are for."""
    per_host: dict[str, tuple[Host, list[Play]]] = {}
    hostless: list[Play] = []
    within = _limited(inventory, limit, problems, unsure=unsure)
    for play in plays:
        place = play.document.mark((*play.path, "hosts"))
        try:
            matched = inventory.select(play.hosts) if play.hosts else []
        except ConfigError as error:
            problems += [] if unsure else [p if p.mark else replace(p, mark=place) for p in error.problems]
            hostless.append(play)
            continue
        for host in matched:
            if host.name in within:
                per_host.setdefault(host.name, (host, []))[1].append(play)
        if not matched and play.hosts and not unsure:
            warnings.append(Diagnostic(place, f"{quoted(play.hosts)} matches no host", "", "warning"))
        elif not matched:
            hostless.append(play)
    if limit and plays and within and not per_host and not unsure:
        message = f"--limit {limit} leaves none of the hosts that the plays are for"
        warnings.append(Diagnostic(None, message, "see hvctl inventory --graph", "warning"))
    return list(per_host.values()), hostless


def _limited(inventory: Inventory, limit: str | None, problems: list[Diagnostic], *, unsure: bool) -> set[str]:
    """An empty limit is a mistake (a variable of a shell that is not set), and must not stand for every host."""
    if limit is None:
        return set(inventory.hosts)
    if not limit.strip():
        problems.append(Diagnostic(None, "--limit is empty", "leave it out, or name hosts or groups"))
        return set()
    try:
        return {host.name for host in inventory.limited(limit)}
    except ConfigError as error:
        problems += [] if unsure else [replace(p, message=f"--limit: {p.message}") for p in error.problems]
        return set()


def _seen_by(inventory: Inventory, host: Host, play: Play, over: Overlay, problems: list[Diagnostic]) -> Play:
    """With the variables as it sees them: group_vars and host_vars beside its playbook count too."""
    unsure = play.unsure
    try:
        here = inventory.beside(play.folder)
    except PartlyLoadedError as error:
        problems += error.problems
        here, unsure = error.inventory, unsure or error.unread.variables
    variables = here.variables(here.hosts[host.name], {**play.variables, **over.values})
    return replace(play, variables=variables, unsure=unsure)


def _connection(
    inventory: Inventory,
    host: Host,
    plays: Sequence[Play],
    over: Overlay,
    problems: list[Diagnostic],
    warnings: list[Diagnostic],
    *,
    unsure: bool,
) -> Connection | None:
    try:
        connection, found = connection_for(inventory, host, plays, over)
    except RefusedError:
        raise
    except ConfigError as error:
        problems += [p for p in error.problems if not (unsure and isinstance(p, UndefinedDiagnostic))]
        return None
    warnings += found
    return connection


def _once(problems: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """A problem that several hosts share is said once."""
    return tuple(dict.fromkeys(problems))
