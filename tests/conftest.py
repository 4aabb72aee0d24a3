"""What many tests share: a PowerShell engine per version of Windows, kept for the whole run; and figures of what was tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from hvctl.contract import OS
from mocks.engine import Engine, LanguageMode
from mocks.engine_spec import allowlist, description
from tests import requirements

# What Hypothesis keeps names the files of this checkout by their full paths.
set_hypothesis_home_dir(Path(gettempdir()) / "hvctl-hypothesis")

AGAIN = frozenset(
    """
    estates/test_cases.py::test_case_by_the_engine
    estates/test_hostile_clusters.py::test_nothing_is_made_or_removed_for_a_lie
    everyday/test_accepted_cases.py::test_what_is_accepted_is_never_sent
    by_hand/test_scripts.py::test_a_script_makes_the_calls_of_an_apply
    metering/test_hostile.py::test_whatever_a_host_answers_is_read_or_told
    soak/test_hostile_rows.py::test_a_property_that_cannot_be_read_is_told_and_changes_nothing_else
    soak/test_hostile_rows.py::test_a_property_of_a_lab_host_that_cannot_be_read
    soak/test_planfile.py::test_no_mutation_is_a_traceback_or_runs_unseen
    test_cases.py::test_case_in_powershell
    test_held_back.py::test_steps_come_from_nothing_that_is_held_back
    test_planfile.py::test_what_is_desired_survives_the_file
    test_quoting.py::test_a_real_powershell_binds_what_was_meant
    test_real_host.py::test_a_case_on_an_empty_simulated_host
    """.split()
)
"""Tests that walk again the lines that others walk: coverage is not measured with them, as tracing doubles their time."""

Engines = Callable[[OS, LanguageMode], Engine]


@pytest.fixture(scope="session")
def states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders for what is remembered, one after the other, not made yet."""
    base = tmp_path_factory.mktemp("state")
    return (base / str(n) for n in count())


@pytest.fixture(autouse=True)
def _own_state(states: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches what the user's own checks, or another test, remember, nor speaks the user's language."""
    monkeypatch.setenv("XDG_STATE_HOME", str(next(states)))
    monkeypatch.delenv("HVCTL_HISTORY", raising=False)
    monkeypatch.delenv("HVCTL_MACHINE", raising=False)
    monkeypatch.setenv("HVCTL_LANG", "en")


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """One process per version and language mode. Skips where there is no PowerShell; a named one that does not
    work fails."""
    requirements.engine()
    made: dict[tuple[OS, LanguageMode], Engine] = {}

    def engine(os: OS, mode: LanguageMode = "FullLanguage") -> Engine:
        if (os, mode) not in made or not made[os, mode].running:
            made[os, mode] = Engine(description(os), allowlist(), language_mode=mode)
        return made[os, mode]

    yield engine
    for one in made.values():
        one.close()


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Adds to a figure that is printed at the end."""

    def add(name: str, number: int) -> None:
        request.node.user_properties.append(("figure", (name, number)))

    return add


def pytest_configure() -> None:
    try:
        requirements.required()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.partition("[")[0].removeprefix("tests/") in AGAIN:
            item.add_marker(pytest.mark.no_cover)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    figures: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key == "figure" and report.when == "call":
                    figures[value[0]] += value[1]
    for name, number in figures.items():
        terminalreporter.write_line(f"{name}: {number:,}")
