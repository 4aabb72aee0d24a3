"""dask.distributed: the scheduler that hands tasks to workers on other machines, and its Executor.

Its tasks run at least once (operations 8, measured): a worker that is lost has its tasks run again. So it only reads."""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hvctl.fleet.elsewhere import Elsewhere
from hvctl.fleet.worker import TOPIC
from hvctl.text.diagnostic import ConfigError, Diagnostic
from hvctl.text.extras import need
from hvctl.text.visible import quoted

CONNECT_S = 10
WORKERLESS_S = 30
"""For so long a run waits when no worker is left: one that is started anew comes back meanwhile."""
SILENT_S = 30
"""For so long a scheduler may say nothing: its machine may be busy. dask waits for ever as long as the connection stands."""
_POLL_S = 2
_SAME = ("distributed", "cloudpickle", "msgpack")
"""Packages that must be the same at all ends, beside hvctl and Python's minor version (operations 8)."""


@dataclass(frozen=True)
class Scheduler:
    """Where it is, and the PEM files by which both sides know each other; None: as dask's own configuration has it."""

    address: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def problems(self) -> Iterator[Diagnostic]:
        """What is wrong with it without dask."""
        try:
            parts = urlsplit(self.address)
            host, port = parts.hostname, parts.port
        except ValueError:
            parts, host, port = urlsplit(""), None, None
        if parts.scheme not in ("tls", "tcp") or not host or not port or parts.path:
            text = f"--scheduler {quoted(self.address)} is not the address of a scheduler"
            yield Diagnostic(None, text, "write tls://HOST:PORT; 8786 is dask's usual port")
            return
        given = {"--tls-ca": self.ca, "--tls-cert": self.cert, "--tls-key": self.key}
        if parts.scheme == "tcp" and not _loopback(host):
            text = f"--scheduler {self.address} is neither encrypted nor authenticated"
            yield Diagnostic(None, text, "use tls://; tcp:// is taken for loopback only")
        if parts.scheme == "tcp" and any(given.values()):
            yield Diagnostic(None, "certificates have no effect with tcp://", "use tls://, or leave them out")
        for option, file in given.items():
            if file is not None and not Path(file).expanduser().is_file():
                yield Diagnostic(None, f"{option} {file}: there is no such file", "name a PEM file")

    @property
    def encrypted(self) -> bool:
        return self.address.startswith("tls://")


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Joined:
    """The connection to a scheduler, and the workers behind it. Raises ConfigError where they cannot be worked with."""

    def __init__(self, scheduler: Scheduler, say: Callable[[str], None]) -> None:
        need("dask", "--executor dask")
        self.scheduler = scheduler
        self._lost = ""
        self._answered = time.monotonic()
        """When the scheduler said last who is there."""
        self._told: Mapping[str, Any] = {}
        self._closed = threading.Event()
        self._seen: dict[str, float] = {}
        """When each worker was there last, by its name, and under "" any."""
        self._begun: list[Elsewhere] = []
        self._client = _client(scheduler)
        try:
            self.threads = _compared(self._client)
            self._look()
        except BaseException:
            self.close()
            raise
        self._say = say
        self._client.subscribe_topic(TOPIC, self._heard)
        # What asks for a host must not wait for the scheduler's answer, which may never come.
        threading.Thread(target=self._watch, name="scheduler", daemon=True).start()

    def elsewhere(self, holds: Callable[[str], bool]) -> Elsewhere:
        """For one run."""
        found = Elsewhere(self._executor, holds, self.trouble, self._say)
        self._begun = [found]
        return found

    def _executor(self, worker: str) -> Executor:
        """Tasks whose worker is lost are run again by dask itself."""
        # pure: equal calls would be one task.
        place = {"workers": [worker], "allow_other_workers": False} if worker else {}
        found: Executor = self._client.get_executor(pure=False, **place)
        return found

    def trouble(self, worker: str = "") -> str:
        """Why nothing is to be expected of a worker any more, or of any, "" if all is well. A scheduler that was lost stays
        so: it knows nothing of the tasks of before."""
        if self._lost:
            return self._lost
        if self._client.status != "running":
            self._lost = f"the scheduler {self.scheduler.address} was lost"
            return self._lost
        now = time.monotonic()
        if now - self._answered > SILENT_S:
            self._lost = f"the scheduler {self.scheduler.address} does not answer"
            return self._lost
        if worker not in self._seen:
            return f"{self.scheduler.address} has no worker {worker}, which hvctl_worker names"
        if now - self._seen[worker] > WORKERLESS_S:
            return f"worker {worker} is gone" if worker else f"no worker of {self.scheduler.address} is left"
        return ""

    def close(self) -> None:
        self._closed.set()
        _quietly(lambda: self._client.close(timeout=2))

    def _watch(self) -> None:
        while not self._closed.wait(_POLL_S):
            self._look()

    def _look(self) -> None:
        """Which workers are there. Waits for the scheduler."""
        try:
            # All of them: some releases of dask tell five unless they are asked for more.
            info = self._client.scheduler_info(n_workers=-1)
            names = [str(one["name"]) for one in info["workers"].values()]  # which are not told of one that is lost
        except Exception:
            return  # the next look at its status says more
        if info is self._told:
            return  # dask hands out what it knew before where there was no answer
        self._told = info
        now = self._answered = time.monotonic()
        self._seen |= dict.fromkeys([*names, *("" for _ in names[:1])], now)

    def _heard(self, event: tuple[float, Mapping[str, str]]) -> None:
        told = event[1]
        for one in self._begun:
            one.begun(told["id"], told["host"], told["by"])


def _client(scheduler: Scheduler) -> Any:
    import distributed  # noqa: PLC0415 - a second, and only for who asks for it

    # What goes wrong is said by hvctl. dask gives several of its loggers a level of their own.
    named = (
        name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("distributed", "tornado", "asyncio")
    )
    for name in (*named, "asyncio", "tornado"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    security = None
    if scheduler.encrypted:
        given = {"tls_ca_file": scheduler.ca, "tls_client_cert": scheduler.cert, "tls_client_key": scheduler.key}
        files = {name: str(Path(file).expanduser()) for name, file in given.items() if file is not None}
        security = distributed.Security(require_encryption=True, **files)
        if not security.tls_ca_file or not security.tls_client_cert:
            hint = "give --tls-ca, --tls-cert and --tls-key, or set distributed.comm.tls in dask's configuration"
            raise ConfigError([Diagnostic(None, f"{scheduler.address} needs certificates", hint)])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return distributed.Client(
                scheduler.address, timeout=CONNECT_S, security=security, set_as_default=False, name="hvctl"
            )
    except Exception as error:
        causes = (error.__cause__, error)  # a cause may have no words of its own: a time-out has none
        why = next((line for one in causes for line in str(one or "").splitlines()), type(error).__name__)
        hint = f"is it running there{', and are the certificates of its authority' * scheduler.encrypted}?"
        text = f"the scheduler {scheduler.address} is not reached: {why}"
        raise ConfigError([Diagnostic(None, text, hint)]) from error


def _compared(client: Any) -> int:
    """The threads of all workers. Raises ConfigError where there is none, or one of other versions."""
    found = client.get_versions(packages=["hvctl"])
    ends = {"the scheduler": found["scheduler"], **{f"worker {name}": one for name, one in found["workers"].items()}}
    if not found["workers"]:
        hint = "start some: dask worker tls://HOST:PORT --nthreads 16"
        raise ConfigError([Diagnostic(None, "the scheduler has no workers", hint)])
    own = _own_versions(found["client"]["packages"])
    problems = []
    for end, one in ends.items():
        theirs = _own_versions(one["packages"])
        if wrong := [n for n in own if theirs[n] != own[n]]:
            told = ", ".join(f"{name} {theirs[name] or 'not at all'} instead of {own[name]}" for name in wrong)
            text = f"{end} has {told}"
            problems.append(Diagnostic(None, text, "install the same versions everywhere"))
    if problems:
        raise ConfigError(problems)
    return sum(client.nthreads().values())


def _own_versions(packages: Mapping[str, str | None]) -> dict[str, str | None]:
    python = ".".join(str(packages.get("python")).split(".")[:2])
    return {"hvctl": packages.get("hvctl"), "Python": python, **{name: packages.get(name) for name in _SAME}}


def _quietly(act: Callable[[], object]) -> None:
    try:
        act()
    except Exception:
        return  # it is gone already
