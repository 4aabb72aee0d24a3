"""One host, read and written down; what is written is planned against it, so that what is not in sync is not in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hvctl.call import Transport, TransportError
from hvctl.config.playbook import Play, wishes
from hvctl.config.template import rendered
from hvctl.contract import OS
from hvctl.core.describe import Omission
from hvctl.core.description import Description, described, describing, roots, surveyed
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.core.questions import questions
from hvctl.core.resource import Entry, Index, Resource
from hvctl.core.rules import validate
from hvctl.fleet.reconcile import look_at
from hvctl.importing.emit import emitted, flow, said, scalar, verbatim
from hvctl.importing.taste import Body, body_of, strings
from hvctl.kinds import kinds
from hvctl.text.address import Address
from hvctl.text.source import Document, load_text

_ROUNDS = 20


@dataclass(frozen=True)
class Wanted:
    """Which VMs, by patterns; none: all of them and what else the host has. `everything`: also defaults.
    `secret`: whether a text may not be written."""

    vms: tuple[str, ...] = ()
    everything: bool = False
    secret: Callable[[str], bool] = lambda text: False

    def chosen(self, one: Resource) -> bool:
        return not self.vms or (one.kind == "vm" and matches(one.key(), self.vms))


def matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)


@dataclass(frozen=True)
class Imported:
    """What is written of a host, and what is not."""

    host: str
    os: OS
    body: Body
    omitted: tuple[tuple[Address, Omission], ...]
    vms: tuple[str, ...]
    """All that were seen, those that are not written included."""


def imported(host: str, transport: Transport, wanted: Wanted) -> Imported:
    """Raises TransportError; also where the host does not tell the account of Hyper-V."""
    try:
        facts = look_at(transport, surveyed(kinds()))
        found = roots(kinds(), facts, host)
    except UnreadableError as error:
        raise TransportError(str(error), hint=error.hint) from error
    seen = tuple(one.key() for one in found.index if one.kind == "vm")
    unnameable = [
        (Address(host, kind.kind, (), name), Omission("", why))
        for kind in kinds()
        if kind.within is None
        for name, why in kind.unnameable(None, facts)
        if not wanted.vms or (kind.kind == "vm" and matches(name, wanted.vms))
    ]
    chosen = Index((e for one, e in zip(found.index, found.index.entries, strict=True) if wanted.chosen(one)), host)
    facts = look_at(transport, describing(kinds(), chosen, facts))
    told = sayable(described(kinds(), chosen, facts), wanted.secret)
    omitted = [*unnameable, *found.omitted, *told.omitted]
    index = in_sync(told.index, transport, facts, wanted, omitted)
    body = body_of(index, omitted, facts, everything=wanted.everything)
    for texts in body.comments.values():
        texts[:] = [text if not wanted.secret(text) else "a comment is left out: it holds a secret" for text in texts]
    names = tuple(dict.fromkeys((*seen, *(address.key for address, _ in unnameable if address.kind == "vm"))))
    return Imported(host, facts.os, body, tuple(omitted), names)


def sayable(told: Description, secret: Callable[[str], bool]) -> Description:
    """Without texts that are secret, and without such as YAML and templates do not give back."""
    omitted = [*told.omitted]
    entries: list[Entry] = []
    seats: dict[int, int] = {}
    for one, entry in zip(told.index, told.index.entries, strict=True):
        if entry.owner is not None and entry.owner not in seats:
            continue
        wrong = {name: why for name, text in strings(entry.resource) if (why := _unsayable(text, secret))}
        model = entry.resource.without(wrong)
        omitted += [(one.address(), Omission(name, why)) for name, why in wrong.items()]
        if any(name in model.model_fields_set for name in wrong):
            continue  # it is known by that
        seats[one.seat] = len(entries)
        entries.append(Entry(model, entry.place, None if entry.owner is None else seats[entry.owner]))
    return Description(Index(entries, told.index.host), tuple(omitted))


def _unsayable(text: str, secret: Callable[[str], bool]) -> str:
    if secret(text):
        return "it holds a secret"
    document = load_text(f"- {scalar(text)}\n", "")
    again, wrong = rendered(document.data, {}, document)
    return "" if not wrong and again == [text] else "no playbook gives this text back as it is"


def in_sync(
    index: Index, transport: Transport, facts: Facts, wanted: Wanted, omitted: list[tuple[Address, Omission]]
) -> Index:
    """Without what the plan of the written text would change, or could not be sure of. Raises TransportError."""
    seen: Facts | None = None
    for _ in range(_ROUNDS):
        body = body_of(index, (), facts, everything=wanted.everything)
        desired = read_back(play_text(index.host, body), index.host)
        if seen is None:
            seen = look_at(transport, questions(desired))
        wrong = dict(_wrong(make_plan(desired, seen, frozenset()), desired, seen.os))
        if not wrong:
            return index
        whole = {address for address, (field, _) in wrong.items() if not field}
        within = {one.address() for one in desired if one.owner is not None and one.owner.address() in whole}
        wrong = {address: said for address, said in wrong.items() if address not in within}
        omitted += [(address, Omission(field, why)) for address, (field, why) in wrong.items()]
        index = _less(index, {address: field for address, (field, _) in wrong.items()})
    raise ValueError(f"what is written of {index.host} does not come to rest")


def read_back(text: str, host: str, name: str = "import.yml") -> Index:
    """The desired state that a playbook's text is of one host."""
    document = load_text(text, name)
    plays = [Play(document, (n,), "import", host) for n in range(len(document.data))]
    desired, problems = wishes(plays, {}, host=host)
    if problems:
        raise ValueError(f"what is written is refused: {problems[0]}")
    return desired


def _wrong(plan: Plan, desired: Index, os: OS) -> Iterator[tuple[Address, tuple[str, str]]]:
    for problem in validate(desired, os):
        if problem.level == "error" and problem.address is not None:
            yield problem.address, (problem.field, problem.message)
    for action in plan.actions:
        if action.verb == "none":
            continue
        lines = [line.field for line in action.lines]
        why = next((r.message for r in action.remarks), "")
        if lines and action.verb == "update":
            line = action.lines[0]
            yield action.address, (line.field, f"it reads {line.now}, which hvctl would change to {line.wanted}")
        else:
            yield action.address, ("", why or f"hvctl would {action.verb} it")


def _less(index: Index, fields: dict[Address, str]) -> Index:
    entries: list[Entry] = []
    seats: dict[int, int] = {}
    for one, entry in zip(index, index.entries, strict=True):
        if entry.owner is not None and entry.owner not in seats:
            continue
        field = fields.get(one.address())
        model = entry.resource if not field else entry.resource.without([field])
        if field is not None and model == entry.resource and model.model_fields_set == entry.resource.model_fields_set:
            continue
        seats[one.seat] = len(entries)
        entries.append(Entry(model, entry.place, None if entry.owner is None else seats[entry.owner]))
    return Index(entries, index.host)


def play_text(host: str, body: Body, name: str = "", lead: Sequence[str] = ()) -> str:
    """The play of one host."""
    lines = [f"- name: {scalar(name or host)}", f"  hosts: {scalar(host)}"]
    lines += said(body.comments.get((), ()), 2)
    lines += emitted(body.data, body.comments, (), 2)
    return "\n".join([*said(lead, 0), *lines]) + "\n"


__all__ = ["Document", "Imported", "Wanted", "flow", "imported", "play_text", "read_back", "verbatim"]
