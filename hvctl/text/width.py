"""Full-width forms of ASCII, which a Japanese keyboard gives and YAML and numbers do not take."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

_FULL = re.compile("[\uff01-\uff5e\u3000]")
_NAMES = {
    "：": "colon",
    "\u3000": "space",
    "－": "hyphen",
    "，": "comma",
    "｛": "brace",
    "｝": "brace",
    "［": "bracket",
    "］": "bracket",
    "＂": "quotation mark",
    "＇": "quotation mark",
}
_UNITS = {"週間": "w", "日": "d", "時間": "h", "分": "m", "秒": "s"}
_SPAN = re.compile(rf"\b([0-9]+)({'|'.join(_UNITS)})")
_QUOTED = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\])*\"|(?:^|\s)#.*$")
"""Where such a character means nothing to YAML."""


class Found(NamedTuple):
    """`line`, `column`: counted from 0."""

    line: int
    column: int
    char: str

    @property
    def name(self) -> str:
        return _NAMES.get(self.char) or ("digit" if unicodedata.category(self.char) == "Nd" else "character")


def half_width(text: str) -> str:
    """The same in ASCII, as it would be written; "" where nothing in it is full-width."""
    if not _FULL.search(text):
        return ""
    narrow = _FULL.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text).strip()
    return _SPAN.sub(lambda match: match[1] + _UNITS[match[2]], narrow)


def half_width_key(text: str) -> str:
    """Of a key that YAML has read together with its value."""
    return half_width(text).replace(":", ": ")


def first_sign(lines: list[str], numbers: Iterable[int]) -> Found | None:
    """The first full-width form of a sign of YAML in one of these lines, outside of quotes and comments."""
    for number in numbers:
        if 0 <= number < len(lines):
            bare = _QUOTED.sub(lambda match: "x" * len(match[0]), lines[number])
            for column, char in enumerate(bare):
                if char in _NAMES:
                    return Found(number, column, char)
    return None
