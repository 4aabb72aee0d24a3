"""Plan ⇄ file: what is desired of each host, and the steps that a plan made of it, to tell whether it is still the same.

A plan file is trusted as a playbook is and no further (docs/security.md). Nothing in it is ever run: the steps are compared
with those that are planned anew.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from hvctl import __version__
from hvctl.call import Secret, Staged
from hvctl.controlnode import ControlNode
from hvctl.files import PRIVATE, write_whole
from hvctl.kinds import kinds
from hvctl.plan import Plan
from hvctl.playbook import written_twice
from hvctl.redact import Redactor
from hvctl.replan import First, steps_data
from hvctl.resource import IMPACTS, Impact, Place, Resource
from hvctl.source import ConfigError, Document, Mark, Problem

FORMAT = 2
AGAIN = "make the plan again with hvctl plan --out"

_KEY = re.compile(rb'"hvctl_plan"\s*:')
_VERSION = re.compile(rb'"hvctl_plan"\s*:\s*(\d{1,9})\b')
_PLAYS = re.compile(rb"\s*(\[\s*\{|-\s)")


@dataclass(frozen=True)
class SavedHost:
    """One host of a plan file: what is desired of it, and what a plan made of that."""

    name: str
    wishes: tuple[Resource, ...]
    first: First


@dataclass(frozen=True)
class Saved:
    """A plan file. `hvctl`: the version that wrote it."""

    file: str
    hvctl: str
    created: datetime
    hosts: tuple[SavedHost, ...]

    @property
    def allow(self) -> tuple[Impact, ...]:
        """Every word that is allowed anywhere in it."""
        words = {w for h in self.hosts for w in h.first.allow.union(*(wish.place.allow for wish in h.wishes))}
        return tuple(i for i in IMPACTS if i in words)


# --- the format ------------------------------------------------------------------------------------------------

Word = Literal["disconnect", "restart", "recreate", "destroy", "management"]
Plain = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line of text."""
Time = Annotated[str, Field(pattern=r"^\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(\.\d{1,9})?Z?$")]
Number = Annotated[int, Field(ge=1, le=10_000_000)]
PlacePath = list[Annotated[int, Field(ge=0, le=10_000_000)] | Plain]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Source(_Data):
    """A file that is sent: one of the control node, which must still have that hash, or a rendered text."""

    path: Plain | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    content: str | None = None


class _Desired(_Data):
    """A resource. `owner`: which of those before it stands around it. `file`, `path`, `marks`: where in a playbook it and
    its fields were written. `allow`: as its play has it."""

    kind: Plain
    fields: dict[str, JsonValue]
    owner: Annotated[int, Field(ge=0)] | None = None
    allow: list[Word] = []
    source: _Source | None = None
    file: Plain
    path: PlacePath
    marks: list[tuple[PlacePath, Number, Number]]


class _Host(_Data):
    """`allow`: as --allow had it. `time`: by the host's clock. `steps`: to compare, never to run."""

    name: Annotated[Plain, Field(min_length=1)]
    computer: Plain
    user: Plain
    time: Time | None = None
    allow: list[Word]
    desired: list[_Desired]
    steps: list[JsonValue]


class _File(_Data):
    hvctl_plan: Literal[2]
    hvctl: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]{1,40}$")]
    created: Time
    hosts: list[_Host]


# --- out -------------------------------------------------------------------------------------------------------


def save(
    file: str, plans: Sequence[tuple[Plan, Sequence[Resource]]], now: datetime, redactor: Redactor | None = None
) -> None:
    """Raises ConfigError if the file cannot be written, or if what is to be done, which must stay as it is, holds a
    secret."""
    redactor = redactor or Redactor()
    _check_no_secret([wish for _, wishes in plans for wish in wishes], redactor)
    data = {
        "hvctl_plan": FORMAT,
        "hvctl": __version__,
        "created": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "hosts": [_host_data(plan, wishes) for plan, wishes in plans],
    }
    text = json.dumps(data, indent=1, ensure_ascii=False) + "\n"
    if redactor.holds(text):
        told = "not saved: a step or the desired state in this plan holds the password of a host"
        raise ConfigError([Problem(None, f"{file}: {told}", "apply the playbooks without a saved plan")])
    try:
        write_whole(file, text, PRIVATE)
    except OSError as error:
        raise ConfigError(
            [Problem(None, f"{file} cannot be written: {error.strerror}", "name another file")]
        ) from error


def _check_no_secret(wishes: Iterable[Resource], redactor: Redactor) -> None:
    """Rendered files travel with the plan, in an encoding in which nothing would be found."""
    files = [(w.file, w) for w in wishes if w.file is not None]
    secret = {f.name: w for f, w in files if f.secret or redactor.holds((f.content or b"").decode("utf-8", "replace"))}
    if secret:
        hint = "apply the playbook itself"
        texts = [(w.place.mark(), f"{name} holds a secret, so its plan cannot be saved") for name, w in secret.items()]
        raise ConfigError([Problem(mark, text, hint) for mark, text in texts])


def _host_data(plan: Plan, wishes: Sequence[Resource]) -> dict[str, Any]:
    return {
        "name": plan.host,
        "computer": plan.info.computer,
        "user": plan.info.user,
        "time": plan.facts.time,
        "allow": sorted(plan.allow),
        "desired": [_desired_data(w, wishes) for w in wishes],
        "steps": steps_data(plan),
    }


def _desired_data(wish: Resource, wishes: Sequence[Resource]) -> dict[str, Any]:
    place = wish.place
    within = len(place.path)
    return {
        "kind": wish.kind,
        "fields": wish.model_dump(mode="json", exclude_unset=True),
        "owner": next((n for n, w in enumerate(wishes) if w is wish.owner), None),
        "allow": sorted(place.allow),
        "source": _source_data(wish.file),
        "file": place.document.file,
        "path": list(place.path),
        "marks": [
            [list(path), mark.line, mark.column]
            for path, mark in place.document.marks.items()
            if path[:within] == place.path
        ],
    }


def _source_data(file: Staged | None) -> dict[str, str] | None:
    if file is None:
        return None
    if file.content is not None:
        return {"content": b64encode(file.content).decode("ascii")}
    return {"path": str(Path(file.path).absolute()), "sha256": file.sha256}


# --- in --------------------------------------------------------------------------------------------------------


def is_plan(file: str) -> bool:
    """Whether a file is a plan file, or is meant to be one: by what stands in it. The ending counts where nothing that
    a playbook has stands there."""
    try:
        text = Path(file).read_bytes() if Path(file).is_file() else b""
    except OSError:
        return False  # whoever reads it says so
    start = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{") and _KEY.search(text):
        return True
    return file.casefold().endswith(".json") and Path(file).is_file() and not _PLAYS.match(start)


def load(file: str) -> Saved:
    """Raises ConfigError for a file that is no plan file of this version, at the place of what is wrong."""
    try:
        text = Path(file).read_bytes()
    except OSError as error:
        raise ConfigError([Problem(None, f"{file} cannot be read: {error.strerror}", "")]) from error
    _check_version(file, text)
    try:
        data = _File.model_validate_json(text)
    except ValidationError as error:
        raise ConfigError(_damaged(file, _where(e["loc"]), _said(e)) for e in error.errors()[:10]) from error
    names = [h.name.casefold() for h in data.hosts]
    twice = [h.name for n, h in enumerate(data.hosts) if h.name.casefold() in names[:n]]
    problems = [_damaged(file, "hosts", f"{name} stands there twice") for name in dict.fromkeys(twice)]
    hosts = [_host(file, n, host, problems) for n, host in enumerate(data.hosts)]
    try:
        created = datetime.fromisoformat(data.created[:19]).replace(tzinfo=UTC)
    except ValueError:
        created = datetime.now(UTC)
        problems.append(_damaged(file, "created", f"{data.created} is not a time"))
    if problems:
        raise ConfigError(problems)
    return Saved(file, data.hvctl, created, tuple(hosts))


def _check_version(file: str, text: bytes) -> None:
    found = _VERSION.search(text)
    if found is None:
        raise ConfigError([Problem(None, f"{file} is not a plan file", "make one with hvctl plan --out")])
    version = int(found[1])
    if version != FORMAT:
        whose, hint = ("an older", AGAIN) if version < FORMAT else ("a newer", f"apply it with that one, or {AGAIN}")
        raise ConfigError(
            [
                Problem(
                    None,
                    f"{file} is a plan file of format {version}, written by {whose} hvctl; "
                    f"hvctl {__version__} reads format {FORMAT}",
                    hint,
                )
            ]
        )


def _host(file: str, number: int, data: _Host, problems: list[Problem]) -> SavedHost:
    made: list[Resource | None] = []
    for n, item in enumerate(data.desired):
        if item.owner is not None and item.owner < n and made[item.owner] is None:
            made.append(None)  # what is wrong with it is said already
            continue
        try:
            made.append(_resource(item, made))
        except ConfigError as error:  # of a file of the control node
            problems += error.problems
            made.append(None)
        except (ValidationError, ValueError, TypeError, ArithmeticError) as error:
            where = f"hosts[{number}].desired[{n}]"
            problems += _wrong(file, where, error)
            made.append(None)
    if data.time is not None:
        try:
            datetime.fromisoformat(data.time[:19])
        except ValueError:
            problems.append(_damaged(file, f"hosts[{number}].time", f"{data.time} is not a time"))
    wishes = tuple(w for w in made if w is not None)
    for wish in wishes:
        wish.acquainted(wishes)
    problems += written_twice(wishes)
    first = First(data.computer, data.user, data.time, frozenset(data.allow), data.steps)
    return SavedHost(data.name, wishes, first)


def _resource(item: _Desired, made: Sequence[Resource | None]) -> Resource:
    """As the playbook's loader makes it, from values that are rendered already."""
    kind = next((k for k in kinds() if k.kind == item.kind), None)
    if kind is None:
        raise ValueError(f"{item.kind!r} is not a kind of resource")
    owner = made[item.owner] if item.owner is not None and item.owner < len(made) else None
    if (kind.within, item.owner is None) != (owner.kind if owner else None, owner is None):
        raise ValueError(f"a {kind.kind} stands {f'within a {kind.within}' if kind.within else 'by itself'}")
    path = tuple(item.path)
    marks = {tuple(at): Mark(item.file, line, column) for at, line, column in item.marks}
    wish = kind.model_validate(item.fields)
    wish.placed(Place(Document(None, marks, {}, item.file), path, frozenset(item.allow)), None)
    (found,) = wish.spread(_Shelf(item.source), {})
    found.placed(wish.place, owner)
    return found


@dataclass(frozen=True)
class _Shelf:
    """The one file that a resource of a plan file is about. It goes by its resolved path in all that is printed."""

    source: _Source | None

    def is_folder(self, name: str) -> bool:
        return False

    def below(self, name: str, mark: Mark) -> Iterator[tuple[str, str]]:
        raise ValueError(f"{name} is a folder; a plan file names every file")

    def file(self, name: str, mark: Mark) -> Staged:
        if self.source is None or self.source.path is None or self.source.sha256 is None:
            raise ValueError(f"{name} has no path and sha256 in source")
        path = Path(self.source.path)
        if not path.is_absolute():
            raise ValueError(f"source.path {path} is not absolute")
        resolved = str(path.resolve())
        seen = ControlNode(Path(), {}, _unheard).file(resolved, mark)
        return replace(seen, sha256=self.source.sha256)

    def rendered(self, name: str, more: Mapping[str, Any], mark: Mark) -> Staged:
        if self.source is None or self.source.content is None:
            raise ValueError(f"{name} has no content in source")
        try:
            content = b64decode(self.source.content, validate=True)
        except binascii.Error as error:
            raise ValueError(f"source.content is not base64: {error}") from error
        return Staged(sha256(content).hexdigest(), len(content), name, content=content)


def _unheard(secret: Secret) -> None:
    """No template is rendered."""


# --- what is wrong ---------------------------------------------------------------------------------------------


def _wrong(file: str, where: str, error: Exception) -> list[Problem]:
    if isinstance(error, ValidationError):
        return [_damaged(file, f"{where}.fields{_where(e['loc'], '.')}", _said(e)) for e in error.errors()[:10]]
    return [_damaged(file, where, str(error))]


def _damaged(file: str, where: str, said: str) -> Problem:
    return Problem(None, f"{file}: {where}: {said}", f"the plan file is damaged; {AGAIN}")


def _where(loc: Sequence[int | str], before: str = "") -> str:
    """hosts[0].desired[3].kind"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text if before else text.lstrip(".") or "the file"


def _said(error: ErrorDetails) -> str:
    text = error["msg"].removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
