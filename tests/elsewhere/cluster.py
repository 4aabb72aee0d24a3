"""A scheduler and workers of dask on loopback, each a process of its own, over TLS."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mocks.tls import Authority

ROOT = Path(__file__).parents[2]
SITES = ("site-a", "site-b", "site-c")
WAIT_S = 60


@dataclass
class Cluster:
    """`record`: every byte that reached the scheduler."""

    folder: Path
    authority: Authority
    environment: Mapping[str, str]
    scheme: str = "tls"
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as one:
            self.port = one.getsockname()[1]

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def record(self) -> bytes:
        return (self.folder / "record").read_bytes()

    @property
    def options(self) -> tuple[str, ...]:
        """Of hvctl."""
        ca, own = str(self.authority.ca), str(self.authority.server)
        tls = ("--tls-ca", ca, "--tls-cert", own, "--tls-key", own) if self.scheme == "tls" else ()
        return ("--executor", "dask", "--scheduler", self.address, *tls)

    def start(self, sites: Sequence[str] = SITES, paths: Mapping[str, Path] | None = None) -> None:
        """`paths`: by site, a folder that its modules are looked for in first."""
        recorder = str(Path(__file__).with_name("recorder.py"))
        self._run(
            "scheduler",
            "dask_scheduler",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--protocol",
            self.scheme,
            "--preload",
            recorder,
        )
        for site in sites:
            words = ("--no-nanny", "--nthreads", "4", "--name", site, "--local-directory", str(self.folder / site))
            self._run(site, "dask_worker", self.address, *words, first=(paths or {}).get(site))
        for site in sites:
            until(partial(self._registered, site), f"{site} is not there")

    def _registered(self, site: str) -> bool:
        return "Registered to" in self.log(site)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self) -> None:
        for one in self.processes.values():
            one.kill()
        for one in self.processes.values():
            one.wait()

    def _run(self, name: str, module: str, *words: str, first: Path | None = None) -> None:
        self.folder.mkdir(exist_ok=True)
        ca, own = str(self.authority.ca), str(self.authority.server)
        tls = ["--tls-ca-file", ca, "--tls-cert", own, "--tls-key", own] if self.scheme == "tls" else []
        paths = os.pathsep.join(str(p) for p in (first, ROOT) if p is not None)
        env = {**self.environment, "PYTHONPATH": paths, "RECORDED": str(self.folder / "record")}
        env |= {"XDG_STATE_HOME": str(self.folder / f"{name}-state")}
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *words, "--no-dashboard", *tls],
                env=env, stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip


@contextmanager
def running(cluster: Cluster, **more: Mapping[str, Path]) -> Iterator[Cluster]:
    try:
        cluster.start(**more)  # type: ignore[arg-type]
        yield cluster
    finally:
        cluster.stop()


def until(seen: Callable[[], object], otherwise: str) -> None:
    end = time.monotonic() + WAIT_S
    while not seen():
        assert time.monotonic() < end, otherwise
        time.sleep(0.1)
