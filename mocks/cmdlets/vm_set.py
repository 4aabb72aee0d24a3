"""Set-VM: settings of the VM, then its memory, then its processor; what came before a refusal stays (trap 23)."""

from __future__ import annotations

import re
from typing import Any

from mocks import files
from mocks.cmdlets import memory, processor
from mocks.cmdlets._find import vms
from mocks.cmdlets.vm import vm_object
from mocks.command import Command, cmdlet
from mocks.machine import MB, Vm

# parameter -> field, enum; all of these may change while the VM runs (domain 4.3, domain 26)
_WORDS = {
    "AutomaticStartAction": ("automatic_start_action", "StartAction"),
    "AutomaticCriticalErrorAction": ("automatic_critical_error_action", "CriticalErrorAction"),
    "CheckpointType": ("checkpoint_type", "CheckpointType"),
    "LockOnDisconnect": ("lock_on_disconnect", "OnOffState"),
}
_NUMBERS = {
    "AutomaticStartDelay": "automatic_start_delay",
    "AutomaticCriticalErrorActionTimeout": "automatic_critical_error_action_timeout",
}
_MEMORY = {"MemoryStartupBytes": "startup", "MemoryMinimumBytes": "minimum", "MemoryMaximumBytes": "maximum"}


@cmdlet("Set-VM", takes=0.15)
def change(cmd: Command) -> None:
    if cmd.args.flag("DynamicMemory") and cmd.args.flag("StaticMemory"):
        # both at once mean nothing; id [I]
        raise cmd.refuse("InvalidParameter", "out_of_range", "DynamicMemory", "StaticMemory")
    for vm in vms(cmd):
        with cmd.trying():
            _steady(cmd, vm)
            _settings(cmd, vm)
            _off_settings(cmd, vm)
            if wanted := _memory(cmd):
                memory.apply(cmd, vm, wanted)
            if "ProcessorCount" in cmd.args:
                processor.apply(cmd, vm, {"count": cmd.args.number("ProcessorCount")})
            if "NewVMName" in cmd.args:
                vm.name = cmd.args.text("NewVMName")
            cmd.passthru(vm_object, cmd, vm)


def _steady(cmd: Command, vm: Vm) -> None:
    if vm.state not in ("Off", "Running", "Saved", "Paused"):
        raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)  # observations 4: multipass#4204 [O]


def _settings(cmd: Command, vm: Vm) -> None:
    args = cmd.args
    if "Notes" in args:
        vm.notes = re.sub(r"\r?\n", "\r\n", args.text("Notes"))  # trap 26: CRLF comes back
    for parameter, (field, enum) in _WORDS.items():
        if parameter in args:
            setattr(vm, field, args.word(parameter, enum))
    for parameter, field in _NUMBERS.items():
        if parameter in args:
            if args.number(parameter) < 0:
                raise cmd.refuse("InvalidParameter", "out_of_range", parameter, args.number(parameter))  # [I]
            setattr(vm, field, args.number(parameter))
    if "AutomaticCheckpointsEnabled" in args:
        vm.automatic_checkpoints_enabled = args.flag("AutomaticCheckpointsEnabled")


def _off_settings(cmd: Command, vm: Vm) -> None:
    args = cmd.args
    wanted: dict[str, Any] = {}
    if "AutomaticStopAction" in args:
        wanted["automatic_stop_action"] = args.word("AutomaticStopAction", "StopAction")
    if "LowMemoryMappedIoSpace" in args:
        wanted["low_memory_mapped_io_space"] = args.number("LowMemoryMappedIoSpace")
        if not 128 * MB <= wanted["low_memory_mapped_io_space"] <= 3584 * MB:
            # domain 4.3: 128 MB to 3584 MB
            raise cmd.refuse(
                "InvalidParameter", "out_of_range", "LowMemoryMappedIoSpace", args.number("LowMemoryMappedIoSpace")
            )
    if "HighMemoryMappedIoSpace" in args:
        wanted["high_memory_mapped_io_space"] = args.number("HighMemoryMappedIoSpace")
    if "GuestControlledCacheTypes" in args:
        wanted["guest_controlled_cache_types"] = args.flag("GuestControlledCacheTypes")
    for parameter, field in (
        ("SmartPagingFilePath", "smart_paging_file_path"),
        ("SnapshotFileLocation", "snapshot_file_location"),
    ):
        if parameter in args:
            wanted[field] = _path(cmd, args.text(parameter))
    if "snapshot_file_location" in wanted and vm.checkpoints:
        raise cmd.refuse("InvalidState", "has_checkpoints")  # domain 4.3 [I], 12; id domain 26
    if wanted and vm.state != "Off":
        # domain 4.3 and 26: stop action, paths, MMIO and cache types want the VM off; saved counts as running.
        # vagrant#9477 shows WMI 0x80041024 for a change not allowed in this state; id by domain 26
        raise cmd.refuse("InvalidState", "vm_bad_state", vm.name)
    for field, value in wanted.items():
        setattr(vm, field, value)


def _path(cmd: Command, path: str) -> str:
    if not files.is_folder(cmd.state, path):
        raise cmd.refuse("ObjectNotFound", "folder_missing", path)  # 0x80070003 [I]
    return path


def _memory(cmd: Command) -> dict[str, Any]:
    found: dict[str, Any] = {f: cmd.args.number(p) for p, f in _MEMORY.items() if p in cmd.args}
    if cmd.args.flag("DynamicMemory") or cmd.args.flag("StaticMemory"):
        found["dynamic_memory_enabled"] = cmd.args.flag("DynamicMemory")
    return found
