"""Port ACLs of virtual adapters, plain and extended (domain 9)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_network
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hvctl.call import Call, Ref, Row
from hvctl.core.changes import Step, finding
from hvctl.core.fields import Fields, Input
from hvctl.kinds._types import LONGEST, Flag, Seconds, Words, bare_mac
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.number import is_whole, whole
from hvctl.text.visible import quoted

ACTIONS = Words(allow="Allow", deny="Deny")
DIRECTIONS = Words(inbound="Inbound", outbound="Outbound", both="Both")
WAYS = Words(inbound="Inbound", outbound="Outbound")

ACLS = "AclList[Action,Direction,LocalAddress,LocalAddressType,RemoteAddress,RemoteAddressType]"
EXTENDED_ACLS = (
    "ExtendedAclList[Action,Direction,Weight,LocalIPAddress,RemoteIPAddress,LocalPort,RemotePort,Protocol,Stateful,"
    "IdleSessionTimeout,IsolationID]"
)
_EVERYWHERE = ("0.0.0.0/0", "::/0")
_ANY_MAC = "any MAC"
_BARE_MAC = re.compile(r"^[0-9A-F]{12}$")
_PORTS = re.compile(r"^[0-9]{1,5}(-[0-9]{1,5})?$")
_PROTOCOLS = {"tcp": "6", "udp": "17"}


def _network(text: str) -> str:
    """Always with its prefix, so that a host and its /32 are one."""
    return str(ip_network(text, strict=False))


def _ip(value: str | None) -> str | None:
    if value is None or value.casefold() == "any":
        return value and "any"
    try:
        return _network(value)
    except ValueError:
        raise ValueError(
            f"{quoted(value)} is no IP address or network; write such as 10.0.0.0/8, 192.0.2.7, '2001:db8::/32' or any"
        ) from None


def _mac(value: str | None) -> str | None:
    if value is None or value.casefold() == "any":
        return value and "any"
    if not re.fullmatch(r"[0-9A-F]{12}", bare_mac(value)):
        raise ValueError(
            f"{quoted(value)} is no MAC address; write twelve hex digits such as '00-15-5D-01-02-03', or any"
        )
    return bare_mac(value)


def _port(value: Any) -> Any:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        value = value if value is None else str(value)
    if value is None or str(value).casefold() == "any":
        return value and "any"
    ends = [int(p) for p in str(value).split("-")] if _PORTS.match(str(value)) else []
    if not ends or ends[-1] > 65535 or ends != sorted(ends):
        raise ValueError(f"{quoted(value)} is no port; write such as 443, '8000-8010' or any")
    return str(value)


def _protocol(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or not isinstance(value, str):
        return value
    word = value.casefold()
    if word in ("any", *_PROTOCOLS) or (is_whole(word) and whole(word) <= 255):
        return word
    raise ValueError(f"{quoted(value)} is no protocol; write tcp, udp, any or a number such as 1 (ICMP)")


_NUMBERED = Input(({"type": "integer", "minimum": 0, "maximum": 255},))
IpAddress = Annotated[str | None, AfterValidator(_ip)]
Mac = Annotated[str | None, AfterValidator(_mac)]
Port = Annotated[str | None, BeforeValidator(_port), Input(({"type": "integer", "minimum": 0, "maximum": 65_535},))]


class Entry(NamedTuple):
    """One direction, one side, one address. Hyper-V's list has no order: the longest match decides."""

    action: str
    direction: str
    side: str
    address: str

    def __str__(self) -> str:
        return f"{self.action} {self.direction} {self.side} {self.address}"


class Acl(Fields):
    """Allows or denies traffic of one `direction` (or `both`) by one of four addresses: an IP address, a network or
    `any`; a MAC address or `any`."""

    action: Annotated[str, ACTIONS]
    direction: Annotated[str, DIRECTIONS]
    local: IpAddress = None
    remote: IpAddress = None
    local_mac: Mac = None
    remote_mac: Mac = None

    @model_validator(mode="after")
    def _one_address(self) -> Acl:
        given = [n for n in ("local", "remote", "local_mac", "remote_mac") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError("an ACL has one of local, remote, local_mac, remote_mac; write such as `remote: any`")
        return self

    def entries(self) -> Iterator[Entry]:
        side = "local" if self.local or self.local_mac else "remote"
        mac, ip = self.local_mac or self.remote_mac, self.local or self.remote
        addresses = (_ANY_MAC if mac == "any" else mac,) if mac else _EVERYWHERE if ip == "any" else (str(ip),)
        for direction in ("inbound", "outbound") if self.direction == "both" else (self.direction,):
            yield from (Entry(self.action, direction, side, address) for address in addresses)


def entries(acls: Iterable[Acl]) -> frozenset[Entry]:
    return frozenset(entry for acl in acls for entry in acl.entries())


def entries_of(rows: Iterable[Row]) -> frozenset[Entry]:
    """Meter entries are resource metering's own (domain 20)."""
    return frozenset(e for row in rows if row["Action"] != "Meter" for e in _row_entries(row))


def _row_entries(row: Row) -> Iterator[Entry]:
    """An ACL applies to one side; where both are said, the side that is no wildcard is meant [I]."""
    sides = [s for s in ("Remote", "Local") if _addresses(row, s)]
    exact = [s for s in sides if not str(row[f"{s}AddressType"]).startswith("Wildcard")]
    for side in (exact or sides)[:1]:
        for address in _addresses(row, side):
            yield Entry(str(ACTIONS.read(row["Action"])), str(WAYS.read(row["Direction"])), side.casefold(), address)


def _addresses(row: Row, side: str) -> tuple[str, ...]:
    text, kind = str(row[f"{side}Address"] or ""), str(row[f"{side}AddressType"])
    if kind in ("WildcardBoth", "WildcardMac"):
        return _EVERYWHERE if kind == "WildcardBoth" else (_ANY_MAC,)
    if not text:
        return ()
    return (bare_mac(text),) if kind == "Mac" else (_network(text),)


def entries_text(value: Iterable[Entry]) -> str:
    """What goes for both directions is said once."""
    return ", ".join(map(str, _either_way(frozenset(value)))) or "none"


def acls_written(found: Any) -> Any:
    """As a playbook has them."""
    if not isinstance(found, frozenset):
        return found
    return [
        {
            "action": e.action,
            "direction": e.direction,
            f"{e.side}_mac" if e.address == _ANY_MAC or _BARE_MAC.match(e.address) else e.side: "any"
            if e.address == _ANY_MAC
            else e.address,
        }
        for e in _either_way(found)
    ]


def _either_way(found: frozenset[Entry]) -> list[Entry]:
    """What goes for both directions once."""
    short = set(collapsed(found))
    ways = {e._replace(direction="") for e in short if e._replace(direction="inbound") in short}
    ways &= {e._replace(direction="") for e in short if e._replace(direction="outbound") in short}
    return sorted({e._replace(direction="both") if e._replace(direction="") in ways else e for e in short})


def collapsed(found: frozenset[Entry]) -> list[Entry]:
    """All IPv4 and all IPv6 addresses are any."""

    def short(entry: Entry) -> Entry:
        both = {entry._replace(address=a) for a in _EVERYWHERE}
        return entry._replace(address="any") if entry in both and both <= found else entry

    return sorted({short(entry) for entry in found})


def clashes(acls: Sequence[Acl]) -> Iterator[Diagnostic]:
    seen: dict[tuple[str, str, str], str] = {}
    for n, acl in enumerate(acls):
        for entry in acl.entries():
            if seen.setdefault(entry[1:], acl.action) != acl.action:
                yield finding(f"acls.{n}", f"{' '.join(entry[1:])} is allowed and denied", "keep one of them")
                break


def acl_steps(wanted: frozenset[Entry], rows: Sequence[Row], adapter: Ref, what: str) -> Iterator[Step]:
    """What is new first: nothing is let through between."""
    own = [r for r in rows if r["Action"] != "Meter"]
    stays = [r for r in own if set(_row_entries(r)) <= wanted]
    added = [_added(entry, adapter, what) for entry in collapsed(wanted - entries_of(stays))]
    yield from added
    gone = {tuple(r.items()): r for r in own if r not in stays}  # two that say the same go together
    for row in gone.values():
        meant = {name: str("" if value is None else value) for name, value in row.items()}
        found = Ref(Call("Get-VMNetworkAdapterAcl", {"VMNetworkAdapter": adapter}), meant, many=True)
        yield Step(Call("Remove-VMNetworkAdapterAcl", {"InputObject": found}), f"remove an ACL of {what}",
                   ("acls",), needs=tuple(added))  # fmt: skip


def _added(entry: Entry, adapter: Ref, what: str) -> Step:
    mac = entry.address == _ANY_MAC or re.fullmatch(r"[0-9A-F]{12}", entry.address) is not None
    parameter = f"{entry.side.capitalize()}{'Mac' if mac else 'IP'}Address"
    address = "ANY" if entry.address in ("any", _ANY_MAC) else entry.address
    params = {"VMNetworkAdapter": adapter, "Action": ACTIONS.write(entry.action),
              "Direction": WAYS.write(entry.direction), parameter: address}  # fmt: skip
    return Step(Call("Add-VMNetworkAdapterAcl", params), f"add an ACL to {what}", ("acls",))


# --- extended ----------------------------------------------------------------------------------------------------


class ExtendedEntry(NamedTuple):
    """Told from others by direction and weight. None: not managed."""

    direction: str
    weight: int
    action: str
    local: str
    remote: str
    local_port: str
    remote_port: str
    protocol: str
    stateful: bool | None
    idle_timeout: int | None
    isolation_id: int | None

    def same(self, wanted: ExtendedEntry) -> bool:
        return all(w is None or w == n for n, w in zip(self, wanted, strict=True))

    def __str__(self) -> str:
        proto = {number: word for word, number in _PROTOCOLS.items()}.get(self.protocol, self.protocol)
        ends = [f"{a}:{p}" for a, p in ((self.local, self.local_port), (self.remote, self.remote_port))]
        kept = " stateful" if self.stateful else ""
        return f"{self.weight} {self.action} {self.direction} {proto} local {ends[0]} remote {ends[1]}{kept}"


class ExtendedAcl(Fields):
    """Allows or denies traffic by address, port and protocol; the entry of the largest `weight` that fits decides.
    What is not written fits anything."""

    action: Annotated[str, ACTIONS]
    direction: Annotated[str, WAYS]
    weight: Annotated[int, Field(ge=0, le=2**31 - 1)]
    local: IpAddress = None
    remote: IpAddress = None
    local_port: Port = None
    remote_port: Port = None
    protocol: Annotated[str | None, BeforeValidator(_protocol), _NUMBERED] = None
    stateful: Flag | None = None
    idle_timeout: Annotated[Seconds | None, Field(le=LONGEST)] = None
    isolation_id: Annotated[int | None, Field(ge=0, le=16_777_215)] = None

    @model_validator(mode="after")
    def _ports(self) -> ExtendedAcl:
        ported = {self.local_port, self.remote_port} - {None, "any"}
        if ported and _number(self.protocol) not in _PROTOCOLS.values():
            raise ValueError("ports belong to tcp and udp; write `protocol: tcp` or `protocol: udp`")
        return self

    def entry(self) -> ExtendedEntry:
        return ExtendedEntry(
            self.direction,
            self.weight,
            self.action,
            self.local or "any",
            self.remote or "any",
            self.local_port or "any",
            self.remote_port or "any",
            _number(self.protocol),
            self.stateful,
            self.idle_timeout,
            self.isolation_id,
        )

    def arguments(self) -> dict[str, Any]:
        given = {
            "LocalIPAddress": self.local,
            "RemoteIPAddress": self.remote,
            "LocalPort": self.local_port,
            "RemotePort": self.remote_port,
            "Protocol": self.protocol and self.protocol.upper(),
        }
        more = {
            "Stateful": self.stateful,
            "IdleSessionTimeout": self.idle_timeout,
            "IsolationID": self.isolation_id,
        }
        return {
            "Action": ACTIONS.write(self.action),
            "Direction": WAYS.write(self.direction),
            **{name: value for name, value in given.items() if value is not None and value.casefold() != "any"},
            "Weight": self.weight,
            **{name: value for name, value in more.items() if value is not None},
        }


def _number(protocol: str | None) -> str:
    word = (protocol or "any").casefold()
    return _PROTOCOLS.get(word, word)


def _anything(text: Any) -> str:
    """How a host says that something fits anything is not known; these are all it could be."""
    return "any" if str(text or "").casefold() in ("", "any", "*") else str(text)


def extended_of(rows: Iterable[Row]) -> tuple[ExtendedEntry, ...]:
    found = []
    for row in rows:
        local, remote = (_anything(row[f"{s}IPAddress"]) for s in ("Local", "Remote"))
        found.append(
            ExtendedEntry(
                str(WAYS.read(row["Direction"])),
                int(row["Weight"]),
                str(ACTIONS.read(row["Action"])),
                local if local == "any" else _network(local),
                remote if remote == "any" else _network(remote),
                _anything(row["LocalPort"]),
                _anything(row["RemotePort"]),
                _number(_anything(row["Protocol"])),
                row["Stateful"],
                row["IdleSessionTimeout"],
                row["IsolationID"],
            )
        )
    return tuple(sorted(found))


def same_extended(now: Iterable[ExtendedEntry], wanted: Sequence[ExtendedEntry]) -> bool:
    left = {e[:2]: e for e in now}
    return left.keys() == {e[:2] for e in wanted} and all(left[e[:2]].same(e) for e in wanted)


def extended_written(found: Any) -> Any:
    """As a playbook has them."""
    if not isinstance(found, tuple):
        return found
    words = {number: word for word, number in _PROTOCOLS.items()}
    return [
        {
            name: words.get(value, value) if name == "protocol" else value
            for name, value in entry._asdict().items()
            if value is not None and value != "any"
        }
        for entry in found
    ]


def extended_twice(acls: Sequence[ExtendedAcl]) -> Iterator[Diagnostic]:
    seen: set[tuple[str, int]] = set()
    for n, acl in enumerate(acls):
        if (acl.direction, acl.weight) in seen:
            yield finding(f"extended_acls.{n}.weight", f"two {acl.direction} entries have the weight {acl.weight}",
                          "give each a weight of its own; the largest that fits decides")  # fmt: skip
        seen.add((acl.direction, acl.weight))


def extended_steps(
    wanted: Sequence[ExtendedAcl], now: Sequence[ExtendedEntry], adapter: Ref, what: str
) -> Iterator[Step]:
    """An entry cannot be changed; one that takes the place of another waits for its removal."""
    kept = {acl.entry()[:2]: acl for acl in wanted}
    removed: dict[Any, Step] = {}
    for entry in now:
        acl = kept.get(entry[:2])
        if acl is None or not entry.same(acl.entry()):
            params = {"VMNetworkAdapter": adapter, "Direction": WAYS.write(entry.direction), "Weight": entry.weight}
            step = Step(Call("Remove-VMNetworkAdapterExtendedAcl", params), f"remove an extended ACL of {what}",
                        ("extended_acls",))  # fmt: skip
            removed[entry[:2]] = step
            yield step
    standing = {e[:2] for e in now} - removed.keys()
    for key, acl in kept.items():
        if key not in standing:
            call = Call("Add-VMNetworkAdapterExtendedAcl", {"VMNetworkAdapter": adapter, **acl.arguments()})
            needs = (removed[key],) if key in removed else ()
            yield Step(call, f"add an extended ACL to {what}", ("extended_acls",), needs=needs)
