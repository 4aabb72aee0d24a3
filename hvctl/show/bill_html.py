"""A bill as one HTML file, as a check is one: no outside links, no scripts; its charts are inline SVG."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from hvctl import __version__
from hvctl.language import listing, said, spoken
from hvctl.language.helped import helped
from hvctl.metering.bill import Bill, Charge, Group, total
from hvctl.metering.usage import Usage
from hvctl.show.bill import SPREAD, amount, categories, group_name, money, notes, span_text
from hvctl.show.charts import LACKING, Chart, columns, rows
from hvctl.show.metering import GAP_TOLD_S
from hvctl.show.plain import plain

BY = {"owner": "owner", "vm": "VM", "host": "host"}
"""How it is told by what is grouped."""
TITLE = "Virtual machines, %(month)s"
_MOST_BARS = 40
"""A chart of more groups shows those that cost most."""


@dataclass(frozen=True)
class Row:
    what: str
    quantity: str
    off: str
    unit: str
    price: str
    cost: str


@dataclass(frozen=True)
class Machine:
    name: str
    host: str
    vm_id: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    cost: str


@dataclass(frozen=True)
class Section:
    name: str
    cost: str
    share: str
    machines: tuple[Machine, ...]


@dataclass(frozen=True)
class Page:
    title: str
    provider: str
    span: str
    total: str
    count: int
    by: str
    parts: tuple[str, ...]
    groups: Chart
    left_out: int
    days: Chart | None
    sections: tuple[Section, ...]
    gaps: bool = False
    spread: str = ""


def rendered(bill: Bill, month: str, by: str, days: Sequence[tuple[str, Bill]] = ()) -> str:
    """`days`: the same for each day, for the chart."""
    folder = files("hvctl.show").joinpath("templates")
    style = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in ("check.css", "bill.css"))
    environment = Environment(
        loader=DictLoader({"bill": folder.joinpath("bill.html.j2").read_text(encoding="utf-8")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["_"] = helped
    # The page may load nothing and run nothing; its one style sheet is named by its hash.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = plain(_page(bill, month, by, days))
    return environment.get_template("bill").render(
        page=page, style=Markup(style), digest=digest, version=__version__, language=spoken()
    )


def _page(bill: Bill, month: str, by: str, days: Sequence[tuple[str, Bill]]) -> Page:
    parts = categories(bill.groups)
    ranked = sorted(bill.groups, key=lambda g: -g.cost)[:_MOST_BARS]
    by_day = _by_day(days, parts, bill) if len(days) > 1 else None
    return Page(
        title=helped(TITLE) % {"month": month},
        provider=bill.prices.provider,
        span=span_text(bill),
        total=money(bill.cost, bill),
        count=sum(len(group.vms) for group in bill.groups),
        by=helped(BY[by]),
        parts=tuple(helped(part) for part in parts),
        groups=_by_group(ranked, parts, bill),
        left_out=len(bill.groups) - len(ranked),
        days=by_day,
        gaps=by_day is not None and any(bar.part == LACKING for bar in by_day.bars),
        sections=tuple(_section(group, bill) for group in bill.groups),
        spread=said(SPREAD),
    )


def _by_group(groups: Sequence[Group], parts: Sequence[str], bill: Bill) -> Chart:
    return rows(
        [group_name(g) for g in groups],
        [[float(g.cost_of(part)) for part in parts] for g in groups],
        [[f"{group_name(g)}, {helped(part)}: {money(g.cost_of(part), bill)}" for part in parts] for g in groups],
        [money(g.cost, bill) for g in groups],
    )


def _by_day(days: Sequence[tuple[str, Bill]], parts: Sequence[str], bill: Bill) -> Chart:
    sums = [[total(g.cost_of(part) for g in day.groups) for part in parts] for _, day in days]
    texts = [
        [f"{name}, {helped(part)}: {money(cost, bill)}" for part, cost in zip(parts, costs, strict=True)]
        for (name, _), costs in zip(days, sums, strict=True)
    ]
    return columns(
        [name for name, _ in days],
        [[float(c) for c in costs] for costs in sums],
        texts,
        [_lacking(name, day) for name, day in days],
    )


def _lacking(name: str, day: Bill) -> str:
    """Of which VMs something is not known."""
    vms = sorted({vm.name for g in day.groups for vm in g.vms if vm.gap_seconds >= GAP_TOLD_S})
    return said(f"{name}: not all is known of {listing(vms)}") if vms else ""


def _section(group: Group, bill: Bill) -> Section:
    share = group.cost / bill.cost * 100 if bill.cost else bill.cost
    machines = tuple(_machine(one, [c for c in group.charges if c.vm.key == one.key], bill) for one in group.vms)
    return Section(group_name(group), money(group.cost, bill), f"{share:.0f} %", machines)


def _machine(one: Usage, charges: Sequence[Charge], bill: Bill) -> Machine:
    return Machine(
        one.name,
        one.host,
        one.vm_id,
        tuple(_row(charge, bill) for charge in charges),
        tuple(map(said, notes(one, bill))),
        money(total(c.cost for c in charges), bill),
    )


def _row(charge: Charge, bill: Bill) -> Row:
    return Row(
        helped(charge.what.name),
        amount(charge.billed),
        amount(charge.off) if charge.off else "",
        helped(charge.what.unit),
        f"{charge.price:f}",
        money(charge.cost, bill),
    )
