"""Batches over a conversation: reads are asked again, changes are sent once and the host's journal tells the rest."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress

from hvctl.call import Batch, Event, Reply, TransportError, defect
from hvctl.winrm import protocol
from hvctl.winrm.conversation import Conversation
from hvctl.winrm.earlier import Earlier
from hvctl.winrm.faults import WireFault, said
from hvctl.winrm.journal import Journal
from hvctl.winrm.powershell import PowerShell
from hvctl.winrm.retries import BATCH_TRIES, futile, trying


class Batches:
    """Of one host. What it raises is a TransportError. `earlier`: how many seconds changes of an earlier run that still
    go on are waited for."""

    def __init__(self, conversation: Conversation, powershell: PowerShell, earlier: float) -> None:
        self.changing: protocol.Decoder | None = None
        """Of the changes that are under way; whoever runs them says when all is done."""
        self._conversation = conversation
        self._powershell = powershell
        self._earlier = Earlier(powershell, self.journal, conversation.wait, lambda: conversation.stopped, earlier)

    def read(self, batch: Batch, on_event: Callable[[Event], None]) -> list[Reply]:
        def once() -> list[Reply]:
            with said():
                self._powershell.ensure()
                self._earlier.settle(on_event)
                return self._asked(batch, on_event).finish()

        def worth(error: BaseException) -> bool:
            # A read may be sent again whatever became of it, but a refusal or a wrong password stays what it is.
            asked = isinstance(error, TransportError) and error.executed != "no"
            return asked and not self._conversation.stopped and not futile(error.__cause__)

        return trying(worth, BATCH_TRIES, before=self._powershell.drop)(once)

    def change(self, batch: Batch, on_event: Callable[[Event], None]) -> list[Reply]:
        batch_id = str(uuid.uuid4())
        line = _line(batch, batch_id)
        info = self._conversation.info
        decoder = self.changing = protocol.Decoder(batch, batch_id, info.computer if info else "")
        try:
            if self._conversation.stopped:  # asked before whoever stops could see that there is something to stop
                raise TransportError("stopped before the changes were sent")
            with said():
                self._conversation.talk(decoder, line, on_event, batch.deadline_s)
                return decoder.finish()
        except TransportError as error:
            if self._powershell.kept or (error.executed == "no" and not decoder.accepted and not decoder.duplicate):
                raise
            self._powershell.drop()
            return self._retold(error, decoder, on_event)
        except Exception as error:
            # A fault of hvctl: what runs over there is judged as after any other answer that was lost.
            fault = defect(error, executed="unknown", doing="while the changes ran")
            if self._powershell.kept:
                raise fault from error
            self._powershell.drop()
            return self._retold(fault, decoder, on_event)
        finally:
            self._powershell.note_batch("")

    def _retold(
        self, error: TransportError, decoder: protocol.Decoder, on_event: Callable[[Event], None]
    ) -> list[Reply]:
        """What became of changes whose answer was lost: the journal tells. Raises the error, unless all is known."""
        tasks = [t.id for t in decoder.batch.tasks]
        journal = self.journal(decoder.batch_id)
        replies = {**(journal or Journal()).ended(tasks), **decoder.replies()}
        if journal is not None and set(replies) == set(tasks) and not error.defect:
            text = f"{error.message}; the host's journal tells how every step ended"
            on_event(Event("notice", text=text, outside=error.outside))
            return [replies[t] for t in tasks]
        if journal is not None and self._powershell.ended:
            # Nothing runs over there any more, and it writes down a step before it begins it.
            replies |= journal.not_begun(tasks)
        # The shell is gone, so what did not arrive by now never will: no journal means that nothing began.
        began = journal is None or bool(journal) or decoder.accepted or not self._powershell.ended
        raise TransportError(
            error.message,
            executed="unknown" if began else "no",
            hint=error.hint or "run plan to see what is left",
            replies=replies,
            defect=error.defect,
            outside=error.outside,
        ) from error

    def _asked(self, batch: Batch, on_event: Callable[[Event], None]) -> protocol.Decoder:
        batch_id = str(uuid.uuid4())
        decoder = protocol.Decoder(batch, batch_id)
        self._conversation.talk(decoder, _line(batch, batch_id), on_event, batch.deadline_s)
        return decoder

    def journal(self, batch_id: str) -> Journal | None:
        """What the host wrote down about a batch; None if that cannot be had."""

        def once() -> Journal:
            action_id = str(uuid.uuid4())
            decoder = protocol.Decoder(Batch(()), action_id)
            line = protocol.encode_action("journal", batch_id, action_id)
            fault: WireFault | None = None
            try:
                self._conversation.talk(decoder, line, lambda event: None, 60)
            except WireFault as error:
                fault = error
            if decoder.ended and not decoder.gap:
                return Journal.read(decoder.journal)
            self._powershell.drop()
            raise fault or WireFault("lost", "the host did not say what it wrote down")

        with suppress(WireFault):
            return trying(lambda error: isinstance(error, WireFault) and not futile(error), BATCH_TRIES)(once)
        return None


def _line(batch: Batch, batch_id: str) -> bytes:
    try:
        return protocol.encode_batch(batch, batch_id)
    except protocol.LineTooLongError as error:
        raise TransportError(str(error), hint="split the playbook, or use --limit") from error
