"""Get-WSManInstance: WinRM's settings of the shell that hvctl uses."""

from __future__ import annotations

from typing import Any

from mocks.command import Command, cmdlet
from mocks.objects import PsObject

_UNLIMITED = 2147483647


def quotas(cmd: Command) -> dict[str, Any]:
    """winrm 3.1, as a host without later versions of WMF has them. XML: all of it is text."""
    own, old = cmd.state.shell_quotas, not cmd.state.module2
    usual = {"shells": 30, "processes": 25, "memory_mb": 1024, "users": 10} if old else {}
    given = {name: getattr(own, name) for name in ("shells", "processes", "memory_mb", "users")}
    value = {n: str(usual.get(n, _UNLIMITED) if v is None else v) for n, v in given.items()}
    return {
        "AllowRemoteShellAccess": "true",
        "IdleTimeout": "7200000",
        "MaxConcurrentUsers": value["users"],
        "MaxShellRunTime": str(_UNLIMITED),
        "MaxProcessesPerShell": value["processes"],
        "MaxMemoryPerShellMB": value["memory_mb"],
        "MaxShellsPerUser": value["shells"],
    }


@cmdlet("Get-WSManInstance", module="host", takes=0.1)
def get(cmd: Command) -> None:
    uri = cmd.args.text("ResourceURI").lower()
    if not cmd.state.administrator:
        # WinRM's settings are told to administrators (winrm 3.4); id and text [I]
        exception = "System.InvalidOperationException"
        raise cmd.fail("WsManError", "InvalidOperation", cmd.say("access_denied"), exception, hresult=-2147024891)
    if uri.rstrip("/") not in ("winrm/config/winrs", "http://schemas.microsoft.com/wbem/wsman/1/config/winrs"):
        exception = "System.InvalidOperationException"
        raise cmd.fail("WsManError", "InvalidOperation", cmd.say("no_such_resource"), exception)
    cmd.emit(PsObject("System.Xml.XmlElement", quotas(cmd), to_string="System.Xml.XmlElement"))
