"""What is sent to a worker on another machine, and what it sends back: plain data as JSON text. A secret is none: a task has
the word by which the worker gets it itself."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from hvctl import __version__
from hvctl.call import Batch, Failure, HostInfo, Reply, TransportError, from_json, to_json
from hvctl.config.connection import Connection
from hvctl.config.secrets import PromptSource
from hvctl.config.wiring import Timeouts, Wiring
from hvctl.fleet.rolling import few_of
from hvctl.redaction.redact import Redactor
from hvctl.text.diagnostic import Diagnostic, Mark
from hvctl.text.source import SecretSource
from hvctl.winrm.faults import WireFault
from hvctl.winrm.limits import Limits

_APART = ("password", "wiring", "warnings")
_PLACE = "write !env, !keyring or !command, which is resolved where the worker runs, or a !vault value"


@dataclass(frozen=True)
class Versions:
    """Of a program that has a part in it. Tasks are code by name, so that both ends must have the same."""

    hvctl: str
    python: str

    @classmethod
    def here(cls) -> Versions:
        return cls(__version__, ".".join(platform.python_version_tuple()[:2]))

    def __str__(self) -> str:
        return f"hvctl {self.hvctl} on Python {self.python}"


@dataclass(frozen=True)
class Errand:
    """For one host. `run`: all of one run share what a worker keeps, such as which password was refused. `batch`: what to
    read; without one, only who answers."""

    id: str
    run: str
    versions: Versions
    connection: Connection
    batch: Batch | None = None

    @property
    def text(self) -> str:
        """Raises TypeError for what may not be sent."""
        batch = None if self.batch is None else {**_own(self.batch), "tasks": [to_json(t) for t in self.batch.tasks]}
        data = {
            "id": self.id,
            "run": self.run,
            "versions": asdict(self.versions),
            "connection": _connection_data(self.connection),
            "batch": batch,
        }
        return json.dumps(data, ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> Errand:
        data = json.loads(text)
        batch = data["batch"]
        made = None if batch is None else Batch(from_json(batch["tasks"]), batch["mode"], batch["deadline_s"])
        versions = Versions(**data["versions"])
        return cls(data["id"], data["run"], versions, _connection(data["connection"]), made)


def versions_of(text: str) -> Versions:
    """Of whoever sent it; the rest may be of another make."""
    return Versions(**json.loads(text)["versions"])


def _own(batch: Batch) -> dict[str, Any]:
    return {"mode": batch.mode, "deadline_s": batch.deadline_s}


# --- how a host is reached -------------------------------------------------------------------------------------------


def unsent(connection: Connection, mark: Mark | None = None, others: Sequence[str] = ()) -> Diagnostic | None:
    """Why its password cannot be sent by reference. `others`: hosts of which the same is to be said."""
    name, source = few_of((connection.name, *others)), connection.password
    if source is None or isinstance(source, SecretSource):
        return None
    if isinstance(source, PromptSource):
        text = f"the password of {name} is asked for here, and no secret is sent to a scheduler"
        return Diagnostic(mark, text, f"leave out --ask-pass and {_PLACE}")
    return Diagnostic(mark, f"the password of {name} is known only here, and no secret is sent to a scheduler", _PLACE)


def _connection_data(one: Connection) -> dict[str, Any]:
    source = one.password
    if source is not None and not isinstance(source, SecretSource):
        raise TypeError("a secret cannot be sent")
    plain = {f.name: getattr(one, f.name) for f in fields(one) if f.name not in _APART}
    return {**plain, "password": source and asdict(source), "wiring": asdict(one.wiring)}


def _connection(data: Mapping[str, Any]) -> Connection:
    wiring, source = data["wiring"], data["password"]
    timeouts = wiring["timeouts"] and Timeouts(**wiring["timeouts"])
    password = source and SecretSource(source["kind"], tuple(source["words"]), Mark(**source["mark"]))
    plain = {name: value for name, value in data.items() if name not in _APART}
    return Connection(
        **plain, password=password, wiring=Wiring(wiring["options"], Limits(**wiring["limits"]), timeouts)
    )


# --- what comes back -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What a host answered, or why it did not, and how many requests that took. `worker`: who asked it. `more`: plain data
    of another task than to read."""

    replies: tuple[Reply, ...] = ()
    info: HostInfo | None = None
    error: TransportError | None = None
    requests: int = 0
    worker: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def masked(self, redactor: Redactor) -> str:
        """As text, with what that knows masked, in what an error was at first too."""
        told = redactor.value(self)
        data = {
            "replies": [asdict(reply) for reply in told.replies],
            "info": told.info and asdict(told.info),
            "error": told.error and _error_data(told.error),
            "requests": told.requests,
            "worker": told.worker,
            "more": told.more,
        }
        return json.dumps(redactor.value(data), ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> Answer:
        data = json.loads(text)
        return cls(
            tuple(_reply(one) for one in data["replies"]),
            data["info"] and HostInfo(**data["info"]),
            data["error"] and _error(data["error"]),
            data["requests"],
            data["worker"],
            data["more"],
        )


def _reply(data: Mapping[str, Any]) -> Reply:
    failures = tuple(Failure(**one) for one in data["failures"])
    return Reply(tuple(data["rows"]), failures, data["skipped"], tuple(data["warnings"]), data["ms"])


def _error_data(error: TransportError) -> dict[str, Any]:
    """With what it was at first, by which the cause is judged."""
    causes: list[dict[str, Any]] = []
    cause = error.__cause__
    while isinstance(cause, WireFault):
        causes.append({f.name: getattr(cause, f.name) for f in fields(cause)})
        cause = cause.__cause__
    return {
        "message": error.message,
        "executed": error.executed,
        "hint": error.hint,
        "defect": error.defect,
        "outside": error.outside,
        "causes": causes,
    }


def _error(data: Mapping[str, Any]) -> TransportError:
    found = TransportError(
        data["message"],
        executed=data["executed"],
        hint=data["hint"],
        defect=data["defect"],
        outside=data["outside"],
    )
    found.__cause__ = _cause(data["causes"])
    return found


def _cause(data: Sequence[Mapping[str, Any]]) -> WireFault | None:
    if not data:
        return None
    found = WireFault(**data[0])
    found.__cause__ = _cause(data[1:])
    return found
