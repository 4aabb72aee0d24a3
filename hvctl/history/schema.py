"""The tables of the history as they are now. How they became so stands under migrations/."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
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
    Column("utc_offset_minutes", Integer),
    Column("settled", String(64)),
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
    Column("accepted_until", String(10)),
    Column("accepted_why", Text),
    Column("moved_to", String(255)),
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

standings = Table(
    "hvctl_standings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host_id", Integer, ForeignKey("hvctl_hosts.id"), nullable=False),
    Column("what", String(16), nullable=False),
    Column("unit", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("standing", Text, nullable=False),
    Column("lag_s", Integer),
    Column("most_lag_s", Integer),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("gone", UtcTime),
    Column("ending", String(16)),
    Column("moved_to", String(255)),
    Column("parts", Text),
    Index("ix_hvctl_standings_host", "host_id", "gone"),
    Index("ix_hvctl_standings_what", "what", "gone"),
)
"""Which node a role was on, how a replication went, and what hvctl moved, from when to when."""

lags = Table(
    "hvctl_lags",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host_id", Integer, ForeignKey("hvctl_hosts.id"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("lag_s", Integer, nullable=False),
    Index("ix_hvctl_lags_host", "host_id", "name", "at"),
    Index("ix_hvctl_lags_at", "at"),
)
"""How far a replication was behind at each check."""

runs = Table(
    "hvctl_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("schedule", String(255), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("rhythm", String(255), nullable=False),
    Column("playbooks", Text, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime, nullable=False),
    Column("exit_status", Integer, nullable=False),
    Column("next", UtcTime),
    Column("machine", String(255)),
    Column("removed", UtcTime),
    Index("ix_hvctl_runs_schedule", "schedule", "verb", "machine", "started"),
    Index("ix_hvctl_runs_finished", "finished"),
)
"""What schedules ran, where, and when each was to run again. `removed`: when its schedule was, after this run."""

checks = Table(
    "hvctl_checks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("verb", String(16), nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime, nullable=False),
    Column("exit_status", Integer, nullable=False),
    Column("playbooks", Text, nullable=False),
    Column("machine", String(255)),
    Index("ix_hvctl_checks_finished", "finished"),
)

looks = Table(
    "hvctl_looks",
    metadata,
    Column("check_id", Integer, ForeignKey("hvctl_checks.id"), primary_key=True),
    Column("host_id", Integer, ForeignKey("hvctl_hosts.id"), primary_key=True),
    Column("reached", Boolean, nullable=False),
    Column("differing", Integer, nullable=False),
    Column("plan", String(64)),
    Index("ix_hvctl_looks_host", "host_id"),
)

plans = Table(
    "hvctl_plans",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("told", Text, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Index("ix_hvctl_plans_last_seen", "last_seen"),
)
"""What checks planned, as JSON for people; each plan once."""

meter_runs = Table(
    "hvctl_meter_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("noted", UtcTime, nullable=False),
    Column("after_reset", Boolean, nullable=False),
    Column("machine", String(255)),
    Index("ix_hvctl_meter_runs_noted", "noted"),
)
"""Readings of many hosts at once. `noted`: by the clock of the control node; everything else is by those of the hosts."""

meter_looks = Table(
    "hvctl_meter_looks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("run_id", Integer, ForeignKey("hvctl_meter_runs.id"), nullable=False),
    Column("host_id", Integer, ForeignKey("hvctl_hosts.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("units", Text, nullable=False),
    Index("ix_hvctl_meter_looks_run", "run_id"),
    Index("ix_hvctl_meter_looks_host", "host_id", "at"),
)

readings = Table(
    "hvctl_meter_readings",
    metadata,
    Column("look_id", Integer, ForeignKey("hvctl_meter_looks.id"), primary_key=True),
    Column("vm_id", String(36), primary_key=True),
    Column("vm_name", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("state", String(64), nullable=False),
    Column("replica", Boolean, nullable=False),
    Column("metered", Boolean, nullable=False),
    *(
        Column(name, BigInteger)
        for name in (
            "duration_ms",
            "average_processor_mhz",
            "average_memory_mb",
            "minimum_memory_mb",
            "maximum_memory_mb",
            "average_io_8kb_per_s",
            "latency_undocumented_unit",
            "disk_allocation_mb",
            "io_8kb",
            "data_read_mb",
            "data_written_mb",
            "network_in_mb",
            "network_out_mb",
            "disk_size_bytes",
            "disk_files_bytes",
        )
    ),
    Index("ix_hvctl_meter_readings_vm", "vm_id"),
)
"""As the host told them: what it told no unit of measure of is in what is documented."""
