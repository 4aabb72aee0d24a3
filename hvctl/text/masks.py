"""Secrets in a text: whole or in pieces, in any of their looks, broken into lines."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from hvctl.text import looks
from hvctl.text.bare import BREAK, GAP, Bare
from hvctl.text.vocabulary import is_own

MASK = "***"
SHORTEST = 6
"""Shorter ones are masked where they stand alone only: they would be found in every other word."""
NOTHING = 4
"""Shorter ones are not masked: a mask would tell more than it hides."""
PIECE = 8
"""So many letters of a secret in a row are masked, whatever became of the rest of it."""
_BROKEN = 4
"""So many letters before the end of a line are taken for the beginning of a secret that goes on below."""
_BLOCK = 65_536


@dataclass(frozen=True)
class Form:
    """One look of one secret. `least`: so much of its beginning tells it; 0: any piece does. `run`: characters of what it
    is encoded within, which is masked as a whole. `alone`: only where no letter or digit stands beside it."""

    text: str
    least: int = 0
    run: str = ""
    alone: bool = False


def forms_of(value: str) -> Iterator[Form]:
    if len(value) < NOTHING:
        return
    for text in looks.texts(value):
        yield Form(text, alone=len(text) < SHORTEST)
    yield from (Form(text, 4 * PIECE) for text in looks.spaced(value))
    yield from (Form(text, PIECE, looks.BASE64) for text in looks.base64s(value) if len(text) >= PIECE)
    yield from (Form(text, 2 * PIECE, looks.HEX) for text in looks.hexes(value) if len(text) >= PIECE)


class Masks:
    """Looks for forms. Lines and colours are looked through: texts are searched once more without them."""

    def __init__(self) -> None:
        self._whole, self._bare = Search(), Search()

    def add(self, form: Form) -> None:
        self._whole.add(form)
        self._bare.add(replace(form, text=GAP.sub("", form.text)))

    def holds(self, text: str) -> bool:
        return any(self._whole.holds(text, form) for form in self._whole.forms)

    def masked(self, text: str) -> str:
        if not self._whole.forms:
            return text
        spans = list(self._whole.spans(text))
        if BREAK.search(text):
            bare = Bare(text)
            found = (bare.span(*span) for span in self._bare.spans(bare.text))
            spans = _joined([*spans, *((a, b) for a, b in found if BREAK.search(text, a, b))])
        parts: list[str] = []
        at = 0
        for start, end in spans:
            parts += text[at:start], MASK
            at = end
        return "".join([*parts, text[at:]]) if parts else text

    def begun(self, text: str) -> int:
        if not self._whole.forms:
            return len(text)
        bare = Bare(text[-4 * self._bare.longest :])
        least = 1 if not bare.text or bare.ends_bare else _BROKEN
        at = self._bare.begun(bare.text, least)
        return len(text) if at is None else len(text) - len(bare.whole) + bare.span(at, at + 1)[0]


class Search:
    """By pieces of eight letters: to learn one more secret costs the same however many are known, and so does a search."""

    def __init__(self) -> None:
        self.forms: list[str] = []
        self.longest = 0
        self._pieces: dict[str, list[tuple[Form, int]]] = {}
        """By its eight letters, the forms that it is a piece of, and where in each."""
        self._short: dict[str, Form] = {}

    def add(self, form: Form) -> None:
        insort(self.forms, form.text)
        self.longest = max(self.longest, len(form.text))
        if len(form.text) < PIECE:
            self._short[form.text] = form
            return
        for start in _starts(form):
            self._pieces.setdefault(form.text[start : start + PIECE], []).append((form, start))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """From left to right, none within another."""
        done = 0
        for at in sorted(self._places(text)):
            if at >= done and (found := self._extent(text, at)):
                start, done = max(done, found[0]), found[1]
                yield start, done

    def holds(self, text: str, word: str) -> bool:
        """Whole, and where it counts."""
        form = self._short.get(word)
        if form is None or not form.alone:
            return word in text
        return any(not _amid(text, at, at + len(word)) for at in _occurrences(text, word, 0, len(text)))

    def _places(self, text: str) -> Iterator[int]:
        for block in range(0, len(text) - PIECE + 1, _BLOCK):
            last = min(block + _BLOCK, len(text) - PIECE + 1)
            for piece in {text[n : n + PIECE] for n in range(block, last)}:
                if piece in self._pieces:
                    yield from _occurrences(text, piece, block, last + PIECE - 1)
        for word in tuple(self._short):
            yield from _occurrences(text, word, 0, len(text))

    def _extent(self, text: str, start: int) -> tuple[int, int] | None:
        """As far as the text goes on as a secret does, and what that is encoded within."""
        end, run = start, ""
        for form, offset in tuple(self._pieces.get(text[start : start + PIECE], ())):
            common = _common(form.text, offset, text, start)
            if common >= _least(form, offset):
                end, run = max(end, start + common), run or form.run
        for word, form in tuple(self._short.items()):
            if text.startswith(word, start) and not (form.alone and _amid(text, start, start + len(word))):
                end = max(end, start + len(word))
        if end == start:
            return None
        if run:
            start = _back(text, start, run)
            rest = re.compile(f"[{run}-]*" if run == looks.BASE64 else f"[{run}]*").match(text, end)
            end = rest.end() if rest else end
        return start, end

    def begun(self, text: str, least: int) -> int | None:
        for at in range(max(0, len(text) - self.longest), len(text) - least + 1):
            tail = text[at:]
            place = bisect_left(self.forms, tail)
            if place < len(self.forms) and self.forms[place].startswith(tail):
                return at
        return None


def _occurrences(text: str, word: str, start: int, end: int) -> Iterator[int]:
    at = text.find(word, start, end)
    while at >= 0:
        yield at
        at = text.find(word, at + 1, end)


def _amid(text: str, start: int, end: int) -> bool:
    """Within a longer word."""
    return text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()


def _starts(form: Form) -> range:
    """Where in it a piece begins that is looked for."""
    if not form.least:
        return range(len(form.text) - PIECE + 1)
    # Where it is cut at its beginning too, by as much as a group of base64 has.
    return range(5 if len(form.text) > form.least + 4 and form.run == looks.BASE64 else 1)


@lru_cache(10_000)
def _least(form: Form, start: int) -> int:
    """So many letters from there on tell it. A beginning or a piece that hvctl says by itself tells nothing. It is asked of
    what is found alone: to ask it of each piece of each secret would take longer than to look at a host."""
    text, length = form.text, len(form.text)
    if form.least:
        return min(length - start, form.least)
    if start == 0:
        return next((n for n in range(min(PIECE, length), length) if not is_own(text[:n])), length)
    return PIECE if not is_own(text[start : start + PIECE]) else length + 1


def _common(form: str, offset: int, text: str, start: int) -> int:
    length = 0
    while offset + length < len(form) and text.startswith(form[offset + length], start + length):
        length += 1
    return length


def _back(text: str, start: int, run: str) -> int:
    one = re.compile(f"[{run}]")
    while start and one.match(text, start - 1):
        start -= 1
    return start


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found
