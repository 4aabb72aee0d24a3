"""A hostile host met by the verbs: over the wire, whatever arrives of its answers; and beside others that are well."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from mocks.catalogue import OFTEN, one
from mocks.host import SimulatedHost
from mocks.hostile import HostileTransport, MisreadingTransport
from mocks.tls import Authority
from mocks.twin import TwinTransport
from tests.faults.rig import rig

SOAK = bool(os.environ.get("HVCTL_SOAK"))
INVENTORY = """
all:
  vars: {ansible_user: admin, ansible_password: !env HVCTL_TEST_PASSWORD, hvctl_os: 2022}
  hosts: {hv01: {}, hv02: {}}
"""
PLAYBOOK = r"""
- name: lab
  hosts: all
  allow: [restart, disconnect]
  switches: [{name: lan, type: private, notes: x}]
  vms:
    - name: db01
      processor: {count: 2, weight: 200}
      memory: {startup: 1GB, dynamic: true}
      disks: [{at: scsi 0:0, path: 'D:\db01\os.vhdx', size: 50GB}]
      network_adapters: [{name: lan, vlan: {access: 7}, dhcp_guard: true}]
      integration_services: {heartbeat: true}
      exports: [{path: 'E:\exports', every: 24h}]
      exclusive: [network_adapters]
      checkpoint_maximum_age: 7d
"""
STATE = r"""
os: 2022
volumes: {D: {free: 500GB, size: 1TB}, E: {free: 500GB, size: 1TB}}
folders: ['E:\exports']
switches: [{name: lan, type: Private}]
vms:
  - name: db01
    generation: 2
    state: Running
    processor: {count: 1}
    drives: [{at: scsi 0:0, path: 'D:\db01\os.vhdx'}]
    adapters: [{name: lan, switch: lan}, {name: old, switch: lan}]
    checkpoints: [{name: before, created: -900000}]
vhds: {'D:\db01\os.vhdx': {size: 40GB}}
"""
VERBS = (
    ("plan", "lab.yml", "--json"),
    ("apply", "-y", "lab.yml", "--json"),
    ("drift", "lab.yml", "--json"),
    ("export", "db01", "lab.yml", "-y", "--json"),
    ("facts", "hv02", "--playbook", "lab.yml", "--json"),
    ("facts", "hv02", "--playbook", "lab.yml"),
    ("record", "hv02", "--playbook", "lab.yml", "--scrub"),
)
Hostile = Callable[[SimulatedHost, Random], TwinTransport]


@pytest.mark.parametrize("words", VERBS, ids=lambda words: f"{words[0]}{len(words)}")
@pytest.mark.parametrize("hostile", [HostileTransport, MisreadingTransport])
def test_a_hostile_host_is_its_own_trouble(
    hostile: Hostile,
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    figure: Callable[[str, int], None],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_TEST_PASSWORD", "s3cret-in-tests")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "inventory.yml").write_text(INVENTORY, encoding="utf-8")
    (tmp_path / "lab.yml").write_text(PLAYBOOK, encoding="utf-8")
    (tmp_path / "state.yml").write_text(STATE, encoding="utf-8")
    seeds = range(100 if SOAK else 3)
    for seed in seeds:
        hosts = {name: SimulatedHost.from_yaml(tmp_path / "state.yml") for name in ("hv01", "hv02")}

        def connect(
            connection: Connection, wire: Wire, hosts: dict[str, SimulatedHost] = hosts, seed: int = seed
        ) -> Transport:
            host = hosts[connection.name]
            return hostile(host, Random(seed)) if connection.name == "hv02" else TwinTransport(host)

        status = main(list(words), connect, pause=lambda seconds: False)
        out, err = capsys.readouterr()
        assert status in (0, 2, 4, 6), (seed, out, err)
        assert "Traceback" not in out + err, (seed, out, err)
        if "--json" in words and words[0] != "facts":
            states = {h["host"]: h["state"] for h in json.loads(out)["hosts"]}
            assert set(states) == {"hv01", "hv02"}
            assert states["hv01"] in ("differs", "applied", "left_undone"), (seed, states)
    figure("runs of hvctl with a hostile host beside another", len(seeds))


@pytest.mark.parametrize("seed", range(20) if SOAK else (1, 2, 3))
def test_what_arrives_garbled_over_the_wire_raises_nowhere(
    seed: int,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    authority: Authority,
    figure: Callable[[str, int], None],
) -> None:
    chance = Random(seed)
    how = (
        {"times": OFTEN, "chance": 0.3}
        if seed % 2
        else {"nth": chance.randint(1, 4), "times": chance.choice((1, OFTEN))}
    )
    fault = one("garbled", 9, "frames of somebody else", "Receive", "garbled", amount=seed, **how)
    with rig(folder, capsys, authority, [fault], seed=seed, transport=chance.choice(("basic", "ntlm"))) as at:
        for words in (("plan", "lab.yml"), ("apply", "--auto-approve", "lab.yml"), ("drift", "lab.yml")):
            said = at.hvctl(*words, "--json")
            at.ends()
            assert said.status in (0, 2, 4, 6), said
    figure("runs of hvctl over a wire that garbles", 3)
