"""A wished disk and what the host has of it: the drive at its place, the file along the checkpoints' chain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field

from hvctl.call import NULL, Call, Row, Value
from hvctl.core.facts import Facts
from hvctl.core.fields import Fields, Instead, Null, Setting
from hvctl.core.values import MISSING, UNKNOWN, Json, Plain, State, Unknown, as_json
from hvctl.kinds._checkpoints import coming
from hvctl.kinds._drives import DISKS, DVDS, Drive, Slot, at_slot, file_query, folder_of, one_spelling, there, volume_of
from hvctl.kinds._physical import HOST_DISKS
from hvctl.kinds._types import (
    COUNT,
    FOLD,
    KB,
    MB,
    PATH,
    SIZE,
    Flag,
    Pool,
    Size,
    WindowsPath,
    Words,
    multiple_of,
    same_path,
)
from hvctl.kinds._vhd import Link, Resize, Use, chain, children, extension, matching, resize, users, vhd, vhd_query
from hvctl.kinds._vm import state_at_work
from hvctl.text.visible import quoted

TYPES = Words(fixed="Fixed", dynamic="Dynamic", differencing="Differencing")
COPY = "Convert-VHD makes a copy that has it, while the VM is off; then write the copy's path here"
RECONNECT = (
    "make a new differencing disk from that parent at another path; "
    "Set-VHD -ParentPath only reconnects a parent that moved"
)
FORMATS = Words(vhdx="VHDX")
FILE_FIELDS = ("format", "size", "type", "parent", "block_size", "logical_sector_size", "physical_sector_size")


class _PolicyCodec(Plain):
    """A Guid; null and the zero Guid both mean none (domain 8.4), and $null takes a policy away."""

    def read(self, value: Any) -> Any:
        text = str(value or "").strip("{}").casefold()
        return text if text.strip("0-") else None

    def write(self, value: Any) -> Value:
        return NULL if self.read(value) is None else str(value)

    def same(self, now: Any, wanted: Any) -> bool:
        return bool(self.read(now) == self.read(wanted))

    def value(self, value: Any) -> Json:
        return as_json(self.read(value))


def _guid(value: Any) -> Any:
    try:
        return str(UUID(value)) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(
            f"{quoted(value)} is no id of a policy; write the PolicyId that Get-StorageQosPolicy shows"
        ) from None


def _no_iops(value: Any) -> Any:
    """Null clears both."""
    return {"minimum": None, "maximum": None} if value is None else value


class _CacheWords(Words):
    """What nobody has overridden may read null: the class says that it can."""

    def read(self, value: Any) -> Any:
        return super().read(value or "Default")


CACHE = _CacheWords(
    default="Default", on="WriteCacheEnabled", on_with_fua="WriteCacheAndFUAEnabled", off="WriteCacheDisabled"
)

SectorSize = Literal[512, 4096]
VhdPath = Annotated[WindowsPath, AfterValidator(one_spelling)]
DiskSize = Annotated[Size, multiple_of(4 * KB, "4 KB (a disk is made of whole sectors)")]
PolicyId = Annotated[str, BeforeValidator(_guid)]


class Iops(Fields):
    """Normalised I/O operations of 8 KB a second; 0 is none. The minimum is reported on, not enforced
    (domain 8.4)."""

    minimum: Annotated[int | None, Field(ge=0), Setting("MinimumIOPS", codec=COUNT), Null()] = None
    maximum: Annotated[int | None, Field(ge=0), Setting("MaximumIOPS", codec=COUNT), Null()] = None


@dataclass(frozen=True)
class Seen:
    """What the host has to do with a wished disk. `drive`: what sits at its place. `link`: the wished file in
    the chain of that drive; None: another disk, or nothing, sits there. `file`: the wished file; None: there is
    none. `moves_from`: where that file is now, and is to be moved from. `converts`: the .vhd that is to become the wished
    .vhdx, whose row is `file`."""

    drive: Row | None
    leaf: str
    link: Link | Unknown | None
    file: Row | Unknown | None
    moves_from: str = ""
    converts: str = ""

    @property
    def attached(self) -> bool:
        return isinstance(self.link, Link)

    @property
    def row(self) -> Row | None:
        """The file, if it could be read."""
        return None if isinstance(self.file, Unknown) else self.file

    @property
    def checkpoint(self) -> str:
        """The checkpoint's file that the VM writes to instead of the disk."""
        return self.leaf if isinstance(self.link, Link) and self.link.path != self.leaf else ""


def as_vhdx(path: str) -> str:
    return f"{path.rpartition('.')[0]}.vhdx"


def as_vhd(path: str) -> str:
    return f"{path.rpartition('.')[0]}.vhd"


class DiskPart(Drive):
    """The fields of a disk, and the looking."""

    path: Annotated[VhdPath | None, Setting("Path", codec=PATH, off=True)] = None
    size: Annotated[DiskSize | None, Field(ge=3 * MB), Setting("Size", "SizeBytes", SIZE)] = None
    type: Annotated[str | None, TYPES, Setting("VhdType", codec=TYPES, fixed=COPY)] = None
    format: Annotated[str | None, FORMATS, Setting("VhdFormat", codec=FORMATS, off=True)] = None
    parent: Annotated[VhdPath | None, Setting("ParentPath", codec=PATH, fixed=RECONNECT)] = None
    image: VhdPath | None = None
    previous_paths: list[VhdPath] = Field(default_factory=list)
    block_size: Annotated[
        Size | None, Field(ge=MB, le=256 * MB), Setting("BlockSize", "BlockSizeBytes", SIZE, fixed=COPY)
    ] = None
    logical_sector_size: Annotated[
        SectorSize | None, Setting("LogicalSectorSize", "LogicalSectorSizeBytes", fixed=COPY)
    ] = None
    physical_sector_size: Annotated[
        SectorSize | None, Setting("PhysicalSectorSize", "PhysicalSectorSizeBytes", off=True)
    ] = None
    iops: Annotated[Iops | None, BeforeValidator(_no_iops), Null("no minimum, no maximum")] = None
    qos_policy_id: Annotated[PolicyId | None, Setting("QoSPolicyID", codec=_PolicyCodec()), Null()] = None
    shared: Annotated[Flag | None, Setting("SupportPersistentReservations", off=True)] = None
    disk_number: Annotated[int | None, Field(ge=0), Setting("DiskNumber", off=True)] = None
    resource_pool: Annotated[
        Pool | None, Instead("Primordial"), Setting("PoolName", "ResourcePoolName", FOLD, off=True)
    ] = None
    write_cache: Annotated[
        str | None, CACHE, Setting("WriteHardeningMethod", "OverrideCacheAttributes", CACHE, off=True)
    ] = None

    noun: ClassVar[str] = "VMHardDiskDrive"

    # --- looking --------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (*super().survey(), vhd_query())

    def queries(self) -> tuple[Call, ...]:
        old = as_vhd(self.path) if self.path and self.format is not None else None
        files = tuple(p for p in (self.path, self.parent, self.image, old, *self.previous_paths) if p)
        looked = tuple(dict.fromkeys(p for f in files for p in (f, folder_of(f), volume_of(f)) if p))
        host = (HOST_DISKS,) if self.disk_number is not None else ()
        asked = {"PoolName": self.resource_pool, "WriteHardeningMethod": self.write_cache}
        if more := tuple(name for name, value in asked.items() if value is not None):
            host = (*host, replace(DISKS, select=more))
        found = (*super().queries(), vhd_query(*files), *host)
        return (*found, file_query(*looked)) if looked else found

    @classmethod
    def describing(cls) -> tuple[Call, ...]:
        return (*cls.survey(), replace(DISKS, select=("PoolName", "WriteHardeningMethod")))

    def as_written(self, found: State, facts: Facts) -> State:
        """A physical disk has nothing of a file; what is made from a parent is differencing by that, and the path says
        the format."""
        if found.get("disk_number") is not None:
            odd = ("path", "qos_policy_id", "shared", *FILE_FIELDS)
            return {n: v for n, v in found.items() if n not in odd and not n.startswith("iops.")}
        made = bool(found.get("parent"))  # what its parent has
        none = {"format": True, **dict.fromkeys(("type", "block_size", "logical_sector_size"), made)}
        none["block_size"] = made or found.get("type") == "fixed" or not found.get("block_size")
        return {n: v for n, v in found.items() if not none.get(n)}

    def see(self, facts: Facts) -> Seen:
        drive = self.drive(facts)
        leaf = str(drive.get("Path") or "") if drive is not None and drive.get("DiskNumber") is None else ""
        link = matching(chain(leaf, facts), self.path)
        file: Row | Unknown | None = None
        if link is not None:
            file = link.row if isinstance(link, Link) else UNKNOWN
        elif self.path:
            found = vhd(self.path, facts)
            file = found if not isinstance(found, Unknown) or there(self.path, facts) else self.coming(facts)
            if file is None and (old := self._moving(leaf, facts)) is not None:
                return Seen(drive, leaf, old, old.row, old.path)
        return self._converting(Seen(drive, leaf, link, file), facts)

    def coming(self, facts: Facts) -> Row | None:
        """The file that something else of the plan brings to its path."""
        return None

    def _converting(self, seen: Seen, facts: Facts) -> Seen:
        """The .vhd of the wished name that sits at the place, or that nothing has yet."""
        if self.format is None:
            return seen
        if self.path is None:
            link = seen.link if isinstance(seen.link, Link) else None
            return replace(seen, converts=link.path) if link and extension(link.path) == "vhd" else seen
        base = matching(chain(seen.leaf, facts), None)
        if seen.link is None and isinstance(base, Link) and same_path(base.path, as_vhd(self.path)):
            return Seen(seen.drive, seen.leaf, base, base.row, converts=base.path)
        if seen.drive is None and seen.file is None and not isinstance(row := vhd(as_vhd(self.path), facts), Unknown):
            return replace(seen, file=row, converts=str(row["Path"]))
        return seen

    def _moving(self, leaf: str, facts: Facts) -> Link | None:
        """The disk that sits at the place, if it is the wished one at a path that it had before."""
        base = matching(chain(leaf, facts), None)
        moves = isinstance(base, Link) and any(same_path(base.path, old) for old in self.previous_paths)
        return base if moves and isinstance(base, Link) else None

    def actual(self, facts: Facts) -> State | None:
        if self.vm_row(facts) is None:
            return None
        seen = self.see(facts)
        if seen.drive is None or (self.absent and (self.replaces(seen) or self._moves_away(seen, facts))):
            return None
        of_file = self.read_settings(seen.row or {})
        found = {n: of_file[n] if v is MISSING else v for n, v in self.read_settings(seen.drive).items()}
        if "path" in found:
            found["path"] = self.path_now(seen, facts)
        for name in FILE_FIELDS:
            if name in found and seen.row is None:
                # A file that is not there will be made as wished.
                found[name] = UNKNOWN if seen.file is UNKNOWN else self.wanted().get(name)
        return found

    def path_now(self, seen: Seen, facts: Facts) -> Any:
        """The disk at the place, whatever checkpoints lie above it."""
        if seen.moves_from:
            return seen.moves_from
        if isinstance(seen.link, Link):
            return self.path or seen.link.path
        if seen.link is UNKNOWN:
            return UNKNOWN
        base = matching(chain(seen.leaf, facts), None)
        return base.path if isinstance(base, Link) else seen.leaf or (seen.drive or {}).get("Path")

    def replaces(self, seen: Seen) -> bool:
        """Whether another disk than the wished one sits at the place."""
        return bool(self.path) and seen.drive is not None and seen.link is None

    def _moves_away(self, seen: Seen, facts: Facts) -> bool:
        """Whether another wish of this VM moves the disk that sits here to its own place."""
        return claimed(seen.leaf, tuple(p for p in self.vm.parts if p is not self), facts)

    def elsewhere(self, facts: Facts) -> Slot | None:
        """Where in this VM the wished file sits, if not here."""
        row = self.vm_row(facts)
        if self.path is None or row is None:
            return None
        slots = (Slot.of(u.row) for u in users(self.path, facts) if not u.child and u.row["VMId"] == row["Id"])
        return next((slot for slot in slots if slot != self.slot), None)

    def resize(self, seen: Seen, facts: Facts) -> Resize | None:
        """Of the file as it is to the wished size; None: nothing to do, or not to be known."""
        if self.size is None or seen.row is None:
            return None
        path = seen.moves_from or seen.converts or self.path or str(seen.row.get("Path"))
        slot = self.slot if seen.attached else self.elsewhere(facts)
        shared = any(u.row.get("SupportPersistentReservations") for u in users(path, facts))
        checkpoint = seen.checkpoint or self._checkpoint_at(slot, facts)
        below, before = children(path, facts), coming(self.vm, facts)
        use = Use(slot, state_at_work(self.vm, facts), checkpoint, shared, below, before)
        return resize(seen.row, self.size, facts.os, use)

    def _checkpoint_at(self, slot: Slot | None, facts: Facts) -> str:
        if slot is None or slot == self.slot:
            return ""
        leaf = str((at_slot(DISKS, self.vm_row(facts), slot, facts) or {}).get("Path") or "")
        link = matching(chain(leaf, facts), self.path)
        return leaf if isinstance(link, Link) and link.path != leaf else ""


def claimed(leaf: str, wishes: tuple[object, ...], facts: Facts) -> bool:
    """Whether one of these wishes wants the disk behind the file that a drive has."""
    links = chain(leaf, facts)
    paths = (w.path for w in wishes if isinstance(w, DiskPart) and not w.absent and w.path)
    return any(isinstance(matching(links, path), Link) for path in paths)


DiskPart.query, DiskPart.other = DISKS, DVDS
