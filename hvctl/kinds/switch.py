"""Virtual switches (domain 3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Self

from hvctl.contract import OS
from hvctl.core.changes import Change, Occasion, Step, finding
from hvctl.core.facts import Facts
from hvctl.core.impact import Impact
from hvctl.core.resource import Resource
from hvctl.kinds import _switch_rules, _switch_steps, _way_in
from hvctl.kinds._switch import MODES, TEAM, TYPES, SwitchPart
from hvctl.kinds.host_network_adapter import HostNetworkAdapter
from hvctl.text.diagnostic import Diagnostic

_ONLINE: frozenset[Impact] = frozenset({"online"})
_REMADE: frozenset[Impact] = frozenset({"disconnect", "recreate"})


class Switch(SwitchPart):
    """A virtual switch, found by its name. `net_adapters` are names of the host's adapters, as Get-NetAdapter has
    them; several are an embedded team. The bandwidth mode, SR-IOV, packet direct and teaming are fixed when a switch is
    made: changing them makes it anew, with what it had. `extensions` are turned on or off by name, by id or as
    `filtering_platform`, `ndis_capture`, `azure_vfp`; those in `extension_order` are bound first, in that order."""

    kind: ClassVar[str] = "switch"
    section: ClassVar[str] = "switches"
    many: ClassVar[bool] = True
    after: ClassVar[tuple[str, ...]] = ("host",)

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        if not self.absent:
            yield from _switch_rules.rules(self, os)

    @classmethod
    def rules_together(cls, wishes: tuple[Self, ...], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
        yield from _switch_rules.rules_together(wishes)

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        remade = self.remade_by(changes, facts)
        found = list(_switch_rules.findings(self, changes, remade, facts))
        yield from found
        if remade and any(f.level == "impossible" for f in found):
            # Removed is soon done; what cannot be made again must not be.
            yield finding("", "it is not made anew while something is wrong with it", "correct that first")

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        if field == "allow_management_os" and not wanted:
            # It reads on as soon as the host has any adapter on it, wished ones included.
            own = (p for p in self.beside(HostNetworkAdapter) if not p.absent)
            if any(str(p.switch).casefold() == self.known_by for p in own):
                return True
        return super().same(field, now, wanted)

    # --- changing --------------------------------------------------------------------------------------------------

    def _fate(self, field: str, wanted: Any, facts: Facts) -> _way_in.Fate:
        return _way_in.when_changed(self, field, wanted, self.remakes(field, facts), facts)

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        own = self._impacts(field, wanted, facts)
        first = self.rests_on(field, facts)
        return (own | self._impacts(first, None, facts)) - _ONLINE if first else own

    def _impacts(self, field: str, wanted: Any, facts: Facts) -> frozenset[Impact]:
        blinks = field in ("type", "net_adapters") or field.startswith(("extensions.", "extension_order"))
        if self.remakes(field, facts):
            return _REMADE | self._fate(field, wanted, facts).impacts
        if field == "allow_management_os" and wanted is not False:
            return _ONLINE  # one adapter more
        if blinks or field == "allow_management_os":
            # An extension binds the stack of drivers anew [I].
            return _way_in.BLINKS | self._fate(field, wanted, facts).impacts
        return _ONLINE

    def rests_on(self, field: str, facts: Facts) -> str:
        row = self.row(facts)
        if row is None:
            return ""
        if field.startswith("default_flow"):
            now = MODES.read(row["BandwidthReservationMode"])
            return "minimum_bandwidth_mode" if self.minimum_bandwidth_mode not in (None, now) else ""
        if field in TEAM and not row.get("EmbeddedTeamingEnabled"):
            return "embedded_teaming"
        if field == "allow_management_os" or field.startswith("default_queue."):
            return "type" if TYPES.read(row["SwitchType"]) != "external" else ""
        return ""

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        return "; ".join(filter(None, (self._lost(field, wanted, facts), self._fate_of(field, wanted, facts).text)))

    def _fate_of(self, field: str, wanted: Any, facts: Facts) -> _way_in.Fate:
        if field == "":
            return (_way_in.when_made if wanted == "present" else _way_in.when_removed)(self, facts)
        return self._fate(field, wanted, facts)

    def _lost(self, field: str, wanted: Any, facts: Facts) -> str:
        """Whose network goes with it."""
        own = [str(r["Name"]) for r in self.of_host(facts)]
        if (field, wanted) in (("", "absent"), ("type", "private"), ("allow_management_os", False)):
            return f"the host loses its adapter{'s' if len(own) > 1 else ''} {', '.join(own)} on it" if own else ""
        if not field or not self.remakes(field, facts):
            return ""
        count = len(self.connected(facts))
        lose = "adapters lose" if count != 1 else "adapter loses"
        blinks = f"{count} {lose} the network while it is recreated" if count else "no VM is on it; it is recreated"
        anew = "".join(f"; the host's adapter {name} on it is recreated too" for name in own)
        return f"fixed at creation ({blinks}{anew})"

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        return _way_in.when_made(self, facts).impacts or _ONLINE

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        return _way_in.BLINKS | _way_in.when_removed(self, facts).impacts

    def summary(self) -> str:
        return self.type or "external"

    def create(self, facts: Facts) -> Iterator[Step]:
        yield from _switch_steps.create(self, self.as_changes(facts), facts)

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        row = self.row(facts)
        if row is not None and any(self.remakes(c.field, facts) for c in changes):
            yield from _switch_steps.recreate(self, changes, row, facts)
        else:
            yield from _switch_steps.update(self, changes, facts)

    def remove(self, facts: Facts) -> Iterator[Step]:
        yield from _switch_steps.remove(self, facts)
