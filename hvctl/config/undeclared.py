"""What a playbook names and does not declare: the host may have it, which is not known before it is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hvctl.core.resource import Resource
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.source import suggest


def undeclared(desired: Sequence[Resource]) -> Iterator[Diagnostic]:
    """Each name once, at its first place. `desired`: of one host."""
    known: dict[str, dict[str, str]] = {}
    for one in desired:
        if one.owner is None:
            known.setdefault(one.kind, {})[one.key().casefold()] = one.key()
    told: set[tuple[str, str]] = set()
    for one in desired:
        for field, (kind, name) in () if one.absent else one.borrowed():
            folded = (kind, name.casefold())
            if name.casefold() in known.get(kind, {}) or folded in told:
                continue
            told.add(folded)
            names = list(known.get(kind, {}).values())
            hint = suggest(name, names) or (f"declared are {', '.join(names)}" if names else "")
            word = kind.replace("_", " ")
            yield Diagnostic(
                one.place.mark(field),
                f"{word} {name} is declared nowhere for this host, so the host must have it already",
                hint,
                "warning",
            )
