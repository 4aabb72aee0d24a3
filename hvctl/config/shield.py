"""Variables that hold secrets: out of reach for values of playbooks, and hidden where variables are shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from hvctl.call import Secret
from hvctl.config.connection import PASSWORDS
from hvctl.config.template import is_template, names_in
from hvctl.text.scalars import Written
from hvctl.text.source import SecretSource, Vaulted

SHIELDED = frozenset((*PASSWORDS, "ansible_become_password", "ansible_become_pass"))
_GIVEN = frozenset("inventory_hostname inventory_hostname_short group_names groups hostvars".split())
_SECRET_WORD = re.compile(r"(^|_)(pass|passwd|password|passphrase|secret|token|api_?key)s?$", re.IGNORECASE)
_ONE_EXPRESSION = re.compile(r"\s*\{\{[^{}]*\}\}\s*")

HIDDEN = Secret("***")
"""Stands for a secret where it may not be used; there is nothing behind it that an expression could reach."""

VAULT = "!vault"
"""Stands for what came encrypted, where variables are shown."""


def shielded(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The variables, those hidden that are a password or that a password is taken from."""
    names = _secret(variables)
    return {name: _hidden(value) if name in names else value for name, value in variables.items()}


def shown(variables: Any) -> Any:
    """Variables for people: where a secret is to be had, never what it is."""
    if isinstance(variables, Mapping):
        found = shielded({str(k): v for k, v in variables.items()})
        return {k: shown(_hidden(v) if _SECRET_WORD.search(k) else v) for k, v in found.items()}
    if isinstance(variables, list):
        return [shown(v) for v in variables]
    if isinstance(variables, Vaulted):
        return VAULT
    if isinstance(variables, Written):
        return shown(variables.value)
    if isinstance(variables, date):
        return variables.isoformat()
    return repr(variables) if isinstance(variables, SecretSource | Secret) else variables


def _secret(variables: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = [name for name in SHIELDED if name in variables]
    while waiting:
        name = waiting.pop()
        if name in found or name not in variables:
            continue
        found.add(name)
        text = variables[name]
        if is_template(text):
            used = names_in(text) - _GIVEN
            # What a password is put together from may be no secret: a site's name, a number.
            waiting += used if len(used) == 1 and _ONE_EXPRESSION.fullmatch(text) else filter(_SECRET_WORD.search, used)
    return found


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _hidden(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_hidden(v) for v in value]
    return value if value is None or isinstance(value, SecretSource) else HIDDEN
