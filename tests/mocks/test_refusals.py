"""The error tables of real hosts: call -> error id, category, what the message says (observations 4, domain 22)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mocks.host import SimulatedHost
from tests.mocks.hosts import one_vm, run

C, V = "Microsoft.HyperV.PowerShell.Commands.", "Microsoft.Vhd.PowerShell."
CASES = yaml.safe_load((Path(__file__).parent / "refusals.yaml").read_text(encoding="utf-8"))


def host_of(case: dict[str, Any]) -> SimulatedHost:
    state = one_vm(case["os"], **case.get("vm", {})).snapshot()
    for key, value in case.get("host", {}).items():
        state[key] = state[key] | value if key == "vhds" else value
    return SimulatedHost.from_yaml(state)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['what']}, {c['call']}, {c['os']}")
def test_is_refused_as_a_real_host_does(case: dict[str, Any]) -> None:
    on = host_of(case)
    before = on.snapshot()
    outcome = run(on, case["call"], **case["with"])
    (error,) = outcome.errors
    assert error.id == re.sub(r"(^|,)C\.", rf"\1{C}", re.sub(r"(^|,)V\.", rf"\1{V}", case["id"]))
    assert error.category == case["category"]
    assert case.get("says", "") in error.message
    assert outcome.objects == []
    assert on.snapshot() == before, "a refused call changes nothing"


@pytest.mark.parametrize(
    ("os", "exception"),
    [("2012r2", "VirtualizationInvalidArgumentException"), ("2022", "VirtualizationException")],
)
def test_exceptions_are_those_of_the_module(os: str, exception: str) -> None:
    ((name, hresult, message),) = run(one_vm(os), "Get-VM", Name="x").errors[0].exceptions
    assert name == f"Microsoft.HyperV.PowerShell.{exception}"
    assert hresult == -2146233088, "the code of a failure stands in the message only"
    assert "x" in message


def test_a_stopped_service_gives_two_records_for_a_named_vm() -> None:
    on = one_vm()
    on.state.vmms_running = False
    outcome = run(on, "Get-VM", "Continue", Name="web01")
    assert [e.id.split(",")[0] for e in outcome.errors] == ["ObjectNotFound", "InvalidParameter"]


def test_several_objects_give_one_error_each_and_go_on() -> None:
    outcome = run(one_vm(), "Get-VM", "Continue", Name=["x", "web01", "y"])
    assert [e.target for e in outcome.errors] == ["name:String"] * 2
    assert len(outcome.objects) == 1
    outcome = run(one_vm(), "Get-VM", "Stop", Name=["x", "web01", "y"])
    assert len(outcome.errors) == 1 and not outcome.objects
