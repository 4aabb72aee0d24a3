"""What hvctl took down and owes a start: an empty file on the host for each, named by the VM's Id and the state it is to
have again. It is written before the VM is taken down and removed once it is up, so it outlives a start that failed and a
run that was killed."""

from __future__ import annotations

from hvctl.call import Call, Home
from hvctl.core.changes import Step
from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds._machine import Machine
from hvctl.kinds._vm import vm_row

FOLDER = "owed"
FILES = Call("Get-ChildItem", {"LiteralPath": Home(FOLDER), "Filter": "*.txt"}, select=("Name", "LastWriteTimeUtc"))


def owed(vm: Machine, facts: Facts) -> tuple[str, str] | None:
    """The state that a VM is to have again, and since when, by the host's clock; None if hvctl owes it nothing. Raises
    UnreadableError if the host did not say."""
    row, reply = vm_row(vm, facts), facts.reply(FILES)
    if reply.failure is not None and reply.failure.kind != "PathNotFound":
        raise UnreadableError(FILES, reply.failure)
    for file in reply.rows if row is not None else ():
        vm_id, _, rest = str(file["Name"]).partition(".")
        if row is not None and vm_id.casefold() == str(row["Id"]).casefold():
            return rest.removesuffix(".txt"), str(file.get("LastWriteTimeUtc") or "")
    return None


def _file(vm: Machine, state: str, facts: Facts) -> Home | None:
    row = vm_row(vm, facts)
    return None if row is None else Home(f"{FOLDER}\\{str(row['Id']).lower()}.{state}.txt")


def noted(vm: Machine, state: str, facts: Facts) -> tuple[Step, ...]:
    """Before it is taken down; where that cannot be written, it is not taken down."""
    file = _file(vm, state, facts)
    if file is None:
        return ()
    # -Force makes the folder too, and takes a file that is there.
    call = Call("New-Item", {"Path": file, "ItemType": "File", "Force": True})
    return (Step(call, f"note that {vm.key()} is to be {state} again"),)


def settled(vm: Machine, state: str, facts: Facts, needs: tuple[Step, ...]) -> tuple[Step, ...]:
    """Once it is up."""
    file = _file(vm, state, facts)
    if file is None:
        return ()
    call = Call("Remove-Item", {"LiteralPath": file})
    return (Step(call, f"forget that {vm.key()} was taken down", needs=needs, when="up"),)
