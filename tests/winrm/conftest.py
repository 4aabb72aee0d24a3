"""Engines for the tests of the runner: one process per language mode, for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mocks.engine import Engine, LanguageMode
from mocks.engine_spec import description
from tests import requirements
from tests.winrm.host import ALLOW, SmallHost

UGLY = Path(__file__).parent / "Ugly.psm1"
Start = Callable[[LanguageMode], Engine]


@pytest.fixture(scope="session", params=["FullLanguage", "ConstrainedLanguage"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Serves many tests; it has the cmdlets of Windows Server 2019 and the ugly ones."""
    requirements.engine()
    made = Engine(description("2019"), ALLOW, language_mode=request.param, extra=[UGLY])
    yield made
    made.close()


@pytest.fixture
def start() -> Iterator[Start]:
    """A process of one's own, to be ruined; it has the ugly commands only."""
    requirements.engine()
    made: list[Engine] = []

    def begin(mode: LanguageMode = "FullLanguage") -> Engine:
        made.append(Engine({"enums": [], "classes": [], "modules": {}}, ALLOW, language_mode=mode, extra=[UGLY]))
        made[-1].bind(SmallHost())
        return made[-1]

    yield begin
    for one in made:
        one.close()
