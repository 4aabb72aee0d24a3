"""Readings of meters in the history: what a run adds, and what is told of a span of time."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, insert, or_, select

from hvctl.history.opening import opened, translated, writing
from hvctl.history.place import Place, exists
from hvctl.history.record import KEPT, inserted, locked
from hvctl.history.schema import hosts, meter_looks, meter_runs, readings
from hvctl.history.seen import storable
from hvctl.metering import HostReading, Reading
from hvctl.metering.reading import Counter

_COLUMNS: Mapping[Counter, str] = {
    "io": "io_8kb",
    "data_read": "data_read_mb",
    "data_written": "data_written_mb",
    "network_in": "network_in_mb",
    "network_out": "network_out_mb",
}


@dataclass(frozen=True)
class Record:
    """Readings and looks in the order in which they were made."""

    readings: tuple[Reading, ...] = ()
    looks: tuple[HostReading, ...] = ()


@dataclass(frozen=True)
class Meters:
    """Use `write` and `told`; each opens the database and closes it again. They raise HistoryError."""

    place: Place

    def write(
        self,
        looks: Iterable[HostReading],
        addresses: Mapping[str, str],
        at: datetime,
        *,
        after_reset: bool = False,
        machine: str = "",
    ) -> None:
        """One reading of many hosts: all of it or, if it fails, nothing. `after_reset`: hvctl has just reset them.
        `machine`: it runs on that."""
        engine = opened(self.place)
        with translated(self.place), writing(engine) as connection:
            its = {"noted": at.replace(microsecond=0), "after_reset": after_reset}
            run = inserted(connection, meter_runs, {**its, "machine": storable(machine)[:255] or None})
            for look in sorted(looks, key=lambda one: one.host):  # in one order, so that two writers do not wait
                host = locked(connection, {look.host: addresses.get(look.host, look.host)})[look.host]
                values = {"run_id": run, "host_id": host.id, "at": look.at.replace(microsecond=0)}
                number = inserted(connection, meter_looks, {**values, "units": json.dumps(dict(look.units))})
                rows = [_row(number, one) for one in look.readings]
                if rows:
                    connection.execute(insert(readings), rows)
            _prune(connection, at)

    def told(
        self, start: datetime, end: datetime, hosts_wanted: Sequence[str] | None = None, vm: str | None = None
    ) -> Record:
        """What was read from `start` to `end`, with the reading of each VM before it and the one after it, between which
        and others something was used in that time. `vm`: of this one alone, of which nothing else is read."""
        if not exists(self.place):
            return Record()
        engine = opened(self.place)
        with translated(self.place), engine.connect() as connection:
            only = None if vm is None else _ids(connection, vm, start, hosts_wanted)
            if only is not None and not only:
                return Record()
            inside = and_(meter_looks.c.at >= start, meter_looks.c.at <= end)
            edges = (
                _edge(func.max(meter_looks.c.id), meter_looks.c.at < start, only),
                _edge(func.min(meter_looks.c.id), meter_looks.c.at > end, only),
            )
            which = or_(inside, *map(_at_edge, edges))
            found = connection.execute(
                select(readings, meter_looks.c.at, meter_looks.c.units, meter_looks.c.run_id, hosts.c.name, _RUNS)
                .select_from(readings.join(meter_looks).join(meter_runs).join(hosts))
                .where(which, *([readings.c.vm_id.in_(only)] if only else []))
                .order_by(meter_looks.c.run_id, meter_looks.c.at, meter_looks.c.id)
            )
            units: dict[str, Mapping[str, str]] = {}
            told = tuple(_reading(row, units) for row in found)
            looked = connection.execute(
                select(meter_looks, hosts.c.name)
                .select_from(meter_looks.join(hosts))
                .where(inside)
                .order_by(meter_looks.c.run_id, meter_looks.c.id)
            )
            looks = tuple(HostReading(r.name, r.at, units=json.loads(r.units), run=r.run_id) for r in looked)
        if hosts_wanted is None:
            return Record(told, looks)
        wanted = set(hosts_wanted)
        ids = {one.vm_id for one in told if one.host in wanted}
        # A VM that was moved is told of with where it was before.
        return Record(tuple(one for one in told if one.vm_id in ids), tuple(x for x in looks if x.host in wanted))


_RUNS = meter_runs.c.after_reset.label("after_reset")


def _ids(connection: Connection, vm: str, start: datetime, named: Sequence[str] | None) -> frozenset[str]:
    """Of a VM by its name, which is told without case. Another one may have had its name before."""
    of = [hosts.c.name.in_(named)] if named is not None else []
    rows = connection.execute(
        select(readings.c.vm_id, readings.c.vm_name)
        .select_from(readings.join(meter_looks).join(hosts))
        .where(meter_looks.c.at >= start, *of)
        .distinct()
    )
    return frozenset(row.vm_id for row in rows if row.vm_name.casefold() == vm.casefold())


def _edge(which: Any, when: ColumnElement[bool], only: Collection[str] | None) -> Any:
    """The look nearest to a moment, of each VM on each host. `only`: of these."""
    return (
        select(which.label("look"), readings.c.vm_id)
        .select_from(readings.join(meter_looks))
        .where(when, *([readings.c.vm_id.in_(only)] if only else []))
        .group_by(readings.c.vm_id, meter_looks.c.host_id)
    )


def _at_edge(edge: Any) -> ColumnElement[bool]:
    nearest = edge.subquery()
    here = and_(nearest.c.look == readings.c.look_id, nearest.c.vm_id == readings.c.vm_id)
    return select(nearest.c.look).where(here).exists()


def _row(look: int, one: Reading) -> dict[str, Any]:
    return {
        "look_id": look,
        "vm_id": one.vm_id[:36],
        "vm_name": storable(one.name),
        "owner": storable(one.owner),
        "state": storable(one.state)[:64],
        "replica": one.replica,
        "metered": one.metered,
        "duration_ms": None if one.duration_s is None else round(one.duration_s * 1000),
        "average_processor_mhz": one.average_processor_mhz,
        "average_memory_mb": one.average_memory_mb,
        "minimum_memory_mb": one.minimum_memory_mb,
        "maximum_memory_mb": one.maximum_memory_mb,
        "average_io_8kb_per_s": one.average_iops,
        "latency_undocumented_unit": one.latency,
        "disk_allocation_mb": one.disk_allocation_mb,
        **{column: one.counters.get(quantity) for quantity, column in _COLUMNS.items()},
        "disk_size_bytes": one.disk_size,
        "disk_files_bytes": one.disk_files,
    }


def _reading(row: Any, units: dict[str, Mapping[str, str]]) -> Reading:
    """`units`: those that were read already; a host tells the same each time."""
    counted = {quantity: getattr(row, column) for quantity, column in _COLUMNS.items()}
    return Reading(
        row.at,
        row.name,
        row.vm_id,
        row.vm_name,
        row.owner,
        row.state,
        bool(row.replica),
        bool(row.metered),
        None if row.duration_ms is None else row.duration_ms / 1000,
        row.average_processor_mhz,
        row.average_memory_mb,
        row.minimum_memory_mb,
        row.maximum_memory_mb,
        row.average_io_8kb_per_s,
        row.latency_undocumented_unit,
        row.disk_allocation_mb,
        {quantity: count for quantity, count in counted.items() if count is not None},
        row.disk_size_bytes,
        row.disk_files_bytes,
        bool(row.after_reset),
        row.run_id,
        units.setdefault(row.units, json.loads(row.units)) if row.units not in units else units[row.units],
    )


def _prune(connection: Connection, at: datetime) -> None:
    """As long as anything else that is over: a bill of last year can still be made."""
    old = select(meter_runs.c.id).where(meter_runs.c.noted < at - KEPT)
    looks = select(meter_looks.c.id).where(meter_looks.c.run_id.in_(old))
    connection.execute(delete(readings).where(readings.c.look_id.in_(looks)))
    connection.execute(delete(meter_looks).where(meter_looks.c.run_id.in_(old)))
    connection.execute(delete(meter_runs).where(meter_runs.c.noted < at - KEPT))
