"""What a simulated host holds beside its VMs: switches, adapters, disks, files, settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from mocks.cluster import Cluster
from mocks.machine import GB, SIZE, TB, Adapter, Vm, one_of, word
from mocks.replica import LISTENERS, Certificate, ReplicaServer

DEFAULT_VM_VERSION = {"2012": "4.0", "2012r2": "5.0", "2016": "8.0", "2019": "9.0", "2022": "10.0", "2025": "12.0"}
VM_VERSIONS = {  # domain 1.1
    "2012": ("4.0",),
    "2012r2": ("4.0", "5.0"),
    "2016": ("5.0", "6.2", "7.0", "7.1", "8.0"),
    "2019": ("5.0", "6.2", "7.0", "7.1", "8.0", "8.1", "8.2", "8.3", "9.0"),
    "2022": ("8.0", "8.1", "8.2", "8.3", "9.0", "9.1", "9.2", "9.3", "10.0"),
    "2025": ("8.0", "8.1", "8.2", "8.3", "9.0", "9.1", "9.2", "9.3", "10.0", "10.5", "11.0", "12.0"),
}


@dataclass(eq=False)
class Switch:
    name: str
    id: str = ""
    type: str = field(default="Internal", metadata=word("VMSwitchType"))
    net_adapters: list[str] = field(default_factory=list)
    allow_management_os: bool | None = None
    notes: str = ""
    minimum_bandwidth_mode: str = field(default="Absolute", metadata=word("VMSwitchBandwidthMode"))
    default_flow_minimum_bandwidth_absolute: int | None = None
    default_flow_minimum_bandwidth_weight: int = 0
    iov_enabled: bool = False
    packet_direct_enabled: bool = False
    embedded_teaming_enabled: bool = False
    load_balancing_algorithm: str | None = field(default=None, metadata=word("VMSwitchLoadBalancingAlgorithm"))
    extensions: dict[str, bool] = field(default_factory=dict)  # id or name -> enabled; by id, in order, once loaded
    default_queue_vrss_enabled: bool = True
    default_queue_vmmq_enabled: bool = False
    default_queue_vrss_max_queue_pairs: int = 16
    default_queue_vrss_min_queue_pairs: int = 1
    default_queue_vrss_exclude_primary_processor: bool = False
    default_queue_vrss_queue_scheduling_mode: str = field(
        default="StaticVrss", metadata=word("VrssQueueSchedulingModeType")
    )
    software_rsc_enabled: bool = True
    dhcp: bool = False  # somebody on it gives out addresses


@dataclass(frozen=True)
class Extension:
    """A switch extension that is installed on the host."""

    id: str
    name: str
    kind: str
    enabled: bool  # on a new switch
    since: str = "2012"


# Names and the first two as a 2022 host shows them; the third comes with network virtualization of 2016 [I].
EXTENSIONS = (
    Extension("E7C3B2F0-F3C5-48DF-AF2B-10FED6D72E7A", "Microsoft Windows Filtering Platform", "Filter", True),
    Extension("EA24CD6C-D17A-4348-9190-09F0D5BE83DD", "Microsoft NDIS Capture", "Capture", False),
    Extension(
        "F74F241B-440F-4433-BB28-00F89EAD20D8", "Microsoft Azure VFP Switch Extension", "Forwarding", False, "2016"
    ),
)
LBFO = "Microsoft Network Adapter Multiplexor Driver"  # how an LBFO team describes itself (domain 3) [O]


@dataclass(eq=False)
class NetAdapter:
    name: str
    description: str = ""
    id: str = ""
    index: int = 0
    mac_address: str = ""
    link_speed: int = 1_000_000_000
    status: str = "Up"
    addresses: list[str] = field(default_factory=list)  # "192.0.2.11/24", "… dhcp", "… duplicate": mocks/interfaces.py
    gateways: list[str] = field(default_factory=list)  # next hops of default routes: "192.0.2.1", "192.0.2.1 dhcp"
    dns: list[str] = field(default_factory=list)  # "192.0.2.53", "192.0.2.53 dhcp"
    dhcp: bool = False  # it asks DHCP, whether or not anybody answers
    moved_to: str | None = None  # id of the host's adapter that took all this over; omitted: the first on its switch
    can_bind: bool = True  # false: Wi-Fi and the like, no virtual switch can have it
    iov_support: bool = False
    vmmq_support: bool = False


@dataclass(eq=False)
class Volume:
    free: int = field(default=500 * GB, metadata=SIZE)
    size: int = field(default=TB, metadata=SIZE)
    label: str = ""
    file_system: str = "NTFS"
    clustered: bool = False  # a cluster disk


@dataclass(eq=False)
class Storage:
    """A volume under a path, which several hosts may see: a cluster shared volume, a share."""

    path: str = ""
    free: int = field(default=500 * GB, metadata=SIZE)
    size: int = field(default=TB, metadata=SIZE)


@dataclass(eq=False)
class Content:
    """What is known of a file beside its size. `text`: of a small text file, as it lies on the disk; `sha256`: of a
    file whose bytes are not kept; `written`: on the clock, below zero before the host's story begins."""

    text: str | None = None
    sha256: str = ""
    written: float = 0.0


@dataclass(eq=False)
class Vhd:
    path: str
    size: int = field(default=127 * GB, metadata=SIZE)
    type: str = field(default="Dynamic", metadata=word("VhdType"))
    parent: str | None = None
    minimum_size: int | None = field(default=None, metadata=SIZE)
    file_size: int | None = field(default=None, metadata=SIZE)
    block_size: int | None = field(default=None, metadata=SIZE)
    logical_sector_size: int = 512
    physical_sector_size: int | None = None
    disk_identifier: str = ""
    fragmentation_percentage: int = 0
    in_use_elsewhere: bool = False
    read_only: bool = False  # the file's attribute
    mounted_as: int | None = None
    installed: bool = False  # a system is on it, which answers in a VM that it is attached to
    partitions: list[str] = field(default_factory=list, metadata=one_of("efi", "reserved", "basic", "recovery", "mbr"))

    @property
    def format(self) -> str:
        suffix = self.path.lower().rsplit(".", 1)[-1]
        return {"vhd": "VHD", "avhd": "VHD", "vhds": "VHDSet"}.get(suffix, "VHDX")


@dataclass(eq=False)
class PhysicalDisk:
    """A disk of the host. `bus`: as MSFT_Disk numbers it; 15: a virtual disk that is mounted."""

    number: int
    size: int = field(default=480 * GB, metadata=SIZE)
    boot: bool = False
    system: bool = False
    offline: bool = False
    bus: int = 10  # SAS


@dataclass(eq=False)
class MigrationNetwork:
    """A network that incoming live migrations may use."""

    subnet: str
    priority: int | None = None  # the lower is preferred


@dataclass(eq=False)
class Licence:
    """An edition of Windows that its licensing knows. `status`: as SoftwareLicensingProduct numbers it, 1 licensed;
    `key`: the end of a product key, of one that has any."""

    name: str = "Windows(R), ServerStandard edition"
    status: int = 1
    key: str | None = "3V66T"
    application: str = "55c92734-d682-4d71-983e-d6ec3f16059f"  # Windows (operations 2)
    depends_on: str | None = None  # of an add-on


@dataclass(eq=False)
class LoggedEvent:
    """A line of an event log. `time`: on the clock, below zero before the host's story begins."""

    id: int
    message: str = ""
    log: str = "Application"
    provider: str = "Microsoft-Windows-Security-SPP"  # which one writes 12310 is not known (operations 2) [I]
    level: str = "Information"
    time: float = -3600.0


@dataclass(eq=False)
class NatMapping:
    """A port of all addresses of the host that a NAT hands on. `protocol`: TCP or UDP."""

    port: int
    to: str  # "192.168.50.10:443"
    protocol: str = field(default="TCP", metadata=one_of("TCP", "UDP"))
    external: str = "0.0.0.0"
    id: int = 0


@dataclass(eq=False)
class Nat:
    """An address translation as Get-NetNat shows it: `internal` or, of a gateway of virtual networks, `external`."""

    name: str
    internal: str = ""  # "192.168.50.0/24"
    external: str = ""
    mappings: list[NatMapping] = field(default_factory=list)


@dataclass(eq=False)
class Subscription:
    """A permanent event subscription of WMI: a filter, and a consumer with a command line or a script."""

    name: str
    namespace: str = "root/subscription"
    query: str = "SELECT * FROM __InstanceModificationEvent WITHIN 60 WHERE TargetInstance ISA 'Win32_Service'"
    event_namespace: str = "root\\cimv2"
    command: str = ""
    script: str = ""


@dataclass(eq=False)
class ScheduledTask:
    name: str
    path: str = "\\"
    execute: str = ""
    arguments: str | None = None


@dataclass(eq=False)
class ShellQuotas:
    """winrm/config/winrs; omitted: as that version of Windows has them (winrm 3.1). Only told: nothing is held to them here."""

    shells: int | None = None
    processes: int | None = None
    memory_mb: int | None = None
    users: int | None = None


ESTATE = {"estate": True}
"""Metadata of what a host has from the estate that it is in (mocks/estate.py), or from what its processes do: no part of
its own starting state."""


@dataclass(eq=False)
class Copying:
    """A file that is being copied to: since when and until when, on the clock."""

    began: float
    ends: float


@dataclass(eq=False)
class HostState:
    os: str = field(default="2022", metadata=one_of(*DEFAULT_VM_VERSION))
    language: str = field(default="en", metadata=one_of("en", "ja"))
    language_mode: str = field(
        default="FullLanguage", metadata=one_of("FullLanguage", "ConstrainedLanguage")
    )  # of its PowerShell
    name: str = "HV01"
    domain: str = ""
    build: int | None = None
    logical_processors: int = 16
    memory: int = field(default=64 * GB, metadata=SIZE)
    administrator: bool = True
    hyper_v_installed: bool = True
    hyper_v_role: bool = True  # false: only its management tools are installed
    hyper_v_module: bool = True  # false: only the role is
    hypervisor_running: bool = True
    restart_due: bool = False  # the role comes with the next restart
    vmms_running: bool = True
    cluster_running: bool = True  # the service, on a node
    cluster_access: bool = True  # of the account: what Grant-ClusterAccess gives, and administrators of the nodes have
    subscriptions: list[Subscription] = field(default_factory=list)
    scheduled_tasks: list[ScheduledTask] = field(default_factory=list)
    shell_quotas: ShellQuotas = field(default_factory=ShellQuotas)
    user: str = ""
    sku: int = 7  # OperatingSystemSKU: 7 Standard, 8 Datacenter, both with a desktop (operations 2)
    licences: list[Licence] = field(
        default_factory=lambda: [Licence(), Licence("Windows(R), ServerDatacenter edition", 0, None)]
    )
    events: list[LoggedEvent] = field(default_factory=list)
    time_zone: int = 0  # minutes east of Greenwich
    virtual_machine_path: str = r"C:\ProgramData\Microsoft\Windows\Hyper-V"
    virtual_hard_disk_path: str = r"C:\ProgramData\Microsoft\Windows\Virtual Hard Disks"
    mac_address_minimum: str = "00155D010A00"
    mac_address_maximum: str = "00155D010AFF"
    maximum_storage_migrations: int = 2
    maximum_virtual_machine_migrations: int = 2
    virtual_machine_migration_enabled: bool = False
    virtual_machine_migration_authentication_type: str = field(
        default="CredSSP", metadata=word("MigrationAuthenticationType")
    )
    virtual_machine_migration_performance_option: str = field(
        default="Compression", metadata=word("VMMigrationPerformance")
    )
    use_any_network_for_migration: bool = False
    migration_networks: list[MigrationNetwork] = field(default_factory=list)
    session: str = field(
        default="ntlm", metadata=one_of("ntlm", "kerberos", "kerberos delegated", "credssp", "console")
    )  # how whoever manages it is logged on there, which decides what it can reach as that account
    delegates_to: list[str] = field(
        default_factory=list
    )  # other hosts, for cifs and the migration service, in the domain
    delegation: str = field(default="kerberos_only", metadata=one_of("kerberos_only", "any_protocol"))
    credential_guard: bool = False
    processor_vendor: str = "GenuineIntel"
    processor_level: int = 1  # the higher has instructions that the lower has not
    guardians: list[str] = field(default_factory=list)  # hosts whose certificates for shielded VMs it has too
    replica_server: ReplicaServer = field(default_factory=ReplicaServer)
    logon_as_a_service: bool = True  # of NT VIRTUAL MACHINE\\Virtual Machines, which a group policy may take
    replica_broker: bool = False  # of its cluster, online: without one nothing of Replica is told on a node
    certificates: list[Certificate] = field(default_factory=list)
    firewall_rules: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(LISTENERS, False))  # by name
    shares: list[str] = field(default_factory=list)  # folders of other servers that a session is let on to: UNC paths
    resource_metering_save_interval: int = 3600  # seconds
    metric_units: dict[str, str] | None = None  # by English name, as the definitions tell them; omitted: all of them
    numa_spanning_enabled: bool = True
    enable_enhanced_session_mode: bool = False
    iov_support: bool = False
    management: str = ""  # net adapter or switch that carries WinRM; omitted: the first net adapter
    cluster: Cluster | None = None  # that it is a node of
    resource_pools: list[str] = field(default_factory=list)  # beside Primordial; of every kind
    volumes: dict[str, Volume] = field(default_factory=dict)
    disks: list[PhysicalDisk] | None = None  # omitted: the one that Windows runs from, and those that VMs have
    dvd_drives: list[str] = field(default_factory=list)  # letters of the host's own: "E:"
    net_adapters: list[NetAdapter] | None = None
    switches: list[Switch] = field(default_factory=list)
    management_adapters: list[Adapter] = field(default_factory=list)
    addresses_elsewhere: list[str] = field(default_factory=list)  # of other machines on the networks: "10.0.0.7"
    nats: list[Nat] = field(default_factory=list)
    hidden_nats: list[str] = field(default_factory=list)  # prefixes that HNS holds, which no cmdlet of NetNat shows
    reserved_ports: list[int] = field(default_factory=list)  # taken, or in a range that the host excludes
    files: dict[str, int] = field(default_factory=dict, metadata=SIZE)
    contents: dict[str, Content] = field(default_factory=dict)  # of some of the files
    folders: list[str] = field(default_factory=list)
    vhds: list[Vhd] = field(default_factory=list, metadata={"keyed": "path"})
    vms: list[Vm] = field(default_factory=list)
    made: int = 0  # how many ids were given out
    unreachable_until: float = 0.0  # on the clock
    locked_until: dict[str, float] = field(default_factory=dict)  # files of VMs just removed
    long_at_once: bool = False  # a file that is copied to is as long as the whole from the beginning
    copying: dict[str, Copying] = field(default_factory=dict, repr=False, metadata=ESTATE)  # by path
    storage: list[Storage] = field(default_factory=list, repr=False, metadata=ESTATE)
    beside: list[HostState] = field(default_factory=list, repr=False, metadata=ESTATE)

    @property
    def module2(self) -> bool:
        """Hyper-V module 2.0 (domain 1.1)."""
        return self.os not in ("2012", "2012r2")

    def at_least(self, os: str) -> bool:
        order = list(DEFAULT_VM_VERSION)
        return order.index(self.os) >= order.index(os)

    @property
    def extensions(self) -> list[Extension]:
        return [e for e in EXTENSIONS if self.at_least(e.since)]

    def vm(self, vm_id: str) -> Vm | None:
        return next((v for v in self.vms if v.id == vm_id), None)

    def switch(self, switch_id: str | None) -> Switch | None:
        return next((s for s in self.switches if s.id == switch_id), None)

    @property
    def nics(self) -> list[NetAdapter]:
        return self.net_adapters if self.net_adapters is not None else []
