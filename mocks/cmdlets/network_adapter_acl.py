"""Add-, Get-, Remove-VMNetworkAdapterAcl and …ExtendedAcl (domain 9)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from mocks.cmdlets.network_adapter import acl_object, acl_type, adapter_object, asked, extended_acl_object
from mocks.cmdlets.network_adapter_change import meant
from mocks.command import Command, cmdlet
from mocks.machine import Acl, Adapter, ExtendedAcl, Vm
from mocks.objects import PsObject, Refusal

_ADDRESSES = ("LocalIPAddress", "LocalMacAddress", "RemoteIPAddress", "RemoteMacAddress")
ANY = "ANY"


def _invalid(cmd: Command, text: str) -> Refusal:
    return cmd.refuse("InvalidParameter", "acl_invalid", text)  # id and text ours


def _written(cmd: Command) -> list[Acl]:
    """One entry for each address and direction: an entry of both directions is in the list of either (PSDOC)."""
    args = cmd.args
    action = args.word("Action", "VMNetworkAdapterAclAction")
    wanted = args.word("Direction", "VMNetworkAdapterAclDirection")
    directions = ("Inbound", "Outbound") if wanted == "Both" else (wanted,)
    given = [(p, _address(cmd, text, "Mac" in p)) for p in _ADDRESSES for text in args.texts(p)]
    if not given or (action == "Meter" and any("Mac" in p for p, _ in given)):
        raise _invalid(cmd, "")  # PSDOC: a metering ACL is IP-based; without any address: id [I]
    sides = [("local" if p.startswith("Local") else "remote", a) for p, a in given]
    return [Acl(action, way, **{side: address}) for side, address in sides for way in directions]


def _address(cmd: Command, text: str, mac: bool) -> str:
    if text.upper() == ANY:
        return "ANY MAC" if mac else ANY
    if mac:
        if acl_type(text) != "Mac":
            raise _invalid(cmd, text)
        return "-".join(text.replace("-", "").replace(":", "").upper()[i : i + 2] for i in range(0, 12, 2))
    try:
        net = ip_network(text, strict=False)
    except ValueError:
        raise _invalid(cmd, text) from None
    return str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)


def _key(acl: Acl) -> tuple[str, str, str, str]:
    return acl.action, acl.direction, acl.local, acl.remote


@cmdlet("Get-VMNetworkAdapterAcl")
def get(cmd: Command) -> None:
    for vm, adapter in asked(cmd):
        for acl in adapter.acls:
            cmd.emit(_shown(cmd, vm, adapter, acl))


def _shown(cmd: Command, vm: Vm | None, adapter: Adapter, acl: Acl) -> PsObject:
    return acl_object(cmd.state, vm, acl, adapter_object(cmd.state, vm, adapter))


@cmdlet("Add-VMNetworkAdapterAcl", takes=0.1)
def add(cmd: Command) -> None:
    new = _written(cmd)
    for vm, adapter in list(meant(cmd, "VMNetworkAdapterName")):
        with cmd.trying():
            if {_key(a) for a in adapter.acls} & {_key(a) for a in new}:
                raise _invalid(cmd, new[0].local or new[0].remote)  # there already [I]
            for acl in (Acl(*_key(a)) for a in new):
                adapter.acls.append(acl)
                cmd.passthru(_shown, cmd, vm, adapter, acl)


@cmdlet("Remove-VMNetworkAdapterAcl", takes=0.1)
def remove(cmd: Command) -> None:
    if "InputObject" in cmd.args:
        for acl in cmd.args.entities("InputObject", Acl):
            with cmd.trying():
                vm, adapter = _owner(cmd, acl)
                shown = _shown(cmd, vm, adapter, acl)
                adapter.acls.remove(acl)
                cmd.passthru(lambda made: made, shown)
        return
    gone = {_key(a) for a in _written(cmd)}
    for vm, adapter in list(meant(cmd, "VMNetworkAdapterName")):
        with cmd.trying():
            doomed = [a for a in adapter.acls if _key(a) in gone]
            if not doomed:
                raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # [I]
            for acl in doomed:
                cmd.passthru(_shown, cmd, vm, adapter, acl)
                adapter.acls.remove(acl)


def _everyone(cmd: Command) -> Iterator[tuple[Vm | None, Adapter]]:
    yield from ((vm, a) for vm in cmd.state.vms for a in vm.nics)
    yield from ((None, a) for a in cmd.state.management_adapters)


def _owner(cmd: Command, acl: Acl | ExtendedAcl) -> tuple[Vm | None, Adapter]:
    for vm, adapter in _everyone(cmd):
        if any(a is acl for a in (*adapter.acls, *adapter.extended_acls)):
            return vm, adapter
    raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # observations 4: the object was not found


@cmdlet("Get-VMNetworkAdapterExtendedAcl")
def get_extended(cmd: Command) -> None:
    for vm, adapter in asked(cmd):
        for acl in adapter.extended_acls:
            cmd.emit(_extended(cmd, vm, adapter, acl))


def _extended(cmd: Command, vm: Vm | None, adapter: Adapter, acl: ExtendedAcl) -> PsObject:
    return extended_acl_object(cmd.state, vm, acl, adapter_object(cmd.state, vm, adapter))


@cmdlet("Add-VMNetworkAdapterExtendedAcl", takes=0.1)
def add_extended(cmd: Command) -> None:
    args = cmd.args
    new = ExtendedAcl(
        args.word("Action", "VMNetworkAdapterExtendedAclAction"),
        args.word("Direction", "VMNetworkAdapterExtendedAclDirection"),
        args.number("Weight"),
        _address(cmd, args.text("LocalIPAddress") or ANY, False),
        _address(cmd, args.text("RemoteIPAddress") or ANY, False),
        (args.text("LocalPort") or ANY).upper(),
        (args.text("RemotePort") or ANY).upper(),
        (args.text("Protocol") or ANY).upper(),
        args.flag("Stateful"),
        args.number("IdleSessionTimeout"),
        args.number("IsolationID"),
    )
    ported = new.protocol in ("TCP", "UDP", "6", "17")
    if (new.local_port, new.remote_port) != (ANY, ANY) and not ported:
        raise _invalid(cmd, new.protocol)  # ports belong to TCP and UDP (PSDOC: "TCP or UDP packet"); id [I]
    for vm, adapter in list(meant(cmd, "VMNetworkAdapterName")):
        with cmd.trying():
            if any((a.direction, a.weight) == (new.direction, new.weight) for a in adapter.extended_acls):
                raise _invalid(cmd, str(new.weight))  # Remove- finds an entry by these two: taken as its identity [I]
            acl = ExtendedAcl(**vars(new))
            adapter.extended_acls.append(acl)
            cmd.passthru(_extended, cmd, vm, adapter, acl)


@cmdlet("Remove-VMNetworkAdapterExtendedAcl", takes=0.1)
def remove_extended(cmd: Command) -> None:
    if "InputObject" in cmd.args:
        for acl in cmd.args.entities("InputObject", ExtendedAcl):
            with cmd.trying():
                vm, adapter = _owner(cmd, acl)
                cmd.passthru(_extended, cmd, vm, adapter, acl)
                adapter.extended_acls.remove(acl)
        return
    wanted = cmd.args.word("Direction", "VMNetworkAdapterExtendedAclDirection"), cmd.args.number("Weight")
    for vm, adapter in list(meant(cmd, "VMNetworkAdapterName")):
        with cmd.trying():
            doomed = [a for a in adapter.extended_acls if (a.direction, a.weight) == wanted]
            if not doomed:
                raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # [I]
            for acl in doomed:
                cmd.passthru(_extended, cmd, vm, adapter, acl)
                adapter.extended_acls.remove(acl)
