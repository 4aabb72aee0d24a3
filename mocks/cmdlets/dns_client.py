"""Get-, Set-DnsClientServerAddress (networking 3, 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mocks.cmdlets._cim import CIM, check_administrator, here, meant, word
from mocks.command import Command, cmdlet
from mocks.interfaces import Card
from mocks.objects import PsObject

NONE = ("fec0:0:0:ffff::1", "fec0:0:0:ffff::2", "fec0:0:0:ffff::3")  # what an interface without any lists for IPv6 [I]


@dataclass(frozen=True, eq=False)
class Client:
    card: Card
    version: int

    @property
    def family(self) -> str:
        return f"IPv{self.version}"

    @property
    def servers(self) -> list[str]:
        """In effect: those set by hand, else those of a lease."""
        mine = [t.split() for _, t in self.card.listed("dns") if (":" in t.split()[0]) == (self.version == 6)]
        by_hand = [words[0] for words in mine if len(words) == 1]
        found = by_hand or [words[0] for words in mine]
        return found or list(NONE if self.version == 6 else ())


def _clients(cmd: Command) -> list[Client]:
    return [Client(card, version) for card in here(cmd) if card.holders for version in (4, 6)]


def _meant(cmd: Command) -> list[Client]:
    if "InputObject" in cmd.args:
        return cmd.args.entities("InputObject", Client)
    keys = {
        "InterfaceIndex": lambda c: str(c.card.index),
        "InterfaceAlias": lambda c: c.card.name,
        "AddressFamily": lambda c: c.family,
    }
    return meant(cmd, "MSFT_DNSClientServerAddress", _clients(cmd), keys)


def _object(client: Client) -> PsObject:
    properties: dict[str, Any] = {
        "InterfaceAlias": client.card.name,
        "InterfaceIndex": client.card.index,
        "AddressFamily": word("DnsClient.AddressFamily", client.family, 23 if client.version == 6 else 2),
        "ServerAddresses": client.servers,
        "PSComputerName": None,
    }
    return PsObject(CIM + "MSFT_DNSClientServerAddress", properties, entity=client)


@cmdlet("Get-DnsClientServerAddress", module="host", takes=0.2)
def get(cmd: Command) -> None:
    cmd.emit(*(_object(client) for client in _meant(cmd)))


@cmdlet("Set-DnsClientServerAddress", module="host", takes=0.3)
def change(cmd: Command) -> None:
    """The family of the addresses decides which they replace (networking 4 [I])."""
    check_administrator(cmd)
    servers = cmd.args.texts("ServerAddresses")
    reset = cmd.args.flag("ResetServerAddresses")
    for card in {client.card.id: client.card for client in _meant(cmd)}.values():
        families = {":" in s for s in servers} or ({True, False} if reset else set())
        for home, text in card.listed("dns"):
            by_hand = len(text.split()) == 1
            if by_hand and (":" in text.split()[0]) in families:
                home.remove(text)
        card.holders[-1].dns.extend(servers)
