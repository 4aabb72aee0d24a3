"""Secrets never reach what hvctl prints or writes: one is planted everywhere a secret can stand, and every byte of the
output and of every file is searched for it."""

from __future__ import annotations

import base64
import functools
import html
import io
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import keyring
import pytest
from keyring.backend import KeyringBackend
from starlette.testclient import TestClient

from hvctl.call import Call, Failure, HostInfo, Reply, Secret, Transport, TransportError
from hvctl.cli import main
from hvctl.cli.options import EXIT_FAULT
from hvctl.config.inventory import Connection
from hvctl.core.misreading import Misreading
from hvctl.core.plan import Line
from hvctl.core.rows import UnreadableError, typed
from hvctl.fleet.connect import Wire, real_connect
from hvctl.redaction import redact
from hvctl.redaction.redact import Redactor
from hvctl.redaction.streams import Output as Stream
from hvctl.text.diagnostic import Diagnostic, Mark
from hvctl.text.masks import MASK, PIECE, SHORTEST
from mocks.faults import Trouble
from mocks.host import SimulatedHost
from mocks.objects import ErrorAction, ErrorRecord, Outcome
from mocks.run import Disk
from mocks.shells import Output, Process, TwinProcess
from mocks.twin import Twin, TwinTransport
from mocks.wsman import Endpoint, Server
from tests.faults.process import Process as Run
from tests.inventory.sealing import sealed
from tests.schedule.test_drifting import Inbox

USER = "hvadmin"
PROCESSORS = Call("Get-VMProcessor", {}, ("VMId", "RelativeWeight"))
SECRET = "q7Zr4kXw9f\"<&>'\\ %ラボ+T5mB2vNc8d"
WRONG = "w3Wr0ngKx1\"<&>'\\ %ラボ+P6hL9sQe4j"
"""A password that the host does not take."""
TOKEN = "k9Xv2pTg7c\"<&>'\\ %ラボ+J4dR8yWm3s"
"""Goes into a file for a guest, and nowhere else."""
CORES = ("q7Zr4kXw9f", "T5mB2vNc8d", "w3Wr0ngKx1", "P6hL9sQe4j", "k9Xv2pTg7c", "J4dR8yWm3s")
"""Parts of them that look the same however the rest is escaped."""

# --- what is run ---------------------------------------------------------------------------------------------------

REPORTS = "--report html=r.html,junit=r.xml,json=r.json,markdown=r.md"
COMMANDS: dict[str, str] = {
    # name of the output: command line. Whatever a command prints, and every file that is there afterwards, is searched
    # (XDG_STATE_HOME and XDG_CONFIG_HOME included): a new verb or a new kind of output is a line here.
    "validate": "validate lab.yml",
    "plan": f"plan lab.yml --allow restart --out plan.json {REPORTS}",
    "plan as JSON": "plan lab.yml --json",
    "plan as a difference": "plan lab.yml --diff",
    "drift": f"drift lab.yml {REPORTS}",
    "drift as JSON": "--schedule night=1h drift lab.yml --json",
    "metrics": "drift lab.yml --metrics metrics.prom",
    "notification": "drift lab.yml --history of-its-own.sqlite --notify {inbox}",
    "notification that fails": "drift lab.yml --history another.sqlite --notify json://u:{wrong}@127.0.0.1:9/",
    "notification nowhere": "drift lab.yml --notify nonsense://u:{wrong}@127.0.0.1:9/",
    "systemd": "schedule install --every 15m --print --notify env:HVCTL_PLANTED_URL lab.yml",
    "crontab": "schedule install --every 15m --format cron --notify env:HVCTL_PLANTED_URL lab.yml",
    "task of Windows": "schedule install --every 15m --format taskxml --out task.xml lab.yml",
    "schedule with a secret": "schedule install --every 15m --format cron --notify json://u:{wrong}@127.0.0.1:9/ lab.yml",
    "history": "history",
    "history as JSON": "history --since 1d --json",
    "saved plan": f"apply plan.json -y {REPORTS}",
    "apply": f"apply lab.yml -y --allow restart {REPORTS}",
    "apply as JSON": "apply lab.yml -y --json",
    "facts": "facts hv01",
    "facts as JSON": "facts hv01 --json",
    "recording": "record hv01 --out recording.json --playbook lab.yml",
    "scrubbed recording": "record hv01 --out scrubbed.json --scrub",
    "inventory": "inventory --list",
    "inventory graph": "inventory --graph",
    "extra variables": "plan lab.yml --json -e ansible_password={secret}",
    "wrong extra variable": "plan lab.yml -e {secret}",
    "unreadable extra variable": "plan lab.yml -e x={{{secret}",
    "secret in a value": "plan leaking.yml",
    "secret in an expression": "plan roundabout.yml --json",
    "plan of a file": f"plan files.yml --out files.json {REPORTS}",
    "apply of a file": f"apply files.yml -y {REPORTS}",
    "drift of a file": "drift files.yml --metrics metrics.prom --notify {inbox} --json",
    "export": f"export web01 files.yml -y {REPORTS}",
    "export elsewhere": r"export web01 --to 'C:\elsewhere' -y --json",
    "facts of a file": "facts hv01 --json",
    "recording of a file": "record hv01 --out files-recorded.json --playbook files.yml",
    "template that fails": "validate broken.yml",
    "wrong password": f"drift lab.yml -i refused.yml {REPORTS}",
    "history in a database": "drift lab.yml --history mysql+pymysql://u:{wrong}@127.0.0.1:9/x?ssl_key={wrong}",
    "history that nobody knows": "history --history nonsense://u:{wrong}@127.0.0.1:9/x",
    "secret that stands in a playbook": f"drift literal.yml --history literal.sqlite {REPORTS}",
}
FEW = ("plan", "saved plan", "drift", "facts", "inventory", "secret in a value", "secret in an expression")
"""Enough where only the way to the secret differs."""
MASKED = ("plan", "apply", "drift", "facts as JSON", "recording", "apply of a file", "export", "template that fails")
"""In these the secret would stand if it were not masked."""

# --- where it is planted -------------------------------------------------------------------------------------------

QUOTED = json.dumps(SECRET, ensure_ascii=False)  # YAML's double quotes are JSON's
SCRIPT = f"import sys; sys.stderr.write('noise'); print({SECRET!r})"


def vaulted(text: str) -> str:
    """As a value of the inventory; the vault password is WRONG."""
    return "!vault |\n" + textwrap.indent(sealed(text, WRONG), " " * 6)


PLANTS: dict[str, str] = {
    # name of the place: variables of the inventory
    "environment": "ansible_password: !env HVCTL_PLANTED",
    "command": f"ansible_password: !command [{json.dumps(sys.executable)}, -c, {json.dumps(SCRIPT, ensure_ascii=False)}]",
    "plain": f"ansible_password: {QUOTED}",
    "keyring": "ansible_password: !keyring hyper-v/hvadmin",
    "variable": f"vault_password: {QUOTED}\n    ansible_password: '{{{{ vault_password }}}}'",
    "nested variable": f"vault: {{hv: {QUOTED}}}\n    ansible_winrm_pass: '{{{{ vault.hv }}}}'",
    "vaulted value": f"ansible_password: {vaulted(SECRET)}",
    "vaulted file": "x: y",
}
PLAYBOOK = """
- name: lab
  hosts: hv01
  vms:
    - name: web01
      notes: not a secret
      processor: {count: 4, weight: 200}
      firmware: {secure_boot: true}
    - name: old01
      notes: x
"""
LEAKING = """
- hosts: hv01
  vms:
    - {name: web01, notes: 'it is {{ VARIABLE }}'}
"""
LITERAL = f"- hosts: hv01\n  vms:\n    - {{name: web01, notes: {QUOTED}}}\n    - {{name: {json.dumps(SECRET[:12])}}}\n"
FILES = r"""
- hosts: hv01
  vms:
    - name: web01
      guest_files: [{template: key.j2, destination: 'C:\key'}]
      exports: [{path: 'C:\exports', every: 1h, keep: 1}]
"""
TOKEN_OF_THE_SITE = "site_token: !env HVCTL_PLANTED_TOKEN"
TEMPLATES = {"key.j2": "key = {{ site_token }}\n", "broken.j2": "{{ {'a': 1}[site_token] }}\n"}
VARIABLE = {"variable": "vault_password", "nested variable": "vault.hv"}
"""What the password is taken from, where it is not ansible_password itself."""
ROUNDABOUT = """
- hosts: hv01
  vms:
    - name: web01
      notes: "{{ hostvars['hv01'].values() | list | join(' ') }}"
      automatic_start_delay: "{{ (ansible_password | default('x') | lower | length) }}"
"""
STATE = {
    "os": "2022",
    "name": "hv01",
    "vms": [
        {"name": "web01", "generation": 2, "state": "Running", "notes": f"hv = {SECRET}", "firmware": {"secure_boot": "Off"},
         "integration_services": {"guest_service_interface": True}, "guest": {"contact_seconds": 0}},
        {"name": "old01", "generation": 1, "state": "Off"},
    ],
}  # fmt: skip


def coded(secret: str) -> str:
    """As programs repeat it: a header, a dump, and lines of 80 columns."""
    header = base64.b64encode(f"{USER}:{secret}".encode()).decode()
    dump = secret.encode("utf-16-le").hex(" ")
    wrapped = textwrap.fill("." * 70 + secret, 80, drop_whitespace=False)
    return f"Authorization: Basic {header}\n{dump}\n{wrapped}\n{quote(secret, safe='').lower()}"


class Echoing(SimulatedHost):
    """A host that repeats the password in whatever it says."""

    def invoke(self, cmdlet: str, params: Mapping[str, Any], error_action: ErrorAction = "Stop") -> Outcome:
        outcome = super().invoke(cmdlet, params, error_action)
        said = f"Cannot do it as {USER} with {SECRET}, {json.dumps(SECRET)}, {quote(SECRET)} or {coded(SECRET)}"
        if cmdlet in ("Set-VMFirmware", "Get-VMReplication"):
            error = ("System.Exception", -2147024891, said)
            outcome.errors.append(ErrorRecord(f"AccessDenied,{SECRET}", "PermissionDenied", said, (error,), SECRET))
        if cmdlet == "Copy-VMFile":
            said = f"{said}, {TOKEN}, {json.dumps(TOKEN)} or {quote(TOKEN)}"
        if cmdlet.startswith(("Set-", "Copy-", "Export-")):
            outcome.warnings.append(f"{said}. " * 3)
        return outcome

    def hello(self) -> dict[str, Any]:
        return {**super().hello(), "user": f"{USER} {SECRET}", "caption": f"Windows {SECRET}"}


def noisy(host: SimulatedHost) -> Callable[[Output], Process]:
    """A PowerShell that says the password on its standard error, once so that a cut goes through it."""
    disk = Disk()

    def start(output: Output) -> Process:
        output.put(err=f"password {SECRET}\n".encode())
        output.put(err=b"." * 440 + SECRET.encode())
        output.put(out=f"profile: {SECRET}\n".encode())
        return TwinProcess(Twin(host, disk), output)

    return start


# --- where it is looked for ----------------------------------------------------------------------------------------


class Killed(Run):
    """A run of hvctl that is killed on its way."""

    gone = False

    def kill(self) -> None:
        self.gone = True
        super().kill()


@functools.cache
def looks(secret: str) -> tuple[tuple[str, bytes], ...]:
    return tuple(_looks(secret))


def _looks(secret: str) -> Iterator[tuple[str, bytes]]:
    """Everything that a secret may look like. The search takes the same text with all white space gone, so that no
    folded line hides it."""
    texts = {
        "plain": secret,
        "JSON": json.dumps(secret)[1:-1],
        "JSON in UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1],
        "HTML": html.escape(secret),
        "XML": html.escape(secret, quote=False),
        "URL": quote(secret, safe=""),
        "URL path": quote(secret),
        "form": quote_plus(secret),
        "Python": repr(secret)[1:-1],
        "PowerShell": secret.replace("'", "''"),
        "hexadecimal": secret.encode().hex(),
    }
    for name, text in texts.items():
        yield name, text.encode()
        yield f"{name} in UTF-16", text.encode("utf-16-le")
        yield f"{name} in UTF-16, the other way", text.encode("utf-16-be")
    for encoding in ("utf-8", "utf-16-le"):
        for shift in range(3):  # at every place within a longer text that was encoded as a whole
            whole = base64.b64encode(b"\0" * shift + secret.encode(encoding))
            yield f"base64 of {encoding}, {shift}", whole[4 * bool(shift) : -4]
            yield (
                f"base64 for URLs of {encoding}, {shift}",
                whole[4 * bool(shift) : -4].translate(bytes.maketrans(b"+/", b"-_")),
            )


def found_in(data: bytes) -> list[str]:
    """How a secret stands in there; empty if it does not. Eight letters of it in a row are enough."""
    bare = re.sub(rb"\x1b\[[0-9;]*m|\\[nrt]|\s", b"", data)
    found = [
        name
        for secret in (SECRET, WRONG, TOKEN)
        for name, look in looks(secret)
        if look in data or re.sub(rb"\s", b"", look) in bare
    ]
    pieces = {core[n : n + 8] for core in CORES for n in range(len(core) - 7)}
    return found + [f"the piece {p}" for p in sorted(pieces) if p.encode() in bare or p.encode("utf-16-le") in data]


def test_the_search_finds_what_it_looks_for() -> None:
    for name, look in looks(SECRET):
        assert found_in(b"x" * 7 + look + b"y"), name
    assert found_in(f"| {SECRET[:8]} \n | ".encode())
    assert found_in("  \n".join(SECRET).encode())
    assert found_in(base64.b64encode(f"{USER}:{SECRET}".encode()))
    assert not found_in(b"nothing of the kind")


# --- the runs ------------------------------------------------------------------------------------------------------


@dataclass
class Lab:
    """A folder with an inventory and playbooks, and a host behind it."""

    endpoint: Endpoint
    folder: Path
    capture: pytest.CaptureFixture[str]
    inbox: Inbox
    clean: set[tuple[str, int, int]] = field(default_factory=set)

    def run(self, command: str, connect: Callable[[Connection, Wire], Transport] = real_connect) -> tuple[int, str]:
        stand = {"{secret}": SECRET, "{wrong}": quote(WRONG, safe=""), "{inbox}": self.inbox.url}
        words = [
            functools.reduce(lambda word, name: word.replace(name, stand[name]), stand, w) for w in shlex.split(command)
        ]
        options = ["-vv"] if words[:1] != ["inventory"] else []
        if "-i" in words:
            at = words.index("-i")
            options += words[at : at + 2]
            del words[at : at + 2]
        status = main([*options, *words], connect)
        out, err = self.capture.readouterr()
        return status, out + err

    def leaks(self, said: str) -> list[str]:
        found = [f"printed as {how}" for how in found_in(said.encode())]
        found += [f"sent as {how}" for how in found_in(repr(self.inbox.got).encode())]
        planted = {"inventory.yml", "refused.yml", "literal.yml", "vault-password"}
        for file in self.folder.rglob("*"):
            with suppress(FileNotFoundError):  # what is kept of an open shell goes when its host has closed it
                if file.is_file() and file.name not in planted and (state := _state(file)) not in self.clean:
                    found += [f"{file.relative_to(self.folder)} as {how}" for how in found_in(file.read_bytes())]
                    found += [f"the name {file.name}"] * bool(found_in(file.name.encode()))
                    self.clean.add(state)
        return found


def _state(file: Path) -> tuple[str, int, int]:
    """A file that was searched and did not change since need not be searched again."""
    return (str(file), file.stat().st_mtime_ns, file.stat().st_size)


class Keyring(KeyringBackend):
    """A keyring with one entry."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        return SECRET if (service, username) == ("hyper-v", USER) else None

    def set_password(self, service: str, username: str, password: str) -> None: ...


@pytest.fixture
def lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., Lab]]:
    servers: list[Server] = []
    inbox = Inbox()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_PLANTED", SECRET)
    monkeypatch.setenv("HVCTL_PLANTED_TOKEN", TOKEN)
    monkeypatch.setenv("HVCTL_PLANTED_URL", f"json://u:{quote(WRONG, safe='')}@127.0.0.1:9/")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())  # type: ignore[no-untyped-call]
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def made(plant: str, variable: str = "ansible_password") -> Lab:
        leaking = LEAKING.replace("VARIABLE", variable)
        host = Echoing.from_yaml(STATE)
        endpoint = Endpoint(host, {USER: SECRET}, start=noisy(host))
        servers.append(Server([endpoint]))
        servers[-1].__enter__()
        for file, variables in (
            ("inventory.yml", plant),
            ("refused.yml", f"ansible_password: {json.dumps(WRONG, ensure_ascii=False)}"),
        ):
            (tmp_path / file).write_text(
                f"all:\n  vars:\n    ansible_user: {USER}\n    ansible_port: {endpoint.port}\n"
                f"    ansible_winrm_scheme: http\n    ansible_host: 127.0.0.1\n    {TOKEN_OF_THE_SITE}\n"
                f"    {variables}\n  hosts:\n    hv01:\n",
                encoding="utf-8",
            )
        playbooks = {
            "lab.yml": PLAYBOOK, "leaking.yml": leaking, "roundabout.yml": ROUNDABOUT,
            "literal.yml": LITERAL, "files.yml": FILES, "broken.yml": FILES.replace("key.j2", "broken.j2"),
        }  # fmt: skip
        for file, text in (playbooks | TEMPLATES).items():
            (tmp_path / file).write_text(text, encoding="utf-8")
        return Lab(endpoint, tmp_path, capsys, inbox)

    yield made
    keyring.set_keyring(before)
    for server in servers:
        server.__exit__(None, None, None)
    inbox.server.shutdown()
    inbox.server.server_close()


def with_vault(here: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    (here.folder / "vault-password").write_text(WRONG, "utf-8")
    monkeypatch.setenv("HVCTL_VAULT_PASSWORD_FILE", str(here.folder / "vault-password"))


@pytest.mark.parametrize("place", PLANTS)
def test_no_secret_is_printed_or_written(place: str, lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    if place == "command":
        monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    here = lab(PLANTS[place], VARIABLE.get(place, "ansible_password"))
    if place.startswith("vaulted"):
        with_vault(here, monkeypatch)
    if place == "vaulted file":
        (here.folder / "group_vars").mkdir()
        (here.folder / "group_vars/all.yml").write_text(sealed(f"ansible_password: {QUOTED}\n", WRONG), "utf-8")
    for name, command in COMMANDS.items():
        if place != "environment" and name not in FEW:
            continue
        status, said = here.run(command)
        assert status != EXIT_FAULT, f"{name}: {said}"
        assert "Traceback" not in said, f"{name}: {said}"
        assert here.leaks(said) == [], name
        if name == "secret in a value":
            assert (status, "a secret cannot stand in an ordinary value" in " ".join(said.split())) == (1, True), said
        if name in ("apply of a file", "export"):
            assert (status, "steps done" in said) == (0, True), said
        if name == "notification":
            assert here.inbox.got, said
        if name in MASKED:
            assert MASK in said + "".join(f.read_text("utf-8") for f in here.folder.glob("r*.*")), name
    if place == "environment":
        for address, told in pages(here.folder / "state" / "hvctl" / "history.db"):
            assert here.leaks(told) == [], address


def pages(history: Path) -> Iterator[tuple[str, str]]:
    """All that the dashboard tells of what all commands have left in the history."""
    from hvctl.dashboard.app import application  # noqa: PLC0415
    from hvctl.dashboard.guard import Anyone  # noqa: PLC0415
    from hvctl.dashboard.pages import Site  # noqa: PLC0415
    from hvctl.history import place  # noqa: PLC0415

    site = Site(place(str(history)), Anyone(), timedelta(days=1), {}, lambda: datetime.now(UTC))
    client = TestClient(application(site, ["localhost"]), "http://localhost")
    addresses = [
        "/",
        "/hosts",
        "/hosts/hv01",
        "/drifts",
        "/drifts?which=gone",
        "/drifts?which=accepted",
        "/clusters",
        "/replicas",
    ]
    addresses += ["/exports", "/schedules", "/checks"]
    rows = client.get("/checks?format=json").json()["found"]["rows"]
    assert len(rows) >= 5
    addresses += [f"/checks/{row['number']}" for row in rows]
    ran = [one["last"] for one in client.get("/schedules?format=json").json()["found"]["rows"]]
    assert ran
    addresses += [f"/schedules/{one['verb']}/{one['schedule']}" for one in ran]
    planned = 0
    for address in addresses:
        for accept in ("text/html", "application/json"):
            answer = client.get(address, headers={"accept": accept})
            assert answer.status_code == 200, address
            planned += '"fields":[' in answer.text
            yield address, answer.text
    assert planned, "plans are among it"


def test_a_vaulted_value_is_used_and_told_nowhere(lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    here = lab(f"{PLANTS['environment']}\n    site_note: {vaulted(TOKEN)}", "site_note")
    with_vault(here, monkeypatch)
    for command in ("validate leaking.yml", f"plan leaking.yml --out p.json {REPORTS}", f"apply p.json -y {REPORTS}",
                    f"drift leaking.yml {REPORTS}", "history", "facts hv01 --json", "inventory --list"):  # fmt: skip
        status, said = here.run(command)
        assert status in (0, 2, 4), said
        assert here.leaks(said) == [], command
    assert "$vault" in (here.folder / "p.json").read_text("utf-8")
    assert isinstance(here.endpoint.host, SimulatedHost)
    assert f"it is {TOKEN}" in [call.params.get("Notes") for call in here.endpoint.host.log]


def test_every_report_is_written_and_masked(lab: Callable[..., Lab]) -> None:
    here = lab(PLANTS["environment"])
    status, said = here.run(COMMANDS["apply"])
    assert status in (4, 6), said
    for name in ("r.html", "r.xml", "r.json", "r.md"):
        text = (here.folder / name).read_text(encoding="utf-8")
        assert MASK in text.replace("\\*", "*"), name
        assert "Cannot do it as" in text, name
    assert "stderr: password ***" in said


def test_the_password_that_was_asked_for(lab: Callable[..., Lab]) -> None:
    """With nobody at a terminal it is read from the input."""
    here = lab("ansible_winrm_transport: ntlm")
    command = [sys.executable, "-m", "hvctl", "-vv", "--ask-pass", *shlex.split(COMMANDS["plan"])]
    root = str(Path(__file__).parent.parent)
    done = subprocess.run(
        command, input=SECRET + "\n", capture_output=True, text=True, encoding="utf-8", check=False,
        start_new_session=True, env={**os.environ, "PYTHONPATH": root, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert "Plan saved" in done.stderr, done.stderr
    assert here.leaks(done.stdout + done.stderr) == []


def test_a_fault_of_hvctl_itself_tells_no_secret(lab: Callable[..., Lab]) -> None:
    def broken(connection: Connection, wire: Wire) -> Transport:
        real_connect(connection, wire)
        raise RuntimeError(f"nobody expected {SECRET!r}")

    here = lab(PLANTS["environment"])
    status, said = here.run("drift lab.yml", broken)
    assert status == EXIT_FAULT
    assert "RuntimeError: nobody expected" in said
    assert here.leaks(said) == []


def test_a_command_that_fails_tells_its_fault_only(lab: Callable[..., Lab]) -> None:
    script = f"import sys; print({SECRET!r}); sys.exit('bad token ' + {SECRET!r})"
    here = lab(
        f"ansible_password: !command [{json.dumps(sys.executable)}, -c, {json.dumps(script, ensure_ascii=False)}]"
    )
    for command in ("drift lab.yml", "inventory --list"):
        _, said = here.run(command)
        assert here.leaks(said) == []
    assert "bad token" in here.run("drift lab.yml")[1]


def test_lines_that_cannot_be_read_are_not_repeated(tmp_path: Path, lab: Callable[..., Lab]) -> None:
    here = lab(PLANTS["environment"])
    for text in (f"[lab]\nhv01 ansible_password = {SECRET[:10]}\n", f"[lab:vars]\nansible_password {SECRET[:10]}\n"):
        (tmp_path / "refused.yml").unlink(missing_ok=True)
        (tmp_path / "wrong.ini").write_text(text, encoding="utf-8")
        status, said = here.run("validate lab.yml -i wrong.ini")
        assert (status, found_in(said.encode())) == (1, [])


# --- the last line of defence by itself ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Thing:
    text: str
    level: Any
    inner: tuple[Any, ...] = ()


def taught(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(Secret(secret))
    return redactor


def test_a_secret_is_masked_in_every_look() -> None:
    redactor = taught(SECRET)
    for text in (SECRET, json.dumps(SECRET), html.escape(SECRET), quote(SECRET), repr(SECRET)):
        assert not found_in(redactor.text(f"a {text} b").encode())
    for name, look in looks(SECRET):
        if b"\0" not in look and not name.endswith("the other way"):
            assert not found_in(redactor.text(f"a {look.decode('utf-8', 'surrogateescape')} b").encode()), name
    assert redactor.text(SECRET + SECRET) == MASK + MASK
    assert not found_in(redactor.text(SECRET.encode("utf-16-le").decode("latin-1")).encode("latin-1"))


@pytest.mark.parametrize(
    "secret", ["Tr0ub4dor&3 xkcd", "short1", "a/b+c=d?e%f g", "'‘’‚‛'\"“”", "x" * 90 + "1", "パスワード"]
)
def test_every_shape_of_every_secret(secret: str) -> None:
    redactor = taught(secret)
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        data = secret.encode(encoding)
        for before in (b"", b"a", b"ab", b"hvadmin:"):
            whole = base64.b64encode(before + data + b"tail").decode()
            for text in (whole, whole.replace("+", "-").replace("/", "_")):
                assert redactor.text(f"Basic {text} end") == f"Basic {MASK} end" or len(data) < 8, (encoding, before)
        for dump in (data.hex(), data.hex(" "), data.hex("-").upper(), data.hex(":"), f"0x{data.hex().upper()}"):
            assert redactor.text(f"= {dump} ;") in (f"= {MASK} ;", f"= 0x{MASK} ;"), dump
    percent = "".join(f"%{byte:02x}" for byte in secret.encode())
    for text in (quote(secret), quote(secret, safe=""), quote_plus(secret), quote(secret, safe="").lower(), percent):
        assert text.lower() not in redactor.text(f"?p={text}&").lower() or text.lower() == text != quote(
            secret, safe=""
        )


def test_a_secret_is_masked_where_a_piece_of_it_is_missing() -> None:
    redactor = taught(SECRET)
    assert redactor.text(f"cut {SECRET[: PIECE + 3]}") == f"cut {MASK}"
    assert redactor.text(f"…{SECRET[5:]} end") == f"…{MASK} end"
    assert redactor.text(SECRET[: PIECE - 1]) == SECRET[: PIECE - 1]


BREAKS = ("\n", "\r\n", "\n      ", "  \r\n ", "_x000D__x000A_", "\\r\\n", "\x1b[0m\n\x1b[31m", "\x1b[1;32m")


@pytest.mark.parametrize("gap", BREAKS)
def test_a_secret_is_masked_around_a_line_break(gap: str) -> None:
    redactor = taught(SECRET)
    for at in range(1, len(SECRET)):
        assert redactor.text(f"a {SECRET[:at]}{gap}{SECRET[at:]} b") == f"a {MASK} b", at
    twice = f"a {SECRET[:3]}{gap}{SECRET[3:9]}{gap}{SECRET[9:]} b"
    assert redactor.text(twice) == f"a {MASK} b"
    assert redactor.text(f"one{gap}two") == f"one{gap}two"


@pytest.mark.parametrize("gap", ["", "\n", "\x1b[0m\n"])
def test_a_secret_is_masked_that_is_written_in_pieces(gap: str) -> None:
    for at in range(1, len(SECRET)):
        inner = io.StringIO()
        output = Stream(inner, taught(SECRET))
        for piece in (f"a {SECRET[:at]}{gap}", f"{SECRET[at:]} b\n"):
            output.write(piece)
            output.flush()
        output.finish()
        assert found_in(inner.getvalue().encode()) == [], at
        assert inner.getvalue().startswith("a "), at


def test_letters_one_by_one_come_out_as_they_went_in() -> None:
    inner = io.StringIO()
    output = Stream(inner, taught(SECRET))
    text = f"{SECRET[:20]}, no secret; {SECRET}\nq7Z\nend q"
    for char in text:
        output.write(char)
    output.finish()
    assert inner.getvalue().endswith(f"{MASK}\nq7Z\nend q")
    assert found_in(inner.getvalue().encode()) == []


def test_a_line_is_not_held_back_for_a_letter_or_two() -> None:
    inner = io.StringIO()
    output = Stream(inner, taught("secret-4711"))
    output.write("Next check of the hosts\n")
    assert inner.getvalue() == "Next check of the hosts\n"


def test_what_holds_no_secret_comes_back_as_it_is() -> None:
    redactor = taught(SECRET)
    thing = Thing("x", "y", ({"a": ["b"]}, 1, None))
    assert redactor.value(thing) is thing
    masked = redactor.value(Thing(SECRET, 1, ({"a": [SECRET]}, TransportError(SECRET, hint="h"))))
    assert (masked.text, masked.inner[0]) == (MASK, {"a": [MASK]})
    assert (masked.inner[1].message, masked.inner[1].hint) == (MASK, "h")
    assert Redactor().value(thing) is thing


def test_what_a_masked_value_is_cut_down_to_is_not_gone_through_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until another secret is known."""
    redactor = Redactor()
    redactor.learn(Secret("Qw9-Zx7-Lm4"))
    whole = redactor.value(Diagnostic(None, "Qw9-Zx7-Lm4 and Er5-Ty8-Ui2"))
    part = redactor.part(whole, replace(whole, hint="none"))
    stranger = redactor.part(Diagnostic(None, "never masked"), Diagnostic(None, "Qw9-Zx7-Lm4"))
    assert "Qw9" not in redactor.value(stranger).message
    with monkeypatch.context() as patch:
        patch.delattr(redact, "mapped")
        assert redactor.value(part) is part
    redactor.learn(Secret("Er5-Ty8-Ui2"))
    assert "Er5" not in redactor.value(part).message


def test_a_short_password_would_be_found_everywhere() -> None:
    assert taught("a" * (SHORTEST - 1)).text("aaaaaaaa") == "aaaaaaaa"
    assert taught("kiw1").text("kiw1, kiw1s; (kiw1)") == f"{MASK}, kiw1s; ({MASK})"
    assert taught("ab1").text("ab1") == "ab1"
    held = [taught("kiw1").holds(text) for text in ("sha256 77kiw1ab", "it is kiw1", "akiw1, kiw1.")]
    assert held == [False, True, True]


WORDS = (
    "change",
    "changes",
    "administrator",
    "running",
    "restart",
    "unknown",
    "Windows Server",
    "in sync",
    "update",
    "web01",
)
"""Passwords, most of which hvctl says by itself."""


def test_a_password_that_is_a_word_is_not_told_by_masking_it(lab: Callable[..., Lab]) -> None:
    """Two runs that differ in the password alone say the same: whoever knows hvctl learns nothing from either."""
    here = lab(PLANTS["environment"])
    commands = [COMMANDS[name] for name in ("plan", "plan as a difference", "drift", "apply", "facts", "history")]

    def said(secret: str) -> list[str]:
        host = SimulatedHost.from_yaml({**STATE, "vms": [{"name": "web01", "generation": 2, "state": "Running"}]})

        def connect(connection: Connection, wire: Wire) -> Transport:
            wire.learn(Secret(secret))
            return TwinTransport(host)

        texts = [here.run(f"{c} --no-history" if c.startswith(("drift", "apply")) else c, connect)[1] for c in commands]
        return texts + [f.read_text("utf-8") for f in sorted(here.folder.glob("r.*"))]

    def told(texts: list[str]) -> list[str]:
        return [
            re.sub(r"\d\d\d\d-\d\d-\d\d.\d\d:\d\d(:\d\d)?|[0-9.]+ m?s\b|\"(ms|seconds)\": [0-9.]+|time=\S+", "", t)
            for t in texts
        ]

    usual = told(said("Zq7-nothing-of-it"))
    for word in WORDS:
        assert told(said(word)) == usual, word


def test_a_word_is_masked_in_what_the_host_says() -> None:
    redactor = taught("change", "administrator")
    failure = Failure("AccessDenied", message="no logon as administrator with change, change")
    assert redactor.value(failure).message == f"no logon as {MASK} with {MASK}, {MASK}"
    line = Line("notes", "the old change", "none", ("online",), Mark("a", 1, 1), "a change", own_words=False)
    assert (redactor.value(line).now, redactor.value(line).note) == (f"the old {MASK}", "a change")
    assert redactor.value(replace(line, own_words=True)).now == "the old change"
    info = HostInfo("HV01", 20348, "Windows", "5.1", "FullLanguage", user="HV01\\administrator")
    assert redactor.value(info) is info


def test_a_word_is_masked_in_what_others_say_within_a_sentence() -> None:
    redactor = taught("running", "change")
    error = TransportError("the change is running: no change, running", outside=("no change, running",))
    masked = redactor.value(error)
    assert masked.message == f"the change is running: no {MASK}, {MASK}"
    assert (redactor.value(masked).message, masked.outside) == (masked.message, (f"no {MASK}, {MASK}",))
    remark = Diagnostic(Mark("a", 1, 1), "the change: a running b", "change it", "unknown", outside=("a running b",))
    assert redactor.value(remark).message == f"the change: a {MASK} b"
    unread = Misreading.of(UnreadableError(Call("Get-VM"), Failure("x", message="is running")))
    assert redactor.value(unread).message == f"Get-VM was not answered: is {MASK} [x]"


def test_a_word_is_masked_in_a_fault_of_the_wire(lab: Callable[..., Lab]) -> None:
    here = lab(f"{PLANTS['environment']}\n    ansible_winrm_transport: basic")
    here.endpoint.users = {USER: "running"}
    text = "is not liked: running"
    here.endpoint.faults.troubles = [Trouble("Create", "fault", times=99, code=5, text=text)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HVCTL_PLANTED", "running")
        status, said = here.run("drift lab.yml --report json=r.json --no-history")
    told = said.replace("finishing", "") + (here.folder / "r.json").read_text("utf-8")
    assert (status, "liked: running" in told) == (4, False), said
    assert "liked: ***" in " ".join(said.split()), said


def test_a_word_is_masked_in_what_cannot_be_read() -> None:
    """A property of another type than the cmdlet returns, as a hostile host sends it."""
    row = typed("2022", PROCESSORS, Reply(({"VMId": "x", "RelativeWeight": "running"},))).rows[0]
    with pytest.raises(UnreadableError) as caught:
        row["RelativeWeight"]
    told = taught("running").value(Misreading.of(caught.value)).message
    assert "(property RelativeWeight of Get-VMProcessor: " in told
    assert ("running" in told, MASK in told) == (False, True)


def test_a_password_that_begins_with_a_word_is_not_told_by_it() -> None:
    redactor = taught("administrator-7Xq2")
    text = "an administrator and administrators"
    assert redactor.text(text) == redactor.text(text, foreign=True) == text
    assert redactor.text("it is administrator-7Xq2!") == f"it is {MASK}!"


def test_what_is_left_after_a_kill_holds_no_secret(lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch) -> None:
    """kill -9 within the changes, then a run that finds what it left."""
    here = lab(PLANTS["environment"])
    running: list[Killed] = []
    started = threading.Event()

    def watch(action: str, phase: str, nth: int) -> None:
        if action == "Receive" and nth >= 3 and not running[0].gone and started.wait(30):
            running[0].kill()

    here.endpoint.faults.watch = watch
    command = f"-vv apply files.yml -y {REPORTS}"
    running.append(Killed(here.folder, shlex.split(command), 1))
    started.set()
    running[0].wait()
    here.endpoint.faults.watch = None
    assert running[0].gone
    assert list((here.folder / "state").rglob("shells-*.json")), "nothing was left"
    assert here.leaks(running[0].said) == []
    assert here.leaks(here.run(f"apply files.yml -y {REPORTS}")[1]) == []


@pytest.mark.parametrize("effect", ["fault", "http"])
def test_a_host_that_repeats_the_header_it_was_sent(effect: Any, lab: Callable[..., Lab]) -> None:
    here = lab(f"{PLANTS['environment']}\n    ansible_winrm_transport: basic")
    password = "b4SicPw-7Kq2mZ"
    header = base64.b64encode(f"{USER}:{password}".encode()).decode()
    here.endpoint.users = {USER: password}
    text = f"Authorization: Basic {header} ({password}) is not liked"
    here.endpoint.faults.troubles = [
        Trouble("Create", effect, times=99, code=5 if effect == "fault" else 418, text=text)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HVCTL_PLANTED", password)
        status, said = here.run(f"drift lab.yml {REPORTS}")
    assert status == 4, said
    assert [e for e in here.endpoint.log if e.user == USER]
    assert effect == "http" or "Authorization: Basic ***" in " ".join(said.split()), said
    files = [f.read_bytes() for f in here.folder.rglob("*") if f.is_file()]
    for name, look in looks(password):
        assert [f for f in (said.encode(), *files) if look in f or header.encode() in f] == [], name


def test_words_that_mean_something_are_not_masked(lab: Callable[..., Lab]) -> None:
    """A password that is one of hvctl's own words breaks nothing."""
    here = lab(PLANTS["environment"])

    def update_is_the_password(connection: Connection, wire: Wire) -> Transport:
        for word in ("update", "unknown", "restart", "impossible"):
            wire.learn(Secret(word))
        return real_connect(connection, wire)

    status, said = here.run("plan lab.yml --report json=r.json,html=r.html,junit=r.xml", update_is_the_password)
    assert status == 0, said
    actions = json.loads((here.folder / "r.json").read_text("utf-8"))["hosts"][0]["plan"]["actions"]
    assert "update" in {a["action"] for a in actions}


def test_a_plan_that_would_hold_a_secret_is_not_saved(lab: Callable[..., Lab]) -> None:
    here = lab(PLANTS["environment"])
    (here.folder / "literal.yml").write_text(
        f"- hosts: hv01\n  vms:\n    - {{name: web01, notes: {QUOTED}}}\n", "utf-8"
    )
    status, said = here.run("plan literal.yml --out literal.json")
    assert status == 1
    assert "holds the password of a host" in said
    assert not (here.folder / "literal.json").exists()
