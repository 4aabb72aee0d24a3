"""On which machine a schedule and a check ran, and meters were read, and when a schedule was removed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("hvctl_runs", sa.Column("machine", sa.String(255)))
    op.add_column("hvctl_runs", sa.Column("removed", sa.DateTime))
    op.drop_index("ix_hvctl_runs_schedule", "hvctl_runs")
    op.create_index("ix_hvctl_runs_schedule", "hvctl_runs", ["schedule", "verb", "machine", "started"])
    op.add_column("hvctl_checks", sa.Column("machine", sa.String(255)))
    op.add_column("hvctl_meter_runs", sa.Column("machine", sa.String(255)))
