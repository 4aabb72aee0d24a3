"""The steps of exports: make one, wait for one, mark it as complete, remove one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hvctl.call import Call, Guard, Row, Wanted
from hvctl.core.changes import Step
from hvctl.core.facts import Facts
from hvctl.kinds._exports import BEGUN, DONE, EXPORTING, FORMAT, Copy, config_suffix, folders_query
from hvctl.kinds._host import now
from hvctl.kinds._machine import Machine
from hvctl.kinds._types import Words, path_key
from hvctl.kinds._vm import vm_ref
from hvctl.text.duration import spoken

CAPTURES = Words(
    crash_consistent="CaptureCrashConsistentState",
    saved_state="CaptureSavedState",
    data_consistent="CaptureDataConsistentState",
)
EXPORT_S = 24 * 3600
"""How long an export may take before it is left to itself; the next run finds it."""

Needs = tuple[Step, ...]


@dataclass(frozen=True)
class ExportSteps:
    """For one VM, `owner` as wished and `vm` as it is, and one folder. `runs`: it does, or will when it is exported.
    `resumes`: they only take up what is there already. `rises`: its configuration version may do so before, and with
    it the kind of its file."""

    path: str
    owner: Machine
    vm: Row
    capture: str | None
    facts: Facts
    runs: bool = False
    resumes: bool = False
    rises: bool = False

    def export(self, field: str) -> Iterator[Step]:
        """The last is the mark of success."""
        name = self.owner.key()  # also where it was renamed before
        folder = f"{self.path}\\{self._label(name)}"
        made = self._step(
            Call("New-Item", {"Path": folder, "ItemType": "Directory"}), f"make the folder {folder}", field, ()
        )
        begun = self._write(f"{folder}\\{BEGUN}", f"mark {folder} as begun", field, (made,))
        params: dict[str, Any] = {"VM": vm_ref(self.owner, self.facts), "Path": folder}
        if self.capture and self.runs:
            params["CaptureLiveState"] = CAPTURES.write(self.capture)
        exported = self._step(
            Call("Export-VM", params), f"export {name} to {folder}", field, (begun,), job=True, limit_s=EXPORT_S
        )
        yield from (made, begun, exported, self.mark(folder, field, (exported,)))

    def _label(self, name: str) -> str:
        """Sorts by time; brackets would be wildcards to Export-VM."""
        label = f"{now(self.facts):%Y%m%dT%H%MZ}_" + name.replace("[", "(").replace("]", ")")
        there = {path_key(str(r["FullName"])) for r in self.facts.reply(folders_query(self.path)).rows}
        names = (label, *(f"{label}-{n}" for n in range(2, len(there) + 3)))
        return next(n for n in names if path_key(f"{self.path}\\{n}") not in there)

    def wait(self, field: str) -> Step:
        call = Call("Get-VM", {"Id": self.vm["Id"]})
        unmet = f"the export still ran after {spoken(EXPORT_S)}"
        guard = Guard(call, {"SecondaryOperationalStatus": EXPORTING}, wait_s=EXPORT_S, unmet=unmet)
        return self._step(call, f"wait for the export of {self.owner.key()} that is running", field, (), guard=guard)

    def mark(self, folder: str, field: str, needs: Needs) -> Step:
        """As complete, if its configuration file is there, which has the VM's id for a name (domain 1.1, 13)."""
        files = Call("Get-ChildItem", {"LiteralPath": folder, "Recurse": True, "File": True})
        vm_id = str(self.vm["Id"])
        named: dict[str, Wanted] = {"Name": f"{vm_id}{config_suffix(self.vm)}"}
        unmet = f"the export left no configuration file in {folder}, so that it is not complete"
        guard = Guard(files, {"BaseName": vm_id} if self.rises else named, least=1, most=99, unmet=unmet)
        return self._write(f"{folder}\\{DONE}", f"mark {folder} as finished", field, needs, guard)

    def remove(self, copy: Copy, what: str, field: str, needs: Needs) -> Step:
        call = Call("Remove-Item", {"LiteralPath": copy.folder, "Recurse": True, "Force": True})
        marker = Call("Get-Item", {"LiteralPath": f"{copy.folder}\\{BEGUN}"})
        ours = Guard(marker, least=1, most=1, unmet=f"{copy.folder} is not a folder that hvctl made any more")
        return self._step(call, f"remove {what} {copy.folder}", field, needs, guard=ours)

    def _write(self, path: str, text: str, field: str, needs: Needs, guard: Guard | None = None) -> Step:
        marker = {
            "hvctl_export": FORMAT,
            "vm": self.owner.key(),
            "vm_id": self.vm["Id"],
            "by": self.facts.info.user,
            "planned": f"{now(self.facts):%Y-%m-%dT%H:%MZ}",
            **({"capture": self.capture} if self.capture else {}),
        }
        # ASCII, so that no encoding matters.
        return self._step(
            Call("Set-Content", {"LiteralPath": path, "Value": json.dumps(marker)}), text, field, needs, guard=guard
        )

    def _step(self, call: Call, text: str, field: str, needs: Needs, **more: Any) -> Step:
        return Step(call, text, (field,), needs=needs, when="closing", resumes=self.resumes, **more)
