"""What is more than one host, counted: clusters, replica pairs, exports."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from hvctl.dashboard.clusters import clusters
from hvctl.dashboard.queries import Fleet
from hvctl.dashboard.replicas import all_pairs
from hvctl.dashboard.standings import STANDS
from hvctl.history.schema import standings


@dataclass(frozen=True)
class Units:
    """How many there are, and how many of them need somebody."""

    clusters: int = 0
    troubled_clusters: int = 0
    pairs: int = 0
    troubled_pairs: int = 0
    exports: int = 0


def units(connection: Connection, fleet: Fleet) -> Units:
    """By what the lists show. Nothing is asked of a history that has none."""
    kinds = set(connection.execute(select(standings.c.what).where(STANDS).distinct()).scalars())
    found = clusters(connection, fleet) if kinds & {"role", "cluster"} else ()
    replicated = all_pairs(connection) if "replication" in kinds else []
    counted = select(func.count()).select_from(standings).where(standings.c.what == "export", STANDS)
    return Units(
        len(found),
        sum(bool(one.troubled) for one in found),
        len(replicated),
        sum(not one.well for one in replicated),
        connection.execute(counted).scalar_one() if "export" in kinds else 0,
    )
