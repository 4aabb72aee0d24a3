"""The cases of several hosts, by both ways of serving them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hvctl.call import Transport
from mocks.engine import EngineTransport
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.conftest import Engines
from tests.estates.harness import Case, all_cases, run
from tests.harness import sampled


@pytest.mark.parametrize("case", all_cases(), ids=str)
def test_case(case: Case) -> None:
    assert run(case, TwinTransport) == []


CONSTRAINED = (
    "cluster/a_role_is_made_with_its_vm",
    "cluster/role_is_changed_on_its_owner",
    "cluster/settings_by_version",
)
"""What sets properties of a cluster: an assignment would be refused there (cluster 1.1)."""


@pytest.mark.parametrize("case", [c for c in all_cases() if str(c).startswith(CONSTRAINED)], ids=str)
def test_case_in_constrained_language(case: Case, engines: Engines) -> None:
    def serve(host: SimulatedHost) -> Transport:
        host.state.language_mode = "ConstrainedLanguage"
        return EngineTransport(engines(host.os, "ConstrainedLanguage"), host)

    assert run(case, serve) == []


def grouped(cases: Iterator[Case]) -> list[object]:
    """On the worker that has the engine of that version anyway."""
    groups = ((case, pytest.mark.xdist_group(f"engine-{case.os}-FullLanguage")) for case in cases)
    return [pytest.param(case, marks=group, id=str(case)) for case, group in groups]


@pytest.mark.parametrize("case", grouped(sampled(all_cases())))
def test_case_by_the_engine(case: Case, engines: Engines) -> None:
    def serve(host: SimulatedHost) -> Transport:
        return EngineTransport(engines(host.os, "FullLanguage"), host)

    assert run(case, serve) == []
