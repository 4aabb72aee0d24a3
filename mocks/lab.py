"""The hosts of a folder: which of them are served, at which ports of an inventory, and why the others are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mocks.clock import Clock
from mocks.estate import Estate
from mocks.host import SimulatedHost

INVENTORIES = ("inventory.yml", "inventory.yaml")
ESTATE = "estate.yaml"
"""Beside the hosts of a folder: that they know each other, and what they share (mocks/estate.py)."""
LOOPBACK = "127.0.0.1"


class NotServedError(ValueError):
    """Where, and why."""


@dataclass(frozen=True)
class Lab:
    """`served`: name -> host and port. `refused`: a line each of what cannot be served; `absent`: of hosts of the inventory
    that have no file."""

    served: dict[str, tuple[SimulatedHost, int]]
    refused: tuple[str, ...]
    absent: tuple[str, ...]


def inventory_of(folder: Path) -> Path | None:
    """A folder of hosts may hold the inventory that says where they are served."""
    return next((folder / name for name in INVENTORIES if (folder / name).is_file()), None)


def read_lab(folder: Path, inventory: Path, clock: Callable[[], Clock]) -> Lab:
    """A file FOLDER/NAME.yaml is the starting state of the inventory's host NAME."""
    served: dict[str, tuple[SimulatedHost, int]] = {}
    refused: list[str] = []
    places = dict(_places(_yaml(inventory)))
    taken: dict[int, str] = {}
    besides = {*INVENTORIES, ESTATE}
    whole = clock() if (folder / ESTATE).is_file() else None
    for file in sorted(f for f in folder.iterdir() if f.suffix in (".yaml", ".yml") and f.name not in besides):
        try:
            port = _port(places, file.stem, inventory)
            if port in taken:
                raise NotServedError(f"{inventory}: port {port} is that of {taken[port]} already")
            served[file.stem] = (_host(file, whole.own() if whole else clock()), port)
            taken[port] = file.stem
        except NotServedError as error:
            refused.append(f"{file.stem} is not served: {error}")
    if whole is not None:
        _know_each_other(folder / ESTATE, {name: host for name, (host, _) in served.items()}, whole)
    missing = (name for name in places if not any((folder / f"{name}{s}").exists() for s in (".yaml", ".yml")))
    absent = tuple(f"{name} is not served: there is no {folder / name}.yaml" for name in missing)
    return Lab(served, tuple(refused), absent)


def _know_each_other(file: Path, hosts: dict[str, SimulatedHost], clock: Clock) -> None:
    data = _yaml(file)
    try:
        if not isinstance(data, dict | None):
            raise ValueError(f"expected keys and values, not {data!r:.60}")
        Estate(hosts, clock, data or {})
    except (TypeError, ValueError) as error:
        raise NotServedError(f"{file}: {error}") from error


def _host(file: Path, clock: Clock) -> SimulatedHost:
    data = _yaml(file)
    try:
        if not isinstance(data, dict | None):
            raise ValueError(f"expected keys and values, not {data!r:.60}")
        return SimulatedHost.from_yaml({"name": file.stem.partition(".")[0].upper(), **(data or {})}, clock)
    except (TypeError, ValueError) as error:
        raise NotServedError(f"{file}: {error}") from error


def _yaml(file: Path) -> Any:
    """Of plain YAML: tags of Ansible's are left alone."""

    class Tolerant(yaml.SafeLoader):
        pass

    Tolerant.add_multi_constructor("!", lambda loader, suffix, node: None)
    try:
        return yaml.load(file.read_text(encoding="utf-8"), Tolerant)
    except yaml.MarkedYAMLError as error:
        at = f":{error.problem_mark.line + 1}:{error.problem_mark.column + 1}" if error.problem_mark else ""
        raise NotServedError(f"{file}{at}: {error.problem or error}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise NotServedError(f"{file}: {error}") from error


def _places(data: Any) -> Iterator[tuple[str, Any]]:
    """name -> port of every host that the inventory puts on loopback."""

    def walk(group: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(group, dict):
            for name, variables in (group.get("hosts") or {}).items():
                if isinstance(variables, dict) and variables.get("ansible_host") == LOOPBACK:
                    yield str(name), variables.get("ansible_port")
            for child in (group.get("children") or {}).values():
                yield from walk(child)

    for group in (data if isinstance(data, dict) else {}).values():
        yield from walk(group)


def _port(places: dict[str, Any], name: str, inventory: Path) -> int:
    if name not in places:
        raise NotServedError(f"{inventory} has no host {name} with ansible_host: {LOOPBACK}")
    try:
        port = int(places[name])
    except (TypeError, ValueError):
        port = 0
    if not 0 < port < 65_536:
        raise NotServedError(f"{inventory}: {name}: ansible_port: {places[name]} is not a port")
    return port
