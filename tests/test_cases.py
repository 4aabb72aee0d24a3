"""Every case, over the runner's Python twin; and over the real runner in a real PowerShell, where each must make the
same calls and get the same answers."""

from __future__ import annotations

import pytest

from mocks.engine import EngineTransport
from mocks.twin import TwinTransport
from tests.conftest import Engines
from tests.harness import Case, all_cases, witness

CONSTRAINED = {"grows_online_on_scsi", "is_made_and_attached_online", "grows_on_ide_within_one_restart",
               "from_the_host_is_compared_by_its_hash"}  # fmt: skip
"""Run in ConstrainedLanguage too."""


@pytest.mark.parametrize("case", all_cases(), ids=str)
def test_case(case: Case) -> None:
    wrong = witness(case, TwinTransport).wrong
    assert not wrong, f"{case.file.parent.name}/{case.file.name} on {case.os}:\n" + "\n".join(wrong)


@pytest.mark.engine
@pytest.mark.parametrize("case", [c for c in all_cases() if "host" in c.data], ids=str)
def test_case_in_powershell(case: Case, engines: Engines) -> None:
    twin = witness(case, TwinTransport)
    real = witness(case, lambda host: EngineTransport(engines(case.os, case.mode), host))
    assert real.wrong == twin.wrong
    assert real.calls == twin.calls
    assert real.answers == twin.answers


@pytest.mark.engine
@pytest.mark.parametrize("case", [c for c in all_cases() if c.file.stem in CONSTRAINED], ids=str)
def test_case_in_constrained_language(case: Case, engines: Engines) -> None:
    real = witness(case, lambda host: EngineTransport(engines(case.os, "ConstrainedLanguage"), host))
    assert real.wrong == []
