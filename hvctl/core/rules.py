"""Rules that a desired state breaks whatever the host looks like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

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
    cmdlet = contract(os).cmdlet(type(wish).setter) if type(wish).setter else None
    if type(wish).setter and cmdlet is None:
        yield finding("", f"{title(os)} has no {wish.section}", elsewhere(os, type(wish).setter))
        return
    if cmdlet is None:
        return
    for name in wish.written():
        setting = settings(type(wish))[name]
        if setting.fixed or name in type(wish).odd:
            continue
        if cmdlet.answer(setting.set_with) == "absent":
            hint = elsewhere(os, type(wish).setter, setting.set_with)
            yield finding(name, f"{title(os)} does not have {name}", hint)
        elif cmdlet.answer(setting.set_with) == "unknown":
            yield finding(name, f"it is not documented whether {title(os)} has {name}", "", "warning")


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
