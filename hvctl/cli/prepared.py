"""From what was typed to hosts with their work."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from hvctl.call import Secret
from hvctl.cli.elsewhere import at_a_time, by_reference
from hvctl.cli.options import Settings
from hvctl.config.accepting import dated
from hvctl.config.inventory import Host, Inventory, PartlyLoadedError, Unread
from hvctl.config.logon import with_passwords
from hvctl.config.overlay import NOTHING, Overlay
from hvctl.config.prepare import HostWork, Prepared, find_inventory, missing, not_there, prepare
from hvctl.config.secrets import Ask, PromptSource, Secrets
from hvctl.config.vault import Vault
from hvctl.core.impact import IMPACTS, Impact
from hvctl.core.resource import Index
from hvctl.saved.recognition import is_plan
from hvctl.show.problems import problem_lines
from hvctl.text.diagnostic import ConfigError, Diagnostic, RefusedError
from hvctl.text.scalars import Given
from hvctl.text.source import SecretSource, load_text
from hvctl.text.visible import quoted

if TYPE_CHECKING:
    from hvctl.fleet.connect import Connect
    from hvctl.fleet.run import Run

PROMPT = "password for the hosts"
_PAIR = re.compile(r"""\s*([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^\s"'\[{]\S*|)(?:\s+|$)""")


@dataclass(frozen=True)
class Asked:
    """Which playbooks, for which hosts, with which variables."""

    playbooks: tuple[str, ...]
    limit: str | None = None
    tags: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    vms: tuple[str, ...] | None = None

    @property
    def covers(self) -> tuple[str, ...]:
        """The playbooks of which everything is looked at, on whichever hosts."""
        return () if self.tags or self.vms is not None else self.playbooks

    @classmethod
    def of(
        cls,
        playbooks: Sequence[str],
        limit: str | None,
        tags: Sequence[str] | None,
        extra: Sequence[str] | None,
        vms: Sequence[str] | None = None,
    ) -> Asked:
        named = None if vms is None else tuple(name for one in vms for name in one.split(","))
        return cls(tuple(playbooks), limit, tuple(tags or ()), tuple(extra or ()), named)


def prepared(settings: Settings, asked: Asked, *, ask: Ask | None = None) -> Prepared:
    """The hosts and what is wished of them. Raises ConfigError; warnings are printed. `ask`: how secrets of templates
    are had; else each is asked for once."""
    for run in settings.runs:
        run.playbooks = tuple(asked.playbooks)
        run.begun()
    _check_playbooks(asked.playbooks)
    secrets = Secrets(settings.redactor.learn)
    inventory, playbooks, wrong, unread = _with_faults(settings, asked.playbooks)
    variables = NOTHING
    try:
        variables = extra_variables(asked.extra, settings.vault)
    except RefusedError:
        raise
    except ConfigError as error:
        wrong, unread = [*wrong, *error.problems], unread | Unread(variables=True)
    found = prepare(
        inventory,
        playbooks,
        wrong=wrong,
        unread=unread,
        limit=asked.limit,
        tags=asked.tags,
        vms=asked.vms,
        variables=variables,
        learn=settings.redactor.learn,
        vault=settings.vault,
        ask=ask or secrets.of,
        passwords=settings.elsewhere is None,
    )
    warn(settings, found.warnings)
    found = replace(found, work=tuple(replace(w, desired=dated(w.desired, today(settings))) for w in found.work))
    found = with_password(settings, replace(found, secrets=secrets))
    for one in found.work:
        _learned(settings, one)
    return found


def today(settings: Settings) -> date:
    """In the zone of the control node."""
    return settings.now().astimezone().date()


def _with_faults(
    settings: Settings, playbooks: Sequence[str]
) -> tuple[Inventory, Sequence[str], list[Diagnostic], Unread]:
    """What there is of the inventory, the playbooks that are there, what is wrong, and what could not be read."""
    gone = missing(playbooks)
    there = [p for p in playbooks if p not in gone] if len(gone) < len(playbooks) else playbooks
    wrong = [not_there(p) for p in gone] if there != playbooks else []
    try:
        return inventory_of(settings, there), there, wrong, Unread()
    except PartlyLoadedError as error:
        return error.inventory, there, [*wrong, *error.problems], error.unread
    except RefusedError:
        raise
    except ConfigError as error:
        there = [p for p in there if p not in gone]
        return Inventory({}, {}), there, [*wrong, *error.problems], Unread(hosts=True, variables=True)


def inventory_of(settings: Settings, playbooks: Sequence[str] = ()) -> Inventory:
    """The sources that were named, or one that lies near. Raises ConfigError."""
    sources = find_inventory(settings.inventory, playbooks)
    return Inventory.load(sources, settings.vault, scripts=settings.inventory_scripts)


def warn(settings: Settings, warnings: Iterable[Diagnostic]) -> None:
    for line in problem_lines(warnings):
        settings.err.print(line, soft_wrap=True)


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


def extra_variables(given: Sequence[str], vault: Vault | None = None) -> Overlay:
    """Faults name the place and never the text: a variable may be a secret."""
    found = NOTHING
    for number, item in enumerate(given, 1):
        place = f"--extra-vars, {number}."
        if item.startswith("@"):
            document = (vault or Vault()).load(item[1:])[0]
        elif item.lstrip().startswith("{"):
            document = load_text(item, place)
        elif "=" in item:
            document = load_text("{}", place)
            document = replace(document, data={n: _given(v, load_text(v, place).data) for n, v in _pairs(item)})
        else:
            raise ConfigError([Diagnostic(None, f"{place} is no variable", "write name=value or @file")])
        if not isinstance(document.data, dict):
            at = document.mark(()) if item.startswith("@") else None
            raise ConfigError(
                [Diagnostic(at, f"{document.file} is no mapping of variables", "write `name: value` lines")]
            )
        found = found.under(Overlay(document.data, {str(n): document.mark((n,)) for n in document.data}))
    return found


def _pairs(item: str) -> Iterator[tuple[str, str]]:
    """One variable, or several with spaces between (`a=1 b='two words'`), as Ansible takes them."""
    found = list(_PAIR.finditer(item))
    if "".join(m[0] for m in found) == item and len(found) > 1:
        yield from ((m[1], m[2]) for m in found)
    else:
        name, _, value = item.partition("=")
        yield name.strip(), value


def _given(text: str, field: Any) -> Any:
    """name=value is text in expressions, as in Ansible, and a number or a boolean for a field that wants one."""
    if isinstance(field, dict | list | SecretSource):
        return field
    return Given.of(field if isinstance(field, str) and text[:1] in "\"'" else text, field)


def allowed(words: Sequence[str] | None) -> frozenset[Impact]:
    found = [w.strip() for word in words or () for w in word.split(",") if w.strip()]
    for word in found:
        if word not in IMPACTS[1:]:
            raise ConfigError([Diagnostic(None, f"--allow {word}: unknown", f"one of {', '.join(IMPACTS[1:])}")])
    return frozenset(i for i in IMPACTS if i in found)


def one_host(settings: Settings, name: str, playbooks: Sequence[str] = (), extra: Sequence[str] = ()) -> Prepared:
    """One host, with what playbooks wish of it; its warnings are printed. Raises ConfigError."""
    _check_playbooks(playbooks)
    inventory = inventory_of(settings, playbooks)
    host = _one(inventory, name)
    if playbooks:
        found = prepared(settings, Asked.of(playbooks, host.name, (), extra))
        if found.work:
            return found
    work = work_of(settings, inventory, host, Index(), extra_variables(extra, settings.vault))
    warn(settings, dict.fromkeys((*inventory.warnings, *work.connection.warnings)))
    return Prepared((work,))


def _one(inventory: Inventory, name: str) -> Host:
    found = inventory.select(name)
    if len(found) != 1:
        raise ConfigError(
            [Diagnostic(None, f"{quoted(name)} names {len(found)} hosts", "name one host of the inventory")]
        )
    return found[0]


def work_of(settings: Settings, inventory: Inventory, host: Host, desired: Index, over: Overlay = NOTHING) -> HostWork:
    """Raises ConfigError."""
    work = HostWork(host, inventory.connection(host, over), desired)
    return _learned(settings, with_password(settings, Prepared((work,))).work[0])


def run_of(settings: Settings, prepared: Prepared, allow: frozenset[Impact]) -> Run:
    """With every password that is needed, asked for here, where Ctrl-C ends it and the terminal is put right again.
    Raises ConfigError if no host is left that can be contacted."""
    from hvctl.fleet.run import Run

    if settings.elsewhere is not None:
        work: Sequence[HostWork] = by_reference(prepared.work, settings.vault)
        connect: Connect = settings.elsewhere.of(settings).connect
    else:
        secrets = prepared.secrets or Secrets(settings.redactor.learn)
        work, connect = with_passwords(prepared.work, secrets), settings.connect
    forks = settings.forks if settings.forks_said else None
    return Run(
        work,
        connect,
        allow,
        settings.out,
        settings.err,
        forks=forks if settings.elsewhere is None else at_a_time(forks, settings.elsewhere),
        processes=settings.processes if settings.elsewhere is None else 1,
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
        raise ConfigError(Diagnostic(None, f"{file} is a plan file, not a playbook", hint) for file in plans)
