"""Get-, Enable-, Disable-VMSwitchExtension, Get-VMSystemSwitchExtension (domain 3)."""

from __future__ import annotations

from collections.abc import Iterator

from mocks.arguments import is_pattern, like
from mocks.cmdlets._extension import ExtensionOf, extension_object, installed
from mocks.cmdlets.switch import missing
from mocks.command import Command, cmdlet
from mocks.shape import shaped
from mocks.state import EXTENSIONS, Switch


def _switches(cmd: Command) -> Iterator[Switch]:
    args = cmd.args
    if "VMSwitch" in args:
        yield from (s for s in args.entities("VMSwitch", Switch) if any(s is t for t in cmd.state.switches))
    elif "VMSwitchName" in args:
        for pattern in args.texts("VMSwitchName"):
            found = [s for s in cmd.state.switches if like(s.name, pattern)]
            if not found and not is_pattern(pattern):
                with cmd.trying():
                    raise missing(cmd, pattern)
            yield from found
    else:
        yield from cmd.state.switches


def _named(cmd: Command, switch: Switch) -> Iterator[str]:
    names = cmd.args.texts("Name") or ["*"]
    for one in (e for key in switch.extensions for e in EXTENSIONS if e.id == key):
        if any(like(one.name, n) for n in names):
            yield one.id


@cmdlet("Get-VMSwitchExtension")
def get(cmd: Command) -> None:
    for switch in _switches(cmd):
        cmd.emit(*(extension_object(cmd.state, switch, key) for key in _named(cmd, switch)))


@cmdlet("Get-VMSystemSwitchExtension")
def get_installed(cmd: Command) -> None:
    names = cmd.args.texts("Name") or ["*"]
    for one in cmd.state.extensions:
        if any(like(one.name, n) for n in names):
            cmd.emit(shaped(cmd.state, "VMSystemSwitchExtension", installed(cmd.state, one.id)))


@cmdlet("Enable-VMSwitchExtension", takes=0.5)
def enable(cmd: Command) -> None:
    _turn(cmd, True)


@cmdlet("Disable-VMSwitchExtension", takes=0.5)
def disable(cmd: Command) -> None:
    _turn(cmd, False)


def _turn(cmd: Command, on: bool) -> None:
    """-Passthru shows the extension as it is afterwards; without a switch it is meant on all of them."""
    if "VMSwitchExtension" in cmd.args:
        meant = [(e.switch, e.id) for e in cmd.args.entities("VMSwitchExtension", ExtensionOf)]
    else:
        meant = [(s, key) for s in _switches(cmd) for key in _named(cmd, s)]
        if not meant and not cmd.errors:
            raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # kind [I]
    for switch, key in meant:
        with cmd.trying():
            if not any(s is switch for s in cmd.state.switches):
                raise cmd.refuse("ObjectNotFound", "object_gone", cmd.state.name)  # observations 4
            switch.extensions[key] = on
            cmd.passthru(extension_object, cmd.state, switch, key)
