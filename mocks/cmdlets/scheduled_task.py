"""Get-ScheduledTask: what the Task Scheduler runs."""

from __future__ import annotations

from mocks.arguments import is_pattern, like
from mocks.cmdlets.net_adapter import not_found
from mocks.command import Command, cmdlet
from mocks.objects import PsObject

_CIM = "Microsoft.Management.Infrastructure.CimInstance#Root/Microsoft/Windows/TaskScheduler/"


@cmdlet("Get-ScheduledTask", module="host", takes=0.5)
def get(cmd: Command) -> None:
    names, paths = cmd.args.texts("TaskName"), cmd.args.texts("TaskPath")
    for name in names:
        if not is_pattern(name) and not any(like(t.name, name) for t in cmd.state.scheduled_tasks):
            with cmd.trying():
                raise not_found(cmd, "MSFT_ScheduledTask", "TaskName", name)
    for task in cmd.state.scheduled_tasks:
        if names and not any(like(task.name, n) for n in names):
            continue
        if paths and not any(like(task.path, p) for p in paths):
            continue
        run = {"Execute": task.execute, "Arguments": task.arguments, "WorkingDirectory": None, "Id": None}
        action = PsObject(f"{_CIM}MSFT_TaskExecAction", {**run, "PSComputerName": None})
        properties = {"TaskName": task.name, "TaskPath": task.path, "Actions": [action], "PSComputerName": None}
        cmd.emit(PsObject(f"{_CIM}MSFT_ScheduledTask", properties))
