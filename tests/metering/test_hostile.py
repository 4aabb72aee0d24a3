"""A host whose answers are not what the cmdlets return: its trouble stays its own, and nothing becomes a fault of hvctl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Call, HostInfo, Reply
from hvctl.core.facts import Facts, UnreadableError, read_batch
from hvctl.history import place
from hvctl.history.meters import Meters
from hvctl.kinds._metering import QUESTIONS, host_reading
from hvctl.metering import HostReading
from hvctl.metering.bill import ITEMS, Prices, billed
from hvctl.metering.subtraction import stretches
from hvctl.metering.usage import used
from hvctl.show.bill import bill_csv, bill_lines
from hvctl.show.bill_html import rendered
from hvctl.show.metering import Measurement, measured_csv, measured_data, measured_lines
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.metering.fleet import host, vm

ODD: tuple[Any, ...] = (
    None, -1, 0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**400, "", "x", "=1+1", "\ud800", "\0", True, False, [],
    [None], [{}], [{"Direction": "Inbound"}], [{"Direction": "Inbound", "TotalTraffic": 2**63 - 1}] * 3, {}, 1.5,
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "byte * 999^99", "byte * 2^-3", "hertz * 10^6", "a" * 5000,
)  # fmt: skip
PRICES = Prices("EUR", dict.fromkeys(ITEMS, Decimal("1000000000")))
NOW = datetime(2026, 4, 1, tzinfo=UTC)
Answers = Mapping[Call, Reply]


@pytest.fixture(scope="module")
def answers() -> tuple[Answers, HostInfo]:
    on = SimulatedHost.from_yaml(host("hv01", vm("web01"), vm("db01", 2)))
    on.clock.sleep(3600)
    transport = TwinTransport(on)
    batch = read_batch(QUESTIONS)
    return {t.call: r for t, r in zip(batch.tasks, transport.run(batch), strict=True)}, transport.info()


def spoilt(answers: Answers) -> Iterator[tuple[str, Answers]]:
    """Every property of every answer, odd in its first row; gone; every row twice; and no answer at all."""
    for call, reply in answers.items():
        yield f"{call.cmdlet} is empty", {**answers, call: replace(reply, rows=())}
        yield f"{call.cmdlet} says all twice", {**answers, call: replace(reply, rows=reply.rows * 2)}
        if not reply.rows:
            continue
        first, *rest = reply.rows
        for name in first:
            without = {k: v for k, v in first.items() if k != name}
            yield f"{call.cmdlet} without {name}", {**answers, call: replace(reply, rows=(without, *rest))}
            for value in ODD:
                row = {**first, name: value}
                yield f"{call.cmdlet} {name} {value!r:.40}", {**answers, call: replace(reply, rows=(row, *rest))}


def looked(answers: Answers, info: HostInfo) -> HostReading | None:
    try:
        return host_reading("hv01", Facts("2022", info, answers), lambda name, notes: notes)
    except UnreadableError:
        return None


def test_whatever_a_host_answers_is_read_or_told(answers: tuple[Answers, HostInfo], tmp_path: Path) -> None:
    honest = looked(*answers)
    assert honest is not None
    assert len(honest.readings) == 2
    tried = kept = 0
    followed = set()
    meters = Meters(place(str(tmp_path / "history.db")))
    for what, odd in spoilt(answers[0]):
        tried += 1
        look = looked(odd, answers[1])
        if look is None:
            continue
        kept += 1
        try:
            if (told := repr(look)) not in followed:  # many oddities are read as the same
                _followed(honest, look)
                followed.add(told)
            if kept % 40 == 0:  # each opens the database
                meters.write([look], {}, NOW)
        except Exception as error:
            raise AssertionError(what) from error
    assert tried > 1000
    assert kept > tried / 2
    assert meters.told(NOW - timedelta(days=1), NOW + timedelta(days=1)).readings


def _followed(honest: HostReading, odd: HostReading) -> None:
    """As it is stored, told and billed, between two honest readings."""
    later = timedelta(hours=1)
    runs = [
        (one, n)
        for n, look in enumerate((honest, odd, honest), 1)
        for one in (replace(r, at=look.at + (n - 1) * later, run=n) for r in look.readings)
    ]
    readings = [replace(one, run=n) for one, n in runs]
    end = honest.at + 5 * later
    found = stretches(readings, (), end)
    usages = used(found, honest.at - 9 * later, end)
    measured = Measurement(honest.at, end, usages, {r.vm_id: r for r in readings})
    list(measured_lines(measured))
    measured_csv(measured)
    measured_data(measured)
    bill = billed(usages, honest.at, end, PRICES, lambda u: u.owner)
    list(bill_lines(bill))
    bill_csv(bill, (honest.at, end))
    rendered(bill, "2026-04", "owner", [("1", bill), ("2", bill)])
    assert bill.cost >= 0
