"""Files in guests as a user has them: planned, applied, checked for drift, saved, with secrets, at what cost."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from hvctl.call import Event, Secret, Staged, Transport
from hvctl.cli import main
from hvctl.config.controlnode import ControlNode
from hvctl.config.inventory import Connection
from hvctl.config.playbook import Play, wishes
from hvctl.core.resource import Index
from hvctl.fleet.connect import Wire, allowed
from hvctl.fleet.reconcile import apply_plan, plan_host
from hvctl.show.progress import Progress
from hvctl.text.diagnostic import ConfigError, Mark
from hvctl.text.source import SecretSource, load_text
from hvctl.winrm.client import Address, WinRM
from mocks.host import SimulatedHost
from mocks.run import Disk
from mocks.twin import TwinTransport
from mocks.wsman import Endpoint, Server

INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: !env HVCTL_TEST_PASSWORD, api_key: !env HVCTL_TEST_KEY, port: 80}
  hosts: {hv01: {}}
"""
PLAYBOOK = r"""
- hosts: all
  vms:
    - name: web01
      guest_files:
        - {source: files/app.conf, destination: 'C:\app\app.conf'}
        - {template: files/hosts.j2, destination: 'C:\app\hosts'}
"""
SECRET = (
    PLAYBOOK
    + r"""        - {template: files/key.j2, destination: 'C:\app\key'}
"""
)
STATE = {
    "vms": [{"name": "web01", "state": "Running", "integration_services": {"guest_service_interface": True}}],
}
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def host() -> SimulatedHost:
    return SimulatedHost.from_yaml(STATE)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def hvctl(
    host: SimulatedHost,
    disk: Disk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "HVCTL_TEST_PASSWORD": "pw-of-tests",
        "HVCTL_TEST_KEY": "key-of-tests",
        "NO_COLOR": "1",
        "COLUMNS": "150",
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "files").mkdir()
    for name, text in {
        "inventory.yml": INVENTORY,
        "lab.yml": PLAYBOOK,
        "secret.yml": SECRET,
        "files/app.conf": "one\n",
        "files/hosts.j2": "{% for vm in [vm] %}\n{{ vm.name }}:{{ port }} on {{ inventory_hostname }}\n{% endfor %}\n",
        "files/key.j2": "key = {{ api_key | upper }}\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    def connect(connection: Connection, wire: Wire) -> Transport:
        return TwinTransport(host, disk=disk)

    def run(*words: str) -> tuple[int, str, str]:
        status = main(list(words), connect)
        out, err = capsys.readouterr()
        return status, out, err

    yield run


def in_guest(host: SimulatedHost) -> dict[str, str | None]:
    return {path: file.text for path, file in host.state.vms[0].guest.files.items()}


def test_from_unknown_to_in_sync_to_changed(hvctl: Run, host: SimulatedHost) -> None:
    status, out, _ = hvctl("plan", "lab.yml")
    assert status == 0
    assert "unknown → " in out
    assert "no receipt: what the guest has there is not known" in out
    assert hvctl("drift", "lab.yml")[0] == 2
    status, out, err = hvctl("apply", "lab.yml", "-y")
    assert status == 0, out
    assert "100 % of" in err
    assert in_guest(host) == {r"C:\app\app.conf": "one\n", r"C:\app\hosts": "web01:80 on hv01\n"}
    assert hvctl("drift", "lab.yml")[0] == 0
    Path("files/app.conf").write_text("two\n")
    status, out, _ = hvctl("drift", "lab.yml")
    assert status == 2
    old, new = (hashlib.sha256(t.encode()).hexdigest()[:12] for t in ("one\n", "two\n"))
    assert f"copied {old} at 2026-04-01 00:00Z → {new}" in out
    assert hvctl("apply", "lab.yml", "-y")[0] == 0
    assert in_guest(host)[r"C:\app\app.conf"] == "two\n"


def test_a_receipt_that_is_lost_or_cut_off_is_drift(hvctl: Run, host: SimulatedHost) -> None:
    hvctl("apply", "lab.yml", "-y")
    first, second = sorted(f for f in host.state.contents if "receipts" in f)
    host.state.contents[first].text = (host.state.contents[first].text or "")[:60]
    status, out, _ = hvctl("drift", "lab.yml")
    assert (status, out.count("unknown → ")) == (2, 1)
    host.forget(second)
    status, out, _ = hvctl("drift", "lab.yml")
    assert (status, out.count("unknown → ")) == (2, 2)


def test_a_saved_plan_is_refused_when_its_source_has_changed(hvctl: Run, host: SimulatedHost) -> None:
    hvctl("plan", "lab.yml", "--out", "plan.json")
    Path("files/app.conf").write_text("two\n")
    status, out, _ = hvctl("apply", "plan.json", "-y")
    assert status == 2
    assert "files/app.conf of the control node: sha256 " in out
    assert in_guest(host) == {}
    Path("files/app.conf").write_text("one\n")
    Path("files/hosts.j2").unlink()
    status, out, _ = hvctl("apply", "plan.json", "-y")
    assert status == 0, out
    assert in_guest(host)[r"C:\app\hosts"] == "web01:80 on hv01\n"


def test_a_secret_reaches_the_guest_and_nothing_else(hvctl: Run, host: SimulatedHost, disk: Disk) -> None:
    status, out, err = hvctl("plan", "secret.yml", "--out", "plan.json")
    assert status == 1
    assert "secret.yml:8:11: files/key.j2 holds a secret, so its plan cannot be saved" in err
    assert not Path("plan.json").exists()
    said = [out, err]
    for words in (
        ("-v", "plan", "secret.yml"),
        ("plan", "secret.yml", "--diff"),
        ("apply", "secret.yml", "-y"),
        ("drift", "secret.yml", "--json"),
    ):
        said += hvctl(*words)[1:]
    assert in_guest(host).get(r"C:\app\key") == "key = KEY-OF-TESTS\n"
    kept = [c.text or "" for path, c in host.state.contents.items()]
    written = [f.read_text(errors="replace") for f in Path().rglob("*") if f.is_file() and f.name != "key.j2"]
    for text in (*said, *kept, *written, str(disk.journals), str(host.log)):
        assert "KEY-OF-TESTS" not in text.upper()


def unheard(secret: Secret) -> None:
    """Nobody keeps it."""


def test_a_template_is_blamed_at_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text("one\ntwo {{ 1 }} {{ wrong_name }}\n")
    (tmp_path / "div.j2").write_text("\n\n{{ 1 / 0 }}\n")
    shelf = ControlNode(
        tmp_path, {"wrong_nam": 1, "key": SecretSource("env", ("NO_SUCH",), Mark("i.yml", 3, 4))}, unheard
    )
    with pytest.raises(ConfigError) as caught:
        shelf.rendered("t.j2", {}, Mark("lab.yml", 1, 1))
    (problem,) = caught.value.problems
    assert (problem.mark.line, problem.mark.column) == (2, 16) if problem.mark else False
    assert problem.message == "'wrong_name' is undefined"
    assert problem.hint == "did you mean 'wrong_nam'?"
    with pytest.raises(ConfigError, match=r"div.j2:3:1: this template fails: division by zero"):
        shelf.rendered("div.j2", {}, Mark("lab.yml", 1, 1))
    (tmp_path / "s.j2").write_text("{{ key }}")
    with pytest.raises(
        ConfigError, match=r"i.yml:3:4: the environment variable NO_SUCH is not set, for s.j2 at lab.yml:1:1"
    ):
        shelf.rendered("s.j2", {}, Mark("lab.yml", 1, 1))


def test_a_file_that_may_not_be_read_is_blamed_in_the_playbook(tmp_path: Path) -> None:
    shelf = ControlNode(tmp_path, {}, unheard)
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match=r"lab.yml:2:3: folder is a folder"):
        shelf.file("folder", Mark("lab.yml", 2, 3))
    for look in (shelf.file, lambda name, mark: shelf.rendered(name, {}, mark)):
        with pytest.raises(ConfigError, match=r"lab.yml:2:3: /dev/null is not an ordinary file"):
            look("/dev/null", Mark("lab.yml", 2, 3))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError, match=r"lab.yml:2:3: loop cannot be read"):
        shelf.file("loop", Mark("lab.yml", 2, 3))


# --- cost and pictures -------------------------------------------------------------------------------------------------


def wished(vms: int, folder: Path) -> Index:
    lines = ["- hosts: all", "  vms:"]
    for n in range(vms):
        item = r"{source: a.bin, destination: 'C:\a.bin'}"
        lines += [f"    - name: vm{n}", f"      guest_files: [{item}]"]
    found, problems = wishes([Play(load_text("\n".join(lines), str(folder / "p.yml")), (0,), "p", "all")], {})
    assert not problems
    return found


def test_one_file_for_many_vms_is_sent_once_and_their_receipts_are_one_question(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x" * 1_000_000)
    requests = {}
    for vms in (1, 12):
        state = [{**STATE["vms"][0], "name": f"vm{n}"} for n in range(vms)]
        endpoint = Endpoint(SimulatedHost.from_yaml({"vms": state, "memory": "256GB"}), {"u": "p"})
        wanted = wished(vms, tmp_path)
        with Server([endpoint]):
            address = Address("h", "127.0.0.1", endpoint.port, "http", "basic", user="u", password=Secret("p"))
            client = WinRM(address, allow=allowed())
            plan = plan_host(wanted, client, frozenset()).plan
            assert plan is not None
            apply_plan(plan, wanted, client)
            before = len(endpoint.log)
            again = plan_host(wanted, client, frozenset()).plan
            assert again is not None
            assert again.in_sync
            requests[vms] = len(endpoint.log) - before
            client.close()
        assert endpoint.disk.staging.bytes_written == 1_000_000
    assert requests[1] == requests[12] == 2


def uploading(console: Console, *events: Event) -> str:
    progress = Progress(console)
    with progress:
        progress.begin("hv01", "applying")
        for event in events:
            progress.event("hv01", event)
        console.print(progress._table())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_upload_shows_a_bar_on_a_terminal_and_lines_in_a_pipe() -> None:
    events = [
        Event("upload", text="agent.msi", done=n << 20, total=200 << 20, rate=12.5 * 2**20) for n in range(0, 201, 4)
    ]
    piped = uploading(Console(file=io.StringIO(), width=100), *events).splitlines()
    assert piped[0] == "hv01: sending agent.msi: 0 % of 200.0 MB, 12.5 MB/s, 16 s left"
    assert piped[10] == "hv01: sending agent.msi: 100 % of 200.0 MB"
    shown = uploading(Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None), events[25])
    assert "sending agent.msi: ━━━━━━━━━━────────── 50 % of 200.0 MB, 12.5 MB/s, 8 s left" in shown


def test_files_are_told_by_their_content() -> None:
    assert Staged("a", 1, "x", path="1") == Staged("a", 1, "x", path="2", secret=True)
