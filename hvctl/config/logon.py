"""The passwords of all hosts of a run, before the first host is contacted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hvctl.config.prepare import HostWork
from hvctl.config.secrets import SecretError, Secrets
from hvctl.text.diagnostic import ConfigError


def with_passwords(work: Iterable[HostWork], secrets: Secrets) -> tuple[HostWork, ...]:
    """A password that cannot be had is its host's own fault, where it is written. Raises ConfigError if no host is
    left that can be asked."""
    found = tuple(_with_password(one, secrets) for one in work)
    if found and all(one.wrong for one in found):
        raise ConfigError(dict.fromkeys(p for one in found for p in one.wrong))
    return found


def _with_password(one: HostWork, secrets: Secrets) -> HostWork:
    if one.connection.password is None:
        return one
    try:
        password = secrets.of(one.connection.password)
    except SecretError as error:
        return replace(one, wrong=(*one.wrong, error.problem))
    return replace(one, connection=replace(one.connection, password=password))
