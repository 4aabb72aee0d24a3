"""DVD drives and the images in them (domain 5.1, 8.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from hvctl.call import Call
from hvctl.contract import OS
from hvctl.facts import Facts
from hvctl.kinds._drives import DISKS, DVDS, MEDIUM, Drive, file_query, on_share, one_spelling, there
from hvctl.kinds._types import WindowsPath
from hvctl.kinds._vm import vm_ref
from hvctl.resource import Change, Finding, Impact, Setting, Step

IsoPath = Annotated[WindowsPath, AfterValidator(one_spelling)]


class Dvd(Drive):
    """A DVD drive, found by its place. `path: null` empties it; without `path` the medium is left alone."""

    kind: ClassVar[str] = "dvd"
    section: ClassVar[str] = "dvds"
    setter: ClassVar[str] = "Set-VMDvdDrive"
    noun: ClassVar[str] = "VMDvdDrive"

    path: Annotated[IsoPath | None, Setting("Path", codec=MEDIUM)] = None

    def queries(self) -> tuple[Call, ...]:
        return (*super().queries(), *((file_query(self.path),) if self.path else ()))

    def rules(self, os: OS) -> Iterator[Finding]:
        yield from super().rules(os)
        if self.path and not self.path.casefold().endswith(".iso"):
            # "The specified path for the drive is not valid." (observations 5)
            yield Finding("path", f"{self.path} is no image by its extension", "write the path of an .iso file")
        disks = (p for p in self.vm.parts if p.kind == "disk" and p.key() == self.key())
        if not self.absent and any(not disk.absent for disk in disks):
            yield Finding("at", f"a disk is wanted at {self.at} too", "write a free place, such as the next location")

    def findings(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Finding]:
        yield from super().findings(changes, facts)
        if self.absent:
            return
        new = self.drive(facts) is None
        if new:
            self.check_place(facts)
        if self.path and (new or changes) and not there(self.path, facts):
            if on_share(self.path):
                what = f"{self.path} was not seen, but WinRM may hide what is on a share"
                yield Finding("path", what, "make sure that the host's account can read it", "warning")
            else:
                yield Finding("path", f"{self.path} is not there", "copy the image to the host, or write another path")

    # --- changing -------------------------------------------------------------------------------------------------

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        return self.plug_impacts(facts)

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        """Nothing is lost with a drive for images."""
        return self.plug_impacts(facts)

    def summary(self) -> str:
        return self.path or "empty"

    def create(self, facts: Facts) -> Iterator[Step]:
        # There is no -ControllerType: it is IDE on generation 1 and SCSI on generation 2 (observations 5).
        place = {k: v for k, v in self.slot.where.items() if k != "ControllerType"}
        medium = {"Path": self.path} if self.path else {}
        yield Step(
            Call("Add-VMDvdDrive", {"VM": vm_ref(self.vm, facts), **place, **medium}),
            f"add a DVD drive to {self.vm.key()} at {self.at}",
            ("path",) if self.path else (),
            off=self.off_to_plug(facts),
        )

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        if arguments := self.arguments(changes):
            text = f"insert {self.path} in" if self.path else "eject the medium of"
            params = {self.noun: self.ref(facts), **arguments}
            yield self.step(self.setter, params, f"{text} {self.vm.key()} at {self.at}", changes, facts)

    def remove(self, facts: Facts) -> Iterator[Step]:
        yield self.take_out(facts, f"take the DVD drive at {self.at} out of {self.vm.key()}")


Dvd.query, Dvd.other = DVDS, DISKS
