"""The boot order of a generation 2 VM (domain 5.4): how its entries are written, and how the host names them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hvctl.call import Row
from hvctl.core.resource import Resource
from hvctl.core.values import Plain
from hvctl.kinds._drives import Slot
from hvctl.text.visible import quoted

BOOT_ORDER = (
    "BootOrder[BootType,FirmwarePath,Description,Device.ControllerNumber,Device.ControllerLocation,Device.Name]"
)
NETWORK = re.compile(r"^network\s+(.+)$", re.IGNORECASE)
FILE = "file "
_OWN = re.compile(r"\\EFI\\.*$", re.IGNORECASE)
"""The path within its volume, behind the path of the device."""


class _Entries(Plain):
    free = True  # names of adapters, and paths that the guest wrote


ENTRIES = _Entries()


def entry(text: str) -> str:
    given = text.strip()
    if match := NETWORK.match(given):
        return f"network {match[1].strip()}"
    if given.casefold().startswith(FILE) and given[len(FILE) :].strip():
        return FILE + given[len(FILE) :].strip().replace("/", "\\")
    if not given.casefold().startswith("scsi"):
        raise ValueError(
            f"{quoted(text)} is nothing to boot from; write scsi 0:0 for a drive, `network NAME` for an adapter"
            " or `file PATH` for a boot file of the guest"
        )
    return str(Slot.at(text))


def once(value: list[str] | None) -> list[str] | None:
    folded = [v.casefold() for v in value or ()]
    if len(set(folded)) != len(folded):
        raise ValueError("an entry stands twice; name each device once")
    return value


def name_of(source: Row) -> str:
    """As the playbook would name it."""
    if source.get("Device.ControllerLocation") is not None:
        return f"scsi {source['Device.ControllerNumber']}:{source['Device.ControllerLocation']}"
    if source.get("BootType") == "Network" and source.get("Device.Name"):
        return f"network {source['Device.Name']}"
    path = str(source.get("FirmwarePath") or "")
    own = _OWN.search(path)
    return FILE + (own[0] if own else path or str(source.get("Description") or "")).strip()


def is_file(name: str) -> bool:
    return name.casefold().startswith(FILE)


def means(written: str, name: str) -> bool:
    """Whether what is written is what the host has: a file by the end of its path, without case."""
    one, other = written.casefold(), name.casefold()
    if not (is_file(one) and is_file(other)):
        return one == other
    path, end = (text.removeprefix(FILE).lstrip("\\") for text in (other, one))
    return f"\\{path}".endswith(f"\\{end}")


def known(written: str, there: Sequence[str]) -> str:
    """By the name that the host's entry has, if it has one."""
    return next((name for name in there if means(written, name)), written)


def counted(there: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Without the files that are not wanted: they belong to the guest, which writes them by itself."""
    return [name for name in there if not is_file(name) or any(means(w, name) for w in wanted)]


def same_order(there: Sequence[str], wanted: Sequence[str], only: bool) -> bool:
    """The wanted entries come first, in their order; `only`: and nothing else."""
    now = list(there) if only else counted(there, wanted)
    fits = len(now) == len(wanted) if only else len(now) >= len(wanted)
    return fits and all(means(w, name) for w, name in zip(wanted, now, strict=False))


def entry_of(part: Resource) -> str:
    """How the boot order names a part of the VM; "" for what it cannot name."""
    if part.kind in ("disk", "dvd"):
        return part.key()
    return f"network {part.key()}" if part.kind == "network_adapter" else ""
