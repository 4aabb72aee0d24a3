"""A saved plan of what came encrypted: references and keyed hashes, which the inventory and the vault password open."""

from __future__ import annotations

from pathlib import Path

import pytest

from hvctl.cli import main
from hvctl.config.connection import Connection
from hvctl.fleet.connect import Wire
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.inventory.folders import written
from tests.inventory.sealing import sealed

PLAY = r"""
- hosts: lab
  vms:
    - {name: "{{ vm }}", notes: "for {{ whom }}", memory: {startup: 1GB}}
"""
VARIABLES = "vm: hidden-machine\nwhom: hidden person\nansible_user: svc\nansible_password: hunter22x\n"
VAULT = ("--vault-password-file", "password")


def test_a_plan_with_encrypted_values_is_saved_without_them_and_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    host = SimulatedHost.from_yaml({"os": "2022", "name": "hv01", "vms": []})

    def connect(connection: Connection, wire: Wire) -> TwinTransport:
        return TwinTransport(host)

    monkeypatch.chdir(tmp_path)
    written(
        tmp_path,
        {
            "inventory.yml": "lab: {hosts: {hv01: }}", "group_vars/lab.yml": sealed(VARIABLES, "pw"), "play.yml": PLAY,
            "password": "pw",
        },
    )  # fmt: skip
    assert main([*VAULT, "plan", "play.yml", "--out", "lab.plan"], connect) == 0
    assert "--vault-password-file password apply lab.plan" in " ".join(capfd.readouterr().err.split())
    kept = (tmp_path / "lab.plan").read_text("utf-8")
    assert "hidden" not in kept
    assert main(["apply", "lab.plan", "-y"], connect) == 1
    assert "--ask-vault-pass" in capfd.readouterr().err
    written(tmp_path, {"group_vars/lab.yml": sealed(VARIABLES.replace("machine", "engine"), "pw")})
    assert main([*VAULT, "apply", "lab.plan", "-y"], connect) == 1
    assert "the encrypted variable vm of hv01 is not what it was" in capfd.readouterr().err
    written(tmp_path, {"group_vars/lab.yml": sealed(VARIABLES, "pw")})
    assert main([*VAULT, "apply", "lab.plan", "-y"], connect) == 0
    said = capfd.readouterr()
    assert "hidden" not in said.out + said.err
    assert [(vm.name, vm.notes) for vm in host.state.vms] == [("hidden-machine", "for hidden person")]
