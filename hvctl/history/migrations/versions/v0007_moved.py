"""What of a host is over because it is on another one now, or nowhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("hvctl_drifts", sa.Column("moved_to", sa.String(255)))
    op.add_column("hvctl_standings", sa.Column("ending", sa.String(16)))
    op.add_column("hvctl_standings", sa.Column("moved_to", sa.String(255)))
