"""Every recorded call means to our binder what it meant to the real engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hvctl.contract import OS, VERSIONS, BindError, Bound, BoundValue, Contract, bind, contract
from hvctl.contract.members import FLAGS_EXPRESSION
from hvctl.contract.objects import is_host_object
from hvctl.contract.scalars import TICKS_A_SECOND, Moment
from hvctl.contract.values import text_of

CASES = Path(__file__).parent.parent / "data/bindings"


@dataclass(frozen=True)
class Thing:
    """An object on the host, as the record's {"$new": …} has it."""

    type_name: str


@pytest.mark.parametrize("os", VERSIONS)
def test_agrees_with_the_engine(os: OS) -> None:
    facts = contract(os)
    lines = (CASES / f"{os}.jsonl").read_text("utf-8").splitlines()
    disagreements = [found for line in lines if (found := disagreement(facts, parsed(line)))]
    assert lines
    assert not disagreements, "\n".join(disagreements)


def disagreement(facts: Contract, case: Mapping[str, Any]) -> str:
    """What differs, "" where nothing does."""
    outcome = bind(facts, case["cmdlet"], case["params"])
    expected = _expected(case)
    actual = _actual(outcome)
    if actual == expected:
        return ""
    return f"{case['cmdlet']} {case['params']}: {actual}, the engine: {expected}"


def parsed(line: str) -> Mapping[str, Any]:
    """As ConvertFrom-Json reads it: fractions are Decimal, with an exponent Double."""
    case: Mapping[str, Any] = json.loads(
        line, parse_float=lambda text: float(text) if "e" in text.lower() else Decimal(text)
    )
    return {**case, "params": {name: _argument(value) for name, value in case["params"].items()}}


def _argument(value: Any) -> Any:
    if isinstance(value, list):
        return [_argument(item) for item in value]
    if isinstance(value, dict) and "$new" in value:
        return Thing(value.get("$tag") or f"Recorded.{value['$new']}")
    return value


def _expected(case: Mapping[str, Any]) -> object:
    if "ok" in case:
        return case["ok"]["set"], case["ok"]["bound"]
    error = case["error"]
    return error["id"], error["category"], error["type"], error.get("parameter")


def _actual(outcome: Bound | BindError) -> object:
    if isinstance(outcome, BindError):
        return outcome.id, outcome.category, outcome.type, outcome.parameter
    return outcome.set, {name: _recorded(value) for name, value in outcome.parameters.items()}


def _recorded(bound: BoundValue) -> list[object]:
    if bound.type is None:
        return [None, None]
    return [bound.type, _text(bound.value, bound.type)]


def _text(value: object, kind: str) -> object:
    """A value as the record has it: text, for arrays a list, for tables a table."""
    if value is None:
        return None
    if isinstance(value, list):
        return [_text(item, kind.removesuffix("[]")) for item in value]
    if isinstance(value, dict):
        return {name: _text(item, "Object") for name, item in value.items()}
    if isinstance(value, Moment):
        return _moment_text(value)
    if kind == "TimeSpan" and isinstance(value, int):
        return _span_text(value)
    if is_host_object(value):
        return value.type_name.partition("#")[0].rpartition(".")[2]
    return kind if kind == FLAGS_EXPRESSION else text_of(value)


def _span_text(ticks: int) -> str:
    seconds, fraction = divmod(abs(ticks), TICKS_A_SECOND)
    days, rest = divmod(seconds, 86_400)
    clock = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return ("-" if ticks < 0 else "") + (f"{days}." if days else "") + clock + (f".{fraction:07}" if fraction else "")


def _moment_text(moment: Moment) -> str:
    fraction = moment.ticks % TICKS_A_SECOND
    return f"{moment.naive:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{fraction:07}" + ("+00:00" if moment.local else "")
