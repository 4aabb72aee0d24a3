"""What is imported and planned against the same host plans nothing, whatever the host has."""

from __future__ import annotations

import json
import os as system
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from hvctl.call import Transport, TransportError
from hvctl.contract import OS, VERSIONS
from hvctl.core.planner import make_plan
from hvctl.core.questions import questions
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import apply_plan, look, look_at
from hvctl.importing.look import Imported, Wanted, imported, play_text, read_back
from mocks.engine import EngineTransport
from mocks.failures import failure
from mocks.host import SimulatedHost
from mocks.recorded import RecordedHost
from mocks.twin import TwinTransport
from tests.conftest import Engines
from tests.random_hosts import any_host
from tests.test_convergence import Data

ROOT = Path(__file__).parents[2]
HOSTS = sorted((ROOT / "mocks" / "hosts").glob("*.yaml"))


def planned(told: Imported, transport: Transport) -> dict[str, str]:
    """What a plan of the written text would do."""
    desired = read_back(play_text(told.host, told.body), told.host)
    facts = look_at(transport, questions(desired))
    assert [p.message for p in validate(desired, facts.os) if p.level == "error"] == []
    plan = make_plan(desired, facts, frozenset())
    return {str(a.address): a.verb for a in plan.actions if a.verb != "none"} | {s.text: "step" for s in plan.steps}


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("file", HOSTS, ids=lambda file: str(file.stem))
def test_simulated_hosts(file: Path, everything: bool) -> None:
    transport = TwinTransport(SimulatedHost.from_yaml(file))
    told = imported("hv", transport, Wanted(everything=everything))
    assert told.omitted == ()
    assert planned(told, transport) == {}


def test_the_recorded_host() -> None:
    told = imported("rec", RecordedHost(), Wanted())
    assert planned(told, RecordedHost()) == {}
    assert [vm["name"] for vm in told.body.data["vms"]] == ["mockvm2"]
    unread = {str(address) for address, left in told.omitted if "was not recorded" in left.why}
    assert "vm mockvm1" in unread  # whether hvctl owes it a start was not recorded
    assert {str(address) for address, _ in told.omitted} - unread == {"dvd mockvm1, scsi 0:1"}


def case_hosts() -> list[Path]:
    """Some of the hosts that other tests begin with; all of them in a soak."""
    return sorted((ROOT / "tests" / "cases").rglob("*.yaml"))[:: 1 if system.environ.get("HVCTL_SOAK") else 13]


def test_hosts_of_other_tests() -> None:
    for file in case_hosts():
        case = yaml.safe_load(file.read_text("utf-8"))
        if not isinstance(case.get("host"), dict):
            continue
        transport = TwinTransport(SimulatedHost.from_yaml({"os": str(case["os"][-1]), **case["host"]}))
        try:
            told = imported("hv", transport, Wanted())
        except TransportError as error:
            assert "may not manage Hyper-V" in error.message, file
            continue
        assert planned(told, transport) == {}, file


@pytest.mark.parametrize("os", VERSIONS)
def test_of_what_is_just_made_nothing_is_written_but_what_was_said(os: OS) -> None:
    """What the kinds say is usual, and what the simulated host makes, are the same."""
    transport = TwinTransport(SimulatedHost.from_yaml({"os": os, "net_adapters": [{"name": "Uplink"}]}))
    generations = (1,) if os == "2012" else (1, 2)
    vms = [
        {"name": f"vm{n}", "generation": n, "memory": {"startup": "1GB"},
         "network_adapters": [{"name": "lan", "switch": "lan"}],
         "disks": [{"at": "ide 0:0" if n == 1 else "scsi 0:0", "path": rf"D:\vm{n}.vhdx", "size": "40GB"}]}
        for n in generations
    ]  # fmt: skip
    switches = [{"name": "lan", "type": "external", "net_adapters": ["Uplink"]}]
    play = {"name": "hv", "hosts": "hv", "switches": switches, "vms": vms}
    desired = read_back(json.dumps([play]), "hv")
    report = apply_plan(make_plan(desired, look(transport, desired), frozenset()), desired, transport)
    assert not isinstance(report, list)
    assert not report.failed
    body = imported("hv", transport, Wanted()).body
    assert body.data == {"switches": switches, "vms": vms}
    assert body.comments == {}


@pytest.mark.engine
@pytest.mark.parametrize("file", HOSTS, ids=lambda file: str(file.stem))
def test_the_same_in_powershell(file: Path, engines: Engines) -> None:
    os: OS = "2012r2" if "2012r2" in file.read_text("utf-8") else "2022"
    host = SimulatedHost.from_yaml(file)
    real = imported("hv", EngineTransport(engines(os, "FullLanguage"), host), Wanted())
    assert play_text("hv", real.body) == play_text("hv", imported("hv", TwinTransport(host), Wanted()).body)


@settings(
    max_examples=600 if system.environ.get("HVCTL_SOAK") else 30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
@given(any_host())
def test_random_hosts(host: Data) -> None:
    transport = TwinTransport(SimulatedHost.from_yaml(host))
    told = imported("hv", transport, Wanted())
    assert planned(told, transport) == {}
    # What is left out is what no playbook may ask for; a kind never reads a field otherwise than it would write it.
    assert [(str(a), one.field, one.why) for a, one in told.omitted if not one.why or "hvctl would" in one.why] == []
    assert {name.casefold() for name in told.vms} == {vm["name"].casefold() for vm in host["vms"]}
    written = {vm["name"] for vm in told.body.data.get("vms", ())}
    assert {name for name in told.vms if name not in written} == {
        address.key for address, one in told.omitted if address.kind == "vm" and one.field in ("", "name")
    }


def test_a_host_whose_hyper_v_does_not_answer_is_not_empty() -> None:
    host = SimulatedHost.from_yaml({"os": "2022", "vms": [{"name": "web01"}]})
    host.failures.add(failure("Get-VMHost:error=the service is away"))
    with pytest.raises(TransportError, match="Get-VMHost was not answered"):
        imported("hv", TwinTransport(host), Wanted())
