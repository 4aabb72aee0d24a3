"""Get-CimInstance: of the system, the computer, its disks, its cluster, its metrics; Get-WindowsFeature: Hyper-V."""

from __future__ import annotations

from typing import Any

from mocks.arguments import like
from mocks.cmdlets import cluster_cim, disk, licensing, metric_definition
from mocks.command import Command, cmdlet
from mocks.identity import VERSIONS, build, caption
from mocks.machine import KB
from mocks.objects import Instant, PsObject, Refusal
from mocks.state import HostState


def _used(state: HostState) -> int:
    return sum(v.memory.startup for v in state.vms if v.state in ("Running", "Paused"))


def _operating_system(cmd: Command) -> dict[str, Any]:
    state = cmd.state
    return {
        "Caption": caption(state),
        "Version": VERSIONS[state.os],
        "BuildNumber": str(build(state)),
        "CSName": state.name.upper(),
        "OSLanguage": 1041 if state.language == "ja" else 1033,
        "Locale": "0411" if state.language == "ja" else "0409",
        "CodeSet": "932" if state.language == "ja" else "1252",
        "OSArchitecture": "64 ビット" if state.language == "ja" else "64-bit",
        "LastBootUpTime": Instant(cmd.clock.utc(-86_400.0)),
        "LocalDateTime": Instant(cmd.clock.utc()),
        "CurrentTimeZone": state.time_zone,
        "TotalVisibleMemorySize": state.memory // KB,
        "FreePhysicalMemory": max(0, state.memory - _used(state)) // KB,
        "OperatingSystemSKU": state.sku,
        "ProductType": 3,
        "PSComputerName": None,
    }


def _computer_system(cmd: Command) -> dict[str, Any]:
    state = cmd.state
    return {
        "Name": state.name.upper(),
        "DNSHostName": state.name,
        "Domain": state.domain or "WORKGROUP",
        "PartOfDomain": bool(state.domain),
        "DomainRole": 3 if state.domain else 2,
        "NumberOfLogicalProcessors": state.logical_processors,
        "TotalPhysicalMemory": state.memory,
        "HypervisorPresent": state.hyper_v_installed and state.hyper_v_role and state.hypervisor_running,
        "PSComputerName": None,
    }


def _processor(cmd: Command) -> dict[str, Any]:
    state = cmd.state
    return {"DeviceID": "CPU0", "Manufacturer": state.processor_vendor, "NumberOfLogicalProcessors": state.logical_processors,
            "PSComputerName": None}  # fmt: skip


def _no_namespace(cmd: Command) -> Refusal:
    return cmd.fail(
        "HRESULT 0x8004100e",
        "MetadataError",
        cmd.say("cim_namespace_missing"),
        "Microsoft.Management.Infrastructure.CimException",
        hresult=-2147217394,
    )


def _no_class(cmd: Command) -> Refusal:
    return cmd.fail(
        "HRESULT 0x80041010",
        "ObjectNotFound",
        cmd.say("cim_class_missing"),
        "Microsoft.Management.Infrastructure.CimException",
        hresult=-2147217392,
    )


def _computer_systems_v1(cmd: Command) -> None:
    """WMI v1: on 2012 beside v2; later its class is gone, and the namespace stays as v2's parent (operations 5) [I]."""
    state = cmd.state
    if not (state.hyper_v_installed and state.hyper_v_role):
        raise _no_namespace(cmd)
    if state.os != "2012":
        raise _no_class(cmd)
    name = "Microsoft.Management.Infrastructure.CimInstance#root/virtualization/Msvm_ComputerSystem"
    cmd.emit(PsObject(name, {"Name": state.name.upper(), "ElementName": state.name.upper(), "PSComputerName": None}))
    for vm in state.vms:
        cmd.emit(PsObject(name, {"Name": vm.id.upper(), "ElementName": vm.name, "PSComputerName": None}))


_SUBSCRIBED = ("__eventfilter", "commandlineeventconsumer", "activescripteventconsumer")
SUBSCRIBING = ("root/subscription", "root/default", "root/cimv2")


def _subscriptions(cmd: Command, namespace: str, name: str) -> None:
    """Filters are of every namespace; consumers of a standard class live in root/subscription, and in another one only
    where somebody has registered that class there (operations 5)."""
    if not cmd.state.administrator:
        # 0x80041003, access denied; id and category [I]
        exception = "Microsoft.Management.Infrastructure.CimException"
        text = cmd.say("access_denied")
        raise cmd.fail("HRESULT 0x80041003", "PermissionDenied", text, exception, hresult=-2147217405)
    own = [s for s in cmd.state.subscriptions if s.namespace.replace("\\", "/").lower() == namespace]
    kind = f"Microsoft.Management.Infrastructure.CimInstance#{namespace}"
    if name == "__eventfilter":
        for one in own:
            properties = {
                "Name": one.name,
                "Query": one.query,
                "QueryLanguage": "WQL",
                "EventNamespace": one.event_namespace,
            }
            cmd.emit(PsObject(f"{kind}/__EventFilter", {**properties, "PSComputerName": None}))
        return
    commands = name == "commandlineeventconsumer"
    found = [s for s in own if (s.command if commands else s.script)]
    if namespace != "root/subscription" and not found:
        raise _no_class(cmd)
    for one in found:
        if commands:
            consumer = {"CommandLineTemplate": one.command, "ExecutablePath": None, "WorkingDirectory": None}
        else:
            consumer = {"ScriptText": one.script, "ScriptFileName": None, "ScriptingEngine": "VBScript"}
        cmd.emit(PsObject(f"{kind}/{name}", {"Name": one.name, **consumer, "PSComputerName": None}))


@cmdlet("Get-CimInstance", module="host", takes=0.2)
def get(cmd: Command) -> None:
    name = cmd.args.text("ClassName")
    elsewhere = {
        (disk.NAMESPACE, disk.CLASS): disk.show,
        (licensing.NAMESPACE, licensing.CLASS): licensing.show,
        **{(cluster_cim.NAMESPACE, name): cluster_cim.show for name in cluster_cim.CLASSES},
        ("root/virtualization", "msvm_computersystem"): _computer_systems_v1,
        **dict.fromkeys(((metric_definition.NAMESPACE, c) for c in metric_definition.CLASSES), metric_definition.show),
    }
    namespace = cmd.args.text("Namespace").replace("\\", "/").lower()
    show = elsewhere.get((namespace, name.lower()))
    if show is not None:
        show(cmd)
        return
    if namespace in SUBSCRIBING and name.lower() in _SUBSCRIBED:
        _subscriptions(cmd, namespace, name.lower())
        return
    if not name and cmd.args.text("Query"):
        name = cmd.args.text("Query").split()[-1]
    classes = {
        "Win32_OperatingSystem": _operating_system,
        "Win32_ComputerSystem": _computer_system,
        "Win32_Processor": _processor,
    }
    spelled, make = next(((c, m) for c, m in classes.items() if c.lower() == name.lower()), ("", None))
    if make is None:
        raise _no_class(cmd)
    cmd.emit(PsObject(f"Microsoft.Management.Infrastructure.CimInstance#root/cimv2/{spelled}", make(cmd)))


@cmdlet("Get-WindowsFeature", module="host", takes=2.0)
def get_feature(cmd: Command) -> None:
    names = cmd.args.texts("Name") or ["*"]
    state = cmd.state
    features = (
        ("Hyper-V", "Hyper-V", state.hyper_v_installed and state.hyper_v_role),
        (
            "Hyper-V-PowerShell",
            "Hyper-V Module for Windows PowerShell",
            state.hyper_v_installed and state.hyper_v_module,
        ),
    )
    for name, shown, on in features:
        if any(like(name, n) for n in names):
            properties = {
                "Name": name,
                "DisplayName": shown,
                "Installed": on,
                "InstallState": "Installed" if on else "InstallPending" if state.restart_due else "Available",
                "FeatureType": "Role" if name == "Hyper-V" else "Feature",
            }
            cmd.emit(PsObject("Microsoft.Windows.ServerManager.Commands.Feature", properties, to_string=name))
