"""The hello of a runner that is told to hold it back leaves with the first answer, once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from hvctl.call import Batch, Call, Task
from hvctl.winrm import protocol
from mocks.engine import find_engine
from mocks.host import SimulatedHost
from mocks.twin import Twin

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
def test_the_runner_holds_its_hello(tmp_path: Path) -> None:
    program = find_engine()
    if program is None:
        pytest.skip("no PowerShell engine: set HVCTL_PWSH, or put pwsh on PATH")
    command = [str(program), *protocol.COMMAND[1:4], "-EncodedCommand", protocol.bootstrap()]
    lines = protocol.source_line({"Get-Gone": "Gone"}, hold=True) + protocol.encode_batch(BATCH, "b1")
    env = {**os.environ, "ProgramData": str(tmp_path)}
    done = subprocess.run(command, input=lines, capture_output=True, timeout=60, check=False, env=env)
    decoder = protocol.Decoder(BATCH, "b1")
    decoder.feed(done.stdout)
    assert decoder.hello is not None
    assert decoder.finish()[0].failure is not None  # the command is not allowed
    assert done.stdout.count(b'"hello"') == 1
