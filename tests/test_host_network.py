"""Addresses of the host and NAT over time, over odd answers, and through what keeps plans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hvctl.call import Batch, Event, Reply
from hvctl.core.impact import Impact
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.core.resource import Index
from hvctl.fleet.reconcile import apply_plan, look, look_at
from hvctl.kinds.host_network_adapter import HostNetworkAdapter
from hvctl.kinds.nat import Nat
from hvctl.kinds.switch import Switch
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

HOST: dict[str, Any] = {
    "os": "2022",
    "net_adapters": [{"name": "Ethernet", "addresses": ["192.0.2.9/24"]}],
    "switches": [{"name": "lan", "type": "Internal"}],
    "management_adapters": [{"name": "lan", "switch": "lan"}],
}
FIVE = "- host_network_adapters: [{name: lan, switch: lan, addresses: [10.0.0.5/24], gateway: 10.0.0.1}]"


def resources(playbook: str) -> Index:
    found, problems = wished(playbook)
    assert not problems
    return found


def planned(on: SimulatedHost, playbook: str, allow: frozenset[Impact] = frozenset()) -> Plan:
    found = resources(playbook)
    return make_plan(found, look(TwinTransport(on), found), allow)


def applied(on: SimulatedHost, playbook: str, allow: frozenset[Impact] = frozenset()) -> None:
    found = resources(playbook)
    transport = TwinTransport(on)
    report = apply_plan(make_plan(found, look(transport, found), allow), found, transport)
    assert not isinstance(report, list)
    assert all(r.status == "ok" for r in report.results)


def said(plan: Plan) -> list[str]:
    return [f"{r.level}: {r.message}" for a in plan.actions for r in a.remarks]


def test_an_address_is_the_same_tentative_and_preferred() -> None:
    on = SimulatedHost.from_yaml(HOST)
    applied(on, FIVE)
    early = planned(on, FIVE)
    assert early.in_sync
    assert said(early) == ["warning: 10.0.0.5 is tentative: it is being checked, and is not in use"]
    on.clock.sleep(10)
    later = planned(on, FIVE)
    assert later.in_sync
    assert said(later) == []


def test_a_duplicate_shows_when_it_was_checked_and_is_left_until_it_is_free() -> None:
    on = SimulatedHost.from_yaml({**HOST, "addresses_elsewhere": ["10.0.0.5"]})
    applied(on, FIVE)
    on.clock.sleep(10)
    plan = planned(on, FIVE)
    assert plan.differs
    assert not plan.steps
    assert "impossible: 10.0.0.5 is a duplicate" in said(plan)[0]


def carried(connections: str) -> Callable[[SimulatedHost], TwinTransport]:
    """A host whose connections look so: `tunnel`, `none`, `denied`."""

    class Odd(TwinTransport):
        def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
            replies = super().run(batch, on_event)
            for n, task in enumerate(batch.tasks):
                if task.call.cmdlet == "Get-NetTCPConnection":
                    rows = {
                        "tunnel": ({"LocalAddress": "127.0.0.1", "OwningProcess": 4},),
                        "mapped": ({"LocalAddress": "::ffff:192.0.2.9", "OwningProcess": 4},),
                        "other": ({"LocalAddress": "10.0.0.9", "OwningProcess": 77},),
                    }[connections]
                    replies[n] = Reply(rows)
            return replies

    return Odd


ADDRESSED = {**HOST, "management_adapters": [{"name": "lan", "switch": "lan", "ip_addresses": ["10.0.0.9/24"]}]}


def costs(connections: str) -> tuple[Impact, ...]:
    found = resources("- host_network_adapters: [{name: lan, switch: lan, addresses: [10.0.0.5/24]}]")
    transport = carried(connections)(SimulatedHost.from_yaml(ADDRESSED))
    plan = make_plan(found, look(transport, found), frozenset())
    (line,) = (line for a in plan.actions for line in a.lines)
    return line.impacts


def test_which_adapter_carries_the_connection_is_told_by_the_connections_of_the_system() -> None:
    assert costs("mapped") == ("disconnect",)
    assert costs("tunnel") == ("disconnect", "management"), "it comes in by something else on the host"
    assert costs("other") == ("disconnect", "management"), "WinRM's is not among them"


def numbers(batch: Batch, replies: list[Reply]) -> list[Reply]:
    """As the CIM classes have them, where the module's types are not loaded."""
    words = {"Manual": 1, "WellKnown": 2, "Preferred": 4, "NetMgmt": 3, "TCP": 6, "UDP": 17}

    def plain(row: Any) -> dict[str, Any]:
        of = ("PrefixOrigin", "AddressState", "Protocol")
        return {k: words.get(v, v) if k in of and isinstance(v, str) else v for k, v in row.items()}

    return [Reply(tuple(map(plain, r.rows)), r.failures, r.skipped, r.warnings, r.ms) for r in replies]


def test_words_may_come_as_numbers() -> None:
    class Plain(TwinTransport):
        def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
            return numbers(batch, super().run(batch, on_event))

    mapping = {"port": 80, "to": "10.0.0.7:80", "id": 1}
    nats = [{"name": "lan", "internal": "10.0.0.0/24", "mappings": [mapping]}]
    adapter = {"name": "lan", "switch": "lan", "ip_addresses": ["10.0.0.5/24"], "gateways": ["10.0.0.1"]}
    on = SimulatedHost.from_yaml({**HOST, "nats": nats, "management_adapters": [adapter]})
    found = resources(FIVE + "\n  switches: [{name: lan, nat: {prefix: 10.0.0.0/24, address: 10.0.0.5, "
                      "mappings: [{port: 80, to: '10.0.0.7:80'}]}}]")  # fmt: skip
    plan = make_plan(found, look(Plain(on), found), frozenset())
    assert plan.in_sync
    assert not said(plan)


def test_an_adapter_is_found_by_its_guid_whatever_windows_calls_its_interface() -> None:
    class Renamed(TwinTransport):
        """A dead device kept the name; the live one has another."""

        def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
            def renamed(row: Any) -> dict[str, Any]:
                return {k: f"{v} 2" if v == "vEthernet (lan)" else v for k, v in row.items()}

            replies = super().run(batch, on_event)
            return [Reply(tuple(map(renamed, r.rows)), r.failures, r.skipped, r.warnings, r.ms) for r in replies]

    on = SimulatedHost.from_yaml({**ADDRESSED, "management_adapters": [
        {"name": "lan", "id": "11111111-1111-1111-1111-111111111111", "switch": "lan", "ip_addresses": ["10.0.0.5/24"]}
    ]})  # fmt: skip
    found = resources("- host_network_adapters: [{name: lan, switch: lan, addresses: [10.0.0.5/24], dns: [10.0.0.53]}]")
    plan = make_plan(found, look(Renamed(on), found), frozenset())
    (step,) = plan.steps
    index = "(Get-NetAdapter)[InterfaceGuid='{11111111-1111-1111-1111-111111111111}'].InterfaceIndex"
    assert str(step.task.call) == f"Set-DnsClientServerAddress -InterfaceIndex {index} -ServerAddresses '10.0.0.53'"


def test_the_example_playbook_comes_true_on_the_host_that_it_names() -> None:
    root = Path(__file__).parent.parent
    on = SimulatedHost.from_yaml(root / "mocks/hosts/hv02.osaka.yaml")
    text = (root / "playbooks/nat.yml").read_text(encoding="utf-8")
    applied(on, text)
    on.clock.sleep(10)
    plan = planned(on, text)
    assert plan.in_sync
    assert not said(plan)
    (nat,) = on.snapshot()["nats"]
    assert (nat["name"], nat["internal"], nat["mappings"][0]["to"]) == (
        "inside",
        "192.168.50.0/24",
        "192.168.50.10:443",
    )


def test_a_nat_is_discovered_with_the_switch_that_its_address_is_on() -> None:
    nats = [{"name": "by-hand", "internal": "10.0.0.0/24"}, {"name": "docker", "internal": "172.30.0.0/20"}]
    on = SimulatedHost.from_yaml({**ADDRESSED, "nats": nats})
    facts = look_at(TwinTransport(on), [q for kind in (Switch, HostNetworkAdapter, Nat) for q in kind.survey()])
    (switch,) = Switch.discover(None, facts)
    assert [nat.name for nat in Nat.discover(switch, facts)] == ["by-hand"]
