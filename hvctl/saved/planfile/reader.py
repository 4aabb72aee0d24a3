"""A plan file → what is desired of each host, checked as a playbook is, and the steps to compare with."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hvctl.call import Secret, Staged
from hvctl.config.controlnode import ControlNode
from hvctl.config.playbook import written_twice
from hvctl.core.acceptance import Acceptance
from hvctl.core.fields import nulls_refused, path_of
from hvctl.core.impact import IMPACTS, Impact
from hvctl.core.plan import Plan
from hvctl.core.replan import First
from hvctl.core.resource import Entry, Index, Place
from hvctl.kinds import kinds
from hvctl.saved.planfile.format import (
    AGAIN,
    AcceptData,
    DesiredData,
    FileData,
    HostData,
    SourceData,
    check_version,
    is_sealed,
    moment,
)
from hvctl.saved.planfile.shown import shown_plan
from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark
from hvctl.text.source import Document
from hvctl.text.source import Path as SourcePath
from hvctl.text.visible import quoted


@dataclass(frozen=True)
class SavedHost:
    """One host of a plan file: what is desired of it, and what a plan made of that."""

    name: str
    desired: Index
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
        words = {w for h in self.hosts for w in h.first.allow.union(*(wish.place.allow for wish in h.desired))}
        return tuple(i for i in IMPACTS if i in words)


def load(file: str, opened: Callable[[str], str] = str) -> Saved:
    """`opened`: gets back what was sealed. Raises ConfigError for a file that is no plan file of this version, at the
    place of what is wrong."""
    data = _read(file, opened)
    problems: list[Diagnostic] = []
    hosts = [_host(file, n, host, problems) for n, host in enumerate(data.hosts)]
    if problems:
        raise ConfigError(problems)
    return Saved(file, data.hvctl, moment(data.created), tuple(hosts))


@dataclass(frozen=True)
class SavedPlans:
    """A plan file, to be shown: nothing of it is checked against files of the control node or against hosts. `allow`: every
    word that is allowed anywhere in it."""

    file: str
    hvctl: str
    created: datetime
    plans: tuple[Plan, ...]
    allow: tuple[Impact, ...] = ()


def load_plans(file: str, opened: Callable[[str], str] = str) -> SavedPlans:
    """As `load`, for who only wants to see them."""
    data = _read(file, opened)
    plans: list[Plan] = []
    problems: list[Diagnostic] = []
    for n, host in enumerate(data.hosts):
        if host.shown is None:
            message = f"{file} was written by a hvctl that kept only what apply needs, and nothing to show"
            raise ConfigError([Diagnostic(None, message, AGAIN)])
        try:
            plans.append(shown_plan(host.name, host.shown, host.steps, frozenset(host.allow)))
        except (ValueError, TypeError, RecursionError) as error:
            problems.append(_damaged(file, f"hosts[{n}].shown", str(error).splitlines()[0]))
    if problems:
        raise ConfigError(problems)
    words = {w for h in data.hosts for w in (*h.allow, *(w for one in h.desired for w in one.allow))}
    return SavedPlans(file, data.hvctl, moment(data.created), tuple(plans), tuple(i for i in IMPACTS if i in words))


def _read(file: str, opened: Callable[[str], str]) -> FileData:
    try:
        text = Path(file).read_bytes()
    except OSError as error:
        raise ConfigError([Diagnostic(None, f"{file} cannot be read: {error.strerror}", "")]) from error
    check_version(file, text)
    try:
        data = FileData.model_validate_json(opened(text.decode("utf-8", "replace")) if is_sealed(text) else text)
    except ValidationError as error:
        raise ConfigError(_damaged(file, _where(e["loc"]), _said(e)) for e in error.errors()[:10]) from error
    names = [h.name.casefold() for h in data.hosts]
    twice = [h.name for n, h in enumerate(data.hosts) if h.name.casefold() in names[:n]]
    if twice:
        raise ConfigError(_damaged(file, "hosts", f"{name} stands there twice") for name in dict.fromkeys(twice))
    return data


def _host(file: str, number: int, data: HostData, problems: list[Diagnostic]) -> SavedHost:
    made: list[Entry | None] = []
    for n, item in enumerate(data.desired):
        if item.owner is not None and item.owner < n and made[item.owner] is None:
            made.append(None)  # what is wrong with it is said already
            continue
        try:
            made.append(_entry(item, made))
        except ConfigError as error:  # of a file of the control node
            problems += error.problems
            made.append(None)
        except (ValidationError, ValueError, TypeError, ArithmeticError) as error:
            where = f"hosts[{number}].desired[{n}]"
            problems += _wrong(file, where, error)
            made.append(None)
    # With a problem nothing comes of the others, so that their numbers do not matter.
    desired = Index((e for e in made if e is not None) if None not in made else (), data.name)
    problems += written_twice(desired)
    first = First(data.computer, data.user, data.time, frozenset(data.allow), data.steps)
    return SavedHost(data.name, desired, first)


def _entry(item: DesiredData, made: Sequence[Entry | None]) -> Entry:
    """As the playbook's loader makes it, from values that are rendered already."""
    kind = next((k for k in kinds() if k.kind == item.kind), None)
    if kind is None:
        raise ValueError(f"{quoted(item.kind)} is not a kind of resource")
    owner = made[item.owner] if item.owner is not None and item.owner < len(made) else None
    if (kind.within, item.owner is None) != (owner.resource.kind if owner else None, owner is None):
        raise ValueError(f"a {kind.kind} stands {f'within a {kind.within}' if kind.within else 'by itself'}")
    marks = {path_of(field): Mark(item.file, *map(int, at.split(":"))) for field, at in item.marks.items()}
    if nulls := [at for at, _ in nulls_refused(kind, item.fields)]:
        raise _NullError(nulls)
    wish = kind.model_validate(item.fields)
    place = Place(Document(None, marks, {}, item.file), (), frozenset(item.allow), tuple(item.hosts))
    (found,) = wish.spread(wish, _Shelf(item.source), place, {})
    return replace(found, owner=item.owner, accept=tuple(_acceptance(one, item.file) for one in item.accept))


def _acceptance(data: AcceptData, file: str) -> Acceptance:
    mark = Mark(file, *map(int, data.at.split(":")))
    return Acceptance(date.fromisoformat(data.until), data.reason, mark, tuple(data.fields))


@dataclass(frozen=True)
class _Shelf:
    """The one file that a resource of a plan file is about. It goes by its resolved path in all that is printed."""

    source: SourceData | None

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
        try:
            resolved = str(path.resolve())
        except (OSError, RuntimeError) as error:  # links that go round in a circle
            raise ValueError(f"source.path {path} cannot be resolved: {error}") from error
        seen = ControlNode(Path(), {}, _unheard).file(resolved, mark)
        # Another file than it was is refused, by its hashes; where it lies is what its name says here.
        return replace(seen, sha256=self.source.sha256, where="")

    def rendered(self, name: str, more: Mapping[str, Any], mark: Mark) -> Staged:
        if self.source is None or self.source.content is None:
            raise ValueError(f"{name} has no content in source")
        try:
            content = b64decode(self.source.content, validate=True)
        except binascii.Error as error:
            raise ValueError(f"source.content is not base64: {error}") from error
        return Staged(sha256(content).hexdigest(), len(content), name, content=content)

    def kept(self) -> Staged | None:
        """Without it, it has no templates."""
        return self.rendered("templates", {}, Mark("", 1, 1)) if self.source is not None else None


def _unheard(secret: Secret) -> None:
    """No template is rendered."""


class _NullError(ValueError):
    """Fields that may not be null, as in a playbook."""

    def __init__(self, places: Sequence[SourcePath]) -> None:
        super().__init__("null has no meaning here")
        self.places = places


# --- what is wrong -------------------------------------------------------------------------------------------------


def _wrong(file: str, where: str, error: Exception) -> list[Diagnostic]:
    if isinstance(error, ValidationError):
        return [_damaged(file, f"{where}.fields{_where(e['loc'], '.')}", _said(e)) for e in error.errors()[:10]]
    if isinstance(error, _NullError):
        return [_damaged(file, f"{where}.fields{_where(at, '.')}", str(error)) for at in error.places[:10]]
    return [_damaged(file, where, str(error))]


def _damaged(file: str, where: str, said: str) -> Diagnostic:
    return Diagnostic(None, f"{file}: {where}: {said}", f"the plan file is damaged; {AGAIN}")


def _where(loc: Sequence[int | str], before: str = "") -> str:
    """hosts[0].desired[3].kind"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text if before else text.lstrip(".") or "the file"


def _said(error: ErrorDetails) -> str:
    text = error["msg"].removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
