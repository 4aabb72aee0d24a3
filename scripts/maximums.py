"""docs/maximums.md: Hyper-V's maximums as the rules read them, beside those of Windows Server 2008 R2, which is in no rule."""

from __future__ import annotations

import re
from pathlib import Path

from hvctl.contract import VERSIONS
from hvctl.kinds._limits import LIMITS
from hvctl.kinds._types import shown_size

MAXIMUMS = Path(__file__).parent.parent / "docs" / "maximums.md"
_PLACE = re.compile(r"<!-- table -->\n.*?<!-- /table -->\n", re.DOTALL)
_2008_R2 = {
    "processors, generation 1": "4", "processors, generation 2": "–",
    "memory, generation 1": "64 GB", "memory, generation 2": "–",
    "network adapters, generation 1": "8", "network adapters, generation 2": "–", "legacy network adapters": "4",
    "SCSI controllers": "4", "disks per SCSI controller": "64", "checkpoints": "50",
    "active VMs": "384", "virtual processors of a host": "512", "VHDX": "–", "VHD": "2,040 GB",
}  # fmt: skip
"""Domain 21."""


def maximums() -> str:
    """The page with the table as it is now."""
    head = ("of", "2008 R2", *(os.replace("r2", " R2") for os in VERSIONS))
    rows = [head, ("---",) * len(head)]
    for what, values in LIMITS.items():
        shown = (_shown(what, values[os]) for os in VERSIONS)
        rows.append((what, _2008_R2[what], *shown))
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    return _PLACE.sub(lambda _: f"<!-- table -->\n{table}<!-- /table -->\n", MAXIMUMS.read_text(encoding="utf-8"))


def _shown(what: str, value: int) -> str:
    if not value:
        return "–"
    in_bytes = what.startswith(("memory", "VHD"))
    return shown_size(value) if in_bytes else f"{value:,}"
