"""What one check saw of one host, as far as it is remembered: what differs, what agrees, what nobody can say."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Self

from hvctl.core.acceptance import Acceptance
from hvctl.core.check import Check, Drift, Spot, accepted, drifts
from hvctl.core.fields import settings
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Action, Plan
from hvctl.core.values import Json
from hvctl.history.kept import LONGEST_SENTENCE, LONGEST_VALUE, cut
from hvctl.history.planned import planned
from hvctl.kinds import kind_named, owner_of
from hvctl.kinds._host import known_zone
from hvctl.text.address import Address
from hvctl.text.lazy import lazy
from hvctl.text.masks import MASK

Key = str
"""A spot without its host, the same for every spelling: Hyper-V's names know no case."""

Family = tuple[str, ...]
"""Parts of one kind in one owner: ("disk", "web01")."""

Thing = tuple[str, ...]
"""The words of an address, for every spelling: ("vm", "web01"), ("disk", "web01", "scsi 0:0")."""

_PLAIN = 200
_NAME = 255

VALUE, TEXT = "json:", "text:"
"""How what is kept for comparing begins: a value, or how a release told it that kept no values."""


@dataclass(frozen=True, slots=True)
class Wished:
    """What the playbook wants of a spot, whose host is not said. `value`: for comparing only; None: it is a secret and not
    kept. `text`: likewise, of how it is told, which is what an earlier release kept."""

    spot: Spot
    value: str | None
    file: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as wished, as text for people. `rests_on`: the wish that decides whose doing it is. `accepted`: it is known
    drift."""

    spot: Spot
    now: str
    wanted: str
    why: str
    file: str
    rests_on: Key
    accepted: Acceptance | None = None


@dataclass(frozen=True)
class Standing:
    """How something stands that is no difference. `what`: "role", "cluster", "replication", "export" or "move". `unit`: the
    cluster, if any. `lag_s`: how far behind a replica is, or how old the newest export. `parts`: of what the
    sentence is made."""

    what: str
    unit: str
    name: str
    standing: str
    lag_s: int | None = None
    parts: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls,
        what: str,
        unit: str,
        name: str,
        standing: str,
        lag_s: int | None = None,
        parts: tuple[tuple[str, str], ...] = (),
    ) -> Self:
        """As it is kept, whatever hosts call things."""
        kept = tuple((word, shown(text)) for word, text in parts)
        return cls(what, storable(unit)[:_NAME], storable(name)[:_NAME], sentence(standing), lag_s, kept)

    @property
    def key(self) -> tuple[str, str, str]:
        return standing_key(self.what, self.unit, self.name, self.standing)


def standing_key(what: str, unit: str, name: str, standing: str) -> tuple[str, str, str]:
    """What stays the same while it stands otherwise. A VM has exports in several folders, and each of them ages by itself."""
    return what, standing.casefold() if what == "export" else unit, name.casefold()


@dataclass(frozen=True)
class Seen:
    """`unreachable`: why; None if it was reached. `agreed`: spots that were seen to be as wished. `searched`,
    `unsearched`: families looked through for more than is listed, and those that could not be. `covered`: playbooks
    of which everything was looked at. `utc_offset_minutes`: of the host's zone, where it told it. `there`, `missing`: what
    was looked for and is there, or is not. `elsewhere`: what stands by itself and is looked at on another host, by its name.
    `plan`: what was planned for it, as `planned` tells it."""

    host: str
    unreachable: str | None = None
    differing: Mapping[Key, Difference] = field(default_factory=dict)
    wished: Mapping[Key, Wished] = field(default_factory=dict)
    agreed: frozenset[Key] = frozenset()
    searched: frozenset[Family] = frozenset()
    unsearched: frozenset[Family] = frozenset()
    covered: frozenset[str] = frozenset()
    utc_offset_minutes: int | None = None
    standings: tuple[Standing, ...] = ()
    there: frozenset[Thing] = frozenset()
    missing: frozenset[Thing] = frozenset()
    elsewhere: tuple[tuple[Thing, str], ...] = ()
    plan: str = ""

    @lazy
    def settled(self) -> str | None:
        """Of a host on which all is as wished: the same for the same wishes; None for any other."""
        if self.differing or self.elsewhere or not self.wished or self.wished.keys() != self.agreed:
            return None
        told = hashlib.sha256()
        for key, wish in sorted(self.wished.items()):
            told.update(f"{key}\0{wish.value}\0{wish.file}\0".encode())
        rest = [self.covered, *(["\0".join(f) for f in s] for s in (self.searched, self.unsearched))]
        told.update("\0\0".join("\0".join(sorted(some)) for some in rest).encode())
        return told.hexdigest()


_SORTED = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


def key_of(spot: Spot) -> Key:
    return _key_of(spot.address.words, spot.field)


@lru_cache(20_000)
def _key_of(words: tuple[str, ...], field: str) -> Key:
    """The same ones are on many hosts of a fleet."""
    text = json.dumps([*words, field], ensure_ascii=True).casefold()
    return hashlib.sha256(text.encode()).hexdigest()


def family_of(address: Address) -> Family:
    return tuple(word.casefold() for word in (address.kind, *address.owners))


def thing_of(address: Address) -> Thing:
    return tuple(word.casefold() for word in address.words)


def within(address: Address) -> tuple[Thing, ...]:
    """What an address is of, and all that it sits within, the outermost last."""
    found = [thing_of(address)]
    while (above := owner_of(address)) is not None:
        address = above
        found.append(thing_of(address))
    return tuple(found)


def seen(check: Check, one: Outcome) -> Seen:
    """Pure: it reads nothing but the check."""
    if one.wrong:  # it was not reached either, and the history says why
        return Seen(one.host, unreachable=sentence(str(one.wrong[0])))
    if one.error is not None and one.error.defect:
        return Seen(one.host)  # nothing was found out about it
    if one.error is not None:
        return Seen(one.host, unreachable=sentence(one.error.message))
    plan = one.now
    if plan is None:
        return Seen(one.host)
    look = _Look()
    for action in plan.actions:
        look.at(action)
    differing = {key_of(d.spot): look.difference(d) for d in (*drifts(one), *accepted(one))}
    return Seen(
        one.host,
        None,
        differing,
        look.wished,
        frozenset(look.agreed - differing.keys()),
        frozenset(look.searched),
        frozenset(look.unsearched),
        frozenset(absolute(p) for p in check.covers),
        _offset(plan),
        tuple(_standings(one, plan)),
        frozenset(thing_of(a.address) for a in plan.actions if a.there),
        frozenset(thing_of(a.address) for a in plan.actions if a.there is False),
        tuple((thing_of(address), host) for host, address in plan.elsewhere),
        planned(one),
    )


class Twins:
    """Hosts of a fleet on which all is as wished are seen alike: what is equal is kept once, however many they are."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, tuple[str | None, ...]], Seen] = {}

    def shared(self, one: Seen) -> Seen:
        """An equal one, of which the first such host's parts are."""
        if one.settled is None:
            return one
        first = self._first.setdefault((one.settled, tuple(wish.text for wish in one.wished.values())), one)
        if first is one:
            return one
        same = {name: now for name in _ALIKE if (now := getattr(first, name)) == getattr(one, name)}
        return replace(one, **same)


_ALIKE = ("wished", "agreed", "searched", "unsearched", "covered", "there", "missing", "plan")


def _standings(one: Outcome, plan: Plan) -> Iterator[Standing]:
    for action in plan.actions:
        if (noted := action.noted) is not None:
            yield Standing.of(action.address.kind, noted.unit, noted.name, noted.standing, noted.lag_s, noted.parts)
    for result in one.report.results if one.report is not None else ():
        step = result.step
        if (step.moves or step.reaches) and result.status in ("ok", "unknown"):
            doubt = f", and it is not known whether it arrived{': ' if result.why else ''}{result.why}"
            told = step.text + (doubt if result.status == "unknown" else "")
            yield Standing.of("move", "", step.action.key or step.action.names[0], told)


def _offset(plan: Plan) -> int | None:
    zone = known_zone(plan.facts)
    return round(zone.utcoffset(None).total_seconds() / 60) if zone is not None else None


class _Look:
    """Gathers what a plan says of each resource that is declared."""

    def __init__(self) -> None:
        self.wished: dict[Key, Wished] = {}
        self.agreed: set[Key] = set()
        self.searched: set[Family] = set()
        self.unsearched: set[Family] = set()
        self._files: dict[str, str] = {}

    def at(self, action: Action) -> None:
        address = replace(action.address, host="")
        for one in action.wanted:
            self._wish(action, Spot(address, one.field), one.value, one.text, one.agrees)
        for found in action.searched if action.wanted else ():
            owners = () if kind_named(found.kind).within is None else action.address.names
            family = family_of(replace(action.address, kind=found.kind, owners=owners, key=""))
            (self.unsearched if found.more is None else self.searched).add(family)
            spot = Spot(address, f"exclusive.{found.kind}")
            self._wish(action, spot, found.by, str(found.by), found.more is False)

    def _wish(self, action: Action, spot: Spot, value: Json, text: str, agrees: bool) -> None:
        key = key_of(spot)
        compared = comparable(_SORTED(value))
        self.wished[key] = Wished(
            spot,
            compared and VALUE + compared,
            self._absolute(action.mark.file),
            (told := comparable(text)) and TEXT + told,
        )
        if agrees:
            self.agreed.add(key)

    def _absolute(self, file: str) -> str:
        """Once, though it is that of very many wishes."""
        if file not in self._files:
            self._files[file] = absolute(file)
        return self._files[file]

    def difference(self, drift: Drift) -> Difference:
        line, spot, action = drift.line, drift.spot, drift.action
        rests_on = key_of(item_of(spot) or spot)
        if rests_on not in self.wished:  # one more than listed: the owner's exclusive list wants it gone
            section = kind_named(spot.address.kind).section
            owner = owner_of(spot.address) or replace(spot.address, kind="exclusive", owners=(), key=section)
            rests_on = key_of(Spot(owner, f"exclusive.{spot.address.kind}"))
        why = next((r.message for r in action.remarks if r.level == "impossible"), "") if line is None else ""
        now, wanted = (line.now, line.wanted) if line is not None else ("", "")
        return Difference(
            spot, shown(now), shown(wanted), sentence(why), absolute(action.mark.file), rests_on, drift.accepted
        )


def item_of(spot: Spot) -> Spot | None:
    """The field of which it is one of many: `keep` of `keep.20260401T0100Z_web01`. None: it is a field itself."""
    field, dot, _ = spot.field.partition(".")
    declared = settings(kind_named(spot.address.kind)) if dot else {}
    return replace(spot, field=field) if dot and spot.field not in declared else None


def shown(text: str) -> str:
    """A value as it is kept for people: storable everywhere, and not endless."""
    return cut(storable(text), LONGEST_VALUE)


def sentence(text: str) -> str:
    """A sentence of hvctl's, likewise."""
    return cut(storable(text), LONGEST_SENTENCE)


def comparable(text: str) -> str | None:
    """As it is kept for comparing: long ones as their hash, secrets not at all (a hash of one can be guessed)."""
    if MASK in text:
        return None
    clean = storable(text)
    return clean if len(clean) <= _PLAIN else f"sha256:{hashlib.sha256(clean.encode()).hexdigest()}"


def storable(text: str) -> str:
    """Without half surrogate pairs and NULs, which hosts and file names may hold and databases refuse."""
    whole = text if text.isascii() else text.encode("utf-8", "replace").decode()
    return whole.replace("\0", "�")


def absolute(file: str) -> str:
    return storable(str(Path(file).absolute()))
