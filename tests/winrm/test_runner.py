"""The real runner in a real PowerShell: it answers as its twin does, and survives the ugly ends."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Batch, Call, Guard, Lease, Reply, Secret, Task, TransportError
from hvctl.winrm import protocol
from mocks.engine import Engine, EngineTransport, LanguageMode
from mocks.objects import Guid
from mocks.twin import Twin, TwinTransport
from tests.winrm.batches import ASSIGNED, BATCHES, VMS
from tests.winrm.conftest import Start
from tests.winrm.host import ALLOW, SmallHost
from tests.winrm.wire import Frame, engine_talk, frames_of, loaded, steady, twin_talk

GOLDEN = Path(__file__).parent / "golden"


def fresh() -> str:
    return os.urandom(6).hex()


def plainly(calls: list[tuple[str, dict[str, Any]]]) -> Any:
    """What the host was asked, whatever the binder did to its shape (one value or a list of one)."""

    def flat(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [flat(v) for v in value] if len(value) != 1 else flat(value[0])
        if isinstance(value, dict):
            return {k: flat(v) for k, v in value.items()}
        if isinstance(value, Guid):
            return value.text
        return str(getattr(value, "properties", {}).get("Name", value)) if not isinstance(value, bool) else value

    return [(cmdlet, {k: flat(v) for k, v in sorted(params.items())}) for cmdlet, params in calls]


def answer(talk: Callable[[bytes], bytes], batch: Batch) -> list[Frame]:
    return steady(frames_of(talk(protocol.encode_batch(batch, fresh()))))


def golden(name: str) -> list[Frame]:
    frames: list[Frame] = [json.loads(line) for line in (GOLDEN / f"{name}.jsonl").read_text("utf-8").splitlines()]
    return frames


def twin_answer(name: str) -> list[Frame]:
    return answer(loaded(twin_talk(Twin(SmallHost())), ALLOW), BATCHES[name])


@pytest.mark.parametrize("name", BATCHES)
def test_the_twin_answers_as_kept(name: str) -> None:
    assert twin_answer(name) == golden(name)


@pytest.mark.engine
@pytest.mark.parametrize("name", BATCHES)
def test_the_runner_answers_as_kept(engine: Engine, name: str) -> None:
    real, twins = SmallHost(), SmallHost()
    engine.bind(real)
    assert answer(loaded(engine_talk(engine), ALLOW), BATCHES[name]) == golden(name)
    answer(loaded(twin_talk(Twin(twins)), ALLOW), BATCHES[name])
    # The twin asks the host for what the engine finds not to be there.
    assert plainly(real.calls) == [c for c in plainly(twins.calls) if c[0] not in ("Test-Absent", "Test-Alias")]


@pytest.mark.engine
def test_what_is_refused_is_assigned_where_the_language_allows_it(engine: Engine) -> None:
    host, twins = SmallHost(), SmallHost()
    replies = EngineTransport(engine, host).run(ASSIGNED)
    twin = TwinTransport(twins).run(ASSIGNED)
    assigned = [{k: v for k, v in given.items() if k != "to"} for cmdlet, given in host.calls if cmdlet == "assign"]
    if EngineTransport(engine, host).info().language_mode != "FullLanguage":
        assert [[f.kind for f in reply.failures] for reply in replies] == [["ResourceBusy"]] * 4
        assert not assigned
        return
    assert assigned == [{"Id": ["a", "b"]}, {"ProcessorCount": 2**32 - 1}, {"ProcessorCount": 1}, {"State": 1}]
    assert plainly([c for c in host.calls if c[0] == "assign"]) == plainly([c for c in twins.calls if c[0] == "assign"])
    for said in (replies, twin):
        kinds = [[f.kind for f in reply.failures] for reply in said]
        assert (kinds[0], kinds[1], kinds[2][:1], kinds[3]) == (
            [],
            ["ResourceBusy"],
            ["ResourceBusy"],
            ["ResourceBusy", "RefNoMatch"],
        )
        assert len(kinds[2]) == 2, "why it could not be assigned either"
        assert "it is frozen" in said[2].failures[1].message
        assert said[0].warnings == (
            "Set-VM was refused (ResourceBusy,Microsoft.HyperV.PowerShell.Commands.SetVM): set by assignment instead",
        )


@pytest.mark.engine
def test_hello_says_who_answers(engine: Engine) -> None:
    info = EngineTransport(engine, SmallHost()).info()
    assert (info.computer, info.build) == ("HV01", 17763)
    assert info.caption == "Windows Server 2019 Datacenter"
    assert info.user == "HV01\\Administrator"
    assert info.language_mode in ("FullLanguage", "ConstrainedLanguage")


def ask(engine: Engine, *calls: Call, change: bool = False) -> list[Reply]:
    tasks = tuple(Task(f"q{n}", call) for n, call in enumerate(calls))
    return EngineTransport(engine, SmallHost()).run(Batch(tasks, "change" if change else "read"))


def scalars(reply: Reply) -> list[Any]:
    return [row[""] for row in reply.rows]


@pytest.mark.engine
@pytest.mark.parametrize("change", [False, True])
@pytest.mark.parametrize("cmdlet", ["Test-Break", "Test-Continue"])
def test_break_and_continue_end_their_own_step_only(engine: Engine, cmdlet: str, change: bool) -> None:
    first, second = ask(engine, Call(cmdlet, select=("*",)), VMS, change=change)
    assert scalars(first) == ["before"]
    assert first.failure is not None
    assert first.failure.id == "BrokenOff"
    assert len(second.rows) == 3


@pytest.mark.engine
def test_noise_and_faked_frames_do_no_harm(engine: Engine) -> None:
    noisy, after = ask(engine, Call("Test-Noise", select=("*",)), VMS)
    assert scalars(noisy) == ["row", "row after it"]
    assert noisy.warnings == ("a warning",)
    assert [f.kind for f in noisy.failures] == ["Mistake"]
    assert after.ok


@pytest.mark.engine
def test_in_a_change_the_first_error_ends_the_call(engine: Engine) -> None:
    (reply,) = ask(engine, Call("Test-Noise", select=("*",)), change=True)
    assert scalars(reply) == ["row"]
    assert [f.message for f in reply.failures] == ["a mistake"]


@pytest.mark.engine
def test_a_throw_keeps_the_rows_before_it(engine: Engine) -> None:
    (reply,) = ask(engine, Call("Test-Throw", select=("*",)))
    assert scalars(reply) == ["before"]
    assert [(f.id, f.category) for f in reply.failures] == [("words of the host", "OperationStopped")]


@pytest.mark.engine
def test_nobody_answers_a_prompt(engine: Engine) -> None:
    prompt, mandatory, consent = ask(
        engine, Call("Test-Prompt"), Call("Test-Mandatory"), Call("Test-Consent", select=("*",))
    )
    assert prompt.failure is not None
    assert mandatory.failure is not None
    assert mandatory.failure.kind == "MissingMandatoryParameter"
    assert scalars(consent) == ["done"]


@pytest.mark.engine
def test_a_function_that_checks_nothing_is_not_called(engine: Engine) -> None:
    (reply,) = ask(engine, Call("Test-Swallow", {"Nonsense": 1}, ("*",)))
    assert reply.rows == ()
    assert reply.failure is not None
    assert reply.failure.id == "NoCmdletBinding"


@pytest.mark.engine
def test_a_module_that_is_not_there_says_so_after_the_command(engine: Engine) -> None:
    (reply,) = ask(engine, Call("Get-Gone"))
    assert [f.kind for f in reply.failures] == ["CommandNotFoundException", "Modules_ModuleNotFound"]


@pytest.mark.engine
def test_the_binder_is_the_real_one(engine: Engine) -> None:
    replies = ask(
        engine,
        Call("Set-VM", {"Name": "x", "Nope": 1}),
        Call("Set-VM", {"Name": "x", "VM": "y"}),
        Call("Set-VM", {"Name": "x", "AutomaticStopAction": "Bad"}),
        Call("New-VM", {"Name": "x", "Generation": 3}),
    )
    assert [r.failure.kind for r in replies if r.failure] == [
        "NamedParameterNotFound",
        "CannotConvertArgumentNoMessage",
        "CannotConvertArgumentNoMessage",
        "ParameterArgumentValidationError",
    ]


@pytest.mark.engine
def test_five_thousand_rows_come_whole_and_in_parts(engine: Engine) -> None:
    engine.bind(SmallHost())
    call = Call("Get-Many", {"Count": 5000}, tuple(f"P{n}" for n in range(10)))
    data = loaded(engine_talk(engine), ALLOW)(protocol.encode_batch(Batch((Task("t", call),)), fresh()))
    parts = [f["rows"] for f in frames_of(data) if f["t"] == "rows"]
    assert len(parts) > 20
    rows = [row for part in parts for row in part]
    assert rows[4999] == {f"P{n}": "value 4999" if n % 2 else 10_737_423_239 for n in range(10)}
    assert len(rows) == 5000


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "len": lambda line: line.replace(b'"len":', b'"len":1'),
    "version": lambda line: line.replace(b'"v":1', b'"v":2'),
    "cut": lambda line: line[: len(line) // 2] + b"\n",
    "empty": lambda line: b"\n",
    "number": lambda line: b"5\n",
    "list": lambda line: b"[1,2]\n",
    "no steps": lambda line: protocol.encode_batch(Batch(()), "b1"),
    "bom": lambda line: b"\xef\xbb\xbf" + line,
}


@pytest.mark.engine
@pytest.mark.parametrize("spoil", SPOILT)
def test_a_spoilt_line_is_refused_and_the_next_one_works(engine: Engine, spoil: str) -> None:
    host = SmallHost()
    engine.bind(host)
    talk = loaded(engine_talk(engine), ALLOW)
    batch = Batch((Task("t", VMS),))
    (frame,) = frames_of(talk(SPOILT[spoil](protocol.encode_batch(batch, fresh()))))
    assert (frame["t"], frame["code"], frame["n"]) == ("refused", "envelope", 0)
    assert not host.calls
    assert answer(talk, batch)[-1] == {"t": "end", "ok": True}


@pytest.mark.engine
def test_a_wrong_hash_is_refused_where_a_hash_can_be_made(engine: Engine) -> None:
    transport = EngineTransport(engine, SmallHost())
    mode = transport.info().language_mode
    line = json.loads(protocol.encode_batch(Batch((Task("t", VMS),)), fresh()))
    last = frames_of(engine_talk(engine)(json.dumps({**line, "sha256": "00"}).encode() + b"\n"))[-1]
    assert last["t"] == ("refused" if mode == "FullLanguage" else "end")


@pytest.mark.engine
@pytest.mark.parametrize("mode", ["read", "change"])
def test_a_batch_runs_once(engine: Engine, mode: Any) -> None:
    host = SmallHost()
    engine.bind(host)
    talk = loaded(engine_talk(engine), ALLOW)
    line = protocol.encode_batch(Batch((Task("t", VMS),), mode), fresh())
    assert frames_of(talk(line))[-1]["t"] == "end"
    assert [(f["t"], f["code"]) for f in frames_of(talk(line))] == [("refused", "duplicate")]
    assert len(host.calls) == 1


@pytest.mark.engine
def test_the_journal_knows_what_ran_and_no_secrets(engine: Engine) -> None:
    engine.bind(SmallHost())
    talk, batch_id = loaded(engine_talk(engine), ALLOW), fresh()
    tasks = (
        Task("a", Call("Set-Odd", {"Text": Secret("hunter2")})),
        Task("b", Call("Get-VM", {"Name": "nobody"}, ("Name",))),
        Task("c", VMS, needs=("b",)),
    )
    talk(protocol.encode_batch(Batch(tasks, "change"), batch_id))
    data = talk(protocol.encode_action("journal", batch_id, fresh()))
    decoder = protocol.Decoder(Batch(()), "x")
    entries = [json.loads(line) for f in frames_of(data) if f["t"] == "journal" for line in f["lines"]]
    seen = [(e["at"], e.get("step"), e.get("ok"), (e.get("error") or "").split(",")[0]) for e in entries]
    assert seen == [
        ("begin", None, None, ""),
        ("before", "a", None, ""),
        ("after", "a", True, ""),
        ("before", "b", None, ""),
        ("after", "b", False, "InvalidParameter"),
        ("end", None, None, ""),
    ]
    assert b"hunter2" not in data
    assert not decoder.journal


@pytest.mark.engine
def test_stop_skips_the_rest(engine: Engine) -> None:
    engine.bind(SmallHost())
    talk, batch_id = loaded(engine_talk(engine), ALLOW), fresh()
    assert talk(protocol.encode_action("stop", batch_id, fresh()))
    frames = steady(frames_of(talk(protocol.encode_batch(Batch((Task("t", VMS),), "change"), batch_id))))
    assert frames[1] == {"t": "skipped", "step": "t", "why": "stopped"}
    answer(talk, Batch((Task("t", VMS),)))
    assert not (engine.program_data / "hvctl" / f"{batch_id}.stop").exists()


@pytest.mark.engine
def test_stop_ends_a_wait(engine: Engine) -> None:
    host = SmallHost()
    transport = EngineTransport(engine, host)
    guard = Guard(Call("Get-VM"), {"Name": "nobody"}, 1, 1, wait_s=3600)
    task = Task("t", Call("Set-Odd"), guard=guard)
    (reply,) = transport.run(Batch((task,), "change"), lambda event: transport.stop())
    assert reply.skipped == "stopped"
    assert host.clock.time < 1100


@pytest.mark.engine
def test_a_held_lock_refuses_changes_and_a_stale_one_does_not(start: Start) -> None:
    for mode in ("ConstrainedLanguage", "FullLanguage"):
        engine = start(mode)
        talk = loaded(engine_talk(engine), ALLOW)
        lock = engine.program_data / "hvctl" / "apply.lock"
        lock.parent.mkdir()
        batch = Batch((Task("t", Call("Get-Odd")),), "change")
        lock.write_text(json.dumps({"user": "Tanaka", "pid": os.getpid()}).replace(" ", ""))
        with lock.open() as held:
            if mode == "FullLanguage":
                fcntl.flock(held, fcntl.LOCK_EX)
            (frame,) = frames_of(talk(protocol.encode_batch(batch, fresh())))
        assert (frame["t"], frame["code"]) == ("refused", "locked"), frame
        assert mode == "FullLanguage" or json.loads(frame["holder"])["user"] == "Tanaka"
        assert answer(talk, Batch((Task("t", Call("Get-Odd")),)))[-1] == {"t": "end", "ok": True}
        lock.write_text('{"user":"Tanaka","pid":4194305}')
        assert answer(talk, batch)[-1] == {"t": "end", "ok": True}


@pytest.mark.engine
@pytest.mark.parametrize("mode", ["ConstrainedLanguage", "FullLanguage"])
def test_a_lease_keeps_others_out_until_it_runs_out(start: Start, mode: LanguageMode) -> None:
    """As the twin does it (tests/units/test_leases.py)."""
    engine = start(mode)
    talk = loaded(engine_talk(engine), ALLOW)
    file = engine.program_data / "hvctl" / "lease.json"
    tasks = (Task("t", Call("Get-Odd")),)

    def asked(lease: Lease | None, tasks: tuple[Task, ...] = tasks) -> str:
        frame = frames_of(talk(protocol.encode_batch(Batch(tasks, "change", 60, lease), fresh())))[-1]
        return str(frame.get("code") or frame["t"])

    assert asked(Lease("a", "keep")) == "lease"
    assert asked(Lease("a", "take", 600, "tanaka@ctl01:1"), ()) == "end"
    held = json.loads(file.read_text())
    assert (held["lease"], held["owner"]) == ("a", "tanaka@ctl01:1")
    assert (
        590 < (datetime.strptime(held["until"], "%Y%m%d%H%M%S").replace(tzinfo=UTC) - datetime.now(UTC)).seconds < 601
    )
    assert asked(None) == "locked"
    assert asked(Lease("b", "take"), ()) == "locked"
    assert asked(Lease("b", "release"), ()) == "end"
    assert asked(Lease("a")) == "end"
    assert asked(Lease("b", "take", over="a"), ()) == "end"
    assert asked(Lease("a")) == "lease"
    assert asked(Lease("b", "release"), ()) == "end"
    assert not file.exists()
    assert asked(None) == "end"
    file.write_text('{"lease":"x","until":"20200101000000","owner":"o","user":"u","pid":1}')
    assert asked(None) == "end"
    assert asked(Lease("c", "take"), ()) == "end"


@pytest.mark.engine
def test_without_a_journal_nothing_is_changed(start: Start) -> None:
    engine = start("FullLanguage")
    talk = loaded(engine_talk(engine), ALLOW)
    (engine.program_data / "hvctl").mkdir()
    (engine.program_data / "hvctl" / "journal").write_text("a file where a folder should be")
    (frame,) = frames_of(talk(protocol.encode_batch(Batch((Task("t", Call("Get-Odd")),), "change"), fresh())))
    assert (frame["t"], frame["code"]) == ("refused", "journal")
    assert isinstance(engine.host, SmallHost)
    assert not engine.host.calls


@pytest.mark.engine
def test_journals_are_kept_for_a_week(start: Start) -> None:
    engine = start("ConstrainedLanguage")
    talk = loaded(engine_talk(engine), ALLOW)
    journals = engine.program_data / "hvctl" / "journal"
    journals.mkdir(parents=True)
    for name, days in (("old", 8), ("new", 6)):
        (journals / f"{name}.jsonl").write_text("{}")
        then = time.time() - days * 86_400
        os.utime(journals / f"{name}.jsonl", (then, then))
    answer(talk, Batch((Task("t", Call("Get-Odd")),), "change"))
    kept = {p.stem for p in journals.iterdir()}
    assert "new" in kept
    assert "old" not in kept
    assert len(kept) == 2


@pytest.mark.engine
@pytest.mark.parametrize(("cmdlet", "code"), [("Test-Exit", 7), ("Test-Stop", 1)])
def test_what_ends_the_process_leaves_the_outcome_unknown(start: Start, cmdlet: str, code: int) -> None:
    engine = start("FullLanguage")
    batch = Batch((Task("a", Call("Get-Odd")), Task("b", Call(cmdlet)), Task("c", Call("Get-Odd"))), "change")
    with pytest.raises(TransportError, match=cmdlet) as caught:
        EngineTransport(engine, SmallHost()).run(batch)
    assert caught.value.executed == "unknown"
    assert set(caught.value.replies) == {"a"}
    assert engine.process.wait(10) == code


@pytest.mark.engine
def test_a_killed_process_leaves_the_outcome_unknown(start: Start) -> None:
    engine = start("FullLanguage")
    batch = Batch((Task("a", Call("Get-Odd")), Task("b", Call("Test-Hang"))), "change")
    with pytest.raises(TransportError, match="Test-Hang") as caught:
        EngineTransport(engine, SmallHost()).run(
            batch, lambda event: engine.process.kill() if event.task == "b" else None
        )
    assert caught.value.executed == "unknown"


@pytest.mark.engine
def test_two_lines_at_once_run_in_order_and_the_end_of_input_ends_it(start: Start) -> None:
    engine = start("FullLanguage")
    batch = Batch((Task("t", Call("Get-Odd")),))
    for line in (protocol.source_line(ALLOW), *(protocol.encode_batch(batch, name) for name in ("b1", "b2"))):
        engine.send(line)
    engine.send(protocol.encode_batch(batch, "b3")[:-40])
    engine.end()
    frames = frames_of(b"".join(engine.read()))
    assert [f["t"] for f in frames if f["t"] in ("hello", "accepted", "refused", "end")] == [
        *("hello", "accepted", "end", "accepted", "end", "refused")
    ]
    assert engine.process.wait(10) == 0


@pytest.mark.engine
@pytest.mark.parametrize(
    "line",
    [b"no JSON\n", b'{"src"\n', b'{"src":"throw 1"}\n', b'{"src":"if ("}\n'],
    ids=["text", "cut", "throw", "parse"],
)
def test_a_bad_first_line_is_fatal_and_a_good_one_then_loads(start: Start, line: bytes) -> None:
    engine = start("ConstrainedLanguage")
    talk = engine_talk(engine)
    (frame,) = frames_of(talk(line))
    assert (frame["t"], frame["code"]) == ("fatal", "source")
    assert answer(loaded(talk, ALLOW), Batch((Task("t", Call("Get-Odd")),)))[-1] == {"t": "end", "ok": True}


def test_the_runner_stays_small() -> None:
    runner = Path(protocol.__file__).with_name("runner.ps1").read_text("utf-8")
    assert len(runner.splitlines()) <= 270
    assert runner.isascii()


if __name__ == "__main__":  # writes the kept answers anew, from the twin
    for each in BATCHES:
        kept = "".join(json.dumps(frame) + "\n" for frame in twin_answer(each))
        (GOLDEN / f"{each}.jsonl").write_text(kept, "utf-8")
