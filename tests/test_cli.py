"""The verbs as a user runs them, against simulated hosts in this process."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Batch, Event, Reply, Secret, Transport, TransportError
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.transports import Gone

INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: !env HVCTL_TEST_PASSWORD}
  hosts:
    hv01: {hvctl_os: 2022}
    hv02: {}
    gone: {}
"""
PLAYBOOK = """
- name: lab
  hosts: hv01,hv02
  tags: [vms]
  vars: {count: 4}
  vms:
    - name: web01
      processor: {count: '{{ count }}', weight: 200}
"""
STATE = {"os": "2022", "vms": [{"name": "web01", "generation": 2, "state": "Running", "drives": [], "adapters": []}]}
Run = Callable[..., tuple[int, str, str]]


@contextmanager
def speaking(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], tuple[str, str]] | None]:
    """With the streams that PYTHONIOENCODING asks for; what they took, with hvctl's forms in ASCII taken back."""
    encoding = os.environ.get("PYTHONIOENCODING")
    if not encoding:
        yield None
        return
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]

    def text(stream: io.TextIOWrapper) -> str:
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        said = stream.buffer.getvalue().decode(encoding)
        said = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), said).replace("->", "→")
        return re.sub(
            "^( +)(x|ok) ", lambda found: f"{found[1]}{'✗' if found[2] == 'x' else '✓'} ", said, flags=re.MULTILINE
        )

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        yield lambda: (text(streams[0]), text(streams[1]))


@pytest.fixture
def hosts() -> dict[str, SimulatedHost]:
    return {name: SimulatedHost.from_yaml({**STATE, "name": name}) for name in ("hv01", "hv02")}


@pytest.fixture
def hvctl(
    hosts: dict[str, SimulatedHost], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", "s3cret-in-tests")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / "lab.yml").write_text(PLAYBOOK, encoding="utf-8")

    def connect(connection: Connection, wire: Wire) -> Transport:
        return TwinTransport(hosts[connection.name]) if connection.name in hosts else Gone()

    def run(*words: str) -> tuple[int, str, str]:
        with speaking(monkeypatch) as spoken:
            status = main(list(words), connect)
        out, err = spoken() if spoken is not None else capsys.readouterr()
        assert "s3cret-in-tests" not in out + err
        return status, out, err

    yield run


def test_version_and_help(hvctl: Run) -> None:
    assert hvctl("--version")[:2] == (0, "hvctl 0.1.0\n")
    status, out, _ = hvctl("--help")
    assert status == 0
    assert "drift" in out


def test_usage_faults_exit_1(hvctl: Run) -> None:
    assert hvctl("plan")[0] == 1
    assert hvctl("nonsense")[0] == 1
    assert hvctl("plan", "lab.yml", "--allow", "everything")[0] == 1
    assert hvctl("inventory")[0] == 1


def test_nobody_reads_the_output_any_more(hvctl: Run) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "hvctl", "validate", "lab.yml"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_validate_contacts_no_host(hvctl: Run, hosts: dict[str, SimulatedHost]) -> None:
    status, out, _ = hvctl("validate", "lab.yml")
    assert status == 0
    assert "2 hosts, 4 resources: no problem found offline." in out
    assert "hv02" in out
    assert all(not host.log for host in hosts.values())


def test_a_switch_that_nobody_declares_is_a_warning_of_validate(
    hvctl: Run, hosts: dict[str, SimulatedHost], tmp_path: Path
) -> None:
    adapters = "[{name: a, switch: LAN}, {name: b, switch: LNA}, {name: c, switch: lna}, {name: d, switch: null}]"
    gone = "[{name: e, switch: old, ensure: absent}]"
    text = f"""- hosts: hv01
  switches: [{{name: lan, type: internal}}, {{name: san, type: internal}}]
  host_network_adapters: [{{name: iscsi, switch: storage}}]
  vms:
    - {{name: x, network_adapters: {adapters}}}
    - {{name: y, network_adapters: {gone}}}
- hosts: hv02
  vms: [{{name: z, network_adapters: [{{name: a, switch: lan}}]}}]
"""
    (tmp_path / "nets.yml").write_text(text, encoding="utf-8")
    status, out, err = hvctl("validate", "nets.yml")
    flat = " ".join(err.split())
    assert status == 0 and "no problem found offline" in out
    assert flat.count("warning: switch ") == 3, err
    assert "warning: switch LNA is declared nowhere for this host" in flat
    assert "did you mean 'lan'?" in flat
    assert (
        "switch storage is declared nowhere for this host, so the host must have it already; declared are lan, san"
        in flat
    )
    assert "nets.yml:8:" in flat
    assert all(not host.log for host in hosts.values())
    # Where hosts are asked, they know it.
    assert "declared nowhere" not in hvctl("plan", "nets.yml")[2]


def test_a_wrong_playbook_names_every_fault_and_contacts_no_host(
    hvctl: Run, hosts: dict[str, SimulatedHost], tmp_path: Path
) -> None:
    text = PLAYBOOK.replace("weight: 200", "wieght: 200").replace("name: web01", "name: web01\n      state: runing")
    (tmp_path / "lab.yml").write_text(text + "      momory: {}\n", encoding="utf-8")
    status, _, err = hvctl("plan", "lab.yml")
    flat = " ".join(err.split())
    assert status == 1
    assert "lab.yml:8:14: state: 'runing' is none of running, off, saved, paused; did you mean 'running'?" in flat
    assert "lab.yml:9:41: unknown key 'wieght' in processor; did you mean 'weight'?" in flat
    assert "lab.yml:10:7: unknown key 'momory' in vm; did you mean 'memory'?" in flat
    assert all(not host.log for host in hosts.values())


def test_what_stands_twice_does_not_hide_what_the_rules_say(hvctl: Run, tmp_path: Path) -> None:
    vms = "[{name: a, generation: 2, bios: {num_lock: true}}, {name: A}]"
    (tmp_path / "two.yml").write_text(f"- {{hosts: hv01, vms: {vms}}}", encoding="utf-8")
    _, _, err = hvctl("validate", "two.yml")
    assert "vm A is wanted twice" in err
    assert "a generation 2 VM has no BIOS" in err


def test_faults_of_plays_values_and_expressions_are_told_together(hvctl: Run, tmp_path: Path) -> None:
    text = PLAYBOOK.replace("weight: 200", "weight: '{{ nobody }}'").replace("hosts:", "hosst: x\n  hosts:", 1)
    (tmp_path / "lab.yml").write_text(text + "      generation: 3\n", encoding="utf-8")
    status, _, err = hvctl("validate", "lab.yml")
    assert status == 1
    assert [line.partition(";")[0].partition(" ")[2] for line in err.splitlines()] == [
        "unknown key 'hosst' in a play",
        "'nobody' is undefined",
        "generation: 3 is too large",
    ]


def test_a_playbook_that_is_not_there_is_told_as_that(hvctl: Run) -> None:
    assert hvctl("plan", "elsewhere/lab.yml")[2] == "elsewhere/lab.yml is not there; name a playbook that is\n"


def test_a_saved_plan_asks_for_the_password_as_any_other(
    hvctl: Run, hosts: dict[str, SimulatedHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    hvctl("plan", "lab.yml", "--out", "plan.json")
    monkeypatch.setattr("getpass.getpass", lambda prompt: "hunter22x")
    found = []

    def connect(connection: Connection, wire: Wire) -> Transport:
        found.append(connection.password)
        return TwinTransport(hosts[connection.name])

    main(["-k", "apply", "plan.json", "--check"], connect)
    assert found == [Secret("hunter22x")] * 2


def test_plan_exits_0_unless_the_status_is_asked_for(hvctl: Run) -> None:
    status, out, _ = hvctl("plan", "lab.yml")
    assert status == 0
    assert re.search(r"count +1 → 4 +restart, blocked", out)
    assert "lab.yml:8:" in out
    assert re.search(r"weight +100 → 200 +online", out)
    assert "--allow restart" in out
    assert hvctl("plan", "lab.yml", "--detailed-exitcode")[0] == 2
    assert hvctl("plan", "lab.yml", "-e", "count=1", "--limit", "hv01")[0] == 0


def test_apply_does_it_and_sees_it(hvctl: Run) -> None:
    status, out, _ = hvctl("apply", "lab.yml", "--auto-approve", "--allow", "restart")
    assert status == 0
    assert out.count("seen in sync") == 2
    assert hvctl("plan", "lab.yml", "--detailed-exitcode")[0] == 0
    assert hvctl("drift", "lab.yml")[0] == 0


def test_apply_leaves_what_is_blocked_and_says_so(hvctl: Run) -> None:
    status, out, _ = hvctl("apply", "lab.yml", "-y", "--limit", "hv01")
    assert status == 2
    assert "left undone:" in out
    assert "--allow restart" in out


def test_apply_asks_and_nobody_answers(hvctl: Run, hosts: dict[str, SimulatedHost]) -> None:
    status, _, err = hvctl("apply", "lab.yml", "--allow", "restart")
    assert status == 2
    assert "Nothing was changed" in err
    assert not any(c.cmdlet.startswith("Set-") for host in hosts.values() for c in host.log)


def test_apply_check_is_plan(hvctl: Run) -> None:
    status, out, _ = hvctl("apply", "lab.yml", "--check")
    assert status == 0
    assert "Plan:" in out


def test_drift_needs_no_consent_and_exits_2(hvctl: Run) -> None:
    status, out, _ = hvctl("drift", "lab.yml")
    assert status == 2
    assert "blocked" not in out
    assert "2 drifted" in out


def test_an_unreachable_host_stays_its_own_trouble(hvctl: Run, tmp_path: Path) -> None:
    (tmp_path / "all.yml").write_text(PLAYBOOK.replace("hv01,hv02", "all"), encoding="utf-8")
    status, out, _ = hvctl("plan", "all.yml")
    assert status == 4
    assert "gone  unreachable: connection refused by 192.0.2.1:5986 (5 tries in 8 s)" in out
    assert "3 hosts: 2 differ, 1 unreachable." in out
    assert hvctl("drift", "all.yml")[0] == 6


def test_a_saved_plan_is_applied_as_it_is(hvctl: Run) -> None:
    assert hvctl("plan", "lab.yml", "--allow", "restart", "--out", "plan.json")[0] == 0
    status, out, _ = hvctl("apply", "plan.json", "-y")
    assert (status, out.count("seen in sync")) == (0, 2)
    assert hvctl("apply", "plan.json", "-y", "--allow", "restart")[0] == 1


def test_a_saved_plan_whose_host_has_changed_is_refused(hvctl: Run, hosts: dict[str, SimulatedHost]) -> None:
    hosts["hv01"].invoke("New-VM", {"Name": "web02"})
    hvctl("plan", "lab.yml", "--allow", "restart", "--out", "plan.json")
    hosts["hv01"].invoke("Set-VMProcessor", {"VMName": "web01", "RelativeWeight": 200})
    hosts["hv01"].invoke("Rename-VM", {"Name": "web02", "NewName": "web03"})
    status, out, _ = hvctl("apply", "plan.json", "-y")
    assert status == 2
    assert "hv01  refused: something has changed since the plan was made" in out
    assert "step 3 of the plan, now set the processor of web01: RelativeWeight 200 → none" in out
    assert out.count("seen in sync") == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hvctl_plan": 1, "hosts": [{}]}', "not json"])
def test_a_damaged_plan_is_an_error(hvctl: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text, encoding="utf-8")
    status, _, err = hvctl("apply", "plan.json")
    assert status == 1
    assert "plan" in err


def test_json_output(hvctl: Run) -> None:
    _, out, _ = hvctl("plan", "lab.yml", "--json", "--limit", "hv01")
    data = json.loads(out)
    assert (data["verb"], data["summary"]["differs"]) == ("plan", 1)
    changes = {c["field"]: c for a in data["hosts"][0]["plan"]["actions"] for c in a["changes"]}
    assert changes["count"]["needs_consent"] == ["restart"]
    _, out, _ = hvctl("apply", "lab.yml", "--json", "-y", "--allow", "restart", "--limit", "hv01")
    assert json.loads(out)["hosts"][0]["report"]["complete"] is True
    assert hvctl("apply", "lab.yml", "--json")[0] == 1  # nothing would be shown to approve


def test_verbose_shows_the_calls_and_diff_the_difference(hvctl: Run) -> None:
    _, out, _ = hvctl("-v", "plan", "lab.yml", "--allow", "restart")
    assert "Set-VMProcessor" in out
    _, out, _ = hvctl("plan", "lab.yml", "--diff")
    assert "-count: 1" in out
    assert "+count: 4" in out


def test_tags_and_limit(hvctl: Run) -> None:
    _, out, err = hvctl("plan", "lab.yml", "--tags", "vmz")
    assert "0 hosts" in out
    assert "--tags vmz: no play and no VM has this tag; did you mean 'vms'?" in err
    assert "1 host:" in hvctl("plan", "lab.yml", "--tags", "vms", "--limit", "hv02")[1]
    status, _, err = hvctl("plan", "lab.yml", "--limit", "hv99")
    assert (status, err.startswith("--limit: 'hv99' names no host or group")) == (1, True)
    assert "--limit is empty" in hvctl("plan", "lab.yml", "--limit", "")[2]
    assert "--limit gone leaves none of the hosts" in hvctl("plan", "lab.yml", "--limit", "gone")[2]
    assert "b cannot be read" in hvctl("-i", "inv.yml", "-i", "b", "plan", "lab.yml")[2]


def test_facts_and_inventory(hvctl: Run) -> None:
    status, out, _ = hvctl("facts", "hv01")
    assert (status, "Get-VM: 1" in out) == (0, True)
    data = json.loads(hvctl("facts", "hv01", "--json")[1])
    assert data["os"] == "2022"
    assert hvctl("facts", "gone")[0] == 4
    assert "|--hv01" in hvctl("inventory", "--graph")[1]
    listed = json.loads(hvctl("inventory", "--list")[1])
    assert listed["_meta"]["hostvars"]["hv01"]["ansible_password"] == "!env HVCTL_TEST_PASSWORD"


def test_a_recording_answers_as_the_host_did(hvctl: Run, tmp_path: Path) -> None:
    status, _, err = hvctl("record", "hv01", "--out", "hv01.json", "--playbook", "lab.yml", "--scrub")
    assert (status, "answers of hv01" in err) == (0, True)
    text = (tmp_path / "hv01.json").read_text(encoding="utf-8")
    assert "s3cret-in-tests" not in text
    assert '"HOST"' in text


def test_a_password_that_cannot_be_had(hvctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HVCTL_TEST_PASSWORD")
    status, _, err = hvctl("plan", "lab.yml")
    assert status == 1
    assert err == (
        "inventory.yml:3:49: the environment variable HVCTL_TEST_PASSWORD is not set; set it, or use --ask-pass\n"
    )
    assert hvctl("validate", "lab.yml")[0] == 0


def test_the_guest_that_does_not_shut_down_fails_that_step_only(hvctl: Run, hosts: dict[str, SimulatedHost]) -> None:
    state: dict[str, Any] = {**STATE, "vms": [{**STATE["vms"][0], "guest": {"shutdown": "refuses"}}]}  # type: ignore[dict-item]
    hosts["hv01"] = SimulatedHost.from_yaml({**state, "name": "hv01"})
    status, out, _ = hvctl("apply", "lab.yml", "-y", "--allow", "restart")
    assert status == 6
    assert "✗ shut down the guest of web01" in out
    assert "not done: what it needs did not succeed" in out
    assert out.count("seen in sync") == 1


class Interrupting(TwinTransport):
    """A transport during whose first shutdown the user presses Ctrl-C."""

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda e: None) -> list[Reply]:
        if batch.mode == "read":
            return super().run(batch, on_event)

        def hear(event: Event) -> None:
            on_event(event)
            stops = next((t.id for t in batch.tasks if t.call.cmdlet == "Stop-VM"), batch.tasks[0].id)
            if event.kind == "start" and event.task == stops:
                os.kill(os.getpid(), signal.SIGINT)
                pressed.wait(60)

        return super().run(batch, hear)

    @property
    def requests(self) -> int:
        return 0

    def stop(self) -> TransportError | None:
        going = super().stop()
        pressed.set()
        return going


pressed = threading.Event()


def test_ctrl_c_finishes_the_step_and_says_what_ran(hosts: dict[str, SimulatedHost], hvctl: Run) -> None:
    pressed.clear()

    def connect(connection: Connection, wire: Wire) -> Transport:
        return Interrupting(hosts[connection.name])

    status = main(["apply", "lab.yml", "-y", "--allow", "restart", "--limit", "hv01"], connect)
    assert status == 130
    ran = [c.cmdlet for c in hosts["hv01"].log if not c.cmdlet.startswith("Get-")]
    assert ran == ["New-Item", "Stop-VM"]


def test_ctrl_c_report(hosts: dict[str, SimulatedHost], hvctl: Run, capsys: pytest.CaptureFixture[str]) -> None:
    pressed.clear()
    main(["apply", "lab.yml", "-y", "--allow", "restart", "--limit", "hv01"],
         lambda connection, wire: Interrupting(hosts[connection.name]))  # fmt: skip
    out, err = capsys.readouterr()
    assert "Interrupted: finishing the step that runs" in err
    assert "not done: it was stopped" in out
    assert "web01 was taken down and not brought up again" in out
