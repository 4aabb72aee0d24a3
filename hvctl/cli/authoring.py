"""The verbs that help while writing: schema, explain."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from hvctl.cli.app import app
from hvctl.cli.options import Settings
from hvctl.reference.explain import explained, names
from hvctl.reference.schema import SCHEMAS, schema_text
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import suggest


@app.command()
def schema(
    of: Annotated[
        str,
        typer.Argument(
            metavar="|".join(SCHEMAS), help="Of what.", autocompletion=lambda: list(SCHEMAS), show_default=True
        ),
    ] = "playbook",
) -> None:
    """Print the JSON Schema of playbooks, or of other files that one writes, for editors."""
    if of not in SCHEMAS:
        hint = suggest(of, SCHEMAS) or f"one of {', '.join(SCHEMAS)}"
        raise ConfigError([Diagnostic(None, f"there is no schema of {of}", hint)])
    typer.echo(schema_text(of), nl=False)


@app.command()
def explain(
    context: typer.Context,
    key: Annotated[
        str,
        typer.Argument(metavar="KEY", help="Such as vms.disks.iops.", autocompletion=names, show_default=False),
    ] = "",
) -> None:
    """Say what a key of a playbook means, what it takes, what a change of it costs."""
    settings: Settings = context.obj
    for line in explained(key):
        settings.out.print(Text(line), soft_wrap=True)
