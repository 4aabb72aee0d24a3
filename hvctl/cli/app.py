"""The command line as a whole: what stands before the verb, and how faults become an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hvctl import __version__
from hvctl.cli.anywhere import hoisted
from hvctl.cli.elsewhere import Executor, afar
from hvctl.cli.helping import dressed
from hvctl.cli.lazy import LazyVerbs
from hvctl.cli.options import EXIT_CONFIG, EXIT_FAULT, EXIT_INTERRUPTED, EXIT_PIPE, Grace, Settings, VaultOptions, clock
from hvctl.cli.outputs import Outputs
from hvctl.language import LANGUAGES, known, of_environment, speak, speaking
from hvctl.text.diagnostic import ConfigError

if TYPE_CHECKING:
    from hvctl.call import Transport
    from hvctl.config.inventory import Connection
    from hvctl.fleet.connect import Connect, Wire
    from hvctl.fleet.reconcile import Pause

USAGE: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
"""What typer raises for a wrong command line; newer versions carry a click of their own."""

app = typer.Typer(
    name="hvctl",
    cls=LazyVerbs,
    help="Plan, apply and watch the wanted state of Hyper-V hosts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def over_winrm(connection: Connection, wire: Wire) -> Transport:
    """The wire is imported when the first host is connected to."""
    from hvctl.fleet.connect import real_connect

    return real_connect(connection, wire)


def _speak(language: str | None) -> None:
    """Before the other options are looked at."""
    if language is None:
        return
    if not known(language):
        raise typer.BadParameter(f"{language}: one of {', '.join(LANGUAGES)}")
    speak(known(language))


def _version(asked: bool) -> None:
    """Before the other options are looked at."""
    if asked:
        typer.echo(f"hvctl {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    inventory: Annotated[
        list[Path] | None,  # paths: words of HVCTL_INVENTORY would be split at their spaces
        typer.Option(
            "--inventory",
            "-i",
            metavar="FILE",
            envvar="HVCTL_INVENTORY",
            help="An inventory; later ones win.",
        ),
    ] = None,
    inventory_scripts: Annotated[
        bool, typer.Option("--inventory-scripts", help="Run inventories that are programs, on this computer.")
    ] = False,
    ask_vault_pass: Annotated[
        bool,
        typer.Option("--ask-vault-pass", "--ask-vault-password", "-J", help="Ask for the password of ansible-vault."),
    ] = False,
    vault_password_file: Annotated[
        list[Path] | None,
        typer.Option(
            "--vault-password-file",
            metavar="FILE",
            envvar="HVCTL_VAULT_PASSWORD_FILE",
            help="A file that holds the password of ansible-vault.",
        ),
    ] = None,
    verbose: Annotated[int, typer.Option("--verbose", "-v", count=True, help="-v the calls, -vv the wire.")] = 0,
    forks: Annotated[
        int | None, typer.Option("--forks", "-f", min=1, max=256, help="Hosts at a time (16; more to look at many).")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option("--processes", min=1, max=64, help="That plan and drift share the hosts out to; else as it pays."),
    ] = None,
    ask_pass: Annotated[bool, typer.Option("--ask-pass", "-k", help="Ask for the password.")] = False,
    executor: Annotated[
        Executor, typer.Option("--executor", help="Who reads the hosts: threads of here, or dask's workers elsewhere.")
    ] = "threads",
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", metavar="tls://HOST:PORT", help="With --executor dask.")
    ] = None,
    tls_ca: Annotated[
        str | None, typer.Option("--tls-ca", metavar="FILE", help="With it: the authority of the certificates.")
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option("--tls-cert", metavar="FILE", help="With it: the certificate of this machine.")
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option("--tls-key", metavar="FILE", help="With it: the key of that certificate.")
    ] = None,
    grace: Grace = None,
    language: Annotated[
        str | None,
        typer.Option(
            "--lang",
            metavar="en|ja",
            help="What people read: plans, reports, errors (HVCTL_LANG, LC_ALL, LANG).",
            is_eager=True,
            callback=_speak,
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
    schedule: Annotated[
        str | None,
        typer.Option("--schedule", metavar="NAME=RHYTHM", hidden=True, help="What runs it, for who remembers it."),
    ] = None,
) -> None:
    if context.obj is None:
        context.obj = Settings(over_winrm)
    elsewhere = afar(context.invoked_subcommand or "", executor, scheduler, tls_ca, tls_cert, tls_key)
    if elsewhere is not None:
        context.call_on_close(elsewhere.close)
    if schedule is not None:
        from hvctl.cli.runs import scheduled

        context.obj.runs.append(scheduled(schedule, context.invoked_subcommand or "", context.obj.now()))
    context.obj = replace(
        context.obj,
        inventory=tuple(str(file) for file in inventory or ()),
        verbose=verbose,
        forks=forks or 16,
        forks_said=forks is not None,
        processes=processes,
        elsewhere=elsewhere,
        ask_pass=ask_pass,
        inventory_scripts=inventory_scripts,
        vault_options=VaultOptions(
            context.obj.redactor.learn,
            tuple(str(file) for file in vault_password_file or ()),
            programs=inventory_scripts,
            ask=ask_vault_pass,
        ),
    )
    context.obj.follow(grace)


def main(
    argv: Sequence[str] | None = None,
    connect: Connect = over_winrm,
    now: Callable[[], datetime] = clock,
    pause: Pause | None = None,
) -> int:
    """Run hvctl; the exit status is returned. Usage and configuration faults give 1, Ctrl-C 130, SIGTERM 143, faults of
    hvctl 70."""
    settings = Settings(connect, now, pause=pause)
    try:
        with speaking(of_environment(os.environ)), settings.stop.listening(), Outputs(settings.redactor) as outputs:
            return outputs.status(_remembered(settings, _run(settings, argv)))
    except KeyboardInterrupt:
        return settings.stop.status or EXIT_INTERRUPTED


def _remembered(settings: Settings, status: int) -> int:
    """The run of a schedule, when it has ended."""
    for one in settings.runs:
        if said := settings.tried(lambda one=one: one.ended(settings.now(), status), ""):  # type: ignore[misc]
            settings.err.print(f"warning: {said}", soft_wrap=True)
    return status


def _run(settings: Settings, argv: Sequence[str] | None) -> int:
    words = sys.argv[1:] if argv is None else argv
    try:
        command = dressed(typer.main.get_command(app))
        result = command.main(
            hoisted(command, words),
            prog_name="hvctl",
            standalone_mode=False,
            obj=settings,
        )
        if result == EXIT_INTERRUPTED and settings.stop.at_once:
            raise KeyboardInterrupt  # what typer has made of one
    except (typer.Abort, KeyboardInterrupt):
        settings.stop.hold()
        settings.err.print("Interrupted.")
        return settings.stop.status or EXIT_INTERRUPTED
    except USAGE as error:
        from hvctl.cli.misuse import misuse

        settings.err.print("\n".join(misuse(error, words)), soft_wrap=True)
        return EXIT_CONFIG
    except ConfigError as error:
        from hvctl.cli.halfwidth import typed_wide
        from hvctl.show.problems import problem_lines

        told = " ".join(str(one) for one in error.problems)
        for line in problem_lines((*error.problems, *typed_wide(words, told))):
            settings.err.print(line, soft_wrap=True)
        return EXIT_CONFIG
    except BrokenPipeError:
        return EXIT_PIPE
    except Exception as error:
        settings.fault(error)
        return EXIT_FAULT
    if result == EXIT_INTERRUPTED:
        return settings.stop.status or EXIT_INTERRUPTED
    if settings.faults and not settings.stop.times:
        return EXIT_FAULT
    return result if isinstance(result, int) else 0
