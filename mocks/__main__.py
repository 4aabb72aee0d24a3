"""`python -m mocks`: simulated hosts on loopback around any command; changing them by hand; the benchmark."""

from __future__ import annotations

import argparse
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
from textwrap import fill
from typing import Any

import yaml

from mocks.bench import bench
from mocks.catalogue import CATALOGUE, GROUPS, Fault, arm, fault_named
from mocks.clock import Clock
from mocks.host import SimulatedHost
from mocks.failures import NAMED
from mocks.tls import make_authority
from mocks.wsman import Endpoint, Server

HOSTS = Path(__file__).parent / "hosts"
CA = Path("build/lab")
USER, PASSWORD = "hvadmin", "Pa55-ラボ"
CONTROL = "HVCTL_SIMULATED_CONTROL"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m mocks", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="start the hosts of an inventory, run a command, forget everything")
    run.add_argument("--inventory", default="playbooks/inventory.yml", help="whose loopback ports are served")
    run.add_argument("--speed", type=float, default=60.0, help="simulated seconds per real one")
    run.add_argument("--fault", action="append", default=[], metavar="NAME[:KEY=VALUE,…]", help="what goes wrong")
    run.add_argument("--seed", type=int, default=0, help="of the faults that come by chance")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    invoke = verbs.add_parser("invoke", help="run a cmdlet on a running simulated host, as somebody else would")
    invoke.add_argument("host")
    invoke.add_argument("cmdlet")
    invoke.add_argument("parameters", nargs="*", metavar="NAME=VALUE")
    verbs.add_parser("faults", help="list what can go wrong")
    measure = verbs.add_parser("bench", help="what plans cost, beside the same job done naively")
    measure.add_argument("--quick", action="store_true", help="few hosts, for trying it out")
    args = parser.parse_args(argv)
    if args.verb == "run":
        try:
            faults = [fault_named(text) for text in args.fault]
        except ValueError as error:
            parser.error(str(error))
        return _run(args.inventory, [w for w in args.command if w != "--"] or ["sh"], args.speed, faults, args.seed)
    if args.verb == "faults":
        return _list_faults()
    if args.verb == "invoke":
        return _invoke(args.host, args.cmdlet, args.parameters)
    return bench(quick=args.quick)


# --- run -----------------------------------------------------------------------------------------------------------


def _run(inventory: str, command: list[str], speed: float, faults: Sequence[Fault] = (), seed: int = 0) -> int:
    """The hosts that have a starting state are served at their ports of the inventory; the others refuse.
    Faults befall each of them; what struck is told at the end."""
    authority = make_authority(CA)
    ports = _ports(inventory)
    hosts = {
        name: SimulatedHost.from_yaml(HOSTS / f"{name}.yaml", Clock(1 / speed if speed else 0.0))
        for name in ports
        if (HOSTS / f"{name}.yaml").exists()
    }
    endpoints = [
        Endpoint(host, {USER: PASSWORD}, port=ports[name], scheme="https",
                 profile="2012r2" if host.os.startswith("2012") else "2016+", seed=seed)
        for name, host in hosts.items()
    ]  # fmt: skip
    for endpoint in endpoints:
        arm(endpoint, faults)
    with ExitStack() as stack:
        try:
            stack.enter_context(Server(endpoints, authority))
        except OSError as error:
            print(f"A port of {inventory} is taken ({error.strerror}): is another `mocks run` open?", file=sys.stderr)
            return 1
        control = stack.enter_context(_control(hosts))
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
            for endpoint, name in zip(endpoints, hosts, strict=True):
                for event in (*endpoint.faults.events, *endpoint.simulated.failures.events):
                    print(f"{name}: {event}", file=sys.stderr)


def _list_faults() -> int:
    for number, title in GROUPS.items():
        print(f"{number:2}  {title}")
        for fault in CATALOGUE.values():
            if fault.group == number:
                keys = [f"{k}={v}" for k, v in fault.settings.items() if isinstance(v, int | float | str)]
                print(f"      {fault.name:20} {fault.says}" + (f"  ({', '.join(keys)})" if keys else ""))
    print(
        "\nKeys of those that strike requests: action, nth, times, phase, chance, code, encoding, seconds, amount, text."
    )
    print(_CMDLETS)
    print(fill(", ".join(sorted(NAMED)), 118, initial_indent="      ", subsequent_indent="      "))
    return 0


_CMDLETS = """
18  cmdlets that fail: any by its name, reads too, such as
      Set-VMProcessor
      Add-VMHardDiskDrive:of=data.vhdx,error=sharing
      Get-VHD:of=data.vhdx,error=in_use,times=always
      Stop-VM:seconds=300,error=Failed to stop.,id=OperationFailed,hresult=0x80070020
    Keys: nth (which call, counted from 1 on each host), times (in a row; `always`), chance, of (a text in a parameter: only
    calls that have it count), phase (before or after its effect), seconds (that pass until it fails), error (a name of the
    list below, or the text itself), id (how the FullyQualifiedErrorId begins, or the whole of it), category, hresult.
    Errors that have a name:"""


def _ports(inventory: str) -> dict[str, int]:
    """name -> port of every host that the inventory puts on loopback. Plain YAML is enough for the lab's."""

    class Tolerant(yaml.SafeLoader):
        pass

    Tolerant.add_multi_constructor("!", lambda loader, suffix, node: None)
    data = yaml.load(Path(inventory).read_text(encoding="utf-8"), Tolerant)
    found: dict[str, int] = {}

    def walk(group: Any) -> None:
        for name, variables in ((group or {}).get("hosts") or {}).items():
            if variables and variables.get("ansible_host") == "127.0.0.1":
                found[name] = int(variables["ansible_port"])
        for child in ((group or {}).get("children") or {}).values():
            walk(child)

    for group in (data or {}).values():
        walk(group)
    return found


# --- changing a running host by hand -------------------------------------------------------------------------------


@contextmanager
def _control(hosts: Mapping[str, SimulatedHost]) -> Any:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked = json.loads(self.rfile.readline())
            host = hosts.get(asked["host"])
            if host is None:
                said: dict[str, Any] = {"errors": [f"no simulated host {asked['host']}; there are {', '.join(hosts)}"]}
            else:
                outcome = host.invoke(asked["cmdlet"], asked["params"], "Stop")
                host.clock.sleep(outcome.took)
                said = {"errors": [f"{e.message} [{e.id}]" for e in outcome.errors], "warnings": outcome.warnings}
            self.wfile.write(json.dumps(said).encode() + b"\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def _invoke(host: str, cmdlet: str, parameters: Sequence[str]) -> int:
    if CONTROL not in os.environ:
        print("No simulated hosts run here; this works within `python -m mocks run -- …`.", file=sys.stderr)
        return 1
    address, _, port = os.environ[CONTROL].rpartition(":")
    params = {name: yaml.safe_load(value) for name, _, value in (p.partition("=") for p in parameters)}
    with socket.create_connection((address, int(port)), timeout=60) as connection:
        connection.sendall(json.dumps({"host": host, "cmdlet": cmdlet, "params": params}).encode() + b"\n")
        said = json.loads(connection.makefile().readline())
    for line in [*said.get("warnings", ()), *said["errors"]]:
        print(line, file=sys.stderr)
    return 1 if said["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
