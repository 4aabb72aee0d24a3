"""Add-, Remove-, Rename-, Connect-, Disconnect-VMNetworkAdapter (domain 9.1)."""

from __future__ import annotations

from collections.abc import Iterator

from mocks.cmdlets import _management
from mocks.cmdlets._find import switch_named, vms
from mocks.cmdlets.network_adapter import adapter_object, owner_of
from mocks.command import Command, cmdlet
from mocks.complete import fill_adapter, give_mac, next_mac
from mocks.machine import Adapter, BootEntry, Vm, version
from mocks.objects import Refusal
from mocks.state import Switch


def same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def missing(cmd: Command) -> Refusal:
    # observations 4: OSX-Hyper-V#35 for Connect; the same kind for the others (observations 3)
    return cmd.refuse("ObjectNotFound", "adapter_missing")


def meant(cmd: Command, name: str = "Name") -> Iterator[tuple[Vm | None, Adapter]]:
    """Adapters a change is about: objects; or all of that name, wildcards not understood; without a name all
    (trap 13, observations 2)."""
    args = cmd.args
    if "VMNetworkAdapter" in args:
        for adapter in args.entities("VMNetworkAdapter", Adapter):
            with cmd.trying():
                yield owner_of(cmd, adapter), adapter
        return
    names = args.texts(name)
    if args.flag("ManagementOS"):
        own = [a for a in cmd.state.management_adapters if not names or any(same(a.name, n) for n in names)]
        if args.text("SwitchName"):
            chosen = switch_named(cmd, args.text("SwitchName")).id
            own = [a for a in own if a.switch == chosen]
        if not own:
            raise missing(cmd)
        yield from ((None, a) for a in own)
        return
    for vm in vms(cmd):
        here = [a for a in vm.nics if not names or any(same(a.name, n) for n in names)]
        if not here:
            with cmd.trying():
                raise missing(cmd)
        yield from ((vm, a) for a in here)


def check_plug(cmd: Command, vm: Vm, legacy: bool) -> None:
    live = vm.state == "Running" and vm.generation == 2 and cmd.state.module2 and not legacy
    if vm.state != "Off" and not live:
        # domain 9.1: R2 and generation 1 off; generation 2 on 2016+ live (LIS) [O]; legacy always off; id domain 26
        raise cmd.refuse("InvalidState", "device_add", cmd.say("network_adapter"), cmd.say("bad_state"))


def plain_mac(cmd: Command, text: str) -> str:
    mac = "".join(c for c in text if c not in "-:. ").upper()
    if len(mac) != 12 or any(c not in "0123456789ABCDEF" for c in mac):
        raise cmd.refuse("InvalidParameter", "mac_invalid", text)  # id [I]
    if int(mac[:2], 16) & 1 or mac == "0" * 12:
        # domain 9.1: multicast (vagrant#11681 [O, cause I]) or zero; kind [I]
        raise cmd.refuse("InvalidParameter", "device", "Synthetic Ethernet Port", cmd.say("mac_invalid", text))
    return mac


@cmdlet("Add-VMNetworkAdapter", takes=0.3)
def add(cmd: Command) -> None:
    args = cmd.args
    switch = switch_named(cmd, args.text("SwitchName")) if args.text("SwitchName") else None
    if not args.any("VM", "VMName"):
        _add_to_host(cmd, switch)
        return
    for vm in vms(cmd):
        with cmd.trying():
            adapter = Adapter(args.text("Name"), switch=switch.id if switch else None)
            adapter.is_legacy = args.flag("IsLegacy")
            if adapter.is_legacy and vm.generation == 2:
                raise cmd.refuse("InvalidParameter", "gen2_legacy")  # domain 5.1; text and id ours
            check_plug(cmd, vm, adapter.is_legacy)
            _check_count(cmd, vm, adapter.is_legacy)
            _set_mac(cmd, adapter)
            if "DeviceNaming" in args:
                adapter.device_naming = args.word("DeviceNaming", "OnOffState")
            adapter.pool_name = cmd.pool()
            fill_adapter(cmd.state, adapter)
            if vm.state != "Off":
                give_mac(cmd.state, adapter)
            vm.nics.append(adapter)
            vm.boots.append(BootEntry(adapter=adapter))
            cmd.passthru(adapter_object, cmd.state, vm, adapter)


def _set_mac(cmd: Command, adapter: Adapter) -> None:
    if cmd.args.text("StaticMacAddress"):
        adapter.mac_address = plain_mac(cmd, cmd.args.text("StaticMacAddress"))
        adapter.dynamic_mac_address = False


def _check_count(cmd: Command, vm: Vm, legacy: bool) -> None:
    most = 64 if vm.generation == 2 and version(vm.version) >= (8, 3) else 8  # domain 21
    if legacy:
        most = 4
    if sum(a.is_legacy == legacy for a in vm.nics) >= most:
        raise cmd.refuse("InvalidParameter", "too_many", cmd.say("network_adapter"))  # id [I]


def _add_to_host(cmd: Command, switch: Switch | None) -> None:
    shared = [s for s in cmd.state.switches if s.type != "Private"]
    if switch is None and len(shared) != 1:
        raise cmd.refuse("InvalidParameter", "switch_missing", "")  # which one? id [I]
    switch = switch or shared[0]
    if switch.type == "Private":
        raise cmd.refuse("InvalidParameter", "ethernet_feature", cmd.say("object_bad_state"))  # [I]
    adapter = Adapter(cmd.args.text("Name") or switch.name, switch=switch.id, mac_address=next_mac(cmd.state))
    adapter.dhcp = True
    adapter.appears = cmd.clock.now() + _management.APPEARS
    _set_mac(cmd, adapter)
    adapter.dynamic_mac_address = False
    fill_adapter(cmd.state, adapter)
    cmd.state.management_adapters.append(adapter)
    switch.allow_management_os = True
    cmd.passthru(adapter_object, cmd.state, None, adapter)


@cmdlet("Remove-VMNetworkAdapter", takes=0.2)
def remove(cmd: Command) -> None:
    for vm, adapter in list(meant(cmd)):
        with cmd.trying():
            if vm is not None:
                check_plug(cmd, vm, adapter.is_legacy)
            shown = adapter_object(cmd.state, vm, adapter)
            if vm is not None:
                vm.adapters = [a for a in vm.nics if a is not adapter]
                vm.firmware.boot_order = [b for b in vm.boots if b.adapter is not adapter]
            else:
                _remove_from_host(cmd, adapter)
            if cmd.args.flag("Passthru"):
                cmd.emit(shown)


def _remove_from_host(cmd: Command, adapter: Adapter) -> None:
    cmd.state.management_adapters = [a for a in cmd.state.management_adapters if a is not adapter]
    switch = cmd.state.switch(adapter.switch)
    if switch is None or any(a.switch == switch.id for a in cmd.state.management_adapters):
        return
    switch.allow_management_os = False
    if switch.type == "Internal":
        switch.type = "Private"
    if _management.carries(cmd, switch):
        _management.cut(cmd)


@cmdlet("Rename-VMNetworkAdapter", takes=0.1)
def rename(cmd: Command) -> None:
    for vm, adapter in list(meant(cmd)):
        adapter.name = cmd.args.text("NewName")
        cmd.passthru(adapter_object, cmd.state, vm, adapter)


@cmdlet("Connect-VMNetworkAdapter", takes=0.1)
def connect(cmd: Command) -> None:
    given = cmd.args.entities("VMSwitch", Switch)
    if cmd.args.flag("UseAutomaticConnection"):
        switch = cmd.state.switches[0] if cmd.state.switches else None
    else:
        switch = given[0] if given else switch_named(cmd, cmd.args.text("SwitchName"))
    if switch is None or switch not in cmd.state.switches:
        raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # observations 4: the object was not found
    for vm, adapter in list(meant(cmd)):
        adapter.switch = switch.id  # live (domain 9)
        cmd.passthru(adapter_object, cmd.state, vm, adapter)


@cmdlet("Disconnect-VMNetworkAdapter", takes=0.1)
def disconnect(cmd: Command) -> None:
    for vm, adapter in list(meant(cmd)):
        adapter.switch = None
        cmd.passthru(adapter_object, cmd.state, vm, adapter)
