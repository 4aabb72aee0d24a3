"""Hosts that mean harm, or whose answers arrive so: their frames garbled, or a property answered as no cmdlet does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

from hvctl.call import Batch, Event, Reply
from mocks.garbling import garbled, misread
from mocks.host import SimulatedHost
from mocks.twin import Twin, TwinTransport


class HostileTransport(TwinTransport):
    """To a simulated host in the same process, whose answers are garbled so often."""

    def __init__(self, host: SimulatedHost, chance: Random, probability: float = 1.0) -> None:
        super().__init__(host)
        self.twin = _GarblingTwin(host, chance, probability)


class MisreadingTransport(TwinTransport):
    """To a simulated host that answers one property of one row otherwise than the cmdlet does, each time it is read."""

    def __init__(self, host: SimulatedHost, chance: Random) -> None:
        super().__init__(host)
        self._chance = chance

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        replies = super().run(batch, on_event)
        places = [(n, m, name) for n, r in enumerate(replies) for m, row in enumerate(r.rows) for name in row]
        if places:
            n, m, name = self._chance.choice(places)
            rows = list(replies[n].rows)
            rows[m] = misread(dict(rows[m]), name, self._chance)
            replies[n] = replace(replies[n], rows=tuple(rows))
        return replies


class _GarblingTwin(Twin):
    def __init__(self, host: SimulatedHost, chance: Random, probability: float) -> None:
        super().__init__(host)
        self._chance, self._probability = chance, probability

    def feed(self, line: bytes) -> Iterator[bytes]:
        for chunk in super().feed(line):
            yield garbled(chunk, self._chance) if self._chance.random() < self._probability else chunk
