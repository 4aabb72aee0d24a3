"""What some tests need beside Python, make and git. Each has a name: without it they are skipped and say so, unless the run
must have it (HVCTL_REQUIRE, names with commas between), which makes that a failure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast

import pytest

from mocks.engine import find_engine

T = TypeVar("T")

HOW = {
    "ansible": "no ansible-core: set HVCTL_ANSIBLE to the bin folder of an environment with tests/ansible/requirements.txt "
    "(make ansible)",
    "ansible.utils": "Ansible here has no collection ansible.utils, or no netaddr",
    "browser": "no Chromium on PATH",
    "contract": "HVCTL_CONTRACT names no folder with the whole contract",
    "engine": "no PowerShell engine: set HVCTL_PWSH, or put pwsh on PATH",
    "index": "no package index: pip finds nothing to install",
    "playwright": "no playwright: pip install playwright into this environment",
    "postgresql": "no PostgreSQL: neither initdb and pg_ctl on PATH nor below /usr/lib/postgresql",
    "real_host": "no real host: HVCTL_REAL_HOST=INVENTORY:HOST names one, for all cases",
    "systemd": "no systemd-analyze on PATH",
}
"""By name, what is said where it is not there."""


def required(environ: Mapping[str, str] = os.environ) -> frozenset[str]:
    """What this run must have. Raises ValueError for a name that is none."""
    names = frozenset(n.strip() for n in environ.get("HVCTL_REQUIRE", "").split(",")) - {""}
    if unknown := sorted(names - HOW.keys()):
        raise ValueError(f"HVCTL_REQUIRE: {', '.join(unknown)} is not one of {', '.join(HOW)}")
    return names


def lacking(name: str) -> NoReturn:
    """The end of a test that needs it."""
    (pytest.fail if name in required() else pytest.skip)(f"{name}: {HOW[name]}")


def needed(name: str, found: T | None) -> T:
    """What was found of it; where that is nothing, the end of the test."""
    return found if found else lacking(name)


def ansible() -> Path:
    """The bin folder of an environment with ansible-core."""
    return needed("ansible", _ansible())


def browser() -> str:
    return needed("browser", _browser())


def contract() -> Path:
    """The folder with the whole contract."""
    return needed("contract", _named("HVCTL_CONTRACT"))


def engine() -> Path:
    return needed("engine", find_engine())


def index() -> None:
    """Packages can be installed."""
    needed("index", _index())


def playwright() -> Callable[[], Any]:
    """What drives a browser."""
    return needed("playwright", _playwright())


def postgresql() -> Path:
    """The folder with its programs."""
    return needed("postgresql", _postgresql())


def systemd_analyze() -> str:
    return needed("systemd", shutil.which("systemd-analyze"))


# --- what is there ---------------------------------------------------------------------------------------------------


def _named(variable: str) -> Path | None:
    return Path(value).absolute() if (value := os.environ.get(variable)) else None


def _ansible() -> Path | None:
    return _named("HVCTL_ANSIBLE")


def _ansible_utils() -> Path | None:
    folder = _ansible()
    within = "lib/python*/site-packages/ansible_collections/ansible/utils"
    return next(folder.parent.glob(within), None) if folder else None


def _browser() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _index() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "setuptools>=68"]
        return subprocess.run(asked, check=False, capture_output=True, timeout=120).returncode == 0


def _playwright() -> Callable[[], Any] | None:
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415
    except ImportError:
        return None
    return cast("Callable[[], Any]", sync_playwright)


def _postgresql() -> Path | None:
    """Debian puts them beside PATH, by version."""
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    versions = [p for p in Path("/usr/lib/postgresql").glob("*/bin/initdb") if p.parts[-3].isdigit()]
    newest = max(versions, key=lambda p: int(p.parts[-3]), default=None)
    return newest.parent if newest else None


FINDERS: Mapping[str, Callable[[], object]] = {
    "ansible": _ansible,
    "ansible.utils": _ansible_utils,
    "browser": _browser,
    "contract": lambda: _named("HVCTL_CONTRACT"),
    "engine": find_engine,
    "index": _index,
    "playwright": _playwright,
    "postgresql": _postgresql,
    "real_host": lambda: os.environ.get("HVCTL_REAL_HOST"),
    "systemd": lambda: shutil.which("systemd-analyze"),
}


def main(asked: str) -> None:
    """For .ci/run: `missing` prints the names of what is not there; `required`, what this run must have: all that is
    there, and what it was told. What it goes without is said beside."""
    missing = [name for name, find in FINDERS.items() if not find()]
    if asked == "missing":
        print(*missing, sep="\n")
        return
    for name in missing:
        print(f"{name}: {HOW[name]}: its tests {'fail' if name in required() else 'are skipped'}", file=sys.stderr)
    print(*sorted(required() | (FINDERS.keys() - set(missing))), sep=",")


if __name__ == "__main__":
    main(*sys.argv[1:])
