"""An example of each field, in its place in a play."""

from __future__ import annotations

from typing import Any

import yaml

from hvctl.core.fields import Fields, models_in
from hvctl.core.resource import Resource
from hvctl.reference.item import Item, items


def example(item: Item) -> dict[str, Any]:
    """As much of a play as it takes, with what is required around it. A role is refused outside of `cluster: vms:`."""
    value = _whole(item) if item.example is None else item.example
    found = _around(item, value, item.meaning.beside)
    return {"cluster": found} if item.path[:1] == ("vms",) and item.path[1:2] in (("role",), ("clustered",)) else found


def example_text(item: Item) -> str:
    """As YAML, the way people write it: what holds nothing but words on one line."""
    text = yaml.safe_dump(example(item), sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    return text.rstrip("\n")


def _whole(item: Item) -> Any:
    """Of a section, and of a field that is a mapping: what is required of it, or the first thing that stands in it."""
    model = item.inner if item.info is not None else item.kind
    if model is None:
        return None
    inner = _required(model, item.path) or _first(item)
    return [inner] if _is_list(item) else inner


def _first(item: Item) -> dict[str, Any]:
    for part in item.below:
        if part.info is not None and part.example is not None:
            return {part.path[-1]: part.example, **part.meaning.beside}
    return {}


def _around(item: Item, value: Any, beside: Any) -> dict[str, Any]:
    """`value` below its key, within all that is above it."""
    found: Any = value
    path = item.path
    wrapped = {path[-1]: found, **beside}
    while len(path) > 1:
        path = path[:-1]
        above = next(i for i in items() if i.path == path)
        model = above.inner if above.info is not None else above.kind
        whole = {**(_required(model, path) if model else {}), **wrapped}
        wrapped = {path[-1]: [whole] if _is_list(above) else whole, **above.meaning.beside}
    return wrapped


def _required(model: type[Fields], path: tuple[str, ...]) -> dict[str, Any]:
    needed = {(*path, info.alias or name) for name, info in model.model_fields.items() if info.is_required()}
    return {i.path[-1]: i.example for i in items() if i.path in needed}


def _is_list(item: Item) -> bool:
    if item.info is None:
        return item.kind is not None and issubclass(item.kind, Resource) and item.kind.many
    return item.inner is not None and "list[" in str(item.info.annotation) and any(models_in(item.info.annotation))
