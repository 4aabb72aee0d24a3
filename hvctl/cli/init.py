"""hvctl init: the files that a new project begins with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from hvctl.cli.app import app
from hvctl.cli.importing import write_new
from hvctl.cli.options import Settings
from hvctl.importing.start import EXAMPLE, start_files
from hvctl.reference.schema import schema_text


@app.command()
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write them.")] = Path(),
    hosts: Annotated[list[str] | None, typer.Option("--host", metavar="NAME", help="A host to begin with.")] = None,
    user: Annotated[str, typer.Option("--user", metavar="NAME", help="The account on the hosts.")] = "hvadmin",
) -> None:
    """Write an inventory, a first playbook and what they need; overwrites nothing."""
    settings: Settings = context.obj
    files = {folder / name: text for name, text in start_files(hosts or (), user).items()}
    schemas = {
        folder / "schemas" / f"{name}.json": schema_text(name) for name in ("playbook", "inventory", "variables")
    }
    write_new(files | schemas)
    for file in files:
        settings.out.print(f"Written: {file}", soft_wrap=True)
    settings.out.print(f"Written: {folder / 'schemas'} (for your editor)", soft_wrap=True)
    where = f"cd {folder} && " if folder != Path() else ""
    settings.out.print("Next:")
    if not hosts:
        settings.out.print(
            f"    write the names of your hosts for {EXAMPLE[0]} in {folder / 'inventory.yml'}", soft_wrap=True
        )
    for command in ("export HVCTL_PASSWORD=…", f"{where}hvctl doctor all", f"{where}hvctl import all --split"):
        settings.out.print(Text(f"    {command}"), soft_wrap=True)
