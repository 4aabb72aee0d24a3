"""Secrets: resolved at the last moment, named but never shown."""

from __future__ import annotations

import getpass
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

from hvctl.call import Secret
from hvctl.text.diagnostic import Diagnostic, Mark
from hvctl.text.extras import lacking
from hvctl.text.source import SecretSource
from hvctl.text.visible import quoted


class SecretError(Exception):
    """A secret cannot be had; says where it was to come from, never what it is."""

    def __init__(self, message: str, hint: str = "", mark: Mark | None = None) -> None:
        self.problem = Diagnostic(mark, message, hint)
        super().__init__(str(self.problem))


@dataclass(frozen=True)
class PromptSource:
    """Asked for once, for all hosts that share it."""

    what: str


Source = SecretSource | PromptSource | Secret

VAULT_CLOSED = (
    "this is encrypted with ansible-vault, and no vault password that was given opens it; "
    "give it with --ask-vault-pass or --vault-password-file"
)
Ask = Callable[[SecretSource], Secret]
"""How a secret is had. Raises SecretError."""

_SECONDS = 60


class NotAskedError(Exception):
    """Secrets are left alone: what is made of one is not made."""


def never(source: SecretSource) -> NoReturn:
    """For a check that needs none: no program runs, no keyring is opened."""
    raise NotAskedError


class Secrets:
    """Asks each source once, however many hosts it is for."""

    def __init__(self, learn: Callable[[Secret], None]) -> None:
        self._learn = learn
        self._had: dict[object, Secret | Diagnostic] = {}

    def of(self, source: Source) -> Secret:
        """Raises SecretError, at the place where this source is written."""
        key = (source.kind, source.words) if isinstance(source, SecretSource) else source
        if key not in self._had:
            try:
                self._had[key] = resolve(source)
            except SecretError as error:
                self._had[key] = error.problem
        found = self._had[key]
        if isinstance(found, Diagnostic):
            mark = source.mark if isinstance(source, SecretSource) else None
            raise SecretError(found.message, found.hint, mark)
        self._learn(found)
        return found


def resolve(source: Source) -> Secret:
    """Raises SecretError."""
    match source:
        case Secret():
            return source
        case PromptSource(what):
            return _asked(what)
        case SecretSource(kind="env"):
            return _from_environment(source)
        case SecretSource(kind="keyring"):
            return _from_keyring(source)
        case SecretSource(kind="vault"):
            raise SecretError(f"{source.mark}: {VAULT_CLOSED}")
    return _from_command(source)


@cache
def _asked(what: str) -> Secret:
    try:
        return Secret(getpass.getpass(f"{what}: "))
    except (EOFError, OSError) as error:
        raise SecretError("there is nobody to ask for the password", "use !env, !keyring or !command") from error


def _from_environment(source: SecretSource) -> Secret:
    name = source.words[0]
    value = os.environ.get(name)
    if value is None:
        raise SecretError(f"the environment variable {name} is not set", "set it, or use --ask-pass", source.mark)
    return Secret(value)


def _from_keyring(source: SecretSource) -> Secret:
    if problems := lacking("keyring", "!keyring"):
        raise SecretError(problems[0].message, problems[0].hint, source.mark)
    import keyring  # noqa: PLC0415 - a tenth of a second, for those who have one

    service, user = source.words
    try:
        value = keyring.get_password(service, user)
    except Exception as error:  # backends raise what they like: of D-Bus, of a vault of their own
        raise SecretError(f"the keyring cannot be asked ({type(error).__name__})", "unlock it", source.mark) from error
    if value is None:
        raise SecretError(
            f"the keyring has nothing for {service}/{user}", f"`keyring set {service} {user}`", source.mark
        )
    return Secret(value)


def _from_command(source: SecretSource) -> Secret:
    """The first line that the command prints; what it prints is never shown, only its errors are."""
    try:
        done = subprocess.run(source.words, capture_output=True, timeout=_SECONDS, check=False)
    except FileNotFoundError as error:
        raise SecretError(
            f"there is no program {quoted(source.words[0])}", "install it, or correct its name", source.mark
        ) from error
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise SecretError(
            f"{quoted(source.words[0])} did not answer ({type(error).__name__})", "run it by hand", source.mark
        ) from error
    if done.returncode:
        said = _without(done.stderr.decode("utf-8", "replace"), done.stdout.decode("utf-8", "replace"))
        raise SecretError(
            f"{quoted(source.words[0])} ended with status {done.returncode}" + (f": {said[-1]}" if said else ""),
            "run it by hand",
            source.mark,
        )
    first = done.stdout.decode("utf-8", "replace").splitlines()
    if not first or not first[0]:
        raise SecretError(f"{quoted(source.words[0])} printed nothing", "its first line is the secret", source.mark)
    return Secret(first[0])


def _without(errors: str, printed: str) -> list[str]:
    """Lines of errors, without what was printed as the answer: it may have been the secret."""
    for word in sorted({w for w in printed.split() if len(w) > 3}, key=len, reverse=True):
        errors = errors.replace(word, "***")
    return errors.strip().splitlines()
