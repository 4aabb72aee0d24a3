"""What VMs used, as metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from hvctl import __version__
from hvctl.metering.reading import Quantity
from hvctl.metering.usage import Total, Usage
from hvctl.show.metering import Measurement
from hvctl.text.files import write_whole

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

LABELS: Final[Mapping[str, Callable[[Usage], str]]] = {
    "vm": lambda u: u.name,
    "id": lambda u: u.vm_id,
    "owner": lambda u: u.owner,
}
"""Beside the host. Each must be asked for: their number is bounded by nothing."""

_MB = 2**20
_GAUGES: Final[Mapping[Quantity, tuple[str, str, float]]] = {
    "processor": ("hvctl_vm_processor_hertz", "Processor used, on average over the last period.", 1e6),
    "memory": ("hvctl_vm_memory_bytes", "Memory used, on average over the last period.", _MB),
    "io": ("hvctl_vm_disk_normalized_io_per_second", "Disk I/O in units of 8 KB, on average over the last period.", 1),
    "data_read": ("hvctl_vm_disk_read_bytes_per_second", "Read from disks, on average over the last period.", _MB),
    "data_written": (
        "hvctl_vm_disk_written_bytes_per_second",
        "Written to disks, on average over the last period.",
        _MB,
    ),
    "network_in": ("hvctl_vm_network_receive_bytes_per_second", "Received, on average over the last period.", _MB),
    "network_out": ("hvctl_vm_network_transmit_bytes_per_second", "Sent, on average over the last period.", _MB),
    "disk_size": ("hvctl_vm_disk_size_bytes", "What the attached virtual disks can hold.", 1),
    "disk_files": ("hvctl_vm_disk_file_bytes", "What the files of the disks take.", 1),
}


def registry(found: Measurement, hosts: Sequence[str], labels: Sequence[str]) -> CollectorRegistry:
    """Sums over the VMs that have the same labels. What is not known, or in a unit of measure that is not, is left out."""
    from prometheus_client import CollectorRegistry, Gauge  # noqa: PLC0415 - other verbs do without it

    made = CollectorRegistry()
    Gauge("hvctl_build_info", "1; the version of hvctl.", ["version"], registry=made).labels(__version__).set(1)
    up = Gauge("hvctl_metering_up", "1 if the meters of the host were read, 0 if not.", ["host"], registry=made)
    for host in hosts:
        up.labels(host).set(host not in found.failed)
    Gauge("hvctl_metering_timestamp_seconds", "When meters were read last.", registry=made).set(found.end.timestamp())
    names = ["host", *labels]

    def key(one: Usage) -> tuple[str, ...]:
        return (one.host, *(LABELS[label](one) for label in labels))

    for quantity, (name, text, scale) in _GAUGES.items():
        gauge = Gauge(name, text, names, registry=made)
        for one in found.usages:
            value = _of(one.totals.get(quantity))
            if value is not None:
                gauge.labels(*key(one)).inc(value * scale)
    unknown = Gauge("hvctl_vm_unmetered_seconds", "Of the last period, what is not known.", names, registry=made)
    for one in found.usages:
        unknown.labels(*key(one)).inc(one.gap_seconds)
    return made


def _of(total: Total | None) -> float | None:
    return None if total is None or total.doubtful else total.average


def write(found: Measurement, hosts: Sequence[str], file: str, labels: Sequence[str]) -> None:
    """At once or not at all, as node_exporter's textfile collector wants it. Raises OSError."""
    from prometheus_client import generate_latest  # noqa: PLC0415 - other verbs do without it

    write_whole(file, generate_latest(registry(found, hosts, labels)).decode("utf-8"))
