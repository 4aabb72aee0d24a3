"""The console: what is printed is text and nothing else, whatever is in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.highlighter import JSONHighlighter
from rich.segment import Segment
from rich.text import Text

from hvctl.language import said
from hvctl.redaction.streams import Output
from hvctl.text.visible import ascii_json, visible_lines


class Screen(Console):
    """No markup, no emoji codes, no links; characters that act on a terminal are shown."""

    def __init__(self, *, stderr: bool = False, quiet: bool = False) -> None:
        super().__init__(stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False, soft_wrap=False)

    def print(self, *objects: Any, **how: Any) -> None:
        # Here, since rich drops some of them from texts in silence.
        super().print(*(visible_lines(said(o)) if isinstance(o, str) else o for o in objects), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible_lines(segment.text))

    @property
    def fault(self) -> OSError | None:
        """Why nothing is printed any more."""
        return self.file.fault if isinstance(self.file, Output) else None

    @property
    def unread(self) -> bool:
        """Nobody reads what is printed any more."""
        return isinstance(self.file, Output) and self.file.unread


def print_json(console: Console, text: str) -> None:
    """A JSON document, in ASCII where the encoding may lack something."""
    text = text.rstrip("\n")
    shown = Text(text if console.encoding.startswith("utf") else ascii_json(text))
    console.print(JSONHighlighter()(shown) if console.is_terminal else shown, soft_wrap=True)
