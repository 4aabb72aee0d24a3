"""Field, now → wanted, impact, place: in columns that hold over a whole host."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.text import Text

from hvctl.core.impact import IMPACTS
from hvctl.core.plan import Action, Hold, Line
from hvctl.language import said
from hvctl.show.cells import fold, padded

INDENT = 6
_GAP = "  "
_LEAST, _MOST = 18, 64
"""Cells for now → wanted."""


@dataclass(frozen=True)
class Entry:
    """A line of an action as it is shown."""

    line: Line

    @property
    def held(self) -> Hold:
        return self.line.held

    @property
    def field(self) -> str:
        return self.line.field or "ensure"

    @property
    def now(self) -> str:
        """A text of the host's or the user's stays as it is."""
        return said(self.line.now) if self.line.own_words else self.line.now

    @property
    def wanted(self) -> str:
        return said(self.line.wanted) if self.line.own_words else self.line.wanted

    @property
    def change(self) -> str:
        return f"{self.now} → {self.wanted}"

    @property
    def cost(self) -> str:
        """The impact for a reader; words that are written in playbooks stay."""
        return ", ".join(word if word in IMPACTS else said(word) for word in self.impact.split(", "))

    @property
    def impact(self) -> str:
        if self.held:
            return self.held
        words = [
            *self.line.impacts,
            *(["blocked"] if self.line.consent else []),
            *(["due"] if self.line.in_time else []),
        ]
        return ", ".join(words)

    @property
    def style(self) -> str:
        if self.held == "impossible" or self.line.consent:
            return "red"
        if self.line.waits:
            return "blue"
        if self.line.accepted:
            return "dim"
        return "green" if not self.held and self.line.impacts == ("online",) else "yellow"


def entries(action: Action) -> list[Entry]:
    """The lines of an action that say more than its headline does."""
    return [
        Entry(line)
        for line in action.lines
        if line.field or line.consent or line.note or line.accepted or line.impacts != ("online",)
    ]


class Columns:
    """Widths for a host. What does not fit goes on below in its own column: first the impact, then the change;
    places lose their folder, and go below, only where nothing else helps."""

    def __init__(self, shown: Iterable[Entry], width: int) -> None:
        shown = tuple(shown)
        self._width = width
        self._field = min(_widest(e.field for e in shown), max(16, (width - INDENT) // 3))
        self._impact = _widest(e.cost for e in shown)
        self._long = True
        places = _widest(str(e.line.mark) for e in shown)
        if self._room(places) < _LEAST:
            self._impact = _widest(word for e in shown for word in e.cost.split(" "))
        if self._room(places) < _LEAST:
            self._long = False
            places = _widest(self._place(e) for e in shown)
        self._below = self._room(places) < _LEAST
        room = self._room(0 if self._below else places)
        self._change = min(_widest(e.change for e in shown), max(room, _LEAST), _MOST)

    def _room(self, places: int) -> int:
        return self._width - INDENT - 3 * len(_GAP) - self._field - self._impact - places

    def _place(self, entry: Entry) -> str:
        mark = str(entry.line.mark)
        return mark if self._long else mark.replace("\\", "/").rpartition("/")[2]

    def rows(self, entry: Entry) -> Iterator[Text]:
        field = entry.field
        if cell_len(field) > self._field:
            yield Text(" " * INDENT + field)
            field = ""
        impacts = fold(entry.cost, self._impact)
        place = self._place(entry)
        for n, (change, impact) in enumerate(zip_longest(self._folded(entry), impacts, fillvalue="")):
            text = Text(" " * INDENT + padded(field if n == 0 else "", self._field) + _GAP)
            text.append(padded(change, self._change), "bold").append(_GAP)
            text.append(padded(impact, self._impact), entry.style)
            if n == 0 and not self._below:
                text.append(_GAP + place, "dim")
            text.rstrip()
            yield text
        if self._below:
            yield Text(" " * max(INDENT, self._width - cell_len(place))).append(place, "dim")

    def _folded(self, entry: Entry) -> list[str]:
        if cell_len(entry.change) <= self._change:
            return [entry.change]
        return [*fold(entry.now, self._change), *fold(f"→ {entry.wanted}", self._change)]


def _widest(texts: Iterable[str]) -> int:
    return max((cell_len(t) for t in texts), default=0)
