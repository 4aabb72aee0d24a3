"""Get-Service: the services of Hyper-V, of WinRM, and of the cluster on a node of one."""

from __future__ import annotations

from collections.abc import Iterator

from mocks.arguments import is_pattern, like
from mocks.command import Command, cmdlet
from mocks.objects import EnumValue, PsObject
from mocks.state import HostState

_STATUS = {"Stopped": 1, "Running": 4}


def services(state: HostState) -> Iterator[tuple[str, str, bool]]:
    """Name, display name, whether it runs."""
    if state.hyper_v_installed and state.hyper_v_role:
        japanese = state.language == "ja"
        shown = "Hyper-V 仮想マシン管理" if japanese else "Hyper-V Virtual Machine Management"
        yield "vmms", shown, state.vmms_running
    yield "WinRM", "Windows Remote Management (WS-Management)", True
    if state.cluster is not None:
        yield "ClusSvc", "Cluster Service", state.cluster_running


@cmdlet("Get-Service", module="host", takes=0.05)
def get(cmd: Command) -> None:
    known = list(services(cmd.state))
    for wanted in cmd.args.texts("Name") or ["*"]:
        found = [one for one in known if like(one[0], wanted)]
        with cmd.trying():
            if not found and not is_pattern(wanted):
                raise cmd.fail(
                    "NoServiceFoundForGivenName",
                    "ObjectNotFound",
                    cmd.say("service_missing", wanted),
                    "Microsoft.PowerShell.Commands.ServiceCommandException",
                    target=f"{wanted}:String",
                )
            for name, shown, running in found:
                word = "Running" if running else "Stopped"
                status = EnumValue("System.ServiceProcess.ServiceControllerStatus", word, _STATUS[word])
                properties = {"Name": name, "ServiceName": name, "DisplayName": shown, "Status": status}
                cmd.emit(PsObject("System.ServiceProcess.ServiceController", properties, to_string=name))
