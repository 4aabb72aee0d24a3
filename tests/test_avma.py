"""Automatic Virtual Machine Activation: keys in expressions, what cannot be read, and events in what is printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hvctl.cli import main
from hvctl.config.template import render, render_text
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import look
from hvctl.kinds._avma_keys import AVMA_KEYS, avma_key
from hvctl.text.diagnostic import ConfigError
from hvctl.text.source import load_text
from mocks.failures import failure
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

VM = {"name": "a", "generation": 1}
PLAYBOOK = "- vms: [{name: a, guest_os: windows_server_2022, avma: yes, notes: x}]"


def value(text: str) -> Any:
    return render(text, {}, load_text("a: 1", "f"))


def test_keys_are_keys_and_each_is_of_one_edition() -> None:
    keys = [key for editions in AVMA_KEYS.values() for key in editions.values()]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"(?:[A-Z0-9]{5}-){4}[A-Z0-9]{5}", key) for key in keys)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{{ avma_key('2022', 'standard') }}", "YDFWN-MJ9JR-3DYRK-FXXRW-78VHK"),
        ("{{ avma_key(2022, 'Standard') }}", "YDFWN-MJ9JR-3DYRK-FXXRW-78VHK"),
        ("{{ avma_key('windows_server_2012_r2') }}", "Y4TGP-NPTV9-HTC2H-7MGQ3-DV4TW"),
        ("{{ avma_key('2012R2', edition='essentials') }}", "K2XGM-NMBT3-2R6Q8-WF2FK-P36R2"),
        ("{{ avma_key('2025', 'Datacenter: Azure Edition') }}", "6NMQ9-T38WF-6MFGM-QYGYM-88J4F"),
    ],
)
def test_a_key_stands_in_values_and_in_files(text: str, key: str) -> None:
    assert value(text) == key
    assert render_text(f"<Key>{text}</Key>", "unattend.xml", {}, lambda secret: "") == f"<Key>{key}</Key>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ avma_key('2008') }}", "no AVMA key is published for 2008"),
        ("{{ avma_key('2022', 'essentials') }}", "no AVMA key is published for the edition essentials of 2022"),
        ("{{ avma_key() }}", "avma_key"),
    ],
)
def test_what_has_no_key_is_said_at_its_place(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        value(text)
    assert said in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        render_text(f"a\n{text}\n", "unattend.xml", {}, lambda secret: "")
    assert said in str(caught.value)
    assert caught.value.problems[0].mark is not None
    assert (caught.value.problems[0].mark.file, caught.value.problems[0].mark.line) == ("unattend.xml", 2)


def test_the_key_of_a_guest_goes_into_a_file_for_it() -> None:
    text = "{{ avma_key(vm.guest_os, 'standard') }}"
    made = render_text(text, "key.txt", {"vm": {"guest_os": "windows_server_2019"}}, lambda secret: "")
    assert made == avma_key("2019", "standard")


def test_what_cannot_be_read_is_not_known_and_the_rest_is_done() -> None:
    host = SimulatedHost.from_yaml({"os": "2022", "sku": 8, "vms": [VM]})
    host.failures.add(failure("Get-CimInstance:of=SoftwareLicensingProduct,times=always"))
    found, _ = wished(PLAYBOOK)
    plan = make_plan(found, look(TwinTransport(host), found), frozenset())
    assert [s.task.call.cmdlet for s in plan.steps] == ["Set-VM"]
    assert plan.unreadable and not plan.in_sync
    (remark,) = [r for a in plan.actions for r in a.remarks]
    assert remark.level == "unknown"
    assert remark.message.startswith(
        "whether the host can activate guests is not known: Get-CimInstance was not answered"
    )


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """What a verb prints of a host with events, or of one whose log may not be read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "inventory.yml").write_text("all: {hosts: {hv01: {ansible_user: a, ansible_password: tests-only}}}")
    (tmp_path / "p.yml").write_text("- {hosts: all, vms: [{name: a, guest_os: windows_server_2022, avma: yes}]}")

    def run(host: dict[str, Any], *words: str) -> tuple[int, str]:
        simulated = SimulatedHost.from_yaml({"os": "2022", "sku": 8, "vms": [VM], **host})
        status = main(list(words), lambda connection, wire: TwinTransport(simulated))
        return status, capsys.readouterr().out

    return run


EVENTS = {"events": [{"id": 12310, "message": "AVMA request of web01: Activation Denied", "level": "Warning"}]}


def test_facts_and_drift_show_the_events_as_text(said: Any) -> None:
    status, out = said(EVENTS, "facts", "hv01")
    assert status == 0
    assert "Message=AVMA request of web01: Activation Denied" in out
    assert "OperatingSystemSKU=8" in out and "LicenseStatus=1" in out
    status, out = said(EVENTS, "drift", "p.yml", "--no-history")
    assert status == 0, "what an event says is no difference"
    assert "UTC: AVMA request of web01: Activation Denied" in " ".join(out.split())


def test_without_events_nothing_is_said(said: Any) -> None:
    status, out = said({}, "drift", "p.yml", "--no-history")
    assert status == 0 and "event" not in out
    status, out = said({}, "facts", "hv01")
    assert status == 0 and "NoMatchingEventsFound" in out


def test_an_edition_that_cannot_is_drift(said: Any) -> None:
    status, out = said({"sku": 7}, "drift", "p.yml", "--no-history")
    assert status == 2
    assert "AVMA is Datacenter's alone" in out
