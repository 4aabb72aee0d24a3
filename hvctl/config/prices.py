"""A price list: from a YAML file to numbers that money can be made of."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hvctl.metering.bill import ITEMS, Prices
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import Document, PartlyReadError, Path, load, suggest
from hvctl.text.visible import quoted

_KEYS = ("currency", "decimals", "provider", "account", "time_zone", "prices", "owners")
_REFUSED = {
    "latency": "latency has no price: nobody documents the unit of measure it is told in",
    "iops": "IOPS have no price: they are an average that nothing adds up of; disk_io_million counts I/Os",
}
_MOST = 1_000_000_000


def load_prices(file: str) -> Prices:
    """Raises ConfigError with everything that is wrong."""
    problems: list[Diagnostic] = []
    try:
        document = load(file)
    except PartlyReadError as error:
        document, problems = error.document, [*error.problems]
    found = _Prices(document, problems).read()
    if problems or found is None:
        raise ConfigError(problems)
    return found


class _Prices:
    """Collects what is wrong and goes on."""

    def __init__(self, document: Document, problems: list[Diagnostic]) -> None:
        self.document, self.problems = document, problems

    def read(self) -> Prices | None:
        data = self.document.data
        if not isinstance(data, dict):
            self._wrong((), "a price list is a mapping", "write `currency: EUR` and `prices:`")
            return None
        self._known((), data, _KEYS)
        currency = self._currency(data)
        prices = self._items(("prices",), data.get("prices"))
        if not prices and not self.problems:
            self._wrong(("prices",), "no price stands here", f"write one of {', '.join(ITEMS)}")
        return Prices(
            currency,
            prices,
            self._owners(data),
            self._decimals(data),
            self._text(data, "provider", "hvctl"),
            self._text(data, "account", ""),
            self._zone(data),
        )

    def _currency(self, data: dict[str, Any]) -> str:
        value = data.get("currency")
        if isinstance(value, str) and re.fullmatch(r"[A-Z]{3}", value):
            return value
        what = "currency is missing" if value is None else f"{quoted(value)} is not the code of a currency"
        self._wrong(("currency",), what, "write the three letters of ISO 4217, such as `currency: EUR`")
        return ""

    def _decimals(self, data: dict[str, Any]) -> int:
        value = data.get("decimals", 2)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 6:
            return value
        self._wrong(("decimals",), f"{quoted(value)} is not a number of decimals", "write 0 to 6; EUR has 2, JPY has 0")
        return 2

    def _text(self, data: dict[str, Any], name: str, default: str) -> str:
        value = data.get(name, default)
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
        self._wrong((name,), f"{name} is a text", "put it in quotes")
        return default

    def _zone(self, data: dict[str, Any]) -> tzinfo:
        value = data.get("time_zone", "UTC")
        if value == "UTC":
            return UTC
        try:
            return ZoneInfo(str(value))
        except (ZoneInfoNotFoundError, ValueError, OSError):
            hint = "write one as Europe/Berlin or Asia/Tokyo; on Windows they come with the Python package tzdata"
            self._wrong(("time_zone",), f"the time zone {quoted(value)} is not known here", hint)
            return UTC

    def _items(self, path: Path, data: Any) -> dict[str, Decimal]:
        if data is None:
            data = {}
        if not isinstance(data, dict):
            self._wrong(path, "prices are a mapping", "write `memory_gb_hour: 0.004` below it")
            return {}
        self._known(path, data, ITEMS)
        found = ((name, self._price((*path, name), value)) for name, value in data.items() if name in ITEMS)
        return {name: price for name, price in found if price is not None}

    def _price(self, path: Path, value: Any) -> Decimal | None:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if math.isfinite(value) and 0 <= value <= _MOST:
                return Decimal(repr(value))
            self._wrong(path, f"{path[-1]}: {value} is not a price", f"a price is 0 to {_MOST:,} for each unit")
        elif not self.document.lacks(path, value):
            said = "nothing" if value is None else quoted(value)
            self._wrong(path, f"{path[-1]}: {said} is not a number", "write it without quotes, with a point: 0.004")
        return None

    def _owners(self, data: dict[str, Any]) -> dict[str, dict[str, Decimal]]:
        given = data.get("owners") or {}
        if not isinstance(given, dict):
            self._wrong(("owners",), "owners is a mapping", "write `sales: {memory_gb_hour: 0.003}` below it")
            return {}
        return {str(name).casefold(): self._items(("owners", name), prices) for name, prices in given.items()}

    def _known(self, path: Path, data: dict[str, Any], known: Iterable[str]) -> None:
        names = tuple(known)
        for name in data:
            if name in names:
                continue
            refused = next((why for word, why in _REFUSED.items() if word in str(name).casefold()), "")
            mark = self.document.key_marks.get((*path, name)) or self.document.mark(path)
            hint = "leave it out" if refused else suggest(str(name), names) or f"known are {', '.join(names)}"
            self.problems.append(Diagnostic(mark, refused or f"unknown key {quoted(name)} in a price list", hint))

    def _wrong(self, path: Path, message: str, hint: str) -> None:
        self.problems.append(Diagnostic(self.document.mark(path), message, hint))
