"""A small host for the tests of the line protocol: a few VMs, and cmdlets that behave badly on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mocks.command import class_of
from mocks.objects import (
    THROWS,
    EnumValue,
    ErrorAction,
    ErrorRecord,
    Guid,
    Instant,
    Job,
    Outcome,
    PsObject,
    Refusal,
    TimeSpan,
)

_UGLY = """Get-Odd Get-Slow Set-Odd Get-Many Test-Break Test-Continue Test-Exit Test-Throw Test-Stop Test-Hang Test-Swallow
Test-Prompt Test-Mandatory Test-Consent Test-Noise Test-Alias Test-Absent"""
_REAL = "Get-VM Set-VM New-VM Stop-VM Get-VMHost Get-VMNetworkAdapter Get-VHD Set-VMFirmware"
ALLOW = dict.fromkeys(_REAL.split(), "Hyper-V") | dict.fromkeys(_UGLY.split(), "Ugly") | {"Get-Gone": "NoSuchModule"}
VIRTUALIZATION = "Microsoft.HyperV.PowerShell.VirtualizationException"
RUNNING = EnumValue("Microsoft.HyperV.PowerShell.VMState", "Running", 2)
OFF = EnumValue("Microsoft.HyperV.PowerShell.VMState", "Off", 3)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def refusal(word: str, cmdlet: str, message: str, hresult: int = -2146233088, category: str = "") -> ErrorRecord:
    chain = ((VIRTUALIZATION, -2146233088, message), ("System.Exception", hresult, "inner"))
    category = category or {"InvalidParameter": "InvalidArgument", "Unspecified": "NotSpecified"}.get(word, word)
    return ErrorRecord(f"{word},{class_of(cmdlet, True)}", category, message, chain, "")


class SmallHost:
    """Three VMs (one with a Japanese name), two adapters, a chain of disks."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.asked = 0.0
        self.vms = [_vm(n, name, state) for n, (name, state) in enumerate(NAMES)]

    def hello(self) -> Mapping[str, Any]:
        return {
            "computer": "HV01",
            "build": 17763,
            "caption": "Windows Server 2019 Datacenter",
            "powershell": "5.1.17763.1",
            "language_mode": "FullLanguage",
            "culture": "en-US",
            "user": "HV01\\Administrator",
        }

    def assign(self, thing: Any, name: str, value: Any) -> None:
        self.calls.append(("assign", {"to": thing, name: value}))
        if name == "State":
            raise Refusal(refusal("Unspecified", "Set-VM", "it is frozen"))

    def invoke(self, cmdlet: str, params: Mapping[str, Any], error_action: ErrorAction) -> Outcome:
        self.calls.append((cmdlet, dict(params)))
        method = getattr(self, cmdlet.lower().replace("-", "_"), None)
        if method is None:
            return Outcome(errors=[ErrorRecord("CommandNotFoundException", "ObjectNotFound", "no such command")])
        outcome: Outcome = method(params)
        if error_action == "Stop":
            outcome.errors = outcome.errors[:1]
        return outcome

    def get_vm(self, params: Mapping[str, Any]) -> Outcome:
        if (wanted := params.get("Name")) is not None:
            names = wanted if isinstance(wanted, list) else [wanted]
            found = [vm for vm in self.vms if vm.properties["Name"] in names]
            missing = [n for n in names if n not in [vm.properties["Name"] for vm in self.vms]]
            errors = [refusal("InvalidParameter", "Get-VM", f"no VM {n}", -2147023728) for n in missing]
            return Outcome(objects=list(found), errors=errors)
        return Outcome(objects=list(self.vms))

    def new_vm(self, params: Mapping[str, Any]) -> Outcome:
        self.vms.append(_vm(len(self.vms), str(params["Name"]), OFF))
        return Outcome(objects=[self.vms[-1]], warnings=["the new VM has no disk"], took=2.0)

    def set_vm(self, params: Mapping[str, Any]) -> Outcome:
        """`Notes`: "held" for five seconds from the first call on, or "held for ever"."""
        if not str(params.get("Notes", "")).startswith("held"):
            return Outcome()
        self.asked = self.asked or self.clock.now()
        if params["Notes"] != "held" or self.clock.now() - self.asked < 5:
            return Outcome(errors=[refusal("ResourceBusy", "Set-VM", "it is held")])
        return Outcome()

    def stop_vm(self, params: Mapping[str, Any]) -> Outcome:
        seconds = 3600.0 if params.get("Force") else 7.0
        if params.get("AsJob"):
            return Outcome(job=Job(self.clock.now(), seconds, lambda: Outcome(warnings=["slow"]), "Stop-VM"))
        return Outcome(took=seconds)

    def get_vmnetworkadapter(self, params: Mapping[str, Any]) -> Outcome:
        given = params["VM"]
        vms = given if isinstance(given, list) else [given]
        adapters = [
            PsObject(
                "Microsoft.HyperV.PowerShell.VMNetworkAdapter",
                {"Name": "lan", "VMName": vm.properties["Name"], "VM": vm, "BandwidthSetting": setting},
                to_string="VMNetworkAdapter (Name = 'lan')",
            )
            for vm, setting in zip(vms, [BANDWIDTH, None, None, None], strict=False)
        ]
        return Outcome(objects=list(adapters))

    def get_vhd(self, params: Mapping[str, Any]) -> Outcome:
        path = params["Path"]
        name = path[0] if isinstance(path, list) else path
        if name.upper() not in PARENTS:
            return Outcome(errors=[refusal("ObjectNotFound", "Get-VHD", f"no file {name}", -2147024894)])
        parent = PARENTS[name.upper()]
        return Outcome(
            objects=[PsObject("Microsoft.Vhd.PowerShell.VirtualHardDisk", {"Path": name, "ParentPath": parent})]
        )

    def get_vmhost(self, params: Mapping[str, Any]) -> Outcome:
        return Outcome(
            objects=[PsObject("Microsoft.HyperV.PowerShell.VMHost", {"Name": "HV01"})],
            errors=[refusal("Unspecified", "Get-VMHost", "first"), refusal("Unspecified", "Get-VMHost", "second")],
        )

    def get_many(self, params: Mapping[str, Any]) -> Outcome:
        big = 10_737_418_240
        return Outcome(
            objects=[
                PsObject("Row", {f"P{c}": f"value {n}" if c % 2 else big + n for c in range(10)})
                for n in range(params["Count"])
            ]
        )

    def set_odd(self, params: Mapping[str, Any]) -> Outcome:
        return Outcome(objects=["text", 5, RUNNING, None])

    def get_slow(self, params: Mapping[str, Any]) -> Outcome:
        """Ready half a minute after it was asked first."""
        self.asked = self.asked or self.clock.now()
        ready = self.clock.now() - self.asked > 30
        return Outcome(objects=[PsObject("Slow", {"Ready": "yes" if ready else "no", "Name": "slow"})])

    def get_odd(self, params: Mapping[str, Any]) -> Outcome:
        return Outcome(objects=[ODD])


NAMES = (("web01", RUNNING), ("db01", OFF), ("日本語 \"'`$x\\", OFF))
BANDWIDTH = PsObject("Microsoft.HyperV.PowerShell.VMNetworkAdapterBandwidthSetting", {"MaximumBandwidth": 10**9})
PARENTS = {
    "C:\\C.AVHDX": "C:\\B.AVHDX",
    "C:\\B.AVHDX": "c:\\a.vhdx",
    "C:\\A.VHDX": "",
    "C:\\LOOP.VHDX": "c:\\loop.vhdx",
}
ODD = PsObject(
    "Microsoft.HyperV.PowerShell.Odd",
    {
        "Null": None,
        "Throwing": THROWS,
        "Yes": True,
        "Huge": 18446744073709551615,
        "Negative": -5,
        "Text": "tab\t nul\x00 quote\" back\\ line\n \u2028 \U0001f600 <&'>",
        "Empty": "",
        "State": RUNNING,
        "Flags": EnumValue("Microsoft.HyperV.PowerShell.Flags", "A, B", 3),
        "Id": Guid("0c2b0f6e-7a1d-4b8e-9f00-1234567890ab"),
        "Uptime": TimeSpan(36_000_000_000),
        "Created": Instant(datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)),
        "List": ["a", 1, None],
        "One": ["only"],
        "None": [],
        "Inner": BANDWIDTH,
        "Inners": [BANDWIDTH, PsObject("Other", {"MaximumBandwidth": None})],
    },
    to_string="odd",
)


def _vm(number: int, name: str, state: EnumValue) -> PsObject:
    return PsObject(
        "Microsoft.HyperV.PowerShell.VirtualMachine",
        {
            "Name": name,
            "Id": Guid(f"00000000-0000-0000-0000-00000000000{number}"),
            "State": state,
            "ProcessorCount": number + 1,
        },
        to_string=f"VirtualMachine (Name = '{name}')",
        assignable=True,
    )
