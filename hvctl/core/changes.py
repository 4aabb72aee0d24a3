"""What differs, what is wrong with it, and the steps that do something about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from hvctl.call import Assignment, Call, Guard, Retry, Watch
from hvctl.core.impact import Impact
from hvctl.text.diagnostic import Diagnostic, Level

Occasion = Literal["create", "update", "leave", "remove"]
"""What is to be done about a resource, as far as is known before it is judged."""


@dataclass(frozen=True)
class Change:
    """One field that differs. `note`: what it means, for people. `in_time`: it is to be done by a time that has not
    passed, so that it is no drift that it is not done yet."""

    field: str
    now: Any
    wanted: Any
    impacts: frozenset[Impact] = frozenset({"online"})
    note: str = ""
    in_time: bool = False


def finding(
    field: str,
    message: str,
    hint: str = "",
    level: Level = "impossible",
    outside: tuple[str, ...] = (),
) -> Diagnostic:
    """A rule that a resource breaks, at one of its fields ("" for the whole): a kind does not know where it stands."""
    return Diagnostic(None, message, hint, level, field, outside=outside)


class HeldBackError(Exception):
    """The facts show that nothing can be done about a resource now; the planner turns it into a Diagnostic. `parts`: nor
    about what sits within it. `later`: nor need there be, before something else is done."""

    def __init__(
        self, message: str, hint: str = "", field: str = "", *, parts: bool = False, later: bool = False
    ) -> None:
        super().__init__(message)
        self.finding = finding(field, message, hint, "later" if later else "impossible")
        self.parts = parts


@dataclass(frozen=True, eq=False)
class Step:
    """One call of a plan and why. `needs`: earlier steps that must have succeeded. `off`: only while the VM
    is off. `when`: "first" and "last" frame the other steps of the same VM (stop, start); "late" comes after the
    stop, if there is one, and after all others; "wake" comes before all, and what its parts do rests on it; "up" comes
    after the start, if there is one; "early" comes before everything else of the VM, none of which is done if it fails;
    "closing" comes when all VMs of the host are done; "finish" comes after all others of the VM and rests on every one of
    them; "again" after that, whatever became of them. `resumes`: it takes up what goes on on the host by itself, so it
    is done at once after a connection that was lost. `moves`: what it serves is on another host afterwards, where the rest
    of it is planned and done then. `host`: where it runs, if not on the host of its resource. `watch`: what it writes, where
    it tells no progress. `reaches`: other hosts that have something else because of it. `leads_on`: what is wanted of what it
    sits within is planned again when it is done, and done in the same run. `text` says in plain words what it does. Two steps
    are never equal: identity is what `needs` refers to."""

    call: Call
    text: str
    because: tuple[str, ...] = ()
    needs: tuple[Step, ...] = ()
    off: bool = False
    when: Literal["early", "wake", "first", "normal", "late", "last", "up", "closing", "finish", "again"] = "normal"
    guard: Guard | None = None
    job: bool = False
    limit_s: int | None = None
    moves: bool = False
    resumes: bool = False
    host: str = ""
    retry: Retry | None = None
    watch: Watch | None = None
    instead: Assignment | None = None
    reaches: tuple[str, ...] = ()
    leads_on: bool = False


@dataclass(frozen=True)
class Bracket:
    """How to take something down and up again around steps that need it off. `doubts`: why that may fail."""

    stop: tuple[Step, ...]
    start: tuple[Step, ...]
    doubts: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class Noted:
    """How something stands that is remembered at each look, whether it is as desired or not: where a role is, how a
    replication goes, how old an export is, how the nodes of a cluster are. `name`: of its VM, or of the cluster. `unit`: the
    cluster that it is in. `lag_s`: seconds that a replica is behind, or that have passed since the newest export."""

    name: str
    standing: str
    unit: str = ""
    lag_s: int | None = None
