"""--labels: what the metrics of VMs are told apart by, beside their host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.source import suggest
from hvctl.text.visible import quoted

LABELS: Final = ("vm", "id", "owner")

Labels = Annotated[
    list[str] | None,
    typer.Option("--labels", metavar="WORD,...", help=f"Labels of the metrics beside host: {', '.join(LABELS)}."),
]


def labels_of(given: Sequence[str] | None, metrics: str | None) -> tuple[str, ...]:
    """In one order, each once. Raises ConfigError."""
    words = [w.strip() for item in given or () for w in item.split(",") if w.strip()]
    for word in words:
        if word not in LABELS:
            hint = suggest(word, LABELS) or f"one of {', '.join(LABELS)}"
            raise ConfigError([Diagnostic(None, f"--labels {quoted(word)}: no such label", hint)])
    if words and metrics is None:
        raise ConfigError([Diagnostic(None, "--labels are those of metrics", "say --metrics FILE too")])
    return tuple(word for word in LABELS if word in words)
