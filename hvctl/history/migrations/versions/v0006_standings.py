"""Which node a role was on, how a replication went, and what hvctl moved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "hvctl_standings",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hvctl_hosts.id"), nullable=False),
        sa.Column("what", sa.String(16), nullable=False),
        sa.Column("unit", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("standing", sa.Text, nullable=False),
        sa.Column("lag_s", sa.Integer),
        sa.Column("most_lag_s", sa.Integer),
        sa.Column("first_seen", sa.DateTime, nullable=False),
        sa.Column("last_seen", sa.DateTime, nullable=False),
        sa.Column("gone", sa.DateTime),
    )
    op.create_index("ix_hvctl_standings_host", "hvctl_standings", ["host_id", "gone"])
