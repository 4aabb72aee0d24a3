"""`accept:` of a resource or of its fields: known drift, until its day is over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.cli.checked import checked
from hvctl.cli.options import Settings
from hvctl.cli.prepared import Asked
from hvctl.cli.remembered import remembering
from hvctl.config.inventory import Connection
from hvctl.core.check import Check, News
from hvctl.fleet.connect import Wire
from hvctl.history.opening import opened
from hvctl.history.place import place
from hvctl.show.digest import digest
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

INVENTORY = "all:\n  vars: {ansible_user: admin, ansible_password: x}\n  hosts: {hv01: {hvctl_os: 2022}}\n"
VM = {"name": "web01", "generation": 2, "state": "Running", "drives": [], "adapters": []}
PLAYBOOK = """
- hosts: all
  vms:
    - name: web01
      notes: kept
      processor: {weight: 200, maximum: 90, accept: {until: 2026-03-05, reason: waits for the new cluster, fields: [weight]}}
"""


class Lab:
    """A host, a folder and the time, which the tests hold."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.host = SimulatedHost.from_yaml({"os": "2022", "name": "hv01", "vms": [VM]})
        self.folder, self._capsys = folder, capsys
        (folder / "inventory.yml").write_text(INVENTORY, encoding="utf-8")

    def run(self, *words: str, playbook: str = "", status: int | None = None, days: int = 0) -> str:
        if playbook:
            (self.folder / "lab.yml").write_text(playbook, encoding="utf-8")
        self.now += timedelta(days=days)
        found = main(list(words), self.connect, lambda: self.now)
        out, self.err = self._capsys.readouterr()
        assert status is None or found == status, out + self.err
        return out

    def connect(self, connection: Connection, wire: Wire) -> Transport:
        return TwinTransport(self.host)

    def processor(self) -> dict[str, Any]:
        return dict(self.host.invoke("Get-VMProcessor", {"VMName": "web01"}).objects[0].properties)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_HISTORY", "history.db")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    return Lab(tmp_path, capsys)


def changes(data: Any) -> dict[str, Any]:
    actions = data["hosts"][0]["plan"]["actions"]
    return {f"{a['kind']}.{c['field']}": c for a in actions for c in a["changes"]}


# --- what is accepted is left alone --------------------------------------------------------------------------------


def test_an_accepted_field_is_told_apart_and_not_touched(lab: Lab) -> None:
    out = lab.run("plan", "lab.yml", playbook=PLAYBOOK)
    assert re.search(r"weight +100 → 200 +accepted +lab.yml", out)
    assert "→ accepted until 2026-03-05: waits for the new cluster" in out
    assert "2 to change, 1 accepted" in out
    calls = [s["call"] for s in json.loads(lab.run("plan", "lab.yml", "--json"))["hosts"][0]["plan"]["steps"]]
    assert len(calls) == 2 and not any("RelativeWeight" in call for call in calls)
    lab.run("apply", "lab.yml", "-y", "--allow", "restart", status=0)
    assert (lab.processor()["RelativeWeight"], lab.processor()["Maximum"]) == (100, 90)


def test_only_accepted_drift_is_no_drift_until_its_day_is_over(lab: Lab) -> None:
    lab.run("apply", "lab.yml", "-y", playbook=PLAYBOOK, status=0)
    out = lab.run("drift", "lab.yml", status=0)
    assert "1 host: 1 accepted." in out
    lab.run("drift", "lab.yml", days=4, status=0)  # its last day
    out = lab.run("drift", "lab.yml", days=1, status=2)
    assert re.search(r"weight +100 → 200 +online", out)
    assert "→ was accepted until 2026-03-05: waits for the new cluster; that is over" in out
    lab.run("apply", "lab.yml", "-y", status=0)
    assert lab.processor()["RelativeWeight"] == 200


def test_what_is_accepted_and_does_not_differ_is_in_sync(lab: Lab) -> None:
    lab.run("apply", "lab.yml", "-y", playbook=re.sub(", accept.*", "}", PLAYBOOK), status=0)
    assert "1 host: 1 in sync." in lab.run("drift", "lab.yml", playbook=PLAYBOOK, status=0)


def test_an_accepted_vm_covers_what_sits_within_it(lab: Lab) -> None:
    accept = "accept: {until: 2026-12-31, reason: the owner is away}"
    playbook = f"""
- hosts: all
  vms:
    - name: web01
      notes: kept
      exclusive: [network_adapters]
      {accept}
      processor: {{weight: 200}}
      network_adapters: [{{name: lan}}]
    - {{name: other, generation: 2, memory: {{startup: 1GB}}, {accept}}}
"""
    data = json.loads(lab.run("drift", "lab.yml", "--json", playbook=playbook, status=0))
    assert data["hosts"][0]["state"] == "accepted" and not data["hosts"][0]["plan"]["steps"]
    assert {c["status"] for c in changes(data).values()} == {"accepted"}
    out = lab.run("drift", "lab.yml", "--all", status=0)
    assert "≈ vm other" in out and "memory other" not in out  # its owner says it


def test_an_accepted_removal_is_not_done(lab: Lab) -> None:
    playbook = """
- hosts: all
  vms:
    - {name: web01, ensure: absent, accept: {until: 2026-12-31, reason: still in use, fields: [ensure]}}
"""
    lab.run("apply", "lab.yml", "-y", "--allow", "destroy", playbook=playbook, status=0)
    assert lab.host.invoke("Get-VM", {"Name": "web01"}).objects


def test_what_a_list_has_too_much_can_be_accepted(lab: Lab) -> None:
    lab.host.invoke("Add-VMNetworkAdapter", {"VMName": "web01", "Name": "old"})
    playbook = """
- hosts: all
  vms:
    - name: web01
      exclusive: [network_adapters]
      accept: {until: 2026-12-31, reason: goes with the next outage, fields: [exclusive]}
      processor: {weight: 200}
      network_adapters: []
"""
    data = json.loads(lab.run("drift", "lab.yml", "--json", playbook=playbook, status=2))
    found = changes(data)
    assert found["network_adapter."]["status"] == "accepted" and found["processor.weight"]["status"] == "change"


def test_what_needs_something_that_is_accepted_as_missing_waits_and_drifts(lab: Lab) -> None:
    playbook = """
- hosts: all
  switches:
    - {name: lan, type: private, accept: {until: 2026-12-31, reason: waits for the cabling}}
  vms:
    - name: web01
      network_adapters: [{name: lan, switch: lan}]
"""
    out = lab.run("drift", "lab.yml", playbook=playbook, status=2)
    assert re.search(r"waits for switch lan", out)
    assert not lab.host.invoke("Get-VMNetworkAdapter", {"VMName": "web01"}).objects


def test_what_cannot_be_read_is_never_accepted(lab: Lab) -> None:
    lab.host.invoke("Set-VM", {"Name": "web01", "Notes": "x"})
    playbook = "- hosts: all\n  vms:\n    - {name: web01, notes: y, accept: {until: 2026-12-31, reason: known}}\n"

    class Mute(TwinTransport):
        def run(self, batch: Any, on_event: Callable[[Any], None] = lambda e: None) -> Any:
            from hvctl.call import Failure, Reply  # noqa: PLC0415

            failed = Reply(failures=(Failure("Busy", message="it does not answer"),))
            return [
                failed if t.call.cmdlet == "Get-VM" else r
                for t, r in zip(batch.tasks, super().run(batch, on_event), strict=True)
            ]

    lab.connect = lambda connection, wire: Mute(lab.host)  # type: ignore[method-assign]
    lab.run("drift", "lab.yml", playbook=playbook, status=4)


# --- saved plans ---------------------------------------------------------------------------------------------------


def test_a_saved_plan_keeps_what_is_accepted_and_is_refused_when_that_is_over(lab: Lab) -> None:
    lab.run("plan", "lab.yml", "--out", "lab.plan", playbook=PLAYBOOK)
    lab.run("apply", "lab.plan", "-y", status=0)
    assert lab.processor()["RelativeWeight"] == 100
    lab.host.invoke("Set-VM", {"Name": "web01", "Notes": "otherwise"})
    lab.run("plan", "lab.yml", "--out", "later.plan")
    lab.run("apply", "later.plan", "-y", days=10, status=2)
    assert lab.processor()["RelativeWeight"] == 100


# --- reports -------------------------------------------------------------------------------------------------------


def test_every_report_says_what_is_accepted(lab: Lab) -> None:
    lab.run("apply", "lab.yml", "-y", playbook=PLAYBOOK, status=0)
    lab.run("drift", "lab.yml", "--metrics", "m.prom", "--report",
            "html=r.html,junit=r.xml,json=r.json,markdown=r.md", status=0)  # fmt: skip
    told = "accepted until 2026-03-05: waits for the new cluster"
    html, text = (Path(f).read_text(encoding="utf-8") for f in ("r.html", "r.md"))
    assert told in html and '<li class="accepted"><strong>1</strong> accepted</li>' in html
    assert "Nothing differs but what is accepted." in html
    assert told in text and "| hv01 | accepted" in text
    suites = ElementTree.parse("r.xml").getroot()
    assert (suites.attrib["failures"], suites.attrib["errors"]) == ("0", "0")
    (case,) = (c for c in suites.iter("testcase") if c.find("skipped") is not None)
    skipped = case.find("skipped")
    assert skipped is not None and told in skipped.attrib["message"]
    change = changes(json.loads(Path("r.json").read_text(encoding="utf-8")))["processor.weight"]
    assert change["status"] == "accepted"
    assert change["accepted"] | {"mark": ""} == {
        "until": "2026-03-05",
        "reason": "waits for the new cluster",
        "mark": "",
    }
    metrics = Path("m.prom").read_text(encoding="utf-8")
    assert 'hvctl_hosts{state="accepted"} 1.0' in metrics
    assert 'hvctl_accepted_fields{host="hv01",kind="processor"} 1.0' in metrics
    assert 'hvctl_drifted_fields{host="hv01",kind="processor"} 0.0' in metrics


def test_the_history_tells_it_apart_and_what_is_back_is_news(lab: Lab) -> None:
    lab.run("apply", "lab.yml", "-y", playbook=PLAYBOOK, status=0)
    data = json.loads(lab.run("drift", "lab.yml", "--json", days=1))
    assert data["news"]["appeared"] == []
    out = lab.run("history", days=1)
    assert re.search(r"accepted until 2026-03-05", out) and "waits for the new cluster" in out
    (span,) = json.loads(lab.run("history", "--json"))["hosts"][0]["differences"]
    assert span["accepted_until"] == "2026-03-05" and span["accepted_why"] == "waits for the new cluster"
    data = json.loads(lab.run("drift", "lab.yml", "--json", days=5, status=2))
    assert [s["field"] for s in data["news"]["appeared"]] == ["weight"]
    assert changes(data)["processor.weight"]["since"] == "2026-03-01T12:00:00Z"
    (span,) = json.loads(lab.run("history", "--json"))["hosts"][0]["differences"]
    assert span["accepted_until"] is None and span["gone"] is None


# --- what is refused -----------------------------------------------------------------------------------------------

WRONG = {  # column from the beginning of the value
    "{until: 2026-02-30, reason: x}": (9, "until: '2026-02-30' is not a date; write a day as 2027-01-31"),
    "{until: '31.1.2027', reason: x}": (9, "until: '31.1.2027' is not a date"),
    "{until: 2027-01-31 10:00:00, reason: x}": (9, "is not a date"),
    "{until: 20270131, reason: x}": (9, "until: '20270131' is not a date"),
    "{until: 2027-01-31}": (1, "accept needs 'reason'"),
    "{reason: x}": (1, "accept needs 'until'"),
    "{until: 2027-01-31, reason: ''}": (29, "reason is a text"),
    "{until: 2027-01-31, reason: x, field: [weight]}": (32, "unknown key 'field' in accept; did you mean 'fields'?"),
    "{until: 2027-01-31, reason: x, fields: [wieght]}": (41, "'wieght' is not a field of processor; did you mean 'weight'"),
    "{until: 2027-01-31, reason: x, fields: [reserve]}": (41, "reserve is not written here, so it is not compared"),
    "{until: 2027-01-31, reason: x, fields: []}": (40, "fields is a list of fields"),
    "until the summer": (1, "accept is a mapping"),
    "null": (1, "accept is a mapping"),
}  # fmt: skip


@pytest.mark.parametrize("given", WRONG)
def test_what_is_wrong_is_refused_at_its_place(lab: Lab, given: str) -> None:
    playbook = f"- hosts: all\n  vms:\n    - name: web01\n      processor: {{weight: 200, accept: {given}}}\n"
    column, message = WRONG[given]
    lab.run("validate", "lab.yml", playbook=playbook, status=1)
    column += len("      processor: {weight: 200, accept: ")
    assert f"lab.yml:4:{column}: " in lab.err and message in lab.err, lab.err


def test_a_section_is_accepted_within_itself(lab: Lab) -> None:
    accept = "accept: {until: 2027-01-31, reason: x, fields: [processor.weight]}"
    lab.run("validate", "lab.yml", playbook=PLAYBOOK.replace("notes: kept", f"notes: kept\n      {accept}"), status=1)
    assert "write accept within processor, which is a resource of its own" in lab.err


def test_dates_may_come_from_variables_and_several_reasons_may_stand_in_a_list(lab: Lab) -> None:
    playbook = """
- hosts: all
  vars: {freeze: 2026-03-05}
  vms:
    - name: web01
      notes: kept
      accept:
        - {until: '{{ freeze }}', reason: 'frozen until {{ freeze }}', fields: [notes]}
      processor: {weight: 200}
"""
    found = changes(json.loads(lab.run("drift", "lab.yml", "--json", playbook=playbook, status=2)))
    assert found["vm.notes"]["accepted"]["reason"] == "frozen until 2026-03-05"
    assert found["processor.weight"]["status"] == "change"


def test_validate_warns_of_what_is_over(lab: Lab) -> None:
    lab.run("validate", "lab.yml", playbook=PLAYBOOK, status=0)
    assert "accept:" not in lab.err
    lab.run("validate", "lab.yml", days=10, status=0)
    assert "lab.yml:6:53: warning: accept: its day 2026-03-05 is over; remove it, or set a later day" in lab.err


def test_a_misspelt_accept_is_named(lab: Lab) -> None:
    lab.run("validate", "lab.yml", playbook=PLAYBOOK.replace("accept:", "acept:"), status=1)
    assert "did you mean 'accept'?" in lab.err


def test_it_is_a_state_of_its_own_and_counts_nowhere_as_a_difference(lab: Lab) -> None:
    """In what the dashboard asks."""
    from hvctl.dashboard import queries  # noqa: PLC0415

    lab.run("apply", "lab.yml", "-y", playbook=PLAYBOOK, status=0)
    lab.run("drift", "lab.yml", status=0)
    with opened(place("history.db")).connect() as connection:
        counts = queries.counts(connection, queries.Fleet(lab.now - timedelta(days=1)))
        assert (counts.states, counts.drifts) == ({"accepted": 1}, 0)
        assert queries.drift_rows(connection, queries.Asked()).total == 0
        assert [row.differing for row in queries.check_rows(connection).rows] == [0, 0]
        (known,) = queries.drift_rows(connection, queries.Asked(accepted=True)).rows
        assert (known.accepted_until, known.accepted_why) == ("2026-03-05", "waits for the new cluster")
        last = queries.check_rows(connection).rows[0]
        (look,) = queries.look_rows(connection, last, queries.Asked())[0].rows
        assert (look.state, look.differing, look.accepted) == ("accepted", 0, 1)


def test_a_diff_says_it_and_a_notification_counts_what_is_open_from_before(lab: Lab) -> None:
    out = lab.run("plan", "lab.yml", "--diff", playbook=PLAYBOOK)
    assert "+weight: 200   # accepted\n# accepted until 2026-03-05: waits for the new cluster\n" in out
    checks: list[Check] = []
    for number in range(2):
        settings = replace(
            remembering(Settings(lab.connect, lambda: lab.now), "history.db"), inventory=("inventory.yml",)
        )
        lab.now += timedelta(days=3 * number)
        checks.append(checked(settings, Asked.of(["lab.yml"], None, (), ()), quiet=True))
    assert "Open from before" not in digest(checks[0], checks[0].memory.news).body
    assert "Open from before: 2 fields on 1 host, the oldest for 3 d.\n" in digest(checks[1], News()).body


@pytest.mark.parametrize(
    "section",
    [
        "host: {virtual_machine_path: 'D:\\VMs', %s}",
        "switches: [{name: lan, type: private, %s}]",
        "host_files: [{host_source: 'C:\\a.txt', destination: 'C:\\b.txt', %s}]",
        "vms: [{name: web01, guest_files: [{source: files, destination: 'C:\\app', %s}]}]",
        "vms: [{name: web01, exports: [{path: 'E:\\exports', %s}]}]",
        "vms: [{name: web01, checkpoints: [{name: before, %s}]}]",
        "vms: [{name: web01, dvds: [{at: scsi 0:1, %s}]}]",
    ],
)
def test_every_resource_takes_it(lab: Lab, section: str) -> None:
    (lab.folder / "files").mkdir()
    for name in "ab":
        (lab.folder / "files" / name).write_text(name, encoding="utf-8")
    accept = "accept: {until: 2027-01-31, reason: known}"
    data = json.loads(lab.run("drift", "lab.yml", "--json", playbook="- hosts: all\n  " + section % accept + "\n"))
    actions = data["hosts"][0]["plan"]["actions"]
    assert "change" not in {c["status"] for a in actions for c in a["changes"]}
    assert not data["hosts"][0]["plan"]["steps"]
    assert data["hosts"][0]["state"] in ("accepted", "unreadable")


def test_what_was_made_by_hand_is_accepted_by_its_name(lab: Lab) -> None:
    playbook = """
- hosts: all
  exclusive: [vms]
  vms:
    - {name: web01, ensure: absent, accept: {until: 2026-03-05, reason: the tests of Mori}}
"""
    lab.run("drift", "lab.yml", playbook=playbook, status=0)
    lab.run("apply", "lab.yml", "-y", "--allow", "destroy", status=0)
    assert lab.host.invoke("Get-VM", {"Name": "web01"}).objects
    lab.run("drift", "lab.yml", days=9, status=2)
