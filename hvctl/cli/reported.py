"""--report: which reports were asked for, whether they can be written at all, and writing them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

import typer

from hvctl.cli.options import Settings
from hvctl.core.check import Check
from hvctl.core.status import TROUBLE
from hvctl.show.screen import print_json
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.files import why_not, write_whole
from hvctl.text.source import suggest

RENDERERS = {
    "html": "hvctl.show.html",
    "junit": "hvctl.show.junit",
    "json": "hvctl.show.data",
    "markdown": "hvctl.show.markdown",
}
"""Each has `rendered(check) -> str`. Imported only where one is asked for."""
STDOUT = "-"
_MARKUP = ("html", "junit")
_NEXT = re.compile(rf",(?=\s*(?:{'|'.join(RENDERERS)})=)")


@dataclass(frozen=True)
class Reports:
    """Pairs of a format and a file."""

    wanted: tuple[tuple[str, str], ...] = ()

    @classmethod
    def to_approve(cls, given: Sequence[str] | None, *, as_json: bool, asks: bool) -> Reports:
        """As `asked`, of a verb that shows its plan first; `asks`: and asks whether to go on."""
        found = cls.asked(given, as_json=as_json)
        if asks and found.on_stdout:
            raise typer.BadParameter(
                "a report instead of text leaves nothing to approve: add --auto-approve or --check"
            )
        return found

    @classmethod
    def asked(cls, given: Sequence[str] | None, *, as_json: bool = False) -> Reports:
        """Raises ConfigError for whatever can be known before a host is asked."""
        problems: list[Diagnostic] = []
        found: list[tuple[str, str]] = [("json", STDOUT)] if as_json else []
        for word in (w.strip() for option in given or () for w in _NEXT.split(option)):
            name, equals, file = word.partition("=")
            file = str(Path(file).expanduser()) if file.startswith("~") else file
            if name not in RENDERERS or not equals:
                known = ", ".join(RENDERERS)
                problems.append(_problem(f"{word}: no such report", suggest(name, RENDERERS) or f"one of {known}"))
            elif not file:
                problems.append(_problem(f"{word}: no file", f"write {name}=FILE, or {name}=- for the output"))
            elif file in (f for _, f in found):
                problems.append(_problem(f"{word}: two reports cannot go there", "name another file"))
            elif file != STDOUT and (why := why_not(file)):
                problems.append(_problem(f"{word}: {file} cannot be written: {why}", "name another file"))
            else:
                found.append((name, file))
        if problems:
            raise ConfigError(problems)
        return cls(tuple(found))

    @property
    def on_stdout(self) -> bool:
        """Then the usual text is not printed."""
        return any(file == STDOUT for _, file in self.wanted)

    def write(self, settings: Settings, check: Check) -> int:
        """The exit status: the check's, with 4 in it if a report could not be written."""
        failed = False
        for name, file in self.wanted:
            text = settings.tried(partial(_renderer(name), check), None)
            if text is None:
                failed = True
                settings.err.print(f"The {name} report was not written: {file}", soft_wrap=True)
                continue
            if file == STDOUT:
                _printed(settings, name, text)
                continue
            try:
                write_whole(file, text)
                settings.err.print(f"Report written: {file}", soft_wrap=True)
            except OSError as error:
                failed = True
                said = f"The {name} report was not written: {file}: {error.strerror or error}"
                settings.err.print(said, soft_wrap=True)
        if failed and not check.interrupted:
            return check.exit_status | TROUBLE
        return check.exit_status


def _renderer(name: str) -> Callable[[Check], str]:
    rendered: Callable[[Check], str] = import_module(RENDERERS[name]).rendered
    return rendered


def _printed(settings: Settings, name: str, text: str) -> None:
    if name == "json":
        print_json(settings.out, text)
    elif name in _MARKUP and not settings.out.encoding.startswith("utf"):
        # It says of itself that it is UTF-8.
        typer.echo(text.encode("ascii", "xmlcharrefreplace").decode())
    else:
        typer.echo(text)


def _problem(message: str, hint: str) -> Diagnostic:
    return Diagnostic(None, f"--report {message}", hint)
