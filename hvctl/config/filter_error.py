"""What a filter says that cannot do its work."""

from __future__ import annotations


class FilterError(Exception):
    """A filter does not take what it was given, or there is none of that name; says what to do, if that can be said."""

    def __init__(self, message: str, hint: str = "", name: str = "") -> None:
        super().__init__(message)
        self.hint, self.name = hint, name
