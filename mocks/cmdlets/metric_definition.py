"""Msvm_BaseMetricDefinition and Msvm_AggregationMetricDefinition: what is metered, in which unit of measure.

The classes and their properties are documented (operations 1.1); the English names are those that public tools look for
(openstack/os-win, os_win/utils/metrics/metricsutils.py; Viridian's list of captions). What stands in Units and
ProgrammaticUnits was found nowhere: the texts here are in the notation of DSP0004 (annex on programmatic units) and rest on
nothing else [I], as do the Ids."""

from __future__ import annotations

from mocks.command import Command
from mocks.objects import PsObject

NAMESPACE = "root/virtualization/v2"
CLASSES = ("msvm_basemetricdefinition", "msvm_aggregationmetricdefinition")

_BASE = {
    "Filtered Incoming Network Traffic": "byte * 2^20",
    "Filtered Outgoing Network Traffic": "byte * 2^20",
    "Aggregated Filtered Incoming Network Traffic": "byte * 2^20",
    "Aggregated Filtered Outgoing Network Traffic": "byte * 2^20",
    "Disk Data Read": "byte * 2^20",
    "Disk Data Written": "byte * 2^20",
    "Aggregated Disk Data Read": "byte * 2^20",
    "Aggregated Disk Data Written": "byte * 2^20",
    "Normalized I/O Operations Completed": "count",
    "Aggregated Normalized I/O Operations Completed": "count",
}
_AGGREGATION = {
    "Aggregated Average CPU Utilization": "hertz * 10^6",
    "Aggregated Average Memory Utilization": "byte * 2^20",
    "Aggregated Maximum for Memory Utilization": "byte * 2^20",
    "Aggregated Minimum for Memory Utilization": "byte * 2^20",
    "Aggregated Maximum for Disk Allocations": "byte * 2^20",
    "Aggregated Average Normalized Disk Throughput": "count / second",
    "Aggregated Average Disk Latency": "",
}
_DISK = ("Disk Data", "I/O Operations", "Disk Throughput", "Disk Latency")
"""From 2012 R2 on (operations 1.1)."""


def show(cmd: Command) -> None:
    base = cmd.args.text("ClassName").lower() == CLASSES[0]
    told = cmd.state.metric_units
    name = "Msvm_BaseMetricDefinition" if base else "Msvm_AggregationMetricDefinition"
    for number, (english, unit) in enumerate((_BASE if base else _AGGREGATION).items(), 1):
        if any(word in english for word in _DISK) and not cmd.state.at_least("2012r2"):
            continue
        shown = english if cmd.state.language == "en" else f"メトリック {number}"  # localised [I]
        shown_unit = unit if told is None else told.get(english, "")
        properties = {
            "Id": f"Microsoft:00000000-0000-4000-8000-{number + 100 * base:012d}",
            "Caption": shown,
            "ElementName": shown,
            "Units": None,
            "ProgrammaticUnits": shown_unit or None,
            "PSComputerName": None,
        }
        cmd.emit(PsObject(f"Microsoft.Management.Infrastructure.CimInstance#{NAMESPACE}/{name}", properties))
