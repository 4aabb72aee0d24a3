"""Files over the wire: full Sends, few Receives, and what broke goes on at the host's last word."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from tenacity import Retrying, retry_if_exception

from hvctl.call import TransportError
from hvctl.winrm import protocol
from hvctl.winrm.faults import WireFault
from hvctl.winrm.retries import UPLOAD_TRIES, upload_wait
from hvctl.winrm.staging import Staging


class Line(Protocol):
    """What an upload needs of a client. Every fault is a WireFault, and ends the process over there."""

    @property
    def most(self) -> int: ...

    def ask(self, decoder: protocol.Decoder, line: bytes) -> None:
        """Send a line to a runner that takes files, and receive to the end of its answer."""

    def put(self, data: bytes) -> None: ...

    def hear(self, decoder: protocol.Decoder, until: Callable[[], bool]) -> None: ...

    def give_up(self) -> bool: ...

    def wait(self, seconds: float) -> None: ...


class Upload:
    """The files of one batch; a Pipe for its Staging."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._waiting = bytearray()

    def bring(self, staging: Staging) -> None:
        """Raises TransportError, with nothing of the batch run."""
        futile = 0

        def once() -> None:
            nonlocal futile
            before = staging.moved
            try:
                staging.push(self)
            except WireFault:
                self._waiting.clear()
                futile = 0 if staging.moved > before else futile + 1
                raise

        def worth(error: BaseException) -> bool:
            return isinstance(error, WireFault) and not self._line.give_up() and error.executed != "no"

        try:
            Retrying(
                retry=retry_if_exception(worth),
                stop=lambda _: futile == UPLOAD_TRIES,
                wait=lambda _: upload_wait(futile),
                sleep=self._line.wait,
                reraise=True,
            )(once)
        except WireFault as fault:
            text = f"{fault.text}, while files were brought to the host"
            hint = fault.advice or "run apply again"
            raise TransportError(text, hint=hint, outside=(fault.outside,)) from fault

    def take_away(self, staging: Staging) -> None:
        """What cannot be removed now is removed by a later upload, when it is a day old."""
        with suppress(WireFault):
            staging.remove(self)

    # --- the pipe ------------------------------------------------------------------------------------------------

    def talk(self, decoder: protocol.Decoder, line: bytes) -> None:
        self._flush(everything=True)
        self._line.ask(decoder, line)

    def send(self, line: bytes) -> None:
        self._waiting += line
        if len(self._waiting) >= self._line.most:
            self._flush()

    def receive(self, decoder: protocol.Decoder, until: Callable[[], bool]) -> None:
        self._flush(everything=True)
        self._line.hear(decoder, until)

    def _flush(self, *, everything: bool = False) -> None:
        """Whole Sends; a line may stand in two."""
        most = self._line.most
        ready = len(self._waiting) if everything else len(self._waiting) // most * most
        data = bytes(self._waiting[:ready])
        del self._waiting[:ready]
        if data:
            self._line.put(data)
