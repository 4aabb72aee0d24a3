"""The addresses that guests told, in what is read of a host."""

from __future__ import annotations

from hvctl.call import Batch, Task
from hvctl.fleet.reconcile import look
from hvctl.kinds.network_adapter import NetworkAdapter
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished


def test_a_survey_has_them_and_a_plan_does_not_ask() -> None:
    host = SimulatedHost.from_yaml(
        {
            "switches": [{"name": "lan"}],
            "vms": [
                {
                    "name": "web01",
                    "state": "Running",
                    "adapters": [{"name": "lan", "switch": "lan", "ip_addresses": ["198.51.100.7", "fe80::1"]}],
                }
            ],
        }
    )
    found, _ = wished("- vms: [{name: web01, network_adapters: [{name: lan, switch: lan}]}]\n")
    asked = [call for one in found for call in one.queries() if call.cmdlet == "Get-VMNetworkAdapter"]
    assert asked and not any("IPAddresses[]" in call.select for call in asked)

    survey = [call for call in NetworkAdapter.survey() if "IPAddresses[]" in call.select]
    vms = next(ref.call for ref in survey[0].refs())
    replies = TwinTransport(host).run(Batch((Task("v", vms), Task("a", survey[0]))))
    assert [row["IPAddresses[]"] for row in replies[1].rows] == [["198.51.100.7", "fe80::1"]]
    assert look(TwinTransport(host), found).rows(asked[0])
