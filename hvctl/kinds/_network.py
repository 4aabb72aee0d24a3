"""What of a host's network is read: switches, the adapters on them and below them, addresses (domain 3, 9)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from hvctl.call import Call, Ref, Row
from hvctl.contract import OS, contract
from hvctl.core.facts import Facts
from hvctl.kinds._types import Rate
from hvctl.kinds._vlan import VLAN_PROPERTIES
from hvctl.kinds._vm import ALL_VMS

SWITCHES = Call(
    "Get-VMSwitch",
    select=(
        *("Id", "Name", "SwitchType", "BandwidthReservationMode", "AllowManagementOS", "IovEnabled"),
        *("EmbeddedTeamingEnabled", "NetAdapterInterfaceDescription", "NetAdapterInterfaceDescriptions[]"),
    ),
)

ADAPTER = ("Id", "Name", "SwitchName", *VLAN_PROPERTIES)

VM_ADAPTERS = Call(
    "Get-VMNetworkAdapter",
    {"VM": ALL_VMS},
    select=("VMId", "VMName", "IsLegacy", "DynamicMacAddressEnabled", "MacAddress", *ADAPTER),
)
HOST_ADAPTERS = Call("Get-VMNetworkAdapter", {"ManagementOS": True}, select=ADAPTER)

TEAM_MAPPINGS = Call(
    "Get-VMNetworkAdapterTeamMapping",
    {"VM": (ALL_VMS,)},
    select=("NetAdapterName", "ParentAdapter.Id"),
    each="VM",
)
HOST_TEAM_MAPPINGS = Call(
    "Get-VMNetworkAdapterTeamMapping", {"ManagementOS": True}, select=("NetAdapterName", "ParentAdapter.Id")
)

NICS = Call("Get-NetAdapter", select=("Name", "InterfaceDescription", "LinkSpeed"))
ADDRESSES = Call("Get-NetIPAddress", select=("InterfaceAlias", "IPAddress"))


def switch_rows(name: str, facts: Facts) -> tuple[Row, ...]:
    """Names are not unique (domain 3)."""
    return facts.of_key(SWITCHES, "Name", name)


def switch_ref(name: str) -> Ref:
    """The one switch of exactly that name, as an object: -SwitchName takes wildcards, and any of two."""
    return Ref(Call("Get-VMSwitch"), {"Name": name})


def described(row: Row) -> tuple[str, ...]:
    """The adapters of the host below a switch, as their descriptions: a list from 2016 on (domain 3)."""
    several, one = row.get("NetAdapterInterfaceDescriptions[]"), row.get("NetAdapterInterfaceDescription")
    return tuple(str(d) for d in several or ([one] if one else []))


def named(row: Row, facts: Facts) -> tuple[str, ...]:
    """The same as names, which is what users write."""
    names = {str(n["InterfaceDescription"]).casefold(): str(n["Name"]) for n in facts.rows(NICS)}
    return tuple(names.get(d.casefold(), d) for d in described(row))


def is_virtual(nic: Row) -> bool:
    """An adapter of the management OS on a switch, as Windows describes it."""
    return str(nic["InterfaceDescription"]).casefold().startswith("hyper-v virtual ethernet adapter")


def addresses_on(alias: str, facts: Facts) -> tuple[str, ...]:
    """The addresses of a host interface that hvctl's own connection may use; link-local ones do not count."""
    local = ("127.", "169.254.", "::1", "fe80")
    found = (str(row["IPAddress"]) for row in facts.of_key(ADDRESSES, "InterfaceAlias", alias))
    return tuple(a for a in found if not a.casefold().startswith(local))


def full_names(cmdlet: str, arguments: dict[str, Any], os: OS) -> dict[str, Any]:
    """Parameters by the names that this version gives them: VmmqQueuePairs of 2016 is an alias from 2019 on."""
    known = contract(os).cmdlet(cmdlet)
    return {(p.name if known and (p := known.parameter(name)) else name): v for name, v in arguments.items()}


def _eighth(value: int) -> int:
    if value % 8:
        low = value // 8 * 8
        raise ValueError(
            f"{value:,} bit/s is no multiple of 8, in which Hyper-V keeps rates; nearest are {low:,} and {low + 8:,}"
        )
    return value


BitsPerSecond = Annotated[Rate, AfterValidator(_eighth)]
