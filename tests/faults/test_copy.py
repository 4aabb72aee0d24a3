"""A file of 5 MB into a running guest through every fault: whole or not at all, copied once, known by a receipt only
when it is there, nothing left in the staging folder."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path

import pytest

from mocks.catalogue import OFTEN, Fault, fault_named
from mocks.tls import Authority
from tests.faults.rig import Rig, honest, rig
from tests.faults.test_table import Row, no_orphans, some, told

STATE = """
os: 2022
name: HV01
vms:
  - name: web01
    id: 11111111-1111-1111-1111-111111111111
    state: Running
    integration_services: {guest_service_interface: true}
"""
PLAYBOOK = r"""
- name: lab
  hosts: hv01
  vms:
    - name: web01
      guest_files:
        - {source: files/agent.bin, destination: 'C:\app\agent.bin'}
"""
PLACE = r"C:\app\agent.bin"
CONTENT = random.Random(5).randbytes(5 << 20)


def in_the_upload(fault: Fault) -> Fault:
    """The same in the middle of some twenty Sends."""
    return replace(
        fault,
        troubles=tuple(
            replace(t, nth=t.nth + (9 if t.action == "Send" else 1))
            if t.action in ("Send", "Receive") and t.times < OFTEN
            else t
            for t in fault.troubles
            if t.effect != "outsider"
        ),
    )


@pytest.mark.parametrize("row", some(1, seed=11), ids=str)
def test_copy(row: Row, folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority) -> None:
    (folder / "files").mkdir()
    (folder / "files" / "agent.bin").write_bytes(CONTENT)
    faults = [in_the_upload(fault_named(row.fault))]
    with rig(folder, capsys, authority, faults, state=STATE, playbook=PLAYBOOK, **row.way) as at:
        said = at.hvctl("apply", "--auto-approve", "lab.yml", "--json")
        at.ends()
        if row.copy is not None:
            assert said.status == row.copy, said
        elif row.plan == 4:
            assert said.status & 4, said
            told(row, said)
        else:
            assert said.status == 0 if row.apply == 0 else said.status in (0, 2, 4, 6), said
        honest(at, said)
        whole_or_not_at_all(at, must=said.status == 0)
        at.disarm()
        if row.fault == "constrained":
            at.host.says.clear()
        assert at.hvctl("apply", "--auto-approve", "lab.yml", "--json").status == 0
        at.ends()
        whole_or_not_at_all(at, must=True)
        # A host that was away when all was over keeps the file for a day (docs of guest_files).
        assert len(at.endpoint.disk.staging.folders) <= (said.status != 0 or row.fault == "http-401-later")
        no_orphans(row, at)


def whole_or_not_at_all(at: Rig, *, must: bool) -> None:
    there = at.host.state.vms[0].guest.files.get(PLACE)
    receipts = [name for name in at.host.state.files if "\\receipts\\" in name]
    assert there is not None or not (must or receipts)
    if there is not None:
        assert there.sha256 == hashlib.sha256(CONTENT).hexdigest()
