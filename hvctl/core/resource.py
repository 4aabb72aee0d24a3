"""What a resource is: how it is found, read, compared, judged and done; and the index of what is desired of a host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, overload

from pydantic import PrivateAttr

from hvctl.call import Batch, Call, Row, Staged, Value
from hvctl.contract import OS
from hvctl.core.acceptance import WHOLE, Acceptance, chosen
from hvctl.core.changes import Bracket, Change, Noted, Occasion, Step
from hvctl.core.describe import Omission, all_written, modelled
from hvctl.core.facts import Facts
from hvctl.core.fields import Fields, path_of, settings
from hvctl.core.impact import Impact
from hvctl.core.rows import UnreadableError
from hvctl.core.values import MISSING, NOT_COMPARED, PLAIN, UNKNOWN, Json, State
from hvctl.text.address import Address
from hvctl.text.diagnostic import Diagnostic, Mark
from hvctl.text.lazy import lazy
from hvctl.text.source import Document, Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the playbook a resource stands. `hosts`: those of its play, by their names in the inventory; `left_out`:
    those of them that the run leaves out."""

    document: Document
    path: Path
    allow: frozenset[Impact] = frozenset()
    hosts: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()

    def mark(self, dotted: str = "") -> Mark:
        """Of a field's value; of the nearest enclosing thing if the field is not written."""
        return self.document.mark((*self.path, *path_of(dotted)))


@dataclass(frozen=True)
class Renewal:
    """A resource that goes and is made anew, with all that sits within it. `whole`, `parts`: as they will be, what the playbook
    says joined with what was there; `facts`: those of its host, as they will be when the old one is gone. `field`: the
    change that does it, with its consent; "": it is under way, and goes on. `record`: what is written down of it before."""

    whole: Resource
    parts: tuple[Resource, ...]
    facts: Facts
    field: str = ""
    record: Staged | None = None


class Shelf(Protocol):
    """The files of the control node, as a playbook names them. Each raises ConfigError, at the mark."""

    def is_folder(self, name: str) -> bool: ...

    def file(self, name: str, mark: Mark) -> Staged: ...

    def below(self, name: str, mark: Mark) -> Iterator[tuple[str, str]]:
        """The files in a folder and its folders: their names for `file`, and those within the folder."""
        ...

    def rendered(self, name: str, more: Mapping[str, Any], mark: Mark) -> Staged:
        """A template, rendered with the host's variables and more."""
        ...

    def kept(self) -> Staged | None:
        """In a saved plan, what a resource's `file` was; None where it is to be made."""
        ...


R = TypeVar("R", bound="Resource")


@dataclass(frozen=True)
class Planned(Generic[R]):
    """What will be of a resource of the unit. `target`: what is done of it, `desired`: what was asked for; what is in the
    second alone is held back. `there`: it will be."""

    host: str
    target: R
    desired: R
    there: bool

    @staticmethod
    def done(planned: Iterable[Planned[Any]], row: Row, facts: Facts) -> Row:
        """A row of their settings, as it will be answered when that is done. `facts`: with those of the others. On a host
        that could not be read nothing is done."""
        for one in planned:
            if (own := facts.others.get(one.host)) is not None:
                row = one._done(row, replace(own, others=facts.others))
        return row

    def _done(self, row: Row, facts: Facts) -> Row:
        try:
            actual = self.target.actual(facts)
            changes = self.target.changes(actual, facts) if actual is not None else ()
        except Exception:  # its own plan says so, and changes nothing
            return row
        table = settings(type(self.target))
        known = (c for c in changes if c.field in table)
        return {**row, **{table[c.field].name: table[c.field].codec.write(c.wanted) for c in known}}

    def holds_back(self, field: str) -> bool:
        return field in self.desired.wanted() and field not in self.target.wanted()


_NONE: Mapping[str, Any] = MappingProxyType({})


class Names(dict[str, str]):
    """What the hosts of an inventory are called and where they are looked for, without case, and their names there.
    `shared`: names that several of them answer for together, in full, and these hosts. `together`: by host, what it is
    planned together by."""

    def __init__(
        self,
        names: Mapping[str, str] = _NONE,
        shared: Mapping[str, tuple[str, ...]] = _NONE,
        together: Mapping[str, str] = _NONE,
    ) -> None:
        super().__init__(names)
        self.shared, self.together = dict(shared), dict(together)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Names, (dict(self), self.shared, self.together))

    def broker(self, name: str) -> str:
        """The shared name that is meant, in full or without its domain; "" if it is none."""
        wanted = name.rstrip(".").casefold()
        if wanted in self.shared or "." in wanted:
            return wanted if wanted in self.shared else ""
        found = [full for full in self.shared if full.partition(".")[0] == wanted]
        return found[0] if len(found) == 1 and wanted not in self else ""


NO_NAMES = Names()


class Resource(Fields):
    """Something on a host that the user wants in a certain state.

    A kind is a subclass in its own file under kinds/. `section`: the key it stands under in the playbook.
    `within`: the kind whose section it stands in. `many`: the section is a list. `after`: kinds of the same
    owner whose steps come first. `setter`: the cmdlet that sets the plain settings;
    `odd`: fields that it does not set. `expires`: the owner's field that says how old things of this kind may grow.
    `shorthand`: the field that is meant where the section is a plain text.
    `vital`: without it its owner is neither created nor started. `made_along`: without it its owner is not created.
    `proof`: what is asked to see whether the account is told of this kind at all.
    `stand_in`: values of the fields that it is known by, for one whose own are faulty, so that
    the rest of it can be checked all the same. `other_words`: what others call its fields and sections, and the key that
    is meant, or a sentence. `usual`: what fields are that nobody sets, dotted where nested, so that nobody need write
    them; `ANYTHING` of one that the hardware decides. `passing`: what is there for a while, and which no playbook keeps.
    `beneath`: sections of what stands by itself that may be written within it, each with what is written of every item that
    does not say otherwise.
    """

    alone: ClassVar[bool] = True
    kind: ClassVar[str] = ""
    section: ClassVar[str] = ""
    within: ClassVar[str | None] = None
    usual: ClassVar[Mapping[str, Any]] = {}
    passing: ClassVar[bool] = False
    many: ClassVar[bool] = False
    after: ClassVar[tuple[str, ...]] = ()
    setter: ClassVar[str] = ""
    odd: ClassVar[frozenset[str]] = frozenset()
    expires: ClassVar[str] = ""
    shorthand: ClassVar[str] = ""
    vital: ClassVar[bool] = False
    made_along: ClassVar[bool] = False
    stand_in: ClassVar[Mapping[str, Any]] = {}
    other_words: ClassVar[Mapping[str, str]] = {}
    proof: ClassVar[tuple[Call, ...]] = ()
    beneath: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    _index: Index | None = PrivateAttr(default=None)
    _owner: Resource | None = PrivateAttr(default=None)
    _known_as: Address | None = PrivateAttr(default=None)
    _seat: int = PrivateAttr(default=-1)
    _undescribed: bool = PrivateAttr(default=False)

    # --- identity ---------------------------------------------------------------------------------------

    def key(self) -> str:
        """What tells it from others of its kind and owner; "" for a section that exists once."""
        return ""

    def title(self) -> str:
        """As the plan's headline says it after the kind."""
        return self.key()

    # --- where it stands: what the index says of it ----------------------------------------------------------

    @property
    def index(self) -> Index:
        """The desired state that it is a part of."""
        # By its name, pydantic looks in vain for it first, which takes ten times as long; it is asked very often.
        private = self.__pydantic_private__
        found: Index | None = private["_index"] if private else None
        if found is None:
            raise ValueError(f"{self.kind} {self.key()} stands in no index")
        return found

    @property
    def seat(self) -> int:
        """Its own in the index; -1 outside of one."""
        private = self.__pydantic_private__
        return private["_seat"] if private else -1

    @property
    def owner(self) -> Resource | None:
        """What it sits within; None for what stands by itself, or in no index."""
        private = self.__pydantic_private__
        return private["_owner"] if private else None

    @property
    def parts(self) -> tuple[Resource, ...]:
        """The resources that sit within it, as desired."""
        return self.index.parts(self)

    def parts_of(self, kind: type[R]) -> tuple[R, ...]:
        return tuple(p for p in self.index.parts(self) if isinstance(p, kind))

    def part(self, kind: type[R]) -> R | None:
        """The part of a kind that it has once; None if the playbook says nothing about it."""
        return next((p for p in self.index.parts(self) if isinstance(p, kind)), None)

    def beside(self, kind: type[R]) -> tuple[R, ...]:
        """Everything of a kind that will be on the same host, in whatever owner."""
        return self.index.all_of(kind)

    def across(self, kind: type[R]) -> Iterator[tuple[int, str, R]]:
        """Everything of a kind that will be on its own host, and what is written here and planned on other hosts of the unit:
        which of all it is as they are written, its host, and it. What is planned elsewhere is as it is desired."""
        index = self.index
        for one in index.all_of(kind):
            written = index.entry(one).written
            yield one.seat if written is None else written, index.host, one
        for host, root in index.away:
            yield from ((one.seat, host, one) for one in (root, *root.parts) if isinstance(one, kind))

    def named(self, kind: type[R], key: str) -> R | None:
        """What the playbook says of another thing that stands by itself, by its name."""
        return self.index.named(kind, key)

    def planned(self, kind: type[R], *hosts: str) -> Iterator[Planned[R]]:
        """What will be of a kind on these hosts of the unit, by their plans; nothing before there are any."""
        for host in hosts:
            target, desired = self.index.unit.get(host, (None, None))
            if target is None or desired is None:
                continue
            for one, entry, wanted in zip(target, target.entries, desired, strict=True):
                if isinstance(one, kind) and isinstance(wanted, kind) and not one.unnamed:
                    yield Planned(host, one, wanted, entry.there and not one.absent)

    @property
    def place(self) -> Place:
        return self.index.entry(self).place

    @property
    def file(self) -> Staged | None:
        """What of the control node it is about."""
        private = self.__pydantic_private__
        return self.index.entry(self).file if private and private["_index"] is not None else None

    @property
    def left_out(self) -> frozenset[str]:
        """What is written of it and faulty, so that it is as if it were not written: fields, dotted where nested."""
        return self.index.entry(self).left_out

    def acceptance(self, field: str = "") -> Acceptance | None:
        """What is said of drift in this field ("" is the resource as a whole), in force or over."""
        private = self.__pydantic_private__
        index: Index | None = private["_index"] if private else None
        return index.acceptance(self, field) if index is not None else None

    @property
    def unnamed(self) -> bool:
        """Whether what it is known by is among that. Then nothing refers to it."""
        return not self.left_out.isdisjoint(self.stand_in)

    def seated(self, index: Index, number: int, owner: Resource | None) -> Self:
        """A copy that knows where it stands."""
        # As `model_copy`, which takes four times as long: this is done for each resource of each host, several times.
        copy = self.__class__.__new__(self.__class__)
        where = {"_index": index, "_seat": number, "_owner": owner, "_known_as": None}
        set_of = object.__setattr__
        set_of(copy, "__dict__", self.__dict__.copy())
        set_of(copy, "__pydantic_extra__", None)
        set_of(copy, "__pydantic_fields_set__", self.__pydantic_fields_set__.copy())
        set_of(copy, "__pydantic_private__", {**(self.__pydantic_private__ or {}), **where})
        return copy

    def __getstate__(self) -> dict[Any, Any]:
        """Plain data: the index is kept by whoever keeps it."""
        state = dict(super().__getstate__())
        private = state.get("__pydantic_private__")
        if private:
            state["__pydantic_private__"] = {**private, "_index": None, "_seat": -1, "_owner": None, "_known_as": None}
        return state

    @classmethod
    def spread(cls, item: Self, shelf: Shelf, place: Place, written: Mapping[str, Any]) -> Iterator[Entry]:
        """What an item of the playbook stands for; a kind that reads files of the control node does so here.
        `written`: the owner as the playbook has it. Raises ConfigError."""
        yield Entry(item, place)

    def address(self) -> Address:
        private = self.__pydantic_private__
        index: Index | None = private["_index"] if private else None
        if private is None or index is None:
            return Address("", self.kind, (), self.key())
        found: Address | None = private["_known_as"]
        if found is None:
            owner = private["_owner"]
            above = owner.key() if owner is not None else ""
            found = private["_known_as"] = Address(index.host, self.kind, (above,) if above else (), self.key())
        return found

    @property
    def absent(self) -> bool:
        """Whether the wish is that it be gone (`ensure: absent`)."""
        # Most kinds of parts have no such field, and asking pydantic for what is not there is slow.
        return self.__dict__.get("ensure") == "absent"

    def requires(self) -> tuple[Address, ...]:
        """Other resources that must be there first, if they are planned too."""
        return ()

    def follows(self, step: Step) -> tuple[Address, ...]:
        """Other resources whose steps come before this step of it, if they have any; an address without a key means all of
        that kind. Unlike what it `requires`, they hold nothing back where they are not as wanted."""
        return ()

    def links(self) -> tuple[str, ...]:
        """Other hosts, by their names in the inventory, that are planned together with its own because of it. A step may
        run on one of them (`Step.host`), `requires` may name what is wanted there, and `facts.on` has what it answered."""
        return ()

    def only_on(self, hosts: Sequence[str]) -> str:
        """The one host of a play with these hosts on which it is wanted; "" if that is each of them."""
        return ""

    def away(self, facts: Facts) -> bool:
        """Whether it is on another host and comes here: what sits within it cannot be judged before it has."""
        return False

    def not_on(self, facts: Facts) -> tuple[str, ...]:
        """Other hosts of the unit on which it was looked for and is not, so that what was known of it there is over."""
        return ()

    def further(self, facts: Facts) -> Iterator[tuple[str, Call]]:
        """What is asked besides, by host, once it is known what all hosts that it links with have answered."""
        yield from ()

    def borrowed(self) -> Iterator[tuple[str, tuple[str, str]]]:
        """By field, the kind and name of what it uses of the host, whether the playbook declares it or not."""
        yield from ()

    # --- rules known without a host ------------------------------------------------------------------------

    def rules(self, os: OS) -> Iterator[Diagnostic]:
        """Hyper-V's own rules that the wish breaks whatever the host looks like."""
        yield from ()

    @classmethod
    def rules_together(cls, wishes: tuple[Self, ...], os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
        """Rules between all wishes of this kind for one host."""
        yield from ()

    # --- looking ------------------------------------------------------------------------------------------

    def queries(self) -> tuple[Call, ...]:
        raise NotImplementedError

    def queries_once(self) -> tuple[Call, ...]:
        """Those of its queries that every host that is planned together with its own, by `Index.together`, answers alike."""
        return ()

    def queries_on(self, host: str) -> tuple[Call, ...]:
        """What is asked of another host that it links with."""
        return ()

    def seat_of(self, facts: Facts) -> str:
        """Of what is written for every host of its unit and is there once: the host that it is planned on, the same whichever
        host's facts are asked. "" for what every host has of its own."""
        return ""

    def actual(self, facts: Facts) -> State | None:
        """The same fields as `wanted`, as the host has them; None: it does not exist.
        Raises UnreadableError if the host did not say."""
        raise NotImplementedError

    def check_rights(self, facts: Facts) -> None:
        """Raise UnreadableError if the account is not told of this kind: an empty answer would read as "not there"."""

    def owned_elsewhere(self, facts: Facts) -> str:
        """Of something that does not exist here: where it is, in words; "" if it is nowhere. What is elsewhere is
        neither missing nor created."""
        return ""

    def wanted(self) -> State:
        return self.written()

    def judge(self, occasion: Occasion, changes: tuple[Change, ...], facts: Facts) -> Iterator[Diagnostic]:
        """What the facts show to be impossible or doubtful about these changes, none of them where it is left as it is or
        removed."""
        yield from ()

    # --- changing -----------------------------------------------------------------------------------------

    def impacts(self, field: str, now: Any, wanted: Any, facts: Facts) -> frozenset[Impact]:
        """What changing this field means on this host, now."""
        setting = settings(type(self)).get(field)
        return frozenset(setting.costs if setting and setting.costs else ("online",))

    def rests_on(self, field: str, facts: Facts) -> str:
        """Another field whose change this one goes with, so that both are done or neither; "" if there is none."""
        return ""

    def renews(self, field: str) -> bool:
        """Whether a change of this field makes it anew, with all that sits within it."""
        return False

    def renewal(self, facts: Facts) -> Renewal | None:
        """Of one that is made anew, by the change of a field that `renews`, or going on from where that was left."""
        return None

    def note(self, field: str, now: Any, wanted: Any, facts: Facts) -> str:
        """What else the reader of the plan should know about this change."""
        return ""

    def create_impacts(self, facts: Facts) -> frozenset[Impact]:
        return frozenset({"online"})

    def remove_impacts(self, facts: Facts) -> frozenset[Impact]:
        return frozenset({"destroy"})

    def removal_impacts(self, facts: Facts) -> frozenset[Impact]:
        """No playbook could make again what none ever described."""
        lost: frozenset[Impact] = frozenset({"destroy"})
        found = self.remove_impacts(facts)
        return (found | lost) - {"online"} if self._undescribed else found

    def summary(self) -> str:
        """What is made, in a few words, for the plan's headline when it does not exist yet."""
        return ""

    def taken_over(self, facts: Facts) -> State | None:
        """Of something that does not exist yet, what is there already and becomes a part of it: compared as `actual`
        is, so that nothing is changed unseen within a creation. "" has words for the headline."""
        return None

    def create(self, facts: Facts) -> Iterator[Step]:
        raise NotImplementedError

    def update(self, changes: tuple[Change, ...], facts: Facts) -> Iterator[Step]:
        raise NotImplementedError

    def remove(self, facts: Facts) -> Iterator[Step]:
        raise NotImplementedError

    def bracket(self, facts: Facts) -> Bracket | None:
        """For an owner: how its parts' off-steps are framed. None: nothing to frame, it is off already."""
        return None

    @classmethod
    def survey(cls) -> tuple[Call, ...]:
        """What to ask to see everything of this kind on a host, wished or not."""
        return ()

    @classmethod
    def discover(cls, owner: Resource | None, facts: Facts) -> Iterator[Self]:
        """Everything of this kind that the host has within an owner, or by itself: each by what it is known by. What is
        intent alone, as an export, is found on no host."""
        yield from ()

    def undescribed(self) -> Self:
        """The same, as one that nothing but a host has."""
        copy = self.model_copy()
        copy._undescribed = True
        return copy

    # --- describing: what was discovered, with all that can be written of it ------------------------------------

    @classmethod
    def describing(cls) -> tuple[Call, ...]:
        """What `described` rests on, of all of this kind on a host."""
        return cls.survey()

    @classmethod
    def describing_in(cls, owner: Resource) -> tuple[Call, ...]:
        """And what must be asked of each owner."""
        return ()

    @classmethod
    def describing_first(cls) -> tuple[Call, ...]:
        """What is asked with the survey, where what must be asked rests on its answers."""
        return ()

    @classmethod
    def describing_then(cls, facts: Facts) -> tuple[Call, ...]:
        """What must be asked by those answers."""
        return ()

    def reader(self) -> Self:
        """The same as if every field were written, so that `actual` reads all of it."""
        return all_written(self)

    def as_written(self, found: State, facts: Facts) -> State:
        """What `actual` found of it in the words of a playbook; what says nothing of its own is left out."""
        return found

    def described(self, facts: Facts) -> tuple[Self, tuple[Omission, ...]] | None:
        """As it is now, in no index; and what of it cannot be written. Declared so, it is in sync. None: it is not there.
        Raises UnreadableError or HeldBackError."""
        reader, unread = self.reader(), []
        while True:
            try:
                found = reader.actual(facts)
                break
            except UnreadableError as error:
                field = reader.unread_field(error, facts)
                unread.append(Omission(field, str(error), unread=True))
                reader = reader.without([field])
        if found is None:
            return None
        model, omitted = modelled(self, reader.as_written(found, facts))
        return model, (*unread, *omitted)

    def unread_field(self, error: UnreadableError, facts: Facts) -> str:
        """The field that could not be read. Raises the error where it is not one field alone."""
        for field in (*self.written(), *sorted(self.model_fields_set)):
            try:
                self.without([field]).actual(facts)
            except UnreadableError as other:
                if str(other) == str(error):
                    continue
            return field
        raise error

    def by_default(self, facts: Facts) -> State:
        """`usual`, and what rests on the host or on its other fields."""
        return self.usual

    @property
    def implied(self) -> bool:
        """Whether it is there by itself, so that it need not be written where nothing else of it is."""
        return not self.many

    def noted(self, facts: Facts) -> Noted | None:
        """How it stands, where that is worth remembering though it is no difference."""
        return None

    def apart(self, facts: Facts) -> frozenset[str]:
        """Classes of what it is a part of: no two of one class may be down, or on their way to another host, at a time."""
        return frozenset()

    def asides(self, facts: Facts) -> Iterator[str]:
        """Of what was described: what a reader should know of it that no field says."""
        yield from ()

    @classmethod
    def unnameable(cls, owner: Resource | None, facts: Facts) -> Iterator[tuple[str, str]]:
        """What there is of this kind that no playbook can name, and why."""
        yield from ()

    def whole_lists(self) -> tuple[type[Resource], ...]:
        """Kinds of what stands by itself of which it wants nothing else than what is listed."""
        return ()

    def listed(self, kind: type[Resource]) -> tuple[Resource, ...]:
        """What is wanted of a kind in it."""
        return self.parts_of(kind)

    def kept(self, one: Resource) -> bool:
        """Whether something that is not listed may be there all the same."""
        return False

    def stays(self, owner: Resource, listed: tuple[Resource, ...], facts: Facts) -> bool:
        """Whether one that was discovered and is not listed is no surplus all the same."""
        return False

    @classmethod
    def surplus(cls, owner: Resource, listed: tuple[Resource, ...], facts: Facts) -> Iterator[Resource]:
        """What the host has of this kind in this owner beyond what is listed, as absent wishes."""
        known = {part.key().casefold() for part in listed}
        for one in cls.discover(owner, facts):
            if one.key().casefold() not in known and not owner.kept(one) and not one.stays(owner, listed, facts):
                yield one.model_copy(update={"ensure": "absent"})

    @classmethod
    def expired(cls, owner: Resource, listed: tuple[Resource, ...], facts: Facts) -> Iterator[Resource]:
        """What the owner has of this kind, not listed and for longer than it says, as absent wishes."""
        yield from ()

    # --- the generic diff ---------------------------------------------------------------------------------

    def same(self, field: str, now: Any, wanted: Any) -> bool:
        setting = settings(type(self)).get(field)
        return (setting.codec if setting else PLAIN).same(now, wanted)

    def show(self, field: str, value: Any) -> str:
        if value is MISSING or value is UNKNOWN:
            return repr(value)
        setting = settings(type(self)).get(field)
        return (setting.codec if setting else PLAIN).show(value)

    def value(self, field: str, value: Any) -> Json:
        """What `show` tells, as a value: it does not change with the words."""
        if value is MISSING or value is UNKNOWN:
            return None
        setting = settings(type(self)).get(field)
        return (setting.codec if setting else PLAIN).value(value)

    def changes(self, actual: State, facts: Facts) -> tuple[Change, ...]:
        """The written fields that differ. A field that could not be read is no change."""
        found = []
        for name, wanted in self.wanted().items():
            now = actual.get(name, MISSING)
            if now is UNKNOWN or now is NOT_COMPARED or (now is not MISSING and self.same(name, now, wanted)):
                continue
            found.append(
                Change(
                    name,
                    now,
                    wanted,
                    self.impacts(name, now, wanted, facts),
                    self.note(name, now, wanted, facts),
                )
            )
        return tuple(found)

    def as_changes(self, facts: Facts) -> tuple[Change, ...]:
        """Every written field, for something that is made new."""
        return tuple(Change(name, None, wanted) for name, wanted in self.wanted().items())

    def read_settings(self, row: Row) -> dict[str, Any]:
        """The written plain settings as a row has them."""
        table = settings(type(self))
        return {name: table[name].get(row) for name in self.written() if name in table}

    def arguments(self, changes: tuple[Change, ...]) -> dict[str, Value]:
        """Parameters for the setter, of those changes that are plain settings."""
        table = settings(type(self))
        return {table[c.field].set_with: table[c.field].codec.write(c.wanted) for c in changes if c.field in table}


@dataclass(frozen=True, slots=True)
class Entry:
    """One desired resource, and what is known of it besides its fields. `owner`: the number of what it sits within.
    `file`: what of the control node it is about. `left_out`: what is written of it and faulty. `there`: others see it; not
    so what will not be there. `accept`: known drift of it. `written`: which of all it was as they are written, where some
    of them are planned elsewhere."""

    resource: Resource
    place: Place
    owner: int | None = None
    file: Staged | None = None
    left_out: frozenset[str] = frozenset()
    there: bool = True
    accept: tuple[Acceptance, ...] = ()
    written: int | None = None


class Entries(tuple[Entry, ...]):
    """What is wanted of a host. Where the same is wanted of many, it is one object for all of them, which keeps what follows of
    it alone: `asked`, what is asked of a host that is planned by itself."""

    asked: Batch | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Entries, (tuple(self),)


class Index(Sequence[Resource]):
    """The desired state of one host: plain resources, and beside them who owns whom, what stands beside, where each was
    written and which file it is about. Made once and never changed; another desired state is another index."""

    def __init__(
        self, entries: Iterable[Entry] = (), host: str = "", together: str = "", *, known: Names = NO_NAMES
    ) -> None:
        """`together`: hosts for which the same is said here are planned together. `known`: what the hosts of the inventory
        are called and where they are looked for, without case, and their names there."""
        self.host, self.together = host, together
        self.known = known
        self.away: tuple[tuple[str, Resource], ...] = ()
        """What is written here and stands by itself, and is planned on another host of the unit, which is named."""
        self.unit: Mapping[str, tuple[Index, Index]] = {}
        """By host of the unit, its target and what was desired there: of a target alone, while it is planned."""
        self.entries = entries if isinstance(entries, Entries) else Entries(entries)
        self._by_kind: dict[type[Resource], tuple[Any, ...]] = {}
        self._by_name: dict[type[Resource], dict[str, Any]] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return (_index, (self.entries, self.host, self.together, self.away, self.known))

    @lazy
    def _seats(self) -> tuple[Resource, ...]:
        made: list[Resource] = []
        for number, entry in enumerate(self.entries):  # an owner comes before its parts
            owner = None if entry.owner is None else made[entry.owner]
            made.append(entry.resource.seated(self, number, owner))
        return tuple(made)

    @lazy
    def _parts(self) -> Mapping[int, tuple[Resource, ...]]:
        parts: dict[int, list[Resource]] = {}
        for one, entry in zip(self._seats, self.entries, strict=True):
            if entry.owner is not None and entry.there and not one.unnamed:
                parts.setdefault(entry.owner, []).append(one)
        return {owner: tuple(found) for owner, found in parts.items()}

    @lazy
    def links(self) -> frozenset[str]:
        """Other hosts that are planned together with this one because of what is wanted here."""
        if all(type(entry.resource).links is Resource.links for entry in self.entries):
            return frozenset()
        return frozenset(host for one in self._seats for host in one.links())

    def rest(self) -> None:
        """Nothing of it is asked for a while: what can be made again is let go. It knows its resources and they know it, which
        else would be in memory until somebody looked for such circles."""
        self._by_kind, self._by_name = {}, {}
        for name in ("_seats", "_parts", "peers"):
            self.__dict__.pop(name, None)

    @property
    def by_itself(self) -> bool:
        """Whether its host is planned by itself, and nothing that it says rests on what other hosts are called."""
        return self.known is NO_NAMES and not (self.together or self.links or self.away or self.unit)

    def is_beside(self, host: str) -> bool:
        """Whether a host is, by the inventory, none of those that are planned together here."""
        return bool(self.known.together) and self.known.together.get(host) != self.together

    @overload
    def __getitem__(self, at: int) -> Resource: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Resource, ...]: ...

    def __getitem__(self, at: int | slice) -> Resource | tuple[Resource, ...]:
        return self._seats[at]

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._seats)

    def entry(self, one: Resource) -> Entry:
        return self.entries[one.seat]

    def parts(self, one: Resource) -> tuple[Resource, ...]:
        return self._parts.get(one.seat, ())

    def acceptance(self, one: Resource, field: str) -> Acceptance | None:
        """Its own, or that of what it sits within, which covers all that sits there. Of something that is not listed: also
        that of the list."""
        entry = self.entries[one.seat]
        if own := chosen(a for a in entry.accept if a.covers(field or WHOLE)):
            return own
        listed = str(entry.place.path[-1]) if not entry.there and entry.place.path else ""
        while entry.owner is not None:
            entry = self.entries[entry.owner]
            if found := chosen(a for a in entry.accept if not a.fields or listed in a.fields):
                return found
        return None

    @lazy
    def peers(self) -> tuple[Resource, ...]:
        """What can be referred to by its name, and will be there."""
        both = zip(self._seats, self.entries, strict=True)
        return tuple(one for one, e in both if e.there and not one.unnamed)

    def all_of(self, kind: type[R]) -> tuple[R, ...]:
        """Of those peers."""
        if kind not in self._by_kind:
            self._by_kind[kind] = tuple(p for p in self.peers if isinstance(p, kind))
        return self._by_kind[kind]

    def named(self, kind: type[R], key: str) -> R | None:
        """Of what stands by itself, by its name."""
        if kind not in self._by_name:
            found: dict[str, Any] = {}
            for one in self.all_of(kind):
                if one.owner is None:
                    found.setdefault(one.key().casefold(), one)
            self._by_name[kind] = found
        return self._by_name[kind].get(key.casefold())

    def again(self) -> Index:
        """The same, as an index of its own."""
        return self._with(self.entries)

    def of(self, host: str) -> Index:
        """The same, of that host."""
        return self if host == self.host else self._with(self.entries, host)

    def knowing(self, known: Names) -> Index:
        """The same, with the names of the inventory's hosts."""
        return _index(self.entries, self.host, self.together, self.away, known)

    def mapped(self, made: Callable[[Resource, Entry], Entry]) -> Index:
        """With other entries in the same places."""
        return self._with(made(one, e) for one, e in zip(self._seats, self.entries, strict=True))

    def with_more(self, more: Sequence[Entry]) -> Index:
        return self._with((*self.entries, *more)) if more else self

    def _with(self, entries: Iterable[Entry], host: str | None = None) -> Index:
        return _index(entries, self.host if host is None else host, self.together, self.away, self.known)

    def less(self, away: Iterable[tuple[str, Resource]]) -> Index:
        """Without these, which stand by themselves and are planned on another host, and what sits within them."""
        away = tuple(away)
        gone = {one.seat for _, one in away}
        kept: dict[int, int] = {}
        entries: list[Entry] = []
        for number, entry in enumerate(self.entries):
            if number in gone or (entry.owner is not None and entry.owner not in kept):
                continue
            kept[number] = len(entries)
            owner = None if entry.owner is None else kept[entry.owner]
            entries.append(replace(entry, owner=owner, written=number))
        return _index(entries, self.host, self.together, away, self.known)


def _index(
    entries: Iterable[Entry],
    host: str,
    together: str,
    away: tuple[tuple[str, Resource], ...],
    known: Names,
) -> Index:
    made = Index(entries, host, together, known=known)
    made.away = away
    return made
