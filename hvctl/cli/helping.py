"""How help is laid out: sentences are never cut, and are told in the reader's language, by the widths of its characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

from hvctl.language import spoken
from hvctl.language.helped import helped

_EXTRA = re.compile(r"(.*?)(?:  |^)(\[[^\[\]]*\])", re.DOTALL)
"""A help, and what typer says of its option after it."""
_NAMES = 30
"""Columns that names may take beside their texts; beyond that they have a line of their own."""


def dressed(command: Any) -> Any:
    """A command and those below it, with such help."""
    base = type(command).context_class
    if not issubclass(base.formatter_class, _Spoken):
        formatter = type("Formatter", (_Spoken, base.formatter_class), {})
        command.context_class = type("Context", (base,), {"formatter_class": formatter})
    below = getattr(command, "commands", None)
    for one in below.values() if isinstance(below, dict) else ():  # not those that come with their module
        dressed(one)
    return command


class _Spoken:
    """Beside a formatter of click."""

    width: int
    current_indent: int
    write: Any

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix if spoken() == "en" else f"{helped('Usage')}: ")  # type: ignore[misc]

    def write_heading(self, heading: str) -> None:
        super().write_heading(helped(heading))  # type: ignore[misc]

    def write_text(self, text: str) -> None:
        if spoken() == "en":
            super().write_text(text)  # type: ignore[misc]
            return
        for line in _folded(helped(text), self.width - self.current_indent):
            self.write(f"{'':{self.current_indent}}{line}\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = _NAMES, col_spacing: int = 2) -> None:
        if spoken() == "en":
            super().write_dl(rows, col_max, col_spacing)  # type: ignore[misc]
            return
        margin = min(max((len(name) for name, _ in rows), default=0), col_max) + col_spacing
        for name, text in rows:
            lines = list(_folded(_whole(text), max(self.width - margin - self.current_indent, 10)))
            beside = len(name) <= margin - col_spacing
            firsts = [name] if beside else [name, ""]
            for first, line in zip_longest(firsts, lines if beside else ["", *lines], fillvalue=""):
                self.write(f"{'':{self.current_indent}}{first:{margin}}{line}".rstrip() + "\n")


def _whole(text: str) -> str:
    match = _EXTRA.fullmatch(text)
    if match is None:
        return helped(text)
    parts = [_extra(part) for part in match[2][1:-1].split("; ")]
    return f"{helped(match[1])}  [{'; '.join(parts)}]".strip()


def _extra(part: str) -> str:
    word, colon, value = part.partition(": ")
    return f"{helped(word)}{colon}{value}"


def _folded(text: str, width: int) -> Iterator[str]:
    from hvctl.show.cells import fold

    yield from fold(text, width)
