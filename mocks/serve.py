"""Simulated hosts on loopback around a command, and changing them by hand meanwhile."""

from __future__ import annotations

import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from mocks.clock import RunningClock
from mocks.host import SimulatedHost
from mocks.tls import make_authority
from mocks.wsman import Endpoint, Server

CA = Path("build/lab")
USER, PASSWORD = "hvadmin", "Pa55-ラボ"
CONTROL = "HVCTL_SIMULATED_CONTROL"


def served(endpoints: Sequence[Endpoint], hosts: Mapping[str, SimulatedHost], command: Sequence[str]) -> int:
    """Hosts on loopback while a command runs: its exit status. Raises OSError where a port is taken."""
    with ExitStack() as stack:
        server = stack.enter_context(Server(endpoints, make_authority(CA)))
        for clock in {host.clock.whole for host in hosts.values()}:
            if isinstance(clock, RunningClock):
                stack.enter_context(clock.running())
        control = stack.enter_context(_control(hosts, server))
        env = {
            **os.environ,
            "HVCTL_LAB_PASSWORD": PASSWORD,
            CONTROL: control,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        process = subprocess.Popen(command, env=env)
        # Ctrl-C belongs to the command: it decides what to finish.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            return process.wait()
        finally:
            signal.signal(signal.SIGINT, before)


# --- changing a running host by hand -------------------------------------------------------------------------------


@contextmanager
def _control(hosts: Mapping[str, SimulatedHost], server: Server) -> Any:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = json.loads(self.rfile.readline())
            host = hosts.get(asked.get("host"))
            if "seconds" in asked:
                for clock in {one.clock.whole for one in hosts.values()}:
                    clock.skip(asked["seconds"])
                said: dict[str, Any] = {"errors": []}
            elif host is None:
                said = {"errors": [f"no simulated host {asked['host']}; there are {', '.join(hosts)}"]}
            elif "power" in asked:
                said = {"errors": power_of(host, asked["power"], server)}
            elif "link" in asked:
                said = {"errors": link_of(host, asked["adapter"], asked["link"])}
            else:
                outcome = host.invoke(asked["cmdlet"], asked["params"], "Stop")
                host.clock.sleep(outcome.took)
                said = {"errors": [f"{e.message} [{e.id}]" for e in outcome.errors], "warnings": outcome.warnings}
            self.wfile.write(json.dumps(said).encode() + b"\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as control:
        threading.Thread(target=control.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{control.server_address[1]}"
        control.shutdown()


def power_of(host: SimulatedHost, word: str, server: Server) -> list[str]:
    if host.estate is None:
        return _cut(next(e for e in server.endpoints if e.simulated is host), word, server)
    name = host.estate.name_of(host)
    if word == "off":
        host.estate.lose(name)
    else:
        host.estate.bring_back(name)
    return []


def link_of(host: SimulatedHost, adapter: str, word: str) -> list[str]:
    names = [nic.name for nic in host.state.nics]
    if host.estate is None or adapter not in names:
        return [f"no network adapter {adapter} of a host of an estate; there are {', '.join(names)}"]
    change = host.estate.lose_link if word == "down" else host.estate.restore_link
    change(host.estate.name_of(host), adapter)
    return []


def _cut(endpoint: Endpoint, word: str, server: Server) -> list[str]:
    """Of a host that nobody but hvctl knows: connections to it are refused. What it runs stands still, as nobody asks it."""
    if word == "on":
        server.up(endpoint)
    elif not server.away(endpoint):
        endpoint.power(threading.TIMEOUT_MAX)
    return []


def invoke(host: str, cmdlet: str, parameters: Sequence[str]) -> int:
    params = {name: _value(text) for name, _, text in (p.partition("=") for p in parameters)}
    return max([_asked({"host": one, "cmdlet": cmdlet, "params": params}) for one in host.split(",")])


def _value(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text  # such as *.example.com


def let_pass(seconds: float) -> int:
    return _asked({"seconds": seconds})


def power(host: str, word: str) -> int:
    return max([_asked({"host": one, "power": word}) for one in host.split(",")])


def link(host: str, adapter: str, word: str) -> int:
    return max([_asked({"host": one, "adapter": adapter, "link": word}) for one in host.split(",")])


def _asked(question: Mapping[str, Any]) -> int:
    if CONTROL not in os.environ:
        print("No simulated hosts run here; this works within `python -m mocks run -- …`.", file=sys.stderr)
        return 1
    address, _, port = os.environ[CONTROL].rpartition(":")
    with socket.create_connection((address, int(port)), timeout=60) as connection:
        connection.sendall(json.dumps(question).encode() + b"\n")
        said = json.loads(connection.makefile().readline())
    for line in [*said.get("warnings", ()), *said["errors"]]:
        print(line, file=sys.stderr)
    return 1 if said["errors"] else 0
