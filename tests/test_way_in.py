"""What becomes of the host's own addresses: each change that could cut hvctl off asks for `management` and says why, and
each that comes back by itself, or touches no address, does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
import yaml

from hvctl.core.plan import Line
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import look
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.harness import wished

CARDS = [{"name": "Ethernet", "addresses": ["192.0.2.9/24"]}, {"name": "Ethernet 2"}, {"name": "Ethernet 3"}]
INTEL = {"name": "lan", "net_adapters": ["Ethernet"], "allow_management_os": True, "minimum_bandwidth_mode": "Weight"}
OTHER = {**INTEL, "net_adapters": ["Ethernet 2"]}
GONE, BACK, OURS = "for good", "away for some 15 s", "hvctl's own connection may run over"


@dataclass(frozen=True)
class Situation:
    """`costs`: of the field's line; `says`: pieces of its note."""

    title: str
    playbook: str
    costs: str
    says: tuple[str, ...] = ()
    field: str = ""
    switches: Sequence[Mapping[str, object]] = dataclasses.field(default_factory=list)
    more: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def line(self, os: str) -> Line:
        host = {
            "os": os,
            "net_adapters": CARDS,
            "management": "Ethernet",
            "switches": [dict(s) for s in self.switches],
            **self.more,
        }
        wishes, problems = wished(f"- hosts: all\n  {self.playbook}\n")
        assert not problems
        transport = TwinTransport(SimulatedHost.from_yaml(yaml.safe_load(yaml.safe_dump(host))))
        plan = make_plan(wishes, look(transport, wishes), frozenset())
        return next(x for a in plan.actions for x in a.lines if x.field == self.field)


def switch(fields: str) -> str:
    return "switches: [{name: lan, " + fields + "}]"


INTERNAL = [{"name": "lan", "type": "Internal"}]
ADDRESSED = {"management_adapters": [{"name": "lan", "switch": "lan", "ip_addresses": ["198.51.100.7/24"]}]}
TWO_ADDRESSES = {
    "net_adapters": [
        {"name": "Ethernet", "addresses": ["192.0.2.9/24"]},
        {"name": "NIC", "addresses": ["192.0.2.8/24"]},
    ]
}
TEAM = {**INTEL, "embedded_teaming_enabled": True}

SITUATIONS = [
    Situation("made over another adapter", switch("net_adapters: [Ethernet 2]"), "online"),
    Situation("made shared", switch("net_adapters: [Ethernet]"), "disconnect", ("Ethernet", BACK, "adapter lan")),
    Situation(
        "made shared, which is written", switch("net_adapters: [Ethernet], allow_management_os: true"), "disconnect"
    ),
    Situation(
        "made for the VMs alone",
        switch("net_adapters: [Ethernet], allow_management_os: false"),
        "disconnect management",
        ("192.0.2.9", GONE, "not shared", OURS),
    ),
    Situation(
        "made for the VMs alone over another",
        switch("net_adapters: [Ethernet 2], allow_management_os: false"),
        "online",
    ),
    Situation(
        "made of two with addresses",
        switch("net_adapters: [Ethernet, NIC]"),
        "disconnect management",
        ("192.0.2.8", GONE, "one adapter at most"),
        more=TWO_ADDRESSES,
    ),
    Situation(
        "left by the host",
        switch("allow_management_os: false"),
        "disconnect management",
        ("loses its adapter lan", "192.0.2.9", GONE, OURS),
        "allow_management_os",
        [INTEL],
    ),
    Situation(
        "left by the host, which has no address there",
        switch("allow_management_os: false"),
        "disconnect",
        ("loses its adapter lan",),
        "allow_management_os",
        [OTHER],
    ),
    Situation(
        "left by a host that tells no address",
        switch("allow_management_os: false"),
        "disconnect management",
        ("does not tell", "may be lost", GONE),
        "allow_management_os",
        [OTHER],
        {"net_adapters": [{"name": "Ethernet"}, {"name": "Ethernet 2"}]},
    ),
    Situation(
        "taken off its wire",
        switch("type: internal"),
        "disconnect management",
        ("192.0.2.9", GONE, "on no wire"),
        "type",
        [INTEL],
    ),
    Situation(
        "made private",
        switch("type: private"),
        "disconnect management",
        ("loses its adapter lan", "192.0.2.9", GONE),
        "type",
        [INTEL],
    ),
    Situation("taken off another wire", switch("type: internal"), "disconnect", (), "type", [OTHER]),
    Situation(
        "taken off a wire that the host does not share",
        switch("type: internal"),
        "disconnect",
        (),
        "type",
        [{**OTHER, "allow_management_os": False}],
    ),
    Situation(
        "internal, with an address of its own, made private",
        switch("type: private"),
        "disconnect management",
        ("198.51.100.7", GONE),
        "type",
        INTERNAL,
        ADDRESSED,
    ),
    Situation(
        "internal, without an address, made private",
        switch("type: private"),
        "disconnect",
        ("loses its adapter lan",),
        "type",
        INTERNAL,
    ),
    Situation(
        "internal, put on a wire",
        switch("type: external, net_adapters: [Ethernet 2]"),
        "disconnect",
        ("198.51.100.7", BACK),
        "type",
        INTERNAL,
        ADDRESSED,
    ),
    Situation(
        "internal, put over the way in",
        switch("type: external, net_adapters: [Ethernet]"),
        "disconnect management",
        ("192.0.2.9", "may lose", "not known to move"),
        "type",
        INTERNAL,
    ),
    Situation(
        "private, put over the way in unshared",
        switch("type: external, net_adapters: [Ethernet]"),
        "disconnect management",
        ("192.0.2.9", "not shared"),
        "type",
        [{"name": "lan", "type": "Private"}],
    ),
    Situation(
        "private, put over the way in shared",
        switch("type: external, net_adapters: [Ethernet], allow_management_os: true"),
        "disconnect",
        ("Ethernet", BACK),
        "type",
        [{"name": "lan", "type": "Private"}],
    ),
    Situation(
        "put on another wire",
        switch("net_adapters: [Ethernet 2]"),
        "disconnect management",
        ("192.0.2.9", "go over Ethernet 2"),
        "net_adapters",
        [INTEL],
    ),
    Situation(
        "given one member more",
        switch("net_adapters: [Ethernet, Ethernet 2]"),
        "disconnect",
        ("192.0.2.9", BACK),
        "net_adapters",
        [TEAM],
    ),
    Situation(
        "recreated",
        switch("minimum_bandwidth_mode: absolute"),
        "disconnect recreate management",
        ("192.0.2.9", "set again", OURS),
        "minimum_bandwidth_mode",
        [INTEL],
    ),
    Situation(
        "recreated on another wire",
        switch("minimum_bandwidth_mode: absolute"),
        "disconnect recreate",
        (),
        "minimum_bandwidth_mode",
        [OTHER],
    ),
    Situation("removed", switch("ensure: absent"), "disconnect management", ("192.0.2.9", GONE), "", [INTEL]),
    Situation("removed from another wire", switch("ensure: absent"), "disconnect", ("loses its adapter",), "", [OTHER]),
    Situation(
        "watched",
        switch("extensions: {ndis_capture: on}"),
        "disconnect",
        ("192.0.2.9", BACK),
        "extensions.ndis_capture",
        [INTEL],
    ),
    Situation("noted", switch("notes: x"), "online", (), "notes", [INTEL]),
    Situation(
        "an adapter of the host on another VLAN",
        "host_network_adapters: [{name: lan, switch: lan, vlan: {access: 7}}]",
        "disconnect management",
        ("192.0.2.9", GONE, OURS),
        "vlan",
        [INTEL],
    ),
    Situation(
        "an adapter of the host without addresses on another VLAN",
        "host_network_adapters: [{name: lan, switch: lan, vlan: {access: 7}}]",
        "disconnect",
        (),
        "vlan",
        [OTHER],
    ),
    Situation(
        "an adapter of the host that goes",
        "host_network_adapters: [{name: lan, ensure: absent}]",
        "disconnect management",
        ("192.0.2.9", GONE),
        "",
        [INTEL],
    ),
]


@pytest.mark.parametrize("os", ["2016", "2022"])
@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda s: s.title)
def test_a_change_says_what_becomes_of_the_addresses(situation: Situation, os: str) -> None:
    line = situation.line(os)
    assert " ".join(line.impacts) == situation.costs, line.note
    assert [piece for piece in situation.says if piece not in line.note] == [], line.note
    assert ("management" in line.impacts) or (GONE not in line.note and OURS not in line.note)


def test_an_adapter_that_comes_with_its_switch_and_takes_the_addresses_to_another_vlan() -> None:
    """The switch blinks; the VLAN that is set on what took the addresses over cuts them off."""
    play = """switches: [{name: lan, net_adapters: [Ethernet]}]
  host_network_adapters: [{name: lan, switch: lan, vlan: {access: 7}}]"""
    wishes, _ = wished(f"- hosts: all\n  {play}\n")
    host = SimulatedHost.from_yaml({"os": "2022", "net_adapters": CARDS, "management": "Ethernet"})
    plan = make_plan(wishes, look(TwinTransport(host), wishes), frozenset({"disconnect"}))
    assert [s.task.call.cmdlet for s in plan.steps] == ["New-VMSwitch"]
    blocked = next(x for a in plan.actions for x in a.blocked)
    assert blocked.consent == ("management",)
    assert "192.0.2.9" in blocked.note and OURS in blocked.note


def test_a_renamed_interface_is_not_taken_for_a_harmless_one() -> None:
    host = SimulatedHost.from_yaml({"os": "2022", "net_adapters": CARDS, "management": "Ethernet", "switches": [INTEL]})
    wishes, _ = wished("- hosts: all\n  switches: [{name: lan, allow_management_os: false}]\n")
    facts = look(TwinTransport(host), wishes)
    for reply in facts.replies.values():
        for row in reply.rows:
            for column in ("InterfaceAlias", "Name"):
                if row.get(column) == "vEthernet (lan)":
                    row[column] = "Management"  # type: ignore[index]
    plan = make_plan(wishes, facts, frozenset({"disconnect"}))
    assert [x.consent for a in plan.actions for x in a.blocked] == [("management",)]
