"""Exports as a user has them: now, lost on the way, waited for; and when they are due."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hvctl.call import Batch, Call, Event, HostInfo, Reply, Transport, TransportError
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.core.facts import Facts, read_batch
from hvctl.fleet.connect import Wire
from hvctl.fleet.reconcile import apply_plan, plan_host
from hvctl.kinds._host import CLOCK
from hvctl.kinds._window import Due, Window, due
from hvctl.show.progress import Progress
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished
from tests.transports import Around, Gone

VM = {
    "name": "web01",
    "id": "11111111-1111-1111-1111-111111111111",
    "generation": 2,
    "state": "Running",
    "adapters": [],
    "drives": [{"at": "scsi 0:0", "path": r"D:\os.vhdx"}],
}
STATE: dict[str, Any] = {
    "os": "2022",
    "volumes": {"C": {}, "D": {}, "E": {}},
    "vhds": {r"D:\os.vhdx": {"file_size": "20GB"}},
    "vms": [VM],
}
PLAY = r"""
- name: exports
  hosts: all
  vms:
    - name: web01
      exports: [{path: 'E:\exports', every: 24h, keep: 1}]
"""


class Lossy(Around):
    """Loses its connection when an export is at so many percent; the runner there ends, the host goes on. Answers
    again `back_s` seconds later."""

    def __init__(self, host: SimulatedHost, percent: int, back_s: float) -> None:
        self.twin = TwinTransport(host)
        super().__init__(self.twin)
        self.host, self.percent, self.back_s = host, percent, back_s

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda e: None) -> list[Reply]:
        def heard(event: Event) -> None:
            on_event(event)
            if event.percent is not None and event.percent >= self.percent:
                raise TransportError("the connection was lost", executed="unknown")

        try:
            return self.inner.run(batch, heard)
        except TransportError:
            self.percent = 101
            self.inner = self.twin = TwinTransport(self.host, disk=self.twin.twin.disk)
            self.host.clock.sleep(self.back_s)
            raise


@pytest.mark.parametrize(("back_s", "waits"), [(2.0, True), (600.0, False)])
def test_an_export_whose_connection_was_lost_is_waited_for_and_marked_not_made_again(
    back_s: float, waits: bool
) -> None:
    host = SimulatedHost.from_yaml(STATE)
    found, _ = wished(PLAY.partition("hosts: all\n")[2].replace("  vms", "- vms", 1))
    transport = Lossy(host, 40, back_s)
    plan = plan_host(found, transport, frozenset()).plan
    assert plan is not None
    report = apply_plan(plan, found, transport)
    assert not isinstance(report, list)
    texts = [(r.step.text.partition(" E:")[0], r.status) for r in report.results]
    waited = [("wait for the export of web01 that is running", "ok")] if waits else []
    assert texts[-1 - len(waited) :] == [*waited, ("mark", "ok")]
    assert report.failed  # the connection was lost: that is told
    assert report.after is not None
    assert report.after.in_sync
    assert [c.cmdlet for c in host.log].count("Export-VM") == 1
    assert sorted(p.rpartition("\\")[2] for p in host.state.contents if p.endswith("json")) == [
        "hvctl-export-done.json",
        "hvctl-export.json",
    ]


def test_the_look_after_a_lost_connection_takes_up_nothing_else() -> None:
    """What differs besides is left to the next run: nobody has seen a plan of it."""
    host = SimulatedHost.from_yaml(STATE)
    found, _ = wished(PLAY.partition("hosts: all\n")[2].replace("  vms", "- vms", 1) + "      notes: new\n")
    transport = Lossy(host, 40, 2.0)
    plan = plan_host(found, transport, frozenset()).plan
    assert plan is not None
    host.state.vms[0].notes = ""
    report = apply_plan(plan, found, transport)
    assert not isinstance(report, list)
    assert [r.status for r in report.results if r.step.text == "set web01"] == ["unknown"]
    assert [c.cmdlet for c in host.log].count("Set-VM") == 1


def test_nothing_of_a_vm_is_changed_when_the_checkpoint_before_it_fails() -> None:
    vm = {**VM, "checkpoint_type": "ProductionOnly", "guest": {"integration": False}}
    host = SimulatedHost.from_yaml({**STATE, "vms": [vm, {**VM, "name": "web02", "id": "", "drives": []}]})
    text = "- vms:\n  - {name: web01, notes: new, checkpoints: [{name: before}]}\n  - {name: web02, notes: new}\n"
    found, _ = wished(text)
    transport = TwinTransport(host)
    plan = plan_host(found, transport, frozenset()).plan
    assert plan is not None
    report = apply_plan(plan, found, transport)
    assert not isinstance(report, list)
    assert [(r.step.text, r.status) for r in report.results] == [
        ("make the checkpoint before of web01", "failed"),
        ("set web01", "skipped"),
        ("set web02", "ok"),
    ]
    assert [v.notes for v in host.state.vms] == ["", "new"]


# --- on the command line -----------------------------------------------------------------------------------------

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hosts() -> dict[str, SimulatedHost]:
    return {
        "hv01": SimulatedHost.from_yaml(STATE),
        "hv02": SimulatedHost.from_yaml({**STATE, "os": "2012r2", "vms": []}),
    }


@pytest.fixture
def hvctl(
    hosts: dict[str, SimulatedHost], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    login = {"ansible_user": "admin", "ansible_password": "not a real one"}
    inventory = {"all": {"vars": login, "hosts": {"hv01": {}, "hv02": {}, "hv03": {"hvctl_os": "2012r2"}}}}
    (tmp_path / "inventory.yml").write_text(json.dumps(inventory), encoding="utf-8")
    (tmp_path / "lab.yml").write_text(PLAY.replace("hosts: all", "hosts: hv01"), encoding="utf-8")

    def connect(connection: Connection, wire: Wire) -> Transport:
        return TwinTransport(hosts[connection.name]) if connection.name in hosts else Gone()

    def run(*words: str) -> tuple[int, str, str]:
        status = main(list(words), connect)
        out, err = capsys.readouterr()
        return status, " ".join(out.split()), " ".join(err.split())

    return run


def test_export_makes_one_now_where_the_vm_is(hvctl: Run, hosts: dict[str, SimulatedHost]) -> None:
    status, out, err = hvctl("export", "WEB01", "--to", r"E:\x", "-y")
    assert status == 0
    assert "none yet → an export now" in out
    assert "command line:" not in out
    assert "4 of 4 steps done seen in sync" in out
    assert "not asked, since unreachable: hv03" in err
    assert "hv02" not in out
    assert hvctl("export", "web01", "--to", r"E:\x", "-y")[0] == 0  # another: none is deleted, none is joined
    assert [c.cmdlet for c in hosts["hv01"].log].count("Export-VM") == 2
    assert hosts["hv02"].state.vms == []


def test_export_takes_where_and_how_many_from_a_playbook(hvctl: Run, hosts: dict[str, SimulatedHost]) -> None:
    assert hvctl("export", "web01", "lab.yml", "-y")[0] == 0
    status, out, _ = hvctl("export", "web01", "lab.yml", "--check")
    assert status == 0
    assert "keep.20260401T0000Z_web01 2 min old, 20 GB → removed" in out
    assert [c.cmdlet for c in hosts["hv01"].log].count("Export-VM") == 1
    assert hvctl("export", "web01", "lab.yml", "--to", r"D:\x", "--capture", "saved_state", "-y")[0] == 0
    assert any(p.startswith("D:\\x\\") for p in hosts["hv01"].state.contents)
    assert hvctl("plan", "lab.yml", "--detailed-exitcode")[0] == 0


def test_export_is_reported_and_remembered_as_an_apply_is(hvctl: Run, tmp_path: Path) -> None:
    def remembered() -> list[tuple[str, str | None]]:
        told = json.loads(hvctl("history", "--json")[1])
        return [(d["field"], d["ending"]) for h in told["hosts"] for d in h["differences"]]

    assert hvctl("drift", "lab.yml")[0] == 2
    assert remembered() == [("every", None)]
    status, out, _ = hvctl("export", "web01", "--to", r"D:\x", "--json", "-y")
    told = json.loads(out)
    assert (status, told["verb"], told["hosts"][0]["state"]) == (0, "apply", "applied")
    assert remembered() == [("every", None)]  # no playbook wishes that one
    assert hvctl("export", "web01", "lab.yml", "--report", "markdown=x.md,junit=x.xml", "-y")[0] == 0
    assert "none yet → an export now" in (tmp_path / "x.md").read_text("utf-8")
    assert remembered() == [("every", "as wished")]
    assert json.loads(hvctl("export", "web01", "lab.yml", "--check", "--json")[1])["verb"] == "plan"
    status, _, err = hvctl("export", "web01", "lab.yml", "--json")
    assert (status, "leaves nothing to approve" in err) == (1, True)


def test_a_saved_plan_of_an_export_holds_though_time_passes(hvctl: Run, hosts: dict[str, SimulatedHost]) -> None:
    assert hvctl("plan", "lab.yml", "--out", "plan.json")[0] == 0
    hosts["hv01"].clock.sleep(3600)
    hosts["hv01"].state.volumes["E"].free -= 2**20
    hosts["hv01"].state.vhds[0].file_size = 21 * 2**30
    status, out, _ = hvctl("apply", "plan.json", "-y")
    assert "seen in sync" in out
    assert status == 0


def test_facts_tell_what_lies_in_the_folders_that_a_playbook_names(hvctl: Run) -> None:
    assert hvctl("export", "web01", "lab.yml", "-y")[0] == 0
    assert "_web01" not in hvctl("facts", "hv01")[1]
    assert (
        r"E:\exports\20260401T0000Z_web01\hvctl-export-done.json" in hvctl("facts", "hv01", "--playbook", "lab.yml")[1]
    )


def test_an_export_that_waits_for_its_window_is_no_fault_of_the_plan(hvctl: Run, tmp_path: Path) -> None:
    text = (tmp_path / "lab.yml").read_text("utf-8").replace("keep: 1", "window: '01:00-05:00'")
    (tmp_path / "night.yml").write_text(text, "utf-8")
    status, out, _ = hvctl("plan", "night.yml", "--report", "junit=x.xml,html=x.html")
    assert (status, "impossible" in out) == (0, False)
    assert "every none yet → a new one from 01:00 on later night.yml:6:45" in out
    assert "1 host: 1 in sync. Plan: 1 later." in out
    assert "<skipped" in (tmp_path / "x.xml").read_text("utf-8")
    assert hvctl("plan", "night.yml", "--detailed-exitcode")[0] == 0
    assert hvctl("apply", "night.yml", "-y")[0] == 0


def test_what_waits_for_its_time_is_no_drift_and_has_a_mark_of_its_own(hvctl: Run, tmp_path: Path) -> None:
    text = (tmp_path / "lab.yml").read_text("utf-8").replace("keep: 1", "window: '01:00-05:00'")
    (tmp_path / "night.yml").write_text(text.replace("- name: web01", "- name: web01\n      notes: new"), "utf-8")
    reports = "junit=x.xml,html=x.html,markdown=x.md,json=x.json"
    status, out, _ = hvctl("drift", "night.yml", "--report", reports, "--metrics", "x.prom")
    assert (status, "1 host: 1 drifted. 1 difference." in out) == (2, True)
    assert "· export web01" in out
    written = {name: (tmp_path / f"x.{name}").read_text("utf-8") for name in ("xml", "html", "md", "json", "prom")}
    assert '<skipped message="later: every: none yet' in written["xml"]
    assert 'failures="1"' in written["xml"]
    assert 'class="badge later"' in written["html"]
    assert "| 1 field differs, 1 later |" in written["md"]
    (host,) = json.loads(written["json"])["hosts"]
    found = {a["kind"]: (a["action"], [c["status"] for c in a["changes"]]) for a in host["plan"]["actions"]}
    assert found == {"vm": ("update", ["change"]), "export": ("later", ["later"])}
    assert 'hvctl_drifted_fields{host="hv01",kind="export"} 0.0' in written["prom"]
    assert 'hvctl_waiting_fields{host="hv01",kind="export"} 1.0' in written["prom"]
    assert '"field": "every"' not in hvctl("history", "--json")[1]


def test_the_export_of_a_vm_that_is_yet_to_be_made_is_not_called_impossible(hvctl: Run, tmp_path: Path) -> None:
    text = (tmp_path / "lab.yml").read_text("utf-8").replace("name: web01", "name: web09")
    (tmp_path / "new.yml").write_text(text.replace("exports:", "generation: 2\n      exports:"), "utf-8")
    status, out, _ = hvctl("drift", "new.yml", "--report", "junit=x.xml,json=x.json")
    assert (status, "1 difference." in out) == (2, True)
    assert "web09 is not there yet" in out
    assert "impossible" not in out
    assert "<skipped" in (tmp_path / "x.xml").read_text("utf-8")
    assert "1 to create, 1 later" in hvctl("plan", "new.yml")[1]
    status, out, _ = hvctl("apply", "new.yml", "-y")
    assert (status, "none yet → at most 1 d old" in out) == (2, True)  # it is due now
    assert hvctl("apply", "new.yml", "-y")[0] == 0


NIGHTS = r"""
- name: nightly exports
  hosts: hv01
  vms:
    - name: web01
      exports: [{path: 'E:\exports', every: 23h, keep: 2, window: '01:00-05:00'}]
"""


def test_a_nightly_export_alarms_nobody_unless_a_night_was_missed(
    hvctl: Run, hosts: dict[str, SimulatedHost], tmp_path: Path
) -> None:
    """Checks around the window and by day over four days, an apply at 01:30 but for the third night."""
    (tmp_path / "nights.yml").write_text(NIGHTS, "utf-8")
    clock, begun = hosts["hv01"].clock, hosts["hv01"].clock.now()
    alarms: list[float] = []
    for night in range(4):
        for hour in (0.5, 0.75, 1, 1.5, 2, 4.75, 5, 13, 23):
            clock.sleep((24 * night + hour) * 3600 - (clock.now() - begun))
            status, out, _ = hvctl("drift", "nights.yml")
            if status:
                assert status == 2
                assert "at most 23 h old" in out or "the last window ended without the export that was due" in out
                alarms.append(24 * night + hour)
            if hour == 1.5 and night != 2:
                assert hvctl("plan", "nights.yml", "--detailed-exitcode")[0] == 2
                assert hvctl("apply", "nights.yml", "-y")[0] == 0
    missed = [48 + hour for hour in (5, 13, 23)]
    assert alarms == [*missed, *(72 + hour for hour in (0.5, 0.75, 1, 1.5))]  # until the next export
    assert [c.cmdlet for c in hosts["hv01"].log].count("Export-VM") == 3


def test_an_export_that_runs_is_not_late(hvctl: Run, hosts: dict[str, SimulatedHost], tmp_path: Path) -> None:
    (tmp_path / "nights.yml").write_text(NIGHTS, "utf-8")
    host = hosts["hv01"]
    host.clock.sleep(2 * 3600)
    folder = r"E:\exports\20260401T0200Z_web01"
    host.invoke("New-Item", {"Path": folder, "ItemType": "Directory"})
    marker = json.dumps({"hvctl_export": 1, "vm": "web01", "vm_id": VM["id"]})
    host.invoke("Set-Content", {"LiteralPath": f"{folder}\\hvctl-export.json", "Value": marker})
    host.state.vhds[0].file_size = 20 * 2**40  # 29 hours
    host.state.volumes["E"].free = 2**50
    host.invoke("Export-VM", {"Name": "web01", "Path": folder, "AsJob": True})
    seen = []
    for _ in range(7):
        seen.append(hvctl("drift", "nights.yml")[0])
        host.clock.sleep(4 * 3600)
    assert seen == [0, 0, 0, 0, 0, 0, 2]


def test_a_plan_is_saved_of_the_hosts_that_were_looked_at(hvctl: Run, tmp_path: Path) -> None:
    text = (tmp_path / "lab.yml").read_text("utf-8").replace("hosts: hv01", "hosts: hv01,hv03")
    (tmp_path / "both.yml").write_text(text, "utf-8")
    assert "No plan saved: no host could" in hvctl("plan", "both.yml", "--limit", "hv03", "--out", "p.json")[2]
    assert not (tmp_path / "p.json").exists()
    assert "Plan saved, without hv03: hvctl apply p.json" in hvctl("plan", "both.yml", "--out", "p.json")[2]


def test_export_says_what_it_needs(hvctl: Run, hosts: dict[str, SimulatedHost]) -> None:
    assert hvctl("export", "web01")[::2] == (
        1,
        r"where web01 is to be exported is not said; say --to 'E:\exports', or name a playbook that has exports of it",
    )
    assert "lab.yml has no exports of web02" in hvctl("export", "web02", "lab.yml")[2]
    status, _, err = hvctl("export", "web01", "--to", "x", "--capture", "y")
    assert status == 1
    assert "path: 'x' is not an absolute Windows path" in err
    assert "capture: 'y' is none of crash_consistent, saved_state, data_consistent" in err
    assert (
        "has no choice of what is captured" in hvctl("export", "web01", "--to", r"E:\x", "--capture", "saved_state")[2]
    )
    status, out, _ = hvctl("export", "web09", "--to", r"E:\x", "--limit", "hv01", "-y")
    assert status == 2
    assert "there is no VM web09 on this host" in out
    assert "there is no VM web09 to export" in out
    assert "later" not in out and "is due" not in out
    assert all(c.cmdlet.startswith(("Get-", "Test-")) for c in hosts["hv01"].log)
    status, _, err = hvctl("export", "web01", "--to", r"E:\x")
    assert status == 2
    assert "There is nobody to ask" in err
    hosts["hv02"].state.vms.append(hosts["hv01"].state.vms[0])
    status, _, err = hvctl("export", "web01", "--to", r"E:\x")
    assert status == 1
    assert "web01 is on hv01 and hv02; say which with --limit" in err


# --- when ----------------------------------------------------------------------------------------------------------


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-04-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("newest", "every", "window", "now", "expected"),
    [
        (None, None, None, "10T12:00", Due(now=True, late=True)),
        ("01T12:00", None, None, "10T12:00", Due()),
        ("10T11:00", 2, None, "10T12:00", Due()),
        ("10T09:00", 2, None, "10T12:00", Due(now=True, late=True)),
        ("09T02:00", 24, "01:00-05:00", "10T00:59", Due()),
        ("09T02:00", 24, "01:00-05:00", "10T01:00", Due(now=True)),  # it would be 47 hours old tomorrow
        ("10T01:05", 24, "01:00-05:00", "10T04:59", Due()),
        ("08T02:00", 24, "01:00-05:00", "10T05:00", Due(opens=at("11T01:00"), late=True)),
        ("08T02:00", 24, "01:00-05:00", "11T01:00", Due(now=True, late=True)),
        ("09T01:30", 23, "01:00-05:00", "10T00:31", Due(opens=at("10T01:00"))),  # 23 hours old, and the window to come
        ("09T01:30", 23, "01:00-05:00", "10T04:59", Due(now=True)),
        ("09T01:30", 23, "01:00-05:00", "10T05:00", Due(opens=at("11T01:00"), late=True)),
        ("09T06:00", 23, "01:00-05:00", "10T05:01", Due(opens=at("11T01:00"))),  # it had got too old after the window
        ("01T01:30", 7 * 24, "01:00-05:00", "08T04:59", Due(now=True)),
        ("08T02:00", 24, "22:00-02:00", "10T01:59", Due(now=True)),
        ("08T02:00", 24, "22:00-02:00", "10T02:00", Due(opens=at("10T22:00"), late=True)),
        ("09T22:10", 1, "22:00-02:00", "09T23:00", Due()),
        ("09T22:10", 1, "22:00-02:00", "09T23:11", Due(now=True)),
        (None, 24, "18:00-24:00", "10T23:59", Due(now=True)),
        (None, 24, "18:00-24:00", "10T00:00", Due(opens=at("10T18:00"))),
    ],
)
def test_when_one_is_due(newest: str | None, every: int | None, window: str | None, now: str, expected: Due) -> None:
    allowed = timedelta(hours=every) if every else None
    assert due(at(newest) if newest else None, allowed, Window.parse(window) if window else None, at(now)) == expected


# --- beside it -------------------------------------------------------------------------------------------------------


def test_reading_exports_asks_no_more_of_many_vms_than_of_one() -> None:
    def tasks(count: int) -> int:
        vms = [
            {"name": f"vm{n}", "checkpoint_maximum_age": "7d", "exports": [{"path": r"E:\exports"}]}
            for n in range(count)
        ]
        found, _ = wished(json.dumps([{"vms": vms}]))
        return len(read_batch(q for w in found for q in w.queries()).tasks)

    assert tasks(20) == tasks(1) == 16


def test_facts_are_put_back_to_the_time_of_the_first_plan_and_in_nothing_else() -> None:
    info = HostInfo("h", 20348, "", "5.1", "FullLanguage")
    free = Call("Get-Volume", select=("DriveLetter", "SizeRemaining"))
    replies = {CLOCK: Reply(({"LocalDateTime": "2026-04-02T00:00:00Z", "CurrentTimeZone": 540},)),
               free: Reply(({"DriveLetter": "E", "SizeRemaining": 2},))}  # fmt: skip
    facts = Facts("2022", info, replies)
    then = facts.at("2026-04-01T00:00:00Z")
    assert (facts.time, then.time) == ("2026-04-02T00:00:00Z", "2026-04-01T00:00:00Z")
    assert then.rows(CLOCK)[0]["CurrentTimeZone"] == 540
    assert then.rows(free) == facts.rows(free)
    assert facts.at(None) is facts


def test_a_job_shows_a_bar_and_the_time_left() -> None:
    times = iter((0.0, 0.0, 60.0, 120.0, 3600.0))
    out = io.StringIO()
    progress = Progress(
        Console(file=out, width=200), {"hv01": {"s1": "export web01", "s2": "mark it"}}, clock=lambda: next(times)
    )
    progress.begin("hv01", "applying")
    for percent in (0, 25, 50, 75):
        progress.event("hv01", Event("progress", "s1", percent))
    assert out.getvalue().splitlines() == [
        "hv01: step 1 of 2: export web01: 0 %",
        "hv01: step 1 of 2: export web01: 25 %, 3 min left",
        "hv01: step 1 of 2: export web01: 50 %, 2 min left",
        "hv01: step 1 of 2: export web01: 75 %, 20 min left",
    ]
