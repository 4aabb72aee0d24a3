"""Options that several verbs have, and what stands before the verb."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hvctl.call import Secret
from hvctl.cli.span import span
from hvctl.core.impact import IMPACTS
from hvctl.core.status import FAULT, SKIPPED
from hvctl.fleet.stop import Stop
from hvctl.history import Place
from hvctl.redaction.redact import Redactor
from hvctl.redaction.streams import traced
from hvctl.show.screen import Screen
from hvctl.text.diagnostic import ConfigError

if TYPE_CHECKING:
    from hvctl.cli.elsewhere import Afar
    from hvctl.cli.runs import Scheduled
    from hvctl.config.vault import Vault
    from hvctl.fleet.connect import Connect
    from hvctl.fleet.reconcile import Pause

T = TypeVar("T")

EXIT_CONFIG = 1
EXIT_FAULT = FAULT
EXIT_INTERRUPTED = 130
"""By Ctrl-C; a stop that a signal asked for has its own (`Stop.status`)."""
EXIT_PIPE = 141
"""Nobody reads the output any more; as a shell says of SIGPIPE."""


def clock() -> datetime:
    return datetime.now(UTC)


class VaultOptions:
    """How the passwords of ansible-vault are had. The vault itself is made for the first verb that opens something."""

    def __init__(
        self,
        learn: Callable[[Secret], None] = lambda secret: None,
        files: tuple[str, ...] = (),
        *,
        programs: bool = False,
        ask: bool = False,
    ) -> None:
        self._learn, self._files, self._programs, self._ask = learn, files, programs, ask

    @cached_property
    def vault(self) -> Vault:
        from hvctl.config.secrets import PromptSource
        from hvctl.config.vault import PasswordFile, Vault

        asked = (PromptSource("password of the vault"),) if self._ask else ()
        return Vault((*(PasswordFile(file, self._programs) for file in self._files), *asked), self._learn)


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
    forks_said: bool = True
    processes: int | None = None
    elsewhere: Afar | None = None
    """Workers that read the hosts; None: this machine does."""
    ask_pass: bool = False
    vault_options: VaultOptions = field(default_factory=VaultOptions)
    inventory_scripts: bool = False
    pause: Pause | None = None
    runs: list[Scheduled] = field(default_factory=list)
    """Of a schedule, where one runs this."""
    stop: Stop = field(default_factory=Stop)
    redactor: Redactor = field(default_factory=Redactor)
    faults: list[Exception] = field(default_factory=list)
    out: Screen = field(default_factory=Screen)
    err: Screen = field(default_factory=lambda: Screen(stderr=True))

    @property
    def vault(self) -> Vault:
        return self.vault_options.vault

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
    list[str] | None, typer.Option("--tags", "-t", metavar="TAG", help="Only plays, or VMs, with one of these tags.")
]
Vms = Annotated[
    list[str] | None, typer.Option("--vm", metavar="NAME", help="Only these VMs, and nothing else; * and ? match.")
]
Extra = Annotated[
    list[str] | None, typer.Option("--extra-vars", "-e", metavar="NAME=VALUE|@FILE", help="Variables over all others.")
]
AutoApprove = Annotated[bool, typer.Option("--auto-approve", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")]
Report = Annotated[
    list[str] | None,
    typer.Option(
        "--report",
        metavar="FORMAT=FILE,...",
        help="Also write it as html, junit, json, markdown or powershell; - is the output.",
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
SerialOf = Annotated[
    str | None,
    typer.Option(
        "--serial",
        metavar="N|N%,...",
        help="So many hosts at a time, batch after batch: 1,10%,100%; over the plays' own.",
    ),
]
MaxFailures = Annotated[
    int | None,
    typer.Option(
        "--max-failures", metavar="N", min=0, help="With batches: begin no more when more hosts than that failed (0)."
    ),
]
RestartsAtOnce = Annotated[
    int | None,
    typer.Option(
        "--restarts-at-once",
        metavar="N",
        min=1,
        help="Change at most N hosts at a time of those with a VM that restarts.",
    ),
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
Every = Annotated[str | None, typer.Option("--every", metavar="SPAN", help="Again and again, like 15m, until stopped.")]
Splay = Annotated[str | None, typer.Option("--splay", metavar="SPAN", help="A random delay of up to so much.")]
Exclusive = Annotated[
    str | None,
    typer.Option(
        "--exclusive", metavar="NAME", help=f"Not while another check of that NAME runs: exit {SKIPPED} at once."
    ),
]
Metrics = Annotated[
    str | None, typer.Option("--metrics", metavar="FILE", help="Write metrics for Prometheus' textfile collector.")
]
Listen = Annotated[
    str | None, typer.Option("--listen", metavar="ADDRESS", help="With --every: serve /metrics and /healthz there.")
]
Notify = Annotated[
    list[str] | None,
    typer.Option(
        "--notify", metavar="URL|env:NAME|file:PATH", envvar="HVCTL_NOTIFY", help="Tell changes to this Apprise URL."
    ),
]
Hours = Annotated[
    str | None,
    typer.Option(
        "--window",
        metavar="HH:MM-HH:MM",
        help=f"Begin only between these times of here, else exit {SKIPPED}; what is not begun by its end is left.",
    ),
]
AtMost = Annotated[
    int | None,
    typer.Option("--at-most", metavar="N", min=1, help="Change nothing at all if there are more than N changes."),
]
