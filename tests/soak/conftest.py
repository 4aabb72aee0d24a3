"""What these tests share with those of single faults; and figures of what was tried, summed up at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.conftest import authority, folder

__all__ = ["authority", "folder"]


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str, int], None]:
    """Adds to a figure that is printed at the end."""

    def add(name: str, number: int) -> None:
        request.node.user_properties.append(("figure", (name, number)))

    return add


def pytest_terminal_summary(terminalreporter: Any) -> None:
    figures: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key == "figure" and report.when == "call":
                    figures[value[0]] += value[1]
    for name, number in figures.items():
        terminalreporter.write_line(f"{name}: {number:,}")
