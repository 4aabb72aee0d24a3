"""A plan as a script, parsed and run by a real PowerShell: it makes the calls that an apply makes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Secret, Staged
from hvctl.cli import main
from hvctl.contract import OS
from hvctl.core.apply import batch_of
from hvctl.core.check import Check
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Awaited, Plan
from hvctl.core.planner import make_plan
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import look
from hvctl.redaction.redact import Redactor
from hvctl.show.powershell import rendered
from hvctl.text.visible import HIDDEN
from mocks.engine import LanguageMode
from mocks.host import SimulatedHost
from mocks.staging import TEXT, text_of
from mocks.twin import TwinTransport
from tests import requirements
from tests.by_hand.console import Console, Parser, lint
from tests.checks import CHECKS
from tests.harness import Case, all_cases, wished
from tests.test_show import lab

NOW = datetime(2026, 11, 27, 6, 0, tzinfo=UTC)
PASSWORD = "tests-only"


def script_of(*plans: Plan) -> str:
    return rendered(Check("plan", ("lab.yml",), NOW, NOW, tuple(Outcome(p.host, p) for p in plans), 0))


def planned(case: Case, folder: Path) -> tuple[SimulatedHost, Plan | None]:
    """The host of a case, and the plan made of it; None where the playbook is refused."""
    data = case.data
    for name, text in data.get("control", {}).items():
        Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        Path(folder, name).write_text(text, encoding="utf-8")
    found, problems = wished(case.playbook, data.get("allow", ()), str(folder))
    host = SimulatedHost.from_yaml({**(data["host"] or {}), "os": case.os})
    if any(p.level == "error" for p in problems or validate(found, case.os)):
        return host, None
    plan = make_plan(found, look(TwinTransport(host), found), frozenset())
    del host.log[:]
    return host, plan


def plain(host: SimulatedHost) -> list[Any]:
    """The calls, without what is the runner's: in which folder it stages files."""

    def value(given: Any) -> Any:
        if isinstance(given, str):
            return re.sub(r"^.*\\staging\\.*$", "a staged file", given)
        return [value(v) for v in given] if isinstance(given, list) else given

    return [(c.cmdlet, {k: value(v) for k, v in c.params.items() if k != "AsJob"}, c.errors) for c in host.log]


def staged(value: Any) -> Iterator[Staged]:
    if isinstance(value, Staged):
        yield value
    elif isinstance(value, dict | list | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from staged(one)


def _text_of(file: Staged) -> str | None:
    data = file.content if file.content is not None else Path(file.path).read_bytes()
    return text_of(data) if len(data) <= TEXT else None


Consoles = Callable[[OS, LanguageMode], Console]


@pytest.fixture(scope="session")
def consoles() -> Iterator[Consoles]:
    requirements.engine()
    made: dict[tuple[OS, LanguageMode], Console] = {}

    def console(os: OS, mode: LanguageMode = "FullLanguage") -> Console:
        if (os, mode) not in made:
            made[os, mode] = Console(os, mode)
        return made[os, mode]

    yield console
    for one in made.values():
        one.close()


EACH = 1 if os.environ.get("HVCTL_SOAK") else 8
"""How many cases one is taken of; all in a soak."""


def cases() -> Iterator[Any]:
    """The last version of each case: what differs between versions is in the plan, not in how it is written down."""
    last = {case.file: case for case in all_cases() if "host" in case.data and "faults" not in case.data}
    for case in [*last.values()][::EACH]:
        yield pytest.param(case, marks=pytest.mark.xdist_group(f"console-{case.os}"), id=str(case))


@pytest.mark.engine
@pytest.mark.parametrize("case", list(cases()))
def test_a_script_makes_the_calls_of_an_apply(case: Case, consoles: Consoles, tmp_path: Path) -> None:
    host, plan = planned(case, tmp_path)
    if plan is None or not plan.steps:
        return
    replies = TwinTransport(host).run(batch_of(plan))
    other, same = planned(case, tmp_path)
    assert same is not None
    files = list(dict.fromkeys(f for s in same.steps for f in staged(dict(s.task.call.params))))
    answers = []
    for n, file in enumerate(files):
        path = rf"C:\ProgramData\hvctl\staging\{n}\{n}"
        other.keep(path, file.size, file.sha256, _text_of(file))
        answers.append(path)
    script = script_of(same)
    said = consoles(case.os, case.mode).run(script, other, answers)
    made, expected = plain(other), plain(host)
    if not all(reply.ok for reply in replies):  # an apply goes on with what does not rest on it; a script stops
        assert said, script
        assert made == expected[: len(made)], script
        return
    assert (said, made) == ("", expected), script


# --- how it is written -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parser]:
    made = Parser(requirements.engine(), tmp_path_factory.mktemp("parsed"))
    yield made
    made.close()


@pytest.mark.engine
@pytest.mark.parametrize("name", CHECKS)
def test_the_parser_has_nothing_against_any_script(name: str, parser: Parser) -> None:
    script = rendered(CHECKS[name]())
    assert parser.errors(script) == "", script
    assert not HIDDEN.search(script.replace("\n", ""))


@pytest.mark.engine
def test_the_parser_finds_what_is_wrong(parser: Parser) -> None:
    """So that its silence says something."""
    assert "1:" in parser.errors("if ($true) { 'a'")


@pytest.mark.engine
def test_nothing_in_a_script_is_newer_than_powershell_4(tmp_path: Path) -> None:
    """Between them these use all that a step can hold."""
    program = requirements.engine()
    if program.name != "pshost":
        requirements.lacking("engine")  # its linter is of its own
    named = {"vm/that_never_answers_ends_the_wait", "nat/goes_with_its_switch", "disk/grows_on_ide_within_one_restart",
             "vm/is_removed_with_its_disks", "firmware/boots_from_a_file_of_the_guest", "disk/moves_and_then_grows",
             "host_file/is_brought_from_the_control_node", "avma/leaves_data_exchange_to_its_section"}  # fmt: skip
    found = {str(c).rpartition("-")[0]: c for c in all_cases()}
    for name in sorted(named):
        _, plan = planned(found[name], tmp_path)
        assert plan is not None
        said = lint(program, script_of(plan), tmp_path)
        assert (said["errors"], said["newer"]) == ([], []), name


def one_vm(play: str) -> tuple[SimulatedHost, Plan]:
    vm = {"name": "web01", "generation": 2, "drives": [], "adapters": []}
    host = SimulatedHost.from_yaml({"os": "2022", "vms": [vm]})
    found, problems = wished(play)
    assert problems == []
    return host, make_plan(found, look(TwinTransport(host), found), frozenset())


NOTED = "- hosts: all\n  vms:\n    - {name: web01, notes: x}\n"
NASTY = (
    "it's", "‘curly’ ‚low‛", "“double” „low“", '"straight"', "$env:COMPUTERNAME $(Get-VM)", "back`tick`n", "--%", "-Force",
    "two\nlines\r\n# not\na comment", "@{a=1}", "仮想マシン 社内ポータル", "a\u2028b\u202ec\x1be", "; Remove-VM web01",
    "{0}", "%PATH%", "\u2019; 1", "`", "''", "#", "<#", "$null", "", " leading and trailing ",
)  # fmt: skip


@pytest.mark.engine
@pytest.mark.parametrize("text", NASTY, ids=ascii)
def test_a_text_arrives_as_it_is_whatever_is_in_it(text: str, consoles: Consoles) -> None:
    """As the notes of a VM, and in the comments."""
    play = f"- hosts: all\n  vms:\n    - {{name: web01, notes: {json.dumps('x' + text)}}}\n"
    host, plan = one_vm(play)
    other, same = one_vm(play)
    TwinTransport(other).run(batch_of(same))
    assert consoles("2022", "FullLanguage").run(script_of(plan), host) == ""
    assert host.state.vms[0].notes == other.state.vms[0].notes
    assert text in host.state.vms[0].notes or "\n" in text


@pytest.mark.engine
def test_on_another_computer_nothing_runs(consoles: Consoles) -> None:
    host, plan = one_vm(NOTED)
    script = script_of(replace(plan, info=replace(plan.info, computer="HV‘99’")))
    assert consoles("2022", "FullLanguage").run(script, host) == "this script is for HV‘99’"
    assert host.state.vms[0].notes == ""


@pytest.mark.engine
def test_of_several_hosts_each_does_what_is_for_itself(consoles: Consoles) -> None:
    host, plan = one_vm(NOTED)
    _, other = one_vm(NOTED.replace("notes: x", "notes: other"))
    there = replace(other, host="hv02", info=replace(other.info, computer="HV02"))
    assert consoles("2022", "FullLanguage").run(script_of(plan, there), host) == ""
    assert host.state.vms[0].notes == "x"
    elsewhere = script_of(there, replace(there, info=replace(there.info, computer="HV03")))
    assert consoles("2022", "FullLanguage").run(elsewhere, host) == "this script is for 2 other hosts"
    assert host.state.vms[0].notes == "x"


def test_what_is_not_done_stands_at_the_top_and_says_what_would_allow_it() -> None:
    script = rendered(CHECKS["differs, blocked, created, impossible"]())
    head = script.partition("$ErrorActionPreference")[0]
    assert "--allow destroy" in head
    assert "#   not done: vm keep: keep is of generation 1" in head
    assert all(line.startswith("#") or not line for line in head.splitlines())


def test_a_host_without_a_plan_is_named() -> None:
    script = rendered(CHECKS["unreachable"]())
    assert "# hv03.tokyo: no plan, connection refused by 192.0.2.13:5986" in script


# --- secrets ------------------------------------------------------------------------------------------------------------


@pytest.mark.engine
def test_a_value_that_holds_a_secret_is_asked_for_and_is_in_no_script(consoles: Consoles) -> None:
    play = f"- hosts: all\n  vms:\n    - {{name: web01, notes: 'the password is {PASSWORD}', state: running}}\n"
    host, plan = one_vm(play)
    redactor = Redactor()
    redactor.learn(Secret(PASSWORD))
    script = script_of(redactor.value(plan))
    assert PASSWORD not in script and "$Secret1 = Read-Secret 'A value of step" in script
    assert "nobody answers: A value of step" in consoles("2022", "FullLanguage").run(script, host)
    assert consoles("2022", "FullLanguage").run(script, host, [f"the password is {PASSWORD}"]) == ""
    assert host.state.vms[0].notes == f"the password is {PASSWORD}"


def test_a_secret_of_a_call_is_a_prompt() -> None:
    made = lab(allow=["restart"]).plan
    first = made.steps[0]
    call = replace(
        first.task.call, params={**first.task.call.params, "Password": Secret(PASSWORD), "More": Secret("other")}
    )
    plan = replace(made, steps=(replace(first, task=replace(first.task, call=call)),))
    script = script_of(plan)
    assert (
        PASSWORD not in script
        and "-Password $Secret1" in script
        and "Read-Host -Prompt $What -AsSecureString" in script
    )


# --- as a user gives it -------------------------------------------------------------------------------------------------


def test_plan_writes_it_for_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("P", PASSWORD)
    Path("i.yml").write_text("all: {hosts: {hv01: {ansible_user: a, ansible_password: !env P}}}")
    Path("p.yml").write_text("- hosts: all\n  vms:\n    - {name: web01, notes: 社内}\n", encoding="utf-8")
    state = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "drives": [], "adapters": []}]}
    host = SimulatedHost.from_yaml(state)

    def run(*words: str) -> int:
        return main(["-i", "i.yml", *words], lambda connection, wire: TwinTransport(host))

    assert run("plan", "p.yml", "--powershell", "plan.ps1") == 0
    assert "Report written: plan.ps1" in capsys.readouterr().err
    data = Path("plan.ps1").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf# Written by hvctl") and data.count(b"\r\n") == data.count(b"\n")
    assert "-Notes '社内'" in data.decode("utf-8-sig")
    assert host.state.vms[0].notes == ""
    assert run("plan", "p.yml", "--report", "powershell=-") == 0
    assert capsys.readouterr().out.strip().splitlines()[1:] == data.decode("utf-8-sig").splitlines()[1:]
    assert run("plan", "p.yml", "--powershell", "no/such/plan.ps1") == 1
    assert run("plan", "p.yml", "--powershell", "") == 1


def test_what_other_hosts_must_have_done_first_is_asked() -> None:
    made = lab(allow=["restart"]).plan
    step = replace(made.steps[0], awaits=(Awaited("hv02", "t1", "make switch it's"),))
    script = script_of(replace(made, steps=(step,)))
    assert "$null = Read-Host -Prompt 'hv02 must first have done: make switch it''s. Press Enter when it has'" in script
