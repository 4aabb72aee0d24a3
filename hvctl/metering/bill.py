"""Usage and prices → charges that add up. Money and billed quantities are decimal numbers, rounded where they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone, tzinfo
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from hvctl.metering.reading import Quantity
from hvctl.metering.usage import Usage

_PLACES = Decimal("0.000001")
_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)
"""Whatever a host may tell, no digit of a sum is lost."""
_HOUR, _DAY = 3600, 86_400
_GB = 2**30


@dataclass(frozen=True)
class Item:
    """Something that has a price. `divisor`: from what adds up to the unit that is billed. `category`: of FOCUS."""

    quantity: Quantity
    name: str
    divisor: int
    unit: str
    category: str


ITEMS: Final[Mapping[str, Item]] = {
    "processor_ghz_hour": Item("processor", "processor time", 1000 * _HOUR, "GHz-Hours", "Compute"),
    "memory_gb_hour": Item("memory", "memory", 1024 * _HOUR, "GB-Hours", "Compute"),
    "disk_gb_day": Item("disk_size", "disk size", _GB * _DAY, "GB-Days", "Storage"),
    "disk_file_gb_day": Item("disk_files", "disk files", _GB * _DAY, "GB-Days", "Storage"),
    "disk_io_million": Item("io", "disk I/O (8 KB)", 1_000_000, "Million I/Os", "Storage"),
    "data_read_gb": Item("data_read", "data read from disks", 1024, "GB", "Storage"),
    "data_written_gb": Item("data_written", "data written to disks", 1024, "GB", "Storage"),
    "network_in_gb": Item("network_in", "network in", 1024, "GB", "Networking"),
    "network_out_gb": Item("network_out", "network out", 1024, "GB", "Networking"),
}
"""By the key in a price list. GB is 2^30 bytes. Latency and IOPS are averages that nothing adds up of: they have no price."""


@dataclass(frozen=True)
class Prices:
    """`owners`: prices that differ for some, by owner without case. `decimals`: of the currency."""

    currency: str
    prices: Mapping[str, Decimal]
    owners: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    decimals: int = 2
    provider: str = "hvctl"
    account: str = ""
    zone: tzinfo = timezone.utc  # noqa: UP017 - a tzinfo, not the name

    def of(self, owner: str, item: str) -> Decimal | None:
        special = self.owners.get(owner.casefold(), {}).get(item)
        return special if special is not None else self.prices.get(item)


@dataclass(frozen=True)
class Charge:
    """One line of a bill: what one VM used of one thing. `off`: how much `billed` may be off by."""

    vm: Usage
    item: str
    billed: Decimal
    off: Decimal
    price: Decimal
    cost: Decimal

    @property
    def what(self) -> Item:
        return ITEMS[self.item]


@dataclass(frozen=True)
class Omission:
    """Something that has a price and is not billed, and why."""

    vm: Usage
    item: str
    why: str


@dataclass(frozen=True)
class Group:
    """The charges of an owner, a VM or a host."""

    name: str
    charges: tuple[Charge, ...]
    vms: tuple[Usage, ...]

    @property
    def cost(self) -> Decimal:
        return total(c.cost for c in self.charges)

    def cost_of(self, category: str) -> Decimal:
        return total(c.cost for c in self.charges if c.what.category == category)


@dataclass(frozen=True)
class Bill:
    start: datetime
    end: datetime
    prices: Prices
    groups: tuple[Group, ...]
    unbilled: tuple[Omission, ...] = ()

    @property
    def cost(self) -> Decimal:
        return total(g.cost for g in self.groups)


def billed(
    usages: Iterable[Usage], start: datetime, end: datetime, prices: Prices, group: Callable[[Usage], str]
) -> Bill:
    """Groups by name, VMs by name within them."""
    groups: dict[str, list[Usage]] = {}
    for one in sorted(usages, key=lambda u: (u.name.casefold(), u.vm_id, u.host)):
        groups.setdefault(group(one), []).append(one)
    unbilled: list[Omission] = []
    made = [
        Group(name, tuple(c for one in vms for c in _charges(one, prices, unbilled)), tuple(vms))
        for name, vms in sorted(groups.items(), key=lambda g: (g[0] == "", g[0].casefold()))
    ]
    return Bill(start, end, prices, tuple(made), tuple(unbilled))


def _charges(one: Usage, prices: Prices, unbilled: list[Omission]) -> Sequence[Charge]:
    found = []
    for key, item in ITEMS.items():
        price = prices.of(one.owner, key)
        if price is None:
            continue
        total = one.totals.get(item.quantity)
        if total is None:
            unbilled.append(Omission(one, key, "nothing is known of it"))
            continue
        if total.doubtful:
            unbilled.append(Omission(one, key, "nobody tells its unit of measure"))
            continue
        quantity, off = (rounded(value / item.divisor) for value in (total.value, total.off))
        found.append(Charge(one, key, quantity, off, price, cost_of(quantity, price, prices.decimals)))
    return found


def cost_of(quantity: Decimal, price: Decimal, decimals: int) -> Decimal:
    """Of a line, to the decimals of its currency."""
    return _EXACT.quantize(_EXACT.multiply(quantity, price), Decimal(1).scaleb(-decimals))


def total(costs: Iterable[Decimal]) -> Decimal:
    found = Decimal(0)
    for cost in costs:
        found = _EXACT.add(found, cost)
    return found


def rounded(value: float) -> Decimal:
    """As billed: six digits after the point, so that whoever reads a bill can work it out again."""
    return _EXACT.quantize(Decimal(repr(value)), _PLACES)
