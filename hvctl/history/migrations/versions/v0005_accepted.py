"""Of a difference, until when and why it is accepted; nothing where it is not. Of a host, its zone where it is known."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("hvctl_drifts", sa.Column("accepted_until", sa.String(10)))
    op.add_column("hvctl_drifts", sa.Column("accepted_why", sa.Text))
    op.add_column("hvctl_hosts", sa.Column("utc_offset_minutes", sa.Integer))
