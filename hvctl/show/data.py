"""Plans, reports and facts as JSON data, for programs. `format` is raised when keys change their meaning."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hvctl.apply import Report
from hvctl.check import Memory, Spot
from hvctl.facts import Facts
from hvctl.outcome import Outcome
from hvctl.plan import Action, Plan

FORMAT = 1


def outcome_data(one: Outcome, memory: Memory | None = None) -> dict[str, Any]:
    """One host of a run; with what earlier checks add, if there is a memory of them."""
    data: dict[str, Any] = {"format": FORMAT, "host": one.host}
    if memory is not None and one.host in memory.unreachable:
        data["unreachable_since"] = instant(memory.unreachable[one.host])
    if one.error is not None:
        data["error"] = {"message": one.error.message, "hint": one.error.hint, "executed": one.error.executed}
    if one.changed:
        data["changed_since"] = list(one.changed)
    if one.plan is not None:
        data["plan"] = plan_data(one.plan, memory)
    if one.report is not None:
        data["report"] = report_data(one.report)
    return data


def instant(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _since(memory: Memory | None, spot: Spot) -> dict[str, str]:
    since = memory.since.get(spot) if memory is not None else None
    if since is None:
        return {}
    wished = {"wanted_since": instant(since.wished)} if since.wished is not None else {}
    return {"since": instant(since.first_seen), "moved": since.moved, **wished}


def plan_data(plan: Plan, memory: Memory | None = None) -> dict[str, Any]:
    return {
        "os": plan.os,
        "build": plan.info.build,
        "computer": plan.info.computer,
        "in_sync": plan.in_sync,
        "readable": not plan.unreadable,
        "actions": [
            _action(plan.host, a, memory) for a in plan.actions if a.differs or a.verb == "unknown" or a.remarks
        ],
        "restarts": [
            {"name": r.name, "because": list(r.because), "changes": r.during, "starts_again": r.back}
            for r in plan.restarts
        ],
        "steps": [
            {"id": s.task.id, "does": s.text, "call": str(s.task.call), "for": list(s.action)} for s in plan.steps
        ],
    }


def _action(host: str, action: Action, memory: Memory | None) -> dict[str, Any]:
    return {
        "kind": action.address[0],
        "address": list(action.address),
        "action": action.verb,
        "summary": action.summary,
        "mark": str(action.mark),
        **(_since(memory, Spot(host, action.address)) if not action.lines else {}),
        "changes": [
            {
                "field": x.field,
                "now": x.now,
                "wanted": x.wanted,
                "impact": list(x.impacts),
                "mark": str(x.mark),
                "note": x.note,
                "needs_consent": list(x.consent),
                **_since(memory, Spot(host, action.address, x.field)),
            }
            for x in action.lines
        ],
        "remarks": [
            {"level": r.level, "message": r.message, "hint": r.hint, "mark": str(r.mark)} for r in action.remarks
        ],
    }


def report_data(report: Report) -> dict[str, Any]:
    return {
        "complete": report.complete,
        "failed": report.failed,
        "steps": [
            {
                "id": r.step.task.id,
                "does": r.step.text,
                "call": str(r.step.task.call),
                "status": r.status,
                "why": r.why,
                "ms": r.ms,
                "error": {"id": r.failure.id, "message": r.failure.message, "hresult": r.failure.hresult}
                if r.failure
                else None,
                "warnings": list(r.warnings),
            }
            for r in report.results
        ],
        "error": report.error.message if report.error else None,
        "left": plan_data(report.after)["actions"] if report.after else None,
    }


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
