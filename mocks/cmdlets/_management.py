"""The way WinRM comes in: what happens to it when switches and adapters below it change."""

from __future__ import annotations

from math import inf

from mocks.command import Command
from mocks.state import Switch

BLINK = 10.0  # observations 4: 5 to 15 s [O]


def carries(cmd: Command, switch: Switch) -> bool:
    """Does the connection run over this switch, or over the adapter below it?"""
    names = {switch.name.lower(), *(n.lower() for n in switch.net_adapters)}
    return cmd.state.management.lower() in names


def blink(cmd: Command) -> None:
    cmd.state.unreachable_until = max(cmd.state.unreachable_until, cmd.clock.now() + BLINK)


def cut(cmd: Command) -> None:
    cmd.state.unreachable_until = inf
