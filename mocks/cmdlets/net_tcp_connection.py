"""Get-NetTCPConnection: the connection of WinRM, and one of another process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mocks.cmdlets._cim import CIM, meant, word
from mocks.command import Command, cmdlet
from mocks.interfaces import carrier, way_in
from mocks.objects import PsObject

_STATES = {"Listen": 2, "Established": 5}


@dataclass(frozen=True, eq=False)
class Connection:
    local: str
    port: int
    remote: str
    state: str
    process: int


def _connections(cmd: Command) -> list[Connection]:
    found = [
        Connection("::", 5986, "::", "Listen", 4),
        Connection("127.0.0.1", 49_670, "127.0.0.1", "Established", 2300),
    ]
    card = carrier(cmd.state)
    if card is not None and (address := way_in(card)):
        found.append(Connection(address, 5986, "198.51.100.200", "Established", 4))
    return found


@cmdlet("Get-NetTCPConnection", module="host", takes=0.2)
def get(cmd: Command) -> None:
    keys = {
        "LocalAddress": lambda c: c.local,
        "LocalPort": lambda c: str(c.port),
        "State": lambda c: c.state,
        "OwningProcess": lambda c: str(c.process),
    }
    for one in meant(cmd, "MSFT_NetTCPConnection", _connections(cmd), keys):
        properties: dict[str, Any] = {
            "LocalAddress": one.local,
            "LocalPort": one.port,
            "RemoteAddress": one.remote,
            "RemotePort": 0 if one.state == "Listen" else 50_112,
            "State": word("NetTCPConnection.State", one.state, _STATES[one.state]),
            "OwningProcess": one.process,
            "PSComputerName": None,
        }
        cmd.emit(PsObject(CIM + "MSFT_NetTCPConnection", properties))
