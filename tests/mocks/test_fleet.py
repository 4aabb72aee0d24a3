"""The fleet of `make lab-fleet`: every host is as its playbook says, and may lose its power."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from hvctl.config.playbook import Play, wishes
from hvctl.core.impact import IMPACTS
from hvctl.fleet.reconcile import plan_host
from hvctl.text.source import load_text
from mocks.clock import Clock
from mocks.fleet import SITES, write_fleet
from mocks.lab import read_lab
from mocks.serve import power_of
from mocks.twin import TwinTransport
from mocks.wsman import Endpoint, Server

PLAYBOOK = Path(__file__).parents[2] / "playbooks" / "fleet.yml"


def test_every_host_of_the_fleet_is_served_and_as_its_playbook_says(tmp_path: Path) -> None:
    write_fleet(tmp_path, len(SITES))
    lab = read_lab(tmp_path, tmp_path / "inventory.yml", Clock)
    assert (lab.refused, lab.absent) == ((), ())
    assert {host.os for host, _ in lab.served.values()} == {*SITES.values()}
    document = load_text(PLAYBOOK.read_text(encoding="utf-8"), "fleet.yml")
    desired, problems = wishes([Play(document, (0,), "fleet", "fleet")], {})
    assert not problems
    for host, _ in lab.served.values():
        planned = plan_host(desired, TwinTransport(host), frozenset(IMPACTS)).plan
        assert planned is not None and planned.in_sync


def test_a_host_that_knows_no_other_loses_its_power_and_gets_it_back(tmp_path: Path) -> None:
    write_fleet(tmp_path, 1)
    ((host, _),) = read_lab(tmp_path, tmp_path / "inventory.yml", Clock).served.values()
    endpoint = Endpoint(host, {"u": "p"}, scheme="http")
    with Server([endpoint]) as server:
        for word in ("off", "off"):
            assert power_of(host, word, server) == []
            with pytest.raises(ConnectionRefusedError), closing(_connected(endpoint)):
                pass
        for word in ("on", "on"):
            assert power_of(host, word, server) == []
            _connected(endpoint).close()


def _connected(endpoint: Endpoint) -> socket.socket:
    return socket.create_connection(("127.0.0.1", endpoint.port), timeout=5)
