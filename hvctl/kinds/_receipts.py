"""Receipts on the host of files that were copied into guests, since nothing can be read back from there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hvctl.call import Call, Home, Ref, Row, Value
from hvctl.core.changes import Step
from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds._machine import Machine
from hvctl.kinds._vm import VMS, vm_ref, vm_row

FOLDER = "receipts"
FILES = Call(
    "Get-ChildItem", {"LiteralPath": Home(FOLDER), "Filter": "*.txt"}, select=("Name", "FullName", "LastWriteTimeUtc")
)
LINES = Call("Get-Content", {"LiteralPath": Ref(FILES, path="FullName", many=True), "Encoding": "UTF8"}, select=("*",))
"""The lines of all receipts, one after another: one question for a whole host."""

_FIRST, _LAST = "hvctl receipt 1", "end of receipt"


@dataclass(frozen=True)
class Receipt:
    """`time`: when it was written, by the host's clock; "" if the host does not say. `host`: of the unit, that keeps it; "" is
    the VM's own."""

    file: str
    vm: str
    vm_id: str
    destination: str
    sha256: str
    by: str
    source: str
    time: str = ""
    host: str = ""


def receipts(facts: Facts) -> tuple[Receipt, ...]:
    """All that are whole. Raises UnreadableError if the host did not show them."""
    return _parsed(_Same(_rows(FILES, facts)), _Same(_rows(LINES, facts)))


class _Same:
    """Rows, as one thing: a host may have thousands of receipts, and every file asks for them."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.rows = rows

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.rows is self.rows

    def __hash__(self) -> int:
        return id(self.rows)


@lru_cache(maxsize=64)
def _parsed(files: _Same, rows: _Same) -> tuple[Receipt, ...]:
    times = {str(r["Name"]).casefold(): str(r.get("LastWriteTimeUtc") or "") for r in files.rows}
    lines = [str(row[""]) for row in rows.rows]
    found = []
    for n, line in enumerate(lines):
        body = lines[n + 1 : n + 9]
        # One that was cut off has another's beginning, or nothing, where its end should be.
        if line == _FIRST and len(body) == 8 and body[7] == _LAST:
            found.append(replace(Receipt(*body[:7]), time=times.get(body[0].casefold(), "")))
    return tuple(found)


def folder_is_there(facts: Facts) -> bool:
    return facts.reply(FILES).ok


def _rows(query: Call, facts: Facts) -> tuple[Row, ...]:
    """Before the first receipt there is no folder."""
    reply = facts.reply(query)
    if reply.failure is not None and reply.failure.kind != "PathNotFound":
        raise UnreadableError(query, reply.failure)
    return reply.rows


def of(vm_id: str, destination: str, facts: Facts) -> tuple[Receipt, ...]:
    """Those of a file in a VM, the latest first; several if the VM was renamed, or was on other hosts of its unit."""
    found = [r for r in facts.derived(_by_vm).get(vm_id.casefold(), ()) if same_place(r.destination, destination)]
    return tuple(sorted(found, key=lambda r: r.time, reverse=True))


def _by_vm(facts: Facts) -> dict[str, list[Receipt]]:
    found: dict[str, list[Receipt]] = {}
    for receipt in (*receipts(facts), *_elsewhere(facts)):
        found.setdefault(receipt.vm_id.casefold(), []).append(receipt)
    return found


def _elsewhere(facts: Facts) -> Iterator[Receipt]:
    """What other hosts keep: a VM moves, and its receipts stay."""
    for host, other in facts.beside.items():
        if other is not None and other.asked(FILES) and _readable(other):
            yield from (replace(r, host=host) for r in receipts(other))


def unread(facts: Facts) -> tuple[str, ...]:
    """Other hosts of the unit that may keep some, and did not show them."""
    others = facts.beside.items()
    return tuple(h for h, other in others if other is None or (other.asked(FILES) and not _readable(other)))


def _readable(facts: Facts) -> bool:
    try:
        receipts(facts)
    except UnreadableError:
        return False
    return True


SEEDS = ("cloud-init", "unattend")
"""How the receipts of seed images call them, before their path."""


def seeds(vm_id: str, facts: Facts) -> tuple[str, ...]:
    """Paths of the images that were made for a VM."""
    own = (r.destination.partition(" ") for r in facts.derived(_by_vm).get(vm_id.casefold(), ()))
    return tuple(path for word, _, path in own if word in SEEDS)


def orphans(facts: Facts) -> Iterator[Receipt]:
    """Those of VMs that are gone; none where the host, or another of its unit, did not name all its VMs."""
    every = [facts, *facts.beside.values()]
    if all(f is not None and f.asked(VMS) and f.reply(VMS).ok for f in every):
        there = {str(row["Id"]).casefold() for f in every if f is not None for row in f.rows(VMS)}
        yield from (r for r in receipts(facts) if r.vm_id.casefold() not in there)


def same_place(one: str, other: str) -> bool:
    """Windows compares without case, Linux with it."""
    return one == other if other.startswith("/") else one.casefold() == other.casefold()


def name_of(vm: str, destination: str) -> str:
    """The file that keeps the receipt."""
    place = destination if destination.startswith("/") else destination.casefold()
    return hashlib.sha256(f"{vm.casefold()}\0{place}".encode()).hexdigest()[:32] + ".txt"


def removal(receipt: Receipt) -> Call:
    return Call("Remove-Item", {"LiteralPath": Home(f"{FOLDER}\\{receipt.file}")})


def forgetting(receipt: Receipt, text: str, because: tuple[str, ...], **how: Any) -> Step:
    """Where it is kept. What only its VM's own host can answer for, a guard, is left out elsewhere."""
    if receipt.host:
        how.pop("guard", None)
    return Step(removal(receipt), text, because, host=receipt.host, **how)


def making_of_the_folder() -> Call:
    return Call("New-Item", {"Path": Home(FOLDER), "ItemType": "Directory", "Force": True})


def writing(vm: Machine, destination: str, sha256: str, source: str, facts: Facts) -> Call:
    """The receipt of a copy. The Id of a VM that the plan makes is known to the host only."""
    row = vm_row(vm, facts)
    vm_id: Value = str(row["Id"]) if row is not None else replace(vm_ref(vm, facts), path="Id")
    file = name_of(vm.key(), destination)
    lines = (_FIRST, file, vm.key(), vm_id, destination, sha256, facts.info.user or "unknown", source, _LAST)
    return Call("Set-Content", {"LiteralPath": Home(f"{FOLDER}\\{file}"), "Value": lines, "Encoding": "UTF8"})
