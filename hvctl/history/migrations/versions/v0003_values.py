"""What is wished is kept as a value, no longer as the text that tells it, whose words may change: what is there is marked
as text, and the next check adopts it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    wishes = sa.table("hvctl_wishes", sa.column("value", sa.Text), sa.column("agreed", sa.Text))
    op.execute(
        wishes.update().values(value=sa.literal("text:") + wishes.c.value, agreed=sa.literal("text:") + wishes.c.agreed)
    )
