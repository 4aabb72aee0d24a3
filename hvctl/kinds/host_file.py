"""Files on the host itself: images, installation media, scripts (operations 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from hvctl.call import Call, Retry, Row, Value
from hvctl.contract import OS, contract, exists_from, title
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Entry, Place, Resource, Shelf
from hvctl.core.values import State
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._drives import DISKS, DVDS, Slot, file_query, folder_of, there, volume_of
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._physical import vm_name
from hvctl.kinds._space import VOLUMES, free_at
from hvctl.kinds._types import Flag, WindowsPath, about_size, same_path
from hvctl.kinds._vm import VMS
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.visible import quoted

_HASH = re.compile(r"sha256:[0-9a-fA-F]{64}$")
_MARK = ".hvctl-unfinished"
_COPY_S = 24 * 3600
_RELEASE_S = 60


class HostFile(OfHyperV):
    """A file on the host itself, with one of `source` (beside the playbook), `template` and `host_source` (another file of the
    host). It is hashed on the host at every look; one from a `host_source` without `checksum` is compared by length and
    time. `force: no` makes it once and never compares it. See [files on hosts](images.md#files-on-the-host-itself)."""

    kind: ClassVar[str] = "host_file"
    section: ClassVar[str] = "host_files"
    many: ClassVar[bool] = True
    stand_in: ClassVar[Mapping[str, Any]] = {"destination": "C:\\unnamed"}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("src", "file"), "source"),
        **dict.fromkeys(("dest", "dst", "to", "path", "target"), "destination"),
        **dict.fromkeys(("remote_src", "copy_from", "from"), "host_source"),
        **dict.fromkeys(("state",), "ensure"),
    }

    source: Annotated[str, Field(min_length=1)] | None = None
    template: Annotated[str, Field(min_length=1)] | None = None
    host_source: WindowsPath | None = None
    destination: WindowsPath
    checksum: str | None = None
    force: Flag = True
    ensure: Literal["present", "absent"] = "present"

    # --- identity ---------------------------------------------------------------------------------------------------

    def key(self) -> str:
        return self.target

    def title(self) -> str:
        return self.target

    @property
    def target(self) -> str:
        """A destination that ends like a folder takes the source's name."""
        if not self.destination.endswith("\\"):
            return self.destination
        if self.host_source is not None:
            return self.destination + PureWindowsPath(self.host_source).name
        name = PurePosixPath(self.source or self.template or "").name
        return self.destination + (name.removesuffix(".j2") if self.template else name)

    @classmethod
    def spread(cls, item: HostFile, shelf: Shelf, place: Place, written: Mapping[str, Any]) -> Iterator[Entry]:
        if item.absent or item.host_source is not None:
            yield Entry(item, place)
        elif item.source is not None:
            yield Entry(item, place, file=shelf.file(item.source, place.mark("source")))
        elif item.template is not None:
            yield Entry(item, place, file=shelf.rendered(item.template, {}, place.mark("template")))
        else:
            yield Entry(item, place)

    # --- rules ------------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        given = [n for n in ("source", "template", "host_source") if getattr(self, n) is not None]
        if len(given) != 1 and not self.absent:
            what = "both " + " and ".join(given) if given else "none"
            yield finding("", f"a host file has one of source, template and host_source, not {what}", "write one")
        if self.checksum is not None and not _HASH.match(self.checksum):
            hint = "write sha256: and 64 hexadecimal digits"
            yield finding("checksum", f"{quoted(self.checksum)} is not a checksum", hint)
        elif self.checksum is not None and self.host_source is None and not self.absent:
            yield finding("checksum", "the checksum is that of a host_source", "remove it; hvctl hashes its own files")
        if self._hashed and contract(os).cmdlet("Get-FileHash") is None:
            hint = f"{exists_from('2012r2')}; write `force: no`, which brings it once"
            yield finding("", f"{title(os)} cannot hash files, so that it is not known whether it is the same", hint)
        if self.host_source is not None and same_path(self.host_source, self.target):
            yield finding("host_source", "a file cannot be a copy of itself", "write another destination")
        if self.force and any(not d.absent and same_path(d.path, self.target) for d in self.beside(DiskPart)):
            text = "a VM writes to it, so that it will not be as it was brought"
            yield finding("destination", text, "write `force: no`, which makes it once, or bring it as an image")
        if self.target.casefold().endswith(_MARK):
            yield finding(
                "destination", f"{_MARK} is in the names of copies that are not finished", "write another path"
            )

    # --- looking ----------------------------------------------------------------------------------------------------

    def queries(self) -> tuple[Call, ...]:
        looked = (self.target, self._part, folder_of(self.target), volume_of(self.target), self.host_source)
        asked = [file_query(*dict.fromkeys(p for p in looked if p)), VMS, DISKS, DVDS, VOLUMES]
        asked += [_item(p) for p in (self.target, self.host_source) if p and self.host_source]
        asked += [_hash(p) for p in self._hashed]
        return tuple(asked)

    @property
    def _hashed(self) -> tuple[str, ...]:
        """What is hashed on the host, which takes its time."""
        if self.absent or not self.force:
            return ()
        if self.host_source is None:
            return (self.target,)
        return (self.target, self.host_source) if self.checksum else ()

    @property
    def _part(self) -> str:
        return self.target + _MARK

    @property
    def _written_hash(self) -> str | None:
        """What it is to be, as far as that is a hash."""
        if self.host_source is None:
            return self.file.sha256 if self.file else ""
        return self.checksum.partition(":")[2].lower() if self.checksum else None

    def desired_content(self, facts: Facts) -> str | None:
        """None: it is to be like a file that is not there."""
        if self._written_hash is not None:
            return self._written_hash
        row = _row(self.host_source, facts)
        return None if row is None else _stamp(row)

    def wanted(self) -> State:
        return {} if self.absent or not self.force else {"content": self._written_hash or self.host_source}

    def actual(self, facts: Facts) -> State | None:
        if not there(self.target, facts):
            return None
        if self.absent or not self.force:
            return {}
        if self._written_hash is not None:
            return {"content": _sha256(self.target, facts)}
        row = _row(self.target, facts)
        return {"content": _stamp(row) if row is not None else None}

    def changes(self, actual: State, facts: Facts) -> tuple[Change, ...]:
        wanted = self.desired_content(facts)
        if "content" not in actual or wanted is None or actual["content"] == wanted:
            return ()
        return (Change("content", actual["content"], wanted),)

    def as_changes(self, facts: Facts) -> tuple[Change, ...]:
        return (Change("content", None, self.desired_content(facts)),)

    def show(self, field: str, value: Any) -> str:
        text = str(value or "unknown")
        return text[:12] if field == "content" and re.fullmatch("[0-9a-f]{64}", text) else text

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        if occasion != "leave":
            self._check_use(facts)
        if not changes or self.absent:
            return
        if self.host_source is not None:
            self._check_source(self.host_source, facts)
        elif facts.info.language_mode not in ("", "FullLanguage"):
            hint = "put the file on the host by other means and write host_source"
            raise HeldBackError("the host's PowerShell is restricted and cannot take files of this machine", hint)
        if self.file is not None and self.file.where:
            message = f"it is {self.file.where} of this machine: by a link, or not below playbook and inventory"
            yield finding("", message, "see that it is meant to leave this machine", "warning")
        if (volume := volume_of(self.target)) and not there(volume, facts):
            raise HeldBackError(f"the host has no volume {volume}", "write a path on one that it has", "destination")
        yield from self._room(facts)

    def _check_use(self, facts: Facts) -> None:
        """Raise HeldBackError while a VM has it: it would change below the VM, or could not be removed."""
        for query in (DISKS, DVDS):
            for drive in facts.rows(query):
                if drive.get("DiskNumber") is None and same_path(drive["Path"], self.target) and drive["Path"]:
                    text = f"{vm_name(drive, facts)} has {self.target} at {Slot.of(drive)}"
                    raise HeldBackError(text, "take it out there first, or write another destination", "destination")

    def _check_source(self, source: str, facts: Facts) -> None:
        if not there(source, facts):
            raise HeldBackError(f"{source} is not there", "correct the path, or put the file there", "host_source")
        if self.checksum and (found := _sha256(source, facts)) != self._written_hash:
            text = f"{source} has another checksum: sha256:{found}"
            raise HeldBackError(text, "replace the file, or the checksum", "checksum")

    def _room(self, facts: Facts) -> Iterator[Diagnostic]:
        """For this file and those that are brought to the same drive before it."""
        needed, free = self.bytes(facts), free_at(self.target, facts)
        for other in self.beside(HostFile):
            if other is self:
                break
            if not other.absent and volume_of(other.target).casefold() == volume_of(self.target).casefold():
                actual = other.actual(facts)
                needed += other.bytes(facts) if actual is None or other.changes(actual, facts) else 0
        if free is None:
            text = f"how much is free at {self.target} cannot be told; it takes {about_size(needed)}"
            yield finding("destination", text, "make sure that it has room", "warning")
        elif needed > free:
            text = f"{about_size(needed)} are needed, and {self.target[:2]} has {about_size(free)} free"
            raise HeldBackError(f"there is no room for it: {text}", "free some, or write another path", "destination")

    def bytes(self, facts: Facts) -> int:
        if self.file is not None:
            return self.file.size
        row = _row(self.host_source, facts)
        return int(row["Length"]) if row is not None else 0

    # --- changing ---------------------------------------------------------------------------------------------------

    def summary(self) -> str:
        if self.file is None:
            return f"from {self.host_source}"
        where = f" ({self.file.where})" if self.file.where not in ("", self.file.name) else ""
        return f"{self.file.name}{where}, {self.file.size:,} bytes"

    def create(self, facts: Facts) -> Iterator[Step]:
        yield from self.update(self.as_changes(facts), facts)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        """Under another name until it is whole."""
        because = tuple(c.field for c in changes)
        chain: tuple[Step, ...] = ()

        def step(call: Call, text: str, **more: Any) -> Step:
            nonlocal chain
            made = Step(call, text, because, needs=chain, **more)
            chain = (made,)
            return made

        folder = folder_of(self.target)
        if not there(folder, facts):
            make = Call("New-Item", {"Path": folder, "ItemType": "Directory", "Force": True})
            yield step(make, f"make the folder {folder}")
        origin: Value = self.file if self.file is not None else self.host_source
        copy = Call("Copy-Item", {"LiteralPath": origin, "Destination": self._part, "Force": True})
        yield step(copy, f"copy {self.summary().removeprefix('from ')} to {self.target}", limit_s=_COPY_S)
        if there(self.target, facts):
            yield step(self._removal(self.target), f"remove the old {self.target}", retry=_AGAIN)
        name = self.target.rpartition("\\")[2]
        rename = Call("Rename-Item", {"LiteralPath": self._part, "NewName": name})
        yield step(rename, f"name the finished copy {self.target}")

    def remove(self, facts: Facts) -> Iterator[Step]:
        yield Step(self._removal(self.target), f"remove {self.target}", ("ensure",), retry=_AGAIN)

    def _removal(self, path: str) -> Call:
        return Call("Remove-Item", {"LiteralPath": path, "Force": True})


def brought(one: Resource, path: str | None) -> HostFile | None:
    """What the playbook says brings a file to the host that something uses there."""
    found = (f for f in one.beside(HostFile) if not f.absent and same_path(f.target, path))
    return next(found, None) if path else None


_AGAIN = Retry("RemoveFileSystemItemIOError", _RELEASE_S)


def _item(path: str) -> Call:
    return Call("Get-Item", {"LiteralPath": (path,)}, ("FullName", "Length", "LastWriteTimeUtc"), each="LiteralPath")


def _hash(path: str) -> Call:
    return Call("Get-FileHash", {"LiteralPath": (path,)}, ("Hash", "Path"), each="LiteralPath")


def _row(path: str | None, facts: Facts) -> Row | None:
    reply = facts.reply(_item(path or ""))
    if reply.failure is not None and reply.failure.kind != "PathNotFound":
        raise UnreadableError(_item(path or ""), reply.failure)
    return reply.rows[0] if reply.rows else None


def _sha256(path: str, facts: Facts) -> str | None:
    reply = facts.reply(_hash(path))
    if reply.failure is not None and reply.failure.kind != "PathNotFound":
        raise UnreadableError(_hash(path), reply.failure)
    return str(reply.rows[0]["Hash"]).lower() if reply.rows else None


def _stamp(row: Row) -> str:
    """What a copy of a file has in common with it: Copy-Item keeps the time."""
    return f"{int(row['Length']):,} bytes, {str(row['LastWriteTimeUtc'])[:19].replace('T', ' ')}Z"
