"""Every check, and which hosts it looked at: how often a host was checked, and how often in vain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "hvctl_checks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("verb", sa.String(16), nullable=False),
        sa.Column("started", sa.DateTime, nullable=False),
        sa.Column("finished", sa.DateTime, nullable=False),
        sa.Column("exit_status", sa.Integer, nullable=False),
        sa.Column("playbooks", sa.Text, nullable=False),
    )
    op.create_index("ix_hvctl_checks_finished", "hvctl_checks", ["finished"])
    op.create_table(
        "hvctl_looks",
        sa.Column("check_id", sa.Integer, sa.ForeignKey("hvctl_checks.id"), primary_key=True),
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hvctl_hosts.id"), primary_key=True),
        sa.Column("reached", sa.Boolean, nullable=False),
        sa.Column("differing", sa.Integer, nullable=False),
    )
    op.create_index("ix_hvctl_looks_host", "hvctl_looks", ["host_id"])
