"""`hvctl schedule`: units of systemd over a systemctl that only writes down what it is asked, lines for a real shell."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hvctl.history import place
from hvctl.history.opening import opened
from hvctl.history.runs import last_runs
from hvctl.monitor.schedule.cron import Cron
from hvctl.monitor.schedule.crontab import crontab
from hvctl.monitor.schedule.job import Job, escaped, name_fault, name_of, unescaped
from hvctl.monitor.schedule.units import units
from tests import requirements
from tests.schedule.conftest import Lab

SYSTEMCTL = """#!/bin/sh
[ "$1" = --user ] && shift
echo "$*" >> "$FAKE/asked"
if [ "$1" = "$(cat "$FAKE/fails" 2>/dev/null)" ]; then
  echo "Failed to connect to bus: No medium found" >&2
  exit 1
fi
case "$1 $2" in
  "show "*.timer)
    printf 'ActiveState=active\\nLastTriggerUSec=Tue 2026-03-03 02:45:00 %s\\n' "$TZ"
    printf 'NextElapseUSecRealtime=\\nNextElapseUSecMonotonic=1month 2d 3h 4min 5.5s\\n' ;;
  "show "*.service)
    printf 'ActiveState=inactive\\nResult=success\\nExecMainStatus=2\\n' ;;
esac
"""

LAST = datetime(2026, 3, 3, 2, 45, tzinfo=UTC).astimezone()


class Fake:
    """A folder for PATH with a systemctl in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        program = folder / "systemctl"
        program.write_text(SYSTEMCTL, encoding="utf-8")
        program.chmod(0o755)
        loginctl = folder / "loginctl"
        loginctl.write_text("#!/bin/sh\necho no\n", encoding="utf-8")
        loginctl.chmod(0o755)

    @property
    def asked(self) -> list[str]:
        """What changes something, in order."""
        file = self.folder / "asked"
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith("show ")]

    def fail(self, verb: str) -> None:
        (self.folder / "fails").write_text(verb, encoding="utf-8")


@pytest.fixture
def systemctl(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake(lab.folder / "bin")
    monkeypatch.setenv("PATH", f"{fake.folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE", str(fake.folder))
    return fake


def written(lab: Lab) -> dict[str, str]:
    folder = lab.folder / "config" / "systemd" / "user"
    return {f.name: f.read_text(encoding="utf-8") for f in folder.iterdir()} if folder.exists() else {}


def test_a_timer_is_installed_listed_changed_and_removed(lab: Lab, systemctl: Fake) -> None:
    status, out, err = lab.hvctl("schedule", "install", "--every", "15m", "lab.yml")
    assert status == 0, err
    assert "Installed: lab, every 15 min, up to 1 min 30 s later" in out
    assert "loginctl enable-linger" in out
    assert f"write it into {lab.folder}/config/hvctl/lab.env, and `chmod 600` that" in err
    assert systemctl.asked == ["daemon-reload", "enable --now hvctl-drift-lab.timer"]
    assert sorted(written(lab)) == ["hvctl-drift-lab.service", "hvctl-drift-lab.timer"]
    assert "OnUnitActiveSec=900s\n" in written(lab)["hvctl-drift-lab.timer"]
    assert "s3cret" not in "".join(written(lab).values())

    _, out, _ = lab.hvctl("schedule", "list")
    assert out.splitlines()[0] == "lab   every 15 min, up to 1 min 30 s later   (user)"
    assert f"checks {lab.folder}/lab.yml" in out
    assert f"last   {LAST:%a %Y-%m-%d %H:%M:%S %Z}, drifted" in out
    assert "next   " in out

    _, out, _ = lab.hvctl("schedule", "install", "--cron", "0 3 * * mon-fri", "--splay", "5m", "lab.yml")
    assert "Changed: lab, 0 3 * * mon-fri, up to 5 min later" in out
    assert systemctl.asked == ["daemon-reload", "enable --now hvctl-drift-lab.timer", "restart hvctl-drift-lab.timer"]
    timer = written(lab)["hvctl-drift-lab.timer"]
    assert "OnCalendar=Mon,Tue,Wed,Thu,Fri *-*-* 03:00:00\nPersistent=true\n" in timer
    assert "RandomizedDelaySec=300s\n" in timer

    (lab.folder / "config" / "hvctl").mkdir()
    (lab.folder / "config" / "hvctl" / "lab.env").write_text("HVCTL_TEST_PASSWORD=x\n", encoding="utf-8")
    _, _, err = lab.hvctl("schedule", "install", "--every", "1h", "lab.yml")
    assert "can be read by others: `chmod 600" in err
    status, out, _ = lab.hvctl("schedule", "remove", "lab")
    assert (status, "lab.env is left there" in out) == (0, True)
    assert systemctl.asked[-2:] == ["disable --now hvctl-drift-lab.timer", "daemon-reload"]
    assert written(lab) == {}
    assert "No timer of hvctl is installed" in lab.hvctl("schedule", "list")[1]


def test_a_schedule_that_is_no_timer_is_listed_once_it_has_run_and_removed_in_the_history(
    lab: Lab, systemctl: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for machine, name in (("ctl1", "夜間=0 3 * * *"), ("ctl1", "lab=1h"), ("ctl2", "lab=2h")):
        monkeypatch.setenv("HVCTL_MACHINE", machine)
        lab.hvctl("--schedule", name, "drift", "none.yml")
    monkeypatch.setenv("HVCTL_MACHINE", "ctl1")
    assert lab.hvctl("schedule", "install", "--every", "1h", "lab.yml")[0] == 0
    assert "\nEnvironment=HVCTL_MACHINE=ctl1\n" in written(lab)["hvctl-drift-lab.service"]
    _, out, _ = lab.hvctl("schedule", "list")
    assert [line.split("   ")[0] for line in out.splitlines() if not line.startswith(" ")] == ["lab", "夜間"]
    assert (
        "(by cron or otherwise)\n  checks none.yml\n  last" in out
        and "not begun: its words, playbooks or inventory are at fault\n  next" in out
    )
    status, _, err = lab.hvctl("schedule", "remove", "夜間", "--machine", "ctl2")
    assert (status, "no schedule '夜間' of the machine 'ctl2'" in " ".join(err.split())) == (1, True), err
    assert lab.hvctl("schedule", "remove", "夜間", "--machine", "ctl1")[1] == "Removed in the history: 夜間 of ctl1\n"
    assert lab.hvctl("schedule", "remove", "lab")[0] == 0
    assert "No timer of hvctl" in lab.hvctl("schedule", "list")[1]
    with opened(place(None)).connect() as connection:
        assert [(one.machine, one.removed is None) for one in last_runs(connection) if one.schedule == "lab"] == [
            ("ctl1", False),
            ("ctl2", True),
        ]
    assert lab.hvctl("schedule", "install", "--every", "30d", "lab.yml")[0] == 0
    with opened(place(None)).connect() as connection:
        (lasted,) = [one for one in last_runs(connection) if (one.schedule, one.machine) == ("lab", "ctl1")]
    assert lasted.removed is None and lasted.next is not None, "as the timer has it"
    assert lasted.next > lasted.started + timedelta(days=2)


def test_the_command_of_the_unit_is_one_that_hvctl_runs(lab: Lab, systemctl: Fake) -> None:
    (lab.folder / "url").write_text("json://127.0.0.1:9/x\n", encoding="utf-8")
    (lab.folder / "vars.yml").write_text("x: 1\n", encoding="utf-8")
    status, _, err = lab.hvctl(
        "-f", "3", "schedule", "install", "--every", "1h", "--limit", "hv01", "-e", "@vars.yml", "-e", "y=a b",
        "--metrics", "hvctl.prom", "--notify", "file:url", "--report", "junit=drift.xml", "--history", "checks.db", "lab.yml",
    )  # fmt: skip
    assert status == 0, err
    (line,) = [x for x in written(lab)["hvctl-drift-lab.service"].splitlines() if x.startswith("ExecStart=")]
    program, *words = shlex.split(line.removeprefix("ExecStart="))
    assert Path(program).is_absolute()
    # The lab's environment may start it as a module.
    words = words[words.index("-i") :]
    os.chdir("/")
    status, out, err = lab.hvctl(*words)
    assert (status, "1 host: 1 in sync." in out) == (0, True), err
    assert "hvctl_hosts" in (lab.folder / "hvctl.prom").read_text(encoding="utf-8")
    assert "<testsuites" in (lab.folder / "drift.xml").read_text(encoding="utf-8")
    assert (lab.folder / "checks.db").exists()
    assert (lab.folder / "state" / "locks").is_dir() is False
    assert (lab.folder / "state" / "hvctl" / "locks" / "lab.lock").exists()


@pytest.mark.parametrize("verb", ["daemon-reload", "enable"])
def test_nothing_is_left_half_done(lab: Lab, systemctl: Fake, verb: str) -> None:
    systemctl.fail(verb)
    status, _, err = lab.hvctl("schedule", "install", "--every", "15m", "lab.yml")
    assert status == 1
    assert "failed: Failed to connect to bus: No medium found; the user's systemd does not run: log in" in err
    assert written(lab) == {}
    systemctl.fail("")
    lab.hvctl("schedule", "install", "--every", "15m", "lab.yml")
    before = written(lab)
    systemctl.fail(verb)
    assert lab.hvctl("schedule", "install", "--every", "1h", "lab.yml")[0] == 1
    assert written(lab) == before


def test_a_timer_that_cannot_be_disabled_stays(lab: Lab, systemctl: Fake) -> None:
    lab.hvctl("schedule", "install", "--every", "15m", "lab.yml")
    systemctl.fail("disable")
    status, _, err = lab.hvctl("schedule", "remove", "lab")
    assert (status, "disable --now hvctl-drift-lab.timer` failed" in err) == (1, True)
    assert len(written(lab)) == 2
    systemctl.fail("show")
    assert "lab   every 15 min, up to 1 min 30 s later   (user, not active)" in lab.hvctl("schedule", "list")[1]
    status, _, err = lab.hvctl("schedule", "remove", "lob")
    assert (status, "there is no schedule 'lob'; did you mean 'lab'?" in err) == (1, True)


def test_a_name_belongs_to_its_playbooks(lab: Lab, systemctl: Fake) -> None:
    lab.hvctl("schedule", "install", "--every", "15m", "lab.yml")
    other = lab.folder / "other"
    other.mkdir()
    shutil.copy("lab.yml", other)
    status, _, err = lab.hvctl("-i", "inventory.yml", "schedule", "install", "--every", "15m", "other/lab.yml")
    assert (status, "the name lab is taken by a schedule of" in err) == (1, True)
    assert (
        lab.hvctl("-i", "inventory.yml", "schedule", "install", "--every", "15m", "--name", "b", "other/lab.yml")[0]
        == 0
    )


def test_names() -> None:
    assert name_of(["/a/lab.yml", "/b/vm hosts.yaml"]) == "lab-vm-hosts"
    assert name_of(["/a/ラボ.yml"]) == name_of(["/a/ラボ.yml"]) != name_of(["/a/本番.yml"])
    for name in (name_of(["/a/ラボ.yml"]), name_of(["/a/" + "x" * 200 + ".yml"]), name_of(["/a/-.yml"])):
        assert name_fault(name) == ""
    for name in ("", "../x", "a b", "-x", "x" * 101, "a/b", "夜 間", "夜　間", "夜" * 20, "夜/間"):
        assert name_fault(name)
    for name in ("夜間", "夜間_本番-1", "ドリフト確認", "夜" * 19):
        assert name_fault(name) == ""
        assert escaped(name).isascii() and unescaped(escaped(name)) == name
    assert escaped("夜a-1") == r"\xe5\xa4\x9ca-1"  # as systemd-escape(1) says it, but for the hyphen


def test_a_name_in_japanese_is_escaped_for_systemd_and_nowhere_else(lab: Lab, systemctl: Fake) -> None:
    status, out, err = lab.hvctl("schedule", "install", "--every", "15m", "--name", "夜間", "lab.yml")
    assert status == 0, err
    unit = r"hvctl-drift-\xe5\xa4\x9c\xe9\x96\x93"
    assert "Installed: 夜間" in out and f"systemctl --user start '{unit}'" in out
    files = sorted(path.name for path in lab.folder.rglob("hvctl-drift-*"))
    assert files == [f"{unit}.service", f"{unit}.timer"]
    service = next(lab.folder.rglob("*.service")).read_text(encoding="utf-8")
    assert "--exclusive 夜間" in service and "--lang" not in service
    assert lab.hvctl("--lang", "ja", "schedule", "install", "--every", "15m", "--name", "夜間", "lab.yml")[0] == 0
    assert "--lang ja drift" in next(lab.folder.rglob("*.service")).read_text(encoding="utf-8")
    assert any(line.endswith(f"{unit}.timer") for line in systemctl.asked)
    assert "夜間" in lab.hvctl("schedule", "list")[1]
    assert lab.hvctl("schedule", "remove", "夜間")[0] == 0
    assert not list(lab.folder.rglob("hvctl-drift-*"))
    assert lab.hvctl("drift", "--exclusive", "夜間", "lab.yml")[0] == 0


def test_what_is_wrong_is_told_before_anything_is_written(lab: Lab, systemctl: Fake) -> None:
    (lab.folder / "wrong.yml").write_text("- hosts: hv01\n  vms: [{name: a, nmae: b}]\n", encoding="utf-8")
    for words, why in {
        ("--every", "15m", "wrong.yml"): "wrong.yml:2:19: unknown key 'nmae' in vm",
        ("--every", "15m", "nope.yml"): "nope.yml",
        ("lab.yml",): "say either --every or --cron",
        ("--every", "15m", "--cron", "0 3 * * *", "lab.yml"): "say either --every or --cron",
        ("--cron", "0 25 * * *", "lab.yml"): "--cron: hour: 25 is not within 0 to 23",
        ("--every", "30s", "lab.yml"): "too often for a timer",
        ("--every", "often", "lab.yml"): "--every: 'often' is not a span of time",
        ("--every", "15m", "--splay", "15m", "lab.yml"): "--splay 15m is no less than --every 15m",
        ("--every", "15m", "--name", "a/b", "lab.yml"): "--name a/b: a name is made of",
        ("--every", "15m", "--notify", "slack://a/b/s3cr", "lab.yml"): "--notify no. 1 would put a URL",
        ("--every", "15m", "--report", "html=-", "lab.yml"): "a timer has no output",
        (
            "--every",
            "15m",
            "--history",
            "postgresql://u:s3cr@db/h",
            "lab.yml",
        ): "--history postgresql://u:***@db/h would put",
        ("--every", "7m", "--format", "cron", "lab.yml"): "cron can say",
        ("--every", "15m", "--system", "--run-as", "a\nb", "lab.yml"): "not a valid account name",
        ("--every", "15m", "--run-as", "a", "lab.yml"): "--run-as needs --system",
        ("--every", "15m", "--out", "x", "lab.yml"): "--out is for cron and taskxml",
        ("--every", "15m", "--format", "taskxml", "--out", "no/x", "lab.yml"): "no/x cannot be written",
    }.items():
        status, _, err = lab.hvctl("schedule", "install", *words)
        assert (status, why in " ".join(err.split()), "s3cr" in err) == (1, True, False), (words, err)
    status, _, err = lab.hvctl("-k", "schedule", "install", "--every", "15m", "lab.yml")
    assert (status, "nobody to ask by --ask-pass" in err) == (1, True)
    assert (written(lab), systemctl.asked) == ({}, [])


def test_no_systemd(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(lab.folder))
    status, _, err = lab.hvctl("schedule", "install", "--every", "15m", "lab.yml")
    assert (status, "there is no systemctl here, so nothing was changed; without it use --format cron" in err) == (
        1,
        True,
    )
    assert written(lab) == {}


UGLY = '50% o\'f $HOME "x" \\y; ラボ'


def ugly_job(folder: Path, when: int | Cron, program: str) -> Job:
    words = (program, "-i", f"{folder}/inv", "drift", "$x", "%h", "\\%", ";", "", "it's", f"{folder}/lab.yml")
    return Job("lab", (f"{folder}/lab.yml",), words, str(folder), when, 90, (("XDG_STATE_HOME", f"{folder}/s"),),
               ("PW",), f"{folder}/lab.env")  # fmt: skip


@pytest.mark.parametrize("when", [900, Cron.parse("0 3 1,15 * 5")])
def test_systemd_accepts_units_with_ugly_paths(tmp_path: Path, when: int | Cron) -> None:
    folder = tmp_path / UGLY
    folder.mkdir()
    program = tmp_path / "50% o f $HOME; ラボ"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    for name, text in units(ugly_job(folder, when, str(program)), system=True).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    files = [str(tmp_path / f"hvctl-drift-lab.{kind}") for kind in ("timer", "service")]
    done = subprocess.run(
        [requirements.systemd_analyze(), "verify", *files], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0


def systemd_words(line: str) -> list[str]:
    """systemd.service(5), "Command lines": quotes and C escapes, then specifiers, then variables (none is set)."""
    words, word, quote, there, at = [], "", "", False, 0
    while at < len(line):
        char, at = line[at], at + 1
        if char == "\\":
            word, at, there = word + {"\\": "\\", '"': '"', "'": "'"}[line[at]], at + 1, True
        elif quote:
            word, quote = (word, "") if char == quote else (word + char, quote)
        elif char in "\"'" and not there:
            quote, there = char, True
        elif char == " ":
            words.append(word)
            word, there = "", False
        else:
            word, there = word + char, True
    words.append(word)
    plain = [re.sub("%(.)", lambda m: "%" if m[1] == "%" else f"<specifier {m[1]}>", w) for w in words]
    return [plain[0], *(re.sub(r"\$(\$|\w+|\{\w+\})", lambda m: "$" if m[1] == "$" else "", w) for w in plain[1:])]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="a%\\'\"; ${}h日", max_size=7), min_size=1, max_size=5))
def test_any_word_survives_systemd(words: Sequence[str]) -> None:
    text = units(Job("lab", ("/lab.yml",), ("/b$x/hvctl", *words), "/", 900), system=False)["hvctl-drift-lab.service"]
    (line,) = [x for x in text.splitlines() if x.startswith("ExecStart=")]
    assert systemd_words(line.removeprefix("ExecStart=")) == ["/b$x/hvctl", *words]


def test_a_unit_is_hardened_but_a_program_for_the_password_keeps_its_rights() -> None:
    one = Job("lab", ("/lab.yml",), ("/hvctl", "drift"), "/", 900)
    for system in (True, False):
        text = units(one, system=system)["hvctl-drift-lab.service"]
        assert ("ProtectSystem=full" in text, "NoNewPrivileges=yes" in text) == (system, True)
        assert "SuccessExitStatus=2 75 130 143\nKillMode=mixed\nKillSignal=SIGTERM\nTimeoutStopSec=120s\n" in text
    asking = Job("lab", ("/lab.yml",), ("/hvctl", "drift"), "/", 900, run_as="hvctl", own_programs=True)
    text = units(asking, system=True)["hvctl-drift-lab.service"]
    assert ("NoNewPrivileges" in text, "User=hvctl\n" in text) == (False, True)
    for folder in ("/a\nb", "/a ", "/a\\"):
        with pytest.raises(ValueError, match=r"control character|cannot stand in a unit"):
            units(Job("lab", ("/lab.yml",), ("/hvctl",), folder, 900), system=True)
    with pytest.raises(ValueError, match="no program with quotes or a backslash in its path"):
        units(Job("lab", ("/lab.yml",), ("/o'f/hvctl",), "/", 900), system=True)


HOSTILE = {
    "line": "x\nExecStartPre=/bin/evil", "return": "x\r* * * * * evil", "nul": "x\0y", "escape": "x\x1b[2J", "c1": "x\x9b2J",
    "next line": "x\x85y", "separator": "x\u2028y", "paragraph": "x\u2029y", "bidi": "x\u202ey", "not UTF-8": "x\udcff",
}  # fmt: skip
FIELDS: dict[str, Callable[[str], dict[str, Any]]] = {
    "name": lambda text: {"name": text},
    "playbook": lambda text: {"playbooks": (f"/{text}",)},
    "command": lambda text: {"command": ("/hvctl", "drift", text)},
    "program": lambda text: {"command": (f"/{text}", "drift")},
    "folder": lambda text: {"folder": f"/{text}"},
    "value": lambda text: {"environment": (("XDG_STATE_HOME", text),)},
    "variable": lambda text: {"environment": ((text, "1"),)},
    "secret": lambda text: {"secrets": (text,), "secrets_file": "/x.env"},
    "secrets file": lambda text: {"secrets": ("PW",), "secrets_file": f"/{text}"},
    "account": lambda text: {"run_as": text},
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_no_text_begins_a_line_of_its_own(field: Callable[[str], dict[str, Any]], text: str) -> None:
    """Whatever the format: a job with it is none, and the message can be printed."""
    plain: dict[str, Any] = {
        "name": "lab",
        "playbooks": ("/lab.yml",),
        "command": ("/hvctl", "drift"),
        "folder": "/",
        "when": 900,
    }
    assert Job(**plain)
    with pytest.raises(ValueError) as fault:
        Job(**{**plain, **field(text)})
    assert str(fault.value).isprintable()


@pytest.mark.parametrize("text", ["a b", "-x", "a/b", "a=b", "", "1x"])
def test_names_of_variables_and_accounts(text: str) -> None:
    for field in ("variable", "secret", *(["account"] if text else [])):
        with pytest.raises(ValueError, match="not a valid "):
            Job("lab", ("/lab.yml",), ("/hvctl", "drift"), "/", 900, **FIELDS[field](text))
    assert Job("lab", ("/lab.yml",), ("/hvctl", "drift"), "/", 900, run_as="svc-hv@lab.example")


def test_hostile_words_of_the_command_line_are_refused_before_anything_is_written(lab: Lab, systemctl: Fake) -> None:
    for words, why in {
        ("--name", "a\nb"): r"--name a\nb: a name is made of",
        (
            "--run-as",
            "root\nExecStartPre=/bin/evil",
            "--system",
        ): r"--run-as root\nExecStartPre=/bin/evil: not a valid account name",
        ("--metrics", "\x9b2J"): r"\x9b2J holds a control character (\x9b)",
        ("--report", "html=a\nb.html"): r"b.html holds a control character (\n)",
        ("--metrics", "a\rb.prom"): r"b.prom holds a control character (\r)",
        ("--format", "cron", "--metrics", "a\u2028b"): "holds a control character",
        ("--format", "taskxml", "--metrics", "a\u202eb"): "holds a control character",
    }.items():
        status, out, err = lab.hvctl("schedule", "install", "--every", "15m", *words, "lab.yml")
        assert status == 1, words
        assert why in " ".join(err.split()), (words, err)
        assert out == ""
    assert (written(lab), systemctl.asked) == ({}, [])


@pytest.mark.skipif(sys.platform != "linux", reason="the glob(3) that systemd calls is that of Linux")
@pytest.mark.parametrize("name", ["a*b", "a?b", "[a-z]", "a\\*b", "50%", "a b"])
def test_the_file_of_secrets_is_no_pattern(name: str, tmp_path: Path) -> None:
    for other in (name, "axb", "a", "b", "aab"):
        (tmp_path / f"{other}.env").write_text("", encoding="utf-8")
    job = Job(
        "lab", ("/lab.yml",), ("/hvctl", "drift"), "/", 900, secrets=("PW",), secrets_file=f"{tmp_path}/{name}.env"
    )
    text = units(job, system=True)["hvctl-drift-lab.service"]
    (line,) = [x for x in text.splitlines() if x.startswith("EnvironmentFile=")]
    pattern = line.removeprefix("EnvironmentFile=-").replace("%%", "%")
    assert matches(pattern) == [f"{tmp_path}/{name}.env"]


class _Glob(ctypes.Structure):
    _fields_ = (
        ("count", ctypes.c_size_t), ("paths", ctypes.POINTER(ctypes.c_char_p)), ("offset", ctypes.c_size_t),
        ("more", ctypes.c_char * 256),
    )  # fmt: skip


def matches(pattern: str) -> list[str]:
    """By glob(3) without flags, as systemd calls it."""
    found = _Glob()
    ctypes.CDLL(None).glob(pattern.encode(), 0, None, ctypes.byref(found))
    return [found.paths[n].decode() for n in range(found.count)]


def test_a_value_of_the_environment_arrives_as_it_is() -> None:
    """In Environment= a $ means nothing, so it stays single."""
    job = Job("lab", ("/lab.yml",), ("/hvctl",), "/", 900, environment=(("XDG_STATE_HOME", '/s$x "50%" \\y'),))
    text = units(job, system=False)["hvctl-drift-lab.service"]
    assert 'Environment="XDG_STATE_HOME=/s$x \\"50%%\\" \\\\y"\n' in text


def test_a_unit_waits_longer_than_the_grace(lab: Lab, systemctl: Fake) -> None:
    assert lab.hvctl("--grace", "5m", "schedule", "install", "--every", "15m", "lab.yml")[0] == 0
    text = written(lab)["hvctl-drift-lab.service"]
    assert "TimeoutStopSec=360s\n" in text
    assert " --grace 5m drift " in text


def cron_runs(line: str) -> str:
    """What the shell gets of a line: Vixie's cron takes the backslash from before a %, and ends at a bare one."""
    command, escaped = "", False
    for char in line.split(" ", 5)[5].removesuffix("\n"):
        if escaped:
            command = command[:-1] + char if char == "%" else command + char
            escaped = False
            continue
        if char == "%":
            break
        command, escaped = command + char, char == "\\"
    return command


def argv_of(job: Job, folder: Path) -> list[str]:
    """The words that arrive at the program of a crontab line, by a real shell."""
    line = crontab(job).splitlines(keepends=True)[1]
    done = subprocess.run(["sh", "-c", cron_runs(line)], capture_output=True, text=True, cwd="/", check=True)
    here, *words = done.stdout.split("\0")[:-1]
    assert here == str(folder)
    return words


SHOWS = "import os,sys; print(os.getcwd(), *sys.argv[1:], os.environ.get('PW'), sep='\\0', end='\\0')"


def test_a_line_of_crontab_reaches_the_program_whole(tmp_path: Path) -> None:
    folder = tmp_path / UGLY
    folder.mkdir()
    (folder / "lab.env").write_text("PW='a b'\n", encoding="utf-8")
    job = ugly_job(folder, 900, sys.executable)
    shown = Job(**{**vars(job), "command": (sys.executable, "-c", SHOWS, *job.command[1:])})
    words = argv_of(shown, folder)
    assert words[-1] == "a b"
    assert words[:-1] == ["-i", f"{folder}/inv", "drift", "--splay", "1m30s", *job.command[4:]]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(alphabet="a%\\' $", max_size=7), min_size=1, max_size=5))
def test_any_word_survives_cron(words: Sequence[str]) -> None:
    line = crontab(Job("lab", ("lab.yml",), ("/hvctl", *words), "/", Cron.parse("@daily"))).splitlines()[1]
    # Only single quotes and a backslash before one are in it, which shlex reads as a shell does.
    assert shlex.split(cron_runs(line)) == ["cd", "/", "&&", "exec", "/hvctl", *words]


def test_what_cron_cannot_hold() -> None:
    for word, why in {
        "a\nb": r"a\\nb holds a control character",
        "x" * 1000: "cron takes 998; use shorter paths",
    }.items():
        with pytest.raises(ValueError, match=why):
            crontab(Job("lab", ("lab.yml",), ("/hvctl", "drift", word), "/", 900))


def test_lines_and_tasks_are_printed_or_written(lab: Lab) -> None:
    status, out, err = lab.hvctl("schedule", "install", "--every", "15m", "--format", "cron", "lab.yml")
    assert (status, "crontab -e" in err) == (0, True)
    assert "*/15 * * * * cd " in out
    assert "set -a && . " in out
    status, out, _ = lab.hvctl("schedule", "install", "--every", "15m", "--print", "lab.yml")
    assert (status, out.count("[Unit]")) == (0, 2)
    status, _, err = lab.hvctl(
        "schedule", "install", "--every", "15m", "--format", "taskxml", "--out", "lab.xml", "lab.yml"
    )
    assert (status, "schtasks /Create /TN hvctl\\lab /XML lab.xml" in err) == (0, True)
    data = (lab.folder / "lab.xml").read_bytes()
    assert data[:2] in (b"\xff\xfe", b"\xfe\xff")
    assert 'encoding="UTF-16"' in data.decode("utf-16")
    assert "no Windows" in err


@pytest.mark.parametrize(
    ("verb", "said"), [("drift", "in sync"), ("metering", "done"), ("apply", "done"), ("export", "done")]
)
def test_how_the_last_run_ended_is_said_in_the_words_of_its_verb(
    verb: str, said: str, lab: Lab, systemctl: Fake
) -> None:
    program = systemctl.folder / "systemctl"
    program.write_text(SYSTEMCTL.replace("ExecMainStatus=2", "ExecMainStatus=0"), encoding="utf-8")
    words = () if verb == "drift" else (f"--{verb}",)
    assert lab.hvctl("schedule", "install", *words, "--every", "1h", "lab.yml")[0] == 0
    assert f"{LAST:%Z}, {said}\n" in lab.hvctl("schedule", "list")[1]
