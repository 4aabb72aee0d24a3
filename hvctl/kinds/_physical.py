"""Physical disks of the host that a VM is to have (domain 8.3)."""

from __future__ import annotations

from hvctl.call import Call, Row
from hvctl.core.changes import HeldBackError
from hvctl.core.facts import Facts
from hvctl.kinds._drives import DISKS, Slot
from hvctl.kinds._vm import VMS

HOST_DISKS = Call(
    "Get-CimInstance",
    {"Namespace": "root/Microsoft/Windows/Storage", "ClassName": "MSFT_Disk"},
    select=("Number", "IsBoot", "IsSystem", "IsOffline", "BusType"),
)
"""What Get-Disk shows."""

_MOUNTED = 15
"""BusType "File Backed Virtual"."""


def vm_name(drive: Row, facts: Facts) -> str:
    """Of the VM that a drive belongs to."""
    return next((str(r["Name"]) for r in facts.of_key(VMS, "Id", drive["VMId"])), str(drive["VMId"]))


def check_disk(number: int, vm: Row | None, facts: Facts) -> None:
    """Raise HeldBackError if the VM cannot have the host's disk of this number. Raises UnreadableError if it is not known
    which disks there are."""
    disks = facts.rows(HOST_DISKS)
    disk = next((row for row in disks if row["Number"] == number), None)
    what = f"disk {number} of the host"
    if disk is None:
        numbers = ", ".join(str(n) for n in sorted(int(row["Number"]) for row in disks)) or "none"
        raise HeldBackError(f"the host has no disk {number}", f"it has {numbers}; Get-Disk shows them", "disk_number")
    for drive in facts.rows(DISKS):
        if drive.get("DiskNumber") == number and (vm is None or drive["VMId"] != vm["Id"]):
            text = f"{what} is attached to {vm_name(drive, facts)} at {Slot.of(drive)}"
            raise HeldBackError(text, "detach it there first (`ensure: absent`), then run hvctl again", "disk_number")
    if disk["IsBoot"] or disk["IsSystem"]:
        raise HeldBackError(f"{what} is the one that its Windows runs from", "write another one", "disk_number")
    if disk["BusType"] == _MOUNTED:
        hint = "dismount it (Dismount-VHD) and write the path of its file"
        raise HeldBackError(f"{what} is a virtual disk that is mounted there", hint, "disk_number")
    if not disk["IsOffline"]:
        hint = f"take it offline there: Set-Disk -Number {number} -IsOffline $true"
        raise HeldBackError(f"{what} is online there, and a VM can only have one that is offline", hint, "disk_number")
