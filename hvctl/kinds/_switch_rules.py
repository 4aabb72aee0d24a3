"""What is wrong with a wished switch: by Hyper-V's own rules, and by what the host has (domain 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hvctl.call import Row
from hvctl.contract import OS, at_least, exists_from, title
from hvctl.core.changes import Change, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Resource
from hvctl.kinds._ip import nats_on
from hvctl.kinds._machine import Machine
from hvctl.kinds._network import NICS, SWITCHES, is_virtual, named
from hvctl.kinds._switch import (
    CHECKPOINTS,
    EXTENSIONS,
    INSTALLED,
    TYPES,
    SwitchPart,
    can_turn_coalescing_off,
    extension,
)
from hvctl.kinds._vlan import UNTAGGED, vlan_of
from hvctl.kinds.network_adapter import NetworkAdapter
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.source import suggest

MOST = 8
LBFO = "Microsoft Network Adapter Multiplexor Driver"
_OUTSIDE = ("iov", "packet_direct", "embedded_teaming", "teaming_mode", "load_balancing")
_FLOWS = {
    "default_flow_minimum_bandwidth_absolute": "absolute",
    "default_flow_minimum_bandwidth_weight": "weight",
}


# --- whatever the host looks like ------------------------------------------------------------------------------------


def rules(switch: SwitchPart, os: OS) -> Iterator[Diagnostic]:
    wanted = switch.type or ("external" if switch.net_adapters else None)
    if switch.net_adapters and wanted != "external":
        yield finding("net_adapters", f"a {wanted} switch has no adapters of the host", "write type: external")
    if wanted == "external" and switch.type and switch.net_adapters == []:
        yield finding("net_adapters", "an external switch needs an adapter of the host", "write its name")
    if wanted in ("internal", "private"):
        if switch.allow_management_os is (wanted == "private"):
            yield _other_type(wanted)
        for field in (f for f in _OUTSIDE if getattr(switch, f)):
            yield finding(field, f"it belongs to external switches, not to {wanted} ones", "remove it")
        if switch.default_queue.model_fields_set:
            yield finding("default_queue", f"it belongs to external switches, not to {wanted} ones", "remove it")
    yield from _teaming(switch, os)
    mode = switch.minimum_bandwidth_mode
    for field, of in _FLOWS.items():
        if getattr(switch, field) is not None and mode not in (None, of):
            yield finding(field, f"it does not go with the mode {mode}", "remove it")
    if switch.iov and mode not in (None, "none"):
        yield finding("minimum_bandwidth_mode", "with SR-IOV a switch shares no bandwidth", "write none")


def _other_type(now: str) -> Diagnostic:
    """False on an internal switch silently makes it private (domain 3)."""
    other = {"internal": "private", "private": "internal"}[now]
    shared = "always" if now == "internal" else "never"
    text = f"the management OS {shared} has an adapter on {'an' if now == 'internal' else 'a'} {now} switch"
    return finding("allow_management_os", text, f"write type: {other}, or remove allow_management_os")


def _teaming(switch: SwitchPart, os: OS) -> Iterator[Diagnostic]:
    names = [n.casefold() for n in switch.net_adapters or ()]
    for n, name in enumerate(names):
        if name in names[:n]:
            yield finding(f"net_adapters.{n}", "it is in the list twice", "write it once")
    several = len(names) > 1
    new = {"packet_direct": switch.packet_direct, "embedded_teaming": switch.embedded_teaming, "net_adapters": several}
    if any(new.values()) and not at_least(os, "2016"):
        field = next(name for name, wished in new.items() if wished)
        hint = f"{exists_from('2016')}; use one adapter or an LBFO team"
        yield finding(field, f"{title(os)} has no embedded teaming and no packet direct", hint)
    if several and switch.embedded_teaming is False:
        yield finding("embedded_teaming", "several adapters are an embedded team", "write true or remove it")
    if len(names) > MOST:
        yield finding("net_adapters", f"an embedded team has at most {MOST} adapters", "write fewer")
    if switch.packet_direct and (switch.iov or switch.embedded_teaming or several):
        yield finding("packet_direct", "packet direct excludes SR-IOV and teaming", "keep one of them")


def rules_together(switches: Sequence[SwitchPart]) -> Iterator[tuple[Resource, Diagnostic]]:
    """An adapter of the host carries one switch (domain 3)."""
    seen: dict[str, SwitchPart] = {}
    for switch in (s for s in switches if not s.absent):
        for n, name in enumerate(switch.net_adapters or ()):
            first = seen.setdefault(name.casefold(), switch)
            if first is not switch:
                place = first.place.mark("net_adapters")
                yield (
                    switch,
                    finding(
                        f"net_adapters.{n}",
                        f"{name} is wanted for the switch {first.name} at {place} too",
                        "an adapter of the host carries one switch; write another",
                    ),
                )


# --- what the host has ---------------------------------------------------------------------------------------------


def findings(switch: SwitchPart, changes: tuple[Change, ...], remade: str, facts: Facts) -> Iterator[Diagnostic]:
    """`remade`: the field for which it is made anew, or none."""
    row = switch.row(facts)
    if switch.absent:
        if users := _users(switch, facts):
            many = f"{len(users)} adapters are" if len(users) > 1 else "an adapter is"
            yield finding("", f"{many} on it: {', '.join(users[:4])}", "connect what is on it elsewhere first")
        yield from _translated(switch, "", facts)
        yield from _checkpoints(row, "", facts)
        return
    if row is None:
        yield from _made(switch)
    yield from _nics(switch, row, facts)
    yield from _extensions(switch, row, facts)
    yield from _whole(switch, changes, row, facts)
    if remade:
        yield from _remade(switch, remade, facts)
        if row and row.get("SoftwareRscEnabled") is False and not can_turn_coalescing_off(facts.os):
            yield finding(remade, "the new switch coalesces segments in software, which the old one does not",
                          "turn it off again by hand: Set-VMSwitch -EnableSoftwareRsc", "warning")  # fmt: skip
        yield from _checkpoints(row, remade, facts)


def _made(switch: SwitchPart) -> Iterator[Diagnostic]:
    if switch.type is None and not switch.net_adapters:
        yield finding("type", f"there is no switch {switch.name}, and its type is not written", "write its type")
    elif switch.type == "external" and switch.net_adapters is None:
        yield finding("type", "an external switch needs an adapter of the host", "write net_adapters")


def _whole(switch: SwitchPart, changes: tuple[Change, ...], row: Row | None, facts: Facts) -> Iterator[Diagnostic]:
    """What does not go together, taking what it has with what is wished."""
    shape = switch.shape(facts)
    if row is not None and shape.type == "external" and not shape.adapters:
        yield finding(
            "type", f"switch {switch.name} is to be external, and no adapter is written", "write net_adapters"
        )
    for change in changes:
        of = _FLOWS.get(change.field)
        if of and change.wanted is not None and shape.mode != of and switch.minimum_bandwidth_mode is None:
            yield finding(
                change.field, f"it does not go with the switch's mode, {shape.mode}", "remove it, or write the mode"
            )
        if change.field == "embedded_teaming" and not change.wanted and len(shape.adapters) > 1:
            yield finding("embedded_teaming", f"the switch has {len(shape.adapters)} adapters, which are a team",
                          "write the one net adapter that it keeps")  # fmt: skip
        if change.field.startswith("default_queue.") and shape.type != "external":
            yield finding(change.field, f"the switch is {shape.type}; it belongs to external ones", "remove it")
        if change.field in _OUTSIDE and change.wanted and shape.type != "external":
            yield finding(change.field, f"the switch is {shape.type}; it belongs to external ones", "remove it")
        elif change.field in ("load_balancing", "teaming_mode") and not shape.team:
            yield finding(change.field, "the switch is no embedded team", "remove it")
    if row is not None and shape.iov and switch.iov is None and switch.minimum_bandwidth_mode not in (None, "none"):
        yield finding("minimum_bandwidth_mode", "the switch has SR-IOV, with which it shares no bandwidth",
                      "write `iov: false` too")  # fmt: skip
    if shape.packet_direct and (shape.iov or shape.team) and switch.packet_direct:
        yield finding("packet_direct", "packet direct excludes SR-IOV and teaming, which the switch has",
                      "write both off, and one net adapter")  # fmt: skip
    elif shape.packet_direct and (shape.iov or shape.team):
        field = next((f for f in ("iov", "embedded_teaming", "net_adapters") if f in switch.model_fields_set), "")
        yield finding(field, "the switch has packet direct, which excludes SR-IOV and teaming",
                      "write `packet_direct: false` too")  # fmt: skip
    if row is not None and switch.allow_management_os is not None and switch.type is None and not switch.net_adapters:
        now = TYPES.read(row["SwitchType"])
        if now != "external" and switch.allow_management_os is (now == "private"):
            yield _other_type(now)


def _remade(switch: SwitchPart, field: str, facts: Facts) -> Iterator[Diagnostic]:
    """Making it anew takes the host's own adapters on it away, with all their settings; the one that belongs to it
    comes back without."""
    lost = [str(r["Name"]) for r in switch.of_host(facts) if r["Name"] != switch.name or vlan_of(r) != UNTAGGED]
    if lost:
        yield finding(field, f"the host has adapters of its own on it: {', '.join(lost)}",
                      "remove them first, and add them again afterwards")  # fmt: skip
    yield from _translated(switch, field, facts)


def _translated(switch: SwitchPart, field: str, facts: Facts) -> Iterator[Diagnostic]:
    """networking 2: whether a switch can be removed while a NAT rests on it, reports disagree; hvctl does not try."""
    own = switch.of_host(facts)
    going = {str(getattr(p, "called", "")).casefold() for p in switch.parts if p.kind == "nat" and switch.absent}
    left = [name for name in (nats_on(own, facts) if own else ()) if name.casefold() not in going]
    if left:
        named = "" if left[0].casefold() == switch.known_by else f"name: {left[0]}, "
        yield finding(field, f"the NAT {', '.join(left)} of this host has its address on it",
                      f"remove that first: `nat: {{{named}ensure: absent}}`")  # fmt: skip


def _checkpoints(row: Row | None, field: str, facts: Facts) -> Iterator[Diagnostic]:
    """A checkpoint names the switch by its id, which a new one of the same name does not have."""
    if row is None:
        return
    try:
        points = facts.rows(CHECKPOINTS)
    except UnreadableError as error:
        said = f"whether checkpoints refer to it is not known: {error}"
        yield finding(field, said, "look at them first", "warning", (error.outside,))
        return
    mine = str(row["Id"]).casefold()
    for point in points:
        if any(str(a["SwitchId"]).casefold() == mine for a in point.get("NetworkAdapters[SwitchId]") or ()):
            yield finding(
                field,
                f"checkpoint {point['Name']} of {point['VMName']} refers to it",
                "after it is applied its adapter is on no switch: connect it then, or remove the checkpoint",
                "warning",
            )


def _nics(switch: SwitchPart, row: Row | None, facts: Facts) -> Iterator[Diagnostic]:
    known = {str(n["Name"]).casefold(): n for n in facts.rows(NICS)}
    own = {n.casefold() for n in named(row, facts)} if row is not None else set()
    taken = {
        name.casefold(): str(other["Name"])
        for other in facts.rows(SWITCHES)
        if row is None or other["Id"] != row["Id"]
        for name in named(other, facts)
    }
    wished = switch.net_adapters or ()
    for n, name in enumerate(wished):
        nic = known.get(name.casefold())
        if nic is None:
            names = [str(k["Name"]) for k in known.values() if not is_virtual(k)]
            hint = " ".join(filter(None, (suggest(name, names), f"the host has {', '.join(names) or 'none'}")))
            yield finding(f"net_adapters.{n}", f"the host has no adapter {name}", hint)
        elif name.casefold() in taken and name.casefold() not in own:
            yield finding(f"net_adapters.{n}", f"{name} is bound to the switch {taken[name.casefold()]}",
                          "take it from there first")  # fmt: skip
        elif str(nic["InterfaceDescription"]).startswith(LBFO):
            yield from _lbfo(n, name, row is None, len(wished) > 1 or bool(switch.embedded_teaming), facts.os)
    speeds = {str(known[w.casefold()].get("LinkSpeed")) for w in wished if w.casefold() in known}
    if len(speeds) > 1:
        # A team wants adapters of one kind (domain 3).
        yield finding("net_adapters", f"they run at {' and '.join(sorted(speeds))}; a team needs one speed",
                      "write adapters of one speed, or connect their cables")  # fmt: skip


def _lbfo(n: int, name: str, new: bool, team: bool, os: OS) -> Iterator[Diagnostic]:
    """domain 3: not within an embedded team; from 2022 on no new switch on it [I]."""
    if team:
        yield finding(f"net_adapters.{n}", f"{name} is an LBFO team, which an embedded team does not take",
                      "write its members")  # fmt: skip
    elif new and at_least(os, "2022"):
        yield finding(f"net_adapters.{n}", f"{name} is an LBFO team, on which {title(os)} makes no switch",
                      "remove that team and write its members")  # fmt: skip


def _extensions(switch: SwitchPart, row: Row | None, facts: Facts) -> Iterator[Diagnostic]:
    wished = {f"extensions.{n}": n for n in switch.extensions or ()}
    wished |= {f"extension_order.{i}": n for i, n in enumerate(switch.extension_order or ())}
    if not wished:
        return
    there = (row.get(EXTENSIONS) or ()) if row is not None else facts.rows(INSTALLED)
    for field, name in wished.items():
        if extension(name, there) is None:
            names = [str(e["Name"]) for e in there]
            hint = suggest(name, names) or f"it has {', '.join(names) or 'none'}"
            yield finding(field, f"the host has no switch extension {name}", hint)


def _users(switch: SwitchPart, facts: Facts) -> list[str]:
    """Adapters on it that no wish takes off it."""
    leaving: set[tuple[str, str]] = set()
    listed: set[tuple[str, str]] = set()
    whole: set[str] = set()  # VMs whose list of adapters is all they keep
    for owner in switch.beside(Machine):
        if owner.absent:
            leaving.add((owner.key().casefold(), ""))
        elif "network_adapters" in owner.exclusive:
            whole.add(owner.key().casefold())
    for adapter in switch.beside(NetworkAdapter):
        here = (adapter.vm.key().casefold(), adapter.key().casefold())
        listed.add(here)
        if adapter.absent or (
            "switch" in adapter.model_fields_set and str(adapter.switch or "").casefold() != switch.known_by
        ):
            leaving.add(here)
    found = []
    for row in switch.connected(facts):
        vm, name = str(row["VMName"]).casefold(), str(row["Name"]).casefold()
        surplus = vm in whole and (vm, name) not in listed
        if not surplus and not {(vm, name), (vm, "")} & leaving:
            found.append(f"{row['Name']} of {row['VMName']}")
    return found
