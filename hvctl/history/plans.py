"""Plans in the database: the same one is kept once, however many checks have made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from hvctl.history.planned import Planned, digest_of, read
from hvctl.history.schema import plans


def write_plans(connection: Connection, texts: Iterable[str], at: datetime) -> None:
    """Of all hosts of a check at once: other hosts have the same plans, and whoever writes those holds them in one order."""
    by_digest = {digest: text for text in texts if (digest := digest_of(text)) is not None}
    known: set[str] = set()
    wanted: Sequence[str] = sorted(by_digest)
    for n in range(0, len(wanted), 500):
        some = plans.c.digest.in_(wanted[n : n + 500])
        held = select(plans.c.digest).where(some).order_by(plans.c.digest).with_for_update()
        known |= set(connection.execute(held).scalars())
        connection.execute(update(plans).where(some, plans.c.last_seen < at).values(last_seen=at))
    for digest in wanted:
        if digest not in known:
            try:
                with connection.begin_nested():
                    connection.execute(insert(plans).values(digest=digest, told=by_digest[digest], last_seen=at))
            except IntegrityError:
                pass  # another hvctl was quicker


def plans_of(connection: Connection, digests: Iterable[str]) -> Mapping[str, Planned]:
    wanted = sorted(set(digests))
    rows = connection.execute(select(plans.c.digest, plans.c.told).where(plans.c.digest.in_(wanted)))
    return {row.digest: read(row.told) for row in rows}


def prune_plans(connection: Connection, old: datetime) -> None:
    connection.execute(delete(plans).where(plans.c.last_seen < old))
