"""Spans of time on the command line."""

from __future__ import annotations

from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.duration import seconds


def span(option: str, text: str | None) -> int | None:
    """Seconds. Raises ConfigError that names the option."""
    try:
        return None if text is None else seconds(text)
    except ValueError as error:
        raise ConfigError([Diagnostic(None, f"{option}: {error}")]) from error
