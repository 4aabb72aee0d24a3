"""The conditions of a WQL query that are modelled: `A='x' AND B IS NOT NULL`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_EQUAL = re.compile(r"(\w+)\s*=\s*'((?:[^'\\]|\\.)*)'", re.IGNORECASE)
_NULL = re.compile(r"(\w+)\s+IS\s+(NOT\s+)?NULL", re.IGNORECASE)


class WqlError(ValueError):
    """Not a condition that is modelled, or of a property that the class has not."""


def matches(condition: str, row: Mapping[str, Any]) -> bool:
    """Whether a row, by its properties, fulfils a condition; an empty one every row does. Text compares without case."""
    return all(_one(part, row) for part in re.split(r"\s+AND\s+", condition.strip(), flags=re.IGNORECASE) if part)


def _one(part: str, row: Mapping[str, Any]) -> bool:
    if equal := _EQUAL.fullmatch(part.strip()):
        return str(_value(equal[1], row)).casefold() == re.sub(r"\\(.)", r"\1", equal[2]).casefold()
    if null := _NULL.fullmatch(part.strip()):
        return (_value(null[1], row) is None) != bool(null[2])
    raise WqlError(part)


def _value(name: str, row: Mapping[str, Any]) -> Any:
    known = next((key for key in row if key.casefold() == name.casefold()), None)
    if known is None:
        raise WqlError(name)
    return row[known]
