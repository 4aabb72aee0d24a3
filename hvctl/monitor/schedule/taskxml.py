"""A job as a task for the Windows Task Scheduler (schema 1.2)."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from hvctl.monitor.schedule.cron import Cron
from hvctl.monitor.schedule.job import Job
from hvctl.text.visible import quoted

NAMESPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_MOST_TRIGGERS = 48  # of a task
_LONGEST = 31 * 86_400  # of a Repetition's Interval; the shortest is a minute
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
           "December")  # fmt: skip
Tree = dict[str, Any]
"""Element -> text, a Tree, or None for an empty one, in the order of the schema."""


def task(job: Job, now: datetime) -> str:
    """The XML, to be saved as UTF-16. Raises ValueError for what the Task Scheduler cannot do."""
    root = ElementTree.Element("Task", {"version": "1.2", "xmlns": NAMESPACE})
    about = f"hvctl {job.about}, {job.rhythm}: {', '.join(job.playbooks)}"
    _fill(root, {"RegistrationInfo": {"Description": about, "URI": f"\\hvctl\\{job.name}"}})
    triggers = ElementTree.SubElement(root, "Triggers")
    for kind, tree in _triggers(job, now):
        _fill(ElementTree.SubElement(triggers, kind), tree)
    principals = ElementTree.SubElement(root, "Principals")
    _fill(
        ElementTree.SubElement(principals, "Principal", {"id": "Author"}),
        {"LogonType": "Password", "RunLevel": "LeastPrivilege"},
    )
    _fill(
        root,
        {
            "Settings": {
                "MultipleInstancesPolicy": "IgnoreNew",
                "DisallowStartIfOnBatteries": "false",
                "StopIfGoingOnBatteries": "false",
                "StartWhenAvailable": "true",
                "RunOnlyIfNetworkAvailable": "true",
                "ExecutionTimeLimit": "PT12H",
            }
        },
    )
    actions = ElementTree.SubElement(root, "Actions", {"Context": "Author"})
    _fill(
        ElementTree.SubElement(actions, "Exec"),
        {
            "Command": _literal(job.command[0]),
            "Arguments": _literal(subprocess.list2cmdline(job.command[1:])),
            "WorkingDirectory": _literal(job.folder),
        },
    )
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-16"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _triggers(job: Job, now: datetime) -> list[tuple[str, Tree]]:
    delay = {"RandomDelay": _span(job.splay)} if job.splay else {}
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if isinstance(job.when, int):
        if not 60 <= job.when <= _LONGEST:
            raise ValueError("the Task Scheduler repeats every 1m to 31d; take a span between")
        start = {"StartBoundary": midnight.isoformat(), "Repetition": {"Interval": _span(job.when)}}
        return [("TimeTrigger", {**start, **delay})]
    found: list[tuple[str, Tree]] = [
        ("CalendarTrigger", {"StartBoundary": midnight.replace(hour=hour, minute=minute).isoformat(),
                             **({"Repetition": repeated} if repeated else {}), **delay, **days})
        for days in _days(job.when)
        for hour, minute, repeated in _times(job.when)
    ]  # fmt: skip
    if len(found) > _MOST_TRIGGERS:
        raise ValueError(
            f"{quoted(job.when.text)} is {len(found)} triggers for the Task Scheduler, which takes {_MOST_TRIGGERS}; "
            "use minutes at even distances, or --every"
        )
    return found


def _times(cron: Cron) -> list[tuple[int, int, Tree | None]]:
    """Starts within a day, each with how it is repeated."""
    gaps = {b - a for a, b in zip(cron.minutes, cron.minutes[1:], strict=False)}
    if len(gaps) != 1:
        return [(hour, minute, None) for hour in cron.hours for minute in cron.minutes]
    (gap,) = gaps
    first, last = cron.minutes[0], cron.minutes[-1]
    if len(cron.hours) == 24 and len(cron.minutes) * gap == 60:
        return [(0, first, {"Interval": f"PT{gap}M", "Duration": "P1D"})]
    # A minute longer than the last repetition, so that it is within, whether or not the end counts.
    repeated = {"Interval": f"PT{gap}M", "Duration": f"PT{last - first + 1}M"}
    return [(hour, first, repeated) for hour in cron.hours]


def _days(cron: Cron) -> list[Tree]:
    months = {"Months": {_MONTHS[m - 1]: None for m in cron.months}}
    weekdays = {"DaysOfWeek": {_WEEKDAYS[d]: None for d in cron.weekdays}}
    by_number = {"ScheduleByMonth": {"DaysOfMonth": [{"Day": str(d)} for d in cron.days], **months}}
    by_weekday: Tree = {"ScheduleByWeek": {"WeeksInterval": "1", **weekdays}}
    if not cron.any_month:
        weeks = {"Weeks": [{"Week": w} for w in ("1", "2", "3", "4", "Last")]}
        by_weekday = {"ScheduleByMonthDayOfWeek": {**weeks, **weekdays, **months}}
    if cron.either:
        return [by_number, by_weekday]
    if cron.any_day and cron.any_weekday and cron.any_month:
        return [{"ScheduleByDay": {"DaysInterval": "1"}}]
    if cron.any_weekday:
        return [by_number]
    if cron.any_day:
        return [by_weekday]
    raise ValueError(
        f"{quoted(cron.text)} wants days that match by number and by weekday, which the Task Scheduler cannot say"
    )


def _span(seconds: int) -> str:
    return f"PT{seconds // 60}M" if seconds % 60 == 0 else f"PT{seconds}S"


def _literal(text: str) -> str:
    """The Task Scheduler replaces %NAME% and $(Arg0), and knows no way to write them as they are."""
    if re.search(r"%[A-Za-z_][A-Za-z0-9_()]*%|\$\(", text):
        raise ValueError(
            f"{quoted(text)} would be changed by the Task Scheduler (%…% or $(…)); rename the file or folder"
        )
    return text


def _fill(parent: ElementTree.Element, tree: Tree | Sequence[Tree]) -> None:
    for part in tree if isinstance(tree, Sequence) else [tree]:
        for name, value in part.items():
            element = ElementTree.SubElement(parent, name)
            if isinstance(value, str):
                element.text = value
            elif value is not None:
                _fill(element, value)
