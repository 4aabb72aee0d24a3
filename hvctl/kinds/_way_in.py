"""What becomes of the host's own addresses, over one of which hvctl is connected, when switches and the adapters on
them change: whether they come back by themselves, or are gone for good (domain 3, 24)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hvctl.core.facts import Facts
from hvctl.core.impact import Impact
from hvctl.kinds._network import ADDRESSES, HOST_ADAPTERS, NICS, addresses_on, is_virtual, named
from hvctl.kinds._readdressed import kept
from hvctl.kinds._switch import TYPES, Shape, SwitchPart

_HARMLESS = ("ndis_capture", "filtering_platform")
"""Extensions of Microsoft's that let through what they are not told to stop."""

OURS = "hvctl's own connection may run over them"
BLINKS: frozenset[Impact] = frozenset({"disconnect"})
CUTS: frozenset[Impact] = frozenset({"disconnect", "management"})


@dataclass(frozen=True)
class Fate:
    """Of the host's addresses; `text` says what is lost, for how long, and why. Without a text there are none."""

    text: str = ""
    for_good: bool = False

    @property
    def impacts(self) -> frozenset[Impact]:
        return CUTS if self.for_good else BLINKS if self.text else frozenset()


NONE = Fate()


def addresses_of(adapters: Iterable[str], facts: Facts) -> tuple[str, ...]:
    """Of adapters of the management OS, by their names. Windows calls the interface vEthernet (NAME); one that somebody
    has renamed may be any of them."""
    usual = {_alias(str(row["Name"])).casefold() for row in facts.rows(HOST_ADAPTERS)}
    aliases = [_alias(name) for name in adapters]
    if aliases:
        aliases += [
            str(nic["Name"]) for nic in facts.rows(NICS) if is_virtual(nic) and str(nic["Name"]).casefold() not in usual
        ]
    return tuple(dict.fromkeys(a for alias in aliases for a in addresses_on(alias, facts)))


def _alias(name: str) -> str:
    return f"vEthernet ({name})"


def _own(switch: SwitchPart, facts: Facts) -> tuple[str, ...]:
    return tuple(str(row["Name"]) for row in switch.of_host(facts))


def when_made(switch: SwitchPart, facts: Facts) -> Fate:
    """Unless told otherwise, a new external switch is shared with the host."""
    shape = switch.shape(facts)
    return _taken(switch, shape.adapters, shape.shared is not False, fresh=True, facts=facts)


def when_removed(switch: SwitchPart, facts: Facts) -> Fate:
    return _lost(switch, facts, "the switch is removed")


def when_changed(switch: SwitchPart, field: str, wanted: object, remade: bool, facts: Facts) -> Fate:
    """`wanted`: of `allow_management_os`, which is judged by itself: other fields are as if it stayed on."""
    row = switch.row(facts)
    if row is None:
        return when_made(switch, facts)
    if field == "allow_management_os" and not wanted:
        new = _carrying(set(switch.net_adapters or ()) - set(named(row, facts)), facts)
        lost = _lost(switch, facts, "the host is taken off the switch")
        return lost if lost.text or not new else _gone(new, "the switch is not shared with the host", facts)
    if field.startswith("extensions."):
        return _filtered(switch, field.removeprefix("extensions."), facts)
    if field == "extension_order":
        return _away(switch, facts, "its extensions are bound anew")
    if not remade and field not in ("type", "net_adapters"):
        return NONE
    shape, before = switch.shape(facts), named(row, facts)
    shared = bool(row["AllowManagementOS"]) or bool(shape.shared)
    kept = _kept(switch, shape, before, remade, facts)
    if kept.for_good or shape.type != "external":
        return kept
    new = [n for n in shape.adapters if n.casefold() not in {b.casefold() for b in before}]
    fresh = remade or not row["AllowManagementOS"]
    taken = _taken(switch, tuple(new), shared, fresh, facts)
    return taken if taken.text else kept


def _kept(switch: SwitchPart, shape: Shape, before: tuple[str, ...], remade: bool, facts: Facts) -> Fate:
    """Of what the host has on it already."""
    row = switch.row(facts) or {}
    if shape.type == "private":
        return _lost(switch, facts, "the switch becomes private")
    if remade:
        return _set_again(switch, facts) or _lost(switch, facts, "its adapter on it is recreated without them")
    if TYPES.read(row["SwitchType"]) != "external":
        return _away(switch, facts, "the switch gets an adapter")
    if shape.type == "internal":
        return _lost(switch, facts, "the switch becomes internal, so they are on no wire any more")
    if not {n.casefold() for n in shape.adapters} & {b.casefold() for b in before}:
        over = ", ".join(shape.adapters)
        return _lost(switch, facts, f"they go over {over} from then on, where they may not belong")
    return _away(switch, facts, "its adapters change")


def _taken(switch: SwitchPart, nics: tuple[str, ...], shared: bool, fresh: bool, facts: Facts) -> Fate:
    """Of adapters of the host that the switch is bound to: a shared one has them move to the adapter that it makes."""
    carrying = _carrying(nics, facts)
    if not carrying:
        return NONE
    if not shared:
        return _gone(carrying, "the switch is not shared with the host (allow_management_os)", facts)
    if len(carrying) > 1:
        return _gone(carrying, "those of one adapter at most move to the switch", facts)
    if not fresh:
        why = "they are not known to move to the adapter that the host has on the switch already"
        return _gone(carrying, why, facts, "may lose")
    # observations 4: the host's network is away for 5 to 15 s when a switch is made over it.
    return Fate(
        f"the host has addresses on {carrying[0]}, which are away for some 15 s: they move to its adapter "
        f"{switch.name} on the switch"
    )


def _carrying(nics: Iterable[str], facts: Facts) -> list[str]:
    return [name for name in nics if addresses_on(name, facts)]


def _gone(nics: list[str], why: str, facts: Facts, loses: str = "loses") -> Fate:
    lost = ", ".join(a for name in nics for a in addresses_on(name, facts))
    return Fate(f"the host {loses} its addresses on {', '.join(nics)} ({lost}) for good: {why}; {OURS}", True)


def _lost(switch: SwitchPart, facts: Facts, why: str) -> Fate:
    """Where the host tells no address at all, any adapter may be the one."""
    own = _own(switch, facts)
    found = ", ".join(addresses_of(own, facts))
    if not found and not (own and _silent(facts)):
        return NONE
    what = (
        f"the host's addresses on the switch ({found}) are" if found else "addresses that the host does not tell may be"
    )
    return Fate(f"{what} lost for good: {why}; {OURS}", True)


def _set_again(switch: SwitchPart, facts: Facts) -> Fate | None:
    """What was set by hand on the adapter that comes back; whether the connection survives that is another matter."""
    staying, found = switch.staying(facts), addresses_of(_own(switch, facts), facts)
    by_hand = {f.ip for own in staying for f in kept(own, facts).by_hand}
    if not found or not by_hand.issuperset(found):
        return None
    told = ", ".join(found)
    return Fate(f"the host's addresses on the switch ({told}) go with its adapter and are set again; {OURS}", True)


def _away(switch: SwitchPart, facts: Facts, why: str) -> Fate:
    found = ", ".join(addresses_of(_own(switch, facts), facts))
    return Fate(f"the host's addresses on the switch ({found}) are away for some 15 s: {why}") if found else NONE


def _silent(facts: Facts) -> bool:
    return not any(addresses_on(str(row["InterfaceAlias"]), facts) for row in facts.rows(ADDRESSES))


def _filtered(switch: SwitchPart, name: str, facts: Facts) -> Fate:
    if name.casefold().replace("-", "_") in _HARMLESS:
        return _away(switch, facts, "its extensions are bound anew")
    return _lost(switch, facts, f"unless {name} lets through what belongs to them")
