"""The kinds of resources: every file here that does not begin with an underscore."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from hvctl.core.resource import Address, Resource


@cache
def kinds() -> tuple[type[Resource], ...]:
    """All kinds, owners before their parts."""
    found = {kind for kind in _defined() if kind.section}
    return tuple(sorted(found, key=lambda k: (k.within is not None, k.__module__, k.kind)))


def sections(within: str | None) -> dict[str, type[Resource]]:
    """The sections that stand within a kind, or at the top of a play."""
    return {kind.section: kind for kind in kinds() if kind.within == within}


def kind_named(name: str) -> type[Resource]:
    return next(kind for kind in kinds() if kind.kind == name)


def owner_of(address: Address) -> Address:
    """The address of what a thing sits within; () for what sits within nothing."""
    kind = next((k for k in kinds() if k.kind == address[0]), None)  # a history may tell of one that is no more
    if kind is None or kind.within is None:
        return ()
    named = kind_named(kind.within).many  # a section that exists once has no name
    return (kind.within, *address[1 : 1 + named])


def _defined() -> Iterator[type[Resource]]:
    for module in iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Resource):
                yield value
