"""What null means for every field of every kind: it clears, or is refused at its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hvctl.call import NULL
from hvctl.core.fields import Fields, Null, models_in, settings
from hvctl.core.resource import Resource
from hvctl.kinds import kinds
from tests.harness import wished

REQUIRED: dict[str, Any] = {
    "name": "x", "at": "scsi 0:0", "path": "D:\\x", "destination": "C:\\x", "count": 1, "action": "allow",
    "direction": "inbound", "weight": 1, "subnet": "10.0.0.0/24", "server": "hv01.example.com",
}  # fmt: skip
WITH: dict[str, dict[str, Any]] = {
    "guest_file": {"host_source": "D:\\x.txt"},
    "dvd": {"at": "scsi 0:1"},
}
"""What a kind needs besides, to be right without the field."""


def fields_of(kind: type[Resource]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Every field that need not be written, those of nested mappings included, and whether null means something."""
    for name, info in kind.model_fields.items():
        means = any(isinstance(m, Null) for m in info.metadata)
        if not info.is_required():
            yield (info.alias or name,), means
        for inner in models_in(info.annotation):
            if "list" not in str(info.annotation):
                for deeper, one in inner.model_fields.items():
                    yield (name, deeper), any(isinstance(m, Null) for m in one.metadata)


def needed(model: type[Fields]) -> dict[str, Any]:
    return {n: REQUIRED[n] for n, info in model.model_fields.items() if info.is_required() and n in REQUIRED}


def playbook(kind: type[Resource], path: tuple[str, ...]) -> str:
    item = {**needed(kind), **WITH.get(kind.kind, {})}
    inside: dict[str, Any] = item
    for part in path[:-1]:
        inside = inside.setdefault(part, {})
    inside[path[-1]] = None
    text = f"{kind.section}: " + (f"[{_flow(item)}]" if kind.many else _flow(item))
    while kind.within:
        kind = next(k for k in kinds() if k.kind == kind.within)
        text = f"{kind.section}: " + (f"[{{name: x, {text}}}]" if kind.many else f"{{{text}}}")
    return f"- {text}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {_flow(v)}" for k, v in value.items()) + "}"
    return "null" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


ALL = [(kind, path, means) for kind in kinds() for path, means in fields_of(kind)]


@pytest.mark.parametrize(("kind", "path", "means"), ALL, ids=lambda v: getattr(v, "kind", None) or str(v))
def test_null_clears_or_is_refused_at_its_place(kind: type[Resource], path: tuple[str, ...], means: bool) -> None:
    text = playbook(kind, path)
    _, problems = wished(text)
    said = [p for p in problems if "null has no meaning here" in p.message]
    if means:
        assert not problems, (text, problems)
        return
    assert len(said) == 1, (text, problems)
    (problem,) = said
    assert problem.mark is not None
    assert text[problem.mark.column - 1 :].startswith("null"), (text, problem)


def cleared_by_its_setter() -> Iterator[tuple[type[Resource], str]]:
    for kind, path, means in ALL:
        name = ".".join(path)
        if means and name in settings(kind) and name not in kind.odd:
            yield kind, name


@pytest.mark.parametrize(
    ("kind", "field"), list(cleared_by_its_setter()), ids=lambda v: getattr(v, "kind", None) or str(v)
)
def test_null_is_sent_as_something_and_is_equal_to_it(kind: type[Resource], field: str) -> None:
    """A parameter that is null is left out of a call: nothing would happen, for ever."""
    codec = settings(kind)[field].codec
    sent = codec.write(None)
    assert sent is not None
    back = codec.read(None if sent is NULL else sent)
    assert codec.same(back, None)
    assert codec.show(None) == codec.show(back)


def test_some_fields_are_cleared_by_null() -> None:
    assert sum(means for _, _, means in ALL) > 20
