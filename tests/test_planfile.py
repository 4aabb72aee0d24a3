"""Saved plans: trusted as a playbook is and no further, and refused only for what they are about."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Batch, Event, Reply, Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.core.planner import make_plan
from hvctl.core.replan import replanned
from hvctl.fleet.connect import Wire
from hvctl.fleet.reconcile import look
from hvctl.saved.planfile import load, save
from hvctl.saved.planfile.format import FORMAT
from hvctl.text.diagnostic import ConfigError
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import Case, all_cases, wished

INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: secret-of-tests}
  hosts: {hv01: {}, hv02: {}}
"""
PLAYBOOK = r"""
- hosts: hv01
  vms:
    - name: web01
      processor: {count: 4, weight: 200}
      disks: [{at: 'scsi 0:0', path: 'D:\VMs\web01\os.vhdx', size: 60GB}]
      network_adapters: [{name: lan, switch: lan}]
"""
STATE = {
    "os": "2022",
    "name": "hv01",
    "switches": [{"name": "lan", "type": "private"}],
    "volumes": {"C": {}, "D": {}, "E": {}},
    "vhds": {r"D:\VMs\web01\os.vhdx": {"size": "60GB", "file_size": "4MB"}},
    "vms": [
        {
            "name": "web01",
            "generation": 2,
            "state": "Running",
            "processor": {"count": 4},
            "drives": [{"at": "scsi 0:0", "path": r"D:\VMs\web01\os.vhdx"}],
            "adapters": [{"name": "lan", "switch": "lan"}],
        },
        {
            "name": "new01",
            "generation": 2,
            "state": "Off",
            "drives": [],
            "adapters": [{"name": "lan", "switch": "lan"}],
        },
        {"name": "old01", "generation": 2, "state": "Off", "drives": [], "adapters": []},
    ],
}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def host() -> SimulatedHost:
    return SimulatedHost.from_yaml(STATE)


@pytest.fixture
def hvctl(
    host: SimulatedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "140")
    Path("inventory.yml").write_text(INVENTORY, "utf-8")
    Path("lab.yml").write_text(PLAYBOOK, "utf-8")

    def connect(connection: Connection, wire: Wire) -> Transport:
        assert connection.name == "hv01"
        return TwinTransport(host)

    def run(*words: str) -> tuple[int, str, str]:
        status = main(list(words), connect)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return status, out, err

    yield run


def changes(host: SimulatedHost) -> list[str]:
    return [c.cmdlet for c in host.log if not c.cmdlet.startswith(("Get-", "Test-"))]


def edited(change: Callable[[Any], object], file: str = "lab.plan") -> None:
    data = json.loads(Path(file).read_text("utf-8"))
    change(data)
    Path(file).write_text(json.dumps(data), "utf-8")


def desired(data: Any, kind: str) -> Any:
    return next(d for d in data["hosts"][0]["desired"] if d["kind"] == kind)


# --- what a plan file can and cannot do ------------------------------------------------------------------------


def test_a_step_that_was_edited_is_refused_and_never_run(hvctl: Run, host: SimulatedHost) -> None:
    assert hvctl("plan", "lab.yml", "--out", "lab.plan")[0] == 0
    text = Path("lab.plan").read_text("utf-8")
    Path("lab.plan").write_text(text.replace('"cmdlet": "Set-VMProcessor"', '"cmdlet": "Remove-VM"'), "utf-8")
    status, out, _ = hvctl("apply", "lab.plan", "-y")
    assert status == 2
    assert re.search(r"weight +100 → 200 +online", out), "what is shown is planned, not read"
    assert "hv01  refused: something has changed since the plan was made" in out
    assert re.search(r"step 1 of the plan, now .*: cmdlet Remove-VM → Set-VMProcessor", out)
    assert changes(host) == []


@pytest.mark.parametrize("key", ["needs", "guard", "limit_s", "job", "resource", "id"])
def test_all_of_a_step_counts(hvctl: Run, host: SimulatedHost, key: str) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    edited(lambda data: data["hosts"][0]["steps"][0].update({key: "s9"}))
    status, out, _ = hvctl("apply", "lab.plan", "-y")
    assert (status, "refused" in out, changes(host)) == (2, True, [])


@pytest.mark.parametrize("steps", [[], [None], ["Remove-VM"], [{"call": {"$call": {"cmdlet": "Remove-VM"}}}]])
def test_other_steps_are_told_one_by_one(hvctl: Run, host: SimulatedHost, steps: list[Any]) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    edited(lambda data: data["hosts"][0].update(steps=steps))
    status, out, _ = hvctl("apply", "lab.plan", "-y")
    assert (status, changes(host)) == (2, [])
    assert "Set-VMProcessor" in out


def test_what_is_desired_is_shown_as_what_it_does(hvctl: Run, host: SimulatedHost) -> None:
    """Whoever can edit the file can edit the playbook as well; but not what is shown."""

    def edit(data: Any) -> None:
        vm = desired(data, "vm")
        vm["fields"] = {"name": "old01", "ensure": "absent"}
        data["hosts"][0]["desired"] = [vm]
        data["hosts"][0]["allow"] = ["destroy"]

    hvctl("plan", "lab.yml", "--out", "lab.plan")
    edited(edit)
    status, out, _ = hvctl("apply", "lab.plan", "-y")
    assert (status, changes(host)) == (2, [])
    assert "it allows destroy" in out
    assert re.search(r"- vm old01 +is removed", out)
    assert "Remove-VM" in out.partition("refused")[2]


def test_a_plan_file_that_is_another_in_all_says_all_before_it_asks(hvctl: Run, host: SimulatedHost) -> None:
    Path("gone.yml").write_text("- {hosts: hv01, vms: [{name: old01, ensure: absent}]}", "utf-8")
    hvctl("plan", "gone.yml", "--allow", "destroy", "--out", "lab.plan")
    edited(lambda data: data["hosts"][0]["desired"][0].update(file="lab.yml"))
    status, out, err = hvctl("apply", "lab.plan")
    assert (status, changes(host)) == (2, [])
    assert re.search(r"- vm old01 +is removed", out)
    assert "destroy" in out
    assert "nobody to ask" in err


def test_consent_travels_with_the_plan_and_is_judged_anew(hvctl: Run, host: SimulatedHost) -> None:
    Path("lab.yml").write_text(PLAYBOOK.replace("count: 4", "count: 2"), "utf-8")
    hvctl("plan", "lab.yml", "--allow", "restart", "--out", "lab.plan")
    hvctl("plan", "lab.yml", "--out", "less.plan")
    edited(lambda data: data["hosts"][0].update(allow=["restart"]), "less.plan")
    status, out, _ = hvctl("apply", "less.plan", "-y")
    assert (status, changes(host)) == (2, [])
    assert "a step is needed that is not in the plan" in out
    assert hvctl("apply", "lab.plan", "-y", "--allow", "restart")[0] == 1
    status, out, _ = hvctl("apply", "lab.plan", "-y")
    assert (status, "Stop-VM" in changes(host)) == (0, True)
    assert "made 20" in out and "it allows restart" in out


def test_a_play_allows_for_its_own_things_also_in_a_plan(hvctl: Run, host: SimulatedHost) -> None:
    text = PLAYBOOK.replace("count: 4", "count: 2").replace("hosts: hv01", "hosts: hv01\n  allow: restart")
    Path("lab.yml").write_text(text, "utf-8")
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    assert hvctl("apply", "lab.plan", "-y")[0] == 0
    assert "Stop-VM" in changes(host)


def test_the_inventory_is_never_that_of_the_plan_file(hvctl: Run, host: SimulatedHost, tmp_path: Path) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    away = tmp_path / "away"
    away.mkdir()
    (tmp_path / "lab.plan").rename(away / "lab.plan")
    (away / "inventory.yml").write_text("all: {hosts: {hv01: {ansible_password: !command [touch, ran]}}}", "utf-8")
    Path("inventory.yml").rename("safe.yml")
    status, _, err = hvctl("apply", "away/lab.plan", "-y")
    assert (status, "no inventory found in ." in err) == (1, True)
    edited(lambda data: data.update(inventory="away/inventory.yml"), "away/lab.plan")
    status, _, err = hvctl("-i", "safe.yml", "apply", "away/lab.plan", "-y")
    assert (status, "away/lab.plan: inventory: " in err) == (1, True)
    assert not list(tmp_path.rglob("ran"))
    assert host.log == [] or changes(host) == []


def test_the_inventory_may_be_named_by_the_environment(
    hvctl: Run, host: SimulatedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    Path("there").mkdir()
    Path("inventory.yml").rename("there/hosts.yml")
    assert hvctl("apply", "lab.plan", "-y")[0] == 1
    monkeypatch.setenv("HVCTL_INVENTORY", "there/hosts.yml")
    assert hvctl("apply", "lab.plan", "-y")[0] == 0


def test_the_inventory_must_have_every_host_of_the_plan(hvctl: Run, host: SimulatedHost) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    asked = len(host.log)
    for name in ("all", "hv*", "hv03"):  # a name, never a pattern
        edited(lambda data, name=name: data["hosts"][0].update(name=name))  # type: ignore[misc]
        status, _, err = hvctl("apply", "lab.plan", "-y")
        assert status == 1
        assert f"the inventory inventory.yml does not have {name} of the plan lab.plan" in err
    assert len(host.log) == asked


def test_the_plan_is_for_the_computer_it_was_made_for(hvctl: Run, host: SimulatedHost) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    edited(lambda data: data["hosts"][0].update(computer="HV07"))
    status, out, _ = hvctl("apply", "lab.plan", "-y")
    assert (status, changes(host)) == (2, [])
    assert "the plan was made for the computer HV07; HV01 answers" in out


def test_rules_are_asked_as_for_a_playbook(hvctl: Run, host: SimulatedHost) -> None:
    Path("inventory.yml").write_text(INVENTORY.replace("hv01: {}", "hv01: {hvctl_os: 2022}"), "utf-8")
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    asked = len(host.log)
    edited(lambda data: desired(data, "processor")["fields"].update(reserve=90, maximum=10))
    status, _, err = hvctl("apply", "lab.plan", "-y")
    assert (status, len(host.log)) == (1, asked)
    assert re.search(r"lab\.yml:5:\d+: .*reserve", err)


def test_expressions_and_tags_in_a_plan_file_are_text(hvctl: Run, host: SimulatedHost, tmp_path: Path) -> None:
    Path("notes.yml").write_text("- {hosts: hv01, vms: [{name: web01, notes: new}]}", "utf-8")
    hvctl("plan", "notes.yml", "--out", "lab.plan")
    text = Path("lab.plan").read_text("utf-8")
    Path("lab.plan").write_text(text.replace('"new"', '"{{ 7 * 7 }} !command [touch, ran]"'), "utf-8")
    assert hvctl("apply", "lab.plan", "-y")[0] == 0
    assert host.state.vms[0].notes == "{{ 7 * 7 }} !command [touch, ran]"
    assert not (tmp_path / "ran").exists()


# --- files of the control node ----------------------------------------------------------------------------------

FILES = r"""
- hosts: hv01
  vms:
    - name: web01
      integration_services: {guest_service_interface: on}
      guest_files:
        - {source: files/app.conf, destination: 'C:\app\app.conf'}
        - {template: files/hosts.j2, destination: 'C:\app\hosts'}
"""


@pytest.fixture
def with_files(hvctl: Run) -> Path:
    folder = Path("files")
    folder.mkdir()
    (folder / "app.conf").write_text("one\n")
    (folder / "hosts.j2").write_text("{{ inventory_hostname }}\n")
    (folder / "other").write_text("other\n")
    Path("files.yml").write_text(FILES, "utf-8")
    assert hvctl("plan", "files.yml", "--out", "files.plan")[0] == 0
    return folder.absolute()


def sources() -> list[Any]:
    data = json.loads(Path("files.plan").read_text("utf-8"))
    return [d for d in data["hosts"][0]["desired"] if d["kind"] == "guest_file"]


def test_a_file_is_shown_by_its_resolved_path(hvctl: Run, host: SimulatedHost, with_files: Path) -> None:
    (with_files / "app.conf").rename(with_files / "real.conf")
    (with_files / "app.conf").symlink_to(with_files / "real.conf")
    status, out, _ = hvctl("-v", "apply", "files.plan", "-y")
    assert status == 0, out
    assert f"{with_files}/real.conf" in "".join(line.strip() for line in out.splitlines())
    assert host.state.vms[0].guest.files["C:\\app\\hosts"].text == "hv01\n"


def test_a_file_for_a_vm_that_is_made_is_shown_too(hvctl: Run, host: SimulatedHost, with_files: Path) -> None:
    """What belongs to a new VM has no lines of its own in the plan."""
    new = "name: fresh01\n      generation: 2\n      memory: {startup: 1GB}\n      state: running"
    Path("files.yml").write_text(FILES.replace("name: web01", new), "utf-8")
    hvctl("plan", "files.yml", "--out", "files.plan")
    _, out, _ = hvctl("apply", "files.plan")
    assert "+ vm fresh01" in out
    assert f"    {with_files}/app.conf  4 bytes, sha256 " in out


def test_another_file_of_the_control_node_is_refused(hvctl: Run, host: SimulatedHost, with_files: Path) -> None:
    def elsewhere(data: Any) -> None:
        for one in data["hosts"][0]["desired"]:
            if one["kind"] == "guest_file" and "path" in one["source"]:
                one["source"]["path"] = str(with_files / "other")

    edited(elsewhere, "files.plan")
    status, out, _ = hvctl("apply", "files.plan", "-y")
    assert (status, changes(host)) == (2, [])
    assert "files/other of the control node: sha256 " in out


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/", "files/other", "../other"])
def test_a_path_that_is_no_file_is_an_error(hvctl: Run, host: SimulatedHost, with_files: Path, path: str) -> None:
    asked = len(host.log)
    edited(lambda data: [d["source"].update(path=path) for d in data["hosts"][0]["desired"]
                         if d["kind"] == "guest_file" and "path" in (d["source"] or {})], "files.plan")  # fmt: skip
    status, _, err = hvctl("apply", "files.plan", "-y")
    assert (status, len(host.log)) == (1, asked)
    assert path.rpartition("/")[2] in err


@pytest.mark.parametrize("source", [None, {}, {"content": "*"}, {"path": "/etc/hosts"}])
def test_a_guest_file_without_its_source_is_damaged(hvctl: Run, with_files: Path, source: Any) -> None:
    edited(lambda data: [d.update(source=source) for d in data["hosts"][0]["desired"] if d["kind"] == "guest_file"],
           "files.plan")  # fmt: skip
    status, _, err = hvctl("apply", "files.plan", "-y")
    assert status == 1
    assert "the plan file is damaged" in err


# --- refused only for what it is about (C08) ---------------------------------------------------------------------


def test_c08_a_saved_plan_outlives_what_moves_by_itself(hvctl: Run, host: SimulatedHost) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    meanwhile(host)
    status, out, _ = hvctl("apply", "lab.plan", "-y")
    assert (status, "seen in sync" in out) == (0, True), out
    assert changes(host).count("Set-VMProcessor") == 1
    assert hvctl("plan", "lab.yml", "--detailed-exitcode")[0] == 0


def meanwhile(host: SimulatedHost) -> None:
    """What happens on a living host, and is none of the plan's business."""
    host.clock.sleep(4000)
    web, new, old = host.state.vms
    host.invoke("Start-VM", {"Name": "new01"})
    host.invoke("Set-VM", {"Name": "old01", "Notes": "another's note"})
    host.invoke("New-VM", {"Name": "later01", "Generation": 2})
    host.invoke("Enable-VMIntegrationService", {"VMName": "web01", "Name": "Guest Service Interface"})
    assert web.adapters and new.adapters
    web.adapters[0].mac_address, new.adapters[0].mac_address = "00155D010299", "00155D010204"
    web.adapters[0].ip_addresses = ["10.0.0.7"]
    host.state.vhds[0].file_size = 8 * 2**30
    for volume in host.state.volumes.values():
        volume.free -= 2**20
    assert old.notes == "another's note"


def test_what_has_happened_to_what_is_desired_is_refused(hvctl: Run, host: SimulatedHost) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    host.invoke("Set-VMProcessor", {"VMName": "web01", "RelativeWeight": 200})
    before = len(changes(host))
    status, out, _ = hvctl("apply", "lab.plan", "-y")
    assert (status, len(changes(host))) == (2, before)
    assert "step 1 of the plan is not needed now: Set-VMProcessor (" in out
    assert "RelativeWeight 200" in out


class Meanwhile(TwinTransport):
    """A host to which something happens between the plan and the approval."""

    def __init__(self, host: SimulatedHost, happens: Callable[[SimulatedHost], object]) -> None:
        super().__init__(host)
        self._simulated, self._happens, self._reads = host, happens, 0

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda e: None) -> list[Reply]:
        self._reads += batch.mode == "read"
        if self._reads == 2 and batch.mode == "read":
            self._happens(self._simulated)
        return super().run(batch, on_event)


@pytest.mark.parametrize("refused", [False, True])
def test_between_plan_and_approval_the_same_rule_holds(
    hvctl: Run, host: SimulatedHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refused: bool
) -> None:
    def happens(host: SimulatedHost) -> None:
        meanwhile(host)
        if refused:
            host.invoke("Set-VMProcessor", {"VMName": "web01", "RelativeWeight": 200})

    monkeypatch.setattr("sys.stdin", Yes())
    status = main(["apply", "lab.yml"], lambda connection, wire: Meanwhile(host, happens))
    out, err = capsys.readouterr()
    assert status == (2 if refused else 0), err
    assert ("refused: something has changed since the plan was made" in out) is refused


def test_a_file_that_holds_a_secret_is_looked_at_again_too(
    hvctl: Run, host: SimulatedHost, with_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HVCTL_KEY", "key-of-tests")
    (with_files / "hosts.j2").write_text("{{ key }}\n")
    Path("files.yml").write_text(FILES.replace("hosts: hv01", "hosts: hv01\n  vars: {key: !env HVCTL_KEY}"), "utf-8")
    monkeypatch.setattr("sys.stdin", Yes())
    status, out, err = hvctl("apply", "files.yml")
    assert (status, "key-of-tests" in out + err) == (0, False), out + err
    assert host.state.vms[0].guest.files["C:\\app\\hosts"].text == "key-of-tests\n"


class Yes(io.StringIO):
    """Somebody at the terminal."""

    def __init__(self) -> None:
        super().__init__("yes\n")

    def isatty(self) -> bool:
        return True


# --- times -------------------------------------------------------------------------------------------------------

EXPORT = r"""
- hosts: hv01
  vms: [{name: web01, checkpoint_maximum_age: 2h, exports: [{path: 'E:\exports', every: 24h, window: '00:00-01:00'}]}]
"""


@pytest.fixture
def exporting(hvctl: Run, host: SimulatedHost) -> SimulatedHost:
    host.invoke("Checkpoint-VM", {"Name": "web01", "SnapshotName": "ages"})
    Path("export.yml").write_text(EXPORT, "utf-8")
    assert hvctl("plan", "export.yml", "--out", "e.plan", "--allow", "destroy")[0] == 0
    return host


def test_what_grows_old_by_itself_is_judged_by_the_time_of_the_plan(hvctl: Run, exporting: SimulatedHost) -> None:
    Path("export.yml").write_text(EXPORT.replace(", window: '00:00-01:00'", ""), "utf-8")
    hvctl("plan", "export.yml", "--out", "e.plan", "--allow", "destroy")
    exporting.clock.sleep(3 * 3600)  # the checkpoint is too old by now
    status, out, _ = hvctl("apply", "e.plan", "-y")
    assert "refused" not in out
    assert "Export-VM" in changes(exporting)
    assert "Remove-VMSnapshot" not in changes(exporting)
    assert status == 2  # seen afterwards, by the time it is then


def test_a_window_that_has_closed_refuses(hvctl: Run, exporting: SimulatedHost) -> None:
    exporting.clock.sleep(90 * 60)
    status, out, _ = hvctl("apply", "e.plan", "-y")
    assert (status, "Export-VM" in changes(exporting)) == (2, False)
    assert r"export web01, E:\exports: an export is due when the window 00:00-01:00 opens" in out


def test_a_window_that_has_closed_refuses_only_what_needs_it(hvctl: Run, exporting: SimulatedHost) -> None:
    assert hvctl("export", "web01", "export.yml", "-y")[0] == 0
    exporting.forget(next(path for path in exporting.state.contents if path.endswith("-done.json")))
    Path("export.yml").write_text(EXPORT.replace("checkpoint_maximum_age: 2h, ", ""), "utf-8")
    hvctl("plan", "export.yml", "--out", "e.plan")
    exporting.clock.sleep((25 * 60 + 30) * 60)  # the next one is due by now, and must wait
    before = len(changes(exporting))
    _, out, _ = hvctl("apply", "e.plan", "-y")
    assert "refused" not in out
    assert changes(exporting)[before:] == ["Set-Content"]


@pytest.mark.parametrize(
    ("time", "said"),
    [
        ("2027-01-01T00:00:00Z", "the plan was made at 2027-01-01 00:00Z, and the host's clock says 2026-"),
        ("2025-01-01T00:00:00Z", "the plan was made on 2025-01-01, more than 31 days ago by the host's clock"),
    ],
)
def test_the_time_of_a_plan_file_is_bounded(hvctl: Run, exporting: SimulatedHost, time: str, said: str) -> None:
    before = len(changes(exporting))
    edited(lambda data: data["hosts"][0].update(time=time), "e.plan")
    status, out, _ = hvctl("apply", "e.plan", "-y")
    assert (status, len(changes(exporting))) == (2, before)
    assert said in out


def test_another_account_may_apply_it(hvctl: Run, exporting: SimulatedHost) -> None:
    """Exports and receipts bear the name of who made them."""
    text = Path("e.plan").read_text("utf-8")
    assert text.count("Administrator") > 1
    Path("e.plan").write_text(text.replace("Administrator", "planner"), "utf-8")
    assert "refused" not in hvctl("apply", "e.plan", "-y")[1]
    assert not any("planner" in str(c.params) for c in exporting.log)


# --- the file ----------------------------------------------------------------------------------------------------


def test_it_is_for_its_user_alone_and_holds_no_facts_but_those_it_shows(hvctl: Run) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    text = Path("lab.plan").read_text("utf-8")
    assert Path("lab.plan").stat().st_mode & 0o777 == 0o600
    assert "new01" not in text
    data = json.loads(text)
    assert list(data) == ["hvctl_plan", "hvctl", "created", "hosts"]
    assert list(data["hosts"][0]) == ["name", "computer", "user", "time", "allow", "desired", "steps", "shown"]


def test_a_file_that_cannot_be_written_is_said_before_a_host_is_asked(hvctl: Run, host: SimulatedHost) -> None:
    status, out, err = hvctl("plan", "lab.yml", "--out", "nowhere/lab.plan")
    assert (status, out, host.log) == (1, "", [])
    assert "--out nowhere/lab.plan cannot be written: there is no folder nowhere" in err
    assert "--out ./lab.yml cannot be written: it is the playbook" in hvctl("plan", "lab.yml", "--out", "./lab.yml")[2]


def test_another_json_file_is_not_called_a_plan_file(hvctl: Run) -> None:
    Path("inventory.json").write_text(json.dumps({"all": {}}), "utf-8")
    assert "a playbook is a list of plays" in hvctl("plan", "inventory.json")[2]
    assert "inventory.json is not a plan file" in hvctl("apply", "inventory.json")[2]


@pytest.mark.parametrize("name", ["lab.plan", "plan.json", "a plan", "plan"])
def test_the_command_that_is_printed_works(hvctl: Run, host: SimulatedHost, name: str) -> None:
    _, _, err = hvctl("plan", "lab.yml", "--out", name)
    command = err.partition("Plan saved: ")[2].strip()
    assert hvctl(*shlex.split(command)[1:], "-y")[0] == 0
    assert changes(host) != []


def test_the_command_that_is_printed_names_an_inventory_that_would_not_be_found(hvctl: Run) -> None:
    Path("there").mkdir()
    Path("inventory.yml").rename("there/inventory.yml")
    Path("lab.yml").rename("there/lab.yml")
    _, _, err = hvctl("plan", "there/lab.yml", "--out", "lab.plan")
    command = err.partition("Plan saved: ")[2].strip()
    assert command == "hvctl -i there/inventory.yml apply lab.plan"
    assert hvctl(*shlex.split(command)[1:], "-y")[0] == 0


def test_reports_say_that_it_was_a_plan_file(hvctl: Run) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    edited(lambda data: data["hosts"][0].update(steps=[]))
    reports = "html=r.html,junit=r.xml,json=r.json,markdown=r.md"
    assert hvctl("apply", "lab.plan", "-y", "--report", reports)[0] == 2
    assert "<dt>Saved plan</dt><dd><code>lab.plan</code>" in Path("r.html").read_text("utf-8")
    (host,) = json.loads(Path("r.json").read_text("utf-8"))["hosts"]
    assert (host["state"], len(host["changed_since"])) == ("refused", 1)
    for file in ("r.html", "r.xml", "r.md"):
        assert "a step is needed that is not in the plan" in Path(file).read_text("utf-8"), file


def test_a_plan_file_among_playbooks_is_said_to_be_one(hvctl: Run, host: SimulatedHost) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    asked = len(host.log)
    said = "lab.plan is a plan file, not a playbook; hvctl apply applies it, alone"
    for words in ("plan lab.plan", "validate lab.plan", "drift lab.plan", "apply lab.yml lab.plan",
                  "apply lab.plan lab.plan", "facts hv01 --playbook lab.plan", "export web01 lab.plan",
                  "schedule install --every 1h --print lab.plan"):  # fmt: skip
        status, _, err = hvctl(*words.split())
        assert (status, said in err) == (1, True), words
    assert len(host.log) == asked


def test_other_versions_are_named(hvctl: Run) -> None:
    Path("p.json").write_text('{"hvctl_plan": 1, "hosts": [{}]}', "utf-8")
    assert (
        "p.json is a plan file of format 1, written by an older hvctl; hvctl 0.1.0 reads format 2; make the plan"
        in (" ".join(hvctl("apply", "p.json")[2].split()))
    )
    Path("p.json").write_text(f'{{"hosts": [], "hvctl_plan": {FORMAT + 1}}}', "utf-8")
    assert "format 3, written by a newer hvctl" in " ".join(hvctl("apply", "p.json")[2].split())


@pytest.mark.parametrize("text", ["", "[]", "{}", "not json", '{"hvctl_plan": 2', '{"hvctl_plan": 2, "hosts": [{}]}',
                                  '{"hvctl_plan": "2"}',
                                  '{"hvctl_plan": 99999999999}', "\ufeff{}", '{"a": "\\ud800"}'])  # fmt: skip
def test_what_is_no_plan_is_an_error(hvctl: Run, text: str) -> None:
    Path("plan.json").write_text(text, "utf-8")
    status, _, err = hvctl("apply", "plan.json")
    assert (status, "plan.json" in err) == (1, True)


def test_a_playbook_in_json_is_a_playbook(hvctl: Run) -> None:
    Path("lab.json").write_text('[{"hosts": "hv01", "vms": [{"name": "web01", "notes": "x"}]}]', "utf-8")
    assert hvctl("apply", "lab.json", "-y")[0] == 0


def test_what_is_damaged_is_told_at_its_place(hvctl: Run) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    edited(lambda data: desired(data, "processor")["fields"].update(weight="heavy"))
    edited(lambda data: desired(data, "disk").update(owner=7))
    _, _, err = hvctl("apply", "lab.plan")
    assert re.search(r"lab\.plan: hosts\[0\]\.desired\[\d\]\.fields\.weight: ", err)
    assert re.search(r"lab\.plan: hosts\[0\]\.desired\[\d\]: a disk stands within a vm", err)
    edited(lambda data: data["hosts"][0].update(steps=7))
    _, _, err = hvctl("apply", "lab.plan")
    assert "lab.plan: hosts[0].steps: " in err
    assert "the plan file is damaged; make the plan again" in " ".join(err.split())


def test_what_no_playbook_may_say_no_plan_file_may(hvctl: Run, host: SimulatedHost) -> None:
    hvctl("plan", "lab.yml", "--out", "lab.plan")
    edited(lambda data: desired(data, "processor")["fields"].update(weight=None))
    edited(lambda data: desired(data, "disk")["fields"].update(size=10**400))
    status, _, err = hvctl("apply", "lab.plan", "-y")
    assert (status, changes(host)) == (1, [])
    assert re.search(r"lab\.plan: hosts\[0\]\.desired\[\d\]\.fields\.weight: null has no meaning here; the plan", err)
    assert re.search(r"lab\.plan: hosts\[0\]\.desired\[\d\]\.fields\.size: ", err)


NEWEST = {case.file: case for case in all_cases() if "host" in case.data}
"""Each case once."""
EACH = 1 if os.environ.get("HVCTL_SOAK") else 3
"""How many of a kind's cases one is taken of; all in a soak."""
BY_KIND = [c for _, of_kind in groupby(NEWEST.values(), lambda c: c.file.parent) for c in list(of_kind)[::EACH]]


@pytest.mark.parametrize("case", BY_KIND, ids=str)
def test_what_is_desired_survives_the_file(case: Case, tmp_path: Path) -> None:
    """Every kind: the steps from the file are those from the playbook."""
    for name, text in case.data.get("control", {}).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found, problems = wished(case.playbook, case.data.get("allow", ()), str(tmp_path))
    if problems:
        pytest.skip("nothing to plan")
    host = SimulatedHost.from_yaml({**(case.data["host"] or {}), "os": case.os})
    facts = look(TwinTransport(host), found)
    plan = make_plan(found, facts, frozenset())
    file = str(tmp_path / "x.plan")
    save(file, [(plan, found)], datetime(2026, 4, 1, tzinfo=UTC))
    (saved,) = load(file).hosts
    again, changed = replanned(saved.desired, facts, saved.first)
    assert changed == []
    assert [(a.verb, a.lines, a.remarks) for a in again.actions] == [(a.verb, a.lines, a.remarks) for a in plan.actions]


def test_a_plan_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(str(tmp_path / "none"))
