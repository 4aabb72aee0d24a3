"""Jobs that wait for their turn, in order, where not all may be done at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

from hvctl.fleet.turns import Few

T = TypeVar("T")
Job = tuple[str, Callable[[], T]]


class Waiting(Generic[T]):
    """A job that may not begin is put beside the first thing that keeps it, and looked at again when that has room: so that the
    work grows with the jobs, however few of them are done at a time."""

    def __init__(self, work: Iterable[Job[T]], few: Few) -> None:
        self._number = count()
        self._kept: dict[str, list[int]] = {}
        """By name, what it takes a place of, as numbers of `_room`."""
        self._room: list[int] = []
        for most, names in few.limits:
            self._takes(names, most)
        classes: dict[str, list[str]] = {}
        for name, own in few.apart.items():
            for one in own:
                classes.setdefault(one, []).append(name)
        for own_of in classes.values():
            self._takes(own_of, 1)
        self._ready: list[tuple[int, int, Job[T]]] = []
        """With what a job was beside before; -1: nothing."""
        self._beside: list[list[tuple[int, Job[T]]]] = [[] for _ in self._room]
        self._waiting = 0
        self.add(work)

    def _takes(self, names: Iterable[str], room: int) -> None:
        for name in names:
            self._kept.setdefault(name, []).append(len(self._room))
        self._room.append(room)

    def __len__(self) -> int:
        return self._waiting

    @property
    def ready(self) -> int:
        """How many are to be looked at, at most so many of which may begin."""
        return len(self._ready)

    def add(self, work: Iterable[Job[T]]) -> None:
        for job in work:
            heappush(self._ready, (next(self._number), -1, job))
            self._waiting += 1

    def take(self) -> Job[T] | None:
        """The first that may begin. None: those that wait do so for some that run."""
        while self._ready:
            number, before, job = heappop(self._ready)
            takes = self._kept.get(job[0], ())
            full = next((one for one in takes if self._room[one] <= 0), None)
            if full is None:
                for one in takes:
                    self._room[one] -= 1
                self._waiting -= 1
                return job
            heappush(self._beside[full], (number, job))
            if before not in (-1, full) and self._room[before] > 0:
                self._next(before)
        return None

    def ended(self, name: str) -> bool:
        """Whether another may begin now."""
        for one in self._kept.get(name, ()):
            self._room[one] += 1
            self._next(one)
        return name in self._kept

    def _next(self, one: int) -> None:
        if self._beside[one]:
            number, job = heappop(self._beside[one])
            heappush(self._ready, (number, one, job))
