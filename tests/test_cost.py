"""What reading a host costs on the wire: the promise of the README, counted by the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.call import Secret
from hvctl.fleet.connect import allowed
from hvctl.fleet.reconcile import plan_host
from hvctl.winrm.client import Address, WinRM
from mocks.bench import state_of, wishes_of
from mocks.host import SimulatedHost
from mocks.tls import make_authority
from mocks.wsman import Endpoint, Server

HELD = 78_000
"""The runner lets go of this much and a frame of rows, which fits one ReceiveResponse (winrm 2.3)."""


@pytest.mark.parametrize("vms", [1, 50])
def test_a_host_is_read_in_one_batch_whatever_it_holds(vms: int, tmp_path: Path) -> None:
    authority = make_authority(tmp_path)
    endpoint = Endpoint(SimulatedHost.from_yaml(state_of(vms)), {"u": "p"}, scheme="https")
    with Server([endpoint], authority):
        address = Address("h", "127.0.0.1", endpoint.port, user="u", password=Secret("p"), ca_path=str(authority.ca))
        client = WinRM(address, allow=allowed())
        found = plan_host(wishes_of(vms), client, frozenset())
        client.close()
    assert found.plan is not None
    assert found.plan.in_sync
    assert endpoint.shells.processes == 1
    actions = endpoint.actions()
    answers = sum(e.sent for e in endpoint.log if e.action == "Receive") * 3 // 4  # base64
    assert [a for a in actions if a != "Receive"] == ["Create", "Command", "Send", "Delete"]
    assert actions.count("Receive") <= 1 + answers // HELD
