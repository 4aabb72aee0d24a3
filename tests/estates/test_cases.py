"""The cases of several hosts, by both ways of serving them."""

from __future__ import annotations

import pytest

from hvctl.call import Transport
from mocks.engine import EngineTransport
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.conftest import Engines
from tests.estates.harness import Case, all_cases, run


@pytest.mark.parametrize("case", all_cases(), ids=str)
def test_case(case: Case) -> None:
    assert run(case, TwinTransport) == []


@pytest.mark.parametrize("case", all_cases(), ids=str)
def test_case_by_the_engine(case: Case, engines: Engines) -> None:
    def serve(host: SimulatedHost) -> Transport:
        return EngineTransport(engines(host.os, "FullLanguage"), host)

    assert run(case, serve) == []
