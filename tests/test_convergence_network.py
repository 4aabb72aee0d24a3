"""Whatever switches and adapters a host has and whatever is wished of them: one apply brings it there, or the plan has
named what is left."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hvctl.contract import OS, VERSIONS
from hvctl.core.impact import Impact
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import apply_plan, look
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.held import never_written, sent
from tests.test_convergence import Data, _left, _named, flags, of, some, sound

NICS = ("Ethernet 2", "Ethernet 3", "Ethernet 4")
CONSENTS: tuple[Impact, ...] = ("restart", "disconnect", "recreate", "management")


# --- a host --------------------------------------------------------------------------------------------------------


@st.composite
def there(draw: st.DrawFn, name: str, nics: tuple[str, ...], os: OS) -> Data:
    """A switch as somebody left it."""
    modern = os not in ("2012", "2012r2")
    given = nics if modern else nics[:1]
    outside = (
        {"net_adapters": list(given), "iov_enabled": draw(flags)}
        if given
        else {"type": draw(of("Private", "Internal"))}
    )
    more = draw(
        some(
            notes=of("", "mine"),
            extensions=of({}, {"Microsoft NDIS Capture": True}, {"Microsoft Windows Filtering Platform": False}),
            default_queue_vmmq_enabled=flags if modern else st.just(False),
        )
    )
    mode = "None" if outside.get("iov_enabled") else draw(of("Weight", "Absolute", "None"))
    alone = {"embedded_teaming_enabled": draw(flags)} if modern and len(given) == 1 else {}
    shared = {"allow_management_os": draw(flags)} if given else {}
    return {"name": name, "minimum_bandwidth_mode": mode, **outside, **alone, **shared, **more}


ACL = st.fixed_dictionaries({"action": of("Allow", "Deny"), "direction": of("Inbound", "Outbound")}).flatmap(
    lambda acl: of("10.0.0.0/8", "ANY", "0.0.0.0/0", "::/0").map(lambda address: {**acl, "remote": address})
)
METER = {"action": "Meter", "direction": "Inbound", "remote": "0.0.0.0/0"}


def adapter(name: str, switches: tuple[str, ...]) -> st.SearchStrategy[Data]:
    fields = some(
        switch=of(None, *switches),
        bandwidth=some(minimum_weight=of(0, 5), maximum=of(0, 10**9)),
        vlan=of(
            {"mode": "Access", "access": 7},
            {"mode": "Trunk", "native": 5, "allowed": "100-102"},
            {"mode": "Trunk", "native": 0, "allowed": "20"},
        ),
        storm_limit=of(0, 100),
        dynamic_ip_address_limit=of(0, 4),
        virtual_subnet_id=of(0, 5000),
        acls=st.lists(ACL, max_size=2, unique_by=str).map(lambda acls: [*acls, METER]),
        extended_acls=of([], [{"action": "Deny", "direction": "Inbound", "weight": 1}]),
        isolation=some(allow_untagged_traffic=flags, default_id=of(0, 9)),
    )
    return fields.map(lambda data: {"name": name, **data})


ADDRESSES: tuple[list[str], ...] = (
    [],
    ["203.0.113.7/24"],
    ["10.9.0.5/24", "fd00::5/64"],
    ["10.9.0.5/16", "10.9.0.6/24"],
    ["10.9.0.5/24 duplicate"],
    ["10.9.0.6/24 tentative"],
    ["10.9.0.5/24 dhcp"],
    ["10.9.0.77/24 dhcp"],
    ["10.9.0.6/24 other"],
    ["192.168.50.1/24"],
)


@st.composite
def addressed(draw: st.DrawFn) -> Data:
    """What TCP/IP has on an adapter of the host, as somebody or DHCP left it."""
    addresses = draw(of(*ADDRESSES))
    leased = any("dhcp" in text for text in addresses)
    kind = " dhcp" if leased else ""
    by_hand = any("." in text for text in addresses)
    return {
        "ip_addresses": addresses,
        "gateways": draw(of([], [f"10.9.0.1{kind}"], [f"10.9.0.2{kind}", "fd00::1"])),
        "dns": draw(of([], [f"10.9.0.53{kind}"], ["10.9.0.54", "fd00::53"])),
        "dhcp": leased or (not by_hand and draw(flags)),
    }


MAPPED = [{"port": 80, "to": "192.168.50.9:80", "id": 1}, {"port": 22, "to": "192.168.50.8:22", "id": 2}]
NATS: tuple[list[Data], ...] = (
    [],
    [{"name": "lan", "internal": "192.168.50.0/24", "mappings": MAPPED}],
    [{"name": "by-hand", "internal": "192.168.50.1/24"}],
    [{"name": "docker", "internal": "172.30.0.0/20", "mappings": [{"port": 81, "to": "172.30.0.2:81", "id": 3}]}],
)


@st.composite
def hosts(draw: st.DrawFn, os: OS) -> Data:
    cards: list[Data] = [{"name": "Ethernet", "addresses": ["192.0.2.9/24"]}]
    for number, name in enumerate(NICS):
        cards.append({"name": name, "vmmq_support": True, "addresses": draw(of([], [f"198.51.100.{number + 1}/24"]))})
    names = draw(of((), ("lan",), ("lan", "san")))
    shares: tuple[tuple[str, ...], ...] = draw(of(((), ()), (NICS[:1], ()), (NICS[:2], NICS[2:])))
    switches = [draw(there(n, s, os)) for n, s in zip(names, shares, strict=False)]
    vms = [
        {
            "name": "web01",
            "generation": 1 if os == "2012" else draw(of(1, 2)),
            "state": draw(of("Off", "Running")),
            "drives": [],
            "adapters": [draw(adapter(n, names)) for n in draw(of((), ("a",), ("a", "b")))],
            "checkpoints": [{"name": "before"}] * draw(of(0, 1)),
        }
    ]
    shared = [s["name"] for s in switches if s.get("allow_management_os") or s.get("type") == "Internal"]
    has = draw(st.integers(0, 1)) if shared else 0
    own = [{"name": "storage", "switch": name, **draw(addressed())} for name in shared[:has]]
    own += [{"name": name, "switch": name, **draw(addressed())} for name in shared if draw(flags)]
    nats = draw(of(*NATS)) if os not in ("2012", "2012r2") else []
    return {"os": os, "net_adapters": cards, "management": "Ethernet", "switches": switches, "vms": vms,
            "management_adapters": own, "nats": nats}  # fmt: skip


# --- what is wished of it --------------------------------------------------------------------------------------------


@st.composite
def wanted(draw: st.DrawFn, name: str, os: OS) -> Data:
    if draw(st.integers(0, 5)) == 0:
        return {"name": name, "ensure": "absent"}
    modern = os not in ("2012", "2012r2")
    outside = draw(flags)
    nics = draw(of(["Ethernet 2"], ["Ethernet 3"], *([["Ethernet 2", "Ethernet 3"], ["Ethernet 4"]] if modern else [])))
    fields: dict[str, st.SearchStrategy[Any]] = {
        "notes": of("ours", None),
        "minimum_bandwidth_mode": of("weight", "absolute", "none"),
        "default_flow_minimum_bandwidth_weight": of(7),
        "default_flow_minimum_bandwidth_absolute": of(None, "8Mbps"),
        "extensions": some(ndis_capture=flags, filtering_platform=flags),
        "extension_order": of(["ndis_capture", "filtering_platform"], ["filtering_platform", "ndis_capture"]),
    }
    if outside:
        fields |= {"net_adapters": st.just(nics), "allow_management_os": flags, "iov": flags}
    if outside and modern:
        fields |= {
            "embedded_teaming": flags,
            "load_balancing": of("dynamic", "hyper_v_port"),
            "packet_direct": flags,
            "default_queue": some(vmmq=flags, queue_pairs=of(4, 16)),
        }
    if not outside and modern:
        fields["nat"] = translation()
    kind = of("external") if outside else of("private", "internal")
    return {"name": name, **draw(some(type=kind, **fields))}


def translation() -> st.SearchStrategy[Data]:
    mappings = of(
        [],
        [{"port": 80, "to": "192.168.50.9:80"}],
        [{"port": 80, "to": "192.168.50.7:8080"}, {"port": 22, "ensure": "absent"}],
        [{"port": 81, "to": "192.168.50.9:80"}, {"port": 80, "protocol": "udp", "to": "192.168.50.9:80"}],
    )
    present = some(
        name=of("by-hand", "docker"),
        prefix=of("192.168.50.0/24", "192.168.0.0/16", "10.9.0.0/16"),
        address=of("192.168.50.1", "192.168.50.254/24", "10.9.0.5"),
        mappings=mappings,
        mappings_only=flags,
    )
    return st.one_of(present, present, st.just({"ensure": "absent"}))


def wished_addresses() -> st.SearchStrategy[Data]:
    return some(
        addresses=of([], ["10.9.0.5/24"], ["10.9.0.5/24", "10.9.0.6/24"], ["fd00::5/64"], ["192.168.50.1/24"]),
        gateway=of("10.9.0.1", "10.9.0.2", None),
        dns=of([], ["10.9.0.53"], ["fd00::53", "10.9.0.54"]),
        dhcp=flags,
    )


WISHED_ACL = st.fixed_dictionaries(
    {"action": of("allow", "deny"), "direction": of("inbound", "outbound", "both")}
).flatmap(lambda acl: of("10.0.0.0/8", "any", "0.0.0.0/0").map(lambda address: {**acl, "remote": address}))


COUNTS = {"storm_limit": 100, "dynamic_ip_address_limit": 4, "virtual_subnet": 5000}
"""Limits, and what null clears them to is what they are by themselves."""


def wished_adapter(name: str, os: OS) -> st.SearchStrategy[Data]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        "switch": of("lan", "san", None),
        "bandwidth": some(weight=of(10, None), minimum=of("8Mbps"), maximum=of("1Gbps", None)),
        "vlan": of({"access": 20}, {"trunk": "100-103"}, {"trunk": 20, "native": 0}, "untagged", None),
        "acls": st.one_of(st.none(), st.lists(WISHED_ACL, max_size=2)),
        **{name: of(None, 0, high) for name, high in COUNTS.items()},
        "dhcp_guard": flags,
    }
    if os != "2012":
        fields |= {
            "extended_acls": of(None, [], [{"action": "allow", "direction": "inbound", "weight": 1, "stateful": True}]),
            "isolation": some(allow_untagged=flags, default_id=of(0, 30), mode=of("vlan", "none")),
        }
    if os not in ("2012", "2012r2"):
        fields |= {"team_mapping": of("Ethernet 2", "Ethernet 3", None), "vmmq_queue_pairs": of(2, 16)}
    return some(**fields).map(lambda data: {"name": name, **data})


@st.composite
def situations(draw: st.DrawFn) -> tuple[OS, Data, Data, frozenset[Impact]]:
    os = draw(st.sampled_from(VERSIONS))
    parts = some(exclusive=st.just(["network_adapters"]))
    vm = {
        "name": "web01",
        **draw(parts),
        "network_adapters": [draw(wished_adapter(n, os)) for n in draw(of((), ("a",)))],
    }
    play: Data = {"hosts": "all", "vms": [vm]}
    play["switches"] = [draw(wanted(n, os)) for n in draw(of((), ("lan",), ("lan", "san")))]
    own = {"storage": draw(of("lan", "san")), "lan": "lan"}
    play["host_network_adapters"] = [
        {
            "name": name,
            "switch": switch,
            **draw(some(vlan=of({"access": 30}, None), dhcp_guard=flags, acls=of(None, []))),
            **draw(wished_addresses()),
        }
        for name, switch in own.items()
        if draw(flags)
    ]
    return os, draw(hosts(os)), play, draw(st.frozensets(st.sampled_from(CONSENTS)))


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(situations())
def test_one_apply_is_enough_for_the_network_or_the_plan_names_what_is_left(
    situation: tuple[OS, Data, Data, frozenset[Impact]],
) -> None:
    os, host, play, allow = situation
    if (found := sound(os, play, allow)) is None:
        return
    transport = TwinTransport(SimulatedHost.from_yaml(host))
    facts = look(transport, found)
    plan = make_plan(found, facts, frozenset())
    if "exclusive" not in play["vms"][0]:  # there, what is not written goes
        assert sent(plan) == sent(make_plan(never_written(found, plan), facts, frozenset()))
    report = apply_plan(plan, found, transport)
    assert not isinstance(report, list)
    failed = [r for r in report.results if r.status != "ok"]
    kept = [r for r in failed if r.failure and r.failure.kind == "GuardFailed"]  # who should have left is still there
    assert len(kept) == len(failed) and (not kept or any(a.undone for a in plan.actions)), [
        f"{r.step.task.call}: {r.failure or r.why}" for r in failed
    ]
    assert report.after is not None
    known = _named(plan) | {r.step.action for r in kept}
    assert _left(report.after) <= known
    assert not report.after.steps or known
