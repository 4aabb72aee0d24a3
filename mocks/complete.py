"""A loaded state made whole: ids, defaults that follow from others, references by name resolved."""

from __future__ import annotations

import uuid

from mocks import files, metering
from mocks.machine import GB, KB, MB, Adapter, BootEntry, Drive, Slot, Vm
from mocks.messages import say
from mocks.state import DEFAULT_VM_VERSION, HostState, NetAdapter, PhysicalDisk, Switch, Vhd, Volume

_NAMESPACE = uuid.UUID("6f7e4c51-3c4f-4bb5-9e0a-1d2f0f6a7c55")


def new_id(state: HostState) -> str:
    """The next id: the same host given the same calls gives out the same ids."""
    state.made += 1
    return str(uuid.uuid5(_NAMESPACE, f"{state.name.lower()}/{state.made}"))


def complete(state: HostState) -> HostState:
    if not state.volumes:
        state.volumes = {"C": Volume(label="", free=60 * GB, size=120 * GB), "D": Volume(label="Data")}
    if state.net_adapters is None:
        state.net_adapters = [NetAdapter("Ethernet", addresses=["192.0.2.11/24"]), NetAdapter("Ethernet 2")]
    for number, nic in enumerate(state.nics):
        _net_adapter(state, nic, number)
    if not state.management and state.nics:
        state.management = state.nics[0].name
    state.user = state.user or f"{state.name}\\Administrator"
    for folder in (state.virtual_machine_path, state.virtual_hard_disk_path):
        files.make_folder(state, folder)
    for path, content in state.contents.items():
        if files.vhd(state, path) is not None:
            continue
        state.files.setdefault(path, len((content.text or "").encode()))
    for disk in state.vhds:
        vhd(state, disk)
    if state.disks is None:
        state.disks = [PhysicalDisk(0, boot=True, system=True)]
    for switch in state.switches:
        _switch(state, switch)
    for adapter in state.management_adapters:
        adapter.id = adapter.id or new_id(state)
        _connect(state, adapter)
        adapter.dynamic_mac_address = False
        if adapter.dhcp is None:
            adapter.dhcp = not any("." in text for text in adapter.ip_addresses)
    for switch in state.switches:
        ensure_management_adapter(state, switch)
        move_settings(state, switch, only_new=True)
    for vm in state.vms:
        _vm(state, vm)
        known = {disk.number for disk in state.disks}
        numbers = {d.disk_number for d in vm.disks if d.disk_number is not None}
        state.disks += [PhysicalDisk(number, offline=True) for number in sorted(numbers - known)]
    return state


def _net_adapter(state: HostState, nic: NetAdapter, number: int) -> None:
    nic.id = nic.id or new_id(state)
    suffix = f" #{number + 1}" if number else ""
    nic.description = nic.description or f"Intel(R) Ethernet Connection I219-LM{suffix}"
    nic.index = nic.index or 10 + number
    nic.mac_address = nic.mac_address or f"3CD92BEB39{0xF0 + number:02X}"


def _switch(state: HostState, switch: Switch) -> None:
    switch.id = switch.id or new_id(state)
    if switch.net_adapters:
        switch.type = "External"
    if switch.allow_management_os is None:
        switch.allow_management_os = switch.type != "Private"
    if len(switch.net_adapters) > 1:
        switch.embedded_teaming_enabled = True
    settle_switch(state, switch)


def settle_extensions(state: HostState, switch: Switch) -> None:
    """By id: those that are written, then the others as a new switch has them."""
    by_name = {key.lower(): e for e in state.extensions for key in (e.name, e.id)}
    if unknown := [key for key in switch.extensions if key.lower() not in by_name]:
        raise ValueError(f"switch {switch.name}: no extension {', '.join(unknown)} on {state.os}")
    written = {by_name[key.lower()].id: on for key, on in switch.extensions.items()}
    switch.extensions = written | {e.id: e.enabled for e in state.extensions if e.id not in written}


def settle_switch(state: HostState, switch: Switch) -> None:
    """What creation decides by itself."""
    settle_extensions(state, switch)
    if switch.minimum_bandwidth_mode == "Default":
        # domain 3 and 26: Absolute on all, None with IOV; three sources disagree, nothing may rely on it
        switch.minimum_bandwidth_mode = "None" if switch.iov_enabled else "Absolute"
    if switch.embedded_teaming_enabled and not switch.load_balancing_algorithm:
        # domain 3: Dynamic on 2016, HyperVPort from 2019 [I]
        switch.load_balancing_algorithm = "HyperVPort" if state.at_least("2019") else "Dynamic"
    if switch.default_flow_minimum_bandwidth_absolute is None:
        # a tenth of the link (recorded: 100000000 on 1 Gbit/s)
        absolute = switch.minimum_bandwidth_mode == "Absolute"
        switch.default_flow_minimum_bandwidth_absolute = link_speed(state, switch) // 10 if absolute else 0
    if switch.minimum_bandwidth_mode == "Weight" and not switch.default_flow_minimum_bandwidth_weight:
        switch.default_flow_minimum_bandwidth_weight = 10  # 1 or 10, pages differ (domain 3)


def link_speed(state: HostState, switch: Switch) -> int:
    speeds = [n.link_speed for n in state.nics if n.name in switch.net_adapters]
    return sum(speeds) or 10_000_000_000


def ensure_management_adapter(state: HostState, switch: Switch) -> None:
    """AllowManagementOS: an adapter of the management OS, named like the switch (domain 3)."""
    own = [a for a in state.management_adapters if a.switch == switch.id]
    if switch.allow_management_os and not own:
        mac = next((n.mac_address for n in state.nics if n.name in switch.net_adapters), None)
        state.management_adapters.append(
            Adapter(
                name=switch.name,
                id=new_id(state),
                switch=switch.id,
                dynamic_mac_address=False,
                mac_address=mac or next_mac(state),
                dhcp=True,
            )
        )
    elif not switch.allow_management_os:
        state.management_adapters = [a for a in state.management_adapters if a.switch != switch.id]


def move_settings(state: HostState, switch: Switch, only_new: bool = False) -> None:
    """What TCP/IP has on an adapter goes to the host's adapter on the switch, when that is made over it (domain 3, 24);
    on a switch that the host has no adapter on, it is on nothing."""
    own = next((a.id for a in state.management_adapters if a.switch == switch.id), "")
    for nic in state.nics:
        if nic.name in switch.net_adapters and (nic.moved_to is None or not only_new):
            nic.moved_to = own


def _connect(state: HostState, adapter: Adapter) -> None:
    if adapter.switch is None or state.switch(adapter.switch):
        return
    found = [s for s in state.switches if s.name.lower() == str(adapter.switch).lower()]
    if not found:
        raise ValueError(f"adapter {adapter.name!r}: no switch {adapter.switch!r} on the host")
    adapter.switch = found[0].id


def next_mac(state: HostState) -> str:
    used = {a.mac_address for vm in state.vms for a in vm.nics} | {a.mac_address for a in state.management_adapters}
    number = int(state.mac_address_minimum, 16)
    while f"{number:012X}" in used:
        number += 1
    return f"{number:012X}"


def vhd(state: HostState, disk: Vhd) -> None:
    disk.disk_identifier = disk.disk_identifier or new_id(state)
    plain_vhd = disk.format == "VHD"
    if disk.parent is not None:
        disk.type = "Differencing"
        base = files.vhd(state, disk.parent)
        if base is not None:
            disk.minimum_size = disk.minimum_size if disk.minimum_size is not None else base.minimum_size
    if disk.physical_sector_size is None:
        disk.physical_sector_size = 512 if plain_vhd else 4096
    if disk.block_size is None:
        # VHDX 32 MB (recorded), VHD 2 MB [I], fixed VHD 0 (minikube#3610)
        disk.block_size = 2 * MB if plain_vhd else 32 * MB
        if disk.type == "Fixed" and plain_vhd:
            disk.block_size = 0
    if disk.file_size is None:
        disk.file_size = fresh_file_size(disk)


def fresh_file_size(disk: Vhd) -> int:
    """observations 2: 4194304 for a new dynamic VHDX whatever its size; a fixed VHD 512 more than its size; a fixed
    VHDX of 64 MiB takes about 68."""
    if disk.type == "Fixed":
        return disk.size + (512 if disk.format == "VHD" else 4 * MB)
    return 35 * KB if disk.format == "VHD" else 4 * MB


def _vm(state: HostState, vm: Vm) -> None:
    vm.id = vm.id or new_id(state)
    if vm.generation not in (1, 2):
        raise ValueError(f"vm {vm.name}: generation {vm.generation} is not 1 or 2")
    vm.version = vm.version or DEFAULT_VM_VERSION[state.os]
    vm.path = vm.path or state.virtual_machine_path
    vm.snapshot_file_location = vm.snapshot_file_location or vm.path
    vm.smart_paging_file_path = vm.smart_paging_file_path or vm.path
    vm.scsi_controllers = [c or new_id(state) for c in vm.scsi_controllers]
    if vm.processor.maximum_count_per_numa_node is None:
        vm.processor.maximum_count_per_numa_node = state.logical_processors
    if vm.memory.maximum_per_numa_node is None:
        vm.memory.maximum_per_numa_node = state.memory // MB
    fill_services(state, vm)
    _drives(state, vm)
    if vm.adapters is None:
        vm.adapters = [Adapter()]
    for adapter in vm.nics:
        fill_adapter(state, adapter)
        _connect(state, adapter)
        if vm.state != "Off":
            give_mac(state, adapter)
    _boot_order(vm)
    if vm.resource_metering_enabled and vm.meter is None:
        vm.meter = metering.started(state, vm, 0.0)
    for point in vm.checkpoints:
        for adapter in point.adapters or ():
            fill_adapter(state, adapter)
            _connect(state, adapter)
        if not point.id:
            point.id = new_id(state)
            point.disks = point.disks or _split(state, vm, point.id)


def fill_services(state: HostState, vm: Vm) -> None:
    """On by default but for the guest service interface, which 2012 does not have (domain 11.1)."""
    on = ("time_synchronization", "heartbeat", "key_value_pair_exchange", "shutdown", "vss")
    defaults = dict.fromkeys(on, True) | ({"guest_service_interface": False} if state.at_least("2012r2") else {})
    if unknown := {*vm.integration_services, *vm.guest.contact, *vm.silent} - set(defaults):
        raise ValueError(f"vm {vm.name}: no integration service {', '.join(sorted(unknown))} on {state.os}")
    vm.integration_services = defaults | vm.integration_services


def _drives(state: HostState, vm: Vm) -> None:
    if vm.drives is None:
        # New-VM: generation 1 has an empty DVD drive on IDE 1:0, generation 2 none (domain 4.2)
        vm.drives = [Drive(Slot("ide", 1, 0), dvd=True)] if vm.generation == 1 else []
    for drive in vm.drives:
        if drive.path is None:
            drive.dvd = drive.dvd or drive.disk_number is None
        elif drive.path.lower().endswith(".iso"):
            drive.dvd = True
            if not files.is_file(state, drive.path):
                state.files[drive.path] = 700 * MB
        elif files.vhd(state, drive.path) is None:
            state.vhds.append(disk := Vhd(drive.path))
            vhd(state, disk)
        while drive.at.bus == "scsi" and drive.at.number >= len(vm.scsi_controllers):
            vm.scsi_controllers.append(new_id(state))


def fill_adapter(state: HostState, adapter: Adapter) -> None:
    adapter.id = adapter.id or new_id(state)
    if not adapter.name:
        adapter.name = say(state.language, "legacy_network_adapter" if adapter.is_legacy else "network_adapter")
    adapter.mac_address = "".join(c for c in adapter.mac_address if c.isalnum()).upper()


def give_mac(state: HostState, adapter: Adapter) -> None:
    """A dynamic address is assigned at the first start (observations 2)."""
    if adapter.dynamic_mac_address and adapter.mac_address == "0" * 12:
        adapter.mac_address = next_mac(state)


def _boot_order(vm: Vm) -> None:
    written = vm.firmware.boot_order
    if written is None:
        vm.firmware.boot_order = [BootEntry(adapter=a) for a in vm.nics]
        vm.firmware.boot_order += [BootEntry(drive=d) for d in sorted(vm.drives or (), key=lambda d: d.at)]
        return
    vm.firmware.boot_order = [boot_entry(vm, str(text)) for text in written]


def boot_entry(vm: Vm, text: str) -> BootEntry:
    kind, _, name = text.partition(" ")
    if kind == "file":
        return BootEntry(file=name)
    if kind == "network":
        found = [a for a in vm.nics if a.name.lower() == name.lower() or a.id == name]
        if found:
            return BootEntry(adapter=found[0])
    else:
        try:
            slot = Slot.parse(text)
        except ValueError as error:
            raise ValueError(f"vm {vm.name}: boot_order: {error}") from error
        for drive in vm.drives or ():
            if drive.at == slot:
                return BootEntry(drive=drive)
    raise ValueError(f"vm {vm.name}: boot_order: nothing at {text!r}")


def _split(state: HostState, vm: Vm, checkpoint_id: str) -> dict[str, str]:
    """A checkpoint in a starting state: the drives write to a new .avhdx from here on."""
    kept: dict[str, str] = {}
    for drive in vm.disks:
        if drive.path is None:
            continue
        kept[str(drive.at)] = drive.path
        drive.path = differencing(state, drive.path, checkpoint_id)
    return kept


def differencing(state: HostState, path: str, checkpoint_id: str) -> str:
    """The file that a drive writes to after a checkpoint: `…_<GUID>.avhdx` beside its parent (domain 8.3)."""
    base = files.vhd(state, path)
    stem, _, suffix = path.rpartition(".")
    if suffix.lower().startswith("a"):
        suffix = suffix[1:]
        stem = stem[:-37] if len(stem) > 37 and stem[-37] == "_" else stem
    leaf = f"{stem}_{new_id(state).upper()}.a{suffix}"
    disk = Vhd(leaf, size=base.size if base else 127 * GB, parent=path)
    vhd(state, disk)
    state.vhds.append(disk)
    return leaf
