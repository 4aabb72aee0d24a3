"""The Windows Server versions that hvctl knows, in order, with their builds and names."""

from __future__ import annotations

from typing import Literal, get_args

OS = Literal["2012", "2012r2", "2016", "2019", "2022", "2025"]

VERSIONS: tuple[OS, ...] = get_args(OS)

BUILDS: dict[int, OS] = {9200: "2012", 9600: "2012r2", 14393: "2016", 17763: "2019", 20348: "2022", 26100: "2025"}


def os_of_build(build: int) -> OS | None:
    """The version with exactly that build; None for a build that is no Windows Server release known here."""
    return BUILDS.get(build)


def nearest(build: int) -> OS | None:
    """The newest version that is not newer than that build; None before Windows Server 2012."""
    return next((os for known, os in sorted(BUILDS.items(), reverse=True) if known <= build), None)


def at_least(os: OS, other: OS) -> bool:
    """Is `os` the version `other` or a later one?"""
    return VERSIONS.index(os) >= VERSIONS.index(other)


def title(os: OS) -> str:
    return f"Windows Server {os.removesuffix('r2')}{' R2' if os.endswith('r2') else ''}"
