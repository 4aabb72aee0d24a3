"""Get-, Enable-, Disable-VMIntegrationService (domain 11.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mocks.arguments import is_pattern, like
from mocks.clock import Clock
from mocks.cmdlets._find import owners, vms
from mocks.command import Command, cmdlet
from mocks.enums import enum
from mocks.machine import Checkpoint, Vm
from mocks.messages import say
from mocks.objects import EnumValue, PsObject
from mocks.shape import device_id, parts_of, shaped
from mocks.state import HostState

GUIDS = {
    "guest_service_interface": "6C09BB55-D683-4DA0-8931-C9BF705F6480",
    "heartbeat": "84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47",
    "key_value_pair_exchange": "2A34B1C2-FD73-4043-8A5B-DD2159BC743F",
    "shutdown": "9F8233AC-BE49-4C79-8EE3-E7E1985B2077",
    "time_synchronization": "2497F4DE-E9FA-4204-80E4-4B75C46419C0",
    "vss": "5CED1297-4598-4915-A5FC-AD21BB4D02A4",
}
# The order of classes recorded on 2012 R2; later it is alphabetical by English name (centreon#4603) [O]
_OLD_ORDER = ("time_synchronization", "heartbeat", "key_value_pair_exchange", "shutdown", "vss")
_CLASSES = {
    "guest_service_interface": "GuestServiceInterfaceComponent",
    "key_value_pair_exchange": "DataExchangeComponent",
    "shutdown": "ShutdownComponent",
}
_TEXTS = {"Ok": "component_ok", "NoContact": "no_contact", "LostCommunication": "lost_communication"}
_HEARTBEATS = {
    "Ok": "OkApplicationsUnknown",
    "NoContact": "NoContact",
    "LostCommunication": "LostCommunication",
    "CommunicationTimedOut": "LostCommunication",
    "ApplicationCritical": "OkApplicationsCritical",
}


@dataclass(frozen=True)
class Service:
    """An integration component of a VM, as an object stands for it."""

    vm: Vm
    key: str


def keys(state: HostState, vm: Vm) -> list[str]:
    order = list(GUIDS) if state.module2 else [*_OLD_ORDER, "guest_service_interface"]
    return [k for k in order if k in vm.integration_services]


def service_objects(state: HostState, vm: Vm, point: Checkpoint | None = None) -> list[PsObject]:
    return [service_object(state, vm, key, point) for key in keys(state, vm)]


def status(vm: Vm, key: str) -> str:
    """What a component says of itself while the VM runs: of the guest that lacks its service, or that has not begun to
    answer, NoContact (domain 11.1; while a guest boots, lis-test#1104 [O]). One that is off reads Ok (centreon#4603)
    [O]."""
    if not vm.integration_services.get(key):
        return "Ok"
    absent = key == "guest_service_interface" and not vm.guest.file_service
    if not vm.guest.integration or absent or key in vm.silent:
        return "NoContact"
    return vm.guest.contact.get(key, "Ok")


def in_contact(vm: Vm, key: str) -> bool:
    """Whether the guest answers to this component."""
    return vm.state == "Running" and bool(vm.integration_services.get(key)) and status(vm, key) == "Ok"


def fall_silent(clock: Clock, vm: Vm, *keys: str) -> None:
    """domain 11.1: enabling takes some seconds until the guest has answered; so does its start."""
    vm.silent = sorted({*vm.silent, *keys})

    def answer() -> None:
        vm.silent = [key for key in vm.silent if key not in keys]

    clock.after(vm.guest.contact_seconds, answer)


def service_object(state: HostState, vm: Vm, key: str, point: Checkpoint | None = None) -> PsObject:
    word = status(vm, key)
    shown_status = enum("VMIntegrationComponentOperationalStatus", word)
    text = say(state.language, _TEXTS.get(word, "no_contact"))
    off = vm.state != "Running"
    name = say(state.language, key)
    properties = {
        "Enabled": vm.integration_services[key],
        "OperationalStatus": [] if off else [shown_status],
        "PrimaryOperationalStatus": None if off else shown_status,
        "PrimaryStatusDescription": "" if off else text,
        "SecondaryOperationalStatus": None,
        "SecondaryStatusDescription": "",
        "StatusDescription": [] if off else [text],
        "Name": name,
        "Id": device_id(vm, GUIDS[key]),
        **parts_of(state, vm, point=point),
    }
    shown = f"VMIntegrationComponent (Name = '{name}', VMName = '{vm.name}') [Id = '{properties['Id']}']"
    cls = _CLASSES.get(key, "VMIntegrationComponent")
    return shaped(state, cls, properties, entity=Service(vm, key), text=shown, of="VMIntegrationComponent")


def heartbeat(state: HostState, vm: Vm) -> EnumValue | None:
    """Null when off (recorded). Running without services: Disabled recorded on 2012 R2, later no contact [I]."""
    if vm.state in ("Off", "Saved"):
        return None
    if vm.state == "Paused":
        return enum("VMHeartbeatStatus", "Paused")
    if not vm.integration_services.get("heartbeat"):
        return enum("VMHeartbeatStatus", "Disabled")
    if not vm.guest.integration and not state.module2:
        return enum("VMHeartbeatStatus", "Disabled")
    return enum("VMHeartbeatStatus", _HEARTBEATS.get(status(vm, "heartbeat"), "Error"))


def _named(cmd: Command, vm: Vm) -> Iterator[str]:
    """By name, which is that of the host's language (trap 3)."""
    for name in cmd.args.texts("Name"):
        found = [k for k in keys(cmd.state, vm) if like(cmd.say(k), name)]
        if not found and not is_pattern(name):
            with cmd.trying():
                # domain 11.1: InvalidParameter (DSC#73, #76) [O]
                raise cmd.refuse("InvalidParameter", "component_missing", name)
        yield from found


@cmdlet("Get-VMIntegrationService")
def get(cmd: Command) -> None:
    for vm, point in owners(cmd):
        found = list(_named(cmd, vm)) if "Name" in cmd.args else keys(cmd.state, vm)
        cmd.emit(*(service_object(cmd.state, vm, key, point) for key in found))


@cmdlet("Enable-VMIntegrationService", takes=0.2)
def enable(cmd: Command) -> None:
    _switch(cmd, True)


@cmdlet("Disable-VMIntegrationService", takes=0.2)
def disable(cmd: Command) -> None:
    _switch(cmd, False)


def _switch(cmd: Command, on: bool) -> None:
    meant = cmd.args.entities("VMIntegrationService", Service)
    for vm in vms(cmd):
        meant += [Service(vm, key) for key in _named(cmd, vm)]
    for service in meant:
        with cmd.trying():
            vm = cmd.alive(service.vm)
            if on and not vm.integration_services[service.key] and vm.state == "Running":
                fall_silent(cmd.clock, vm, service.key)
            vm.integration_services[service.key] = on  # the host's side changes live (domain 11.1)
            cmd.passthru(service_object, cmd.state, vm, service.key)
