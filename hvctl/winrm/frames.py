"""What the runner writes, back into Replies and Events: bytes of stdout → frames → what became of each task."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hvctl.call import Batch, Event, Failure, HostInfo, Map, Reply, Row, Secret, TransportError

NO_BATCH = "-"
"""Stands for the batch id in frames that belong to none: hello, and what is refused before the id is known."""

_SENTINEL = re.compile(rb"@hv1 (\S+) (\{.*)")
_NOISE_KEPT = 50
_MISUSE = "the runner does not understand this hvctl"


@dataclass(frozen=True)
class Refusal:
    """The runner did not begin. `code`: envelope, duplicate, locked, journal, batch, source."""

    code: str
    why: str
    holder: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class _Answer:
    """What has arrived for one task."""

    rows: list[Row] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    skipped: str | None = None
    ms: int = 0
    started: bool = False
    complete: bool = False

    def reply(self) -> Reply:
        return Reply(tuple(self.rows), tuple(self.failures), self.skipped, tuple(self.warnings), self.ms)


class Decoder:
    """Of one batch. Fed with stdout as it arrives, cut anywhere, with other output in between."""

    def __init__(self, batch: Batch, batch_id: str, computer: str = "") -> None:
        """`computer`: whose answers they are, if that is known."""
        self.batch = batch
        self._computer = computer
        self.batch_id = batch_id
        self.hello: Mapping[str, Any] | None = None
        self.refusal: Refusal | None = None
        self.accepted = False
        self.ended = False
        self.gap = False
        self.noise: list[str] = []
        self.journal: list[Mapping[str, Any]] = []
        self.staged: Mapping[str, Any] = {}
        self._rest = b""
        self._next = 1
        self._answers = {task.id: _Answer() for task in batch.tasks}
        self._commands = {task.id: task.call.cmdlet for task in batch.tasks}
        self._secrets = tuple(dict.fromkeys(s for task in batch.tasks for s in _secrets(task.call.params) if s))

    @property
    def info(self) -> HostInfo | None:
        return None if self.hello is None else host_info(self.hello)

    @property
    def mangled(self) -> bool:
        """The runner or the batch did not arrive as it was sent; nothing of it ran."""
        return self.refusal is not None and not self.accepted and self.refusal.code in ("envelope", "source")

    @property
    def duplicate(self) -> bool:
        """The host had the batch before; its journal tells what became of it."""
        return self.refusal is not None and self.refusal.code == "duplicate"

    def feed(self, data: bytes) -> list[Event]:
        """What happened, in the order of its frames. Nothing it is fed with makes it raise."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [event for line in lines for event in self._line(line)]

    def close(self) -> list[Event]:
        """The stream has ended: a last line may lack its newline."""
        line, self._rest = self._rest, b""
        return self._line(line) if line else []

    def replies(self) -> dict[str, Reply]:
        """Of the tasks whose end was seen."""
        return {name: answer.reply() for name, answer in self._answers.items() if answer.complete}

    @property
    def rows(self) -> int:
        """How many have arrived."""
        return sum(len(answer.rows) for answer in self._answers.values())

    @property
    def begun(self) -> tuple[str, ...]:
        """Tasks that were started and whose end was not seen."""
        return tuple(name for name, a in self._answers.items() if a.started and not a.complete)

    def finish(self) -> list[Reply]:
        """All replies, in the order of the tasks. Raises TransportError if the batch did not run to its end."""
        self.close()
        if self.refusal is not None and not self.accepted:
            computer = self.info.computer if self.info else self._computer
            raise TransportError(
                _refusal_text(self.refusal, computer), executed="no", hint=_HINTS.get(self.refusal.code, "")
            )
        if not self.accepted and not self.gap:
            raise TransportError(f"PowerShell on the host did not take the batch{self._said()}", executed="no")
        missing = [name for name, answer in self._answers.items() if not answer.complete]
        if not self.ended or self.gap or missing:
            what = "part of the answer was lost" if self.gap else "PowerShell on the host ended before the batch did"
            at = f", at {self._commands[self.begun[0]]}" if self.begun else ""
            raise TransportError(f"{what}{at}{self._said()}", executed="unknown", replies=self.replies())
        return [self._answers[task.id].reply() for task in self.batch.tasks]

    def _said(self) -> str:
        return f" (it said: {self.noise[-1][:200]})" if self.noise else ""

    def _line(self, line: bytes) -> list[Event]:
        found = _SENTINEL.match(line)
        frame = _parsed(found[2]) if found else None
        if found is None or frame is None:
            return self._note(line)
        owner = found[1].decode("ascii", "replace")
        if owner == NO_BATCH:
            return self._hostwide(frame)
        if owner != self.batch_id:
            return []  # the answer to another line, sent before or after
        number = frame.get("n")
        if not isinstance(number, int) or number < self._next:
            return []  # a response that was sent again
        self.gap = self.gap or number != self._next
        self._next = number + 1
        return self._frame(frame)

    def _note(self, line: bytes) -> list[Event]:
        text = line.decode("utf-8", "replace").strip()
        if not text:
            return []
        self.noise = [*self.noise[1 - _NOISE_KEPT :], text]
        return [Event("note", text=text)]

    def _hostwide(self, frame: Mapping[str, Any]) -> list[Event]:
        if frame.get("t") == "hello" and self.hello is None:
            self.hello = frame
        elif frame.get("t") in ("refused", "fatal") and not self.accepted:
            self.refusal = _refused(frame)
        return []

    def _frame(self, frame: Mapping[str, Any]) -> list[Event]:
        match frame.get("t"):
            case "accepted":
                self.accepted = True
            case "refused":
                self.refusal = _refused(frame)
            case "end":
                self.ended = True
            case "journal":
                self.journal += [r for line in frame["lines"] if (r := _parsed(str(line).encode())) is not None]
            case "stage":
                self.staged = {**self.staged, **frame}
            case _:
                answer = self._answers.get(str(frame.get("step")))
                if answer is not None:
                    return self._task_frame(str(frame["step"]), answer, frame)
        return []

    def _task_frame(self, name: str, answer: _Answer, frame: Mapping[str, Any]) -> list[Event]:
        match frame["t"]:
            case "start":
                answer.started = True
                return [Event("start", name, text=self._commands[name])]
            case "progress":
                return [Event("progress", name, frame.get("pct"), str(frame.get("msg") or ""))]
            case "rows":
                answer.rows += frame["rows"]
            case "skipped":
                answer.skipped, answer.complete = str(frame["why"]), True
                return [Event("skipped", name, text=answer.skipped)]
            case "result":
                answer.failures = [self._failure(e) for e in frame["errors"]]
                answer.warnings = [self._masked(str(w)) for w in frame["warnings"]]
                answer.ms = int(frame["ms"])
                # Too few rows would read as fewer things on the host than there are.
                answer.complete = frame["count"] == len(answer.rows)
                return [Event("done", name, text="" if frame["ok"] else str(answer.reply().failure or "failed"))]
        return []

    def _failure(self, error: Mapping[str, Any]) -> Failure:
        chain = [(str(t), int(h), str(m)) for t, h, m in error["exceptions"]]
        message = self._masked(str(error["message"]))
        if error.get("of"):
            message = f"looking up {error['of']}: {message}"
        return Failure(
            id=str(error["id"]),
            category=str(error.get("category", "")),
            message=message,
            type=chain[0][0] if chain else "",
            hresult=hresult(chain, message),
            value=error.get("value"),
        )

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


_HINTS = {
    "locked": "wait until it is done; the lock goes with the process that holds it",
    "journal": "make %ProgramData%\\hvctl writable for the account hvctl uses",
    "duplicate": "look at the host again: the batch was delivered before",
    "source": "the host's PowerShell may be restricted by policy; run with -vv to see what it said",
}


def _refusal_text(refusal: Refusal, computer: str) -> str:
    if refusal.code != "locked":
        return f"the host refused the batch: {refusal.why}"
    words = {"user": "user", "client": "from", "pid": "pid", "since": "since"}
    holder = {key: str(value) for key, value in refusal.holder.items()}
    holder["since"] = holder.get("since", "")[:19].replace("T", " ")
    who = [f"{word} {holder[key]}" + " UTC" * (key == "since") for key, word in words.items() if holder.get(key)]
    told = ", ".join(who) or "its holder cannot be read"
    return f"another apply holds the lock of {computer or 'this host'} ({told})"


def _refused(frame: Mapping[str, Any]) -> Refusal:
    holder = frame.get("holder")
    known = _parsed(str(holder).encode()) if holder else None
    return Refusal(str(frame.get("code", "")), str(frame.get("why", _MISUSE)), known or {})


def host_info(hello: Mapping[str, Any]) -> HostInfo:
    build = int(hello.get("build") or 0)
    words: dict[str, str] = {k: str(hello.get(k) or "") for k in ("computer", "caption", "ps", "lang", "culture")}
    return HostInfo(
        computer=words["computer"],
        build=build,
        caption=words["caption"],
        powershell=words["ps"],
        language_mode=words["lang"],
        culture=words["culture"],
        user=str(hello.get("user") or ""),
    )


def hresult(chain: Iterable[tuple[str, int, str]], message: str) -> str | None:
    """The first failing code that means something: in the exceptions, outer first, else in the message."""
    codes = [h & 0xFFFFFFFF for _, h, _ in chain]
    telling = [c for c in codes if c >> 31 and c >> 16 != 0x8013 and c not in _DOTNET]
    said = [int(m, 16) for m in re.findall(r"0x([89a-fA-F][0-9a-fA-F]{7})\b", message)]
    return next((f"0x{c:08X}" for c in (*telling, *said)), None)


_DOTNET = frozenset({0x80004001, 0x80004002, 0x80004003, 0x80004005, 0x8000FFFF, 0x80070057})
"""What .NET's exceptions carry by default, beside 0x8013…."""


def _parsed(text: bytes) -> Mapping[str, Any] | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _secrets(value: Any) -> Iterable[str]:
    if isinstance(value, Secret):
        yield value.reveal()
    elif isinstance(value, Map):
        yield from _secrets(value.items)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _secrets(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets(inner)
