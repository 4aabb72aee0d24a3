"""What hvctl keeps on a host about a VM that is on another one now: it is found there, and told where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mocks.estate import Estate
from tests.estates import test_clusters, test_moves
from tests.estates.harness import Session

PLAYS = r"""
- hosts: nodes
  cluster:
    vms:
    - name: web01
      guest_files: [{source: app.conf, destination: 'C:\app.conf'}]
      cloud_init: {user_data: user.yml, path: 'C:\ClusterStorage\v1\web01\seed.iso'}
      exports: [{path: 'E:\exports', every: 24h, keep: 2}]
    - {name: web02}
"""
GUEST = {"integration_services": {"guest_service_interface": True}}
VOLUMES = {"volumes": {"C": {}, "D": {"free": "500GB"}, "E": {"free": "500GB"}}}


def estate() -> Estate:
    host = {"os": "2022", **VOLUMES}
    one, two = {**test_clusters.vm("web01", 1), **GUEST}, test_clusters.vm("web02", 2, "Off")
    return Estate.from_data(
        {
            "hosts": {"hv01": {**host, "vms": [one]}, "hv02": {**host, "vms": [two]}},
            "shared": {r"C:\ClusterStorage\v1": {}, r"C:\ClusterStorage\v1\web01": {}},
            "clusters": {"hvcl01": {"roles": [{"name": "web01", "owner": "HV01"}, {"name": "web02", "owner": "HV02"}]}},
        }
    )


def changed(session: Session) -> dict[str, list[str]]:
    """By host, the steps that are planned."""
    return {
        h: [s.text for s in o.plan.steps] for h, o in session.planned().items() if o.plan is not None and o.plan.steps
    }


def test_a_role_that_moved_finds_its_receipts_on_its_old_node(tmp_path: Path) -> None:
    (tmp_path / "app.conf").write_text("one", "utf-8")
    (tmp_path / "user.yml").write_text("#cloud-config\n{}\n", "utf-8")
    own = estate()
    session = test_clusters.session(tmp_path, own, PLAYS)
    session.applied()
    assert changed(session) == {}
    test_clusters.moved(own, "web01", "HV02")
    assert changed(session) == {}, "neither a file, nor a seed, nor an export is made once more"
    (tmp_path / "app.conf").write_text("two", "utf-8")
    steps = changed(session)
    assert steps["hv01"] == [r"forget the copy of C:\app.conf"], "one that lies is worse than none"
    session.applied()
    assert changed(session) == {}
    test_clusters.moved(own, "web01", "HV01")
    assert changed(session) == {}
    own.clock.sleep(25 * 3600)
    steps = changed(session)
    assert list(steps) == ["hv01"] and any("export" in text for text in steps["hv01"])


def test_a_node_that_cannot_be_read_may_have_one(tmp_path: Path) -> None:
    (tmp_path / "app.conf").write_text("one", "utf-8")
    (tmp_path / "user.yml").write_text("#cloud-config\n{}\n", "utf-8")
    own = estate()
    session = test_clusters.session(tmp_path, own, PLAYS)
    session.applied()
    test_clusters.moved(own, "web01", "HV02")
    own.lose("hv01")
    plan = session.planned()["hv02"].plan
    assert plan is not None
    notes = {line.field: line.note for a in plan.actions for line in a.lines}
    assert notes["source"].startswith("no receipt, unless hv01 has one, which could not be read")
    assert notes["every"] == "what hv01 has of it could not be read"


MOVED = r"""
- hosts: hv03, hv04
  vms:
  - name: app01
    on_host: hv04
    storage: 'D:\VMs'
    guest_files: [{source: app.conf, destination: 'C:\app.conf'}]
    exports: [{path: 'E:\exports', every: 24h}]
"""


def test_what_an_apply_moves_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    vm: dict[str, Any] = GUEST
    own = test_moves.estate(both=VOLUMES, vm=vm)
    with test_moves.session(own, MOVED.replace("on_host: hv04", "on_host: hv03")) as session:
        (session.folder / "app.conf").write_text("one", "utf-8")
        session.applied()
        assert changed(session) == {}
        (session.folder / "site.yml").write_text(MOVED, "utf-8")
        done = session.applied()
        report = done["hv03"].report
        assert report is not None and [r.step.moves for r in report.results if r.step.moves] == [True]
        assert test_moves.where(own) == {"hv03": [], "hv04": ["app01"]}
        texts = [r.step.text for o in done.values() if o.report is not None for r in o.report.results]
        assert not [text for text in texts if "copy" in text or "export" in text]
        assert changed(session) == {}
