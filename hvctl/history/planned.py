"""What a check planned for a host, and what of it was done, as it is kept and read again: text for people."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from hvctl.core.outcome import Outcome
from hvctl.core.plan import Action, Line
from hvctl.history.kept import LONGEST_SENTENCE, LONGEST_VALUE, cut
from hvctl.text.visible import visible

MOST = 300
"""Resources that are kept of a plan, and steps: the check itself told all of them."""
_QUIET = ("none", "later", "accepted")


@dataclass(frozen=True)
class PlannedField:
    """`status`: "" where it is done, or what keeps it from being done: consent, impossible, later, accepted. `free`: what it
    is and shall be are texts of the user's or the host's; a release that did not keep that is taken to mean its own words."""

    field: str
    now: str
    wanted: str
    note: str = ""
    status: str = ""
    impacts: tuple[str, ...] = ()
    free: bool = False


@dataclass(frozen=True)
class PlannedItem:
    """A resource. `verb`: as of a plan's action. `place`: in the playbook. `remarks`: what is said of it."""

    name: str
    verb: str
    summary: str = ""
    place: str = ""
    fields: tuple[PlannedField, ...] = ()
    remarks: tuple[str, ...] = ()
    accepted: str = ""


@dataclass(frozen=True)
class PlannedStep:
    """`status`: ok, failed, skipped, unknown."""

    text: str
    status: str
    why: str = ""


@dataclass(frozen=True)
class Planned:
    """`more`: resources and steps that are not kept."""

    items: tuple[PlannedItem, ...] = ()
    steps: tuple[PlannedStep, ...] = ()
    more: int = 0


def planned(one: Outcome) -> str:
    """As JSON; "" where there is nothing to be told."""
    plan = one.plan
    if plan is None:
        return ""
    items = [_item(a) for a in plan.actions if a.lines or a.accepted or a.remarks or a.verb not in _QUIET]
    results = one.report.results if one.report is not None else ()
    steps = [PlannedStep(_kept(r.step.text), r.status, _kept(r.why)) for r in results]
    if not items and not steps:
        return ""
    more = max(len(items) - MOST, 0) + max(len(steps) - MOST, 0)
    return told(Planned(tuple(items[:MOST]), tuple(steps[:MOST]), more))


def told(one: Planned) -> str:
    """As JSON, the same for the same plan."""
    data = asdict(one)
    for field in (f for item in data["items"] for f in item["fields"]):
        if not field["free"]:
            del field["free"]  # it is so of nearly all
    return json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def read(text: str) -> Planned:
    data = json.loads(text)
    items = tuple(
        PlannedItem(
            **{
                **one,
                "fields": tuple(PlannedField(**{**f, "impacts": tuple(f["impacts"])}) for f in one["fields"]),
                "remarks": tuple(one["remarks"]),
            }
        )
        for one in data["items"]
    )
    return Planned(items, tuple(PlannedStep(**one) for one in data["steps"]), data["more"])


def _item(action: Action) -> PlannedItem:
    return PlannedItem(
        str(action.address),
        action.verb,
        _kept(action.summary),
        _kept(str(action.mark)),
        tuple(map(_field, action.lines[:MOST])),
        tuple(_kept(f"{r.message}; {r.hint}" if r.hint else r.message) for r in action.remarks[:MOST]),
        _kept(str(action.accepted)) if action.accepted is not None else "",
    )


def _field(line: Line) -> PlannedField:
    status = line.held or ("consent" if line.consent else "")
    note = str(line.accepted) if line.held == "accepted" and line.accepted is not None else line.note
    return PlannedField(
        line.field,
        _kept(line.now, LONGEST_VALUE),
        _kept(line.wanted, LONGEST_VALUE),
        _kept(note),
        status,
        tuple(line.impacts),
        not line.own_words,
    )


def _kept(text: str, most: int = LONGEST_SENTENCE) -> str:
    return cut(visible(" ".join(text.split("\n"))), most)


def digest_of(text: str) -> str | None:
    return hashlib.sha256(text.encode()).hexdigest() if text else None
