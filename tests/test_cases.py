"""Every case, over the runner's Python twin; and over the real runner in a real PowerShell, where each must make the
same calls and get the same answers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hvctl.contract import OS
from mocks.engine import EngineTransport, LanguageMode
from mocks.twin import TwinTransport
from tests.conftest import Engines
from tests.harness import CASES, Case, all_cases, sampled, witness

CONSTRAINED: tuple[tuple[str, OS], ...] = (
    ("disk/grows_online_on_scsi", "2022"),  # a chain followed, a guard before a change
    ("disk/is_made_and_attached_online", "2012r2"),
    ("disk/grows_on_ide_within_one_restart", "2012r2"),  # stop as a job with a limit
    ("disk/grows_a_fixed_disk", "2022"),  # a job with progress
    ("disk/is_found_below_a_checkpoint", "2012r2"),
    ("dvd/is_emptied_by_null", "2022"),  # $null on purpose
    ("firmware/boots_in_a_whole_order", "2012r2"),  # objects handed from call to call, lists of rows
    ("guest_file/from_the_host_is_compared_by_its_hash", "2012r2"),  # a guard that waits, hvctl's own folder
    ("host/sets_the_metering_interval_as_a_timespan", "2022"),
    ("integration_services/are_told_by_their_component_not_their_name", "2016"),  # a ref by the end of an id
    ("network_adapter/clears_limits_with_null", "2022"),
    ("switch/is_made_a_team", "2016"),  # lists of names
    ("vm/is_made_without_what_new_vm_adds", "2016"),  # a guard, refs with no match
    ("vm/that_takes_too_long_to_shut_down_is_left_to_itself", "2022"),  # a job past its limit
    ("vm/that_refuses_to_shut_down_keeps_running", "2012r2"),  # an error, and what needs it is skipped
)
"""Run in ConstrainedLanguage too: between them they use all that a batch can hold. Three versions, since each is an
engine of its own."""


def grouped(cases: Iterator[Case], mode: LanguageMode) -> list[object]:
    """One worker has all cases of an engine: starting one takes as long as thirty cases."""
    groups = ((case, pytest.mark.xdist_group(f"engine-{case.os}-{mode}")) for case in cases)
    return [pytest.param(case, marks=group, id=str(case)) for case, group in groups]


@pytest.mark.parametrize("case", all_cases(), ids=str)
def test_case(case: Case) -> None:
    wrong = witness(case, TwinTransport).wrong
    assert not wrong, f"{case.file.parent.name}/{case.file.name} on {case.os}:\n" + "\n".join(wrong)


@pytest.mark.engine
@pytest.mark.parametrize("case", grouped(sampled(c for c in all_cases() if "host" in c.data), "FullLanguage"))
def test_case_in_powershell(case: Case, engines: Engines) -> None:
    twin = witness(case, TwinTransport, looks=1)
    real = witness(case, lambda host: EngineTransport(engines(case.os, case.mode), host), looks=1)
    assert real.wrong == twin.wrong
    assert real.calls == twin.calls
    assert real.answers == twin.answers


@pytest.mark.engine
@pytest.mark.parametrize(
    "case", grouped((Case(CASES / f"{name}.yaml", os) for name, os in CONSTRAINED), "ConstrainedLanguage")
)
def test_case_in_constrained_language(case: Case, engines: Engines) -> None:
    assert case in all_cases()
    twin = witness(case, TwinTransport, looks=1)
    real = witness(case, lambda host: EngineTransport(engines(case.os, "ConstrainedLanguage"), host), looks=1)
    assert real.wrong == twin.wrong == []
    assert real.calls == twin.calls
    assert real.answers == twin.answers
