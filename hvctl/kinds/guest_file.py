"""What a running guest should hold: files copied into it through the host (domain 11.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from hvctl.call import Call, Ending, Guard, Value, Wanted
from hvctl.contract import OS
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Entry, Place, Resource, Shelf
from hvctl.core.values import Json, State
from hvctl.kinds import _receipts
from hvctl.kinds._receipts import FILES, LINES, Receipt, folder_is_there, orphans
from hvctl.kinds._services import GUIDS, SERVICES, guid_of
from hvctl.kinds._types import Flag, Seconds, WindowsPath
from hvctl.kinds._vm import VMS, VmPart, check_steady, in_vm, power, vm_ref
from hvctl.kinds.integration_services import IntegrationServices
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.duration import spoken
from hvctl.text.visible import quoted

INTERFACE = "guest_service_interface"
_WINDOWS = re.compile(r"([A-Za-z]:|%[^%\\/]+%)[\\/][^<>:\"|?*]*$")
_HASH = re.compile(r"sha256:[0-9a-fA-F]{64}$")


class GuestFile(VmPart):
    """One file in the running guest, or a folder of them; copying is online. It has one of `source` (beside the playbook),
    `template` and `host_source`. Nothing can be read back: what was copied is known from receipts on the host
    (docs/guest-files.md)."""

    kind: ClassVar[str] = "guest_file"
    section: ClassVar[str] = "guest_files"
    stand_in: ClassVar[Mapping[str, Any]] = {"destination": "C:\\unnamed"}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("src", "file"), "source"),
        **dict.fromkeys(("dest", "dst", "to", "path", "target"), "destination"),
    }
    many: ClassVar[bool] = True
    setter: ClassVar[str] = "Copy-VMFile"
    query: ClassVar[Call] = LINES
    after: ClassVar[tuple[str, ...]] = ("integration_services", "firmware")

    source: Annotated[str | None, Field(min_length=1)] = None
    template: Annotated[str | None, Field(min_length=1)] = None
    host_source: WindowsPath | None = None
    destination: Annotated[str, Field(min_length=2)]
    checksum: str | None = None
    force: Flag = True
    contact_timeout: Annotated[Seconds, Field(ge=2, le=3600)] = 300

    # --- identity ---------------------------------------------------------------------------------------------------

    def key(self) -> str:
        return self.target

    def title(self) -> str:
        return self._label()

    @property
    def origin(self) -> Literal["source", "template", "host_source"]:
        """The field that says where the bytes come from."""
        return "source" if self.source is not None else "template" if self.template is not None else "host_source"

    @property
    def target(self) -> str:
        """The file's path in the guest. A destination that ends like a folder takes the source's name."""
        if not self.destination.endswith(("/", "\\")):
            return self.destination
        given = str(getattr(self, self.origin) or "")
        name = PureWindowsPath(given).name if self.origin == "host_source" else PurePosixPath(given).name
        return self.destination + (name.removesuffix(".j2") if self.template else name)

    @classmethod
    def spread(cls, item: GuestFile, shelf: Shelf, place: Place, written: Mapping[str, Any]) -> Iterator[Entry]:
        mark = place.mark(item.origin)
        if item.source is not None:
            if item.source.endswith("/") or shelf.is_folder(item.source):
                for name, inner in shelf.below(item.source, mark):
                    yield Entry(item._within(name, inner), place, file=shelf.file(name, mark))
                return
            yield Entry(item, place, file=shelf.file(item.source, mark))
        elif item.template is not None:
            yield Entry(item, place, file=shelf.rendered(item.template, {"vm": written}, mark))
        else:
            yield Entry(item, place)

    def _within(self, name: str, inner: str) -> GuestFile:
        """One file of a folder; the destination is the folder in the guest."""
        linux = self.destination.startswith("/")
        folder = self.destination.rstrip("/\\")
        path = f"{folder}/{inner}" if linux else f"{folder}\\{inner}".replace("/", "\\")
        return self.model_copy(update={"source": name, "destination": path})

    # --- rules ------------------------------------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        given = [n for n in ("source", "template", "host_source") if getattr(self, n) is not None]
        if len(given) != 1:
            what = "both " + " and ".join(given) if given else "none"
            yield finding("", f"a guest file has one of source, template and host_source, not {what}", "write one")
        if self.checksum is not None and self.host_source is None:
            yield finding("checksum", "the checksum is that of a host_source", "remove it; hvctl hashes its own files")
        elif self.checksum is not None and not _HASH.match(self.checksum):
            yield finding(
                "checksum", f"{quoted(self.checksum)} is no checksum", "write sha256: and 64 hexadecimal digits"
            )
        if not self.destination.startswith("/") and not _WINDOWS.match(self.destination):
            yield finding(
                "destination",
                f"{quoted(self.destination)} is no absolute path in a guest",
                r"write C:\folder\file, %ProgramData%\file, or /folder/file for Linux",
            )
        elif {".", ".."} & set(re.split(r"[\\/]", self.destination)):
            # Its receipt would not be found under another spelling.
            yield finding(
                "destination", f"{quoted(self.destination)} goes a roundabout way", "write it without . and .."
            )

    # --- looking ----------------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (FILES, LINES)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        yield from ()  # a receipt says what is there, and not where it came from

    def queries(self) -> tuple[Call, ...]:
        more = (self._hash_query(),) if self.host_source is not None else ()
        return (VMS, SERVICES, FILES, LINES, *more)

    def queries_behind(self) -> tuple[Call, ...]:
        return (FILES, LINES)

    def _hash_query(self) -> Call:
        return Call("Get-FileHash", {"LiteralPath": (self.host_source,)}, ("Hash", "Path"), each="LiteralPath")

    def wanted_hash(self, facts: Facts) -> str | None:
        """Of what is to be in the guest; None: the host has no such file."""
        if self.host_source is None:
            return self.file.sha256 if self.file else None
        reply = facts.reply(self._hash_query())
        if reply.failure is not None and reply.failure.kind != "PathNotFound":
            raise UnreadableError(self._hash_query(), reply.failure)
        return str(reply.rows[0]["Hash"]).lower() if reply.rows else None

    def receipt(self, facts: Facts) -> Receipt | None:
        """The latest one of this file in this VM; that of another VM which had the name is none."""
        row = self.vm_row(facts)
        found = _receipts.of(str(row["Id"]), self.target, facts) if row else ()
        return found[0] if found else None

    def actual(self, facts: Facts) -> State | None:
        if self.vm_row(facts) is None:
            return None
        return {self.origin: self.receipt(facts)}

    def changes(self, actual: State, facts: Facts) -> tuple[Change, ...]:
        """Another hash than the receipt's, or no receipt: then it is not known what is there."""
        known: Receipt | None = actual[self.origin]
        wanted = self.wanted_hash(facts)
        if known is not None and (not self.force or known.sha256 == wanted):
            return ()
        return (Change(self.origin, known, wanted, note="" if known else self._why_not_known(facts)),)

    def _why_not_known(self, facts: Facts) -> str:
        away = " and ".join(h for h in _receipts.unread(facts) if not (self.index.together and self.index.is_beside(h)))
        if away:
            return f"no receipt, unless {away} has one, which could not be read: what the guest has there is not known"
        return "no receipt: what the guest has there is not known"

    def as_changes(self, facts: Facts) -> tuple[Change, ...]:
        return (Change(self.origin, None, self.wanted_hash(facts)),)

    def show(self, field: str, value: Any) -> str:
        if field != self.origin:
            return super().show(field, value)
        if isinstance(value, Receipt):
            when = f" at {value.time[:16].replace('T', ' ')}Z" if value.time else ""
            return f"copied {value.sha256[:12]}{when}"
        return str(value)[:12] if value else "unknown"

    def value(self, field: str, value: Any) -> Json:
        return value.sha256 if isinstance(value, Receipt) else super().value(field, value)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        """Everything that is missing for a copy, at once."""
        if not changes:
            return
        row = self.vm_row(facts)
        if row is not None:
            check_steady(self.vm.key(), row)
        if self.file is not None and self.file.where:
            message = f"it is {self.file.where} of this machine: by a link, or not below playbook and inventory"
            yield finding(self.origin, message, "see that it is meant to leave this machine", "warning")
        for message, hint in (*self._source_problems(facts), *self._power_problems(facts), *self._contact(facts)):
            yield finding(self.origin, message, hint)

    def _source_problems(self, facts: Facts) -> Iterator[tuple[str, str]]:
        if self.host_source is None:
            if facts.info.language_mode not in ("", "FullLanguage"):
                hint = "put the file on the host by other means and write host_source"
                yield "the host's PowerShell is restricted and cannot take files of this machine", hint
            return
        found = self.wanted_hash(facts)
        if found is None:
            yield f"{self.host_source} is not on the host", "correct the path, or put the file there"
        elif self.checksum is not None and found != self.checksum.partition(":")[2].lower():
            yield f"{self.host_source} has another checksum: sha256:{found}", "replace the file, or the checksum"

    def _power_problems(self, facts: Facts) -> Iterator[tuple[str, str]]:
        name, now, wished = self.vm.key(), power(self.vm_row(facts)), self.vm.state
        if wished not in (None, "running"):
            yield f"{name} is to be {wished}, and files are copied into running guests only", "wish for state: running"
        elif now != "Running" and wished is None:
            yield f"{name} is {now.lower()}, and files are copied into running guests only", "write state: running"

    def _contact(self, facts: Facts) -> Iterator[tuple[str, str]]:
        """Whether the guest service is offered and answers, or will when the plan has run."""
        name, row = self.vm.key(), self.vm_row(facts)
        written = self.vm.part(IntegrationServices)
        wished = written.guest_service_interface if written is not None else None
        if wished is False:
            yield f"the playbook switches the Guest Service Interface of {name} off", "files need it; write on"
            return
        write = f"write integration_services: {{{INTERFACE}: on}}"
        services = in_vm(SERVICES, row, facts) if row is not None else ()
        found = [s for s in services if guid_of(s["Id"]) == GUIDS[INTERFACE]]
        if not any(s["Enabled"] for s in found):
            if wished is None:
                yield f"the Guest Service Interface of {name} is off" + (", as of every new VM" * (row is None)), write
        elif power(row) == "Running" and found[0]["PrimaryOperationalStatus"] != "Ok":
            yield (
                f"the guest service of {name} has no contact",
                "start vmicguestinterface in Windows, hv_fcopy_daemon in Linux, or wait until the guest has booted",
            )

    # --- changing ---------------------------------------------------------------------------------------------------

    def requires(self) -> tuple[Address, ...]:
        """The switching on of the interface, where the playbook does that."""
        parts = self.vm.parts_of(IntegrationServices) if self.owner else ()
        return tuple(p.address() for p in parts if p.guest_service_interface is not None)

    def _label(self) -> str:
        if self.file is None:
            return str(self.host_source)
        where = f" ({self.file.where})" if self.file.where not in ("", self.file.name) else ""
        return f"{self.file.name}{where}, {self.file.size:,} bytes"

    def create(self, facts: Facts) -> Iterator[Step]:
        yield from self.update(self.as_changes(facts), facts)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        """The old receipt goes before the copy and the new one comes after it: one that lies is worse than none."""
        name, because = self.vm.key(), (self.origin,)
        row = self.vm_row(facts)
        guard = self._in_contact(facts)
        gone = tuple(
            _receipts.forgetting(r, f"forget the copy of {self.target}", because, when="up", guard=guard)
            for r in (_receipts.of(str(row["Id"]), self.target, facts) if row else ())
        )
        if not folder_is_there(facts) and self._first_to_change(facts):
            yield Step(_receipts.making_of_the_folder(), "make the folder for receipts", because, when="up")
        yield from gone
        copied = Step(
            Call("Copy-VMFile", self._arguments(facts)),
            f"copy {self._label()} to {self.target} in {name}",
            because,
            needs=gone,
            when="up",
            guard=guard,
            job=True,
        )
        yield copied
        wanted = str(changes[0].wanted)
        call = _receipts.writing(self.vm, self.target, wanted, str(getattr(self, self.origin)), facts)
        yield Step(call, f"keep a receipt of {self.target}", because, needs=(copied,), when="up")
        if self._orphans(facts) and self._first_to_change(facts):
            for orphan in self._orphans(facts):
                text = f"forget what was copied into {orphan.vm}, which is gone"
                yield Step(_receipts.removal(orphan), text, because, needs=(copied,), when="up")

    def _arguments(self, facts: Facts) -> dict[str, Value]:
        found: dict[str, Value] = {
            "VM": vm_ref(self.vm, facts),
            "SourcePath": self.file if self.file is not None else self.host_source,
            "DestinationPath": self.target,
            "FileSource": "Host",
            "CreateFullPath": True,
        }
        return found | {"Force": True} if self.force else found

    def _in_contact(self, facts: Facts) -> Guard:
        """The guest answers some seconds after the interface was switched on or the VM was started (domain 11.1)."""
        services = Call("Get-VMIntegrationService", {"VM": vm_ref(self.vm, facts)})
        where: dict[str, Wanted] = {
            "Id": Ending(f"\\{GUIDS[INTERFACE]}"),
            "Enabled": True,
            "PrimaryOperationalStatus": "Ok",
        }
        unmet = f"the guest service of {self.vm.key()} did not answer within {spoken(self.contact_timeout)}"
        return Guard(services, where, 1, 1, wait_s=self.contact_timeout, unmet=unmet)

    def _orphans(self, facts: Facts) -> tuple[Receipt, ...]:
        """Receipts of VMs that are gone, but for those that the receipt of a new VM of that name takes the place of."""
        kept = {getattr(p, "receipt_file", "") for p in self.index.peers}
        return tuple(r for r in orphans(facts) if r.file not in kept)

    @property
    def receipt_file(self) -> str:
        return _receipts.name_of(self.vm.key(), self.target)

    def _first_to_change(self, facts: Facts) -> bool:
        """Whether it is this one that prepares and clears up, of all that are copied."""
        for peer in self.beside(GuestFile):
            actual = peer.actual(facts)
            if actual is None or peer.changes(actual, facts):
                return peer is self
        return False
