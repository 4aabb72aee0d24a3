"""hvctl's own wording: a secret that is one of its words must not be told by masking it there."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_KINDS = (".py", ".j2", ".ps1")


@lru_cache(100_000)
def is_own(text: str) -> bool:
    """Whether hvctl itself may print that."""
    return text in _wording()


@cache
def _wording() -> str:
    """The program's text, in which every message stands. Where only compiled files are installed, nothing is known."""
    return "\n".join(_texts(files("hvctl")))


def _texts(folder: Traversable) -> list[str]:
    found: list[str] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _texts(entry)
        elif entry.name.endswith(_KINDS):
            found.append(entry.read_text(encoding="utf-8"))
    return found
