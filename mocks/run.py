"""The steps of one batch, run as runner.ps1 runs them, over a simulated host."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from hvctl.call import EACH
from hvctl.contract import OS, VERSIONS, contract
from hvctl.winrm.protocol import NO_BATCH
from mocks.objects import ErrorAction, ErrorRecord, Job, Outcome, Refusal
from mocks.refs import CannotRunError, NothingToDoError, Refs, SourceSkippedError, Step, inherited, own
from mocks.staging import Staging
from mocks.values import error_of, json_of, plain, property_of, row_of

FRAME_CHARACTERS = 30_000
FOLLOW_ROUNDS = 64
POLL_S = 2
HEARTBEAT_S = 20
WARNINGS_KEPT = 100
GUARD_FAILED = "GuardFailed"


@cache
def module_of(cmdlet: str) -> str | None:
    """By the first version of Windows that has it."""
    having = (contract(os) for os in VERSIONS if contract(os).knows(cmdlet) == "present")
    return next((facts.module_of(cmdlet) for facts in having), None)


@cache
def has_module(os: OS, module: str) -> bool:
    facts = contract(os)
    return any(facts.module_of(name) == module for name in facts.cmdlets)


class Clock(Protocol):
    """Simulated time."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class Host(Protocol):
    """What the twin and the engine need of a simulated host."""

    @property
    def clock(self) -> Clock: ...

    def invoke(self, cmdlet: str, params: Mapping[str, Any], error_action: ErrorAction) -> Outcome: ...

    def assign(self, thing: Any, name: str, value: Any) -> None:
        """A property of an object that a cmdlet returned. Raises Refusal."""
        ...

    def hello(self) -> Mapping[str, Any]:
        """computer, build, caption, powershell, language_mode, culture, user."""
        ...


@dataclass
class Disk:
    """%ProgramData%\\hvctl of a host, shared by every runner on it."""

    journals: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    holder: dict[str, Any] | None = None
    lease: dict[str, Any] | None = None
    stops: set[str] = field(default_factory=set)
    writable: bool = True
    staging: Staging = field(default_factory=Staging)


class Frames:
    """Numbers the frames of one batch."""

    def __init__(self, batch_id: str) -> None:
        self.batch_id = batch_id
        self.n = 0

    def put(self, kind: str, **body: Any) -> bytes:
        self.n += self.batch_id != NO_BATCH
        text = json.dumps({"n": self.n, "t": kind, **body}, separators=(",", ":"))
        return f"\n@hv1 {self.batch_id} {text}\n".encode("ascii")


class Run:
    """The steps of one batch."""

    def __init__(
        self,
        host: Host,
        disk: Disk,
        frames: Frames,
        allow: Mapping[str, str],
        change: bool,
        lasts: Callable[[], None] = lambda: None,
    ) -> None:
        """`lasts`: makes the batch's lease last longer."""
        self._lasts = lasts
        self.host, self.disk, self.frames, self.allow, self.change = host, disk, frames, allow, change
        self.action: ErrorAction = "Stop" if change else "Continue"
        self.done: dict[str, Step] = {}
        self._refs = Refs(self.done, change)
        self._given: dict[str, Mapping[str, Any]] = {}
        self._buffer: list[dict[str, Any]] = []
        self._size = 0
        self._sent = 0
        self._ends = math.inf

    def steps(self, steps: Sequence[Mapping[str, Any]], deadline_s: float | None) -> Iterator[bytes]:
        began = self.host.clock.now()
        self._ends = began + deadline_s if deadline_s else math.inf
        for step in steps:
            yield from self._one(step)

    def _one(self, step: Mapping[str, Any]) -> Iterator[bytes]:
        self._given[step["id"]] = step
        made = self.done[step["id"]] = Step(cmdlet=step["cmdlet"])
        if self.frames.batch_id in self.disk.stops:
            made.skipped = "stopped"
        elif self.host.clock.now() > self._ends:
            made.skipped = "deadline"
        else:
            made.skipped = self._needed(step)
        if made.skipped is None:
            yield from self._step(step, made)
        if made.skipped is not None and not step.get("quiet"):
            yield self.frames.put("skipped", step=step["id"], why=made.skipped)

    def _needed(self, step: Mapping[str, Any]) -> str | None:
        lacking = [n for n in step.get("needs", []) if self.done[n].state != "ok"]
        return f"needs {lacking[0]}" if lacking else None

    def _step(self, step: Mapping[str, Any], made: Step) -> Iterator[bytes]:
        quiet = bool(step.get("quiet"))
        began = self.host.clock.now()
        self._sent = 0
        try:
            self._check_allowed(step)
            self._check_there(step["cmdlet"])
            yield from self._awaited(step)
            params = self._prepared(step)
        except SourceSkippedError as source:
            made.skipped = str(source)
            return
        except NothingToDoError:
            params, made.none = {}, True
        except CannotRunError as error:
            params, made.errors = {}, error.errors
        if not quiet:
            yield self.frames.put("start", step=step["id"])
        if not made.none and not made.errors:
            yield from self._called(step, made, params)
        yield from self._flush(step["id"])
        if quiet:
            return
        if self.change:
            first = made.errors[0]["id"] if made.errors else None
            self._journal({"at": "after", "step": step["id"], "ok": not made.errors, "error": first})
        yield self.frames.put(
            "result",
            step=step["id"],
            ok=not made.errors,
            ms=int(1000 * (self.host.clock.now() - began)),
            count=self._sent,
            none=made.none,
            warnings=made.warnings[:WARNINGS_KEPT],
            errors=made.errors,
        )

    def _journal(self, entry: dict[str, Any]) -> None:
        self.disk.journals[self.frames.batch_id].append(entry)

    # --- parameters -------------------------------------------------------------------------------------------

    def _check_allowed(self, step: Mapping[str, Any]) -> None:
        if step["cmdlet"].casefold() not in self.allow:
            text = f"{step['cmdlet']} is not a command the runner may call"
            raise CannotRunError([own("CommandNotAllowed", "PermissionDenied", text)])

    def _check_there(self, cmdlet: str) -> None:
        """Before what it refers to is looked at: of an older Windows that lacks a property too."""
        has = getattr(self.host, "has", None)
        if has is not None and not has(cmdlet):
            outcome = self._invoke(cmdlet, {})
            records = [*map(self._known, outcome.errors), *self._not_loaded(cmdlet)]
            raise CannotRunError([error_of(record) for record in records])

    def _awaited(self, step: Mapping[str, Any]) -> Iterator[bytes]:
        """Asks a guard that is not fulfilled again, with all that its step refers to."""
        guard = step.get("guard") or {}
        for waited in range(0, guard.get("wait", 0), POLL_S):
            try:
                self._refs.matching(guard, guard["least"], guard["most"], GUARD_FAILED)
                return
            except CannotRunError as error:
                if error.errors[0]["id"] != GUARD_FAILED:
                    raise
            if waited % HEARTBEAT_S == 0:
                yield self.frames.put("progress", step=step["id"], msg="waits for what it needs")
            self.host.clock.sleep(POLL_S)
            for name in guard["again"]:
                yield from self._one(self._given[name])

    def _prepared(self, step: Mapping[str, Any]) -> dict[str, Any]:
        params = {n: self._refs.value(v, n == step.get("each")) for n, v in step["params"].items()}
        if (guard := step.get("guard")) is not None:
            self._refs.matching(guard, guard["least"], guard["most"], GUARD_FAILED)
        if self.change and not step.get("quiet"):
            self._journal({"at": "before", "step": step["id"], "cmdlet": step["cmdlet"]})
        return params

    # --- calls ------------------------------------------------------------------------------------------------

    def _called(self, step: Mapping[str, Any], made: Step, params: dict[str, Any]) -> Iterator[bytes]:
        retry, waited = step.get("retry"), 0
        while True:
            yield from self._called_once(step, made, params)
            again = retry is not None and made.errors and str(made.errors[0]["id"]).startswith(retry["id"])
            if retry is None or not again or waited >= retry["limit"] or self.frames.batch_id in self.disk.stops:
                break
            if waited % HEARTBEAT_S == 0:
                yield self.frames.put("progress", step=step["id"], msg="waits until it is possible")
            made.errors = []
            self.host.clock.sleep(POLL_S)
            waited += POLL_S
        if step.get("instead") and made.errors and self.host.hello()["language_mode"] == "FullLanguage":
            self._assigned(step, made)
        # What a step refers to was read in part only: then its own answer is partial too.
        made.errors += [e for name in step.get("uses", []) for e in inherited(self.done[name])]

    def _assigned(self, step: Mapping[str, Any], made: Step) -> None:
        """By assignment, what the call was refused."""
        instead, first = step["instead"], str(made.errors[0]["id"])
        if not any(first.casefold().startswith(word.casefold()) for word in instead["errors"]):
            return
        try:
            thing = self._refs.value({"$ref": instead["to"]})
            for name, value in instead["set"]:
                self.host.assign(thing, plain(name), self._refs.value(value))
        except CannotRunError as error:
            made.errors += error.errors
        except Refusal as refusal:
            made.errors.append(error_of(refusal.record))
        else:
            made.errors = []
            made.warnings.append(f"{step['cmdlet']} was refused ({first}): set by assignment instead")

    def _called_once(self, step: Mapping[str, Any], made: Step, params: dict[str, Any]) -> Iterator[bytes]:
        each, follow = step.get("each"), step.get("follow")
        if each is None:
            yield from self._call(step, made, params, None)
        else:
            asked: set[str] = set()
            values, rounds = params[each], 0
            while values:
                first = len(made.objects)
                for value in values:
                    if isinstance(value, str):
                        if value.upper() in asked:
                            continue
                        asked.add(value.upper())
                    yield from self._call(step, made, {**params, each: value}, value)
                    if any(str(e["id"]).startswith("CommandNotFoundException") for e in made.errors):
                        return  # it is looked for once, and belongs to no value
                values = self._followed(made.objects[first:], follow, asked) if follow else []
                rounds += 1
                if values and rounds == FOLLOW_ROUNDS:
                    text = f"{'.'.join(step['follow'])} was followed {FOLLOW_ROUNDS} times without an end"
                    made.errors.append(own("FollowedTooFar", "LimitsExceeded", text))
                    break

    def _followed(self, objects: Sequence[Any], follow: Sequence[str], asked: set[str]) -> list[str]:
        found = [property_of(o, follow) for o in objects]
        return [v for v in found if isinstance(v, str) and v and v.upper() not in asked]

    def _call(self, step: Mapping[str, Any], made: Step, params: dict[str, Any], value: Any) -> Iterator[bytes]:
        if step.get("job"):
            params = {**params, "AsJob": True}
        outcome = self._invoke(step["cmdlet"], params)
        if outcome.job is not None:
            waited = yield from self._wait(step, outcome.job)
            if waited is None:
                text = f"not done after {step['limit_s']} s; it goes on on the host"
                made.errors.append(own("TimedOut", "OperationTimeout", text))
                return
            outcome.objects += waited.objects
            outcome.errors += waited.errors
            outcome.warnings += waited.warnings
        self.host.clock.sleep(outcome.took)
        unknown = any(e.id.startswith("CommandNotFoundException") for e in outcome.errors)
        tag = {} if step.get("each") is None or unknown else {"value": json_of(value)}
        made.errors += [error_of(e) | tag for e in map(self._known, outcome.errors)]
        if unknown:
            made.errors += [error_of(e) | tag for e in self._not_loaded(step["cmdlet"])]
        made.warnings += outcome.warnings
        for thing in outcome.objects:
            if thing is None:
                continue
            made.objects.append(thing)
            if "select" in step:
                row = row_of(thing, step["select"])
                yield from self._row(step["id"], row | {EACH: json_of(value)} if tag else row)

    def _invoke(self, cmdlet: str, params: Mapping[str, Any]) -> Outcome:
        try:
            return self.host.invoke(cmdlet, params, self.action)
        except Refusal as refusal:
            return Outcome(errors=[refusal.record])

    def _known(self, record: ErrorRecord) -> ErrorRecord:
        """A command that is not there is named in the runner's own words: the engine's are localised."""
        if not record.id.startswith("CommandNotFoundException"):
            return record
        text = "this host does not have the command"
        exception = ("System.Management.Automation.CommandNotFoundException", -2146233087, text)
        return ErrorRecord("CommandNotFoundException", "ObjectNotFound", text, (exception,), record.target)

    def _not_loaded(self, cmdlet: str) -> Iterator[ErrorRecord]:
        """What the runner's own Import-Module says of a module that this Windows does not have at all."""
        os, module = getattr(self.host, "os", None), module_of(cmdlet)
        if os is not None and module is not None and not has_module(os, module):
            text = f"The specified module '{module}' was not loaded because no valid module file was found."
            id = "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"
            yield ErrorRecord(
                id, "ResourceUnavailable", text, (("System.IO.FileNotFoundException", -2147024894, text),)
            )

    def _wait(self, step: Mapping[str, Any], job: Job) -> Generator[bytes, None, Outcome | None]:
        clock, waited, shown, said = self.host.clock, 0, -1, 0
        while clock.now() - job.started < job.duration:
            if step.get("limit_s") is not None and waited >= step["limit_s"]:
                return None
            percent = job.percent(clock.now())
            if percent != shown or waited - said >= HEARTBEAT_S:
                self._lasts()
                yield self.frames.put("progress", step=step["id"], pct=percent, msg=job.name)
                shown, said = percent, waited
            clock.sleep(POLL_S)
            waited += POLL_S
        return job.finish()

    # --- rows -------------------------------------------------------------------------------------------------

    def _row(self, step: str, row: dict[str, Any]) -> Iterator[bytes]:
        self._buffer.append(row)
        self._size += len(json.dumps(row, separators=(",", ":"))) + 1
        if self._size > FRAME_CHARACTERS:
            yield from self._flush(step)

    def _flush(self, step: str) -> Iterator[bytes]:
        if self._buffer:
            self._sent += len(self._buffer)
            yield self.frames.put("rows", step=step, rows=self._buffer)
            self._buffer, self._size = [], 0
