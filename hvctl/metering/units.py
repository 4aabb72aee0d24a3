"""Units of measure: as a host tells them, as they are documented, or not known; never guessed.

A host tells them in the notation of DSP0004 (ProgrammaticUnits of its metric definitions): `byte * 2^20`, `hertz * 10^6`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from hvctl.metering.reading import Quantity

MB = 2**20
_WRITTEN = re.compile(r"([a-z]{1,20})(?:\s*\*\s*([0-9]{1,4})\s*\^\s*([0-9]{1,2}))?", re.IGNORECASE)
_MOST = 2**50


@dataclass(frozen=True)
class Unit:
    """`scale`: how many of the base unit one counted thing is."""

    base: str
    scale: int


@dataclass(frozen=True)
class Definition:
    """What a quantity is counted in. `documented`: where; "" if only tools of others say so. `name`: for people."""

    unit: Unit
    name: str
    documented: str


_MEANT: Final[Mapping[str, Definition]] = {
    "processor": Definition(Unit("hertz", 10**6), "MHz", "Microsoft"),  # operations 1.1, D TB1
    "memory": Definition(Unit("byte", MB), "MB", "Microsoft"),  # operations 1.1, D TB1
    "network_in": Definition(Unit("byte", MB), "MB", "Microsoft"),  # operations 1.1, D PSD
    "network_out": Definition(Unit("byte", MB), "MB", "Microsoft"),
    "io": Definition(Unit("count", 1), "I/Os of 8 KB", "Microsoft"),  # operations 1.1, D (QoS pages)
    "data_read": Definition(Unit("byte", MB), "MB", ""),  # operations 1.1, O: OpenStack's tools take it so
    "data_written": Definition(Unit("byte", MB), "MB", ""),
}

METERED: Final = tuple(_MEANT)
"""What is told by the meters of a host; the disks are read from its inventory, in bytes."""


@dataclass(frozen=True)
class Interpretation:
    """How a quantity is to be understood. `scale`: from what was counted to MHz, MB or I/Os; None: nobody tells.
    `source`: who does."""

    scale: float | None
    source: str


def parsed(text: str) -> Unit | None:
    """Of the notation of DSP0004. None: something else."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        return None
    scale = int(match[2] or 1) ** int(match[3] or 0)
    return Unit(match[1].casefold(), scale) if 0 < scale <= _MOST else None


def known(quantity: Quantity, told: Mapping[str, str]) -> Interpretation:
    """By what the host tells, else by what is documented."""
    return _known(quantity, told.get(quantity, ""))


@cache
def _known(quantity: Quantity, text: str) -> Interpretation:
    meant = _MEANT.get(quantity)
    if meant is None:
        return Interpretation(1.0, "the inventory")
    if not text:
        return Interpretation(1.0, meant.documented) if meant.documented else Interpretation(None, "")
    unit = parsed(text)
    if unit is None or unit.base != meant.unit.base:
        return Interpretation(None, f"the host ({text})")
    return Interpretation(unit.scale / meant.unit.scale, f"the host ({text})")


def name_of(quantity: str) -> str:
    meant = _MEANT.get(quantity)
    return meant.name if meant else "bytes"
