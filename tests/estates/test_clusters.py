"""What happens to a cluster between a look and an apply, in the middle of one, and by the verbs of maintenance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hvctl.call import Event, Transport
from hvctl.cli import main
from hvctl.config.connection import Connection
from hvctl.core.check import Check, Spot
from hvctl.core.impact import IMPACTS
from hvctl.fleet.connect import Wire
from hvctl.fleet.watching import Left, amount, question
from hvctl.history import place
from hvctl.history.remember import remember
from hvctl.history.seen import Difference, Seen, Standing, key_of
from hvctl.history.store import Store
from hvctl.kinds import address_of
from hvctl.kinds.maintenance import leaving
from hvctl.show.progress import Progress
from hvctl.text.diagnostic import ConfigError
from mocks.cluster import LOCKED
from mocks.engine import EngineTransport
from mocks.estate import Estate
from mocks.failover import carry
from mocks.failures import failure
from mocks.host import SimulatedHost
from mocks.state import HostState
from mocks.twin import TwinTransport
from tests.conftest import Engines
from tests.estates.harness import Reached, Session, written
from tests.history.looks import told

INVENTORY = {"children": {"nodes": {"hosts": {"hv01": None, "hv02": None}, "vars": {"hvctl_cluster": "hvcl01"}}}}
WEB01 = "11111111-1111-1111-1111-111111111111"
PLAYS = """
- hosts: nodes
  cluster:
    vms:
    - {name: web01, notes: new, role: {priority: high}}
    - {name: web02, notes: new}
"""


def vm(name: str, number: int, state: str = "Running") -> dict[str, Any]:
    vm_id = "-".join(str(number) * n for n in (8, 4, 4, 4, 12))
    path = rf"C:\ClusterStorage\v1\{name}"
    return {"name": name, "id": vm_id, "generation": 2, "path": path, "state": state, "drives": [], "adapters": []}


def estate(os: str = "2022") -> Estate:
    return Estate.from_data(
        {
            "hosts": {"hv01": {"os": os, "vms": [vm("web01", 1)]}, "hv02": {"os": os, "vms": [vm("web02", 2, "Off")]}},
            "shared": {r"C:\ClusterStorage\v1": {}},
            "clusters": {
                "hvcl01": {
                    "networks": [{"name": "a"}, {"name": "b"}],
                    "roles": [{"name": "web01", "owner": "HV01"}, {"name": "web02", "owner": "HV02"}],
                }
            },
        }
    )


def session(folder: Path, own: Estate, plays: str = PLAYS, **more: Any) -> Session:
    written(folder, own, INVENTORY, plays)
    return Session(own, folder, frozenset(IMPACTS), **more)


def state(own: Estate, host: str) -> HostState:
    return own.hosts[host].state


def moved(own: Estate, name: str, to: str) -> None:
    """By somebody else."""
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    role = cluster.named(name)
    assert role is not None
    carry(role, to, [host.state for host in own.hosts.values()])


def notes(own: Estate) -> dict[str, str]:
    return {v.name: v.notes for host in own.hosts.values() for v in host.state.vms}


def test_what_moved_between_look_and_apply_is_not_changed_where_it_was(tmp_path: Path) -> None:
    own = estate()
    one = session(tmp_path, own)
    with one.run() as run:
        outcomes = run.plan(warm=True)
        moved(own, "web01", "HV02")
        done = {o.host: o for o in run.apply(outcomes, recheck=False)}
    report = done["hv01"].report
    assert report is not None
    assert [r.failure.kind for r in report.results if r.failure] == ["RefNoMatch"] or report.failed
    assert notes(own) == {"web01": "", "web02": "new"}
    assert all(o.plan is not None and not o.wrong for o in one.planned().values())
    one.applied()
    assert notes(own) == {"web01": "new", "web02": "new"}
    assert all(o.plan is not None and o.plan.in_sync for o in one.planned().values())


def test_a_plan_that_is_checked_again_is_refused_after_a_move(tmp_path: Path) -> None:
    own = estate()
    with session(tmp_path, own).run() as run:
        outcomes = run.plan(warm=True)
        moved(own, "web01", "HV02")
        done = {o.host: o for o in run.apply(outcomes, recheck=True)}
    assert any(o.changed for o in done.values())
    assert notes(own)["web01"] == ""


@pytest.mark.parametrize("os", ["2012r2", "2016", "2022"])
@pytest.mark.parametrize("lost", ["hv01", "hv02"])
def test_a_node_that_is_lost_in_the_middle_doubles_nothing(tmp_path: Path, os: str, lost: str) -> None:
    own = estate(os)
    one = session(tmp_path, own, lost={lost: 1})
    one.applied()
    own.clock.sleep(600)  # the other node has taken what it had
    there = next(name for name in own.hosts if name != lost)
    assert sorted(v.name for v in state(own, there).vms) == ["web01", "web02"]
    one.wires[lost]._lost_at = 0
    one.applied()
    own.bring_back(lost)
    one.applied()
    assert all(o.plan is not None and o.plan.in_sync for o in one.planned().values())
    assert sorted(v.name for host in own.hosts.values() for v in host.state.vms) == ["web01", "web02"]
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    assert sorted(r.name for r in cluster.roles) == ["web01", "web02"]


DISK = r"C:\ClusterStorage\v1\web01.vhdx"
WITH_DISK = (
    f"- hosts: nodes\n  cluster: {{vms: [{{name: web01, notes: new, disks: [{{at: scsi 0:0, path: '{DISK}'}}]}}]}}\n"
)


def on_storage(os: str) -> Estate:
    """web01 runs on HV01 from a disk that both nodes see."""
    return Estate.from_data(
        {
            "hosts": {
                "hv01": {"os": os, "vms": [{**vm("web01", 1), "drives": [{"at": "scsi 0:0", "path": DISK}]}]},
                "hv02": {"os": os},
            },
            "shared": {r"C:\ClusterStorage\v1": {"vhds": {DISK: {"size": "40GB"}}}},
            "clusters": {
                "hvcl01": {"networks": [{"name": "a"}, {"name": "b"}], "roles": [{"name": "web01", "owner": "HV01"}]}
            },
        }
    )


@pytest.mark.parametrize("os", ["2012r2", "2022"])
def test_a_role_whose_storage_is_lost_is_found_where_it_is_seen(tmp_path: Path, os: str) -> None:
    """At once on 2012 R2; later it is paused until its time is over, which is told."""
    own = on_storage(os)
    one = session(tmp_path, own, WITH_DISK)
    own.lose_storage("hv01", r"C:\ClusterStorage\v1")
    if os != "2012r2":
        assert state(own, "hv01").vms[0].state == "PausedCritical"
        assert "web01 is paused since its storage does not answer" in remarks(one)
        own.clock.sleep(31 * 60)
    assert [(v.name, v.state) for v in state(own, "hv02").vms] == [("web01", "Running")]
    assert r"HV01 does not see C:\ClusterStorage\v1, where disks of web01 lie" in remarks(one)
    one.applied()
    assert notes(own) == {"web01": "new"}
    own.restore_storage("hv01")
    assert "does not see" not in remarks(one)
    assert all(o.plan is not None and o.plan.in_sync for o in one.planned().values())


def test_storage_that_comes_back_in_time_and_storage_that_nobody_sees(tmp_path: Path) -> None:
    own = on_storage("2022")
    own.lose_storage("hv01", r"C:\ClusterStorage\v1")
    own.clock.sleep(10 * 60)
    own.restore_storage("hv01")
    own.clock.sleep(60 * 60)
    assert [(v.name, v.state) for v in state(own, "hv01").vms] == [("web01", "Running")]
    for name in own.hosts:
        own.lose_storage(name, r"C:\ClusterStorage\v1")
    own.clock.sleep(60 * 60)
    cluster = state(own, "hv01").cluster
    assert cluster is not None and cluster.roles[0].failed and state(own, "hv01").vms[0].state == "Off"
    one = session(tmp_path, own, WITH_DISK)
    assert "the role web01 has failed on HV01" in remarks(one)
    starts = WITH_DISK.replace("notes: new", "state: running")
    for plays, expected in (
        (WITH_DISK, [("state", "failed", "impossible")]),  # which nobody but the cluster's administrator can mend
        (starts, []),  # it is what its VM's start brings online
    ):
        written(tmp_path, own, INVENTORY, plays)
        plan = one.planned()["hv01"].plan
        assert plan is not None
        lines = [(x.field, x.now, x.held) for a in plan.actions if a.address.kind == "role" for x in a.lines]
        assert lines == expected


@pytest.mark.parametrize("os", ["2012r2", "2022"])
def test_a_role_whose_network_is_lost_stays_away_until_it_is_back(tmp_path: Path, os: str) -> None:
    wired = {"os": os, "net_adapters": [{"name": "nic1"}], "switches": [{"name": "lan", "net_adapters": ["nic1"]}]}
    vms = [{**vm("web01", 1), "adapters": [{"name": "lan", "switch": "lan"}]}]
    networks = [{"name": "a"}, {"name": "b"}]
    cluster = {
        "networks": networks,
        "roles": [{"name": "web01", "owner": "HV01", "preferred_owners": ["HV01"], "auto_failback": 1}],
    }
    own = Estate.from_data(
        {
            "hosts": {"hv01": {**wired, "vms": vms}, "hv02": wired},
            "shared": {r"C:\ClusterStorage\v1": {}},
            "clusters": {"hvcl01": cluster},
        }
    )
    role = "{preferred_owners: [hv01], failback: {allowed: yes}}"
    one = session(tmp_path, own, f"- hosts: nodes\n  cluster: {{vms: [{{name: web01, role: {role}}}]}}\n")
    assert all(o.plan is not None and o.plan.in_sync for o in one.planned().values())
    own.lose_link("hv01", "nic1")
    own.clock.sleep(60)
    assert "the switch lan of HV01 has no connection, so the cluster would move web01 away again" in remarks(one)
    one.applied()
    assert [v.name for v in state(own, "hv02").vms] == ["web01"]
    own.restore_link("hv01", "nic1")
    one.applied()
    assert [v.name for v in state(own, "hv01").vms] == ["web01"]


def test_a_role_made_meanwhile_by_somebody_else_is_not_made_twice(tmp_path: Path) -> None:
    own = estate()
    plays = "- hosts: nodes\n  cluster: {vms: [{name: new01, generation: 2, path: 'C:\\ClusterStorage\\v1'}]}\n"
    with session(tmp_path, own, plays).run() as run:
        outcomes = run.plan(warm=True)
        moved(own, "web01", "HV02")
        cluster = state(own, "hv01").cluster
        assert cluster is not None
        role = cluster.named("web01")
        assert role is not None
        role.name = "new01"
        run.apply(outcomes, recheck=False)
    assert not [v for host in own.hosts.values() for v in host.state.vms if v.name == "new01"]


def test_what_is_asked_grows_with_nodes_and_not_with_vms(tmp_path: Path) -> None:
    """One read of each node, however many roles there are."""
    for roles in (2, 12):
        own = estate()
        folder = tmp_path / str(roles)
        folder.mkdir()
        vms = "".join(f"    - {{name: r{n}, generation: 2, ensure: absent}}\n" for n in range(roles))
        one = session(folder, own, f"- hosts: nodes\n  cluster:\n    vms:\n{vms}")
        one.planned()
        assert {name: wire.reads for name, wire in one.wires.items()} == {"hv01": 1, "hv02": 1}


PREFERS = "{preferred_owners: [hv02], failback: {allowed: yes}}"
MAY = "{possible_owners: [hv02]}"


def adopted(own: Estate, *, up: bool = True) -> None:
    """web01 is no role, and the other node is up or paused."""
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    cluster.roles.remove(found := cluster.roles[0])
    state(own, "hv01").vms[0].is_clustered = False
    node = cluster.node("HV02")
    assert (found.name, node is not None) == ("web01", True)
    if node is not None and not up:
        node.state = "Paused"


def remarks(one: Session) -> str:
    plans = [o.plan for o in one.planned().values() if o.plan is not None]
    return " ".join(f"{r.message}; {r.hint}" for plan in plans for a in plan.actions for r in a.remarks)


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize(("role", "word"), [(PREFERS, "preferred"), (MAY, "possible")])
def test_a_vm_that_becomes_a_role_off_its_owners_goes_there_in_the_same_run(
    tmp_path: Path, up: bool, role: str, word: str
) -> None:
    own = estate()
    adopted(own, up=up)
    one = session(tmp_path, own, f"- hosts: nodes\n  cluster:\n    vms:\n    - {{name: web01, role: {role}}}\n")
    told = remarks(one)
    assert (f"HV01, which is none of its {word} owners; this run moves it to HV02 when it has its role" in told) is up
    assert (f"HV01, and none of its {word} owners is up" in told) is not up
    one.applied()
    assert "web01" in [v.name for v in state(own, "hv02" if up else "hv01").vms]
    assert not up or all(o.plan is not None and o.plan.in_sync for o in one.planned().values())


def test_without_consent_a_vm_becomes_a_role_and_stays(tmp_path: Path) -> None:
    own = estate()
    adopted(own)
    one = session(tmp_path, own, f"- hosts: nodes\n  cluster:\n    vms:\n    - {{name: web01, role: {MAY}}}\n")
    one.allow = frozenset()
    done = one.applied()["hv01"].report
    assert done is not None and done.after is not None
    assert "web01" in [v.name for v in state(own, "hv01").vms] and state(own, "hv01").vms[0].is_clustered
    left = {line.field: line.consent for a in done.after.actions for line in a.lines}
    assert left == {"node": ("move",), "possible_owners": ("move",)}, "nor is it barred from where it runs"


def test_a_role_that_an_apply_moved_is_remembered(tmp_path: Path) -> None:
    own = estate()
    one = session(tmp_path, own, f"- hosts: nodes\n  cluster:\n    vms:\n    - {{name: web01, role: {PREFERS}}}\n")
    store = Store(place(str(tmp_path / "history.db")))
    with one.run() as run:
        check = run.check("apply", ("site.yml",), run.apply(run.plan(warm=True), recheck=False), 0)
    remember(check, store)
    stood = [(p.name, s.what, s.name, s.standing) for p in told(store) for s in p.standings if s.what != "cluster"]
    assert stood == [("hv01", "move", "web01", "move web01 to HV02"), ("hv02", "role", "web01", "on HV02")]


def test_a_part_of_the_nodes_is_planned_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    own = estate()
    one = session(tmp_path, own)
    with one.run(one.prepared("hv01")) as run:
        (outcome,) = run.plan()
    assert outcome.plan is not None
    said = {str(a.address): [r.message for r in a.remarks] for a in outcome.plan.actions}
    assert said["vm web02"] == said["role web02"] == ["it is a role on HV02: HV02 is not among the hosts of this run"]
    assert said["cluster"] == ["HV02 is a node of the cluster, and is not among the hosts of this run"]
    assert {str(a.address): a.verb for a in outcome.plan.actions}["vm web01"] == "update"


def cluster_calls(own: Estate, host: str) -> int:
    log = own.hosts[host].log
    return sum("MSCluster" in str(c.params.get("ClassName")) or c.cmdlet == "Get-ClusterOwnerNode" for c in log)


PREFERRING = """
- hosts: nodes
  cluster:
    vms: [{name: web01, role: {preferred_owners: [hv01]}}, {name: web02}]
"""


def test_no_node_is_asked_what_another_has_answered(tmp_path: Path) -> None:
    own = estate()
    session(tmp_path, own, PREFERRING).planned()
    assert cluster_calls(own, "hv01") > 4
    assert cluster_calls(own, "hv02") == 0


@pytest.mark.parametrize("how", ["lost", "stopped"])
def test_the_next_node_is_asked_where_the_first_does_not_answer(tmp_path: Path, how: str) -> None:
    own = estate("2012r2")
    one = session(tmp_path, own, PREFERRING, away=["hv01"] if how == "lost" else [])
    if how == "stopped":
        state(own, "hv01").cluster_running = False
    plans = one.planned()
    assert cluster_calls(own, "hv02") > 4
    assert one.wires["hv02"].reads == 2
    plan = plans["hv02"].plan
    assert plan is not None
    assert {str(a.address): a.verb for a in plan.actions}["vm web02"] == "none"


@pytest.mark.parametrize(
    ("lacks", "hint"),
    [
        ({"cluster_running": False}, "start the cluster service on HV0"),
        ({"cluster_access": False}, "Grant-ClusterAccess -User HV0"),
    ],
)
def test_a_cluster_of_which_no_node_tells_is_left_alone(tmp_path: Path, lacks: dict[str, bool], hint: str) -> None:
    own = estate()
    one = session(tmp_path, own)
    for name in own.hosts:
        vars(state(own, name)).update(lacks)
    assert hint in remarks(one)
    assert not any(o.plan is not None and o.plan.steps for o in one.planned().values())


@pytest.mark.parametrize("os", ["2012r2", "2022"])
def test_the_example_is_right(tmp_path: Path, os: str) -> None:
    host = {"os": os, "domain": "example.com"}
    own = Estate.from_data(
        {
            "hosts": {"hv01": dict(host), "hv02": dict(host)},
            "shared": {r"C:\ClusterStorage\Volume1": {}},
            "clusters": {"hvcl01": {"networks": [{"name": "Cluster"}, {"name": "Live Migration"}, {"name": "Backup"}]}},
        }
    )
    example = Path(__file__).parents[2] / "playbooks" / "cluster.yml"
    one = session(tmp_path, own, example.read_text("utf-8"))
    done = one.applied()
    results = [r for o in done.values() if o.report is not None for r in o.report.results]
    assert [str(r.failure or r.why) for r in results if r.status != "ok"] == []
    assert all(o.plan is not None and o.plan.in_sync for o in one.planned().values())
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    assert {r.name: (r.owner, r.priority) for r in cluster.roles} == {
        "web01": ("HV01", 3000),
        "batch01": ("HV01", 1000),
    }
    assert len(cluster.migration_exclude_networks.split(";")) == 1


def test_events_are_not_taken_for_services(tmp_path: Path) -> None:
    """The cluster tells both by one name each."""
    own = estate()
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    role = cluster.named("web01")
    assert role is not None
    role.monitored = ["W3SVC", "Contoso+Admin,Contoso,7"]
    wanted = "{monitored_services: [w3svc], monitored_events: ['Contoso/Admin, Contoso, 7']}"
    one = session(tmp_path, own, f"- hosts: nodes\n  cluster: {{vms: [{{name: web01, role: {wanted}}}]}}\n")
    plan = one.planned()["hv01"].plan
    assert plan is not None and plan.in_sync


def test_what_is_no_event_is_refused(tmp_path: Path) -> None:
    plays = "- hosts: nodes\n  cluster: {vms: [{name: web01, role: {monitored_events: [System]}}]}\n"
    with pytest.raises(ConfigError) as caught:
        session(tmp_path, estate(), plays).prepared()
    assert "site.yml:2:" in str(caught.value) and "its log, its source and its id" in str(caught.value)


SETTINGS = """
- hosts: nodes
  cluster:
    drain_on_shutdown: no
    vms:
    - name: web01
      role:
        {priority: high, preferred_owners: [hv01], anti_affinity: [web, db], failback: {allowed: yes, window: null},
         failover: {threshold: null, period: 3}, persistent_state: yes, restart: {threshold: 5}}
    - {name: web02, role: {failback: {window: 22-6}}}
"""


@pytest.mark.parametrize(
    ("error", "engine"),
    [
        pytest.param("0x80041003", True, marks=pytest.mark.engine),
        *((word, False) for word in ("0x80041003", "0x8004100E", "0x80041024", "0x80041031")),
    ],
)
def test_what_wmi_refuses_is_assigned(tmp_path: Path, request: pytest.FixtureRequest, error: str, engine: bool) -> None:
    """Where that way is not available; a property that WMI refuses to set is refused."""
    own = estate()
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    cluster.roles[0].failback_start, cluster.roles[0].failback_end, cluster.roles[0].failover_threshold = 1, 2, 7
    own.hosts["hv01"].failures.add(failure(f"Set-CimInstance:times=100,id=HRESULT {error},error=no"))
    own.hosts["hv02"].failures.add(failure(f"Set-CimInstance:times=100,id=HRESULT {error},error=no"))

    def serve(host: SimulatedHost) -> Transport:
        engines: Engines = request.getfixturevalue("engines")
        return EngineTransport(engines(host.os, "FullLanguage"), host)

    one = session(tmp_path, own, SETTINGS, serve=serve if engine else TwinTransport)
    done = one.applied()
    results = [r for o in done.values() if o.report is not None for r in o.report.results]
    if error == "0x80041031":  # WBEM_E_READ_ONLY and its like: the property is what is refused
        assert [r.failure.kind for r in results if r.failure] == [f"HRESULT {error}"] * 4
        assert cluster.roles[0].priority == 2000
        return
    assert [str(r.failure or r.why) for r in results if r.status != "ok"] == []
    said = " ".join(one.out.getvalue().split())
    assert f"Set-CimInstance was refused (HRESULT {error}" in said and "set by assignment instead" in said
    role, other = cluster.roles
    assert (role.priority, role.anti_affinity, role.persistent_state) == (3000, ["web", "db"], True)
    assert role.restart_threshold == 5
    assert (role.failback_start, role.failback_end, role.failover_threshold, role.failover_period) == (
        -1,
        -1,
        2**32 - 1,
        3,
    )
    assert (other.failback_start, other.failback_end, cluster.drain_on_shutdown) == (22, 6, 0)
    assert all(o.plan is not None and o.plan.in_sync for o in one.planned().values())


# --- maintenance ----------------------------------------------------------------------------------------------------------


def verb(
    folder: Path,
    own: Estate,
    *words: str,
    serve: Callable[[SimulatedHost], Transport] = TwinTransport,
    inventory: dict[str, Any] = INVENTORY,
) -> int:
    written(folder, own, inventory, "[]")

    def connect(connection: Connection, wire: Wire) -> Transport:
        return Reached(serve(own.hosts[connection.name]), own, connection.name, away=False)

    argv = ["-i", str(folder / "inventory.yml"), "-f", "1", "cluster", *words]
    return main(argv, connect=connect, pause=own.clock.sleep)


@pytest.mark.parametrize("os", ["2012r2", "2016", "2022"])
def test_a_node_is_drained_and_taken_back(tmp_path: Path, capsys: pytest.CaptureFixture[str], os: str) -> None:
    own = estate(os)
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    cluster.roles[0].preferred_owners = ["HV01"]
    assert verb(tmp_path, own, "drain", "hv01", "--check") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 role moves; web01 live to HV02" in said
    assert state(own, "hv01").vms
    assert verb(tmp_path, own, "drain", "hv01", "-y") == 0
    assert "\nweb01 moved from HV01 to HV02\n" in capsys.readouterr().out
    assert [v.name for v in state(own, "hv02").vms] == ["web02", "web01"]
    assert not state(own, "hv01").vms
    node = cluster.node("HV01")
    assert node is not None
    assert (node.state, node.drain) == ("Paused", 2)
    assert verb(tmp_path, own, "drain", "hv01", "-y") == 0  # nothing left to do
    assert verb(tmp_path, own, "resume", "hv01", "-y") == 0
    assert [v.name for v in state(own, "hv01").vms] == ["web01"]
    assert node.state == "Up"


def test_what_a_drain_moved_is_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what was open before stays open: a drain looks at no playbook and at no replication."""
    own = estate()
    cluster, here = state(own, "hv01").cluster, ["--history", str(tmp_path / "history.db")]
    assert cluster is not None
    cluster.roles[0].name, cluster.roles[0].preferred_owners = "named otherwise", ["HV01"]
    store = Store(place(here[1]))
    at = datetime(2026, 4, 1, tzinfo=UTC)
    gap = Spot(address_of("hv01", ("vm", "web01")), "notes")
    replicates = Standing.of("replication", "", "web01", "replicating to hv09, normal")
    old = {key_of(gap): Difference(gap, "", "new", "", "site.yml", key_of(gap))}
    check = Check("drift", ("site.yml",), at, at, (), 0, addresses={"hv01": "hv01.example.com"})
    store.write(check, [Seen("hv01", None, old, standings=(replicates,))], at)
    for words in (["drain", "hv01", "--check"], ["drain", "hv01", "-y", "--no-history"], ["resume", "hv01", "--check"]):
        assert verb(tmp_path, own, *words, *here) == 0
    assert {p.name: len(p.standings) for p in told(store)} == {"hv01": 1}, "neither a plan nor --no-history is kept"
    assert verb(tmp_path, own, "resume", "hv01", "-y", *here) == 0
    stood = {p.name: [(s.what, s.name, s.standing, s.gone is None) for s in p.standings] for p in told(store)}
    assert stood == {
        "hv01": [("role", "web01", "on HV01", True), ("replication", "web01", replicates.standing, True)],
        "hv02": [("role", "web02", "on HV02", True), ("move", "web01", "moved from HV02 to HV01", False)],
    }
    assert verb(tmp_path, own, "drain", "hv01", "-y", *here) == 0
    stood = {p.name: [(s.what, s.name, s.standing, s.gone is None) for s in p.standings] for p in told(store)}
    assert stood["hv01"] == [
        ("role", "web01", "on HV01", False),
        ("replication", "web01", replicates.standing, True),
        ("move", "web01", "moved from HV01 to HV02", False),
    ]
    assert stood["hv02"][0] == ("role", "web01", "on HV02", True)
    assert [s.gone for p in told(store) for s in p.spans] == [None]


def test_of_a_drain_whose_end_nobody_saw_no_move_is_told(tmp_path: Path) -> None:
    own, here = estate(), ["--history", str(tmp_path / "history.db")]
    lost = Reached(TwinTransport(own.hosts["hv02"]), own, "hv02", away=False, lost_at=1)

    def serve(host: SimulatedHost) -> Transport:
        return lost if host is own.hosts["hv02"] else Reached(TwinTransport(host), own, "hv01", away=False)

    assert verb(tmp_path, own, "drain", "hv01", "-y", *here, serve=serve) != 0
    assert lost.changes and not any(p.standings for p in told(Store(place(here[1]))))


def test_how_each_goes_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = estate()
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    cluster.roles[0].priority = 1000
    assert verb(tmp_path, own, "drain", "hv01", "--check") == 0
    assert "web01 by way of a saved state for its low priority to HV02" in " ".join(capsys.readouterr().out.split())
    assert verb(tmp_path, own, "drain", "hv02", "--check") == 0
    assert "web02 as it is (off) to HV01" in " ".join(capsys.readouterr().out.split())
    cluster.roles[0].possible_owners = ["HV01"]
    assert verb(tmp_path, own, "drain", "hv01", "--check") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "no possible owner of web01 is up but HV01, so it stays, and HV01 is not drained" in out
    assert "for its low priority to no node" in out


def test_how_many_roles_have_left_is_told_while_it_waits() -> None:
    own = estate()
    moved(own, "web02", "HV01")
    watch, node = leaving("HV01", 2), TwinTransport(own.hosts["hv02"])
    assert watch is not None
    left, told = Left("s2", watch, 0), list[Event | None]()
    for to in ("HV01", "HV02"):
        moved(own, "web01", to)
        done = amount(watch, node.run(question(watch))[0].rows)
        assert done is not None
        told.append(left.seen(done, 0))
    assert told == [None, Event("progress", "s2", percent=50, text="1 of 2 roles have moved")]
    out = StringIO()
    progress = Progress(Console(file=out, width=120), {"hv02": {"s2": "wait"}})
    for event in filter(None, told):
        progress.event("hv02", event)
    assert out.getvalue() == "hv02: step 1 of 1: wait: 1 of 2 roles have moved\n"


def test_a_node_is_drained_by_the_engine(tmp_path: Path, engines: Engines) -> None:
    own = estate("2022")

    def serve(host: SimulatedHost) -> Transport:
        return EngineTransport(engines(host.os, "FullLanguage"), host)

    assert verb(tmp_path, own, "drain", "hv02", "-y", serve=serve) == 0
    assert [v.name for v in state(own, "hv01").vms] == ["web01", "web02"]


def test_what_cannot_leave_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = estate()
    here = state(own, "hv01")
    switch = own.hosts["hv01"].invoke("New-VMSwitch", {"Name": "lan", "SwitchType": "Private"})
    assert not switch.errors
    own.hosts["hv01"].invoke("Add-VMNetworkAdapter", {"VMName": "web01", "Name": "lan", "SwitchName": "lan"})
    assert verb(tmp_path, own, "drain", "hv01", "-y") != 0
    out = " ".join(capsys.readouterr().out.split())
    assert "HV02 has no switch lan, so web01 cannot move there" in out
    assert "not every role could leave HV01, which stays paused" in out
    assert [v.name for v in here.vms] == ["web01"]


def test_a_node_is_drained_though_owners_are_not_told(tmp_path: Path) -> None:
    own = estate()
    for host in own.hosts.values():
        host.failures.add(failure("Get-ClusterOwnerNode:times=100,error=no"))
    assert verb(tmp_path, own, "drain", "hv01", "-y") == 0
    assert [v.name for v in state(own, "hv02").vms] == ["web02", "web01"]


def test_a_role_that_is_locked_does_not_leave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = estate()
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    cluster.roles[0].status = LOCKED
    assert verb(tmp_path, own, "drain", "hv01", "-y") != 0
    out = " ".join(capsys.readouterr().out.split())
    assert "web01 live to no node ! web01 is locked, and does not move" in out
    assert "not every role could leave HV01, which stays paused" in out


def test_a_node_without_another_one_is_not_drained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = estate()
    cluster = state(own, "hv01").cluster
    assert cluster is not None
    cluster.nodes[1].state = "Paused"
    assert verb(tmp_path, own, "drain", "hv01", "-y") != 0
    assert "no other node is up that could take the roles of HV01" in " ".join(capsys.readouterr().out.split())
    assert state(own, "hv01").vms


def test_a_node_is_known_by_its_computer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the inventory calls it."""
    hosts = {"prod-a": {"name": "HV01", "vms": [vm("web01", 1)]}, "prod-b": {"name": "HV02"}}
    clusters = {"hvcl01": {"roles": [{"name": "web01", "owner": "HV01"}]}}
    own = Estate.from_data({"hosts": hosts, "shared": {r"C:\ClusterStorage\v1": {}}, "clusters": clusters})
    nodes = {"children": {"nodes": {"hosts": dict.fromkeys(own.hosts), "vars": {"hvctl_cluster": "hvcl01"}}}}
    assert verb(tmp_path, own, "drain", "prod-a", "-y", inventory=nodes) == 0
    assert "\nweb01 moved from HV01 to HV02\n" in capsys.readouterr().out
    own.lose("prod-a")
    assert verb(tmp_path, own, "resume", "prod-a", "--check", inventory=nodes) == 4
    assert "prod-a is no node of hvcl01, whose nodes are HV01, HV02" in " ".join(capsys.readouterr().out.split())


def test_a_host_that_is_no_node_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = estate()
    written(tmp_path, own, {}, "[]")
    argv = ["-i", str(tmp_path / "inventory.yml"), "cluster", "drain", "hv01"]
    assert main(argv) == 1
    assert "does not say which cluster hv01 is a node of" in " ".join(capsys.readouterr().err.split())
