"""Checks of every sort, made by planning and applying over the simulated host, for the tests of what shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hvctl.call import Reply, TransportError
from hvctl.core.apply import Report, broken_off, not_begun
from hvctl.core.check import Check, Memory, News, Since, Spot, Verb
from hvctl.core.impact import IMPACTS
from hvctl.core.outcome import Outcome, exit_status
from hvctl.kinds import address_of
from hvctl.text.diagnostic import Diagnostic, Mark
from tests.test_show import HOST, PLAYBOOK, Lab, lab

STARTED = datetime(2026, 11, 24, 9, 30, 5, tzinfo=UTC)
ACCEPTED = (
    "- hosts: all\n  vms:\n    - {name: keep, notes: x, accept: {until: 2027-01-31, reason: the owner is away}}\n"
)
KEEP = "- hosts: all\n  vms:\n    - {name: keep}\n"
NOTED = "- hosts: all\n  vms:\n    - {name: keep, notes: x}\n"
HOSTILE = "<script>alert('1')</script> \u202e\"&@all|`x`$a$ 仮想マシン"
HOSTILE_NOTES = "社内ポータルの検証機。手作業で作成したものを引き継ぐ。" * 12 + "x" * 300
HANGING = HOST.replace("name: web01\n", "name: web01\n    guest: {shutdown: hangs}\n")
LOST = TransportError("connection refused by 192.0.2.13:5986 (5 tries in 17 s)", hint="is WinRM running there?")


def check(verb: Verb, *outcomes: Outcome, status: int | None = None, memory: Memory = Memory()) -> Check:  # noqa: B008
    found = exit_status(outcomes, changes_count=verb != "plan") if status is None else status
    finished = STARTED + timedelta(seconds=12)
    requests = {one.host: 6 for one in outcomes if one.plan is not None}
    return Check(verb, ("lab.yml",), STARTED, finished, outcomes, found, requests, memory=memory)


def planned(made: Lab, host: str = "hv01.tokyo") -> Outcome:
    return Outcome(host, replace(made.plan, host=host))


def applied(made: Lab, host: str = "hv01.tokyo") -> Outcome:
    report = made.apply()
    after = replace(report.after, host=host) if report.after is not None else None
    plan = replace(made.plan, host=host)
    return Outcome(host, plan, replace(report, plan=plan, after=after))


def hostile() -> Lab:
    """Names and notes that would like to be markup."""
    name = '"' + HOSTILE.replace('"', '\\"') + '"'
    host = HOST + f"switches:\n  - {{name: {name}, type: Private}}\n"
    playbook = f"""- hosts: all
  switches:
    - {{name: {name}, type: private, notes: {name}}}
  vms:
    - {{name: keep, notes: {HOSTILE_NOTES}}}
"""
    return lab(playbook, host)


def remembered() -> Check:
    """With what the history knows: since when, who moved, what is new, who is lost."""
    found = check("drift", planned(lab(allow=IMPACTS)), Outcome("hv03.tokyo", error=LOST))
    long_ago = STARTED - timedelta(days=3, hours=4)
    spots = [d.spot for d in found.drifts]
    since = {s: Since(long_ago, ("host", "wish", "unknown")[n % 3]) for n, s in enumerate(spots)}
    gone = Spot(address_of("hv01.tokyo", ("vm", "web09")), "notes")
    news = News((spots[0],), (gone,), ("hv03.tokyo",), ("hv02.osaka",))
    return replace(found, memory=Memory(since, {"hv03.tokyo": STARTED - timedelta(minutes=95)}, news))


def lost_on_the_way() -> Check:
    """The connection broke in the middle; the host was not seen afterwards."""
    made = lab(allow=["restart"])
    error = TransportError("the connection was lost", executed="unknown", hint="run plan to see what is left")
    results = [replace(r, status="unknown", why="the connection was lost") for r in made.apply().results]
    return check("apply", Outcome("hv01.tokyo", made.plan, Report(made.plan, tuple(results), error)))


def interrupted() -> Check:
    """Ctrl-C: one host stopped within its steps, one was never looked at."""
    made = lab(allow=["restart"])
    report = made.apply()
    rest = tuple(replace(r, status="skipped", why="stopped", ms=0, warnings=()) for r in report.results[2:])
    stopped = replace(report, results=(*report.results[:2], *rest), stopped=True, after=made.plan)
    found = check("apply", Outcome("hv01.tokyo", made.plan, stopped), status=130)
    return replace(found, hosts=("hv01.tokyo", "hv02.osaka"))


def terminated() -> Check:
    """SIGTERM: on one host a step still runs, to one it never came, one was not looked at."""
    made, other = lab(allow=["restart"]), lab(NOTED)
    first = {made.plan.steps[0].task.id: Reply()}
    last = {s.task.id: Reply(skipped="stopped") for s in made.plan.steps[2:]}
    error = TransportError(
        "still running on hv01.tokyo, batch 1b4e", executed="unknown", hint="it was not ended", replies=first | last,
        running="1b4e",
    )  # fmt: skip
    plan = replace(other.plan, host="hv02.osaka")
    return check(
        "apply",
        Outcome("hv01.tokyo", made.plan, broken_off(made.plan, error)),
        Outcome("hv02.osaka", plan, not_begun(plan)),
        Outcome("hv03.tokyo"),
        status=143,
    )


def refused() -> Check:
    plan = lab().plan
    changed = ("Get-VMProcessor web01: RelativeWeight 100 → 50",)
    return check("apply", Outcome("a", changed=changed), Outcome("b", plan, changed=changed))


def misconfigured() -> Check:
    """A password that cannot be had: the host was not contacted."""
    missing = Diagnostic(
        Mark("inventory.yml", 3, 40), "the environment variable P is not set", "set it, or use --ask-pass"
    )
    other = Diagnostic(Mark("inventory.yml", 9, 4), "'pass' ended with status 1", "run it by hand")
    return check("plan", planned(lab(KEEP)), Outcome("hv02", wrong=(missing,)), Outcome("hv03", wrong=(missing, other)))


def unread() -> Check:
    return check("plan", planned(lab(NOTED, HOST + "administrator: false\n")))


def many() -> Check:
    """More than fits a comment."""
    plan = lab().plan
    first, *rest = plan.actions
    own = [replace(first, remarks=(Diagnostic(first.mark, f"disk {n}", level="warning"),)) for n in range(300)]
    return check("plan", *(Outcome(f"hv{n:03}", replace(plan, actions=(own[n], *rest))) for n in range(300)))


CHECKS: dict[str, Callable[[], Check]] = {
    "in sync": lambda: check("drift", planned(lab(KEEP))),
    "accepted": lambda: check("drift", planned(lab(ACCEPTED))),
    "differs, blocked, created, impossible": lambda: check("plan", planned(lab())),
    "removed": lambda: check("plan", planned(lab(allow=IMPACTS))),
    "drifted": lambda: check("drift", planned(lab(allow=IMPACTS)), planned(lab(KEEP), "hv02.osaka")),
    "unreachable": lambda: check("plan", Outcome("hv03.tokyo", error=LOST)),
    "misconfigured": misconfigured,
    "not readable": unread,
    "refused": refused,
    "applied": lambda: check("apply", applied(lab(NOTED))),
    "something left": lambda: check("apply", applied(lab(allow=["restart"]))),
    "a failed step": lambda: check("apply", applied(lab(PLAYBOOK, HANGING, ["restart"])), applied(lab(NOTED), "hv02")),
    "lost on the way": lost_on_the_way,
    "interrupted": interrupted,
    "terminated": terminated,
    "not approved": lambda: check("apply", planned(lab())),
    "no hosts": lambda: check("plan"),
    "remembered": remembered,
    "hostile": lambda: check("drift", planned(hostile())),
}
