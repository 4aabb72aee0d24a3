"""A month of metering, simulated, against a bill that the test works out by itself from what it let happen."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.metering.fleet import Fleet, host, settle, vm
from tests.test_reports import Outline

PRICES = """
currency: EUR
provider: Example IT
prices:
  processor_ghz_hour: 0.004
  memory_gb_hour: 0.003
  disk_gb_day: 0.005
  disk_file_gb_day: 0.002
  disk_io_million: 0.01
  data_read_gb: 0.001
  network_in_gb: 0.002
  network_out_gb: 0.05
owners:
  sales: {memory_gb_hour: 0.0025}
"""
EVERY = timedelta(hours=12)
GB = 2**30
MINUTE = timedelta(minutes=1)


def may(day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(2026, 5, day, hour, minute, tzinfo=UTC)


START, END = may(1), datetime(2026, 6, 1, tzinfo=UTC)
FIRST = datetime(2026, 4, 28, 0, 5, tzinfo=UTC)
LAST = datetime(2026, 6, 2, 0, 5, tzinfo=UTC)


def readings() -> Iterator[datetime]:
    at = FIRST
    while at <= LAST:
        yield at
        at += EVERY


def before(moment: datetime) -> datetime:
    return max(at for at in readings() if at <= moment)


def after(moment: datetime) -> datetime:
    return min(at for at in readings() if at > moment)


@dataclass(frozen=True)
class Rate:
    """From then on, each second: MHz, MB, and bytes."""

    since: datetime
    mhz: float = 500
    memory_mb: float = 1024
    read: float = 2**20
    incoming: float = 2**17
    outgoing: float = 2**18
    io: float = 100


OFF = {"mhz": 0.0, "memory_mb": 0.0, "read": 0.0, "incoming": 0.0, "outgoing": 0.0, "io": 0.0}


@dataclass
class Expected:
    """What the test knows of a VM. `unknown`: times of which its meters tell nothing. `sizes`: of its disk, from then on as
    it was read. `seen`: from when to when its disks were there."""

    owner: str
    rates: Sequence[Rate] = (Rate(FIRST),)
    unknown: Sequence[tuple[datetime, datetime]] = ()
    sizes: Sequence[tuple[datetime, float]] = ((FIRST, 40 * GB),)
    seen: tuple[datetime, datetime] = (START, END)
    left_out: frozenset[str] = frozenset()
    known: tuple[datetime, datetime] = field(default=(START, END))

    def integral(self, of: Callable[[Rate], float]) -> float:
        total = 0.0
        ends = [*(r.since for r in self.rates[1:]), END + timedelta(days=9)]
        for rate, end in zip(self.rates, ends, strict=True):
            total += of(rate) * self.overlap(rate.since, end)
        return total

    def overlap(self, start: datetime, end: datetime) -> float:
        start, end = max(start, self.known[0]), min(end, self.known[1])
        seconds = max(0.0, (end - start).total_seconds())
        for a, b in self.unknown:
            seconds -= max(0.0, (min(b, end) - max(a, start)).total_seconds())
        return seconds

    def disk(self, sizes: Sequence[tuple[datetime, float]]) -> float:
        total = 0.0
        ends = [*(since for since, _ in sizes[1:]), self.seen[1]]
        for (since, size), end in zip(sizes, ends, strict=True):
            total += size * max(0.0, (min(end, self.seen[1]) - max(since, self.seen[0])).total_seconds())
        return total

    def quantities(self) -> dict[str, float]:
        found = {
            "processor_ghz_hour": self.integral(lambda r: r.mhz) / 1000 / 3600,
            "memory_gb_hour": self.integral(lambda r: r.memory_mb) / 1024 / 3600,
            "disk_gb_day": self.disk(self.sizes) / GB / 86400,
            "disk_file_gb_day": self.disk([(FIRST, 10 * GB)]) / GB / 86400,
            "disk_io_million": self.integral(lambda r: r.io) / 1e6,
            "data_read_gb": self.integral(lambda r: r.read) / GB,
            "network_in_gb": self.integral(lambda r: r.incoming) / GB,
            "network_out_gb": self.integral(lambda r: r.outgoing) / GB,
        }
        return {k: v for k, v in found.items() if k not in self.left_out}


RESET_BY_OTHERS, SWITCHED_OFF, SWITCHED_ON = may(12, 15, 20), may(15, 3), may(18, 10, 40)
STOPPED, STARTED, GREW, MOVED, REMOVED, BUSIER = (
    may(5, 8, 15),
    may(7, 9),
    may(9, 13),
    may(10, 10, 30),
    may(20, 11),
    may(3, 17),
)
OUR_RESET = before(may(16, 13))

EXPECTED = {
    "web01": Expected("sales", (Rate(FIRST), Rate(BUSIER, mhz=800))),
    "db01": Expected(
        "research",
        (Rate(FIRST), Rate(STOPPED, **OFF), Rate(STARTED)),
        sizes=((FIRST, 40 * GB), (after(GREW), 60 * GB)),
    ),
    "app01": Expected("sales", unknown=((before(RESET_BY_OTHERS), RESET_BY_OTHERS),)),
    "lab01": Expected("", unknown=((before(SWITCHED_OFF), SWITCHED_ON),)),
    "nodur": Expected("", left_out=frozenset({"processor_ghz_hour", "memory_gb_hour"})),
    "gone01": Expected("it", seen=(START, before(REMOVED)), known=(START, before(REMOVED))),
    "old01": Expected("it", left_out=frozenset({"disk_io_million", "data_read_gb"})),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("month")


@pytest.fixture
def fleet(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Fleet:
    settle(monkeypatch, folder)
    monkeypatch.setenv("HVCTL_HISTORY", str(folder / "history.db"))
    names = list(EXPECTED)
    vms = {name: vm(name, n, notes=f"owner: {EXPECTED[name].owner}") for n, name in enumerate(names, 1)}
    vms["lab01"]["notes"] = "nobody's"
    vms["nodur"] |= {"duration_unknown": True, "notes": ""}
    on = Fleet(
        folder,
        capsys,
        host("hv01", vms["web01"], vms["db01"], vms["gone01"]),
        host("hv02", vms["app01"], vms["lab01"], vms["nodur"], os="2025"),
        host("hv03", vms["old01"], os="2012"),
    )
    (folder / "prices.yml").write_text(PRICES, encoding="utf-8")
    if not (folder / "done").exists():
        _live(on)
        (folder / "done").touch()
    on.until(LAST + MINUTE)
    return on


def _live(on: Fleet) -> None:
    """Five weeks: readings twice a day, and between them what happens to VMs."""

    def busier() -> None:
        on.hosts["hv01"].invoke("Get-VM", {})  # what was used up to now is counted
        on.hosts["hv01"].state.vms[0].usage.processor_mhz = 800

    happens: list[tuple[datetime, Callable[[], Any]]] = [
        (BUSIER, busier),
        (STOPPED, lambda: on.invoke("hv01", "Stop-VM", Name="db01", TurnOff=True)),
        (STARTED, lambda: on.invoke("hv01", "Start-VM", Name="db01")),
        (GREW, lambda: on.invoke("hv01", "Resize-VHD", Path=r"D:\VMs\db01\os.vhdx", SizeBytes=60 * GB)),
        (MOVED, lambda: on.move("web01", "hv01", "hv02")),
        (RESET_BY_OTHERS, lambda: on.invoke("hv02", "Reset-VMResourceMetering", VMName="app01")),
        (SWITCHED_OFF, lambda: on.invoke("hv02", "Disable-VMResourceMetering", VMName="lab01")),
        (SWITCHED_ON, lambda: on.invoke("hv02", "Enable-VMResourceMetering", VMName="lab01")),
        (REMOVED - MINUTE, lambda: on.invoke("hv01", "Stop-VM", Name="gone01", TurnOff=True)),
        (REMOVED, lambda: on.invoke("hv01", "Remove-VM", Name="gone01", Force=True)),
        (may(22), lambda: on.away.add("hv03")),
        (may(25), on.away.clear),
    ]
    for at in readings():
        for moment, act in [h for h in happens if h[0] <= at]:
            on.until(moment)
            act()
            happens = [h for h in happens if h[0] > moment]
        on.until(at)
        words = ("--reset", "--limit", "hv01") if at == OUR_RESET else ()
        if words:
            on.run("metering", "--limit", "hv02,hv03")
        on.run("metering", *words, status=4 if on.away else 0)


@dataclass(frozen=True)
class Line:
    vm: str
    sku: str
    quantity: float
    off: float
    price: Decimal
    cost: Decimal
    account: str


def lines(text: str) -> list[Line]:
    return [
        Line(
            row["ResourceName"],
            row["SkuId"],
            float(row["ConsumedQuantity"]),
            float(row["x_OffBy"]),
            Decimal(row["ContractedUnitPrice"]),
            Decimal(row["BilledCost"]),
            row["SubAccountId"],
        )
        for row in csv.DictReader(io.StringIO(text))
    ]


def test_the_bill_adds_up_to_what_was_used(fleet: Fleet) -> None:
    found = lines(fleet.run("metering", "report", "--month", "2026-05", "--prices", "prices.yml", "--format", "csv"))
    told = {(line.vm, line.sku): line for line in found}
    assert len(told) == len(found)
    expected = {(name, sku): (one, q) for name, one in EXPECTED.items() for sku, q in one.quantities().items()}
    assert set(told) == set(expected)
    cost, off = Decimal(0), Decimal(0)
    for key, (one, quantity) in expected.items():
        line = told[key]
        # A reading takes some seconds, and so does what is done to VMs.
        assert line.quantity == pytest.approx(quantity, abs=line.off + quantity * 0.0005), key
        special = one.owner == "sales" and line.sku == "memory_gb_hour"
        price = Decimal("0.0025") if special else dict(_listed())[line.sku]
        assert line.price == price
        assert line.cost == (Decimal(repr(line.quantity)) * price).quantize(Decimal("0.01"))
        assert line.account == one.owner
        cost += Decimal(repr(quantity)) * price
        off += Decimal(repr(line.off)) * price + Decimal("0.005")
    total = sum((line.cost for line in found), Decimal(0))
    assert abs(total - cost) <= off + cost * Decimal("0.0005")
    assert cost > 40
    # What whole numbers leave open is little.
    assert off < cost / 50


def _listed() -> Iterator[tuple[str, Decimal]]:
    for line in PRICES.partition("prices:\n")[2].partition("owners:")[0].splitlines():
        name, _, price = line.strip().partition(": ")
        yield name, Decimal(price)


def test_everything_that_happened_is_told(fleet: Fleet) -> None:
    out = fleet.run("metering", "report", "--month", "2026-05", "--prices", "prices.yml")
    out = " ".join(out.split())
    for said in (
        "moved from hv01 to hv02",
        "the meters were reset at 2026-05-12 15:20 UTC",
        "not by hvctl",
        "metering was switched off",
        "metering was switched on",
        "no longer on hv01 at 2026-05-20 12:05 UTC",
        "the meters were reset by hvctl",
        "seen off at 2026-05-05 12:05 UTC",
        "no averages, and a reset between would not be seen",
        "not billed: processor time, memory: nothing is known of it",
        "nothing is known of 3 h 14 min: before a reset that was not hvctl's",
        "(nobody)",
        "Total of 7 VMs:",
    ):
        assert said in out, said
    assert "before the first reading" not in out


def test_a_host_that_was_away_left_no_gap(fleet: Fleet) -> None:
    text = fleet.run("metering", "report", "--month", "2026-05", "--prices", "prices.yml", "--format", "csv")
    gaps = {r["ResourceName"]: int(r["x_UnknownSeconds"]) for r in csv.DictReader(io.StringIO(text))}
    assert gaps["old01"] == 0
    assert gaps["db01"] <= 10
    assert gaps["app01"] == pytest.approx((RESET_BY_OTHERS - before(RESET_BY_OTHERS)).total_seconds(), abs=10)
    assert gaps["lab01"] == pytest.approx((SWITCHED_ON - before(SWITCHED_OFF)).total_seconds(), abs=10)


@pytest.mark.parametrize("by", ["owner", "vm", "host"])
def test_the_total_is_the_same_however_it_is_grouped(fleet: Fleet, by: str) -> None:
    text = fleet.run(
        "metering", "report", "--month", "2026-05", "--prices", "prices.yml", "--format", "csv", "--group-by", by
    )
    total = sum((line.cost for line in lines(text)), Decimal(0))
    owner = fleet.run("metering", "report", "--month", "2026-05", "--prices", "prices.yml", "--format", "csv")
    # A VM that was on two hosts is two lines, each of which is rounded.
    assert abs(total - sum((line.cost for line in lines(owner)), Decimal(0))) <= Decimal("0.10")
    groups = {line.account for line in lines(text)}
    assert len(groups) == {"owner": 4, "vm": 7, "host": 3}[by]


def test_two_months_are_one_time_divided(fleet: Fleet) -> None:
    """Nothing is counted twice and nothing is lost at the end of a month."""
    months = [
        lines(fleet.run("metering", "report", "--month", m, "--prices", "prices.yml", "--format", "csv"))
        for m in ("2026-05", "2026-06")
    ]
    june = {line.sku: line for line in months[1] if line.vm == "web01"}
    hours = (LAST - END).total_seconds() / 3600
    assert june["processor_ghz_hour"].quantity == pytest.approx(0.8 * hours, abs=june["processor_ghz_hour"].off)
    assert june["network_in_gb"].quantity == pytest.approx(hours * 3600 / 8 / 1024, rel=0.01)


def test_the_html_holds_the_charts_and_loads_nothing(fleet: Fleet) -> None:
    fleet.run(
        "metering", "report", "--month", "2026-05", "--prices", "prices.yml", "--format", "html", "--out", "bill.html"
    )
    assert "Report written: bill.html" in fleet.err
    page = (fleet.folder / "bill.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    assert page.count('class="part0"') > 31  # a bar for each day, and for each owner
    assert "default-src 'none'; style-src 'sha256-" in page
    for word in ("<script", "http:", "https:", "url(", " style=", "@import"):
        assert word not in page, word
    outline = Outline(page)
    assert (outline.open, outline.unbalanced) == ([], [])
    ids = [a["id"] for _, a in outline.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert all(a["aria-labelledby"] in ids for a in outline.attributes("section"))
    assert all(a.get("scope") for a in outline.attributes("th"))
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch("h[1-6]", tag)]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(b - a <= 1 for a, b in pairwise(levels))
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in page
    told = " ".join(outline.texts)
    assert {"Example IT", "(nobody)"} <= set(outline.texts)
    assert "not all is known of app01" in page
    assert "what is not known is not billed" in told


def test_the_html_is_in_the_language_of_the_reader(fleet: Fleet) -> None:
    words = ("metering", "report", "--month", "2026-05", "--prices", "prices.yml", "--format", "html")
    page = fleet.run("--lang", "ja", *words)
    assert '<html lang="ja">' in page
    told = Outline(page).texts
    assert {"請求の明細", "プロセッサ時間", "（所有者なし）"} <= set(told), told
    assert "2026-05-05 12:05 UTC の時点で停止中" in page, "and not: off"
    for text in told:
        assert not re.search("[a-z]{3,} [a-z]{2,}", text), text
