"""What several kinds read of the host itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

from hvctl.call import Call, Row
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Resource

HOST = Call("Get-VMHost", select=("Name", "LogicalProcessorCount", "MemoryCapacity"))
"""Also the proof of rights: without them other cmdlets read as an empty host (domain 1.3)."""


class NoRightsError(UnreadableError):
    """The account may not manage Hyper-V: what it is told of a host says nothing of what is there."""

    hint = (
        "add it to the group 'Hyper-V Administrators' or 'Administrators' of that host, then run hvctl again; "
        "nothing is done there"
    )

    def __init__(self, facts: Facts) -> None:
        failure = facts.reply(HOST).failure
        super().__init__(HOST, failure)
        account = f"the account {facts.info.user}" if facts.info.user else "the account"
        self.text = f"{account} may not manage Hyper-V on {facts.info.computer}, so nothing is known of it: {failure}"


class OfHyperV(Resource):
    """What only an account that may manage Hyper-V is told of."""

    proof: ClassVar[tuple[Call, ...]] = (HOST,)

    def check_rights(self, facts: Facts) -> None:
        failure = facts.reply(HOST).failure
        if failure is not None and (failure.kind == "AccessDenied" or failure.category == "PermissionDenied"):
            raise NoRightsError(facts)


def host_row(facts: Facts) -> Row:
    rows = facts.rows(HOST)
    if not rows:
        raise UnreadableError(HOST, facts.reply(HOST).failure)
    return rows[0]


CLOCK = Call(
    "Get-CimInstance",
    {"ClassName": "Win32_OperatingSystem"},
    select=("LocalDateTime", "CurrentTimeZone"),
    passing=("LocalDateTime",),
)
"""The host's own clock, which its checkpoints and files are dated by: ages are judged against it, never against
that of the machine hvctl runs on."""


def instant(text: object) -> datetime:
    """A DateTime as rows have it: UTC, ISO 8601."""
    return datetime.fromisoformat(str(text)[:19]).replace(tzinfo=UTC)


def now(facts: Facts) -> datetime:
    return instant(_clock(facts)["LocalDateTime"])


def time_zone(facts: Facts) -> timezone:
    """Of the host, at present: CurrentTimeZone is in minutes east of Greenwich."""
    return timezone(timedelta(minutes=int(_clock(facts).get("CurrentTimeZone") or 0)))


def known_zone(facts: Facts) -> timezone | None:
    """Where the host was asked for its clock and told its zone."""
    if not facts.asked(CLOCK):
        return None
    try:
        return time_zone(facts) if _clock(facts).get("CurrentTimeZone") is not None else None
    except (UnreadableError, TypeError, ValueError):
        return None


def _clock(facts: Facts) -> Row:
    rows = facts.rows(CLOCK)
    if not rows or not rows[0].get("LocalDateTime"):
        raise UnreadableError(CLOCK, facts.reply(CLOCK).failure)
    return rows[0]
