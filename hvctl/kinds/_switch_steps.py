"""How a switch is made, changed in place, made anew and removed (domain 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hvctl.call import Call, Guard, Ref, Row
from hvctl.contract import at_least
from hvctl.core.changes import Change, Step
from hvctl.core.facts import Facts
from hvctl.core.fields import settings
from hvctl.kinds._network import full_names
from hvctl.kinds._readdressed import set_again
from hvctl.kinds._switch import (
    BALANCING,
    EXTENSIONS,
    KNOWN,
    MODES,
    TEAM,
    TEAMING,
    TEAMS,
    TYPES,
    DefaultQueue,
    SwitchPart,
    can_turn_coalescing_off,
    extension,
)

_ABSOLUTE = "default_flow_minimum_bandwidth_absolute"

NEW = {"filtering_platform": True, "ndis_capture": False, "azure_vfp": False}
"""Which of Microsoft's extensions are on in a new switch."""

QUEUE = {
    "vrss": True,
    "vmmq": False,
    "queue_pairs": 16,
    "minimum_queue_pairs": 1,
    "scheduling": "static_vrss",
    "exclude_primary_processor": False,
}
"""The default queue of a new switch, as Msvm_EthernetSwitchHardwareOffloadSettingData documents it."""


def create(switch: SwitchPart, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
    made = _made(switch, facts, ())
    yield made
    yield from _after(switch, changes, made, {}, facts)


def remove(switch: SwitchPart, facts: Facts) -> Iterator[Step]:
    """Hyper-V removes it with VMs on it: those that were to leave it must have left."""
    row = switch.row(facts)
    call = Call("Get-VMNetworkAdapter", {"VM": Ref(Call("Get-VM"), many=True)})
    nobody = (
        Guard(call, {"SwitchId": str(row["Id"])}, most=0, unmet=f"there is still an adapter on {switch.name}")
        if row
        else None
    )
    removal = Call("Remove-VMSwitch", {"VMSwitch": switch.ref(facts), "Force": True})
    yield Step(removal, f"remove switch {switch.name}", ("ensure",), guard=nobody)


def recreate(switch: SwitchPart, changes: tuple[Change, ...], row: Row, facts: Facts) -> Iterator[Step]:
    """With everything it had that is not wished otherwise, and with its adapters on it again."""
    removal = Call("Remove-VMSwitch", {"VMSwitch": switch.ref(facts), "Force": True})
    gone = Step(removal, f"remove switch {switch.name}", tuple(c.field for c in changes))
    yield gone
    made = _made(switch, facts, (gone,))
    yield made
    yield from _after(switch, switch.as_changes(facts), made, row, facts)
    for adapter in switch.connected(facts):
        vm = Ref(Call("Get-VM", {"Id": adapter["VMId"]}))
        found = Ref(Call("Get-VMNetworkAdapter", {"VM": vm}), {"Id": adapter["Id"]})
        call = Call("Connect-VMNetworkAdapter", {"VMNetworkAdapter": found, "VMSwitch": switch.made})
        yield Step(call, f"connect adapter {adapter['Name']} of {adapter['VMName']} again", needs=(made,))
    for own in switch.staying(facts):
        yield from set_again(own, gone.because, (made,), facts)


def update(switch: SwitchPart, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
    """In place."""
    fields = {c.field for c in changes}
    ref, row = switch.ref(facts), switch.row(facts)
    first: tuple[Step, ...] = ()
    done: set[str] = {"type", "net_adapters"}
    if "net_adapters" in fields and row is not None and row.get("EmbeddedTeamingEnabled"):
        first, done = (_balanced(switch, ref, facts, (), {}),), {*done, *TEAM}
    elif fields & {"type", "net_adapters"}:
        first, done = (_converted(switch, ref, "allow_management_os" in fields, facts),), {*done, "allow_management_os"}
    yield from first
    yield from _settings(switch, ref, tuple(c for c in changes if c.field not in done), first, {}, facts)
    if fields & set(TEAM) - done:
        yield _balanced(switch, ref, facts, first, {})
    yield from _extended(switch, ref, changes, first, row or {})


# --- the parts -----------------------------------------------------------------------------------------------------


def _made(switch: SwitchPart, facts: Facts, needs: tuple[Step, ...]) -> Step:
    """New-VMSwitch. What is not wished stays as it was when the switch is made anew."""
    row, shape = switch.row(facts), switch.shape(facts)
    params: dict[str, Any] = {"Name": switch.name}
    if shape.type == "external":
        params["NetAdapterName"] = shape.adapters if at_least(facts.os, "2016") else shape.adapters[0]
        if shape.shared is not None:
            params["AllowManagementOS"] = shape.shared
    else:
        params["SwitchType"] = TYPES.write(shape.type)
    params["MinimumBandwidthMode"] = MODES.write(shape.mode)
    more = {
        "Notes": switch.notes if switch.notes is not None else (row or {}).get("Notes"),
        "EnableIov": shape.iov,
        "EnablePacketDirect": shape.packet_direct,
        "EnableEmbeddedTeaming": shape.team,
    }
    params |= {name: value for name, value in more.items() if value}
    later = ("default_flow", "extension", "default_queue", "software_rsc", *TEAM)
    served = tuple(f for f in switch.wanted() if not f.startswith(later))
    return Step(Call("New-VMSwitch", params), f"make switch {switch.name}", served, needs=needs)


def _after(
    switch: SwitchPart, changes: tuple[Change, ...], made: Step, was: Row | dict[str, Any], facts: Facts
) -> Iterator[Step]:
    """What New-VMSwitch has no parameter for: as wished, else as it was."""
    needs = (made,)
    rest = tuple(c for c in changes if c.field.startswith(("default_flow", "default_queue", "software_rsc")))
    kept = {k: v for k, v in _kept(switch, was, facts).items() if k not in switch.arguments(rest)}
    # In another mode there is none, and the host takes no word of it.
    absolute = switch.shape(facts).mode == "absolute"
    rest = tuple(c for c in rest if absolute or (c.field, c.wanted) != (_ABSOLUTE, None))
    yield from _settings(switch, switch.made, rest, needs, kept, facts)
    fields = {c.field for c in changes}
    team = facts.of_key(TEAMS, "Id", was["Id"]) if was else ()
    if fields & set(TEAM) or (team and switch.shape(facts).team):
        before = {"LoadBalancingAlgorithm": team[0]["LoadBalancingAlgorithm"]} if team else {}
        yield _balanced(switch, switch.made, facts, needs, before)
    yield from _extended(switch, switch.made, changes, needs, was, anew=True)


def _kept(switch: SwitchPart, was: Row | dict[str, Any], facts: Facts) -> dict[str, Any]:
    """Parameters for what a switch had beyond what a new one has."""
    if not was:
        return {}
    shape = switch.shape(facts)
    found: dict[str, Any] = {}
    mode = MODES.read(was["BandwidthReservationMode"])
    flow = {"absolute": "DefaultFlowMinimumBandwidthAbsolute", "weight": "DefaultFlowMinimumBandwidthWeight"}.get(mode)
    if flow and mode == shape.mode and was.get(flow):
        found[flow] = was[flow]
    for name, setting in settings(DefaultQueue).items():
        if shape.type == "external" and setting.name in was and setting.get(was) not in (None, QUEUE[name]):
            found[setting.set_with] = setting.codec.write(setting.get(was))
    if was.get("SoftwareRscEnabled") is False and can_turn_coalescing_off(facts.os):
        found["EnableSoftwareRsc"] = False
    return found


def _settings(
    switch: SwitchPart,
    ref: Ref,
    changes: tuple[Change, ...],
    needs: tuple[Step, ...],
    kept: dict[str, Any],
    facts: Facts,
) -> Iterator[Step]:
    """All plain settings in one call."""
    plain = tuple(c for c in changes if c.field not in TEAM and c.field not in ("type", "net_adapters"))
    if arguments := full_names(switch.setter, {**kept, **switch.arguments(plain)}, facts.os):
        fields = tuple(c.field for c in plain if c.field in settings(type(switch)))
        yield Step(
            Call(switch.setter, {"VMSwitch": ref, **arguments}), f"set switch {switch.name}", fields, needs=needs
        )


def _balanced(switch: SwitchPart, ref: Ref, facts: Facts, needs: tuple[Step, ...], before: dict[str, Any]) -> Step:
    params: dict[str, Any] = {"VMSwitch": ref, "NetAdapterName": switch.shape(facts).adapters, **before}
    if switch.teaming_mode:
        params["TeamingMode"] = TEAMING.write(switch.teaming_mode)
    if switch.load_balancing:
        params["LoadBalancingAlgorithm"] = BALANCING.write(switch.load_balancing)
    served = ("net_adapters", *TEAM)
    return Step(Call("Set-VMSwitchTeam", params), f"set the team of switch {switch.name}", served, needs=needs)


def _converted(switch: SwitchPart, ref: Ref, management: bool, facts: Facts) -> Step:
    """In place, with VMs connected (domain 3). Set-VMSwitch takes one adapter, never a list."""
    row, shape = switch.row(facts), switch.shape(facts)
    params: dict[str, Any] = {"VMSwitch": ref}
    if shape.type == "external":
        params["NetAdapterName"] = shape.adapters[0]
        # A switch that becomes external is shared unless told otherwise (PSDOC); unwritten means as it was.
        if management or (row is not None and TYPES.read(row["SwitchType"]) != "external"):
            params["AllowManagementOS"] = bool(shape.shared)
    else:
        params["SwitchType"] = TYPES.write(shape.type)
    served = ("type", "net_adapters", *(("allow_management_os",) if management else ()))
    return Step(Call(switch.setter, params), f"make switch {switch.name} {shape.type}", served)


def _extended(
    switch: SwitchPart,
    ref: Ref,
    changes: tuple[Change, ...],
    needs: tuple[Step, ...],
    was: Row | dict[str, Any],
    anew: bool = False,
) -> Iterator[Step]:
    turned = {c.field.removeprefix("extensions."): bool(c.wanted) for c in changes if c.field.startswith("extensions.")}
    there = was.get(EXTENSIONS) or ()
    if anew:
        asked = {str(one["Id"]) for name in turned if (one := extension(name, there))}
        turned |= {str(e["Id"]): bool(e["Enabled"]) for e in there if str(e["Id"]) not in asked and not _as_new(e)}
    for name, on in turned.items():
        verb = "Enable" if on else "Disable"
        call = Call(f"{verb}-VMSwitchExtension", {"VMSwitchExtension": _of(ref, name, there)})
        served = (f"extensions.{name}",) if name in (switch.extensions or {}) else ()
        yield Step(call, f"{verb.lower()} the extension {name} of switch {switch.name}", served, needs=needs)
    if any(c.field == "extension_order" for c in changes):
        order = [_of(ref, name, there) for name in switch.extension_order or ()]
        call = Call(switch.setter, {"VMSwitch": ref, "Extensions": order})
        yield Step(call, f"order the extensions of switch {switch.name}", ("extension_order",), needs=needs)


def _as_new(row: Row) -> bool:
    known = {guid: word for word, guid in KNOWN.items()}
    return bool(NEW.get(known.get(str(row["Id"]).upper(), "")) == row["Enabled"])


def _of(ref: Ref, name: str, there: Any) -> Ref:
    """An extension of the switch as an object: by its id, if that is known."""
    one = extension(name, there)
    known = KNOWN.get(name.casefold().replace("-", "_"))
    where = {"Id": str(one["Id"])} if one else {"Id": known} if known else {"Name": name}
    return Ref(Call("Get-VMSwitchExtension", {"VMSwitch": ref}), where)
