"""From what was typed to hosts with their work."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from hvctl.call import Secret
from hvctl.cli.options import Settings
from hvctl.inventory import Host, Inventory
from hvctl.planfile import is_plan
from hvctl.prepare import HostWork, Prepared, find_inventory, prepare
from hvctl.resource import IMPACTS, Impact, Resource
from hvctl.run import Run
from hvctl.secrets import PromptSource, SecretError, resolve
from hvctl.show.text import problem_lines
from hvctl.source import ConfigError, Problem, load, load_text

PROMPT = "password for the hosts"


@dataclass(frozen=True)
class Asked:
    """Which playbooks, for which hosts, with which variables."""

    playbooks: tuple[str, ...]
    limit: str | None = None
    tags: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def covers(self) -> tuple[str, ...]:
        """The playbooks of which everything is looked at, on whichever hosts."""
        return () if self.tags else self.playbooks

    @classmethod
    def of(
        cls,
        playbooks: Sequence[str],
        limit: str | None,
        tags: Sequence[str] | None,
        extra: Sequence[str] | None,
    ) -> Asked:
        return cls(tuple(playbooks), limit, tuple(tags or ()), tuple(extra or ()))


def prepared(settings: Settings, asked: Asked) -> Prepared:
    """The hosts and what is wished of them. Raises ConfigError; warnings are printed."""
    _check_playbooks(asked.playbooks)
    inventory = Inventory.load(find_inventory(settings.inventory, asked.playbooks))
    found = prepare(
        inventory,
        asked.playbooks,
        limit=asked.limit,
        tags=asked.tags,
        variables=_extra(asked.extra),
        learn=settings.redactor.learn,
    )
    for line in problem_lines(found.warnings):
        settings.err.print(line, soft_wrap=True)
    found = with_password(settings, found)
    for one in found.work:
        _learned(settings, one)
    return found


def with_password(settings: Settings, found: Prepared) -> Prepared:
    """Asked for once, if it is to be asked for."""
    if not settings.ask_pass:
        return found
    prompt = PromptSource(PROMPT)
    return replace(found, work=tuple(replace(w, connection=replace(w.connection, password=prompt)) for w in found.work))


def _learned(settings: Settings, work: HostWork) -> HostWork:
    """Passwords that stand in plain are known from now on; the others when they are asked for."""
    if isinstance(work.connection.password, Secret):
        settings.redactor.learn(work.connection.password)
    return work


def _extra(given: Sequence[str]) -> dict[str, Any]:
    """Faults name the place and never the text: a variable may be a secret."""
    found: dict[str, Any] = {}
    for number, item in enumerate(given, 1):
        place, at = f"--extra-vars, {number}.", None
        if item.startswith("@"):
            place = item[1:]
            loaded, at = (document := load(place)).data, document.mark(())
        elif item.lstrip().startswith("{"):
            loaded = load_text(item, place).data
        elif "=" in item:
            name, _, value = item.partition("=")
            loaded = {name.strip(): load_text(value, place).data}
        else:
            raise ConfigError([Problem(None, f"{place} is no variable", "write name=value or @file")])
        if not isinstance(loaded, dict):
            raise ConfigError([Problem(at, f"{place} is no mapping of variables", "write `name: value` lines")])
        found |= loaded
    return found


def allowed(words: Sequence[str] | None) -> frozenset[Impact]:
    found = [w.strip() for word in words or () for w in word.split(",") if w.strip()]
    for word in found:
        if word not in IMPACTS[1:]:
            raise ConfigError([Problem(None, f"--allow {word}: unknown", f"one of {', '.join(IMPACTS[1:])}")])
    return frozenset(i for i in IMPACTS if i in found)


def one_host(settings: Settings, name: str, playbooks: Sequence[str] = ()) -> HostWork:
    _check_playbooks(playbooks)
    inventory = Inventory.load(find_inventory(settings.inventory, playbooks))
    found = _one(inventory, name)
    learn = settings.redactor.learn
    wishes = prepare(inventory, playbooks, limit=found.name, learn=learn).work[0].wishes if playbooks else ()
    return work_of(settings, inventory, found, wishes)


def _one(inventory: Inventory, name: str) -> Host:
    found = inventory.select(name)
    if len(found) != 1:
        raise ConfigError([Problem(None, f"{name!r} names {len(found)} hosts", "name one host of the inventory")])
    return found[0]


def work_of(settings: Settings, inventory: Inventory, host: Host, wishes: tuple[Resource, ...]) -> HostWork:
    work = HostWork(host, inventory.connection(host), wishes)
    if settings.ask_pass:
        work = replace(work, connection=replace(work.connection, password=PromptSource(PROMPT)))
    return _learned(settings, work)


def run_of(settings: Settings, prepared: Prepared, allow: frozenset[Impact]) -> Run:
    if settings.ask_pass:
        with suppress(SecretError):  # said of each host
            resolve(PromptSource(PROMPT))  # here, where Ctrl-C ends it and the terminal is put right again
    return Run(
        prepared.work,
        settings.connect,
        allow,
        settings.out,
        settings.err,
        forks=settings.forks,
        verbose=settings.verbose,
        pause=settings.pause,
        redactor=settings.redactor,
        now=settings.now,
        stop=settings.stop,
    )


def _check_playbooks(files: Sequence[str]) -> None:
    """Raises ConfigError where a plan file is given for a playbook."""
    plans = [file for file in files if is_plan(file)]
    if plans:
        hint = "hvctl apply applies it, alone"
        raise ConfigError(Problem(None, f"{file} is a plan file, not a playbook", hint) for file in plans)
