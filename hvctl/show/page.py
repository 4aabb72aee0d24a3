"""A check as a reader meets it: hosts, what differs on them, what was done; words chosen, nothing laid out yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from hashlib import sha256

from hvctl.contract import title
from hvctl.core.apply import Report, StepResult
from hvctl.core.check import Check, Moved, Spot
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Action, Plan, PlannedStep
from hvctl.language import said
from hvctl.redaction.records import Role, mapped
from hvctl.show.columns import Entry, entries
from hvctl.show.plain import plain
from hvctl.show.remembered import NOW, named
from hvctl.show.report import LEFT_DOWN, done_text, why_text
from hvctl.show.standing import MANY, open_drifts, since_of, standing, vm_of, zone_of
from hvctl.show.state import STATES, State, state_of, word_of
from hvctl.show.summary import in_few_words
from hvctl.show.times import clock
from hvctl.show.wording import made_of, restart_of, restart_text, shown_actions
from hvctl.text.duration import lasted

_SIGN = {
    "create": "+",
    "update": "~",
    "remove": "−",
    "held": "✗",
    "later": "·",
    "accepted": "≈",
    "unknown": "?",
    "none": "!",
    "restart": "↻",
}
_PLANNED = {"create": "to create", "update": "to change", "remove": "to remove", "held": "held back",
            "later": "later", "accepted": "accepted", "unknown": "not readable", "none": "remark",
            "restart": "restart"}  # fmt: skip
_DRIFTED = {**_PLANNED, "create": "missing", "update": "differs", "remove": "should not exist"}
_MOVED: dict[Moved, str] = {"host": "the host was changed", "wish": "the playbook was changed", "unknown": ""}
_RAN = {"ok": ("✓", "done"), "failed": ("✗", "failed"), "skipped": ("·", "not done"), "unknown": ("?", "not known")}
_SENTENCES = frozenset(
    "title word says done message hint more restart since open took news note text why failure".split()
)
"""Fields that hvctl says in its own words, which may be the reader's."""


@dataclass(frozen=True)
class Told:
    """A remark, with what to do about it. `level`: impossible, later, warning, unknown or hint. `trace`: where in hvctl
    it came up."""

    level: str
    message: str
    hint: str = ""
    place: str = ""
    trace: str = ""


@dataclass(frozen=True)
class Row:
    """A field: now → wanted. `since`: for how long, from when, and who moved."""

    field: str
    now: str
    wanted: str
    impact: str
    calm: bool
    place: str
    note: str
    since: tuple[str, ...]


@dataclass(frozen=True)
class Cmd:
    """A call, and what it does in plain words."""

    text: str
    call: str


@dataclass(frozen=True)
class Item:
    """A resource that differs, is held back, could not be read, goes down or is remarked upon. `anchor`: its id in a page."""

    verb: str
    sign: str
    word: str
    name: str
    more: str
    restart: str
    place: str
    since: tuple[str, ...]
    rows: tuple[Row, ...]
    told: tuple[Told, ...]
    calls: tuple[Cmd, ...]
    vm: str = ""
    anchor: str = ""


@dataclass(frozen=True)
class Open:
    """A field that is not as written, wherever it is. `anchor`: of its resource."""

    host: str
    name: str
    field: str
    change: str
    since: tuple[str, ...]
    anchor: str

    @property
    def host_anchor(self) -> str:
        return anchor(self.host)


@dataclass(frozen=True)
class Ran:
    """What became of a step. `said`: what it was asked to tell, such as the addresses of a guest."""

    status: str
    sign: str
    word: str
    step: Cmd
    took: str
    why: str
    failure: str
    code: str
    warnings: tuple[str, ...]
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostPage:
    """One host. `items`: what differs, or what was to be done where something was done; `left`: what still differs.
    `since`: it is away; `open`: it is away, or the first of what differs does. `together`: it is planned with others."""

    name: str
    state: State
    word: str
    os: str
    computer: str
    says: str
    since: tuple[str, ...]
    requests: int
    told: tuple[Told, ...]
    items: tuple[Item, ...]
    calls: tuple[Cmd, ...]
    done: str = ""
    ran: tuple[Ran, ...] = ()
    left: tuple[Item, ...] = ()
    open: tuple[str, ...] = ()
    together: bool = False

    @property
    def anchor(self) -> str:
        return anchor(self.name)

    @property
    def vms(self) -> tuple[tuple[str, str, int], ...]:
        """Each VM with the anchor of the first that is told of it, and of how much is told; none where it is one."""
        names = list(dict.fromkeys(item.vm for item in self.items if item.vm))
        found = {name: [item for item in self.items if item.vm == name] for name in names}
        return tuple((n, own[0].anchor, len(own)) for n, own in found.items()) if len(names) > 1 else ()

    @property
    def brief(self) -> str:
        """What it comes to, or why nothing is known of it, beside the word of its state."""
        return (self.says if self.says != self.word else "") or (
            self.told[0].message if self.told and not self.says else ""
        )

    @property
    def quiet(self) -> bool:
        """There is nothing to say beyond the overview."""
        return not (self.told or self.items or self.calls or self.ran or self.left)


@dataclass(frozen=True)
class Page:
    title: str
    verb: str
    verdict: str
    good: bool
    when: str
    took: str
    playbooks: tuple[str, ...]
    saved: bool
    exit_status: int
    tally: tuple[tuple[State, str, int], ...]
    news: tuple[tuple[str, tuple[str, ...]], ...]
    hosts: tuple[HostPage, ...]
    open: tuple[Open, ...] = ()

    @property
    def calm(self) -> tuple[HostPage, ...]:
        """Hosts of a drift check of which nothing is told but that they are in sync, where they would bury the others."""
        found = tuple(h for h in self.hosts if h.state == "in_sync" and h.quiet) if self.verb == "drift" else ()
        return found if len(found) > MANY else ()

    @property
    def overview(self) -> tuple[HostPage, ...]:
        """The others."""
        return tuple(h for h in self.hosts if not (h.state == "in_sync" and h.quiet)) if self.calm else self.hosts


def page_of(check: Check) -> Page:
    check = plain(check)
    outcomes = standing(check)
    drift = check.verb == "drift"
    words = {state_of(o): said(word_of(o, drift=drift)) for o in outcomes}
    tally = tuple((s, words[s], n) for s in STATES if (n := sum(state_of(o) == s for o in outcomes)))
    news = check.memory.news
    page = Page(
        title={"plan": "Plan", "apply": "Apply", "drift": "Drift check"}[check.verb],
        verb=check.verb,
        verdict=_verdict(check, outcomes),
        good=all(state_of(o) in ("in_sync", "accepted", "applied") for o in outcomes),
        when=clock(check.started),
        took=lasted(check.finished - check.started),
        playbooks=check.playbooks,
        saved=check.saved,
        exit_status=check.exit_status,
        tally=tally,
        news=tuple(
            (word, texts)
            for word, texts in (
                ("New differences", tuple(map(named, news.appeared))),
                ("Gone since the last check", tuple(map(named, news.went))),
                ("Hosts lost", news.lost),
                ("Hosts back", news.back),
            )
            if texts
        ),
        hosts=tuple(_host(one, check) for one in outcomes),
        open=tuple(_opened(check, outcomes)) if drift and any(check.memory.since.values()) else (),
    )
    return mapped(page, _spoken)


def _spoken(text: str, role: Role) -> str:
    return said(text) if role.field in _SENTENCES else text


def _opened(check: Check, outcomes: tuple[Outcome, ...]) -> Iterator[Open]:
    zones = {one.host: zone_of(one) for one in outcomes}
    for drift in open_drifts(check):
        line, address = drift.line, drift.spot.address
        yield Open(
            address.host,
            said(str(address)),
            (line.field or "ensure") if line else "",
            Entry(line).change if line else said("held back"),
            _since(drift.spot, check, zones[address.host]),
            anchor(address.host, *address.words),
        )


def anchor(*words: str) -> str:
    """The same for the same thing in every report, and nothing in it that a link would have to escape."""
    plainly = "/".join(("host", *(re.sub(r"[^\w.-]+", "-", word) for word in words)))
    whole = "/".join(("host", *words))
    return plainly if plainly == whole else f"{plainly}~{sha256(whole.encode('utf-8', 'replace')).hexdigest()[:8]}"


def _verdict(check: Check, outcomes: tuple[Outcome, ...]) -> str:
    if check.interrupted:
        return said("It was interrupted.")
    if not outcomes:
        return said("No host was asked.")
    well = {
        "plan": "Nothing is left to do.",
        "drift": "All hosts are as written.",
        "apply": "All hosts are as written.",
    }
    states = {state_of(o) for o in outcomes if o.error is None or not o.error.defect}
    defects = any(o.defects for o in outcomes)
    if states <= {"in_sync", "accepted", "applied"} and not defects:
        if "accepted" in states:
            return said("Nothing differs but what is accepted.")
        return said(well[check.verb])
    drifted = sum(state_of(o) == "differs" for o in outcomes)
    away = sum(state_of(o) in ("unreachable", "unreadable") for o in outcomes)
    differ = {
        "plan": "there is something to do",
        "drift": f"{_hosts(drifted)} {'have' if drifted > 1 else 'has'} drifted",
    }
    differing = differ.get(check.verb, "hosts differ")
    reasons: list[tuple[set[State], str]] = [
        ({"failed"}, "a step failed"),
        ({"differs"}, differing),
        ({"unreachable", "unreadable"}, f"{_hosts(away)} could not be reached or read"),
        ({"misconfigured"}, "a host's configuration is wrong"),
        ({"refused"}, "a plan is not the same any more"),
        ({"left_undone"}, "something was left undone"),
        ({"not_looked_at"}, "a host was not looked at"),
    ]
    text = "; ".join(["a fault of hvctl itself"] * defects + [words for found, words in reasons if found & states])
    spoken = said(f"{text}.")
    return spoken if spoken != f"{text}." else text[:1].upper() + spoken[1:]


def _hosts(count: int) -> str:
    return f"{count:,} host{'s' * (count != 1)}"


def _host(one: Outcome, check: Check) -> HostPage:
    plan, report = one.plan, one.report
    drift = check.verb == "drift"
    reached = plan is not None and not one.changed
    lost = check.memory.unreachable.get(one.host)
    return HostPage(
        name=one.host,
        state=state_of(one),
        word=word_of(one, drift=drift),
        os=f"{title(plan.os)} ({plan.info.build})" if plan is not None else "",
        computer=plan.info.computer if plan is not None else "",
        says=_says(one, drift),
        since=_age(lost, check) if lost else (),
        open=_age(since, check, zone_of(one)) if (since := since_of(one, check)) else (),
        requests=check.requests.get(one.host, 0),
        told=tuple(_troubles(one, check)),
        items=tuple(_items(plan, check)) if reached and plan is not None else (),
        calls=_calls(plan.steps) if reached and plan is not None and report is None else (),
        done=done_text(report) if report is not None else "",
        ran=tuple(_ran(r) for r in report.results) if report is not None else (),
        left=tuple(_left(report, check)) if report is not None else (),
        together=plan is not None and len(plan.facts.others) > 1,
    )


def _says(one: Outcome, drift: bool) -> str:
    if one.report is not None:
        return done_text(one.report)
    if one.plan is None or one.changed:
        return ""
    return drifted(one.plan) if drift else in_few_words(one.plan)


def drifted(plan: Plan) -> str:
    """What a plan comes to, in fields and things, since nothing is going to be done."""
    if plan.in_sync:
        return in_few_words(plan)
    lines = [line for a in plan.actions if a.verb in ("update", "held") for line in a.drifted]
    waiting = sum(len(a.waiting) or a.verb == "later" for a in plan.actions)
    known = sum(len(a.known) + (a.accepted is not None) for a in plan.actions)
    missing = sum(a.verb == "create" for a in shown_actions(plan))
    surplus = sum(a.verb == "remove" for a in plan.actions)
    unread = sum(a.verb == "unknown" for a in plan.actions)
    held = sum(a.verb == "held" and not a.lines for a in plan.actions)
    found = [(len(lines), "field differs", "fields differ"), (missing, "thing is missing", "things are missing"),
             (surplus, "should not exist", "should not exist"), (held, "held back", "held back"),
             (unread, "not readable", "not readable"), (waiting, "later", "later"),
             (known, "accepted", "accepted")]  # fmt: skip
    return ", ".join(f"{n} {one if n == 1 else many}" for n, one, many in found if n)


def _troubles(one: Outcome, check: Check) -> Iterator[Told]:
    if one.error is not None:
        yield Told("impossible", one.error.message, one.error.hint, trace=one.error.defect)
    for problem in one.wrong:
        yield Told("impossible", problem.message, problem.hint, place=str(problem.mark or ""))
    if one.changed:
        yield Told("impossible", "Refused: something has changed since the plan was made.", "Make a new plan.")
        for line in one.changed:
            yield Told("unknown", line)
    if one.plan is None and one.error is None and not one.changed and not one.wrong:
        yield Told("unknown", "The run was interrupted before this host was looked at.")
    report = one.report
    if report is None:
        if check.verb == "apply" and one.plan is not None and one.plan.steps and not one.changed:
            yield Told("hint", "Nothing was done here; below is the plan.")
        return
    if report.error is not None:
        yield Told("impossible", report.error.message, report.error.hint, trace=report.error.defect)
    for name in report.left_down:
        yield Told("impossible", LEFT_DOWN.format(name))
    for left in report.leftovers:
        reads = (
            f"{left.address}: {left.line.field or 'it'} still reads {left.line.now}, "
            f"not {left.line.wanted}, although its step succeeded"
        )
        yield Told("impossible", f"{reads}.", place=str(left.line.mark))
    if report.stopped:
        yield Told("hint", "It was stopped; apply again does what is left.")
    elif report.after is None and report.results:
        yield Told("hint", "The host was not seen afterwards; run plan to see what is left.")
    elif report.failed:
        yield Told("hint", "When the cause is removed, apply again: it looks first and does what is left.")


def _items(plan: Plan, check: Check) -> Iterator[Item]:
    for action in shown_actions(plan):
        yield _item(plan, action, check, remarks=True)


def _left(report: Report, check: Check) -> Iterator[Item]:
    if report.after is not None:
        for action in shown_actions(report.after, remarks=False):
            yield _item(report.after, action, check, remarks=False)


def _item(plan: Plan, action: Action, check: Check, *, remarks: bool) -> Item:
    restart = restart_of(plan, action)
    verb = "restart" if restart and action.verb == "none" else action.verb
    more = made_of(plan, action) if action.verb == "create" else ""
    zone = zone_of(Outcome(plan.host, plan))
    names = action.address.names
    shown = entries(action)
    consents = dict.fromkeys(e.line.consent for e in shown if e.line.consent and not e.held)
    told = [Told("hint", f"allow it with --allow {','.join(c)}") for c in consents]
    known = dict.fromkeys(str(a) for a in (*(e.line.accepted for e in shown), action.accepted) if a)
    told += [Told("accepted", text) for text in known]
    told += [Told(r.level, r.message, r.hint, str(r.mark), r.trace) for r in action.remarks if remarks]
    return Item(
        verb=verb,
        sign=_SIGN[verb],
        word=(_DRIFTED if check.verb == "drift" else _PLANNED)[verb],
        name=said(str(action.address)),
        more=more or (action.title if action.title and action.title not in names else ""),
        restart=restart_text(restart) if restart else "",
        place=str(action.mark),
        since=_since(Spot(action.address), check, zone) if all(e.line.field for e in shown) else (),
        rows=tuple(_row(action, e, check, zone) for e in shown),
        told=tuple(told),
        calls=_calls(tuple(s for s in plan.steps if s.action == action.address)),
        vm=vm_of(action.address),
        anchor=anchor(plan.host, *action.address.words),
    )


def _row(action: Action, entry: Entry, check: Check, zone: tzinfo) -> Row:
    line = entry.line
    return Row(
        entry.field,
        entry.now,
        entry.wanted,
        entry.cost,
        not entry.held and not line.consent and line.impacts == ("online",),
        str(line.mark),
        line.note,
        _since(Spot(action.address, line.field), check, zone),
    )


def _since(spot: Spot, check: Check, zone: tzinfo) -> tuple[str, ...]:
    found = check.memory.since.get(spot)
    if found is None:
        return ()
    moved = _MOVED[found.moved]
    if found.moved == "wish" and found.wished is not None:
        moved += f" {lasted(check.finished - found.wished)} ago"
    return tuple(t for t in (*_age(found.first_seen, check, zone), moved) if t)


def _age(since: datetime, check: Check, zone: tzinfo = UTC) -> tuple[str, ...]:
    age = check.finished - since
    return ("new with this check",) if age < NOW else (f"for {lasted(age)}", f"since {clock(since, zone)}")


def _calls(steps: tuple[PlannedStep, ...]) -> tuple[Cmd, ...]:
    return tuple(Cmd(s.text, str(s.task.call)) for s in steps)


def _ran(result: StepResult) -> Ran:
    sign, word = _RAN[result.status]
    failure = result.failure
    return Ran(
        status=result.status,
        sign=sign,
        word=word,
        step=Cmd(result.step.text, str(result.step.task.call)),
        took=f"{result.ms / 1000:.1f} s" if result.ms >= 100 else "",
        why=why_text(result.why) if result.status == "skipped" else result.why,
        failure=(" ".join(failure.message.split()) or "failed") if failure is not None else "",
        code=" ".join(t for t in (failure.code, failure.hresult) if t) if failure is not None else "",
        warnings=result.warnings,
        said=tuple(str(text) for text in result.told),
    )
