"""What a host is asked, beyond what kinds ask of it: reads only. And what comes back, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hvctl.call import Call, Failure, Home
from hvctl.core.facts import Facts
from hvctl.kinds._cluster import ROLES
from hvctl.kinds._host import CLOCK, HOST
from hvctl.kinds._owed import FILES as OWED

SERVICES = Call("Get-Service", {"Name": ("vmms", "ClusSvc")}, select=("Name", "Status"), each="Name")
"""By their names, which are not localised."""
FEATURES = Call("Get-WindowsFeature", {"Name": ("Hyper-V", "Hyper-V-PowerShell")}, select=("Name", "InstallState"))
"""Takes some seconds on a real host, so it is asked only where something of Hyper-V is missing."""
COMPUTER = Call(
    "Get-CimInstance",
    {"ClassName": "Win32_ComputerSystem"},
    select=("PartOfDomain", "Domain", "HypervisorPresent"),
)
SHELL_QUOTAS = Call(
    "Get-WSManInstance",
    {"ResourceURI": "winrm/config/winrs"},
    select=("MaxShellsPerUser", "MaxMemoryPerShellMB", "MaxProcessesPerShell", "MaxConcurrentUsers"),
)
"""Of the shell that hvctl uses (winrm 3.1); the values are text, as in XML."""
VOLUMES = Call("Get-Volume", select=("DriveLetter", "SizeRemaining"))
STAGED = Call("Get-ChildItem", {"LiteralPath": Home("staging")}, select=("Name", "LastWriteTimeUtc"))
"""A folder for each run that brought files to the host and did not come to removing them."""
JOURNALS = Call("Get-ChildItem", {"LiteralPath": Home("journal"), "Filter": "*.jsonl"}, select=("Name",))

# --- WMI v1 (operations 5) ------------------------------------------------------------------------------------------

V1 = Call("Get-CimInstance", {"Namespace": "root/virtualization", "ClassName": "Msvm_ComputerSystem"}, select=("Name",))
"""The class, not the namespace: that one stays, as the parent of v2."""
NAMESPACES = ("root/subscription", "root/default", "root/cimv2")
"""Where permanent subscriptions may live."""
_SUBSCRIBED: Mapping[str, tuple[str, ...]] = {
    "__EventFilter": ("Name", "Query", "EventNamespace"),
    "CommandLineEventConsumer": ("Name", "CommandLineTemplate", "ExecutablePath"),
    "ActiveScriptEventConsumer": ("Name", "ScriptText", "ScriptFileName"),
}


def _subscribed(namespace: str, name: str) -> Call:
    return Call("Get-CimInstance", {"Namespace": namespace, "ClassName": name}, select=_SUBSCRIBED[name])


SUBSCRIPTIONS = {namespace: tuple(_subscribed(namespace, name) for name in _SUBSCRIBED) for namespace in NAMESPACES}
ACTIONS = "Actions[Execute,Arguments]"
TASKS = Call("Get-ScheduledTask", select=("TaskPath", "TaskName", ACTIONS))

ALWAYS = (
    HOST, SERVICES, COMPUTER, CLOCK, SHELL_QUOTAS, VOLUMES, STAGED, JOURNALS, OWED, ROLES, V1, TASKS,
    *(call for calls in SUBSCRIPTIONS.values() for call in calls),
)  # fmt: skip


# --- what answers mean ----------------------------------------------------------------------------------------------

NO_CLASS, NO_NAMESPACE, CIM_DENIED = "80041010", "8004100E", "80041003"
"""WBEM_E_INVALID_CLASS, WBEM_E_INVALID_NAMESPACE, WBEM_E_ACCESS_DENIED."""
_DENIED = ("AccessDenied", "UnauthorizedAccess", "PermissionDenied")
_DENIED_CODES = (CIM_DENIED, "80070005", "80338105")
"""E_ACCESSDENIED; of WS-Man the last."""


def has_code(failure: Failure | None, code: str) -> bool:
    return failure is not None and code in f"{failure.id} {failure.hresult or ''}".upper()


def is_denied(failure: Failure) -> bool:
    """Whether the account may not do it: by category, id and code, never by text, which is localised."""
    if failure.category == "PermissionDenied":
        return True
    return any(word in failure.kind for word in _DENIED) or any(has_code(failure, code) for code in _DENIED_CODES)


@dataclass(frozen=True)
class Told:
    """What one host answered, by question."""

    facts: Facts

    def failure(self, call: Call) -> Failure | None:
        """Why a question was not answered; None also for one that was not asked."""
        try:
            reply = self.facts.reply(call)
        except KeyError:
            return None
        return None if reply.rows else reply.failure

    def rows(self, call: Call) -> tuple[Mapping[str, object], ...]:
        """As they came, with whatever is in them; none where it was not asked or not answered."""
        try:
            return tuple(dict(row.items()) for row in self.facts.reply(call).rows)
        except KeyError:
            return ()

    def first(self, call: Call) -> Mapping[str, object]:
        return next(iter(self.rows(call)), {})

    def number(self, call: Call, name: str) -> int | None:
        """Also of a text, as XML has it."""
        try:
            return int(str(self.first(call).get(name)))
        except ValueError:
            return None

    def service(self, name: str) -> str:
        """Its status; "" where there is no such service, or nobody says."""
        found = (r for r in self.rows(SERVICES) if str(r.get("Name")).casefold() == name.casefold())
        return next((str(r.get("Status")) for r in found), "")

    def feature(self, name: str) -> str:
        """Whether it is installed, in Windows' words; "" where nobody says, or nobody has asked."""
        found = (r for r in self.rows(FEATURES) if str(r.get("Name")).casefold() == name.casefold())
        return next((str(r.get("InstallState")) for r in found), "")

    def denied(self, asked: Iterable[Call]) -> tuple[str, ...]:
        """The cmdlets among them that the account may not call, each with the class that it was asked for. hvctl's own
        folder is another matter."""
        failures = ((call, self.failure(call)) for call in asked if not _is_own(call))
        return tuple(dict.fromkeys(_named(call) for call, f in failures if f is not None and is_denied(f)))


def _is_own(call: Call) -> bool:
    """Whether it is about hvctl's folder on the host, or rests on a question that is."""
    values = (value for given in call.params.values() for value in (given if isinstance(given, tuple) else (given,)))
    return any(isinstance(value, Home) for value in values) or any(_is_own(ref.call) for ref in call.refs())


def _named(call: Call) -> str:
    of = call.params.get("ClassName")
    return f"{call.cmdlet} {of}" if isinstance(of, str) else call.cmdlet
