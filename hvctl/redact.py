"""The last line of defence: known secrets are masked in everything that is shown or written."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, TextIO, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import quote, quote_plus

from hvctl.call import Secret, TransportError

T = TypeVar("T")

MASK = "***"
SHORTEST = 6
"""Shorter values are not masked: they would be found in every other word, and guessed anyway."""
BEGINNING = 8
"""So much of a secret is masked even if the rest of it is missing."""


class Redactor:
    """What it has learned it masks: as it stands, and as JSON, HTML, URLs and base64 would write it; the beginning of
    it too, since texts are cut."""

    def __init__(self) -> None:
        self._forms: tuple[str, ...] = ()
        self._begins: re.Pattern[str] | None = None
        self._lock = threading.Lock()

    def learn(self, secret: Secret) -> None:
        value = secret.reveal()
        if len(value) < SHORTEST:
            return
        with self._lock:
            self._forms = tuple(dict.fromkeys((*self._forms, *forms(value))))
            begins = sorted({f[:BEGINNING] for f in self._forms}, key=len, reverse=True)
            self._begins = re.compile("|".join(re.escape(b) for b in begins))

    def text(self, text: str) -> str:
        if self._begins is None:
            return text
        parts: list[str] = []
        at = 0
        for found in self._begins.finditer(text):
            if found.start() >= at:
                parts += text[at : found.start()], MASK
                at = found.start() + max(_common(form, text, found.start()) for form in self._forms)
        return "".join([*parts, text[at:]]) if parts else text

    def holds(self, text: str) -> bool:
        return any(form in text for form in self._forms)

    def value(self, value: T) -> T:
        """An equal value with every text in it masked. Words of a fixed list are left alone, and so are fields that
        are kept out of the repr; what holds no secret comes back as it is."""
        return self._value(value) if self._forms else value

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, TransportError):
            return self._error(value)
        if is_dataclass(value) and not isinstance(value, type):
            found = {name: self._value(getattr(value, name)) for name in _open_fields(type(value))}
            other = {name: new for name, new in found.items() if new is not getattr(value, name)}
            return replace(value, **other) if other else value
        if isinstance(value, Mapping):
            pairs = {self._value(k): self._value(v) for k, v in value.items()}
            same = all(k in value and v is value[k] for k, v in pairs.items())
            return value if same and len(pairs) == len(value) else pairs
        if isinstance(value, tuple | list):
            items = [self._value(v) for v in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else type(value)(items)
        return value

    def _error(self, error: TransportError) -> TransportError:
        message, hint, replies = self.text(error.message), self.text(error.hint), self._value(error.replies)
        defect = self.text(error.defect)
        if (message, hint, defect) == (error.message, error.hint, error.defect) and replies is error.replies:
            return error
        return TransportError(
            message, executed=error.executed, hint=hint, replies=replies, running=error.running, defect=defect
        )

    @contextmanager
    def streams(self) -> Iterator[None]:
        """Everything printed meanwhile is masked, tracebacks of threads included."""
        out, err, hook = sys.stdout, sys.stderr, threading.excepthook
        sys.stdout, sys.stderr = _Masked(out, self), _Masked(err, self)
        threading.excepthook = lambda args: traced(args.exc_value)
        try:
            yield
        finally:
            sys.stdout, sys.stderr, threading.excepthook = out, err, hook


def _common(form: str, text: str, start: int) -> int:
    """How far a text goes on as a form does."""
    length = 0
    for length, char in enumerate(form):
        if not text.startswith(char, start + length):
            return length
    return length + 1


def forms(value: str) -> Iterator[str]:
    """How a value may look once it has been through something."""
    yield value
    for ascii_only in (True, False):
        yield json.dumps(value, ensure_ascii=ascii_only)[1:-1]
    for quotes in (True, False):
        yield html.escape(value, quote=quotes)
    yield value.replace("'", "''")  # within PowerShell's quotes
    yield repr(value)[1:-1]
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    for encoding in ("utf-8", "utf-16-le"):
        yield base64.b64encode(value.encode(encoding)).decode().rstrip("=")


@cache
def _open_fields(model: type) -> tuple[str, ...]:
    hints = get_type_hints(model)
    return tuple(f.name for f in fields(model) if f.init and f.repr and not _words_only(hints[f.name]))


def _words_only(hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return True
    args = [a for a in get_args(hint) if a is not type(None) and a is not Ellipsis]
    return bool(args) and all(_words_only(a) for a in args)


class _Masked(io.TextIOBase):
    """A stream before which a redactor stands."""

    def __init__(self, inner: TextIO, redactor: Redactor) -> None:
        self._inner, self._redactor = inner, redactor

    def write(self, text: str) -> int:
        self._inner.write(self._redactor.text(text))
        return len(text)

    def flush(self) -> None:
        self._inner.flush()

    def isatty(self) -> bool:
        return self._inner.isatty()

    def fileno(self) -> int:
        return self._inner.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._inner.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._inner.errors


def traced(error: BaseException | None) -> None:
    """A traceback in one piece, so that no secret in it is written in halves."""
    if error is not None:
        sys.stderr.write("".join(traceback.format_exception(error)))
