"""What these tests share with those of single faults; and the figures of what was tried."""

from __future__ import annotations

from typing import Any

from tests.faults.conftest import authority, folder

__all__ = ["authority", "folder"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [r for found in ("passed", "failed") for r in terminalreporter.stats.get(found, ())]
    tried = [value for report in reports for name, value in report.user_properties if name == "configurations"]
    if tried:
        count, refused, wrong = (sum(t[n] for t in tried) for n in range(3))
        seconds, seed = max((t[3], t[4]) for t in tried)
        slowest = f"the slowest took {seconds:.1f} s (seed {seed})"
        terminalreporter.write_line(f"configurations: {count:,} tried, {refused:,} refused, {wrong} wrong; {slowest}")
