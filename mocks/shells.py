"""Shells, commands and the processes behind them, as WinRM keeps them for a user (winrm 2.3, 3.1, 3.5)."""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hvctl.winrm.protocol import bootstrap
from mocks import soap
from mocks.faults import Trouble
from mocks.shapes import Piece, plain, shaped
from mocks.soap import Fault, Request
from mocks.twin import Twin

MOST_OUTPUT = 110_000
"""Bytes of one ReceiveResponse: with pywinrm's MaxEnvelopeSize of 153,600 (winrm 2.3)."""

_BAD_COMMAND = (
    b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    b'<S S="Error">The simulated host runs hvctl\'s bootstrap only._x000D__x000A_</S></Objs>'
)


@dataclass(frozen=True)
class Quotas:
    """Per user."""

    shells: int
    operations: int = 1500
    envelope_kb: int = 500
    users: int = 2**31 - 1


PROFILES = {"2012r2": Quotas(30, users=10), "2016+": Quotas(2**31 - 1)}


class ProcessEnded(Exception):
    """The process that makes a call is gone in the middle of it."""

    def __init__(self, code: int, said: str = "") -> None:
        super().__init__(code)
        self.code, self.said = code, said


class Process(Protocol):
    """What a command started."""

    def write(self, data: bytes, end: bool) -> None: ...

    def kill(self) -> None: ...


class Output:
    """What a process has written and nobody has received yet."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._out, self._err = bytearray(), bytearray()
        self._code: int | None = None

    def put(self, out: bytes = b"", err: bytes = b"") -> None:
        with self._ready:
            self._out += out
            self._err += err
            self._ready.notify_all()

    def back(self, out: bytes) -> None:
        """What was taken and not delivered."""
        with self._ready:
            self._out[:0] = out

    def ended(self, code: int) -> None:
        with self._ready:
            self._code = code if self._code is None else self._code
            self._ready.notify_all()

    def take(self, seconds: float) -> tuple[bytes, bytes, int | None] | None:
        """None: nothing came in that time."""
        with self._ready:
            self._ready.wait_for(lambda: self._out or self._err or self._code is not None, seconds)
            if not (self._out or self._err or self._code is not None):
                return None
            out, err = bytes(self._out[:MOST_OUTPUT]), bytes(self._err[:MOST_OUTPUT])
            del self._out[:MOST_OUTPUT], self._err[:MOST_OUTPUT]
            return out, err, None if self._out or self._err else self._code


class TwinProcess:
    """powershell.exe with the runner, as its Python twin."""

    def __init__(self, twin: Twin, output: Output) -> None:
        self._twin, self._output = twin, output
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._rest = b""
        self.alive = True
        threading.Thread(target=self._run, daemon=True).start()

    def write(self, data: bytes, end: bool) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._lines.put(line)
        if end:
            self._lines.put(None)

    def kill(self) -> None:
        """At once, in the middle of whatever it does; what it held open is released."""
        self.alive = False
        self._twin.let_go()
        self._lines.put(None)
        self._output.ended(1)

    def _run(self) -> None:
        try:
            while (line := self._lines.get()) is not None:
                for chunk in self._twin.feed(line):
                    if not self.alive:
                        return
                    self._output.put(chunk)
            self._output.ended(0)
        except ProcessEnded as end:
            self._output.put(err=end.said.encode())
            self._output.ended(end.code)


class Refused:
    """A command that is not hvctl's bootstrap."""

    def __init__(self, output: Output) -> None:
        output.put(err=_BAD_COMMAND)
        output.ended(1)

    def write(self, data: bytes, end: bool) -> None:
        """Nobody reads it."""

    def kill(self) -> None:
        """It has ended."""


Start = Callable[[Output], Process]


@dataclass
class _Command:
    process: Process
    output: Output
    done: bool = False
    last: Piece | None = None


@dataclass
class _Shell:
    user: str
    commands: dict[str, _Command] = field(default_factory=dict)


class Shells:
    """All shells of one host. Tied to users, not to connections."""

    def __init__(self, start: Start, quotas: Quotas, pace: float = 1.0) -> None:
        """`pace`: real seconds for each of an operation timeout's."""
        self._start, self.quotas, self._pace = start, quotas, pace
        self._shells: dict[str, _Shell] = {}
        self._operations: dict[str, int] = {}
        self._lock = threading.Lock()
        self.processes = 0

    def answer(self, request: Request, user: str, shape: Trouble | None = None) -> bytes | Fault:
        """`shape`: how what was written is received, if not as it should be."""
        if request.action == "Create":
            return self._create(request, user)
        shell = self._shells.get(request.shell)
        if shell is None:
            return soap.NO_SHELL
        if shell.user != user:
            return soap.OTHER_USER
        if request.action == "Delete":
            return self._delete(request)
        if request.action == "Command":
            return self._command(request, shell, user)
        command = shell.commands.get(request.command_id)
        if command is None or (command.done and request.action != "Signal"):
            return soap.NO_SHELL if request.command_id else Fault(87, "w:InvalidParameter", "CommandId is missing.")
        match request.action:
            case "Send":
                command.process.write(request.data, request.end)
                return soap.answer(request, "<rsp:SendResponse/>")
            case "Receive":
                return self._receive(request, command, shape)
            case "Signal":
                command.process.kill()
                return soap.answer(request, "<rsp:SignalResponse/>")
        return Fault(2150858752, "w:UnsupportedFeature", request.action)

    @property
    def open(self) -> int:
        return len(self._shells)

    def taken(self, user: str, count: int) -> None:
        """Shells that another program of that user holds open."""
        for _ in range(count):
            self._shells[str(uuid.uuid4()).upper()] = _Shell(user)

    def lose_all(self) -> None:
        """The service was restarted: every shell is gone."""
        with self._lock:
            lost = list(self._shells.values())
            self._shells.clear()
        for shell in lost:
            for command in shell.commands.values():
                command.process.kill()

    def _create(self, request: Request, user: str) -> bytes | Fault:
        with self._lock:
            if sum(s.user == user for s in self._shells.values()) >= self.quotas.shells:
                return soap.NO_SHELLS_LEFT
            if len({s.user for s in self._shells.values()} | {user}) > self.quotas.users:
                return soap.NO_USERS_LEFT
            shell = str(uuid.uuid4()).upper()
            self._shells[shell] = _Shell(user)
        return soap.created(request, shell, user)

    def _command(self, request: Request, shell: _Shell, user: str) -> bytes | Fault:
        # In text shells a command counts until the shell is deleted (MS-WSMV note 118).
        with self._lock:
            count = self._operations.get(user, 0)
            if count >= self.quotas.operations:
                return soap.NO_OPERATIONS_LEFT
            self._operations[user] = count + 1
            self.processes += 1
        output = Output()
        known = request.command.casefold().endswith("powershell.exe") and bootstrap() in " ".join(request.arguments)
        process: Process = self._start(output) if known else Refused(output)
        command_id = str(uuid.uuid4()).upper()
        shell.commands[command_id] = _Command(process, output)
        return soap.answer(
            request, f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>"
        )

    def _receive(self, request: Request, command: _Command, shape: Trouble | None) -> bytes | Fault:
        found = command.output.take(request.timeout_s * self._pace)
        if request.shell not in self._shells:
            return soap.NO_SHELL  # it went while this waited
        if found is None:
            return soap.TIMED_OUT
        piece = plain(*found) if shape is None else shaped(shape, *found)
        if shape is not None and shape.effect == "replay" and command.last is not None:
            piece = Piece(command.last.streams, back=found[0])
        command.output.back(piece.back)
        command.done, command.last = piece.done, piece
        return soap.received(request, piece)

    def _delete(self, request: Request) -> bytes:
        with self._lock:
            shell = self._shells.pop(request.shell)
            self._operations[shell.user] = self._operations.get(shell.user, 0) - len(shell.commands)
        for command in shell.commands.values():
            command.process.kill()
        return soap.answer(request, "")
