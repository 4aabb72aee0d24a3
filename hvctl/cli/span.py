"""Spans of time on the command line."""

from __future__ import annotations

from hvctl.text.duration import seconds
from hvctl.text.source import ConfigError, Problem


def span(option: str, text: str | None) -> int | None:
    """Seconds. Raises ConfigError that names the option."""
    try:
        return None if text is None else seconds(text)
    except ValueError as error:
        raise ConfigError([Problem(None, f"{option}: {error}")]) from error
