"""What the history keeps in English, in the language of a reader. JSON stays as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hvctl.dashboard.clusters import Cluster
from hvctl.dashboard.rows import AwayRow, DriftRow, HostRow, Listed, LookRow
from hvctl.history.past import Stood
from hvctl.history.planned import Planned, PlannedField, PlannedItem, PlannedStep
from hvctl.kinds import own_words
from hvctl.language import Say, saying


def in_language(value: Any, language: str) -> Any:
    """Names, values and texts of hosts and users stay."""
    return value if language == "en" else _said(value, saying(language))


def _said(value: Any, say: Say) -> Any:
    match value:
        case DriftRow():
            own = own_words(value.kind, value.field)
            now, wanted = (say(value.now), say(value.wanted)) if own else (value.now, value.wanted)
            return replace(value, name=say(value.name), now=now, wanted=wanted, why=say(value.why))
        case HostRow() | AwayRow():
            return replace(value, why=say(value.why))
        case Stood():  # the templates have words for roles and replications
            return replace(value, standing=say(value.standing)) if value.what == "move" else value
        case Cluster():
            return replace(value, went=_said(value.went, say))
        case LookRow():
            return value if value.plan is None else replace(value, plan=_planned(value.plan, say))
        case Listed():
            return replace(value, rows=_said(value.rows, say))
        case Mapping():
            return {key: _said(one, say) for key, one in value.items()}
        case tuple() | list():
            return type(value)(_said(one, say) for one in value)
        case _:
            return value


def _planned(plan: Planned, say: Say) -> Planned:
    items = tuple(_item(one, say) for one in plan.items)
    return replace(plan, items=items, steps=tuple(_step(one, say) for one in plan.steps))


def _item(one: PlannedItem, say: Say) -> PlannedItem:
    return replace(
        one,
        name=say(one.name),
        summary=say(one.summary),
        fields=tuple(_field(field, say) for field in one.fields),
        remarks=tuple(map(say, one.remarks)),
        accepted=say(one.accepted),
    )


def _field(one: PlannedField, say: Say) -> PlannedField:
    now, wanted = (one.now, one.wanted) if one.free else (say(one.now), say(one.wanted))
    return replace(one, now=now, wanted=wanted, note=say(one.note))


def _step(one: PlannedStep, say: Say) -> PlannedStep:
    return replace(one, text=say(one.text), why=say(one.why))
