"""Rows of the history as they are read: what is known of a host, and what is told of it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, case, func, or_, select

from hvctl.core.check import Spot
from hvctl.history.judge import Absence, Known, Open, Wish
from hvctl.history.past import Absence as Away
from hvctl.history.past import HostPast, Span
from hvctl.history.schema import absences, checks, covered, drifts, looks, wishes
from hvctl.history.standing import stood
from hvctl.kinds import address_of


def known_of(connection: Connection, host: Any) -> Known:
    open_rows = connection.execute(select(drifts).where(drifts.c.host_id == host.id, drifts.c.gone.is_(None)))
    away = connection.execute(select(absences).where(absences.c.host_id == host.id, absences.c.back.is_(None))).first()
    return Known(
        host.looked,
        {
            row.spot: Open(
                row.id, _spot(host.name, row), row.file, row.first_seen, row.moved, row.accepted_until is not None
            )
            for row in open_rows
        },
        {
            row.spot: Wish(row.value, row.since, row.agreed, _spot(host.name, row), row.file)
            for row in connection.execute(select(wishes).where(wishes.c.host_id == host.id))
        },
        frozenset(connection.execute(select(covered.c.file).where(covered.c.host_id == host.id)).scalars()),
        Absence(away.id, away.first_seen) if away is not None else None,
    )


def past_of(connection: Connection, host: Any, since: datetime) -> HostPast:
    mine = drifts.c.host_id == host.id
    spans = connection.execute(
        select(drifts)
        .where(mine, or_(drifts.c.gone.is_(None), drifts.c.gone >= since))
        .order_by(drifts.c.first_seen, drifts.c.id)
    )
    away = connection.execute(
        select(absences)
        .where(absences.c.host_id == host.id, or_(absences.c.back.is_(None), absences.c.back >= since))
        .order_by(absences.c.first_seen)
    )
    counted = connection.execute(
        select(func.count(), func.coalesce(func.sum(case((looks.c.reached.is_(True), 0), else_=1)), 0))
        .select_from(looks.join(checks, checks.c.id == looks.c.check_id))
        .where(looks.c.host_id == host.id, checks.c.finished >= since)
    ).one()
    return HostPast(
        host.name,
        host.address,
        int(counted[0]),
        int(counted[1]),
        host.looked,
        tuple(_span(host.name, row) for row in spans),
        tuple(Away(row.first_seen, row.last_seen, row.why, row.back) for row in away),
        host.utc_offset_minutes,
        tuple(stood(connection, host.id, since)),
    )


def _span(host: str, row: Row[Any]) -> Span:
    spot = _spot(host, row)
    accepted = (row.accepted_until or "", row.accepted_why or "")
    return Span(
        spot, row.now, row.wanted, row.why, row.moved, row.first_seen, row.last_seen, row.gone, row.ending, *accepted,
        row.moved_to or "",
    )  # fmt: skip


def _spot(host: str, row: Any) -> Spot:
    return Spot(address_of(host, json.loads(row.address)), row.field)
