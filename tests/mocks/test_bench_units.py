"""The rows of `make bench` for hosts that are planned together: all is in sync there, and each host is asked once."""

from __future__ import annotations

from dataclasses import asdict

from hvctl.winrm.client import CredentialGuard
from mocks import bench, bench_units


def test_each_host_is_asked_once_and_by_hand_once_for_each_vm() -> None:
    rows = bench_units.rows(
        lambda job, counted: asdict(bench._measured(job, counted)),
        lambda port: bench._transport(port, CredentialGuard()),
        bench._only,
        (bench.USER, bench.PASSWORD),
        quick=True,
    )
    found = {row["scenario"]: (row["ours"]["processes"], row["naive"]["processes"]) for row in rows}
    assert found == {
        "plan, a cluster of 2 nodes, 4 roles": (2, 4),
        "plan, 2 replica pairs, 2 VMs each": (4, 8),
    }
