"""The last line of defence: known secrets are masked in everything that is shown or written."""

from __future__ import annotations

import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from hvctl import looks
from hvctl.call import Secret
from hvctl.records import Role, mapped
from hvctl.vocabulary import is_own

T = TypeVar("T")

MASK = "***"
SHORTEST = 6
"""Shorter ones are masked where they stand alone only: they would be found in every other word."""
NOTHING = 4
"""Shorter ones are not masked: a mask would tell more than it hides."""
PIECE = 8
"""So many letters of a secret in a row are masked, whatever became of the rest of it."""
_BROKEN = 4
"""So many letters before the end of a line are taken for the beginning of a secret that goes on below."""

_GAP = re.compile(r"(?:\x1b\[[0-9;?]*[A-Za-z]|\\r\\n|\\n|_x000D__x000A_|\s)+")
_BREAK = re.compile(r"\x1b\[|\\n|_x000A_|[\n\r]")


class Redactor:
    """What it has learned it masks: as it stands, and as JSON, HTML, URLs, base64, dumps would write it, cut and broken
    into lines too.

    A secret that is a word of hvctl's own is masked in what came from outside as it is, and nowhere else: a mask in
    the middle of a sentence that everybody knows would tell it.
    """

    def __init__(self) -> None:
        self._known: frozenset[Secret] = frozenset()
        self._sentences = self._values = _Masks(frozenset())
        self._lock = threading.Lock()

    def learn(self, secret: Secret) -> None:
        with self._lock:
            if secret in self._known:
                return
            self._known |= {secret}
            found = frozenset(_forms(secret.reveal()))
            self._values = _Masks(self._values.forms | found)
            self._sentences = _Masks(self._sentences.forms | {form for form in found if not is_own(form.text)})

    def text(self, text: str, *, foreign: bool = False) -> str:
        """`foreign`: no word of it is hvctl's."""
        return (self._values if foreign else self._sentences).masked(text)

    def begun(self, text: str) -> int:
        """Where at the end of a text a secret may have begun."""
        return self._sentences.begun(text)

    def holds(self, text: str) -> bool:
        return any(form.text in text for form in self._sentences.forms)

    def value(self, value: T) -> T:
        """An equal value with every text in it masked, field by field; what holds no secret comes back as it is."""
        return mapped(value, self._masked) if self._values.forms else value

    def _masked(self, text: str, role: Role) -> str:
        return self.text(text, foreign=role.foreign)


@dataclass(frozen=True)
class _Form:
    """One look of one secret. `least`: so much of its beginning tells it; 0: any piece does. `run`: characters of what it
    is encoded within, which is masked as a whole. `alone`: only where no letter or digit stands beside it."""

    text: str
    least: int = 0
    run: str = ""
    alone: bool = False


def _forms(value: str) -> Iterator[_Form]:
    if len(value) < NOTHING:
        return
    for text in looks.texts(value):
        yield _Form(text, alone=len(text) < SHORTEST)
    yield from (_Form(text, 4 * PIECE) for text in looks.spaced(value))
    yield from (_Form(text, PIECE, looks.BASE64) for text in looks.base64s(value) if len(text) >= PIECE)
    yield from (_Form(text, 2 * PIECE, looks.HEX) for text in looks.hexes(value) if len(text) >= PIECE)


class _Masks:
    """Forms, ready to be looked for. Lines and colours are looked through: texts are searched once more without them."""

    def __init__(self, forms: frozenset[_Form]) -> None:
        self.forms = forms

    @cached_property
    def _whole(self) -> _Search:
        return _Search(self.forms)

    @cached_property
    def _bare(self) -> _Search:
        return _Search(frozenset(replace(f, text=_GAP.sub("", f.text)) for f in self.forms))

    def masked(self, text: str) -> str:
        if not self.forms:
            return text
        spans = list(self._whole.spans(text))
        if _BREAK.search(text):
            bare = _Bare(text)
            found = (bare.span(*span) for span in self._bare.spans(bare.text))
            spans = _joined([*spans, *((a, b) for a, b in found if _BREAK.search(text, a, b))])
        parts: list[str] = []
        at = 0
        for start, end in spans:
            parts += text[at:start], MASK
            at = end
        return "".join([*parts, text[at:]]) if parts else text

    def begun(self, text: str) -> int:
        if not self.forms:
            return len(text)
        bare = _Bare(text[-4 * self._bare.longest :])
        least = 1 if not bare.text or bare.ends_bare else _BROKEN
        at = self._bare.begun(bare.text, least)
        return len(text) if at is None else len(text) - len(bare.whole) + bare.span(at, at + 1)[0]


class _Bare:
    """A text without white space, colours and written line breaks, and where its characters were."""

    def __init__(self, whole: str) -> None:
        self.whole = whole
        self._kept: list[int] = []
        self._bare: list[int] = []
        pieces, at, length = [], 0, 0
        for gap in (*_GAP.finditer(whole), None):
            end = gap.start() if gap else len(whole)
            if end > at:
                self._kept.append(at)
                self._bare.append(length)
                pieces.append(whole[at:end])
                length += end - at
            at = gap.end() if gap else at
        self.text = "".join(pieces)

    @property
    def ends_bare(self) -> bool:
        """The last character is one of the text."""
        return bool(self.text) and self.span(len(self.text) - 1, len(self.text))[1] == len(self.whole)

    def span(self, start: int, end: int) -> tuple[int, int]:
        return self._place(start), self._place(end - 1) + 1

    def _place(self, at: int) -> int:
        piece = bisect_right(self._bare, at) - 1
        return self._kept[piece] + at - self._bare[piece]


class _Search:
    """For whole forms, and for pieces of them that are no words of hvctl's."""

    def __init__(self, forms: frozenset[_Form]) -> None:
        self._sorted = sorted({f.text for f in forms})
        self.longest = max((len(text) for text in self._sorted), default=0)
        self._within: dict[str, set[tuple[_Form, int]]] = {}
        for form in forms:
            for start, end in _keys(form):
                self._within.setdefault(form.text[start:end], set()).add((form, start))
        alone = {f.text for f in forms if f.alone}
        patterns = [_either(key for key in self._within if key not in alone)]
        patterns += [rf"(?<![^\W_]){_either(alone)}(?![^\W_])"] if alone else []
        self._pattern = re.compile("|".join(p for p in patterns if p) or "(?!)")

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        at = 0
        while found := self._pattern.search(text, at):
            start, at = self._extent(text, found)
            yield start, at

    def _extent(self, text: str, found: re.Match[str]) -> tuple[int, int]:
        """As far as the text goes on as a secret does; what that is encoded within."""
        start = found.start()
        end, run = found.end(), ""
        for form, offset in self._within[found[0]]:
            common = start + _common(form.text, offset, text, start)
            end, run = max(end, common), run or form.run
        if run:
            start = _back(text, start, run)
            rest = re.compile(f"[{run}-]*" if run == looks.BASE64 else f"[{run}]*").match(text, end)
            end = rest.end() if rest else end
        return start, end

    def begun(self, text: str, least: int) -> int | None:
        for at in range(max(0, len(text) - self.longest), len(text) - least + 1):
            tail = text[at:]
            place = bisect_left(self._sorted, tail)
            if place < len(self._sorted) and self._sorted[place].startswith(tail):
                return at
        return None


def _keys(form: _Form) -> Iterator[tuple[int, int]]:
    """What of it is looked for. A beginning or a piece that hvctl says by itself tells nothing."""
    length = len(form.text)
    if form.alone or form.least:
        # Where it is cut at its beginning too, by as much as a group of base64 has.
        for start in range(5 if length > form.least + 4 and form.run == looks.BASE64 else 1):
            yield start, min(length, start + (form.least or length))
        return
    yield 0, next((n for n in range(min(PIECE, length), length) if not is_own(form.text[:n])), length)
    for start in range(1, length - PIECE + 1):
        if not is_own(form.text[start : start + PIECE]):
            yield start, start + PIECE


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


def _either(words: Iterable[str]) -> str:
    """A pattern for the longest of some words, which tries each letter once however many there are."""
    return _branch(sorted(set(words)), 0)


def _branch(words: list[str], at: int) -> str:
    """Of sorted words that are the same up to `at`."""
    ends = bool(words) and len(words[0]) == at
    rest = words[1:] if ends else words
    if not rest:
        return ""
    branches = []
    first = 0
    while first < len(rest):
        last = first
        while last < len(rest) and rest[last][at] == rest[first][at]:
            last += 1
        same = rest[first:last]
        stem = at + _common(same[0], at, same[-1], at)
        branches.append(re.escape(same[0][at:stem]) + _branch(same, stem))
        first = last
    return f"(?:{'|'.join(branches)})" + ("?" if ends else "")
