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


_ALIKE = {"、": ",", "。": ".", "〜": "~", "−": "-", "‐": "-", "￥": "\\"}
"""What an input method gives for these signs, beside their full-width forms."""
_ALIKE_NAMES = {"、": "comma", "。": "full stop", "〜": "tilde", "−": "hyphen", "‐": "hyphen", "￥": "backslash"}
_TYPED = re.compile(f"[\uff01-\uff5e\u3000{''.join(_ALIKE)}]")
_LONG = re.compile("^ー+")
"""Typed for the hyphens of an option; elsewhere it is a letter."""


class Found(NamedTuple):
    """`line`, `column`: counted from 0."""

    line: int
    column: int
    char: str

    @property
    def name(self) -> str:
        named = _NAMES.get(self.char) or _ALIKE_NAMES.get(self.char)
        return named or ("digit" if unicodedata.category(self.char) == "Nd" else "character")


def half_width(text: str) -> str:
    """The same in ASCII, as it would be written; "" where nothing in it is full-width."""
    if not _FULL.search(text):
        return ""
    narrow = _FULL.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text).strip()
    return _SPAN.sub(lambda match: match[1] + _UNITS[match[2]], narrow)


def typed(text: str, *, signs: bool = False) -> str:
    """What was meant on a command line, in ASCII; "" where nothing in it is full-width. `signs`: letters and digits stay, which
    may be those of a name."""
    narrow = _LONG.sub(lambda match: "-" * len(match[0]), text)
    narrow = _TYPED.sub(lambda match: match[0] if signs and match[0].isalnum() else _narrowed(match[0]), narrow)
    narrow = narrow if signs else _SPAN.sub(lambda match: match[1] + _UNITS[match[2]], narrow)
    return "" if narrow == text else narrow


def _narrowed(char: str) -> str:
    return _ALIKE.get(char) or unicodedata.normalize("NFKC", char)


def told(text: str, half: str) -> str:
    """What of a text on the command line is full-width, and what to type: the first sign, else the first character."""
    found = [char for n, char in enumerate(text) if _TYPED.match(char) or (char == "ー" and _LONG.match(text[: n + 1]))]
    char = next((one for one in found if not one.isalnum()), found[0] if found else text[0])
    name = "hyphen" if char == "ー" else Found(0, 0, char).name
    return f"the {name} {char} (U+{ord(char):04X}) in it is full-width: type {half}"


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
