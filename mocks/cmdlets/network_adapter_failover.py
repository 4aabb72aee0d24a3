"""Get-, Set-VMNetworkAdapterFailoverConfiguration: the addresses of an adapter after a failover (domain 15.2)."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from mocks.arguments import like
from mocks.cmdlets._find import vms
from mocks.command import Command, cmdlet
from mocks.machine import Adapter, Vm
from mocks.objects import EnumValue, PsObject
from mocks.shape import parts_of, shaped
from mocks.state import HostState

IPV4 = ("IPv4Address", "IPv4SubnetMask", "IPv4DefaultGateway", "IPv4PreferredDNSServer", "IPv4AlternateDNSServer")
IPV6 = (
    "IPv6Address",
    "IPv6SubnetPrefixLength",
    "IPv6DefaultGateway",
    "IPv6PreferredDNSServer",
    "IPv6AlternateDNSServer",
)


def setting_object(state: HostState, vm: Vm, adapter: Adapter) -> PsObject:
    """It says of which VM it is, not of which adapter [I]: whoever reads it asks for one adapter at a time."""
    properties = {
        **{name: adapter.failover.get(name, "") for name in (*IPV4, *IPV6)},
        "ProtocolIFType": EnumValue("Microsoft.HyperV.PowerShell.WmiProtocolIFType", "None", 0),
        **parts_of(state, vm),
    }
    return shaped(state, "VMNetworkAdapterFailoverSetting", properties, entity=adapter)


def _adapters(cmd: Command) -> Iterator[tuple[Vm, Adapter]]:
    if "VMNetworkAdapter" in cmd.args:
        for adapter in cmd.args.entities("VMNetworkAdapter", Adapter):
            yield from ((vm, a) for vm in cmd.state.vms for a in vm.nics if a is adapter)
        return
    name = cmd.args.text("VMNetworkAdapterName") or "*"
    for vm in vms(cmd):
        yield from ((vm, a) for a in vm.nics if like(a.name, name))


@cmdlet("Get-VMNetworkAdapterFailoverConfiguration")
def get(cmd: Command) -> None:
    cmd.emit(*(setting_object(cmd.state, vm, adapter) for vm, adapter in _adapters(cmd)))


@cmdlet("Set-VMNetworkAdapterFailoverConfiguration", takes=0.3)
def change(cmd: Command) -> None:
    args = cmd.args
    for vm, adapter in _adapters(cmd):
        with cmd.trying():
            found = dict(adapter.failover)
            for flag, names in (("ClearFailoverIPv4Settings", IPV4), ("ClearFailoverIPv6Settings", IPV6)):
                if args.flag(flag):
                    found = {k: v for k, v in found.items() if k not in names}
            for name in (*IPV4, *IPV6):
                if name in args:
                    _check(cmd, name)
                    found[name] = args.text(name)
            adapter.failover = found
            cmd.passthru(setting_object, cmd.state, vm, adapter)


def _check(cmd: Command, name: str) -> None:
    if name in ("IPv4SubnetMask", "IPv6SubnetPrefixLength"):
        return
    try:
        found = ip_address(cmd.args.text(name))
    except ValueError as error:
        raise cmd.refuse("InvalidParameter", "out_of_range", name, cmd.args.text(name)) from error  # [I]
    if found.version != (4 if name in IPV4 else 6):
        raise cmd.refuse("InvalidParameter", "out_of_range", name, str(found))  # [I]
