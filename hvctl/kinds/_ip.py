"""Addresses, routes and name servers of the host's interfaces: what is read, and as whose (networking 3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, ip_address, ip_interface, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator

from hvctl.call import Call, Guard, Ref, Row
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.rows import TypedRow, parsed, said
from hvctl.kinds._cluster import is_node
from hvctl.kinds._network import ADDRESSES, HOST_ADAPTERS, NICS, addresses_on
from hvctl.text.visible import quoted

INTERFACES = replace(NICS, select=("Name", "InterfaceDescription", "InterfaceGuid", "Status"))
DEVICES = replace(HOST_ADAPTERS, select=("Id", "Name", "SwitchName", "DeviceId"))
HOST_ADDRESSES = replace(
    ADDRESSES, select=("InterfaceAlias", "IPAddress", "PrefixLength", "PrefixOrigin", "AddressState")
)
ROUTES = Call("Get-NetRoute", select=("DestinationPrefix", "InterfaceAlias", "NextHop", "Protocol"))
SERVERS = Call("Get-DnsClientServerAddress", select=("InterfaceAlias", "ServerAddresses[]"))
CONNECTIONS = Call("Get-NetTCPConnection", {"State": "Established"}, select=("LocalAddress", "OwningProcess"))

NATS = Call("Get-NetNat", select=("Name", "InternalIPInterfaceAddressPrefix", "ExternalIPInterfaceAddressPrefix"))

ORIGINS = {0: "Other", 1: "Manual", 2: "WellKnown", 3: "Dhcp", 4: "RouterAdvertisement"}
STATES = {0: "Invalid", 1: "Tentative", 2: "Duplicate", 3: "Deprecated", 4: "Preferred"}
PROTOCOLS = {1: "Other", 2: "Local", 3: "NetMgmt", 19: "Dhcp"}
EVERYWHERE = {4: "0.0.0.0/0", 6: "::/0"}
"""Destination of a default route, by family."""

UNSET = ip_network("fec0:0:0:ffff::/64")
"""What an interface without name servers of its own lists for IPv6: site-local addresses that nobody answers [I]."""

SYSTEM = 4
"""The process that holds the connections of WinRM, whatever port they come in at."""

WAIT_S = 30
"""For the interface of an adapter that was just made (networking 2: NetworkingDsc waits as long)."""


# --- as users write them -------------------------------------------------------------------------------------------


def _usable(text: str, address: Any) -> None:
    odd = address.is_unspecified or address.is_loopback or address.is_multicast
    if odd or (address.version == 6 and address.is_link_local) or (address.version == 4 and address.is_reserved):
        raise ValueError(f"{quoted(text)} is not an address that an adapter can be given; write one of its network")


def _with_prefix(text: str) -> str:
    try:
        found = ip_interface(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is not an IP address; write such as '10.0.0.5/24'") from None
    if "/" not in text:
        raise ValueError(
            f"{quoted(text)} has no prefix length; write such as '{text}/{24 if found.version == 4 else 64}'"
        )
    _usable(text, found.ip)
    net = found.network
    if net.prefixlen == 0 or (
        found.version == 4 and net.prefixlen < 31 and found.ip in (net.network_address, net.broadcast_address)
    ):
        raise ValueError(f"{quoted(text)} is the network itself, or all of it; write an address within it")
    return str(found)


def plain_ip(text: str) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        raise ValueError(f"{quoted(text)} is not an IP address; write such as '10.0.0.1'") from None
    odd = found.is_unspecified or found.is_multicast
    if odd or getattr(found, "scope_id", None):
        raise ValueError(f"{quoted(text)} is not an address that a host can reach; write such as '10.0.0.1'")
    return str(found)


HostAddress = Annotated[str, AfterValidator(_with_prefix)]
"""An address with the length of its prefix, in its shortest form."""

PlainAddress = Annotated[str, AfterValidator(plain_ip)]


def version(text: str) -> int:
    """4 or 6."""
    return ip_interface(text).version


def bare(text: str) -> str:
    """An address without its prefix length."""
    return text.partition("/")[0]


# --- as the host tells them ----------------------------------------------------------------------------------------


def spelt(row: Row, name: str, words: Mapping[int, str]) -> str:
    """A word of an enumeration of the CIM classes, which may come as its number."""
    value = row[name]
    known = {word.casefold(): word for word in words.values()}
    if isinstance(value, int) and not isinstance(value, bool):
        return words.get(value, str(value))
    if isinstance(value, str) and value:
        return known.get(value.casefold(), words.get(int(value), value) if value.isdecimal() else value)
    if isinstance(row, TypedRow):
        raise row.unreadable(name, f"{said(value)} is not a word", said(value))
    raise ValueError(f"{name}: {said(value)}")


@dataclass(frozen=True)
class Found:
    """An address of an interface. `origin`, `state`: words of ORIGINS and STATES."""

    at: IPv4Interface | IPv6Interface
    alias: str
    origin: str
    state: str

    @property
    def text(self) -> str:
        return str(self.at)

    @property
    def ip(self) -> str:
        return str(self.at.ip)

    @property
    def by_hand(self) -> bool:
        return self.origin == "Manual"

    @property
    def link_local(self) -> bool:
        return self.at.ip.is_link_local or self.at.ip.is_loopback


def found_of(row: Row) -> Found:
    length = row["PrefixLength"]
    at = parsed(row, "IPAddress", lambda text: ip_interface(f"{text.partition('%')[0]}/{length}"))
    return Found(
        at, str(row["InterfaceAlias"]), spelt(row, "PrefixOrigin", ORIGINS), spelt(row, "AddressState", STATES)
    )


def on_interface(alias: str, facts: Facts) -> tuple[Found, ...]:
    return tuple(found_of(row) for row in facts.of_key(HOST_ADDRESSES, "InterfaceAlias", alias))


def everywhere(facts: Facts) -> Iterator[Found]:
    """All addresses of the host, without those that every interface has of its own."""
    for row in facts.rows(HOST_ADDRESSES):
        if not (found := found_of(row)).link_local:
            yield found


def leased(found: tuple[Found, ...]) -> bool | None:
    """Whether DHCP gives an interface its IPv4 addresses, as far as that can be told: Get-NetIPInterface is in no
    contract. 169.254/16 is what DHCP leaves where nobody answers. None: it has no address."""
    origins = {f.origin for f in found if f.at.version == 4}
    if origins & {"Dhcp", "WellKnown"} and "Manual" not in origins:
        return True
    return False if "Manual" in origins else None


@dataclass(frozen=True)
class Route:
    """A default route of an interface. `by_dhcp`: it comes and goes with a lease."""

    via: str
    version: int
    by_dhcp: bool
    by_hand: bool


def default_routes(alias: str, facts: Facts) -> tuple[Route, ...]:
    return tuple(_route(row) for row in facts.of_key(ROUTES, "InterfaceAlias", alias) if _is_default(row))


def other_default_routes(alias: str, family: int, facts: Facts) -> Iterator[tuple[str, Route]]:
    for row in facts.rows(ROUTES):
        other = str(row["InterfaceAlias"]).casefold() != alias.casefold()
        if other and _is_default(row) and (route := _route(row)).version == family:
            yield str(row["InterfaceAlias"]), route


def _is_default(row: Row) -> bool:
    return str(row["DestinationPrefix"]) in EVERYWHERE.values()


def _route(row: Row) -> Route:
    hop = parsed(row, "NextHop", lambda text: ip_address(text.partition("%")[0]))
    how = spelt(row, "Protocol", PROTOCOLS) if row.get("Protocol") is not None else "NetMgmt"
    return Route(str(hop), hop.version, how == "Dhcp", how == "NetMgmt")


def servers(alias: str, families: set[int], facts: Facts) -> tuple[str, ...]:
    """In effect, of these families: the host does not say whether they are leased or set by hand (networking 3)."""
    rows = facts.of_key(SERVERS, "InterfaceAlias", alias)
    texts = [str(s).partition("%")[0] for row in rows for s in row["ServerAddresses[]"] or ()]
    try:
        found = [ip_address(text) for text in texts]
    except ValueError as error:
        raise UnreadableError(SERVERS, property="ServerAddresses", why=str(error)) from None
    return tuple(str(a) for v in (4, 6) for a in found if a.version == v and v in families and a not in UNSET)


# --- whose they are ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Interface:
    """What Windows has of an adapter of the management OS. `alias`: its name; `where`: what tells it from all others.
    `new`: it is not there yet, so that it is waited for."""

    alias: str
    where: tuple[tuple[str, str], ...]
    up: bool = True
    new: bool = False

    @property
    def index(self) -> Ref:
        """Its number, looked up just before it is used: it changes when the host starts."""
        return Ref(Call("Get-NetAdapter"), dict(self.where), path="InterfaceIndex")

    @property
    def guard(self) -> Guard | None:
        """networking 2: right after a switch was made its interface may not be there yet."""
        if not self.new:
            return None
        unmet = f"Windows has no interface {self.alias} of the adapter"
        return Guard(Call("Get-NetAdapter"), dict(self.where), 1, 1, wait_s=WAIT_S, unmet=unmet)


def interface_of(adapter: Row, facts: Facts) -> Interface:
    """By its GUID. A name proves nothing: a device that is gone may keep it, and take every call without effect
    (networking 3). One that Windows does not have, or not yet, is waited for."""
    device = str(adapter.get("DeviceId") or "")
    rows = facts.of_key(INTERFACES, "InterfaceGuid", device) if device else ()
    if not rows:
        return replace(new_interface(str(adapter["Name"])), where=(("InterfaceGuid", device),))
    row = rows[0]
    return Interface(str(row["Name"]), (("InterfaceGuid", device),), str(row["Status"]) == "Up")


def new_interface(name: str) -> Interface:
    """Of an adapter that the plan makes: by the name that Windows gives it, if that is one that works."""
    alias = f"vEthernet ({name})"
    return Interface(alias, (("Name", alias), ("Status", "Up")), new=True)


@dataclass(frozen=True)
class Now:
    """What an interface has. `alias`: whose it is read of; None: of one that is not there yet, and has nothing.
    `made`: the plan makes it. `shared`: what reads as set by hand may be a cluster's."""

    alias: str | None
    found: tuple[Found, ...] = ()
    routes: tuple[Route, ...] = ()
    made: bool = False
    shared: bool = False

    @classmethod
    def of(cls, alias: str, facts: Facts) -> Now:
        return cls(alias, on_interface(alias, facts), default_routes(alias, facts), shared=is_node(facts))

    @property
    def dhcp(self) -> bool | None:
        """A new interface asks it."""
        return True if self.made else leased(self.found)

    @property
    def by_hand(self) -> tuple[Found, ...]:
        return tuple(f for f in self.found if f.by_hand and not f.link_local)

    def surplus(self, desired: Iterable[str]) -> tuple[Found, ...]:
        """What was set by hand beyond these."""
        kept = {bare(address) for address in desired}
        return tuple(f for f in self.by_hand if f.ip not in kept)

    def having(self, address: str) -> Found | None:
        ip = ip_address(bare(address))
        return next((f for f in self.found if f.at.ip == ip), None)


def without_route(interface: Interface, family: int, via: str = "", many: bool = False) -> Call:
    """By what tells a default route from all others. `many`: it need not be there."""
    where = {
        "InterfaceAlias": interface.alias,
        "DestinationPrefix": EVERYWHERE[family],
        **({"NextHop": via} if via else {}),
    }
    return Call("Remove-NetRoute", {"InputObject": Ref(Call("Get-NetRoute"), where, many=many), "Confirm": False})


def may_carry(alias: str, facts: Facts) -> bool:
    """Whether hvctl's own connection may run over an interface: it has an address that connections of WinRM use, or
    that cannot be told (networking 4)."""
    own = set(addresses_on(alias, facts))
    used = _used(facts)
    return bool(own) and (used is None or not own.isdisjoint(used))


def _used(facts: Facts) -> frozenset[str] | None:
    """Local addresses of connections that WinRM may have; None if one of them may come from a tunnel on the host."""
    reply = facts.reply(CONNECTIONS)
    if reply.failure is not None:
        return None
    mine = (row for row in facts.rows(CONNECTIONS) if row.get("OwningProcess", SYSTEM) == SYSTEM)
    found = frozenset(str(row["LocalAddress"]).partition("%")[0].removeprefix("::ffff:") for row in mine)
    return None if not found or any(a.startswith("127.") or a == "::1" for a in found) else found


# --- address translation -------------------------------------------------------------------------------------------


def translated(nat: Row) -> IPv4Network:
    """The prefix of a NAT. Those that HNS makes are not in the form of a network (networking 2)."""
    return parsed(nat, "InternalIPInterfaceAddressPrefix", lambda text: IPv4Network(text, strict=False))


def nats_on(adapters: Iterable[Row], facts: Facts) -> list[str]:
    """NATs whose address of the host is on these adapters of it and on no others: nothing but the prefix says which
    belongs to which (networking 1)."""
    aliases = {interface_of(device, facts).alias.casefold() for device in _devices(adapters, facts)}
    found = []
    for nat in facts.rows(NATS):
        if not nat.get("InternalIPInterfaceAddressPrefix"):
            continue
        prefix = translated(nat)
        having = {f.alias.casefold() for f in everywhere(facts) if f.at.version == 4 and f.at.ip in prefix}
        if having and having <= aliases:
            found.append(str(nat["Name"]))
    return found


def _devices(adapters: Iterable[Row], facts: Facts) -> list[Row]:
    ids = {str(row["Id"]) for row in adapters}
    return [row for row in facts.rows(DEVICES) if str(row["Id"]) in ids]
