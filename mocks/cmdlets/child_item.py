"""Get-ChildItem: what lies in folders, and in the store of certificates of the computer."""

from __future__ import annotations

from collections.abc import Iterator

from mocks import files
from mocks.arguments import is_pattern, like
from mocks.cmdlets._certificate import certificates, is_store
from mocks.cmdlets.item import expand, item_object, missing
from mocks.command import Command, cmdlet


@cmdlet("Get-ChildItem", module="host", takes=0.02)
def get(cmd: Command) -> None:
    depth = cmd.args.number("Depth") if "Depth" in cmd.args else 64 if cmd.args.flag("Recurse") else 0
    for path in cmd.args.texts("LiteralPath"):
        if is_store(path):
            cmd.emit(*certificates(cmd))
            continue
        _list(cmd, path, [path] if files.exists(cmd.state, path) else [], depth, False)
    for path in cmd.args.texts("Path"):
        _list(cmd, path, expand(cmd.state, path), depth, is_pattern(path))


def _list(cmd: Command, path: str, found: list[str], depth: int, pattern: bool) -> None:
    with cmd.trying():
        if not found and (not pattern or not files.is_folder(cmd.state, files.parent(path))):
            raise missing(cmd, files.parent(path) if pattern else path)
        for one in found:
            if pattern or files.is_file(cmd.state, one):
                _emit(cmd, one)
            if (depth or not pattern) and not files.is_file(cmd.state, one):
                for inner in _below(cmd, one, depth):
                    _emit(cmd, inner)


def _below(cmd: Command, folder: str, depth: int) -> Iterator[str]:
    """A folder's folders and files, then what is in the folders."""
    folders, found = files.inside(cmd.state, folder)
    yield from (*folders, *found)
    if depth:
        for one in folders:
            yield from _below(cmd, one, depth - 1)


def _emit(cmd: Command, path: str) -> None:
    args, name = cmd.args, path.rpartition("\\")[2]
    a_file = files.is_file(cmd.state, path)
    if (args.flag("File") and not a_file) or (args.flag("Directory") and a_file):
        return
    if args.text("Filter") and not like(name, args.text("Filter").replace("[", "`[")):  # Windows' own wildcards
        return
    if any(like(name, p) for p in args.texts("Exclude")):
        return
    if "Include" in args and not any(like(name, p) for p in args.texts("Include")):
        return
    if args.flag("Name"):
        cmd.emit(name)
    else:
        cmd.emit(item_object(cmd, path))
