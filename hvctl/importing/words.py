"""Values of fields as a person writes them: 40GB, 1Gbps, 1h30m, 00-15-5D-01-02-03."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from hvctl.core.fields import Fields
from hvctl.kinds._types import GB, KB, MB, TB, Rate, Seconds, Size
from hvctl.text.duration import written

_SIZES = (("TB", TB), ("GB", GB), ("MB", MB), ("KB", KB))
_RATES = (("Gbps", 10**9), ("Mbps", 10**6), ("kbps", 10**3))
_BARE_MAC = re.compile(r"^[0-9A-F]{12}$")


def in_words(model: type[BaseModel], field: str, value: Any) -> Any:
    """A field's value as plain data."""
    if isinstance(value, list):
        return [in_words(model, field, v) for v in value]
    if isinstance(value, Fields):
        return {n: in_words(type(value), n, v) for n, v in value if n in value.model_fields_set}
    if isinstance(value, str):
        return "-".join(re.findall("..", value)) if "mac" in field and _BARE_MAC.match(value) else value
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    match unit(model, field):
        case "size":
            return _whole(value, _SIZES)
        case "rate":
            return _whole(value, _RATES)
        case "seconds":
            return written(value)
    return value


def _whole(value: int, units: tuple[tuple[str, int], ...]) -> int | str:
    """In the largest unit of which it is a whole number."""
    return next((f"{value // size}{name}" for name, size in units if value and value % size == 0), value)


@cache
def unit(model: type[BaseModel], field: str) -> str:
    """What a whole number counts."""
    info = model.model_fields[field]
    found = [*info.metadata, *_metadata(info.annotation)]
    kinds = {"size": Size, "rate": Rate, "seconds": Seconds}
    return next((word for word, kind in kinds.items() if any(get_args(kind)[1] is one for one in found)), "")


def _metadata(annotation: Any) -> Iterator[Any]:
    yield from getattr(annotation, "__metadata__", ())
    for inner in get_args(annotation):
        yield from _metadata(inner)
