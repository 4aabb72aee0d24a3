"""Copy-Item, Rename-Item: files of the host.

Folders are not modelled: copying or renaming one is refused as not simulated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mocks import files
from mocks.cmdlets.item import item_object, missing, paths
from mocks.command import Command, cmdlet
from mocks.objects import Refusal
from mocks.state import Content, HostState

COPIED_BYTES_PER_SECOND = 400e6
_SHARING = -2147024864  # 0x80070020
_DISK_FULL = -2147024784  # 0x80070070
_ALREADY_EXISTS = -2147024713  # 0x800700B7
_NO_FOLDER = -2147024893  # 0x80070003
_ACCESS_DENIED = -2147024891  # 0x80070005
_IO = "System.IO.IOException"


def written_to(state: HostState, path: str) -> bool:
    """Whether something has the file open so that others may not read it: the VM that writes to it, a mount, another
    program. A parent that is only read can be copied [I]."""
    return files.writer(state, path) is not None or files.held(state, path)


def in_use(state: HostState, path: str) -> bool:
    """Whether anything has it open at all."""
    return files.holder(state, path) is not None or files.held(state, path) or files.opened(state, path)


def size_of(state: HostState, path: str) -> int:
    disk = files.vhd(state, path)
    return (disk.file_size or 0) if disk else state.files.get(files.spelled(state, path), 0)


@cmdlet("Copy-Item", module="host", takes=0.05)
def copy_item(cmd: Command) -> Iterator[float]:
    for path, found in paths(cmd):
        with cmd.trying():
            if not found:
                raise missing(cmd, path)
            for one in found:
                yield from _copy(cmd, files.spelled(cmd.state, one))


def _copy(cmd: Command, source: str) -> Iterator[float]:
    state, to = cmd.state, cmd.args.text("Destination")
    if not files.is_file(state, source):
        raise cmd.fail("NotSimulated", "NotImplemented", "folders are not copied", "System.NotImplementedException")
    if files.is_folder(state, to) and not files.is_file(state, to):
        to = to.rstrip("\\") + "\\" + source.rpartition("\\")[2]
    _check_copy(cmd, source, to)
    if files.is_file(state, to):
        files.forget(state, to)  # it is overwritten without a question
    if not files.take(state, to, size_of(state, source)):
        raise _failed(cmd, _IO, cmd.say("disk_full"), _DISK_FULL)
    yield size_of(state, source) / COPIED_BYTES_PER_SECOND
    disk, known = files.vhd(state, source), files.content(state, source)
    written = known.written if known else 0.0
    alike = replace(known) if known else Content(sha256=files.sha256(state, source), written=written)
    if disk is not None:
        # Identifier and attributes are the source's, the read-only one too: it is a copy byte by byte.
        state.vhds.append(replace(disk, path=to, mounted_as=None))
    else:
        state.files[to] = state.files[source]
    state.contents[to] = alike
    if cmd.args.flag("PassThru"):
        cmd.emit(item_object(cmd, to))


def _check_copy(cmd: Command, source: str, to: str) -> None:
    state = cmd.state
    if files.same(source, to):
        raise cmd.fail("CopyError", "WriteError", cmd.say("item_itself", source), _IO, target=f"{source}:String")
    if not files.is_folder(state, files.parent(to)):
        # "Could not find a part of the path": NotSpecified, System.IO.DirectoryNotFoundException [O]
        kind = "System.IO.DirectoryNotFoundException"
        raise _failed(cmd, kind, cmd.say("item_no_parent", to), _NO_FOLDER)
    target = files.vhd(state, to)
    if target is not None and target.read_only and not cmd.args.flag("Force"):
        text, exception = cmd.say("item_denied", to), "System.UnauthorizedAccessException"
        kind = "CopyFileInfoItemUnauthorizedAccessError"
        raise cmd.fail(kind, "PermissionDenied", text, exception, hresult=_ACCESS_DENIED, target=f"{to}:String")
    for path, busy in ((source, written_to), (to, in_use)):
        if files.is_file(state, path) and busy(state, path):
            # "is being used by another process": NotSpecified, System.IO.IOException [O]
            raise _failed(cmd, _IO, cmd.say("file_in_use", path), _SHARING)


def _failed(cmd: Command, exception: str, text: str, hresult: int) -> Refusal:
    """What the provider does not catch is named by its exception."""
    return cmd.fail(exception, "NotSpecified", text, exception, hresult=hresult)


@cmdlet("Rename-Item", module="host", takes=0.02)
def rename(cmd: Command) -> None:
    state, name = cmd.state, cmd.args.text("NewName")
    for path, found in paths(cmd):
        if not found:
            text, exception = (
                cmd.say("item_no_rename", path),
                "System.Management.Automation.PSInvalidOperationException",
            )
            raise cmd.fail("InvalidOperation", "InvalidOperation", text, exception)
        (one,) = found
        if not files.is_file(state, one):
            raise cmd.fail(
                "NotSimulated", "NotImplemented", "folders are not renamed", "System.NotImplementedException"
            )
        to = f"{files.parent(one)}\\{name}"
        if "\\" in name or "/" in name:
            raise cmd.fail("Argument", "InvalidArgument", cmd.say("item_name_has_path"), "System.ArgumentException")
        if files.exists(state, to) and not files.same(one, to):
            raise _not_renamed(cmd, one, cmd.say("item_taken"), _ALREADY_EXISTS)
        if in_use(state, one):
            raise _not_renamed(cmd, one, cmd.say("file_in_use", one), _SHARING)
        _rename(state, files.spelled(state, one), to)
        if cmd.args.flag("PassThru"):
            cmd.emit(item_object(cmd, to))


def _not_renamed(cmd: Command, path: str, text: str, hresult: int) -> Refusal:
    return cmd.fail("RenameItemIOError", "WriteError", text, _IO, hresult=hresult, target=f"{path}:String")  # [O]


def _rename(state: HostState, path: str, to: str) -> None:
    disk = files.vhd(state, path)
    if disk is not None:
        disk.path = to
    else:
        state.files[to] = state.files.pop(path)
    for name in [p for p in state.contents if files.same(p, path)]:
        state.contents[to] = state.contents.pop(name)
