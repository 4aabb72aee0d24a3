"""The client against a WS-Man server: what it costs, what it does when the wire breaks, and that changes run once."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import requests

from hvctl.call import Batch, Call, Event, Ref, Reply, Secret, Task, TransportError
from hvctl.fleet.connect import allowed
from hvctl.winrm.client import Address, CredentialGuard, Patience, WinRM
from hvctl.winrm.faults import WireFault
from hvctl.winrm.leftovers import OpenShells
from hvctl.winrm.limits import Limits
from hvctl.winrm.meter import Meter
from hvctl.winrm.session import MeteredAdapter
from mocks.host import SimulatedHost
from mocks.tls import Authority, make_authority
from mocks.wsman import Endpoint, Server, Trouble

USER, PASSWORD = "hvadmin", "Pa55-lab"
VM = "11111111-1111-1111-1111-111111111111"
VMS: list[dict[str, Any]] = [{"name": "ウェブ01", "id": VM, "generation": 2, "state": "Off"}]
READ = Batch((Task("vms", Call("Get-VM", select=("Name", "State"))),))
CHANGE = Batch(
    (
        Task("p", Call("Set-VMProcessor", {"VM": Ref(Call("Get-VM", {"Id": VM})), "Count": 4})),
        Task("s", Call("Start-VM", {"VM": Ref(Call("Get-VM", {"Id": VM}))}), needs=("p",)),
    ),
    "change",
)
Make = Callable[..., tuple[WinRM, Endpoint]]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def make(authority: Authority) -> Iterator[Make]:
    """A client and the endpoint it talks to; waits take no time."""
    open_ones: list[Any] = []

    def made(
        *troubles: Trouble,
        scheme: Literal["http", "https"] = "http",
        transport: Literal["basic", "ntlm"] = "basic",
        password: str = PASSWORD,
        ca: str | None = str(authority.ca),
        guard: CredentialGuard | None = None,
        left: Callable[[], bool] = lambda: False,
        **options: Any,
    ) -> tuple[WinRM, Endpoint]:
        host = SimulatedHost.from_yaml({"os": "2022", "language": "ja", "vms": VMS})
        endpoint = Endpoint(host, {USER: PASSWORD}, scheme=scheme, troubles=list(troubles), **options)
        server = Server([endpoint], authority)
        server.__enter__()
        address = Address(
            "h", "127.0.0.1", endpoint.port, scheme, transport, user=USER, password=Secret(password), ca_path=ca
        )
        client = WinRM(
            address, allow=allowed(), guard=guard, sleep=host.clock.sleep, patience=Patience(receive=1), left=left
        )
        open_ones.extend([server])
        return client, endpoint

    yield made
    for server in open_ones:
        server.__exit__(None, None, None)


def rows(replies: list[Reply]) -> list[Any]:
    return [dict(r) for reply in replies for r in reply.rows]


@pytest.mark.parametrize(
    ("scheme", "transport", "handshakes"),
    [("http", "basic", 0), ("https", "basic", 0), ("http", "ntlm", 3), ("https", "ntlm", 3)],
)
def test_a_read_costs_five_requests_and_one_process(make: Make, scheme: str, transport: str, handshakes: int) -> None:
    client, endpoint = make(scheme=scheme, transport=transport)
    assert rows(client.run(READ)) == [{"Name": "ウェブ01", "State": "Off"}]
    client.close()
    assert endpoint.actions() == ["Create", "Command", "Send", "Receive", "Delete"]
    assert (endpoint.shells.processes, endpoint.auth_requests) == (1, handshakes)


def test_an_apply_keeps_one_process_warm(make: Make) -> None:
    client, endpoint = make(transport="ntlm")
    client.run(READ)
    assert all(r.ok for r in client.run(CHANGE))
    assert rows(client.run(READ)) == [{"Name": "ウェブ01", "State": "Running"}]
    client.close()
    assert endpoint.shells.processes == 1
    assert endpoint.actions().count("Create") == endpoint.actions().count("Delete") == 1


def test_who_answers_is_known_without_a_batch(make: Make) -> None:
    client, _ = make()
    info = client.info()
    client.close()
    assert (info.computer, info.build, info.culture) == ("HV01", 20348, "ja-JP")


def test_a_japanese_password_goes_over_ntlm(make: Make) -> None:
    client, endpoint = make(transport="ntlm", password="パスワード")
    endpoint.users = {USER: PASSWORD}
    with pytest.raises(TransportError, match="did not accept user and password") as error:
        client.run(READ)
    assert error.value.executed == "no"


def test_a_wrong_password_is_tried_once_for_all_hosts(make: Make) -> None:
    guard = CredentialGuard()
    first, one = make(transport="ntlm", password="wrong", guard=guard)
    second, other = make(transport="ntlm", password="wrong", guard=guard)
    with pytest.raises(TransportError, match="did not accept"):
        first.run(READ)
    with pytest.raises(TransportError, match="another host refused"):
        second.run(READ)
    assert (one.auth_requests, other.auth_requests) == (3 + 1, 0) or other.auth_requests == 0
    assert one.actions() == other.actions() == []


def test_the_same_name_with_another_password_is_another_credential(make: Make) -> None:
    guard = CredentialGuard()
    first, _ = make(password="wrong", guard=guard)
    second, _ = make(guard=guard)
    with pytest.raises(TransportError, match="did not accept user and password"):
        first.run(READ)
    assert rows(second.run(READ)) == [{"Name": "ウェブ01", "State": "Off"}]
    second.close()


def test_a_host_that_comes_to_no_answer_keeps_the_others_waiting_for_a_while_only() -> None:
    guard, credential = CredentialGuard(alone=0), ("ntlm", "hvadmin", PASSWORD)
    guard.enter(credential)
    guard.enter(credential)  # the first is still at it
    guard.leave(credential, False)
    with pytest.raises(WireFault, match="another host refused"):
        guard.enter(credential)
    guard.leave(credential, None)
    with pytest.raises(WireFault, match="another host refused"):
        guard.enter(credential)


def test_a_host_that_takes_connections_and_says_nothing_keeps_no_other_waiting(make: Make) -> None:
    guard = CredentialGuard(alone=3600)
    good, _ = make(scheme="https", guard=guard)
    with socket.create_server(("127.0.0.1", 0)) as silent, ThreadPoolExecutor() as other:
        address = replace(good.address, port=silent.getsockname()[1])
        reading = other.submit(WinRM(address, allow=allowed(), guard=guard, sleep=lambda _: None).run, READ)
        taken, _ = silent.accept()
        assert taken.recv(1)  # its hello: no answer comes to that
        assert rows(good.run(READ)) == [{"Name": "ウェブ01", "State": "Off"}]
        assert not reading.done()
        taken.close()
        silent.close()
        with pytest.raises(TransportError):
            reading.result()
    good.close()


def test_a_closed_port_is_named_with_the_tries(make: Make) -> None:
    waits: list[float] = []
    client = WinRM(Address("h", "127.0.0.1", 9, "http", "basic", user="u", password=Secret("p")),
                   allow={}, sleep=waits.append)  # fmt: skip
    with pytest.raises(TransportError, match=r"connection refused by 127\.0\.0\.1:9 \(5 tries in \d+ s\)"):
        client.run(READ)
    assert len(waits) == 4
    assert waits == sorted(waits)


def test_a_certificate_of_an_unknown_ca_is_not_accepted(make: Make, tmp_path: Path) -> None:
    other = make_authority(tmp_path)
    client, endpoint = make(scheme="https", ca=str(other.ca))
    with pytest.raises(TransportError, match=r"certificate of .* is not trusted") as error:
        client.run(READ)
    assert "ansible_winrm_ca_trust_path" in error.value.hint
    assert endpoint.actions() == []


def test_the_file_of_a_ca_that_is_not_there_is_named(make: Make, tmp_path: Path) -> None:
    client, endpoint = make(scheme="https", ca=str(tmp_path / "none.pem"))
    with pytest.raises(TransportError, match=r"none\.pem is not there, which the connection to .* needs") as error:
        client.run(READ)
    assert error.value.executed == "no"
    assert endpoint.actions() == []


def test_the_file_of_a_ca_that_is_none_is_named(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing of the kind\n", encoding="utf-8")
    client, endpoint = make(scheme="https", ca=str(file))
    with pytest.raises(TransportError, match=r"no certificate can be read of .*ca\.pem") as error:
        client.run(READ)
    assert error.value.executed == "no"
    assert endpoint.actions() == []


def test_authorities_are_read_once_for_all_hosts_and_again_when_they_change(tmp_path: Path) -> None:
    """Reading those of the system for each host takes more than all that is asked of it (winrm 1.7)."""
    file = make_authority(tmp_path).ca

    def context(verify: bool | str) -> object:
        request = requests.Request("POST", "https://hv01:5986/wsman").prepare()
        adapter = MeteredAdapter(Meter("hv01", Limits()))
        return adapter.build_connection_pool_key_attributes(request, verify)[1]["ssl_context"]

    first = context(str(file))
    assert context(str(file)) is first
    assert context(True) is context(True) is not first
    assert context(False) is context(False)
    file.write_bytes(file.read_bytes() + b"\n")
    assert context(str(file)) is not first


def test_hosts_of_one_run_share_what_was_read_of_authorities(
    make: Make, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ca.pem"  # which nobody has read yet
    file.write_bytes(authority.ca.read_bytes())
    clients = [make(scheme="https", ca=str(file))[0] for _ in range(3)]
    real, read = ssl.SSLContext.load_verify_locations, list[Any]()

    def counted(context: ssl.SSLContext, *given: Any, **named: Any) -> None:
        read.append(named or given)
        real(context, *given, **named)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    for client in clients:
        assert rows(client.run(READ)) == [{"Name": "ウェブ01", "State": "Off"}]
        client.close()
    assert read == [{"cafile": str(file)}]


def test_one_who_is_no_administrator_is_told_so(make: Make) -> None:
    client, _ = make(admin=False)
    with pytest.raises(TransportError, match="denies access") as error:
        client.run(READ)
    assert "administrators" in error.value.hint


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("Create", "reset"),
        Trouble("Create", "http", code=503),
        Trouble("Create", "fault", code=2150859173),
        Trouble("Create", "fault", code=2150859173, encoding="wmi"),
        Trouble("Command", "reset"),
        Trouble("Command", "fault", code=2150858793),
        Trouble("Send", "reset"),
        Trouble("Send", "reset", phase="after"),
        Trouble("Receive", "reset"),
        Trouble("Receive", "reset", phase="after"),
        Trouble("Receive", "fault", code=2150858793, times=3),
        Trouble("Receive", "lose_shells"),
        Trouble("Receive", "garbage"),
        Trouble("Receive", "noise"),
        Trouble("Receive", "http", code=500),
        Trouble("Delete", "reset"),
        Trouble("Delete", "http", code=500),
    ],
    ids=lambda t: f"{t.action}-{t.effect}-{t.code or t.phase}",
)
@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_a_read_survives_trouble_on_the_wire(make: Make, trouble: Trouble, transport: str) -> None:
    client, endpoint = make(trouble, transport=transport)
    assert rows(client.run(READ)) == [{"Name": "ウェブ01", "State": "Off"}]
    client.close()
    assert any(entry.trouble for entry in endpoint.log)


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("Send", "reset", phase="after"),
        Trouble("Send", "fault", code=1460, phase="after"),
        Trouble("Receive", "reset", phase="after"),
        Trouble("Receive", "http", code=500, phase="after"),
        Trouble("Receive", "lose_shells", nth=1),
        Trouble("Receive", "garbage", times=9),
    ],
    ids=lambda t: f"{t.action}-{t.effect}-{t.phase}",
)
def test_a_change_runs_at_most_once_whatever_breaks(make: Make, trouble: Trouble, transport: str) -> None:
    client, endpoint = make(trouble, transport=transport)
    try:
        replies = {t.id: r for t, r in zip(CHANGE.tasks, client.run(CHANGE), strict=True)}
    except TransportError as error:
        replies = error.replies
        assert error.executed == "unknown" or not error.replies
    client.close()
    host = endpoint.host
    assert isinstance(host, SimulatedHost)
    ran = [c.cmdlet for c in host.log if not c.cmdlet.startswith("Get-")]
    assert ran in ([], ["Set-VMProcessor"], ["Set-VMProcessor", "Start-VM"])
    # What the journal or the answer says ran, ran.
    assert [t.call.cmdlet for t in CHANGE.tasks if t.id in replies and replies[t.id].ok] == ran[: len(replies)]


def test_a_change_whose_answer_was_lost_is_told_by_the_journal(make: Make) -> None:
    client, endpoint = make(Trouble("Receive", "garbage", times=9))
    said: list[str] = []
    replies = client.run(CHANGE, lambda event: said.append(event.text) if event.kind == "notice" else None)
    assert [r.ok for r in replies] == [True, True]
    assert any("the host's journal tells how every step ended" in text for text in said)
    assert [c.cmdlet for c in endpoint.simulated.log if not c.cmdlet.startswith("Get-")] == [
        "Set-VMProcessor",
        "Start-VM",
    ]
    assert endpoint.actions().count("Create") >= 2


def test_steps_that_a_process_did_not_come_to_are_not_called_unknown(make: Make) -> None:
    client, endpoint = make(Trouble("invoke", "die", nth=1, phase="after", code=1))
    with pytest.raises(TransportError) as error:
        client.run(CHANGE)
    assert error.value.executed == "unknown"
    assert {k: r.skipped for k, r in error.value.replies.items()} == {"s": "not begun"}
    client.close()
    assert endpoint.shells.open == 0


def test_a_change_that_was_never_sent_is_said_to_be_so(make: Make) -> None:
    client, endpoint = make(Trouble("Create", "fault", code=5, times=9))
    with pytest.raises(TransportError) as error:
        client.run(CHANGE)
    assert error.value.executed == "no"
    host = endpoint.host
    assert isinstance(host, SimulatedHost)
    assert host.log == []


def test_stopping_ends_after_the_current_step(make: Make) -> None:
    client, _ = make()
    batch = Batch(tuple(Task(f"t{n}", Call("Set-VMProcessor", {"VMName": "ウェブ01", "Count": n + 1})) for n in range(40)),
                  "change")  # fmt: skip
    stopped = threading.Event()

    def hear(event: Event) -> None:
        if event.kind == "start" and not stopped.is_set():
            stopped.set()
            client.stop()

    replies = client.run(batch, hear)
    client.close()
    assert stopped.is_set()
    assert replies[0].ok
    assert all(r.ok or r.skipped == "stopped" for r in replies)


def test_changes_that_are_left_to_the_host_are_said_to_be_running_by_whoever_followed_them(make: Make) -> None:
    left, over = threading.Event(), threading.Event()
    client, endpoint = make(pace=0.1, left=left.is_set)

    def watch(action: str, phase: str, nth: int) -> None:
        if (action, phase, nth) == ("invoke", "before", 2):
            assert over.wait(60)

    def hear(event: Event) -> None:
        if (event.kind, event.task) == ("done", "p"):
            left.set()

    endpoint.faults.watch = watch
    with pytest.raises(TransportError) as error:
        client.run(CHANGE, hear)
    (batch,) = endpoint.disk.journals
    assert (error.value.message, error.value.running) == (f"still running on h, batch {batch}", batch)
    assert set(error.value.replies) == {"p"}
    client.close()
    for _ in range(200):  # the one that asked it to stop closes its own shell meanwhile, in its thread
        if endpoint.shells.open == 1:
            break
        time.sleep(0.05)
    assert endpoint.shells.open == 1  # nobody ended it
    over.set()


def test_a_second_apply_is_told_who_holds_the_lock(make: Make) -> None:
    client, endpoint = make()
    endpoint.disk.holder = {"user": "HV01\\other", "pid": 7}
    with pytest.raises(
        TransportError, match=r"another apply holds the lock of .* \(user HV01\\other, pid 7\)"
    ) as error:
        client.run(CHANGE)
    assert error.value.executed == "no"


def test_thirty_shells_are_all_that_2012_r2_gives(make: Make) -> None:
    client, endpoint = make(profile="2012r2")
    for _ in range(30):
        client._connection.open_shell()
    with pytest.raises(TransportError, match="quota"):
        client.run(READ)
    assert endpoint.actions().count("Create") == 35


def test_a_batch_that_no_powershell_takes_is_not_sent(make: Make) -> None:
    client, endpoint = make()
    with pytest.raises(TransportError, match="at most") as error:
        client.run(Batch((Task("a", Call("Test-Path", {"LiteralPath": ("x" * 2_000_000,)})),)))
    assert error.value.executed == "no"
    assert "Send" not in endpoint.actions()


def test_an_apply_survives_the_switch_it_makes_over_its_own_way_in(make: Make) -> None:
    """The host's network is gone for some seconds (observations 4); the batch goes on over there."""
    client, endpoint = make(transport="ntlm")
    host = endpoint.host
    assert isinstance(host, SimulatedHost)
    nic = host.state.nics[0].name
    batch = Batch(
        (
            Task("s", Call("New-VMSwitch", {"Name": "lan", "NetAdapterName": [nic], "AllowManagementOS": True})),
            Task("p", Call("Set-VMProcessor", {"VMName": "ウェブ01", "Count": 2}), needs=("s",)),
        ),
        "change",
    )
    try:
        replies = {t.id: r for t, r in zip(batch.tasks, client.run(batch), strict=True)}
    except TransportError as error:
        replies = error.replies
    client.close()
    assert {k: r.ok for k, r in replies.items()} == {"s": True, "p": True}
    assert [c.cmdlet for c in host.log] == ["New-VMSwitch", "Set-VMProcessor"]


def file_of(folder: Path, pid: int) -> Path:
    """Of a process of this machine, open shells."""
    OpenShells(folder).opened("https://a/wsman", "A")
    (own,) = folder.glob("shells-*.json")
    own.unlink()
    return own.with_name(own.name.replace(str(os.getpid()), str(pid), 1))


@pytest.mark.parametrize("pid", [2**22 - 7, os.getpid()], ids=["another process", "of the same id, as in a container"])
def test_shells_of_a_run_that_was_killed_are_closed_by_the_next(make: Make, tmp_path: Path, pid: int) -> None:
    """The first is beyond pid_max of a usual system: no process has it."""
    client, endpoint = make()
    orphan = client._connection.open_shell()
    file_of(tmp_path, pid).write_text(json.dumps({client.address.endpoint: [{"shell": orphan}]}), encoding="utf-8")
    shells = OpenShells(tmp_path)
    second = WinRM(client.address, allow=allowed(), sleep=lambda s: None, shells=shells)
    second.run(READ)
    assert [file.name for file in tmp_path.glob("*.json")] == [file_of(tmp_path / "another", os.getpid()).name]
    second.close()
    assert list(tmp_path.glob("*.json")) == []
    assert endpoint.actions().count("Create") == endpoint.actions().count("Delete") == 2


def test_what_an_earlier_run_left_on_other_hosts_stays_written_down(tmp_path: Path) -> None:
    left = {"https://a/wsman": [{"shell": "A", "batch": "b", "command": "c"}], "https://b/wsman": [{"shell": "B"}]}
    file_of(tmp_path, os.getpid()).write_text(json.dumps(left), encoding="utf-8")
    shells = OpenShells(tmp_path)
    shells.opened("https://a/wsman", "new")
    shells.closed("https://a/wsman", "new")
    assert [one.shell for one in OpenShells(tmp_path).leftovers("https://b/wsman")] == ["B"]
    (one,) = shells.leftovers("https://a/wsman")
    assert (one.shell, one.batch, one.command) == ("A", "b", "c")
    assert shells.leftovers("https://a/wsman") == []
    (tmp_path / f"shells-{2**22 - 7}.json").write_text("[", encoding="utf-8")
    assert shells.leftovers("https://b/wsman") and (tmp_path / f"shells-{2**22 - 7}.json").exists()


def test_shells_of_another_machine_that_shares_the_folder_are_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of its processes nothing is known here, but that they write: after a day of silence they are gone."""
    monkeypatch.setenv("HVCTL_MACHINE", "other")
    left = {"https://a/wsman": [{"shell": "A"}], "https://b/wsman": [{"shell": "B"}]}
    file_of(tmp_path, 2**22 - 7).write_text(json.dumps(left), encoding="utf-8")
    monkeypatch.setenv("HVCTL_MACHINE", "this")
    assert OpenShells(tmp_path).leftovers("https://a/wsman") == []
    (theirs,) = tmp_path.glob("*.json")
    os.utime(theirs, (0, 0))
    shells = OpenShells(tmp_path)
    assert [one.shell for host in ("b", "c", "a") for one in shells.leftovers(f"https://{host}/wsman")] == ["B", "A"]


def test_a_fault_of_hvctl_in_the_middle_of_changes_is_judged_by_the_journal(make: Make) -> None:
    client, endpoint = make()

    def listener(event: Event) -> None:
        if event.kind == "done":
            raise ZeroDivisionError("whoever listens")

    with pytest.raises(TransportError, match="hvctl itself failed while the changes ran: ZeroDivisionError") as caught:
        client.run(CHANGE, listener)
    client.close()
    error = caught.value
    assert error.executed == "unknown"
    assert "whoever listens" in error.defect
    assert error.replies["p"].ok, "the journal says that it was done"
    assert [c.cmdlet for c in endpoint.simulated.log if not c.cmdlet.startswith("Get-")].count("Set-VMProcessor") == 1
    assert endpoint.shells.open == 0
