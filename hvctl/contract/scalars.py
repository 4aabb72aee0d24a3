"""Text and numbers turned into .NET values as PowerShell does: integers, Guid, TimeSpan, DateTime, Version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Final

RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "Byte": (0, 2**8 - 1),
    "Int16": (-(2**15), 2**15 - 1),
    "UInt16": (0, 2**16 - 1),
    "Int32": (-(2**31), 2**31 - 1),
    "UInt32": (0, 2**32 - 1),
    "Int64": (-(2**63), 2**63 - 1),
    "UInt64": (0, 2**64 - 1),
}

TICKS_A_SECOND = 10_000_000
EMPTY_GUID = "00000000-0000-0000-0000-000000000000"

Number = bool | int | float | Decimal


def integer(value: Number | str, kind: str) -> int:
    """Rounded half to even, as Convert.ChangeType does. ValueError where it is no number or out of range."""
    try:
        number = _numeric(value) if isinstance(value, str) else value
        rounded = number if isinstance(number, int) else Decimal(number).to_integral_value(ROUND_HALF_EVEN)
        result = int(rounded)
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(str(value)) from error
    low, high = RANGES[kind]
    if not low <= result <= high:
        raise ValueError(f"{value} is not within {low} and {high}")
    return result


_HEX = re.compile(r"(?:0[xX]|#|&[hH])([0-9a-fA-F]+)")
_DECIMAL = re.compile(r"[+-]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def _numeric(text: str) -> int | Decimal:
    stripped = text.strip()
    if not text:
        return 0
    if found := _HEX.fullmatch(stripped):
        return int(found[1], 16)
    if not _DECIMAL.fullmatch(stripped):
        raise ValueError(text)
    return Decimal(stripped.replace(",", ""))


_GUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def guid(text: str) -> str:
    """Lower case with hyphens. ValueError where it is no Guid."""
    bare = text.strip()
    if "-" in bare and (bare[:1], bare[-1:]) in (("{", "}"), ("(", ")")):
        bare = bare[1:-1]
    if not _GUID.fullmatch(bare):
        raise ValueError(text)
    digits = bare.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


_SPAN = re.compile(
    r"(?P<minus>-?)(?:(?P<days>\d+)|(?:(?P<d>\d+)(?:\.|:(?=\d+:\d+:)))?(?P<h>\d+):(?P<m>\d+)"
    r"(?::(?P<s>\d+)(?:\.(?P<f>\d{1,7}))?)?)",
    re.ASCII,
)


def ticks(text: str) -> int:
    """Of 100 ns, from `[-][d.]hh:mm[:ss[.fffffff]]` or days alone. ValueError where it is no TimeSpan."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    part = {name: int(found[name] or 0) for name in ("days", "d", "h", "m", "s")}
    days, hours, minutes, seconds = part["days"] + part["d"], part["h"], part["m"], part["s"]
    if hours > 23 and found["d"] is None and found["s"] and not found["f"]:  # "24:00:00" is read as d:hh:mm
        days, hours, minutes, seconds = hours, minutes, seconds, 0
    if hours > 23 or minutes > 59 or seconds > 59:
        raise ValueError(text)
    total = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * TICKS_A_SECOND
    total += int((found["f"] or "").ljust(7, "0"))
    if total >= 2**63:
        raise ValueError(text)
    return -total if found["minus"] else total


@dataclass(frozen=True)
class Moment:
    """A DateTime. `local`: its kind is Local, said here in UTC as on a host in that time zone; else unspecified."""

    ticks: int  # of 100 ns since the year 1
    local: bool = False

    @property
    def naive(self) -> datetime:
        return datetime.min + timedelta(microseconds=self.ticks // 10)


_MOMENT = re.compile(
    r"(?:(?P<y>\d{4})[-/](?P<mo>\d{1,2})[-/](?P<d>\d{1,2})|(?P<mo2>\d{1,2})/(?P<d2>\d{1,2})/(?P<y2>\d{4}))"
    r"(?:[T ](?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:\.(?P<f>\d{1,7}))?)?)?\s*(?P<z>Z|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)


def moment(text: str) -> Moment:
    """ISO 8601, or month/day/year of the invariant culture. ValueError for anything else."""
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    year, month, day = found["y"] or found["y2"], found["mo"] or found["mo2"], found["d"] or found["d2"]
    hour, minute, second = (int(found[name] or 0) for name in ("h", "mi", "s"))
    whole = datetime(int(year), int(month), int(day), hour, minute, second) - datetime.min
    ticks_of_day = whole.days * 86_400 * TICKS_A_SECOND + whole.seconds * TICKS_A_SECOND
    return moment_of_ticks(
        ticks_of_day + int((found["f"] or "").ljust(7, "0")) - _offset(found["z"]), local=found["z"] is not None
    )


def moment_of_ticks(number: int, local: bool = False) -> Moment:
    if not 0 <= number < 3_155_378_976_000_000_000:  # the year 10000
        raise ValueError(str(number))
    return Moment(number, local)


def _offset(zone: str | None) -> int:
    """Ticks that a zone is ahead of UTC."""
    if zone is None or zone in "Zz":
        return 0
    size = (int(zone[1:3]) * 60 + int(zone[-2:])) * 60 * TICKS_A_SECOND
    return size if zone[0] == "+" else -size


_VERSION = re.compile(r"\s*\d+\s*(?:\.\s*\d+\s*){1,3}", re.ASCII)


def version(text: str) -> str:
    """Two to four parts. ValueError where it is no Version."""
    parts = [part.strip() for part in text.split(".")] if _VERSION.fullmatch(text) else []
    if not parts or any(int(part) > RANGES["Int32"][1] for part in parts):
        raise ValueError(text)
    return ".".join(str(int(part)) for part in parts)


def number_text(value: Number) -> str:
    """As PowerShell makes text of it: 1.50 keeps its zero, 1e20 is 1E+20."""
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return repr(value).replace("e", "E")
