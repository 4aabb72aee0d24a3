"""The way to a host as a worker sees it, which is another than from here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from hvctl.call import TransportError
from hvctl.config.connection import Connection
from hvctl.doctor.evidence import Way
from hvctl.doctor.way import look
from hvctl.fleet.elsewhere import Elsewhere
from hvctl.fleet.errand import Answer, Errand
from hvctl.fleet.worker import Kept, attended

CONNECT_S, ANSWER_S = 5, 10
_WAY: TypeAdapter[Way] = TypeAdapter(Way)


@dataclass(frozen=True)
class Eyes:
    """Looks through the workers."""

    elsewhere: Elsewhere

    def look(self, at: Connection) -> Way:
        """Raises TransportError."""
        answer = Answer.read(self.elsewhere.answer(at, None, looked))
        if answer.error is not None:
            raise answer.error
        return _WAY.validate_python(answer.more)


def looked(text: str) -> str:
    """The task."""
    return attended(text, _look)


def _look(errand: Errand, own: Kept) -> Answer:
    """No password is needed for it, and none is asked for."""
    at = errand.connection
    told = at.wiring.timeouts
    answer_s = min(ANSWER_S, told.operation + told.slack) if told else ANSWER_S
    try:
        way = look(at, now=lambda: datetime.now(UTC), sleep=time.sleep, connect_s=CONNECT_S, answer_s=answer_s)
    except OSError as error:
        raise TransportError(str(error)) from error
    data: Mapping[str, Any] = _WAY.dump_python(way, mode="json")
    return Answer(more=data)
