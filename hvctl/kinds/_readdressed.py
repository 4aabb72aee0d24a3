"""The host's adapter of a switch that is recreated: it gets again what was set on it by hand (networking 3, 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hvctl.call import Call, Ref, Row
from hvctl.core.changes import Step
from hvctl.core.facts import Facts
from hvctl.kinds._cluster import ROLES
from hvctl.kinds._ip import (
    DEVICES,
    EVERYWHERE,
    HOST_ADDRESSES,
    INTERFACES,
    ROUTES,
    SERVERS,
    Interface,
    Now,
    interface_of,
    new_interface,
    servers,
    without_route,
)

QUERIES = (DEVICES, INTERFACES, HOST_ADDRESSES, ROUTES, SERVERS, ROLES)


def kept(adapter: Row, facts: Facts) -> Now:
    """What it has that can be set again. On a node of a cluster nothing: some of it may be the cluster's."""
    devices = [row for row in facts.rows(DEVICES) if row["Id"] == adapter["Id"]]
    interface = interface_of(devices[0], facts) if devices else None
    if interface is None or interface.new:
        return Now(None)
    now = Now.of(interface.alias, facts)
    return Now(None) if now.shared else now


def set_again(adapter: Row, because: tuple[str, ...], needs: tuple[Step, ...], facts: Facts) -> Iterator[Step]:
    """Each address, default route and server once more. Some may come back by themselves, with the adapter below the
    switch: what is there is removed first, so that it is never refused as being there already."""
    now, interface = kept(adapter, facts), new_interface(str(adapter["Name"]))
    for call, text in _calls(now, interface, facts):
        step = Step(call, text, because, needs=needs, guard=interface.guard)
        yield step
        needs = (step,)


def _calls(now: Now, interface: Interface, facts: Facts) -> Iterator[tuple[Call, str]]:
    where = f"on {interface.alias}"
    for one in now.by_hand:
        there = Ref(Call("Get-NetIPAddress"), {"InterfaceAlias": interface.alias, "IPAddress": one.ip}, many=True)
        cleared = Call("Remove-NetIPAddress", {"InputObject": there, "Confirm": False})
        yield cleared, f"remove {one.ip} {where} if it came back by itself"
        length = one.at.network.prefixlen
        params: dict[str, Any] = {"InterfaceIndex": interface.index, "IPAddress": one.ip, "PrefixLength": length}
        yield Call("New-NetIPAddress", params), f"set {one.text} {where} again"
    for route in (r for r in now.routes if r.by_hand):
        text = f"remove the default route by {route.via} {where} if it came back by itself"
        yield without_route(interface, route.version, route.via, many=True), text
        to = EVERYWHERE[route.version]
        params = {"InterfaceIndex": interface.index, "DestinationPrefix": to, "NextHop": route.via}
        yield Call("New-NetRoute", params), f"set the default route by {route.via} {where} again"
    found = servers(now.alias, {4, 6}, facts) if now.alias is not None and now.by_hand else ()
    if found:
        call = Call("Set-DnsClientServerAddress", {"InterfaceIndex": interface.index, "ServerAddresses": found})
        yield call, f"set the name servers {where} again"
