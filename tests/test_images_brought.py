"""An image of the control node, brought, copied and started from by one apply; what it is, is read of its header."""

from __future__ import annotations

import struct
from pathlib import Path
from uuid import UUID

import pytest

from hvctl.call import Staged, Transport
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.kinds._coming import header
from hvctl.text.diagnostic import Diagnostic
from mocks.engine import EngineTransport
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.conftest import Engines
from tests.harness import wished

KB, MB, GB = 2**10, 2**20, 2**30
PLAYBOOK = r"""
- hosts: all
  host_files:
    - {source: golden.vhdx, destination: 'D:\images\golden.vhdx'}
  vms:
    - name: web01
      generation: 2
      state: running
      disks: [{at: scsi 0:0, path: 'D:\web01\os.vhdx', image: 'D:\images\golden.vhdx', size: 60GB}]
"""


def vhdx(size: int, *, flags: int = 0, sectors: tuple[int, int] = (512, 4096)) -> bytes:
    """As [MS-VHDX] lays it out: an identifier, a region table, a metadata table and its items; no blocks."""
    items = [
        ("caa16737-fa36-4d43-b3b6-33f0aa44e76b", struct.pack("<II", 32 * MB, flags)),
        ("2fa54224-cd1b-4876-b211-5dbed83bf4b8", struct.pack("<Q", size)),
        ("beca12ab-b2e6-4523-93ef-c309e000c746", bytes(16)),
        ("8141bf1d-a96f-4709-ba47-f233a8faab5f", struct.pack("<I", sectors[0])),
        ("cda348c7-445d-4471-9cc9-e9885251c556", struct.pack("<I", sectors[1])),
    ]
    table, values = b"metadata" + struct.pack("<HH", 0, len(items)) + bytes(20), b""
    for name, value in items:
        table += UUID(name).bytes_le + struct.pack("<IIII", 64 * KB + len(values), len(value), 4, 0)
        values += value
    metadata = table.ljust(64 * KB, b"\0") + values
    regions = b"regi" + struct.pack("<III", 0, 2, 0)
    regions += UUID("2dc27766-f623-4200-9d64-115e9bfd4a08").bytes_le + struct.pack("<QII", 3 * MB, MB, 1)
    regions += UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le + struct.pack("<QII", 2 * MB, MB, 1)
    whole = b"vhdxfile".ljust(192 * KB, b"\0") + regions
    return (whole.ljust(2 * MB, b"\0") + metadata).ljust(4 * MB, b"\0")


def vhd(size: int, kind: int) -> bytes:
    """A footer of the image format's specification, behind a dynamic disk's header."""
    dynamic = b"cxsparse" + bytes(24) + struct.pack(">I", 2 * MB)
    footer = b"conectix".ljust(16, b"\0") + struct.pack(">Q", 512) + bytes(24) + struct.pack(">Q", size) + bytes(4)
    return bytes(512) + dynamic.ljust(1024, b"\0") + (footer + struct.pack(">I", kind)).ljust(512, b"\0")


def staged(data: bytes) -> Staged:
    return Staged(str(hash(data)), len(data), "golden", content=data)


def test_the_header_of_a_vhdx_says_what_it_is() -> None:
    found = header(staged(vhdx(40 * GB)))
    assert found is not None
    assert (found["Size"], found["VhdType"], found["BlockSize"]) == (40 * GB, "Dynamic", 32 * MB)
    assert (found["LogicalSectorSize"], found["PhysicalSectorSize"]) == (512, 4096)
    assert (header(staged(vhdx(4096 * MB, flags=1))) or {})["VhdType"] == "Fixed"
    assert (header(staged(vhdx(4096 * MB, flags=2, sectors=(4096, 4096)))) or {})["VhdType"] == "Differencing"


@pytest.mark.parametrize(("kind", "word"), [(2, "Fixed"), (3, "Dynamic"), (4, "Differencing")])
def test_the_footer_of_a_vhd_says_what_it_is(kind: int, word: str) -> None:
    found = header(staged(vhd(8 * GB, kind)))
    assert found is not None
    assert (found["Size"], found["VhdType"], found["VhdFormat"]) == (8 * GB, word, "VHD")


@pytest.mark.parametrize(
    "data",
    [b"", b"vhdxfile", b"iso" * 1000, vhdx(GB)[: 2 * MB], vhdx(GB)[: 200 * KB], vhd(GB, 7), b"vhdxfile" + b"\xff" * MB],
)
def test_what_is_no_disk_or_damaged_is_none(data: bytes) -> None:
    assert header(staged(data)) is None


def _applied(folder: Path, transport: Transport, host: SimulatedHost) -> None:
    (folder / "golden.vhdx").write_bytes(vhdx(40 * GB))
    desired, problems = wished(PLAYBOOK, folder=str(folder))
    assert not [p for p in problems if isinstance(p, Diagnostic) and p.level == "error"]
    plan = make_plan(desired, look(transport, desired), frozenset())
    report = apply_plan(plan, desired, transport)
    assert not isinstance(report, list)
    assert [str(r.failure or r.why) for r in report.results if r.status != "ok"] == []
    assert report.after is not None
    assert report.after.in_sync
    disk = next(d for d in host.state.vhds if d.path == r"D:\web01\os.vhdx")
    assert disk.size == 60 * GB
    assert host.state.vms[0].state == "Running"


def test_one_apply_brings_it_copies_it_and_starts_from_it(tmp_path: Path) -> None:
    host = SimulatedHost.from_yaml({"os": "2022"})
    _applied(tmp_path, TwinTransport(host), host)


@pytest.mark.engine
def test_so_does_one_over_the_real_runner(tmp_path: Path, engines: Engines) -> None:
    host = SimulatedHost.from_yaml({"os": "2022"})
    _applied(tmp_path, EngineTransport(engines("2022", "FullLanguage"), host), host)


def test_what_is_no_disk_is_told(tmp_path: Path) -> None:
    (tmp_path / "golden.vhdx").write_bytes(b"not a disk")
    desired, _ = wished(PLAYBOOK, folder=str(tmp_path))
    plan = make_plan(desired, look(TwinTransport(SimulatedHost.from_yaml({"os": "2022"})), desired), frozenset())
    said = [r.message for a in plan.actions for r in a.remarks]
    assert any("no whole virtual disk as far as can be told before" in text for text in said), said
