"""What is said to a host and what comes back: Call, Batch, Reply, and the Transport between."""

from __future__ import annotations

import base64
import binascii
import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from hvctl.text.exhaustion import exhaustion
from hvctl.text.foreign import Foreign
from hvctl.text.lazy import lazy
from hvctl.text.quoting import argument, expandable, literal
from hvctl.text.visible import visible

Row = Mapping[str, Any]
"""A projected object: property path as selected -> JSON value. A property the host does not have is
absent; one that reads null is None. Enums and Guids are text, TimeSpan is ticks of 100 ns (int),
DateTime is UTC ISO 8601 text. A row of a call with `each` also has EACH. Scalars are {"": value}."""

EACH = "$each"
"""Key of a row that holds the value of the `each` parameter that the row answers."""


class Secret:
    """A value that only the transport may unwrap; prints as ***."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))


class Null:
    """Passed as $null on purpose (Set-VMDvdDrive -Path $null ejects); a plain None leaves the parameter out."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "$null"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Null)

    def __hash__(self) -> int:
        return hash(Null)


NULL = Null()


@dataclass(frozen=True)
class Ending:
    """In a Ref's `where`: the text ends so. For ids whose beginning is not known yet (a VM made in the same batch)."""

    text: str

    def __str__(self) -> str:
        return f"…{self.text}"


@dataclass(frozen=True)
class Matching:
    """In a Guard's `where`: this regular expression is found in the text, without case; the items of a list are put together
    with spaces. Only expressions that .NET and Python read alike."""

    pattern: str

    def __str__(self) -> str:
        return f"/{self.pattern}/"


Wanted = str | int | bool | Ending | Matching


@dataclass(frozen=True)
class Ref:
    """Objects that another call of the same batch returned, passed on as objects.

    `where` compares property paths as text, without case. Exactly one object must match, unless `many`;
    with `many`, no match means that the call that needs them is not made and answers no rows.
    `path` names a property of the object to pass instead of the object itself (nulls are dropped with `many`).
    `within` names a property of the objects whose items are meant instead of them, and which `where` is about.
    A property in `where` that no row has is refused, unless `lenient`: then a row without it matches.
    """

    call: Call
    where: Mapping[str, Wanted] = field(default_factory=dict)
    path: str = ""
    many: bool = False
    lenient: bool = False
    within: str = ""

    def __hash__(self) -> int:
        return hash((self.call, _frozen(self.where), self.path, self.many, self.lenient, self.within))


@dataclass(frozen=True)
class Map:
    """A hashtable parameter; the only way a mapping may travel (README of the contract: never by accident)."""

    items: Mapping[str, Value]

    def __hash__(self) -> int:
        return hash(_frozen(self.items))


@dataclass(frozen=True)
class Home:
    """A path below the folder that hvctl keeps on the host, %ProgramData%\\hvctl; the runner knows where that is.
    Wildcards are the cmdlet's: they work for -Path."""

    path: str

    def __str__(self) -> str:
        return f"%ProgramData%\\hvctl\\{self.path}"


@dataclass(frozen=True)
class Staged:
    """A file that a call needs on the host: the transport brings its bytes there before the batch runs, once for all
    that want it, passes the path it got, and removes it afterwards. What it is, is its hash. The bytes are in the
    file `path` of the control node, or in `content`; a `secret` one cannot be saved. `name`: for people. `where`: the
    file that it really is, if the name does not say so: it lies outside the folders of playbook and inventory, or is
    reached by a link."""

    sha256: str
    size: int
    name: str
    path: str = field(default="", compare=False)
    content: bytes | None = field(default=None, compare=False, repr=False)
    secret: bool = field(default=False, compare=False)
    where: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.size:,} bytes, sha256 {self.sha256[:12]})"


Value = None | bool | int | str | Null | Secret | Ref | Map | Home | Staged | Sequence["Value"]


@dataclass(frozen=True)
class Call:
    """A cmdlet and its parameters as data; never text that PowerShell would parse.

    `select`: property paths wanted of each row: "Name", "BandwidthSetting.MaximumBandwidth" (dotted over null
    is null), "OperationalStatus[]" (a list of scalars), "BootOrder[BootType,Device.Id]" (a list of rows).
    Empty: no rows are sent (the objects can still be referred to). "*": the row is the scalar itself.
    `each`: the parameter whose list is passed one value at a time, one invocation each; a failure then belongs
    to its value only. Refs with `many` inside the list are spread; values equal but for case are asked once.
    `follow`: a property; the call is made again for each of its values in the rows that is text, not empty and
    not asked for yet, until none is new (a chain of parent disks). Needs `each`.
    `passing`: selected properties that tell the time, which passes by itself: a plan that is made again is made for the
    time of the first.
    """

    cmdlet: str
    params: Mapping[str, Value] = field(default_factory=dict)
    select: tuple[str, ...] = ()
    each: str | None = None
    follow: str | None = None
    passing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", {k: _tupled(v) for k, v in self.params.items()})

    @lazy
    def _hash(self) -> int:
        return hash((self.cmdlet, _frozen(self.params), self.select, self.each, self.follow))

    def __hash__(self) -> int:
        return self._hash

    @lazy
    def family(self) -> Family:
        """The same for calls that differ only in `select`, or in the values of `each`: one call answers them all."""
        params = tuple(
            (name, () if name == self.each else family(given)) for name, given in sorted(self.params.items())
        )
        return Family(("call", self.cmdlet, params, self.each, self.follow))

    def __str__(self) -> str:
        """As a person would type it, on one line and safe to paste; hvctl itself never runs it."""
        given = ((name, value) for name, value in self.params.items() if value is not None)
        return " ".join([self.cmdlet, *(_parameter(name, value) for name, value in given)])

    def refs(self) -> Iterator[Ref]:
        """Every Ref in the parameters, outermost first."""
        for value in self.params.values():
            yield from _refs_in(value)


class Family:
    """What `Call.family` compares; hashed once, since it is asked for very often."""

    __slots__ = ("_hash", "_values")

    def __init__(self, values: tuple[Any, ...]) -> None:
        self._values, self._hash = values, hash(values)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Family) and self._values == other._values)

    def __reduce__(self) -> tuple[Any, ...]:
        return Family, (self._values,)  # hashes of texts differ from process to process


def family(value: Any) -> Any:
    """A parameter's value, as calls of one family share it."""
    if isinstance(value, Call):
        return value.family
    if isinstance(value, Ref):
        return ("ref", value.call.family, family(value.where), value.path, value.many, value.within)
    if isinstance(value, Map):
        return ("map", family(value.items))
    if isinstance(value, Mapping):
        return tuple((k, family(v)) for k, v in sorted(value.items()))
    if isinstance(value, list | tuple):
        return tuple(family(v) for v in value)
    return (type(value).__name__, value)


@dataclass(frozen=True)
class Guard:
    """What must still be true on the host just before a step: `call` returns between `least` and `most` rows
    that match `where`. A guard that fails fails the step (error id "GuardFailed"); the step's call is not made.
    `wait_s`: it is asked again every 2 s for so long (not counting what the asking takes) before it fails. What the
    step refers to is then looked up after the wait. In a "change" batch only. `unmet`: what it means that it fails, for
    people."""

    call: Call
    where: Mapping[str, Wanted] = field(default_factory=dict)
    least: int = 0
    most: int = 0
    wait_s: int | None = None
    unmet: str = field(default="", compare=False, metadata={"told": True})

    def __hash__(self) -> int:
        return hash((self.call, _frozen(self.where), self.least, self.most, self.wait_s))


@dataclass(frozen=True)
class Retry:
    """A call that fails with this error id (its first part) is made again every 2 s, until it does not or `limit_s` has
    passed. Only for calls that have done nothing when they fail so."""

    kind: str
    limit_s: int


@dataclass(frozen=True)
class Assignment:
    """What is done in place of a call that the host refuses with one of these error ids (their first parts), and which has
    then done nothing: properties of an object are set, one after the other. Only where PowerShell's language is not
    restricted; elsewhere the call fails as it did. A list is set as a StringCollection."""

    refusals: tuple[str, ...]
    to: Ref
    values: Mapping[str, Value]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", {k: _tupled(v) for k, v in self.values.items()})

    def __hash__(self) -> int:
        return hash((self.refusals, self.to, _frozen(self.values)))


@dataclass(frozen=True)
class Watch:
    """A file that a step writes and says nothing of meanwhile: whoever waits may ask how long it is. `length` answers with
    one row that has one property; `size`: of the whole file, in bytes. Or things that become fewer while a step waits:
    `left` are the properties of those among `size` rows that are still there."""

    length: Call
    size: int
    left: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Task:
    """One call within a batch. `needs`: ids of tasks that must have succeeded, otherwise it is skipped.
    `job`: run with -AsJob and report progress; `limit_s`: a job that takes longer fails (error id "TimedOut")
    and is left to itself. `watch`: for whoever waits; the host is not told."""

    id: str
    call: Call
    needs: tuple[str, ...] = ()
    guard: Guard | None = None
    job: bool = False
    limit_s: int | None = None
    retry: Retry | None = None
    instead: Assignment | None = None
    watch: Watch | None = field(default=None, compare=False, metadata={"told": True})


@dataclass(frozen=True)
class Lease:
    """Who may change a host across several batches: others are refused between them too, until it runs out. "take": it is
    taken for so many seconds, unless somebody else's lasts; "keep": it must still be there, and lasts so long again;
    "release": it is given back. `owner`: who has it, for people and for `over`: the id of one that nobody holds any more,
    though it lasts."""

    id: str
    do: Literal["take", "keep", "release"] = "keep"
    seconds: int = 900
    owner: str = ""
    over: str = ""


@dataclass(frozen=True)
class Batch:
    """Calls that travel together. "read": every task is tried, errors do not stop rows, may be sent again.
    "change": run at most once, journalled and locked on the host, a failed task stops those that need it; without tasks it
    is about its lease alone."""

    tasks: tuple[Task, ...]
    mode: Literal["read", "change"] = "read"
    deadline_s: int = 600
    lease: Lease | None = None


_UNMET = ("GuardFailed", "RefNoMatch", "RefAmbiguous")


@dataclass(frozen=True)
class Failure:
    """One error record. `id` is FullyQualifiedErrorId, whole; `hresult` the first failing code found in the
    exception chain or the message, as 0x8007…; `value` the `each` value it belongs to."""

    id: str
    category: str = ""
    message: Foreign = ""
    type: str = ""
    hresult: str | None = None
    value: Any = None

    @property
    def kind(self) -> str:
        """The id's first part: InvalidParameter, ObjectNotFound, … (domain 1.5)."""
        return self.id.split(",", 1)[0]

    @property
    def unmet(self) -> bool:
        """The runner did not make the call, since the host is not as the step rests on."""
        return self.kind in _UNMET

    @property
    def code(self) -> str:
        """What can be looked up; nothing for ids of the runner's own, which say nothing to anybody."""
        return "" if self.unmet else self.id

    def __str__(self) -> str:
        return " ".join(t for t in (self.message, f"[{self.code}]" if self.code else "") if t)


@dataclass(frozen=True)
class Reply:
    """What came back for one task. `skipped` says why it was not tried; None: it was tried."""

    rows: tuple[Row, ...] = ()
    failures: tuple[Failure, ...] = ()
    skipped: str | None = None
    warnings: tuple[Foreign, ...] = ()
    ms: int = 0

    @property
    def failure(self) -> Failure | None:
        return self.failures[0] if self.failures else None

    @property
    def ok(self) -> bool:
        return not self.failures and self.skipped is None


@dataclass(frozen=True)
class Event:
    """Something that happened while a batch ran, as it happens. "note": what the host said beside its answers;
    "notice": what whoever waits must hear; "upload": `done` of `total` bytes of the files that the batch needs have
    arrived, `rate` of them a second; `text` names the one under way. A "progress" has `done`, `total` and `rate` (0: not
    known) where a file is copied on the host. `outside`: what of the text is not hvctl's wording."""

    kind: Literal["start", "progress", "done", "skipped", "note", "notice", "upload"]
    task: str = ""
    percent: int | None = None
    text: str = ""
    done: int = 0
    total: int = 0
    rate: float = 0.0
    outside: tuple[Foreign, ...] = ()


@dataclass(frozen=True)
class HostInfo:
    """Who answered: the runner's hello."""

    computer: str
    build: int
    caption: str
    powershell: str
    language_mode: str
    culture: str = ""
    user: str = ""


class Transport(Protocol):
    """The one seam to a host. A transport belongs to one thread."""

    def run(self, batch: Batch, on_event: Callable[[Event], None] = ...) -> list[Reply]:
        """One Reply per task, in the order of the tasks. Raises TransportError, never anything else."""
        ...

    @property
    def requests(self) -> int:
        """HTTP requests made so far, without handshakes; 0 where there is no wire."""
        ...

    def info(self) -> HostInfo:
        """Of the host that answered; contacts it if nothing was run yet. Raises TransportError."""
        ...

    def stop(self) -> TransportError | None:
        """From any thread, as often as one likes: nothing is begun any more. A read is broken off, changes end after
        the step that runs. What is to be said of the changes if they are followed no longer from now on; None: there
        are none under way."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Doubled(Protocol):
    """A transport that can be had once more while it is busy."""

    def another(self) -> Transport:
        """To the same host, with a connection of its own, for another thread. Opens nothing yet."""
        ...


class TransportError(Exception):
    """The host could not be asked, or what became of a batch is not known.

    `executed`: "no" nothing of the batch ran; "unknown" some of it may have. `replies` are those that arrived
    before the fault, by task id. `running`: the id of a batch that goes on on the host. `defect`: the traceback, if that
    is hvctl's own fault. `unasked`: what the host was to be asked through is gone, so that nothing was found out about it.
    `outside`: what of the message is not hvctl's wording, in its order.
    """

    def __init__(
        self,
        message: str,
        *,
        executed: Literal["no", "unknown"] = "no",
        hint: str = "",
        replies: Mapping[str, Reply] | None = None,
        running: str = "",
        defect: str = "",
        unasked: bool = False,
        outside: Sequence[str] = (),
        holder: tuple[str, str] = ("", ""),
    ) -> None:
        """`holder`: id and owner of the lease that another run has there."""
        super().__init__(message)
        self.message = message
        self.holder = holder
        self.executed = executed
        self.hint = hint
        self.replies = dict(replies or {})
        self.running = running
        self.defect = defect
        self.unasked = unasked
        self.outside = tuple(outside)


def defect(error: BaseException, *, executed: Literal["no", "unknown"] = "no", doing: str = "") -> TransportError:
    """A fault of hvctl, or of the machine that it runs on, as one host's trouble: the others go on. `doing`: what for."""
    if (short := exhaustion(error)) is not None:
        return TransportError(f"{short.what}{doing and f', {doing}'}", executed=executed, hint=short.hint)
    what = f"hvctl itself failed{doing and f' {doing}'}: {type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    hint = "run plan to see how the host is, and report the traceback"
    return TransportError(what, executed=executed, hint=hint, defect=trace)


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((k, _frozen(v)) for k, v in value.items())
    if isinstance(value, list | tuple):
        return tuple(_frozen(v) for v in value)
    return value


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list | tuple) else value


def _refs_in(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Map):
        for inner in value.items.values():
            yield from _refs_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _refs_in(inner)


def _shown(value: Any) -> str:
    """In a command. What PowerShell has no words for stands in <>, which it refuses to run."""
    if isinstance(value, str):
        return argument(value)
    if isinstance(value, Ref):
        where = ", ".join(f"{k}={_condition(v)}" for k, v in value.where.items())
        # Not runnable with a condition, as there is no such index.
        inner = f"({value.call})" + (f".{value.within}" if value.within else "") + (f"[{where}]" if where else "")
        return inner + (f".{value.path}" if value.path else "")
    if isinstance(value, list | tuple):
        if not value:
            return "@()"
        return ", ".join(_expression(v) if isinstance(v, list | tuple) else _shown(v) for v in value)
    return _expression(value)


def _expression(value: Any) -> str:
    """Within a hashtable, where a bare word would be a command."""
    match value:
        case bool():
            return f"${str(value).lower()}"
        case None | Null():
            return "$null"
        case int():
            return str(value)
        case str():
            return literal(value)
        case Home(path=path):
            return f'"$env:ProgramData\\hvctl\\{expandable(path)}"'
        case Map(items=items):
            return "@{" + "; ".join(f"{argument(k)} = {_expression(v)}" for k, v in items.items()) + "}"
        case list() | tuple():
            return f"@({', '.join(_expression(v) for v in value)})"
        case Ref():
            return _shown(value)
    return f"<{visible(str(value))}>"


def _condition(value: Wanted) -> str:
    return visible(str(value)) if isinstance(value, Ending | Matching) else _shown(value)


def _parameter(name: str, value: Any) -> str:
    # `-Force $true` would be a switch and a positional argument (about_Parameters).
    return f"-{name}:{_shown(value)}" if isinstance(value, bool) else f"-{name} {_shown(value)}"


# --- the same values as JSON, for saved plans and recordings -------------------------------------------------

_CLASSES: dict[str, type] = {
    "ref": Ref, "map": Map, "call": Call, "guard": Guard, "task": Task, "ending": Ending, "home": Home, "staged": Staged,
    "retry": Retry, "matching": Matching, "assignment": Assignment,
}  # fmt: skip


def to_json(value: Any) -> Any:
    """A JSON value that `from_json` turns back into an equal one, without words for people. A secret cannot be
    saved: TypeError."""
    if isinstance(value, Secret) or (isinstance(value, Staged) and value.secret):
        raise TypeError("a secret cannot be written to a file")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, Null):
        return {"$null": True}
    if is_dataclass(value) and not isinstance(value, type):
        name = next(k for k, v in _CLASSES.items() if v is type(value))
        body = {f.name: to_json(getattr(value, f.name)) for f in fields(value) if not f.metadata.get("told")}
        return {f"${name}": {k: v for k, v in body.items() if v not in (None, {}, [], False, "")}}
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(v) for v in value]
    return value


def from_json(data: Any) -> Any:
    """The inverse of `to_json`; lists come back as tuples. Raises ValueError for what it does not know."""
    if isinstance(data, Mapping):
        if data == {"$null": True}:
            return NULL
        if len(data) == 1 and (key := next(iter(data))).startswith("$") and key[1:] in _CLASSES:
            try:
                body = {k: from_json(v) for k, v in data[key].items()}
                if "content" in body:
                    body["content"] = base64.b64decode(body["content"], validate=True)
                return _CLASSES[key[1:]](**body)
            except (TypeError, binascii.Error) as error:
                raise ValueError(f"not a {key[1:]}: {json.dumps(data)[:80]}") from error
        return {k: from_json(v) for k, v in data.items()}
    if isinstance(data, list):
        return tuple(from_json(v) for v in data)
    return data
