"""Set-VMMemory and Set-VMProcessor: what is accepted when (domain 6, 7)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.mocks.hosts import GB, MB, done, one_vm, read, refused

DYNAMIC = {"dynamic_memory_enabled": True, "startup": "1GB", "minimum": "512MB", "maximum": "4GB"}


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"MaximumBytes": 8 * GB}, None),
        ({"MaximumBytes": 2 * GB}, "InvalidState"),
        ({"MinimumBytes": 256 * MB}, None),
        ({"MinimumBytes": 768 * MB}, "InvalidState"),
        ({"Buffer": 30, "Priority": 70}, None),
        ({"StartupBytes": 2 * GB}, "InvalidState"),
        ({"DynamicMemoryEnabled": False}, "InvalidState"),
        ({"MaximumAmountPerNumaNodeBytes": 8 * GB}, "InvalidState"),
    ],
)
@pytest.mark.parametrize("os", ["2012r2", "2022"])
def test_dynamic_memory_while_running(os: str, change: dict[str, Any], kind: str | None) -> None:
    on = one_vm(os, state="Running", memory=DYNAMIC)
    if kind:
        assert refused(on, "Set-VMMemory", VMName="web01", **change) == kind
    else:
        done(on, "Set-VMMemory", VMName="web01", **change)


@pytest.mark.parametrize(
    ("os", "vm", "fine"),
    [
        ("2012r2", {}, False),
        ("2016", {}, True),
        ("2016", {"version": "5.0"}, False),
        ("2022", {"generation": 1}, True),
        ("2022", {"guest": {"integration": False}}, False),
        ("2022", {"guest": {"nested_hypervisor": True}}, False),
        ("2022", {"guest": {"minimum_memory": "4GB"}, "memory": {"startup": "8GB"}}, False),
    ],
)
def test_static_memory_while_running(os: str, vm: dict[str, Any], fine: bool) -> None:
    on = one_vm(os, state="Running", **vm)
    if fine:
        done(on, "Set-VMMemory", VMName="web01", StartupBytes=2 * GB)
        assert read(on, "Get-VM", "MemoryAssigned") == 2 * GB
    else:
        assert refused(on, "Set-VMMemory", VMName="web01", StartupBytes=2 * GB) == "InvalidState"


def test_the_order_is_checked_against_stored_values() -> None:
    on = one_vm(memory=DYNAMIC)
    assert refused(on, "Set-VMMemory", VMName="web01", StartupBytes=8 * GB) == "InvalidParameter"
    done(on, "Set-VMMemory", VMName="web01", StartupBytes=8 * GB, MaximumBytes=16 * GB)
    assert refused(on, "Set-VMMemory", VMName="web01", MinimumBytes=12 * GB) == "InvalidParameter"


def test_startup_and_the_toggle_belong_in_one_call() -> None:
    on = one_vm(memory=DYNAMIC)
    assert refused(on, "Set-VMMemory", VMName="web01", StartupBytes=8 * GB) == "InvalidParameter"
    done(on, "Set-VMMemory", VMName="web01", StartupBytes=8 * GB, DynamicMemoryEnabled=False)
    assert read(on, "Get-VMMemory", "Maximum", VMName="web01") == 4 * GB, "stored, though meaningless"


def test_memory_comes_in_2_mb() -> None:
    on = one_vm()
    assert refused(on, "Set-VMMemory", VMName="web01", StartupBytes=GB + MB) == "InvalidParameter"
    assert refused(on, "Set-VMMemory", VMName="web01", Buffer=4) == "InvalidParameter"


@pytest.mark.parametrize(
    ("change", "live"),
    [
        ({"Maximum": 80}, True),
        ({"Reserve": 10}, True),
        ({"RelativeWeight": 200}, True),
        ({"Count": 4}, False),
        ({"CompatibilityForMigrationEnabled": True}, False),
        ({"MaximumCountPerNumaNode": 2}, False),
    ],
)
@pytest.mark.parametrize("os", ["2012", "2012r2", "2025"])
def test_processor_while_running(os: str, change: dict[str, Any], live: bool) -> None:
    on = one_vm(os, state="Running")
    if live:
        done(on, "Set-VMProcessor", VMName="web01", **change)
    else:
        assert refused(on, "Set-VMProcessor", VMName="web01", **change) == "InvalidState"


def test_processor_ranges() -> None:
    on = one_vm("2012r2")
    assert refused(on, "Set-VMProcessor", VMName="web01", Count=65) == "InvalidParameter"
    assert refused(on, "Set-VMProcessor", VMName="web01", Maximum=50, Reserve=60) == "InvalidParameter"
    done(on, "Set-VMProcessor", VMName="web01", Count=64)
    assert refused(on, "Start-VM", Name="web01") == "OperationFailed", "stored, but it does not start"
