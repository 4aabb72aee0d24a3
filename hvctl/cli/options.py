"""Options that several verbs have, and what stands before the verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer

from hvctl.cli.span import span
from hvctl.config.vault import Vault
from hvctl.core.impact import IMPACTS
from hvctl.core.outcome import FAULT
from hvctl.fleet.connect import Connect
from hvctl.fleet.reconcile import Pause
from hvctl.fleet.stop import Stop
from hvctl.history import Place
from hvctl.redaction.redact import Redactor
from hvctl.redaction.streams import traced
from hvctl.show.screen import Screen
from hvctl.text.diagnostic import ConfigError

T = TypeVar("T")

EXIT_CONFIG = 1
EXIT_FAULT = FAULT
EXIT_INTERRUPTED = 130
"""By Ctrl-C; a stop that a signal asked for has its own (`Stop.status`)."""
EXIT_PIPE = 141
"""Nobody reads the output any more; as a shell says of SIGPIPE."""


def clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class Settings:
    """What stands before the verb, and what is swapped in tests. `history`: where checks are remembered, if at all.
    `faults`: of hvctl itself, which did not keep it from doing the rest."""

    connect: Connect
    now: Callable[[], datetime] = clock
    history: Place | None = None
    inventory: tuple[str, ...] = ()
    verbose: int = 0
    forks: int = 16
    ask_pass: bool = False
    vault: Vault = field(default_factory=Vault)
    inventory_scripts: bool = False
    pause: Pause | None = None
    stop: Stop = field(default_factory=Stop)
    redactor: Redactor = field(default_factory=Redactor)
    faults: list[Exception] = field(default_factory=list)
    out: Screen = field(default_factory=Screen)
    err: Screen = field(default_factory=lambda: Screen(stderr=True))

    def tried(self, act: Callable[[], T], instead: T) -> T:
        """A part of a command that must not keep the rest of it from being done: a report, the history, what is shown.
        A fault of hvctl in it shows its traceback, and the exit status is 70 in the end."""
        try:
            return act()
        except (ConfigError, OSError, typer.Exit, typer.Abort):
            raise  # of the configuration, the machine or the user
        except Exception as error:
            self.fault(error)
            return instead

    def fault(self, error: Exception) -> None:
        self.faults.append(error)
        traced(error)
        self.err.print("This is a fault of hvctl. Run plan to see how the hosts are, and report the text above.")

    def follow(self, grace: str | None) -> None:
        """How long a change is followed after SIGTERM, if it was said. Raises ConfigError."""
        seconds = span("--grace", grace)
        if seconds is not None:
            self.stop.grace = seconds


Playbooks = Annotated[list[str], typer.Argument(metavar="PLAYBOOK...", help="Playbooks, in order.")]
Limit = Annotated[str | None, typer.Option("--limit", "-l", metavar="PATTERN", help="Only these hosts.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tags", "-t", metavar="TAG", help="Only plays with one of these tags.")
]
Extra = Annotated[
    list[str] | None, typer.Option("--extra-vars", "-e", metavar="NAME=VALUE|@FILE", help="Variables over all others.")
]
AutoApprove = Annotated[bool, typer.Option("--auto-approve", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]
Report = Annotated[
    list[str] | None,
    typer.Option(
        "--report", metavar="FORMAT=FILE,...", help="Also write it as html, junit, json or markdown; - is the output."
    ),
]
History = Annotated[
    str | None,
    typer.Option("--history", metavar="FILE|URL", envvar="HVCTL_HISTORY", help="Where checks are remembered."),
]
NoHistory = Annotated[bool, typer.Option("--no-history", help="Neither read nor write what is remembered.")]
AlsoAsked = Annotated[
    list[str] | None, typer.Option("--playbook", metavar="FILE", help="Also ask what this playbook asks.")
]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="WORD", help=f"Allow changes that cost more: {', '.join(IMPACTS[1:])}."),
]
Grace = Annotated[
    str | None,
    typer.Option(
        "--grace", metavar="SPAN", help="After SIGTERM or SIGHUP, how long the step that runs is followed (1m)."
    ),
]
