"""Inventory and playbooks → the work for each host, with everything that is wrong before any host is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hvctl.call import Secret
from hvctl.config.inventory import Connection, Host, Inventory, PartlyLoadedError, Unread
from hvctl.config.offline import Desired, offline_problems, wanted_on_two
from hvctl.config.overlay import NOTHING, Overlay
from hvctl.config.playbook import Play, read_playbook, wishes
from hvctl.config.reach import connection_for
from hvctl.config.salvage import Made
from hvctl.config.secrets import Ask, NotAskedError, SecretError, Secrets, never, resolve
from hvctl.config.selection import named, tagged, tags_in, unmatched
from hvctl.config.vault import Vault
from hvctl.core.resource import Index, Names
from hvctl.core.serial import AtOnce, Serial
from hvctl.text.diagnostic import ConfigError, Diagnostic, HostDiagnostic, RefusedError, UndefinedDiagnostic
from hvctl.text.source import SecretSource, suggest
from hvctl.text.visible import quoted
from hvctl.text.width import told, typed

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
    at_once: tuple[AtOnce, ...] = ()
    """Of all of its plays that have one."""

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


CLUSTER, BROKER = "hvctl_cluster", "hvctl_replica_broker"
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,14}")
"""A NetBIOS name."""
_FULL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+\.?")


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
    vms: Sequence[str] | None = None,
    variables: Overlay = NOTHING,
    learn: Callable[[Secret], None],
    vault: Vault | None = None,
    ask: Ask = resolve,
    wrong: Iterable[Diagnostic] = (),
    unread: Unread = NOTHING_UNREAD,
    passwords: bool = True,
) -> Prepared:
    """Raises ConfigError with all problems and warnings of all files and hosts together. `tags`: of plays, and of VMs of other
    plays; `vms`: patterns of names, beyond which nothing is done, though all of it must be right. `variables`: over all others.
    `learn` hears of secrets that are used, `ask` gets them. `wrong`: with the inventory and these variables; `unread`:
    what of them is not here for that. `passwords`: whether the hosts' are had on this machine."""
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
    whole = plays
    if tags:
        _known_tags(plays, tags, warnings)
        plays = [replace(p, partial=True) for play in plays if (p := _tagged(play, tags)) is not None]
    chosen, hostless = _hosts(inventory, plays, limit, problems, warnings, unsure=unread.hosts)
    trees = inventory.folders
    work: list[HostWork] = []
    desired: list[Desired] = []
    known: Names | None = None
    made = Made()
    for host, own in chosen:
        # All at once: a password of the inventory may be taken from a variable of a play, and that is hidden then.
        seen = [_seen_by(inventory, host, p, variables, problems) for p in own]
        unsure = any(p.unsure for p in seen)
        connection = _connection(inventory, host, own, variables, problems, warnings, unsure=unsure)
        _check_broker(host, problems)
        found, faults = wishes(
            seen, {}, learn, trees, ask, host.name, _cluster(host, [play.variables for play in seen], problems), made
        )
        if found.together or found.links:
            known = known or names_of(inventory)
            found = found.knowing(known)
        problems += [p for p in faults if not isinstance(p, HostDiagnostic) and p.level == "error"]
        warnings += [p for p in faults if not isinstance(p, HostDiagnostic) and p.level != "error"]
        found.rest()
        desired.append(Desired(host.name, connection.os if connection else None, found))
        if connection is None:
            continue
        if vms is not None:
            found = named(found, vms)
            if not found:
                continue
        alone = tuple(p for p in faults if isinstance(p, HostDiagnostic))
        serial = next((p.serial for p in own if p.serial), None)
        at_once = tuple(p.at_once for p in own if p.at_once)
        work.append(HostWork(host, connection, found, alone, serial, at_once))
    problems += _partly_written(
        inventory, plays, {one.name: one.desired.together for one in work if one.desired.together}
    )
    work += _linked(inventory, whole, limit, work, variables, warnings)
    told = [*offline_problems(desired), *wanted_on_two(desired)]
    for play in hostless:  # what is wrong with it on any host
        own_variables = {**play.variables, **variables.values}
        found, faults = wishes([replace(play, variables=own_variables, unsure=True)], {}, learn, trees, never)
        problems += [p for p in faults if not isinstance(p, HostDiagnostic)]
        told += offline_problems([Desired("", None, found)])
    if vms is not None:
        problems += unmatched(vms, (d.wishes for d in desired))
    problems += [p for p in told if p.level == "error"]
    warnings += [p for p in told if p.level != "error"]
    if any(p.level == "error" for p in problems):
        theirs = [
            p for one in work for p in (*one.wrong, *(_without_password(one.connection, ask) if passwords else ()))
        ]
        raise ConfigError(_once([*problems, *theirs, *warnings]))
    return Prepared(tuple(work), tuple(_once(warnings)), inventory)


def _linked(
    inventory: Inventory,
    plays: Sequence[Play],
    limit: str | None,
    work: Sequence[HostWork],
    variables: Overlay,
    warnings: list[Diagnostic],
) -> list[HostWork]:
    """Hosts that what is wanted links, and of which nothing is wanted themselves: --tags or --vm leave nothing of their plays,
    or they are in none, as the server that a replication names. They are looked at, and what is done may have a step there.
    What is wrong with those that have plays is told with all of these."""
    linked = {host for one in work for host in one.desired.links} - {one.name for one in work}
    linked &= _limited(inventory, limit, [], unsure=True) if linked else set()
    if not linked:
        return []
    own = {host.name: found for host, found in _hosts(inventory, plays, None, [], [], unsure=True)[0]}
    found: list[HostWork] = []
    known = names_of(inventory)
    for host in inventory.hosts.values():
        if host.name not in linked:
            continue
        problems: list[Diagnostic] = []
        mine = own.get(host.name, [])
        connection = _connection(inventory, host, mine, variables, problems, problems, unsure=bool(mine))
        warnings += [] if mine else [replace(p, level="warning") for p in problems]
        if connection is not None:
            seen = [_seen_by(inventory, host, play, variables, []) for play in mine]
            variables_of = [play.variables for play in seen] or [inventory.variables(host)]
            desired = Index((), host.name, _cluster(host, variables_of, []), known=known)
            found.append(HostWork(host, connection, desired))
    return found


def names_of(inventory: Inventory) -> Names:
    """By what a host is called and where it is looked for, without case, its name in the inventory; and the brokers of
    clusters."""
    found: dict[str, str] = {}
    brokers: dict[str, tuple[str, ...]] = {}
    clusters: dict[str, str] = {}
    for host in inventory.hosts.values():
        address = host.variables.get("ansible_host")
        if isinstance(address, str):
            found.setdefault(address.casefold(), host.name)
        if isinstance(cluster := host.variables.get(CLUSTER), str):
            clusters[host.name] = cluster
        broker = host.variables.get(BROKER)
        if isinstance(broker, str) and broker:
            name = broker.rstrip(".").casefold()
            brokers[name] = (*brokers.get(name, ()), host.name)
    return Names(found | {name.casefold(): name for name in inventory.hosts}, brokers, clusters)


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


def _tagged(play: Play, tags: Sequence[str]) -> Play | None:
    """All of a play with one of these tags; of another one, the VMs with one."""
    if set(play.tags) & set(tags):
        return play
    picked = tagged(play.body, tags)
    return replace(play, picked=picked) if picked else None


def _known_tags(plays: Sequence[Play], tags: Sequence[str], warnings: list[Diagnostic]) -> None:
    known = sorted({tag for play in plays for tag in (*play.tags, *tags_in(play.body))})
    for tag in tags:
        if tag not in known:
            half = typed(tag)
            hint = (
                told(tag, half)
                if half
                else suggest(tag, known) or (f"known are {', '.join(known)}" if known else "none has tags")
            )
            warnings.append(Diagnostic(None, f"--tags {tag}: no play and no VM has this tag", hint, "warning"))


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
        names = tuple(host.name for host in matched)
        own = replace(play, members=names, left_out=frozenset(names) - within)
        for host in matched:
            if host.name in within:
                per_host.setdefault(host.name, (host, []))[1].append(own)
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


def _cluster(host: Host, seen: Iterable[Mapping[str, Any]], problems: list[Diagnostic]) -> str:
    """That it is a node of, as its inventory says. `seen`: its variables, as each of its plays sees them."""
    value = next((v for variables in seen if (v := variables.get(CLUSTER)) is not None), None)
    if value is None:
        return ""
    if isinstance(value, str) and _CLUSTER_NAME.fullmatch(value):
        return value
    hint = f"write the cluster's name as Failover Cluster Manager shows it, as in `{CLUSTER}: hvcl01`"
    problems.append(Diagnostic(host.marks.get(CLUSTER), f"{CLUSTER} of {host.name} is not the name of a cluster", hint))
    return ""


def _check_broker(host: Host, problems: list[Diagnostic]) -> None:
    """Both sides of a replication read it in full, so that it is compared so."""
    value = host.variables.get(BROKER)
    if value is not None and host.variables.get(CLUSTER) is None:
        text = f"{host.name} has {BROKER} and no {CLUSTER}: the nodes behind a broker are planned as one"
        problems.append(Diagnostic(host.marks.get(BROKER), text, f"write {CLUSTER} beside it"))
    if value is not None and not (isinstance(value, str) and _FULL_NAME.fullmatch(value)):
        hint = f"write the full name of its client access point, as in `{BROKER}: hvr01.example.com`"
        text = f"{BROKER} of {host.name} is not the full name of a broker"
        problems.append(Diagnostic(host.marks.get(BROKER), text, hint))


def _partly_written(inventory: Inventory, plays: Sequence[Play], clusters: Mapping[str, str]) -> Iterator[Diagnostic]:
    """A cluster is written for all of its nodes: what of it is on a node that the play leaves out would be nobody's."""
    written = [play for play in plays if "cluster" in play.body] if clusters else []
    nodes: dict[str, list[str]] = {}
    for host in inventory.hosts.values() if written else ():
        cluster = inventory.variables(host).get(CLUSTER)
        if isinstance(cluster, str):
            nodes.setdefault(cluster, []).append(host.name)
    for play in written:
        try:
            hosts = {host.name for host in inventory.select(play.hosts)}
        except ConfigError:
            continue  # told already
        for name in sorted({clusters[host] for host in hosts if host in clusters}):
            if left := [node for node in nodes.get(name, ()) if node not in hosts]:
                place = play.document.mark((*play.path, "hosts"))
                is_node = "are nodes" if len(left) > 1 else "is a node"
                text = f"the play leaves out {', '.join(left)}, which {is_node} of {name} too"
                yield Diagnostic(place, text, "write the group of its nodes; --limit is for a part of them")


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
