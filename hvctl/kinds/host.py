"""Settings of the Hyper-V host itself (domain 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field

from hvctl.call import Call, Row, Value
from hvctl.contract import OS, at_least
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.fields import Fields, Setting, properties
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.core.values import ANYTHING, MISSING, NOT_COMPARED, State
from hvctl.kinds._drives import file_query, there
from hvctl.kinds._host import HOST, OfHyperV, host_row
from hvctl.kinds._types import MAC, PATH, SECONDS, Flag, MacAddress, Seconds, WindowsPath, Words
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.visible import quoted

AUTHENTICATION = Words(credssp="CredSSP", kerberos="Kerberos")
PERFORMANCE = Words(tcp_ip="TCPIP", compression="Compression", smb="SMB")


LIMIT = Call(
    "Get-CimInstance",
    {"Namespace": "root/MSCluster", "ClassName": "MSCluster_Cluster"},
    select=("Name", "MaximumParallelMigrations"),
)
"""A cluster that has this property sets it on every node in place of the node's own (cluster 1.6)."""
_MAXIMUM = "live_migration.maximum"

SYSTEM = Call("Get-CimInstance", {"ClassName": "Win32_ComputerSystem"}, select=("PartOfDomain",))


_DISK_FOLDERS = (
    "C:\\Users\\Public\\Documents\\Hyper-V\\Virtual Hard Disks",
    "C:\\ProgramData\\Microsoft\\Windows\\Virtual Hard Disks",
)


class LiveMigration(Fields):
    """Live migration of VMs to and from this host."""

    enabled: Annotated[Flag | None, Setting("VirtualMachineMigrationEnabled")] = None
    authentication: Annotated[
        str | None, AUTHENTICATION, Setting("VirtualMachineMigrationAuthenticationType", codec=AUTHENTICATION)
    ] = None
    performance: Annotated[
        str | None, PERFORMANCE, Setting("VirtualMachineMigrationPerformanceOption", codec=PERFORMANCE)
    ] = None
    any_network: Annotated[Flag | None, Setting("UseAnyNetworkForMigration")] = None
    maximum: Annotated[int | None, Field(ge=0), Setting("MaximumVirtualMachineMigrations")] = None


class Host(OfHyperV):
    """The host's own settings; always there. `numa_spanning` takes effect when the vmms service restarts. `exclusive`: of
    these lists, what is not listed is removed (`migration_networks`)."""

    kind: ClassVar[str] = "host"
    section: ClassVar[str] = "host"
    setter: ClassVar[str] = "Set-VMHost"
    usual: ClassVar[Mapping[str, Any]] = {
        "virtual_machine_path": "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V",
        "numa_spanning": True,
        "enhanced_session_mode": False,
        "resource_metering_save_interval": 3600,
        "maximum_storage_migrations": 2,
        "live_migration.enabled": False,
        "live_migration.authentication": "credssp",
        "live_migration.performance": "compression",
        "live_migration.any_network": False,
        "live_migration.maximum": 2,
    }  # domain 2
    odd: ClassVar[frozenset[str]] = frozenset({"live_migration.enabled"})

    virtual_machine_path: Annotated[WindowsPath | None, Setting("VirtualMachinePath", codec=PATH)] = None
    virtual_hard_disk_path: Annotated[WindowsPath | None, Setting("VirtualHardDiskPath", codec=PATH)] = None
    mac_address_minimum: Annotated[MacAddress | None, Setting("MacAddressMinimum", codec=MAC)] = None
    mac_address_maximum: Annotated[MacAddress | None, Setting("MacAddressMaximum", codec=MAC)] = None
    numa_spanning: Annotated[Flag | None, Setting("NumaSpanningEnabled")] = None
    enhanced_session_mode: Annotated[Flag | None, Setting("EnableEnhancedSessionMode")] = None
    resource_metering_save_interval: Annotated[
        Seconds | None, Field(ge=3600, le=86_400), Setting("ResourceMeteringSaveInterval", codec=SECONDS)
    ] = None
    maximum_storage_migrations: Annotated[int | None, Field(ge=0), Setting("MaximumStorageMigrations")] = None
    live_migration: LiveMigration = Field(default_factory=LiveMigration)
    exclusive: list[str] = Field(default_factory=list)

    @property
    def _folders(self) -> dict[str, str]:
        written = (
            ("virtual_machine_path", self.virtual_machine_path),
            ("virtual_hard_disk_path", self.virtual_hard_disk_path),
        )
        return {field: path for field, path in written if path}

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        low, high = self.mac_address_minimum, self.mac_address_maximum
        if low and high and high < low:
            yield finding("mac_address_maximum", "the highest address is below the lowest", "exchange them")
        for n, section in enumerate(self.exclusive):
            if section != "migration_networks":
                text = f"{quoted(section)} is no list that can be exclusive"
                yield finding(f"exclusive.{n}", text, "the one of a host is migration_networks")

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        return (Call("Get-VMHost", select=properties(cls, *HOST.select)),)

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        yield cls()

    def by_default(self, facts: Facts) -> State:
        """A range of 256 addresses is the one that the host gave itself (domain 9.1). Which version has which folder for
        disks is in no source."""
        disks = next((p for p in _DISK_FOLDERS if PATH.same(self.virtual_hard_disk_path, p)), MISSING)
        low, high = self.mac_address_minimum or "", self.mac_address_maximum or ""
        own = low[:6] == "00155D" and low[:10] == high[:10] and (low[10:], high[10:]) == ("00", "FF")
        ends = dict.fromkeys(("mac_address_minimum", "mac_address_maximum"), ANYTHING) if own else {}
        return {**self.usual, "virtual_hard_disk_path": disks, **ends}

    def queries(self) -> tuple[Call, ...]:
        domain = (SYSTEM,) if self.live_migration.enabled else ()
        limit = (LIMIT,) if self.live_migration.maximum is not None else ()
        return (*self.survey(), *domain, *limit, *(file_query(path) for path in self._folders.values()))

    def row(self, facts: Facts) -> Row:
        return host_row(facts)

    def actual(self, facts: Facts) -> State | None:
        found = self.read_settings(self.row(facts))
        if _MAXIMUM in found and self._by_cluster(facts) is not None:
            found[_MAXIMUM] = NOT_COMPARED
        return found

    def _by_cluster(self, facts: Facts) -> int | None:
        """The limit of migrations that the cluster has in place of the host's."""
        if self.live_migration.maximum is None or facts.reply(LIMIT).failure is not None:
            return None
        return next(
            (r["MaximumParallelMigrations"] for r in facts.rows(LIMIT) if "MaximumParallelMigrations" in r), None
        )

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        changed = {c.field for c in changes}
        if (limit := self._by_cluster(facts)) is not None:
            text = f"the cluster's maximum_parallel_migrations, {limit}, takes the place of it"
            yield finding(_MAXIMUM, text, "write it under `cluster:`, and leave it out here", "warning")
        for field, path in self._folders.items():
            # The error of Set-VMHost would come at apply only (domain 2).
            if field in changed and not there(path, facts):
                yield finding(field, f"there is no folder {path} on the host", "make it, or correct the path")
        row = self.row(facts)
        low = self.mac_address_minimum or str(row.get("MacAddressMinimum") or "")
        high = self.mac_address_maximum or str(row.get("MacAddressMaximum") or "")
        if changed & {"mac_address_minimum", "mac_address_maximum"} and low and high and high < low:
            field = "mac_address_maximum" if self.mac_address_maximum else "mac_address_minimum"
            yield finding(field, f"the host's range would be {low} to {high}", "write both ends")

        enabled = self.live_migration.enabled and "live_migration.enabled" in changed
        # domain 2 [I]; 2025 adds workgroup clusters
        if enabled and not at_least(facts.os, "2025") and not facts.rows(SYSTEM)[0]["PartOfDomain"]:
            hint = "join it to one, or leave this out"
            yield finding("live_migration.enabled", "the host is in no domain, which live migration needs", hint)

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        if (field, wanted) == ("live_migration.performance", "smb"):
            return "over SMB 3: over RDMA where adapters of both hosts have it; the list of networks still holds"
        return "takes effect when the vmms service restarts" if field == "numa_spanning" else ""

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        return frozenset({"online"})

    def arguments(self, changes: tuple[Change, ...]) -> dict[str, Value]:
        return super().arguments(tuple(c for c in changes if c.field != "live_migration.enabled"))

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        arguments = self.arguments(changes)
        row = self.row(facts)
        # The two ends of the range are given together (domain 2).
        for name, other in (("MacAddressMinimum", "MacAddressMaximum"), ("MacAddressMaximum", "MacAddressMinimum")):
            if name in arguments and other not in arguments:
                arguments[other] = str(row[other])
        fields = tuple(c.field for c in changes if c.field != "live_migration.enabled")
        if arguments:
            yield Step(Call(self.setter, arguments), "set the host", fields)
        for change in changes:
            if change.field == "live_migration.enabled":
                verb = "Enable" if change.wanted else "Disable"
                yield Step(Call(f"{verb}-VMMigration"), f"{verb.lower()} live migration", (change.field,))
