"""What may be written of a role of a cluster, as its VM sees it (domain 16; cluster 1.2, 1.5)."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from hvctl.call import Value
from hvctl.core.fields import Fields, Null, Setting
from hvctl.core.values import Json, Plain
from hvctl.kinds._cluster import bare
from hvctl.kinds._types import Flag, Seconds, SpanCodec, Words
from hvctl.kinds._vm import VmPart
from hvctl.text.number import is_whole, whole

NODES_LESS_ONE = 2**32 - 1
"""FailoverThreshold: one failover less than there are nodes (cluster 1.2)."""

LONGEST_S = NODES_LESS_ONE // 1000
"""What milliseconds of 32 bits hold (cluster 1.3)."""


class Numbers(Words):
    """Words for numbers."""

    def __init__(self, **numbers: int) -> None:
        super().__init__(**{word: str(number) for word, number in numbers.items()})

    def write(self, value: Any) -> Value:
        return int(self.names[value])


class _BitCodec(Plain):
    """0 and 1."""

    def read(self, value: Any) -> Any:
        return bool(value) if isinstance(value, int) else value

    def write(self, value: Any) -> Value:
        return int(value)


class _UnsignedCodec(Plain):
    """Over COM 4294967295 may read as -1 (cluster 1.2)."""

    def read(self, value: Any) -> Any:
        return NODES_LESS_ONE if value == -1 else value

    def write(self, value: Any) -> Value:
        return NODES_LESS_ONE if value is None else value

    def same(self, now: Any, wanted: Any) -> bool:
        return bool(self.write(now) == self.write(wanted))

    def show(self, value: Any) -> str:
        return "one less than there are nodes" if self.write(value) == NODES_LESS_ONE else super().show(value)

    def value(self, value: Any) -> Json:
        return None if self.write(value) == NODES_LESS_ONE else super().value(value)


class _FoldedSet(Plain):
    """Names in any order, without case."""

    free = True

    def read(self, value: Any) -> Any:
        return [str(v) for v in value or ()]

    def write(self, value: Any) -> Value:
        return list(value or ())

    def same(self, now: Any, wanted: Any) -> bool:
        return {str(n).casefold() for n in now or ()} == {str(n).casefold() for n in wanted or ()}

    def value(self, value: Any) -> Json:
        return sorted({str(n).casefold() for n in value or ()})


class _NodeSet(_FoldedSet):
    def same(self, now: Any, wanted: Any) -> bool:
        return {bare(n) for n in now or ()} == {bare(n) for n in wanted or ()}


class _NodeList(_NodeSet):
    """In their order."""

    def same(self, now: Any, wanted: Any) -> bool:
        return [bare(n) for n in now or ()] == [bare(n) for n in wanted or ()]

    def value(self, value: Any) -> Json:
        return [bare(n) for n in value or ()]


class _MillisecondsCodec(SpanCodec):
    """Seconds here, milliseconds there."""

    def read(self, value: Any) -> Any:
        return value // 1000 if isinstance(value, int) else value

    def write(self, value: Any) -> Value:
        return 1000 * int(value)


class _WindowCodec(Plain):
    """Two properties, of which -1 means none (cluster 1.2); written together by the kind."""

    def read(self, value: Any) -> Any:
        return None if value == NO_WINDOW else value

    def write(self, value: Any) -> Value:
        return NO_WINDOW if value is None else value

    def show(self, value: Any) -> str:
        return "at any time" if value in (None, NO_WINDOW) else str(value)


NO_WINDOW = "-1--1"
PRIORITIES = Numbers(none=0, low=1000, medium=2000, high=3000)
OFFLINE = Numbers(turn_off=0, save=1, shut_down=2, force_shut_down=3)
RESTART = Numbers(none=0, restart=1, failover=2)
WINDOW, MILLISECONDS = _WindowCodec(), _MillisecondsCodec()
BIT, UNSIGNED, NAMES, NODE_SET, NODE_LIST = _BitCodec(), _UnsignedCodec(), _FoldedSet(), _NodeSet(), _NodeList()


def _window(text: str) -> str:
    found = re.fullmatch(r"([01]?[0-9]|2[0-3])-([01]?[0-9]|2[0-3])", text)
    if found is None:
        raise ValueError("a window is two hours from 0 to 23, such as '22-6'")
    return f"{int(found[1])}-{int(found[2])}"


def _event(text: str) -> str:
    """Log, source and id, as the cluster tells them but for the slash of a log's name, of which it makes a plus."""
    log, source, number = ([part.strip() for part in text.rsplit(",", 2)] + ["", ""])[:3]
    if not (log and source and is_whole(number)):
        raise ValueError("an event is its log, its source and its id, such as 'System,Service Control Manager,7031'")
    return f"{log},{source},{whole(number)}"


class Failback(Fields):
    """Whether a role goes back to its preferred owners by itself, and between which hours of the day."""

    allowed: Annotated[Flag | None, Setting("AutoFailbackType", codec=BIT)] = None
    window: Annotated[
        str | None,
        AfterValidator(lambda v: v if v is None else _window(v)),
        Setting("FailbackWindow", codec=WINDOW),
        Null("at any time"),
    ] = None


class Failover(Fields):
    """How often within `period` hours a role that fails is brought up on another node before it is left failed."""

    threshold: Annotated[
        int | None,
        Field(ge=0, lt=NODES_LESS_ONE),
        Setting("FailoverThreshold", codec=UNSIGNED),
        Null("one less than there are nodes"),
    ] = None
    period: Annotated[int | None, Field(ge=1, le=1193), Setting("FailoverPeriod")] = None


class Restart(Fields):
    """What the cluster does where the VM fails: `restart` starts it again on its node, `threshold` times within `period`;
    `failover` does so, and then fails the role over; `none` neither. After `retry_after` it begins again."""

    action: Annotated[str | None, RESTART, Setting("RestartAction", codec=RESTART)] = None
    threshold: Annotated[int | None, Field(ge=0, lt=NODES_LESS_ONE), Setting("RestartThreshold")] = None
    period: Annotated[Seconds | None, Field(le=LONGEST_S), Setting("RestartPeriod", codec=MILLISECONDS)] = None
    retry_after: Annotated[Seconds | None, Field(le=LONGEST_S), Setting("RetryPeriodOnFailure", codec=MILLISECONDS)] = (
        None
    )


Node = Annotated[str, Field(min_length=1, max_length=64)]


class RolePart(VmPart):
    """The role that a cluster has for a VM."""

    priority: Annotated[str | None, PRIORITIES, Setting("Priority", codec=PRIORITIES)] = None
    preferred_owners: Annotated[list[Node] | None, Field(min_length=1), Setting("PreferredOwners", codec=NODE_LIST)] = (
        None
    )
    possible_owners: Annotated[list[Node] | None, Field(min_length=1), Setting("PossibleOwners", codec=NODE_SET)] = None
    failback: Failback = Field(default_factory=Failback)
    failover: Failover = Field(default_factory=Failover)
    restart: Restart = Field(default_factory=Restart)
    anti_affinity: Annotated[list[str] | None, Setting("AntiAffinityClassNames", codec=NAMES)] = None
    offline_action: Annotated[str | None, OFFLINE, Setting("OfflineAction", codec=OFFLINE)] = None
    heartbeat_monitoring: Annotated[Flag | None, Setting("CheckHeartbeat", codec=BIT)] = None
    monitored_services: Annotated[list[str] | None, Setting("MonitoredServices", codec=NAMES)] = None
    monitored_events: Annotated[
        list[Annotated[str, AfterValidator(_event)]] | None, Setting("MonitoredEvents", codec=NAMES)
    ] = None
    persistent_state: Annotated[Flag | None, Setting("PersistentState")] = None

    @property
    def absent(self) -> bool:
        """`clustered: no` of its VM takes the role away; with a VM that is to be absent it goes anyway."""
        if self.owner is None:  # while plays are put together
            return False
        return self.vm.clustered is False or self.vm.absent
