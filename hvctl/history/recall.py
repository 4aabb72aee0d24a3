"""Rows of the history as they are read: what is known of a host, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
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


def known_of(connection: Connection, some: Sequence[Any], calm: Collection[int] = ()) -> dict[int, Known]:
    """What is on record of these hosts, by their ids. `calm`: of which nothing is asked but what is open."""
    names = {host.id: host.name for host in some}
    opened: dict[int, dict[str, Open]] = {number: {} for number in names}
    for row in connection.execute(select(drifts).where(drifts.c.host_id.in_(names), drifts.c.gone.is_(None))):
        spot = _spot(names[row.host_id], row)
        accepted = row.accepted_until is not None
        opened[row.host_id][row.spot] = Open(row.id, spot, row.file, row.first_seen, row.moved, accepted)
    asked = {number for number in names if number not in calm or opened[number]}
    away = {
        row.host_id: Absence(row.id, row.first_seen)
        for row in connection.execute(select(absences).where(absences.c.host_id.in_(names), absences.c.back.is_(None)))
    }
    wished: dict[int, dict[str, Wish]] = {number: {} for number in names}
    files: dict[int, set[str]] = {number: set() for number in names}
    if asked:
        for row in connection.execute(select(wishes).where(wishes.c.host_id.in_(asked))):
            spot = _spot(names[row.host_id], row)
            wished[row.host_id][row.spot] = Wish(row.value, row.since, row.agreed, spot, row.file)
        for row in connection.execute(select(covered).where(covered.c.host_id.in_(asked))):
            files[row.host_id].add(row.file)
    return {
        host.id: Known(
            host.looked, opened[host.id], wished[host.id], frozenset(files[host.id]), away.get(host.id),
            calm=host.id not in asked,
        )
        for host in some
    }  # fmt: skip


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
