"""The VMComPort object; both ports exist on every VM (domain 10)."""

from __future__ import annotations

from mocks.enums import enum
from mocks.objects import PsObject
from mocks.shape import device_id, parts_of, shaped
from mocks.state import HostState, Vm

_PORTS = "8E3A359F-559A-4B6A-98A9-1690A6100ED7"


def com_port_object(state: HostState, vm: Vm, number: int) -> PsObject:
    properties = {
        "Path": vm.com_ports[number],
        "DebuggerMode": enum("OnOffState", "Off"),
        "Name": f"COM{number + 1}",
        "Id": device_id(vm, _PORTS, str(number)),
        **parts_of(state, vm),
    }
    return shaped(state, "VMComPort", properties, entity=vm)
