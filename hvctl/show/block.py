"""What is told of a host as a block of lines; once with all their names where hosts are told the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.text import Text

from hvctl.language import listing, said
from hvctl.show.cells import with_right

INDENT = 4


@dataclass(frozen=True)
class Block:
    """`system`: its Windows, in which hosts of which the same is told may differ. `beside`: what goes on beside its name;
    `right`: at the right edge of that line. `below`: all else."""

    host: str
    system: str = ""
    beside: Text = field(default_factory=Text)
    right: str = ""
    style: str = ""
    below: tuple[Text, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What is told of the host, whichever it is."""
        return (self.beside.plain, self.right, *(line.plain for line in self.below))

    def lines(self, width: int) -> Iterator[Text]:
        yield from self.head(self.host, self.system, width)
        yield from self.below

    def head(self, name: str, system: str, width: int) -> Iterator[Text]:
        left = Text(name, "bold").append(f"  {system}" if system else "").append(self.beside)
        yield from with_right(left, self.right, self.style, width)


@dataclass(frozen=True)
class Group:
    """Hosts of which the same is told, in the order of the run; most are one. `systems`: of each of them. `blocks`: of the
    first."""

    hosts: tuple[str, ...]
    systems: tuple[str, ...]
    blocks: tuple[Block, ...]

    def lines(self, width: int) -> Iterator[Text]:
        if len(self.hosts) == 1:
            for block in self.blocks:
                yield from block.lines(width)
            return
        name = said(f"{len(self.hosts)} hosts, the same on each")
        first, *more = self.blocks
        yield from first.head(name, self.systems[0] if len(set(self.systems)) == 1 else "", width)
        yield from self._names(width)
        yield from first.below
        for block in more:
            yield from block.head(name, "", width)
            yield from block.below
        if not self.blocks[-1].below or self.blocks[-1].below[-1]:
            yield Text()

    def _names(self, width: int) -> Iterator[Text]:
        """Of all of them, by Windows where that is not the same."""
        found: dict[str, list[str]] = {}
        for host, system in zip(self.hosts, self.systems, strict=True):
            found.setdefault(system, []).append(host)
        for system, hosts in found.items():
            yield from _named(hosts, width, system if len(found) > 1 else "")


def grouped(told: Iterable[Sequence[Block]], apart: Collection[str] | None = ()) -> list[Group]:
    """What is told of each host, in the order of the first of each group. `apart`: hosts that stay by themselves; None: all
    do."""
    found: dict[object, list[Sequence[Block]]] = {}
    for blocks in told:
        if not blocks:
            continue
        host = blocks[0].host
        key: object = host if apart is None or host in apart else tuple(block.words for block in blocks)
        # What is told of the others need not be kept: it is the same.
        kept = [Block(host, blocks[0].system)] if key in found else blocks
        found.setdefault(key, []).append(kept)
    return [
        Group(tuple(own[0].host for own in group), tuple(own[0].system for own in group), tuple(group[0]))
        for group in found.values()
    ]


def _named(hosts: Sequence[str], width: int, system: str) -> Iterator[Text]:
    """Each name in one piece, however narrow it is."""
    comma = listing(("", ""))
    line = Text(" " * INDENT).append(f"{system}: " if system else "", "dim")
    empty = not system
    for host in hosts:
        name = host if host is hosts[-1] else host + comma
        if not empty and line.cell_len + cell_len(name.rstrip()) > width:
            line.rstrip()
            yield line
            line = Text(" " * (INDENT + 2 * bool(system)))
        line.append(name)
        empty = False
    yield line
