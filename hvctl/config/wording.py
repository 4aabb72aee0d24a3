"""What pydantic says of a resource's fields, in hvctl's words and at their places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import ErrorDetails

from hvctl.core.acceptance import KEY
from hvctl.core.fields import Fields, models_in, settings
from hvctl.core.resource import Resource
from hvctl.kinds import sections
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.duration import seconds, spoken
from hvctl.text.scalars import Written
from hvctl.text.source import Document, Path, nearest, suggest
from hvctl.text.visible import quoted
from hvctl.text.width import half_width, half_width_key


def explained(
    errors: Iterable[ErrorDetails], kind: type[Resource], data: Any, document: Document, path: Path
) -> list[Diagnostic]:
    """One problem at a place: of what is wrong within something, the innermost."""
    found: dict[Path, Diagnostic] = {}
    for detail in sorted(errors, key=lambda d: -len(inside(d["loc"], data))):
        where = (*path, *inside(detail["loc"], data))
        if not any(known[: len(where)] == where for known in found):
            found[where] = _problem(detail, kind, document, where)
    return list(found.values())


def inside(loc: Sequence[int | str], data: Any) -> Path:
    """The part of an error's location that is in the data (unions put type names into it)."""
    path: list[int | str] = []
    for part in loc:
        within = data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
        if part in within:
            data = within[part]
            path.append(part)
    return tuple(path)


def keys_at(kind: type[Resource], loc: Sequence[int | str]) -> tuple[str, ...]:
    """What may stand where a key stands."""
    return (*_fields_at(kind, loc), *((*sections(kind.kind), *kind.beneath) if len(loc) == 1 else ()))


def meant(kind: type[Resource], loc: Sequence[int | str]) -> str:
    """The key that an unknown one was to be, dotted where it is nested, or what to write instead of it; "" if none is
    near."""
    name = str(loc[-1])
    other = kind.other_words.get(name.casefold()) if len(loc) == 1 else None
    return other or nearest(name, (*keys_at(kind, loc), *((KEY,) if len(loc) == 1 else ())))


def _did_you_mean(key: str) -> str:
    if not key or " " in key:
        return key
    outer, _, inner = key.partition(".")
    return f"did you mean `{outer}: {{{inner}: …}}`?" if inner else f"did you mean {quoted(key)}?"


_PLAIN_WORDS = {
    "int_type": ("a whole number", "write it without quotes"),
    "int_from_float": ("a whole number", "write it without a fraction"),
    "string_type": ("a text", "put it in quotes"),
    "bool_type": ("yes or no", "write true, false, yes, no, on or off"),
    "list_type": ("a list", "begin each item with `- `"),
    "model_type": ("a mapping", "write its fields as `field: value`"),
    "dict_type": ("a mapping", "write its fields as `field: value`"),
}


def _problem(detail: ErrorDetails, kind: type[Resource], document: Document, where: Path) -> Diagnostic:
    found = _found(detail, kind, document, where)
    key = detail["type"] == "extra_forbidden" and bool(where)
    given = where[-1] if key else detail["input"]
    if isinstance(given, str) and (half := (half_width_key if key else half_width)(given)):
        return replace(found, hint=f"write {half} in half-width characters")
    return found


def _found(detail: ErrorDetails, kind: type[Resource], document: Document, where: Path) -> Diagnostic:
    name = next((p for p in reversed(detail["loc"]) if isinstance(p, str)), kind.kind)
    code, context = detail["type"], detail.get("ctx", {})
    if code == "extra_forbidden":
        hint = _did_you_mean(meant(kind, detail["loc"]))
        return Diagnostic(
            document.key_marks.get(where) or document.mark(where),
            f"unknown key {quoted(name)} in {kind.kind}",
            hint or f"known are {', '.join(keys_at(kind, detail['loc']))}",
        )
    mark = document.mark(where)
    if code == "missing":
        return Diagnostic(mark, f"{kind.kind} needs {quoted(name)}", f"write `{name}: …`")
    shown = _shown(detail["input"])
    if code in _PLAIN_WORDS:
        what, hint = _PLAIN_WORDS[code]
        if code == "int_type":
            hint = _octal(detail["input"]) or hint
        return Diagnostic(mark, f"{name} is {what}, not {shown}", hint)
    if code in ("greater_than_equal", "greater_than"):
        return Diagnostic(mark, f"{name}: {shown} is too small", f"at least {_bound(detail, kind)}")
    if code in ("less_than_equal", "less_than"):
        return Diagnostic(mark, f"{name}: {shown} is too large", f"at most {_bound(detail, kind)}")
    if code == "too_short" and context.get("actual_length") == 0:
        return Diagnostic(mark, f"{name} is an empty list", "write at least one, or leave it out")
    if code == "literal_error":
        expected = str(context.get("expected", ""))
        hint = suggest(str(detail["input"]), expected.replace("'", "").replace(" or ", ", ").split(", "))
        return Diagnostic(mark, f"{name}: {shown} is not {expected}", hint or f"write {expected}")
    message, _, hint = detail["msg"].removeprefix("Value error, ").partition("; ")
    return Diagnostic(mark, f"{name}: {message[:1].lower() + message[1:]}", hint)


def _octal(given: Any) -> str:
    """What to write for a number with a leading zero, which YAML 1.1 reads as an octal one."""
    if not isinstance(given, Written) or not isinstance(given.value, int) or not given.lstrip("+-").isdecimal():
        return ""
    return f"write {int(given)} (or {given.value}, which is what YAML makes of it)"


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
    return tuple(info.alias or name for name, info in model.model_fields.items())


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
