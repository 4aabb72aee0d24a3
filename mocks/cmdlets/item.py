"""Test-Path, Get-Item, New-Item, Remove-Item: files and folders of the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mocks import files
from mocks.arguments import is_pattern, like
from mocks.command import Command, cmdlet
from mocks.objects import Instant, PsObject, Refusal
from mocks.state import Content, HostState

_SHARING = -2147024864  # 0x80070020
_NOT_FOUND = -2146233087


def item_object(cmd: Command, path: str) -> PsObject:
    folder = not files.is_file(cmd.state, path)
    disk = files.vhd(cmd.state, path)
    path = disk.path if disk else files.spelled(cmd.state, path)
    name = path.rpartition("\\")[2]
    known = files.content(cmd.state, path)
    written = Instant(cmd.clock.utc(known.written if known else 0))
    properties: dict[str, Any] = {
        "Name": name,
        "FullName": path,
        "Extension": "." + name.rpartition(".")[2] if "." in name else "",
        "Exists": True,
        "PSIsContainer": folder,
        "CreationTimeUtc": written,
        "LastWriteTimeUtc": written,
        "LastWriteTime": written,
    }
    if not folder:
        properties["Length"] = files.length(cmd.state, path, cmd.clock.now())
        properties["IsReadOnly"] = disk is not None and disk.read_only
        properties["BaseName"] = name.rpartition(".")[0] or name  # of PowerShell's own types
        properties["DirectoryName"] = files.parent(path)
    kind = "DirectoryInfo" if folder else "FileInfo"
    return PsObject(f"System.IO.{kind}", properties, entity=path, to_string=path)


def expand(state: HostState, path: str) -> list[str]:
    """-Path takes wildcards; here in the last part only."""
    if not is_pattern(path):
        return [path] if files.exists(state, path) else []
    folders, found = files.inside(state, files.parent(path))
    return [p for p in (*folders, *found) if like(p, path)]


def paths(cmd: Command) -> Iterator[tuple[str, list[str]]]:
    for path in cmd.args.texts("LiteralPath"):
        yield path, [path] if files.exists(cmd.state, path) else []
    for path in cmd.args.texts("Path"):
        yield path, expand(cmd.state, path)


@cmdlet("Test-Path", module="host", takes=0.01)
def test(cmd: Command) -> None:
    kind = str(cmd.args.text("PathType")).lower()
    for path, found in paths(cmd):
        if cmd.args.flag("IsValid"):
            cmd.emit(not set(path[2:]) & set('<>"|?*'))
        elif kind in ("container", "leaf"):
            cmd.emit(any((kind == "leaf") == files.is_file(cmd.state, p) for p in found))
        else:
            cmd.emit(bool(found))


def missing(cmd: Command, path: str) -> Refusal:
    return cmd.fail(
        "PathNotFound",
        "ObjectNotFound",
        cmd.say("item_missing", path),
        "System.Management.Automation.ItemNotFoundException",
        hresult=_NOT_FOUND,
        target=f"{path}:String",
    )


@cmdlet("Get-Item", module="host", takes=0.01)
def get(cmd: Command) -> None:
    for path, found in paths(cmd):
        with cmd.trying():
            if not found and not is_pattern(path):
                raise missing(cmd, path)
            cmd.emit(*(item_object(cmd, p) for p in found))


@cmdlet("New-Item", module="host", takes=0.02)
def new(cmd: Command) -> None:
    args = cmd.args
    for path in args.texts("Path") or [""]:
        full = f"{path.rstrip(chr(92))}\\{args.text('Name')}" if args.text("Name") else path
        with cmd.trying():
            if args.text("ItemType").lower() in ("directory", "container"):
                _new_folder(cmd, full)
            else:
                _new_file(cmd, full)
            cmd.emit(item_object(cmd, full))


def _io(cmd: Command, kind: str, category: str, text: str, exception: str = "System.IO.IOException") -> Refusal:
    return cmd.fail(kind, category, text, exception, hresult=-2146232800)


def _new_folder(cmd: Command, path: str) -> None:
    volume = path.partition("\\")[0]  # PowerShell's own ids from here on
    if not files.is_folder(cmd.state, volume):
        raise cmd.fail(
            "DriveNotFound",
            "ObjectNotFound",
            cmd.say("item_missing", volume),
            "System.Management.Automation.DriveNotFoundException",
        )
    if files.exists(cmd.state, path) and not cmd.args.flag("Force"):
        raise _io(cmd, "DirectoryExist", "ResourceExists", cmd.say("item_folder_exists", path))
    files.make_folder(cmd.state, path)


def _new_file(cmd: Command, path: str) -> None:
    if files.is_file(cmd.state, path) and not cmd.args.flag("Force"):
        raise _io(cmd, "NewItemIOError", "WriteError", cmd.say("item_exists", path))
    if not files.is_folder(cmd.state, files.parent(path)):
        if not cmd.args.flag("Force"):
            missing = "System.IO.DirectoryNotFoundException"
            raise _io(cmd, "NewItemIOError", "WriteError", cmd.say("item_no_parent", path), missing)
        files.make_folder(cmd.state, files.parent(path))
    text = cmd.args.text("Value")
    files.write(cmd.state, path, Content(text, written=cmd.clock.now()), len(text.encode()))


@cmdlet("Remove-Item", module="host", takes=0.05)
def remove(cmd: Command) -> None:
    for path, found in paths(cmd):
        with cmd.trying():
            if not found and not is_pattern(path):
                raise missing(cmd, path)
            for one in found:
                _remove(cmd, one)


def _remove(cmd: Command, path: str) -> None:
    state = cmd.state
    if files.is_file(state, path):
        running = any(
            files.same(d.path, path) for v in state.vms if v.state in ("Running", "Paused") for d in v.drives or ()
        )
        locked = any(files.same(f, path) and until > cmd.clock.now() for f, until in state.locked_until.items())
        if locked or running or files.holder(state, path) or files.held(state, path) or files.opened(state, path):
            # observations 4: deleting a file in use, IOException 0x80070020 [O]
            raise cmd.fail(
                "RemoveFileSystemItemIOError",
                "WriteError",
                cmd.say("item_in_use", path),
                "System.IO.IOException",
                hresult=_SHARING,
            )
        disk = files.vhd(state, path)
        if disk is not None and disk.read_only and not cmd.args.flag("Force"):
            text, kind = cmd.say("item_no_rights", path), "System.IO.IOException"  # PowerShell's own id
            raise cmd.fail("RemoveFileSystemItemUnAuthorizedAccess", "PermissionDenied", text, kind)
        folder = files.parent(path)
        files.forget(state, path)
        if "\\" in folder:
            files.make_folder(state, folder)  # it stays, though nothing else may have said that there is one
        return
    inside = [p for p in files.everything(state) if files.key(p).startswith(files.key(path) + "\\")]
    if inside and not cmd.args.flag("Recurse"):
        raise cmd.prompt()  # it asks: the item has children
    for one in inside:
        if files.is_file(state, one):
            _remove(cmd, one)
    state.folders = [f for f in state.folders if not (files.key(f) + "\\").startswith(files.key(path) + "\\")]
