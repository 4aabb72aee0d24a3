"""Several texts as one, for people to read and for programs to take apart again."""

from __future__ import annotations

import re
from collections.abc import Mapping

_HEAD = re.compile(rb"==== ([^\n]+) \(([0-9]{1,12}) bytes\)\n")


def joined(parts: Mapping[str, bytes]) -> bytes:
    """Each after a line with its name and its length."""
    return b"".join(f"==== {name} ({len(data)} bytes)\n".encode() + data + b"\n" for name, data in parts.items())


def parted(whole: bytes) -> dict[str, bytes]:
    """The inverse. Raises ValueError for what is none."""
    found, at = {}, 0
    while at < len(whole):
        head = _HEAD.match(whole, at)
        end = head.end() + int(head[2]) if head else 0
        if head is None or whole[end : end + 1] != b"\n":
            raise ValueError("it is not what several texts were joined to")
        found[head[1].decode()] = whole[head.end() : end]
        at = end + 1
    return found
