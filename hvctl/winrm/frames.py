"""What the runner writes, back into Replies and Events: bytes of stdout → frames → what became of each task."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hvctl.call import Batch, Event, Failure, HostInfo, Map, Reply, Row, Secret, TransportError
from hvctl.winrm import answers
from hvctl.winrm.answers import Holder

NO_BATCH = "-"
"""Stands for the batch id in frames that belong to none: hello, and what is refused before the id is known."""

_SENTINEL = re.compile(rb"@hv1 (\S+) (\{.*)")
_NOISE_KEPT = 50
"""So many lines of noise are kept, the last ones; and told, the first ones."""
_NOISE_LONGEST = 500
_MISUSE = "the runner does not understand this hvctl"


@dataclass(frozen=True)
class Refusal:
    """The runner did not begin. `code`: envelope, duplicate, locked, lease, journal, batch, source."""

    code: str
    why: str
    holder: Holder = field(default_factory=Holder)


@dataclass(frozen=True)
class Staged:
    """What the host last said of the files that are brought to it: bytes written, hashes of whole files, or why not."""

    at: int | None = None
    shas: tuple[str, ...] | None = None
    error: str | None = None

    def __bool__(self) -> bool:
        return self != Staged()

    def after(self, frame: answers.Stage) -> Staged:
        return Staged(
            self.at if frame.at is None else frame.at,
            self.shas if frame.shas is None else tuple(frame.shas),
            self.error if frame.error is None else frame.error,
        )


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
        self.hello: answers.Hello | None = None
        self.refusal: Refusal | None = None
        self.accepted = False
        self.ended = False
        self.gap = False
        self.noise: deque[str] = deque(maxlen=_NOISE_KEPT)
        self._noted = 0
        self.journal: list[str] = []
        self.staged = Staged()
        self._rest = bytearray()
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
        first, *more = data.split(b"\n")
        self._rest += first  # and not searched again: a line without an end may come in very many pieces
        if not more:
            return []
        lines = (bytes(self._rest), *more[:-1])
        self._rest = bytearray(more[-1])
        return [event for line in lines for event in self._line(line)]

    def close(self) -> list[Event]:
        """The stream has ended: a last line may lack its newline."""
        line, self._rest = bytes(self._rest), bytearray()
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
            held = self.refusal.holder
            who = held.lease or ("apply.lock" if self.refusal.code == "locked" else "")
            hint = _HINTS["leased" if held.lease else self.refusal.code] if self.refusal.code in _HINTS else ""
            raise TransportError(
                _refusal_text(self.refusal, computer), executed="no", hint=hint, holder=(who, held.owner)
            )
        if not self.accepted and not self.gap:
            text = f"PowerShell on the host did not take the batch{self._said()}"
            raise TransportError(text, executed="no", outside=self._last)
        missing = [name for name, answer in self._answers.items() if not answer.complete]
        if not self.ended or self.gap or missing:
            what = "part of the answer was lost" if self.gap else "PowerShell on the host ended before the batch did"
            at = f", at {self._commands[self.begun[0]]}" if self.begun else ""
            text = f"{what}{at}{self._said()}"
            raise TransportError(text, executed="unknown", replies=self.replies(), outside=self._last)
        return [self._answers[task.id].reply() for task in self.batch.tasks]

    def _said(self) -> str:
        return "".join(f" (it said: {line})" for line in self._last)

    @property
    def _last(self) -> tuple[str, ...]:
        """What PowerShell said last that was no answer."""
        return (self.noise[-1][:200],) if self.noise else ()

    def _line(self, line: bytes) -> list[Event]:
        found = _SENTINEL.match(line)
        if found is None:
            return self._note(line)
        owner = found[1].decode("ascii", "replace")
        if owner not in (NO_BATCH, self.batch_id):
            return []  # the answer to another line, sent before or after
        frame = answers.frame(found[2])
        if frame is None:
            return self._note(line)  # the number of the next one shows that it is missing
        if owner == NO_BATCH:
            return self._hostwide(frame)
        if frame.n < self._next:
            return []  # a response that was sent again
        self.gap = self.gap or frame.n != self._next
        self._next = frame.n + 1
        return self._frame(frame)

    def _note(self, line: bytes) -> list[Event]:
        text = line[:_NOISE_LONGEST].decode("utf-8", "replace").strip()
        if not text:
            return []
        self.noise.append(text)
        self._noted += 1
        if self._noted > _NOISE_KEPT:
            return [Event("note", text="more of that is not shown")] if self._noted == _NOISE_KEPT + 1 else []
        return [Event("note", text=text, outside=(text,))]

    def _hostwide(self, frame: answers.Frame) -> list[Event]:
        match frame:
            case answers.Hello() if self.hello is None:
                self.hello = frame
            case answers.Refused() | answers.Fatal() if not self.accepted:
                self.refusal = _refused(frame)
        return []

    def _frame(self, frame: answers.Frame) -> list[Event]:
        match frame:
            case answers.Accepted():
                self.accepted = True
            case answers.Refused():
                self.refusal = _refused(frame)
            case answers.Fatal():
                self.ended = True  # without all of its results, which says that it did not run to its end
                return self._note((frame.why or "").encode("utf-8", "replace"))
            case answers.End():
                self.ended = True
            case answers.JournalLines():
                self.journal += [line or "" for line in frame.lines]
            case answers.Stage():
                self.staged = self.staged.after(frame)
            case answers.Start() | answers.Progress() | answers.RowsOf() | answers.Skipped() | answers.Result():
                answer = self._answers.get(frame.step)
                if answer is not None:
                    return self._task_frame(frame.step, answer, frame)
        return []

    def _task_frame(self, name: str, answer: _Answer, frame: answers.TaskFrame) -> list[Event]:
        if answer.complete:
            self.gap = True  # what comes after an end is of no answer that can be made sense of
            return []
        match frame:
            case answers.Start():
                answer.started = True
                return [Event("start", name, text=self._commands[name])]
            case answers.Progress():
                percent = frame.pct if frame.pct is not None and 0 <= frame.pct <= 100 else None
                return [Event("progress", name, percent, frame.msg or "")]
            case answers.RowsOf():
                answer.rows += frame.rows
            case answers.Skipped():
                answer.skipped, answer.complete = frame.why, True
                return [Event("skipped", name, text=answer.skipped)]
            case answers.Result():
                answer.failures = [self._failure(e) for e in frame.errors]
                if not frame.ok and not answer.failures:
                    answer.failures = [Failure("Failed", message="the host does not say why")]
                answer.warnings = [self._masked(w) for w in frame.warnings]
                answer.ms = frame.ms
                # Too few rows would read as fewer things on the host than there are.
                answer.complete = frame.count == len(answer.rows)
                return [Event("done", name, text="" if frame.ok else str(answer.reply().failure))]
        return []

    def _failure(self, error: answers.ErrorRecord) -> Failure:
        message = self._masked(error.message)
        if error.of:
            message = f"looking up {error.of}: {message}"
        return Failure(
            id=error.id,
            category=error.category,
            message=message,
            type=error.exceptions[0][0] if error.exceptions else "",
            hresult=hresult(error.exceptions, message),
            value=error.value,
        )

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


_HINTS = {
    "locked": "wait until it is done; the lock goes with the process that holds it",
    "leased": "wait until it is done; what a run that is gone has left runs out by itself",
    "lease": "run hvctl again",
    "journal": "make %ProgramData%\\hvctl writable for the account hvctl uses",
    "duplicate": "look at the host again: the batch was delivered before",
    "source": "the host's PowerShell may be restricted by policy; run with -vv to see what it said",
}


def _refusal_text(refusal: Refusal, computer: str) -> str:
    if refusal.code == "lease":
        return f"another apply has taken {computer or 'this host'} meanwhile: nothing more is sent there"
    if refusal.code != "locked":
        return f"the host refused the batch: {refusal.why}"
    words = {"user": "user", "client": "from", "pid": "pid", "since": "since"}
    if refusal.holder.lease:
        words = {"user": "user", "owner": "from", "since": "since", "until": "until"}
    holder = {key: str(getattr(refusal.holder, key) or "") for key in words}
    holder["since"] = holder["since"][:19].replace("T", " ")
    if until := holder.get("until", ""):
        holder["until"] = f"{until[:4]}-{until[4:6]}-{until[6:8]} {until[8:10]}:{until[10:12]}:{until[12:14]}"
    who = [f"{word} {holder[key]}" + " UTC" * (key in ("since", "until")) for key, word in words.items() if holder[key]]
    told = ", ".join(who) or "its holder cannot be read"
    what = "has taken" if refusal.holder.lease else "holds the lock of"
    return f"another apply {what} {computer or 'this host'} ({told})"


def _refused(frame: answers.Refused | answers.Fatal) -> Refusal:
    held = frame.holder if isinstance(frame, answers.Refused) else None
    holder = answers.parsed(answers.HOLDER, held) if held else None
    return Refusal(frame.code, _MISUSE if frame.why is None else frame.why, holder or Holder())


def host_info(hello: answers.Hello) -> HostInfo:
    return HostInfo(
        computer=hello.computer,
        build=hello.build,
        caption=hello.caption,
        powershell=hello.ps,
        language_mode=hello.lang,
        culture=hello.culture,
        user=hello.user,
    )


def hresult(chain: Iterable[tuple[str, int, str]], message: str) -> str | None:
    """The first failing code that means something: in the exceptions, outer first, else in the message."""
    codes = [h & 0xFFFFFFFF for _, h, _ in chain]
    telling = [c for c in codes if c >> 31 and c >> 16 != 0x8013 and c not in _DOTNET]
    said = [int(m, 16) for m in re.findall(r"0x([89a-fA-F][0-9a-fA-F]{7})\b", message)]
    return next((f"0x{c:08X}" for c in (*telling, *said)), None)


_DOTNET = frozenset({0x80004001, 0x80004002, 0x80004003, 0x80004005, 0x8000FFFF, 0x80070057})
"""What .NET's exceptions carry by default, beside 0x8013…."""


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
