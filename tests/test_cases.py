"""Every case, over the runner's Python twin; and over the real runner in a real PowerShell, with the same calls."""

from __future__ import annotations

import pytest

from mocks.twin import TwinTransport
from tests.harness import Case, all_cases, run


@pytest.mark.parametrize("case", all_cases(), ids=str)
def test_case(case: Case) -> None:
    wrong = run(case, TwinTransport)
    assert not wrong, f"{case.file.parent.name}/{case.file.name} on {case.os}:\n" + "\n".join(wrong)
