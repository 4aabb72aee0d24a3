"""The verbs: validate, plan, apply, drift, facts, inventory, record. Thin; what they do stands elsewhere."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console

from hvctl import __version__
from hvctl.call import Transport
from hvctl.connect import Wire, real_connect
from hvctl.inventory import Connection, Inventory
from hvctl.prepare import HostWork, Prepared, find_inventory, prepare
from hvctl.resource import IMPACTS, Impact
from hvctl.run import Run, exit_status
from hvctl.secrets import PromptSource
from hvctl.show.data import outcome_data
from hvctl.show.text import problem_lines
from hvctl.source import ConfigError, Problem

Connect = Callable[[Connection, Wire], Transport]

EXIT_CONFIG = 1
EXIT_INTERRUPTED = 130

USAGE: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""What typer raises for a wrong command line; newer versions carry a click of their own."""

app = typer.Typer(
    name="hvctl",
    help="Plan, apply and watch the wanted state of Hyper-V hosts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@dataclass
class Settings:
    """What stands before the verb, and what is swapped in tests."""

    connect: Connect
    inventory: tuple[str, ...] = ()
    verbose: int = 0
    forks: int = 16
    ask_pass: bool = False
    out: Console = None  # type: ignore[assignment]
    err: Console = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.out = self.out or Console(highlight=False, soft_wrap=False)
        self.err = self.err or Console(stderr=True, highlight=False)


Playbooks = Annotated[list[str], typer.Argument(metavar="PLAYBOOK...", help="Playbooks, in order.")]
Limit = Annotated[str | None, typer.Option("--limit", "-l", metavar="PATTERN", help="Only these hosts.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tags", "-t", metavar="TAG", help="Only plays with one of these tags.")
]
Extra = Annotated[
    list[str] | None, typer.Option("--extra-vars", "-e", metavar="NAME=VALUE|@FILE", help="Variables over all others.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="WORD", help=f"Allow changes that cost more: {', '.join(IMPACTS[1:])}."),
]


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    inventory: Annotated[
        list[str] | None,
        typer.Option("--inventory", "-i", metavar="FILE", envvar="HVCTL_INVENTORY", help="The inventory."),
    ] = None,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="-v the calls, -vv the wire.")] = 0,
    forks: Annotated[int, typer.Option("--forks", "-f", min=1, max=256, help="Hosts at a time.")] = 16,
    ask_pass: Annotated[bool, typer.Option("--ask-pass", "-k", help="Ask for the password.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"hvctl {__version__}")
        raise typer.Exit
    if context.obj is None:
        context.obj = Settings(real_connect)
    context.obj = replace(
        context.obj, inventory=tuple(inventory or ()), verbose=verbose, forks=forks, ask_pass=ask_pass
    )


def _prepared(
    settings: Settings,
    playbooks: Sequence[str],
    limit: str | None,
    tags: Sequence[str] | None,
    extra: Sequence[str] | None,
) -> Prepared:
    inventory = Inventory.load(find_inventory(settings.inventory, playbooks))
    prepared = prepare(inventory, playbooks, limit=limit, tags=tags or (), variables=_extra(extra or ()))
    for line in problem_lines(prepared.warnings):
        settings.err.print(line)
    if settings.ask_pass:
        prompt = PromptSource("password for the hosts")
        work = tuple(replace(w, connection=replace(w.connection, password=prompt)) for w in prepared.work)
        prepared = replace(prepared, work=work)
    return prepared


def _extra(given: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in given:
        text = Path(item[1:]).read_text(encoding="utf-8") if item.startswith("@") else item
        if item.startswith("@") or text.lstrip().startswith("{"):
            loaded = yaml.safe_load(text)
            if not isinstance(loaded, dict):
                raise ConfigError([Problem(None, f"{item} is no mapping of variables", "write name=value")])
            found |= loaded
        elif "=" in text:
            name, _, value = text.partition("=")
            found[name.strip()] = yaml.safe_load(value)
        else:
            raise ConfigError([Problem(None, f"{item!r} is no variable", "write name=value or @file")])
    return found


def _allowed(words: Sequence[str] | None) -> frozenset[Impact]:
    found = [w.strip() for word in words or () for w in word.split(",") if w.strip()]
    for word in found:
        if word not in IMPACTS[1:]:
            raise ConfigError([Problem(None, f"--allow {word}: unknown", f"one of {', '.join(IMPACTS[1:])}")])
    return frozenset(i for i in IMPACTS if i in found)


@app.command()
def validate(
    context: typer.Context, playbooks: Playbooks, limit: Limit = None, tags: Tags = None, extra: Extra = None
) -> None:
    """Check inventory and playbooks without asking any host."""
    settings: Settings = context.obj
    prepared = _prepared(settings, playbooks, limit, tags, extra)
    hosts, wishes = len(prepared.work), sum(len(w.wishes) for w in prepared.work)
    unnamed = [w.name for w in prepared.work if w.connection.os is None]
    settings.out.print(f"{hosts} host{'s' * (hosts != 1)}, {wishes} resources: no problem found offline.")
    if unnamed:
        settings.out.print(
            f"Not checked against a version of Windows: {', '.join(unnamed)} (set hvctl_os in the inventory)."
        )


@app.command()
def plan(
    context: typer.Context,
    playbooks: Playbooks,
    limit: Limit = None,
    tags: Tags = None,
    extra: Extra = None,
    allow: Allow = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Save the plan for `hvctl apply FILE`.")
    ] = None,
    as_json: Json = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show the difference as unified text.")] = False,
    detailed: Annotated[bool, typer.Option("--detailed-exitcode", help="Exit with 2 if something differs.")] = False,
) -> None:
    """Show what would change."""
    settings: Settings = context.obj
    prepared = _prepared(settings, playbooks, limit, tags, extra)
    run = _run(settings, prepared, _allowed(allow))
    with run:
        outcomes = run.plan()
        run.show_plans(outcomes, as_json=as_json, diff=diff)
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        if out:
            run.save(outcomes, out)
    raise typer.Exit(exit_status(outcomes, changes_count=detailed))


@app.command()
def apply(
    context: typer.Context,
    playbooks: Annotated[
        list[str], typer.Argument(metavar="PLAYBOOK...|PLAN.json", help="Playbooks, or a saved plan.")
    ],
    limit: Limit = None,
    tags: Tags = None,
    extra: Extra = None,
    allow: Allow = None,
    auto_approve: Annotated[bool, typer.Option("--auto-approve", "-y", help="Do not ask.")] = False,
    check: Annotated[bool, typer.Option("--check", "-C", help="The same as plan.")] = False,
    as_json: Json = False,
) -> None:
    """Make the hosts as the playbooks say, then look again."""
    settings: Settings = context.obj
    saved = len(playbooks) == 1 and playbooks[0].casefold().endswith(".json")
    if saved:
        if limit or tags or extra or allow:
            raise typer.BadParameter("a saved plan is applied as it is: no --limit, --tags, --extra-vars or --allow")
        run = _saved_run(settings, playbooks[0])
    else:
        run = _run(settings, _prepared(settings, playbooks, limit, tags, extra), _allowed(allow))
    with run:
        outcomes = run.look_at_saved() if saved else run.plan()
        if not as_json:
            run.show_plans(outcomes)
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
        changes = any(o.plan is not None and o.plan.steps for o in outcomes)
        if check or not changes:
            if as_json:
                settings.out.print_json(json.dumps([outcome_data(o) for o in outcomes], ensure_ascii=False))
            raise typer.Exit(exit_status(outcomes, changes_count=not check))
        asked = not auto_approve
        if asked and not _approved(settings):
            settings.err.print("Nothing was changed.")
            raise typer.Exit(exit_status(outcomes, changes_count=True))
        done = run.apply(outcomes, recheck=asked)
        run.show_reports(done, as_json=as_json)
        if run.interrupted:
            settings.err.print("Interrupted: what is marked as not done was not begun.")
            raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(exit_status(done, changes_count=True))


@app.command()
def drift(
    context: typer.Context,
    playbooks: Playbooks,
    limit: Limit = None,
    tags: Tags = None,
    extra: Extra = None,
    as_json: Json = False,
) -> None:
    """Say whether the hosts are as the playbooks say; changes nothing. Exit 2: they are not."""
    settings: Settings = context.obj
    prepared = _prepared(settings, playbooks, limit, tags, extra)
    run = _run(settings, prepared, frozenset(IMPACTS))  # nothing is done, so nothing needs consent
    with run:
        outcomes = run.plan()
        run.show_plans(outcomes, as_json=as_json, drift=True)
        if run.interrupted:
            raise typer.Exit(EXIT_INTERRUPTED)
    raise typer.Exit(exit_status(outcomes, changes_count=True))


@app.command()
def facts(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the inventory.")],
    as_json: Json = False,
) -> None:
    """Print what hvctl reads of a host."""
    settings: Settings = context.obj
    work = _one_host(settings, host)
    with _run(settings, Prepared((work,)), frozenset()) as run:
        raise typer.Exit(run.facts(work, as_json=as_json))


@app.command()
def record(
    context: typer.Context,
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host of the inventory.")],
    out: Annotated[str, typer.Option("--out", "-o", metavar="FILE", help="Where to write it.")] = "recording.json",
    scrub: Annotated[bool, typer.Option("--scrub", help="Replace host names and addresses too.")] = False,
    playbooks: Annotated[
        list[str] | None, typer.Option("--playbook", metavar="FILE", help="Also ask what this playbook asks.")
    ] = None,
) -> None:
    """Write down what a host answers, so that tests can replay it. Changes nothing on the host."""
    settings: Settings = context.obj
    work = _one_host(settings, host, playbooks or ())
    with _run(settings, Prepared((work,)), frozenset()) as run:
        raise typer.Exit(run.record(work, out, scrub=scrub))


@app.command("inventory")
def show_inventory(
    context: typer.Context,
    as_list: Annotated[bool, typer.Option("--list", help="As JSON, as ansible-inventory prints it.")] = False,
    graph: Annotated[bool, typer.Option("--graph", help="As a tree.")] = False,
) -> None:
    """Print the inventory as hvctl understands it."""
    settings: Settings = context.obj
    if as_list == graph:
        raise typer.BadParameter("say --list or --graph")
    inventory = Inventory.load(find_inventory(settings.inventory, ()))
    for line in problem_lines(inventory.warnings):
        settings.err.print(line)
    typer.echo(json.dumps(inventory.as_list(), indent=2, ensure_ascii=False) if as_list else inventory.as_graph())


def _one_host(settings: Settings, name: str, playbooks: Sequence[str] = ()) -> HostWork:
    inventory = Inventory.load(find_inventory(settings.inventory, playbooks))
    found = inventory.select(name)
    if len(found) != 1:
        raise ConfigError([Problem(None, f"{name!r} names {len(found)} hosts", "name one host of the inventory")])
    wishes = prepare(inventory, playbooks, limit=found[0].name).work[0].wishes if playbooks else ()
    work = HostWork(found[0], inventory.connection(found[0]), wishes)
    if settings.ask_pass:
        work = replace(work, connection=replace(work.connection, password=PromptSource("password")))
    return work


def _run(settings: Settings, prepared: Prepared, allow: frozenset[Impact]) -> Run:
    return Run(
        prepared.work,
        settings.connect,
        allow,
        settings.out,
        settings.err,
        forks=settings.forks,
        verbose=settings.verbose,
    )


def _saved_run(settings: Settings, file: str) -> Run:
    run = Run(
        (), settings.connect, frozenset(), settings.out, settings.err, forks=settings.forks, verbose=settings.verbose
    )
    return run.loaded(file, Inventory.load(find_inventory(settings.inventory, ())))


def _approved(settings: Settings) -> bool:
    if not sys.stdin.isatty():
        settings.err.print("There is nobody to ask; say --auto-approve to go on without asking.")
        return False
    return settings.out.input("Apply this? Only 'yes' goes on: ").strip() == "yes"


def main(argv: Sequence[str] | None = None, connect: Connect = real_connect) -> int:
    """Run hvctl; the exit status is returned. Usage and configuration faults give 1, Ctrl-C 130."""
    settings = Settings(connect)
    command = typer.main.get_command(app)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)  # so that connections are closed on the way out
    try:
        result = command.main(
            list(argv) if argv is not None else None, prog_name="hvctl", standalone_mode=False, obj=settings
        )
    except typer.Abort:
        return EXIT_INTERRUPTED
    except KeyboardInterrupt:
        settings.err.print("Interrupted.")
        return EXIT_INTERRUPTED
    except USAGE as error:
        error.show()
        return EXIT_CONFIG
    except ConfigError as error:
        for line in problem_lines(error.problems):
            settings.err.print(line)
        return EXIT_CONFIG
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CONFIG
    return result if isinstance(result, int) else 0


def _terminated(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def entry() -> None:
    """The console script."""
    sys.exit(main())
