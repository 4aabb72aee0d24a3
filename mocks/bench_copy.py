"""What a file costs on its way to a host: hvctl's way, and the way Ansible's winrm connection goes, on one server."""

from __future__ import annotations

import base64
import hashlib
import random
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from winrm.protocol import Protocol

from hvctl.call import Batch, Call, Staged, Task
from hvctl.winrm import protocol
from hvctl.winrm.client import WinRM
from mocks.shells import Output, Process

CHUNK = 250_000
"""Ansible's put_file: bytes per Send, in base64, which Send puts into base64 once more (winrm 3.2, 4.1)."""
Served = Callable[..., Any]
Measured = Callable[..., Any]


class Sink:
    """What Ansible's put_file runs on the host: lines of base64 into a file, and its SHA-1 at the end."""

    def __init__(self, output: Output) -> None:
        self._output, self._rest = output, b""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed when the process ends
        self._lock = threading.Lock()

    def write(self, data: bytes, end: bool) -> None:
        with self._lock:
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                self._file.write(base64.b64decode(line))
            if end:
                self._file.seek(0)
                digest = hashlib.sha1(usedforsecurity=False)
                while block := self._file.read(1 << 20):
                    digest.update(block)
                self._output.put(b'{"sha1":"%s"}\r\n' % digest.hexdigest().encode())
                self._output.ended(0)

    def kill(self) -> None:
        self._file.close()
        self._output.ended(1)


def sink(output: Output) -> Process:
    return Sink(output)


def rows(
    served: Served, measured: Measured, client: Callable[[int], WinRM], login: tuple[str, str], megabytes: int
) -> Iterator[dict[str, Any]]:
    """A scenario each: bytes that do not shrink, and bytes that do."""
    for kind in ("random", "text"):
        with tempfile.NamedTemporaryFile() as file:
            for block in _blocks(kind, megabytes):
                file.write(block)
            file.flush()
            path = Path(file.name)
            with served(1, 1) as (ports, counted):
                ours = measured(partial(_ours, client(ports[0]), path), counted)
            with served(1, 1, sink=True) as (ports, counted):
                theirs = measured(partial(_as_ansible, ports[0], login, path), counted)
        scenario = f"copy {megabytes} MB of {kind}"
        yield {"scenario": scenario, "ours": _with_rate(ours, megabytes), "naive": _with_rate(theirs, megabytes)}


def _with_rate(cost: dict[str, Any], megabytes: int) -> dict[str, Any]:
    return {**cost, "mb_per_s": round(megabytes / (cost["wall_ms"] / 1000), 1)}


def _blocks(kind: str, megabytes: int) -> Iterator[bytes]:
    source = random.Random(megabytes)
    words = [source.randbytes(source.randint(1, 6)).hex() for _ in range(2000)]
    for _ in range(megabytes):
        if kind == "random":
            yield source.randbytes(1 << 20)
        else:
            yield " ".join(source.choices(words, k=150_000)).encode()[: 1 << 20].ljust(1 << 20)


def _ours(client: WinRM, path: Path) -> None:
    """As an apply does it, hashing the source included."""
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    file = Staged(digest, path.stat().st_size, path.name, path=str(path.resolve()))
    (reply,) = client.run(Batch((Task("t", Call("Get-FileHash", {"LiteralPath": file}, ("Hash",))),), "change"))
    client.close()
    assert reply.rows[0]["Hash"].lower() == digest, reply


def _as_ansible(port: int, login: Sequence[str], path: Path) -> None:
    """A connection, a shell and a process of its own; one chunk per request."""
    connection = Protocol(
        f"https://127.0.0.1:{port}/wsman",
        transport="ntlm",
        username=login[0],
        password=login[1],
        ca_trust_path="build/bench/ca.pem",
        proxy=None,
    )
    shell = connection.open_shell(codepage=65001)
    command, *words = protocol.COMMAND
    # The server runs hvctl's bootstrap only; behind it stands what Ansible's script would do.
    started = connection.run_command(
        shell, command, (*words, "-EncodedCommand", protocol.bootstrap()), console_mode_stdin=False
    )
    digest = hashlib.sha1(usedforsecurity=False)
    size, sent = path.stat().st_size, 0
    with path.open("rb") as source:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            sent += len(chunk)
            line = base64.b64encode(chunk) + b"\r\n"
            connection.send_command_input(shell, started, line, end=sent >= size)
    said, _, _ = connection.get_command_output(shell, started)
    connection.cleanup_command(shell, started)
    connection.close_shell(shell)
    assert digest.hexdigest().encode() in said
