"""The kinds of resources: every file here that does not begin with an underscore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from hvctl.core.fields import free_text
from hvctl.core.resource import Resource
from hvctl.text.address import Address


@cache
def kinds() -> tuple[type[Resource], ...]:
    """All kinds, owners before their parts."""
    found = {kind for kind in _defined() if kind.section}
    return tuple(sorted(found, key=lambda k: (k.within is not None, k.__module__, k.kind)))


@cache
def sections(within: str | None) -> Mapping[str, type[Resource]]:
    """The sections that stand within a kind, or at the top of a play."""
    return MappingProxyType({kind.section: kind for kind in kinds() if kind.within == within})


def kind_named(name: str) -> type[Resource]:
    return _named()[name]


@cache
def _named() -> Mapping[str, type[Resource]]:
    return MappingProxyType({kind.kind: kind for kind in kinds()})


def owner_of(address: Address) -> Address | None:
    """The address of what a thing sits within; None for what sits within nothing."""
    kind = _named().get(address.kind)  # a history may tell of one that is no more
    if kind is None or kind.within is None:
        return None
    return Address(address.host, kind.within, address.owners[:-1], "".join(address.owners[-1:]))


def own_words(name: str, field: str) -> bool:
    """Whether values of a field are told in words of hvctl's, and not in texts of the user's or the host's."""
    kind = _named().get(name)
    return kind is not None and not free_text(kind, field)


def address_of(host: str, words: Sequence[str]) -> Address:
    """From its `words`, as they are kept."""
    kind = _named().get(words[0])
    names = tuple(words[1:])
    # What sits within a section that exists once, as the host's, has no name of an owner before its own.
    owned = len(names) - 1 if kind is None else kind.within is not None and kind_named(kind.within).many
    return Address(host, words[0], names[: int(owned)], "".join(names[int(owned) :]))


def _defined() -> Iterator[type[Resource]]:
    for module in iter_modules(__path__):
        if module.name.startswith("_"):
            continue
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, type) and issubclass(value, Resource):
                yield value
