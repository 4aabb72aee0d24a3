"""Values and moves that the history keeps in English, in the language of a reader. Templates do the same with sentences; JSON
stays as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hvctl.dashboard.clusters import Cluster
from hvctl.dashboard.rows import DriftRow, Listed, LookRow
from hvctl.history.past import Stood
from hvctl.history.planned import Planned, PlannedField
from hvctl.kinds import own_words
from hvctl.language import Say, saying


def in_language(value: Any, language: str) -> Any:
    """Texts of hosts and users stay, however they are worded."""
    return value if language == "en" else _said(value, saying(language))


def _said(value: Any, say: Say) -> Any:
    match value:
        case DriftRow():
            own = own_words(value.kind, value.field)
            return replace(value, now=say(value.now), wanted=say(value.wanted)) if own else value
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
    items = (
        replace(one, fields=tuple(_field(field, say) for field in one.fields), accepted=say(one.accepted))
        for one in plan.items
    )
    return replace(plan, items=tuple(items))


def _field(one: PlannedField, say: Say) -> PlannedField:
    return one if one.free else replace(one, now=say(one.now), wanted=say(one.wanted))
