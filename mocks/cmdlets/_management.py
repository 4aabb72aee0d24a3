"""Adapters of the management OS: when Windows has an interface of them, what rests on them, and what happens to the way
WinRM comes in when switches and adapters below it change."""

from __future__ import annotations

from ipaddress import ip_network
from math import inf

from mocks.command import Command
from mocks.interfaces import cards
from mocks.state import Switch

APPEARS = 4.0  # networking 2: the interface may come after the cmdlet has returned (1168); how long is not told
BLINK = 10.0  # observations 4: 5 to 15 s [O]


def carries(cmd: Command, switch: Switch) -> bool:
    """Does the connection run over this switch, or over the adapter below it?"""
    names = {switch.name.lower(), *(n.lower() for n in switch.net_adapters)}
    return cmd.state.management.lower() in names


def blink(cmd: Command) -> None:
    cmd.state.unreachable_until = max(cmd.state.unreachable_until, cmd.clock.now() + BLINK)


def cut(cmd: Command) -> None:
    cmd.state.unreachable_until = inf


def appearing(cmd: Command, switch: Switch) -> None:
    """An adapter on it that was just made."""
    for adapter in cmd.state.management_adapters:
        if adapter.switch == switch.id and not adapter.appears:
            adapter.appears = cmd.clock.now() + APPEARS


def translates(cmd: Command, switch: Switch) -> bool:
    """Whether a NAT has its host's address on this switch and on no other."""
    own = {a.id for a in cmd.state.management_adapters if a.switch == switch.id}
    for nat in cmd.state.nats:
        if not nat.internal:
            continue
        prefix = ip_network(nat.internal, strict=False)
        having = {c.id for c in cards(cmd.state) if any(a.at.ip in prefix for a in c.addresses)}
        if having and having <= own:
            return True
    return False
