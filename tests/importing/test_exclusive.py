"""From an import to lists that leave nothing else: what is made by hand is drift, until it is allowed to go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.importing.conftest import Run

VM = {"generation": 1, "state": "Off", "drives": [], "adapters": []}


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, hosts: dict[str, Any]) -> None:
    hosts["hv01"] = {"os": "2022", "vms": [{"name": "web01", **VM}]}
    (tmp_path / "inventory.yml").write_text("all: {hosts: {hv01: {ansible_user: a, ansible_password: b}}}\n", "utf-8")


def test_what_is_made_by_hand_is_drift_until_it_goes(hvctl: Run, tmp_path: Path, hosts: dict[str, Any]) -> None:
    assert hvctl("import", "hv01", "--out", "hv01.yml")[0] == 0
    with (tmp_path / "hv01.yml").open("a", encoding="utf-8") as file:
        file.write("  exclusive: [vms, switches]\n  tags: [all]\n")
    assert hvctl("drift", "hv01.yml", "--history", "h.db")[0] == 0
    (tmp_path / "by-hand.yml").write_text(
        "- hosts: hv01\n  vms: [{name: forgotten}]\n  switches: [{name: s, type: private}]\n", "utf-8"
    )
    assert hvctl("apply", "by-hand.yml", "--auto-approve", "--no-history")[0] == 0
    status, out, _ = hvctl("drift", "hv01.yml", "--history", "h.db")
    assert (status, "vm forgotten" in out, "switch s" in out) == (2, True, True), out
    status, out, _ = hvctl("drift", "hv01.yml", "--tags", "all", "--no-history")
    assert status == 0, out
    assert hvctl("drift", "hv01.yml", "--history", "h.db")[0] == 2
    assert hvctl("apply", "hv01.yml", "--auto-approve", "--history", "h.db")[0] == 2  # without consent it stays
    allowed = ("--allow", "destroy,disconnect", "--history", "h.db")
    status, out, err = hvctl("apply", "hv01.yml", "--auto-approve", *allowed)
    assert status == 0, out + err
    assert hvctl("drift", "hv01.yml", "--history", "h.db")[0] == 0
    status, out, _ = hvctl("history", "--history", "h.db")
    assert status == 0
    assert "forgotten" in out


def test_a_list_that_is_none_is_refused_at_its_place(hvctl: Run, tmp_path: Path) -> None:
    (tmp_path / "lab.yml").write_text("- hosts: hv01\n  exclusive: [vms, hosts]\n", "utf-8")
    status, _, err = hvctl("validate", "lab.yml")
    assert status == 1
    assert "lab.yml:2:20: 'hosts' is not a list that can be exclusive" in err


def test_what_is_beyond_may_be_accepted_for_a_while(hvctl: Run, tmp_path: Path) -> None:
    listed = "exclusive: [{list: vms, accept: {until: 2099-01-01, reason: being sorted out}}]"
    (tmp_path / "lab.yml").write_text(f"- hosts: hv01\n  {listed}\n", "utf-8")
    status, out, err = hvctl("drift", "lab.yml", "--no-history")
    assert (status, "1 accepted" in out) == (0, True), out + err
