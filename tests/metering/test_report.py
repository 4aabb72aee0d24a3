"""hvctl metering report: price lists, what is refused, and what hostile names become."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hvctl.config.prices import load_prices
from hvctl.text.diagnostic import ConfigError
from tests.metering.fleet import Fleet, host, settle, vm

HOUR = timedelta(hours=1)
PRICES = "currency: EUR\nprices: {memory_gb_hour: 0.5, disk_gb_day: 0.1}\n"
Make = Callable[..., Fleet]


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Make:
    settle(monkeypatch, tmp_path)
    (tmp_path / "prices.yml").write_text(PRICES, encoding="utf-8")
    return lambda *hosts: Fleet(tmp_path, capsys, *hosts)


def test_a_price_list_is_read_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "prices.yml"
    file.write_text(
        "currency: JPY\ndecimals: 0\nprovider: 情報システム部\naccount: 4711\ntime_zone: Asia/Tokyo\n"
        "prices: {memory_gb_hour: 0.1, network_out_gb: 5}\nowners: {Sales: {memory_gb_hour: 0}}\n",
        encoding="utf-8",
    )
    found = load_prices(str(file))
    assert (found.currency, found.decimals, found.account) == ("JPY", 0, "4711")
    assert [str(found.of(who, "memory_gb_hour")) for who in ("it", "SALES")] == ["0.1", "0"]
    assert found.of("sales", "disk_gb_day") is None
    assert datetime(2026, 5, 1, tzinfo=found.zone).astimezone(UTC) == datetime(2026, 4, 30, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "1:1: a price list is a mapping; write `currency: EUR` and `prices:`"),
        ("prices: {memory_gb_hour: 1}", "1:1: currency is missing; write the three letters of ISO 4217"),
        ("currency: euro\nprices: {memory_gb_hour: 1}", "1:11: 'euro' is not the code of a currency"),
        ("currency: EUR", "1:1: no price stands here; write one of processor_ghz_hour"),
        ("currency: EUR\nprices:\n  memory_gb_hours: 1", "3:3: unknown key 'memory_gb_hours' in a price list; did you mean"),
        ("currency: EUR\nprices:\n  latency_ms: 1", "3:3: latency has no price: nobody documents the unit of measure"),
        ("currency: EUR\nprices:\n  iops: 1", "3:3: IOPS have no price: they are an average that nothing adds up of"),
        ("currency: EUR\nprices:\n  memory_gb_hour: '1'", "3:19: memory_gb_hour: '1' is not a number; write it without"),
        ("currency: EUR\nprices:\n  memory_gb_hour: -1", "3:19: memory_gb_hour: -1 is not a price"),
        ("currency: EUR\nprices:\n  memory_gb_hour: .inf", "3:19: "),
        ("currency: EUR\nprices:\n  memory_gb_hour: yes", "3:19: memory_gb_hour: "),
        ("currency: EUR\nprices:\n  memory_gb_hour:", "3:18: memory_gb_hour: nothing is not a number"),
        ("currency: EUR\nprices: {memory_gb_hour: 1}\nowners:\n  sales: {memory: 1}", "4:11: unknown key 'memory'"),
        ("currency: EUR\nprices: {memory_gb_hour: 1}\nowners: [sales]", "3:9: owners is a mapping"),
        ("currency: EUR\nprices: {memory_gb_hour: 1}\ndecimals: 9", "3:11: 9 is not a number of decimals; write 0 to 6"),
        ("currency: EUR\nprices: {memory_gb_hour: 1}\ntime_zone: Mars/Base", "3:12: the time zone 'Mars/Base' is not known"),
        ("currency: EUR\nprices: {memory_gb_hour: 1}\ntime_zone: ../../etc/passwd", "3:12: the time zone"),
        ("currency: EUR\nprices: {memory_gb_hour: 1}\nprovider: [x]", "3:11: provider is a text; put it in quotes"),
        ("currency: EUR\nprices: {memory_gb_hour: 1}\ncolour: red", "3:1: unknown key 'colour' in a price list"),
        ("currency: EUR\nprices: [", "YAML cannot read this"),
    ],
)  # fmt: skip
def test_a_price_list_that_cannot_be_is_refused_at_its_place(fleet: Make, text: str, says: str) -> None:
    on = fleet(host("hv01", vm("web01")))
    (on.folder / "prices.yml").write_text(text, encoding="utf-8")
    on.run("metering", "report", "--prices", "prices.yml", status=1)
    assert f"prices.yml:{says}" in on.err or (says in on.err and not says[0].isdigit()), on.err


def test_all_that_is_wrong_is_told_together(tmp_path: Path) -> None:
    file = tmp_path / "prices.yml"
    file.write_text("currency: euro\ndecimals: x\nprices: {memory_gb_hour: cheap, disk: 1}\n")
    with pytest.raises(ConfigError) as caught:
        load_prices(str(file))
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--month", "2026-13"), "--month 2026-13 is not a month; write the year and the month: 2026-11"),
        (("--month", "may"), "--month may is not a month"),
        (("--month", "2031-01"), "--month 2031-01 is yet to come"),
        (("--out", "no/such/bill.html"), "--out no/such/bill.html cannot be written: there is no folder no/such"),
        (("--group-by", "colour"), "colour"),
        (("--format", "pdf"), "pdf"),
    ],
)
def test_what_cannot_be_is_refused(fleet: Make, words: tuple[str, ...], says: str) -> None:
    on = fleet(host("hv01", vm("web01")))
    on.run("metering", "report", "--prices", "prices.yml", *words, status=1)
    assert says in on.err.replace("\n", " ")


def test_a_price_list_is_asked_for(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01")))
    on.run("metering", "report", status=1)
    assert "--prices" in on.err
    on.run("metering", "report", "--prices", "nosuch.yml", status=1)
    assert "nosuch.yml cannot be read" in on.err


def test_nothing_on_record_is_said_and_is_an_empty_bill(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01")))
    out = on.run("metering", "report", "--prices", "prices.yml", "--month", "2026-04", after=HOUR)
    assert "Total of 0 VMs: 0.00 EUR." in out
    assert "Nothing is on record of 2026-04; hvctl metering reads meters and stores what they say." in on.err


def test_no_host_is_asked_for_a_bill(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01")))
    on.run("metering", after=HOUR)
    asked = len(on.batches)
    on.run("metering", "report", "--prices", "prices.yml", "--month", "2026-04", after=HOUR)
    assert len(on.batches) == asked


def test_what_stands_outside_of_hvctl_stays_text(fleet: Make) -> None:
    """Names, owners and providers are written by others: no page, no table and no spreadsheet takes them for more."""
    evil = "</title><script>alert(1)</script>"
    on = fleet(host("hv01", vm("=cmd|'/c calc'!A1", notes=f"owner: {evil}"), vm("\x1b[31mred\u202e", 2)))
    prices = PRICES + f"provider: '{evil}'\n"
    (on.folder / "prices.yml").write_text(prices.replace("'/c", "''/c"), encoding="utf-8")
    for _ in range(3):
        on.run("metering", after=HOUR)
    month = ("metering", "report", "--prices", "prices.yml", "--month", "2026-04")
    page = on.run(*month, "--format", "html")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    table = on.run(*month)
    assert "\x1b" not in table
    rows = list(csv.DictReader(io.StringIO(on.run(*month, "--format", "csv"))))
    assert any(row["ResourceName"].startswith("'=cmd|") for row in rows)
    assert not any(value.startswith(("=", "+", "@")) for row in rows for value in row.values())


def test_a_secret_that_a_vm_has_in_its_notes_is_masked_before_it_is_kept(fleet: Make) -> None:
    from tests.metering.fleet import SECRET  # noqa: PLC0415

    on = fleet(host("hv01", vm("web01", notes=f"owner: {SECRET}")))
    on.run("metering", after=HOUR)
    on.run("metering", "report", "--prices", "prices.yml", "--month", "2026-04", "--format", "csv", after=HOUR)
    assert SECRET.encode() not in (on.folder / "history.db").read_bytes()


def test_a_bill_in_another_time_zone_is_of_its_own_month(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01")))
    (on.folder / "prices.yml").write_text("time_zone: America/New_York\n" + PRICES)
    for _ in range(8):
        on.run("metering", after=HOUR)
    out = on.run("metering", "report", "--prices", "prices.yml", "--month", "2026-03")
    assert "2026-03-01 00:00 to 2026-04-01 00:00 EDT" in out.replace("EST", "EDT")
    whole = list(
        csv.DictReader(
            io.StringIO(on.run("metering", "report", "--prices", "prices.yml", "--month", "2026-03", "--format", "csv"))
        )
    )
    memory: Any = next(row for row in whole if row["SkuId"] == "memory_gb_hour")
    assert float(memory["ConsumedQuantity"]) == pytest.approx(4, rel=0.01)  # up to midnight there, which is 4 h UTC
    assert (memory["BillingPeriodStart"], memory["BillingPeriodEnd"]) == (
        "2026-03-01T05:00:00Z",
        "2026-04-01T04:00:00Z",
    )


def test_the_month_that_goes_on_is_billed_up_to_now(fleet: Make) -> None:
    on = fleet(host("hv01", vm("web01")))
    on.run("metering", after=HOUR)
    on.run("metering", after=HOUR)
    out = on.run("metering", "report", "--prices", "prices.yml", "--month", "2026-04", after=5 * HOUR)
    assert "2026-04-01 00:00 to 2026-04-01 07:00 UTC" in out
    assert "its meters were not read to the end" in out
