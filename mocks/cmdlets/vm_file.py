"""Copy-VMFile: from the host into a running guest (domain 11.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mocks import files
from mocks.cmdlets._find import vms
from mocks.cmdlets.integration_service import in_contact
from mocks.command import Command, cmdlet
from mocks.machine import GuestFile, Vm
from mocks.objects import Refusal

# What Windows guests expand; the guest's own service does it (domain 11.2).
_VARIABLES = {
    "systemdrive": "C:",
    "systemroot": r"C:\Windows",
    "windir": r"C:\Windows",
    "programdata": r"C:\ProgramData",
    "programfiles": r"C:\Program Files",
    "temp": r"C:\Windows\Temp",
    "public": r"C:\Users\Public",
}
_ALWAYS_THERE = ("C:", "/", "/etc", "/tmp", "/opt", "/root", "/var", r"C:\Windows", r"C:\ProgramData")


@cmdlet("Copy-VMFile", takes=0.3)
def copy(cmd: Command) -> Iterator[float]:
    source = cmd.args.text("SourcePath")
    for vm in vms(cmd):
        with cmd.trying():
            if not files.is_file(cmd.state, source):
                raise _refused(cmd, vm, "copy_no_source", source)  # a folder neither (domain 11.2 [I])
            _check_guest(cmd, vm)
            place = _place(cmd, vm, source)
            known = files.content(cmd.state, source)
            whole = files.spelled(cmd.state, source)
            size = cmd.state.files.get(whole, 0)
            made = GuestFile(size, files.sha256(cmd.state, source), known.text if known else None)
            yield 1.0 + size / vm.guest.copy_rate
            if not in_contact(vm, "guest_service_interface"):
                raise _refused(cmd, vm, "copy_no_contact")  # it went down meanwhile
            vm.guest.files[place] = made
            _make_folders(vm, place)


def _check_guest(cmd: Command, vm: Vm) -> None:
    # domain 26: no code recorded for any of these; only the first line of the text is
    if vm.state != "Running":
        raise _refused(cmd, vm, "copy_not_running")
    if not vm.integration_services.get("guest_service_interface"):
        raise _refused(cmd, vm, "copy_interface_off")
    if not in_contact(vm, "guest_service_interface"):
        raise _refused(cmd, vm, "copy_no_contact")  # observations 4: the daemon is missing in a Linux guest [O]


def _place(cmd: Command, vm: Vm, source: str) -> str:
    """Where in the guest the file comes to lie."""
    place = cmd.args.text("DestinationPath")
    if not place.startswith("/"):
        place = re.sub(r"%([^%]+)%", lambda m: _VARIABLES.get(m[1].lower(), m[0]), place).replace("/", "\\")
    if _is_folder(vm, place) or place.endswith(("/", "\\")):
        name = source.rpartition("\\")[2]  # an existing folder takes the source's name
        place = place.rstrip("/\\") + ("/" if place.startswith("/") else "\\") + name
    taken = next((f for f in vm.guest.files if _same(f, place)), None)
    if taken is not None and not cmd.args.flag("Force"):
        raise _refused(cmd, vm, "copy_exists")  # observations 4: 0x80070050 [O]
    if not _is_folder(vm, _parent(place)) and not cmd.args.flag("CreateFullPath"):
        raise _refused(cmd, vm, "copy_no_folder")  # 0x80070003 [I]
    return taken or place


def _refused(cmd: Command, vm: Vm, why: str, *values: object) -> Refusal:
    """domain 26: OperationFailed,…CopyVMFile; the second line says why."""
    return cmd.refuse("OperationFailed", "copy_failed", vm.name, cmd.say(why, *values))


def _same(one: str, other: str) -> bool:
    return one == other if other.startswith("/") else one.lower() == other.lower()


def _parent(path: str) -> str:
    linux = path.startswith("/")
    above = path.rpartition("/" if linux else "\\")[0]
    return above or ("/" if linux else "")


def _is_folder(vm: Vm, path: str) -> bool:
    path = path.rstrip("/\\") or "/"
    return any(_same(f.rstrip("\\"), path) for f in (*_ALWAYS_THERE, *vm.guest.folders))


def _make_folders(vm: Vm, place: str) -> None:
    folder = _parent(place)
    while folder not in ("", "/") and not _is_folder(vm, folder):
        vm.guest.folders.append(folder)
        folder = _parent(folder)
