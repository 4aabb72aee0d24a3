"""Diagnostics as lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from hvctl.show.plain import plain
from hvctl.text.diagnostic import Diagnostic


def problem_lines(problems: Iterable[Diagnostic]) -> Iterator[Text]:
    for problem in map(plain, problems):
        line = Text()
        if problem.mark:
            line.append(f"{problem.mark}: ", "bold")
        line.append("warning: " if problem.level == "warning" else "", "yellow")
        line.append(problem.message)
        line.append(f"; {problem.hint}" if problem.hint else "", "dim")
        yield line
