"""A case on a host that was empty: what the case finds there is brought about by hvctl's own calls, and all of it is
removed afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hvctl.call import Batch, Call, Ref, Reply, Task, Transport
from hvctl.core.impact import IMPACTS, Impact
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.fleet.reconcile import apply_plan, look
from mocks.schema import load
from tests.harness import Case, wished
from tests.real.names import FOLDER, PREFIX, Data, Names, plainly
from tests.real.needs import playbook_of

EVERYTHING: frozenset[Impact] = frozenset(IMPACTS)

# --- before ---------------------------------------------------------------------------------------------------------


def ask(transport: Transport, *calls: Call, mode: Any = "change") -> list[Reply]:
    """Raises AssertionError if the host refuses one."""
    replies = transport.run(Batch(tuple(Task(f"c{n}", call) for n, call in enumerate(calls)), mode))
    refused = [f"{c}: {r.failure or r.skipped}" for c, r in zip(calls, replies, strict=True) if not r.ok]
    assert not refused, refused
    return replies


def bring_about(host: Data, names: Names, transport: Transport) -> None:
    """Files, then what hvctl can wish for, then checkpoints and power."""
    made = names.ours(host)
    ask(transport, *_files(made))
    body = {"switches": [_switch(s) for s in made.get("switches", ())], "vms": [_vm(vm) for vm in made.get("vms", ())]}
    wish({key: found for key, found in body.items() if found}, transport)
    for vm in made.get("vms", ()):
        found = Ref(Call("Get-VM"), {"Name": vm["name"]})
        for point in vm.get("checkpoints", ()):
            ask(transport, Call("Checkpoint-VM", {"VM": found, "SnapshotName": point["name"]}))
        state = str(vm.get("state", "Off"))
        if state in ("Running", "Paused", "Saved"):
            ask(transport, Call("Start-VM", {"VM": found}))
        if state in ("Paused", "Saved"):
            ask(transport, Call("Suspend-VM" if state == "Paused" else "Save-VM", {"VM": found}))
    for cmdlet, things in (("Get-VM", "vms"), ("Get-VMSwitch", "switches")):
        given = {names.ours(one["name"]).casefold(): one["id"] for one in host.get(things, ()) if "id" in one}
        rows = ask(transport, Call(cmdlet, select=("Id", "Name")), mode="read")[0].rows
        seen = ((str(r["Id"]), given.get(str(r["Name"]).casefold())) for r in rows)
        names.ids |= {own: its for own, its in seen if its}


def _files(host: Data) -> Iterator[Call]:
    disks = {d.path: d for d in load({"vhds": host.get("vhds") or {}}).vhds}
    for vm in host.get("vms", ()):  # a drive whose file the case does not describe has one of any size
        for drive in vm.get("drives") or ():
            if drive.get("path"):
                disks.setdefault(drive["path"], load({"vhds": {drive["path"]: {"size": "1GB"}}}).vhds[0])
    paths = [*disks, *host.get("files", ())]
    folders = {*host.get("folders", ()), *(p.rpartition("\\")[0] for p in paths), f"{FOLDER}\\C", f"{FOLDER}\\D"}
    yield from (Call("New-Item", {"ItemType": "Directory", "Path": f, "Force": True}) for f in sorted(folders))
    for path in host.get("files", ()):
        yield Call("New-Item", {"ItemType": "File", "Path": path, "Value": "hvctl", "Force": True})
    for disk in sorted(disks.values(), key=lambda d: d.parent is not None):
        about: Data = {"ParentPath": disk.parent, "Differencing": True} if disk.parent else {disk.type: True}
        size = {} if disk.parent else {"SizeBytes": disk.size}
        yield Call("New-VHD", {"Path": disk.path, **size, **about})


def _switch(switch: Data) -> Data:
    mode = switch.get("minimum_bandwidth_mode", "Absolute").casefold()
    return {"name": switch["name"], "type": switch.get("type", "Internal").casefold(), "minimum_bandwidth_mode": mode}


_SAME = ("name", "generation", "version", "notes", "integration_services", "processor")


def _vm(vm: Data) -> Data:
    drives = vm.get("drives") or ()
    wish: Data = {key: vm[key] for key in _SAME if key in vm} | {"path": FOLDER}
    if path := vm.get("path"):
        wish["path"] = path.rpartition("\\")[0]
    if "resource_metering_enabled" in vm:
        wish["resource_metering"] = vm["resource_metering_enabled"]
    if "automatic_start_action" in vm:
        wish["automatic_start_action"] = vm["automatic_start_action"].casefold()
    if "scsi_controllers" in vm:
        wish["scsi_controllers"] = {"count": vm["scsi_controllers"]}
    if memory := _memory(vm.get("memory") or {}):
        wish["memory"] = memory
    if firmware := {k: str(v).casefold() for k, v in (vm.get("firmware") or {}).items()}:
        wish["firmware"] = firmware
    if disks := [_disk(d) for d in drives if d.get("path")]:
        wish["disks"] = disks
    if dvds := [{"at": d["at"], "path": None} for d in drives if d.get("dvd")]:
        wish["dvds"] = dvds
    if adapters := [_adapter(a) for a in vm.get("adapters") or ()]:
        wish["network_adapters"] = adapters
    return wish


def _memory(memory: Data) -> Data:
    found: Data = {k: memory[k] for k in ("startup", "priority") if k in memory}
    if memory.get("maximum_per_numa_node"):
        found["maximum_per_numa_node"] = f"{memory['maximum_per_numa_node']}MB"
    if memory.get("dynamic_memory_enabled"):
        found["dynamic"] = {k: memory[k] for k in ("minimum", "maximum", "buffer") if k in memory}
    return found


def _disk(drive: Data) -> Data:
    iops = {k: drive[f"{k}_iops"] for k in ("minimum", "maximum") if f"{k}_iops" in drive}
    return {"at": drive["at"], "path": drive["path"], **({"iops": iops} if iops else {})}


def _adapter(adapter: Data) -> Data:
    static = not adapter.get("dynamic_mac_address", True)
    return {
        "name": adapter["name"],
        **({"switch": adapter["switch"]} if adapter.get("switch") else {}),
        **({"mac_address": adapter["mac_address"]} if static else {}),
    }


# --- the case -------------------------------------------------------------------------------------------------------


def wish(body: Data, transport: Transport, allow: frozenset[Impact] = EVERYTHING) -> Plan:
    """Brings it about. Raises AssertionError if it cannot be."""
    found, problems = wished(json.dumps([body]), tuple(allow))  # JSON is YAML
    assert not problems, problems
    plan = make_plan(found, look(transport, found), allow)
    done = apply_plan(plan, found, transport)
    assert not isinstance(done, list) and done.complete, done
    return plan


def run_on(transport: Transport, case: Case) -> list[str]:
    """What is not as the case expects. The host is left as it was found."""
    data, playbook = case.data, playbook_of(case)
    host = data["host"] or {}
    names = Names(host, playbook)
    allow = set(data.get("allow", ()))
    body = names.ours(playbook)
    if "restart" in allow:
        allow.add("destroy")  # without a guest to be asked, the power is cut
        for vm in body.get("vms", ()):
            vm["stop_method"] = "turn_off"
    with cleaned(transport):
        bring_about(host, names, transport)
        found, problems = wished(json.dumps([body]), tuple(allow))
        assert not problems, problems
        plan = make_plan(found, look(transport, found), frozenset())
        calls = [names.theirs(str(s.task.call)) for s in plan.steps]
        expected = [plainly(call) for call in data["calls"]] if "calls" in data else calls
        wrong = [] if calls == expected else ["calls are:", *calls]
        blocked = {line.field: list(line.consent) for a in plan.actions for line in a.blocked}
        wrong += [] if blocked == _to_be_allowed(data.get("blocked", {}), plan) else [f"blocked are {blocked}"]
        wrong += _said_otherwise(data.get("problems", []), plan, names)
        done = apply_plan(plan, found, transport)
        failed = [] if isinstance(done, list) else [str(r.failure) for r in done.results if r.status == "failed"]
        if not isinstance(done, list) and "failed" not in data and (failed or done.after is None or done.after.steps):
            wrong += ["it was not enough:", *failed]
        return wrong


UNHEARD = "cannot be shut down: its shutdown service"
"""No guest runs in these VMs."""


def _to_be_allowed(expected: dict[str, list[str]], plan: Plan) -> dict[str, list[str]]:
    """As the case says, but for what would take a VM down that cannot be: no consent to that is asked for."""
    unheard = any(UNHEARD in r.message for a in plan.actions for r in a.remarks)
    barred = {line.field for a in plan.actions for line in a.lines if line.held == "impossible"} if unheard else set()
    return {field: words for field, words in expected.items() if "restart" not in words or field not in barred}


def _said_otherwise(wanted: list[str], plan: Plan, names: Names) -> list[str]:
    """More may be doubted than the case says: that nobody hears a shutdown, above all."""
    remarks = [(r.level, names.theirs(f"{r.message}; {r.hint}")) for a in plan.actions for r in a.remarks]
    missing = [f"not said: {w}" for w in wanted if not any(w in text for _, text in remarks)]
    more = [t for level, t in remarks if level != "warning" and UNHEARD not in t and not any(w in t for w in wanted)]
    return missing + [f"said: {text}" for text in more]


# --- after ----------------------------------------------------------------------------------------------------------


@contextmanager
def cleaned(transport: Transport) -> Iterator[None]:
    """The folder is there; afterwards neither it nor anything that is called hvctl-test-, whatever happened."""
    ask(transport, Call("New-Item", {"ItemType": "Directory", "Path": FOLDER, "Force": True}))
    try:
        yield
    finally:
        clean(transport)


def clean(transport: Transport) -> None:
    vms = ask(transport, Call("Get-VM", select=("Id", "Name", "State")), mode="read")[0].rows
    for row in (r for r in vms if _is_ours(r)):
        vm = Ref(Call("Get-VM", {"Id": row["Id"]}))
        if row["State"] != "Off":
            ask(transport, Call("Stop-VM", {"VM": vm, "TurnOff": True, "Force": True}))
        ask(transport, Call("Remove-VM", {"VM": vm, "Force": True}))
    switches = ask(transport, Call("Get-VMSwitch", select=("Id", "Name")), mode="read")[0].rows
    for row in (r for r in switches if _is_ours(r)):
        found = Ref(Call("Get-VMSwitch"), {"Id": row["Id"]})
        ask(transport, Call("Remove-VMSwitch", {"VMSwitch": found, "Force": True}))
    gone = Task("r", Call("Remove-Item", {"LiteralPath": FOLDER, "Recurse": True, "Force": True}))
    for _ in range(200):  # a removed VM holds its files for some seconds
        reply = transport.run(Batch((gone,), "change"))[0]
        if reply.ok or (reply.failure is not None and reply.failure.kind == "PathNotFound"):
            return
    raise AssertionError(f"{FOLDER} could not be removed: {reply.failure}")


def _is_ours(row: Mapping[str, Any]) -> bool:
    return str(row["Name"]).casefold().startswith(PREFIX)
