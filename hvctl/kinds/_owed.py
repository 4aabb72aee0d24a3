"""What hvctl took down and owes a start: an empty file on the host for each, named by the VM's Id and the state it is to
have again. It is written before the VM is taken down and removed once it is up, so it outlives a start that failed and a
run that was killed."""

from __future__ import annotations

from dataclasses import replace

from hvctl.call import Call, Home, Row
from hvctl.core.changes import Step
from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds._machine import Machine
from hvctl.kinds._vm import vm_row

FOLDER = "owed"
FILES = Call("Get-ChildItem", {"LiteralPath": Home(FOLDER), "Filter": "*.txt"}, select=("Name", "LastWriteTimeUtc"))


def state_owed(row: Row | None, facts: Facts) -> tuple[str, str] | None:
    """The state that a VM of a host is to have again, and since when, by the host's clock; None if hvctl owes it nothing.
    Raises UnreadableError if the host did not say, whether it has the VM or not."""
    reply = facts.reply(FILES)
    if reply.failure is not None and reply.failure.kind != "PathNotFound":
        raise UnreadableError(FILES, reply.failure)
    for file in reply.rows if row is not None else ():
        vm_id, _, rest = str(file["Name"]).partition(".")
        if row is not None and vm_id.casefold() == str(row["Id"]).casefold():
            return rest.removesuffix(".txt"), str(file.get("LastWriteTimeUtc") or "")
    return None


def note_owed(row: Row, state: str, name: str) -> Step:
    """That a VM is to have a state again."""
    # -Force makes the folder too, and takes a file that is there.
    call = Call("New-Item", {"Path": _file(row, state), "ItemType": "File", "Force": True})
    return Step(call, f"note that {name} is to be {state} again")


def forget(row: Row, state: str, name: str) -> Step:
    """That note."""
    return Step(Call("Remove-Item", {"LiteralPath": _file(row, state)}), f"forget that {name} was taken down")


def _file(row: Row, state: str) -> Home:
    return Home(f"{FOLDER}\\{str(row['Id']).lower()}.{state}.txt")


def owed(vm: Machine, facts: Facts) -> tuple[str, str] | None:
    """Of a VM that is wanted. Raises UnreadableError."""
    return state_owed(vm_row(vm, facts), facts)


def noted(vm: Machine, state: str, facts: Facts) -> tuple[Step, ...]:
    """Before it is taken down; where that cannot be written, it is not taken down."""
    row = vm_row(vm, facts)
    return () if row is None else (note_owed(row, state, vm.key()),)


def settled(vm: Machine, state: str, facts: Facts, needs: tuple[Step, ...]) -> tuple[Step, ...]:
    """Once it is up."""
    row = vm_row(vm, facts)
    return () if row is None else (replace(forget(row, state, vm.key()), needs=needs, when="up"),)
