"""docs/guest-systems.md: the table of guest systems, as the rules of `guest_os` read it."""

from __future__ import annotations

import re
from pathlib import Path

from hvctl.contract import VERSIONS
from hvctl.kinds._guest_systems import GUEST_SYSTEMS, GuestSystem

GUESTS = Path(__file__).parent.parent / "docs" / "guest-systems.md"
_PLACE = re.compile(r"<!-- table -->\n.*?<!-- /table -->\n", re.DOTALL)
_COLUMNS = (
    "word", "guest", "hosts", "generations", "secure boot", "processors", "dynamic memory", "static memory, running", "files",
    "disks, running", "source",
)  # fmt: skip


def guests() -> str:
    """The page with the table as it is now."""
    sources = list(dict.fromkeys(source for guest in GUEST_SYSTEMS.values() for source in guest.source))
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *(_row(*item, sources) for item in GUEST_SYSTEMS.items())]
    table = "".join(f"|{'|'.join(f' {cell} ' if cell else ' ' for cell in row)}|\n" for row in rows)
    listed = "".join(f"{n}. {_linked(source)}\n" for n, source in enumerate(sources, 1))
    made = f"{table}\nSources:\n\n{listed}"
    return _PLACE.sub(lambda _: f"<!-- table -->\n{made}<!-- /table -->\n", GUESTS.read_text(encoding="utf-8"))


def _row(word: str, guest: GuestSystem, sources: list[str]) -> tuple[str, ...]:
    return (
        f"`{word}`",
        guest.title,
        _hosts(guest),
        ", ".join(map(str, guest.generations)),
        _said(guest.signed if 2 in guest.generations else None),
        f"{guest.processors:,}" if guest.processors else "",
        *map(_said, (guest.dynamic_memory, guest.memory_resize, guest.file_copy, guest.online_resize)),
        ", ".join(str(sources.index(source) + 1) for source in guest.source),
    )


def _said(fact: bool | None) -> str:
    return "" if fact is None else "yes" if fact else "no"


def _hosts(guest: GuestSystem) -> str:
    """Without a gap in all of them."""
    if guest.hosts is None:
        return ""
    first, last = (guest.hosts[n].replace("r2", " R2") for n in (0, -1))
    assert guest.hosts == VERSIONS[VERSIONS.index(guest.hosts[0]) :][: len(guest.hosts)]
    return first if first == last else f"{first} to {last}"


def _linked(source: str) -> str:
    return f"<{source}>" if "://" in source else f"[{source}](reference/domain.md)"
