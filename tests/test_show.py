"""A plan and a report as a reader sees them: text that holds its columns, JSON that holds its keys."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from hvctl.call import Batch, Call, Event, Failure, Guard, Reply, Staged, Transport, TransportError
from hvctl.config.playbook import Play, wishes
from hvctl.contract import OS
from hvctl.core.apply import Report, apply
from hvctl.core.check import Check
from hvctl.core.impact import IMPACTS, Impact
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.core.resource import Index
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.show import data, html, junit, markdown
from hvctl.show.cells import fold, hung
from hvctl.show.data import facts_data, plan_data
from hvctl.show.diff import diff_lines
from hvctl.show.progress import Progress
from hvctl.show.report import report_block
from hvctl.show.summary import summary_lines
from hvctl.show.text import facts_lines, plan_lines
from hvctl.text.source import load_text
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

HOST = r"""
vms:
  - name: web01
    id: 11111111-1111-1111-1111-111111111111
    generation: 2
    state: Running
    firmware: {secure_boot: 'Off'}
    adapters: [{name: lan}]
    drives: [{at: 'scsi 0:0', path: 'D:\VMs\web01\os.vhdx'}]
  - {name: old01, id: 22222222-2222-2222-2222-222222222222, state: Running}
  - {name: keep, id: 33333333-3333-3333-3333-333333333333}
vhds:
  'D:\VMs\web01\os.vhdx': {size: 40GB, minimum_size: 20GB}
"""
PLAYBOOK = r"""- name: Lab
  hosts: lab
  vms:
    - name: web01
      processor: {count: 4, weight: 200}
      firmware: {secure_boot: true}
      disks:
        - {at: scsi 0:0, path: 'D:\VMs\web01\os.vhdx', size: 60GB, iops: {maximum: 2000}}
    - name: web02
      generation: 2
      processor: {count: 2}
      memory: {startup: 2GB}
      disks:
        - {at: scsi 0:0, path: 'D:\VMs\web02\os.vhdx', size: 60GB}
    - {name: old01, ensure: absent}
    - {name: keep, generation: 2}
"""
AT_104 = r"""
hv01.tokyo  Windows Server 2022 (20348)     1 to create, 5 to change, 1 blocked, 1 impossible, 1 restart
  ~ vm web01          restarts once: processor.count and firmware.secure_boot; 3 changes while it is off
  ~ processor web01
      count         1 → 4             restart                    lab.yml:5:26
      weight        100 → 200         online                     lab.yml:5:37
  ~ disk web01, scsi 0:0
      size          40 GB → 60 GB     online                     lab.yml:8:62
      → extending the partition is the guest's task
      iops.maximum  none → 2,000      online                     lab.yml:8:84
  ~ firmware web01
      secure_boot   off → on          restart                    lab.yml:6:31
  + vm web02   generation 2, 2 processors, 2 GB, 1 disk                                      lab.yml:9:7
  ✗ vm old01
      ensure        present → absent  restart, destroy, blocked  lab.yml:15:7
      → allow it with --allow destroy
  ✗ vm keep
      generation    1 → 2             impossible                 lab.yml:16:32
      ! keep is of generation 1, which cannot be changed: nothing of it is touched; write `boot_disk:
        converted` or `boot_disk: reinstall` and allow restart, recreate and destroy
        (docs/generation-2.md)  lab.yml:16:32

1 host: 1 differs.  Plan: 1 to create, 5 to change, 1 blocked, 1 impossible, 1 restart.
"""


@dataclass(frozen=True)
class Lab:
    """A host, what is wished of it, and its plan."""

    plan: Plan
    found: Index
    transport: Transport

    def apply(self) -> Report:
        report = apply_plan(self.plan, self.found, self.transport)
        assert isinstance(report, Report)
        return report


def lab(playbook: str = PLAYBOOK, host: str = HOST, allow: Iterable[str] = (), os: OS = "2022") -> Lab:
    allowed: frozenset[Impact] = frozenset(i for i in IMPACTS if i in allow)
    found, problems = wishes([Play(load_text(playbook, "lab.yml"), (0,), "Lab", "all", {}, (), allowed)], {})
    assert not problems
    transport = TwinTransport(SimulatedHost.from_yaml({**yaml.safe_load(host), "os": os}))
    found = found.of("hv01.tokyo")
    return Lab(make_plan(found, look(transport, found), frozenset()), found, transport)


def report_lines(report: Report, *, width: int = 120, verbose: bool = False) -> Iterator[Text]:
    return report_block(report, width=width, verbose=verbose).lines(width)


def text_of(lines: Iterable[Text]) -> str:
    return "\n".join(line.plain for line in lines)


# --- a plan --------------------------------------------------------------------------------------------------------


def test_a_plan_reads_like_this() -> None:
    plan = lab(allow=["restart"]).plan
    shown = [*plan_lines(plan, width=104), *summary_lines([Outcome("hv01.tokyo", plan)])]
    assert text_of(shown) == AT_104.strip("\n")


def test_a_switch_says_what_it_takes_from_the_host() -> None:
    host = """
net_adapters: [{name: Ethernet, addresses: [192.0.2.12/24]}]
switches: [{name: inner, type: Internal}, {name: gone, type: Internal}, {name: lan, type: Internal}]
"""
    playbook = """- hosts: all
  switches:
    - {name: lan, minimum_bandwidth_mode: weight}
    - {name: inner, type: private, notes: private}
    - {name: gone, ensure: absent}
    - {name: out, type: external, net_adapters: [Ethernet]}
"""
    shown = text_of(plan_lines(lab(playbook, host).plan, width=140))
    assert "no VM is on it; it is recreated; the host's adapter lan on it is recreated too" in shown
    assert "the host has addresses on Ethernet, which are away for some 15 s" in shown
    assert [shown.count(f"the host loses its adapter {name} on it") for name in ("inner", "gone")] == [1, 1]


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
@pytest.mark.parametrize("allow", [(), ("restart", "destroy")])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_console(width: int, allow: tuple[str, ...], verbose: bool) -> None:
    plan = lab(allow=allow).plan
    calls = [str(step.task.call) for step in plan.steps]
    for line in plan_lines(plan, width=width, verbose=verbose):
        if line.plain.strip() in calls:
            continue  # a terminal wraps it; whoever copies it gets one line
        assert cell_len(line.plain) <= width, line.plain
        assert line.plain == line.plain.rstrip()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_columns_hold_over_all_resources(width: int) -> None:
    lines = [line.plain for line in plan_lines(lab().plan, width=width)]
    impacts = re.compile(r"  (online|restart|impossible)")
    starts = {found.start() for line in lines if " → " in line and (found := impacts.search(line))}
    places = {line.index("lab.yml:") for line in lines if line[6:7].isalpha() and " → " in line}
    assert len(starts) == 1
    assert len(places) == 1


def test_japanese_text_takes_two_cells_a_character() -> None:
    playbook = """- hosts: all
  vms:
    - {name: keep, notes: 社内ポータルの検証機, automatic_start_delay: 60}
"""
    lines = [line.plain for line in plan_lines(lab(playbook).plan, width=100)]
    found = [cell_len(line[: line.index("online")]) for line in lines if "online" in line]
    assert len(found) == 2
    assert len(set(found)) == 1


def test_a_long_value_goes_on_below_in_its_column() -> None:
    playbook = f"""- hosts: all
  vms:
    - {{name: keep, notes: {"手作業で作成したものを引き継ぐ" * 4}}}
"""
    first, *rest = [line.plain for line in plan_lines(lab(playbook).plan, width=80) if line.plain.startswith(" " * 6)]
    column = first.index("none")
    assert rest
    assert all(line[:column].isspace() and not line[column].isspace() for line in rest)


def test_a_part_of_what_is_made_is_told_by_the_summary_unless_verbose() -> None:
    plan = lab().plan
    assert "memory web02" not in text_of(plan_lines(plan))
    shown = text_of(plan_lines(plan, verbose=True))
    assert "+ memory web02" in shown
    assert "Set-VMMemory -VM (Get-VM)[Name=web02] -StartupBytes 2147483648" in " ".join(shown.split())


def test_why_something_is_not_made_is_told_once() -> None:
    """One cause: an image that is not there. What is within the VM is not made either, and nothing is wrong with it."""
    playbook = r"""- name: Lab
  hosts: lab
  vms:
    - name: web03
      generation: 2
      memory: {startup: 2GB}
      processor: {count: 2}
      disks: [{at: scsi 0:0, path: 'D:\VMs\web03\os.vhdx', image: 'D:\images\gone.vhdx'}]
      network_adapters: [{name: lan}]
      firmware: {boot_order: [scsi 0:0, 'network lan']}
"""
    made = lab(playbook=playbook)
    lines = [line.plain for line in plan_lines(made.plan, width=120)]
    assert [line.strip() for line in lines if "✗" in line] == ["✗ vm web03", "✗ disk web03, scsi 0:0"]
    said = [r.message for a in made.plan.actions for r in a.remarks]
    assert said == ["it is not created: its disk scsi 0:0 is held back", r"D:\images\gone.vhdx is not there"]
    assert "2 impossible" in lines[0]


def test_what_is_left_is_told_of_changed_and_unchanged_hosts_alike() -> None:
    plan = lab().plan
    both = [Outcome("hv01", plan, Report(plan, after=plan)), Outcome("hv02", plan)]
    assert "Left: 2 to create, 6 to change, 6 blocked, 2 impossible." in text_of(summary_lines(both))


def test_verbose_shows_the_stop_and_the_start_too() -> None:
    shown = text_of(plan_lines(lab(allow=["restart"]).plan, verbose=True))
    assert "Stop-VM" in shown
    assert "Start-VM" in shown


def test_a_call_is_one_line_however_narrow_the_console() -> None:
    made = lab(allow=["restart"])
    report = made.apply()
    for lines, steps in (
        (plan_lines(made.plan, width=40, verbose=True), made.plan.steps),
        (report_lines(report, width=40, verbose=True), [r.step for r in report.results]),
    ):
        shown = {line.plain.strip() for line in lines}
        assert {str(step.task.call) for step in steps} <= shown


def test_what_is_blocked_stands_at_its_field_with_what_allows_it() -> None:
    lines = [line.plain for line in plan_lines(lab().plan, width=100)]
    at = next(n for n, line in enumerate(lines) if line.split()[:1] == ["count"])
    assert "restart, blocked" in lines[at]
    assert "allow it with --allow restart" in lines[at + 1]


def test_a_plan_that_changes_nothing_is_one_line() -> None:
    plan = lab("- hosts: all\n  vms:\n    - {name: keep}\n").plan
    assert text_of(plan_lines(plan, width=80)).split("  ")[0] == "hv01.tokyo"
    assert len(list(plan_lines(plan, width=80))) == 1
    assert text_of(plan_lines(plan, width=80)).endswith("in sync")


def test_what_could_not_be_read_says_so() -> None:
    plan = lab("- hosts: all\n  vms:\n    - {name: keep, notes: x}\n", HOST + "administrator: false\n").plan
    shown = text_of(plan_lines(plan, width=100))
    assert "not all of it could be read" in shown
    assert "? vm keep" in shown
    assert "may not manage Hyper-V on HV01" in shown


def test_one_cause_that_keeps_many_things_from_being_read_is_told_once() -> None:
    names = "".join(f"    - {{name: {n}, notes: x}}\n" for n in ("keep", "old01", "web01", "gone", "more"))
    plan = lab(f"- hosts: all\n  switches: [{{name: lan}}]\n  vms:\n{names}", HOST + "administrator: false\n").plan
    shown = text_of(plan_lines(plan, width=140))
    assert {a.verb for a in plan.actions} == {"unknown"}
    assert not plan.steps
    assert shown.count("may not manage Hyper-V") == 1
    assert "'Hyper-V Administrators' or 'Administrators'" in " ".join(shown.split())
    assert "the same is true of vm keep, vm old01 and 3 more" in shown
    assert text_of(plan_lines(plan, width=140, verbose=True)).count("may not manage Hyper-V") == 6


def test_what_is_held_back_whole_keeps_what_it_would_change() -> None:
    host = """
os: '2022'
vms:
  - {name: web01, generation: 2, state: Running}
  - {name: gone, generation: 2, is_clustered: true}
  - {name: held, generation: 2, drives: [{at: 'scsi 0:0', path: 'D:\\child.vhdx'}]}
vhds:
  'D:\\data.vhdx': {size: 40GB, type: Fixed}
  'D:\\base.vhdx': {size: 40GB}
  'D:\\child.vhdx': {size: 40GB, type: Differencing, parent: 'D:\\base.vhdx'}
"""
    playbook = """- hosts: all
  vms:
    - name: web01
      disks: [{at: scsi 0:1, path: 'D:\\data.vhdx', type: dynamic, size: 60GB}]
    - {name: gone, ensure: absent}
    - name: held
      disks: [{at: scsi 0:0, path: 'D:\\base.vhdx'}]
"""
    plan = lab(playbook, host, allow=IMPACTS).plan
    assert not plan.steps
    lines = {(str(a.address), x.field): x for a in plan.actions for x in a.lines}
    assert all(x.held == "impossible" and not x.consent for x in lines.values())
    said = {key: (x.now, x.wanted) for key, x in lines.items()}
    assert said == {
        ("disk web01, scsi 0:1", "type"): ("fixed", "dynamic"),
        ("disk web01, scsi 0:1", "size"): ("40 GB", "60 GB"),
        ("vm gone", ""): ("present", "absent"),
        ("disk held, scsi 0:0", "path"): ("D:\\child.vhdx", "D:\\base.vhdx"),
    }


def test_a_removal_with_consent_says_what_goes() -> None:
    shown = text_of(plan_lines(lab(allow=["restart", "destroy"]).plan, width=100))
    assert "- vm old01   is removed" in shown
    assert "present → absent" in shown


def test_the_diff_has_only_what_differs() -> None:
    shown = text_of(diff_lines(lab().plan))
    assert "--- hv01.tokyo: processor web01\n+++ lab.yml:5:18\n-count: 1\n+count: 4   # restart, blocked\n" in shown
    assert "\n-ensure: absent\n+ensure: present\n+generation: 2\n" in shown
    assert "!" not in shown


def test_a_pipe_gets_no_colours_and_a_terminal_does() -> None:
    plan = lab().plan
    piped, terminal, plain = io.StringIO(), io.StringIO(), io.StringIO()
    consoles = (
        Console(file=piped, width=100),
        Console(file=terminal, width=100, force_terminal=True, color_system="standard"),
        Console(file=plain, width=100, force_terminal=True, color_system="standard", no_color=True),
    )
    for console in consoles:
        for line in plan_lines(plan, width=100):
            console.print(line, soft_wrap=True)
    assert "\x1b" not in piped.getvalue()
    assert "\x1b[33m" in terminal.getvalue() or "\x1b[1;33m" in terminal.getvalue()
    assert "\x1b[33m" not in plain.getvalue()


# --- a report ------------------------------------------------------------------------------------------------------


def test_a_report_of_a_good_run_says_what_is_left() -> None:
    shown = text_of(report_lines(lab(allow=["restart"]).apply(), width=100))
    assert "steps done" in shown.splitlines()[0]
    assert "left undone:" in shown
    assert "✗ vm old01" in shown
    assert "✓" not in shown


def test_a_report_that_leaves_nothing_says_in_sync() -> None:
    done = lab("- hosts: all\n  vms:\n    - {name: keep, notes: x}\n").apply()
    assert "seen in sync" in text_of(report_lines(done))
    assert text_of(summary_lines([Outcome("hv01.tokyo", done.plan, done)])) == "1 host: 1 done, in sync."


def test_a_report_of_a_failed_run_says_what_ran_and_what_did_not() -> None:
    hanging = HOST.replace("name: web01\n", "name: web01\n    guest: {shutdown: hangs}\n")
    shown = text_of(report_lines(lab(PLAYBOOK, hanging, ["restart"]).apply(), width=100))
    assert "✗ shut down the guest of web01" in shown
    assert "InvalidOperation,Microsoft.HyperV.PowerShell.Commands.StopVM" in shown
    assert "· set the processor of web01" in shown
    assert "what it needs did not succeed" in shown
    assert "✓" in shown
    assert "1 failed" in shown.splitlines()[0]
    assert "apply again" in shown


def test_a_lost_connection_leaves_steps_of_which_nothing_is_known() -> None:
    whole = lab(allow=["restart"])
    error = TransportError("the connection was lost", executed="unknown", hint="look at the host")
    results = tuple(replace(r, status="unknown", why="the connection was lost") for r in whole.apply().results)
    shown = text_of(report_lines(Report(whole.plan, results, error), width=100))
    assert "? " in shown
    assert "not known whether it ran" in shown
    assert "! the connection was lost" in shown
    assert "→ look at the host" in shown
    assert "run plan to see what is left" in shown


def test_a_step_that_changed_nothing_is_told() -> None:
    whole = lab("- hosts: all\n  vms:\n    - {name: keep, notes: x}\n")
    report = replace(whole.apply(), after=whole.plan)
    shown = text_of(report_lines(report, width=100))
    assert "vm keep: notes still reads none, not 'x', although its step succeeded" in shown


def test_the_summary_counts_hosts_by_state() -> None:
    plan = lab().plan
    same = lab("- hosts: all\n  vms:\n    - {name: keep}\n").plan
    outcomes = [
        Outcome("a", plan),
        Outcome("b", same),
        Outcome("c", error=TransportError("no")),
        Outcome("d", plan, changed=("x",)),
    ]
    assert text_of(summary_lines(outcomes)).startswith("4 hosts: 1 differs, 1 in sync, 1 unreachable, 1 refused.")
    assert text_of(summary_lines(outcomes, drift=True)) == "4 hosts: 1 drifted, 1 in sync, 1 unreachable, 1 refused."


# --- data ------------------------------------------------------------------------------------------------------------


def test_a_plan_as_data_is_json_with_stable_keys() -> None:
    data = json.loads(json.dumps(plan_data(lab(allow=["restart"]).plan), ensure_ascii=False))
    assert set(data) == {"os", "os_name", "build", "computer", "in_sync", "readable", "actions", "restarts", "steps"}
    assert data["restarts"] == [
        {
            "name": "web01",
            "because": ["processor.count", "firmware.secure_boot"],
            "changes": 3,
            "starts_again": True,
            "blocked": False,
        }
    ]
    processor = next(a for a in data["actions"] if a["address"] == ["processor", "web01"])
    assert processor["action"] == "update"
    assert processor["changes"][0] == {
        "field": "count",
        "now": "1",
        "wanted": "4",
        "impact": ["restart"],
        "mark": "lab.yml:5:26",
        "note": "",
        "needs_consent": [],
        "status": "change",
        "before": 1,
        "after": 4,
        "accepted": None,
        "since": None,
        "moved": None,
        "wanted_since": None,
    }
    assert {"id", "does", "call", "for"} == set(data["steps"][0])


def test_facts_are_shown_and_are_data() -> None:
    facts = lab().plan.facts
    shown = text_of(facts_lines("hv01", facts))
    assert "Get-VM: 3" in shown
    assert "Name=web01" in shown
    data = json.loads(json.dumps(facts_data(facts)))
    assert data["os"] == "2022"
    assert any(a["query"] == "Get-VM" for a in data["answers"])


# --- folding -----------------------------------------------------------------------------------------------------------


@given(st.text(alphabet=st.sampled_from("ab仮想 \\,;"), max_size=60), st.integers(4, 30))
def test_folding_keeps_every_word_and_the_width(text: str, width: int) -> None:
    lines = fold(text, width)
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text(alphabet=st.sampled_from("ab仮想 \\,;"), max_size=60), st.integers(30, 60))
def test_what_hangs_stays_right_of_its_sign(text: str, width: int) -> None:
    lines = [line.plain for line in hung("!", [(text, "")], width)]
    assert all(cell_len(line) <= width for line in lines)
    assert lines[0].startswith("      !")
    assert all(line.startswith(" " * 8) or not line.strip() for line in lines[1:])


def test_a_new_vm_says_what_it_takes_away_and_what_is_there_already() -> None:
    host = HOST + "vhds: {'D:\\VMs\\app01\\data.vhdx': {size: 100GB}}\n"
    made = lab(
        """- hosts: all
  vms:
    - name: app01
      generation: 1
      disks:
        - {at: ide 0:0, path: 'D:\\VMs\\app01\\os.vhdx', size: 60GB}
        - {at: ide 1:0, path: 'D:\\VMs\\app01\\data.vhdx', size: 120GB}
""",
        host,
    )
    shown = text_of(plan_lines(made.plan, width=120))
    assert "+ vm app01   generation 1, 2 disks (1 of existing files)" in shown
    assert "the DVD drive that New-VM makes at ide 1:0 gives way to the disk" in shown
    assert "+ disk app01, ide 1:0" in shown
    assert "existing file of 100 GB" in shown
    assert "100 GB → 120 GB" in shown


def test_a_boot_order_is_shown_as_it_will_be() -> None:
    host = """
os: '2022'
switches: [{name: lan, type: Internal}]
vms:
  - name: g
    generation: 2
    drives: [{at: 'scsi 0:0', path: 'D:\\g.vhdx'}]
    adapters: [{name: eth0, switch: lan}]
    firmware: {boot_order: ['network eth0', 'scsi 0:0', 'file \\EFI\\debian\\shimx64.efi']}
vhds: {'D:\\g.vhdx': {size: 20GB}}
"""
    made = lab("- hosts: all\n  vms:\n    - name: g\n      firmware: {boot_order: ['scsi 0:0']}\n", host)
    shown = text_of(plan_lines(made.plan, width=140))
    assert "network eth0, scsi 0:0, file \\EFI\\debian\\shimx64.efi" in shown
    assert "→ scsi 0:0, network eth0, file \\EFI\\debian\\shimx64.efi" in shown
    playbook = (
        "- hosts: all\n  vms:\n    - name: g\n      firmware: {boot_order: ['scsi 0:0'], boot_order_only: true}\n"
    )
    shown = text_of(plan_lines(lab(playbook, host).plan, width=140))
    assert "→ scsi 0:0  " in shown
    assert "network eth0, file \\EFI\\debian\\shimx64.efi are taken out of the boot order" in shown


def test_the_diff_compares_texts_line_by_line_and_shows_what_a_file_will_be() -> None:
    rows = lab(
        '- hosts: all\n  vms:\n    - {name: keep, notes: "one\\ntwo\\nthree"}\n',
        HOST.replace("name: keep,", 'name: keep, notes: "one\\r\\n2\\r\\nthree",'),
    )
    shown = text_of(diff_lines(rows.plan))
    assert shown.endswith("@@ notes @@\n@@ -1,3 +1,3 @@\n one\n-2\n+two\n three")
    plan = rows.plan
    file = Staged("0" * 64, 30, "app.j2, for web01", content=b"port = 80\npassword = hunter2\n")
    plan = replace(plan, actions=tuple(replace(a, file=file) if a.lines else a for a in plan.actions))
    shown = text_of(diff_lines(plan, mask=lambda text: text.replace("hunter2", "***")))
    assert shown.endswith("@@ app.j2, for web01: the new text @@\n+port = 80\n+password = ***")
    # A filter may have changed a secret beyond what a mask finds.
    held = replace(
        plan, actions=tuple(replace(a, file=replace(file, secret=True)) if a.lines else a for a in plan.actions)
    )
    shown = text_of(diff_lines(held))
    assert shown.endswith("# app.j2, for web01 holds a secret, and is not shown") and "port = 80" not in shown
    for content, size, said in (
        (b"\xff\xfe", 2, "is not text"),
        (b"", 65 << 10, "is too large to be shown: 66,560 bytes"),
    ):
        other = replace(file, content=content, size=size)
        plan = replace(plan, actions=tuple(replace(a, file=other) if a.lines else a for a in plan.actions))
        assert text_of(diff_lines(plan)).endswith(f"# app.j2, for web01 {said}")


def test_progress_says_which_step_of_how_many_runs() -> None:
    texts = {"hv01": {f"s{n}": f"do {n}" for n in range(1, 70)}}
    for terminal in (False, True):
        console = Console(file=io.StringIO(), width=100, force_terminal=terminal, color_system=None)
        progress = Progress(console, texts)
        progress.begin("hv01", "applying")
        progress.event("hv01", Event("start", "s36"))
        if terminal:
            console.print(progress._table())
        assert isinstance(console.file, io.StringIO)
        assert "step 36 of 69: do 36" in console.file.getvalue()


def test_progress_of_many_hosts_is_counted_and_says_nothing_twice() -> None:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    progress = Progress(console, {"hv01": {"s1": "shut down web01"}})
    progress.expect(f"hv{n:02}" for n in range(1, 31))
    progress.begin("hv01", "applying")
    for percent in (0, 30, 60):
        progress.event("hv01", Event("progress", "s1", percent, "Stop-VM"))
    progress.end("hv01")
    progress.begin("hv02", "applying")
    console.print(progress._table())
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[:2] == ["hv01: step 1 of 1: shut down web01: Stop-VM", "1 of 30 hosts".ljust(len(lines[1]))]
    assert lines[2].startswith("hv02")


@pytest.mark.parametrize(
    ("id", "guard", "message", "said"),
    [
        ("RefNoMatch", None, "Get-VM: 0 of 3 objects match Id = 7; 1 to 1 expected",
         "what the step was to change is not there any more (Get-VM finds nothing with Id = 7)"),
        ("RefAmbiguous", None, "Get-VM: 2 of 3 objects match it; 1 to 1 expected",
         "what the step was to change is not the only one of its kind any more (Get-VM finds 2)"),
        ("GuardFailed", Guard(Call("Get-VM"), {"Name": "a"}), "Get-VM: 1 of 3 objects match Name = a; 0 to 0 expected",
         "there is something now that was not there when the plan was made (Get-VM finds 1 with Name = a)"),
        ("GuardFailed", Guard(Call("Get-VM"), {}, 1, 1), "Get-VM: 0 of 0 objects match it; 1 to 1 expected",
         "what the step was to change is not there any more (Get-VM finds nothing)"),
        ("GuardFailed", Guard(Call("Get-VM"), {}, 1, 1, 90), "in other words",
         "what the step waits for did not come within 1 min 30 s"),
        ("GuardFailed", Guard(Call("Get-VM"), {}, unmet="web01 has another disk now"), "in other words",
         "web01 has another disk now"),
        ("InvalidState,Microsoft", None, "it is off", "it is off"),
    ],
)  # fmt: skip
def test_what_the_runner_would_not_do_is_told_in_sentences(
    id: str, guard: Guard | None, message: str, said: str
) -> None:
    made = lab(allow=["restart"])
    steps = tuple(replace(s, task=replace(s.task, guard=guard)) for s in made.plan.steps)
    plan = replace(made.plan, steps=steps)

    class Changed(TwinTransport):
        def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
            return [Reply(failures=(Failure(id, message=message),)) for _ in batch.tasks]

    report = apply(plan, Changed(SimulatedHost.from_yaml(yaml.safe_load(HOST))), lambda event: None)
    shown = " ".join(text_of(report_lines(report, width=200)).split())
    assert said in shown
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    check = Check("apply", ("lab.yml",), moment, moment, (Outcome("hv01", plan, report),), 6)
    for text in (shown, html.rendered(check), markdown.rendered(check), junit.rendered(check)):
        assert "GuardFailed" not in text
        assert "RefNoMatch" not in text
        assert "RefAmbiguous" not in text
    assert data.check_data(check)["hosts"][0]["report"]["steps"][0]["error"]["id"] == id
