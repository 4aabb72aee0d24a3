"""`--executor dask`: which verbs may be run by workers on other machines, and with what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from hvctl.text.diagnostic import ConfigError, Diagnostic, Mark

if TYPE_CHECKING:
    from hvctl.cli.options import Settings
    from hvctl.config.prepare import HostWork
    from hvctl.config.vault import Vault
    from hvctl.fleet.elsewhere import Elsewhere
    from hvctl.fleet.scheduler import Joined, Scheduler

Executor = Literal["threads", "dask"]
READING = ("plan", "drift", "facts", "record", "doctor", "metering", "import")
CHANGING = ("metering --reset", "apply", "export", "cluster", "replica")
TWICE = "dask runs a task at least once, and again when its worker is lost: a change must be made at most once"
FORKS = 16, 256
"""Hosts at a time where nothing is said, and the most."""


def refused(verb: str) -> Diagnostic:
    """Why a verb is not run elsewhere."""
    reads = f"it is for {', '.join(READING)}"
    if verb in CHANGING:
        hint = f"leave out --executor ({reads}); applies from several machines meet at the locks of the hosts"
        return Diagnostic(None, f"{verb} changes hosts, and --executor dask only reads them: {TWICE}", hint)
    return Diagnostic(None, f"--executor has no effect with {verb}", f"leave it out; {reads}")


@dataclass
class Afar:
    """What was asked for; connected to when the first hosts are read, and again when it was lost."""

    scheduler: Scheduler
    _joined: Joined | None = None
    _threads: int = field(default=0)

    def of(self, settings: Settings) -> Elsewhere:
        """For one run. Raises ConfigError."""
        from hvctl.fleet.scheduler import Joined

        if self._joined is not None and self._joined.trouble():
            self.close()
        if self._joined is None:
            self._joined = Joined(self.scheduler, lambda text: settings.err.print(text, soft_wrap=True))
        return self._joined.elsewhere(settings.redactor.holds)

    @property
    def threads(self) -> int:
        """Of all workers together."""
        return 0 if self._joined is None else self._joined.threads

    def close(self) -> None:
        joined, self._joined = self._joined, None
        if joined is not None:
            joined.close()


def afar(
    verb: str,
    executor: Executor,
    scheduler: str | None,
    ca: str | None,
    cert: str | None,
    key: str | None,
) -> Afar | None:
    """Raises ConfigError."""
    if executor == "threads":
        given = {"--scheduler": scheduler, "--tls-ca": ca, "--tls-cert": cert, "--tls-key": key}
        if said := [name for name, value in given.items() if value is not None]:
            text = f"{', '.join(said)} {'has' if len(said) == 1 else 'have'} no effect without --executor dask"
            raise ConfigError([Diagnostic(None, text, "say --executor dask too")])
        return None
    if verb not in READING:
        raise ConfigError([refused(verb)])
    if scheduler is None:
        raise ConfigError([Diagnostic(None, "--executor dask needs a scheduler", "say --scheduler tls://HOST:8786")])
    from hvctl.fleet.scheduler import Scheduler
    from hvctl.text.extras import need

    wanted = Scheduler(scheduler, ca, cert, key)
    if problems := [*wanted.problems()]:
        raise ConfigError(problems)
    need("dask", "--executor dask")
    return Afar(wanted)


def by_reference(work: Iterable[HostWork], vault: Vault) -> tuple[HostWork, ...]:
    """With passwords as the words by which a worker gets them. One that is known only here is its host's own trouble.
    Raises ConfigError if no host is left."""
    found = tuple(referring(one, vault) for one in work)
    if found and all(one.wrong for one in found):
        raise ConfigError(dict.fromkeys(_told_once(found)))
    return found


def _told_once(work: Iterable[HostWork]) -> Iterator[Diagnostic]:
    """What is wrong, of passwords that are written at one place once for all their hosts."""
    from hvctl.fleet.errand import unsent

    alike: dict[tuple[Mark | None, str], list[HostWork]] = {}
    for one in work:
        for problem in one.wrong:
            if problem == unsent(one.connection, problem.mark):
                alike.setdefault((problem.mark, problem.hint), []).append(one)
            else:
                yield problem
    for (mark, _), (first, *others) in alike.items():
        if (told := unsent(first.connection, mark, [one.name for one in others])) is not None:
            yield told


def referring(one: HostWork, vault: Vault) -> HostWork:
    """One of them."""
    from hvctl.call import Secret
    from hvctl.config.connection import PASSWORDS
    from hvctl.fleet.errand import unsent
    from hvctl.text.source import SecretSource

    marks = one.host.marks
    mark = next((marks[name] for name in PASSWORDS if name in marks), None)
    password = one.connection.password
    if isinstance(password, Secret) and (sealed := vault.sealed(password)) is not None:
        # As it came: a worker that has the vault's password opens it.
        source = SecretSource("vault", (sealed,), mark or Mark("", 1, 1))
        return replace(one, connection=replace(one.connection, password=source))
    problem = unsent(one.connection, mark)
    return one if problem is None else replace(one, wrong=(*one.wrong, problem))


def at_a_time(forks: int | None, elsewhere: Afar | None) -> int:
    """What was said, or as many as the workers have threads for."""
    least, most = FORKS
    if forks is not None:
        return forks
    return least if elsewhere is None else min(most, max(least, elsewhere.threads))
