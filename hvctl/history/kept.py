"""How long the texts are that are kept for people."""

from __future__ import annotations

LONGEST_VALUE, LONGEST_SENTENCE = 400, 2_000
"""Characters. A sentence of hvctl's is put into the reader's language when it is read, for which it has to be whole."""


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
