"""The verb metering report: bills of what is on record."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Literal

import typer

from hvctl.cli.metering import metering
from hvctl.cli.options import History, Settings
from hvctl.cli.remembered import remembering
from hvctl.config.prices import load_prices
from hvctl.history import HistoryError
from hvctl.metering.bill import Bill, Prices, billed
from hvctl.metering.stretch import Stretch
from hvctl.metering.subtraction import stretches
from hvctl.metering.usage import Usage, used
from hvctl.show.bill import bill_csv, bill_lines
from hvctl.show.plain import plain
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.files import why_not, write_whole

By = Literal["owner", "vm", "host"]
BillForm = Literal["table", "csv", "html"]


@metering.command()
def report(
    context: typer.Context,
    prices: Annotated[str, typer.Option("--prices", metavar="FILE", help="The price list.")],
    month: Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="Instead of the last month.")] = None,
    by: Annotated[By, typer.Option("--group-by", help="Whom to bill.")] = "owner",
    form: Annotated[BillForm, typer.Option("--format", help="How it is printed or written.")] = "table",
    out: Annotated[str | None, typer.Option("--out", "-o", metavar="FILE", help="Write it there.")] = None,
    history: History = None,
) -> None:
    """Bill what VMs used in a month, by what is on record. No host is asked."""
    settings = remembering(context.obj, history, needed="a bill")
    listed = load_prices(prices)
    if out is not None and (why := why_not(out)):
        raise ConfigError([Diagnostic(None, f"--out {out} cannot be written: {why}", "name another file")])
    name, start, end = _month(month, settings.now(), listed)
    until = min(end, settings.now())
    assert settings.history is not None
    from hvctl.history.meters import Meters  # the database's library is slow to import

    try:
        told = Meters(settings.history).told(start, until)
    except HistoryError as error:
        raise ConfigError([Diagnostic(None, error.message, error.hint)]) from error
    found = stretches(told.readings, told.looks, until)
    bill = plain(_bill(found, start, until, listed, by))
    if not bill.groups:
        settings.err.print(f"Nothing is on record of {name}; hvctl metering reads meters and stores what they say.")
    match form:
        case "csv":
            text = bill_csv(bill, (start, end)).replace("\r\n", "\n")
        case "html":
            from hvctl.show.bill_html import rendered

            text = rendered(bill, name, by, _days(found, start, until, listed, by))
        case "table":
            text = "\n".join(line.plain for line in bill_lines(bill, width=settings.out.width)) + "\n"
    _put(settings, text, out, bill, form)


def _put(settings: Settings, text: str, out: str | None, bill: Bill, form: BillForm) -> None:
    if out is not None:
        try:
            write_whole(out, text)
        except OSError as error:
            problem = Diagnostic(None, f"{out} cannot be written: {error.strerror}", "name another file")
            raise ConfigError([problem]) from error
        settings.err.print(f"Report written: {out}", markup=False, soft_wrap=True)
    elif form == "table":
        for line in bill_lines(bill, width=settings.out.width):
            settings.out.print(line, soft_wrap=True)
    else:
        typer.echo(text, nl=False)


def _bill(found: Sequence[Stretch], start: datetime, end: datetime, prices: Prices, by: By) -> Bill:
    def key(one: Stretch) -> tuple[str, ...]:
        # Its name may change within a month, and is of the last reading.
        return (one.vm_id, one.where, one.host if by == "host" else "", one.owner)

    names: Mapping[By, Callable[[Usage], str]] = {
        "owner": lambda u: u.owner,
        "vm": lambda u: f"{u.name} ({u.vm_id})",
        "host": lambda u: u.host,
    }
    return billed(used(found, start, end, key), start, end, prices, names[by])


def _days(
    found: Sequence[Stretch], start: datetime, end: datetime, prices: Prices, by: By
) -> tuple[tuple[str, Bill], ...]:
    """Of the calendar of the price list. Not rounded to whole coins: a day may cost less than one."""
    fine = replace(prices, decimals=6)
    edges = [start]
    while edges[-1] < end:
        local = edges[-1].astimezone(prices.zone)
        midnight = datetime.combine(local.date() + timedelta(days=1), time(), prices.zone)
        edges.append(min(midnight.astimezone(UTC), end))
    spans = list(pairwise(edges))
    near: list[list[Stretch]] = [[] for _ in spans]
    for one in found:
        first, last = (bisect_right(edges, moment) - 1 for moment in (one.start, one.end))
        for n in range(max(0, first), min(len(spans) - 1, last) + 1):
            near[n].append(one)
    return tuple(
        (f"{a.astimezone(prices.zone):%d}", _bill(some, a, b, fine, by))
        for (a, b), some in zip(spans, near, strict=True)
    )


def _month(text: str | None, now: datetime, prices: Prices) -> tuple[str, datetime, datetime]:
    """Its name, beginning and end, by the calendar of the price list. Raises ConfigError."""
    local = now.astimezone(prices.zone)
    if text is None:
        last = local.replace(day=1) - timedelta(days=1)
        text = f"{last:%Y-%m}"
    match = re.fullmatch(r"([0-9]{4})-([0-9]{2})", text)
    if match is None or not (1 <= int(match[2]) <= 12 and 1970 <= int(match[1]) < 9999):
        raise ConfigError([Diagnostic(None, f"--month {text} is not a month", "write the year and the month: 2026-11")])
    year, month = int(match[1]), int(match[2])
    start = datetime(year, month, 1, tzinfo=prices.zone)
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=prices.zone)
    if start > now:
        raise ConfigError([Diagnostic(None, f"--month {text} is yet to come", "bill it when it has begun")])
    return text, start.astimezone(UTC), end.astimezone(UTC)
