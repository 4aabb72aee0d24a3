"""A move of a VM between simulated hosts, and each of its refusals (replica-migration 4)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from mocks import files
from mocks.estate import Estate
from mocks.migration import ROWS
from mocks.objects import Outcome

ID = "11111111-1111-1111-1111-111111111111"
GB = 2**30
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
    "state": "Running",
    "drives": [{"at": "scsi 0:0", "path": r"D:\VMs\os.vhdx"}],
    "adapters": [{"name": "lan", "switch": "lan"}],
}
STORAGE: dict[str, Any] = {
    "VirtualMachinePath": r"D:\New",
    "Vhds": [{"SourceFilePath": r"D:\VMs\os.vhdx", "DestinationFilePath": r"D:\New\os.vhdx"}],
}


def nics(number: int) -> list[dict[str, Any]]:
    return [{"name": "NIC1", "addresses": [f"192.0.2.{number}/24"]}, {"name": "NIC2"}]


def estate(
    os: str = "2022",
    here: Mapping[str, Any] = {},
    there: Mapping[str, Any] = {},
    both: Mapping[str, Any] = {},
    vm: Mapping[str, Any] = {},
) -> Estate:
    one: dict[str, Any] = {**deepcopy(HOST), "os": os, "net_adapters": nics(11), "vms": [{**deepcopy(VM), **vm}]}
    one["vhds"] = {r"D:\VMs\os.vhdx": {"size": "40GB", "file_size": "12GB"}}
    two = {**deepcopy(HOST), "os": os, "net_adapters": nics(12)}
    return Estate.from_data({"hosts": {"hv01": {**one, **both, **here}, "hv02": {**two, **both, **there}}})


def moved(on: Estate, cmdlet: str = "Move-VM", host: str = "hv02.example.com", **more: Any) -> Outcome:
    params = {"Name": "app01", "DestinationHost": host, **STORAGE, **more}
    return on.hosts["hv01"].invoke(cmdlet, {k: v for k, v in params.items() if v is not None})


def names(on: Estate, host: str) -> list[str]:
    return [vm.name for vm in on.hosts[host].state.vms]


@pytest.mark.parametrize("os", ["2012", "2012r2", "2016", "2022", "2025"])
def test_a_running_vm_moves_with_its_storage(os: str) -> None:
    on = estate(os)
    here, there = (on.hosts[h].state for h in ("hv01", "hv02"))
    hashed = files.sha256(here, r"D:\VMs\os.vhdx")
    assert moved(on).errors == []
    assert (names(on, "hv01"), names(on, "hv02")) == ([], ["app01"])
    (vm,) = there.vms
    assert (vm.id, vm.state, vm.path, vm.tasks) == (ID, "Running", r"D:\New", [])
    assert [d.path for d in vm.disks] == [r"D:\New\os.vhdx"]
    assert vm.nics[0].switch == there.switches[0].id
    assert here.vhds == []
    assert (here.volumes["D"].free, there.volumes["D"].free) == (112 * GB, 88 * GB)
    assert files.sha256(there, r"D:\New\os.vhdx") == hashed


def test_from_2012_to_2012_r2_and_not_back() -> None:
    on = estate("2012", there={"os": "2012r2"})
    assert moved(on).errors == []
    (vm,) = on.hosts["hv02"].state.vms
    assert vm.version == "5.0"
    back = {"Name": "app01", "DestinationHost": "hv01", "Vhds": [
        {"SourceFilePath": r"D:\New\os.vhdx", "DestinationFilePath": r"D:\VMs\os.vhdx"}]}  # fmt: skip
    (error,) = on.hosts["hv02"].invoke("Move-VM", back).errors
    assert "isn't compatible with the hardware requirements" in error.message
    assert names(on, "hv02") == ["app01"]


def test_a_chain_of_checkpoints_goes_along_into_one_folder() -> None:
    on = estate(vm={"checkpoints": [{"name": "before"}]})
    here, there = (on.hosts[h].state for h in ("hv01", "hv02"))
    leaf = here.vms[0].disks[0].path or ""
    vhds = [{"SourceFilePath": leaf, "DestinationFilePath": "D:\\New\\" + leaf.rpartition("\\")[2]}]
    assert moved(on, Vhds=vhds).errors == []
    assert {files.parent(d.path) for d in there.vhds} == {r"D:\New"}
    assert len(list(files.chain_paths(there, there.vms[0].disks[0].path))) == 2


def test_storage_that_both_see_stays_where_it_is() -> None:
    path = r"\\fs\vms\os.vhdx"
    hosts = {
        "hv01": {**HOST, "net_adapters": nics(11), "vms": [{**VM, "drives": [{"at": "scsi 0:0", "path": path}]}]},
        "hv02": {**HOST, "net_adapters": nics(12)},
    }
    on = Estate.from_data({"hosts": hosts, "shared": {r"\\fs\vms": {"vhds": {path: {"size": "40GB"}}}}})
    assert moved(on, VirtualMachinePath=None, Vhds=None).errors == []
    assert [d.path for d in on.hosts["hv02"].state.vms[0].disks] == [path]


KERBEROS = {"virtual_machine_migration_authentication_type": "Kerberos"}
MUTUAL: dict[str, Any] = {"here": {"delegates_to": ["hv02"]}, "there": {"delegates_to": ["hv01.example.com"]}}
SESSIONS: list[tuple[str, str, dict[str, Any], dict[str, Any], bool]] = [  # 4.3, row by row
    ("2022", "a console", {"session": "console"}, {}, True),
    ("2022", "NTLM", {"session": "ntlm"}, {}, False),
    ("2022", "Kerberos", {"session": "kerberos"}, {}, False),
    ("2022", "CredSSP", {"session": "credssp"}, {}, True),
    ("2025", "CredSSP under Credential Guard", {"session": "credssp", "credential_guard": True}, {}, False),
    ("2012r2", "Kerberos only", {**KERBEROS, "session": "kerberos"}, MUTUAL, True),
    ("2016", "Kerberos only", {**KERBEROS, "session": "kerberos"}, MUTUAL, False),
    ("2022", "any protocol", {**KERBEROS, "session": "kerberos", "delegation": "any_protocol"}, MUTUAL, True),
    ("2022", "any protocol from NTLM", {**KERBEROS, "session": "ntlm", "delegation": "any_protocol"}, MUTUAL, True),
    ("2022", "one way alone", {**KERBEROS, "session": "kerberos", "delegation": "any_protocol"},
     {"here": {"delegates_to": ["hv02"]}}, False),
    ("2022", "a ticket that goes along", {**KERBEROS, "session": "kerberos delegated"}, {}, True),
]  # fmt: skip


@pytest.mark.parametrize(("os", "what", "both", "each", "works"), SESSIONS, ids=[f"{s[1]}-{s[0]}" for s in SESSIONS])
def test_who_is_logged_on_decides(os: str, what: str, both: dict[str, Any], each: dict[str, Any], works: bool) -> None:
    for cmdlet in ("Compare-VM", "Move-VM"):
        outcome = moved(estate(os, both=both, **each), cmdlet)
        assert (outcome.errors == []) is works, what
        if not works:
            assert "(0x8009030E)" in outcome.errors[0].message


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "unreached": ({}, {"host": "hv09"}, "0x8007274C"),
    "itself": ({}, {"host": "hv01"}, "already on"),
    "clustered": ({"vm": {"is_clustered": True}}, {}, "clustered"),
    "not_configured": ({"here": {"virtual_machine_migration_enabled": False}}, {}, "not configured"),
    "no_credentials": ({"here": {"session": "ntlm"}}, {}, "0x8009030E"),
    "not_listening": ({"there": {"virtual_machine_migration_enabled": False}}, {}, "0x8007274D"),
    "no_network": (
        {"there": {"use_any_network_for_migration": False, "migration_networks": [{"subnet": "10.0.0.0/24"}]}},
        {}, "0x8007274C",
    ),
    "limit": ({"there": {"maximum_virtual_machine_migrations": 0}}, {}, 'limit "0"'),
    "logon": ({"there": {"logon_as_a_service": False}}, {}, "0x80070569"),
    "version": ({"there": {"os": "2012r2"}}, {}, "hardware requirements"),
    "processor": ({"there": {"processor_vendor": "AuthenticAMD"}}, {}, "processor-specific"),
    "switch": ({"there": {"switches": []}}, {}, "'lan'"),
    "file": (
        {"vm": {"drives": [*VM["drives"], {"at": "scsi 0:1", "path": r"D:\iso\w.iso"}]}}, {}, r"D:\iso\w.iso",
    ),
    "shared": (
        {"vm": {"drives": [{**VM["drives"][0], "support_persistent_reservations": True}]}}, {}, "is shared",
    ),
    "pass_through": (
        {"vm": {"drives": [*VM["drives"], {"at": "scsi 0:1", "disk_number": 3}]}}, {}, "physical disk",
    ),
    "device": ({"vm": {"assigned_devices": ["PCIROOT(0)#PCI(0300)"]}}, {}, "a device that is assigned to it"),
    "gpu": ({"vm": {"gpu_partitions": 1}}, {}, "a partition of a GPU"),
    "memory": ({"there": {"memory": "256MB"}}, {}, "0x8007000E"),
    "processors": ({"there": {"logical_processors": 1}, "vm": {"processor": {"count": 2}}}, {}, "more processors"),
    "present": ({"there": {"vms": [{"name": "other", "id": ID, "drives": [], "adapters": []}]}}, {}, "same ID"),
    "nested": ({"vm": {"guest": {"nested_hypervisor": True}}}, {}, "runs a hypervisor"),
    "tpm": ({"vm": {"generation": 2, "key_protector": "local", "tpm_enabled": True}}, {}, "Virtual TPM"),
}  # fmt: skip


def test_every_row_is_shown() -> None:
    assert REFUSED.keys() == {row.name for row in ROWS}
    assert all(row.source and row.grade in ("D", "O", "I") for row in ROWS)


OLDER = {"2012r2": "2012", "2016": "2012r2", "2022": "2019"}
NOT_IN = {(name, os) for name in ("device", "tpm") for os in ("2012", "2012r2")} | {
    ("shared", "2012"),
    ("version", "2012"),
    *(("gpu", os) for os in ("2012", "2012r2", "2016")),
}
"""GPU partitions came with 2019 at the earliest (the contract's cmdlets). Devices of the host and virtual TPMs came with
2016, shared disks with 2012 R2; there is no older host than one of 2012."""
BY_VERSION = [(row, os) for row in ROWS for os in ("2012", *OLDER) if (row.name, os) not in NOT_IN]


@pytest.mark.parametrize(("row", "os"), BY_VERSION, ids=[f"{row.name}-{os}" for row, os in BY_VERSION])
def test_is_refused_and_changes_nothing(row: Any, os: str) -> None:
    given, more, says = REFUSED[row.name]
    if row.name == "version":
        given = {"there": {"os": OLDER[os]}}
    on = estate(os, **given)
    before = [on.hosts[h].snapshot() for h in ("hv01", "hv02")]
    told = moved(on, "Compare-VM", **more)
    outcome = moved(on, **more)
    (error,) = outcome.errors
    assert says in error.message
    command = "MoveVM" if os in ("2016", "2022") else "MoveVMCommand"
    assert error.id == f"OperationFailed,Microsoft.HyperV.PowerShell.Commands.{command}"
    assert [on.hosts[h].snapshot() for h in ("hv01", "hv02")] == before
    if row.kind == "connection":
        assert says in told.errors[0].message
        return
    (report,) = told.objects
    entries = report.properties["Incompatibilities"]
    found = [e.properties for e in entries if e.properties["MessageId"] == row.message_id]
    assert any(says in e["Message"] for e in found)
    assert len(entries) == len(found) + 1, "and one that says no more than that it fails"


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({"there": {"guardians": ["HV01"]}, **REFUSED["tpm"][0]}, {}),
        ({"here": {"processor_level": 2}, "vm": {"processor": {"compatibility_for_migration_enabled": True}}}, {}),
        ({"there": {"processor_vendor": "AuthenticAMD"}, "vm": {"state": "Off"}}, {}),
        ({"there": {"use_any_network_for_migration": False, "migration_networks": [{"subnet": "192.0.2.0/24"}]}}, {}),
    ],
    ids=["guardian", "compatible", "off", "network"],
)
def test_is_taken(given: dict[str, Any], more: dict[str, Any]) -> None:
    on = estate(**given)
    assert moved(on, "Compare-VM", **more).objects[0].properties["Incompatibilities"] == []
    assert moved(on, **more).errors == []


def test_room_is_found_to_be_lacking_on_the_way_only() -> None:
    on = estate(there={"volumes": {"C": {}, "D": {"free": "5GB"}}})
    assert moved(on, "Compare-VM").objects[0].properties["Incompatibilities"] == []
    (error,) = moved(on).errors
    assert "0x80070070" in error.message
    assert (names(on, "hv01"), names(on, "hv02")) == (["app01"], [])
    assert on.hosts["hv01"].state.vms[0].tasks == []


def job(on: Estate) -> Outcome:
    outcome = moved(on, AsJob=True)
    assert outcome.job is not None
    assert on.hosts["hv01"].state.vms[0].tasks == ["MigratingVirtualMachine"]
    return outcome


def test_it_goes_on_whoever_started_it_is_gone_and_refuses_changes_meanwhile() -> None:
    on = estate()
    job(on)
    on.clock.sleep(5)
    (error,) = on.hosts["hv01"].invoke("Set-VM", {"Name": "app01", "Notes": "n"}).errors
    assert error.id.startswith("InvalidState")
    on.clock.sleep(600)
    assert (names(on, "hv01"), names(on, "hv02")) == ([], ["app01"])


@pytest.mark.parametrize(("lost", "planned"), [("hv01", False), ("hv02", True)])
def test_a_host_that_is_lost_on_the_way(lost: str, planned: bool) -> None:
    """The VM stays; a destination that was lost keeps a planned one of the same Id (4.4, 4.5)."""
    on = estate()
    outcome = job(on)
    on.clock.after(5, lambda: on.lose(lost))
    on.clock.sleep(600)
    on.bring_back(lost)
    assert outcome.job is not None
    assert "0x80072746" in outcome.job.finish().errors[0].message
    assert names(on, "hv01") == ["app01"]
    assert on.hosts["hv01"].state.vms[0].tasks == []
    shown = on.hosts["hv02"].invoke("Get-VM", {}).objects
    types = [(str(o.properties["Id"].text), o.properties["VirtualMachineType"].name) for o in shown]
    assert types == ([(ID, "PlannedVirtualMachine")] if planned else [])
    if planned:
        assert "same ID" in moved(on).errors[0].message
        assert not on.hosts["hv02"].invoke("Remove-VM", {"Name": "app01", "Force": True}).errors
