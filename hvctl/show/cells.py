"""Text by display width: folding it, padding it, hanging it under a sign."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from rich.cells import cell_len, chop_cells
from rich.text import Text

from hvctl.language import said

_WIDE = "\u3001-\u30ff\u3400-\u9fff\uff01-\uffef"
_CLOSING = "[、。，．・：；？！）」』】〕ー…ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ]*"
_OPENING = "[（「『【〔]*"
_PIECES = re.compile(
    rf"{_OPENING}[{_WIDE}]{_CLOSING}[\s\\,;]*|{_OPENING}[^\s\\,;{_WIDE}]+{_CLOSING}[\s\\,;]*|[\s\\,;]+"
)
"""Between Japanese characters a line may end, but not before one that closes, or is small, nor after one that opens."""


def fold(text: str, width: int, last: str = "") -> list[str]:
    """Lines of at most `width` cells, broken after spaces, commas, backslashes and Japanese characters; within
    a word if it must be. `last`: what it ends with, in one piece."""
    lines: list[str] = []
    line = ""
    pieces = _PIECES.findall(text.removesuffix(last) if last else text)
    for piece in (p for p in (*pieces, last if text.endswith(last) else "") if p):
        if line and cell_len(line + piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
        if cell_len(line.rstrip()) > width:
            *full, line = chop_cells(line, width)
            lines += full
    return [*lines, line.rstrip()]


def padded(text: str, width: int) -> str:
    return text + " " * max(0, width - cell_len(text))


def hung(sign: str, parts: Sequence[tuple[str, str]], width: int, indent: int = 6) -> Iterator[Text]:
    """Styled parts as one text after a sign, folded so that it stays to the right of the sign."""
    parts = [(said(part), style) for part, style in parts]
    text = "".join(part for part, _ in parts)
    styles = [style for part, style in parts for _ in part]
    margin = indent + cell_len(sign) + 1
    at = 0
    place = parts[-1][0].strip() if parts and parts[-1][0].startswith("  ") else ""
    for n, line in enumerate(fold(text, max(20, width - margin), place)):
        shown = Text(" " * indent + (sign if n == 0 else " " * cell_len(sign)) + " ", styles[0] if styles else "")
        at = text.index(line, at)
        for style, run in groupby(zip(styles[at : at + len(line)], line, strict=True), key=itemgetter(0)):
            shown.append("".join(char for _, char in run), style)
        at += len(line)
        yield shown


def hint(text: str, width: int, indent: int = 6) -> Iterator[Text]:
    """What it means or what to do."""
    yield from hung("→", [(text, "dim")], width, indent)


def with_right(left: Text, right: str, style: str, width: int) -> Iterator[Text]:
    """Something at the right edge of a line; below it if there is no room."""
    right = said(right)
    gap = width - left.cell_len - cell_len(right)
    if not right:
        yield left
    elif gap >= 2:
        yield left.append(" " * gap).append(right, style)
    else:
        yield left
        yield from (Text("      ").append(line, style) for line in fold(right, max(20, width - 6)))


def plural(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def listed(words: Sequence[str], last: str = " and ") -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + last + words[-1] if words else ""
