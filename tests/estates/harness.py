"""Runs a case of several hosts: an estate, an inventory, a playbook; what is planned on each host, applied, and planned again.

A case is a file of YAML:
  os: the versions that it runs for; a host of the estate may have its own `os`
  estate: hosts and what they share (mocks/estate.py)
  inventory: groups and variables beside the hosts, as an inventory has them
  plays: as a playbook has them
  allow: consents
  calls: by host, what the plan sends, in its order
  blocked: by host and field, what would allow it
  problems: what is said by plan beyond warnings; with `warnings: true`, of those too
  refused: what is wrong with it before any host is asked
  away: hosts that cannot be reached
  lost: {host: n} a host that is lost for good with its n-th batch of changes, which it still carries out
  after: by host, what its state holds in the end, of the fields that are given
  again: what a second apply still does, by host; omitted: nothing
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import yaml
from rich.console import Console

from hvctl.call import Batch, Event, Reply, Transport, TransportError
from hvctl.config.connection import Connection
from hvctl.config.inventory import Inventory
from hvctl.config.prepare import HostWork, prepare
from hvctl.contract import OS, VERSIONS, check
from hvctl.core.impact import IMPACTS, Impact
from hvctl.core.outcome import Outcome
from hvctl.core.plan import Plan
from hvctl.fleet.connect import Wire
from hvctl.fleet.run import Run
from hvctl.text.diagnostic import ConfigError
from mocks.estate import Estate
from mocks.host import SimulatedHost
from mocks.schema import dump
from mocks.twin import TwinTransport
from tests.transports import Around

CASES = Path(__file__).parent / "cases"
KEYS = {
    "os", "estate", "inventory", "plays", "allow", "calls", "blocked", "problems", "warnings", "refused", "away", "lost",
    "after", "again", "note",
}  # fmt: skip
Serve = Callable[[SimulatedHost], Transport]


@dataclass(frozen=True)
class Case:
    """One file for one version of Windows."""

    file: Path
    os: OS

    def __str__(self) -> str:
        return f"{self.file.parent.name}/{self.file.stem}-{self.os}"

    @property
    def data(self) -> dict[str, Any]:
        data = deepcopy(_loaded(self.file))
        assert set(data) <= KEYS, f"{self.file.name}: unknown keys {set(data) - KEYS}"
        assert data.keys() & {"calls", "problems", "blocked", "refused"}, f"{self.file.name} expects nothing"
        return data

    @property
    def plays(self) -> str:
        """As they are written: `state: off` is a word there, which YAML's data is not."""
        _, _, rest = self.file.read_text(encoding="utf-8").partition("\nplays:\n")
        lines = []
        for line in rest.splitlines(keepends=True):
            if line.strip() and not line.startswith((" ", "-", "#")):
                break
            lines.append(line)
        return "".join(lines)


@cache
def _loaded(file: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", yaml.safe_load(file.read_text(encoding="utf-8")))


@cache
def all_cases() -> tuple[Case, ...]:
    found = []
    for file in sorted(CASES.glob("*/*.yaml")):
        versions = [str(v) for v in _loaded(file)["os"]]
        assert set(versions) <= set(VERSIONS), file
        found += [Case(file, os) for os in VERSIONS if os in versions]
    return tuple(found)


class Reached(Around):
    """A host as the estate's network has it, and the batches that it was sent. `lost_at`: of its change batches, from 1 on."""

    def __init__(self, inner: Transport, estate: Estate, name: str, *, away: bool, lost_at: int = 0) -> None:
        super().__init__(inner)
        self._estate, self._name, self._lost_at = estate, name, lost_at
        self.changes: list[Batch] = []
        self.reads = 0
        if away:
            estate.lose(name)

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        if self._name in self._estate.lost:
            raise TransportError(f"{self._name} is not reached")
        if batch.mode == "read":
            self.reads += 1
        if batch.mode == "read" or not batch.tasks:  # about its lease alone
            return self.inner.run(batch, on_event)
        self.changes.append(batch)
        replies = self.inner.run(batch, on_event)
        if len(self.changes) == self._lost_at:
            self._estate.lose(self._name)
            raise TransportError("the connection was lost", executed="unknown")
        return replies


@dataclass
class Session:
    """An estate under the hands of hvctl."""

    estate: Estate
    folder: Path
    allow: frozenset[Impact] = frozenset()
    serve: Serve = TwinTransport
    away: Sequence[str] = ()
    lost: Mapping[str, int] = field(default_factory=dict)
    out: StringIO = field(default_factory=StringIO)

    def __post_init__(self) -> None:
        hosts = self.estate.hosts.items()
        self.wires = {
            name: Reached(self.serve(host), self.estate, name, away=name in self.away, lost_at=self.lost.get(name, 0))
            for name, host in hosts
        }

    def prepared(self, limit: str | None = None, **chosen: Sequence[str]) -> tuple[HostWork, ...]:
        """Raises ConfigError."""
        inventory = Inventory.load(self.folder / "inventory.yml")
        files = [str(self.folder / "site.yml")]
        work = prepare(inventory, files, limit=limit, learn=lambda secret: None, **chosen).work  # type: ignore[arg-type]
        return tuple(_logged_on(one, self.estate.hosts[one.name]) for one in work)

    @contextmanager
    def run(self, work: Sequence[HostWork] | None = None) -> Iterator[Run]:
        out, err = (Console(file=file, width=120, markup=False) for file in (self.out, StringIO()))

        def connect(connection: Connection, wire: Wire) -> Transport:
            return self.wires[connection.name]

        with Run(
            self.prepared() if work is None else work,
            connect,
            self.allow,
            out,
            err,
            forks=1,  # an engine serves one host after the other
            now=lambda: datetime.now(UTC),
            pause=self.estate.clock.sleep,
        ) as run:
            yield run

    def planned(self) -> dict[str, Outcome]:
        with self.run() as run:
            outcomes = run.plan()
            run.showing.plans(outcomes)
        return {one.host: one for one in outcomes}

    def applied(self, *, recheck: bool = True) -> dict[str, Outcome]:
        with self.run() as run:
            done = run.apply(run.plan(warm=True), recheck=recheck)
            run.showing.reports(done)
        return {one.host: one for one in done}


def _logged_on(work: HostWork, host: SimulatedHost) -> HostWork:
    """As the simulated host has it (`session` of its state): some logins need a library that an inventory would ask for."""
    word, _, delegated = host.state.session.partition(" ")
    transport: Any = {"console": "credssp"}.get(word, word)
    options = {**work.connection.wiring.options, **({"kerberos_delegation": True} if delegated else {})}
    wiring = replace(work.connection.wiring, options=options)
    return replace(work, connection=replace(work.connection, transport=transport, wiring=wiring))


def written(folder: Path, estate: Estate, inventory: Mapping[str, Any] | None, plays: str) -> None:
    """An inventory of the estate's hosts and the playbook, as files."""
    hosts = {name: {"ansible_host": f"{name}.example.com"} for name in estate.hosts}
    connection = {"ansible_connection": "winrm", "ansible_user": "EXAMPLE\\admin", "ansible_password": "x"}
    given = deepcopy(dict(inventory or {}))
    given["hosts"] = {name: {**own, **((given.get("hosts") or {}).get(name) or {})} for name, own in hosts.items()}
    given["vars"] = {**connection, **(given.get("vars") or {})}
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": given}, allow_unicode=True), encoding="utf-8")
    (folder / "site.yml").write_text(plays, encoding="utf-8")


def run(case: Case, serve: Serve) -> list[str]:
    """What is not as the case expects; empty if all is."""
    data = case.data
    for host in data["estate"]["hosts"]:
        data["estate"]["hosts"][host] = {"os": case.os, **(data["estate"]["hosts"][host] or {})}
    estate = Estate.from_data(data["estate"])
    with TemporaryDirectory() as folder:
        written(Path(folder), estate, data.get("inventory"), case.plays)
        allow = frozenset(i for i in IMPACTS if i in data.get("allow", ()))
        session = Session(estate, Path(folder), allow, serve, data.get("away", ()), data.get("lost", {}))
        try:
            session.prepared()
        except ConfigError as error:
            return _texts_differ(data.get("refused", []), [f"{p.message}; {p.hint}" for p in error.problems])
        if "refused" in data:
            return [f"not refused: {data['refused']}"]
        return _judged(data, session)


def _judged(data: Mapping[str, Any], session: Session) -> list[str]:
    first, again = session.planned(), session.planned()
    wrong = [f"two plans of {h} differ" for h in first if _calls(first[h].plan) != _calls(again[h].plan)]
    plans = {host: one.plan for host, one in first.items() if one.plan is not None}
    wrong += [text for plan in plans.values() for text in _unbound(plan)]
    calls = {host: _calls(plan) for host, plan in plans.items() if plan.steps}
    if "calls" in data and calls != data["calls"]:
        wrong += ["calls are:", yaml.safe_dump(calls, allow_unicode=True, width=10_000)]
    blocked = {
        host: found
        for host, plan in plans.items()
        if (found := {line.field: list(line.consent) for a in plan.actions for line in a.blocked})
    }
    if blocked != data.get("blocked", {}):
        wrong.append(f"blocked are {blocked}")
    remarks = [r for plan in plans.values() for a in plan.actions for r in a.remarks]
    said = [f"{r.message}; {r.hint}" for r in remarks if r.level != "warning" or data.get("warnings")]
    wrong += _texts_differ(data.get("problems", []), [*dict.fromkeys(said)])
    if wrong:
        return wrong
    done = session.applied()
    if not data.get("lost"):
        wrong += _not_done(done)
    session.estate.bring_back(*data.get("lost", {}))
    if data.get("lost"):
        wrong += _not_done(session.applied())
    left = {host: c for host, one in session.planned().items() if (c := _calls(one.plan))}
    if left != data.get("again", {}):
        wrong += ["a second apply would do:", yaml.safe_dump(left, allow_unicode=True, width=10_000)]
    for host, expected in data.get("after", {}).items():
        wrong += _unlike(expected, dump(session.estate.hosts[host].state), host)
    return wrong


def _not_done(done: Mapping[str, Outcome]) -> list[str]:
    results = [r for one in done.values() if one.report is not None for r in one.report.results]
    wrong = [f"{r.status}: {r.step.task.call}: {r.failure or r.why}" for r in results if r.status != "ok"]
    return wrong + [f"{host}: refused: {one.changed}" for host, one in done.items() if one.changed]


def _unbound(plan: Plan) -> list[str]:
    calls = [c for s in plan.steps for c in (s.task.call, *(r.call for r in s.task.call.refs()))]
    verdicts = [(c, check(plan.os, c)) for c in calls]
    return [f"{c}: {v.answer}: {v.reason}" for c, v in verdicts if v.answer == "refused"]


def _calls(plan: Plan | None) -> list[str]:
    return [str(s.task.call) for s in plan.steps] if plan is not None else []


def _texts_differ(wanted: Sequence[str], said: Sequence[str]) -> list[str]:
    missing = [f"not said: {w}" for w in wanted if not any(w in text for text in said)]
    return missing + [f"said: {text}" for text in said if not any(w in text for w in wanted)]


def _unlike(expected: Any, found: Any, where: str) -> list[str]:
    """Of mappings the keys that are expected; of lists as many items, each alike; a text is of the whole value."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return [w for key, value in expected.items() for w in _unlike(value, found.get(key), f"{where}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [w for n, (one, other) in pairs for w in _unlike(one, other, f"{where}.{n}")]
    return [] if expected == found else [f"{where} is {found!r}, not {expected!r}"]
