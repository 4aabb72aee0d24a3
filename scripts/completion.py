"""completion.json: the commands and options that shells offer, from the command line itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import hvctl.cli  # noqa: F401  puts the verbs into the app
from hvctl.cli.app import app
from hvctl.cli.reported import RENDERERS
from hvctl.cli.showing import FORMATS
from hvctl.core.impact import IMPACTS
from hvctl.reference.explain import names
from hvctl.reference.schema import SCHEMAS

COMPLETION = Path(__file__).parent.parent / "hvctl" / "completion.json"
_OPTIONS = {"--limit": "hosts", "--tags": "tags", "--vm": "vms", "--allow": "impacts", "--report": "reports"}
_ARGUMENTS = {"HOST": "hosts", "KEY": "keys", "NAME": "schedules"}


def completion() -> str:
    commands = dict(_commands("", typer.main.get_command(app)))
    words = {
        "impacts": IMPACTS[1:],
        "reports": [f"{name}=" for name in RENDERERS],
        "show --format": FORMATS,
        "schedule install --format": ("systemd", "cron", "taskxml"),
        "keys": names(),
        "schemas": list(SCHEMAS),
    }
    return json.dumps({"commands": commands, "words": words}, indent=1, ensure_ascii=False) + "\n"


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    options: dict[str, str] = {}
    argument = ""
    for one in command.params:
        if one.param_type_name == "argument":
            argument = argument or _argument(path, str(one.metavar or ""))
            continue
        flag = getattr(one, "is_flag", False) or getattr(one, "count", False)
        for name in (*one.opts, *one.secondary_opts):
            options[name] = "" if flag else _kind(path, one.opts)
    options["--help"] = ""
    help_text = (command.help or "").strip().splitlines()
    yield path, {"help": help_text[0] if help_text else "", "options": options, "argument": argument}
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(f"{path} {name}".strip(), inner)


def _kind(path: str, names_: list[str]) -> str:
    if "--format" in names_:
        return f"{path} --format"
    return next((_OPTIONS[name] for name in names_ if name in _OPTIONS), "value")


def _argument(path: str, metavar: str) -> str:
    return "schemas" if path == "schema" else _ARGUMENTS.get(metavar.partition("...")[0], "value")
