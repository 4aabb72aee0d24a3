"""`python -m mocks`: simulated hosts on loopback around any command; changing them by hand; the benchmark."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

from hvctl.text.duration import seconds
from mocks.bench import bench
from mocks.catalogue import CATALOGUE, GROUPS, Fault, arm, fault_named
from mocks.clock import Clock, RunningClock
from mocks.failures import NAMED
from mocks.fleet import write_fleet
from mocks.host import SimulatedHost
from mocks.json_schema import json_schema
from mocks.lab import NotServedError, inventory_of, read_lab
from mocks.overview import look
from mocks.serve import PASSWORD, USER, invoke, let_pass, link, power, served
from mocks.wsman import Endpoint

HOSTS = Path(__file__).parent / "hosts"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m mocks", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="start the hosts of an inventory, run a command, forget everything")
    run.add_argument("--hosts", type=Path, metavar="FOLDER", help="starting states of your own: FOLDER/NAME.yaml")
    run.add_argument(
        "--inventory",
        type=Path,
        help="whose loopback ports are served; otherwise FOLDER/inventory.yml, else playbooks/inventory.yml",
    )
    pace = run.add_mutually_exclusive_group()
    pace.add_argument(
        "--speed", type=float, default=60.0, help="simulated seconds per real one, which pass only while hosts work"
    )
    pace.add_argument(
        "--time", type=_rate, metavar="RATE", help="time passes by itself, so fast: 60x is a minute in each second"
    )
    run.add_argument("--fault", action="append", default=[], metavar="NAME[:KEY=VALUE,…]", help="what goes wrong")
    run.add_argument(
        "--calls", type=Path, metavar="FILE", help="write the calls that reached the hosts, a line of JSON each"
    )
    run.add_argument("--seed", type=int, default=0, help="of the faults that come by chance")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    call = verbs.add_parser("invoke", help="run a cmdlet on a running simulated host, as somebody else would")
    call.add_argument("host")
    call.add_argument("cmdlet")
    call.add_argument("parameters", nargs="*", metavar="NAME=VALUE")
    skip = verbs.add_parser("pass", help="let time pass on all running simulated hosts, at once")
    skip.add_argument("span", type=_span, metavar="SPAN", help="like 90s, 12h or 10d")
    power_of = verbs.add_parser("power", help="take the power of a running simulated host, or give it back")
    power_of.add_argument("host")
    power_of.add_argument("word", choices=["off", "on"])
    link_of = verbs.add_parser(
        "link", help="take the connection of a simulated host's network adapter, or give it back"
    )
    link_of.add_argument("host")
    link_of.add_argument("adapter")
    link_of.add_argument("word", choices=["down", "up"])
    overview = verbs.add_parser("overview", help="print the counters of a dashboard, and say which are not as expected")
    overview.add_argument("page", metavar="URL")
    overview.add_argument("expected", nargs="*", metavar="STATE=N")
    verbs.add_parser("faults", help="list what can go wrong")
    verbs.add_parser("schema", help="print the format of a starting state, as a JSON Schema")
    many = verbs.add_parser("fleet", help="write starting states and an inventory of many hosts, for run --hosts")
    many.add_argument("folder", type=Path)
    many.add_argument("--count", type=int, default=300)
    many.add_argument("--away", type=int, default=2, help="so many of them are in the inventory alone")
    measure = verbs.add_parser("bench", help="what plans cost, beside the same job done naively")
    measure.add_argument("--quick", action="store_true", help="few hosts, for trying it out")
    args = parser.parse_args(argv)
    if args.verb == "run":
        try:
            faults = [fault_named(text) for text in args.fault]
        except ValueError as error:
            parser.error(str(error))
        if args.command[:1] == ["--"]:
            args.command = args.command[1:]
        return _run(args, faults)
    if args.verb == "faults":
        return _list_faults()
    if args.verb == "schema":
        print(json.dumps(json_schema(), indent=2))
        return 0
    if args.verb == "overview":
        return look(args.page, {name: int(n) for name, _, n in (one.partition("=") for one in args.expected)})
    if args.verb == "invoke":
        return invoke(args.host, args.cmdlet, args.parameters)
    if args.verb == "power":
        return power(args.host, args.word)
    if args.verb == "link":
        return link(args.host, args.adapter, args.word)
    if args.verb == "fleet":
        write_fleet(args.folder, args.count, args.away)
        return 0
    if args.verb == "pass":
        return let_pass(args.span)
    return bench(quick=args.quick)


# --- run -----------------------------------------------------------------------------------------------------------


def _rate(text: str) -> float:
    """`60x`, `0.5x`, `60`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)x?", text.strip())
    if not found or float(found[1]) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 60x")
    return float(found[1])


def _span(text: str) -> int:
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _run(args: argparse.Namespace, faults: Sequence[Fault]) -> int:
    """The hosts that have a starting state are served at their ports of the inventory; the others refuse.
    Faults befall each of them; what struck is told at the end."""
    folder = args.hosts or HOSTS
    inventory = args.inventory or (args.hosts and inventory_of(args.hosts)) or Path("playbooks/inventory.yml")
    try:
        if not folder.is_dir():
            raise NotServedError(f"{folder} is not a folder")
        lab = read_lab(folder, inventory, lambda: _clock(args))
    except NotServedError as error:
        print(error, file=sys.stderr)
        return 1
    for line in (*lab.refused, *(lab.absent if args.hosts else ())):  # the lab's own inventory has one on purpose
        print(line, file=sys.stderr)
    if args.hosts and not lab.served:
        print(f"No host of {folder} can be served.", file=sys.stderr)
        return 1
    endpoints = [
        Endpoint(host, {USER: PASSWORD}, port=port, scheme="https",
                 profile="2012r2" if host.os.startswith("2012") else "2016+", seed=args.seed)
        for host, port in lab.served.values()
    ]  # fmt: skip
    for endpoint in endpoints:
        arm(endpoint, faults)
    hosts = {name: host for name, (host, _) in lab.served.items()}
    try:
        return served(endpoints, hosts, args.command or ["sh"])
    except FileNotFoundError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 127
    except OSError as error:
        print(f"A port of {inventory} is taken ({error.strerror}): is another `mocks run` open?", file=sys.stderr)
        return 1
    finally:
        for name, endpoint in zip(hosts, endpoints, strict=True):
            for event in (*endpoint.faults.events, *endpoint.simulated.failures.events):
                print(f"{name}: {event}", file=sys.stderr)
        if args.calls:
            _write_calls(args.calls, hosts)


def _clock(args: argparse.Namespace) -> Clock:
    return RunningClock(args.time) if args.time else Clock(1 / args.speed if args.speed else 0.0)


def _write_calls(file: Path, hosts: Mapping[str, SimulatedHost]) -> None:
    lines = (
        {
            "host": name,
            "cmdlet": call.cmdlet,
            "params": call.params,
            "objects": call.objects,
            "errors": list(call.errors),
        }
        for name, host in hosts.items()
        for call in host.log
    )
    file.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


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


if __name__ == "__main__":
    sys.exit(main())
