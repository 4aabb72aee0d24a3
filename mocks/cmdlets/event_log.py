"""Get-WinEvent: by log and id, the latest first (operations 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mocks.command import Command, cmdlet
from mocks.objects import Instant, PsObject

LEVELS = {"Critical": (1, "重大"), "Error": (2, "エラー"), "Warning": (3, "警告"), "Information": (4, "情報")}
_MODELLED = {"logname", "id"}


@cmdlet("Get-WinEvent", module="host", takes=0.3)
def get(cmd: Command) -> None:
    state = cmd.state
    if not state.administrator:
        # operations 2: Administrators or Event Log Readers [I]; the class of the exception [O]
        raise cmd.fail(
            "System.UnauthorizedAccessException,Microsoft.PowerShell.Commands.GetWinEventCommand",
            "NotSpecified",
            cmd.say("events_denied"),
            "System.UnauthorizedAccessException",
        )
    wanted = [_table(table) for table in cmd.args.many("FilterHashtable")]
    if not wanted or any(set(table) - _MODELLED for table in wanted):
        text = "the simulated host reads events by LogName and Id only"
        raise cmd.fail("NotSimulated", "NotImplemented", text, "System.NotImplementedException")
    found = [
        event
        for event in sorted(state.events, key=lambda e: e.time, reverse=True)
        if any(str(t.get("logname", event.log)).casefold() == event.log.casefold() for t in wanted)
        and any(event.id in _ids(t, event.id) for t in wanted)
    ]
    if "MaxEvents" in cmd.args:
        found = found[: cmd.args.number("MaxEvents")]
    if not found:
        # operations 2: the same id in 5.1 and 7, the message localised [O]
        raise cmd.fail(
            "NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand",
            "ObjectNotFound",
            cmd.say("no_events"),
            "System.Exception",
        )
    for event in found:
        level, japanese = LEVELS[event.level]
        properties: dict[str, Any] = {
            "Id": event.id,
            "LogName": event.log,
            "ProviderName": event.provider,
            "Level": level,
            "LevelDisplayName": japanese if state.language == "ja" else event.level,
            "TimeCreated": Instant(cmd.clock.utc(event.time)),
            "MachineName": state.name,
            "Message": event.message,
        }
        cmd.emit(PsObject("System.Diagnostics.Eventing.Reader.EventLogRecord", properties))


def _table(table: Any) -> dict[str, Any]:
    return {str(k).casefold(): v for k, v in table.items()} if isinstance(table, Mapping) else {}


def _ids(table: Mapping[str, Any], default: int) -> set[int]:
    given = table.get("id", default)
    return {int(i) for i in given} if isinstance(given, list | tuple) else {int(given)}
