"""What only some users need is an extra of hvctl's package; what is said where one is missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec

from hvctl.text.diagnostic import ConfigError, Diagnostic

_HISTORY = {"sqlalchemy": "SQLAlchemy", "alembic": "Alembic"}
EXTRAS: Mapping[str, Mapping[str, str]] = {
    "dask": {"distributed": "dask.distributed"},
    "dashboard": {"starlette": "Starlette", "uvicorn": "uvicorn", "multipart": "python-multipart", **_HISTORY},
    "history": _HISTORY,
    "images": {"pycdlib": "pycdlib"},
    "ipaddr": {"netaddr": "netaddr"},
    "keyring": {"keyring": "keyring"},
    "metrics": {"prometheus_client": "prometheus-client"},
    "notify": {"apprise": "Apprise"},
    "postgresql": {"psycopg": "Psycopg"},
}
"""An extra → the modules that it brings, by the names of their packages."""


def command(extra: str) -> str:
    """What installs it, for the hint of a message."""
    return f"install it: python -m pip install 'hvctl[{extra}]'"


def missing(extra: str) -> tuple[str, ...]:
    """The packages of it that are not installed. Imports none of them."""
    return tuple(name for module, name in EXTRAS[extra].items() if not _there(module))


def lacking(extra: str, what: str) -> list[Diagnostic]:
    """What is wrong, if `what` was asked for and its extra is not installed."""
    packages = missing(extra)
    if not packages:
        return []
    named = f"{', '.join(packages[:-1])} and {packages[-1]}" if len(packages) > 1 else packages[0]
    return [Diagnostic(None, f"{what} needs {named}", command(extra))]


def need(extra: str, what: str) -> None:
    """Raises ConfigError."""
    if problems := lacking(extra, what):
        raise ConfigError(problems)


def _there(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    return find_spec(module) is not None
