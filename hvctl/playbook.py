"""Plays → resources: which hosts, which variables, which wishes; with the place of everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hvctl.call import Secret
from hvctl.controlnode import ControlNode
from hvctl.duration import seconds, spoken
from hvctl.kinds import sections
from hvctl.overlay import NOTHING, Overlay
from hvctl.patterns import words
from hvctl.resource import IMPACTS, Address, Fields, Impact, Place, Resource, models_in, nulls_refused, settings
from hvctl.secrets import Ask, resolve
from hvctl.source import ConfigError, Document, Mark, Path, Problem, RefusedError, load, suggest
from hvctl.template import rendered
from hvctl.vault import Vault, is_vault

_NOTHING: Mapping[str, Any] = {}
_PLAY_KEYS = ("name", "hosts", "vars", "vars_files", "tags", "allow")


@dataclass(frozen=True)
class Play:
    """One play as written; its wishes are made per host, since values may hold variables."""

    document: Document
    path: Path
    name: str
    hosts: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    allow: frozenset[Impact] = frozenset()
    marks: Mapping[str, Mark] = field(default_factory=dict)

    @property
    def folder(self) -> File:
        return File(self.document.file).parent

    @property
    def body(self) -> dict[str, Any]:
        data = _at(self.document.data, self.path)
        return {key: value for key, value in data.items() if key not in _PLAY_KEYS}


def load_playbook(file: str | File) -> list[Play]:
    """Raises ConfigError with every problem that does not depend on a host."""
    plays, problems = read_playbook(file)
    if problems:
        raise ConfigError(problems)
    return plays


def read_playbook(file: str | File, vault: Vault | None = None) -> tuple[list[Play], list[Problem]]:
    """The plays whose wishes can be looked at, and what is wrong with the plays themselves. Raises ConfigError for a
    file that is no playbook."""
    vault = vault or Vault()
    document = vault.opened(load(file))
    problems: list[Problem] = []
    if isinstance(document.data, str) and is_vault(document.data):
        hint = "decrypt it, and keep what is secret in vars_files or group_vars"
        raise ConfigError([Problem(document.mark(()), "an encrypted playbook is not read", hint)])
    if not isinstance(document.data, list):
        raise ConfigError(
            [
                Problem(
                    document.mark(()),
                    "a playbook is a list of plays",
                    "begin with `- name: …` and `  hosts: …`",
                )
            ]
        )
    plays = [p for n, data in enumerate(document.data) if (p := _play(document, n, data, vault, problems))]
    return plays, problems


def _play(document: Document, number: int, data: Any, vault: Vault, problems: list[Problem]) -> Play | None:
    path: Path = (number,)
    if not isinstance(data, dict):
        problems.append(Problem(document.mark(path), "a play is a mapping", "write its keys as `key: value`"))
        return None
    known = (*_PLAY_KEYS, *sections(None))
    for key in data:
        if key not in known:
            place = document.key_marks.get((*path, key))
            problems.append(
                Problem(
                    place,
                    f"unknown key {key!r} in a play",
                    suggest(str(key), known) or f"known are {', '.join(known)}",
                )
            )
    hosts = _text(
        data.get("hosts"),
        document,
        (*path, "hosts"),
        "hosts is a pattern, such as all or lab:&tokyo",
        problems,
    )
    allow = _words(data.get("allow", []), document, (*path, "allow"), problems)
    for word in allow:
        if word not in IMPACTS[1:]:
            problems.append(
                Problem(
                    document.mark((*path, "allow")),
                    f"{word!r} is nothing that can be allowed",
                    suggest(word, IMPACTS[1:]) or f"one of {', '.join(IMPACTS[1:])}",
                )
            )
    variables = data.get("vars") or {}
    if not isinstance(variables, dict):
        problems.append(Problem(document.mark((*path, "vars")), "vars is a mapping", "write `name: value` below it"))
        variables = {}
    marks = {str(k): document.mark((*path, "vars", k)) for k in variables}
    files = _vars_files(document, path, data, vault, problems)
    given = Overlay(variables, marks).under(files)  # Ansible's order
    tags = _words(data.get("tags", []), document, (*path, "tags"), problems)
    allowed: frozenset[Impact] = frozenset(i for i in IMPACTS if i in allow)
    if not hosts:
        return None
    name = str(data.get("name") or hosts)
    return Play(document, path, name, hosts, given.values, tuple(tags), allowed, given.marks)


def _vars_files(document: Document, path: Path, data: Any, vault: Vault, problems: list[Problem]) -> Overlay:
    found = NOTHING
    for n, name in enumerate(_words(data.get("vars_files", []), document, (*path, "vars_files"), problems)):
        try:
            loaded = vault.load(File(document.file).parent / name)[0]
        except ConfigError as error:
            place = document.mark((*path, "vars_files", n))
            problems += [p if p.mark else replace(p, mark=place) for p in error.problems]
            continue
        if isinstance(loaded.data, dict):
            found = found.under(Overlay(loaded.data, {str(k): loaded.mark((k,)) for k in loaded.data}))
        elif loaded.data is not None:
            problems.append(
                Problem(
                    document.mark((*path, "vars_files", n)),
                    f"{name} is no mapping of variables",
                    "write `name: value` lines",
                )
            )
    return found


def wishes(
    plays: Iterable[Play],
    variables: Mapping[str, Any],
    learn: Callable[[Secret], None] = lambda secret: None,
    trees: tuple[File, ...] = (),
    ask: Ask = resolve,
) -> tuple[list[Resource], list[Problem]]:
    """The resources that these plays want of one host, and everything wrong with them. `learn` hears of secrets that
    are used, `ask` gets them. `trees`: folders whose files need not be named in full, beside the playbook's own."""
    found: list[Resource] = []
    problems: list[Problem] = []
    for play in plays:
        data, unclear = rendered(play.body, {**variables, **play.variables}, play.document, play.path)
        wrong: list[Problem] = []
        shelf = ControlNode(File(play.document.file).parent, {**variables, **play.variables}, learn, trees, ask)
        maker = _Maker(play, data, wrong, shelf)
        for section, kind in sections(None).items():
            if section in data:
                found += maker.section(kind, data[section], (*play.path, section), None)
        # What has no value cannot be right: that it is missing is said once, by its expression.
        places = {p.mark for p in unclear}
        problems += [*unclear, *(p for p in wrong if p.mark not in places)]
    peers = tuple(found)
    for wish in found:
        wish.acquainted(peers)
    return found, [*problems, *written_twice(found)]


@dataclass
class _Maker:
    """Makes the resources of one play, and collects what is wrong."""

    play: Play
    data: Any
    problems: list[Problem]
    shelf: ControlNode

    def section(
        self, kind: type[Resource], data: Any, path: Path, owner: Resource | None, around: Mapping[str, Any] = _NOTHING
    ) -> list[Resource]:
        """`around`: what the section stands in, as written."""
        if not kind.many:
            return self.resource(kind, data, path, owner, around)
        if data is None:
            return []
        if not isinstance(data, list):
            self.wrong(path, f"{kind.section} is a list", "begin each with `- `")
            return []
        return [r for n, item in enumerate(data) for r in self.resource(kind, item, (*path, n), owner, around)]

    def resource(
        self, kind: type[Resource], data: Any, path: Path, owner: Resource | None, around: Mapping[str, Any]
    ) -> list[Resource]:
        if not isinstance(data, dict):
            self.wrong(path, f"{kind.kind} is a mapping", "write its fields as `field: value`")
            return []
        inner = sections(kind.kind)
        own = {key: value for key, value in data.items() if key not in inner}
        for at, hint in tuple(nulls_refused(kind, own)):
            self.wrong((*path, *at), f"{at[-1]}: null has no meaning here", hint)
            own = _less(own, at)
        try:
            made = kind.model_validate(own)
            found = self.spread(made, Place(self.play.document, path, self.play.allow), owner, around)
        except ValidationError as error:
            self.problems += _explained(error, kind, own, tuple(inner), self.play.document, path)
            made, found = None, []
        for section, part in inner.items():
            if section in data:
                found += self.section(part, data[section], (*path, section), made, data)
        return found

    def spread(self, made: Resource, place: Place, owner: Resource | None, around: Mapping[str, Any]) -> list[Resource]:
        made.placed(place, None)
        try:
            found = made.spread(self.shelf, around)
        except RefusedError:
            raise
        except ConfigError as error:
            self.problems += error.problems
            return []
        for one in found:
            one.placed(place, owner)
        return list(found)

    def wrong(self, path: Path, message: str, hint: str) -> None:
        self.problems.append(Problem(self.play.document.mark(path), message, hint))


def written_twice(found: Sequence[Resource]) -> Iterator[Problem]:
    seen: dict[Address, Resource] = {}
    for wish in found:
        if wish.owner is None and wish.within is not None:
            continue  # its owner is wrong already
        address = tuple(part.casefold() for part in wish.address())
        if address in seen:
            yield Problem(
                wish.place.mark(),
                f"{wish.kind} {', '.join(wish.address()[1:])} is wanted twice",
                f"the other is at {seen[address].place.mark()}; write it once",
            )
        else:
            seen[address] = wish


def _less(data: Any, path: Path) -> Any:
    """A copy without what stands at a path."""
    first, *rest = path
    if isinstance(data, list):
        return [_less(item, tuple(rest)) if n == first else item for n, item in enumerate(data)]
    if rest:
        return {key: _less(value, tuple(rest)) if key == first else value for key, value in data.items()}
    return {key: value for key, value in data.items() if key != first}


# --- pydantic's errors in our words --------------------------------------------------------------------------------


def _explained(
    error: ValidationError,
    kind: type[Resource],
    data: Any,
    inner: tuple[str, ...],
    document: Document,
    path: Path,
) -> list[Problem]:
    found: dict[Path, Problem] = {}
    for detail in sorted(error.errors(), key=lambda d: -len(_inside(d["loc"], data))):
        where = (*path, *_inside(detail["loc"], data))
        problem = _problem(detail, kind, inner, document, where)
        if not any(known[: len(where)] == where for known in found):
            found[where] = problem
    return list(found.values())


def _inside(loc: Sequence[int | str], data: Any) -> Path:
    """The part of an error's location that is in the data (unions put type names into it)."""
    path: list[int | str] = []
    for part in loc:
        within = data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
        if part in within:
            data = within[part]
            path.append(part)
    return tuple(path)


_PLAIN_WORDS = {
    "int_type": ("a whole number", "write it without quotes"),
    "int_from_float": ("a whole number", "write it without a fraction"),
    "string_type": ("a text", "put it in quotes"),
    "bool_type": ("yes or no", "write true, false, yes, no, on or off"),
    "list_type": ("a list", "begin each item with `- `"),
    "model_type": ("a mapping", "write its fields as `field: value`"),
    "dict_type": ("a mapping", "write its fields as `field: value`"),
}


def _problem(
    detail: ErrorDetails, kind: type[Resource], inner: tuple[str, ...], document: Document, where: Path
) -> Problem:
    name = next((p for p in reversed(detail["loc"]) if isinstance(p, str)), kind.kind)
    code, context = detail["type"], detail.get("ctx", {})
    if code == "extra_forbidden":
        known = (*_fields_at(kind, detail["loc"]), *(inner if len(detail["loc"]) == 1 else ()))
        return Problem(
            document.key_marks.get(where) or document.mark(where),
            f"unknown key {name!r} in {kind.kind}",
            suggest(str(name), known) or f"known are {', '.join(known)}",
        )
    mark = document.mark(where)
    if code == "missing":
        return Problem(mark, f"{kind.kind} needs {name!r}", f"write `{name}: …`")
    shown = _shown(detail["input"])
    if code in _PLAIN_WORDS:
        what, hint = _PLAIN_WORDS[code]
        return Problem(mark, f"{name} is {what}, not {shown}", hint)
    if code in ("greater_than_equal", "greater_than"):
        return Problem(mark, f"{name}: {shown} is too small", f"at least {_bound(detail, kind)}")
    if code in ("less_than_equal", "less_than"):
        return Problem(mark, f"{name}: {shown} is too large", f"at most {_bound(detail, kind)}")
    if code == "literal_error":
        expected = str(context.get("expected", ""))
        hint = suggest(str(detail["input"]), expected.replace("'", "").replace(" or ", ", ").split(", "))
        return Problem(mark, f"{name}: {shown} is not {expected}", hint or f"write {expected}")
    message, _, hint = detail["msg"].removeprefix("Value error, ").partition("; ")
    return Problem(mark, f"{name}: {message[:1].lower() + message[1:]}", hint)


def _bound(detail: ErrorDetails, kind: type[Resource]) -> str:
    """In the unit of the field, where one was written."""
    bound = next(iter(detail.get("ctx", {}).values()), "")
    setting = settings(kind).get(".".join(p for p in detail["loc"] if isinstance(p, str)))
    given = detail["input"]
    if not isinstance(given, str):
        return str(bound)
    if _is_span(given):
        return spoken(float(bound))
    return setting.codec.show(bound) if setting else str(bound)


def _is_span(text: str) -> bool:
    try:
        seconds(text)
    except ValueError:
        return False
    return True


def _fields_at(kind: type[Fields], loc: Sequence[int | str]) -> tuple[str, ...]:
    model: type[Fields] = kind
    for part in loc[:-1]:
        info = model.model_fields.get(str(part))
        model = next(models_in(info.annotation), model) if info else model
    return tuple(model.model_fields)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _text(value: Any, document: Document, path: Path, what: str, problems: list[Problem]) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, list) and all(isinstance(v, str) for v in value) and value:
        return ",".join(word for item in value for word in words(item))
    problems.append(Problem(document.mark(path), what, "write `hosts: all` or the name of a group"))
    return ""


def _words(value: Any, document: Document, path: Path, problems: list[Problem]) -> list[str]:
    found = [v.strip() for v in value.split(",")] if isinstance(value, str) else value
    if isinstance(found, list) and all(isinstance(v, str) for v in found):
        return [v for v in found if v]
    problems.append(Problem(document.mark(path), f"{path[-1]} is a list of words", "write `[one, two]`"))
    return []
