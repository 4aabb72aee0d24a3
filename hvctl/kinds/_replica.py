"""Words and values of Hyper-V Replica that its kinds share (domain 15)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator

from hvctl.core.values import Plain
from hvctl.text.visible import quoted

METHODS = {"kerberos": "Kerberos", "certificate": "Certificate"}

_WRITTEN = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_TICKS = 10_000_000


def _time(text: str) -> str:
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f"{quoted(text)} is not a time of day; write it as '09:00'")
    return f"{int(match[1]):02}:{match[2]}"


class _TimeOfDay(Plain):
    """`09:00` here, a TimeSpan there: ticks of 100 ns as read."""

    def read(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        minutes = value // _TICKS // 60
        return f"{minutes // 60:02}:{minutes % 60:02}"

    def write(self, value: Any) -> str:
        return f"{value}:00"


TIME_OF_DAY = _TimeOfDay()
TimeOfDay = Annotated[str, AfterValidator(_time)]
"""By the host's clock on the wall."""
