"""hvctl import: the playbook that says how hosts are; changes nothing on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from hvctl.call import Transport, TransportError
from hvctl.cli.app import app
from hvctl.cli.options import Extra, Settings
from hvctl.cli.prepared import extra_variables, inventory_of, run_of, warn, work_of
from hvctl.config.inventory import Inventory
from hvctl.config.overlay import Overlay
from hvctl.config.prepare import CLUSTER, HostWork, Prepared
from hvctl.core.resource import Index
from hvctl.core.status import FAULT, TROUBLE
from hvctl.fleet.showing import Showing
from hvctl.importing.look import Imported, Wanted, imported, matches
from hvctl.importing.roles import Cluster
from hvctl.importing.split import split_files
from hvctl.importing.text import playbook_text, told_lines
from hvctl.show.plain import plain
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.files import write_whole

_SHOWN = 12


@app.command("import")
def import_hosts(
    context: typer.Context,
    hosts: Annotated[list[str], typer.Argument(metavar="HOST...|PATTERN", help="Hosts, groups or patterns of them.")],
    vms: Annotated[
        list[str] | None, typer.Option("--vm", metavar="NAME", help="Only these VMs; a pattern such as 'web*'.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="FILE", help="Write it here; with --split, into this folder.")
    ] = None,
    split: Annotated[
        bool, typer.Option("--split", help="A playbook for each host, and one of what several have in common.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also write defaults: every field of every thing.")] = False,
    extra: Extra = None,
) -> None:
    """Write the playbook that says how hosts are. Applied to them, it changes nothing. Exit 4: a host could not be read."""
    settings: Settings = context.obj
    _check_new(Path(out) if out else None, split=split)
    inventory, work = _work(settings, hosts, extra or ())

    def secret(text: str) -> bool:
        return settings.redactor.text(text, foreign=True) != text

    showing = Showing(settings.err, settings.err, settings.redactor, settings.verbose)
    wanted = Wanted(tuple(vms or ()), everything, secret)

    over = extra_variables(extra or (), settings.vault)
    clusters = _clusters(inventory, over)
    of = {node: name for name, one in clusters.items() for node in one.nodes}

    def ask(name: str, transport: Transport) -> Imported:
        return imported(name, transport, wanted, of.get(name, ""))

    with run_of(settings, work, frozenset()) as run:
        answers = run.ask("reading", ask)
        found = [one for name in run.addresses if isinstance(one := answers.get(name), Imported)]
        failed = {name: one for name, one in answers.items() if isinstance(one, TransportError)}
        for name, error in failed.items():
            showing.error(name, error)
    _check_found(found, failed, wanted.vms)
    if found and not settings.stop.asked:
        settings.tried(partial(_write, settings, found, inventory, clusters, out, split=split), None)
    for line in told_lines(found):
        settings.err.print(plain(settings.redactor.value(line)), soft_wrap=True)
    status = FAULT if any(one.defect for one in failed.values()) else TROUBLE if failed else 0
    raise typer.Exit(settings.stop.status or status)


def _clusters(inventory: Inventory, over: Overlay) -> dict[str, Cluster]:
    """By the nodes that say it, and a group that has just these, or all their names."""
    nodes: dict[str, list[str]] = {}
    for host in inventory.hosts.values():
        if isinstance(name := inventory.variables(host, over.values).get(CLUSTER), str) and name:
            nodes.setdefault(name, []).append(host.name)
    found = {}
    for name, hosts in nodes.items():
        groups = (group for group, members in inventory.groups.items() if {*members} == {*hosts})
        pattern = next((group for group in groups if group not in ("all", "ungrouped")), ", ".join(hosts))
        found[name] = Cluster(tuple(hosts), pattern)
    return found


def _check_new(target: Path | None, *, split: bool) -> None:
    """Before a host is asked. Raises ConfigError."""
    if target is not None and target.exists() and not (split and target.is_dir()):
        raise ConfigError([_there(target)])


def _there(file: Path) -> Diagnostic:
    return Diagnostic(None, f"{file} is there already, and is not overwritten", "write another name, or move it away")


def _work(settings: Settings, patterns: Sequence[str], extra: Sequence[str]) -> tuple[Inventory, Prepared]:
    """Raises ConfigError."""
    inventory = inventory_of(settings)
    variables = extra_variables(extra, settings.vault)
    problems: list[Diagnostic] = []
    work: list[HostWork] = []
    for host in inventory.select(patterns):
        try:
            work.append(work_of(settings, inventory, host, Index(), variables))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    if not work:
        hint = "hvctl inventory --graph shows which there are"
        raise ConfigError([Diagnostic(None, "these patterns name no host", hint)])
    warn(settings, dict.fromkeys((*inventory.warnings, *(w for one in work for w in one.connection.warnings))))
    return inventory, Prepared(tuple(work))


def _check_found(found: Sequence[Imported], failed: object, patterns: Sequence[str]) -> None:
    """Of what was asked for by name. Raises ConfigError."""
    if failed or not found:
        return
    seen = [name for one in found for name in one.vms]
    gone = [pattern for pattern in patterns if not any(matches(name, [pattern]) for name in seen)]
    if gone:
        hint = f"there are {', '.join(seen[:20])}" if seen else "they have no VMs"
        raise ConfigError([Diagnostic(None, f"these hosts have no VM {', '.join(gone)}", hint)])


def _write(
    settings: Settings,
    found: Sequence[Imported],
    inventory: Inventory,
    clusters: Mapping[str, Cluster],
    out: str | None,
    *,
    split: bool,
) -> None:
    """Raises ConfigError."""
    if not split:
        text = playbook_text(found, clusters)
        if out is None:
            settings.out.print(Text(text.rstrip("\n")), soft_wrap=True)
        else:
            write_new(for_editors({Path(out): text}))
            settings.err.print(f"Written: {out}", soft_wrap=True)
        return
    folder = Path(out or ".")
    groups = {name: members for name, members in inventory.groups.items() if name != "ungrouped"}
    groups.setdefault("all", tuple(inventory.hosts))
    files = for_editors({folder / name: text for name, text in split_files(found, groups, clusters).items()})
    write_new(files)
    shown = [str(file) for file in files]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    settings.err.print(f"Written: {', '.join(shown[:_SHOWN])}{more}", soft_wrap=True)


def for_editors(files: dict[Path, str]) -> dict[Path, str]:
    """With the line that names their schema, where one lies beside them, as `hvctl init` writes it (docs/editors.md)."""
    found = {}
    for file, text in files.items():
        variables = file.parent.name in ("group_vars", "host_vars")
        schema = "../schemas/variables.json" if variables else "schemas/playbook.json"
        line = f"# yaml-language-server: $schema={schema}\n"
        found[file] = line + text if (file.parent / schema).is_file() else text
    return found


def write_new(files: dict[Path, str]) -> None:
    """All of them, and none that is there already. Raises ConfigError."""
    if wrong := [_there(file) for file in files if file.exists() or file.is_symlink()]:
        raise ConfigError(wrong)
    for file, text in files.items():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, text)
        except OSError as error:
            hint = "name a folder that can be written to"
            raise ConfigError([Diagnostic(None, f"{file} cannot be written: {error.strerror}", hint)]) from error
