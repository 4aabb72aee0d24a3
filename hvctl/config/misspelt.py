"""Names of connection variables that are old, or nearly right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

OLD: Mapping[str, str] = {
    "ansible_ssh_host": "ansible_host",
    "ansible_ssh_port": "ansible_port",
    "ansible_ssh_user": "ansible_user",
    "ansible_ssh_pass": "ansible_password",
    "ansible_ssh_password": "ansible_password",
}
"""Ansible's names from before version 2.0, and what they are called now."""
_PREFIXES = ("ansible", "hvctl")
_CLOSE_PREFIX, _CLOSE_NAME = 0.7, 0.85


def concerns(name: str) -> bool:
    """Whether a variable is for Ansible or hvctl, by its beginning."""
    return name.startswith(tuple(f"{p}_" for p in _PREFIXES))


def meant_by(name: str, known: Iterable[str]) -> str | None:
    """The known variable that a name with a misspelt beginning (`anisble_host`) was to be. Variables of one's own, such
    as winrm_transport, are none of hvctl's business."""
    head, _, rest = name.casefold().partition("_")
    if concerns(name) or not rest or not difflib.get_close_matches(head, _PREFIXES, 1, _CLOSE_PREFIX):
        return None
    return next(iter(difflib.get_close_matches(name.casefold(), list(known), 1, _CLOSE_NAME)), None)
