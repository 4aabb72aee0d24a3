"""A check as JUnit XML: a test suite per host, a test case per resource."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Literal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from hvctl import __version__
from hvctl.core.acceptance import Acceptance
from hvctl.core.apply import StepResult
from hvctl.core.check import Check, Spot
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Action, Line, Plan
from hvctl.show.plain import plain
from hvctl.show.report import unknown_text, why_text
from hvctl.show.state import all_hosts, state_of
from hvctl.show.times import clock
from hvctl.text.address import Address
from hvctl.text.duration import lasted

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Verdict = Literal["passed", "failure", "error", "skipped"]


@dataclass(frozen=True)
class Case:
    """`failure`: not as written, or a step failed. `error`: not known. `skipped`: left alone on purpose."""

    kind: str
    name: str
    verdict: Verdict = "passed"
    type: str = ""
    message: str = ""
    details: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    ms: int = 0


def rendered(check: Check) -> str:
    """Attributes and order of elements as Jenkins' and Surefire's schemas have them."""
    check = plain(check)
    suites = Element("testsuites", name=f"hvctl {check.verb}", time=f"{_seconds(check):.3f}")
    totals = dict.fromkeys(("tests", "failures", "errors"), 0)
    for number, one in enumerate(all_hosts(check)):
        suite = _suite(check, one, number)
        for name in totals:
            totals[name] += int(suite.attrib[name])
        suites.append(suite)
    suites.attrib.update({k: str(v) for k, v in totals.items()})
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def _seconds(check: Check) -> float:
    return (check.finished - check.started).total_seconds()


def _suite(check: Check, one: Outcome, number: int) -> Element:
    cases = list(_cases(check, one))
    counts = {v: sum(c.verdict == v for c in cases) for v in ("failure", "error", "skipped")}
    suite = Element(
        "testsuite",
        name=_xml(one.host),
        id=str(number),
        hostname=_xml(one.host),
        package=f"hvctl.{check.verb}",
        timestamp=f"{check.started.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
        tests=str(len(cases)),
        failures=str(counts["failure"]),
        errors=str(counts["error"]),
        skipped=str(counts["skipped"]),
        time=f"{sum(c.ms for c in cases) / 1000:.3f}",
    )
    properties = SubElement(suite, "properties")
    for name, value in _properties(check, one):
        SubElement(properties, "property", name=name, value=_xml(value))
    for case in cases:
        suite.append(_element(one.host, case))
    return suite


def _properties(check: Check, one: Outcome) -> Iterator[tuple[str, str]]:
    yield "hvctl.version", __version__
    yield "hvctl.verb", check.verb
    yield "hvctl.playbooks", " ".join(check.playbooks)
    yield "hvctl.state", state_of(one)
    yield "hvctl.requests", str(check.requests.get(one.host, 0))
    if one.plan is not None:
        yield "hvctl.os", one.plan.os
        yield "hvctl.build", str(one.plan.info.build)
        yield "hvctl.restarts", str(sum(not r.blocked for r in one.plan.restarts))
    if lost := check.memory.unreachable.get(one.host):
        yield "hvctl.unreachable_since", clock(lost)


def _element(host: str, case: Case) -> Element:
    made = Element(
        "testcase", classname=_xml(f"{host}.{case.kind}"), name=_xml(case.name), time=f"{case.ms / 1000:.3f}"
    )
    if case.verdict != "passed":
        told = SubElement(made, case.verdict, message=_xml(case.message))
        if case.verdict != "skipped":
            told.set("type", _xml(case.type))
            told.text = _xml("\n".join(case.details) or case.message)
    if case.out:
        SubElement(made, "system-out").text = _xml("\n".join(case.out))
    return made


def _xml(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)


# --- cases -----------------------------------------------------------------------------------------------------


def _cases(check: Check, one: Outcome) -> Iterator[Case]:
    if one.error is not None:
        since = check.memory.unreachable.get(one.host)
        more = (f"not reached for {lasted(check.finished - since)}, since {clock(since)}",) if since else ()
        details = tuple(t for t in (one.error.message, one.error.hint, *more, one.error.defect) if t)
        kind = "defect" if one.error.defect else "unreachable"
        yield Case("connection", "connection", "error", kind, one.error.message, details)
        return
    if one.wrong:
        lines = tuple(str(problem) for problem in one.wrong)
        yield Case("connection", "connection", "error", "misconfigured", lines[0], lines)
        return
    if one.changed:
        text = "something has changed since the plan was made"
        yield Case("plan", "saved plan", "failure", "refused", text, one.changed)
        return
    if one.plan is None:
        yield Case("connection", "connection", "skipped", message="interrupted before it was looked at")
        return
    yield Case("connection", "connection")
    if one.report is None:
        yield from (_seen(check, one.plan, action) for action in one.plan.actions)
        return
    if one.report.error is not None:
        error = one.report.error
        details = tuple(t for t in (error.message, error.hint, error.defect) if t)
        kind = "defect" if error.defect else "running" if error.running else "lost"
        yield Case("connection", "apply", "error", kind, error.message, details)
    after = {a.address: a for a in one.report.after.actions} if one.report.after is not None else {}
    results: dict[Address, list[StepResult]] = {}
    for result in one.report.results:
        results.setdefault(result.step.action, []).append(result)
    for action in one.plan.actions:
        ran = results.pop(action.address, [])
        yield _applied(one.plan, action, after.get(action.address), ran, one.report.after is not None)
    for address, ran in results.items():
        yield _ran(Case(address.kind, str(address)), ran)


def _seen(check: Check, plan: Plan, action: Action) -> Case:
    """A drift is a failure. A plan's change is none: it is what a plan is for; what it cannot do is."""
    case = Case(action.address.kind, str(action.address), out=tuple(_remarks(action)))
    barred = [r for r in action.remarks if r.level == "impossible"]
    if action.verb == "unknown":
        return _told(case, "error", "unreadable", _first(action), _remarks(action))
    if not action.differs and (action.known or action.accepted):
        return _accepted(case, action)
    if not action.differs:
        return _later(case, action) if action.waiting or action.verb == "later" else case
    lines = [_line(check, plan.host, action, line) for line in action.lines]
    if check.verb == "drift":
        if not lines and (since := _since(check, Spot(action.address))):
            lines.append(since)
        short = "; ".join(_short(line) for line in action.drifted) or _first(action)
        return _told(case, "failure", "drift", short, [*lines, *_remarks(action)])
    if action.verb == "held" and barred:
        return _told(case, "failure", "impossible", barred[0].message, [*lines, *_remarks(action)])
    if action.blocked:
        words = dict.fromkeys(word for line in action.blocked for word in line.consent)
        return _told(case, "skipped", "", f"blocked; allow it with --allow {','.join(words)}", (), out=lines)
    if action.verb == "held":
        return _told(case, "skipped", "", _first(action), (), out=lines)
    return _told(case, "passed", "", "", (), out=[*lines, *_remarks(action)])


def _accepted(case: Case, action: Action) -> Case:
    """Known drift is left alone on purpose."""
    short = "; ".join([*map(_short, action.known), *dict.fromkeys(str(a) for a in _acceptances(action))])
    return _told(case, "skipped", "", f"accepted: {short}", (), out=_remarks(action))


def _acceptances(action: Action) -> list[Acceptance]:
    return [a for a in (*(line.accepted for line in action.lines), action.accepted) if a is not None]


def _later(case: Case, action: Action) -> Case:
    """What waits for its time is neither as written nor otherwise."""
    short = "; ".join(_short(line) for line in action.waiting) or _first(action)
    return _told(case, "skipped", "", f"later: {short}", (), out=_remarks(action))


def _applied(plan: Plan, action: Action, after: Action | None, ran: list[StepResult], seen: bool) -> Case:
    case = Case(action.address.kind, str(action.address), out=tuple(_remarks(action)))
    if any(r.status != "ok" for r in ran):
        return _ran(case, ran)
    ms = sum(r.ms for r in ran)
    did = [line for r in ran for line in (f"{r.step.text}: done", *r.told)]
    did += [f"warning of the host: {w}" for r in ran for w in r.warnings]
    last = after or action
    if not ran and not last.differs and (last.waiting or last.verb == "later"):
        return _later(case, last)
    if seen and not last.differs and _acceptances(last):
        return _accepted(case, last)
    if not seen and (ran or action.differs):
        return _told(case, "error", "unseen", "the host was not seen afterwards", did, ms=ms)
    if after is None or not (after.differs or after.verb == "unknown"):
        return _told(case, "passed", "", "", (), out=[*did, *_remarks(action)], ms=ms)
    if after.verb == "unknown":
        return _told(case, "error", "unreadable", _first(after), _remarks(after), ms=ms)
    short = "; ".join(_short(line) for line in after.drifted) or _first(after)
    if after.blocked and len(after.blocked) == len(after.lines):
        words = dict.fromkeys(word for line in after.blocked for word in line.consent)
        return _told(
            case, "skipped", "", f"left undone; allow it with --allow {','.join(words)}", (), out=[short], ms=ms
        )
    return _told(case, "failure", "left", f"left undone: {short}", [*did, *_remarks(after)], ms=ms)


def _ran(case: Case, ran: list[StepResult]) -> Case:
    """By what became of its steps: the worst one tells."""
    ms = sum(r.ms for r in ran)
    lines = [line for r in ran for line in (f"{r.step.text}: {_result(r)}", *r.told)]
    for verdict, status in (("failure", "failed"), ("error", "unknown"), ("skipped", "skipped")):
        worst = next((r for r in ran if r.status == status), None)
        if worst is not None:
            kind = (worst.failure.code or "unmet") if worst.failure is not None else status
            message = f"{worst.step.text}: {_result(worst)}"
            calls = [str(worst.step.task.call)]
            return _told(case, verdict, kind, message, [*lines, *calls], out=lines, ms=ms)  # type: ignore[arg-type]
    return _told(case, "passed", "", "", (), out=lines, ms=ms)


def _result(result: StepResult) -> str:
    if result.failure is not None:
        return " ".join(result.failure.message.split()) or result.failure.code or "failed"
    if result.status == "skipped":
        return f"not done: {why_text(result.why)}"
    return "done" if result.status == "ok" else unknown_text(result.why)


def _told(
    case: Case,
    verdict: Verdict,
    kind: str,
    message: str,
    details: Iterable[str],
    *,
    out: Iterable[str] = (),
    ms: int = 0,
) -> Case:
    # Where a verdict has a body, the body tells; where it has none, the output does.
    told = tuple(out) if verdict in ("passed", "skipped") else ()
    return Case(case.kind, case.name, verdict, kind, message, tuple(details), told or (), ms)


def _remarks(action: Action) -> list[str]:
    said = ((f"{r.mark}: {r.message}" + (f"; {r.hint}" if r.hint else ""), r.trace) for r in action.remarks)
    return [text for pair in said for text in pair if text]


def _first(action: Action) -> str:
    return action.remarks[0].message if action.remarks else "differs"


def _short(line: Line) -> str:
    return f"{line.field or 'ensure'}: {line.now} → {line.wanted}"


def _line(check: Check, host: str, action: Action, line: Line) -> str:
    since = _since(check, Spot(action.address, line.field))
    known = str(line.accepted) if line.accepted else ""
    parts = [f"{line.mark}: {_short(line)} ({', '.join(line.impacts)})", since, known, line.note]
    return "; ".join(p for p in parts if p)


def _since(check: Check, spot: Spot) -> str:
    found = check.memory.since.get(spot)
    return f"for {lasted(check.finished - found.first_seen)}, since {clock(found.first_seen)}" if found else ""
