"""What the meters of VMs said at each reading. Units of measure stand in the names of columns."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COUNTED = (
    "duration_ms average_processor_mhz average_memory_mb minimum_memory_mb maximum_memory_mb average_io_8kb_per_s "
    "latency_undocumented_unit disk_allocation_mb io_8kb data_read_mb data_written_mb network_in_mb network_out_mb "
    "disk_size_bytes disk_files_bytes"
).split()


def upgrade() -> None:
    op.create_table(
        "hvctl_meter_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("noted", sa.DateTime, nullable=False),
        sa.Column("after_reset", sa.Boolean, nullable=False),
    )
    op.create_index("ix_hvctl_meter_runs_noted", "hvctl_meter_runs", ["noted"])
    op.create_table(
        "hvctl_meter_looks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.Integer, sa.ForeignKey("hvctl_meter_runs.id"), nullable=False),
        sa.Column("host_id", sa.Integer, sa.ForeignKey("hvctl_hosts.id"), nullable=False),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("units", sa.Text, nullable=False),
    )
    op.create_index("ix_hvctl_meter_looks_run", "hvctl_meter_looks", ["run_id"])
    op.create_index("ix_hvctl_meter_looks_host", "hvctl_meter_looks", ["host_id", "at"])
    op.create_table(
        "hvctl_meter_readings",
        sa.Column("look_id", sa.Integer, sa.ForeignKey("hvctl_meter_looks.id"), primary_key=True),
        sa.Column("vm_id", sa.String(36), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("vm_name", "owner")),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("replica", sa.Boolean, nullable=False),
        sa.Column("metered", sa.Boolean, nullable=False),
        *(sa.Column(name, sa.BigInteger) for name in _COUNTED),
    )
    op.create_index("ix_hvctl_meter_readings_vm", "hvctl_meter_readings", ["vm_id"])
