"""Get-Content, Set-Content, Add-Content, Get-FileHash: small text files, and hashes of any file.

Encodings and binary content are not modelled: a text is its characters.
"""

from __future__ import annotations

from collections.abc import Iterator

from mocks import files
from mocks.arguments import is_pattern
from mocks.cmdlets.item import missing, paths
from mocks.command import Command, cmdlet
from mocks.objects import PsObject
from mocks.state import Content
from mocks.values import text_of

_ACCESS_DENIED = -2147024891  # 0x80070005
_NO_FOLDER = -2147024893  # 0x80070003


@cmdlet("Get-Content", module="host", takes=0.01)
def get(cmd: Command) -> None:
    for path in _read(cmd):
        known = files.content(cmd.state, path)
        text = known.text if known else None
        if text is None:
            raise cmd.fail(
                "NotSimulated",
                "NotImplemented",
                f"the simulated host does not know what is in {path}",
                "System.NotImplementedException",
            )
        if cmd.args.flag("Raw"):
            cmd.emit(*([text] if text else []))
            continue
        lines = text.removesuffix("\n").removesuffix("\r").replace("\r\n", "\n").split("\n") if text else []
        if "Tail" in cmd.args:
            lines = lines[max(0, len(lines) - cmd.args.number("Tail")) :]
        if "TotalCount" in cmd.args:
            lines = lines[: cmd.args.number("TotalCount")]
        cmd.emit(*lines)


def _read(cmd: Command) -> Iterator[str]:
    """The files meant. A pattern that matches nothing is an error here, other than for Get-ChildItem [I: the text
    "does not exist, or has been filtered" of Windows PowerShell's ContentCommandBase]."""
    for path, found in paths(cmd):
        with cmd.trying():
            if not found and is_pattern(path):
                raise cmd.fail("ItemNotFound", "ObjectNotFound", cmd.say("item_filtered", path), "System.Exception")
            if not found:
                raise missing(cmd, path)
            for one in found:
                with cmd.trying():
                    if not files.is_file(cmd.state, one):
                        # A folder cannot be read: UnauthorizedAccessException [I]
                        raise _denied(cmd, "GetContentReaderUnauthorizedAccessError", one)
                    yield one


def _denied(cmd: Command, kind: str, path: str) -> Exception:
    text, exception = cmd.say("item_denied", path), "System.UnauthorizedAccessException"
    return cmd.fail(kind, "PermissionDenied", text, exception, hresult=_ACCESS_DENIED, target=f"{path}:String")


@cmdlet("Set-Content", module="host", takes=0.02)
def set_content(cmd: Command) -> None:
    _write(cmd, add=False)


@cmdlet("Add-Content", module="host", takes=0.02)
def add_content(cmd: Command) -> None:
    _write(cmd, add=True)


def _write(cmd: Command, *, add: bool) -> None:
    """Each value a line of its own; -NoNewline (2016) puts them together."""
    end = "" if cmd.args.flag("NoNewline") else "\r\n"
    text = "".join(text_of(value) + end for value in cmd.args.many("Value"))
    for path in (*cmd.args.texts("LiteralPath"), *cmd.args.texts("Path")):
        with cmd.trying():
            if files.is_folder(cmd.state, path) and not files.is_file(cmd.state, path):
                raise _denied(cmd, "GetContentWriterUnauthorizedAccessError", path)
            if not files.is_folder(cmd.state, files.parent(path)):
                raise cmd.fail(
                    "GetContentWriterDirectoryNotFoundError",  # [I: Windows PowerShell's file system provider]
                    "ObjectNotFound",
                    cmd.say("item_no_parent", path),
                    "System.IO.DirectoryNotFoundException",
                    hresult=_NO_FOLDER,
                    target=f"{path}:String",
                )
            known = files.content(cmd.state, path)
            whole = (known.text or "" if known and add else "") + text
            if not files.write(cmd.state, path, Content(whole, written=cmd.clock.now()), len(whole.encode())):
                raise cmd.fail("GetContentWriterIOError", "WriteError", cmd.say("disk_full"), "System.IO.IOException")
            if cmd.args.flag("PassThru"):
                cmd.emit(*cmd.args.many("Value"))


@cmdlet("Get-FileHash", module="host", takes=0.05)
def get_file_hash(cmd: Command) -> Iterator[float]:
    """Folders are passed over in silence, what is not there is Resolve-Path's error (Get-FileHash is a script)."""
    if cmd.args.text("Algorithm").upper() not in ("", "SHA256"):
        raise cmd.fail("NotSimulated", "NotImplemented", "SHA256 only", "System.NotImplementedException")
    for path, found in paths(cmd):
        with cmd.trying():
            if not found and not is_pattern(path):
                raise missing(cmd, path)
            for one in found:
                if files.is_file(cmd.state, one):
                    yield cmd.state.files.get(files.spelled(cmd.state, one), 0) / 400e6
                    whole = files.spelled(cmd.state, one)
                    properties = {"Algorithm": "SHA256", "Hash": files.sha256(cmd.state, one).upper(), "Path": whole}
                    cmd.emit(PsObject("Microsoft.Powershell.Utility.FileHash", properties))
