"""Addresses, gateway and name servers of an adapter of the management OS (networking 3, 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_interface
from typing import Annotated, Any

from hvctl.call import Call, Guard, Ref
from hvctl.contract import OS
from hvctl.core.changes import Change, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import Instead, Null
from hvctl.core.impact import Impact
from hvctl.core.values import UNKNOWN
from hvctl.kinds._adapter import Adapter
from hvctl.kinds._cluster import ROLES
from hvctl.kinds._ip import (
    CONNECTIONS,
    DEVICES,
    EVERYWHERE,
    HOST_ADDRESSES,
    INTERFACES,
    ROUTES,
    SERVERS,
    Found,
    HostAddress,
    Interface,
    Now,
    PlainAddress,
    Route,
    bare,
    everywhere,
    may_carry,
    other_default_routes,
    servers,
    version,
    without_route,
)
from hvctl.kinds._types import Flag
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.quoting import argument

IP = ("addresses", "gateway", "dns", "dhcp")
ALL_IP: Mapping[str, Any] = {"addresses": [], "gateway": None, "dns": [], "dhcp": True}
"""Written so, all of it is read."""
OURS = "hvctl's own connection may run over them"

_WHOSE = {
    "Dhcp": "from DHCP",
    "Other": "of a cluster or another service",
    "RouterAdvertisement": "from a router",
    "WellKnown": "of its own",
}


class Addressed(Adapter):
    """With what TCP/IP has on it. `addresses` are all that are set by hand."""

    addresses: Annotated[list[HostAddress] | None, Instead("[]")] = None
    gateway: Annotated[PlainAddress | None, Null("no default route")] = None
    dns: Annotated[list[PlainAddress] | None, Instead("[]")] = None
    dhcp: Flag | None = None

    # --- as desired ------------------------------------------------------------------------------------------------

    @property
    def ip_written(self) -> tuple[str, ...]:
        return tuple(f for f in IP if self.wrote(f))

    def ip_queries(self) -> tuple[Call, ...]:
        if not self.ip_written:
            return ()
        found = [DEVICES, INTERFACES, HOST_ADDRESSES, CONNECTIONS, ROUTES, ROLES]
        return tuple([*found, SERVERS] if self.wrote("dns") else found)

    def ip_wanted(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.addresses is not None:
            found["addresses"] = tuple(self.addresses)
        if self.wrote("gateway"):
            found["gateway"] = self.gateway
        if self.dns is not None:
            found["dns"] = tuple(self.dns)
        if self.dhcp is not None:
            found["dhcp"] = self.dhcp
        return found

    def ip_rules(self, os: OS) -> Iterator[Diagnostic]:
        seen: dict[str, int] = {}
        for n, address in enumerate(self.addresses or ()):
            if seen.setdefault(bare(address), n) != n:
                yield finding(f"addresses.{n}", f"{bare(address)} is in the list twice", "write it once")
        for n, server in enumerate(self.dns or ()):
            if server in (self.dns or ())[:n]:
                yield finding(f"dns.{n}", f"{server} is in the list twice", "write it once")
        by_hand = any(version(a) == 4 for a in self.addresses or ())
        if self.dhcp and by_hand:
            yield finding(
                "dhcp", "an address by hand and DHCP exclude each other", "write `dhcp: false`, or no addresses"
            )
        elif self.dhcp and self.gateway and version(self.gateway) == 4:
            yield finding("gateway", "DHCP brings the gateway", "remove it")
        if self.gateway and self.addresses is not None:
            yield from self._reached(self.addresses)

    def _reached(self, addresses: list[HostAddress]) -> Iterator[Diagnostic]:
        hop = ip_address(self.gateway or "")
        nets = [ip_interface(a) for a in addresses]
        if hop.is_link_local:
            return
        if any(hop == n.ip for n in nets):
            yield finding("gateway", f"{hop} is an address of the adapter itself", "write the router's")
        elif not any(hop in n.network for n in nets if n.version == hop.version):
            has = ", ".join(str(n.network) for n in nets if n.version == hop.version) or "none of that family"
            yield finding(
                "gateway", f"{hop} is in no network of the adapter's ({has})", "write a router in one of them"
            )

    # --- as it is --------------------------------------------------------------------------------------------------

    def ip_actual(self, now: Now, facts: Facts) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.addresses is not None:
            found["addresses"] = self._addresses_now(now)
        if self.wrote("gateway"):
            found["gateway"] = self._gateway_now(now)
        if self.dns is not None:
            found["dns"] = self._dns_now(now, facts)
        if self.dhcp is not None:
            found["dhcp"] = UNKNOWN if now.dhcp is None else now.dhcp
        return found

    def _addresses_now(self, now: Now) -> tuple[str, ...]:
        """What is desired, as it is, and whatever else was set by hand."""
        desired = {bare(a): a for a in self.addresses or ()}
        found = []
        for one in now.found:
            if one.ip in desired or (one.by_hand and not one.link_local and not now.shared):
                found.append(f"{one.text}{_flaw(one)}")
        return tuple(
            sorted(found, key=lambda text: list(desired).index(b) if (b := bare(text)) in desired else len(desired))
        )

    def turns_static(self, now: Now) -> bool:
        """DHCP ends with the first address that is set by hand (PSD; networking 4)."""
        missing = (a for a in self.addresses or () if version(a) == 4 and now.having(a) is None)
        return bool(now.dhcp) and next(missing, None) is not None

    def _gateway_now(self, now: Now) -> Any:
        """The one next hop, or several, or None."""
        hops = tuple(f"{r.via}{' (from DHCP)' if self._goes(r, now) else ''}" for r in self._routes(now))
        return None if not hops else hops[0] if len(hops) == 1 else hops

    def _routes(self, now: Now) -> tuple[Route, ...]:
        """Those that `gateway` is about: of its family; without one, all that somebody made."""
        family = version(self.gateway) if self.gateway else None
        same = (r for r in now.routes if family in (None, r.version))
        return tuple(r for r in same if r.version == 4 or r.by_hand or r.via == self.gateway)

    def _goes(self, route: Route, now: Now) -> bool:
        return route.by_dhcp and route.version == 4 and self.turns_static(now)

    def _dns_now(self, now: Now, facts: Facts) -> Any:
        desired = self.dns or []
        if not desired and now.dhcp and not self.turns_static(now):
            return UNKNOWN
        if now.alias is None:
            return ()
        found = servers(now.alias, {version(s) for s in desired} or {4, 6}, facts)
        return tuple(f"{s} (perhaps from DHCP)" for s in found) if self.turns_static(now) else found

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "addresses":
            return set(now) == set(wanted)
        if field == "dns":
            return all([s for s in now if _family(s) == v] == [s for s in wanted if _family(s) == v] for v in (4, 6))
        return super().same(field, now, wanted)

    # --- what the facts show ---------------------------------------------------------------------------------------

    def ip_findings(
        self, changes: tuple[Change, ...], now: Now, interface: Interface, facts: Facts
    ) -> Iterator[Diagnostic]:
        fields = {c.field for c in changes}
        if "addresses" in fields:
            yield from self._clashes(now, interface, facts)
        if self.addresses is not None:
            yield from self._told(now, interface, facts)
        yield from self._dhcp(now, interface)
        if self.gateway and "gateway" in fields:
            if self.addresses is None:
                yield from self._reached([f.text for f in now.found])
            family = version(self.gateway)
            for alias, route in other_default_routes(interface.alias, family, facts):
                text = f"the host has another default route, by {route.via} on {alias}"
                yield finding("gateway", text, "its traffic may leave by either; see to the metrics", "warning")
        if "gateway" in fields and not self.turns_static(now) and any(r.by_dhcp for r in self._routes(now)):
            yield finding(
                "gateway", "the default route that it has comes from DHCP", _by_hand(interface.alias, "Disabled")
            )

    def _clashes(self, now: Now, interface: Interface, facts: Facts) -> Iterator[Diagnostic]:
        """What New-NetIPAddress would refuse, or has no use."""
        for n, address in enumerate(self.addresses or ()):
            field, there = f"addresses.{n}", now.having(address)
            other = next((f for f in everywhere(facts) if f.ip == bare(address) and not _is(f, now, interface)), None)
            if there is None and other is not None:
                yield finding(field, f"{other.ip} is on {other.alias} of this host", "take it from there first")
            elif there is not None and there.state == "Duplicate":
                text = f"{there.ip} is a duplicate: another machine on the network has it, and Windows does not use it"
                yield finding(field, text, "free it there, or write another")
            elif there is not None and there.origin == "Dhcp":
                yield finding(field, f"the adapter has {there.ip} from DHCP", _by_hand(interface.alias, "Disabled"))
            elif there is not None and not there.by_hand:
                text = f"the adapter has {there.ip} already, but not by hand ({_WHOSE[there.origin]})"
                yield finding(field, text, "write another")

    def _told(self, now: Now, interface: Interface, facts: Facts) -> Iterator[Diagnostic]:
        for n, address in enumerate(self.addresses or ()):
            there = now.having(address)
            if there is not None and there.state == "Tentative":
                why = "is being checked" if interface.up else "waits for the link, which is down"
                yield finding(f"addresses.{n}", f"{there.ip} is tentative: it {why}, and is not in use", "", "warning")
        left = [f.text for f in now.surplus(self.addresses or ())] if now.shared else []
        if left:
            text = f"{', '.join(left)} stays: on a node of a cluster it may be the cluster's"
            yield finding("addresses", text, "remove it by hand if it is not", "warning")

    def _dhcp(self, now: Now, interface: Interface) -> Iterator[Diagnostic]:
        if self.dhcp is not None and now.dhcp is None:
            text = "whether DHCP is on is not known: the adapter has no IPv4 address, or no interface yet"
            yield finding("dhcp", text, "look with Get-NetIPInterface on the host", "unknown")
        elif self.dhcp and now.dhcp is False:
            yield finding("dhcp", "it has addresses by hand, and no DHCP", _by_hand(interface.alias, "Enabled"))
        elif self.dhcp is False and now.dhcp and not self.turns_static(now):
            hint = f"write addresses (DHCP ends with the first), or {_by_hand(interface.alias, 'Disabled')}"
            yield finding("dhcp", "its addresses come from DHCP", hint)
        if self.dns == [] and now.dhcp and not self.turns_static(now):
            text = "whether name servers are set by hand is not known where DHCP brings some"
            yield finding("dns", text, "remove it, or write the servers", "unknown")

    # --- changing --------------------------------------------------------------------------------------------------

    def ip_impacts(self, field: str, now: Any, now_there: Now, facts: Facts) -> frozenset[Impact]:
        """Whatever changes on the adapter that the connection runs over may cut it (networking 4)."""
        if now_there.alias is not None and may_carry(now_there.alias, facts):
            return frozenset({"disconnect", "management"})
        more_only = field == "addresses" and set(now or ()) <= set(self.addresses or ())
        harmless = more_only or field in ("dns", "dhcp") or now is None
        leaves_dhcp = field in ("addresses", "dhcp") and self.turns_static(now_there) and _has_lease(now_there)
        return frozenset({"disconnect"}) if leaves_dhcp or not harmless else frozenset({"online"})

    def ip_note(self, field: str, now: Now, facts: Facts) -> str:
        if field not in IP or now.alias is None:
            return ""
        parts = []
        if field in ("addresses", "dhcp") and self.turns_static(now) and _has_lease(now):
            parts.append("DHCP ends, and what it brought goes")
        if may_carry(now.alias, facts):
            own = ", ".join(f.ip for f in now.found if not f.link_local)
            parts.append(f"its addresses ({own}) carry connections; {OURS}")
        return "; ".join(parts)

    def ip_steps(self, changes: tuple[Change, ...], now: Now, interface: Interface, what: str) -> Iterator[Step]:
        """What is new before what goes, each only if what was before it succeeded (networking 4: half of it may be
        done)."""
        fields = {c.field for c in changes}
        last: tuple[Step, ...] = ()
        for step in self._steps(fields, now, interface, what):
            placed = Step(step.call, step.text, step.because, needs=last, guard=step.guard)
            yield placed
            last = (placed,)

    def ip_waits(self, interface: Interface, what: str) -> Step:
        """Where nothing else does, so that the look at what was done finds it."""
        text = f"wait for the interface of {what}"
        return Step(Call("Get-NetAdapter", {}), text, self.ip_written, guard=interface.guard)

    def _steps(self, fields: set[str], now: Now, interface: Interface, what: str) -> Iterator[Step]:
        guard, index = interface.guard, interface.index
        if "addresses" in fields:
            for address in self.addresses or ():
                yield from _added(address, now, index, what, guard, "dhcp" in fields)
        if "gateway" in fields:
            yield from self._routed(now, interface, what, guard)
        if "addresses" in fields and not now.shared:
            for one in now.surplus(self.addresses or ()):
                params: dict[str, Any] = {"InterfaceIndex": index, "IPAddress": one.ip, "Confirm": False}
                yield Step(
                    Call("Remove-NetIPAddress", params), f"remove {one.text} from {what}", ("addresses",), guard=guard
                )
        if "dns" in fields:
            how: dict[str, Any] = {"ServerAddresses": tuple(self.dns)} if self.dns else {"ResetServerAddresses": True}
            call = Call("Set-DnsClientServerAddress", {"InterfaceIndex": index, **how})
            yield Step(call, f"set the name servers of {what}", ("dns",), guard=guard)

    def _routed(self, now: Now, interface: Interface, what: str, guard: Guard | None) -> Iterator[Step]:
        """A default route apart from its address: together they are refused where one is there already."""
        family = version(self.gateway) if self.gateway else 4
        unsure = family == 4 and self.turns_static(now)
        if unsure:
            # Whether it goes with the lease is seen only then.
            text = f"remove the default route that {what} may still have"
            yield Step(without_route(interface, 4, many=True), text, ("gateway",), guard=guard)
        there = () if unsure else self._routes(now)
        if self.gateway and not any(r.via == self.gateway for r in there):
            params: dict[str, Any] = {"InterfaceIndex": interface.index, "DestinationPrefix": EVERYWHERE[family]}
            call = Call("New-NetRoute", {**params, "NextHop": self.gateway})
            yield Step(call, f"route {what} by {self.gateway}", ("gateway",), guard=guard)
        for route in (r for r in there if r.via != self.gateway):
            text = f"remove the default route of {what} by {route.via}"
            yield Step(without_route(interface, route.version, route.via), text, ("gateway",), guard=guard)


def _by_hand(alias: str, word: str) -> str:
    """Set-NetIPInterface is in no contract (networking 6)."""
    return f"do it on the host: Set-NetIPInterface -InterfaceAlias {argument(alias)} -AddressFamily IPv4 -Dhcp {word}"


def _flaw(found: Found) -> str:
    if found.state == "Duplicate":
        return " (duplicate)"
    return "" if found.by_hand else f" ({_WHOSE.get(found.origin, found.origin)})"


def _is(found: Found, now: Now, interface: Interface) -> bool:
    return found.alias.casefold() in {interface.alias.casefold(), (now.alias or "").casefold()}


def _family(server: str) -> int:
    return version(server.partition(" ")[0])


def _has_lease(now: Now) -> bool:
    return any(f.origin == "Dhcp" for f in now.found)


def _added(address: str, now: Now, index: Ref, what: str, guard: Guard | None, ends_dhcp: bool) -> Iterator[Step]:
    there = now.having(address)
    ip, length = bare(address), ip_interface(address).network.prefixlen
    if there is not None and there.at.network.prefixlen == length:
        return
    verb, text = (
        ("New", f"give {what} {address}") if there is None else ("Set", f"make {there.text} of {what} {address}")
    )
    params: dict[str, Any] = {"InterfaceIndex": index, "IPAddress": ip, "PrefixLength": length}
    served = ("addresses", "dhcp") if ends_dhcp and version(address) == 4 else ("addresses",)
    yield Step(Call(f"{verb}-NetIPAddress", params), text, served, guard=guard)
