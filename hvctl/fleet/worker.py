"""What a worker does: one host, read. It gets the password itself, where it runs; nothing that it says holds it."""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from hvctl.call import Secret, TransportError, defect
from hvctl.config.connection import Connection
from hvctl.config.secrets import SecretError, Secrets
from hvctl.config.vault import PasswordFile, Vault
from hvctl.fleet.connect import Wire, real_connect
from hvctl.fleet.errand import Answer, Errand, Versions, versions_of
from hvctl.redaction.redact import Redactor
from hvctl.text.diagnostic import ConfigError
from hvctl.text.source import SecretSource
from hvctl.text.state import state_folder
from hvctl.winrm.connection import CredentialGuard
from hvctl.winrm.leftovers import OpenShells

TOPIC = "hvctl-begun"
VAULT = "HVCTL_VAULT_PASSWORD_FILE"
_RUNS_KEPT = 4


@dataclass
class Kept:
    """By a worker, for the hosts of one run: what was resolved is resolved once, and a password that one host refused is
    tried on no other."""

    guard: CredentialGuard = field(default_factory=CredentialGuard)
    redactor: Redactor = field(default_factory=Redactor)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._secrets = Secrets(self.redactor.learn)
        files = tuple(PasswordFile(name) for name in os.environ.get(VAULT, "").split(os.pathsep) if name)
        self._vault = Vault(files, self.redactor.learn)

    def resolved(self, connection: Connection) -> Connection:
        """With its password. Raises TransportError."""
        if connection.password is None:
            return connection
        try:
            with self._lock:
                source = connection.password
                if isinstance(source, SecretSource) and source.kind == "vault":
                    opened = self._vault.value(source)
                    source = Secret(str(opened)) if isinstance(opened, str) else source
                return replace(connection, password=self._secrets.of(source))
        except SecretError as error:
            raise TransportError(f"where the worker runs, {error.problem.message}", hint=error.problem.hint) from error
        except ConfigError as error:
            raise TransportError(f"where the worker runs, {error.problems[0].message}") from error


_kept: OrderedDict[str, Kept] = OrderedDict()
_lock = threading.Lock()


def kept(run: str) -> Kept:
    with _lock:
        found = _kept.setdefault(run, Kept())
        _kept.move_to_end(run)
        while len(_kept) > _RUNS_KEPT:
            _kept.popitem(last=False)
        return found


@cache
def _shells() -> OpenShells:
    return OpenShells(state_folder())


def carried_out(text: str) -> str:
    """The task: an errand's text → an answer's. Never raises: exceptions would travel as pickles."""
    return attended(text, _read)


def attended(text: str, act: Callable[[Errand, Kept], Answer]) -> str:
    """What an answer needs beside what it is about: versions, who asked, and that no secret is in it."""
    name = _name()
    here, theirs = Versions.here(), versions_of(text)
    if here != theirs:
        hint = "install the same versions everywhere"
        refused = TransportError(f"worker {name} has {here}, and what sent it the task {theirs}", hint=hint)
        return Answer(error=refused, worker=name).masked(Redactor())
    errand = Errand.read(text)
    own = kept(errand.run)
    _tell({"id": errand.id, "host": errand.connection.name, "by": name})
    try:
        answer = act(errand, own)
    except TransportError as error:
        answer = Answer(error=error)
    except Exception as error:
        answer = Answer(error=defect(error))
    return replace(answer, worker=name).masked(own.redactor)


def _read(errand: Errand, own: Kept) -> Answer:
    if errand.batch is not None and errand.batch.mode != "read":
        raise TransportError("a worker changes nothing: it may be told to do the same thing twice")
    connection = own.resolved(errand.connection)
    transport = real_connect(connection, Wire(own.guard, shells=_shells(), learn=own.redactor.learn))
    try:
        replies = transport.run(errand.batch) if errand.batch is not None else []
        return Answer(tuple(replies), transport.info(), requests=transport.requests)
    except TransportError as error:
        return Answer(error=error, requests=transport.requests)
    finally:
        with suppress(Exception):
            transport.close()


def _worker() -> Any:
    """dask's, if this is one."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.get_worker()
    except ValueError:
        return None


def _name() -> str:
    worker = _worker()
    return "" if worker is None else str(worker.name)


def _tell(event: dict[str, str]) -> None:
    """Whoever waits for it hears of a task that is begun a second time."""
    if (worker := _worker()) is not None:
        worker.log_event(TOPIC, event)
