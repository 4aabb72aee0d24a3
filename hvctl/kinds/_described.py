"""A VM as the host has it, as a playbook would say it: every setting that can be written, read back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml
from pydantic import ValidationError

from hvctl.call import Call
from hvctl.core.facts import Facts
from hvctl.core.fields import Fields, models_in, settings
from hvctl.core.resource import Entry, Index, Place, Resource
from hvctl.core.values import MISSING, NOT_COMPARED, UNKNOWN, State
from hvctl.kinds import kinds
from hvctl.kinds._acl import ACLS, EXTENDED_ACLS
from hvctl.kinds._drives import DISKS, DVDS
from hvctl.kinds._machine import Machine
from hvctl.kinds._network import NICS, TEAM_MAPPINGS, VM_ADAPTERS
from hvctl.kinds._types import COUNT, RATE
from hvctl.kinds._vlan import UNTAGGED
from hvctl.text.source import Document

SECTIONS = ("processor", "memory", "scsi_controllers", "disks", "dvds", "network_adapters", "integration_services")
"""What of a VM is described beside itself."""

_NOWHERE = Place(Document(None, {}, {}, "host"), ())
_OF_A_VM = ("name", "ensure", "generation")
_FOUR = ("isolated", "community", "promiscuous")


def classes() -> Mapping[str, type[Resource]]:
    """Of the sections, in the order in which they are written."""
    found = {kind.section: kind for kind in kinds() if kind.within == "vm"}
    return {section: found[section] for section in SECTIONS}


def queries() -> tuple[Call, ...]:
    """All that a description rests on, of all VMs of the host."""
    return (
        *(query for kind in classes().values() for query in kind.survey()),
        replace(DISKS, select=("PoolName", "WriteHardeningMethod")),
        replace(DVDS, select=("PoolName",)),
        replace(VM_ADAPTERS, select=(ACLS, EXTENDED_ACLS)),
        TEAM_MAPPINGS,
        NICS,
    )


def described(vm: Machine, facts: Facts) -> dict[str, Any]:
    """Plain data, as `vms:` takes it. Raises UnreadableError where the host did not say."""
    bare = type(vm)(name=vm.name, previous_names=vm.previous_names)
    found: dict[str, Any] = {"name": vm.name, **_data(type(vm), _state(bare, (), facts), _OF_A_VM)}
    for section, kind in classes().items():
        owner = Index([Entry(bare, _NOWHERE)])[0]
        items = [_item(one, bare, facts) for one in kind.discover(owner, facts)]
        if items:
            found[section] = items if kind.many else items[0]
    return found


def _item(one: Resource, vm: Machine, facts: Facts) -> dict[str, Any]:
    known = {name: getattr(one, name) for name in one.model_fields_set}
    state = dict(_state(vm, (one,), facts))
    if one.kind == "network_adapter":
        state = _adapter(state)
    if one.kind == "disk":
        _disk(state)
    return {**known, **_data(type(one), state, tuple(known))}


def _state(vm: Machine, parts: tuple[Resource, ...], facts: Facts) -> State:
    """All fields of the last of them, as read."""
    index = Index([Entry(_whole(vm) if not parts else vm, _NOWHERE), *(Entry(_whole(p), _NOWHERE, 0) for p in parts)])
    return index[-1].actual(facts) or {}


def _whole(one: Any) -> Any:
    """As if every field were written, so that each is read."""
    copy = one.model_copy()
    table = settings(type(one))
    for name, info in type(one).model_fields.items():
        inner = next(models_in(info.annotation), None)
        if name in copy.model_fields_set or info.is_required():
            continue
        if inner is not None and any(n.startswith(f"{name}.") for n in table):
            copy.__dict__[name] = _whole(inner.model_construct())
        elif name not in table and name not in ("acls", "extended_acls", "team_mapping", "vlan", "switch"):
            continue
        copy.__pydantic_fields_set__.add(name)
    return copy


def _data(kind: type[Resource], state: State, but: tuple[str, ...]) -> dict[str, Any]:
    """What the playbook takes of a state: a field that it does not take as it is read is left out."""
    table = settings(kind)
    found: dict[str, Any] = {}
    for field, value in state.items():
        if value is None or value in (MISSING, UNKNOWN, NOT_COMPARED) or field.partition(".")[0] in but:
            continue
        if not value and field in table and table[field].codec in (COUNT, RATE):
            continue  # no limit
        section, _, inner = field.partition(".")
        if not inner:
            if isinstance(value, bool) and isinstance(found.get(section), dict):
                continue
            found[section] = value
        elif found.get(section) is not False:
            into = found.get(section)
            found[section] = {**(into if isinstance(into, dict) else {}), inner: value}
    if state.get("dynamic") is False:
        found["dynamic"] = False
    return {name: value for name, value in found.items() if _taken(kind, name, value)}


def _taken(kind: type[Resource], name: str, value: Any) -> bool:
    try:
        kind.model_validate({**kind.stand_in, name: value})
    except ValidationError:
        return False
    return True


def _disk(state: dict[str, Any]) -> None:
    """Of a file that is there, what the VM has of it."""
    for name in ("size", "type", "parent", "block_size", "logical_sector_size", "physical_sector_size"):
        state.pop(name, None)
    if state.get("disk_number") is not None:
        state.pop("path", None)
    if state.get("qos_policy_id"):
        for name in ("iops.minimum", "iops.maximum"):
            state.pop(name, None)
    if state.get("shared") is False:
        state.pop("shared")


def _adapter(state: dict[str, Any]) -> dict[str, Any]:
    """VLAN and isolation are two views of one thing, of which one is said."""
    vlan = state.pop("vlan", None)
    if vlan not in (None, MISSING, UNTAGGED):
        state["vlan"] = dict(_vlan(vlan))
    if "vlan" in state or state.get("isolation.mode") in (None, "vlan", "none", MISSING):
        state = {name: value for name, value in state.items() if not name.startswith("isolation.")}
    for name in ("acls", "extended_acls"):
        entries = state.pop(name, None)
        if entries not in (None, MISSING) and entries:
            state[name] = [_acl(entry) if name == "acls" else _extended(entry) for entry in sorted(entries)]
    return {name: value for name, value in state.items() if not (name == "mandatory_features" and not value)}


def _vlan(state: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    mode, *rest = state
    if mode in ("access", "trunk"):
        yield mode, _ids(rest[0])
        if mode == "trunk" and rest[1]:
            yield "native", rest[1]
        return
    yield "primary", rest[0]
    yield mode, _ids(rest[1])


def _ids(value: Any) -> Any:
    return ",".join(map(str, sorted(value))) if isinstance(value, frozenset) else value


def _acl(entry: Any) -> dict[str, Any]:
    plain = len(entry.address) == 12 and "." not in entry.address and ":" not in entry.address
    mac = plain or entry.address == "any MAC"
    address = "any" if entry.address == "any MAC" else entry.address
    side = f"{entry.side}_mac" if mac else entry.side
    return {"action": entry.action, "direction": entry.direction, side: address}


def _extended(entry: Any) -> dict[str, Any]:
    return {name: value for name, value in entry._asdict().items() if value is not None}


# --- as a text ---------------------------------------------------------------------------------------------------------


def as_playbook(host: str, data: Mapping[str, Any]) -> str:
    play = [{"name": f"{data['name']} as it was", "hosts": host, "vms": [dict(data)]}]
    return yaml.safe_dump(play, sort_keys=False, allow_unicode=True, width=110)


def firmware() -> type[Resource]:
    """What generation 2 has in the place of a BIOS."""
    return next(kind for kind in kinds() if kind.kind == "firmware")
