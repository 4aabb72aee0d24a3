"""What is told, as text that can be printed: whatever came from outside stays in its place and acts on nothing."""

from __future__ import annotations

import re
from typing import TypeVar

from hvctl.call import Call
from hvctl.redaction.records import Role, mapped
from hvctl.text.visible import visible

T = TypeVar("T")

_PROSE = {"message", "hint", "why", "warnings", "text", "note", "changed"}
"""Fields of sentences, in which a new line is a space."""
_TRACES = {"trace", "defect"}
"""Fields of tracebacks, which have lines of their own."""
_VALUES = {"before", "after"}
"""Fields of values, whose lines are compared."""
_LINE_BREAK = re.compile(r"[ \t]*\r?\n[ \t]*")


def plain(value: T) -> T:
    """An equal value in which every text is one line of visible characters. Calls see to that by themselves."""
    return mapped(value, _plain, untouched=(Call,))


def _plain(text: str, role: Role) -> str:
    if role.field in _TRACES | _VALUES:
        return "\n".join(visible(line) for line in text.split("\n"))
    return visible(_LINE_BREAK.sub(" ", text.strip("\r\n")) if role.field in _PROSE else text)
