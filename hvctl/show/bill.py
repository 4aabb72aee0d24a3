"""A bill as a table for people and as CSV for whoever charges for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from rich.cells import cell_len
from rich.text import Text

from hvctl.language import listing, placed, said, stretch
from hvctl.language.helped import helped
from hvctl.metering.bill import ITEMS, Bill, Charge, Group, cost_of
from hvctl.metering.usage import Usage
from hvctl.show.cells import fold, hung, padded
from hvctl.show.metering import remarks, table
from hvctl.show.times import stamp

NOBODY = "(nobody)"
SPREAD = (
    "What was used between two readings is spread evenly over the time between them, also over the ends of a month."
)
HEADS = ("", "quantity", "±", "unit", "price", "cost")


def group_name(group: Group) -> str:
    return group.name or helped(NOBODY)


def money(value: Decimal, bill: Bill) -> str:
    return f"{value:,.{bill.prices.decimals}f} {bill.prices.currency}"


def span_text(bill: Bill) -> str:
    """In the time zone of the price list."""
    zone = bill.prices.zone
    start, end = bill.start.astimezone(zone), bill.end.astimezone(zone)
    return f"{stretch(f'{start:%Y-%m-%d %H:%M}', f'{end:%Y-%m-%d %H:%M}')} {end:%Z}"


def bill_lines(bill: Bill, *, width: int = 120) -> Iterator[Text]:
    yield Text(f"{span_text(bill)}", "bold")
    rows = [_cells(charge, bill) for group in bill.groups for charge in group.charges]
    widths = [max(map(cell_len, column)) for column in zip(map(helped, HEADS), *rows, strict=True)]
    for group in bill.groups:
        yield Text()
        yield Text(f"{group_name(group)}  ", "bold").append(money(group.cost, bill), "bold")
        for one in group.vms:
            yield Text(f"  {placed(one.name, one.host)}")
            for charge in (c for c in group.charges if c.vm.key == one.key):
                cells = _cells(charge, bill)
                shown = [padded(c, w) if n in (0, 3) else " " * (w - cell_len(c)) + c
                         for n, (c, w) in enumerate(zip(cells, widths, strict=True))]  # fmt: skip
                yield Text("    " + "  ".join(shown).rstrip())
            for remark in notes(one, bill):
                yield from hung("!", [(remark, "yellow")], width, indent=4)
    yield Text()
    count = sum(len(group.vms) for group in bill.groups)
    yield Text(said(f"Total of {count} VM{'s' * (count != 1)}: {money(bill.cost, bill)}."), "bold")
    yield from (Text(line, "dim") for line in fold(said(SPREAD), width))


def notes(one: Usage, bill: Bill) -> Iterator[str]:
    """What happened and what is not known, and what is not billed though it has a price."""
    yield from remarks(one)
    whys: dict[str, list[str]] = {}
    for unbilled in bill.unbilled:
        if unbilled.vm.key == one.key:
            whys.setdefault(unbilled.why, []).append(helped(ITEMS[unbilled.item].name))
    yield from (f"not billed: {listing(names)}: {why}" for why, names in whys.items())


def _cells(charge: Charge, bill: Bill) -> tuple[str, ...]:
    return (
        helped(charge.what.name),
        amount(charge.billed),
        amount(charge.off),
        helped(charge.what.unit),
        f"{charge.price:f}",
        f"{charge.cost:,.{bill.prices.decimals}f}",
    )


def amount(value: Decimal) -> str:
    """As it is billed, without zeros at its end."""
    text = f"{value:,.6f}".rstrip("0").rstrip(".")
    return text or "0"


# --- FOCUS 1.2 (operations 1.3) ----------------------------------------------------------------------------------------

FOCUS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency", "ChargePeriodEnd", "ChargePeriodStart",
    "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceIssuerName",
    "ListCost", "ListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "ResourceId",
    "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "SkuId", "SubAccountId", "SubAccountName", "Tags",
    "x_Host", "x_OffBy", "x_UnknownSeconds", "x_Remarks",
)  # fmt: skip
"""The mandatory columns of FOCUS 1.2, those of the others that are known here, and hvctl's own."""


def bill_csv(bill: Bill, period: tuple[datetime, datetime]) -> str:
    """A line for each charge: times in UTC, their ends exclusive; numbers plain; what is not known is empty. `period`: of
    the bill, which the charges may not reach the end of yet."""
    rows = (_focus(charge, group, bill, period) for group in bill.groups for charge in group.charges)
    return table(FOCUS, ([row[name] for name in FOCUS] for row in rows))


def _focus(
    charge: Charge, group: Group, bill: Bill, period: tuple[datetime, datetime]
) -> dict[str, str | int | Decimal | None]:
    one, prices = charge.vm, bill.prices
    listed = prices.prices.get(charge.item)
    return {
        "BilledCost": charge.cost,
        "BillingAccountId": prices.account or prices.provider,
        "BillingAccountName": prices.account or prices.provider,
        "BillingCurrency": prices.currency,
        "BillingPeriodStart": stamp(period[0]),
        "BillingPeriodEnd": stamp(period[1]),
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": f"{charge.what.name} of {one.name}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": stamp(bill.start),
        "ChargePeriodEnd": stamp(bill.end),
        "ConsumedQuantity": charge.billed,
        "ConsumedUnit": charge.what.unit,
        "ContractedCost": charge.cost,
        "ContractedUnitPrice": charge.price,
        "EffectiveCost": charge.cost,
        "InvoiceIssuerName": prices.provider,
        "ListCost": None if listed is None else cost_of(charge.billed, listed, prices.decimals),
        "ListUnitPrice": listed,
        "PricingQuantity": charge.billed,
        "PricingUnit": charge.what.unit,
        "ProviderName": prices.provider,
        "PublisherName": prices.provider,
        "ResourceId": one.vm_id,
        "ResourceName": one.name,
        "ResourceType": "Virtual Machine",
        "ServiceCategory": charge.what.category,
        "ServiceName": "Hyper-V",
        "SkuId": charge.item,
        "SubAccountId": group.name or None,
        "SubAccountName": group.name or None,
        "Tags": json.dumps({"owner": one.owner}, ensure_ascii=False) if one.owner else None,
        "x_Host": one.host,
        "x_OffBy": charge.off,
        "x_UnknownSeconds": round(one.gap_seconds),
        "x_Remarks": "; ".join(remarks(one)) or None,
    }


def categories(groups: Sequence[Group]) -> list[str]:
    """Those that something is charged in, in the order of the price list."""
    found = {charge.what.category for group in groups for charge in group.charges}
    return [name for name in dict.fromkeys(item.category for item in ITEMS.values()) if name in found]
