"""What a standing is made of, how far replications were behind at each check, and what schedules ran;
and what checks planned."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("hvctl_standings", sa.Column("parts", sa.Text))
    op.create_index("ix_hvctl_standings_what", "hvctl_standings", ["what", "gone"])
    op.create_table(
        "hvctl_lags",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hvctl_hosts.id"), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("lag_s", sa.Integer, nullable=False),
    )
    op.create_index("ix_hvctl_lags_host", "hvctl_lags", ["host_id", "name", "at"])
    op.create_index("ix_hvctl_lags_at", "hvctl_lags", ["at"])
    op.add_column("hvctl_looks", sa.Column("plan", sa.String(64)))
    op.create_table(
        "hvctl_plans",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("told", sa.Text, nullable=False),
        sa.Column("last_seen", sa.DateTime, nullable=False),
    )
    op.create_index("ix_hvctl_plans_last_seen", "hvctl_plans", ["last_seen"])
    op.create_table(
        "hvctl_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("schedule", sa.String(255), nullable=False),
        sa.Column("verb", sa.String(16), nullable=False),
        sa.Column("rhythm", sa.String(255), nullable=False),
        sa.Column("playbooks", sa.Text, nullable=False),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("finished", sa.DateTime, nullable=False),
        sa.Column("exit_status", sa.Integer, nullable=False),
        sa.Column("next", sa.DateTime),
    )
    op.create_index("ix_hvctl_runs_schedule", "hvctl_runs", ["schedule", "verb"])
    op.create_index("ix_hvctl_runs_finished", "hvctl_runs", ["finished"])
