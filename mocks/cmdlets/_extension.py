"""An extension of a switch, as an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mocks.enums import enum
from mocks.objects import PsObject
from mocks.shape import SESSION, computer, shaped
from mocks.state import EXTENSIONS, HostState, Switch


@dataclass(frozen=True, eq=False)
class ExtensionOf:
    """What an object stands for: an extension on one switch."""

    switch: Switch
    id: str


def installed(state: HostState, key: str) -> dict[str, Any]:
    """What a switch's extension and the installed one have in common."""
    one = next(e for e in EXTENSIONS if e.id == key)
    return {
        "Id": one.id,
        "Name": one.name,
        "Vendor": "Microsoft",
        "Version": "6.3.9600.16384",
        "ExtensionType": enum("VMSwitchExtensionType", one.kind),
        "ComputerName": computer(state, False),
        "CimSession": SESSION,
        "IsDeleted": False,
        "Key": None,
    }


def extension_object(state: HostState, switch: Switch, key: str) -> PsObject:
    on = switch.extensions[key]
    properties = {
        **installed(state, key),
        "ParentExtensionId": "",
        "ParentExtensionName": "",
        "SwitchId": switch.id,
        "SwitchName": switch.name,
        "Enabled": on,
        "Running": on,
    }
    return shaped(state, "VMSwitchExtension", properties, entity=ExtensionOf(switch, key))
