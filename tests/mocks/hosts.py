"""Small simulated hosts for the tests of the cmdlets."""

from __future__ import annotations

from typing import Any, Literal

from mocks.host import SimulatedHost
from mocks.objects import Outcome, PsObject

GB, MB = 2**30, 2**20
Action = Literal["Stop", "Continue"]
DISK = r"D:\VMs\web01\os.vhdx"


def host(os: str = "2022", **state: Any) -> SimulatedHost:
    return SimulatedHost.from_yaml({"os": os, **state})


def one_vm(os: str = "2022", **vm: Any) -> SimulatedHost:
    """A host with a VM web01, on version `os`, and a switch lan."""
    generation = 1 if os == "2012" else 2
    return host(
        os,
        switches=[{"name": "lan", "net_adapters": ["Ethernet 2"]}],
        vms=[{"name": "web01", "generation": generation, **vm}],
    )


def run(on: SimulatedHost, cmdlet: str, /, action: Action = "Stop", **params: Any) -> Outcome:
    outcome = on.invoke(cmdlet, params, action)
    on.clock.sleep(outcome.took)
    return outcome


def done(on: SimulatedHost, cmdlet: str, /, **params: Any) -> list[Any]:
    """The objects of a call that must not fail."""
    outcome = run(on, cmdlet, **params)
    assert not outcome.errors, outcome.errors[0]
    return outcome.objects


def one(on: SimulatedHost, cmdlet: str, /, **params: Any) -> PsObject:
    (found,) = done(on, cmdlet, **params)
    assert isinstance(found, PsObject)
    return found


def refused(on: SimulatedHost, cmdlet: str, /, **params: Any) -> str:
    """The kind of the refusal: the first part of its id; nothing has changed but what the test says."""
    outcome = run(on, cmdlet, **params)
    assert outcome.errors, f"{cmdlet} was not refused"
    return outcome.errors[0].id.split(",")[0]


def name_of(value: Any) -> Any:
    return getattr(value, "name", value)


def read(on: SimulatedHost, cmdlet: str, prop: str, /, **params: Any) -> Any:
    return name_of(one(on, cmdlet, **params).properties[prop])
