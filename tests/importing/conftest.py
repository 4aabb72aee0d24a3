"""hvctl against simulated hosts in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hvctl.call import Transport
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.transports import Gone

Run = Callable[..., tuple[int, str, str]]
PASSWORD = "s3cret-in-tests"


@pytest.fixture
def hosts() -> dict[str, Any]:
    """By name, as their YAML has them; a test fills it."""
    return {}


@pytest.fixture
def hvctl(
    hosts: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HVCTL_PASSWORD", PASSWORD)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    made: dict[str, SimulatedHost] = {}

    def connect(connection: Connection, wire: Wire) -> Transport:
        name = connection.name
        if name not in hosts:
            return Gone()
        host = made.setdefault(name, SimulatedHost.from_yaml(hosts[name]))
        return TwinTransport(host)

    def run(*words: str) -> tuple[int, str, str]:
        status = main(list(words), connect)
        out, err = capsys.readouterr()
        assert PASSWORD not in out + err
        return status, out, err

    yield run
