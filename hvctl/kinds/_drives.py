"""Places of drives in a VM: how they are written, what sits there on the host, what a place can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field

from hvctl.call import NULL, Call, Ref, Row, Value
from hvctl.contract import OS
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import Input, Setting
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import Plain, State
from hvctl.kinds._limits import limit
from hvctl.kinds._machine import machine
from hvctl.kinds._types import path_key, same_path
from hvctl.kinds._vm import (
    ALL_VMS,
    VMS,
    VmPart,
    check_steady,
    generation,
    in_vm,
    off_impacts,
    state_at_work,
    vm_ref,
    vm_row,
)
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.visible import quoted

_COORDINATES = ("VMId", "ControllerType", "ControllerNumber", "ControllerLocation")

DISKS = Call(
    "Get-VMHardDiskDrive",
    {"VM": ALL_VMS},
    select=(
        *_COORDINATES,
        "Path",
        "DiskNumber",
        "MinimumIOPS",
        "MaximumIOPS",
        "QoSPolicyID",
        "SupportPersistentReservations",
    ),
)
"""All disk drives of the host, fetched by VM objects and compared here: -VMName with coordinates has shown
parameter set problems (domain 8.3)."""

DVDS = Call("Get-VMDvdDrive", {"VM": ALL_VMS}, select=(*_COORDINATES, "Path", "DvdMediaType"))
CONTROLLERS = Call("Get-VMScsiController", {"VM": ALL_VMS}, select=("VMId", "ControllerNumber"))


class _MediumCodec(Plain):
    """An image's path; no medium reads null on 2012 R2 and "" on 2022 (observations 3), and is set by $null."""

    def read(self, value: Any) -> Any:
        return value or None

    def write(self, value: Any) -> Value:
        return value or NULL

    def same(self, now: Any, wanted: Any) -> bool:
        return same_path(now, wanted)

    def show(self, value: Any) -> str:
        return str(value) if value else "empty"


MEDIUM = _MediumCodec()

_WRITTEN = re.compile(r"^\s*(ide|scsi)\s+([0-9]{1,5}):([0-9]{1,5})\s*$", re.IGNORECASE)


@dataclass(frozen=True)
class Slot:
    """Controller coordinates: what a drive is told by, since names are localised and ids change on a move
    (domain 8.3)."""

    type: str
    number: int
    location: int

    @classmethod
    def at(cls, text: str) -> Slot:
        match = _WRITTEN.match(text)
        if match is None:
            raise ValueError(f"{quoted(text)} is no place of a drive; write controller and location, such as scsi 0:0")
        return cls(match[1].upper(), int(match[2]), int(match[3]))

    @classmethod
    def of(cls, row: Row) -> Slot:
        return cls(str(row["ControllerType"]).upper(), int(row["ControllerNumber"]), int(row["ControllerLocation"]))

    @property
    def scsi(self) -> bool:
        return self.type == "SCSI"

    @property
    def where(self) -> dict[str, str | int | bool]:
        return {
            "ControllerType": self.type,
            "ControllerNumber": self.number,
            "ControllerLocation": self.location,
        }

    def __str__(self) -> str:
        return f"{self.type.lower()} {self.number}:{self.location}"


def _place(value: object) -> str:
    slot = Slot.at(str(value))
    # 2 x 2 on IDE; controllers and disks on SCSI are the same on all versions (domain 21).
    newest: OS = "2025"
    controllers = limit("SCSI controllers", newest) if slot.scsi else 2
    locations = limit("disks per SCSI controller", newest) if slot.scsi else 2
    if slot.number >= controllers:
        raise ValueError(f"there is no {slot.type} controller {slot.number}; they are numbered 0 to {controllers - 1}")
    if slot.location >= locations:
        raise ValueError(f"{slot} has no location {slot.location}; they are numbered 0 to {locations - 1}")
    return str(slot)


At = Annotated[str, BeforeValidator(_place), Input(pattern=r"^\s*([Ii][Dd][Ee]|[Ss][Cc][Ss][Ii])\s+[0-9]+:[0-9]+\s*$")]


def at_slot(query: Call, vm: Row | None, slot: Slot, facts: Facts) -> Row | None:
    rows = in_vm(query, vm, facts) if vm else ()
    return next((row for row in rows if Slot.of(row) == slot), None)


def file_query(*paths: str) -> Call:
    """Whether these files and folders are there: an error of Get-VHD does not tell (domain 8.1)."""
    return Call("Test-Path", {"LiteralPath": paths}, select=("*",), each="LiteralPath")


def there(path: str, facts: Facts) -> bool:
    query = file_query(path)
    rows = facts.reply(query).rows
    if not rows:
        raise UnreadableError(query, facts.reply(query).failure)
    return bool(rows[0][""])


def folder_of(path: str) -> str:
    folder = path.rpartition("\\")[0]
    return folder + "\\" if folder.endswith(":") else folder


def volume_of(path: str) -> str:
    """The root of its drive letter; nothing for a share."""
    return "" if path.startswith("\\\\") else path[:3]


def on_share(path: str) -> bool:
    """Over WinRM a share may look empty although Hyper-V sees it: the session has no credential to pass on
    (domain 1.3)."""
    return path.startswith("\\\\") and not path.startswith("\\\\?\\")


def on_cluster(path: str) -> bool:
    """Where every node of a cluster can reach it: a cluster shared volume, or a share (domain 8.3, 8.5)."""
    return on_share(path) or path[1:].casefold().startswith(":\\clusterstorage\\")


def one_spelling(path: str) -> str:
    """Without doubled and trailing separators; the case stays as written."""
    head = "\\\\" if path.startswith("\\\\") else ""
    return head + "\\".join(part for part in path[len(head) :].split("\\") if part)


def twice(paths: Iterable[tuple[str, Resource]]) -> Iterator[tuple[str, Resource, Resource]]:
    """Wishes that name the same path, each after the first with the first."""
    first: dict[str, Resource] = {}
    for path, wish in paths:
        other = first.setdefault(path_key(path), wish)
        if other is not wish:
            yield path, wish, other


class ControllersPart(VmPart):
    """How many SCSI controllers a VM is to have."""

    count: Annotated[int, Field(ge=0, le=4), Setting("Count", off=True)]


class Drive(VmPart):
    """A drive at a place of a VM: what disks and DVD drives share."""

    many: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("scsi_controllers",)
    noun: ClassVar[str] = ""
    stand_in: ClassVar[Mapping[str, Any]] = {"at": "scsi 0:0"}
    other: ClassVar[Call]

    at: At
    ensure: Literal["present", "absent"] = "present"

    def key(self) -> str:
        return self.at

    @property
    def slot(self) -> Slot:
        return Slot.at(self.at)

    def requires(self) -> tuple[Address, ...]:
        beyond = self.slot.scsi and self.slot.number
        return tuple(p.address() for p in self.vm.parts_of(ControllersPart)) if beyond else ()

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (DISKS, DVDS, CONTROLLERS)

    def queries(self) -> tuple[Call, ...]:
        return (VMS, *Drive.survey())

    # --- on the host --------------------------------------------------------------------------------------------

    def drive(self, facts: Facts) -> Row | None:
        """What of this kind sits at the place."""
        return at_slot(type(self).query, self.vm_row(facts), self.slot, facts)

    def actual(self, facts: Facts) -> State | None:
        drive = self.drive(facts)
        return None if drive is None else self.read_settings(drive)

    def generation(self, facts: Facts) -> int:
        row = self.vm_row(facts)
        return generation(row) if row else self.vm.generation or 1

    def ref(self, facts: Facts, slot: Slot | None = None) -> Ref:
        """The drive object for a step; a setter without coordinates would change every drive (domain 8.3)."""
        call = Call(f"Get-{self.noun}", {"VM": vm_ref(self.vm, facts)})
        return Ref(call, (slot or self.slot).where)

    def off_to_plug(self, facts: Facts) -> bool:
        """Whether adding or removing this drive needs the VM off: IDE always, and SCSI unless it runs; what is
        saved or paused is not tried (domain 8.3, trap 15)."""
        live = self.slot.scsi and not self.controller_missing(facts)
        return not (live and state_at_work(self.vm, facts) == "Running")

    def plug_impacts(self, facts: Facts) -> frozenset[Impact]:
        return off_impacts(self.vm, facts) if self.off_to_plug(facts) else frozenset({"online"})

    def controller_missing(self, facts: Facts) -> bool:
        if not self.slot.scsi:
            return False
        row = self.vm_row(facts)
        numbers = {int(r["ControllerNumber"]) for r in in_vm(CONTROLLERS, row, facts)} if row else {0}
        return self.slot.number not in numbers

    def check_place(self, facts: Facts) -> None:
        """Raise HeldBackError if no drive of this kind can be put here now."""
        if self.slot.scsi == (self.generation(facts) == 1) and self.kind == "dvd":
            self._held(*self._dvd_rule(self.generation(facts)))
        if not self.slot.scsi and self.generation(facts) == 2:
            self._held("generation 2 has no IDE controllers", "write a place such as scsi 0:0")
        if at_slot(type(self).other, self.vm_row(facts), self.slot, facts) is not None:
            what = "a DVD drive" if self.kind == "disk" else "a disk"
            # A place cannot be used again by the same PowerShell that emptied it (PowerShell issue 27986).
            self._held(
                f"{what} sits at {self.at}",
                f"take it out (`ensure: absent` under {'dvds' if self.kind == 'disk' else 'disks'}), "
                "then run hvctl again; or write a free place",
            )
        if self.controller_missing(facts) and not self._controller_wished():
            self._held(
                f"{self.vm.key()} has no SCSI controller {self.slot.number}",
                f"write `scsi_controllers: {{count: {self.slot.number + 1}}}` in the VM",
            )

    def _controller_wished(self) -> bool:
        wished = self.vm.part(ControllersPart)
        return wished is not None and wished.count > self.slot.number

    def _held(self, message: str, hint: str) -> None:
        raise HeldBackError(message, hint, "at")

    # --- rules ----------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        wished = self.vm.generation
        if wished == 2 and not self.slot.scsi:
            yield finding("at", "generation 2 has no IDE controllers", "write a place such as scsi 0:0")
        elif self.kind == "dvd" and wished and self.slot.scsi == (wished == 1):
            yield finding("at", *self._dvd_rule(wished))
        counts = [p.count for p in self.vm.parts_of(ControllersPart)]
        if self.slot.scsi and not self.absent and counts and self.slot.number >= counts[0]:
            yield finding(
                "at",
                f"{self.at} is beyond the {counts[0]} SCSI controllers wanted",
                f"write `scsi_controllers: {{count: {self.slot.number + 1}}}`, or another place",
            )

    def _dvd_rule(self, wished: int) -> tuple[str, str]:
        if wished == 1:
            return "generation 1 has DVD drives on IDE only", "write a place such as ide 1:0"
        return "generation 2 has no IDE controllers", "write a place such as scsi 0:1"

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        row = self.vm_row(facts)
        if row is not None and occasion != "leave":
            check_steady(self.vm.key(), row)
        yield from ()

    # --- removal --------------------------------------------------------------------------------------------------

    def take_out(self, facts: Facts, text: str, slot: Slot | None = None, off: bool | None = None) -> Step:
        return Step(
            Call(f"Remove-{self.noun}", {self.noun: self.ref(facts, slot)}),
            text,
            ("ensure",) if self.absent else ("path",),
            off=self.off_to_plug(facts) if off is None else off,
        )

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        vm = vm_row(machine(owner), facts)
        for row in in_vm(cls.query, vm, facts) if vm else ():
            slot = Slot.of(row)
            if slot.type in ("IDE", "SCSI"):
                yield cls.model_validate({"at": str(slot)})
