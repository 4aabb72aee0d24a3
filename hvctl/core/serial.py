"""Hosts in batches, one after the other: a canary, a few, the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hvctl.text.number import is_whole, whole

T = TypeVar("T")


@dataclass(frozen=True)
class Serial:
    """`sizes`: of the batches, in hosts ("5") or in hundredths of the hosts that have something to do ("10%"); the last goes
    on until no host is left. `of`: where it was written; hosts of different ones are in batches of their own."""

    sizes: tuple[str, ...]
    of: str = ""

    @classmethod
    def of_words(cls, words: Iterable[object], of: str = "") -> Serial:
        """Raises ValueError that says what is wrong."""
        found = tuple(_checked(word) for word in words)
        if not found:
            raise ValueError("no size of a batch is written")
        return cls(found, of)

    def __str__(self) -> str:
        return ",".join(self.sizes)

    def batches(self, items: Sequence[T]) -> Iterator[tuple[T, ...]]:
        """A percentage that is less than one of them is one."""
        at = number = 0
        while at < len(items):
            size = _size(self.sizes[min(number, len(self.sizes) - 1)], len(items))
            yield tuple(items[at : at + size])
            at, number = at + size, number + 1


@dataclass(frozen=True)
class AtOnce:
    """On how many hosts something may restart at a time: of all that a play is for, and of each group of them that is
    planned together. `of`: where it was written."""

    play: int | None = None
    together: int | None = None
    of: str = ""


def _size(text: str, total: int) -> int:
    return max(1, total * whole(text[:-1]) // 100) if text.endswith("%") else whole(text)


def _checked(word: object) -> str:
    if isinstance(word, bool) or not isinstance(word, int | str):
        raise ValueError("a batch is a number of hosts, or a percentage of them")
    text = str(word).strip()
    number, percent = text.removesuffix("%").strip(), text.endswith("%")
    if not text:
        raise ValueError("no size of a batch is written")
    if not is_whole(number):
        raise ValueError(f"{text} is not a number of hosts, nor a percentage of them")
    if whole(number) < 1 or (percent and whole(number) > 100):
        raise ValueError(f"{text} is not a size of a batch: {'1% to 100%' if percent else '1 or more'}")
    return f"{whole(number)}%" if percent else str(whole(number))
