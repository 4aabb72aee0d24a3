"""Frames that no runner writes: a Decoder makes of them what it can, and never raises but what it says it raises."""

from __future__ import annotations

import pytest

from hvctl.call import Batch, Call, Event, Task, TransportError
from hvctl.winrm import protocol
from hvctl.winrm.journal import Journal

ODD_FRAMES = {
    "a key is missing": '{"n":2,"t":"result","step":"q0","ok":true}',
    "a number is text": '{"n":2,"t":"result","step":"q0","ok":true,"ms":"1","count":0}',
    "a flag is a number": '{"n":2,"t":"result","step":"q0","ok":1,"ms":1,"count":0}',
    "a number is a flag": '{"n":2,"t":"result","step":"q0","ok":true,"ms":true,"count":0}',
    "a count is negative": '{"n":2,"t":"result","step":"q0","ok":true,"ms":1,"count":-1}',
    "rows are no objects": '{"n":2,"t":"rows","step":"q0","rows":[1]}',
    "rows are no list": '{"n":2,"t":"rows","step":"q0","rows":{"a":1}}',
    "rows hold what is no number": '{"n":2,"t":"rows","step":"q0","rows":[{"a":NaN}]}',
    "rows hold an endless number": '{"n":2,"t":"rows","step":"q0","rows":[{"a":1e999}]}',
    "rows hold a number of 5,000 digits": '{"n":2,"t":"rows","step":"q0","rows":[{"a":%s}]}' % ("9" * 5000),
    "rows are nested 100 levels deep": '{"n":2,"t":"rows","step":"q0","rows":[{"a":%s}]}' % ("[" * 100 + "]" * 100),
    "rows are nested 9,000 levels deep": '{"n":2,"t":"rows","step":"q0","rows":[{"a":%s}]}' % ("[" * 9000 + "]" * 9000),
    "an error has no chain": '{"n":2,"t":"result","step":"q0","ok":false,"ms":1,"count":0,"errors":[{"exceptions":1}]}',
    "its number is a flag": '{"n":true,"t":"start","step":"q0"}',
    "its number is negative": '{"n":-2,"t":"start","step":"q0"}',
    "its step is a list": '{"n":2,"t":"start","step":["q0"]}',
    "it is a list": '[{"n":2,"t":"start","step":"q0"}]',
    "it has no type": '{"n":2,"step":"q0"}',
}  # fmt: skip


@pytest.mark.parametrize("said", ODD_FRAMES.values(), ids=ODD_FRAMES.keys())
def test_a_frame_that_is_none_is_noise_and_its_absence_is_noticed(said: str) -> None:
    decoder = protocol.Decoder(Batch((Task("q0", Call("Get-VM", select=("Name",))),)), "b1")
    text = '@hv1 b1 {"n":1,"t":"accepted"}\n@hv1 b1 %s\n@hv1 b1 {"n":3,"t":"end"}\n'
    decoder.feed((text % said).encode())
    assert decoder.gap
    assert decoder.noise[0].startswith("@hv1 b1 ")
    with pytest.raises(TransportError) as caught:
        decoder.finish()
    assert caught.value.executed == "unknown"


def test_half_a_character_of_a_name_costs_no_more_than_that_character() -> None:
    decoder = protocol.Decoder(Batch((Task("q0", Call("Get-VM", select=("Name",))),)), "b1")
    rows = r'{"n":2,"t":"rows","step":"q0","rows":[{"Name":"a\ud800b"},{"Name":"\ud83d\ude00"}]}'
    end = '{"n":3,"t":"result","step":"q0","ok":true,"ms":1,"count":2}'
    said = ['{"n":1,"t":"accepted"}', rows, end, '{"n":4,"t":"end"}']
    decoder.feed("".join(f"@hv1 b1 {frame}\n" for frame in said).encode())
    assert [row["Name"] for row in decoder.finish()[0].rows] == ["a?b", "\U0001f600"]


def test_frames_of_a_newer_runner_that_are_not_known_are_no_gap() -> None:
    decoder = protocol.Decoder(Batch(()), "b1")
    said = ['{"n":1,"t":"accepted","more":[1]}', '{"n":2,"t":"weather","sun":true}', '{"n":3,"t":"end","ok":true}']
    decoder.feed("".join(f"@hv1 b1 {frame}\n" for frame in said).encode())
    assert decoder.finish() == []


def test_what_comes_after_the_end_of_a_step_spoils_its_answer() -> None:
    decoder = protocol.Decoder(Batch((Task("q0", Call("Get-VM", select=("Name",))),)), "b1")
    rows = '"t":"rows","step":"q0","rows":[{"Name":"a"}]}'
    end = '{"n":3,"t":"result","step":"q0","ok":true,"ms":1,"count":1}'
    said = ['{"n":1,"t":"accepted"}', '{"n":2,' + rows, end, '{"n":4,' + rows, '{"n":5,"t":"end"}']
    decoder.feed("".join(f"@hv1 b1 {frame}\n" for frame in said).encode())
    with pytest.raises(TransportError, match="part of the answer was lost"):
        decoder.finish()


def test_a_runner_that_gives_up_in_the_middle_is_heard() -> None:
    decoder = protocol.Decoder(Batch((Task("q0", Call("Get-VM", select=("Name",))),), "change"), "b1")
    decoder.feed(b'@hv1 b1 {"n":1,"t":"accepted"}\n@hv1 b1 {"n":2,"t":"fatal","why":"the disk is full"}\n')
    assert decoder.ended
    with pytest.raises(TransportError, match="the disk is full"):
        decoder.finish()


def test_a_journal_with_a_damaged_line_does_not_say_that_a_step_was_not_begun() -> None:
    begin, before = '{"at":"begin","time":"t"}', '{"at":"before","step":"s1","cmdlet":"Set-VM"}'
    after = '{"at":"after","step":"s1","ok":true,"error":null}'
    whole = Journal.read([begin, before, after])
    assert list(whole.ended(["s1", "s2"])) == ["s1"]
    assert list(whole.not_begun(["s1", "s2"])) == ["s2"]
    for damage in ('{"at":"before","st', '{"at":"before","step":2}', "\0\0\0", "[]", '{"at":"before"}'):
        torn = Journal.read([begin, before, after, damage])
        assert list(torn.ended(["s1", "s2"])) == ["s1"]
        assert torn.not_begun(["s1", "s2"]) == {}
        assert torn
        assert torn.brief() == "1 step done, lines of its journal cannot be read"


def test_a_line_without_an_end_costs_what_arrives_and_no_more() -> None:
    """Each piece of it was joined to all before, and searched with them: some 20 GB for this one."""
    decoder = protocol.Decoder(Batch(()), "b1")
    for _ in range(200_000):
        assert decoder.feed(b"x") == []
    assert decoder.feed(b'\n@hv1 b1 {"n":1,"t":"end"}') == [Event("note", text="x" * 500, outside=("x" * 500,))]
    decoder.close()
    assert decoder.ended


def test_a_flood_of_lines_is_told_at_its_beginning_only() -> None:
    decoder = protocol.Decoder(Batch(()), "b1")
    told = [event.text for n in range(1000) for event in decoder.feed(b"noise %d\n" % n)]
    assert told == [*(f"noise {n}" for n in range(50)), "more of that is not shown"]
    assert list(decoder.noise) == [f"noise {n}" for n in range(950, 1000)]
