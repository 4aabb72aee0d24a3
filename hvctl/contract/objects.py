"""Objects on the host as the binding sees them: by their class and its bases, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, TypeGuard


class HostObject(Protocol):
    """An object on the host. `type_name` is the full .NET name, with `#class` for an instance of a CIM class."""

    @property
    def type_name(self) -> str: ...


def is_host_object(value: object) -> TypeGuard[HostObject]:
    return isinstance(getattr(value, "type_name", None), str)


def class_of(value: HostObject) -> str:
    """The short name of its class."""
    return value.type_name.partition("#")[0].rpartition(".")[2]


@dataclass(frozen=True)
class Made:
    """An object that the engine made from what names it: a computer, a class, a service."""

    type_name: str
    of: object


# As the classes of the Hyper-V module declare it (module 2.0.0.0; the contract's classes come from stubs that keep
# one base only). It shows in use: Set-VMNetworkAdapterVlan -VMNetworkAdapter is VMNetworkAdapterBase[] and takes what
# Get-VMNetworkAdapter returns; Set-VMFirmware -BootOrder is VMComponentObject[] and takes entries of BootOrder.
BASES: Final[Mapping[str, str]] = {
    "VirtualMachine": "VirtualMachineBase",
    "VMSnapshot": "VirtualMachineBase",
    "VMIdeController": "VMDriveController",
    "VMScsiController": "VMDriveController",
    "VMPmemController": "VMDriveController",
    "VMNetworkAdapter": "VMNetworkAdapterBase",
    "VMInternalNetworkAdapter": "VMNetworkAdapterBase",
    "VMExternalNetworkAdapter": "VMNetworkAdapterBase",
    "HardDiskDrive": "Drive",
    "DvdDrive": "Drive",
    "KeyStorageDrive": "Drive",
    "Drive": "VMComponentObject",
    "VMFloppyDiskDrive": "VMComponentObject",
    "VMBootSource": "VMComponentObject",
    "VMDriveController": "VMComponentObject",
    "VMNetworkAdapterBase": "VMComponentObject",
    "ShutdownComponent": "VMIntegrationComponent",
    "DataExchangeComponent": "VMIntegrationComponent",
    "GuestServiceInterfaceComponent": "VMIntegrationComponent",
    "VMIntegrationComponent": "VMComponentObject",
}
