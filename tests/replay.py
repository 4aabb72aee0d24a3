"""A recording of a host, replayed through the seam of every transport."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hvctl.call import Batch, Event, Failure, HostInfo, Reply, TransportError, from_json
from hvctl.contract import nearest
from hvctl.core.facts import Facts


class RecordedTransport:
    """Answers reads from a recording; refuses changes, and what was never asked."""

    def __init__(self, file: str | Path) -> None:
        data = json.loads(Path(file).read_text(encoding="utf-8"))
        info = HostInfo(**data["info"])
        replies = {from_json(a["call"]): _reply(a["reply"]) for a in data["answers"]}
        self._facts = Facts(nearest(info.build) or "2012", info, replies)

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda _: None) -> list[Reply]:
        if batch.mode != "read":
            raise TransportError("a recording cannot be changed", hint="use it for plan and drift")
        try:
            return [self._facts.reply(task.call) for task in batch.tasks]
        except KeyError as error:
            raise TransportError(
                f"the recording has no answer: {error.args[0]}", hint="record the host anew"
            ) from error

    def info(self) -> HostInfo:
        return self._facts.info

    @property
    def requests(self) -> int:
        return 0

    def stop(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is open."""


def _reply(data: dict[str, Any]) -> Reply:
    failures = tuple(Failure(**f) for f in data["failures"])
    return Reply(tuple(data["rows"]), failures, data["skipped"], tuple(data["warnings"]), data["ms"])
