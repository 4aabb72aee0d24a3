"""The hello of a runner that is told to hold it back leaves with the first answer, once."""

from __future__ import annotations

import pytest

from hvctl.call import Batch, Call, Task
from hvctl.winrm import protocol
from mocks.host import SimulatedHost
from mocks.twin import Twin
from tests.conftest import Engines

BATCH = Batch((Task("a", Call("Get-VM", select=("Name",))),))


def test_the_twin_holds_its_hello() -> None:
    twin = Twin(SimulatedHost.from_yaml({"os": "2022"}))
    assert list(twin.feed(protocol.source_line({"Get-VM": "Hyper-V"}, hold=True))) == []
    chunks = list(twin.feed(protocol.encode_batch(BATCH, "b1")))
    decoder = protocol.Decoder(BATCH, "b1")
    for chunk in chunks:
        decoder.feed(chunk)
    assert decoder.info is not None
    assert decoder.finish()[0].ok
    assert b"".join(chunks).count(b'"hello"') == 1


@pytest.mark.engine
def test_the_runner_holds_its_hello(engines: Engines) -> None:
    engine = engines("2022", "FullLanguage")
    engine.bind(SimulatedHost.from_yaml({"os": "2022"}))
    engine.send(protocol.source_line(engine.allow, hold=True) + protocol.encode_batch(BATCH, "hold-1"))
    decoder, said = protocol.Decoder(BATCH, "hold-1"), b""
    for data in engine.read():
        said += data
        decoder.feed(data)
        if decoder.ended:
            break
    assert decoder.info is not None
    assert decoder.finish()[0].ok
    assert said.count(b'"hello"') == 1
    assert said.index(b'"hello"') < said.index(b'"accepted"')
