"""New-VM and what it makes beside the VM (domain 4.2)."""

from __future__ import annotations

from mocks import files
from mocks.cmdlets._find import switch_named
from mocks.cmdlets.disk_drive import check_file
from mocks.cmdlets.memory import check_alignment
from mocks.cmdlets.vm import vm_object
from mocks.command import Command, cmdlet
from mocks.complete import fill_adapter, fill_services, new_id, vhd
from mocks.machine import GB, MB, TB, Adapter, BootEntry, Drive, Slot, Vm
from mocks.state import DEFAULT_VM_VERSION, VM_VERSIONS, HostState, Vhd

_FORBIDDEN = set('\\/:*?"<>|')


@cmdlet("New-VM", takes=2.0)
def new(cmd: Command) -> None:
    vm = _described(cmd)
    adapter = Adapter()
    if cmd.args.text("SwitchName"):
        adapter.switch = switch_named(cmd, cmd.args.text("SwitchName")).id
    disk = _disk(cmd, vm)
    _build(cmd.state, vm, adapter, disk)
    vm.guest.integration = "VHDPath" in cmd.args  # nothing is installed in a new disk: nobody answers
    vm.created = cmd.clock.now()
    cmd.state.vms.append(vm)  # a name that exists already is accepted: a second VM (trap 9)
    cmd.emit(vm_object(cmd, vm))


def _described(cmd: Command) -> Vm:
    args, state = cmd.args, cmd.state
    name = args.text("Name") or cmd.say("new_vm")
    if len(name) > 100 or _FORBIDDEN & set(name):
        # domain 4.1: 100 characters (WMI ElementName), and it becomes a folder's name; id [I]
        raise cmd.refuse("InvalidParameter", "new_vm_store", cmd.say("path_missing"))
    vm = Vm(name)
    vm.generation = args.number("Generation") if "Generation" in args else 1
    if vm.generation not in (1, 2):
        raise cmd.refuse("InvalidParameter", "out_of_range", "Generation", vm.generation)  # domain 4.3: 1, 2
    vm.version = args.text("Version") or DEFAULT_VM_VERSION[state.os]
    if vm.version not in VM_VERSIONS[state.os]:
        # domain 1.1: versions accepted per host; id [I]
        raise cmd.refuse("InvalidParameter", "version_unsupported", vm.version, state.name)
    if args.number("MemoryStartupBytes"):
        settings = {"startup": args.number("MemoryStartupBytes")}
        check_alignment(cmd, settings, name)
        if not 32 * MB <= settings["startup"] <= (12 * TB if vm.generation == 2 and state.module2 else TB):
            raise cmd.refuse("InvalidParameter", "device", cmd.say("memory"), cmd.say("memory_order", name))  # domain 7
        vm.memory.startup = settings["startup"]
    root = args.text("Path") or state.virtual_machine_path
    if not files.is_folder(state, root.replace("/", "\\").partition("\\")[0]):
        # observations 4: folder or configuration store missing [O]; a missing folder on a volume that is there is made
        raise cmd.refuse("ObjectNotFound", "new_vm_store", cmd.say("path_missing"))
    # without -Path directly under the host's path, no folder of the name (domain 4.2 [I])
    vm.path = f"{root.rstrip(chr(92))}\\{name}" if args.text("Path") else root
    vm.snapshot_file_location = vm.smart_paging_file_path = vm.path
    return vm


def _disk(cmd: Command, vm: Vm) -> Drive | None:
    args, state = cmd.args, cmd.state
    slot = Slot("ide" if vm.generation == 1 else "scsi", 0, 0)
    if path := args.text("VHDPath"):
        drive = Drive(slot, path)
        check_file(cmd, vm, drive)
        return drive
    if path := args.text("NewVHDPath"):
        if files.exists(state, path):
            raise cmd.refuse("OperationFailed", "vhd_exists", path)  # observations 4, New-VHD
        if not files.is_folder(state, files.parent(path)) and not files.same(files.parent(path), vm.path):
            raise cmd.refuse("OperationFailed", "vhd_create", path, cmd.say("path_missing"))  # as New-VHD
        made = Vhd(path, size=args.number("NewVHDSizeBytes") or 127 * GB)
        vhd(state, made)
        state.vhds.append(made)
        return Drive(slot, path)
    return None


def _build(state: HostState, vm: Vm, adapter: Adapter, disk: Drive | None) -> None:
    vm.id = new_id(state)
    vm.scsi_controllers = [new_id(state)]
    vm.processor.maximum_count_per_numa_node = state.logical_processors
    vm.memory.maximum_per_numa_node = state.memory // MB
    fill_services(state, vm)
    fill_adapter(state, adapter)
    vm.adapters = [adapter]
    vm.drives = [disk] if disk else []
    if vm.generation == 1:
        vm.drives.append(Drive(Slot("ide", 1, 0), dvd=True))
    vm.firmware.boot_order = [BootEntry(adapter=adapter)]
    if disk:
        vm.firmware.boot_order.insert(0, BootEntry(drive=disk))
    files.make_folder(state, vm.path)
    suffix = "vmcx" if state.module2 else "xml"  # domain 1.1
    state.files[f"{vm.path}\\Virtual Machines\\{vm.id.upper()}.{suffix}"] = 73728 if state.module2 else 46832
