"""A VM that is wanted on another host of its play: what the plan finds before anything is sent, and what becomes of it when
hosts are lost on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from hvctl.call import Batch, Event, Reply
from hvctl.config.inventory import Inventory
from hvctl.config.prepare import prepare
from hvctl.core.impact import Impact
from hvctl.core.outcome import Outcome, exit_status
from hvctl.core.status import DIFFERS, TROUBLE
from hvctl.fleet.rolling import Rolling
from hvctl.saved.planfile import load
from mocks.estate import Estate
from mocks.failures import failure
from mocks.migration import ROWS
from tests.estates.harness import Session, written

ID = "11111111-1111-1111-1111-111111111111"
HOST: dict[str, Any] = {
    "domain": "example.com",
    "virtual_machine_migration_enabled": True,
    "use_any_network_for_migration": True,
    "session": "credssp",
    "volumes": {"C": {}, "D": {"free": "100GB"}},
    "switches": [{"name": "lan", "net_adapters": ["NIC2"]}],
}
VM: dict[str, Any] = {
    "name": "app01",
    "id": ID,
    "generation": 1,
    "state": "Running",
    "drives": [{"at": "ide 0:0", "path": r"D:\VMs\os.vhdx"}],
    "adapters": [{"name": "lan", "switch": "lan"}],
}
PLAY = r"""
- hosts: hv03, hv04
  vms:
  - {name: app01, on_host: hv04, storage: 'D:\VMs', notes: there}
"""


def nics(number: int) -> list[dict[str, Any]]:
    return [{"name": "NIC1", "addresses": [f"192.0.2.{number}/24"]}, {"name": "NIC2"}]


def estate(
    os: str = "2022",
    here: Mapping[str, Any] = {},
    there: Mapping[str, Any] = {},
    both: Mapping[str, Any] = {},
    vm: Mapping[str, Any] = {},
    **more: Any,
) -> Estate:
    one: dict[str, Any] = {**deepcopy(HOST), "os": os, "net_adapters": nics(11), "vms": [{**deepcopy(VM), **vm}]}
    one["vhds"] = {r"D:\VMs\os.vhdx": {"size": "40GB", "file_size": "12GB"}}
    two = {**deepcopy(HOST), "os": os, "net_adapters": nics(12)}
    hosts = {"hv03": {**one, **both, **here}, "hv04": {**two, **both, **there}, **more}
    return Estate.from_data({"hosts": hosts})


@contextmanager
def session(on: Estate, play: str = PLAY, allow: tuple[Impact, ...] = ("move",), **more: Any) -> Iterator[Session]:
    with TemporaryDirectory() as folder:
        written(Path(folder), on, None, play)
        yield Session(on, Path(folder), frozenset(allow), **more)


def remarks(outcomes: Mapping[str, Outcome], warnings: bool = False) -> list[str]:
    plans = [one.plan for one in outcomes.values() if one.plan is not None]
    found = [r for plan in plans for a in plan.actions for r in a.remarks]
    return [f"{r.message}; {r.hint}" for r in found if (r.level == "warning") is warnings]


def where(on: Estate) -> dict[str, list[str]]:
    return {name: [vm.name for vm in host.state.vms] for name, host in on.hosts.items()}


# --- the preflight ----------------------------------------------------------------------------------------------------

KERBEROS = {"virtual_machine_migration_authentication_type": "Kerberos", "session": "kerberos"}
FOUND: dict[str, tuple[dict[str, Any], str]] = {
    "clustered": ({"vm": {"is_clustered": True}}, "app01 is a role of a cluster on hv03"),
    "not_configured": ({"here": {"virtual_machine_migration_enabled": False}}, "live migration is off on hv03"),
    "no_credentials": ({"both": {"session": "ntlm"}}, "logged on to hv03 by ntlm, which carries no credentials"),
    "not_listening": ({"there": {"virtual_machine_migration_enabled": False}}, "live migration is off on hv04"),
    "no_network": ({"there": {"use_any_network_for_migration": False}}, "hv04 takes moves on no network"),
    "limit": ({"there": {"maximum_virtual_machine_migrations": 0}}, "hv04 allows no move at a time"),
    "version": ({"there": {"os": "2012r2"}}, "of configuration version 10.0, and Windows Server 2012 R2 on hv04"),
    "switch": ({"there": {"switches": []}}, "hv04 has no switch lan"),
    "file": (
        {"vm": {"drives": [*VM["drives"], {"at": "ide 1:0", "path": r"D:\iso\w.iso"}]}}, r"hv04 has no D:\iso\w.iso",
    ),
    "shared": (
        {"vm": {"drives": [{**VM["drives"][0], "support_persistent_reservations": True}]}}, "ide 0:0 is shared",
    ),
    "pass_through": (
        {"vm": {"drives": [*VM["drives"], {"at": "ide 0:1", "disk_number": 3}]}}, "ide 0:1 is a physical one of hv03",
    ),
    "device": ({"vm": {"assigned_devices": ["PCIROOT(0)#PCI(0300)"]}}, "it has a device of hv03 itself (PCIROOT(0)#PCI(0300))"),
    "gpu": ({"vm": {"gpu_partitions": 1}}, "it has 1 partition of a GPU of hv03, which Windows Server 2022 does not move"),
    "memory": ({"there": {"memory": "256MB"}}, "hv04 has about 256 MB free"),
    "processors": ({"there": {"logical_processors": 1}, "vm": {"processor": {"count": 2}}}, "it has 2 processors"),
    "present": (
        {"there": {"vms": [{"name": "app01", "id": ID, "drives": [], "adapters": []}]}},
        "app01 is on hv04 (off) and on hv03 (running)",
    ),
}  # fmt: skip
COMPARED: dict[str, tuple[dict[str, Any], str]] = {
    "processor": ({"here": {"processor_level": 2}}, "processor-specific features"),
    "nested": ({"vm": {"guest": {"nested_hypervisor": True}}}, "runs a hypervisor"),
    "logon": ({"there": {"logon_as_a_service": False}}, "0x80070569"),
    "tpm": ({"vm": {"generation": 2, "drives": [{"at": "scsi 0:0", "path": r"D:\VMs\os.vhdx"}],
                    "key_protector": "local", "tpm_enabled": True}}, "could not be unwrapped"),
}  # fmt: skip
"""What only Hyper-V itself sees, by Compare-VM."""
NOWHERE = {"unreached", "itself"}
"""They cannot be: both hosts answer, and they are two."""


def test_every_refusal_is_found_before_anything_is_sent() -> None:
    assert {*FOUND, *COMPARED, *NOWHERE} == {row.name for row in ROWS}


OLDER = {"2012r2": "2012", "2016": "2012r2", "2022": "2019"}
TOLD = {"2012r2": ("5.0", "2012"), "2016": ("8.0", "2012 R2"), "2022": ("10.0", "2019")}


NOT_IN = {
    *(("device", os) for os in ("2012", "2012r2", "2016")),
    *(("tpm", os) for os in ("2012", "2012r2")),
    ("shared", "2012"),
    ("version", "2012"),
    *(("gpu", os) for os in ("2012", "2012r2", "2016")),
}
"""GPU partitions came with 2019 at the earliest. Virtual TPMs and devices of the host came with 2016, of which the
contract does not know the cmdlet; shared disks with 2012 R2. hvctl knows no Windows older than 2012."""
BY_VERSION = [(n, os) for n in (*FOUND, *COMPARED) for os in ("2012", *OLDER) if (n, os) not in NOT_IN]


@pytest.mark.parametrize(("name", "os"), BY_VERSION)
def test_the_plan_finds(name: str, os: str) -> None:
    given, says = {**FOUND, **COMPARED}[name]
    if name == "version":
        given = {"there": {"os": OLDER[os]}}
        says = "of configuration version {}, and Windows Server {} on hv04".format(*TOLD[os])
    on = estate(os, **given)
    before = {host: one.snapshot() for host, one in on.hosts.items()}
    with session(on) as run:
        done = run.applied()
        assert any(says in text for text in remarks(done)), remarks(done)
        assert not any(wire.changes for wire in run.wires.values())
    assert exit_status(done.values(), changes_count=True) & DIFFERS
    assert {host: one.snapshot() for host, one in on.hosts.items()} == before, "nothing was changed"


MORE: dict[str, tuple[dict[str, Any], str, str]] = {
    "room": ({"there": {"volumes": {"C": {}, "D": {"free": "5GB"}}}}, PLAY, "its disks take 12 GB, and D: of hv04 has 5 GB"),
    "volume": ({}, PLAY.replace(r"D:\VMs", r"E:\VMs"), r"hv04 has no volume E:"),
    "no storage": ({}, PLAY.replace(r"storage: 'D:\VMs', ", ""), "nothing says where it goes; write `storage: PATH`"),
    "a file there": (
        {"there": {"files": {r"D:\VMs\Virtual Hard Disks\os.vhdx": 5}}}, PLAY, "hv04 has a file D:\\VMs\\Virtual Hard Disks",
    ),
    "another name": (
        {}, PLAY.replace("notes: there", r"disks: [{at: ide 0:0, path: 'D:\VMs\root.vhdx'}]"), "keeps the names of files",
    ),
    "saved": ({"vm": {"state": "Saved"}}, PLAY, "it is saved on hv03"),
    "busy": ({"vm": {"tasks": ["MigratingVirtualMachine"]}}, PLAY, "cannot be changed while it is being migrated"),
    "replica": ({"vm": {"state": "Off", "replication": {"mode": "Replica"}}}, PLAY, ""),
    "other networks": (
        {"there": {"use_any_network_for_migration": False, "migration_networks": [{"subnet": "10.0.0.0/24"}]}}, PLAY,
        "hv04 has no address in the networks",
    ),
    "two ways to authenticate": (
        {"there": {"virtual_machine_migration_authentication_type": "Kerberos"}}, PLAY, "in different ways",
    ),
    "no domain": ({"there": {"domain": ""}}, PLAY, "hv04 is in no domain"),
    "a full host": (
        {"there": {"maximum_virtual_machine_migrations": 1,
                   "vms": [{"name": "x", "tasks": ["MigratingVirtualMachine"], "drives": [], "adapters": []}]}}, PLAY,
        "1 of 1 moves are under way on hv04",
    ),
    "no delegation": ({"both": KERBEROS}, PLAY, "0x8009030E"),
    "a guest that does not hear": (
        {"there": {"processor_vendor": "AuthenticAMD"}, "vm": {"guest": {"integration": False}}}, PLAY,
        "its guest cannot be asked to",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MORE)
def test_the_plan_finds_besides(name: str) -> None:
    given, play, says = MORE[name]
    on = estate(**given)
    with session(on, play, ("move", "restart")) as run:
        done = run.applied()
        assert not any(wire.changes and name != "replica" for wire in run.wires.values())
        assert name == "replica" or any(says in text for text in remarks(done)), remarks(done)
    if name != "replica":
        assert where(on)["hv03"] == ["app01"]


def test_of_one_vm_that_is_chosen_both_hosts_are_looked_at() -> None:
    on = estate()
    with session(on, PLAY + "- hosts: hv03\n  vms: [{name: other}]\n") as run:
        work = run.prepared(vms=("app01",))
        with run.run(work) as one:
            one.apply(one.plan(warm=True), recheck=True)
    assert sorted(w.name for w in work) == ["hv03", "hv04"]
    assert where(on) == {"hv03": [], "hv04": ["app01"]}


def test_what_is_moved_there_before_it_takes_room_too() -> None:
    """Each of the two would fit alone."""
    second = {
        **deepcopy(VM),
        "name": "app02",
        "id": ID.replace("1", "2"),
        "drives": [{"at": "ide 0:0", "path": r"D:\VMs\b.vhdx"}],
    }
    vms = [{**deepcopy(VM), "memory": {"startup": "2GB"}}, {**second, "memory": {"startup": "2GB"}}]
    disks = {path: {"size": "40GB", "file_size": "12GB"} for path in (r"D:\VMs\os.vhdx", r"D:\VMs\b.vhdx")}
    there = {"memory": "3GB", "volumes": {"C": {}, "D": {"free": "20GB"}}}
    on = estate(here={"vms": vms, "vhds": disks}, there=there)
    play = PLAY + "  - {name: app02, on_host: hv04, storage: 'D:\\VMs'}\n"
    with session(on, play) as run:
        done = run.applied()
    told = remarks(done)
    assert any("free, of which 2 GB go to what is moved there before it (0x8007000E)" in text for text in told), told
    assert any("D: of hv04 has 20 GB free, of which 12 GB go to what is moved" in text for text in told), told
    assert where(on) == {"hv03": ["app02"], "hv04": ["app01"]}


@pytest.mark.parametrize(("os", "delegation", "goes"), [
    ("2012r2", "kerberos_only", True), ("2016", "kerberos_only", False), ("2016", "any_protocol", True),
])  # fmt: skip
def test_constrained_delegation_is_told_of_and_tried(os: str, delegation: str, goes: bool) -> None:
    both = {**KERBEROS, "delegation": delegation}
    on = estate(os, {"delegates_to": ["hv04"]}, {"delegates_to": ["hv03"]}, both)
    with session(on) as run:
        done = run.applied()
    told = " ".join(remarks(done, warnings=True))
    assert "constrained delegation to each other" in told
    assert ("by any authentication protocol" in told) is (os != "2012r2")
    assert where(on) == ({"hv03": [], "hv04": ["app01"]} if goes else {"hv03": ["app01"], "hv04": []})


def test_nothing_is_asked_twice_and_a_settled_one_costs_no_second_look() -> None:
    on = estate()
    with session(on) as run:
        run.planned()
        assert {h: w.reads for h, w in run.wires.items()} == {"hv03": 2, "hv04": 2}
        run.applied()
        before = {h: w.reads for h, w in run.wires.items()}
        run.planned()
        assert {h: w.reads - before[h] for h, w in run.wires.items()} == {"hv03": 1, "hv04": 1}


def test_nothing_that_was_not_compared_is_told_to_agree() -> None:
    with session(estate()) as run:
        plan = run.planned()["hv04"].plan
        assert plan is not None
        (action,) = plan.actions
        assert {w.field: w.agrees for w in action.wanted} == {"": False, "on_host": False, "notes": False}
        run.applied()
        after = run.planned()["hv04"].plan
        assert after is not None
        assert {w.field: w.agrees for w in after.actions[0].wanted} == {"": True, "on_host": True, "notes": True}


def test_where_compare_vm_is_not_allowed_the_move_is_tried() -> None:
    on = estate()
    on.hosts["hv03"].failures.add(failure("Compare-VM:times=always,error=no_permission"))
    with session(on) as run:
        done = run.applied()
        assert any("Compare-VM is not allowed to this account" in text for text in remarks(done, warnings=True))
        assert where(on) == {"hv03": [], "hv04": ["app01"]}


def test_a_refusal_that_only_the_move_itself_finds_fails_the_step_and_leaves_it_where_it_is() -> None:
    on = estate()
    with session(on) as run, run.run() as first:
        outcomes = first.plan(warm=True)
        on.hosts["hv03"].failures.add(failure("Move-VM:error=move_refused"))
        done = {one.host: one for one in first.apply(outcomes, recheck=True)}
        report = done["hv03"].report
        assert report is not None
        assert [r.status for r in report.results] == ["failed"]
        assert where(on) == {"hv03": ["app01"], "hv04": []}
        assert exit_status(done.values(), changes_count=False) == DIFFERS + TROUBLE


@pytest.mark.parametrize("os", ["2012r2", "2022"])
def test_with_checkpoints_the_chain_goes_to_the_folder_of_the_disk(os: str) -> None:
    on = estate(os, vm={"checkpoints": [{"name": "before"}]})
    play = PLAY.replace("notes: there", r"notes: there, disks: [{at: ide 0:0, path: 'D:\Fast\os.vhdx'}]")
    with session(on, play) as run:
        done = run.applied()
        assert all(one.report is not None and one.report.complete for one in done.values()), remarks(done)
    (vm,) = on.hosts["hv04"].state.vms
    assert {d.path.rpartition("\\")[0] for d in on.hosts["hv04"].state.vhds} == {r"D:\Fast"}
    assert len(vm.checkpoints) == 1


def test_a_vm_of_an_earlier_name_is_moved_and_then_renamed() -> None:
    on = estate(vm={"name": "old"})
    with session(on, PLAY.replace("on_host", "previous_names: [old], on_host")) as run:
        done = run.applied()
        assert all(one.report is not None and one.report.complete for one in done.values()), remarks(done)
    assert where(on) == {"hv03": [], "hv04": ["app01"]}


def test_in_batches_both_hosts_of_a_move_come_together() -> None:
    third = {**deepcopy(HOST), "vms": [{"name": "app05", "drives": [], "adapters": []}]}
    on = estate(hv05=third)
    play = PLAY.replace("hosts: hv03, hv04", "hosts: hv03, hv04, hv05\n  serial: 1")
    with session(on, play + "  - {name: app05, on_host: hv05, notes: x}\n") as run, run.run() as first:
        outcomes = first.plan(warm=True)
        done = {one.host: one for one in first.roll(outcomes, Rolling(), recheck=True)}
        assert all(one.report.complete for one in done.values() if one.report is not None)
        assert where(on) == {"hv03": [], "hv04": ["app01"], "hv05": ["app05"]}
        assert [on.hosts[host].state.vms[0].notes for host in ("hv04", "hv05")] == ["there", "x"]


# --- where it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("os", ["2012", "2012r2", "2016", "2022"])
def test_it_goes_and_what_else_is_wanted_is_done_there(os: str) -> None:
    on = estate(os)
    with session(on) as run:
        done = run.applied()
        assert all(one.report is not None and one.report.complete for one in done.values())
        assert exit_status(done.values(), changes_count=False) == 0
    (vm,) = on.hosts["hv04"].state.vms
    assert (vm.state, vm.notes) == ("Running", "there")


def test_a_vm_on_two_hosts_is_an_error_that_names_both() -> None:
    third = {**deepcopy(HOST), "vms": [{"name": "APP01", "drives": [], "adapters": []}]}
    on = estate(hv05=third)
    with session(on, PLAY.replace("hv03, hv04", "hv03, hv04, hv05")) as run:
        done = run.applied()
    assert any("app01 is on hv03 (running) and on hv05 (off)" in text for text in remarks(done))
    assert where(on) == {"hv03": ["app01"], "hv04": [], "hv05": ["APP01"]}


def test_the_same_id_under_another_name_is_the_same_vm() -> None:
    on = estate(there={"vms": [{"name": "app01", "id": ID, "drives": [], "adapters": []}]}, vm={"name": "renamed"})
    with session(on) as run:
        done = run.planned()
    assert any("app01 is on hv04 (off) and on hv03 (running)" in text for text in remarks(done))


def test_a_replica_on_the_other_host_is_not_the_vm() -> None:
    replica = {"name": "app01", "id": ID, "drives": [], "adapters": [], "replication": {"mode": "Replica"}}
    on = estate(here={"vms": [replica]}, there={"vms": [{**VM, "notes": "there"}]})
    with session(on) as run:
        done = run.planned()
    assert all(one.plan is not None and one.plan.in_sync for one in done.values()), remarks(done)


def test_a_host_that_is_away_makes_unknown_only_what_may_be_on_it() -> None:
    on = estate()
    play = PLAY + "  - {name: app02, on_host: hv04, notes: x}\n"
    on.hosts["hv04"].invoke("New-VM", {"Name": "app02", "Generation": 1, "MemoryStartupBytes": 2**29, "NoVHD": True})
    with session(on, play, away=("hv03",)) as run:
        done = run.applied()
    plan = done["hv04"].plan
    assert plan is not None
    verbs = {a.address.key: a.verb for a in plan.actions}
    assert verbs == {"app01": "unknown", "app02": "update"}
    assert any("whether it has a VM app02 too is not known" in text for text in remarks(done, warnings=True))
    assert where(on)["hv04"] == ["app02"]
    assert on.hosts["hv04"].state.vms[0].notes == "x"


def test_a_part_of_the_play_plans_that_part_and_says_what_it_leaves_out() -> None:
    on = estate()
    with session(on) as run:
        work = run.prepared("hv04")
        with run.run(work) as part:
            done = {one.host: one for one in part.plan()}
        assert list(done) == ["hv04"]
        assert any("hv03 is not among the hosts of this run" in text for text in remarks(done))
        inventory = Inventory.load(run.folder / "inventory.yml")
        told = {}
        for limit in ("hv03", "hv04", None):
            found = prepare(inventory, [str(run.folder / "site.yml")], limit=limit, learn=lambda secret: None)
            told[limit] = [w.message for w in found.warnings if "left out" in w.message or "leaves out" in w.message]
        assert told == {
            "hv03": ["vm app01 is wanted on hv04, which this run leaves out: nothing of it is planned"],
            "hv04": ["vm app01 may be on hv03, which this run leaves out: it is not moved from there, nor made"],
            None: [],
        }


def test_a_vm_that_is_on_its_host_is_planned_without_the_others() -> None:
    on = estate(here={"vms": []}, there={"vms": [VM]})
    with session(on) as run:
        with run.run(run.prepared("hv04")) as part:
            done = {one.host: one for one in part.apply(part.plan(warm=True), recheck=True)}
        report = done["hv04"].report
        assert report is not None
        assert report.complete
        assert on.hosts["hv04"].state.vms[0].notes == "there"
        told = remarks(done, warnings=True)
        assert any("hv03 is not among the hosts of this run: whether it has a VM app01 too" in text for text in told), (
            told
        )


def test_the_example_playbook_comes_true() -> None:
    """In one apply: live migration is switched on, then the VM moves."""
    on = estate(both={"virtual_machine_migration_enabled": False, **KERBEROS, "delegation": "any_protocol"})
    hosts = {"hv01.tokyo": on.hosts["hv03"], "hv02.osaka": on.hosts["hv04"]}
    for host, other in zip(hosts.values(), ("HV04", "HV03"), strict=True):
        host.state.delegates_to.append(other)
    text = (Path(__file__).parents[2] / "playbooks/moves.yml").read_text(encoding="utf-8")
    app01 = on.hosts["hv03"].state.vms[0]
    app01.name = "app02"
    on.hosts["hv03"].invoke("New-VM", {"Name": "app01", "Generation": 1, "MemoryStartupBytes": 2**29, "NoVHD": True})
    with session(Estate(hosts, on.clock), text, ()) as run:
        done = run.applied()
        assert all(one.report is not None and one.report.complete for one in done.values()), remarks(done)
        assert where(run.estate) == {"hv01.tokyo": ["app01"], "hv02.osaka": ["app02"]}


def test_one_that_somebody_moves_meanwhile_refuses_the_plan_and_is_found_by_the_next() -> None:
    on = estate()
    with session(on) as run, run.run() as first:
        outcomes = first.plan(warm=True)
        moved = {"Name": "app01", "DestinationHost": "hv04", "IncludeStorage": True, "DestinationStoragePath": r"D:\X"}
        assert not on.hosts["hv03"].invoke("Move-VM", moved).errors
        done = {one.host: one for one in first.apply(outcomes, recheck=True)}
        assert done["hv03"].changed
        assert not moves(run)
        again = run.applied()
        assert all(one.report.complete for one in again.values() if one.report is not None)
        assert on.hosts["hv04"].state.vms[0].notes == "there"


def test_a_host_of_the_play_that_is_lost_meanwhile_holds_up_only_what_concerns_it() -> None:
    """Three hosts are planned as one; a VM goes from one to another, and the third has something of its own to do."""
    third = {**deepcopy(HOST), "vms": [{"name": "app05", "drives": [], "adapters": []}]}
    on = estate(hv05=third)
    play = PLAY.replace("hv03, hv04", "hv03, hv04, hv05") + "  - {name: app05, on_host: hv05, notes: x}\n"
    with session(on, play) as run, run.run() as first:
        outcomes = first.plan(warm=True)
        on.lose("hv05")
        done = {one.host: one for one in first.apply(outcomes, recheck=True)}
        assert where(on)["hv04"] == ["app01"]
        assert done["hv05"].report is not None
        assert done["hv05"].report.error is not None
        assert done["hv04"].report is not None
        assert done["hv04"].report.complete


# --- a plan that is kept ----------------------------------------------------------------------------------------------


@contextmanager
def kept(run: Session) -> Iterator[Callable[[], dict[str, Outcome]]]:
    """A plan file, and its apply."""
    file = run.folder / "plan.json"
    work = run.prepared()
    with run.run(work) as first:
        first.save(first.plan(), str(file), "hvctl apply plan.json")

    def applied() -> dict[str, Outcome]:
        saved = load(str(file))
        by_name = {one.name: one for one in work}
        again = [replace(by_name[one.name], desired=one.desired) for one in saved.hosts]
        before, run.allow = run.allow, frozenset()
        try:
            with run.run(again) as second:
                return {one.host: one for one in second.apply(second.plan_again(saved.hosts), recheck=False)}
        finally:
            run.allow = before

    yield applied


def test_a_plan_of_several_hosts_is_kept_in_a_file_and_applied() -> None:
    on = estate()
    with session(on) as run, kept(run) as applied:
        assert where(on)["hv03"] == ["app01"]
        done = applied()
        assert all(one.report is not None and one.report.complete for one in done.values()), remarks(done)
        assert where(on) == {"hv03": [], "hv04": ["app01"]}
        assert on.hosts["hv04"].state.vms[0].notes == "there", "the rest too, with what the file allows"


def test_it_is_refused_on_all_its_hosts_where_one_has_changed() -> None:
    on = estate()
    with session(on) as run, kept(run) as applied:
        on.hosts["hv04"].invoke("Remove-VMSwitch", {"Name": "lan", "Force": True})
        done = applied()
        assert not moves(run)
        assert any("Move-VM" in line or "move app01" in line for line in done["hv03"].changed), done["hv03"].changed
        assert done["hv04"].changed == ("it is planned together with hv03, where something has changed",)


# --- hosts that are lost ----------------------------------------------------------------------------------------------


def settled(run: Session, lost: str) -> dict[str, Outcome]:
    run.estate.bring_back(lost)
    run.lost = {}
    for wire in run.wires.values():
        wire._lost_at = 0
    return run.applied()


def lost_after(run: Session, seconds: float, lost: str) -> dict[str, Outcome]:
    """So long after the move was sent. It is back some minutes later."""
    wire = run.wires["hv03"]
    inner = wire.run

    def watched(batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        if batch.tasks and batch.mode == "change":
            run.estate.clock.after(seconds, lambda: run.estate.lose(lost))
            run.estate.clock.after(seconds + 100, lambda: run.estate.bring_back(lost))
        return inner(batch, on_event)

    wire.run = watched  # type: ignore[method-assign]
    done = run.applied()
    wire.run = inner  # type: ignore[method-assign]
    return done


def moves(run: Session) -> int:
    return sum(t.call.cmdlet == "Move-VM" for w in run.wires.values() for b in w.changes for t in b.tasks)


def test_the_connection_is_lost_and_the_vm_has_moved() -> None:
    """Before the answer: both hosts are read, and it is never sent twice."""
    on = estate()
    with session(on, lost={"hv03": 1}) as run:
        on.clock.after(60, lambda: on.bring_back("hv03"))  # the source answers again while it is looked at
        done = run.applied()
        report = done["hv03"].report
        assert report is not None
        assert [r.status for r in report.results] == ["unknown"]
        assert report.results[0].why.endswith("it is on hv04")
        assert where(on) == {"hv03": [], "hv04": ["app01"]}
        assert on.hosts["hv04"].state.vms[0].notes == "there", "the rest is done where it is"
        assert exit_status(done.values(), changes_count=False) & TROUBLE
        again = settled(run, "hv03")
        assert all(one.plan is not None and one.plan.in_sync for one in again.values())
        assert moves(run) == 1


@pytest.mark.parametrize(
    ("lost", "says"),
    [("hv03", "hv03 could not be read"), ("hv04", "hv04")],
)
def test_a_host_that_is_lost_before_keeps_everything_where_it_is(lost: str, says: str) -> None:
    on = estate()
    with session(on, away=(lost,)) as run:
        done = run.applied()
        assert not moves(run)
        assert exit_status(done.values(), changes_count=False) & TROUBLE
        assert where(on) == {"hv03": ["app01"], "hv04": []}
        again = settled(run, lost)
        assert all(one.report is not None and one.report.complete for one in again.values()), remarks(again)


@pytest.mark.parametrize("os", ["2012", "2012r2", "2016", "2022"])
@pytest.mark.parametrize("lost", ["hv03", "hv04"])
def test_a_host_that_is_lost_on_the_way(os: str, lost: str) -> None:
    """The VM stays on its host. A destination that was lost keeps a planned VM, which is told until somebody removes it."""
    on = estate(os)
    with session(on) as run:
        done = lost_after(run, 8, lost)
        assert exit_status(done.values(), changes_count=False) & TROUBLE
        assert moves(run) == 1
        assert where(on)["hv03"] == ["app01"]
        on.bring_back(lost)
        again = run.applied()
        if lost == "hv04":
            told = " ".join(remarks(again))
            if on.hosts["hv04"].state.module2:
                assert "app01 is on hv03 (running), and hv04 has a planned VM of it" in told
            else:
                assert "a move that was cut off leaves such a one" in told
            assert moves(run) == 1
            assert not on.hosts["hv04"].invoke("Remove-VM", {"Name": "app01", "Force": True}).errors
            again = run.applied()
        # Half a copy stays behind, and nothing is written over (replica-migration 5).
        assert any("has a file" in text for text in remarks(again)), remarks(again)
        on.hosts["hv04"].invoke("Remove-Item", {"LiteralPath": r"D:\VMs\Virtual Hard Disks\os.vhdx"})
        again = run.applied()
        assert all(one.report is not None and one.report.complete for one in again.values()), remarks(again)
        assert where(on) == {"hv03": [], "hv04": ["app01"]}
        assert moves(run) == 2


@pytest.mark.parametrize("lost", ["hv03", "hv04"])
def test_a_host_that_is_lost_afterwards(lost: str) -> None:
    on = estate()
    with session(on) as run:
        wire = run.wires["hv03"]
        inner = wire.run

        def then_lost(batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
            replies = inner(batch, on_event)
            if batch.tasks and batch.mode == "change":
                on.lose(lost)
            return replies

        wire.run = then_lost  # type: ignore[method-assign]
        done = run.applied()
        assert where(on) == {"hv03": [], "hv04": ["app01"]}
        assert exit_status(done.values(), changes_count=False) & (TROUBLE | DIFFERS)
        wire.run = inner  # type: ignore[method-assign]
        again = settled(run, lost)
        assert all(one.plan is not None for one in again.values())
        assert on.hosts["hv04"].state.vms[0].notes == "there"
        assert moves(run) == 1


def test_a_run_that_was_killed_in_the_middle_of_a_move() -> None:
    """The move goes on by itself; the next run says so, touches nothing, and does the rest when it has ended."""
    on = estate()
    with session(on) as run:
        call = run.planned()["hv03"].plan
        assert call is not None
        params = {"Name": "app01", "DestinationHost": "hv04", "VirtualMachinePath": r"D:\VMs", "Vhds": [
            {"SourceFilePath": r"D:\VMs\os.vhdx", "DestinationFilePath": r"D:\VMs\Virtual Hard Disks\os.vhdx"}
        ]}  # fmt: skip
        assert on.hosts["hv03"].invoke("Move-VM", {**params, "AsJob": True}).job is not None
        done = run.applied()
        assert any("app01 cannot be changed while it is being migrated" in text for text in remarks(done)), remarks(
            done
        )
        assert not moves(run)
        on.clock.sleep(600)
        again = run.applied()
        assert all(one.report.complete for one in again.values() if one.report is not None)
        assert where(on) == {"hv03": [], "hv04": ["app01"]}
        assert on.hosts["hv04"].state.vms[0].notes == "there"
        assert not moves(run)


def test_what_was_started_of_a_quick_way_is_brought_to_its_end() -> None:
    """Shut down and then not moved: it is moved by the next apply, and started there."""
    on = estate(there={"processor_vendor": "AuthenticAMD"})
    with session(on, allow=("move", "restart")) as run:
        on.hosts["hv03"].failures.add(failure("Move-VM"))
        run.applied()
        assert on.hosts["hv03"].state.vms[0].state == "Off"
        again = run.applied()
        assert all(one.report is not None and one.report.complete for one in again.values()), remarks(again)
    assert on.hosts["hv04"].state.vms[0].state == "Running"


def test_where_the_old_host_does_not_say_what_it_owes_nothing_moves() -> None:
    on = estate(vm={"state": "Off"})
    on.hosts["hv03"].failures.add(failure("Get-ChildItem:times=always,error=no_permission"))
    with session(on) as run:
        run.applied()
    assert where(on) == {"hv03": ["app01"], "hv04": []}


def test_a_start_that_was_owed_once_is_forgotten_where_a_vm_that_runs_goes() -> None:
    """A move was broken off, somebody started the VM by hand: when it is next turned off it is nobody's debt."""
    on = estate()
    note = {"Path": rf"C:\ProgramData\hvctl\owed\{ID}.running.txt", "ItemType": "File", "Force": True}
    with session(on) as run:
        assert not on.hosts["hv04"].invoke("New-Item", note).errors
        run.applied()
        assert where(on) == {"hv03": [], "hv04": ["app01"]}
        on.hosts["hv04"].state.vms[0].state = "Off"
        assert all(one.plan is not None and one.plan.in_sync for one in run.planned().values())


@pytest.mark.parametrize("state", ["running", "paused"])
def test_a_start_that_is_owed_goes_along(state: str) -> None:
    """hvctl took it down on the old host and could not bring it up again: the new one owes it that, and the old one no more."""
    note = rf"\owed\{ID}.{state}.txt"
    on = estate(vm={"state": "Off"})
    there = {"Path": rf"C:\ProgramData\hvctl{note}", "ItemType": "File", "Force": True}
    with session(on) as run:
        assert not on.hosts["hv03"].invoke("New-Item", there).errors
        done = run.applied()
        assert all(one.report is not None and one.report.complete for one in done.values()), remarks(done)
        assert all(one.plan is not None and one.plan.in_sync for one in run.planned().values())
    assert on.hosts["hv04"].state.vms[0].state.lower() == state
    assert not [file for host in on.hosts.values() for file in host.state.files if note in file]


# --- hosts that are made ready in the same run --------------------------------------------------------------------------

READY = r"""
- hosts: hv03, hv04
  host:
    live_migration: {enabled: yes, authentication: credssp, maximum: 2}
    migration_networks: [192.0.2.0/24]
  switches: [{name: lan, type: private}]
  vms:
  - {name: app01, on_host: hv04, storage: 'D:\VMs', notes: there}
"""
FRESH: dict[str, Any] = {"virtual_machine_migration_enabled": False, "use_any_network_for_migration": False}


@pytest.mark.parametrize("os", ["2012", "2022"])
def test_hosts_are_made_ready_and_the_vm_moves_in_one_apply(os: str) -> None:
    """Switched on on both, its network listed, its switch made: each before the move, on whichever host."""
    lan = {"switches": [{"name": "lan", "type": "Private"}]}
    there = {"switches": [], "virtual_machine_migration_authentication_type": "Kerberos"}
    on = estate(os, lan, {**there, "maximum_virtual_machine_migrations": 0}, FRESH)
    with session(on, READY) as run:
        done = run.applied()
        assert all(one.report is not None and one.report.complete for one in done.values()), remarks(done)
        assert where(on) == {"hv03": [], "hv04": ["app01"]}
        assert on.hosts["hv04"].state.vms[0].notes == "there"
        assert all(one.plan is not None and one.plan.in_sync for one in run.planned().values())
    told = " ".join(remarks(done, warnings=True))
    assert "whether Hyper-V takes this one is seen when it begins" in told


def test_the_move_waits_for_both_hosts_and_is_not_sent_where_one_of_them_fails() -> None:
    on = estate(here={"switches": [{"name": "lan", "type": "Private"}]}, there={"switches": []}, both=FRESH)
    with session(on, READY) as run:
        on.hosts["hv04"].failures.add(failure("Enable-VMMigration"))
        plan = run.planned()["hv03"].plan
        assert plan is not None
        (step,) = (s for s in plan.steps if s.moves)
        assert {(a.host, a.text) for a in step.awaits} == {
            ("hv04", "enable live migration"), ("hv04", "add the migration network 192.0.2.0/24"), ("hv04", "make switch lan"),
        }  # fmt: skip
        run.applied()
        assert not moves(run)


@pytest.mark.parametrize("lost", ["hv03", "hv04"])
def test_a_host_that_is_lost_while_it_is_made_ready(lost: str) -> None:
    """What it was sent it still does; the next apply does the rest, and the VM moves once."""
    lan = {"switches": [{"name": "lan", "type": "Private"}]}
    on = estate("2022", lan, {"switches": []}, FRESH)
    with session(on, READY, lost={lost: 1}) as run:
        done = run.applied()
        assert exit_status(done.values(), changes_count=False) & TROUBLE
        on.clock.sleep(600)
        again = settled(run, lost)
        assert all(one.report is None or one.report.complete for one in again.values()), remarks(again)
        assert where(on) == {"hv03": [], "hv04": ["app01"]}
        assert on.hosts["hv04"].state.vms[0].notes == "there"
        assert moves(run) == 1
        assert all(one.plan is not None and one.plan.in_sync for one in run.planned().values())


ACCEPTED = "accept: {until: 2099-01-31, reason: not yet, fields: [live_migration.enabled]}"
LISTED = {"use_any_network_for_migration": False, "migration_networks": [{"subnet": "192.0.2.0/24"}]}
HELD: dict[str, tuple[dict[str, Any], str, str]] = {
    "enabled": (
        {"there": {"virtual_machine_migration_enabled": False}},
        f"host: {{live_migration: {{enabled: yes}}, {ACCEPTED}}}",
        "live migration is off on hv04: to set enabled of its live_migration is held back; see what is said of host of hv04",
    ),
    "switched off": ({}, "host: {live_migration: {enabled: no}}", "live migration is off on hv03"),
    "listed no more": (
        {"there": LISTED},
        "host: {migration_networks: [{subnet: 192.0.2.0/24, ensure: absent}]}",
        "hv04 takes moves on no network",
    ),
}


@pytest.mark.parametrize("name", HELD)
def test_a_move_is_judged_by_hosts_as_they_will_be(name: str) -> None:
    given, section, says = HELD[name]
    with session(estate(**given), PLAY.replace("  vms:", f"  {section}\n  vms:")) as run:
        done = run.applied()
        assert any(says in text for text in remarks(done)), remarks(done)
        assert not moves(run)
