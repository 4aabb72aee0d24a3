"""The tables of the history as they are now. How they became so stands under migrations/."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

VERSION_TABLE = "hvctl_schema"
"""Every name begins with hvctl: the database may be shared."""


class UtcTime(TypeDecorator[datetime]):
    """Aware in Python, UTC without a zone in the database, which not every database has."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


metadata = MetaData()

hosts = Table(
    "hvctl_hosts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("address", String(255), nullable=False),
    Column("looked", UtcTime),
    UniqueConstraint("name", "address", name="uq_hvctl_hosts"),
)

drifts = Table(
    "hvctl_drifts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host_id", Integer, ForeignKey("hvctl_hosts.id"), nullable=False),
    Column("spot", String(64), nullable=False),
    Column("address", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("now", Text, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("moved", String(16), nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("gone", UtcTime),
    Column("ending", String(16), nullable=False),
    Index("ix_hvctl_drifts_open", "host_id", "gone"),
    Index("ix_hvctl_drifts_gone", "gone"),
)

wishes = Table(
    "hvctl_wishes",
    metadata,
    Column("host_id", Integer, ForeignKey("hvctl_hosts.id"), primary_key=True),
    Column("spot", String(64), primary_key=True),
    Column("address", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("value", Text),
    Column("since", UtcTime, nullable=False),
    Column("agreed", Text),
)

covered = Table(
    "hvctl_covered",
    metadata,
    Column("host_id", Integer, ForeignKey("hvctl_hosts.id"), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("file", Text, nullable=False),
)

absences = Table(
    "hvctl_absences",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host_id", Integer, ForeignKey("hvctl_hosts.id"), nullable=False),
    Column("why", Text, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("back", UtcTime),
    Index("ix_hvctl_absences_open", "host_id", "back"),
)

checks = Table(
    "hvctl_checks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("verb", String(16), nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime, nullable=False),
    Column("exit_status", Integer, nullable=False),
    Column("playbooks", Text, nullable=False),
    Index("ix_hvctl_checks_finished", "finished"),
)

looks = Table(
    "hvctl_looks",
    metadata,
    Column("check_id", Integer, ForeignKey("hvctl_checks.id"), primary_key=True),
    Column("host_id", Integer, ForeignKey("hvctl_hosts.id"), primary_key=True),
    Column("reached", Boolean, nullable=False),
    Column("differing", Integer, nullable=False),
    Index("ix_hvctl_looks_host", "host_id"),
)
