"""One running cmdlet of the simulated host: its arguments, what it emits, how it refuses; and the table of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mocks.arguments import Arguments
from mocks.clock import Clock
from mocks.machine import Vm
from mocks.messages import TEXTS, say
from mocks.objects import ErrorAction, ErrorRecord, Refusal
from mocks.state import HostState

if TYPE_CHECKING:
    from mocks.estate import Estate

COR_E_EXCEPTION = -2146233088  # 0x80131500: the HRESULT of a failure is in the message only (observations 3)

# observations 3, second table
CATEGORIES = {
    "InvalidParameter": "InvalidArgument",
    "ObjectNotFound": "ObjectNotFound",
    "InvalidState": "InvalidOperation",
    "InvalidOperation": "InvalidOperation",
    "NotSupported": "InvalidOperation",
    "OperationFailed": "NotSpecified",
    "Unspecified": "NotSpecified",
    "AccessDenied": "PermissionDenied",
    "ObjectInUse": "ResourceBusy",
    "OutOfMemory": "FromStdErr",
}

_ELSEWHERE = {
    "Get-CimInstance": "Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand",
    "Get-WindowsFeature": "Microsoft.Windows.ServerManager.Commands.GetWindowsFeatureCommand",
    "Get-FileHash": "Get-FileHash",  # a function of Windows PowerShell's Utility module
    "Get-ScheduledTask": "Get-ScheduledTask",
    "Get-Service": "Microsoft.PowerShell.Commands.GetServiceCommand",
    "Get-Partition": "Get-Partition",
    "Get-Volume": "Get-Volume",
    "Get-WSManInstance": "Microsoft.WSMan.Management.GetWSManInstanceCommand",
}


def class_of(cmdlet: str, module2: bool) -> str:
    """The command's class as it stands in a FullyQualifiedErrorId (observations 3)."""
    verb, _, noun = cmdlet.partition("-")
    if cmdlet in _ELSEWHERE:
        return _ELSEWHERE[cmdlet]
    if noun.startswith(("Net", "DnsClient")):  # functions (CDXML)
        return cmdlet
    if noun == "VHD":
        if module2:
            return "Microsoft.Vhd.PowerShell.Cmdlets." + ("GetVHD" if verb == "Get" else f"{verb}Vhd")
        return f"Microsoft.Vhd.PowerShell.{verb}VhdCommand"
    if noun in ("Path", "Item", "ChildItem", "Content"):
        return f"Microsoft.PowerShell.Commands.{verb}{noun}Command"
    return f"Microsoft.HyperV.PowerShell.Commands.{verb}{noun}" + ("" if module2 else "Command")


CHOOSING = {
    "vm", "vmname", "name", "vmswitch", "vmnetworkadapter", "vmnetworkadaptername", "managementos",
    "vmprocessor", "vmmemory", "vmfirmware", "vmbios", "vmcomport", "number", "vmharddiskdrive", "vmdvddrive",
    "vmfloppydiskdrive", "controllertype", "controllernumber", "controllerlocation", "passthru", "force",
    "allowunverifiedpaths", "confirm", "whatif", "asjob", "subnet",
    "computername", "cimsession", "credential",
}  # fmt: skip
"""Parameters of Set- cmdlets that say what is changed, or how, and change nothing."""

BUSY = {
    "ExportingVirtualMachine",
    "MigratingVirtualMachine",
    "StorageMigrationPhaseOne",
    "StorageMigrationPhaseTwo",
}
"""While Hyper-V does this, a VM refuses changes."""


class Ended(Exception):
    """An error under ErrorAction Stop: the cmdlet does no more."""


class Command:
    """What the body of a cmdlet works with."""

    def __init__(
        self,
        state: HostState,
        clock: Clock,
        name: str,
        *,
        set_name: str,
        args: Arguments,
        action: ErrorAction,
        estate: Estate | None = None,
    ) -> None:
        self.state = state
        self.clock = clock
        self.name = name
        self.set = set_name
        self.args = args
        self.action = action
        self.estate = estate
        """The hosts that this one knows, if any."""
        self.objects: list[Any] = []
        self.errors: list[ErrorRecord] = []
        self.warnings: list[str] = []

    # --- what it gives ------------------------------------------------------------------------------------------

    def emit(self, *things: Any) -> None:
        self.objects.extend(things)

    def passthru(self, make: Callable[..., Any], *of: Any) -> None:
        """State-changing cmdlets emit only with -Passthru."""
        if self.args.flag("Passthru"):
            self.emit(make(*of))

    def warn(self, key: str, *values: object) -> None:
        self.warnings.append(self.say(key, *values))

    def say(self, key: str, *values: object) -> str:
        if not self.state.module2 and f"{key}_1x" in TEXTS:
            key = f"{key}_1x"
        return say(self.state.language, key, *values)

    # --- how it refuses -----------------------------------------------------------------------------------------

    def refuse(self, kind: str, key: str, *values: object, category: str = "", target: str = "") -> Refusal:
        """The refusal of a Hyper-V cmdlet, to be raised."""
        return self.refuse_text(kind, self.say(key, *values), category=category, target=target)

    def refuse_text(self, kind: str, text: str, *, category: str = "", target: str = "") -> Refusal:
        space = "Microsoft.Vhd.PowerShell" if self.name.endswith("-VHD") else "Microsoft.HyperV.PowerShell"
        if self.state.module2:
            exception = "VirtualizationException"
        elif kind == "InvalidParameter":
            exception = "VirtualizationInvalidArgumentException"
        else:
            exception = "VirtualizationOperationFailedException"
        if kind == "NotSupported" and not self.state.module2:
            category = category or "NotImplemented"  # observations 3
        return self.fail(kind, category or CATEGORIES[kind], text, f"{space}.{exception}", target=target)

    def fail(
        self, kind: str, category: str, text: str, exception: str, *, hresult: int = COR_E_EXCEPTION, target: str = ""
    ) -> Refusal:
        """A refusal of any cmdlet, to be raised."""
        full = f"{kind},{class_of(self.name, self.state.module2)}"
        return Refusal(ErrorRecord(full, category, text, ((exception, hresult, text),), target))

    def needs_consent(self) -> None:
        """A cmdlet that asks unless -Force: nobody can answer (observations 4: -Confirm:$false does not help)."""
        if not self.args.flag("Force"):
            raise self.prompt()

    def prompt(self) -> Refusal:
        return self.fail(
            "InvalidOperation",
            "InvalidOperation",
            self.say("prompt"),
            "System.Management.Automation.PSInvalidOperationException",
            hresult=-2146233079,
        )

    @contextmanager
    def trying(self) -> Iterator[None]:
        """One object of several: its refusal is an error of its own (domain 1.5, 3)."""
        try:
            yield
        except Refusal as refusal:
            self.errors.append(refusal.record)
            if self.action == "Stop":
                raise Ended from refusal

    def pool(self, parameter: str = "ResourcePoolName") -> str:
        """The resource pool that a parameter names: it must be there, Primordial always is (domain 6; text and id [I])."""
        name = self.args.text(parameter)
        known = next((p for p in ("Primordial", *self.state.resource_pools) if p.lower() == name.lower()), None)
        if known is None and name:
            raise self.refuse("ObjectNotFound", "pool_missing", name)
        return known or ""

    # --- subjects -----------------------------------------------------------------------------------------------

    def alive(self, vm: Vm) -> Vm:
        """An object that was fetched earlier may stand for a VM that is gone."""
        if not any(v is vm for v in self.state.vms):
            raise self.refuse("ObjectNotFound", "object_gone", self.state.name)
        if BUSY & set(vm.tasks) and not self.name.startswith(("Get-", "Measure-", "Test-")):
            # domain 13, 14.2: "is being modified by another operation" [O, text]; id domain 26
            raise self.refuse("InvalidState", "vm_bad_state", vm.name)
        return vm


Body = Callable[[Command], Any]


@dataclass(frozen=True)
class Entry:
    """A cmdlet of the table. `module`: `hyper-v`, or `host` for what works without it. `takes`: seconds."""

    name: str
    body: Body
    module: str
    takes: float


TABLE: dict[str, Entry] = {}


def cmdlet(name: str, *, module: str = "hyper-v", takes: float = 0.05) -> Callable[[Body], Body]:
    """Put a cmdlet into the table. A body that takes long is a generator: it yields seconds once all its checks
    are done, and goes on when they have passed; -AsJob rests on that."""

    def add(body: Body) -> Body:
        TABLE[name.lower()] = Entry(name, body, module, takes)
        return body

    return add
