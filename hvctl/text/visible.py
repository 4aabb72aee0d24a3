"""Characters that a terminal obeys or that nobody sees, written as escapes."""

from __future__ import annotations

import json
import re
from typing import Any

# C0, DEL and C1; soft hyphen and Arabic letter mark; zero-width and direction (Unicode's Bidi_Control); line and
# paragraph separators; invisible operators; byte order mark; annotation anchors; half surrogate pairs; noncharacters; tags.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff"
)
HIDDEN = re.compile(f"[{_HIDDEN}]")
_HIDDEN_BUT_BREAKS = re.compile(f"(?!\n)[{_HIDDEN}]")
_NOT_ASCII = re.compile("[^\x00-\x7e]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """On one line: ESC as \\x1b, a line break as \\n, RIGHT-TO-LEFT OVERRIDE as \\u202e."""
    if text.isascii() and text.isprintable():  # quicker, and nearly always so
        return text
    return HIDDEN.sub(_escape, text)


def quoted(value: object) -> str:
    """A value in a sentence as it is written: a text in quotes, and no character of it doubled."""
    if isinstance(value, str):
        mark = '"' if "'" in value and '"' not in value else "'"
        return f"{mark}{visible(value)}{mark}"
    try:
        return visible(json.dumps(value, ensure_ascii=False, default=str))
    except (TypeError, ValueError):  # keys that JSON has not, or a mapping within itself
        return visible(str(value))


def visible_lines(text: str) -> str:
    """The same for a text whose line breaks are hvctl's own."""
    return _HIDDEN_BUT_BREAKS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return _NAMED.get(found[0]) or ascii(found[0])[1:-1]


def json_text(data: Any, indent: int = 2) -> str:
    """JSON in which such characters stand as JSON's own escapes: whoever reads it as JSON gets the very text."""
    # Between its strings JSON of this kind has line breaks and spaces only.
    return _HIDDEN_BUT_BREAKS.sub(_json_escape, json.dumps(data, indent=indent, ensure_ascii=False))


def ascii_json(text: str) -> str:
    """The same JSON in ASCII alone."""
    return _NOT_ASCII.sub(_json_escape, text)


def _json_escape(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if not found[0].isascii() else f"\\u{ord(found[0]):04x}"
