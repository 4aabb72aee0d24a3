"""What a real host would have to have for a case, beyond Hyper-V: the reasons for which cases are skipped by name."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from hvctl.core.rules import validate
from hvctl.text.source import load_text
from mocks.schema import load
from tests.harness import Case, wished

Data = dict[str, Any]

SMALL = 2 * 1024**3
"""A fixed disk is written out whole."""

# What a case's host has -> why it cannot be had on a real one.
_HOST = {
    "resource_pools": "a resource pool",
    "net_adapters": "physical network adapters of its own",
    "management": "physical network adapters of its own",
    "management_adapters": "adapters of the management OS",
    "sku": "an edition of Windows as the case has it",
    "licences": "an edition of Windows as the case has it",
    "events": "event logs as the case has them",
    "language": "a host in another language",
    "memory": "a host of that size",
    "logical_processors": "a host of that size",
    "volumes": "other volumes",
    "administrator": "an account without rights",
    "dvd_drives": "a DVD drive of the host",
    "contents": "files of hvctl's own",
    "disks": "a disk of the host",
    "cluster": "a cluster",
    **dict.fromkeys(("nats", "hidden_nats", "reserved_ports", "addresses_elsewhere"), "networks of the host itself"),
    "virtual_machine_path": "settings of the host itself",
    "mac_address_minimum": "settings of the host itself",
    "mac_address_maximum": "settings of the host itself",
}
_VM = {
    "is_clustered": "a cluster",
    "replication": "replication",
    "tasks": "something that Hyper-V is just doing",
    "exporting": "an export that somebody else makes",
    "key_protector": "a key protector as the case has it",
    "encrypt_state": "a key protector as the case has it",
    "shielded": "a guarded host",
    "tpm_enabled": "a virtual TPM that was used",
    "tpm_initialized": "a virtual TPM that was used",
    "bios": "a BIOS as the case has it",
}
_DRIVE = {
    "qos_policy_id": "a storage QoS policy",
    "support_persistent_reservations": "clustered storage",
    "disk_number": "a disk of the host",
}
_ADAPTER = {"name", "switch", "mac_address", "dynamic_mac_address", "legacy"}
"""What an adapter is brought about with."""
_PLAYBOOK = {
    "host": "settings of the host itself",
    "host_network_adapters": "adapters of the management OS",
    "exclusive": "a host that has nothing but the case's own",
}
_GUEST = "a guest that answers"
_WISHES = {
    "resource_pool": "a resource pool",
    "qos_policy_id": "a storage QoS policy",
    "disk_number": "a disk of the host",
    "shared": "clustered storage",
    "net_adapters": "physical network adapters of its own",
    "wait_for": _GUEST,
    "nat": "networks of the host itself",
}
_RECORD = "names and folders as the case has them"
_OTHERWISE = {
    "checkpoint/says_when_production_ones_may_fail": _GUEST,
    "firmware/boots_from_what_is_put_first": "a boot order as the case has it",
    "network_adapter/needs_its_switch": "names as the case has them",
    "guest_os/that_takes_no_memory_while_it_runs_is_restarted": _GUEST,
    "memory/grows_live_from_2016_on": _GUEST,
    "vm/becomes_generation_2_for_a_system_that_is_installed": _RECORD,
    "vm/comes_back_paused_if_it_was": _GUEST,
    "vm/is_not_shut_down_without_consent": _GUEST,
    "vm/needs_consent_to_become_generation_2": _RECORD,
    "vm/is_shut_down_by_a_service_that_the_plan_enables": _GUEST,
    "vm/is_shut_down_with_consent": _GUEST,
    "vm/resumes_before_what_changes_live": _GUEST,
    "vm/that_refuses_to_shut_down_keeps_running": _GUEST,
    "vm/that_runs_needs_both_consents_to_go": _GUEST,
    "vm/that_takes_too_long_to_shut_down_is_left_to_itself": _GUEST,
    "vm/says_before_consent_that_it_cannot_be_shut_down": _GUEST,
    "vm/says_when_the_guest_may_not_hear_that_it_is_to_be_off": _GUEST,
    "vm/says_when_the_guest_may_not_hear_the_request": _GUEST,
}
"""Cases that need more than their host says."""


def unrealisable(case: Case) -> str:
    """What a real host would have to have for this case; "" if nothing more than Hyper-V."""
    name = f"{case.file.parent.name}/{case.file.stem}"
    found, problems = wished(case.playbook)
    if any(p.level == "error" for p in problems or validate(found, case.os)):
        return "no host: it is refused before one is asked"
    return _OTHERWISE.get(name) or next(_reasons(case.data, playbook_of(case)), "")


def _reasons(data: Data, playbook: Data) -> Iterator[str]:
    host = data["host"] or {}
    if "faults" in data:
        yield "a cmdlet that fails"
    yield from (why for key, why in _HOST.items() if key in host)
    yield from (why for key, why in _PLAYBOOK.items() if key in playbook)
    yield from (why for key, why in _WISHES.items() if f'"{key}"' in json.dumps(playbook))
    for switch in (*host.get("switches", ()), *playbook.get("switches", ())):
        if str(switch.get("type", "")).casefold() == "external":
            yield "physical network adapters of its own"
    for many in ("vms", "switches"):
        names = [thing["name"].casefold() for thing in host.get(many, ())]
        if len(set(names)) < len(names):
            yield f"two {many} of one name"
    if re.search(r'"[^CDcd]:\\\\', json.dumps([host, playbook])):
        yield "another volume than C and D"
    for vm in host.get("vms", ()):
        yield from _vm_reasons(vm)
        if vm.get("state") == "Running" and "failed" in data:
            yield _GUEST
    if '"guest_files"' in json.dumps(playbook):
        yield _GUEST
    yield from _disk_reasons(host, playbook)
    vhds = host.get("vhds") or {}
    if any(
        isinstance(one, dict) and one.get("read_only") for one in (vhds.values() if isinstance(vhds, dict) else vhds)
    ):
        yield "a file that is read-only"
    if any("\\hvctl\\" in path for path in host.get("files", ())):
        yield "files of hvctl's own"
    if any(not path.casefold().endswith((".txt", ".log")) for path in host.get("files", ())):
        yield "an image (ISO, floppy)"


def _vm_reasons(vm: Data) -> Iterator[str]:
    yield from (why for key, why in _VM.items() if key in vm)
    yield from (why for drive in vm.get("drives") or () for key, why in _DRIVE.items() if key in drive)
    if str(vm.get("state", "Off")) not in ("Off", "False", "Running", "Paused", "Saved"):
        yield "a VM between two states"
    if set(vm.get("guest") or {}) - {"integration"}:
        yield _GUEST
    if any(set(point) - {"name"} for point in vm.get("checkpoints") or ()):
        yield "a checkpoint of another age or kind"
    if "boot_order" in (vm.get("firmware") or {}):
        yield "boot entries of a guest"
    if set(vm.get("processor") or {}) - {"count", "reserve", "maximum"} or "resource_pool_name" in vm.get("memory", {}):
        yield "a resource pool"
    if not (vm.get("memory") or {}).get("dynamic_memory_enabled") and {"minimum", "maximum"} & set(
        vm.get("memory", {})
    ):
        yield "dead values of dynamic memory"
    if len({a["name"].casefold() for a in vm.get("adapters") or ()}) < len(vm.get("adapters") or ()):
        yield "two adapters of one name"
    if any(set(a) - _ADAPTER for a in vm.get("adapters") or ()):
        yield "an adapter as the case has it"
    if any(drive.get("path", "").casefold().endswith(".iso") for drive in vm.get("drives") or () if drive.get("path")):
        yield "an image (ISO, floppy)"


def _disk_reasons(host: Data, playbook: Data) -> Iterator[str]:
    disks = {disk.path.casefold(): disk for disk in load({"vhds": host.get("vhds") or {}}).vhds}
    if any(disk.in_use_elsewhere or disk.mounted_as is not None for disk in disks.values()):
        yield "a file that another process holds"
    if any(path.endswith((".avhdx", ".avhd")) for path in disks):
        yield "a checkpoint's file of a given name"
    if any(disk.type == "Fixed" and disk.size > SMALL for disk in disks.values()):
        yield "a large fixed disk"
    for vm in host.get("vms", ()):
        lost = [d["path"] for d in vm.get("drives") or () if d.get("path") and d["path"].casefold() not in disks]
        if lost and host.get("vhds") is not None:
            yield "a drive whose file is missing"
    for vm in playbook.get("vms", ()):
        for wish in vm.get("disks", ()):
            mine = disks.get(str(wish.get("path") or _at(host, vm["name"], wish.get("at"))).casefold())
            if mine is not None and "size" in wish and _bytes(wish["size"]) < mine.size:
                yield "a disk with partitions, to be shrunk"
            if str(wish.get("type")) == "fixed" and mine is None and _bytes(wish.get("size", 0)) > SMALL:
                yield "a large fixed disk"


def _at(host: Data, name: str, at: Any) -> str:
    drives = (d for vm in host.get("vms", ()) if vm["name"] == name for d in vm.get("drives") or ())
    return next((str(d.get("path")) for d in drives if d["at"] == at), "")


def _bytes(text: Any) -> int:
    return int(load({"memory": text}).memory)


def playbook_of(case: Case) -> Data:
    """As hvctl reads it, in which `off` is a word."""
    play: Data = load_text(case.playbook, "case.yml").data[0]
    return play
