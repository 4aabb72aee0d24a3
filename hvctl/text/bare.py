"""Texts without what was put into them when they were laid out: white space, colours, written line breaks."""

from __future__ import annotations

import re
from bisect import bisect_right

GAP = re.compile(r"(?:\x1b\[[0-9;?]*[A-Za-z]|\\r\\n|\\n|_x000D__x000A_|\s)+")
BREAK = re.compile(r"\x1b\[|\\n|_x000A_|[\n\r]")


class Bare:
    """A text without white space, colours and written line breaks, and where its characters were."""

    def __init__(self, whole: str) -> None:
        self.whole = whole
        self._kept: list[int] = []
        self._bare: list[int] = []
        pieces, at, length = [], 0, 0
        for gap in (*GAP.finditer(whole), None):
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
