"""Hyper-V's maximums per version of Windows Server (domain 21), as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hvctl.contract import OS, title
from hvctl.text.number import is_whole, whole

_GB, _TB = 1024**3, 1024**4


def _row(*values: int) -> Mapping[OS, int]:
    versions: tuple[OS, ...] = ("2012", "2012r2", "2016", "2019", "2022", "2025")
    return dict(zip(versions, values, strict=True))


# Sources: the article's tables (2012, 2012 R2), TechNet jj680093, Microsoft's "maximum scale limits" (2016 on).
LIMITS: Mapping[str, Mapping[OS, int]] = {
    "processors, generation 1": _row(64, 64, 64, 64, 64, 64),
    "processors, generation 2": _row(0, 64, 240, 240, 1024, 2048),
    "memory, generation 1": _row(_TB, _TB, _TB, _TB, _TB, _TB),
    "memory, generation 2": _row(0, _TB, 12 * _TB, 12 * _TB, 240 * _TB, 240 * _TB),
    "network adapters, generation 1": _row(8, 8, 8, 8, 8, 8),
    "network adapters, generation 2": _row(0, 8, 8, 64, 64, 64),
    "legacy network adapters": _row(4, 4, 4, 4, 4, 4),
    "SCSI controllers": _row(4, 4, 4, 4, 4, 4),
    "disks per SCSI controller": _row(64, 64, 64, 64, 64, 64),
    "checkpoints": _row(50, 50, 50, 50, 50, 50),
    "active VMs": _row(*(1024,) * 6),
    "virtual processors of a host": _row(*(2048,) * 6),
    "VHDX": _row(*(64 * _TB,) * 6),
    "VHD": _row(*(2040 * _GB,) * 6),
}

DEFAULT_VM_VERSION: Mapping[OS, str] = {
    "2012": "4.0",
    "2012r2": "5.0",
    "2016": "8.0",
    "2019": "9.0",
    "2022": "10.0",
    "2025": "12.0",
}
"""Configuration version of a new VM, and the newest that this Windows runs (domain 1.1)."""

OLDEST_VM_VERSION: Mapping[OS, str] = {
    "2012": "4.0",
    "2012r2": "4.0",
    "2016": "5.0",
    "2019": "5.0",
    "2022": "8.0",
    "2025": "8.0",
}
"""The oldest configuration version that this Windows runs (domain 1.1)."""

LARGE = "8.0"
"""From this configuration version on a generation 2 VM can have more than 64 processors and 1 TB (domain 21)."""


MANY = "8.3"
"""From this configuration version on a generation 2 VM can have more than 8 network adapters (domain 21)."""


def limit(what: str, os: OS) -> int:
    return LIMITS[what][os]


@dataclass(frozen=True)
class Limit:
    """The most of something, and what it is that cannot have more."""

    most: int
    of: str


def vm_limit(what: str, os: OS, generation: int | None, version: str | None = None, since: str = LARGE) -> Limit | None:
    """The most of something that a VM can have; as much as any VM, while generation or version are not known. None for a
    generation that this Windows does not have. `since`: the version that has more than generation 1."""
    first, second = (limit(f"{what}, generation {n}", os) for n in (1, 2))
    most = max(first, second) if generation is None else first if generation == 1 else second
    if not most:
        return None
    if version is not None and not version_at_least(version, since) and first < most:
        return Limit(first, f"a VM of configuration version {version} (more from {since} on)")
    return Limit(most, "a generation 1 VM" if generation == 1 and first < second else f"a VM on {title(os)}")


def adapter_limit(os: OS, generation: int | None, version: str | None, *, legacy: bool = False) -> Limit | None:
    """The most adapters of a VM, legacy ones aside, or the most of these."""
    if legacy:
        return Limit(limit("legacy network adapters", os), "a VM")
    return vm_limit("network adapters", os, generation, version, MANY)


def version_at_least(version: str, other: str) -> bool:
    """Configuration versions compare by number: 10.0 is above 9.0."""
    return _numbers(version) >= _numbers(other)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(whole(part) for part in version.split(".") if is_whole(part))
