"""Text → number, in one place: ASCII digits only, and no more of them than the limit."""

from __future__ import annotations

import math
import re

from hvctl.text.limits import DIGITS, LimitError

_WHOLE = re.compile("[0-9]+")


def is_whole(text: str) -> bool:
    """Whether it is digits alone that `whole` can read. (`str.isdigit` is also true of ² and of other scripts' digits.)"""
    return _WHOLE.fullmatch(text) is not None and len(text) <= DIGITS.most


def whole(text: str, base: int = 10) -> int:
    """Underscores between digits are allowed, as in YAML; `base` 0 reads 0x and 0o too. Raises ValueError, and
    LimitError for too many digits."""
    if len(text) > DIGITS.most:
        raise LimitError(f"a number of {len(text):,} digits")
    if not text.isascii():
        raise ValueError(f"{text} is not a whole number")
    return int(text, base)


def real(text: str) -> float:
    """Raises ValueError for what is not a finite number, and LimitError for too many digits."""
    if len(text) > DIGITS.most:
        raise LimitError(f"a number of {len(text):,} digits")
    found = float(text) if text.isascii() else math.nan
    if not math.isfinite(found):
        raise ValueError(f"{text} is not a finite number")
    return found
