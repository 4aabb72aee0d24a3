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
from hvctl.core.description import Description, described, describing, roots, surveyed, without
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.plan import Plan
from hvctl.core.planner import make_plan
from hvctl.core.questions import questions
from hvctl.core.resource import Index, Resource
from hvctl.fleet.reconcile import look_at
from hvctl.importing.emit import emitted, said, scalar
from hvctl.importing.taste import Body, body_of, strings
from hvctl.kinds import kinds
from hvctl.kinds._host import host_row
from hvctl.text.address import Address
from hvctl.text.source import load_text

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

    def of_host(self, one: Resource, cluster: str) -> bool:
        """And of a node only what the inventory says that it is a node of."""
        return self.chosen(one) and (bool(cluster) or one.kind != "cluster")


def matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)


@dataclass(frozen=True)
class Imported:
    """What is written of a host, and what is not."""

    host: str
    os: OS
    body: Body
    """With the roles that it owns under `cluster`."""
    omitted: tuple[tuple[Address, Omission], ...]
    vms: tuple[str, ...]
    """All that were seen, those that are not written included."""
    cluster: str = ""
    """That it is a node of, by the inventory."""


def imported(host: str, transport: Transport, wanted: Wanted, cluster: str = "") -> Imported:
    """`cluster`: that it is a node of. Raises TransportError; also where the host does not tell the account of Hyper-V."""
    try:
        facts = look_at(transport, surveyed(kinds()))
        found = roots(kinds(), facts, host)
        host_row(facts)
    except UnreadableError as error:
        raise TransportError(str(error), hint=error.hint) from error
    seen = tuple(one.key() for one in found.index if one.kind == "vm")
    chosen = Index(
        (e for one, e in zip(found.index, found.index.entries, strict=True) if wanted.of_host(one, cluster)),
        host,
        cluster,
    )
    unnameable = list(_unnameable(host, None, facts, wanted))
    facts = look_at(transport, describing(kinds(), chosen, facts))
    unnameable += [one for owner in {one.kind for one in chosen} for one in _unnameable(host, owner, facts, wanted)]
    told = sayable(described(kinds(), chosen, facts), wanted.secret)
    omitted = [*unnameable, *found.omitted, *told.omitted]
    index = in_sync(told.index, transport, facts, wanted, omitted)
    body = body_of(index, omitted, facts, everything=wanted.everything)
    for texts in body.comments.values():
        texts[:] = [text if not wanted.secret(text) else "a comment is left out: it holds a secret" for text in texts]
    names = tuple(dict.fromkeys((*seen, *(address.key for address, _ in unnameable if address.kind == "vm"))))
    return Imported(host, facts.os, body, tuple(omitted), names, cluster)


def _unnameable(host: str, within: str | None, facts: Facts, wanted: Wanted) -> Iterator[tuple[Address, Omission]]:
    for kind in kinds():
        if kind.within != within or (wanted.vms and kind.kind != "vm"):
            continue
        try:
            for name, why in kind.unnameable(None, facts):
                if not wanted.vms or matches(name, wanted.vms):
                    yield Address(host, kind.kind, (), name), Omission("", why)
        except UnreadableError as error:
            yield Address(host, kind.kind, (), ""), Omission("", str(error))


def sayable(told: Description, secret: Callable[[str], bool]) -> Description:
    """Without texts that are secret, and without such as YAML and templates do not give back."""
    omitted = [*told.omitted]
    wrong: dict[int, list[str]] = {}
    for one in told.index:
        for name, text in strings(one):
            if why := _unsayable(text, secret):
                wrong.setdefault(one.seat, []).append(name)
                omitted.append((one.address(), Omission(name, why)))
    return Description(without(told.index, wrong), tuple(omitted))


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
        desired = read_back(play_text(index.host, body), index.host, together=index.together)
        if seen is None:
            seen = look_at(transport, questions(desired))
        wrong = dict(_wrong(make_plan(desired, seen, frozenset()), index))
        if not wrong:
            return index
        omitted += [(index[seat].address(), Omission(field, why)) for seat, (field, why) in wrong.items()]
        index = without(index, {seat: [field] for seat, (field, _) in wrong.items()})
    raise ValueError(f"what is written of {index.host} does not come to rest")


def read_back(text: str, host: str, name: str = "import.yml", *, together: str = "") -> Index:
    """The desired state that a playbook's text is of one host. `together`: the cluster that it is a node of."""
    document = load_text(text, name)
    plays = [Play(document, (n,), "import", host) for n in range(len(document.data))]
    desired, problems = wishes(plays, {}, host=host, together=together)
    if problems:
        raise ValueError(f"what is written is refused: {problems[0]}")
    return desired


def _wrong(plan: Plan, index: Index) -> Iterator[tuple[int, tuple[str, str]]]:
    """By seat, a field that is not in sync, or "" for the whole, and why; not of what sits within such a whole."""
    seats = {one.address(): one.seat for one in index}
    whole: set[int] = set()
    for action in plan.actions:  # owners before their parts
        if (seat := seats.get(action.address)) is None:
            continue  # the section `cluster` of roles whose cluster did not tell its settings
        owner = index.entries[seat].owner
        if action.verb == "none" or owner in whole:
            continue
        wanted = index[seat].wanted()
        if action.verb == "held" and action.lines and not any(x.field in wanted or not x.field for x in action.lines):
            continue  # of how it stands, as a role that has failed, which nobody wrote and no apply changes
        line = next(iter(action.lines), None)
        if line is not None and action.verb == "update":
            yield seat, (line.field, f"it reads {line.now}, which hvctl would change to {line.wanted}")
            continue
        whole.add(seat)
        yield seat, ("", next((r.message for r in action.remarks), "") or f"hvctl would {action.verb} it")


def play_text(host: str, body: Body, name: str = "", lead: Sequence[str] = ()) -> str:
    """The play of one host."""
    lines = [f"- name: {scalar(name or host)}", f"  hosts: {scalar(host)}"]
    lines += said(body.comments.get((), ()), 2)
    lines += emitted(body.data, body.comments, (), 2)
    return "\n".join([*said(lead, 0), *lines]) + "\n"
