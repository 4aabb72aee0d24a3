"""The fields of the memory of a VM (domain 7)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from hvctl.core.fields import Fields, Input, Instead, Setting
from hvctl.core.values import Plain
from hvctl.kinds._types import FLAG_WORDS, FOLD, MB, SIZE, Pool, Size, as_flag, multiple_of
from hvctl.kinds._vm import VmPart

Memory2MB = Annotated[Size, multiple_of(2 * MB, "2 MB (Hyper-V allots memory in pieces of 2 MB)")]


class _MegabytesCodec(Plain):
    """Bytes here and as sent; the property reads in MB (domain 7)."""

    def read(self, value: Any) -> Any:
        return value * MB if isinstance(value, int) else value

    def show(self, value: Any) -> str:
        return SIZE.show(value)


_MEGABYTES = _MegabytesCodec()


class Dynamic(Fields):
    """Dynamic memory; writing the section turns it on."""

    minimum: Annotated[Memory2MB | None, Field(ge=32 * MB), Setting("Minimum", "MinimumBytes", SIZE)] = None
    maximum: Annotated[Memory2MB | None, Field(ge=32 * MB), Setting("Maximum", "MaximumBytes", SIZE)] = None
    buffer: Annotated[int | None, Field(ge=5, le=2000), Setting("Buffer")] = None


def _section(value: Any) -> Any:
    """Yes means the section with nothing in it."""
    said = as_flag(value)
    return {} if said is True else said


_ON = Input(({"const": True},))


class MemoryPart(VmPart):
    """What may be written of it."""

    startup: Annotated[Memory2MB | None, Field(ge=32 * MB), Setting("Startup", "StartupBytes", SIZE)] = None
    dynamic: Annotated[
        Dynamic | Literal[False] | None, BeforeValidator(_section), FLAG_WORDS, _ON, Instead("false")
    ] = None
    priority: Annotated[int | None, Field(ge=0, le=100), Setting("Priority")] = None
    maximum_per_numa_node: Annotated[
        Memory2MB | None,
        Field(ge=2 * MB),
        Setting("MaximumPerNumaNode", "MaximumAmountPerNumaNodeBytes", _MEGABYTES, off=True),
    ] = None
    resource_pool: Annotated[Pool | None, Instead("Primordial"), Setting("ResourcePoolName", codec=FOLD, off=True)] = (
        None
    )
