"""Text that is kept, with references and keyed hashes where it held what came encrypted."""

from __future__ import annotations

import hmac
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import pbkdf2_hmac
from typing import Any

from hvctl.config.inventory import Inventory
from hvctl.config.vault import Vault
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.masks import SHORTEST
from hvctl.text.source import Vaulted

_HELD, _SALT = "$vault", "vault_salt"
_ROUNDS = 100_000
_AGAIN = "make the plan again"

Variable = tuple[str | int, ...]
"""A host, the name of one of its variables, and where in that."""


@dataclass
class Sealing:
    """Knows the encrypted variables of an inventory. The hashes are keyed with the vault password, so that who has the
    text alone cannot try values."""

    inventory: Inventory
    vault: Vault
    _values: dict[str, Variable] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for host in self.inventory.hosts.values():
            for variable, value in _vaulted(host.variables, (host.name,)):
                if len(value) >= SHORTEST:
                    self._values.setdefault(value, variable)

    def sealed(self, text: str) -> str:
        """JSON of a mapping → the same with references; the same text if it holds nothing encrypted."""
        if not self._values:
            return text
        salt = os.urandom(16)
        values = sorted(self._values, key=len, reverse=True)
        found = re.compile("|".join(map(re.escape, values)))
        data = self._sealed(json.loads(text), found, self._key(salt))
        if json.dumps(data) == json.dumps(json.loads(text)):
            return text
        return json.dumps({**data, _SALT: salt.hex()}, indent=1, ensure_ascii=False) + "\n"

    def opened(self, text: str) -> str:
        """What `sealed` was given. Raises ConfigError where a variable is not there or has another value now."""
        try:
            data = json.loads(text)
            salt = bytes.fromhex(data.pop(_SALT)) if isinstance(data, dict) and _SALT in data else None
        except (ValueError, TypeError, RecursionError):
            return text  # whoever reads it says what is wrong
        if salt is None:
            return text
        problems: list[Diagnostic] = []
        data = self._opened(data, self._key(salt), problems)
        if problems:
            raise ConfigError(dict.fromkeys(problems))
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"

    def _key(self, salt: bytes) -> bytes:
        return pbkdf2_hmac("sha256", self.vault.password(), salt, _ROUNDS)

    def _sealed(self, data: Any, found: re.Pattern[str], key: bytes) -> Any:
        if isinstance(data, dict):
            return {k: self._sealed(v, found, key) for k, v in data.items()}
        if isinstance(data, list):
            return [self._sealed(v, found, key) for v in data]
        if not isinstance(data, str) or not found.search(data):
            return data
        parts: list[Any] = []
        at = 0
        for match in found.finditer(data):
            parts += [data[at : match.start()]] * (match.start() > at)
            parts.append({"variable": list(self._values[match[0]]), "hmac": _hashed(match[0], key)})
            at = match.end()
        return {_HELD: parts + [data[at:]] * (at < len(data))}

    def _opened(self, data: Any, key: bytes, problems: list[Diagnostic]) -> Any:
        if isinstance(data, list):
            return [self._opened(v, key, problems) for v in data]
        if not isinstance(data, dict):
            return data
        if data.keys() != {_HELD} or not isinstance(data[_HELD], list):
            return {k: self._opened(v, key, problems) for k, v in data.items()}
        return "".join(p if isinstance(p, str) else self._value(p, key, problems) for p in data[_HELD])

    def _value(self, part: Any, key: bytes, problems: list[Diagnostic]) -> str:
        try:
            host, *path = part["variable"]
            value: Any = self.inventory.hosts[host].variables
            for step in path:
                value = value[step]
            right = isinstance(value, Vaulted) and hmac.compare_digest(_hashed(value, key), part["hmac"])
        except (KeyError, IndexError, TypeError, ValueError):
            problems.append(
                Diagnostic(None, "the plan names an encrypted variable that the inventory does not have", _AGAIN)
            )
            return ""
        if not right:
            name = ".".join(str(step) for step in path)
            message = f"the encrypted variable {name} of {host} is not what it was when the plan was made"
            problems.append(Diagnostic(None, message, f"{_AGAIN}, or give the vault password of that time"))
            return ""
        return str(value)


def _vaulted(value: Any, path: Variable) -> Iterator[tuple[Variable, str]]:
    if isinstance(value, Vaulted):
        yield path, str(value)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _vaulted(inner, (*path, name))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _vaulted(inner, (*path, number))


def _hashed(value: str, key: bytes) -> str:
    return hmac.new(key, value.encode("utf-8"), "sha256").hexdigest()
