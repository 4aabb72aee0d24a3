"""Get-, New-, Set-, Rename-, Remove-VMSwitch (domain 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mocks.arguments import is_pattern, like
from mocks.cmdlets import _management
from mocks.cmdlets._extension import ExtensionOf, extension_object
from mocks.command import Command, cmdlet
from mocks.complete import ensure_management_adapter, link_speed, move_settings, new_id, settle_switch
from mocks.enums import enum
from mocks.objects import Guid, PsObject, Refusal
from mocks.shape import SESSION, computer, shaped
from mocks.state import LBFO, HostState, NetAdapter, Switch

MOST = 8  # members of an embedded team (domain 3)
NO_IOV = (
    "The chipset on the system does not do interrupt remapping, without which SR-IOV cannot be supported.",
    "This network adapter does not support SR-IOV.",
)


def switch_object(state: HostState, switch: Switch) -> PsObject:
    nics = [n for n in state.nics if n.name in switch.net_adapters]
    absolute = switch.default_flow_minimum_bandwidth_absolute or 0
    iov = any(n.iov_support for n in nics) and state.iov_support
    pairs = switch.default_queue_vrss_max_queue_pairs
    queues: dict[str, Any] = {
        "VmmqEnabled": switch.default_queue_vmmq_enabled,
        "VmmqQueuePairs": pairs,
        "VrssEnabled": switch.default_queue_vrss_enabled,
        "VrssExcludePrimaryProcessor": switch.default_queue_vrss_exclude_primary_processor,
        "VrssMaxQueuePairs": pairs,
        "VrssMinQueuePairs": switch.default_queue_vrss_min_queue_pairs,
        "VrssQueueSchedulingMode": enum("VrssQueueSchedulingModeType", switch.default_queue_vrss_queue_scheduling_mode),
    }
    # Requested and effective are two: without hardware for it nothing is in effect (domain 3).
    able = bool(nics) and all(n.vmmq_support for n in nics)
    effect = queues | {"VmmqEnabled": able and switch.default_queue_vmmq_enabled}
    properties: dict[str, Any] = {
        "ComputerName": computer(state, False),
        "Name": switch.name,
        "Id": Guid(switch.id),
        "Notes": switch.notes,
        "SwitchType": enum("VMSwitchType", switch.type),
        "AllowManagementOS": bool(switch.allow_management_os),
        "NetAdapterInterfaceDescription": _description(switch, nics),
        "NetAdapterInterfaceDescriptions": [n.description for n in nics],
        "NetAdapterInterfaceGuid": [Guid(n.id) for n in nics],
        "AvailableVMQueues": 0,
        "NumberVmqAllocated": 0,
        "IovEnabled": switch.iov_enabled,
        "IovVirtualFunctionCount": 0,
        "IovVirtualFunctionsInUse": 0,
        "IovQueuePairCount": 0,
        "IovQueuePairsInUse": 0,
        "AvailableIPSecSA": 0,
        "NumberIPSecSAAllocated": 0,
        "BandwidthPercentage": round(100 * absolute / link_speed(state, switch)),
        "BandwidthReservationMode": enum("VMSwitchBandwidthMode", switch.minimum_bandwidth_mode),
        "DefaultFlowMinimumBandwidthAbsolute": absolute,
        "DefaultFlowMinimumBandwidthWeight": switch.default_flow_minimum_bandwidth_weight,
        "Extensions": [extension_object(state, switch, key) for key in switch.extensions],
        "IovSupport": iov,
        "IovSupportReasons": [] if iov else list(NO_IOV),
        "EmbeddedTeamingEnabled": switch.embedded_teaming_enabled,
        "PacketDirectEnabled": switch.packet_direct_enabled,
        "PacketDirectInUse": False,
        "SoftwareRscEnabled": switch.software_rsc_enabled,
        **{f"DefaultQueue{k}": v for k, v in effect.items()},
        **{f"DefaultQueue{k}Requested": v for k, v in queues.items()},
        "IsDeleted": False,
        "CimSession": SESSION,
        "Key": None,
    }
    text = f"VMSwitch (Name = '{switch.name}') [Id = '{switch.id}']"
    return shaped(state, "VMSwitch", properties, entity=switch, text=text)


def _description(switch: Switch, nics: list[NetAdapter]) -> str | None:
    """One text; a team has a description of its own (observed on SET as Teamed-Interface) [I]."""
    if switch.embedded_teaming_enabled:
        return "Teamed-Interface"
    return nics[0].description if nics else None


def missing(cmd: Command, name: str) -> Refusal:
    return cmd.refuse("InvalidParameter", "switch_missing", name)  # observations 4 [O Get, C Set]


def switches(cmd: Command) -> Iterator[Switch]:
    """By object, or by name: wildcards, not unique."""
    visible = cmd.state.switches if cmd.state.administrator else []
    for switch in cmd.args.entities("VMSwitch", Switch):
        with cmd.trying():
            if not any(s is switch for s in cmd.state.switches):
                raise cmd.refuse(
                    "ObjectNotFound", "object_gone", cmd.state.name
                )  # observations 4: the object was not found
            yield switch
    for pattern in [*cmd.args.texts("Name"), *cmd.args.texts("VMSwitchName")]:
        found = [s for s in visible if like(s.name, pattern)]
        if not found and not is_pattern(pattern):
            with cmd.trying():
                raise missing(cmd, pattern)
        yield from found


@cmdlet("Get-VMSwitch", takes=0.06)
def get(cmd: Command) -> None:
    args = cmd.args
    found = list(switches(cmd)) if "Name" in args else list(cmd.state.switches) if cmd.state.administrator else []
    if "Id" in args:
        wanted = {t.lower() for t in args.texts("Id")}
        found = [s for s in found if s.id in wanted]
        if not found:
            raise cmd.refuse("ObjectNotFound", "switch_missing", ", ".join(sorted(wanted)))  # kind [I]
    if "SwitchType" in args:
        kinds = args.words("SwitchType", "VMSwitchType")
        found = [s for s in found if s.type in kinds]
    cmd.emit(*(switch_object(cmd.state, s) for s in found))


def net_adapters(cmd: Command) -> list[NetAdapter]:
    """The physical adapters meant, by name or by description."""
    found: list[NetAdapter] = []
    for parameter in ("NetAdapterName", "NetAdapterInterfaceDescription"):
        for text in cmd.args.texts(parameter):
            by_name = parameter == "NetAdapterName"
            one = [n for n in cmd.state.nics if like(n.name if by_name else n.description, text)]
            if not one:
                raise cmd.refuse("InvalidParameter", "net_adapter_missing", text)  # id and text ours
            found.append(one[0])
    return found


def check_team(cmd: Command, nics: list[NetAdapter]) -> None:
    """domain 3: identical adapters, at most 8, no LBFO; kinds [I]."""
    alike = len({n.link_speed for n in nics}) == 1
    if not cmd.state.module2 or not alike or len(nics) > MOST or any(n.description.startswith(LBFO) for n in nics):
        raise cmd.refuse("OperationFailed", "switch_modify_failed")


def check_bind(cmd: Command, nics: list[NetAdapter], own: Switch | None = None) -> None:
    for nic in nics:
        if any(nic.name in s.net_adapters for s in cmd.state.switches if s is not own):
            # domain 3: text [O]; kind [I]
            text = cmd.say("adapter_bound", nic.description)
            raise cmd.refuse("OperationFailed", "switch_add_failed", text)
        if nic.description.startswith(LBFO) and cmd.state.at_least("2022") and own is None:
            raise cmd.refuse("OperationFailed", "switch_add_failed", "")  # domain 3: no new switch on LBFO [I]
        if not nic.can_bind:
            # observations 4: WSL2-Network-Fix#9 [O]
            text = cmd.say("adapter_bind_failed", "{" + nic.id.upper() + "}")
            raise cmd.refuse("ObjectNotFound", "switch_add_failed", text)


@cmdlet("New-VMSwitch", takes=3.0)
def new(cmd: Command) -> None:
    args = cmd.args
    switch = Switch(args.text("Name"))  # a name that exists already is accepted
    nics = net_adapters(cmd)
    check_bind(cmd, nics)
    switch.type = "External" if nics else args.word("SwitchType", "VMSwitchType")
    switch.net_adapters = [n.name for n in nics]
    if "AllowManagementOS" in args:
        switch.allow_management_os = args.flag("AllowManagementOS")
    else:
        switch.allow_management_os = switch.type != "Private"
    switch.notes = args.text("Notes")
    switch.iov_enabled = args.flag("EnableIov")
    switch.packet_direct_enabled = args.flag("EnablePacketDirect")
    switch.embedded_teaming_enabled = args.flag("EnableEmbeddedTeaming") or len(nics) > 1
    if switch.packet_direct_enabled and (switch.iov_enabled or switch.embedded_teaming_enabled):
        raise cmd.refuse("InvalidParameter", "switch_modify_failed")  # observations 4: throws [C]; id [I]
    if (switch.iov_enabled or switch.embedded_teaming_enabled) and not nics:
        raise cmd.refuse("InvalidParameter", "switch_modify_failed")  # domain 3: external only; id [I]
    if switch.embedded_teaming_enabled:
        check_team(cmd, nics)
    switch.software_rsc_enabled = cmd.state.at_least("2019")
    if "MinimumBandwidthMode" in args:
        switch.minimum_bandwidth_mode = args.word("MinimumBandwidthMode", "VMSwitchBandwidthMode")
    else:
        switch.minimum_bandwidth_mode = "Default"
    settle_switch(cmd.state, switch)
    switch.id = new_id(cmd.state)
    cmd.state.switches.append(switch)
    ensure_management_adapter(cmd.state, switch)
    move_settings(cmd.state, switch)
    _management.appearing(cmd, switch)
    if _management.carries(cmd, switch):
        # observations 4: the host's network is gone for 5 to 15 s [O]; without the adapter of its own for good
        (_management.blink if switch.allow_management_os else _management.cut)(cmd)
    cmd.emit(switch_object(cmd.state, switch))


@cmdlet("Set-VMSwitch", takes=1.0)
def change(cmd: Command) -> None:
    args = cmd.args
    queues = [a for a in args if a.startswith("defaultqueue")]
    for switch in list(switches(cmd)):
        with cmd.trying():
            _change_type(cmd, switch)
            if "AllowManagementOS" in args:
                _change_management(cmd, switch)
            _change_flow(cmd, switch)
            nics = [n for n in cmd.state.nics if n.name in switch.net_adapters]
            if queues and not (nics and all(n.vmmq_support for n in nics)):
                raise cmd.refuse("OperationFailed", "switch_modify_failed")  # observations 4: taliesins#58 [O]
            _change_queues(cmd, switch)
            if "EnableSoftwareRsc" in args:
                switch.software_rsc_enabled = args.flag("EnableSoftwareRsc")
            if "Extensions" in args:
                first = [e.id for e in args.entities("Extensions", ExtensionOf) if e.switch is switch]
                rest = [key for key in switch.extensions if key not in first]
                switch.extensions = {key: switch.extensions[key] for key in (*first, *rest)}  # PSDOC: reorders
            if "Notes" in args:
                switch.notes = args.text("Notes")
            cmd.passthru(switch_object, cmd.state, switch)


def _freed(cmd: Command) -> bool:
    """The adapter that carries WinRM stands on its own again: it has its addresses back."""
    bound = {n.lower() for s in cmd.state.switches for n in s.net_adapters}
    return cmd.state.management.lower() not in bound and any(
        n.name.lower() == cmd.state.management.lower() for n in cmd.state.nics
    )


def _change_type(cmd: Command, switch: Switch) -> None:
    args = cmd.args
    if switch.embedded_teaming_enabled and args.any("NetAdapterName", "NetAdapterInterfaceDescription", "SwitchType"):
        # domain 3: a team is neither internal nor private, its members belong to Set-VMSwitchTeam; id [I]
        raise cmd.refuse("InvalidParameter", "switch_modify_failed")
    if args.any("NetAdapterName", "NetAdapterInterfaceDescription"):
        nics = net_adapters(cmd)
        check_bind(cmd, nics, switch)
        carried = _management.carries(cmd, switch)
        switch.net_adapters = [n.name for n in nics]
        if switch.type != "External":
            switch.allow_management_os = True  # PSDOC: a converted one is shared, unless AllowManagementOS says no
        switch.type = "External"
        stays = _management.carries(cmd, switch)
        if stays or carried:
            # the addresses stay with the switch: away from its cable they reach nobody [I]
            (_management.blink if stays and switch.allow_management_os else _management.cut)(cmd)
        ensure_management_adapter(cmd.state, switch)
        move_settings(cmd.state, switch)
    elif "SwitchType" in args:
        wanted = args.word("SwitchType", "VMSwitchType")
        if wanted == "External" and switch.type != "External":
            raise cmd.refuse("InvalidParameter", "switch_modify_failed")  # needs an adapter; id [I]
        if wanted != "External":
            if _management.carries(cmd, switch):
                # the host's addresses stay with a switch that has no cable, or go with its adapter (domain 3 [I])
                _management.cut(cmd)
            switch.net_adapters = []
            switch.type = wanted
            switch.allow_management_os = wanted == "Internal"
    ensure_management_adapter(cmd.state, switch)


def _change_management(cmd: Command, switch: Switch) -> None:
    wanted = cmd.args.flag("AllowManagementOS")
    switch.allow_management_os = wanted
    if not wanted and switch.type == "Internal":
        switch.type = "Private"  # trap 14, observations 4: silently [C]
    elif wanted and switch.type == "Private":
        switch.type = "Internal"  # domain 3 [I]
    ensure_management_adapter(cmd.state, switch)
    if not wanted and _management.carries(cmd, switch):
        _management.cut(cmd)


_QUEUES = {
    "DefaultQueueVrssMaxQueuePairs": "default_queue_vrss_max_queue_pairs",
    "DefaultQueueVmmqQueuePairs": "default_queue_vrss_max_queue_pairs",  # its name on 2016
    "DefaultQueueVrssMinQueuePairs": "default_queue_vrss_min_queue_pairs",
}
_QUEUE_FLAGS = {
    "DefaultQueueVmmqEnabled": "default_queue_vmmq_enabled",
    "DefaultQueueVrssEnabled": "default_queue_vrss_enabled",
    "DefaultQueueVrssExcludePrimaryProcessor": "default_queue_vrss_exclude_primary_processor",
}


def _change_queues(cmd: Command, switch: Switch) -> None:
    args = cmd.args
    for parameter, field in _QUEUES.items():
        if parameter in args:
            if args.number(parameter) < 1:
                raise cmd.refuse("InvalidParameter", "switch_modify_failed")  # [I]
            setattr(switch, field, args.number(parameter))
    for parameter, field in _QUEUE_FLAGS.items():
        if parameter in args:
            setattr(switch, field, args.flag(parameter))
    mode = "DefaultQueueVrssQueueSchedulingMode"
    if mode in args:
        switch.default_queue_vrss_queue_scheduling_mode = args.word(mode, "VrssQueueSchedulingModeType")


def _change_flow(cmd: Command, switch: Switch) -> None:
    args, mode = cmd.args, switch.minimum_bandwidth_mode
    if "DefaultFlowMinimumBandwidthAbsolute" in args:
        value = args.number("DefaultFlowMinimumBandwidthAbsolute")
        if mode != "Absolute":
            raise cmd.refuse("OperationFailed", "switch_modify_failed")  # domain 3: only in Absolute mode; kind [I]
        if value < 0:
            raise cmd.refuse("InvalidParameter", "switch_modify_failed")
        switch.default_flow_minimum_bandwidth_absolute = value // 8 * 8  # rounded down (domain 26)
    if "DefaultFlowMinimumBandwidthWeight" in args:
        value = args.number("DefaultFlowMinimumBandwidthWeight")
        if mode != "Weight":
            raise cmd.refuse("OperationFailed", "switch_modify_failed")  # domain 3: only in Weight mode; kind [I]
        if not 0 <= value <= 100:
            raise cmd.refuse("InvalidParameter", "switch_modify_failed")  # domain 3: 0 to 100; id [I]
        switch.default_flow_minimum_bandwidth_weight = value


@cmdlet("Rename-VMSwitch", takes=0.1)
def rename(cmd: Command) -> None:
    for switch in list(switches(cmd)):
        if cmd.state.management.lower() == switch.name.lower():
            cmd.state.management = cmd.args.text("NewName")
        switch.name = cmd.args.text("NewName")
        cmd.passthru(switch_object, cmd.state, switch)


@cmdlet("Remove-VMSwitch", takes=2.0)
def remove(cmd: Command) -> None:
    cmd.needs_consent()  # domain 3: Remove-VMSwitch -Force
    for switch in list(switches(cmd)):
        if _management.translates(cmd, switch):
            # networking 2: reports contradict each other; here it is refused while a NAT rests on it, kind [I]
            raise cmd.refuse("OperationFailed", "switch_modify_failed")
        carried = _management.carries(cmd, switch)
        cmd.state.switches.remove(switch)
        cmd.state.management_adapters = [a for a in cmd.state.management_adapters if a.switch != switch.id]
        for vm in cmd.state.vms:
            for adapter in vm.nics:
                if adapter.switch == switch.id:
                    adapter.switch = None  # allowed while connected; disconnected from then on (domain 3, 26)
        if carried:
            (_management.blink if _freed(cmd) else _management.cut)(cmd)
