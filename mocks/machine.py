"""A virtual machine of the simulated host: plain entities, changed in place by the cmdlets.

Field names are the keys of the starting-state YAML (mocks/schema.py); defaults are those of New-VM
(domain 4.2, 6, 7, 9; observations 2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

KB, MB, GB, TB = 2**10, 2**20, 2**30, 2**40
ZERO = "00000000-0000-0000-0000-000000000000"


def word(enum: str) -> dict[str, str]:
    """Metadata: the field holds a member name of this enum."""
    return {"enum": enum}


def one_of(*words: str) -> dict[str, tuple[str, ...]]:
    """Metadata: the field holds one of these."""
    return {"words": words}


SIZE = {"size": True}


@dataclass(frozen=True, order=True)
class Slot:
    """Where a drive is attached: written `scsi 0:1`, `ide 1:0`."""

    bus: str
    number: int
    location: int

    @classmethod
    def parse(cls, text: str) -> Slot:
        found = re.fullmatch(r"(scsi|ide)\s+(\d+):(\d+)", text.strip().lower())
        if not found:
            raise ValueError(f"not a place of a drive, such as 'scsi 0:1': {text!r}")
        return cls(found[1], int(found[2]), int(found[3]))

    def __str__(self) -> str:
        return f"{self.bus} {self.number}:{self.location}"


@dataclass(eq=False)
class Processor:
    count: int = 1
    maximum: int = 100
    reserve: int = 0
    relative_weight: int = 100
    compatibility_for_migration_enabled: bool = False
    compatibility_for_older_operating_systems_enabled: bool = False
    maximum_count_per_numa_node: int | None = None
    maximum_count_per_numa_socket: int = 1
    resource_pool_name: str = "Primordial"
    expose_virtualization_extensions: bool = False
    hw_thread_count_per_core: int = 0
    enable_host_resource_protection: bool = False
    perfmon: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Memory:
    startup: int = field(default=512 * MB, metadata=SIZE)
    dynamic_memory_enabled: bool = False
    minimum: int = field(default=512 * MB, metadata=SIZE)
    maximum: int = field(default=TB, metadata=SIZE)
    buffer: int = 20
    priority: int = 50
    maximum_per_numa_node: int | None = None  # MB (domain 26)
    resource_pool_name: str = "Primordial"


@dataclass(eq=False)
class Bandwidth:
    """None: never set; 0: set to nothing."""

    minimum_absolute: int | None = None
    minimum_weight: int | None = None
    maximum: int | None = None


@dataclass(eq=False)
class Vlan:
    mode: str = field(default="Untagged", metadata=word("VMNetworkAdapterVlanMode"))
    access: int = 0
    native: int = 0
    allowed: str = ""
    private_mode: str | None = field(default=None, metadata=word("VMNetworkAdapterPrivateVlanMode"))
    primary: int = 0
    secondary: int = 0
    secondaries: str = ""


@dataclass(eq=False)
class Isolation:
    mode: str = field(default="Vlan", metadata=word("VMNetworkAdapterIsolationMode"))
    default_id: int = 0
    allow_untagged_traffic: bool = False
    multi_tenant_stack: str = field(default="Off", metadata=word("OnOffState"))


@dataclass(eq=False)
class Acl:
    """A port ACL: of one side's address, a direction each (domain 9). An address is an IP address, a network, a MAC
    address, `ANY` for all IP addresses or `ANY MAC`."""

    action: str = field(metadata=word("VMNetworkAdapterAclAction"))
    direction: str = field(metadata=word("VMNetworkAdapterAclDirection"))
    local: str = ""
    remote: str = ""


@dataclass(eq=False)
class ExtendedAcl:
    """Told from others by direction and weight, by which Remove-VMNetworkAdapterExtendedAcl finds it."""

    action: str = field(metadata=word("VMNetworkAdapterExtendedAclAction"))
    direction: str = field(metadata=word("VMNetworkAdapterExtendedAclDirection"))
    weight: int = 0
    local: str = "ANY"
    remote: str = "ANY"
    local_port: str = "ANY"
    remote_port: str = "ANY"
    protocol: str = "ANY"
    stateful: bool = False
    idle_session_timeout: int = 0
    isolation_id: int = 0


@dataclass(eq=False)
class Adapter:
    """A virtual network adapter of a VM, or of the management OS."""

    name: str = ""
    id: str = ""
    switch: str | None = None  # a switch's name in YAML; its id once loaded
    is_legacy: bool = False
    dynamic_mac_address: bool = True
    mac_address: str = "000000000000"
    mac_address_spoofing: str = field(default="Off", metadata=word("OnOffState"))
    dhcp_guard: str = field(default="Off", metadata=word("OnOffState"))
    router_guard: str = field(default="Off", metadata=word("OnOffState"))
    ieee_priority_tag: str = field(default="Off", metadata=word("OnOffState"))
    allow_teaming: str = field(default="Off", metadata=word("OnOffState"))
    device_naming: str = field(default="Off", metadata=word("OnOffState"))
    fix_speed_10g: str = field(default="Off", metadata=word("OnOffState"))
    port_mirroring: str = field(default="None", metadata=word("VMNetworkAdapterPortMirroringMode"))
    bandwidth: Bandwidth | None = None
    vlan: Vlan = field(default_factory=Vlan)
    isolation: Isolation = field(default_factory=Isolation)
    acls: list[Acl] = field(default_factory=list)
    extended_acls: list[ExtendedAcl] = field(default_factory=list)
    team_mapping: str | None = None  # a net adapter's name
    vmq_weight: int = 100
    iov_weight: int = 0
    iov_queue_pairs_requested: int = 1
    iov_interrupt_moderation: str = field(default="Default", metadata=word("IovInterruptModerationValue"))
    ipsec_offload_max_sa: int = 512
    dynamic_ip_address_limit: int = 0
    storm_limit: int = 0
    virtual_subnet_id: int = 0
    cluster_monitored: bool = True
    vrss_enabled: bool = True
    vmmq_enabled: bool = False
    vrss_max_queue_pairs: int = 16
    pool_name: str = ""
    test_replica_pool_name: str = ""
    test_replica_switch_name: str = ""
    failover: dict[str, str] = field(
        default_factory=dict
    )  # after a failover: as Set-VMNetworkAdapterFailoverConfiguration
    mandatory_feature_id: list[str] = field(default_factory=list)
    packet_direct_num_procs: int = 0
    packet_direct_moderation_count: int = 0
    packet_direct_moderation_interval: int = 0
    ip_addresses: list[str] = field(default_factory=list)
    gateways: list[str] = field(default_factory=list)  # this and the next ones: of the management OS only
    dns: list[str] = field(default_factory=list)
    dhcp: bool | None = None  # omitted: on, unless it has an IPv4 address
    appears: float = 0.0  # on the clock, when Windows has an interface of it


@dataclass(eq=False)
class Drive:
    """A disk or DVD drive in its slot. A `.iso` path, or `dvd: true`, makes it a DVD drive."""

    at: Slot
    path: str | None = None
    dvd: bool = False
    disk_number: int | None = None
    minimum_iops: int = 0
    maximum_iops: int = 0
    qos_policy_id: str | None = None
    support_persistent_reservations: bool = False
    override_cache_attributes: str | None = field(default=None, metadata=word("CacheAttributes"))
    pool_name: str = "Primordial"


@dataclass(eq=False)
class BootEntry:
    """One line of a generation 2 boot order: a drive, an adapter, or a file of the guest."""

    drive: Drive | None = None
    adapter: Adapter | None = None
    file: str = ""

    def __str__(self) -> str:
        if self.adapter is not None:
            return f"network {self.adapter.name}"
        return str(self.drive.at) if self.drive is not None else f"file {self.file}"


@dataclass(eq=False)
class Firmware:
    """`boot_order`: `scsi 0:0`, `network <adapter name>`, `file <path>`; omitted: adapters, then drives."""

    secure_boot: str = field(default="On", metadata=word("OnOffState"))
    secure_boot_template: str = "MicrosoftWindows"
    preferred_network_boot_protocol: str = field(default="IPv4", metadata=word("IPProtocolPreference"))
    console_mode: str = field(default="Default", metadata=word("ConsoleModeType"))
    pause_after_boot_failure: str = field(default="Off", metadata=word("OnOffState"))
    boot_order: list[Any] | None = None  # texts in YAML, BootEntry once loaded


@dataclass(eq=False)
class Bios:
    num_lock_enabled: bool = False
    startup_order: list[str] = field(
        default_factory=lambda: ["CD", "IDE", "LegacyNetworkAdapter", "Floppy"], metadata=word("BootDevice")
    )


@dataclass(eq=False)
class GuestFile:
    """A file inside a guest. `text`: of a small one."""

    size: int = 0
    sha256: str = ""
    text: str | None = None


@dataclass(eq=False)
class Guest:
    """What runs inside. `shutdown`: `ok`, `hangs` (never ends, the cmdlet wants to ask), `locked`, `refuses`.
    `contact`: of an integration service, what it says instead of Ok while the VM runs."""

    integration: bool = True  # false: no service answers, all read NoContact
    contact: dict[str, str] = field(default_factory=dict, metadata=word("VMIntegrationComponentOperationalStatus"))
    shutdown: str = field(default="ok", metadata=one_of("ok", "hangs", "locked", "refuses"))
    shutdown_seconds: float = 8.0
    os: str = ""
    nested_hypervisor: bool = False
    minimum_memory: int = field(default=0, metadata=SIZE)  # a running guest cannot be shrunk below it
    files: dict[str, GuestFile] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    file_service: bool = True  # vmicguestinterface or hv_fcopy_daemon runs
    contact_seconds: float = 12.0  # until a service answers, after a start or its switching on
    copy_rate: float = 40e6  # bytes a second


@dataclass(eq=False)
class Replication:
    """A relationship as one side has it: of a primary, of a replica, or of a replica that goes on to a third site."""

    mode: str = field(default="Primary", metadata=word("VMReplicationMode"))
    state: str = field(default="Replicating", metadata=word("VMReplicationState"))
    health: str = field(default="Normal", metadata=word("VMReplicationHealthState"))
    relationship: str = field(default="Simple", metadata=word("VMReplicationRelationshipType"))
    primary_server: str = ""
    replica_server: str = ""
    frequency: int = 300
    port: int = 80
    authentication: str = field(default="Kerberos", metadata=word("ReplicationAuthenticationType"))
    certificate: str = ""
    compression: bool = True
    bypass_proxy: bool = False
    history: int = 0
    vss_hours: int = 0  # 0: off
    host_kvp: bool = True
    auto_resync: bool = False  # WMI's default (replica-migration 2.2); the window: domain 15.2
    resync_start: int = 66_600  # seconds of the day
    resync_end: int = 21_600
    disks: list[str] | None = None  # places of those that are replicated; omitted: all
    allowed_primary: str = ""
    trust_group: str = ""  # of the authorization that let it in
    store: str = ""  # where a replica's files lie
    starts: float | None = None  # on the clock: when the initial copy begins by itself
    until: float | None = None  # on the clock: when what goes on is done
    media: str = ""  # folder that the initial copy was exported to
    last: float | None = None  # on the clock
    fault: str = field(default="", metadata=one_of("", "way", "peer"))  # why it is in error: no way, or what is there
    tested: str = ""  # id of the VM of a test failover
    point: str = ""  # the recovery point that it was failed over to; "": the latest


@dataclass(eq=False)
class Checkpoint:
    """`disks`: slot -> the file that was the drive's at that moment."""

    name: str
    id: str = ""
    type: str = field(default="Standard", metadata=word("SnapshotType"))
    automatic: bool = False
    parent: str | None = None  # id
    created: float = 0.0
    state: str = field(default="Off", metadata=word("VMState"))
    disks: dict[str, str] = field(default_factory=dict)
    adapters: list[Adapter] | None = None  # as they were; omitted: as they are


@dataclass(eq=False)
class Exporting:
    """An export that goes on. `path`: the VM's folder in it; `seconds`: how long it takes from now."""

    path: str
    seconds: float = 60.0
    whole: bool = True


@dataclass(eq=False)
class Usage:
    """What a VM uses while it runs, always the same. `memory`: omitted, what it starts with. `latency`: as it is counted."""

    processor_mhz: int = 0
    memory: int | None = field(default=None, metadata=SIZE)
    read: int = field(default=0, metadata=SIZE)  # each second
    written: int = field(default=0, metadata=SIZE)
    incoming: int = field(default=0, metadata=SIZE)
    outgoing: int = field(default=0, metadata=SIZE)
    iops: int = 0  # in units of 8 KB
    latency: int = 0


@dataclass(eq=False)
class Meter:
    """What was counted since `since`, up to `until`, both on the clock. MHz and MB times seconds; bytes; I/Os of 8 KB."""

    since: float = 0.0
    until: float = 0.0
    processor: float = 0.0
    memory: float = 0.0
    memory_most: int = 0  # MB, as long as it ran
    memory_least: int | None = None
    read: float = 0.0
    written: float = 0.0
    io: float = 0.0
    latency: float = 0.0  # times I/Os
    disk_most: int = field(default=0, metadata=SIZE)
    traffic: dict[str, float] = field(default_factory=dict)  # adapter's id, direction, remote address


@dataclass(eq=False)
class Vm:
    name: str
    id: str = ""
    generation: int = 1
    state: str = field(default="Off", metadata=word("VMState"))
    version: str = ""
    notes: str = ""
    automatic_start_action: str = field(default="StartIfRunning", metadata=word("StartAction"))
    automatic_start_delay: int = 0
    automatic_stop_action: str = field(default="Save", metadata=word("StopAction"))
    automatic_critical_error_action: str = field(default="Pause", metadata=word("CriticalErrorAction"))
    automatic_critical_error_action_timeout: int = 30
    checkpoint_type: str = field(default="Production", metadata=word("CheckpointType"))
    automatic_checkpoints_enabled: bool = False
    lock_on_disconnect: str = field(default="Off", metadata=word("OnOffState"))
    low_memory_mapped_io_space: int = field(default=128 * MB, metadata=SIZE)
    high_memory_mapped_io_space: int = field(default=512 * MB, metadata=SIZE)
    guest_controlled_cache_types: bool = False
    path: str = ""
    snapshot_file_location: str = ""
    smart_paging_file_path: str = ""
    processor: Processor = field(default_factory=Processor)
    memory: Memory = field(default_factory=Memory)
    firmware: Firmware = field(default_factory=Firmware)
    bios: Bios = field(default_factory=Bios)
    key_protector: str = field(default="", metadata=one_of("", "local", "owned"))  # owned: of another guardian
    tpm_enabled: bool = False
    tpm_initialized: bool = False
    encrypt_state: bool = False
    shielded: bool = False
    guardian: str = ""  # the host whose local key protector it has; omitted: this one
    scsi_controllers: list[str] = field(default_factory=lambda: [""], metadata={"count": True})
    drives: list[Drive] | None = None
    floppy: str | None = None
    adapters: list[Adapter] | None = None
    com_ports: list[str] = field(default_factory=lambda: ["", ""])
    integration_services: dict[str, bool] = field(default_factory=dict)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    replication: Replication | None = None
    extended: Replication | None = None  # on a replica: to a third site
    exporting: Exporting | None = None
    resource_metering_enabled: bool = False
    usage: Usage = field(default_factory=Usage)
    meter: Meter | None = None
    duration_unknown: bool = False  # its MeteringDuration reads null
    is_clustered: bool = False
    planned: bool = False  # what a move that was cut off left at its destination
    assigned_devices: list[str] = field(default_factory=list)  # location paths of devices of the host that it has
    gpu_partitions: int = 0  # how many partitions of the host's GPUs it has
    guest: Guest = field(default_factory=Guest)
    created: float = 0.0
    started: float = 0.0
    silent: list[str] = field(default_factory=list)  # integration services that have not answered yet
    tasks: list[str] = field(default_factory=list, metadata=word("VMOperationalStatus"))

    @property
    def disks(self) -> list[Drive]:
        return sorted((d for d in self.drives or () if not d.dvd), key=lambda d: d.at)

    @property
    def dvds(self) -> list[Drive]:
        return sorted((d for d in self.drives or () if d.dvd), key=lambda d: d.at)

    @property
    def nics(self) -> list[Adapter]:
        return self.adapters if self.adapters is not None else []

    @property
    def boots(self) -> list[BootEntry]:
        return self.firmware.boot_order if self.firmware.boot_order is not None else []

    def nics_at(self, point: Checkpoint | None) -> list[Adapter]:
        """The adapters, or as a checkpoint keeps them."""
        return self.nics if point is None or point.adapters is None else point.adapters

    def attach(self, drive: Drive) -> None:
        if self.drives is None:
            self.drives = []
        self.drives.append(drive)
        self.boots.append(BootEntry(drive=drive))  # new drives are appended (domain 5.4)

    def detach(self, drive: Drive) -> None:
        self.drives = [d for d in self.drives or () if d is not drive]
        self.firmware.boot_order = [b for b in self.boots if b.drive is not drive]


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def is_on(vm: Vm) -> bool:
    """Saved counts as running for nearly all hardware changes (domain 4.4)."""
    return vm.state != "Off"
