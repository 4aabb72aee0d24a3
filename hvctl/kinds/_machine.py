"""The fields of a VM, as what sits within it sees them (domain 4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr

from hvctl.core.fields import Input, Null, Setting
from hvctl.core.resource import Index, Resource
from hvctl.kinds._guest_systems import SYSTEMS
from hvctl.kinds._host import OfHyperV
from hvctl.kinds._types import LONGEST, MB, ON_OFF, PATH, SIZE, SPAN, TEXT, Flag, Seconds, Size, WindowsPath, Words

START = Words(nothing="Nothing", start_if_running="StartIfRunning", start="Start")
STOP = Words(turn_off="TurnOff", save="Save", shut_down="ShutDown")
CHECKPOINT_TYPES = Words(
    disabled="Disabled", production="Production", production_only="ProductionOnly", standard="Standard"
)
CRITICAL = Words(none="None", pause="Pause")
STATES = Words(running="Running", off="Off", saved="Saved", paused="Paused")


def _tags(value: Any) -> Any:
    """Words in one text are a list, as in a play."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def machine(one: Resource | None) -> Machine:
    """The VM that something sits within."""
    if not isinstance(one, Machine):
        raise ValueError("it stands outside a VM")
    return one


class Machine(OfHyperV):
    """What may be written of a VM."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    ensure: Literal["present", "absent"] = "present"
    remove_disks: Flag = False
    previous_names: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(default_factory=list)
    exclusive: list[str] = Field(default_factory=list)
    tags: Annotated[list[str], BeforeValidator(_tags), Input(({"type": "string"},))] = Field(default_factory=list)
    generation: Annotated[
        int | None,
        Field(ge=1, le=2),
        Setting(
            "Generation",
            fixed="write `boot_disk: converted` or `boot_disk: reinstall` and allow restart, recreate and destroy "
            "(docs/generation-2.md)",  # domain 5.2
        ),
    ] = None
    boot_disk: Literal["converted", "reinstall"] | None = None
    on_host: Annotated[str | None, Field(min_length=1)] = None
    storage: WindowsPath | None = None
    version: Annotated[
        str | None, Field(pattern=r"^[0-9]{1,5}\.[0-9]{1,5}$"), Setting("Version", off=True, costs=("destroy",))
    ] = None
    path: Annotated[WindowsPath | None, Setting("ConfigurationLocation", codec=PATH)] = None
    state: Annotated[str | None, STATES, Setting("State", codec=STATES)] = None
    stop_method: Literal["shutdown", "turn_off"] = "shutdown"
    stop_timeout: Annotated[Seconds, Field(ge=10, le=86_400)] = 300
    guest_os: Annotated[str | None, SYSTEMS] = None
    avma: Flag | None = None
    wait_for: Literal["heartbeat", "address"] | None = None
    wait_timeout: Annotated[Seconds, Field(ge=10, le=86_400)] = 600
    notes: Annotated[str | None, Setting("Notes", codec=TEXT), Null()] = None
    automatic_start_action: Annotated[str | None, START, Setting("AutomaticStartAction", codec=START)] = None
    automatic_start_delay: Annotated[Seconds | None, Field(le=LONGEST), Setting("AutomaticStartDelay", codec=SPAN)] = (
        None
    )
    automatic_stop_action: Annotated[str | None, STOP, Setting("AutomaticStopAction", codec=STOP, off=True)] = None
    automatic_critical_error_action: Annotated[
        str | None, CRITICAL, Setting("AutomaticCriticalErrorAction", codec=CRITICAL)
    ] = None
    automatic_critical_error_action_timeout: Annotated[
        int | None, Field(ge=0), Setting("AutomaticCriticalErrorActionTimeout")
    ] = None
    checkpoint_type: Annotated[str | None, CHECKPOINT_TYPES, Setting("CheckpointType", codec=CHECKPOINT_TYPES)] = None
    automatic_checkpoints: Annotated[Flag | None, Setting("AutomaticCheckpointsEnabled")] = None
    checkpoint_path: Annotated[WindowsPath | None, Setting("SnapshotFileLocation", codec=PATH)] = None
    checkpoint_maximum_age: Annotated[Seconds | None, Field(ge=3600, le=LONGEST), Null("no limit")] = None
    smart_paging_path: Annotated[WindowsPath | None, Setting("SmartPagingFilePath", codec=PATH)] = None
    lock_on_disconnect: Annotated[Flag | None, Setting("LockOnDisconnect", codec=ON_OFF)] = None
    low_memory_mapped_io_space: Annotated[
        Size | None, Field(ge=128 * MB, le=3584 * MB), Setting("LowMemoryMappedIoSpace", codec=SIZE, off=True)
    ] = None
    high_memory_mapped_io_space: Annotated[Size | None, Setting("HighMemoryMappedIoSpace", codec=SIZE, off=True)] = None
    guest_controlled_cache_types: Annotated[Flag | None, Setting("GuestControlledCacheTypes", off=True)] = None
    clustered: Flag | None = None
    resource_metering: Annotated[Flag | None, Setting("ResourceMeteringEnabled")] = None

    _home: str = PrivateAttr(default="")
    _only_if_there: bool = PrivateAttr(default=False)
    _first: Index | None = PrivateAttr(default=None)

    def seated(self, index: Index, number: int, owner: Resource | None) -> Self:
        """What is to become of another generation is judged as it was desired: a target lacks what is held back."""
        copy = super().seated(index, number, owner)
        if self.boot_disk is not None and self._first is None:
            copy._first = index
        return copy

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        private = state.get("__pydantic_private__")
        return {**state, "__pydantic_private__": {**private, "_first": None}} if private else state

    @property
    def as_desired(self) -> Machine:
        found = self._first[self.seat] if self._first is not None else self
        return machine(found)

    def only_if_there(self) -> Self:
        """The same, not to be made."""
        copy = self.model_copy()
        copy._only_if_there = True
        return copy

    @property
    def may_be_made(self) -> bool:
        return not self._only_if_there

    @property
    def home(self) -> str:
        """The host of the play that it is wanted on, also where that is held back; "" where none is named."""
        return self._home

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called on the host, the name that is wanted first."""
        return (self.name, *self.previous_names)
