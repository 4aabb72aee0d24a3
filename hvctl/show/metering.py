"""What VMs used, as a table for people, as CSV and as data for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.text import Text

from hvctl.call import TransportError
from hvctl.language import listing, said
from hvctl.language.helped import helped
from hvctl.metering.reading import QUANTITIES, Quantity, Reading
from hvctl.metering.units import METERED, known, name_of
from hvctl.metering.usage import Total, Usage
from hvctl.show.cells import fold, hung, padded
from hvctl.show.lasting import clock_time
from hvctl.show.times import stamp
from hvctl.text.duration import spoken

FORMAT = 1
LATENCY = "the average since the meters began; nobody documents its unit of measure, and it is never billed"
HEADS = ("VM", "host", "from", "to", "MHz", "memory", "IOPS", "latency¹", "read", "written", "disks", "in", "out")
_LEFT = 4
"""Columns of text; the others are numbers."""
_MB = 2**20
_UNITS = (("TB", 2**40), ("GB", 2**30), ("MB", 2**20), ("KB", 2**10))
GAP_TOLD_S = 60
"""What is shorter is between the reading and the reset of a reset by hvctl, or less."""


@dataclass(frozen=True)
class Measurement:
    """What a reading of many hosts came to. `latest`: the reading of each VM made last. `failed`: hosts that could not be
    read; `problems`: what could not be read of others."""

    start: datetime
    end: datetime
    usages: tuple[Usage, ...]
    latest: Mapping[str, Reading] = field(default_factory=dict)
    failed: Mapping[str, TransportError] = field(default_factory=dict)
    problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def latency(self, one: Usage) -> int | None:
        reading = self.latest.get(one.vm_id)
        return reading.latency if reading is not None and reading.metered else None


# --- for people --------------------------------------------------------------------------------------------------------


def measured_lines(found: Measurement, *, width: int = 120) -> Iterator[Text]:
    if found.usages:
        rows = [_row(found, one) for one in found.usages]
        heads = [helped(head) for head in HEADS]
        widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
        yield Text(_line(heads, widths), "dim")
        for one, row in zip(found.usages, rows, strict=True):
            yield Text(_line(row, widths))
            for remark in remarks(one):
                yield from hung("!", [(remark, "yellow")], width, indent=4)
        yield Text()
    for host, problems in found.problems.items():
        for problem in problems:
            yield from hung("!", [(f"{host}: {problem}", "yellow")], width, indent=0)
    metered = {one.vm_id for one in found.usages if _is_metered(one)}
    vms = {one.vm_id for one in found.usages}
    unmetered = len(vms) - len(metered)
    n, counted = len(vms), len(metered)
    if unmetered:
        more = "`resource_metering: true` in a playbook meters the others"
        told = f"{n} VM{'s' * (n != 1)}, {counted} metered; {more}."
    else:
        told = f"{n} VM{'s' * (n != 1)}, {counted} metered."
    yield Text(said(told), "bold")
    if metered:
        for told in (said(f"¹ latency: {LATENCY}."), *unit_lines(found.latest.values())):
            yield from (Text(line, "dim") for line in fold(told, width))


def remarks(one: Usage) -> Iterator[str]:
    """What somebody should know of how this came about: what happened, and what is not known."""
    yield from dict.fromkeys(event.text for event in one.events)
    gaps: dict[str, float] = {}
    for gap in one.gaps:
        gaps[gap.why] = gaps.get(gap.why, 0.0) + gap.seconds
    for why, seconds in gaps.items():
        if seconds >= GAP_TOLD_S:
            yield f"nothing is known of {spoken(seconds // 60 * 60)}: {why}"


def unit_lines(readings: Iterable[Reading]) -> Iterator[str]:
    """Who tells each unit of measure."""
    told: dict[str, dict[str, list[str]]] = {}
    for one in readings:
        if one.metered:
            for quantity in METERED:
                who = _who(quantity, one)
                hosts = told.setdefault(quantity, {}).setdefault(who, [])
                if one.host not in hosts:
                    hosts.append(one.host)
    groups: dict[str, list[str]] = {}
    for quantity, sources in told.items():
        for who, hosts in sources.items():
            where = f" ({', '.join(hosts)})" if len(sources) > 1 else ""
            groups.setdefault(said(who) + where, []).append(
                f"{helped(quantity.replace('_', ' '))} ({name_of(quantity)})"
            )
    for who, names in groups.items():
        yield said(f"Units of measure: {listing(names)}: {who}.")


def _who(quantity: Any, one: Reading) -> str:
    found = known(quantity, one.units)
    if found.scale is None:
        return f"not as {found.source} tells it" if found.source else "told by nobody but tools of others; not billed"
    return "told by the hosts" if found.source.startswith("the host") else f"documented by {found.source}"


def _is_metered(one: Usage) -> bool:
    return any(quantity in one.totals for quantity in METERED)


def _row(found: Measurement, one: Usage) -> tuple[str, ...]:
    latency = found.latency(one)
    return (
        one.name,
        one.host,
        clock_time(one.start),
        clock_time(one.end),
        _number(one.totals.get("processor")),
        _sized(_average(one.totals.get("memory")), _MB),
        _number(one.totals.get("io")),
        "-" if latency is None else f"{latency:,}",
        _sized(_sum(one.totals.get("data_read")), _MB),
        _sized(_sum(one.totals.get("data_written")), _MB),
        _sized(_average(one.totals.get("disk_size"))),
        _sized(_sum(one.totals.get("network_in")), _MB),
        _sized(_sum(one.totals.get("network_out")), _MB),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    shown = [
        padded(c, w) if n < _LEFT else " " * max(0, w - cell_len(c)) + c
        for n, (c, w) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(shown).rstrip()


def _average(total: Total | None) -> float | None:
    return None if total is None else total.average


def _sum(total: Total | None) -> float | None:
    return None if total is None else total.value


def _number(total: Total | None) -> str:
    average = _average(total)
    return "-" if average is None else f"{average:,.0f}"


def _sized(value: float | None, unit: int = 1) -> str:
    if value is None:
        return "-"
    size = value * unit
    name, scale = next(((n, s) for n, s in _UNITS if size >= s), ("B", 1))
    shown = size / scale
    return f"{shown:,.0f} {name}" if shown >= 100 or shown == int(shown) else f"{shown:,.1f} {name}"


# --- for programs ------------------------------------------------------------------------------------------------------

_HOURS: Mapping[Quantity, str] = {"processor": "processor_mhz_hours", "memory": "memory_mb_hours"}
_AVERAGES: Mapping[Quantity, str] = {
    "processor": "processor_average_mhz",
    "memory": "memory_average_mb",
    "io": "io_average_8kb_per_s",
    "disk_size": "disk_size_average_bytes",
    "disk_files": "disk_files_average_bytes",
}
_SUMS: Mapping[Quantity, str] = {
    "io": "io_8kb",
    "data_read": "data_read_mb",
    "data_written": "data_written_mb",
    "network_in": "network_in_mb",
    "network_out": "network_out_mb",
}
COLUMNS = (
    "host", "vm", "vm_id", "owner", "start", "end", *_AVERAGES.values(), *_HOURS.values(), *_SUMS.values(),
    "latency_undocumented_unit", "unknown_seconds", "remarks",
)  # fmt: skip


def measured_csv(found: Measurement) -> str:
    """A line for each VM and period. What is not known is empty, which is not 0."""
    rows = ({**_texts(one), **_figures(found, one)} for one in found.usages)
    return table(COLUMNS, ([row[column] for column in COLUMNS] for row in rows))


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """CSV as RFC 4180 has it. No text can be a formula: what a spreadsheet would work out stands behind an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heads)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") and value else value
    return f"{value:f}" if not isinstance(value, int) else str(value)


def _texts(one: Usage) -> dict[str, Any]:
    return {
        "host": one.host,
        "vm": one.name,
        "vm_id": one.vm_id,
        "owner": one.owner,
        "start": stamp(one.start),
        "end": stamp(one.end),
        "unknown_seconds": round(one.gap_seconds),
        "remarks": "; ".join(remarks(one)),
    }


def _figures(found: Measurement, one: Usage) -> dict[str, float | int | None]:
    figures: dict[str, float | int | None] = {"latency_undocumented_unit": found.latency(one)}
    for quantity, column in _AVERAGES.items():
        figures[column] = _rounded(_average(one.totals.get(quantity)))
    for quantity, column in _HOURS.items():
        total = _sum(one.totals.get(quantity))
        figures[column] = None if total is None else _rounded(total / 3600)
    for quantity, column in _SUMS.items():
        figures[column] = _rounded(_sum(one.totals.get(quantity)))
    return figures


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def measured_data(found: Measurement) -> dict[str, Any]:
    """Times are UTC. `off_by`: how much a value may be off, since meters tell whole numbers."""
    return {
        "format": FORMAT,
        "start": stamp(found.start),
        "end": stamp(found.end),
        "vms": [
            {
                **{k: v for k, v in _texts(one).items() if k != "remarks"},
                **_figures(found, one),
                "off_by": {q: _rounded(t.off) for q in QUANTITIES if (t := one.totals.get(q)) is not None and t.off},
                "unit_unknown": [q for q in QUANTITIES if (t := one.totals.get(q)) is not None and t.doubtful],
                "events": [{"kind": e.kind, "at": stamp(e.at), "text": e.text} for e in one.events],
                "unknown": [{"start": stamp(g.start), "end": stamp(g.end), "why": g.why} for g in one.gaps],
            }
            for one in found.usages
        ],
        "units_told": {
            host: dict(units)
            for host, units in sorted({r.host: r.units for r in found.latest.values() if r.metered}.items())
        },
        "failed": {host: error.message for host, error in found.failed.items()},
        "problems": {host: list(problems) for host, problems in found.problems.items()},
    }
