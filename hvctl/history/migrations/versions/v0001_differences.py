"""Hosts, what differs on them, what is wished of them, when they were not reached."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "hvctl_hosts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("address", sa.String(255), nullable=False),
        sa.Column("looked", sa.DateTime),
        sa.UniqueConstraint("name", "address", name="uq_hvctl_hosts"),
    )
    op.create_table(
        "hvctl_drifts",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hvctl_hosts.id"), nullable=False),
        sa.Column("spot", sa.String(64), nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("address", "field", "file", "now", "wanted", "why")),
        sa.Column("moved", sa.String(16), nullable=False),
        sa.Column("first_seen", sa.DateTime, nullable=False),
        sa.Column("last_seen", sa.DateTime, nullable=False),
        sa.Column("gone", sa.DateTime),
        sa.Column("ending", sa.String(16), nullable=False),
    )
    op.create_index("ix_hvctl_drifts_open", "hvctl_drifts", ["host_id", "gone"])
    op.create_index("ix_hvctl_drifts_gone", "hvctl_drifts", ["gone"])
    op.create_table(
        "hvctl_wishes",
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hvctl_hosts.id"), primary_key=True),
        sa.Column("spot", sa.String(64), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("address", "field", "file")),
        sa.Column("value", sa.Text),
        sa.Column("since", sa.DateTime, nullable=False),
        sa.Column("agreed", sa.Text),
    )
    op.create_table(
        "hvctl_covered",
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hvctl_hosts.id"), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("file", sa.Text, nullable=False),
    )
    op.create_table(
        "hvctl_absences",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hvctl_hosts.id"), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("first_seen", sa.DateTime, nullable=False),
        sa.Column("last_seen", sa.DateTime, nullable=False),
        sa.Column("back", sa.DateTime),
    )
    op.create_index("ix_hvctl_absences_open", "hvctl_absences", ["host_id", "back"])
