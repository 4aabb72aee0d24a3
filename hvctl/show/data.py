"""Checks, plans, reports and facts as JSON data, for programs. What a check's keys mean stands in its schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any

from hvctl import __version__
from hvctl.call import TransportError
from hvctl.contract import title
from hvctl.core.acceptance import Acceptance
from hvctl.core.apply import Report, StepResult
from hvctl.core.check import Check, Memory, Spot
from hvctl.core.facts import Facts
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Action, Line, Plan, PlannedStep
from hvctl.show.state import STATES, all_hosts, state_of
from hvctl.show.times import stamp
from hvctl.text.visible import json_text

FORMAT = 1
"""Of facts; raised when keys change their meaning."""
SCHEMA = "urn:hvctl:schema:check:1"
"""Of checks. Keys may be added to it; when one changes its meaning or goes, there is a next one."""


_QUIET = ("none", "later", "accepted")
"""Actions that are told by their lines alone."""


def schema_text() -> str:
    """The JSON Schema of `check_data`."""
    return files("hvctl.show").joinpath("schema", "check.v1.json").read_text(encoding="utf-8")


def rendered(check: Check) -> str:
    return json_text(check_data(check)) + "\n"


def check_data(check: Check) -> dict[str, Any]:
    """A whole run of plan, apply or drift. The same from --json and --report."""
    hosts = all_hosts(check)
    states = [state_of(one) for one in hosts]
    news = check.memory.news
    return {
        "schema": SCHEMA,
        "hvctl": __version__,
        "verb": check.verb,
        "playbooks": list(check.playbooks),
        "started": stamp(check.started),
        "finished": stamp(check.finished),
        "seconds": round((check.finished - check.started).total_seconds(), 3),
        "exit_status": check.exit_status,
        "summary": {"hosts": len(hosts), **{state: states.count(state) for state in STATES}},
        "hosts": [_host(one, check) for one in hosts],
        "news": {
            "appeared": [_spot(s) for s in news.appeared],
            "went": [_spot(s) for s in news.went],
            "lost": list(news.lost),
            "back": list(news.back),
        },
    }


def _host(one: Outcome, check: Check) -> dict[str, Any]:
    return {
        "host": one.host,
        "state": state_of(one),
        "requests": check.requests.get(one.host, 0),
        "unreachable_since": _moment(check.memory.unreachable.get(one.host)),
        "error": _wrong(one) if one.wrong else _error(one.error),
        "changed_since": list(one.changed),
        "plan": plan_data(one.plan, check.memory) if one.plan is not None else None,
        "report": report_data(one.report, check.memory) if one.report is not None else None,
    }


def plan_data(plan: Plan, memory: Memory | None = None) -> dict[str, Any]:
    return {
        "os": plan.os,
        "os_name": title(plan.os),
        "build": plan.info.build,
        "computer": plan.info.computer,
        "in_sync": plan.in_sync,
        "readable": not plan.unreadable,
        "actions": _actions(plan, memory or Memory()),
        "restarts": [
            {
                "name": r.name,
                "because": list(r.because),
                "changes": r.during,
                "starts_again": r.back,
                "blocked": r.blocked,
            }
            for r in plan.restarts
        ],
        "steps": [_step(s) for s in plan.steps],
    }


def _actions(plan: Plan, memory: Memory) -> list[dict[str, Any]]:
    shown: Iterable[Action] = (a for a in plan.actions if a.lines or a.accepted or a.remarks or a.verb not in _QUIET)
    return [_action(plan.host, a, memory) for a in shown]


def _acceptance(found: Acceptance | None) -> dict[str, Any] | None:
    return {"until": found.until.isoformat(), "reason": found.reason, "mark": str(found.mark)} if found else None


def _action(host: str, action: Action, memory: Memory) -> dict[str, Any]:
    return {
        "kind": action.address.kind,
        "address": list(action.address.words),
        "title": action.title,
        "action": action.verb,
        "summary": action.summary,
        "mark": str(action.mark),
        "accepted": _acceptance(action.accepted),
        **_remembered(Spot(action.address), memory),
        "changes": [_change(Spot(action.address, x.field), x, memory) for x in action.lines],
        "remarks": [
            {"level": r.level, "message": r.message, "hint": r.hint, "mark": str(r.mark), "trace": r.trace}
            for r in action.remarks
        ],
    }


def _change(spot: Spot, line: Line, memory: Memory) -> dict[str, Any]:
    return {
        "field": line.field,
        "now": line.now,
        "wanted": line.wanted,
        "impact": list(line.impacts),
        "mark": str(line.mark),
        "note": line.note,
        "needs_consent": list(line.consent),
        "status": _status(line),
        "before": line.before,
        "after": line.after,
        "accepted": _acceptance(line.accepted),
        **_remembered(spot, memory),
    }


def _status(line: Line) -> str:
    return line.held or ("blocked" if line.consent else "due" if line.in_time else "change")


def _remembered(spot: Spot, memory: Memory) -> dict[str, Any]:
    since = memory.since.get(spot)
    return {
        "since": _moment(since.first_seen if since else None),
        "moved": since.moved if since else None,
        "wanted_since": _moment(since.wished if since else None),
    }


def _step(step: PlannedStep) -> dict[str, Any]:
    return {"id": step.task.id, "does": step.text, "call": str(step.task.call), "for": list(step.action.words)}


def report_data(report: Report, memory: Memory | None = None) -> dict[str, Any]:
    return {
        "complete": report.complete,
        "failed": report.failed,
        "stopped": report.stopped,
        "running": report.running or None,
        "left_down": list(report.left_down),
        "steps": [_result(r) for r in report.results],
        "error": _error(report.error),
        "left": _actions(report.after, memory or Memory()) if report.after else None,
    }


def _result(result: StepResult) -> dict[str, Any]:
    failure = result.failure
    return {
        **_step(result.step),
        "status": result.status,
        "why": result.why,
        "ms": result.ms,
        "error": {"id": failure.id, "message": failure.message, "hresult": failure.hresult} if failure else None,
        "warnings": list(result.warnings),
        "told": list(result.told),
    }


def _wrong(one: Outcome) -> Mapping[str, Any]:
    hint = one.wrong[0].hint if len(one.wrong) == 1 else ""
    said = [str(replace(p, hint="") if hint else p) for p in one.wrong]
    return {"message": "; ".join(said), "hint": hint, "executed": "no"}


def _error(error: TransportError | None) -> Mapping[str, Any] | None:
    if error is None:
        return None
    return {"message": error.message, "hint": error.hint, "executed": error.executed, "trace": error.defect}


def _spot(spot: Spot) -> dict[str, Any]:
    return {"host": spot.host, "address": list(spot.address.words), "field": spot.field}


def _moment(moment: datetime | None) -> str | None:
    return stamp(moment) if moment is not None else None


def facts_data(facts: Facts) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "os": facts.os,
        "computer": facts.info.computer,
        "answers": [
            {
                "query": str(call),
                "rows": [dict(r) for r in reply.rows],
                "error": str(reply.failure) if reply.failure else None,
            }
            for call, reply in facts.replies.items()
            if call.select
        ],
    }
