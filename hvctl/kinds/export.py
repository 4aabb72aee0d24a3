"""Exports of a VM: a copy of it, running or not, never older than wanted (domain 13)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, PrivateAttr

from hvctl.call import Call, Guard, Row
from hvctl.contract import OS, at_least, title
from hvctl.facts import Facts
from hvctl.kinds import _exports as lying
from hvctl.kinds._drives import DISKS, one_spelling
from hvctl.kinds._export_checks import VOLUMES, obstacles, sizes_query
from hvctl.kinds._exports import BEGUN, DONE, EXPORTING, FORMAT, Copy, Ledger, config_suffix, ledger
from hvctl.kinds._host import CLOCK, now, time_zone
from hvctl.kinds._services import SERVICES
from hvctl.kinds._types import Seconds, WindowsPath, Words, about_size, path_key, shown_age, shown_seconds
from hvctl.kinds._vm import VMS, VmPart, check_steady, power, vm_ref
from hvctl.kinds._window import Due, Window, due
from hvctl.resource import Change, Finding, HeldBackError, State, Step

CAPTURES = Words(
    crash_consistent="CaptureCrashConsistentState",
    saved_state="CaptureSavedState",
    data_consistent="CaptureDataConsistentState",
)
EXPORT_S = 24 * 3600
"""How long an export may take before it is left to itself; the next run finds it."""


def _window(text: str) -> str:
    Window.parse(text)
    return text


@dataclass(frozen=True)
class Seen:
    """What the folder holds, and what follows from it at the host's time `at`."""

    ledger: Ledger
    due: Due
    at: datetime

    @property
    def age(self) -> str:
        newest = self.ledger.newest
        return "none yet" if newest is None else f"{shown_age((self.at - newest).total_seconds())} old"


class Export(VmPart):
    """A copy of the VM in a folder of the host, each in a dated folder of its own. `every`: how old the newest may be;
    without it, one is enough. `keep`: how many stay once a new one is complete; without it, all. `window`: hours of
    the host's day in which exports are made. Only folders that hvctl made, for this VM, are counted and removed."""

    kind: ClassVar[str] = "export"
    section: ClassVar[str] = "exports"
    many: ClassVar[bool] = True

    path: Annotated[WindowsPath, AfterValidator(one_spelling)]
    every: Annotated[Seconds | None, Field(ge=600)] = None
    keep: Annotated[int | None, Field(ge=1)] = None
    capture: Annotated[str | None, CAPTURES] = None
    window: Annotated[str | None, AfterValidator(lambda v: v if v is None else _window(v))] = None

    _at_once: bool = PrivateAttr(default=False)
    _since: datetime | None = PrivateAttr(default=None)

    def at_once(self, since: datetime | None = None) -> None:
        """One is wanted now, however old the newest is and whatever the hour, unless one was begun `since`."""
        self._at_once, self._since = True, since

    def key(self) -> str:
        return self.path

    def rules(self, os: OS) -> Iterator[Finding]:
        if self.capture and not at_least(os, "2016"):
            yield Finding("capture", f"{title(os)} has no choice of what is captured", "remove it for this host")
        if "[" in self.path or "]" in self.path:
            # The pages say that Export-VM -Path takes wildcards (contract).
            yield Finding("path", f"{self.path} has a bracket, which Export-VM takes for a wildcard", "write another")

    # --- looking ----------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return ()

    def queries(self) -> tuple[Call, ...]:
        return (VMS, CLOCK, DISKS, SERVICES, VOLUMES, sizes_query(), *lying.queries(self.path))

    def actual(self, facts: Facts) -> State | None:
        if self.vm_row(facts) is None:
            raise HeldBackError(f"{self.vm.key()} is not there yet", "its first export is due once it has been made")
        return {}

    def seen(self, facts: Facts) -> Seen:
        found = ledger(self.path, self.vm_row(facts) or {}, facts)
        at = now(facts).astimezone(time_zone(facts))
        every = timedelta(seconds=self.every) if self.every is not None else None
        window = Window.parse(self.window) if self.window else None
        if not self._at_once:
            return Seen(found, due(found.newest, every, window, at), at)
        begun = self._since is not None and found.newest is not None and found.newest >= self._since
        return Seen(found, Due(now=found.running is None and not begun), at)

    # --- what differs -----------------------------------------------------------------------------------------

    def show(self, field: str, value: Any) -> str:
        return str(value)

    def changes(self, actual: State, facts: Facts) -> tuple[Change, ...]:
        seen = self.seen(facts)
        found: list[Change] = []
        if seen.due.opens is not None:
            found.append(Change("window", seen.age, f"a new one from {seen.due.opens:%H:%M} on"))
        elif seen.due.now:
            most = f"at most {shown_seconds(self.every)} old" if self.every else "an export"
            told = "an export now" if self._at_once else most
            found.append(Change("every" if self.every and not self._at_once else "path", seen.age, told))
        if seen.ledger.running:
            began = shown_age((seen.at - seen.ledger.running.began).total_seconds())
            found.append(Change(f"running.{seen.ledger.running.name}", f"runs since {began}", "waited for"))
        found += [
            Change(f"finished.{c.name}", "exported, not marked", "marked as finished") for c in seen.ledger.unmarked
        ]
        found += [
            Change(f"unfinished.{c.name}", f"half an export, {about_size(c.size)}", "removed")
            for c in self._broken(seen)
        ]
        for copy in self._too_many(seen):
            told = f"{shown_age((seen.at - copy.began).total_seconds())} old, {about_size(copy.size)}"
            found.append(Change(f"keep.{copy.name}", told, "removed"))
        return tuple(found)

    def _broken(self, seen: Seen) -> tuple[Copy, ...]:
        """Half exports are cleaned up when none goes on."""
        return () if seen.ledger.running else seen.ledger.half

    def _too_many(self, seen: Seen) -> tuple[Copy, ...]:
        """The oldest beyond `keep`, counted as they will be when what this plan makes or waits for is complete."""
        if self.keep is None:
            return ()
        new = seen.due.now + (seen.ledger.running is not None) + len(seen.ledger.unmarked)
        return seen.ledger.finished[max(0, self.keep - new) :]

    def findings(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Finding]:
        seen, vm = self.seen(facts), self.vm_row(facts)
        if vm is None:
            return
        if seen.due.opens is not None:
            opens = f"at {seen.due.opens:%H:%M} of the host's time, in {shown_age((seen.due.opens - seen.at).total_seconds())}"
            hint = f"hvctl export {self.vm.key()} makes one at once"
            yield Finding("window", f"an export is due when the window {self.window} opens {opens}", hint)
        if seen.due.now:
            check_steady(self.vm.key(), vm)
            given_back = sum(c.size for c in self._broken(seen))
            yield from obstacles(vm, self.vm.key(), self.path, self.capture, given_back, facts)

    # --- changing ---------------------------------------------------------------------------------------------

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        fields = {c.field for c in changes}
        seen = self.seen(facts)
        vm = self.vm_row(facts) or {}
        for copy in self._broken(seen):
            yield self._removal(copy, f"remove the half export {copy.folder}", f"unfinished.{copy.name}", ())
        complete: list[Step] = []
        for copy in seen.ledger.unmarked:
            complete.append(self._mark(vm, copy.folder, copy.vm, f"finished.{copy.name}", (), facts))
        if (running := seen.ledger.running) is not None:
            waits = self._wait(vm, f"running.{running.name}")
            complete.append(self._mark(vm, running.folder, running.vm, f"running.{running.name}", (waits,), facts))
            yield waits
        if seen.due.now:
            *steps, last = self._export(vm, seen, next(iter(fields & {"every", "path"})), facts)
            yield from steps
            complete.append(last)
        yield from complete
        for copy in reversed(self._too_many(seen)):
            yield self._removal(copy, f"remove the old export {copy.folder}", f"keep.{copy.name}", tuple(complete))

    def _export(self, vm: Row, seen: Seen, field: str, facts: Facts) -> Iterator[Step]:
        name, because = str(vm["Name"]), (field,)
        folder = f"{self.path}\\{self._label(name, seen, facts)}"
        params = {"Path": folder, "ItemType": "Directory"}
        made = Step(Call("New-Item", params), f"make the folder {folder}", because, when="closing")
        begun = self._write(f"{folder}\\{BEGUN}", vm, f"mark {folder} as begun", because, (made,), facts)
        export: dict[str, Any] = {"VM": vm_ref(self.vm.key(), facts), "Path": folder}
        if self.capture and power(vm) in ("Running", "Paused"):
            export["CaptureLiveState"] = CAPTURES.write(self.capture)
        exported = Step(
            Call("Export-VM", export),
            f"export {name} to {folder}",
            because,
            needs=(begun,),
            when="closing",
            job=True,
            limit_s=EXPORT_S,
        )
        yield from (made, begun, exported, self._mark(vm, folder, name, field, (exported,), facts))

    def _label(self, name: str, seen: Seen, facts: Facts) -> str:
        """Sorts by time; brackets would be wildcards to Export-VM."""
        bare = name.replace("[", "(").replace("]", ")")
        label = f"{now(facts):%Y%m%dT%H%MZ}_{bare}"
        there = {path_key(str(r["FullName"])) for r in facts.reply(lying.folders_query(self.path)).rows}
        number = 1
        while path_key(f"{self.path}\\{label}{'' if number == 1 else f'-{number}'}") in there:
            number += 1
        return label if number == 1 else f"{label}-{number}"

    def _wait(self, vm: Row, field: str) -> Step:
        call = Call("Get-VM", {"Id": vm["Id"]})
        guard = Guard(call, {"SecondaryOperationalStatus": EXPORTING}, wait_s=EXPORT_S)
        return Step(call, f"wait for the export of {vm['Name']} that is running", (field,), when="closing", guard=guard)

    def _mark(self, vm: Row, folder: str, name: str, field: str, needs: tuple[Step, ...], facts: Facts) -> Step:
        """An export is complete if its configuration file is there."""
        config = Call("Get-ChildItem", {"LiteralPath": f"{folder}\\{name}\\Virtual Machines", "File": True})
        guard = Guard(config, {"Extension": config_suffix(vm)}, least=1, most=1)
        text = f"mark {folder} as finished"
        return self._write(f"{folder}\\{DONE}", vm, text, (field,), needs, facts, guard)

    def _write(
        self,
        path: str,
        vm: Row,
        text: str,
        because: tuple[str, ...],
        needs: tuple[Step, ...],
        facts: Facts,
        guard: Guard | None = None,
    ) -> Step:
        marker = {
            "hvctl_export": FORMAT,
            "vm": vm["Name"],
            "vm_id": vm["Id"],
            "by": facts.info.user,
            "planned": f"{now(facts):%Y-%m-%dT%H:%MZ}",
            **({"capture": self.capture} if self.capture else {}),
        }
        # ASCII, so that no encoding matters.
        call = Call("Set-Content", {"LiteralPath": path, "Value": json.dumps(marker)})
        return Step(call, text, because, needs=needs, when="closing", guard=guard)

    def _removal(self, copy: Copy, text: str, field: str, needs: tuple[Step, ...]) -> Step:
        call = Call("Remove-Item", {"LiteralPath": copy.folder, "Recurse": True, "Force": True})
        ours = Guard(Call("Get-Item", {"LiteralPath": f"{copy.folder}\\{BEGUN}"}), least=1, most=1)
        return Step(call, text, (field,), needs=needs, when="closing", guard=ours)
