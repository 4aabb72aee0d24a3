"""Secrets: resolved at the last moment, named but never shown."""

from __future__ import annotations

import getpass
import os
import subprocess
from dataclasses import dataclass
from functools import cache

from hvctl.call import Secret
from hvctl.source import SecretSource


class SecretError(Exception):
    """A secret cannot be had; says where it was to come from, never what it is."""


@dataclass(frozen=True)
class PromptSource:
    """Asked for once, for all hosts that share it."""

    what: str


Source = SecretSource | PromptSource | Secret

VAULT_CLOSED = (
    "this is encrypted with ansible-vault, and no vault password that was given opens it; "
    "give it with --ask-vault-pass or --vault-password-file"
)

_SECONDS = 60


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
        raise SecretError("there is nobody to ask for the password; use !env, !keyring or !command") from error


def _from_environment(source: SecretSource) -> Secret:
    name = source.words[0]
    value = os.environ.get(name)
    if value is None:
        raise SecretError(f"{source.mark}: the environment variable {name} is not set; set it, or use --ask-pass")
    return Secret(value)


def _from_keyring(source: SecretSource) -> Secret:
    import keyring  # noqa: PLC0415 - a tenth of a second, for those who have one
    from keyring.errors import KeyringError  # noqa: PLC0415

    service, user = source.words
    try:
        value = keyring.get_password(service, user)
    except KeyringError as error:
        raise SecretError(f"{source.mark}: the keyring cannot be asked ({type(error).__name__}); unlock it") from error
    if value is None:
        raise SecretError(
            f"{source.mark}: the keyring has nothing for {service}/{user}; `keyring set {service} {user}`"
        )
    return Secret(value)


def _from_command(source: SecretSource) -> Secret:
    """The first line that the command prints; what it prints is never shown, only its errors are."""
    try:
        done = subprocess.run(source.words, capture_output=True, timeout=_SECONDS, check=False)
    except FileNotFoundError as error:
        raise SecretError(f"{source.mark}: there is no program {source.words[0]!r}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SecretError(f"{source.mark}: {source.words[0]!r} did not answer ({type(error).__name__})") from error
    if done.returncode:
        said = _without(done.stderr.decode("utf-8", "replace"), done.stdout.decode("utf-8", "replace"))
        raise SecretError(
            f"{source.mark}: {source.words[0]!r} ended with status {done.returncode}"
            + (f": {said[-1]}" if said else "")
        )
    first = done.stdout.decode("utf-8", "replace").splitlines()
    if not first or not first[0]:
        raise SecretError(f"{source.mark}: {source.words[0]!r} printed nothing")
    return Secret(first[0])


def _without(errors: str, printed: str) -> list[str]:
    """Lines of errors, without what was printed as the answer: it may have been the secret."""
    for word in sorted({w for w in printed.split() if len(w) > 3}, key=len, reverse=True):
        errors = errors.replace(word, "***")
    return errors.strip().splitlines()
