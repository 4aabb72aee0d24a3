"""What each property that a cmdlet's answer holds looks like in a row, as the contract's classes declare it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final, Literal

from hvctl.contract.facts import Class
from hvctl.contract.reading import Contract, contract
from hvctl.contract.since import lacking
from hvctl.contract.versions import OS

Form = Literal["flag", "number", "count", "text", "word", "time", "list", "rows"]


@dataclass(frozen=True)
class Property:
    """`null`: it may be null. `sure`: every object has it on this version of Windows. `each`: of the items of a list,
    `rows`: of the rows of a list, by their keys."""

    form: Form
    null: bool = False
    sure: bool = False
    each: Property | None = None
    rows: Mapping[str, Property] = field(default_factory=dict)


_DEFINITION = ("Id", "ElementName", "Units", "ProgrammaticUnits")

# What cmdlets return that have no class in the contract (their own documentation), and what the formatting files of
# the Hyper-V module add to its classes.
_OTHERS: Final[Mapping[str, Mapping[str, str]]] = {
    "Get-ChildItem": {
        "Name": "String",
        "FullName": "String",
        "LastWriteTimeUtc": "DateTime",
        "Length": "Int64",
        # of certificates
        "Thumbprint": "String",
        "Subject": "String",
        "HasPrivateKey": "Boolean",
        "NotBefore": "DateTime",
        "NotAfter": "DateTime",
    },
    "Get-Content": {"": "String"},
    "Get-FileHash": {"Hash": "String", "Path": "String"},
    "Get-Item": {"FullName": "String", "Length": "Int64", "IsReadOnly": "Boolean", "LastWriteTimeUtc": "DateTime"},
    "Get-DnsClientServerAddress": {"InterfaceAlias": "String", "ServerAddresses": "String[]"},
    "Get-NetAdapter": {
        **dict.fromkeys(("Name", "InterfaceDescription", "InterfaceGuid", "LinkSpeed", "Status"), "String"),
    },
    "Get-NetIPAddress": {"InterfaceAlias": "String", "IPAddress": "String", "PrefixLength": "Byte"},
    "Get-NetNat": {
        **dict.fromkeys(("Name", "InternalIPInterfaceAddressPrefix", "ExternalIPInterfaceAddressPrefix"), "String"),
    },
    "Get-NetNatStaticMapping": {
        **dict.fromkeys(("NatName", "ExternalIPAddress", "InternalIPAddress"), "String"),
        **dict.fromkeys(("ExternalPort", "InternalPort"), "UInt16"),
        "StaticMappingID": "UInt32",
    },
    "Get-NetRoute": {"DestinationPrefix": "String", "InterfaceAlias": "String", "NextHop": "String"},
    "Get-NetTCPConnection": {"LocalAddress": "String", "OwningProcess": "UInt32"},
    "Get-Volume": {"DriveLetter": "String", "SizeRemaining": "UInt64"},
    "MSFT_Disk": {
        "Number": "UInt32",
        "BusType": "UInt16",
        **dict.fromkeys(("IsBoot", "IsSystem", "IsOffline"), "Boolean"),
    },
    "MSCluster_Cluster": {
        "Name": "String",
        **dict.fromkeys(
            (
                "DrainOnShutdown",
                "ResiliencyLevel",
                "ResiliencyDefaultPeriod",
                "QuarantineThreshold",
                "QuarantineDuration",
                "ClusterEnforcedAntiAffinity",
                "MaximumParallelMigrations",
                "ClusterFunctionalLevel",
            ),
            "Int64",
        ),
    },
    "MSCluster_Network": {"Name": "String", "ID": "String", "Role": "Int64"},
    "MSCluster_Node": {"Name": "String", **dict.fromkeys(("State", "NodeDrainStatus", "StatusInformation"), "Int64")},
    "MSCluster_Resource": {
        **dict.fromkeys(("Name", "Type", "OwnerGroup"), "String"),
        **dict.fromkeys(
            ("State", "RestartAction", "RestartThreshold", "RestartPeriod", "RetryPeriodOnFailure"), "Int64"
        ),
    },
    "MSCluster_ResourceGroup": {  # over COM an unsigned number may read as -1 (cluster 1.2)
        **dict.fromkeys(("Name", "OwnerNode"), "String"),
        **dict.fromkeys(
            (
                "GroupType",
                "State",
                "StatusInformation",
                "Priority",
                "AutoFailbackType",
                "FailbackWindowStart",
                "FailbackWindowEnd",
                "FailoverThreshold",
                "FailoverPeriod",
            ),
            "Int64",
        ),
        "AntiAffinityClassNames": "String[]",
        "PersistentState": "Boolean",
    },
    "MSCluster_ResourceType": {"Name": "String"},
    "Msvm_AggregationMetricDefinition": dict.fromkeys(_DEFINITION, "String"),
    "Msvm_BaseMetricDefinition": dict.fromkeys(_DEFINITION, "String"),
    "Test-Path": {"": "Boolean"},
    "Win32_ComputerSystem": {
        **dict.fromkeys(("PartOfDomain", "HypervisorPresent"), "Boolean"),
        **dict.fromkeys(("DNSHostName", "Domain"), "String"),
    },
    "Win32_Processor": {"Manufacturer": "String"},
    "Win32_OperatingSystem": {
        "LocalDateTime": "DateTime",
        "CurrentTimeZone": "Int16",
        "FreePhysicalMemory": "UInt64",
        "OperatingSystemSKU": "UInt32",
        "Caption": "String",
    },
    "SoftwareLicensingProduct": {"Name": "String", "LicenseStatus": "UInt32"},
    "Get-WinEvent": {
        "TimeCreated": "DateTime",
        **dict.fromkeys(("LevelDisplayName", "ProviderName", "Message"), "String"),
    },
    "Get-VMKeyProtector": {"Length": "Int32"},
    "Get-VMNetworkAdapter": {"VmmqQueuePairsRequested": "UInt32"},
    "Get-VMSwitch": {"DefaultQueueVmmqQueuePairsRequested": "UInt32"},
}

_NEVER_NULL = frozenset({"", "Name", "Id", "FullName", "Hash", "InterfaceDescription"})
"""Text that names something; any other may be null."""

_FORMS: Final[Mapping[str, Form]] = {
    "Boolean": "flag",
    **dict.fromkeys(("SByte", "Int16", "Int32", "Int64", "TimeSpan"), "number"),
    **dict.fromkeys(("Byte", "UInt16", "UInt32", "UInt64"), "count"),
    **dict.fromkeys(("String", "Version"), "text"),
    "Guid": "word",
    "DateTime": "time",
}
_MANY = re.compile(r"(?:I?List|IReadOnlyList|IReadOnlyCollection)<(\w+)>|(\w+)\[\]")


@cache
def properties_of(os: OS, cmdlet: str, of: str, select: tuple[str, ...]) -> Mapping[str, Property]:
    """By their keys in a row. `of`: the CIM class that was asked for. What the contract does not know is left out."""
    known = contract(os)
    found = known.cmdlet(cmdlet)
    names = (name.rpartition(".")[2] for name in (found.outputs if found else ()))
    classes = tuple(known.classes[name] for name in names if name in known.classes)
    return _Reading(known).selected(select, classes, _OTHERS.get(of or cmdlet, {}))


@dataclass(frozen=True)
class _Reading:
    """Of the contract of one version."""

    known: Contract

    def selected(self, select: Iterable[str], classes: Sequence[Class], more: Mapping[str, str]) -> dict[str, Property]:
        keys = ["" if path == "*" else path for path in select]
        found = {key: self._property(key, classes, more) for key in keys}
        return {key: one for key, one in found.items() if one is not None}

    def _property(self, path: str, classes: Sequence[Class], more: Mapping[str, str]) -> Property | None:
        head, bracket, inner = path.partition("[")
        *way, last = head.split(".")
        sure = True
        for name in way:
            declared = _declared(name, classes, {})
            if declared not in self.known.classes:
                return None
            sure = sure and self._sure(name, classes)
            classes, more = (self.known.classes[declared],), {}
        declared = _declared(last, classes, more)
        found = self._listed(declared, inner.removesuffix("]")) if bracket else self._scalar(last, declared)
        return None if found is None else replace(found, sure=sure and self._sure(last, classes))

    def _sure(self, name: str, classes: Sequence[Class]) -> bool:
        had = (name in c.properties and name not in lacking(self.known.os, c.name) for c in classes)
        return bool(classes) and all(had)

    def _listed(self, declared: str, inner: str) -> Property | None:
        """A list of nothing may be null."""
        match = _MANY.fullmatch(declared.removesuffix("?"))
        if match is None:
            return None
        of = match[1] or match[2]
        if not inner:
            return Property("list", null=True, each=self._scalar(of, of))
        classes = [self.known.classes[of]] if of in self.known.classes else []
        return Property("rows", null=True, rows=self.selected(map(str.strip, inner.split(",")), classes, {}))

    def _scalar(self, name: str, declared: str) -> Property | None:
        plain = declared.removesuffix("?")
        form = _FORMS.get(plain) or ("word" if plain in self.known.enums else None)
        if form is None:
            return None
        return Property(form, declared != plain or (form == "text" and name not in _NEVER_NULL))


def _declared(name: str, classes: Sequence[Class], more: Mapping[str, str]) -> str:
    return next((c.properties[name] for c in classes if name in c.properties), more.get(name, ""))
