"""Exports of a VM: a copy of it, running or not, never older than wanted (domain 13)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, PrivateAttr

from hvctl.call import Call
from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import Change, HeldBackError, Noted, Occasion, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.fields import Null
from hvctl.core.resource import Resource
from hvctl.core.values import Said, State
from hvctl.kinds import _exports as lying
from hvctl.kinds._drives import DISKS, one_spelling
from hvctl.kinds._export_checks import obstacles
from hvctl.kinds._export_steps import CAPTURES, EXPORT_S, ExportSteps
from hvctl.kinds._exports import Copy, Ledger, ledger, newest_in
from hvctl.kinds._host import CLOCK, now, time_zone
from hvctl.kinds._machine import machine
from hvctl.kinds._services import SERVICES
from hvctl.kinds._space import VOLUMES, sizes_query
from hvctl.kinds._types import LONGEST, Seconds, WindowsPath, about_size, shown_age
from hvctl.kinds._vm import VMS, VmPart, check_steady, runs, vm_row
from hvctl.kinds._window import Due, Window, due
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.duration import spoken


def _window(text: str) -> str:
    Window.parse(text)
    return text


@dataclass(frozen=True)
class Seen:
    """What the folder holds, and what follows from it at the host's time `at`."""

    ledger: Ledger
    due: Due
    at: datetime
    newest: datetime | None = None
    """Also on another host that the VM was on."""

    @property
    def age(self) -> str:
        return "none yet" if self.newest is None else f"{shown_age((self.at - self.newest).total_seconds())} old"


class Export(VmPart):
    """A copy of the VM in a folder of the host, each in a dated folder of its own. `every`: how old the newest may be;
    without it, one is enough. `keep`: how many stay once a new one is complete; without it, all. `window`: hours of
    the host's day in which exports are made. Only folders that hvctl made, for this VM, are counted and removed."""

    kind: ClassVar[str] = "export"
    section: ClassVar[str] = "exports"
    stand_in: ClassVar[Mapping[str, Any]] = {"path": "C:\\exports"}
    other_words: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("to", "folder", "destination", "target"), "path"),
        **dict.fromkeys(("interval", "schedule", "frequency"), "every"),
        **dict.fromkeys(("retain", "retention", "count", "copies"), "keep"),
    }
    many: ClassVar[bool] = True

    path: Annotated[WindowsPath, AfterValidator(one_spelling)]
    every: Annotated[Seconds | None, Field(ge=600, le=LONGEST), Null("one is enough")] = None
    keep: Annotated[int | None, Field(ge=1), Null("all")] = None
    capture: Annotated[str | None, CAPTURES] = None
    window: Annotated[str | None, AfterValidator(lambda v: v if v is None else _window(v)), Null("any time")] = None

    _at_once: bool = PrivateAttr(default=False)
    _since: datetime | None = PrivateAttr(default=None)

    def at_once(self, since: datetime | None = None) -> Export:
        """The same, wanted now, however old the newest is and whatever the hour, unless one was begun `since`."""
        copy = self.model_copy()
        copy._at_once, copy._since = True, since
        return copy

    def key(self) -> str:
        return self.path

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if self.capture and not at_least(os, "2016"):
            yield finding("capture", f"{title(os)} has no choice of what is captured", exists_from("2016"))
        if len(self.path) < len("E:\\x"):
            yield finding("path", f"{self.path} is a whole drive", r"write a folder on it, such as 'E:\exports'")
        if "[" in self.path or "]" in self.path:
            # The pages say that Export-VM -Path takes wildcards (contract).
            yield finding("path", f"{self.path} has a bracket, which Export-VM takes for a wildcard", "write another")

    # --- looking ----------------------------------------------------------------------------------------------

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        """What lies in a folder of exports is asked for where a playbook names the folder."""
        return (CLOCK, VOLUMES)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """By hvctl's markers, where they were looked for. How often one is wanted is written nowhere on the host."""
        row = vm_row(machine(owner), facts)
        for path in lying.paths_of(str(row["Id"]), facts) if row is not None else ():
            yield cls.model_validate({"path": path})

    @classmethod
    def describing_first(cls) -> tuple[Call, ...]:
        return (lying.AROUND,)

    @classmethod
    def describing_then(cls, facts: Facts) -> tuple[Call, ...]:
        folders = lying.around(facts)
        return (lying.markers_query(*folders), lying.contents_query(*folders))

    def asides(self, facts: Facts) -> Iterator[str]:
        yield "exports that hvctl made lie there; how often and how many (every, keep) is not written on the host"

    def queries_behind(self) -> tuple[Call, ...]:
        return lying.queries(self.path)

    def queries(self) -> tuple[Call, ...]:
        return (VMS, CLOCK, DISKS, SERVICES, VOLUMES, sizes_query(), *lying.queries(self.path))

    def actual(self, facts: Facts) -> State | None:
        if self.vm_row(facts) is None:
            if not self.vm.may_be_made:
                raise HeldBackError(f"there is no VM {self.vm.key()} to export", "correct its name")
            why = f"{self.vm.key()} is not there yet"
            raise HeldBackError(why, "its first export is due once it has been made", later=True)
        return {}

    def seen(self, facts: Facts) -> Seen:
        found = ledger(self.path, self.vm_row(facts) or {}, facts)
        at = now(facts).astimezone(time_zone(facts))
        every = timedelta(seconds=self.every) if self.every is not None else None
        window = Window.parse(self.window) if self.window else None
        vm_id = str((self.vm_row(facts) or {}).get("Id", ""))
        newest = max(
            (t for t in (found.newest, *self._elsewhere(vm_id, facts).values()) if t is not None), default=None
        )
        if not self._at_once:
            return Seen(found, due(newest, every, window, at), at, newest)
        begun = self._since is not None and newest is not None and newest >= self._since
        return Seen(found, Due(now=found.running is None and not begun, late=True), at, newest)

    def _elsewhere(self, vm_id: str, facts: Facts) -> dict[str, datetime]:
        """When the newest began that other hosts of the unit have: the VM was there. A folder that they share has the same."""
        found = {}
        for host, other in facts.beside.items():
            try:
                newest = newest_in(self.path, vm_id, other) if other is not None else None
            except (UnreadableError, HeldBackError):
                newest = None
            if newest is not None:
                found[host] = newest
        return found

    def noted(self, facts: Facts) -> Noted | None:
        """How old the newest is, by the clock of the host."""
        if self.vm_row(facts) is None:
            return None
        try:
            seen = self.seen(facts)
        except HeldBackError:  # its folder could not be read
            return None
        age = None if seen.newest is None else max(0, int((seen.at - seen.newest).total_seconds()))
        return Noted(self.vm.key(), f"in {self.path}", lag_s=age)

    # --- what differs -----------------------------------------------------------------------------------------

    def show(self, field: str, value: Any) -> str:
        return str(value)

    @property
    def _due(self) -> str:
        """The field that asks for a new one."""
        return "every" if self.every and not self._at_once else "path"

    def as_changes(self, facts: Facts) -> tuple[Change, ...]:
        """The last three have an item for each export that is not as it should be, as `keep` has."""
        given = {"path": self.path, "every": self.every, "keep": self.keep}
        wanted = {name: value for name, value in given.items() if value is not None}
        states = dict.fromkeys(("running", "finished", "unfinished"), "none")
        return tuple(Change(name, None, value) for name, value in (wanted | states).items())

    def changes(self, actual: State, facts: Facts) -> tuple[Change, ...]:
        seen = self.seen(facts)
        found: list[Change] = []
        newest = Said(seen.newest, seen.age)
        if seen.due.opens is not None or seen.due.now:
            wanted = Said(self.every or self.path, self._goal(seen))
            found.append(Change(self._due, newest, wanted, in_time=not seen.due.late, note=self._left(seen, facts)))
        if running := seen.ledger.running:
            since = Said(running.began, f"runs since {shown_age((seen.at - running.began).total_seconds())}")
            in_time = seen.at - running.began < timedelta(seconds=EXPORT_S)
            found.append(Change(f"running.{running.name}", since, Said("none", "waited for"), in_time=in_time))
        for copy in seen.ledger.unmarked:
            now = Said(copy.began, "exported, not marked")
            found.append(Change(f"finished.{copy.name}", now, Said("none", "marked as finished")))
        for copy in self._broken(seen):
            now = Said(copy.began, f"half an export, {about_size(copy.size)}")
            found.append(Change(f"unfinished.{copy.name}", now, Said("none", "removed")))
        already = self._too_many(seen, so_far=True)
        for copy in self._too_many(seen):
            told = f"{shown_age((seen.at - copy.began).total_seconds())} old, {about_size(copy.size)}"
            in_time = copy not in already and not seen.due.late
            found.append(Change(f"keep.{copy.name}", Said(copy.began, told), Said("none", "removed"), in_time=in_time))
        return tuple(found)

    def _left(self, seen: Seen, facts: Facts) -> str:
        """What lies on other hosts that it was on, of which none is removed."""
        vm_id = str((self.vm_row(facts) or {}).get("Id", ""))
        own = seen.ledger.newest
        there = [host for host, newest in self._elsewhere(vm_id, facts).items() if own is None or newest > own]
        away = [host for host, other in facts.beside.items() if other is None and not self._is_beside(host)]
        if not there and not away:
            return ""
        told = f"{' and '.join(there)} has exports of it, made while it was there, which stay" if there else ""
        doubt = f"what {' and '.join(away)} has of it could not be read" if away else ""
        return "; ".join(text for text in (told, doubt) if text)

    def _is_beside(self, host: str) -> bool:
        return bool(self.index.together) and self.index.is_beside(host)

    def _goal(self, seen: Seen) -> str:
        if seen.due.opens is not None:
            return f"a new one from {seen.due.opens:%H:%M} on"
        if self._at_once:
            return "an export now"
        return f"at most {spoken(self.every)} old" if self.every else "an export"

    def _broken(self, seen: Seen) -> tuple[Copy, ...]:
        """Half exports are cleaned up when none goes on."""
        return () if seen.ledger.running else seen.ledger.half

    def _too_many(self, seen: Seen, *, so_far: bool = False) -> tuple[Copy, ...]:
        """The oldest beyond `keep`, counted as they will be when what this plan makes or waits for is complete; `so_far`:
        as they are."""
        if self.keep is None:
            return ()
        new = len(seen.ledger.unmarked)
        new += 0 if so_far else seen.due.now + (seen.ledger.running is not None)
        return seen.ledger.finished[max(0, self.keep - new) :]

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        seen, vm = self.seen(facts), self.vm_row(facts)
        if vm is None:
            return
        if seen.due.opens is not None:
            opens = f"at {seen.due.opens:%H:%M} of the host's time, in {shown_age((seen.due.opens - seen.at).total_seconds())}"
            hint = f"hvctl export {self.vm.key()} makes one at once"
            due = f"an export is due when the window {self.window} opens {opens}"
            told = f"the last window ended without the export that was due; the next opens {opens}"
            yield finding(self._due, told if seen.due.late else due, hint, "later")
        if seen.due.now:
            check_steady(self.vm.key(), vm)
            given_back = sum(c.size for c in self._broken(seen))
            yield from obstacles(self.vm, vm, self.path, self.capture, given_back, facts)

    # --- changing ---------------------------------------------------------------------------------------------

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        seen, vm = self.seen(facts), self.vm_row(facts) or {}
        begun = (*seen.ledger.unmarked, *((seen.ledger.running,) if seen.ledger.running else ()))
        taken_up = bool(begun) and not seen.due.now
        rises = self.vm.version not in (None, vm.get("Version"))
        steps = ExportSteps(self.path, self.vm, vm, self.capture, facts, runs(self.vm, vm), taken_up, rises)
        for copy in self._broken(seen):
            yield steps.remove(copy, "the half export", f"unfinished.{copy.name}", ())
        complete: list[Step] = []
        for copy in begun:
            goes_on = copy is seen.ledger.running
            field = f"{'running' if goes_on else 'finished'}.{copy.name}"
            waits = (steps.wait(field),) if goes_on else ()
            yield from waits
            complete.append(steps.mark(copy.folder, field, waits))
            yield complete[-1]
        if seen.due.now:
            *making, last = steps.export(next(c.field for c in changes if c.field in ("every", "path")))
            yield from (*making, last)
            complete.append(last)
        for copy in reversed(self._too_many(seen)):
            yield steps.remove(copy, "the old export", f"keep.{copy.name}", tuple(complete))
