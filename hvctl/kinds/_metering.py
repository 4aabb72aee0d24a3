"""Reading the meters of all VMs of a host, and what their disks take (domain 20; operations 1, which corrects it)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from hvctl.call import Call, Ref, Row
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.rows import TypedRow, said
from hvctl.kinds._drives import DISKS
from hvctl.kinds._host import CLOCK, HOST, host_row, now
from hvctl.kinds._vhd import chain, is_checkpoint, vhd_query
from hvctl.kinds._vm import VMS
from hvctl.metering import HostReading, Reading
from hvctl.metering.reading import COUNTERS, Counter

REPLICAS: Final = ("Replica", "TestReplica", "ExtendedReplica")
MOST = 2**63 - 1
"""What a database can keep in a whole number."""
TICKS: Final = 10_000_000
_YEARS = (2012, 2200)
_LONGEST_S = 100 * 366 * 86_400
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

MACHINES = Call("Get-VM", select=("Id", "Name", "State", "ReplicationMode", "Notes", "ResourceMeteringEnabled"))
METERED = Ref(VMS, {"ResourceMeteringEnabled": True}, many=True)
"""Whether a VM is metered is told by itself: what the cmdlet says of one that is not, nobody has written down
(operations 1.2)."""

REPORTS = Call(
    "Measure-VM",
    {"VM": METERED},
    select=(
        "VMId",
        "MeteringDuration",
        "AverageProcessorUsage",
        "AverageMemoryUsage",
        "MinimumMemoryUsage",
        "MaximumMemoryUsage",
        "TotalDiskAllocation",
        "AggregatedAverageNormalizedIOPS",
        "AggregatedAverageLatency",
        "AggregatedNormalizedIOCount",
        "AggregatedDiskDataRead",
        "AggregatedDiskDataWritten",
        "NetworkMeteredTrafficReport[Direction,TotalTraffic]",
    ),
)

FILES = Call(
    "Get-VHD",
    vhd_query().params,
    select=("Path", "Size", "FileSize", "ParentPath"),
    each="Path",
    follow="ParentPath",
)

DEFINITIONS = tuple(
    Call(
        "Get-CimInstance",
        {"Namespace": "root/virtualization/v2", "ClassName": name},
        select=("ElementName", "Units", "ProgrammaticUnits"),
    )
    for name in ("Msvm_AggregationMetricDefinition", "Msvm_BaseMetricDefinition")
)
"""Where a host tells units of measure (operations 1.1, D)."""

QUESTIONS = (HOST, CLOCK, MACHINES, REPORTS, DISKS, FILES, *DEFINITIONS)

_DEFINED: Final[Mapping[str, str]] = {
    "aggregated average cpu utilization": "processor",
    "aggregated average memory utilization": "memory",
    "aggregated average disk latency": "latency",
    "aggregated normalized i/o operations completed": "io",
    "aggregated disk data read": "data_read",
    "aggregated disk data written": "data_written",
    "aggregated filtered incoming network traffic": "network_in",
    "aggregated filtered outgoing network traffic": "network_out",
}
"""The English names of definitions, as public tools look for them (openstack/os-win; operations 1.1: their Ids are not
published). A host that calls them otherwise tells no units, and what is documented counts."""

_COUNTED: Final[Mapping[Counter, str]] = {
    "io": "AggregatedNormalizedIOCount",
    "data_read": "AggregatedDiskDataRead",
    "data_written": "AggregatedDiskDataWritten",
}
_WAYS: Final[Mapping[Counter, str]] = {"network_in": "inbound", "network_out": "outbound"}

OwnerOf = Callable[[str, str], str]
"""The owner of a VM by its name and its notes."""


def host_reading(host: str, facts: Facts, owner: OwnerOf) -> HostReading:
    """Raises UnreadableError where nothing can be said of the host's VMs at all: an account without rights is told of
    none (domain 1.3)."""
    host_row(facts)
    at = now(facts)
    if not _YEARS[0] <= at.year <= _YEARS[1]:
        raise UnreadableError(CLOCK, property="LocalDateTime", why=f"{at:%Y-%m-%d} cannot be now")
    units = dict(_units(facts))
    problems: list[str] = []
    found: dict[str, Reading] = {}
    for row in facts.rows(MACHINES):
        try:
            one = _Vm(host, row, facts, owner, problems).reading(at, units)
        except UnreadableError as error:
            problems.append(str(error))
            continue
        if found.setdefault(one.vm_id, one) is not one:
            problems.append(f"{one.name} has the Id of {found[one.vm_id].name}; only the first is counted")
    return HostReading(host, at, tuple(found.values()), units, tuple(dict.fromkeys(problems)))


def _units(facts: Facts) -> Iterable[tuple[str, str]]:
    """What this host tells; nothing where its definitions cannot be read."""
    for query in DEFINITIONS:
        try:
            for row in facts.rows(query):
                quantity = _DEFINED.get(str(row.get("ElementName") or "").casefold())
                told = str(row.get("ProgrammaticUnits") or row.get("Units") or "")
                if quantity and told:
                    yield quantity, told
        except UnreadableError:
            continue


class _Vm:
    """One VM of a host as its meters and its disks are read."""

    def __init__(self, host: str, row: Row, facts: Facts, owner: OwnerOf, problems: list[str]) -> None:
        self.host, self.row, self.facts, self.problems = host, row, facts, problems
        self.name = str(row["Name"])
        self.owner = owner(self.name, str(row.get("Notes") or ""))

    def reading(self, at: Any, units: Mapping[str, str]) -> Reading:
        vm_id = str(self.row["Id"]).casefold()
        if not _ID.fullmatch(vm_id):
            raise _unreadable(self.row, "Id", self.row["Id"], "an Id")
        metered = bool(self.row["ResourceMeteringEnabled"])
        size, files = self._disks()
        counted = self._counted() if metered else {}
        return Reading(
            at,
            self.host,
            vm_id,
            self.name,
            self.owner,
            str(self.row["State"]),
            self.row.get("ReplicationMode") in REPLICAS,
            metered,
            disk_size=size,
            disk_files=files,
            units=units,
            **counted,
        )

    def _counted(self) -> dict[str, Any]:
        """Nothing of what cannot be read."""
        try:
            rows = self.facts.of_key(REPORTS, "VMId", self.row["Id"])
            if not rows:
                raise UnreadableError(REPORTS, self.facts.reply(REPORTS).failure)
            return _report(rows[0])
        except UnreadableError as error:
            self.problems.append(f"the meters of {self.name} cannot be read: {error}")
            return {}

    def _disks(self) -> tuple[int | None, int | None]:
        """What the disks of the VM can hold, and what its own files take; never a disk of the host. A parent that many
        VMs may share is nobody's."""
        size = files = 0
        try:
            for drive in self.facts.of_key(DISKS, "VMId", self.row["Id"]):
                if not drive.get("Path") or drive.get("DiskNumber") is not None:
                    continue
                for n, link in enumerate(chain(str(drive["Path"]), self.facts)):
                    if not isinstance(link.row, Mapping):
                        self.problems.append(f"{link.path} of {self.name} cannot be read: its disks are not counted")
                        return None, None
                    size += _number(link.row, "Size") if n == 0 else 0
                    files += _number(link.row, "FileSize")
                    if not is_checkpoint(link.path):
                        break
        except UnreadableError as error:
            self.problems.append(f"the disks of {self.name} cannot be read: {error}")
            return None, None
        if max(size, files) > MOST:
            self.problems.append(f"the disks of {self.name} have impossible sizes: they are not counted")
            return None, None
        return size, files


def _report(row: Row) -> dict[str, Any]:
    """Raises UnreadableError. What a version of Windows does not have is not there, which is not 0."""
    duration = row.get("MeteringDuration")
    counters: dict[Counter, int] = {}
    for quantity, name in _COUNTED.items():
        if (count := _optional(row, name)) is not None:
            counters[quantity] = count
    traffic = row.get("NetworkMeteredTrafficReport[Direction,TotalTraffic]") or ()
    for quantity, way in _WAYS.items():
        # One entry for each adapter and address that is metered; what is not metered has none.
        mine = [one for one in traffic if str(one.get("Direction")).casefold() == way]
        if mine:
            counters[quantity] = _within(row, "NetworkMeteredTrafficReport", sum(_traffic(row, one) for one in mine))
    if duration is not None and not 0 <= duration <= _LONGEST_S * TICKS:
        raise _unreadable(row, "MeteringDuration", duration, "a duration")
    return {
        "duration_s": None if duration is None else duration / TICKS,
        "average_processor_mhz": _optional(row, "AverageProcessorUsage"),
        "average_memory_mb": _optional(row, "AverageMemoryUsage"),
        "minimum_memory_mb": _optional(row, "MinimumMemoryUsage"),
        "maximum_memory_mb": _optional(row, "MaximumMemoryUsage"),
        "average_iops": _optional(row, "AggregatedAverageNormalizedIOPS"),
        "latency": _optional(row, "AggregatedAverageLatency"),
        "disk_allocation_mb": _optional(row, "TotalDiskAllocation"),
        "counters": {q: counters[q] for q in COUNTERS if q in counters},
    }


def _optional(row: Row, name: str) -> int | None:
    value = row.get(name)
    return None if value is None else _within(row, name, value)


def _within(row: Row, name: str, value: int) -> int:
    if not 0 <= value <= MOST:
        raise _unreadable(row, name, value)
    return value


def _number(row: Row, name: str) -> int:
    value = _optional(row, name)
    if value is None:
        raise _unreadable(row, name, value)
    return value


def _traffic(report: Row, entry: Row) -> int:
    value = entry.get("TotalTraffic")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
        raise _unreadable(report, "NetworkMeteredTrafficReport", value)
    return value


def _unreadable(row: Row, name: str, value: Any, what: str = "a number that can be") -> UnreadableError:
    why = f"{said(value)} is not {what}"
    return (
        row.unreadable(name, why, said(value))
        if isinstance(row, TypedRow)
        else UnreadableError(REPORTS, property=name, why=why)
    )


def reset_calls(readings: Iterable[Reading]) -> tuple[tuple[Reading, Call], ...]:
    """For every VM whose meters count and were read. Those of a replica are its primary's business."""
    return tuple(
        (one, Call("Reset-VMResourceMetering", {"VM": Ref(_by_id(one))}))
        for one in readings
        if one.metered and not one.replica and not one.unread
    )


def guarded(one: Reading) -> Call:
    """What must still be so before its meters are reset."""
    return replace(_by_id(one), select=("ResourceMeteringEnabled",))


def _by_id(one: Reading) -> Call:
    return Call("Get-VM", {"Id": one.vm_id})
