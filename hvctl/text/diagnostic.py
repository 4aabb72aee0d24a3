"""What is wrong or worth knowing, as one value from wherever it comes: a file, a rule, a host, a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from hvctl.text.address import Address
from hvctl.text.foreign import Foreign

Level = Literal["error", "impossible", "unknown", "later", "warning"]
"""error: nothing is done before it is corrected. impossible: this is not done on this host, whatever is allowed.
unknown: it could not be read. later: it will be possible by itself. warning: it is done. What is done with consent says
so in its line."""


@dataclass(frozen=True, order=True, slots=True)
class Mark:
    """A place in a file, counted from 1. Line 0: what is no file, such as the command line."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True)
class Diagnostic:
    """`hint`: what to do. `field`: of the resource, dotted; "" for the whole. `address`: of the resource, where it is one's;
    several hosts may have the same to say. `outside`: what of the message is the host's and not hvctl's wording. `trace`:
    where in hvctl it came up, if that may help; `defect`: it is hvctl's own."""

    mark: Mark | None
    message: str
    hint: str = ""
    level: Level = "error"
    field: str = ""
    address: Address | None = dataclasses.field(default=None, compare=False)
    outside: tuple[Foreign, ...] = ()
    trace: str = ""
    defect: bool = False

    def __str__(self) -> str:
        place = f"{self.mark}: " if self.mark else ""
        return place + self.message + (f"; {self.hint}" if self.hint else "")

    @property
    def holds(self) -> bool:
        """Whether what it is about is not done now."""
        return self.level in ("error", "impossible", "later")


@dataclass(frozen=True)
class HostDiagnostic(Diagnostic):
    """What is wrong for one host only: the others go on without it."""


@dataclass(frozen=True)
class UndefinedDiagnostic(Diagnostic):
    """Nobody defines what is needed, as far as the variables could be read."""


class ConfigError(Exception):
    """Something the user wrote is wrong; all of it together."""

    def __init__(self, problems: Iterable[Diagnostic]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.mark is not None, p.mark or Mark("", 0, 0))))
        super().__init__("\n".join(str(p) for p in self.problems))


class RefusedError(ConfigError):
    """A limit was passed. Nothing more is looked at: the next host might take as long."""
