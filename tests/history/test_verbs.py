"""drift, apply and history at the command line, over simulated hosts, with a clock that the test holds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from hvctl.call import Batch, Event, Failure, Reply, Transport, TransportError
from hvctl.cli import main
from hvctl.cli.checked import checked
from hvctl.cli.options import Settings
from hvctl.cli.prepared import Asked
from hvctl.cli.since import since
from hvctl.config.inventory import Connection
from hvctl.core.check import News, Spot
from hvctl.fleet.connect import Wire
from hvctl.history import place
from hvctl.kinds import address_of
from hvctl.text.diagnostic import ConfigError
from hvctl.text.duration import lasted
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

SECRET = "s3cret-in-tests"
INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: !env HVCTL_TEST_PASSWORD}
  children:
    east: {hosts: {hv01: {}}}
    west: {hosts: {hv02: {}}}
"""
PLAYBOOK = """
- name: lab
  hosts: all
  tags: [vms]
  vms:
    - name: ウェブ
      generation: 2
      exclusive: [dvds]
      processor: {weight: 200}
      notes: kept by hvctl
      dvds: [{at: scsi 0:1}]
- name: switches
  hosts: all
  tags: [net]
  switches:
    - {name: backup, type: internal}
"""
VM = {"name": "ウェブ", "generation": 2, "state": "Running", "drives": [], "adapters": [], "notes": "kept by hvctl"}
DB = "history.db"


class Limping(TwinTransport):
    """A host that is away, or on which a cmdlet does not answer."""

    away = False
    mute = ""

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda e: None) -> list[Reply]:
        if self.away:
            raise TransportError("connection refused by 192.0.2.1:5986 (5 tries in 8 s)")
        replies = super().run(batch, on_event)
        failed = Reply(failures=(Failure("Busy", message="it does not answer"),))
        return [failed if t.call.cmdlet == self.mute else r for t, r in zip(batch.tasks, replies, strict=True)]


class Lab:
    """Two hosts, a folder with playbook and inventory, and the time."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.away: set[str] = set()
        self.mute = ""
        self.hosts = {
            name: SimulatedHost.from_yaml({"os": "2022", "name": name, "vms": [VM]}) for name in ("hv01", "hv02")
        }
        self._folder, self._capsys = folder, capsys
        (folder / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
        self.wish(PLAYBOOK)

    def wish(self, playbook: str) -> None:
        (self._folder / "lab.yml").write_text(playbook, encoding="utf-8")

    def weigh(self, weight: int, host: str = "hv01") -> None:
        self.hosts[host].invoke("Set-VMProcessor", {"VMName": "ウェブ", "RelativeWeight": weight})

    def run(self, *words: str, after: timedelta = timedelta(0), status: int | None = None) -> str:
        """What is printed, some time later."""
        self.now += after
        found = main(list(words), self.connect, lambda: self.now)
        out, self.err = self._capsys.readouterr()
        assert SECRET not in out + self.err
        assert status is None or found == status, out + self.err
        return out

    def data(self, *words: str, after: timedelta = timedelta(0)) -> Any:
        return json.loads(self.run(*words, "--json", after=after))

    def applied(self) -> Lab:
        self.run("apply", "lab.yml", "-y", "--allow", "restart,destroy", status=0)
        return self

    def connect(self, connection: Connection, wire: Wire) -> Transport:
        transport = Limping(self.hosts[connection.name])
        transport.away, transport.mute = connection.name in self.away, self.mute
        return transport


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", SECRET)
    monkeypatch.setenv("HVCTL_HISTORY", DB)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    return Lab(tmp_path, capsys)


MINUTES = timedelta(minutes=15)
LONG = timedelta(days=3, hours=4)


def test_what_the_host_left_has_drifted_and_for_how_long(lab: Lab) -> None:
    lab.applied().weigh(100)
    out = lab.run("drift", "lab.yml", after=MINUTES, status=2)
    assert re.search(r"weight +100 → 200 .*\n +→ drifted since the check before\n", out)
    out = lab.run("drift", "lab.yml", after=LONG, status=2)
    assert re.search(r"weight +100 → 200 .*\n +→ drifted for 3 d 4 h\n", out)
    assert "2 hosts: 1 drifted, 1 in sync.  1 difference: 1 drifted." in out
    first, second = lab.data("drift", "lab.yml")["hosts"]
    (change,) = first["plan"]["actions"][0]["changes"]
    assert (change["since"], change["moved"]) == ("2026-03-01T12:15:00Z", "host")
    assert second["plan"]["actions"] == []


def test_what_the_playbook_left_is_wanted_and_not_drifted(lab: Lab) -> None:
    lab.applied().wish(PLAYBOOK.replace("200", "300"))
    out = lab.run("drift", "lab.yml", after=MINUTES, status=2)
    assert "→ wanted since the playbook changed, seen first now, never applied" in out
    lab.weigh(100, "hv02")
    out = lab.run("drift", "lab.yml", after=LONG, status=2)
    assert out.count("→ wanted since the playbook changed, 3 d 4 h ago, never applied") == 2
    assert "2 differences: 2 by a changed playbook." in out
    change = lab.data("drift", "lab.yml")["hosts"][0]["plan"]["actions"][0]["changes"][0]
    assert (change["moved"], change["wanted_since"]) == ("wish", "2026-03-01T12:15:00Z")
    lab.applied()
    assert "difference" not in lab.run("drift", "lab.yml", status=0)
    assert {d["gone"] is None for h in lab.data("history")["hosts"] for d in h["differences"]} == {False}


def test_of_what_was_never_as_wished_nobody_knows_who_moved(lab: Lab) -> None:
    assert "2 hosts: 2 drifted.  6 differences." in lab.run("drift", "lab.yml")
    assert "→ differs for 15 min" in lab.run("drift", "lab.yml", after=MINUTES)
    lab.wish(PLAYBOOK + "    - {name: new, type: private}\n")
    out = lab.run("drift", "lab.yml", after=MINUTES)
    assert re.search(r"\+ switch new .*\n +→ wanted since the playbook changed, seen first now", out)


def test_a_check_of_a_part_ends_nothing_elsewhere(lab: Lab) -> None:
    lab.applied()
    for host in lab.hosts:
        lab.weigh(100, host)
    lab.run("drift", "lab.yml", after=MINUTES)
    for host in lab.hosts:
        lab.weigh(200, host)
    lab.run("drift", "lab.yml", "--tags", "net", after=MINUTES, status=0)
    lab.run("drift", "lab.yml", "--limit", "hv02", after=MINUTES, status=0)
    first, second = lab.data("history", "--since", "2026-03-01 12:05")["hosts"]
    assert (first["differences"][0]["gone"], first["checks"]) == (None, 2)
    assert (second["differences"][0]["gone"], second["checks"]) == ("2026-03-01T12:45:00Z", 3)


def test_an_unreachable_host_leaves_its_drift_open_and_is_told(lab: Lab) -> None:
    lab.applied().weigh(100)
    lab.run("drift", "lab.yml", after=MINUTES)
    lab.away.add("hv01")
    assert "hv01  unreachable: connection refused" in lab.run("drift", "lab.yml", after=MINUTES, status=4)
    out = lab.run("drift", "lab.yml", after=timedelta(days=2), status=4)
    assert "hv01  unreachable for 2 d: connection refused" in out
    assert lab.data("drift", "lab.yml")["hosts"][0]["unreachable_since"] == "2026-03-01T12:30:00Z"
    out = lab.run("history", "hv01")
    assert re.search(r"! unreachable since 2026-03-01 ..:30 \(2 d\): connection refused by 192.0.2.1", out)
    assert "weight  100 → 200           open, 2 d" in out
    lab.away.clear()
    assert "→ drifted for 2 d" in lab.run("drift", "lab.yml")
    assert "3 not reached" in lab.run("history", "hv01")
    assert lab.data("history")["hosts"][0]["unreachable"][0]["back"] == "2026-03-03T12:30:00Z"


def test_a_host_that_cannot_be_read_in_full_leaves_its_drift_open(lab: Lab) -> None:
    lab.applied().weigh(100)
    lab.run("drift", "lab.yml", after=MINUTES)
    lab.mute = "Get-VMProcessor"
    lab.run("drift", "lab.yml", "--limit", "hv01", after=MINUTES, status=4)
    assert [d["gone"] for d in lab.data("history", "hv01")["hosts"][0]["differences"][-1:]] == [None]


def test_more_than_an_exclusive_list_holds_comes_and_goes(lab: Lab) -> None:
    host = lab.applied().hosts["hv01"]
    host.invoke("Add-VMDvdDrive", {"VMName": "ウェブ", "ControllerNumber": 0, "ControllerLocation": 5})
    out = lab.run("drift", "lab.yml", after=MINUTES, status=2)
    assert re.search(r"- dvd ウェブ, scsi 0:5 .*\n(.*\n)? +→ drifted since the check before", out)
    lab.mute = "Get-VMDvdDrive"
    lab.run("drift", "lab.yml", "--limit", "hv01", after=MINUTES, status=4)
    assert lab.data("history", "hv01")["hosts"][0]["differences"][-1]["gone"] is None
    lab.mute = ""
    host.invoke("Remove-VMDvdDrive", {"VMName": "ウェブ", "ControllerNumber": 0, "ControllerLocation": 5})
    lab.run("drift", "lab.yml", "--tags", "vms", after=MINUTES, status=0)
    span = lab.data("history", "hv01")["hosts"][0]["differences"][-1]
    assert (span["address"], span["ending"]) == (["dvd", "ウェブ", "scsi 0:5"], "as wished")


def test_a_thing_that_is_gone_as_a_whole(lab: Lab) -> None:
    lab.applied().weigh(100)
    lab.run("drift", "lab.yml", after=MINUTES)
    host = lab.hosts["hv01"]
    host.invoke("Stop-VM", {"Name": "ウェブ", "TurnOff": True, "Force": True})
    host.invoke("Remove-VM", {"Name": "ウェブ", "Force": True})
    out = lab.run("drift", "lab.yml", after=MINUTES, status=2)
    assert "→ drifted since the check before" in out
    assert "1 difference: 1 drifted." in out
    out = lab.run("history", "hv01", "--since", "2026-03-01 12:05")
    assert out.count("absent → present") == 1
    assert "weight  100 → 200" in out


COPIES = r"""
- name: copies
  hosts: hv01
  vms:
    - name: web01
      guest_files: [{source: app.conf, destination: 'C:\app.conf'}]
      exports: [{path: 'D:\exports', every: 1h, keep: 1}]
"""


def test_files_and_exports_are_gone_when_they_are_as_wished(lab: Lab, tmp_path: Path) -> None:
    """What they want is no value that the host could have: a hash that changes with the file, an age, a number."""
    services = {"guest_service_interface": True}
    lab.hosts["hv01"] = SimulatedHost.from_yaml(
        {"os": "2022", "vms": [{**VM, "name": "web01", "integration_services": services}]}
    )
    (tmp_path / "app.conf").write_text("one", encoding="utf-8")
    lab.wish(COPIES)
    assert "2 differences." in lab.run("drift", "lab.yml", status=2)
    lab.run("apply", "lab.yml", "-y", after=MINUTES, status=0)
    assert endings(lab) == {"source": "as wished", "every": "as wished"}

    (tmp_path / "app.conf").write_text("two", encoding="utf-8")
    lab.hosts["hv01"].clock.sleep(2 * 3600)
    found = lab.run("drift", "lab.yml", after=MINUTES, status=2)
    assert "3 differences: 2 drifted, 1 by a changed playbook." in found
    lab.run("export", "web01", "lab.yml", "--to", r"D:\exports", "-y", status=0)
    found = lab.data("drift", "lab.yml", after=MINUTES)["hosts"][0]["plan"]["actions"]
    assert {c["field"] for a in found for c in a["changes"]} == {"keep.20260401T0000Z_web01", "source"}
    lab.run("apply", "lab.yml", "-y", after=MINUTES, status=0)
    assert set(endings(lab).values()) == {"as wished"}
    (copies,) = lab.data("history")["hosts"][0]["standings"]
    assert (copies["what"], copies["name"], copies["standing"]) == ("export", "web01", r"in D:\exports")
    assert copies["lag_s"] < 600 and 7200 <= copies["most_lag_s"] < 7800
    assert r"export web01: in D:\exports, since " in lab.run("history")


def test_a_forgotten_checkpoint_that_was_removed_is_gone(lab: Lab) -> None:
    lab.wish("- hosts: hv01\n  vms:\n    - {name: ウェブ, checkpoint_maximum_age: 1d}\n")
    lab.run("drift", "lab.yml", status=0)
    host = lab.hosts["hv01"]
    host.invoke("Checkpoint-VM", {"Name": "ウェブ", "SnapshotName": "old"})
    host.clock.sleep(2 * 86400)
    assert "1 difference: 1 drifted." in lab.run("drift", "lab.yml", after=MINUTES, status=2)
    lab.run("apply", "lab.yml", "-y", "--allow", "destroy", after=MINUTES, status=0)
    assert endings(lab) == {"": "as wished"}


def endings(lab: Lab) -> dict[str, str | None]:
    return {d["field"].partition(".")[0]: d["ending"] for h in lab.data("history")["hosts"] for d in h["differences"]}


def test_a_check_tells_what_is_new_to_whoever_listens(lab: Lab) -> None:
    lab.applied()

    def news() -> News:
        lab.now += MINUTES
        settings = Settings(lab.connect, lambda: lab.now, place(DB))
        return checked(settings, Asked(("lab.yml",))).memory.news

    weight = Spot(address_of("hv01", ("processor", "ウェブ")), "weight")
    assert not news()
    lab.weigh(100)
    lab.away.add("hv02")
    assert news() == News(appeared=(weight,), lost=("hv02",))
    assert not news()
    lab.weigh(200)
    lab.away.clear()
    assert news() == News(went=(weight,), back=("hv02",))
    assert not news()


# --- it never spoils a check ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "named"),
    [("lab.yml", "lab.yml"), ("nonsense://hv:p%40ssw0rd@db/x", "nonsense://hv:***@db/x"), ("sqlite://", "sqlite://")],
)
def test_a_history_that_is_away_is_a_warning(lab: Lab, history: str, named: str) -> None:
    with_none = lab.run("drift", "lab.yml", "--no-history", status=2)
    assert lab.err == ""
    assert lab.run("drift", "lab.yml", "--history", history, status=2) == with_none
    said = " ".join(lab.err.split())
    assert f"warning: the history {named} " in said
    assert "this check is not remembered" in said
    assert "p%40ssw0rd" not in said
    lab.run("history", "--history", history, status=1)
    assert named in lab.err


def test_without_a_history_nothing_is_written(lab: Lab, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    lab.run("drift", "lab.yml", "--no-history")
    lab.run("plan", "lab.yml")
    lab.run("apply", "lab.yml", "--check")
    assert sorted(tmp_path.rglob("*")) == before
    out = lab.run("history", status=0)
    assert out == "The history history.db knows no check yet; hvctl drift stores one.\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_not_needed_is_not_imported() -> None:
    code = "import sys, hvctl.cli; sys.exit(any(m in sys.modules for m in ('sqlalchemy', 'alembic')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_secret_is_in_a_byte_of_it(lab: Lab, tmp_path: Path) -> None:
    lab.applied().wish(PLAYBOOK.replace("kept by hvctl", f"password: *** {'x' * 500}"))
    lab.run("drift", "lab.yml")
    lab.away.add("hv02")
    lab.run("drift", "lab.yml")
    found = b"".join(p.read_bytes() for p in tmp_path.glob(f"{DB}*"))
    assert "ウェブ".encode("ascii", "backslashreplace") in found
    assert SECRET.encode() not in found


# --- history -------------------------------------------------------------------------------------------------------


def test_history_says_which_hosts_it_does_not_know(lab: Lab) -> None:
    lab.applied()
    for pattern in ("east", "hv01", "hv0*:!hv02", "all:!west"):
        assert [h["host"] for h in lab.data("history", pattern)["hosts"]] == ["hv01"]
    assert "knows no host 'hv99'" in lab.run("history", "hv99", status=0)
    lab.run("history", "~(", status=1)
    lab.run("-i", "none.yml", "history", "east", status=1)


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_no_line_of_the_history_is_wider_than_the_console(
    lab: Lab, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.applied().wish(PLAYBOOK.replace("kept by hvctl", "とても長いメモ。" * 12))
    lab.weigh(100)
    lab.away.add("hv02")
    lab.run("drift", "lab.yml", after=LONG)
    monkeypatch.setenv("COLUMNS", str(width))
    lines = lab.run("history").splitlines()
    for line in lines:
        assert cell_len(line) <= width, line
        assert line == line.rstrip()
    starts = {cell_len(line[: m.start()]) for line in lines if (m := re.search(r"open, 0 s|gone after 0 s", line))}
    assert len(starts) == 1


def test_history_on_a_wide_console_is_one_line_a_difference(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.applied().weigh(100)
    lab.run("drift", "lab.yml", after=MINUTES)
    lab.weigh(200)
    lab.run("drift", "lab.yml", after=LONG)
    monkeypatch.setenv("COLUMNS", "160")
    out = lab.run("history", "hv01", "--since", "1d")
    assert re.search(r"field +seen → wanted +first seen +last seen +state +moved\n", out)
    times = r"2026-03-01 ..:15  2026-03-01 ..:15"
    assert re.search(rf"  weight +100 → 200 +{times}  gone after 3 d 4 h +drifted\n", out)
    assert re.search(r"1 host: 0 open, 1 gone, since 2026-03-03 16:15 UTC; times are UTC\.\n", out)
    lab.now += timedelta(days=9)
    assert "1 host, nothing to tell: 0 open, 0 gone" in lab.run("history", "hv01", "--since", "1h")
    assert "nothing differed" in lab.run("history", "hv01", "--since", "1h", "--all")


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        ("1d12h", timedelta(1.5)),
    ],
)
def test_since(text: str, ago: timedelta) -> None:
    now = datetime(2026, 3, 8, 12, tzinfo=UTC)
    assert since(text, now) == now - ago
    assert since("2026-03-01T09:00:00+09:00", now) == datetime(2026, 3, 1, 0, tzinfo=UTC)
    assert since("2026-03-01", now) == datetime(2026, 3, 1).astimezone()


@pytest.mark.parametrize("text", ["", "x", "7", "d", "99999999999d", "2026-13-01"])
def test_since_never(text: str) -> None:
    with pytest.raises(ConfigError, match="--since"):
        since(text, datetime(2026, 3, 8, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3725, "1 h 2 min"),
        (86_460, "1 d"),
        (273_600, "3 d 4 h"),
    ],
)
def test_how_long_something_lasted(seconds: float, said: str) -> None:
    assert lasted(timedelta(seconds=seconds)) == said
