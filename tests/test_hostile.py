"""Nothing that comes from a host, a playbook or an error acts on a terminal or forges a line: hostile characters are planted
in every field, and every byte that hvctl prints or writes is searched for them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Batch, Event, Failure, Reply, Transport, TransportError
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from hvctl.text.visible import HIDDEN, ascii_json, json_text, visible, visible_lines
from mocks.host import SimulatedHost
from mocks.objects import ErrorAction, ErrorRecord, Outcome
from mocks.twin import TwinTransport
from tests.schedule.test_drifting import Inbox
from tests.transports import Around

ACTING = "<b>\x1b[2J\x1b]8;;http://evil/\x07\x08\x0b\x0c\r\x7f\x85\x9b31m\u00ad\u061c\u200b\u200e\u202e\u2028\u2029\u2066\ufeff"
HOSTILE = f"{ACTING}[red]x[/red] :boom: | ` <b>\nFORGED: all hosts in sync\n"
SAID = f"{HOSTILE}\x00"
"""By a host: a file of the user's that has U+0000 is refused."""
STORED = HOSTILE.replace("\n", "\r\n")
"""What a host keeps; a name has one line, its notes have several."""
UNSEEN = "\x7f\x85\x9b31m\u202e\u2028\u2066\u200b\ufeff"
"""Even in names of files."""
NAME = f"vm{UNSEEN}[red]"
PATH = f"D:\\{UNSEEN}.vhdx"

STATE = {
    "os": "2022",
    "name": "hv01",
    "switches": [{"name": f"switch{ACTING}", "type": "Private"}],
    "vms": [
        {"name": NAME, "generation": 2, "state": "Running", "notes": STORED, "firmware": {"secure_boot": "Off"}},
        {"name": "web01", "generation": 2, "state": "Off", "notes": STORED,
         "drives": [{"at": "scsi 0:0", "path": PATH}]},
    ],
    "vhds": {PATH: {"size": "40GB"}},
}  # fmt: skip


def quoted(text: str) -> str:
    return json.dumps(text)  # YAML's double quotes are JSON's


PLAYBOOK = f"""
- name: {quoted(HOSTILE)}
  hosts: all
  allow: [restart]
  switches:
    - {{name: {quoted("switch" + ACTING)}, type: private, notes: {quoted(HOSTILE)}}}
  vms:
    - {{name: {quoted(NAME)}, notes: {quoted(HOSTILE + "!")}, processor: {{count: 4}}, firmware: {{secure_boot: true}}}}
    - {{name: {quoted("new" + UNSEEN)}, generation: 2, notes: {quoted(HOSTILE)}}}
    - name: web01
      disks: [{{at: scsi 0:0, path: {quoted(PATH)}, size: 50GB}}]
      network_adapters: [{{name: {quoted(ACTING)}, switch: {quoted("switch" + ACTING)}}}]
"""
WRONG = {
    "key.yml": f"- hosts: all\n  vms: [{{name: a, {quoted(ACTING + 'key')}: 1}}]\n",
    "value.yml": f"- hosts: all\n  vms: [{{name: a, state: {quoted(HOSTILE)}}}]\n",
    "expression.yml": f"- hosts: all\n  vms: [{{name: a, notes: {quoted('{{ ' + ACTING[0] + 'x }}')}}}]\n",
    "pattern.yml": f"- hosts: {quoted(ACTING)}\n  vms: [{{name: a}}]\n",
    "syntax.yml": f'- hosts: all\n  vms: [{{name: "\\q{ACTING[10]}"}}]\n',
}
COMMANDS = (
    "validate lab.yml",
    "-vv plan lab.yml",
    "plan lab.yml --diff",
    "plan lab.yml --json",
    "plan lab.yml --out plan.json --report html=r.html,junit=r.xml,json=r.json,markdown=r.md",
    "plan lab.yml --report html=-",
    "plan lab.yml --report junit=-",
    "plan lab.yml --report markdown=-",
    "drift lab.yml --metrics m.prom --notify {inbox} --report html=r.html,junit=r.xml,json=r.json,markdown=r.md",
    "drift lab.yml --history html.db --notify {inbox}?format=html",
    "drift lab.yml --json",
    "history",
    "history --json",
    "apply plan.json -y",
    "apply lab.yml -y --report html=r.html,junit=r.xml,json=r.json,markdown=r.md",
    "apply lab.yml -y --json",
    "drift lab.yml",
    "history --since 1d",
    "facts hv01",
    "facts hv01 --json",
    "record hv01 --out recording.json --playbook lab.yml",
    "inventory --list",
    "inventory --graph",
    *(f"validate {name}" for name in WRONG),
    f"plan {shlex.quote('no' + ACTING + '.yml')}",
    f"plan lab.yml --allow {shlex.quote(ACTING)}",
    f"plan lab.yml --limit {shlex.quote(ACTING)}",
    f"nonsense{shlex.quote(ACTING)}",
)


class Shouting(SimulatedHost):
    """A host whose errors and warnings are hostile too."""

    def invoke(self, cmdlet: str, params: Mapping[str, Any], error_action: ErrorAction = "Stop") -> Outcome:
        outcome = super().invoke(cmdlet, params, error_action)
        if cmdlet in ("Set-VMFirmware", "Get-VMReplication"):
            error = (f"System.Exception{ACTING}", -2147024891, SAID)
            outcome.errors.append(ErrorRecord(f"AccessDenied,{ACTING}", ACTING, SAID, (error,), SAID))
        if cmdlet.startswith(("Set-", "New-", "Get-VM")):
            outcome.warnings.append(SAID)
        return outcome

    def hello(self) -> dict[str, Any]:
        name = f"HV{UNSEEN}".replace("\x7f", "")  # a plan file takes no control characters in it
        return {**super().hello(), "computer": name, "user": name, "caption": f"Windows {SAID}"}


def spoilt(value: Any) -> Any:
    """Every text of an answer, made hostile."""
    if isinstance(value, str):
        return value + SAID
    if isinstance(value, Mapping):
        return {k: spoilt(v) for k, v in value.items()}
    return [spoilt(v) for v in value] if isinstance(value, list | tuple) else value


class Spoilt(Around):
    """A transport over which every text of every answer becomes hostile. `lost`: the host goes away with a hostile word."""

    def __init__(self, inner: Transport, wire: Wire, lost: bool = False) -> None:
        super().__init__(inner)
        self.wire, self.lost = wire, lost

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        if self.wire.on_wire is not None:
            self.wire.on_wire(Event("note", text=f"hv01: stderr: {SAID}", outside=(SAID,)))
        for kind in ("note", "notice"):
            on_event(Event(kind, text=SAID))
        on_event(Event("upload", text=SAID, done=1, total=2))
        if self.lost:
            raise TransportError(SAID, hint=SAID)
        replies = self.inner.run(batch, on_event)
        failures = (Failure(SAID, SAID, SAID, SAID),)
        return [
            replace(r, rows=spoilt(r.rows), warnings=spoilt(r.warnings), failures=r.failures and failures)
            for r in replies
        ]


@dataclass
class Lab:
    folder: Path
    capture: pytest.CaptureFixture[str]
    inbox: Inbox
    connect: Callable[[Connection, Wire], Transport]

    def search(self, command: str) -> tuple[int, str]:
        words = [w.replace("{inbox}", self.inbox.url) for w in shlex.split(command)]
        status = main(words, self.connect)
        out, err = self.capture.readouterr()
        texts = {"output": out, "errors": err}
        texts |= {
            f.name: f.read_text(encoding="utf-8")
            for f in self.folder.rglob("*")
            if f.is_file() and f.name not in WRONG and f.suffix not in (".db", ".yml", ".db-wal", ".db-shm")
        }
        texts["notification"] = "\n".join(f"{m['title']}\n{m['message']}" for m in self.inbox.got)
        for name, text in texts.items():
            assert sorted(set(HIDDEN.findall(re.sub("\n", "", text)))) == [], (command, name)
            assert not re.search("^FORGED", text, re.MULTILINE), (command, name)
        return status, err


@pytest.fixture
def lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Lab]]:
    inbox = Inbox()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "inventory.yml").write_text(
        f"all:\n  vars: {{ansible_user: u, ansible_password: p4ssw0rd-x, note: {quoted(HOSTILE)}}}\n  hosts: {{hv01: }}\n",
        encoding="utf-8",
    )
    for name, text in ({"lab.yml": PLAYBOOK} | WRONG).items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    def made(connect: Callable[[Connection, Wire], Transport]) -> Lab:
        return Lab(tmp_path, capsys, inbox, connect)

    yield made
    inbox.server.shutdown()
    inbox.server.server_close()


def test_nothing_hostile_is_printed_or_written(lab: Callable[..., Lab]) -> None:
    host = Shouting.from_yaml(STATE)
    here = lab(lambda connection, wire: TwinTransport(host))
    found = {command: here.search(command) for command in COMMANDS}
    refused = {command for command, (status, _) in found.items() if status not in (0, 2, 4, 6)}
    assert refused == {c for c in COMMANDS if "\x1b" in c or c.removeprefix("validate ") in WRONG}
    assert [("<b>" in m["message"], "&lt;b&gt;" in m["message"]) for m in here.inbox.got] == [
        (True, False),
        (False, True),
    ]
    assert any(call.cmdlet == "New-VM" for call in host.log)


@pytest.mark.parametrize("lost", [False, True])
def test_whatever_field_of_an_answer_it_stands_in(lost: bool, lab: Callable[..., Lab]) -> None:
    """That hosts answer nothing of the sort in most of them does not matter: such a host's trouble is told, safely."""
    host = Shouting.from_yaml(STATE)
    here = lab(lambda connection, wire: Spoilt(TwinTransport(host), wire, lost))
    for command in COMMANDS:
        here.search(command)


def test_a_fault_of_hvctl_itself_is_told_safely(lab: Callable[..., Lab]) -> None:
    def broken(connection: Connection, wire: Wire) -> Transport:
        raise RuntimeError(f"nobody expected {HOSTILE}")

    lab(broken).search("plan lab.yml")


# --- characters --------------------------------------------------------------------------------------------------------


def test_what_is_hidden_is_shown_as_an_escape() -> None:
    assert visible("a\x1b\n\t\u202e\ud800\U000e0041é仮→") == r"a\x1b\n\t\u202e\ud800\U000e0041é仮→"
    assert visible_lines("a\nb\rc") == "a\nb\\rc"
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        0x2028,
        0x2029,
        0x61C,
    ):
        assert visible(f"{chr(code)}{chr(code)}").isprintable(), hex(code)


def test_json_says_the_very_text() -> None:
    data = {HOSTILE: [HOSTILE, 1, None, "仮\U0001f600\U000e0041\ud800"]}
    text = json_text(data)
    assert not HIDDEN.search(text.replace("\n", ""))
    assert json.loads(text) == json.loads(ascii_json(text)) == data
    assert ascii_json(text).isascii()
