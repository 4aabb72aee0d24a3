"""What a host was seen to agree with when nothing was otherwise: where it is the same again, its wishes need not be read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("hvctl_hosts", sa.Column("settled", sa.String(64)))
