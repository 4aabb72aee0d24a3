"""Get-, New-, Set-, Convert-, Test-VHD: virtual disk files (domain 8.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from mocks import complete, files
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import GB, MB, TB
from mocks.objects import PsObject, Refusal
from mocks.shape import computer, shaped
from mocks.state import HostState, Vhd

FIXED_BYTES_PER_SECOND = 400 * MB
VHD_MOST, VHDX_MOST = 2040 * GB, 64 * TB  # domain 8.1, 21
_HOME = r"C:\Users\Administrator\Documents"


def vhd_object(state: HostState, disk: Vhd, asked: str | None = None) -> PsObject:
    """`asked`: the path in the case asked for is what is shown (observations 2)."""
    identifier = disk.disk_identifier.upper() if state.module2 else disk.disk_identifier.lower()
    properties: dict[str, Any] = {
        "ComputerName": computer(state, False),
        "Path": asked or disk.path,
        "VhdFormat": enum("VhdFormat", disk.format),
        "VhdType": enum("VhdType", disk.type),
        "FileSize": disk.file_size,
        "Size": disk.size,
        "MinimumSize": None if disk.format == "VHD" else disk.minimum_size,
        "LogicalSectorSize": disk.logical_sector_size,
        "PhysicalSectorSize": disk.physical_sector_size,
        "BlockSize": disk.block_size,
        "ParentPath": disk.parent or ("" if state.at_least("2025") else None),  # observations 2
        "DiskIdentifier": identifier,
        "FragmentationPercentage": None if disk.type == "Fixed" else disk.fragmentation_percentage,
        "Alignment": 1,
        "Attached": files.holder(state, disk.path) is not None or disk.mounted_as is not None,
        "DiskNumber": disk.mounted_as,
        "Key": None,
        "IsDeleted": False,
        "IsPMEMCompatible": False,
        "AddressAbstractionType": enum("VirtualHardDiskPmemAddressAbstractionType", "None"),
        "Number": disk.mounted_as,
    }
    if state.module2:
        del properties["IsDeleted"]
    return shaped(state, "VirtualHardDisk", properties, entity=disk, space="Microsoft.Vhd.PowerShell.")


def absolute(path: str) -> str:
    """A relative path is taken from the session's folder, not from the host's setting (domain 2)."""
    return path if re.match(r"^([A-Za-z]:|\\\\)", path) else f"{_HOME}\\{path}"


def existing(cmd: Command, path: str) -> Vhd:
    """The disk at a path, for a cmdlet that opens it."""
    path = absolute(path)
    disk = files.vhd(cmd.state, path)
    if disk is None:
        if files.is_file(cmd.state, path):
            # observations 4: unreadable file, OperationFailed NotSpecified [O]
            raise cmd.refuse("OperationFailed", "vhd_not_a_disk", path)
        # domain 8.1: 0x80070002; the kind [I]
        raise cmd.refuse("ObjectNotFound", "vhd_get", path, cmd.say("file_missing"))
    if disk.in_use_elsewhere:
        # observations 4: file held elsewhere (taliesins#121) [O]
        raise cmd.refuse("ObjectInUse", "vhd_get", path, cmd.say("in_use"))
    return disk


@cmdlet("Get-VHD", takes=0.1)
def get(cmd: Command) -> None:
    args = cmd.args
    for path in args.texts("Path"):
        with cmd.trying():
            cmd.emit(vhd_object(cmd.state, existing(cmd, path), absolute(path)))
    for vm_id in args.texts("VMId"):
        vm = cmd.state.vm(vm_id.lower())
        with cmd.trying():
            if vm is None:
                raise cmd.refuse("ObjectNotFound", "vm_id_missing", vm_id)  # as other cmdlets (observations 4)
            cmd.emit(*(vhd_object(cmd.state, existing(cmd, d.path)) for d in vm.disks if d.path))
    if "DiskNumber" in args:
        found = [v for v in cmd.state.vhds if v.mounted_as == args.number("DiskNumber")]
        cmd.emit(*(vhd_object(cmd.state, v) for v in found))


@cmdlet("New-VHD", takes=0.3)
def new(cmd: Command) -> Iterator[float]:
    for path in cmd.args.texts("Path"):
        with cmd.trying():
            disk = _described(cmd, absolute(path))
            complete.vhd(cmd.state, disk)
            if not files.take(cmd.state, disk.path, disk.file_size or 0):
                raise cmd.refuse("OperationFailed", "vhd_create", disk.path, cmd.say("disk_full"))  # 0x80070070
            if disk.type == "Fixed":
                yield disk.size / FIXED_BYTES_PER_SECOND
            cmd.state.vhds.append(disk)
            cmd.emit(vhd_object(cmd.state, disk))


def _described(cmd: Command, path: str) -> Vhd:
    args, state = cmd.args, cmd.state
    _check_name(cmd, path)
    disk = Vhd(path)
    if "ParentPath" in args:
        parent = files.vhd(state, absolute(args.text("ParentPath")))
        if parent is None or parent.format != disk.format:
            # observations 4: parent missing or no VHD [C]; another format [I]
            raise cmd.refuse("InvalidParameter", "vhd_not_a_disk", args.text("ParentPath"))
        if files.writer(state, parent.path) is not None or files.held(state, parent.path):
            raise cmd.refuse("OperationFailed", "vhd_create", path, cmd.say("sharing"))  # observations 4: openvmm#1600
        disk.parent, disk.size, disk.logical_sector_size = parent.path, parent.size, parent.logical_sector_size
    elif cmd.args.flag("Fixed"):
        disk.type = "Fixed"
    for parameter, field in (
        ("LogicalSectorSizeBytes", "logical_sector_size"),
        ("PhysicalSectorSizeBytes", "physical_sector_size"),
    ):
        if parameter in args:
            if args.number(parameter) not in (512, 4096):
                raise cmd.refuse("InvalidParameter", "vhd_create", path, cmd.say("bad_parameter"))  # domain 8.1
            setattr(disk, field, args.number(parameter))
    if "BlockSizeBytes" in args:
        disk.block_size = _block_size(cmd, path)
    if "SizeBytes" in args:
        disk.size = rounded(disk, args.number("SizeBytes"))
        check_size(cmd, disk, disk.size, "vhd_create")
    return disk


def _check_name(cmd: Command, path: str) -> None:
    suffix = path.lower().rpartition(".")[2]
    known = ("vhd", "vhdx", "avhd", "avhdx", *(("vhds",) if cmd.state.module2 else ()))  # domain 1.2
    if suffix not in known:
        raise cmd.refuse("InvalidParameter", "vhd_create", path, cmd.say("bad_parameter"))  # extension; id [I]
    if files.exists(cmd.state, path):
        raise cmd.refuse("OperationFailed", "vhd_exists", path)  # observations 4: 0x80070050 [O]
    if not files.is_folder(cmd.state, files.parent(path)):
        raise cmd.refuse("OperationFailed", "vhd_create", path, cmd.say("path_missing"))  # 0x80070003, same layout


def rounded(disk: Vhd, size: int) -> int:
    """A VHDX is rounded up to its sector (trap 28, domain 26); a VHD has sectors of 512."""
    sector = 512 if disk.format == "VHD" else disk.logical_sector_size
    return -(-size // sector) * sector


def check_size(cmd: Command, disk: Vhd, size: int, key: str) -> None:
    most = VHD_MOST if disk.format == "VHD" else VHDX_MOST
    if not 3 * MB <= size <= most:
        # observations 4: SizeBytes 0, "The parameter is incorrect." [C]; limits domain 8.1; id [I]
        values = (disk.path, cmd.say("bad_parameter")) if key == "vhd_create" else (cmd.say("bad_parameter"),)
        raise cmd.refuse("InvalidParameter", key, *values)


def writable(cmd: Command, disk: Vhd, key: str, *values: object) -> None:
    """Nothing writes to a file whose read-only attribute is set: 0x80070005 [I]."""
    if disk.read_only:
        raise cmd.refuse("OperationFailed", key, *values, cmd.say("file_denied"))


def _free(cmd: Command, disk: Vhd) -> None:
    """Neither in a running VM nor below another disk in use (domain 8.1)."""
    if files.holder(cmd.state, disk.path) is not None or files.opened(cmd.state, disk.path):
        raise cmd.refuse("ObjectInUse", "vhd_get", disk.path, cmd.say("in_use"))  # as Get-VHD (observations 4)


@cmdlet("Set-VHD", takes=0.2)
def change(cmd: Command) -> None:
    args = cmd.args
    disk = existing(cmd, args.text("Path"))
    _free(cmd, disk)
    writable(cmd, disk, "vhd_create", disk.path)
    if "ParentPath" in args:
        parent = files.vhd(cmd.state, absolute(args.text("ParentPath")))
        if parent is None or disk.type != "Differencing":
            raise _wrong_type(cmd, disk)  # 0xC03A001B: a parent asked of a disk that has none (observations 4)
        disk.parent = parent.path
    if "PhysicalSectorSizeBytes" in args:
        if disk.format == "VHD" or args.number("PhysicalSectorSizeBytes") not in (512, 4096):
            raise _wrong_type(cmd, disk)  # domain 8.1: VHDX only, 512 or 4096
        disk.physical_sector_size = args.number("PhysicalSectorSizeBytes")
    if args.flag("ResetDiskIdentifier"):
        cmd.needs_consent()  # domain 8.1: -ResetDiskIdentifier -Force
        disk.disk_identifier = complete.new_id(cmd.state)
    cmd.passthru(vhd_object, cmd.state, disk)


def _wrong_type(cmd: Command, disk: Vhd) -> Refusal:
    return cmd.refuse("OperationFailed", "vhd_create", disk.path, cmd.say("vhd_type"))


def _block_size(cmd: Command, path: str) -> int:
    size = cmd.args.number("BlockSizeBytes")
    if size & (size - 1) or not 512 * 1024 <= size <= 256 * MB:
        raise cmd.refuse("InvalidParameter", "vhd_create", path, cmd.say("bad_parameter"))  # domain 8.1
    return size


@cmdlet("Convert-VHD", takes=0.3)
def convert(cmd: Command) -> Iterator[float]:
    args, state = cmd.args, cmd.state
    source = existing(cmd, args.text("Path"))
    _free(cmd, source)  # domain 5.2: detached, or the VM off
    target = absolute(args.text("DestinationPath"))
    _check_name(cmd, target)
    if target.lower().endswith(".vhds") and files.owners(state, source.path):
        # domain 8.5: to a VHD set once it is detached; as a file in use [I]
        raise cmd.refuse("ObjectInUse", "vhd_get", source.path, cmd.say("in_use"))
    made = Vhd(target, size=source.size, minimum_size=source.minimum_size, installed=source.installed)
    made.partitions = list(source.partitions)
    made.logical_sector_size = source.logical_sector_size
    made.type = args.word("VHDType", "VhdType") if "VHDType" in args else source.type
    if made.type == "Differencing":
        parent = files.vhd(state, args.text("ParentPath") or source.parent)
        if parent is None:
            raise cmd.refuse("InvalidParameter", "vhd_not_a_disk", args.text("ParentPath"))  # as New-VHD
        made.parent = parent.path
    if "BlockSizeBytes" in args:
        made.block_size = _block_size(cmd, target)
    check_size(cmd, made, made.size, "vhd_create")
    complete.vhd(state, made)
    if made.type != "Fixed":
        made.file_size = max(made.file_size or 0, sum(v.file_size or 0 for v in _chain(state, source)))
    if not files.take(state, made.path, made.file_size or 0):
        raise cmd.refuse("OperationFailed", "vhd_create", made.path, cmd.say("disk_full"))  # 0x80070070
    yield max(1.0, (made.file_size or 0) / FIXED_BYTES_PER_SECOND)
    state.vhds.append(made)
    if args.flag("DeleteSource"):
        files.forget(state, source.path)
    cmd.passthru(vhd_object, state, made)


def _chain(state: HostState, disk: Vhd) -> Iterator[Vhd]:
    for path in files.chain_paths(state, disk.path):
        if (member := files.vhd(state, path)) is not None:
            yield member


@cmdlet("Test-VHD", takes=0.1)
def test(cmd: Command) -> None:
    for path in cmd.args.texts("Path"):
        with cmd.trying():
            disk = existing(cmd, path)
            shared = files.key(disk.path).startswith("c:\\clusterstorage\\")
            if cmd.args.flag("SupportPersistentReservations") and not shared:
                raise cmd.refuse("NotSupported", "no_sharing")  # domain 8.5: cluster storage only; text [O], id [I]
            cmd.emit(all(files.vhd(cmd.state, p) is not None for p in files.chain_paths(cmd.state, disk.path)))
