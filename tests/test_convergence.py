"""Whatever a host is like and whatever is wished: one apply brings it there, or the plan has named what is left."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from hvctl.config.playbook import Play, wishes
from hvctl.contract import OS, VERSIONS
from hvctl.core.fields import Null, models_in
from hvctl.core.impact import Impact
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.core.resource import Index
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import apply_plan, look
from hvctl.kinds import kinds
from hvctl.kinds.vm import VM
from hvctl.text.address import Address
from hvctl.text.source import load_text
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.held import held_whole, never_written, sent

Data = dict[str, Any]
AMOUNTS = [32, 64, 256, 512, 1024, 2048, 4096, 8192]
flags = st.booleans()


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Data]:
    """A mapping with any of these keys."""
    return st.fixed_dictionaries({}, optional=fields)


def of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def only(drawn: tuple[Data, bool]) -> Data:
    """Of a boot order, whether anything else may be in it."""
    data, alone = drawn
    return {**data, "boot_order_only": alone} if data.get("boot_order") else data


def amounts() -> st.SearchStrategy[str]:
    return st.sampled_from(AMOUNTS).map(lambda n: f"{n}MB")


# --- a host --------------------------------------------------------------------------------------------------------


@st.composite
def memories(draw: st.DrawFn) -> Data:
    low, start, high = sorted(draw(st.tuples(*(st.sampled_from(AMOUNTS),) * 3)))
    dynamic = {"dynamic_memory_enabled": draw(flags), "buffer": draw(of(20, 30))}
    return {"minimum": f"{low}MB", "startup": f"{start}MB", "maximum": f"{high}MB", **dynamic}


@st.composite
def vms(draw: st.DrawFn, name: str, os: OS) -> Data:
    generation = 1 if os == "2012" else draw(of(1, 2))
    disk, dvd = ("ide 0:0", "ide 1:0") if generation == 1 else ("scsi 0:0", "scsi 0:1")
    drives = [{"at": disk, "path": rf"D:\VMs\{name}\os.vhdx"}] * draw(of(0, 1)) + [{"at": dvd, "dvd": True}] * draw(
        of(0, 1)
    )
    more = draw(
        some(
            is_clustered=flags,
            tasks=of([], ["MergingDisks"]),
            replication=of({"mode": "Primary"}, {"mode": "Replica"}),
            checkpoints=of([{"name": "before"}], [{"name": "old", "created": -90_000}]),
            integration_services=st.just({"heartbeat": False}),
            firmware=st.just({"secure_boot": "Off"}),
            resource_metering_enabled=flags,
        )
    )
    secured = draw(some(key_protector=of("local", "owned"), tpm_enabled=flags, encrypt_state=flags, shielded=flags))
    more |= secured if generation == 2 and os not in ("2012", "2012r2") else {}
    return {
        "name": draw(of(name, name, name, f"old-{name}")),
        "path": rf"D:\VMs\{name}",
        "generation": generation,
        "state": draw(of("Off", "Running", "Saved", "Paused")),
        "version": draw(of("8.0", "10.0")) if os == "2022" else draw(of("5.0", "8.0")) if os == "2016" else "",
        "processor": {"count": draw(of(1, 2)), "reserve": draw(of(0, 60)), "maximum": draw(of(60, 100))},
        "memory": draw(memories()),
        "adapters": [{"name": n} for n in draw(of((), ("lan",), ("san", "lan")))],
        "drives": drives,
        **more,
    }


# --- what is wished of it --------------------------------------------------------------------------------------------


def adapters(name: str) -> st.SearchStrategy[list[Data]]:
    fields = some(
        switch=of("lan", None),
        vlan=of({"access": 20}, {"trunk": "20-30", "native": 10}),
        bandwidth=some(maximum=of("1Gbps", None)),
        dhcp_guard=flags,
        mac_address=of("00-15-5D-01-02-03"),
        test_replica_pool=of("gold", None),
        mandatory_features=of([], ["8c1e6f44-9e3b-4b7a-a1c8-2f9d5b7e6a22"]),
        fixed_speed_10g=flags,
        packet_direct=some(processors=of(0, 2)),
    )
    return fields.map(lambda data: [{"name": name, **data}])


IMAGES: Data = {
    r"D:\images\a.vhdx": {"size": "127GB", "file_size": "10GB"},
    r"D:\images\b.vhdx": {"size": "150GB", "file_size": "10GB", "read_only": True},
}


def disks(place: str, path: str) -> st.SearchStrategy[list[Data]]:
    fields = some(
        iops=some(minimum=of(0, 100), maximum=of(0, 500)),
        physical_sector_size=of(512, 4096),
        image=of(*IMAGES),
        type=of("fixed", "dynamic"),
        resource_pool=of("gold", "Primordial"),
        write_cache=of("default", "off"),
    )
    sizes = of("127GB", "200GB")
    return st.tuples(fields, sizes).map(lambda t: [{"at": place, "path": path, "size": t[1], **t[0]}])


@st.composite
def wanted(draw: st.DrawFn, name: str, now: int | None) -> Data:
    """`now`: the generation of the VM that is there."""
    generation = draw(of(1, 2) if now is None else of(now, now, now, 1, 2))
    if draw(st.integers(0, 9)) == 0:
        return {"name": name, "ensure": "absent"}
    place, dvd = ("scsi 0:0", "scsi 0:1") if generation == 2 else ("ide 0:0", "ide 1:0")
    entries = of(["scsi 0:0"], ["network lan", "scsi 0:0"], ["scsi 0:1", "network san"])
    parts = some(
        state=of("running", "off", "saved", "paused"),
        stop_method=of("shutdown", "turn_off"),
        notes=of("a", "b\nc", None),
        guest_os=of("windows_server_2012_r2", "windows_server_2022", "ubuntu_20_04", "freebsd_12"),
        avma=flags,
        version=of("8.0", "10.0"),
        automatic_stop_action=of("turn_off", "save", "shut_down"),
        automatic_start_action=of("nothing", "start"),
        previous_names=st.just([f"old-{name}"]),
        path=of(r"D:\VMs", r"D:\Other"),
        checkpoint_path=st.just(r"D:\VMs"),
        smart_paging_path=st.just(r"D:\Paging"),
        scsi_controllers=st.fixed_dictionaries({"count": of(1, 2)}),
        resource_metering=flags,
        checkpoints=of([{"name": "before"}], [{"name": "before", "ensure": "absent"}], [{"name": "now"}]),
        checkpoint_maximum_age=of("1h", "7d"),
        exports=of([{"path": r"D:\exports", "every": "24h", "keep": 1}]),
        processor=some(count=of(1, 2, 4, 64), reserve=of(0, 10, 70), maximum=of(50, 100), weight=of(100, 300)),
        memory=some(
            startup=amounts(),
            priority=of(50, 60),
            dynamic=st.one_of(flags, some(minimum=amounts(), maximum=amounts(), buffer=of(20, 40))),
        ),
        **(
            {
                "firmware": st.tuples(some(secure_boot=flags, boot_order=entries), flags).map(only),
                "security": some(key_protector=of("local"), tpm=flags, encrypt_state=flags, shielded=flags),
            }
            if generation == 2
            else {"bios": some(num_lock=flags, boot_order=st.permutations(["cd", "ide", "floppy", *LEGACY]))}
        ),
        integration_services=some(heartbeat=flags, shutdown=flags),
        disks=disks(place, rf"D:\VMs\{name}\os.vhdx"),
        dvds=some(path=of(None, r"D:\iso\a.iso"), resource_pool=of("gold")).map(lambda data: [{"at": dvd, **data}]),
        network_adapters=of("lan", "san").flatmap(adapters),
    )
    return {"name": name, **({"generation": generation} if draw(flags) or now != generation else {}), **draw(parts)}


LEGACY = ["legacy_network_adapter"]
CONSENTS: tuple[Impact, ...] = ("restart", "destroy", "disconnect", "recreate")


KINDS = {(kind.within or "", kind.section): kind for kind in kinds()}


def clearable(model: type[BaseModel]) -> list[str]:
    """Fields of a mapping for which null may be written."""
    return [n for n, info in model.model_fields.items() if any(isinstance(m, Null) for m in info.metadata)]


@st.composite
def cleared(draw: st.DrawFn, data: Data, model: type[BaseModel], within: str) -> Data:
    """The same with null in some of the fields that take it, in its sections too."""
    found: Data = {}
    for key, value in data.items():
        kind = KINDS.get((within, key))
        known = model.model_fields.get(key)
        inner = kind or (next(models_in(known.annotation), None) if known else None)
        owner = kind.kind if kind else within
        if inner is not None and isinstance(value, dict):
            found[key] = draw(cleared(value, inner, owner))
        elif inner is not None and isinstance(value, list):
            found[key] = [draw(cleared(v, inner, owner)) if isinstance(v, dict) else v for v in value]
        else:
            found[key] = value
    nulls = draw(st.lists(st.sampled_from(clearable(model)), max_size=2)) if clearable(model) else []
    return {**found, **dict.fromkeys(nulls)}


@st.composite
def files(draw: st.DrawFn, name: str) -> Data:
    """What lies at the place of a VM's disk, whether the VM is there or not: a file of any size, or one that is held."""
    file = draw(
        some(
            size=of("100GB", "127GB", "200GB", "300GB"),
            type=of("Dynamic", "Fixed"),
            minimum_size=of("20GB", "150GB"),
            in_use_elsewhere=flags,
        )
    )
    return {rf"D:\VMs\{name}\os.vhdx": file} if draw(flags) else {}


def known(os: OS, vm: Data) -> Data:
    """Without what this version lacks, which would refuse the whole."""
    lacks = ("write_cache", "fixed_speed_10g", "packet_direct") if os in ("2012", "2012r2") else ()
    lists: Data = {key: [without(one, lacks) for one in vm[key]] for key in ("disks", "network_adapters") if key in vm}
    return {**vm, **lists}


def without(data: Data, keys: tuple[str, ...]) -> Data:
    return {key: value for key, value in data.items() if key not in keys}


@st.composite
def situations(draw: st.DrawFn) -> tuple[OS, Data, Data, frozenset[Impact]]:
    os = draw(st.sampled_from(VERSIONS))
    there = [draw(vms(name, os)) for name in draw(of((), ("web01",), ("web01", "web02")))]
    names = draw(of(("web01",), ("web01", "web02")))
    generations = {vm["name"]: vm["generation"] for vm in there}
    vms_wanted = [known(os, draw(wanted(name, generations.get(name)))) for name in names]
    if draw(flags):
        vms_wanted = [draw(cleared(vm, VM, "vm")) for vm in vms_wanted]
    play = {"hosts": "all", "vms": vms_wanted}
    host = {
        "os": os,
        "sku": draw(of(7, 8)),
        "resource_pools": ["gold"],
        "volumes": {"C": {}, "D": {"clustered": True}},
        "folders": [r"D:\VMs"],
        "files": {r"D:\iso\a.iso": "4GB"},
        "switches": [{"name": "lan"}],
        "vhds": {**draw(files("web01")), **draw(files("web02")), **IMAGES},
        "vms": there,
    }
    return os, host, play, draw(st.frozensets(st.sampled_from(CONSENTS)))


def sound(os: OS, play: Data, allow: frozenset[Impact]) -> Index | None:
    """What a play desires; None if it is refused before a host is asked."""
    document = load_text(json.dumps([play]), "play.yml")  # JSON is YAML
    found, problems = wishes([Play(document, (0,), "play", "all", {}, (), allow)], {})
    return None if problems or any(p.level == "error" for p in validate(found, os)) else found


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(situations())
def test_one_apply_is_enough_or_the_plan_names_what_is_left(
    situation: tuple[OS, Data, Data, frozenset[Impact]],
) -> None:
    os, host, play, allow = situation
    if (found := sound(os, play, allow)) is None:
        return
    transport = TwinTransport(SimulatedHost.from_yaml(host))
    facts = look(transport, found)
    plan = make_plan(found, facts, frozenset())
    again = make_plan(never_written(found, plan), facts, frozenset())
    assert sent(plan) == sent(again, held_whole(plan))
    report = apply_plan(plan, found, transport)
    assert not isinstance(report, list)
    failed = [f"{r.step.task.call}: {r.failure or r.why}" for r in report.results if r.status != "ok"]
    if failed and any("shutdown service" in r.message for a in plan.actions for r in a.remarks):
        return  # told beforehand: the guest could not hear the request
    held = any(file.get("in_use_elsewhere") for file in host["vhds"].values())
    if held and failed and all("Start-VM" in f or "needs s" in f for f in failed):
        return  # its disk is held by something, which nobody asked about
    assert not failed
    assert report.after is not None
    assert _left(report.after) <= _named(plan)
    assert not report.after.steps or _named(plan)


def _left(plan: Plan) -> set[Address]:
    return {a.address for a in plan.actions if a.differs or a.verb == "unknown"}


def _named(plan: Plan) -> set[Address]:
    return {a.address for a in plan.actions if a.undone or a.remarks}
