"""Batches to lines and frames to replies, through the twin: no PowerShell and no HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from hvctl.call import EACH, NULL, Batch, Call, Event, Guard, Map, Ref, Reply, Secret, Task, TransportError, Value
from hvctl.winrm import protocol
from hvctl.winrm.frames import hresult
from mocks.run import Disk
from mocks.twin import Twin, TwinTransport
from tests.winrm.host import ALLOW, SmallHost

VMS = Call("Get-VM", select=("Name", "State"))


def ask(*calls: Call, host: SmallHost | None = None) -> list[Reply]:
    tasks = tuple(Task(f"q{n}", call) for n, call in enumerate(calls))
    return TwinTransport(host or SmallHost(), ALLOW).run(Batch(tasks))


def change(*tasks: Task, host: SmallHost | None = None) -> list[Reply]:
    return TwinTransport(host or SmallHost(), ALLOW).run(Batch(tasks, "change"))


def steps(batch: Batch) -> list[dict[str, Any]]:
    envelope = json.loads(protocol.encode_batch(batch, "b1"))
    found: list[dict[str, Any]] = json.loads(envelope["p"])["steps"]
    return found


def test_bootstrap_fits_the_command_line() -> None:
    text = base64.b64decode(protocol.bootstrap()).decode("utf-16-le")
    assert len(text) < 3000
    assert "$input" in text


def test_rows_come_back_as_selected() -> None:
    (reply,) = ask(VMS)
    assert [row["Name"] for row in reply.rows] == ["web01", "db01", "日本語 \"'`$x\\"]
    assert reply.rows[0]["State"] == "Running"
    assert reply.ok


def test_odd_values() -> None:
    names = (
        *("Null", "Throwing", "Absent", "Yes", "Huge", "Text", "Flags", "Id", "Uptime", "Created", "List[]", "One[]"),
        *("None[]", "Null[]", "Inner", "Inner.MaximumBandwidth", "Null.X", "Inner.X", "Inners[MaximumBandwidth,X]"),
    )
    ((row,),) = [r.rows for r in ask(Call("Get-Odd", select=names))]
    assert row == {
        "Null": None,
        "Throwing": None,
        "Yes": True,
        "Huge": 18446744073709551615,
        "Text": "tab\t nul\x00 quote\" back\\ line\n \u2028 \U0001f600 <&'>",
        "Flags": "A, B",
        "Id": "0c2b0f6e-7a1d-4b8e-9f00-1234567890ab",
        "Uptime": 36_000_000_000,
        "Created": "2024-02-29T12:30:15.1234560Z",
        "List[]": ["a", 1, None],
        "One[]": ["only"],
        "None[]": [],
        "Null[]": None,
        "Inner": "Microsoft.HyperV.PowerShell.VMNetworkAdapterBandwidthSetting",
        "Inner.MaximumBandwidth": 10**9,
        "Null.X": None,
        "Inners[MaximumBandwidth,X]": [{"MaximumBandwidth": 10**9}, {"MaximumBandwidth": None}],
    }


def test_a_read_keeps_rows_and_all_errors() -> None:
    (reply,) = ask(Call("Get-VMHost", select=("Name",)))
    assert reply.rows == ({"Name": "HV01"},)
    assert [f.message for f in reply.failures] == ["first", "second"]


def test_a_code_is_found_behind_generic_ones() -> None:
    (reply,) = ask(Call("Get-VM", {"Name": "nobody"}))
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.hresult) == ("InvalidParameter", "0x80070490")


def test_a_code_is_found_in_the_message() -> None:
    chain = [("System.Exception", -2146233088, "x"), ("System.Exception", -2147467259, "x")]
    assert hresult(chain, "The file exists. (0x80070050).") == "0x80070050"
    assert hresult(chain, "Unspecified error (0x80004005)") == "0x80004005"
    assert hresult(chain, "no code") is None


def test_refs_to_a_task_of_a_read_batch_use_its_rows() -> None:
    adapters = Call("Get-VMNetworkAdapter", {"VM": Ref(VMS, many=True)}, select=("VMName", "VM.State"))
    batch = Batch((Task("q0", adapters), Task("q1", VMS)))
    assert [s["id"] for s in steps(batch)] == ["q1", "q0"]
    replies = TwinTransport(SmallHost(), ALLOW).run(batch)
    assert [r["VMName"] for r in replies[0].rows] == ["web01", "db01", "日本語 \"'`$x\\"]


def test_a_lookup_is_shared_in_a_read_batch_and_fresh_in_a_change() -> None:
    vm = Ref(Call("Get-VM"), {"Name": "WEB01"})
    calls = [Call("Get-VMNetworkAdapter", {"VM": vm}), Call("Set-VM", {"VM": vm, "Notes": "x"})]
    tasks = tuple(Task(f"t{n}", call) for n, call in enumerate(calls))
    assert [s["id"] for s in steps(Batch(tasks))] == ["#0", "t0", "t1"]
    assert [s["id"] for s in steps(Batch(tasks, "change"))] == ["t0#0", "t0", "t1#0", "t1"]


def test_a_lookup_within_a_lookup_comes_first() -> None:
    adapter = Ref(Call("Get-VMNetworkAdapter", {"VM": Ref(Call("Get-VM"), {"Name": "db01"})}))
    host = SmallHost()
    replies = change(Task("t", Call("Set-VMFirmware", {"BootOrder": [adapter]})), host=host)
    assert [c for c, _ in host.calls] == ["Get-VM", "Get-VMNetworkAdapter", "Set-VMFirmware"]
    assert host.calls[2][1]["BootOrder"][0].type_name == "Microsoft.HyperV.PowerShell.VMNetworkAdapter"
    assert replies[0].failure is not None
    assert replies[0].failure.id == "CommandNotFoundException"


@pytest.mark.parametrize(
    ("ref", "word"),
    [
        (Ref(Call("Get-VM"), {"Name": "nobody"}), "RefNoMatch"),
        (Ref(Call("Get-VM"), {"State": "Off"}), "RefAmbiguous"),
        (Ref(Call("Get-VM"), {"Nmae": "web01"}), "RefNoSuchProperty"),
        (Ref(Call("Get-VM"), {"Name": "web01"}, path="Nmae"), "RefNoSuchProperty"),
        (Ref(Call("Get-VM", {"Name": "nobody"})), "InvalidParameter"),
    ],
)
def test_a_ref_that_cannot_be_resolved_fails_its_task(ref: Ref, word: str) -> None:
    host = SmallHost()
    (reply,) = change(Task("t", Call("Set-VM", {"VM": ref})), host=host)
    assert reply.failure is not None
    assert reply.failure.kind == word
    assert "Set-VM" not in [c for c, _ in host.calls]


def test_a_failed_lookup_says_which() -> None:
    ref = Ref(Call("Get-VM", {"Name": "nobody"}))
    (reply,) = change(Task("t", Call("Set-VM", {"VM": ref})))
    assert str(reply.failure).startswith("looking up Get-VM: no VM nobody")


def test_many_without_a_match_makes_no_call() -> None:
    host = SmallHost()
    (reply,) = ask(Call("Get-VMNetworkAdapter", {"VM": Ref(VMS, {"Name": "x"}, many=True)}, ("VMName",)), host=host)
    assert reply == Reply(ms=reply.ms)
    assert [c for c, _ in host.calls] == ["Get-VM"]


def test_a_lenient_filter_passes_what_lacks_the_property() -> None:
    ref = Ref(VMS, {"IsDeleted": False}, many=True, lenient=True)
    (reply,) = ask(Call("Get-VMNetworkAdapter", {"VM": ref}, ("VMName",)))
    assert len(reply.rows) == 3


def test_each_and_follow_walk_a_chain_and_keep_failures_with_their_value() -> None:
    paths = ["c:\\c.avhdx", "C:\\C.AVHDX", "c:\\gone.vhdx", "c:\\loop.vhdx"]
    call = Call("Get-VHD", {"Path": paths}, select=("ParentPath",), each="Path", follow="ParentPath")
    (reply,) = ask(call)
    assert [row[EACH] for row in reply.rows] == ["c:\\c.avhdx", "c:\\loop.vhdx", "C:\\B.AVHDX", "c:\\a.vhdx"]
    assert [(f.kind, f.value, f.hresult) for f in reply.failures] == [("ObjectNotFound", "c:\\gone.vhdx", "0x80070002")]


def test_needs_skip_and_guards_fail() -> None:
    host = SmallHost()
    there = Guard(Call("Get-VM"), {"Name": "db01"}, most=0)
    replies = change(
        Task("a", Call("New-VM", {"Name": "db01"}), guard=there),
        Task("b", Call("Set-VM", {"VM": Ref(Call("Get-VM"), {"Name": "db01"})}), needs=("a",)),
        Task("c", Call("New-VM", {"Name": "new"}, select=("Name",)), guard=Guard(Call("Get-VM"), {"Name": "new"})),
        host=host,
    )
    assert replies[0].failure is not None
    assert replies[0].failure.id == "GuardFailed"
    assert replies[1].skipped == "needs a"
    assert replies[2].rows == ({"Name": "new"},)
    assert replies[2].warnings == ("the new VM has no disk",)
    assert [c for c, _ in host.calls] == ["Get-VM", "Get-VM", "New-VM"]


def test_a_job_reports_progress_and_takes_simulated_time() -> None:
    host = SmallHost()
    events: list[Event] = []
    batch = Batch((Task("t", Call("Stop-VM"), job=True, limit_s=60),), "change")
    (reply,) = TwinTransport(host, ALLOW).run(batch, events.append)
    assert reply.ok
    assert [e.percent for e in events if e.kind == "progress"] == [0, 28, 57, 85]
    assert host.clock.now() == 1008.0


def test_a_job_beyond_its_limit_fails_and_is_left_alone() -> None:
    (reply,) = change(Task("t", Call("Stop-VM", {"Force": True}), job=True, limit_s=10))
    assert reply.failure is not None
    assert reply.failure.id == "TimedOut"


def test_values_travel_unchanged() -> None:
    host = SmallHost()
    nasty: dict[str, Value] = {
        "Date": "/Date(0)/",
        "Iso": "2024-01-01T00:00:00Z",
        "Dollar": '$(x) `" {0}',
        "Big": 2**64 - 1,
        "": "key",
    }
    params: dict[str, Value] = {
        "Map": Map(nasty),
        "Eject": NULL,
        "Left": None,
        "Flag": False,
        "List": ["/Date(1)/", None],
        "P": Secret("s3cret"),
    }
    change(Task("t", Call("Set-VM", params)), host=host)
    assert host.calls == [
        ("Set-VM", {"Map": nasty, "Eject": None, "Flag": False, "List": ["/Date(1)/", None], "P": "s3cret"})
    ]


def test_a_parameter_given_twice_is_refused_before_sending() -> None:
    with pytest.raises(ValueError, match="twice"):
        protocol.encode_batch(Batch((Task("t", Call("Set-VM", {"Name": 1, "name": 2})),)), "b")


def test_a_batch_that_is_too_long_is_refused_before_sending() -> None:
    with pytest.raises(protocol.LineTooLongError, match="at most"):
        protocol.encode_batch(Batch((Task("t", Call("Set-VM", {"Notes": "x" * 2_000_000})),)), "b")


def test_a_command_outside_the_allowlist_is_not_called() -> None:
    host = SmallHost()
    (reply,) = ask(Call("Remove-Item", {"Path": "C:\\"}), host=host)
    assert reply.failure is not None
    assert reply.failure.id == "CommandNotAllowed"
    assert not host.calls


def test_the_same_batch_twice_is_refused() -> None:
    twin = Twin(SmallHost())
    b"".join(twin.feed(protocol.source_line(ALLOW)))
    batch = Batch((Task("t", Call("New-VM", {"Name": "x"})),), "change")
    line = protocol.encode_batch(batch, "b1")
    first, second = (b"".join(twin.feed(line)) for _ in range(2))
    decoder = protocol.Decoder(batch, "b1")
    decoder.feed(first)
    assert decoder.finish()[0].ok
    decoder = protocol.Decoder(batch, "b1")
    decoder.feed(second)
    with pytest.raises(TransportError, match="was here before") as caught:
        decoder.finish()
    assert caught.value.executed == "no"


@pytest.mark.parametrize("spoil", ["len", "sha256", "v", "p", "cut"])
def test_a_spoilt_line_runs_nothing(spoil: str) -> None:
    host = SmallHost()
    twin = Twin(host)
    b"".join(twin.feed(protocol.source_line(ALLOW)))
    batch = Batch((Task("t", VMS),))
    line = protocol.encode_batch(batch, "b1")
    envelope = json.loads(line)
    if spoil == "cut":
        line = line[:-20]
    else:
        envelope[spoil] = {"len": 3, "sha256": "00", "v": 2, "p": [1]}[spoil]
        line = json.dumps(envelope).encode()
    decoder = protocol.Decoder(batch, "b1")
    decoder.feed(b"".join(twin.feed(line)))
    with pytest.raises(TransportError) as caught:
        decoder.finish()
    assert caught.value.executed == "no"
    assert not host.calls


def test_a_lock_names_its_holder() -> None:
    disk = Disk(holder={"user": "HV01\\Tanaka", "pid": 77})
    transport = TwinTransport(SmallHost(), ALLOW, disk)
    with pytest.raises(TransportError, match="Tanaka"):
        transport.run(Batch((Task("t", Call("New-VM", {"Name": "x"})),), "change"))
    assert transport.run(Batch((Task("t", VMS),)))[0].ok


def test_without_a_journal_nothing_is_changed() -> None:
    host = SmallHost()
    transport = TwinTransport(host, ALLOW, Disk(writable=False))
    with pytest.raises(TransportError, match="journal"):
        transport.run(Batch((Task("t", Call("New-VM", {"Name": "x"})),), "change"))
    assert not host.calls


def stopped(transport: TwinTransport) -> None:
    transport.stop()


def test_stop_skips_the_rest() -> None:
    transport = TwinTransport(SmallHost(), ALLOW)
    batch = Batch((Task("a", Call("New-VM", {"Name": "x"})), Task("b", Call("New-VM", {"Name": "y"}))), "change")
    replies = transport.run(batch, lambda event: stopped(transport) if event.kind == "start" else None)
    assert replies[0].ok
    assert replies[1].skipped == "stopped"


def stream(batch: Batch) -> bytes:
    twin = Twin(SmallHost())
    lines = (protocol.source_line(ALLOW), protocol.encode_batch(batch, "b1"))
    return b"".join(chunk for line in lines for chunk in twin.feed(line))


THREE = Batch(tuple(Task(f"t{n}", VMS) for n in range(3)))


def test_any_cut_of_the_stream_reads_the_same() -> None:
    data = stream(THREE) + "WARNUNG: ü\n".encode()
    whole = protocol.Decoder(THREE, "b1")
    whole.feed(data)
    for size in (1, 7, 1000):
        decoder = protocol.Decoder(THREE, "b1")
        for start in range(0, len(data), size):
            decoder.feed(data[start : start + size])
        assert [r.rows for r in decoder.finish()] == [r.rows for r in whole.finish()]
        assert list(decoder.noise) == ["WARNUNG: ü"]
        assert decoder.info is not None
        assert decoder.info.build == 17763


def test_noise_between_and_a_repeated_response_do_no_harm() -> None:
    noisy = stream(THREE).replace(b"\n@hv1", b"loading...\n@hv1 fake {}\n@hv1 {}\n\x82\xa0\n@hv1")
    decoder = protocol.Decoder(THREE, "b1")
    decoder.feed(noisy + noisy)
    assert all(r.ok for r in decoder.finish())


def test_a_lost_line_is_noticed() -> None:
    lines = [line for line in stream(THREE).split(b"\n") if line]
    for lost in range(2, len(lines)):
        decoder = protocol.Decoder(THREE, "b1")
        decoder.feed(b"\n".join(lines[:lost] + lines[lost + 1 :]) + b"\n")
        with pytest.raises(TransportError) as caught:
            decoder.finish()
        assert caught.value.executed == "unknown"


def test_a_stream_that_ends_early_keeps_what_arrived() -> None:
    data = stream(THREE)
    decoder = protocol.Decoder(THREE, "b1")
    decoder.feed(data[: data.index(b'"start","step":"t2"') + 30])
    with pytest.raises(TransportError) as caught:
        decoder.finish()
    assert set(caught.value.replies) == {"t0", "t1"}
    assert decoder.begun in (("t2",), ())


def test_secrets_are_masked_in_what_the_host_says() -> None:
    batch = Batch((Task("t", Call("Get-VM", {"Name": Secret("hunter2")})),))
    (reply,) = TwinTransport(SmallHost(), ALLOW).run(batch)
    assert reply.failure is not None
    assert reply.failure.message == "no VM ***"


WAITING = Task("t", Call("Set-Odd"), guard=Guard(Call("Get-VM"), {"Name": "nobody"}, 1, 1, wait_s=3600))


def test_a_stop_and_the_deadline_end_a_wait() -> None:
    host = SmallHost()
    transport = TwinTransport(host, ALLOW)
    (reply,) = transport.run(Batch((WAITING,), "change"), lambda event: stopped(transport))
    assert (reply.skipped, host.clock.time) == ("stopped", 1002.0)
    (reply,) = TwinTransport(host, ALLOW).run(Batch((WAITING,), "change", deadline_s=30))
    assert reply.skipped == "deadline"
    assert host.clock.time < 1040


def test_a_guard_does_not_wait_in_a_read() -> None:
    with pytest.raises(ValueError, match="in a change batch only"):
        protocol.encode_batch(Batch((WAITING,)), "b1")
