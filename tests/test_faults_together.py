"""Each faulty value of a playbook is told once and alone, and no two of them hide each other."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from itertools import combinations
from typing import Any

import pytest
import yaml

from hvctl.config.offline import Desired, offline_problems
from hvctl.config.playbook import Play, wishes
from hvctl.core.fields import models_in
from hvctl.core.resource import Resource
from hvctl.kinds import kinds, sections
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.source import Path, load_text

BASE = r"""
vms:
  - name: web01
    generation: 2
    version: '9.0'
    state: running
    notes: a
    automatic_start_delay: 30s
    checkpoint_type: production
    processor: {count: 4, reserve: 10, maximum: 90, weight: 100}
    memory: {startup: 2GB, dynamic: {minimum: 1GB, maximum: 8GB, buffer: 20}, priority: 50}
    firmware: {secure_boot: on, boot_order: [scsi 0:0, network lan]}
    integration_services: {shutdown: on}
    scsi_controllers: {count: 1}
    disks:
      - {at: scsi 0:0, path: 'D:\web01\os.vhdx', size: 60GB, iops: {minimum: 100, maximum: 500}}
      - {at: scsi 0:1, path: 'D:\web01\a.vhdx', type: differencing, parent: 'D:\base.vhdx'}
    dvds: [{at: scsi 0:2, path: 'D:\a.iso'}]
    network_adapters:
      - {name: lan, switch: lan, vlan: {access: 10}, bandwidth: {maximum: 1Gbps}, mac_address: '00155D010203'}
      - {name: dmz, switch: lan, vlan: {trunk: 100-103, native: 5}, acls: [{direction: both, action: allow, remote: any}]}
    checkpoints: [{name: first}]
    exports: [{path: 'E:\exports', every: 24h, keep: 2}]
  - name: old01
    generation: 1
    bios: {num_lock: on}
    disks: [{at: ide 0:0, path: 'D:\old01\os.vhd', size: 20GB}]
switches:
  - {name: lan, type: external, net_adapters: [NIC], allow_management_os: on, minimum_bandwidth_mode: weight}
host_network_adapters: [{name: Mgmt, switch: lan, vlan: {access: 1}}]
host: {virtual_machine_path: 'D:\VMs', live_migration: {maximum: 2}}
"""
FREE = {"name", "notes", "previous_names", "net_adapters", "remote", "switch"}
"""What takes any text."""


def leaves(data: Any, path: Path = ()) -> Iterator[Path]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


def word(path: Path) -> str:
    return next(str(p) for p in reversed(path) if isinstance(p, str))


def put(data: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


GIVEN = yaml.safe_load(BASE)
GIVEN["vms"][0]["firmware"]["secure_boot"] = True
LEAVES = [p for p in leaves(GIVEN) if word(p) not in FREE]
BREAKING: dict[Path, Any] = {
    ("vms", 0, "processor", "reserve"): 95,
    ("vms", 0, "memory", "dynamic", "minimum"): "4GB",
    ("vms", 0, "disks", 0, "iops", "minimum"): 900,
    ("vms", 1, "disks", 0, "size"): "2041GB",
    ("vms", 0, "disks", 1, "parent"): r"D:\web01\A.VHDX",
}
"""Values that only a rule refuses."""
RESTS_ON: dict[Path, set[Path]] = {
    ("vms", 0, "processor", "reserve"): {("vms", 0, "processor", "maximum")},
    ("vms", 0, "memory", "dynamic", "minimum"): {("vms", 0, "memory", "startup")},
    ("vms", 0, "disks", 0, "iops", "minimum"): {("vms", 0, "disks", 0, "iops", "maximum")},
    ("vms", 1, "disks", 0, "size"): {("vms", 1, "disks", 0, "path")},
    ("vms", 0, "disks", 1, "parent"): {("vms", 0, "disks", 1, "path")},
}
"""The other value without which there is no such fault."""


def told(*faults: tuple[Path, Any]) -> set[str]:
    data = deepcopy(GIVEN)
    for path, value in faults:
        put(data, path, value)
    document = load_text(yaml.safe_dump([data], sort_keys=False, width=400), "play.yml")
    found, problems = wishes([Play(document, (0,), "play", "all")], {})
    everything: list[Diagnostic] = [*problems, *offline_problems([Desired("hv01", "2022", found)])]
    return {f"{p.mark}: {p.message}" for p in everything}


def test_the_playbook_itself_is_right() -> None:
    assert told() == set()


@pytest.mark.parametrize("path", LEAVES, ids=lambda p: ".".join(map(str, p)))
def test_a_faulty_value_is_told_once(path: Path) -> None:
    """And nothing that is wrong only without it."""
    assert len(told((path, "@@"))) == 1, told((path, "@@"))


@pytest.mark.parametrize("path", BREAKING, ids=lambda p: ".".join(map(str, p)))
def test_a_rule_is_asked_beside_every_faulty_value(path: Path) -> None:
    rule = told((path, BREAKING[path]))
    assert len(rule) == 1
    hidden = {other for other in LEAVES if not rule <= told((path, BREAKING[path]), (other, "@@"))}
    assert hidden == {path, *RESTS_ON[path]}


def test_faulty_values_do_not_hide_each_other() -> None:
    alone = {path: told((path, "@@")) for path in LEAVES}
    for one, other in combinations(LEAVES[::3], 2):
        assert told((one, "@@"), (other, "@@")) >= alone[one] | alone[other], (one, other)


def test_all_faulty_values_at_once() -> None:
    assert len(told(*((path, "@@") for path in LEAVES))) == len(LEAVES)


@pytest.mark.parametrize("kind", kinds(), ids=lambda k: k.kind)
def test_what_stands_in_for_a_name_is_valid(kind: type[Resource]) -> None:
    required = {info.alias or name for name, info in kind.model_fields.items() if info.is_required()}
    assert required == kind.stand_in.keys()
    kind.model_validate(kind.stand_in)


@pytest.mark.parametrize("kind", kinds(), ids=lambda k: k.kind)
def test_other_words_lead_to_what_exists(kind: type[Resource]) -> None:
    known = {*kind.model_fields, *sections(kind.kind)}
    for name, meant in kind.other_words.items():
        assert name not in known
        if " " not in meant:
            assert exists(kind, meant), meant


def exists(kind: type[Resource], dotted: str) -> bool:
    first, _, inner = dotted.partition(".")
    if not inner:
        written = {info.alias or name for name, info in kind.model_fields.items()}
        return first in written or first in sections(kind.kind) or first in kind.beneath
    if first in sections(kind.kind):
        return inner in sections(kind.kind)[first].model_fields
    return any(inner in model.model_fields for model in models_in(kind.model_fields[first].annotation))


@pytest.mark.parametrize(
    ("where", "word", "said"),
    [
        ((), "snapshots", "did you mean 'checkpoints'?"),
        ((), "cpu", "did you mean `processor: {count: …}`?"),
        ((), "vcpus", "did you mean `processor: {count: …}`?"),
        ((), "ram", "did you mean `memory: {startup: …}`?"),
        ((), "nics", "did you mean 'network_adapters'?"),
        ((), "hdd", "did you mean 'disks'?"),
        ((), "iso", "did you mean 'dvds'?"),
        ((), "description", "did you mean 'notes'?"),
        ((), "note", "did you mean 'notes'?"),
        ((), "zzz", "known are name, "),
        (("disks", 0), "source", "did you mean 'image'?"),
        (("disks", 0), "backing_file", "did you mean 'parent'?"),
        (("disks", 0), "szie", "did you mean 'size'?"),
        (("disks", 0), "colour", "known are at, "),
        (("network_adapters", 0), "mac", "did you mean 'mac_address'?"),
        (("memory",), "max", "did you mean `dynamic: {maximum: …}`?"),
        (("memory", "dynamic"), "min", "did you mean 'minimum'?"),
    ],
)
def test_the_key_that_is_meant(where: Path, word: str, said: str) -> None:
    data = deepcopy(GIVEN)
    put(data, ("vms", 0, *where, word), "x")
    _, problems = wishes([Play(load_text(yaml.safe_dump([data]), "play.yml"), (0,), "play", "all")], {})
    assert [(f"unknown key {word!r}" in p.message, said in p.hint) for p in problems] == [(True, True)], problems
