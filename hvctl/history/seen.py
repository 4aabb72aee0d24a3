"""What one check saw of one host, as far as it is remembered: what differs, what agrees, what nobody can say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hvctl.core.check import Check, Drift, Spot, drifts
from hvctl.core.facts import Facts
from hvctl.core.order import kinds_within
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Action
from hvctl.core.resource import UNKNOWN, Json, Resource, as_json, settings
from hvctl.kinds import kind_named, owner_of
from hvctl.text.address import Address

Key = str
"""A spot without its host, the same for every spelling: Hyper-V's names know no case."""

Family = tuple[str, ...]
"""Parts of one kind in one owner: ("disk", "web01")."""

_SHOWN = 400
_PLAIN = 200
_MASK = "***"

VALUE, TEXT = "json:", "text:"
"""How what is kept for comparing begins: a value, or how a release told it that kept no values."""


@dataclass(frozen=True)
class Wished:
    """What the playbook wants of a spot. `value`: for comparing only; None: it is a secret and not kept. `text`: likewise,
    of how it is told, which is what an earlier release kept."""

    spot: Spot
    value: str | None
    file: str
    text: str | None = None


@dataclass(frozen=True)
class Difference:
    """What is not as wished, as text for people. `rests_on`: the wish that decides whose doing it is."""

    spot: Spot
    now: str
    wanted: str
    why: str
    file: str
    rests_on: Key


@dataclass(frozen=True)
class Seen:
    """`unreachable`: why; None if it was reached. `agreed`: spots that were seen to be as wished. `searched`,
    `unsearched`: families looked through for more than is listed, and those that could not be. `covered`: playbooks
    of which everything was looked at."""

    host: str
    unreachable: str | None = None
    differing: Mapping[Key, Difference] = field(default_factory=dict)
    wished: Mapping[Key, Wished] = field(default_factory=dict)
    agreed: frozenset[Key] = frozenset()
    searched: frozenset[Family] = frozenset()
    unsearched: frozenset[Family] = frozenset()
    covered: frozenset[str] = frozenset()


def key_of(spot: Spot) -> Key:
    text = json.dumps([*spot.address.words, spot.field], ensure_ascii=True).casefold()
    return hashlib.sha256(text.encode()).hexdigest()


def family_of(address: Address) -> Family:
    return tuple(word.casefold() for word in (address.kind, *address.owners))


def seen(check: Check, one: Outcome) -> Seen:
    """Pure: it reads nothing but the check."""
    if one.wrong:  # it was not reached either, and the history says why
        return Seen(one.host, unreachable=shown(str(one.wrong[0])))
    if one.error is not None and one.error.defect:
        return Seen(one.host)  # nothing was found out about it
    if one.error is not None:
        return Seen(one.host, unreachable=shown(one.error.message))
    plan = one.now
    if plan is None:
        return Seen(one.host)
    look = _Look(one.host, plan.facts, {a.address: a for a in plan.actions}, check.mask)
    for wish in check.desired.get(one.host, ()):
        look.at(wish)
    differing = {key_of(d.spot): look.difference(d) for d in drifts(one)}
    return Seen(
        one.host,
        None,
        differing,
        look.wished,
        frozenset(look.agreed - differing.keys()),
        frozenset(look.searched),
        frozenset(look.unsearched),
        frozenset(absolute(p) for p in check.covers),
    )


class _Look:
    """Gathers what the facts of a host say of each wish."""

    def __init__(self, host: str, facts: Facts, actions: Mapping[Address, Action], mask: Callable[[str], str]) -> None:
        self._host, self._facts, self._actions, self._mask = host, facts, actions, mask
        self.wished: dict[Key, Wished] = {}
        self.agreed: set[Key] = set()
        self.searched: set[Family] = set()
        self.unsearched: set[Family] = set()

    def at(self, wish: Resource) -> None:
        action = self._actions.get(self._address(wish))
        # Unreadable, or held back before its fields were compared.
        silent = action is None or action.verb == "unknown" or (action.verb in ("held", "later") and not action.lines)
        actual = None if silent else wish.actual(self._facts)
        agrees = not silent and (actual is None) == wish.absent
        ensure = "absent" if wish.absent else "present"
        self._wish(wish, "", ensure, ensure, agrees)
        fields = {} if wish.absent else self._wanted(wish)
        differing = {_within(line.field, fields) for line in action.drifted} if action is not None else set()
        for name, (wanted, text) in fields.items():
            agrees = actual is not None and actual.get(name) is not UNKNOWN and name not in differing
            self._wish(wish, name, wanted, text, agrees)
        self._surplus(wish)

    def _address(self, wish: Resource) -> Address:
        """As the actions of a check have it."""
        known = wish.address()
        owners = tuple(map(self._mask, known.owners))
        return Address(self._mask(known.host), known.kind, owners, self._mask(known.key))

    def _wanted(self, wish: Resource) -> dict[str, tuple[Json, str]]:
        """Every field that can differ, with what is wanted of it: the value, and how it is told."""
        try:
            return {
                c.field: (wish.value(c.field, c.wanted), wish.show(c.field, c.wanted))
                for c in wish.as_changes(self._facts)
            }
        except Exception:  # the plan says of the resource why it cannot be read
            return dict.fromkeys(wish.model_fields_set, (_MASK, _MASK))

    def _wish(self, wish: Resource, name: str, value: Json, text: str, agrees: bool) -> None:
        spot = Spot(self._address(wish), name)
        key = key_of(spot)
        compared = comparable(json.dumps(self._masked(value), sort_keys=True, ensure_ascii=False))
        self.wished[key] = Wished(
            spot,
            compared and VALUE + compared,
            absolute(wish.place.document.file),
            (told := comparable(self._mask(text))) and TEXT + told,
        )
        if agrees:
            self.agreed.add(key)

    def _surplus(self, owner: Resource) -> None:
        """Whether lists that the user calls exclusive, or whose things may not grow old, could be looked through, and
        hold nothing more."""
        for kind in kinds_within(owner.kind):
            age = getattr(owner, kind.expires, None) if kind.expires else None
            exclusive = kind.section in getattr(owner, "exclusive", ())
            if not exclusive and age is None:
                continue
            look = kind.surplus if exclusive else kind.expired
            family = family_of(Address("", kind.kind, self._address(owner).names))
            listed = owner.parts_of(kind)
            more: bool | None = None
            try:
                more = any(True for _ in look(owner, listed, self._facts))
                self.searched.add(family)
            except Exception:  # the plan says of the owner why
                self.unsearched.add(family)
            text = "exclusive" if exclusive else str(age)
            self._wish(owner, f"exclusive.{kind.kind}", "exclusive" if exclusive else as_json(age), text, more is False)

    def _masked(self, value: Json) -> Json:
        if isinstance(value, str):
            return self._mask(value)
        if isinstance(value, Mapping):
            return {self._mask(key): self._masked(inner) for key, inner in value.items()}
        return [self._masked(inner) for inner in value] if isinstance(value, Sequence) else value

    def difference(self, drift: Drift) -> Difference:
        line, spot, action = drift.line, drift.spot, drift.action
        rests_on = key_of(item_of(spot) or spot)
        if rests_on not in self.wished:  # one more than listed: the owner's exclusive list wants it gone
            owner = owner_of(spot.address) or spot.address
            rests_on = key_of(Spot(owner, f"exclusive.{spot.address.kind}"))
        why = next((r.message for r in action.remarks if r.level == "impossible"), "") if line is None else ""
        now, wanted = (line.now, line.wanted) if line is not None else ("", "")
        return Difference(spot, shown(now), shown(wanted), shown(why), absolute(action.mark.file), rests_on)


def _within(name: str, fields: Container[str]) -> str:
    """The field that a line of a plan is about: itself, or the one that it is an item of."""
    return name if name in fields else name.partition(".")[0]


def item_of(spot: Spot) -> Spot | None:
    """The field of which it is one of many: `keep` of `keep.20260401T0100Z_web01`. None: it is a field itself."""
    field, dot, _ = spot.field.partition(".")
    declared = settings(kind_named(spot.address.kind)) if dot else {}
    return replace(spot, field=field) if dot and spot.field not in declared else None


def shown(text: str) -> str:
    """As it is kept for people: storable everywhere, and not endless."""
    clean = storable(text)
    return clean if len(clean) <= _SHOWN else clean[: _SHOWN - 1] + "…"


def comparable(text: str) -> str | None:
    """As it is kept for comparing: long ones as their hash, secrets not at all (a hash of one can be guessed)."""
    if _MASK in text:
        return None
    clean = storable(text)
    return clean if len(clean) <= _PLAIN else f"sha256:{hashlib.sha256(clean.encode()).hexdigest()}"


def storable(text: str) -> str:
    """Without half surrogate pairs and NULs, which hosts and file names may hold and databases refuse."""
    return text.encode("utf-8", "replace").decode().replace("\0", "�")


def absolute(file: str) -> str:
    return storable(str(Path(file).absolute()))
