"""A command that an older Windows does not have, asked of objects that lack a property there too: the twin answers as the
runner does."""

from __future__ import annotations

import pytest

from hvctl.call import Batch, Call, Ref, Task, Transport
from mocks.engine import EngineTransport
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.conftest import Engines

VMS = Call("Get-VM")
ASKED = (
    Ref(VMS, {"Generation": 2}, many=True),
    Ref(VMS, {"Generation": 2}, many=True, lenient=True),
    Ref(VMS, {"Name": "web01"}),
    Ref(VMS, {"Name": "nobody"}),
)
CALLS = (
    *(Call("Get-VMFirmware", {"VM": vm}, select=("SecureBoot",)) for vm in ASKED),
    Call("Get-VM", {"Name": Ref(Call("Get-VMFirmware", {"VM": Ref(VMS)}), path="VMName")}, select=("Name",)),
)
BATCH = Batch(tuple(Task(f"q{n}", call) for n, call in enumerate(CALLS)))


def host() -> SimulatedHost:
    return SimulatedHost.from_yaml({"os": "2012", "vms": [{"name": "web01"}]})


def kinds(transport: Transport, batch: Batch) -> list[list[str]]:
    return [[failure.kind for failure in reply.failures] for reply in transport.run(batch)]


def test_it_is_not_there_whatever_it_refers_to() -> None:
    on = host()
    assert kinds(TwinTransport(on), BATCH) == [["CommandNotFoundException"]] * 5
    for task in BATCH.tasks:
        assert kinds(TwinTransport(on), Batch((task,), "change")) == [["CommandNotFoundException"]]
    assert {c.cmdlet for c in on.log} == {"Get-VM"}


@pytest.mark.engine
def test_the_engine_says_the_same(engines: Engines) -> None:
    transport = EngineTransport(engines("2012", "FullLanguage"), host())
    assert kinds(transport, BATCH) == kinds(TwinTransport(host()), BATCH)
