"""Every text of a record, changed; what is not changed comes back as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date, datetime
from functools import cache
from operator import is_
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from hvctl.call import TransportError
from hvctl.text.foreign import FOREIGN

T = TypeVar("T")


@dataclass(frozen=True)
class Role:
    """What a text is in its record. `field`: of which dataclass field it is. `foreign`: it came from outside as it is;
    no word of it is hvctl's."""

    field: str = ""
    foreign: bool = False


Change = Callable[[str, Role], str]
_OUTSIDE = Role("message", foreign=True)
_SENTENCES = ("message", "text")
"""Of which `outside` is a part."""
_TEXTS = ("message", "hint", "defect")
"""Of a TransportError."""
_NO_TEXT = frozenset({bool, int, float, datetime, date})


def mapped(value: T, change: Change, untouched: tuple[type, ...] = ()) -> T:
    """Words of a fixed list are left alone, and so are fields that are kept out of the repr and what is of a type in
    `untouched`."""
    return _Mapping(change, untouched).value(value, Role())  # type: ignore[no-any-return]


@dataclass(frozen=True)
class _Mapping:
    change: Change
    untouched: tuple[type, ...]

    def value(self, value: Any, role: Role) -> Any:
        shape = _shape(value.__class__)
        if shape == "text":
            return self.change(value, role)
        if shape == "plain" or (self.untouched and isinstance(value, self.untouched)):
            return value
        if shape == "error":
            return self._error(value)
        if shape == "record":
            return self._record(value)
        if shape == "mapping":
            own = replace(role, foreign=False) if role.foreign else role
            pairs = {self.value(k, own): self.value(v, role) for k, v in value.items()}
            same = all(k in value and v is value[k] for k, v in pairs.items())
            return value if same and len(pairs) == len(value) else pairs
        items = [self.value(v, role) for v in value]
        return value if all(map(is_, items, value)) else value.__class__(items)

    def _error(self, error: TransportError) -> TransportError:
        now = tuple(getattr(error, name) for name in _TEXTS)
        said = (self._sentence(error.message, error.outside), *now[1:])
        texts = tuple(self.change(text, Role(name)) for name, text in zip(_TEXTS, said, strict=True))
        replies = self.value(error.replies, Role("replies"))
        if texts == now and replies is error.replies:
            return error
        message, hint, defect = texts
        outside = self.value(error.outside, _OUTSIDE)
        more = {"executed": error.executed, "replies": replies, "running": error.running, "outside": outside}
        more["unasked"] = error.unasked
        return TransportError(message, hint=hint, defect=defect, **more)

    def _record(self, record: Any) -> Any:
        fields, sentence = _fields(record.__class__, getattr(record, "own_words", False))
        if sentence and record.outside:
            told = self._sentence(getattr(record, sentence), record.outside)
            record = replace(record, **{sentence: told})
        other: dict[str, Any] = {}
        for name, role in fields:
            now = getattr(record, name)
            if not now or now.__class__ in _NO_TEXT:  # as most of a record is
                continue
            new = self.change(now, role) if now.__class__ is str else self.value(now, role)
            if new is not now:
                other[name] = new
        return replace(record, **other) if other else record

    def _sentence(self, text: str, outside: Iterable[str]) -> str:
        """With what is not hvctl's own in it changed."""
        parts: list[str] = []
        for one in outside:
            before, found, text = text.partition(one) if one else ("", "", text)
            parts += before, self.change(found, _OUTSIDE)
        return "".join([*parts, text])


@cache
def _shape(kind: type) -> Literal["text", "error", "record", "mapping", "list", "plain"]:
    """What is done with values of a type."""
    if issubclass(kind, str):
        return "text"
    if issubclass(kind, TransportError):
        return "error"
    if is_dataclass(kind):
        return "record"
    if issubclass(kind, Mapping):
        return "mapping"
    return "list" if issubclass(kind, tuple | list) else "plain"


@cache
def _fields(model: type, own_words: bool) -> tuple[tuple[tuple[str, Role], ...], str]:
    """Those that may hold a text, and which of them is a sentence whose parts `outside` lists."""
    plain, whole = get_type_hints(model), get_type_hints(model, include_extras=True)
    found = [f.name for f in fields(model) if f.init and f.repr and not _words_only(plain[f.name])]
    sentence = next((n for n in _SENTENCES if n in plain and "outside" in plain), "")
    return tuple((name, Role(name, not own_words and _foreign(whole[name]))) for name in found), sentence


def _foreign(hint: Any) -> bool:
    if get_origin(hint) is Annotated and FOREIGN in hint.__metadata__:
        return True
    return any(_foreign(a) for a in get_args(hint))


def _words_only(hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return True
    if hint in _NO_TEXT:
        return True
    args = [a for a in get_args(hint) if a is not type(None) and a is not Ellipsis]
    return bool(args) and all(_words_only(a) for a in args)
