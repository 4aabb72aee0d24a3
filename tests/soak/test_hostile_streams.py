"""A host that garbles what it answers: streams that no runner writes, and rows that no cmdlet returns. Seeded; a sample in
every run of the tests."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from random import Random

import pytest

from hvctl.call import Batch, Call, Task, TransportError
from hvctl.core.facts import read_batch
from hvctl.winrm import protocol
from hvctl.winrm.journal import Journal
from hvctl.winrm.steps import steps_of
from mocks.garbling import garbled
from mocks.run import Disk
from mocks.twin import Twin
from tests.winrm.host import SmallHost

STREAMS = 20_000 if os.environ.get("HVCTL_SOAK") else 1_000
GROUP = 500
ALL = ("Name", "State", "Tags[]", "Inners[MaximumBandwidth,X]")

READ = read_batch(
    [Call("Get-VM", select=ALL), Call("Get-Odd", select=("Null", "Yes", "Text", "List[]")), Call("Get-No")]
)
CHANGE = Batch(
    (
        Task("s1", Call("Set-VM", {"Name": "web01", "Notes": "x"})),
        Task("s2", Call("Set-VM", {"Name": "nobody"}), needs=("s1",)),
        Task("s3", Call("Get-VM", select=("Name",)), needs=("s2",)),
    ),
    "change",
)
NOTHING = Batch(())


@cache
def honest() -> tuple[tuple[Batch, str, bytes], ...]:
    """What a runner answers to a read, changes, a refusal, and questions for a journal and about files."""
    disk = Disk()
    twin = Twin(SmallHost(), disk)
    allow = {str(step["cmdlet"]): "" for batch in (READ, CHANGE) for step in steps_of(batch)}
    hello = b"".join(twin.feed(protocol.source_line(allow)))
    hello += b"".join(twin.feed(protocol.staging_line(allow)))
    lines = (
        (READ, "r1", protocol.encode_batch(READ, "r1")),
        (CHANGE, "c1", protocol.encode_batch(CHANGE, "c1")),
        (CHANGE, "c1", protocol.encode_batch(CHANGE, "c1")),
        (NOTHING, "j1", protocol.encode_action("journal", "c1", "j1")),
        (NOTHING, "o1", protocol.encode_stage("open", "run", "o1", name="file", fresh=True)),
        (NOTHING, "f1", protocol.encode_stage("files", "run", "f1", files=[{"name": "f", "packed": False, "data": "aGk="}])),
    )  # fmt: skip
    return tuple((batch, name, hello + b"".join(twin.feed(line))) for batch, name, line in lines)


def pieces(stream: bytes, chance: Random) -> Iterator[bytes]:
    size = chance.choice((7, 100, 5_000, len(stream) + 1))
    for at in range(0, len(stream), size):
        yield stream[at : at + size]


def decoded(batch: Batch, name: str, stream: bytes, chance: Random) -> bool:
    """Whether it was taken for a whole answer."""
    decoder = protocol.Decoder(batch, name)
    for piece in pieces(stream, chance):
        decoder.feed(piece)
    decoder.close()
    json.dumps([dict(row) for reply in decoder.replies().values() for row in reply.rows], allow_nan=False)
    assert decoder.info is None or isinstance(decoder.info.build, int)
    assert decoder.begun is not None
    journal = Journal.read(decoder.journal)
    assert journal.ended(["s1"]).keys() <= {"s1"}
    assert journal.not_begun(["s1"]).keys() <= {"s1"}
    assert journal.brief()
    assert decoder.staged.at is None or decoder.staged.at >= 0
    try:
        replies = decoder.finish()
    except TransportError:
        return False
    assert len(replies) == len(batch.tasks)
    return True


def test_the_streams_are_whole_before_they_are_garbled() -> None:
    whole = [decoded(*one, Random(1)) for one in honest()]
    assert whole == [True, True, False, True, True, True], "the same changes again are refused"


@pytest.mark.parametrize("group", range(STREAMS // GROUP))
def test_no_garbled_stream_makes_a_decoder_raise(group: int, figure: Callable[[str, int], None]) -> None:
    raised, whole = [], 0
    for seed in range(group * GROUP, (group + 1) * GROUP):
        chance = Random(seed)
        batch, name, stream = chance.choice(honest())
        try:
            whole += decoded(batch, name, garbled(stream, chance), chance)
        except Exception as error:
            raised.append(f"{seed}: {error!r}")
    figure("garbled streams through the decoder", GROUP)
    figure("of them raised", len(raised))
    figure("of them taken for a whole answer", whole)
    assert not raised
