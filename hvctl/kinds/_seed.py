"""What a guest is configured with at its first start: a small ISO image in a DVD drive, made from templates (operations 3.3).

Nothing of it can be compared with the image on the host, which is a file like any other: what it was made from is known from
a receipt on the host, as with files in guests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

from hvctl.call import NULL, Call, Retry, Row, Staged
from hvctl.contract import OS
from hvctl.core.bundle import joined, parted
from hvctl.core.changes import Change, HeldBackError, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.impact import Impact
from hvctl.core.resource import Entry, Place, Resource, Shelf
from hvctl.core.values import Json, State
from hvctl.kinds import _receipts
from hvctl.kinds._disk import DiskPart
from hvctl.kinds._drives import DISKS, DVDS, At, Drive, Slot, file_query, folder_of, on_cluster, there, volume_of
from hvctl.kinds._iso import NoLibraryError, iso
from hvctl.kinds._machine import Machine
from hvctl.kinds._receipts import FILES, LINES, Receipt, folder_is_there
from hvctl.kinds._types import WindowsPath, same_path
from hvctl.kinds._vm import VMS, VmPart, check_steady, off_impacts, state_at_work, vm_ref
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.extras import command

RELEASE_S = 60
"""How long the image may stay in use after it was ejected."""


class _Tray(Drive):
    """The DVD drive that a seed lies in."""

    noun: ClassVar[str] = "VMDvdDrive"

    def of(self, seed: Seed) -> Self:
        """In the same VM, and in its place."""
        return self.seated(seed.index, seed.seat, seed.owner)


_Tray.query, _Tray.other = DVDS, DISKS


@dataclass(frozen=True)
class Former:
    """An image that the VM had under another name. `lies`: its file is there, and nobody else has or wants it."""

    path: str
    receipts: tuple[Receipt, ...]
    lies: bool


class Seed(VmPart):
    """`label` and `files`: what the guest looks for. `default_at`: the drive's place by generation, out of the way of what
    people write."""

    vital: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("disk", "dvd", "scsi_controllers")
    query: ClassVar[Call] = DVDS
    label: ClassVar[str] = ""
    word: ClassVar[str] = ""
    default_at: ClassVar[Mapping[int, str]] = {1: "ide 1:1", 2: "scsi 0:63"}

    at: At | None = None
    path: WindowsPath | None = None
    ensure: Literal["present", "absent"] = "present"

    # --- from the control node ------------------------------------------------------------------------------------------

    def templates(self) -> Iterator[tuple[str, str, str]]:
        """The files of the image: their names, the fields that name their templates, the templates."""
        raise NotImplementedError

    def generated(self, written: Mapping[str, Any]) -> dict[str, bytes]:
        """Files that no template was written for."""
        return {}

    def check(self, parts: Mapping[str, bytes]) -> Iterator[Diagnostic]:
        """Of what the templates gave."""
        yield from ()

    def files(self, parts: Mapping[str, bytes]) -> Mapping[str, bytes]:
        return parts

    @classmethod
    def spread(cls, item: Self, shelf: Shelf, place: Place, written: Mapping[str, Any]) -> Iterator[Entry]:
        if item.absent or not list(item.templates()):
            yield Entry(item, place)
            return
        kept = shelf.kept()
        file = item._rendered(shelf, place, written) if kept is None else replace(kept, name=item._names)
        if file.sha256:  # otherwise its secrets are not asked for now
            parts = parted(file.content or b"")
            wrong = [f for f in item.check(parts) if f.level != "warning"]
            if wrong:
                raise ConfigError(Diagnostic(place.mark(f.field), f.message, f.hint) for f in wrong)
            try:
                iso(item.label, item.files(parts))
            except NoLibraryError as error:
                hint = command("images")
                raise ConfigError([Diagnostic(place.mark(), f"{item.section} needs pycdlib", hint)]) from error
        yield Entry(item, place, file=file)

    def _rendered(self, shelf: Shelf, place: Place, written: Mapping[str, Any]) -> Staged:
        """All texts as one, which is what is shown, saved and compared."""
        made: dict[str, Staged] = {}
        for name, field, template in self.templates():
            made[name] = shelf.rendered(template, {"vm": written}, place.mark(field))
        parts = {n: s.content or b"" for n, s in made.items()}
        data = joined({**self.generated(written), **parts})
        digest = hashlib.sha256(data).hexdigest() if all(s.sha256 for s in made.values()) else ""
        where = next((s.where for s in made.values() if s.where), "")
        secret = any(s.secret for s in made.values())
        return Staged(digest, len(data), self._names, content=data, secret=secret, where=where)

    def _image(self) -> Staged:
        """What is brought to the host."""
        assert self.file is not None
        data = iso(self.label, self.files(parted(self.file.content or b"")))
        return Staged(
            hashlib.sha256(data).hexdigest(), len(data), self.file.name, content=data, secret=self.file.secret
        )

    @property
    def _names(self) -> str:
        return ", ".join(template for _, _, template in self.templates())

    # --- its place ------------------------------------------------------------------------------------------------------

    def title(self) -> str:
        return self.file.name if self.file else ""

    @property
    def iso_path(self) -> str:
        """ "" where it is not known: then a rule says so."""
        return self._path_of(self.vm.key())

    def _path_of(self, name: str) -> str:
        """Of its image, if the VM is called so."""
        if self.path:
            return self.path
        disk = next((p.path for p in self.vm.parts_of(DiskPart) if p.path and not p.absent), None)
        folder = folder_of(disk) if disk else self.vm.path
        return f"{folder.rstrip(chr(92))}\\{name}.{self.word}.iso" if folder else ""

    def _former_paths(self) -> tuple[str, ...]:
        """Of its image, under names that the VM had before."""
        names = self.vm.names[1:]
        return tuple(p for p in map(self._path_of, names) if p and not same_path(p, self.iso_path))

    def former(self, facts: Facts) -> tuple[Former, ...]:
        """Images that were made for this VM under a name that it had before, by their receipts."""
        row = self.vm_row(facts)
        found = []
        for path in self._former_paths() if row else ():
            receipts = self._kept(path, facts)
            if receipts:
                found.append(Former(path, receipts, there(path, facts) and not self._wanted_elsewhere(path, facts)))
        return tuple(found)

    def _wanted_elsewhere(self, path: str, facts: Facts) -> bool:
        """Whether another VM has it, or is to have it: one that is to get the name that this one had."""
        row = self.vm_row(facts)
        drives = (r for r in facts.rows(DVDS) if row is None or r["VMId"] != row["Id"])
        seeds = (s.iso_path for s in self.beside(Seed) if s is not self and not s.absent)
        others = (getattr(p, "path", None) for vm in self.beside(Machine) if vm is not self.vm for p in vm.parts)
        return any(same_path(other, path) for other in (*(r["Path"] for r in drives), *seeds, *others))

    @property
    def drive_at(self) -> str | None:
        """As far as is known without the host."""
        generation = self.vm.generation
        return self.at or (self.default_at[generation] if generation else None)

    @property
    def receipt_of(self) -> str:
        """What its receipt calls it."""
        return f"{self.word} {self.iso_path}"

    @property
    def receipt_file(self) -> str:
        return _receipts.name_of(self.vm.key(), self.receipt_of)

    def drive_place(self, facts: Facts) -> str:
        return self.at or self.default_at[_generation(self, facts)]

    def tray(self, facts: Facts) -> _Tray:
        return _Tray.model_validate({"at": self.drive_place(facts)}).of(self)

    # --- rules ----------------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if not self.iso_path:
            hint = "write `path: …` with the name of an .iso file"
            yield finding("", "where its image is to lie is not known: the VM has no disk with a path", hint)
        elif not self.iso_path.casefold().endswith(".iso"):
            yield finding("path", f"{self.iso_path} is no image by its extension", "write the path of an .iso file")
        at = self.drive_at
        for part in self.vm.parts:
            if at and part is not self and not part.absent and at == (getattr(part, "drive_at", None) or _at(part)):
                what = part.kind.replace("_", " ")
                yield finding("at", f"a {what} is wanted at {at} too", "write `at: …` with a free place")
        wished = self.vm.generation
        if self.at and wished and Slot.at(self.at).scsi == (wished == 1):
            yield finding("at", *_DVD_RULES[wished])
        if self.file is not None and self.file.sha256:
            yield from (f for f in self.check(parted(self.file.content or b"")) if f.level == "warning")

    # --- looking --------------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (*Drive.survey(), FILES, LINES)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """The templates of an image are on no host."""
        yield from ()

    def queries(self) -> tuple[Call, ...]:
        path = self.iso_path
        looked = tuple(p for p in dict.fromkeys((path, *self._former_paths(), folder_of(path), volume_of(path))) if p)
        return (VMS, *self.survey(), file_query(*looked))

    def queries_behind(self) -> tuple[Call, ...]:
        return (FILES, LINES)

    def receipts(self, facts: Facts) -> tuple[Receipt, ...]:
        """Those that other hosts keep are about a file of theirs, unless it lies where all of them reach it."""
        return self._kept(self.iso_path, facts)

    def _kept(self, path: str, facts: Facts) -> tuple[Receipt, ...]:
        row = self.vm_row(facts)
        found = _receipts.of(str(row["Id"]), f"{self.word} {path}", facts) if row else ()
        return found if on_cluster(path) else tuple(r for r in found if not r.host)

    def medium(self, facts: Facts) -> str | None:
        """What lies in its drive; None also without a drive."""
        drive = self.tray(facts).drive(facts)
        return str(drive["Path"]) if drive is not None and drive["Path"] else None

    def wanted(self) -> State:
        return {} if self.absent else {"content": self.file.sha256 if self.file else "", "medium": self.iso_path}

    def actual(self, facts: Facts) -> State | None:
        if self.vm_row(facts) is None:
            return None
        if self.absent:
            lies = there(self.iso_path, facts) or same_path(self.medium(facts), self.iso_path)
            return {} if lies or any(f.lies for f in self.former(facts)) else None
        found = self.receipts(facts)
        return {"content": found[0] if found and there(self.iso_path, facts) else None, "medium": self.medium(facts)}

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "content":
            return isinstance(now, Receipt) and now.sha256 == wanted
        return same_path(now, wanted) if field == "medium" else super().same(field, now, wanted)

    def show(self, field: str, value: Any) -> str:
        if field != "content":
            return str(value) if value else "empty"
        if isinstance(value, Receipt):
            when = f" at {value.time[:16].replace('T', ' ')}Z" if value.time else ""
            return f"made from {value.sha256[:12]}{when}"
        return str(value)[:12] if value else "none"

    def value(self, field: str, value: Any) -> Json:
        return value.sha256 if isinstance(value, Receipt) else super().value(field, value)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        row = self.vm_row(facts)
        if row is not None and occasion != "leave":
            check_steady(self.vm.key(), row)
        if not changes or self.absent:
            return
        if facts.info.language_mode not in ("", "FullLanguage"):
            text = "the host's PowerShell is restricted and cannot take files of this machine"
            raise HeldBackError(text, "make the image by other means and write it under dvds")
        if (volume := volume_of(self.iso_path)) and not there(volume, facts):
            raise HeldBackError(f"the host has no volume {volume}", "write a path on one that it has", "path")
        if self.file is not None and self.file.where:
            message = f"it is {self.file.where} of this machine: by a link, or not below playbook and inventory"
            yield finding("", message, "see that it is meant to leave this machine", "warning")
        self._check_place(facts)

    def _check_place(self, facts: Facts) -> None:
        tray, generation = self.tray(facts), _generation(self, facts)
        if tray.slot.scsi == (generation == 1):
            raise HeldBackError(*_DVD_RULES[generation], "at")
        if tray.drive(facts) is None:
            tray.check_place(facts)
        medium = self.medium(facts)
        own = (self.iso_path, *(f.path for f in self.former(facts)))
        if self.at is None and medium and not any(same_path(medium, path) for path in own):
            text = f"the DVD drive at {tray.at} has {medium}"
            raise HeldBackError(text, f"write `at: {tray.at}` to have it replaced, or another place", "at")

    # --- what it costs --------------------------------------------------------------------------------------------------

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        if self.tray(facts).drive(facts) is None:
            return self.tray(facts).plug_impacts(facts)
        asleep = state_at_work(self.vm, facts) == "Saved"
        return off_impacts(self.vm, facts) if asleep else frozenset({"online"})

    def rests_on(self, field: str, facts: Facts) -> str:
        """A new image is no use outside the drive."""
        return "medium" if field == "content" else ""

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        return frozenset({"online"})

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        """It can be made again."""
        return self.impacts("", None, None, facts) if self.medium(facts) else frozenset({"online"})

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if field == "content" and isinstance(now, Receipt):
            return "a guest that was configured before may not look at it again"
        if field == "content" and now is None:
            return self._why_made_again(facts)
        return ""

    def _why_made_again(self, facts: Facts) -> str:
        row = self.vm_row(facts)
        found = _receipts.of(str(row["Id"]), self.receipt_of, facts) if row else ()
        host = next((r.host for r in found if r.host), "")
        if host and not on_cluster(self.iso_path):
            return f"{host} has one that was made while {self.vm.key()} was there"
        return ""

    def summary(self) -> str:
        return f"{self.word} seed"

    # --- changing -------------------------------------------------------------------------------------------------------

    def create(self, facts: Facts) -> Iterator[Step]:
        yield from self.update(self.as_changes(facts), facts)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        """The old receipt goes first and the new one comes last."""
        path, name = self.iso_path, self.vm.key()
        tray = self.tray(facts)
        drive = tray.drive(facts)
        lies = same_path(self.medium(facts), path)
        chain: tuple[Step, ...] = ()
        copies = any(c.field == "content" for c in changes)
        if copies:
            for receipt in self.receipts(facts):
                chain = (*chain, _receipts.forgetting(receipt, f"forget {path}", ("content",)))
            if lies:
                chain = (*chain, self._insert(tray, None, drive, facts))
            if not there(folder_of(path), facts) and not self._made_by_a_disk(path):
                make = Call("New-Item", {"Path": folder_of(path), "ItemType": "Directory", "Force": True})
                chain = (*chain, Step(make, f"make the folder {folder_of(path)}", ("content",)))
            copy = Call("Copy-Item", {"LiteralPath": self._image(), "Destination": path, "Force": True})
            told = f"bring {self.file.name if self.file else ''} to the host, as {path}"
            chain = (*chain, Step(copy, told, ("content",), needs=chain))
            yield from chain
        if copies or not lies:
            inserted = self._insert(tray, path, drive, facts, chain)
            yield inserted
            chain = (*chain, inserted)
        if copies and self.file is not None:
            if not folder_is_there(facts):
                yield Step(_receipts.making_of_the_folder(), "make the folder for receipts", ("content",))
            call = _receipts.writing(self.vm, self.receipt_of, self.file.sha256, self.file.name, facts)
            yield Step(call, f"keep a receipt of {path} of {name}", ("content",), needs=chain)
        for former in self.former(facts):
            yield from self._removal(former.path, former.receipts, former.lies, ("medium",), chain)

    def _made_by_a_disk(self, path: str) -> bool:
        """Whether a disk of this VM lies in the same folder, which is made for it."""
        disks = (p.path for p in self.vm.parts_of(DiskPart) if p.path and not p.absent)
        return any(same_path(folder_of(disk), folder_of(path)) for disk in disks)

    def _insert(
        self, tray: _Tray, path: str | None, drive: Row | None, facts: Facts, needs: tuple[Step, ...] = ()
    ) -> Step:
        name = self.vm.key()
        if drive is None:
            place = {k: v for k, v in tray.slot.where.items() if k != "ControllerType"}  # as with DVD drives
            call = Call("Add-VMDvdDrive", {"VM": vm_ref(self.vm, facts), **place, "Path": path})
            text = f"add a DVD drive with {path} to {name} at {tray.at}"
            return Step(call, text, ("medium",), needs=needs, off=tray.off_to_plug(facts))
        call = Call("Set-VMDvdDrive", {"VMDvdDrive": tray.ref(facts), "Path": path or NULL})
        text = f"insert {path} in {name} at {tray.at}" if path else f"eject {self.iso_path} from {name} at {tray.at}"
        return Step(call, text, ("medium",), needs=needs, off=state_at_work(self.vm, facts) == "Saved")

    def remove(self, facts: Facts) -> Iterator[Step]:
        """The drive stays, empty: from IDE it could only be taken while the VM is off."""
        tray, medium = self.tray(facts), self.medium(facts)
        own = [(self.iso_path, self.receipts(facts), there(self.iso_path, facts))]
        own += [(f.path, f.receipts, f.lies) for f in self.former(facts)]
        needs: tuple[Step, ...] = ()
        if any(same_path(medium, path) for path, _, _ in own):
            needs = (self._insert(tray, None, tray.drive(facts), facts),)
            yield from needs
        for path, receipts, lies in own:
            yield from self._removal(path, receipts, lies, ("ensure",), needs)

    def _removal(
        self, path: str, receipts: tuple[Receipt, ...], lies: bool, because: tuple[str, ...], needs: tuple[Step, ...]
    ) -> Iterator[Step]:
        """Of an image that no drive has any more."""
        if lies:
            call, again = Call("Remove-Item", {"LiteralPath": path}), Retry("RemoveFileSystemItemIOError", RELEASE_S)
            yield Step(call, f"remove {path}", because, needs=needs, off=any(s.off for s in needs), retry=again)
        for receipt in receipts:
            yield _receipts.forgetting(receipt, f"forget {path}", because, needs=needs)


def _at(part: Resource) -> str | None:
    return part.at if part.kind in ("disk", "dvd") and isinstance(part, Drive) else None


def _generation(seed: Seed, facts: Facts) -> int:
    row = seed.vm_row(facts)
    return int(row.get("Generation") or 1) if row else seed.vm.generation or 1


_DVD_RULES = {
    1: ("generation 1 has DVD drives on IDE only", "write a place such as ide 1:1"),
    2: ("generation 2 has no IDE controllers", "write a place such as scsi 0:63"),
}
