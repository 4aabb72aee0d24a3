"""Words of a wrong command line that were typed with a Japanese keyboard: which character it is, and what to type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hvctl.text.diagnostic import Diagnostic
from hvctl.text.width import told, typed


def typed_wide(words: Sequence[str], wrong: str) -> Iterator[Diagnostic]:
    """Of the words that are in what is said to be wrong, or follow an option that is. Names may be full-width, and nothing is
    said of what nobody complains of, or of what was said already."""
    if "full-width" in wrong or "half-width" in wrong:
        return
    before = ""
    for word in words:
        name, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
        option = name if equals else before
        before = word if word.startswith("-") else ""
        half = typed(value if equals else word)
        if half and (
            word in wrong or repr(word)[1:-1] in wrong or (value and value in wrong) or (option and option in wrong)
        ):
            text = value if equals else word
            yield Diagnostic(None, f"{option} {text}: {told(text, half)}".strip())
