"""The last line of defence: known secrets are masked in everything that is shown or written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from operator import is_
from typing import Any, TypeVar, cast
from weakref import ref

from hvctl.call import Secret
from hvctl.redaction.records import Role, mapped
from hvctl.text.masks import Masks, forms_of
from hvctl.text.vocabulary import is_own

T = TypeVar("T")
_SHORT, _KEPT = 100, 10_000
"""Characters of a text that is kept; so many texts."""


class Redactor:
    """What it has learned it masks: as it stands, and as JSON, HTML, URLs, base64, dumps would write it, cut and broken
    into lines too.

    A secret that is a word of hvctl's own is masked in what came from outside as it is, and nowhere else: a mask in
    the middle of a sentence that everybody knows would tell it.
    """

    def __init__(self, told: Callable[[Secret], None] = lambda secret: None) -> None:
        """`told`: hears of each secret that is new."""
        self.told = told
        self._known: set[Secret] = set()
        self._sentences, self._values = Masks(), Masks()
        self._lock = threading.Lock()
        self._clean: dict[str, frozenset[bool]] = {}
        """Short texts in which nothing was found, as foreign ones or not: the same ones come from every host."""
        self._masked_records: dict[int, ref[Any]] = {}
        """By its id, what is masked: a check's outcomes are asked for by whoever tells of them."""

    def learn(self, secret: Secret) -> None:
        with self._lock:
            if secret in self._known:
                return
            self._known.add(secret)
            self.told(secret)
            for form in dict.fromkeys(forms_of(secret.reveal())):
                self._values.add(form)
                if form.least or not is_own(form.text):
                    self._sentences.add(form)
            # Last: what another thread finds clean until then is kept in the ones before.
            self._clean, self._masked_records = {}, {}

    def text(self, text: str, *, foreign: bool = False) -> str:
        """`foreign`: no word of it is hvctl's."""
        return (self._values if foreign else self._sentences).masked(text)

    def begun(self, text: str) -> int:
        """Where at the end of a text a secret may have begun."""
        return self._sentences.begun(text)

    def holds(self, text: str) -> bool:
        return self._sentences.holds(text)

    def value(self, value: T) -> T:
        """An equal value with every text in it masked, field by field; what holds no secret comes back as it is."""
        if not self._known:
            return value
        if value.__class__ is tuple:
            parts = tuple(map(self.value, cast("tuple[Any, ...]", value)))
            return value if all(map(is_, parts, cast("tuple[Any, ...]", value))) else cast("T", parts)
        masked = self._masked_records
        if (known := masked.get(id(value))) is not None and known() is value:
            return value
        return _kept(masked, mapped(value, self._masked))

    def part(self, whole: object, part: T) -> T:
        """What a masked value was cut down to: all of it is masked already."""
        masked = self._masked_records
        if (known := masked.get(id(whole))) is not None and known() is whole:
            _kept(masked, part)
        return part

    def _masked(self, text: str, role: Role) -> str:
        clean, foreign = self._clean, role.foreign
        if foreign in clean.get(text, ()):
            return text
        found = self.text(text, foreign=foreign)
        if found == text and len(text) <= _SHORT:
            if len(clean) >= _KEPT:
                clean.clear()
            clean[text] = clean.get(text, frozenset()) | {foreign}
        return found


def _kept(masked: dict[int, ref[Any]], value: T) -> T:
    # Not texts, nor the small records with slots, which are nothing by themselves.
    if value.__class__.__weakrefoffset__:
        key = id(value)
        masked[key] = ref(value, lambda gone: _forget(masked, key, gone))
    return value


def _forget(masked: dict[int, ref[Any]], key: int, gone: ref[Any]) -> None:
    if masked.get(key) is gone:  # and not of something that has come to have its id
        del masked[key]
