"""Text as PowerShell reads it back: quoted so that it stays one value, whatever is in it."""

from __future__ import annotations

import re

from hvctl.text.visible import HIDDEN

# PowerShell takes curly quotes for straight ones (CharTraits.cs: IsSingleQuote, IsDoubleQuote).
_SINGLE = re.compile("(['\u2018\u2019\u201a\u201b])")
_SPECIAL = re.compile('([`$"\u201c\u201d\u201e])')
_BARE = re.compile("[A-Za-z][A-Za-z0-9]*")
_VERBATIM = "--%"
"""In quotes too it ends the parsing of a command (Parser.cs, VERBATIM_ARGUMENT)."""
_NAMED = {"\n": "`n", "\r": "`r", "\t": "`t", "\0": "`0"}


def argument(text: str) -> str:
    """As an argument of a command: a plain word stays bare."""
    if text == _VERBATIM:
        return f"({literal(text)})"
    return text if _BARE.fullmatch(text) else literal(text)


def literal(text: str) -> str:
    """In quotes. Characters that would act on a terminal or not be seen are named by their number, as Windows PowerShell
    5.1 understands it too."""
    if not HIDDEN.search(text):
        return "'" + _SINGLE.sub(r"\1\1", text) + "'"
    return f'"{expandable(text)}"'


def expandable(text: str) -> str:
    """To stand between double quotes."""
    return HIDDEN.sub(_named, _SPECIAL.sub(r"`\1", text))


def _named(found: re.Match[str]) -> str:
    code = ord(found[0])
    if found[0] in _NAMED:
        return _NAMED[found[0]]
    return f"$([char]0x{code:02x})" if code <= 0xFFFF else f"$([char]::ConvertFromUtf32(0x{code:x}))"
