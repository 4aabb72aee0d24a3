"""show: a saved plan, in any format of the reports."""

from __future__ import annotations

from typing import Annotated

import typer

from hvctl.cli.app import app
from hvctl.cli.options import Report, Settings
from hvctl.cli.reported import RENDERERS, STDOUT, Reports
from hvctl.cli.saved import opened_by
from hvctl.core.check import Check
from hvctl.core.outcome import Outcome
from hvctl.fleet.showing import Showing
from hvctl.saved.planfile import SavedPlans, load_plans
from hvctl.saved.recognition import is_plan
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import suggest

FORMATS = ("text", "diff", *RENDERERS)


@app.command()
def show(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="PLANFILE", help="What `hvctl plan --out` wrote.")],
    form: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help=f"{', '.join(FORMATS)}.", autocompletion=lambda: list(FORMATS)),
    ] = "text",
    report: Report = None,
) -> None:
    """Print a saved plan, as it was when it was made. Asks no host."""
    settings: Settings = context.obj
    if form not in FORMATS:
        hint = suggest(form, FORMATS) or f"one of {', '.join(FORMATS)}"
        raise ConfigError([Diagnostic(None, f"--format {form}: no such format", hint)])
    reports = Reports.asked(report)
    if form in RENDERERS:
        if reports.on_stdout:
            raise typer.BadParameter("--format and a report with - both go to the output")
        reports = Reports((*reports.wanted, (form, STDOUT)))
    if not is_plan(file):
        raise ConfigError([Diagnostic(None, f"{file} is not a plan file", "make one with hvctl plan --out")])
    saved = load_plans(file, opened_by(settings))
    outcomes = tuple(Outcome(plan.host, plan) for plan in saved.plans)
    if not reports.on_stdout:
        settings.out.print(_headline(saved), soft_wrap=True)
        Showing(settings.out, settings.err, settings.redactor, settings.verbose).plans(outcomes, diff=form == "diff")
    check = Check("plan", (file,), saved.created, saved.created, outcomes, 0, saved=True)
    raise typer.Exit(reports.write(settings, check))


def _headline(saved: SavedPlans) -> str:
    allows = f"; it allows {', '.join(saved.allow)}" if saved.allow else ""
    return f"Plan file {saved.file}, made {saved.created:%Y-%m-%d %H:%M} UTC by hvctl {saved.hvctl}{allows}:"
