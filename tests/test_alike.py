"""What is the same on many hosts is told once, with the names of all of them; what is not stays by itself."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from hvctl.call import TransportError
from hvctl.core.check import Check
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan
from hvctl.fleet.showing import Showing
from hvctl.language import speaking
from hvctl.redaction.redact import Redactor
from hvctl.show import data, markdown
from hvctl.show.screen import Screen
from hvctl.show.standing import MANY
from hvctl.text.diagnostic import Diagnostic, Mark
from tests.test_show import Lab, lab

MOMENT = datetime(2026, 3, 2, 6, tzinfo=UTC)
NOTED = "- hosts: all\n  vms:\n    - {name: keep, notes: new}\n"
CASES: dict[str, Lab] = {}


@pytest.fixture(scope="module", autouse=True)
def cases() -> None:
    CASES["blocked"] = lab(allow=["restart"])
    CASES["destroyed"] = lab(allow=["restart", "destroy"])
    CASES["noted"] = lab(NOTED)
    CASES["older"] = lab(NOTED, os="2016")
    CASES["in sync"] = lab("- hosts: all\n  vms:\n    - {name: keep}\n")


def plan_of(case: str, host: str) -> Plan:
    return of_host(CASES[case].plan, host)


def of_host(plan: Plan, host: str) -> Plan:
    actions = tuple(replace(a, address=replace(a.address, host=host)) for a in plan.actions)
    steps = tuple(replace(s, action=replace(s.action, host=host)) for s in plan.steps)
    restarts = tuple(replace(r, address=replace(r.address, host=host)) for r in plan.restarts)
    return replace(plan, host=host, actions=actions, steps=steps, restarts=restarts)


def planned(case: str, *hosts: str) -> list[Outcome]:
    return [Outcome(host, plan_of(case, host)) for host in hosts]


def names(first: int, last: int, form: str = "hv{:03}") -> list[str]:
    return [form.format(n) for n in range(first, last + 1)]


def shown(what: Sequence[Outcome] | Check, *, width: int = 100, verbose: int = 0, reports: bool = False) -> list[str]:
    out = Screen()
    out.file, out.width = io.StringIO(), width
    showing = Showing(out, out, Redactor(), verbose)
    if isinstance(what, Check):
        showing.check(what, everything=True)
    elif reports:
        showing.reports(what)
    else:
        showing.plans(what)
    return out.file.getvalue().splitlines()


def drift(outcomes: Sequence[Outcome]) -> Check:
    return Check("drift", ("site.yml",), MOMENT, MOMENT, tuple(outcomes), 0)


FLEET = [*names(1, 20), *names(31, 50)]


def fleet() -> list[Outcome]:
    """40 hosts with one plan, around 2 with another; one of which a VM is destroyed, one that is away."""
    away = Outcome("hv024", error=TransportError("connection refused by hv024"))
    outcomes = [*planned("blocked", *FLEET), *planned("destroyed", "hv023"), *planned("noted", "hv021", "hv022"), away]
    return sorted(outcomes, key=lambda one: one.host)


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_what_is_the_same_is_told_once_of_all_by_name(width: int) -> None:
    lines = shown(fleet(), width=width)
    heads = [n for n, line in enumerate(lines) if re.match(r"(hv\d+|\d+ hosts,) ", line)]
    assert [" ".join(lines[n].split()[:2]) for n in heads] == [
        "40 hosts,",
        "2 hosts,",
        "hv023 Windows",
        "hv024 unreachable:",
    ]
    text = "\n".join(lines)
    # Every name once, in the order of the run, and nothing of the plan a second time.
    assert re.findall(r"\bhv\d+\b", "\n".join(lines[heads[0] : heads[1]])) == FLEET
    assert re.findall(r"\bhv\d+\b", "\n".join(lines[heads[1] : heads[2]])) == ["hv021", "hv022"]
    assert text.count("allow it with --allow destroy") == 1
    assert text.count("- vm old01") == 1
    assert text.index("hv023  Windows") < text.index("- vm old01") < text.index("hv024  unreachable")
    assert all(cell_len(line) <= min(width, 140) for line in lines[:-1])
    # What it comes to is counted host by host.
    total: Counter[str] = Counter()
    for case, hosts in (("blocked", 40), ("noted", 2), ("destroyed", 1)):
        total.update({word: n * hosts for word, n in counted(shown(planned(case, "hv001"))[-1]).items()})
    assert lines[-1].startswith("44 hosts: 43 differ, 1 unreachable.  Plan: 41 to create, ")
    assert counted(lines[-1]) == total


def counted(line: str) -> Counter[str]:
    """Of a last line: what the plans come to."""
    parts = line.partition("Plan: ")[2].rstrip(".").split(", ")
    return Counter({part.partition(" ")[2].removesuffix("s"): int(part.partition(" ")[0]) for part in parts})


def test_each_host_has_the_text_that_it_has_alone() -> None:
    """What stands below the names is, to the letter, what a run of that host alone would print."""
    for outcomes in (planned("blocked", *FLEET), planned("destroyed", *FLEET), planned("noted", *FLEET)):
        first, *alone, _ = shown(outcomes[:1], width=140)
        head, *together, _ = shown(outcomes, width=140)
        assert together[together.index(alone[0]) :] == alone
        assert head.split()[-3:] == first.split()[-3:]
        assert "Windows Server 2022 (20348)" in head


def test_verbose_and_a_few_hosts_are_told_one_by_one() -> None:
    few = planned("noted", *names(1, MANY))
    assert len([line for line in shown(few) if re.match(r"hv\d+  Windows", line)]) == MANY
    assert len([line for line in shown(fleet(), verbose=1) if re.match(r"hv\d+  Windows", line)]) == 43
    assert "the same on each" not in "\n".join([*shown(few), *shown(fleet(), verbose=1)])


def test_hosts_are_named_by_their_windows_where_it_is_not_one() -> None:
    outcomes = [*planned("noted", *names(1, 15)), *planned("older", *names(16, 18)), *planned("noted", *names(19, 25))]
    head, *lines = shown(outcomes)
    assert head.split("  ")[0] == "25 hosts, the same on each" and "Windows" not in head
    assert lines[0].startswith("    Windows Server 2022 (20348): hv001, hv002, ")
    assert lines[1].startswith("      hv") and lines[1].endswith("hv025")
    assert lines[2] == "    Windows Server 2016 (14393): hv016, hv017, hv018"
    assert "\n".join(lines).count("~ vm keep") == 1


def test_hosts_that_are_refused_or_not_contacted_for_one_reason_are_told_once() -> None:
    changed = ("step 1 of the plan is not needed now: Set-VM (Notes new)",)
    missing = Diagnostic(
        Mark("inventory.yml", 3, 40), "the environment variable P is not set", "set it, or use --ask-pass"
    )
    refused = [replace(one, changed=changed) for one in planned("noted", *names(1, 15))]
    lines = shown([*refused, *(Outcome(host, wrong=(missing,)) for host in names(16, 30))])
    heads = [n for n, line in enumerate(lines) if line.startswith("15 hosts, the same on each")]
    assert [lines[n][26:].strip() for n in heads[1:]] == [
        "refused: something has changed since the plan was made", "not contacted: its configuration is wrong"
    ]  # fmt: skip
    assert [re.findall(r"hv\d+", " ".join(lines[n + 1 : n + 3])) for n in heads] == [names(1, 15), [], names(16, 30)]
    assert "\n".join(lines).count(changed[0]) == "\n".join(lines).count(missing.message) == 1
    assert lines[-1] == "30 hosts: 15 refused, 15 not contacted, configuration wrong."


def test_hosts_that_are_planned_together_stay_as_they_are() -> None:
    outcomes = planned("noted", *names(1, 25))
    pair = dict.fromkeys(("hv003", "hv009"))
    for n in (2, 8):
        plan = plan_of("noted", outcomes[n].host)
        outcomes[n] = Outcome(plan.host, replace(plan, facts=replace(plan.facts, others=pair)))
    for lines in (shown(outcomes), shown(drift(outcomes))):
        assert [line.split("  ")[0] for line in lines if re.match(r"\S.*Windows", line)] == [
            "23 hosts, the same on each", "hv003", "hv009"
        ]  # fmt: skip
    assert "hv003, hv009: planned together" in shown(outcomes)


def test_a_drift_check_has_a_line_for_each_group_at_a_glance() -> None:
    lines = shown(drift([*fleet(), *planned("in sync", *names(51, 55))]))
    glance = [line.split("  ")[0:] for line in lines if line.startswith(("drifted", "unreachable"))]
    told = [[cell.strip() for cell in line if cell.strip()] for line in glance]
    assert told == [
        ["unreachable", "hv024", "connection refused by hv024"],
        ["drifted", "hv001 and 39 others", "7 fields differ, 1 thing is missing"],
        ["drifted", "hv021 and 1 other", "1 field differs"],
        ["drifted", "hv023", "6 fields differ, 1 thing is missing, 1 should not exist"],
    ]
    assert any(re.match(r"5 hosts, the same on each  Windows .* in sync$", line) for line in lines)
    assert lines[-1].startswith("49 hosts: 43 drifted, 1 unreachable, 5 in sync.")


def test_a_report_tells_once_what_was_left_on_many() -> None:
    report = lab(allow=["restart"]).apply()
    assert report.after is not None

    def done(host: str) -> Outcome:
        after = of_host(report.after, host) if report.after is not None else None
        plan = of_host(report.plan, host)
        return Outcome(host, plan, replace(report, plan=plan, after=after))

    text = "\n".join(shown([done(host) for host in FLEET], reports=True))
    assert len(re.findall(r"^40 hosts, the same on each  \d+ of \d+ steps done$", text, re.MULTILINE)) == 1
    assert re.findall(r"\bhv\d+\b", text) == FLEET
    assert text.count("left undone:") == text.count("allow it with --allow destroy") == 1


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_japanese_names_hold_the_width_and_are_not_broken(width: int) -> None:
    hosts = names(1, 40, "夜間バッチ処理用{:02}")
    with speaking("ja"):
        lines = shown(planned("noted", *hosts), width=width)
    assert lines[0].startswith("ホスト 40 台、いずれも同じ")
    named = [line for line in lines if "夜間" in line]
    assert [name for line in named for name in line.strip(" 、").split("、")] == hosts
    assert all(cell_len(line) <= width for line in named)


def test_markdown_tells_it_once_too_and_json_does_not() -> None:
    check = Check("plan", ("lab.yml",), MOMENT, MOMENT, tuple(fleet()), 0)
    text = markdown.rendered(check)
    heads = re.findall(r"^### (.*)$", text, re.MULTILINE)
    assert heads == [
        "40 hosts, the same on each: differs", "2 hosts, the same on each: differs", "hv023: differs", "hv024: unreachable"
    ]  # fmt: skip
    assert ", ".join(FLEET) in text
    assert "Cut here" not in text
    few = replace(check, outcomes=check.outcomes[:MANY])
    assert "the same on each" not in markdown.rendered(few)
    assert [host["host"] for host in data.check_data(check)["hosts"]] == [one.host for one in check.outcomes]
