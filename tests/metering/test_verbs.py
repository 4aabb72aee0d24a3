"""hvctl metering at the command line, over simulated hosts whose time the test holds."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mocks.failures import Failure
from tests.metering.fleet import Fleet, host, settle, vm

HOUR = timedelta(hours=1)
Make = Callable[..., Fleet]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Make:
    settle(monkeypatch, tmp_path)
    return lambda *hosts: Fleet(tmp_path, capsys, *hosts)


def two(fleet: Make) -> Fleet:
    return fleet(host("hv01", vm("web01"), vm("db01", 2)), host("hv02", vm("old01", 3)))


def one_of(data: Any, name: str) -> Any:
    (found,) = [one for one in data["vms"] if one["vm"] == name]
    return found


def test_the_first_reading_tells_what_was_counted_since_the_meters_began(fleet: Make) -> None:
    on = two(fleet)
    found = on.data(after=2 * HOUR)
    assert [(one["host"], one["vm"]) for one in found["vms"]] == [
        ("hv01", "db01"),
        ("hv01", "web01"),
        ("hv02", "old01"),
    ]
    web = one_of(found, "web01")
    assert web["processor_average_mhz"] == 500
    assert web["processor_mhz_hours"] == pytest.approx(1000, rel=0.01)
    assert web["memory_average_mb"] == 1024
    assert web["data_read_mb"] == pytest.approx(7200, rel=0.01)
    assert web["io_average_8kb_per_s"] == pytest.approx(100, rel=0.01)
    assert web["latency_undocumented_unit"] == 700
    assert web["disk_size_average_bytes"] is None  # what it had before nobody saw
    assert [event["kind"] for event in web["events"]] == ["first"]


def test_the_next_tells_what_was_used_in_between(fleet: Make) -> None:
    on = two(fleet)
    on.data(after=100 * HOUR)
    on.hosts["hv01"].state.vms[0].usage.processor_mhz = 900
    web = one_of(on.data(after=10 * HOUR), "web01")
    assert web["processor_average_mhz"] == pytest.approx(900, abs=web["off_by"]["processor"] / 36000)
    assert web["network_in_mb"] == pytest.approx(10 * 3600 / 8, rel=0.01)
    assert web["disk_size_average_bytes"] == 40 * 2**30
    assert web["disk_files_average_bytes"] == 10 * 2**30
    assert (web["unknown"], web["events"]) == ([], [])


def test_each_host_is_asked_once_in_one_batch(fleet: Make) -> None:
    on = two(fleet)
    on.run("metering")
    assert sorted(name for name, _ in on.batches) == ["hv01", "hv02"]
    assert all(batch.mode == "read" for _, batch in on.batches)


def test_the_hosts_are_those_of_the_playbooks(fleet: Make) -> None:
    on = two(fleet)
    (on.folder / "lab.yml").write_text("- {hosts: hv02, vms: [{name: old01}]}")
    on.run("metering", "lab.yml")
    assert [name for name, _ in on.batches] == ["hv02"]
    on.run("metering", "--limit", "hv01")
    assert [name for name, _ in on.batches] == ["hv02", "hv01"]


def test_the_table_says_what_it_rests_on(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01"), vm("plain", 2, resource_metering_enabled=False)))
    on.run("metering", after=HOUR)
    out = on.run("metering", after=HOUR)
    assert re.search(
        r"web01 +hv01 +2026-04-01 01:00 +2026-04-01 02:00 +500 +1 GB +100 +700 +3\.5 GB +1\.8 GB +40 GB", out
    )
    assert "2 VMs, 1 metered; `resource_metering: true` in a playbook meters the others." in out
    assert "nobody documents its unit of measure, and it is never billed" in out
    assert "Units of measure: processor (MHz), memory (MB), " in out
    assert "told by the hosts." in out
    assert re.search(r"plain .*\n +! nothing is known of 1 h: it is not metered", out)


def test_a_host_in_another_language_tells_no_units_and_what_nobody_documents_is_said(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01"), language="ja"))
    out = on.run("metering", after=HOUR)
    documented = "processor (MHz), memory (MB), network in (MB), network out (MB), io (I/Os of 8 KB): documented by"
    assert documented in out.replace("\n", "")
    assert "data read (MB), data written (MB): told by nobody but tools of others; not billed." in out


def test_csv_has_a_line_for_each_vm_and_nothing_for_what_is_not_known(fleet: Make) -> None:
    on = fleet(host("hv01", vm("=web01"), vm("plain", 2, resource_metering_enabled=False)))
    on.run("metering", after=HOUR)
    rows = list(csv.DictReader(io.StringIO(on.run("metering", "--format", "csv", after=HOUR))))
    assert [row["vm"] for row in rows] == ["'=web01", "plain"]  # no spreadsheet takes it for a formula
    assert (rows[0]["processor_average_mhz"], rows[1]["processor_average_mhz"]) == ("500.000000", "")
    assert (rows[0]["start"], rows[0]["end"]) == ("2026-04-01T01:00:00Z", "2026-04-01T02:00:01Z")


def test_since_shows_the_whole_time_and_its_periods(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01")))
    for _ in range(5):
        on.run("metering", after=HOUR)
    web = one_of(on.data("--since", "3h"), "web01")
    assert web["processor_mhz_hours"] == pytest.approx(1500, rel=0.02)
    rows = on.data("--since", "3h", "--periods")["vms"]
    assert len(rows) >= 3
    assert sum(row["data_read_mb"] for row in rows) == pytest.approx(web["data_read_mb"], rel=0.01)


def test_a_reset_is_done_when_all_is_stored_and_is_not_taken_for_anothers(fleet: Make) -> None:
    on = two(fleet)
    on.run("metering", after=HOUR)
    on.run("metering", "--reset", after=HOUR)
    assert "Reset: the meters of 3 VMs." in on.err
    assert [len(batch.tasks) for _, batch in on.batches if batch.mode == "change"] == [2, 1]
    found = on.data(after=HOUR)
    web = one_of(found, "web01")
    assert web["processor_average_mhz"] == pytest.approx(500, abs=2)
    whole = one_of(on.data("--since", "2h"), "web01")
    assert whole["processor_mhz_hours"] == pytest.approx(1000, rel=0.02)
    assert [event["kind"] for event in whole["events"]] == ["reset by hvctl"]
    assert whole["unknown_seconds"] <= 5


def test_a_reset_of_another_is_seen_and_its_gap_is_told(fleet: Make) -> None:
    on = two(fleet)
    on.run("metering", after=HOUR)
    on.clock.sleep(1800)
    on.invoke("hv01", "Reset-VMResourceMetering", VMName="web01")
    web = one_of(on.data(after=HOUR), "web01")
    assert [event["kind"] for event in web["events"]] == ["reset"]
    assert web["unknown_seconds"] == pytest.approx(1800, abs=60)
    assert web["processor_mhz_hours"] == pytest.approx(500, rel=0.02)


def test_meters_that_could_not_be_read_are_not_reset(fleet: Make) -> None:
    on = two(fleet)
    on.run("metering", after=HOUR)
    on.hosts["hv02"].failures.add(Failure("Measure-VM", error="not now"))
    out = on.run("metering", "--reset", after=HOUR, status=4)
    assert "hv02: the meters of old01 cannot be read" in out
    assert "Reset: the meters of 2 VMs." in on.err
    old = one_of(on.data(after=HOUR), "old01")  # nothing of it is lost
    assert old["processor_mhz_hours"] == pytest.approx(500, rel=0.02)
    whole = one_of(on.data("--since", "2h", "--limit", "hv02"), "old01")
    assert (whole["unknown"], whole["processor_mhz_hours"]) == ([], pytest.approx(1000, rel=0.02))


def test_a_reset_that_fails_for_a_vm_is_told_and_its_meters_go_on(fleet: Make) -> None:
    on = two(fleet)
    on.run("metering", after=HOUR)
    on.hosts["hv01"].failures.add(Failure("Reset-VMResourceMetering", error="not now"))
    on.run("metering", "--reset", after=HOUR, status=4)
    assert "were not reset: not now" in on.err
    assert "Reset: the meters of 2 VMs, not of all." in on.err
    found = on.data("--since", "90m", after=HOUR)
    kinds = {one["vm"]: [event["kind"] for event in one["events"]] for one in found["vms"]}
    assert sorted(kinds.values()) == [[], ["reset by hvctl"], ["reset by hvctl"]]
    assert all(one["processor_mhz_hours"] == pytest.approx(750, rel=0.05) for one in found["vms"])


def test_nothing_is_reset_that_is_not_on_record(fleet: Make, tmp_path: Path) -> None:
    on = two(fleet)
    on.run("metering", "--reset", "--no-history", status=1)
    assert "would lose what the meters have counted" in on.err
    on.run("metering", "--reset", "--history", str(tmp_path), status=4)
    assert "Nothing was reset" in on.err
    assert not [batch for _, batch in on.batches if batch.mode == "change"]


def test_without_a_history_the_meters_are_told_as_they_are(fleet: Make) -> None:
    on = two(fleet)
    on.run("metering", "--no-history", after=HOUR)
    web = one_of(on.data("--no-history", after=HOUR), "web01")
    assert web["processor_mhz_hours"] == pytest.approx(1000, rel=0.01)
    assert not (on.folder / "history.db").exists()


def test_one_host_that_is_away_is_its_own_trouble(fleet: Make) -> None:
    on = two(fleet)
    on.away = {"hv02"}
    out = on.run("metering", after=HOUR, status=4)
    assert "web01" in out
    assert "hv02  unreachable: connection refused by 192.0.2.1:5986" in out
    on.away = set()
    old = one_of(on.data(after=HOUR), "old01")  # its meters went on
    assert old["processor_mhz_hours"] == pytest.approx(1000, rel=0.01)


def test_an_account_without_rights_is_told_of_no_vms_and_they_are_not_gone(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01"), os="2012r2"))
    on.run("metering", after=HOUR)
    on.hosts["hv01"].state.administrator = False
    assert "Get-VMHost was not answered" in on.run("metering", after=HOUR, status=4)
    on.hosts["hv01"].state.administrator = True
    web = one_of(on.data(after=HOUR), "web01")
    assert web["processor_mhz_hours"] == pytest.approx(1000, rel=0.02)


def test_disks_that_cannot_be_read_are_not_counted_and_are_told(fleet: Make) -> None:
    on = two(fleet)
    on.run("metering", after=HOUR)
    on.hosts["hv01"].state.vhds[0].in_use_elsewhere = True
    out = on.run("metering", after=HOUR, status=4)
    assert r"hv01: D:\VMs\web01\os.vhdx of web01 cannot be read: its disks are not counted" in out


def test_windows_server_2012_has_no_disk_metrics(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01"), os="2012"))
    on.run("metering", after=HOUR)
    web = one_of(on.data(after=HOUR), "web01")
    assert (web["io_8kb"], web["data_read_mb"], web["latency_undocumented_unit"]) == (None, None, None)
    assert web["network_in_mb"] == pytest.approx(450, rel=0.01)


def test_owners_are_those_of_the_variables_then_of_the_notes(fleet: Make) -> None:
    on = fleet(
        host("hv01", vm("web01", notes="Shop\nOwner: Sales \n"), vm("db01", 2, notes="owner: x"), vm("lab", 3)),
    )
    on.inventory(hv01={"hvctl_owner": "{{ 'IT' }}", "hvctl_vm_owners": {"DB01": "Research"}})
    found = on.data(after=HOUR)
    assert {one["vm"]: one["owner"] for one in found["vms"]} == {"web01": "Sales", "db01": "Research", "lab": "IT"}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"hvctl_owner": ["a"]}, "inventory.yml:1:"),
        ({"hvctl_owner": ["a"]}, "hvctl_owner is not a name; write `hvctl_owner: sales`"),
        ({"hvctl_vm_owners": "sales"}, "hvctl_vm_owners is not a mapping of VMs to owners"),
        ({"hvctl_vm_owners": {"web01": {"a": 1}}}, "hvctl_vm_owners is not a mapping of VMs to owners"),
    ],
)
def test_variables_that_name_no_owner_are_refused(fleet: Make, variables: dict[str, Any], says: str) -> None:
    on = two(fleet)
    on.inventory(hv01=variables)
    (on.folder / "lab.yml").write_text("- {hosts: all, vms: [{name: web01}]}")
    for words in (("metering",), ("validate", "lab.yml")):
        on.run(*words, status=1)
        assert says in on.err
    assert not on.batches


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--since", "yesterday"), "--since yesterday: this is no time"),
        (("--since", "7d", "--no-history"), "--since needs the readings of before"),
        (("--labels", "vm"), "--labels are those of metrics; say --metrics FILE too"),
        (("--labels", "vms", "--metrics", "m.prom"), "--labels 'vms': no such label; did you mean 'vm'?"),
        (("--metrics", "no/such/m.prom"), "--metrics no/such/m.prom cannot be written: there is no folder no/such"),
        (("nosuch.yml",), "nosuch.yml is not there"),
        (("--limit", "hv09"), "'hv09' names no host or group"),
        (("--format", "xml"), "'xml' is not one of"),
        (("--splay", "soon"), "--splay: 'soon' is not a span of time"),
        (("--exclusive", "a/b"), "--exclusive a/b: a name is made of letters, digits"),
    ],
)
def test_what_cannot_be_is_refused_before_any_host_is_asked(fleet: Make, words: tuple[str, ...], says: str) -> None:
    on = two(fleet)
    on.run("metering", *words, status=1)
    assert says.replace("'", "") in on.err.replace("'", "").replace("\n", " ")
    assert not on.batches


def test_metrics_are_those_of_hosts_and_of_what_is_asked_for(fleet: Make) -> None:
    on = two(fleet)
    on.away = {"hv02"}
    on.run("metering", after=HOUR, status=4)
    on.run("metering", "--metrics", "m.prom", after=HOUR, status=4)
    text = (on.folder / "m.prom").read_text()
    assert 'hvctl_metering_up{host="hv02"} 0.0' in text
    assert re.search(
        r'hvctl_vm_processor_hertz{host="hv01"} 1e\+09|hvctl_vm_processor_hertz{host="hv01"} 1\.0\d*e\+09', text
    )
    assert "web01" not in text
    on.away = set()
    on.run("metering", "--metrics", "m.prom", "--labels", "vm,owner", after=HOUR)
    text = (on.folder / "m.prom").read_text()
    assert 'hvctl_vm_disk_size_bytes{host="hv01",owner="",vm="web01"}' in text
    assert 'hvctl_vm_network_receive_bytes_per_second{host="hv01",owner="",vm="db01"}' in text


def test_a_metric_whose_unit_nobody_tells_is_left_out(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01"), metric_units={}))
    on.run("metering", after=HOUR)
    on.run("metering", "--metrics", "m.prom", after=HOUR)
    text = (on.folder / "m.prom").read_text()
    assert "hvctl_vm_network_receive_bytes_per_second{" in text
    assert "hvctl_vm_disk_read_bytes_per_second{" not in text


def test_one_that_runs_already_is_left_alone(fleet: Make) -> None:
    from hvctl.cli.drifting import alone  # noqa: PLC0415
    from hvctl.monitor.watch import RealClock  # noqa: PLC0415

    on = two(fleet)
    with alone("night", RealClock()):
        on.run("metering", "--exclusive", "night", status=75)
    assert "Left out: night is being read already by" in on.err
    assert not on.batches
