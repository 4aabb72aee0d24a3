"""Rules of desired states of which something is left out because it is faulty: what they say of the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from hvctl.contract import OS
from hvctl.core.fields import Fields, models_in
from hvctl.core.resource import Resource
from hvctl.core.rules import broken_rules
from hvctl.text.diagnostic import Diagnostic


def sound_rules(wishes: Sequence[Resource], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
    """The rules that are broken, without those that may be only because of what is left out."""
    flawed = [w for w in wishes if w.left_out]
    found = list(broken_rules(tuple(w for w in wishes if not w.unnamed), os))
    if any(w.unnamed for w in flawed):
        # By what stands in for its name it is none of the others.
        told = {(id(wish), finding) for wish, finding in found}
        more = ((w, f) for w, f in broken_rules(tuple(wishes), os) if f.field not in type(w).stand_in)
        found += [(w, f) for w, f in more if (id(w), f) not in told]
    for wish, finding in found:
        if not any(_rests_on(finding, wish, one) for one in flawed):
            yield wish, finding


def _rests_on(finding: Diagnostic, wish: Resource, flawed: Resource) -> bool:
    """A rule names what it rests on: in its field, or in what it says."""
    names = flawed.left_out - flawed.stand_in.keys()
    if flawed is wish:
        return any(_within(finding.field, n) for n in flawed.left_out) or any(_says(finding, n) for n in names)
    if type(flawed) in (type(wish), type(_root(wish))):
        return False  # the words are those of the finding's own resource
    if flawed.unnamed and (_says(finding, flawed.kind) or _says(finding, flawed.section)):
        return True
    own = _fields(type(wish))
    return _root(flawed) is _root(wish) and any(_says(finding, n) for n in names if n.rpartition(".")[2] not in own)


def _within(field: str, name: str) -> bool:
    return field == name or field.startswith(f"{name}.") or name.startswith(f"{field}.")


def _says(finding: Diagnostic, name: str) -> bool:
    word = re.escape(name.rpartition(".")[2]).replace("_", "[_ ]")
    return re.search(rf"\b{word}\b", finding.message, re.IGNORECASE) is not None


@cache
def _fields(model: type[Fields]) -> frozenset[str]:
    """Of a model and of those within it."""
    inner = (i for info in model.model_fields.values() for i in models_in(info.annotation))
    return frozenset(model.model_fields).union(*(_fields(i) for i in inner))


def _root(wish: Resource) -> Resource:
    while wish.owner is not None:
        wish = wish.owner
    return wish
