"""DVD drives and what is in them: an image, or a drive of the host (domain 5.1, 8.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator

from hvctl.call import Call
from hvctl.contract import OS
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import Instead, Null, Setting
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import State
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._drives import DISKS, DVDS, MEDIUM, Drive, file_query, on_share, one_spelling, there
from hvctl.kinds._types import FOLD, Pool, WindowsPath
from hvctl.kinds._vm import vm_ref
from hvctl.kinds.host_file import brought
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.visible import quoted


def _letter(value: Any) -> Any:
    match = re.fullmatch(r"([A-Za-z])(:\\?)?", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{quoted(value)} is no drive of the host; write its letter, such as 'E:'")
    return f"{match[1].upper()}:"


HostDrive = Annotated[str, BeforeValidator(_letter)]
IsoPath = Annotated[WindowsPath, AfterValidator(one_spelling)]


class Dvd(Drive):
    """A DVD drive, found by its place. `path: null` empties it; without `path` the medium is left alone.
    `host_drive` passes a drive of the host through, by its letter; generation 1 only, and one in a VM. `resource_pool` is
    that of the medium: an empty drive has none."""

    kind: ClassVar[str] = "dvd"
    section: ClassVar[str] = "dvds"
    setter: ClassVar[str] = "Set-VMDvdDrive"
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("iso", "file", "image", "media", "medium", "source"), "path"),
        **dict.fromkeys(("controller", "slot"), "at"),
        "drive": "host_drive",
    }
    noun: ClassVar[str] = "VMDvdDrive"
    usual: ClassVar[Mapping[str, Any]] = {"path": None, "resource_pool": "Primordial"}

    path: Annotated[IsoPath | None, Setting("Path", codec=MEDIUM), Null("empty")] = None
    host_drive: Annotated[HostDrive | None, Setting("Path", codec=MEDIUM), Null("empty")] = None
    resource_pool: Annotated[
        Pool | None, Instead("Primordial"), Setting("PoolName", "ResourcePoolName", FOLD, off=True)
    ] = None

    def queries(self) -> tuple[Call, ...]:
        pool = (replace(DVDS, select=("PoolName",)),) if self.resource_pool is not None else ()
        return (*super().queries(), *pool, *((file_query(self.path),) if self.path else ()))

    @classmethod
    def describing(cls) -> tuple[Call, ...]:
        return (*cls.survey(), replace(DVDS, select=("PoolName",)))

    def as_written(self, found: State, facts: Facts) -> State:
        """One of both media; an empty drive is in no pool."""
        if found["host_drive"]:
            return {n: v for n, v in found.items() if n != "path"}
        return {n: v for n, v in found.items() if n == "path" or (n == "resource_pool" and found["path"])}

    def requires(self) -> tuple[Address, ...]:
        file = brought(self, self.path)
        return (*super().requires(), *((file.address(),) if file is not None else ()))

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        yield from super().rules(os)
        if self.path and not self.path.casefold().endswith(".iso"):
            # "The specified path for the drive is not valid." (observations 5)
            yield finding("path", f"{self.path} is no image by its extension", "write the path of an .iso file")
        yield from self._host_drive_rules()
        disks = (p for p in self.vm.parts_of(DiskPart) if p.key() == self.key())
        if not self.absent and any(not disk.absent for disk in disks):
            yield finding("at", f"a disk is wanted at {self.at} too", "write a free place, such as the next location")

    def _host_drive_rules(self) -> Iterator[Diagnostic]:
        if not self.host_drive or self.absent:
            return
        if self.path is not None:
            yield finding("host_drive", "a drive has an image or a drive of the host, not both", "write one of both")
        if self.vm.generation == 2:
            yield finding("host_drive", *_ONE_GENERATION)
        others = [p for p in self.vm.parts_of(Dvd) if p.host_drive and not p.absent]
        if others[0] is not self:
            yield finding("host_drive", "a VM can have one drive of the host", f"leave it at {others[0].at} only")

    def wanted(self) -> State:
        """What is passed through replaces an image, and the other way round."""
        found = dict(super().wanted())
        media = [v for k, v in found.items() if k != "resource_pool"]
        return {k: v for k, v in found.items() if v or not any(media)}

    def actual(self, facts: Facts) -> State | None:
        drive = self.drive(facts)
        if drive is None:
            return None
        medium = drive["Path"] or None
        passed = str(drive["DvdMediaType"]) == "PassThrough"
        apart = passed and "host_drive" in self.wanted()  # otherwise it is a medium that path replaces
        pool = {"resource_pool": drive["PoolName"]} if "resource_pool" in self.model_fields_set else {}
        return {"path": None if apart else medium, "host_drive": medium[:2] if medium and passed else None, **pool}

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        if occasion == "remove":
            return
        if self.host_drive and changes and self.generation(facts) == 2:
            yield finding("host_drive", *_ONE_GENERATION)
        drive = self.drive(facts)
        new = drive is None
        written = any(k in self.wanted() for k in ("path", "host_drive"))
        if self.resource_pool and not (self.medium if written or drive is None else drive["Path"]):
            yield finding("resource_pool", "an empty drive has no resource pool", "write its path, or remove it")
        if new:
            self.check_place(facts)
        if self.path and (new or changes) and not there(self.path, facts) and brought(self, self.path) is None:
            if on_share(self.path):
                what = f"{self.path} was not seen, but WinRM may hide what is on a share"
                yield finding("path", what, "make sure that the host's account can read it", "warning")
            else:
                yield finding("path", f"{self.path} is not there", "copy the image to the host, or write another path")

    def stays(self, owner: Resource, listed: tuple[Resource, ...], facts: Facts) -> bool:
        """The drive of a seed image is its own."""
        return any(p.drive_place(facts) == self.at for p in owner.parts if hasattr(p, "drive_place"))

    # --- changing -------------------------------------------------------------------------------------------------

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        return self.plug_impacts(facts)

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        """Nothing is lost with a drive for images."""
        return self.plug_impacts(facts)

    @property
    def medium(self) -> str | None:
        return self.host_drive or self.path

    def summary(self) -> str:
        return self.medium or "empty"

    def create(self, facts: Facts) -> Iterator[Step]:
        # There is no -ControllerType: it is IDE on generation 1 and SCSI on generation 2 (observations 5).
        place = {k: v for k, v in self.slot.where.items() if k != "ControllerType"}
        medium = {"Path": self.medium} if self.medium else {}
        pool = {"ResourcePoolName": self.resource_pool} if self.resource_pool else {}
        yield Step(
            Call("Add-VMDvdDrive", {"VM": vm_ref(self.vm, facts), **place, **medium, **pool}),
            f"add a DVD drive to {self.vm.key()} at {self.at}",
            tuple(self.wanted()) if self.medium else (),
            off=self.off_to_plug(facts),
        )

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        if arguments := self.arguments(changes):
            media = any(c.field != "resource_pool" for c in changes)
            text = f"insert {self.medium} in" if self.medium and media else "eject the medium of" if media else "set"
            params = {self.noun: self.ref(facts), **arguments}
            yield self.step(self.setter, params, f"{text} {self.vm.key()} at {self.at}", changes, facts)

    def remove(self, facts: Facts) -> Iterator[Step]:
        yield self.take_out(facts, f"take the DVD drive at {self.at} out of {self.vm.key()}")


_ONE_GENERATION = ("generation 2 has no DVD drives of the host", "write the path of an image")  # domain 5.1

Dvd.query, Dvd.other = DVDS, DISKS
