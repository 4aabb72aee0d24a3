"""The adapters of a replica: what they are on, in a test, and their addresses after a failover (domain 15.2)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Interface, ip_address, ip_interface
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from hvctl.call import EACH, Call, Ref, Row, Value
from hvctl.core.changes import Change, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import Fields, Null
from hvctl.kinds._network import SWITCHES, VM_ADAPTERS, switch_ref, switch_rows
from hvctl.kinds._replica import Side
from hvctl.kinds._vm import ALL_VMS
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.visible import quoted

ADAPTERS = replace(VM_ADAPTERS, select=("VMId", "Name", "SwitchName", "TestReplicaSwitchName"))


def _interface(text: str, version: int) -> str:
    try:
        found = ip_interface(text)
    except ValueError:
        found = None
    if found is None or found.version != version or "/" not in text:
        example = "10.1.0.7/24" if version == 4 else "2001:db8::7/64"
        raise ValueError(f"{quoted(text)} is not an IPv{version} address with the length of its prefix, as '{example}'")
    return str(found)


def _address(text: str, version: int) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        found = None
    if found is None or found.version != version:
        raise ValueError(f"{quoted(text)} is not an IPv{version} address")
    return str(found)


class IPv4(Fields):
    """What the guest is given after a failover."""

    address: Annotated[str, AfterValidator(lambda text: _interface(text, 4))]
    gateway: Annotated[str, AfterValidator(lambda text: _address(text, 4))] | None = None
    dns: Annotated[list[Annotated[str, AfterValidator(lambda text: _address(text, 4))]], Field(max_length=2)] = Field(
        default_factory=list
    )


class IPv6(Fields):
    """What the guest is given after a failover."""

    address: Annotated[str, AfterValidator(lambda text: _interface(text, 6))]
    gateway: Annotated[str, AfterValidator(lambda text: _address(text, 6))] | None = None
    dns: Annotated[list[Annotated[str, AfterValidator(lambda text: _address(text, 6))]], Field(max_length=2)] = Field(
        default_factory=list
    )


class ReplicaAdapter(Fields):
    """An adapter of the replica, by its name. `switch` and `test_switch` are of the host that has the replica."""

    name: Annotated[str, Field(min_length=1)]
    switch: Annotated[str | None, Null()] = None
    test_switch: Annotated[str | None, Null()] = None
    ipv4: Annotated[IPv4 | None, Null()] = None
    ipv6: Annotated[IPv6 | None, Null()] = None

    @property
    def wanted(self) -> Mapping[str, Any]:
        return {n: getattr(self, n) for n in ("switch", "test_switch", "ipv4", "ipv6") if n in self.model_fields_set}


def queries(adapters: Sequence[ReplicaAdapter]) -> tuple[Call, ...]:
    """A configuration does not say of which adapter it is: each name is asked for by itself."""
    return (ADAPTERS, SWITCHES, _configurations(adapters)) if adapters else ()


def _configurations(adapters: Sequence[ReplicaAdapter]) -> Call:
    params: dict[str, Value] = {"VM": ALL_VMS, "VMNetworkAdapterName": tuple(a.name for a in adapters)}
    select = ("VMId", *(f"IPv{v}{n}" for v in (4, 6) for n in _PROPERTIES), "IPv4SubnetMask", "IPv6SubnetPrefixLength")
    return Call("Get-VMNetworkAdapterFailoverConfiguration", params, select, each="VMNetworkAdapterName")


_PROPERTIES = ("Address", "DefaultGateway", "PreferredDNSServer", "AlternateDNSServer")


def written(adapters: Sequence[ReplicaAdapter]) -> dict[str, Any]:
    """As the plan tells it, by field."""
    return {f"adapters.{n}.{k}": _told(v) for n, a in enumerate(adapters) for k, v in a.wanted.items()}


def _told(value: Any) -> Any:
    if isinstance(value, IPv4 | IPv6):
        parts = [value.address, *([f"gateway {value.gateway}"] if value.gateway else [])]
        return ", ".join([*parts, *([f"dns {' '.join(value.dns)}"] if value.dns else [])])
    return value


def now(adapters: Sequence[ReplicaAdapter], side: Side) -> dict[str, Any]:
    """On the side that receives."""
    found: dict[str, Any] = {}
    for n, adapter in enumerate(adapters):
        row = _row(adapter, side)
        for key in adapter.wanted:
            found[f"adapters.{n}.{key}"] = None if row is None else _of(key, adapter, row, side)
    return found


def _row(adapter: ReplicaAdapter, side: Side) -> Row | None:
    if side.vm is None:
        return None
    rows = side.facts.of_key(ADAPTERS, "VMId", side.vm["Id"])
    return next((r for r in rows if str(r["Name"]).casefold() == adapter.name.casefold()), None)


def _of(key: str, adapter: ReplicaAdapter, row: Row, side: Side) -> Any:
    if key == "switch":
        return row["SwitchName"] or None
    if key == "test_switch":
        return row["TestReplicaSwitchName"] or None
    assert side.vm is not None
    rows = side.facts.of_key(_configurations((adapter,)), "VMId", side.vm["Id"])
    own = next((r for r in rows if str(r.get(EACH, adapter.name)).casefold() == adapter.name.casefold()), None)
    return None if own is None else _configured(own, 4 if key == "ipv4" else 6)


def _configured(row: Row, version: int) -> str | None:
    address, gateway, *dns = (str(row.get(f"IPv{version}{name}") or "") for name in _PROPERTIES)
    length = str(row.get("IPv4SubnetMask" if version == 4 else "IPv6SubnetPrefixLength") or "")
    if not address:
        return None
    try:
        told = str(ip_interface(f"{address}/{length}" if length else address))
        names = [str(ip_address(name)) for name in dns if name]
        way = str(ip_address(gateway)) if gateway else ""
    except ValueError:
        return ", ".join([f"{address}/{length}", gateway, *dns])
    parts = [told, *([f"gateway {way}"] if way else []), *([f"dns {' '.join(names)}"] if names else [])]
    return ", ".join(parts)


def as_written(vm_id: object, facts: Facts) -> str:
    """What a replica's adapters are on, as `adapters` of its primary's replication says it; addresses are not read. "" for
    none."""
    told = []
    for row in facts.of_key(ADAPTERS, "VMId", vm_id):
        given = {"name": row["Name"], "switch": row["SwitchName"], "test_switch": row["TestReplicaSwitchName"]}
        parts = [f"{word}: {value}" for word, value in given.items() if value]
        if len(parts) > 1:
            told.append("{" + ", ".join(parts) + "}")
    return f"`adapters: [{', '.join(told)}]`" if told else ""


def findings(
    adapters: Sequence[ReplicaAdapter], fields: frozenset[str], side: Side, coming: Collection[str]
) -> Iterator[Diagnostic]:
    """`coming`: switches that the plan of that host makes, without case."""
    for n, adapter in enumerate(adapters):
        if side.vm is not None and _row(adapter, side) is None:
            hint = "see its name on the primary, where the replica has it from"
            yield finding(f"adapters.{n}", f"the replica on {side.host} has no adapter {adapter.name}", hint)
        for key in ("switch", "test_switch"):
            name = adapter.wanted.get(key)
            if not name or f"adapters.{n}.{key}" not in fields:
                continue
            if name.casefold() not in coming and not switch_rows(name, side.facts):
                hint = f"correct it, or write the switch under `switches:` for {side.host}"
                yield finding(f"adapters.{n}.{key}", f"{side.host} has no switch {name}", hint)


def steps(
    adapters: Sequence[ReplicaAdapter],
    changes: Sequence[Change],
    vm: Ref,
    name: str,
    host: str,
    needs: tuple[Step, ...],
) -> Iterator[Step]:
    changed = {c.field for c in changes}
    for n, adapter in enumerate(adapters):
        keys = [k for k in adapter.wanted if f"adapters.{n}.{k}" in changed]
        ref = Ref(Call("Get-VMNetworkAdapter", {"VM": vm}), {"Name": adapter.name})
        for key in keys:
            call = _call(key, adapter, ref)
            text = f"set {key.replace('_', ' ')} of {adapter.name} of the replica of {name}"
            yield Step(call, text, (f"adapters.{n}.{key}",), needs, host=host)


def _call(key: str, adapter: ReplicaAdapter, ref: Ref) -> Call:
    value = adapter.wanted[key]
    if key == "switch":
        if value is None:
            return Call("Disconnect-VMNetworkAdapter", {"VMNetworkAdapter": ref})
        return Call("Connect-VMNetworkAdapter", {"VMNetworkAdapter": ref, "VMSwitch": switch_ref(value)})
    if key == "test_switch":
        return Call("Set-VMNetworkAdapter", {"VMNetworkAdapter": ref, "TestReplicaSwitchName": value or ""})
    version = 4 if key == "ipv4" else 6
    cmdlet = "Set-VMNetworkAdapterFailoverConfiguration"
    if value is None:
        return Call(cmdlet, {"VMNetworkAdapter": ref, f"ClearFailoverIPv{version}Settings": True})
    at = ip_interface(value.address)
    params: dict[str, Value] = {"VMNetworkAdapter": ref, f"IPv{version}Address": str(at.ip)}
    if isinstance(at, IPv4Interface):
        params["IPv4SubnetMask"] = str(at.netmask)
    else:
        params["IPv6SubnetPrefixLength"] = at.network.prefixlen
    if value.gateway:
        params[f"IPv{version}DefaultGateway"] = value.gateway
    for word, server in zip(("Preferred", "Alternate"), value.dns, strict=False):
        params[f"IPv{version}{word}DNSServer"] = server
    return Call(cmdlet, params)
