"""What many tests share: a PowerShell engine per version of Windows, kept for the whole run."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hvctl.contract import OS
from mocks.engine import Engine, LanguageMode, find_engine
from mocks.engine_spec import allowlist, description

Engines = Callable[[OS, LanguageMode], Engine]


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """One process per version and language mode. Skips where there is no PowerShell; a named one that does not
    work fails."""
    if find_engine() is None:
        pytest.skip("no PowerShell engine: set HVCTL_PWSH, or put pwsh on PATH")
    made: dict[tuple[OS, LanguageMode], Engine] = {}

    def engine(os: OS, mode: LanguageMode = "FullLanguage") -> Engine:
        if (os, mode) not in made or not made[os, mode].running:
            made[os, mode] = Engine(description(os), allowlist(), language_mode=mode)
        return made[os, mode]

    yield engine
    for one in made.values():
        one.close()
