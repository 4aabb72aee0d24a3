"""Resize-VHD: the matrix of domain 8.2."""

from __future__ import annotations

from collections.abc import Iterator

from mocks import files
from mocks.cmdlets.vhd import FIXED_BYTES_PER_SECOND, check_size, existing, rounded, vhd_object, writable
from mocks.command import Command, cmdlet
from mocks.machine import Drive, Vm
from mocks.objects import Refusal
from mocks.state import Vhd


@cmdlet("Resize-VHD", takes=0.4)
def resize(cmd: Command) -> Iterator[float]:
    for path in cmd.args.texts("Path"):
        with cmd.trying():
            disk = existing(cmd, path)
            _check_kind(cmd, disk)
            writable(cmd, disk, "resize")
            for vm in files.owners(cmd.state, disk.path):
                _check_owner(cmd, disk, vm)
            new = _wanted(cmd, disk)
            _check_size(cmd, disk, new)
            grown = new - disk.size
            if disk.type == "Fixed" and grown > 0:
                if not files.take(cmd.state, disk.path, grown):
                    # domain 8.2: 0x80070070 volume full (fixed grow)
                    raise cmd.refuse("OperationFailed", "resize", cmd.say("disk_full"))
                yield grown / FIXED_BYTES_PER_SECOND  # it writes zeros
            if disk.type == "Fixed":
                disk.file_size = (disk.file_size or disk.size) + grown
            # A parent below a checkpoint takes the size, and the VM does not see it (trap 4, multipass#3216 [O]):
            # its leaf keeps its own.
            disk.size = new
            cmd.passthru(vhd_object, cmd.state, disk)


def _unsupported(cmd: Command) -> Refusal:
    # observations 4: NotSupported, in 1.x category NotImplemented [O]
    return cmd.refuse("NotSupported", "resize", cmd.say("resize_unsupported"))


def _check_kind(cmd: Command, disk: Vhd) -> None:
    if disk.path.lower().rpartition(".")[2] in ("avhd", "avhdx"):
        raise _unsupported(cmd)  # domain 26: the leaf of a checkpoint is refused
    if disk.format == "VHD" and disk.type == "Differencing":
        raise cmd.refuse("NotSupported", "resize", cmd.say("vhd_type"))  # domain 8.2: refused in any state


def _check_owner(cmd: Command, disk: Vhd, vm: Vm) -> None:
    drive: Drive = next(d for d in vm.drives or () if files.same(d.path, disk.path))
    if drive.support_persistent_reservations and disk.format != "VHDSet":
        raise _unsupported(cmd)  # domain 8.2: shared VHDX is refused in any state; .vhds online is allowed
    if vm.state == "Off":
        return
    if vm.state != "Running":
        raise _unsupported(cmd)  # domain 8.2, 26: saved or paused refused
    if cmd.state.os == "2012" or disk.format == "VHD" or drive.at.bus == "ide":
        raise _unsupported(cmd)  # domain 8.2: offline only on 2012; .vhd and IDE never online [O]


def _wanted(cmd: Command, disk: Vhd) -> int:
    if not cmd.args.flag("ToMinimumSize"):
        return rounded(disk, cmd.args.number("SizeBytes"))
    if disk.minimum_size is None or disk.format == "VHD":
        # domain 8.2: null minimum, cannot shrink
        raise cmd.refuse("OperationFailed", "resize_truncate", disk.path)
    return disk.minimum_size


def _check_size(cmd: Command, disk: Vhd, new: int) -> None:
    if disk.format == "VHD" and new <= disk.size:
        # domain 8.2: smaller or equal is refused for .vhd, azure-docs#48403: text [O]; id [I]
        raise cmd.refuse("NotSupported", "resize", cmd.say("resize_vhd_shrink"))
    check_size(cmd, disk, new, "resize")
    if new < disk.size and (disk.minimum_size is None or new < disk.minimum_size):
        # domain 8.2: 0xC03A0025, NotSpecified (K2s#1403) [O]; null minimum: cannot shrink
        raise cmd.refuse("OperationFailed", "resize_truncate", disk.path)
