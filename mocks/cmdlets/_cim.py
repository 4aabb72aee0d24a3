"""What functions over CIM classes share: their refusals, finding what a query means, words of their enumerations
(networking 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from mocks.arguments import like
from mocks.command import Command
from mocks.interfaces import Card, cards
from mocks.objects import EnumValue, Refusal

T = TypeVar("T")

CIM = "Microsoft.Management.Infrastructure.CimInstance#ROOT/StandardCimv2/"
_EXCEPTION = "Microsoft.Management.Infrastructure.CimException"
_JOB = "Microsoft.PowerShell.Cmdletization.Cim.CimJobException"
_TYPES = "Microsoft.PowerShell.Cmdletization.GeneratedTypes."


def word(of: str, name: str, number: int) -> EnumValue:
    """A member of an enumeration of these modules, `of` such as `NetIPAddress.AddressState`."""
    return EnumValue(_TYPES + of, name, number)


def system_error(cmd: Command, code: int, text: str, category: str = "NotSpecified") -> Refusal:
    return cmd.fail(f"Windows System Error {code}", category, text, _EXCEPTION)


def check_administrator(cmd: Command) -> None:
    """networking 2: local administrators only."""
    if not cmd.state.administrator:
        raise system_error(cmd, 5, cmd.say("access_denied"), "PermissionDenied")


def check_confirmed(cmd: Command) -> None:
    """It asks unless -Confirm:$false, and nobody can answer (networking 2 [I])."""
    if cmd.args.raw("Confirm") is not False:
        raise cmd.prompt()


def meant(cmd: Command, of: str, things: Iterable[T], keys: Mapping[str, Callable[[T], str]]) -> list[T]:
    """Those that fit every given parameter; all without one. None is an error where a parameter was given
    (networking 5): it names the property of the only one."""
    found = list(things)
    given = [name for name in keys if name in cmd.args]
    for name in given:
        found = [t for t in found if any(like(keys[name](t), text) for text in cmd.args.texts(name))]
    if given and not found:
        if len(given) == 1:
            text = cmd.say("cim_missing", of, given[0], cmd.args.texts(given[0])[0])
            raise cmd.fail(f"CmdletizationQuery_NotFound_{given[0]}", "ObjectNotFound", text, _JOB)
        raise cmd.fail("CmdletizationQuery_NotFound", "ObjectNotFound", cmd.say("cim_none", of), _JOB)
    return found


def here(cmd: Command) -> list[Card]:
    return cards(cmd.state, cmd.clock.now())


def the_card(cmd: Command) -> Card:
    """The interface that a New- cmdlet names."""
    by_index = "InterfaceIndex" in cmd.args
    wanted = cmd.args.text("InterfaceIndex" if by_index else "InterfaceAlias").lower()
    for card in here(cmd):
        if wanted == (str(card.index) if by_index else card.name.lower()):
            return card
    raise system_error(cmd, 1168, cmd.say("element_missing"), "ObjectNotFound")
