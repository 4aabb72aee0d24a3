"""The floppy drive of a generation 1 VM (domain 5.1, 8.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from hvctl.call import Call
from hvctl.contract import OS
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import Null, Setting, properties
from hvctl.core.values import State
from hvctl.kinds._drives import MEDIUM, file_query, there
from hvctl.kinds._types import WindowsPath
from hvctl.kinds._vm import ALL_VMS, VmPart, generation, vm_ref
from hvctl.text.diagnostic import Diagnostic


class Floppy(VmPart):
    """Generation 1 only; the drive is always there. `path: null` empties it."""

    kind: ClassVar[str] = "floppy"
    section: ClassVar[str] = "floppy"
    setter: ClassVar[str] = "Set-VMFloppyDiskDrive"
    after: ClassVar[tuple[str, ...]] = ("disk",)
    usual: ClassVar[Mapping[str, Any]] = {"path": None}

    path: Annotated[WindowsPath | None, Setting("Path", codec=MEDIUM), Null("empty")] = None

    def queries(self) -> tuple[Call, ...]:
        return (*super().queries(), *((file_query(self.path),) if self.path else ()))

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if self.vm.generation == 2:
            yield finding("", "a generation 2 VM has no floppy drive", "remove the section")
        if self.path and not self.path.casefold().endswith(".vfd"):
            yield finding("path", f"{self.path} is no floppy image by its extension", "write the path of a .vfd file")

    def actual(self, facts: Facts) -> State | None:
        row = self.vm_row(facts)
        if row is not None and generation(row) == 2:
            raise HeldBackError(f"{self.vm.key()} is of generation 2 and has no floppy drive", "remove the section")
        return super().actual(facts)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        yield from super().judge(occasion, changes, facts)
        if changes and self.path and not there(self.path, facts):
            yield finding("path", f"there is no file {self.path} on the host", "copy it there, or correct the path")

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        params = {"VM": vm_ref(self.vm, facts), **self.arguments(changes)}
        yield self.step(self.setter, params, f"change the floppy of {self.vm.key()}", changes, facts)


Floppy.query = Call("Get-VMFloppyDiskDrive", {"VM": ALL_VMS}, select=properties(Floppy, "VMId"))
