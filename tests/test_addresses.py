"""The addresses that guests told, in what is read of a host."""

from __future__ import annotations

import html as markup

from hvctl.call import Batch, Task
from hvctl.core.outcome import Outcome
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.kinds.network_adapter import NetworkAdapter
from hvctl.show import data, html, junit, markdown
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.checks import check
from tests.harness import wished
from tests.test_show import report_lines


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


def test_the_report_of_an_apply_that_waited_has_them() -> None:
    host = SimulatedHost.from_yaml(
        {
            "switches": [{"name": "lan", "dhcp": True}],
            "vhds": {r"D:\os.vhdx": {"installed": True}},
            "vms": [
                {
                    "name": "web01",
                    "generation": 2,
                    "drives": [{"at": "scsi 0:0", "path": r"D:\os.vhdx"}],
                    "adapters": [{"name": "lan", "switch": "lan", "mac_address": "00155D010A07"}],
                }
            ],
        }
    )
    transport = TwinTransport(host)
    found, _ = wished("- vms: [{name: web01, state: running, wait_for: address}]\n")
    report = apply_plan(make_plan(found, look(transport, found), frozenset()), found, transport)
    assert not isinstance(report, list)
    assert [r.told for r in report.results] == [(), ("198.51.100.17, fe80::215:5dff:fe01:a0b",)]
    lines = [line.plain for line in report_lines(report)]
    assert any("198.51.100.17" in line for line in lines)
    told = check("apply", Outcome("hv01", report.plan, report))
    for rendered in (html.rendered, markdown.rendered, junit.rendered, data.rendered):
        assert "198.51.100.17, fe80::215:5dff:fe01:a0b" in markup.unescape(rendered(told)).replace("\\", "")
