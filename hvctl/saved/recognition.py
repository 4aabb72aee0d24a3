"""Whether a file is a plan file or a playbook, by what stands at its beginning."""

from __future__ import annotations

import re
from pathlib import Path

_KEY = re.compile(rb'"hvctl_plan"\s*:')
_PLAYS = re.compile(rb"\[\s*\{|-\s")


def is_plan(file: str) -> bool:
    """Whether a file is a plan file, of whatever format and however damaged: by what stands in it."""
    text = _beginning(file)
    return text.startswith(b"{") and _KEY.search(text) is not None


def has_plays(file: str) -> bool:
    return _PLAYS.match(_beginning(file)) is not None


def _beginning(file: str) -> bytes:
    """The text from its first word on; nothing of what cannot be read, which whoever reads it says, or only once."""
    try:
        text = Path(file).read_bytes() if Path(file).is_file() else b""
    except OSError:
        return b""
    return text.removeprefix(b"\xef\xbb\xbf").lstrip()
