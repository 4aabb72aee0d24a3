"""Digests to where people read them, by Apprise URLs, which hold secrets and are never shown."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from hvctl.call import Secret
from hvctl.show.digest import Digest
from hvctl.text.diagnostic import ConfigError, Diagnostic

if TYPE_CHECKING:
    from apprise import NotifyBase

_KEPT = 5
"""Digests that wait for a target that cannot be reached; older ones are dropped."""
_BY_NAME = ("env:", "file:")


@dataclass
class Target:
    """One place to tell. `name`: what may be shown of it."""

    name: str
    service: NotifyBase = field(repr=False)
    waiting: list[Digest] = field(default_factory=list)

    def tell(self, digest: Digest | None) -> str:
        """Send what waits and what is new, oldest first; what is wrong, or "". What could not be delivered waits for
        the next call."""
        self.waiting = [*self.waiting, *([digest] if digest else [])][-_KEPT:]
        while self.waiting:
            with _listening() as reason:
                done = self._sent(self.waiting[0], reason)
            if not done:
                return f"{self.name} did not take the notification{reason.text}"
            del self.waiting[0]
        return ""

    def _sent(self, digest: Digest, reason: _Reason) -> bool:
        from apprise import Apprise, NotifyFormat  # noqa: PLC0415 - a quarter of a second, which plans need not wait

        kind = "warning" if digest.bad else "success"
        # Not the service by itself, which would take the text for whatever it likes best: HTML for mail.
        told = Apprise()
        told.add(self.service)
        try:
            return bool(told.notify(digest.body, digest.title, kind, body_format=NotifyFormat.TEXT))
        except Exception as error:  # some 190 services of others, none of which may spoil a check
            reason.text = f": {type(error).__name__}"
            return False


def targets(
    given: Sequence[str], learn: Callable[[Secret], None], environ: Mapping[str, str] = os.environ
) -> list[Target]:
    """From URLs, env:NAME or file:PATH (a URL a line), each of which is told to `learn` as the secret it is.
    Raises ConfigError with all that is wrong, before any is used."""
    found: list[Target] = []
    problems: list[Diagnostic] = []
    for number, text in enumerate(given, 1):
        try:
            urls = _urls(text, environ)
        except ConfigError as error:
            problems += error.problems
            continue
        for url in urls:
            for secret in secrets_in(url.reveal()):
                learn(secret)
            scheme = re.match(r"([A-Za-z0-9]{1,20})://", url.reveal())
            name = f"--notify no. {number} ({scheme[1]}://…)" if scheme else f"--notify no. {number}"
            service = _service(url)
            if service is None:
                problems.append(
                    Diagnostic(
                        None, f"{name} is no URL that Apprise knows", "see https://github.com/caronc/apprise/wiki"
                    )
                )
            else:
                found.append(Target(name, service))
    if problems:
        raise ConfigError(problems)
    return found


def secrets_in(url: str) -> list[Secret]:
    """What of a URL must not be shown. Tokens may stand in every part of an Apprise URL; a name with dots where hosts are
    named, the scheme and plain words are none."""
    place, _, rest = re.sub(r"^[A-Za-z0-9+.-]*://", "", url).partition("/")
    login, _, host = place.rpartition("@")
    words = [*login.split(":"), *re.split(r"[/?&=#:]", rest), *([] if "." in host else [host.partition(":")[0]])]
    texts = {login, *(form for word in words for form in (word, unquote(word)))}
    return [Secret(text) for text in sorted(texts) if not re.fullmatch(r"[a-z]{0,12}|localhost|\d{0,5}", text)]


def written_out(given: Sequence[str]) -> list[int]:
    """Which of them (counted from 1) are URLs as such, and not the name of a place that holds one."""
    return [number for number, text in enumerate(given, 1) if not text.startswith(_BY_NAME)]


def _urls(text: str, environ: Mapping[str, str]) -> list[Secret]:
    if text.startswith("env:"):
        name = text.removeprefix("env:")
        if not environ.get(name, "").strip():
            raise ConfigError([Diagnostic(None, f"--notify {text}: the variable {name} is not set", "set it to a URL")])
        return _lines(environ[name])
    if text.startswith("file:"):
        path = Path(text.removeprefix("file:"))
        try:
            urls = _lines(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigError(
                [Diagnostic(None, f"--notify {text} cannot be read: {why}", "name a file of URLs")]
            ) from error
        if not urls:
            raise ConfigError([Diagnostic(None, f"--notify {text}: the file holds no URL", "write one a line")])
        return urls
    return [Secret(text)]


def _lines(text: str) -> list[Secret]:
    return [Secret(w) for line in text.splitlines() if (w := line.strip()) and not w.startswith("#")]


def _service(url: Secret) -> NotifyBase | None:
    from apprise import Apprise  # noqa: PLC0415 - a quarter of a second, which plans need not wait

    with _listening():
        found: NotifyBase | None = Apprise.instantiate(url.reveal(), suppress_exceptions=True)
    return found


class _Reason(logging.Handler):
    """Why a delivery failed, in words of our own: Apprise's may hold what is secret in a URL."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        status = re.search(r"error=(\d{3})\b", said)
        if status:
            self.text = f": it answered with HTTP status {status[1]}"
        elif record.levelno >= logging.WARNING and "onnection error" in said:
            self.text = ": it cannot be reached"


@contextmanager
def _listening() -> Iterator[_Reason]:
    """Apprise's log goes nowhere but here."""
    log, reason = logging.getLogger("apprise"), _Reason()
    before = (log.propagate, log.handlers[:])
    log.propagate, log.handlers[:] = False, [reason]
    try:
        yield reason
    finally:
        log.propagate, log.handlers[:] = before
