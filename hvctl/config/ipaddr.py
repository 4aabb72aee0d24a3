"""The filter ipaddr, as the collection ansible.utils has it: what an address or a network is, on netaddr."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hvctl.config.filter_error import FilterError
from hvctl.text.extras import command
from hvctl.text.number import is_whole, whole
from hvctl.text.visible import quoted

_POINT_TO_POINT = 2


def ipaddr(value: Any, query: Any = "", version: int | bool = False) -> Any:
    """What the query asks of an address or a network, or the value itself if it is what the query says; else False
    or None. Of a list, those that answer. Raises FilterError without netaddr, ValueError for an unknown query."""
    if isinstance(value, list | tuple):
        return [found for item in value if (found := ipaddr(item, query, version))]
    net = _network(value, version)
    if net is None or (version and net.version != version):
        return False
    shown = str(value) if isinstance(value, str) and not is_whole(value) else str(net)
    return _answer(net, shown, "/" in shown and not is_whole(str(value)), query)


def _netaddr() -> Any:
    try:
        import netaddr  # noqa: PLC0415 - for those who have it
    except ImportError as error:
        raise FilterError("the filter ipaddr needs netaddr", command("ipaddr")) from error
    return netaddr


def _network(value: Any, version: int | bool) -> Any:
    """A number is an address of IPv4, or of IPv6 if it is too large."""
    netaddr = _netaddr()
    if not value or value is True:
        return None
    text = str(value)
    head, slash, prefix = text.partition("/")
    try:
        if not is_whole(head):
            return netaddr.IPNetwork(text)
        number = whole(head)
        four = version != 6 and number < 2**32
        address = netaddr.IPAddress(number, 4 if four else 6)
        return netaddr.IPNetwork(f"{address}/{prefix}" if slash else str(address))
    except (netaddr.AddrFormatError, ValueError, IndexError, TypeError):
        return None


def _answer(net: Any, shown: str, network: bool, query: Any) -> Any:
    word = str(query)
    if word in _QUERIES:
        return _QUERIES[word](net)
    if word in _SAME:
        return shown if _SAME[word](net) else None
    if word in _OF_NETWORKS:
        if not network:
            raise ValueError(f"ipaddr({quoted(word)}) takes a network such as 192.0.2.0/24, not {shown}")
        return _OF_NETWORKS[word](net)
    match word:
        case "":
            return str(net) if network else str(net.ip)
        case "int":
            return f"{int(net.ip)}/{net.prefixlen}" if network else int(net.ip)
        case "ipv4" | "v4":
            return shown if net.version == 4 else _or_false(lambda: str(net.ipv4()))
        case "ipv6" | "v6":
            return shown if net.version == 6 else str(net.ipv6())
        case "wrap":
            inner = f"[{net.ip}]"
            return shown if net.version == 4 else f"{inner}/{net.prefixlen}" if network else inner
    if is_whole(word.removeprefix("-")):
        return _nth(net, whole(word), network)
    other = _network(word, False)
    if other is None:
        raise ValueError(f"ipaddr: unknown query {quoted(word)}; one of {', '.join(_KNOWN)}, a number or a network")
    return shown if net in other else None


def _nth(net: Any, number: int, network: bool) -> Any:
    if net.size == 1:
        return str(net) if network else str(net.ip)
    try:
        return f"{net[number]}/{net.prefixlen}"
    except IndexError:
        return False


def _or_false(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except (ArithmeticError, ValueError, IndexError, _netaddr().AddrConversionError):
        return False


def _ends(net: Any) -> tuple[int, int]:
    small = net.size == _POINT_TO_POINT
    return net.first + (not small), net.last - (not small)


def _host(net: Any) -> bool:
    """An address within its network, not the network itself."""
    return bool(net.ip != net.network or not net.broadcast)


def _near(net: Any, step: int) -> Any:
    first, last = _ends(net)
    at = int(net.ip) + step
    return _ip(net, at) if first <= at <= last else None


def _ip(net: Any, number: int) -> str:
    return str(_netaddr().IPAddress(number, net.version))


def _with_prefix(net: Any) -> str:
    return f"{net.ip}/{net.prefixlen}"


def _within(net: Any) -> Any:
    return False if net.size > _POINT_TO_POINT and net.ip in (net.network, net.broadcast) else _with_prefix(net)


def _peer(net: Any) -> str:
    if net.size == _POINT_TO_POINT:
        return _ip(net, int(net.ip) ^ 1)
    if net.size == 4 and int(net.ip) % 4 in (1, 2):
        return _ip(net, int(net.ip) ^ 3)
    raise ValueError(f"ipaddr('peer'): {net} is not an address of a point-to-point network")


def _public(net: Any) -> bool:
    ip = net.ip
    return bool(ip.is_unicast() and ip.is_global() and not (ip.is_loopback() or ip.is_netmask() or ip.is_hostmask()))


_QUERIES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(
        ("address", "ip"),
        lambda n: str(n.ip) if n.size == 1 or _host(n) or n.version == 6 else None,
    ),
    **dict.fromkeys(("address/prefix", "gateway", "gw", "host/prefix", "hostnet", "router"), _within),
    "bool": lambda n: True,
    "broadcast": lambda n: str(n.broadcast) if n.size > _POINT_TO_POINT else None,
    "cidr": str,
    "host": lambda n: str(n) if n.size == 1 else _with_prefix(n) if _host(n) else None,
    **dict.fromkeys(("hostmask", "wildcard"), lambda n: str(n.hostmask)),
    "ip/prefix": lambda n: _with_prefix(n) if n.size > 1 and (n.size == 2 or n.ip != n.network) else None,
    "ip_netmask": lambda n: f"{n.ip} {n.netmask}" if n.size > 1 and (n.size == 2 or n.ip != n.network) else None,
    "net": lambda n: f"{n.network}/{n.prefixlen}" if n.size > 1 and n.ip == n.network else None,
    "netmask": lambda n: str(n.netmask),
    **dict.fromkeys(("network", "network_id"), lambda n: str(n.network)),
    **dict.fromkeys(("network/prefix", "subnet"), lambda n: str(n.cidr)),
    "network_netmask": lambda n: f"{n.network} {n.netmask}",
    "network_wildcard": lambda n: f"{n.network} {n.hostmask}",
    "prefix": lambda n: int(n.prefixlen),
    "revdns": lambda n: n.ip.reverse_dns,
    "size": lambda n: int(n.size),
    "size_usable": lambda n: 0 if n.size == 1 else 2 if n.size == _POINT_TO_POINT else int(n.size - 2),
    "type": lambda n: "address" if n.size == 1 or n.ip != n.network else "network",
    "version": lambda n: n.version,
}
_SAME: dict[str, Callable[[Any], bool]] = {
    "link-local": lambda n: n.ip.is_link_local(),
    **dict.fromkeys(("lo", "loopback"), lambda n: n.ip.is_loopback()),
    "multicast": lambda n: n.ip.is_multicast(),
    "private": lambda n: not n.ip.is_global(),
    "public": _public,
    "unicast": lambda n: n.ip.is_unicast(),
}
_OF_NETWORKS: dict[str, Callable[[Any], Any]] = {
    "first_usable": lambda n: _ip(n, _ends(n)[0]) if n.size > 1 else None,
    "last_usable": lambda n: _ip(n, _ends(n)[1]) if n.size > 1 else None,
    "next_usable": lambda n: _near(n, 1) if n.size > 1 else None,
    "peer": _peer,
    "previous_usable": lambda n: _near(n, -1) if n.size > 1 else None,
    "range_usable": lambda n: f"{_ip(n, _ends(n)[0])}-{_ip(n, _ends(n)[1])}" if n.size > 1 else None,
}
_KNOWN = sorted((*_QUERIES, *_SAME, *_OF_NETWORKS, "int", "ipv4", "ipv6", "wrap"))
