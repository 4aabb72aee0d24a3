"""What the runner writes, as models: every frame and every line of a journal is checked here before it is believed."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

DEEPEST = 16
"""Levels of lists and objects within one row. What is selected has three at most."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Json = Any
"""Plain data out of JSON, not too deep, with no number that JSON cannot write."""


def _shallow(value: Json, level: int = 0) -> Json:
    """Deeper data would exhaust the stack of whatever walks over it later."""
    if level > DEEPEST:
        raise ValueError(f"nested more than {DEEPEST} levels deep")
    for inner in value.values() if value.__class__ is dict else value:
        kind = inner.__class__
        if kind is dict or kind is list:
            _shallow(inner, level + 1)
        elif kind is float and not math.isfinite(inner):
            raise ValueError(f"{inner} is not a number in JSON")
    return value


def _plain(value: Json) -> Json:
    _shallow([value])
    return value


Rows = Annotated[list[dict[str, Any]], AfterValidator(_shallow)]
Plain = Annotated[Any, AfterValidator(_plain)]
Position = Annotated[int, Field(ge=0, le=2**62)]


class _Said(BaseModel):
    """Strict: a text is never taken for a number. What it does not know it leaves out: a journal may be of another
    version of hvctl."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Numbered(_Said):
    """`n` counts the frames of a batch from 1; frames that belong to none have 0."""

    n: Annotated[int, Field(ge=0)] = 0


class Hello(_Numbered):
    t: Literal["hello"]
    computer: str = ""
    build: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    caption: str = ""
    ps: str = ""
    lang: str = ""
    culture: str = ""
    user: str = ""


class Accepted(_Numbered):
    t: Literal["accepted"]


class Refused(_Numbered):
    """Nothing of the batch runs. `holder`: of a lock that is taken, as JSON."""

    t: Literal["refused"]
    code: str = ""
    why: str | None = None
    holder: str | None = None


class Fatal(_Numbered):
    """The runner is not there, or it gave up in the middle of a batch."""

    t: Literal["fatal"]
    code: str = ""
    why: str | None = None


class End(_Numbered):
    t: Literal["end"]


class Start(_Numbered):
    t: Literal["start"]
    step: str


class Progress(_Numbered):
    t: Literal["progress"]
    step: str
    pct: int | None = None
    msg: str | None = None


class RowsOf(_Numbered):
    t: Literal["rows"]
    step: str
    rows: Rows


class Skipped(_Numbered):
    t: Literal["skipped"]
    step: str
    why: str


class ErrorRecord(_Said):
    """`exceptions`: the chain, outermost first: type, HRESULT, message. `of`: the cmdlet of the lookup that failed.
    `value`: of the `each` parameter."""

    id: str
    message: str
    category: str = ""
    exceptions: list[tuple[str, int, str]] = []
    of: str = ""
    value: Plain = None


class Result(_Numbered):
    t: Literal["result"]
    step: str
    ok: bool
    ms: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=0)]
    warnings: list[str] = []
    errors: list[ErrorRecord] = []


class JournalLines(_Numbered):
    t: Literal["journal"]
    lines: list[str | None]


class Stage(_Numbered):
    """Of a file that is brought to the host: bytes written, hashes of whole files, or why not."""

    t: Literal["stage"]
    at: Position | None = None
    shas: list[str] | None = None
    error: str | None = None


class Other(_Numbered):
    """Of a type that this version does not know; it counts."""

    t: str


TaskFrame = Start | Progress | RowsOf | Skipped | Result
Known = Hello | Accepted | Refused | Fatal | End | TaskFrame | JournalLines | Stage
Frame = Known | Other


class Entry(_Said):
    """A line of a journal: the beginning, and one before and one after each step."""

    at: str
    step: str | None = None
    cmdlet: str = ""
    ok: bool = False
    error: str | None = None


class Holder(_Said):
    """Who has the lock of a host, or its lease (`until`: yyyyMMddHHmmss, UTC)."""

    user: str = ""
    client: str = ""
    pid: int = 0
    since: str = ""
    lease: str = ""
    until: str = ""
    owner: str = ""


_KNOWN: TypeAdapter[Known] = TypeAdapter(Annotated[Known, Field(discriminator="t")])
_OTHER: TypeAdapter[Other] = TypeAdapter(Other)
_TYPES = frozenset(word for model in get_args(Known) for word in get_args(model.model_fields["t"].annotation))
ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)
HOLDER: TypeAdapter[Holder] = TypeAdapter(Holder)

T = TypeVar("T")


def frame(text: bytes) -> Frame | None:
    """None for what is no frame, or one of those that are known with something else in it. Never raises."""
    found = parsed(_KNOWN, text)
    if found is not None:
        return found
    other = parsed(_OTHER, text)
    return other if other is not None and other.t not in _TYPES else None


def parsed(model: TypeAdapter[T], text: str | bytes) -> T | None:
    """None for what is not such a thing. Never raises."""
    raw = text.encode("utf-8", "replace") if isinstance(text, str) else text
    with suppress(ValidationError):
        return model.validate_json(raw)
    paired = _paired(raw)
    with suppress(ValidationError):
        return None if paired is None else model.validate_json(paired)
    return None


def _paired(raw: bytes) -> bytes | None:
    """Names on Windows may hold half a character of UTF-16, which no UTF-8 can say: it becomes a question mark. None
    where that is not what is wrong."""
    if _SURROGATE.search(raw) is None:
        return None
    try:
        return json.dumps(json.loads(raw), ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError):
        return None
