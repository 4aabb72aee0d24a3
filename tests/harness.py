"""Runs a case: host before, playbook, expected calls, consents or problems; and does what no author should have to
remember: plans twice, binds every call, applies, plans again and expects nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import groupby, takewhile
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

import yaml

from hvctl.call import Batch, Event, Reply, Transport
from hvctl.config.playbook import Play, wishes
from hvctl.contract import OS, VERSIONS, check
from hvctl.core.impact import IMPACTS, Impact
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.core.resource import Index
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.show.columns import entries
from hvctl.show.diff import diff_lines
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import load_text
from mocks.engine import LanguageMode
from mocks.failures import failure
from mocks.host import SimulatedHost
from tests.transports import Around

C = TypeVar("C")
"""A case, of one host or of several."""
CASES = Path(__file__).parent / "cases"
KEYS = {
    "os",
    "host",
    "playbook",
    "allow",
    "calls",
    "problems",
    "blocked",
    "failed",
    "faults",
    "engine",
    "note",
    "control",
    "guests",
}
VARIABLES = {"inventory_hostname": "hv01", "domain": "example.net"}
Serve = Callable[[SimulatedHost], Transport]


@dataclass(frozen=True)
class Case:
    """One file for one version of Windows."""

    file: Path
    os: OS

    def __str__(self) -> str:
        return f"{self.file.parent.name}/{self.file.stem}-{self.os}"

    @property
    def data(self) -> dict[str, Any]:
        data = deepcopy(_loaded(self.file))
        assert set(data) <= KEYS, f"{self.file.name}: unknown keys {set(data) - KEYS}"
        assert data.keys() & {"calls", "problems", "blocked"}, f"{self.file.name} expects nothing"
        return data

    @property
    def mode(self) -> LanguageMode:
        """Of the host's PowerShell."""
        return cast(LanguageMode, (self.data.get("host") or {}).get("language_mode", "FullLanguage"))

    @property
    def playbook(self) -> str:
        """As it is written, made the one play of a file: `state: off` is a word there, which YAML's data is not."""
        _, _, rest = self.file.read_text(encoding="utf-8").partition("\nplaybook:\n")
        lines = list(takewhile(lambda line: line.startswith(" ") or not line.strip(), rest.splitlines(keepends=True)))
        assert lines, f"{self.file.name}: the playbook is no block"
        return "-" + lines[0][1:] + "".join(lines[1:])


@cache
def _loaded(file: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast("dict[str, Any]", yaml.load(file.read_text(encoding="utf-8"), loader))


@cache
def all_cases() -> tuple[Case, ...]:
    found = []
    for file in sorted(CASES.glob("*/*.yaml")):
        versions = [str(v) for v in _loaded(file)["os"]]
        assert set(versions) <= set(VERSIONS), file
        found += [Case(file, os) for os in VERSIONS if os in versions]
    return tuple(found)


def sampled(cases: Iterable[C]) -> Iterator[C]:
    """In a soak all of them; else each case with every second of its versions, in turn the first or the second of them."""
    for n, (_, of_one) in enumerate(groupby(cases, key=attrgetter("file"))):
        versions = tuple(of_one)
        start = n % 2 if len(versions) > 1 else 0
        yield from versions if os.environ.get("HVCTL_SOAK") else versions[start::2]


def wished(text: str, allow: Sequence[str] = (), folder: str = "") -> tuple[Index, list[Diagnostic]]:
    """The resources of a play's body, as read from a file in a folder."""
    document = load_text(text, str(Path(folder, "case.yml")))
    allowed: frozenset[Impact] = frozenset(i for i in IMPACTS if i in allow)
    try:
        return wishes([Play(document, (0,), "case", "all", {}, (), allowed)], VARIABLES, host="host")
    except ConfigError as error:
        return Index(), list(error.problems)


def run(case: Case, serve: Serve, looks: int = 2) -> list[str]:
    """What is not as the case expects; empty if all is. `looks`: how often it is planned before it is applied.
    `control`: files beside the playbook; `guests`: the texts of files in guests, afterwards. `faults`: cmdlets that fail,
    as `mocks run --fault` takes them; once they fail no more, another apply makes good what they left."""
    if "control" not in case.data:
        return _judged(case, serve, "", looks)
    with TemporaryDirectory() as folder:
        for name, text in case.data["control"].items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_text(text, encoding="utf-8")
        return _judged(case, serve, folder, looks)


def _judged(case: Case, serve: Serve, folder: str, looks: int) -> list[str]:
    data = case.data
    found, problems = wished(case.playbook, data.get("allow", ()), folder)
    problems = problems or validate(found, case.os)
    if any(p.level == "error" for p in problems) or "host" not in data:
        return _texts_differ(data.get("problems", []), [f"{p.message}; {p.hint}" for p in problems])
    host = SimulatedHost.from_yaml({**(data["host"] or {}), "os": case.os})
    host.failures.add(*map(failure, data.get("faults", ())))
    transport = serve(host)
    try:
        wrong = _run(case, data, found, transport, looks)
        if not wrong and "faults" in data and host.failures.over:
            host.clock.sleep(60)  # what was started has booted
            wrong += _recovered(found, transport)
        if "faults" in data and not host.failures.events:
            wrong.append(f"none of these struck: {data['faults']}")
        now = {v.name: {path: f.text for path, f in v.guest.files.items()} for v in host.state.vms}
        wrong += [f"in {vm} are {now[vm]}" for vm, files in data.get("guests", {}).items() if now[vm] != files]
        return wrong
    finally:
        transport.close()


def _run(case: Case, data: dict[str, Any], found: Index, transport: Transport, looks: int) -> list[str]:
    plan, *more = [make_plan(found, look(transport, found), frozenset()) for _ in range(looks)]
    same = all(plan.actions == again.actions and _calls(plan) == _calls(again) for again in more)
    wrong = [] if same else ["two plans of one host differ"]
    wrong += _unbound(plan, case.os)
    wrong += _told_otherwise(plan)
    if "calls" in data and _calls(plan) != data["calls"]:
        wrong += ["calls are:", *(f'  - "{c}"' for c in _calls(plan))]
    blocked = {line.field: list(line.consent) for a in plan.actions for line in a.blocked}
    if blocked != data.get("blocked", {}):
        wrong.append(f"blocked are {blocked}")
    said = [
        f"{r.message}; {r.hint}" for a in plan.actions for r in a.remarks if r.level != "warning" or "problems" in data
    ]
    wrong += _texts_differ(data.get("problems", []), said)
    return wrong + _applied(data, plan, found, transport)


def _told_otherwise(plan: Plan) -> list[str]:
    """What of the plan is not in its difference, with the same marks; and values that are no plain ones."""
    diff = {line.plain for line in diff_lines(plan)}
    wrong = []
    for entry in (e for a in plan.actions for e in entries(a)):
        mark = f"   # {entry.impact}" if entry.impact != "online" else ""
        if not {f"+{entry.field}: {entry.line.wanted}{mark}", f"@@ {entry.field} @@{mark}"} & diff:
            wrong.append(f"not in the difference: {entry.field}: {entry.change} {mark}")
        if "hvctl." in json.dumps([entry.line.before, entry.line.after]):
            wrong.append(f"no plain values: {entry.field}: {entry.line.before!r}, {entry.line.after!r}")
    said = {r.message for a in plan.actions for r in a.remarks}
    return wrong + [f"not in the difference: {m}" for m in said if not any(m in line for line in diff)]


def _applied(data: dict[str, Any], plan: Plan, found: Index, transport: Transport) -> list[str]:
    report = apply_plan(plan, found, transport)
    if isinstance(report, list):
        return [f"refused: {report}"]
    if "failed" in data:
        failed = [str(r.failure) for r in report.results if r.status == "failed"]
        return _texts_differ(data["failed"], failed) + ["not told"] * (not report.failed)
    wrong = [f"{r.status}: {r.step.task.call}: {r.failure or r.why}" for r in report.results if r.status != "ok"]
    if report.after is None:
        return [*wrong, f"not seen afterwards: {report.error}"]
    left = [a for a in report.after.actions if a.differs or a.verb == "unknown"]
    undone = {a.address for a in plan.actions if a.undone or a.remarks}
    surprising = (
        left if not data.get("blocked") and not data.get("problems") else [a for a in left if a.address not in undone]
    )
    wrong += [f"left after apply: {a.address}: {a.verb} {[(x.field, x.now, x.wanted) for x in a.lines]}"
              f" {[r.message for r in a.remarks]}" for a in surprising]  # fmt: skip
    if report.after.steps:
        wrong.append(f"a second apply would do {_calls(report.after)}")
    return wrong


def _recovered(found: Index, transport: Transport) -> list[str]:
    """What failed in the middle is made good by the next apply, once it fails no more."""
    plan = make_plan(found, look(transport, found), frozenset())
    return [f"the next apply: {w}" for w in _applied({}, plan, found, transport)]


def _unbound(plan: Plan, os: OS) -> list[str]:
    calls = [c for s in plan.steps for c in (s.task.call, *(r.call for r in s.task.call.refs()))]
    calls += [s.task.guard.call for s in plan.steps if s.task.guard]
    verdicts = [(c, check(os, c)) for c in calls]
    return [f"{c}: {v.answer}: {v.reason}" for c, v in verdicts if v.answer == "refused"]


def _calls(plan: Plan) -> list[str]:
    return [str(s.task.call) for s in plan.steps]


def _texts_differ(wanted: Sequence[str], said: Sequence[str]) -> list[str]:
    missing = [f"not said: {w}" for w in wanted if not any(w in text for text in said)]
    return missing + [f"said: {text}" for text in said if not any(w in text for w in wanted)]


class Witness(Around):
    """A transport that keeps what was answered, to compare two ways of serving a host."""

    def __init__(self, inner: Transport, answers: list[tuple[Any, ...]]) -> None:
        super().__init__(inner)
        self.answers = answers

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        replies = self.inner.run(batch, on_event)
        for task, reply in zip(batch.tasks, replies, strict=True):
            failures = tuple((f.id, f.category, f.hresult, f.value) for f in reply.failures)
            self.answers.append((str(task.call), reply.rows, failures, reply.skipped))
        return replies


@dataclass
class Seen:
    """What one way of serving gave: complaints, answers, and the calls that reached the host."""

    wrong: list[str]
    answers: list[tuple[Any, ...]]
    calls: list[tuple[str, Any, Any]]


def witness(case: Case, serve: Serve, looks: int = 2) -> Seen:
    answers: list[tuple[Any, ...]] = []
    hosts: list[SimulatedHost] = []

    def watched(host: SimulatedHost) -> Transport:
        hosts.append(host)
        return Witness(serve(host), answers)

    wrong = run(case, watched, looks)
    calls = [(c.cmdlet, _without_run(c.params), c.errors) for host in hosts for c in host.log]
    return Seen(wrong, answers, calls)


def _without_run(value: Any) -> Any:
    """Arguments without the id of the staging folder, which is another one in every run."""
    if isinstance(value, dict):
        return {name: _without_run(inner) for name, inner in value.items()}
    if isinstance(value, str):
        return re.sub(r"\\staging\\[0-9a-f-]{36}", r"\\staging\\RUN", value)
    return [_without_run(v) for v in value] if isinstance(value, list) else value
