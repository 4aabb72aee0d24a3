"""Cases against a real host named in HVCTL_REAL_HOST=INVENTORY:HOST; and the same way of running them against an empty
simulated host over the real wire, so that it works on the day somebody has one. Nobody has run this against a real host
yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from hvctl.call import Secret, Transport
from hvctl.config.inventory import Inventory
from hvctl.contract import OS, VERSIONS, nearest
from hvctl.fleet.connect import Wire, allowed, real_connect
from hvctl.winrm.client import Address, WinRM
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from mocks.wsman import Endpoint, Server
from tests import requirements
from tests.harness import Case, all_cases
from tests.real.host import bring_about, cleaned, run_on, wish
from tests.real.names import Names
from tests.real.needs import unrealisable

REAL_HOST = os.environ.get("HVCTL_REAL_HOST", "")
CASES = [c for c in all_cases() if "host" in c.data]
NEWEST = {c.file: c for c in sorted(CASES, key=lambda c: VERSIONS.index(c.os))}
OVER_THE_WIRE = {c.file.parent: c for c in NEWEST.values() if not unrealisable(c)}.values()
"""One of each kind; the others reach the same host in a shorter way."""


@contextmanager
def served(host: SimulatedHost) -> Iterator[Transport]:
    endpoint = Endpoint(host, {"u": "p"})
    with Server([endpoint]):
        address = Address(
            "h", "127.0.0.1", endpoint.port, scheme="http", transport="basic", user="u", password=Secret("p")
        )
        client = WinRM(address, allow=allowed())
        try:
            yield client
        finally:
            client.close()


def empty(os: OS) -> SimulatedHost:
    return SimulatedHost.from_yaml({"os": os})


def is_empty(host: SimulatedHost, before: SimulatedHost) -> bool:
    now, then = host.snapshot(), before.snapshot()
    now["folders"] = [f for f in now["folders"] if not f.endswith("\\hvctl\\owed")]  # hvctl's own, empty
    return all(now[key] == then[key] for key in ("vms", "switches", "files", "folders", "vhds", "management_adapters"))


@pytest.mark.parametrize("case", NEWEST.values(), ids=str)
def test_a_case_on_an_empty_simulated_host(case: Case) -> None:
    if why := unrealisable(case):
        pytest.skip(f"it needs {why}")
    host = empty(case.os)
    if case in OVER_THE_WIRE:
        with served(host) as transport:
            wrong = run_on(transport, case)
    else:
        wrong = run_on(TwinTransport(host), case)
    assert not wrong, "\n".join(wrong)
    assert is_empty(host, empty(case.os))


def test_most_cases_can_be_brought_about() -> None:
    """Of those that ask a host, and do not concern the host itself: that is not for a test to change; files beside the
    playbook are not brought along."""
    own = ("host_network_adapter", "nat", "exclusive", "replica_server", "replica_authorization", "migration_network")
    others = [case for case in NEWEST.values() if case.file.parent.name not in own]
    reasons = [why for case in others if not (why := unrealisable(case)).startswith("no host")]
    assert sum(not why for why in reasons) > len(reasons) / 2


def test_a_host_is_left_empty_after_a_case_that_fails() -> None:
    host = empty("2022")
    found = {
        "switches": [{"name": "lan"}],
        "vms": [
            {"name": "web01", "state": "Running", "checkpoints": [{"name": "before"}], "adapters": [{"name": "lan"}],
             "drives": [{"at": "ide 0:0", "path": "D:\\VMs\\os.vhdx"}]},
            {"name": "web02", "state": "Saved"},
            {"name": "web03", "state": "Paused"},
        ],
    }  # fmt: skip
    with served(host) as transport, pytest.raises(ZeroDivisionError), cleaned(transport):
        bring_about(found, Names(found, {}), transport)
        assert {vm["state"] for vm in host.snapshot()["vms"]} == {"Running", "Saved", "Paused"}
        raise ZeroDivisionError
    assert is_empty(host, empty("2022"))


def test_what_is_not_the_tests_own_stays() -> None:
    host = SimulatedHost.from_yaml({"os": "2022", "vms": [{"name": "web01"}], "switches": [{"name": "lan"}]})
    before = host.snapshot()
    with served(host) as transport, cleaned(transport):
        wish({"vms": [{"name": "hvctl-test-web01"}]}, transport)
    assert [v["name"] for v in host.snapshot()["vms"]] == ["web01"]
    assert host.snapshot()["switches"] == before["switches"]


@pytest.mark.real_host
@pytest.mark.parametrize("case", CASES if REAL_HOST else CASES[:1], ids=str)
def test_a_case_on_a_real_host(case: Case) -> None:
    if not REAL_HOST:
        requirements.lacking("real_host")
    if why := unrealisable(case):
        pytest.skip(f"it needs {why}")
    file, _, name = REAL_HOST.rpartition(":")
    inventory = Inventory.load(file)
    transport = real_connect(inventory.connection(inventory.select(name)[0]), Wire())
    try:
        version: OS | None = nearest(transport.info().build)
        if version != case.os:
            pytest.skip(f"it needs {case.os}; the host is {version}")
        wrong = run_on(transport, case)
        assert not wrong, "\n".join(wrong)
    finally:
        transport.close()
