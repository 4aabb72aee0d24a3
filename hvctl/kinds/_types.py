"""Values as users write them and as Hyper-V has them: sizes, rates, paths, words, MAC addresses."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from hvctl.call import Value
from hvctl.core.fields import Input
from hvctl.core.values import Json, Plain, as_json
from hvctl.text.duration import lasted, seconds, spoken
from hvctl.text.number import is_whole
from hvctl.text.source import suggest
from hvctl.text.visible import quoted

KB, MB, GB, TB = 1024, 1024**2, 1024**3, 1024**4
_SIZES = {"": 1, "B": 1, "KB": KB, "MB": MB, "GB": GB, "TB": TB, "PB": 1024**5}
_RATES = {"": 1, "bps": 1, "kbps": 10**3, "mbps": 10**6, "gbps": 10**9, "tbps": 10**12}
_NUMBER = re.compile(r"^\s*([0-9]{1,40}(?:\.[0-9]{1,40})?)\s*([A-Za-z]*)\s*$")


def _amount(value: Any, units: dict[str, int], what: str, example: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{what} is a number or a text such as {example}")
    if isinstance(value, int):
        if value < 0:
            raise ValueError(f"{what} cannot be negative")
        _check_amount(value, value, what)
        return value
    match = _NUMBER.match(value)
    unit = (match[2] if match else "").casefold()
    factor = next((f for name, f in units.items() if name.casefold() == unit), None)
    if match is None or factor is None:
        known = ", ".join(u for u in units if u)
        raise ValueError(f"{quoted(value)} is no {what}; write a number and one of {known}, such as {example}")
    amount = Decimal(match[1]) * factor
    _check_amount(amount, value, what)
    if amount != int(amount):
        raise ValueError(f"{quoted(value)} is no whole number of {'bytes' if units is _SIZES else 'units'}")
    return int(amount)


def _check_amount(amount: int | Decimal, written: object, what: str) -> None:
    """No amount of Hyper-V is larger than an Int64."""
    if amount >= 2**63:
        raise ValueError(f"{str(written)[:40]} is too large for a {what}")


def shown_size(value: int) -> str:
    for name in ("TB", "GB", "MB", "KB"):
        if value >= _SIZES[name] and value * 4 % _SIZES[name] == 0:
            return f"{value / _SIZES[name]:,.2f}".rstrip("0").rstrip(".") + f" {name}"
    return f"{value:,} bytes"


class _SizeCodec(Plain):
    def show(self, value: Any) -> str:
        return shown_size(value) if isinstance(value, int) else super().show(value)


class _RateCodec(Plain):
    """Bits per second; null and 0 both mean that none is set (domain 9.1)."""

    def read(self, value: Any) -> Any:
        return value or 0

    def write(self, value: Any) -> Value:
        return value or 0

    def same(self, now: Any, wanted: Any) -> bool:
        return (now or 0) == (wanted or 0)

    def value(self, value: Any) -> Json:
        return as_json(value or 0)

    def show(self, value: Any) -> str:
        if not value:
            return "none"
        for name, factor in (("Gbps", 10**9), ("Mbps", 10**6), ("kbps", 10**3)):
            if value >= factor and value * 1000 % factor == 0:
                return f"{value / factor:,.3f}".rstrip("0").rstrip(".") + f" {name}"
        return f"{value:,} bps"


class _CountCodec(_RateCodec):
    """A limit where null and 0 both mean none (IOPS, domain 8.4)."""

    def show(self, value: Any) -> str:
        return f"{value:,}" if value else "none"


class Cleared(Plain):
    """A number that null sets back to what means no limit."""

    def __init__(self, to: int) -> None:
        self.to = to

    def write(self, value: Any) -> Value:
        return self.to if value is None else value

    def same(self, now: Any, wanted: Any) -> bool:
        return bool((self.to if now is None else now) == (self.to if wanted is None else wanted))

    def value(self, value: Any) -> Json:
        return as_json(self.to if value is None else value)

    def show(self, value: Any) -> str:
        return super().show(self.to if value is None else value)


class SpanCodec(Plain):
    """Seconds on both sides, shown with their units."""

    def show(self, value: Any) -> str:
        return spoken(value) if isinstance(value, int) else super().show(value)


class _SecondsCodec(SpanCodec):
    """Seconds here, a TimeSpan there: ticks of 100 ns as read, text d.hh:mm:ss as sent."""

    def read(self, value: Any) -> Any:
        return value // 10_000_000 if isinstance(value, int) else value

    def write(self, value: Any) -> Value:
        days, rest = divmod(int(value), 86400)
        return f"{days}.{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}"


def shown_age(seconds: float) -> str:
    """To the minute, so that two looks in a row say the same."""
    minutes = round(seconds / 60)
    return lasted(timedelta(minutes=minutes)) if minutes else "less than a minute"


def about_size(value: int) -> str:
    """An amount that was measured, to a tenth: for reading, not for setting."""
    name = next((n for n in ("TB", "GB", "MB", "KB") if value >= _SIZES[n]), "")
    return f"{value / _SIZES[name]:,.1f}".removesuffix(".0") + f" {name or 'bytes'}"


class _OnOffCodec(Plain):
    """OnOffState: On is 0 and Off is 1 (domain 1.4), so it is read by name, never by truth."""

    def read(self, value: Any) -> Any:
        return {"on": True, "off": False}.get(str(value).casefold(), value)

    def write(self, value: Any) -> Value:
        return "On" if value else "Off"


class _NotCodec(Plain):
    """A parameter that says the opposite of the property."""

    def write(self, value: Any) -> Value:
        return not value


class _TextCodec(Plain):
    """Text; line ends compare normalised (domain 23, trap 26)."""

    free = True

    def read(self, value: Any) -> Any:
        return value or ""

    def write(self, value: Any) -> Value:
        return value or ""

    def same(self, now: Any, wanted: Any) -> bool:
        return _lines(now) == _lines(wanted)

    def value(self, value: Any) -> Json:
        return _lines(value)

    def show(self, value: Any) -> str:
        text = str(value or "").splitlines()
        return "none" if not text else quoted(text[0]) + (" …" if len(text) > 1 else "")


class _PathCodec(Plain):
    free = True

    def same(self, now: Any, wanted: Any) -> bool:
        return same_path(now, wanted)


class _MacCodec(Plain):
    def same(self, now: Any, wanted: Any) -> bool:
        return bare_mac(str(now or "")) == bare_mac(str(wanted or ""))


class _FoldCodec(Plain):
    """Text that Hyper-V compares without case."""

    def same(self, now: Any, wanted: Any) -> bool:
        return str(now or "").casefold() == str(wanted or "").casefold()


class _NameCodec(_FoldCodec):
    """A name of another thing; none is empty text there."""

    def write(self, value: Any) -> Value:
        return value or ""

    def show(self, value: Any) -> str:
        return str(value or "none")


SIZE, RATE, COUNT, SPAN, SECONDS = _SizeCodec(), _RateCodec(), _CountCodec(), SpanCodec(), _SecondsCodec()
ON_OFF, NOT, TEXT, PATH, MAC, FOLD, NAME = (
    _OnOffCodec(),
    _NotCodec(),
    _TextCodec(),
    _PathCodec(),
    _MacCodec(),
    _FoldCodec(),
    _NameCodec(),
)


def _lines(value: Any) -> str:
    return str(value or "").replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


# --- words ------------------------------------------------------------------------------------------------------


class Words(Plain):
    """Words users write and Hyper-V's names for them; a codec, and the annotation that checks the word. `listed`: where
    the documentation has them, if they are too many."""

    listed: str = ""

    def __init__(self, **names: str) -> None:
        self.names = {word.rstrip("_"): name for word, name in names.items()}

    def read(self, value: Any) -> Any:
        found = (w for w, name in self.names.items() if name.casefold() == str(value).casefold())
        return next(found, value)

    def write(self, value: Any) -> Value:
        return self.names[value]

    def check(self, value: Any) -> Any:
        if value is None or (isinstance(value, str) and value in self.names):
            return value
        if isinstance(value, str) and value.casefold().replace("-", "_") in self.names:
            return value.casefold().replace("-", "_")
        raise ValueError(f"{quoted(value)} is none of {', '.join(self.names)}" + _hint(str(value), self.names))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"enum": list(self.names)}


def _hint(word: str, candidates: Any) -> str:
    hint = suggest(word, candidates)
    return f"; {hint}" if hint else ""


# --- annotated types ---------------------------------------------------------------------------------------------


def as_flag(value: Any) -> Any:
    """Yes and no in words; anything else as it is."""
    words = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
    return words.get(value.casefold(), value) if isinstance(value, str) else value


def _absolute(value: str) -> str:
    if not re.match(r"^(?:[A-Za-z]:\\|\\\\[^\\]+\\[^\\]+)", value):
        raise ValueError(f"{quoted(value)} is not an absolute Windows path; write it from the drive, such as 'D:\\VMs'")
    if "/" in value:
        raise ValueError(f"{quoted(value)} has a slash; Windows paths are written with backslashes, in single quotes")
    if re.search(r'[<>|"?*]', value[3:]):
        raise ValueError(f"{quoted(value)} has a character that no Windows path can have")
    return value


def _mac(value: Any) -> Any:
    bare = bare_mac(str(value))
    if not re.fullmatch(r"[0-9A-F]{12}", bare):
        raise ValueError(f"{quoted(value)} is no MAC address; write twelve hex digits, such as '00-15-5D-01-02-03'")
    return bare


def _pool(value: str) -> str:
    if not value.strip():
        raise ValueError("a resource pool has a name; write it, or Primordial, which everything is in at first")
    return value


def _seconds(value: Any) -> int:
    if isinstance(value, str) and not is_whole(value.strip()):
        return seconds(value)
    return _amount(value, {"": 1}, "time", "90s, 1.5h or 1h30m")


def _text(pattern: str) -> Input:
    return Input(({"type": "string", "pattern": pattern},))


_AMOUNT = r"^\s*[0-9]+(\.[0-9]+)?\s*"
FLAG_WORDS = Input(({"enum": ["yes", "no", "on", "off", "Yes", "No", "On", "Off"]},))
Flag = Annotated[bool, BeforeValidator(as_flag), FLAG_WORDS]
Size = Annotated[
    int, BeforeValidator(lambda v: _amount(v, _SIZES, "size", "60GB")), _text(_AMOUNT + r"([KMGTPkmgtp]?[Bb])?\s*$")
]
Rate = Annotated[
    int,
    BeforeValidator(lambda v: _amount(v, _RATES, "rate", "1Gbps")),
    _text(_AMOUNT + r"([KMGTkmgt]?[Bb][Pp][Ss])?\s*$"),
]
Seconds = Annotated[
    int, BeforeValidator(_seconds), _text(r"^\s*[0-9]+\s*$|^\s*([0-9]+(\.[0-9]+)?\s*([WwDdHhMmSs]|[Mm][Ii][Nn])\s*)+$")
]
"""A plain number counts seconds."""
LONGEST = 36_500 * 86_400
"""Seconds, for fields without another limit: beyond some such, neither Python's spans nor Windows' can hold them."""
Pool = Annotated[str, AfterValidator(_pool)]
"""A resource pool; the one that everything is in at first is called Primordial."""
WindowsPath = Annotated[str, AfterValidator(_absolute), Input(pattern=r"^([A-Za-z]:\\|\\\\[^\\]+\\[^\\]+)")]
MAC_PATTERN = r"^([^0-9A-Za-z]*[0-9A-Fa-f]){12}[^0-9A-Za-z]*$"
MacAddress = Annotated[str, BeforeValidator(_mac), Input(pattern=MAC_PATTERN)]


def multiple_of(step: int, what: str) -> AfterValidator:
    """For sizes that Hyper-V would round or refuse."""

    def check(value: int) -> int:
        if value % step:
            raise ValueError(
                f"{value:,} bytes is no multiple of {what}; nearest are "
                f"{shown_size(value // step * step)} and {shown_size((value // step + 1) * step)}"
            )
        return value

    return AfterValidator(check)


# --- paths -------------------------------------------------------------------------------------------------------


@lru_cache(100_000)
def path_key(path: str) -> str:
    """A Windows path as it is compared: without case, `\\\\?\\`, doubled or trailing separators, trailing dots
    and spaces of its parts (domain 8.3)."""
    text = path.casefold().replace("/", "\\")
    if text.startswith("\\\\?\\unc\\"):
        text = "\\\\" + text[8:]
    elif text.startswith("\\\\?\\"):
        text = text[4:]
    head = "\\\\" if text.startswith("\\\\") else ""
    parts = [p.rstrip(". ") if p not in (".", "..") else p for p in text[len(head) :].split("\\")]
    return head + "\\".join(p for p in parts if p)


def same_path(one: Any, other: Any) -> bool:
    return path_key(str(one or "")) == path_key(str(other or ""))


def bare_mac(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z]", "", text).upper()
