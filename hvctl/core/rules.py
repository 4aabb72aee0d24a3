"""Rules that a desired state breaks whatever the host looks like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from hvctl.contract import OS, contract, elsewhere, title
from hvctl.core.changes import Change, finding
from hvctl.core.fields import settings
from hvctl.core.resource import Resource
from hvctl.core.values import Missing
from hvctl.text.diagnostic import Diagnostic


def validate(wishes: Iterable[Resource], os: OS) -> list[Diagnostic]:
    """Everything that can be known to be wrong for this version without asking a host."""
    return [
        replace(found, mark=wish.place.mark(found.field), level="error" if found.holds else "warning")
        for wish, found in broken_rules(tuple(wishes), os)
    ]


def broken_rules(wishes: tuple[Resource, ...], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
    """Rules that these resources break on this version, whatever the host looks like."""
    for wish in wishes:
        for found in (*wish.rules(os), *_supported(wish, os)):
            yield wish, found
    for kind in dict.fromkeys(type(w) for w in wishes):
        yield from kind.rules_together(tuple(w for w in wishes if type(w) is kind), os)


def _supported(wish: Resource, os: OS) -> Iterator[Diagnostic]:
    """Fields whose parameter this version's cmdlet does not have."""
    kind = type(wish)
    if not kind.setter:
        return
    doubtful = _doubtful(kind, os)
    if doubtful is None:
        yield finding("", f"{title(os)} has no {wish.section}", elsewhere(os, kind.setter))
        return
    for name in wish.written() if doubtful else ():
        if doubtful.get(name) == "absent":
            hint = elsewhere(os, kind.setter, settings(kind)[name].set_with)
            yield finding(name, f"{title(os)} does not have {name}", hint)
        elif name in doubtful:
            yield finding(name, f"it is not documented whether {title(os)} has {name}", "", "warning")


@cache
def _doubtful(kind: type[Resource], os: OS) -> Mapping[str, str] | None:
    """Fields that the setter of a kind does not have on this version, or may not have; None: there is no such cmdlet."""
    cmdlet = contract(os).cmdlet(kind.setter)
    if cmdlet is None:
        return None
    set_by_it = {n: s for n, s in settings(kind).items() if not s.fixed and n not in kind.odd}
    answers = {name: cmdlet.answer(setting.set_with) for name, setting in set_by_it.items()}
    return {name: answer for name, answer in answers.items() if answer in ("absent", "unknown")}


def fixed(wish: Resource, changes: Iterable[Change]) -> Iterator[Diagnostic]:
    for change in changes:
        setting = settings(type(wish)).get(change.field)
        if isinstance(change.now, Missing):
            yield finding(change.field, f"this host does not have {change.field}", "remove it for this host")
        elif setting and setting.fixed and not wish.renews(change.field):
            yield finding(
                change.field,
                f"it is {wish.show(change.field, change.now)} and cannot be changed",
                setting.fixed,
            )
