"""Files that a batch needs reach the host once, whole, and do not stay there; over the twin, the engine and the wire."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import (
    Batch,
    Call,
    Event,
    Home,
    Reply,
    Secret,
    Staged,
    Task,
    Transport,
    TransportError,
    from_json,
    to_json,
)
from hvctl.core.contents import changed_sources
from hvctl.fleet.connect import allowed
from hvctl.winrm import protocol
from hvctl.winrm.client import Address, Patience, WinRM
from hvctl.winrm.faults import WireFault
from hvctl.winrm.staging import SMALL, WINDOW, Staging
from mocks.engine import EngineTransport, LanguageMode
from mocks.host import SimulatedHost
from mocks.run import Disk
from mocks.twin import TwinTransport
from mocks.wsman import Endpoint, Server, Trouble
from tests.conftest import Engines

USER, PASSWORD = "hvadmin", "Pa55-lab"
BIG = 2 * WINDOW + 12_345


def staged(content: bytes, name: str = "a.bin") -> Staged:
    return Staged(hashlib.sha256(content).hexdigest(), len(content), name, content=content)


def hashed(*files: Staged) -> Batch:
    """Asks the host for what it got."""
    calls = [Call("Get-FileHash", {"LiteralPath": file}, ("Hash", "Path")) for file in files]
    return Batch(tuple(Task(f"t{n}", call) for n, call in enumerate(calls)), "change")


def random_bytes(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def check(transport: Transport, *files: Staged) -> list[Event]:
    events: list[Event] = []
    replies = transport.run(hashed(*files), events.append)
    assert [r.rows[0]["Hash"].lower() for r in replies] == [f.sha256 for f in files], replies
    assert all("\\hvctl\\staging\\" in r.rows[0]["Path"] for r in replies)
    return events


MANY = [staged(f"file {n}\n".encode() * n, f"{n}.txt") for n in range(40)]
SOME = [staged(random_bytes(BIG), "random.bin"), staged(b"text " * 300_000, "text.txt"), staged(b"", "empty"), *MANY]


def test_files_reach_the_twin_and_are_removed() -> None:
    disk = Disk()
    host = SimulatedHost.from_yaml({})
    events = check(TwinTransport(host, disk=disk), *SOME, SOME[0])
    assert disk.staging.folders == {}
    assert not [f for f in host.state.files if "staging" in f]
    told = [e for e in events if e.kind == "upload"]
    total = sum(f.size for f in SOME)
    assert (told[-1].done, told[-1].total) == (total, total)
    assert [e.done for e in told] == sorted(e.done for e in told)
    assert disk.staging.bytes_written == total


@pytest.mark.engine
def test_files_reach_the_runner_and_are_removed(engines: Engines) -> None:
    engine = engines("2022", "FullLanguage")
    top = engine.program_data / "hvctl" / "staging"
    stale, young = top / "stale", top / "young"
    for folder, days in ((stale, 2), (young, 0)):
        folder.mkdir(parents=True)
        (folder / "x").write_text("x")
        then = time.time() - days * 86_400
        os.utime(folder, (then, then))
    check(EngineTransport(engine, SimulatedHost.from_yaml({})), *SOME)
    assert [f.name for f in top.iterdir()] == ["young"]


@pytest.mark.engine
def test_the_runner_goes_on_where_a_file_ended_and_says_what_it_cannot_take(engines: Engines) -> None:
    engine = engines("2022", "FullLanguage")
    transport = EngineTransport(engine, SimulatedHost.from_yaml({}))
    transport.info()
    transport.talk(protocol.Decoder(Batch(()), "x"), protocol.staging_line(engine.allow), hello=True)

    def asked(do: Any, number: str, **body: Any) -> protocol.Decoder:
        decoder = protocol.Decoder(Batch(()), number)
        transport.talk(decoder, protocol.encode_stage(do, "run-1", number, **body))
        return decoder

    decoder = asked("open", "o1", name="f")
    assert decoder.staged.at == 0
    transport.send(protocol.put_line("o1", 0, b"abc", packed=False, answer=True))
    transport.receive(decoder, lambda: decoder.staged.at == 3)
    decoder = asked("open", "o2", name="f")
    assert decoder.staged.at == 3
    transport.send(protocol.put_line("o1", 3, b"of another id", packed=False, answer=True))
    transport.send(protocol.put_line("o2", 1, b"BCd", packed=False, answer=True))
    transport.receive(decoder, lambda: decoder.staged.at == 4)
    assert asked("close", "c1", name="f").staged.shas == (hashlib.sha256(b"aBCd").hexdigest(),)
    decoder = asked("open", "o3", name="f", fresh=True)
    assert decoder.staged.at == 0
    transport.send(protocol.put_line("o3", 0, b"no deflate", packed=True, answer=True))
    transport.receive(decoder, lambda: decoder.staged.error is not None)
    asked("remove", "r1")
    assert asked("close", "c2", name="f").staged.error is not None


@pytest.mark.parametrize("serve", ["twin", pytest.param("engine", marks=pytest.mark.engine)])
def test_a_restricted_powershell_takes_none_and_the_rest_runs(serve: str, request: pytest.FixtureRequest) -> None:
    mode: LanguageMode = "ConstrainedLanguage"
    host = SimulatedHost.from_yaml({"language_mode": mode})
    if serve == "engine":
        transport: Transport = EngineTransport(request.getfixturevalue("engines")("2022", mode), host)
    else:
        transport = TwinTransport(host)
    batch = hashed(staged(b"small"), staged(random_bytes(100_000), "b.bin"))
    other = Task("other", Call("Get-VMHost", select=("Name",)))
    after = Task("after", Call("Get-VMHost", select=("Name",)), needs=("t0",))
    small, big, fine, skipped = transport.run(Batch((*batch.tasks, other, after), "change"))
    for reply in (small, big):
        assert reply.failure is not None
        assert reply.failure.id == "NotStaged"
        assert "ConstrainedLanguage" in reply.failure.message
    assert fine.ok
    assert skipped.skipped == "needs t0"


def test_what_cannot_be_read_or_has_changed_is_said(tmp_path: Path) -> None:
    def at(name: str, content: bytes, now: bytes | None) -> Staged:
        if now is not None:
            (tmp_path / name).write_bytes(now)
        return Staged(hashlib.sha256(content).hexdigest(), len(content), name, path=str(tmp_path / name))

    files = [
        at("gone", b"g", None),
        at("other", b"x", b"y"),
        at("grown", b"x" * 200_000, b"x" * 300_000),
        at("same", b"z", b"z"),
    ]
    replies = TwinTransport(SimulatedHost.from_yaml({})).run(hashed(*files))
    said = [r.failure.message if r.failure else "" for r in replies]
    assert said[0] == "gone was not brought to the host: cannot be read: No such file or directory"
    assert "other was not brought to the host: it has changed since the plan was made (sha256 2d711642b726" in said[1]
    assert "grown" in said[2]
    assert replies[3].ok
    assert [line.split(" ")[0] for line in changed_sources(hashed(*files))] == ["gone", "other", "grown"]


def test_a_file_travels_in_a_saved_plan_unless_it_is_secret() -> None:
    file = staged("ä".encode())
    again = from_json(to_json(Call("Get-FileHash", {"LiteralPath": file})))
    assert again.params["LiteralPath"] == file
    assert again.params["LiteralPath"].content == "ä".encode()
    with pytest.raises(TypeError, match="secret"):
        to_json(Staged("x", 1, "n", content=b"x", secret=True))
    with pytest.raises(ValueError, match="not a staged"):
        from_json({"$staged": {"sha256": "x", "size": 1, "name": "n", "content": "?"}})


# --- over the wire ---------------------------------------------------------------------------------------------------

Make = Callable[..., tuple[WinRM, Endpoint]]


@pytest.fixture
def make() -> Iterator[Make]:
    servers: list[Server] = []

    def made(*troubles: Trouble, transport: Any = "basic") -> tuple[WinRM, Endpoint]:
        endpoint = Endpoint(SimulatedHost.from_yaml({}), {USER: PASSWORD}, troubles=list(troubles))
        servers.append(Server([endpoint]).__enter__())
        address = Address("h", "127.0.0.1", endpoint.port, "http", transport, user=USER, password=Secret(PASSWORD))
        return WinRM(address, allow=allowed(), sleep=lambda seconds: None, patience=Patience(receive=1)), endpoint

    yield made
    for server in servers:
        server.__exit__(None, None, None)


def test_the_wire_carries_few_requests(make: Make) -> None:
    client, endpoint = make(transport="ntlm")
    check(client, *SOME)
    client.close()
    assert endpoint.disk.staging.folders == {}
    actions = endpoint.actions()
    assert actions.count("Command") == actions.count("Create") == actions.count("Delete") == 1
    # 8.4 MB of random bytes in pieces of 270 KB; the rest, compressed, in one Send or two.
    assert actions.count("Send") <= 32 + 8
    assert actions.count("Receive") <= 12
    assert max(e.received for e in endpoint.log) < 500_000


TROUBLES: dict[str, list[Trouble]] = {
    "send reset before": [Trouble("Send", "reset", 12)],
    "send reset after": [Trouble("Send", "reset", 12, phase="after")],
    "receive reset": [Trouble("Receive", "reset", 3, phase="after")],
    "shells lost": [Trouble("Send", "lose_shells", 20)],
    "too large": [Trouble("Send", "fault", 3, 2, code=2150858825)],
    "413": [Trouble("Send", "http", 1, 2, code=413)],
    "busy stdin": [Trouble("Send", "fault", 9, code=170, phase="after")],
    "three times": [Trouble("Send", "reset", n) for n in (9, 24, 38)],
    "while it is removed": [Trouble("Delete", "reset"), Trouble("Receive", "reset", 8)],
}


@pytest.mark.parametrize("name", TROUBLES)
def test_a_broken_upload_goes_on_where_it_ended(make: Make, name: str) -> None:
    client, endpoint = make(*TROUBLES[name])
    check(client, SOME[0], MANY[3])
    client.close()
    assert any(e.trouble for e in endpoint.log)
    assert endpoint.disk.staging.folders == {}
    # What was acknowledged is not sent again.
    assert endpoint.disk.staging.bytes_written <= BIG + MANY[3].size + len(TROUBLES[name]) * 800_000
    assert len(endpoint.disk.journals) == 1


def test_an_upload_that_never_gets_on_ends_with_nothing_run(make: Make) -> None:
    client, endpoint = make(Trouble("Send", "reset", 6, 1000))
    with pytest.raises(TransportError, match="while files were brought to the host") as error:
        client.run(hashed(SOME[0]))
    assert error.value.executed == "no"
    assert not endpoint.disk.journals


def test_ctrl_c_ends_an_upload(make: Make) -> None:
    client, endpoint = make()

    def stop(event: Event) -> None:
        if event.kind == "upload":
            client.stop()

    with pytest.raises(TransportError, match="stopped, while files were brought"):
        client.run(hashed(SOME[0]), stop)
    client.close()
    assert endpoint.disk.staging.folders == {}
    assert not endpoint.disk.journals
    assert not endpoint.disk.stops


def test_the_folder_goes_when_the_batch_is_lost(make: Make) -> None:
    client, endpoint = make(Trouble("Send", "lose_shells", 6, phase="after"))
    replies: list[Reply] = []
    with contextlib.suppress(TransportError):
        replies = client.run(hashed(staged(random_bytes(70_000))))
    assert endpoint.disk.staging.folders == {}, replies


def test_memory_does_not_grow_with_the_file(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    digest, size = hashlib.sha256(), 24 << 20
    with file.open("wb") as out:
        for n in range(size >> 20):
            block = random_bytes(1 << 20, n)
            digest.update(block)
            out.write(block)
    source = Staged(digest.hexdigest(), size, "large.bin", path=str(file))
    # The server is in this process too: what it holds of a request counts as well.
    client, _ = make()
    tracemalloc.start()
    check(client, source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    client.close()
    assert peak < 16 << 20, peak


def test_homes_and_files_print_readably() -> None:
    call = Call("Copy-VMFile", {"SourcePath": staged(b"x", "app.conf"), "Log": Home("a")})
    assert str(call) == (
        r'Copy-VMFile -SourcePath <app.conf (1 bytes, sha256 2d711642b726)> -Log "$env:ProgramData\hvctl\a"'
    )


class Forged:
    """A pipe to a host that answers whatever is asked with one frame."""

    def __init__(self, said: str) -> None:
        self._said = said

    def talk(self, decoder: protocol.Decoder, line: bytes) -> None:
        frames = (f'{{"n":1,"t":"stage",{self._said}}}', '{"n":2,"t":"end"}')
        decoder.feed("".join(f"@hv1 {decoder.batch_id} {frame}\n" for frame in frames).encode())

    def send(self, line: bytes) -> None: ...

    def receive(self, decoder: protocol.Decoder, until: Callable[[], bool]) -> None: ...


@pytest.mark.parametrize("size", [10, SMALL + 1])
@pytest.mark.parametrize(
    "said",
    ['"shas":[]', '"shas":null', '"shas":{}', '"shas":["a","b"]', '"at":-1', '"at":"0"', '"at":true', '"at":null',
     '"at":1e30', '"error":5', '"sha":"x"'],
)  # fmt: skip
def test_what_a_host_says_of_files_and_makes_no_sense_is_an_answer_that_was_lost(said: str, size: int) -> None:
    staging = Staging([staged(random_bytes(size))], lambda event: None)
    with pytest.raises(WireFault, match="part of the host's answer was lost"):
        staging.push(Forged(said))


@pytest.mark.parametrize("said", ['"at":0', '"at":4611686018427387904', '"at":70000,"shas":["another"]'])
def test_a_host_that_says_it_has_more_or_other_bytes_than_were_sent_does_not_have_the_file(said: str) -> None:
    file = staged(random_bytes(SMALL + 1))
    staging = Staging([file], lambda event: None)
    try:
        staging.push(Forged(said))
    except WireFault as fault:
        assert fault.kind == "lost"
    else:
        assert staging.failed[file.sha256] == "what arrived there is not what was sent"
