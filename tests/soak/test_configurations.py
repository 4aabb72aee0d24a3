"""Whatever stands in inventories, variables, playbooks, templates and on the command line: hvctl says what is wrong and
where, or goes on; it never fails itself."""

from __future__ import annotations

import io
import os
import re
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from hvctl.call import Transport
from hvctl.cli.app import USAGE, app
from hvctl.cli.options import Settings
from hvctl.cli.outputs import Outputs
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from hvctl.show.problems import problem_lines
from hvctl.text.diagnostic import ConfigError, Diagnostic
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport
from tests.soak.configurations import configuration

BATCH = 100
SEEDS = range(0, 20_000, BATCH) if os.environ.get("HVCTL_SOAK") else (0, 7_000, 14_000)
PLACELESS = re.compile(
    r"--(limit|tags|extra-vars)|.* cannot be read|.* (names no host or group|is not a valid file name)|.*; correct the pattern"
)
"""What is wrong with the command line, or with a file that cannot be opened, has no place in a file."""


def connect(connection: Connection, wire: Wire) -> Transport:
    return TwinTransport(SimulatedHost.from_yaml({"vms": [{"name": "web01", "state": "Running"}]}))


@cache
def command() -> Any:
    """Made once: that takes longer than all the rest."""
    return typer.main.get_command(app)


@dataclass(frozen=True)
class Ran:
    status: int
    problems: tuple[Diagnostic, ...] = ()
    fault: str = ""


def run(words: Sequence[str]) -> Ran:
    """As `hvctl` runs it, over streams as Python has them on a terminal of UTF-8."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace")
    with redirect_stdout(out), redirect_stderr(err):
        settings = Settings(connect)
        try:
            with Outputs(settings.redactor):
                found = command().main(list(words), prog_name="hvctl", standalone_mode=False, obj=settings)
            return Ran(found if isinstance(found, int) else 0)
        except USAGE:
            return Ran(1)
        except ConfigError as error:
            for line in problem_lines(error.problems):
                settings.err.print(line, soft_wrap=True)
            return Ran(1, error.problems, "" if error.problems else "refused without a word")
        except Exception:  # what this test is about
            return Ran(70, (), traceback.format_exc()[-1500:])


@pytest.mark.parametrize("first", SEEDS)
def test_any_configuration_is_right_or_wrong_at_a_place(
    first: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    wrong: list[str] = []
    refused, slowest = 0, (0.0, 0)
    for seed in range(first, first + BATCH):
        folder = tmp_path / str(seed)
        folder.mkdir()
        monkeypatch.chdir(folder)
        made = configuration(seed)
        made.write(folder)
        started = time.monotonic()
        done = run(made.words)
        slowest = max(slowest, (time.monotonic() - started, seed))
        refused += done.status == 1
        wrong += [f"{seed}: {made.words}: {text}" for text in complaints(made.words, done)]
    record_property("configurations", (BATCH, refused, len(wrong), *slowest))
    assert not wrong, "\n".join(wrong)


def complaints(words: Sequence[str], done: Ran) -> list[str]:
    found = [done.fault] if done.fault else []
    if done.status not in ((0, 1, 2, 4, 6) if "plan" in words else (0, 1)):
        found.append(f"exit {done.status}")
    return found + [f"no place: {p}" for p in done.problems if p.mark is None and not PLACELESS.match(str(p))]
