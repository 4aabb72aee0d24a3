"""Cron's fields, and the same times for systemd and for Windows."""

from __future__ import annotations

import re
import subprocess
from datetime import datetime, timedelta
from functools import partial
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from hvctl.cli.span import span
from hvctl.kinds._types import Seconds
from hvctl.monitor.schedule.cron import Cron, evenly
from hvctl.monitor.schedule.job import Job
from hvctl.monitor.schedule.taskxml import NAMESPACE, task
from hvctl.text.diagnostic import ConfigError
from hvctl.text.duration import seconds, spoken, written
from tests import requirements

GOOD = {
    "*/15 * * * *": ("*-*-* *:00,15,30,45:00",),
    "30 2 * * mon-FRI": ("Mon,Tue,Wed,Thu,Fri *-*-* 02:30:00",),
    "5 4 * * 7": ("Sun *-*-* 04:05:00",),
    "0 3 1,15 * 5": ("*-*-01,15 03:00:00", "Fri *-*-* 03:00:00"),
    "0 3 */10 * 1": ("Mon *-*-01,11,21,31 03:00:00",),  # crontab(5): an asterisk makes it "and"
    "0 0 29 feb *": ("*-02-29 00:00:00",),
    "0 6-9/3,22 * jan-mar *": ("*-01,02,03-* 06,09,22:00:00",),
    "@daily": ("*-*-* 00:00:00",),
}
WRONG = {
    "* * * *": "has 4 fields; five are wanted",
    "60 * * * *": "minute: 60 is not within 0 to 59",
    "* 24 * * *": "hour: 24 is not within 0 to 23",
    "* * 0 * *": "day of the month: 0 is not within 1 to 31",
    "* * * foo *": "month: 'foo' is not within 1 to 12 or jan to dec",
    "* * * * fri-mon": "day of the week: 'fri-mon' runs backwards; write it as two",
    "*/0 * * * *": "minute: the step of '*/0' is no number above 0",
    "0 0 L * *": "day of the month: 'L' is not within 1 to 31",
    "0 0 31 2,4 *": "never comes: no such month has a day 31",
    "@reboot": "@reboot is no time",
    "@often": "'@often' is not known; there are @hourly",
}


@pytest.mark.parametrize("text", GOOD)
def test_cron_as_systemd_says_it(text: str) -> None:
    assert Cron.parse(text).calendars() == GOOD[text]


@pytest.mark.parametrize("text", WRONG)
def test_wrong_cron_names_the_field(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(WRONG[text])):
        Cron.parse(text)


def test_systemd_understands_every_calendar() -> None:
    calendars = [c for text in GOOD for c in Cron.parse(text).calendars()]
    done = subprocess.run(
        [requirements.systemd_analyze(), "calendar", *calendars], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_intervals_that_cron_can_say_and_those_it_cannot() -> None:
    said = {text: evenly(seconds(text)).text for text in ("1m", "15m", "60m", "6h", "24h", "7d")}
    assert said == {"1m": "* * * * *", "15m": "*/15 * * * *", "60m": "0 * * * *", "6h": "0 */6 * * *",
                    "24h": "0 0 * * *", "7d": "0 0 * * 0"}  # fmt: skip
    for text in ("7m", "90m", "5h", "2d", "90s"):
        with pytest.raises(ValueError, match=r"cron can say 1m, 2m, .* or use --format systemd"):
            evenly(seconds(text))


def test_spans_of_time() -> None:
    texts = ("90s", "15m", "1h30m", "7D", "1.5h", "1d 12h", "1 h 30 min", "2w", "0.5m", " 1h ", "1.5h30m")
    assert [seconds(t) for t in texts] == [90, 900, 5400, 604_800, 5400, 129_600, 5400, 1_209_600, 30, 3600, 7200]
    spans = (0, 90, 5400, 90_000)
    assert [spoken(s) for s in spans] == ["0 s", "1 min 30 s", "1 h 30 min", "1 d 1 h"]
    assert [written(s) for s in spans] == ["0s", "1m30s", "1h30m", "1d1h"]
    for wrong, why in {
        "": "not a span",
        "15": "did you mean 15m?",
        "m": "not a span",
        "-1m": "not a span",
        "1h30": "not a span",
        "1,5h": "not a span",
        "1hour": "not a span",
        "30m1h": "a greater one after a smaller",
        "1h 2h": "names a unit twice",
        "0.1s": "not a whole number of seconds",
    }.items():
        with pytest.raises(ValueError, match=re.escape(why)):
            seconds(wrong)


@given(st.integers(0, 36_500 * 86_400))
def test_what_is_told_of_a_span_and_what_is_written_of_it_is_read_as_it(number: int) -> None:
    assert seconds(spoken(number)) == seconds(written(number)) == number


@pytest.mark.parametrize(
    "text", ["90s", "1.5h", "1h30m", "1d 12h", "1 h 30 min", "2w", "1h30", "0.1s", "30m1h", "often"]
)
def test_playbooks_connections_and_the_command_line_read_the_same(text: str) -> None:
    found: list[object] = []
    for read in (partial(span, "--every"), TypeAdapter(Seconds).validate_python):
        try:
            found.append(read(text))
        except (ConfigError, ValueError) as error:
            found.append("no" if "is not" in str(error) or "a greater one" in str(error) else error)
    assert found[0] == found[1]


# --- the Windows Task Scheduler ------------------------------------------------------------------------------------

ORDER = ["Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit", "RandomDelay", "ScheduleByDay",
         "ScheduleByWeek", "ScheduleByMonth", "ScheduleByMonthDayOfWeek"]  # fmt: skip
"""triggerBaseType and its extensions are sequences in the schema; everything else that is written is an xs:all."""
N = f"{{{NAMESPACE}}}"
NOW = datetime(2026, 2, 25, 17, 3, 9)
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December"]  # fmt: skip


def job(when: int | Cron, **more: object) -> Job:
    return Job("lab", ("lab.yml",), ("C:\\Program Files\\hvctl.exe", "drift", "lab.yml"), "C:\\lab", when, **more)  # type: ignore[arg-type]


def minutes(text: str) -> int:
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", text)
    assert found, text
    return sum(int(n or 0) * unit for n, unit in zip(found.groups(), (1440, 60, 1), strict=True))


def fires(trigger: ElementTree.Element, day: datetime) -> set[datetime]:
    """What a calendar trigger does on a day, as Microsoft's pages on its elements say."""
    start = datetime.fromisoformat(trigger.findtext(f"{N}StartBoundary", ""))
    if not applies(trigger, day):
        return set()
    first = day.replace(hour=start.hour, minute=start.minute)
    repetition = trigger.find(f"{N}Repetition")
    if repetition is None:
        return {first}
    interval = minutes(repetition.findtext(f"{N}Interval", ""))
    duration = minutes(repetition.findtext(f"{N}Duration", ""))
    return {first + timedelta(minutes=n) for n in range(0, duration, interval)}


def applies(trigger: ElementTree.Element, day: datetime) -> bool:
    def names(section: str) -> list[str]:
        return [e.tag.removeprefix(N) for e in next(trigger.iter(f"{N}{section}"))]

    kind = next(e.tag.removeprefix(N) for e in trigger if e.tag.startswith(f"{N}ScheduleBy"))
    weekday, month = WEEKDAYS[day.weekday()], MONTHS[day.month - 1]
    match kind:
        case "ScheduleByDay":
            return True
        case "ScheduleByWeek":
            return weekday in names("DaysOfWeek")
        case "ScheduleByMonth":
            return str(day.day) in [e.text for e in trigger.iter(f"{N}Day")] and month in names("Months")
    assert [e.text for e in trigger.iter(f"{N}Week")] == ["1", "2", "3", "4", "Last"]
    return weekday in names("DaysOfWeek") and month in names("Months")


def comes(cron: Cron, when: datetime) -> bool:
    """Cron's own rule, minute by minute."""
    by_day, by_weekday = when.day in cron.days, (when.weekday() + 1) % 7 in cron.weekdays
    day = by_day or by_weekday if cron.either else by_day and by_weekday
    return when.minute in cron.minutes and when.hour in cron.hours and when.month in cron.months and day


@pytest.mark.parametrize(
    "text",
    ["30 2 * * *", "*/15 * * * *", "5-59/10 * * * *", "*/10 8-17 * * mon-fri", "7,21,50 0,12 * * *", "0 3 1,15 * 5",
     "0 4 31 * *", "0 0 * 3 0,6", "0 0 13 3 5"],
)  # fmt: skip
def test_a_task_fires_when_cron_would(text: str) -> None:
    cron = Cron.parse(text)
    root = ElementTree.fromstring(task(job(cron), NOW).split("\n", 1)[1])
    triggers = root.findall(f"{N}Triggers/{N}CalendarTrigger")
    assert 0 < len(triggers) <= 48
    for number in range(60):
        day = datetime(2026, 2, 20) + timedelta(days=number)
        # A repetition may run into the next day; those of a whole day begin within the first hour.
        fired = {t for trigger in triggers for d in (day - timedelta(days=1), day) for t in fires(trigger, d)}
        wanted = {t for m in range(1440) if comes(cron, t := day + timedelta(minutes=m))}
        assert {t for t in fired if t.date() == day.date()} == wanted


@pytest.mark.parametrize("text", ["30 2 * * *", "*/10 8-17 * * mon-fri", "0 3 1,15 * 5", "0 4 31 * *", "0 0 29 2 *"])
def test_when_cron_comes_next(text: str) -> None:
    cron, moment = Cron.parse(text), datetime(2027, 12, 30, 23, 59)
    for _ in range(3):
        found = cron.after(moment)
        assert found is not None and found > moment and comes(cron, found)
        minutes = min(int((found - moment).total_seconds() // 60), 60 * 24 * 8)
        assert not any(comes(cron, moment + timedelta(minutes=n)) for n in range(1, minutes))
        moment = found


@pytest.mark.parametrize(
    ("text", "why"),
    [("1,2,5 * * * *", "is 72 triggers for the Task Scheduler, which takes 48"),
     ("0 3 */2 * 1", "by number and by weekday, which the Task Scheduler cannot say")],
)  # fmt: skip
def test_what_the_task_scheduler_cannot_say(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        task(job(Cron.parse(text)), NOW)


def test_an_interval_as_a_task() -> None:
    text = task(job(900, splay=90), NOW)
    assert text.startswith('<?xml version="1.0" encoding="UTF-16"?>\n<Task version="1.2" ')
    root = ElementTree.fromstring(text.split("\n", 1)[1])
    (trigger,) = root.findall(f"{N}Triggers/{N}TimeTrigger")
    assert [e.tag.removeprefix(N) for e in trigger] == ["StartBoundary", "Repetition", "RandomDelay"]
    assert trigger.findtext(f"{N}StartBoundary") == "2026-02-25T00:00:00"
    assert (trigger.findtext(f"{N}Repetition/{N}Interval"), trigger.findtext(f"{N}RandomDelay")) == ("PT15M", "PT90S")
    assert root.findtext(f"{N}Settings/{N}MultipleInstancesPolicy") == "IgnoreNew"
    for wrong in (30, 32 * 86_400):
        with pytest.raises(ValueError, match="every 1m to 31d"):
            task(job(wrong), NOW)


@pytest.mark.parametrize("when", [900, Cron.parse("*/10 8-9 1 * 1"), Cron.parse("0 0 * 3 0,6")])
def test_elements_of_triggers_stand_in_the_order_of_the_schema(when: int | Cron) -> None:
    root = ElementTree.fromstring(task(job(when, splay=60), NOW).split("\n", 1)[1])
    for trigger in root.find(f"{N}Triggers") or ():
        places = [ORDER.index(e.tag.removeprefix(N)) for e in trigger]
        assert places == sorted(places)


def windows_words(line: str) -> list[str]:
    """The rules of CommandLineToArgvW (Microsoft, "Parsing C command-line arguments")."""
    words, word, quoted, there, at = [], "", False, False, 0
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        at += slashes
        if slashes and at < len(line) and line[at] == '"':
            word += "\\" * (slashes // 2)
            there = True
            if slashes % 2:
                word, at = word + '"', at + 1
            continue
        word, there = word + "\\" * slashes, there or bool(slashes)
        if at >= len(line):
            break
        char, at = line[at], at + 1
        if char == '"':
            quoted, there = not quoted, True
        elif char in " \t" and not quoted:
            if there:
                words.append(word)
            word, there = "", False
        else:
            word, there = word + char, True
    return [*words, word] if there else words


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet=' ab"\\&<>日', max_size=6), min_size=1, max_size=4))
def test_arguments_arrive_at_a_windows_program(words: list[str]) -> None:
    one = Job("lab", ("lab.yml",), ("C:\\hvctl.exe", *words), "C:\\lab", 900)
    root = ElementTree.fromstring(task(one, NOW).split("\n", 1)[1])
    assert windows_words(root.findtext(f"{N}Actions/{N}Exec/{N}Arguments") or "") == words


def test_what_the_task_scheduler_would_replace_is_refused() -> None:
    one = Job("lab", ("lab.yml",), ("C:\\hvctl.exe", "C:\\%TEMP%\\lab.yml"), "C:\\50%", 900)
    with pytest.raises(ValueError, match="would be changed by the Task Scheduler"):
        task(one, NOW)
