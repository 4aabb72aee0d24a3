"""The verbs, by name: the module of each is imported when it is asked for, so that help and completion cost nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from hvctl.cli.helping import dressed


@dataclass(frozen=True)
class Verb:
    """`module`: what puts it into the app when it is imported. `help`: the first sentence of its own help, which a test
    compares."""

    module: str
    help: str


VERBS: Mapping[str, Verb] = {
    "init": Verb("hvctl.cli.init", "Write an inventory, a first playbook and what they need; overwrites nothing."),
    "doctor": Verb(
        "hvctl.cli.doctor", "Say what keeps hvctl from working on hosts, and what to do about it; changes nothing."
    ),
    "import": Verb("hvctl.cli.importing", "Write the playbook that says how hosts are."),
    "validate": Verb("hvctl.cli.verbs", "Check inventory and playbooks without asking any host."),
    "plan": Verb("hvctl.cli.verbs", "Show what would change."),
    "apply": Verb("hvctl.cli.verbs", "Make the hosts as the playbooks say, then look again."),
    "drift": Verb("hvctl.cli.verbs", "Say whether the hosts are as the playbooks say; changes nothing."),
    "show": Verb("hvctl.cli.showing", "Print a saved plan, as it was when it was made."),
    "export": Verb(
        "hvctl.cli.exporting",
        "Export a VM now, whatever its playbook says of when; or with --due what playbooks say is due.",
    ),
    "replica": Verb("hvctl.cli.replica", "Fail a replicated VM over, test that, and go back."),
    "cluster": Verb("hvctl.cli.maintaining", "Maintenance of the nodes of a cluster."),
    "metering": Verb("hvctl.cli.billing", "Read what VMs used, and bill it."),
    "schedule": Verb("hvctl.cli.schedule", "Drift checks, applies, exports and readings of meters at fixed times."),
    "history": Verb(
        "hvctl.cli.history",
        "Show what differed on the hosts, since when and until when, and when they could not be reached.",
    ),
    "serve": Verb("hvctl.cli.serve", "Show the history in a browser: read only, no host is asked."),
    "facts": Verb("hvctl.cli.verbs", "Print what hvctl reads of a host."),
    "inventory": Verb("hvctl.cli.verbs", "Print the inventory as hvctl understands it."),
    "record": Verb("hvctl.cli.verbs", "Write down what a host answers, so that tests can replay it."),
    "explain": Verb(
        "hvctl.cli.authoring", "Say what a key of a playbook means, what it takes, what a change of it costs."
    ),
    "schema": Verb(
        "hvctl.cli.authoring", "Print the JSON Schema of playbooks, or of other files that one writes, for editors."
    ),
    "report-schema": Verb("hvctl.cli.verbs", "Print the JSON Schema of what --json and --report json=FILE write."),
}
"""In the order in which help lists them."""


class Commands(MutableMapping[str, Any]):
    """The commands of the app: those that are there, and those that come with their module. What an import raises is
    raised."""

    def __init__(self, there: Mapping[str, Any]) -> None:
        self._there = dict(there)

    def __getitem__(self, name: str) -> Any:
        if name not in self._there:
            import_module(VERBS[name].module)
            from hvctl.cli.app import app  # which has this group

            found = typer.main.get_command(app)
            assert isinstance(found, LazyVerbs)
            self._there |= found.commands._there
        return dressed(self._there[name])

    def __setitem__(self, name: str, command: Any) -> None:
        self._there[name] = command

    def __delitem__(self, name: str) -> None:
        del self._there[name]

    def __contains__(self, name: object) -> bool:
        return name in VERBS or name in self._there

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*VERBS, *self._there)))

    def __len__(self) -> int:
        return len(VERBS.keys() | self._there.keys())


class Verbs(TyperGroup):
    """Verbs of one kind. What each does is told in full: a sentence that is cut tells less than none."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        found = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, _first(one)) for name, one in found if one is not None and not one.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _first(command: Any) -> str:
    """The first paragraph of its help, on one line."""
    return " ".join((command.short_help or command.help or "").partition("\n\n")[0].split())


class LazyVerbs(Verbs):
    """Lists the verbs without their modules."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Commands = Commands(self.commands)
        self._listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if self._listing and cmd_name in VERBS:
            return TyperCommand(cmd_name, callback=None, short_help=VERBS[cmd_name].help)  # which is not cut
        if cmd_name not in self.commands:
            return None
        return self.commands[cmd_name]  # not `get`, which would hide a KeyError of the module

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with self._listed():
            super().format_commands(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        with self._listed():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _listed(self) -> Iterator[None]:
        """Only names and helps are asked for."""
        self._listing = True
        try:
            yield
        finally:
            self._listing = False
