"""What is wanted of a resource, whether it differs or not: for whoever compares plans over time."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

from hvctl.core.changes import Noted
from hvctl.core.draft import Draft
from hvctl.core.facts import Facts, UnclearError, UnreadableError, UnreadHostError
from hvctl.core.plan import Action, Searched, Wanted
from hvctl.core.resource import Resource
from hvctl.core.values import UNKNOWN, Json
from hvctl.text.masks import MASK


def with_wanted(action: Action, wish: Resource, draft: Draft, facts: Facts, searched: tuple[Searched, ...]) -> Action:
    """`wish`: as desired, with what is held back. What could not be read, or was held back before its fields were compared,
    agrees with nothing; nor does what is on another host yet."""
    silent = (
        draft.away
        or draft.seen is None
        or action.verb == "unknown"
        or (action.verb in ("held", "later", "accepted") and not action.lines)
    )
    there = None if draft.away or draft.seen is None else draft.seen.actual is not None
    actual = None if silent or draft.seen is None else draft.seen.actual
    absent = wish.absent
    ensure = "absent" if absent else "present"
    whole = Wanted("", ensure, ensure, agrees=not silent and (actual is None) == absent)
    fields = {} if absent else _fields(wish, facts)
    differing = {_within(line.field, fields) for line in (*action.drifted, *action.known)} if action.lines else ()
    found = [
        Wanted(
            name,
            value,
            text,
            agrees=actual is not None and actual.get(name) is not UNKNOWN and name not in differing,
        )
        for name, (value, text) in fields.items()
    ]
    return replace(action, wanted=(whole, *found), searched=searched, noted=_noted(wish, facts), there=there)


def _noted(wish: Resource, facts: Facts) -> Noted | None:
    """What cannot be read is not remembered; its own diagnostics say why."""
    try:
        return None if wish.absent else wish.noted(facts)
    except (UnreadableError, UnclearError, UnreadHostError, LookupError):
        return None


def _fields(wish: Resource, facts: Facts) -> Mapping[str, tuple[Json, str]]:
    """Every field that can differ, with what is wanted of it: the value, and how it is told."""
    try:
        changes = wish.as_changes(facts)
        return {c.field: (wish.value(c.field, c.wanted), wish.show(c.field, c.wanted)) for c in changes}
    except Exception:  # its diagnostics say why; it is kept no more than a secret is
        return dict.fromkeys(wish.model_fields_set, (MASK, MASK))


def _within(name: str, fields: Container[str]) -> str:
    """The field that a line of a plan is about: itself, or the one that it is an item of."""
    return name if name in fields else name.partition(".")[0]
