"""The plan of the example lab as it stands in the READMEs, made anew from the simulated hosts."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Callable
from pathlib import Path

from hvctl.call import Batch, Event, HostInfo, Reply, Transport, TransportError
from hvctl.cli import main
from hvctl.config.inventory import Connection
from hvctl.fleet.connect import Wire
from mocks.host import SimulatedHost
from mocks.twin import TwinTransport

ROOT = Path(__file__).parent.parent
READMES = {ROOT / "README.md": "en", ROOT / "README.ja.md": "ja"}
"""And their languages."""
COMMAND = ("plan", "playbooks/lab.yml", "--limit", "tokyo", "--allow", "restart")
_PLACE = re.compile(r"<!-- plan -->\n.*?<!-- /plan -->\n", re.DOTALL)


def readmes() -> dict[Path, str]:
    """Each with the plan as it is now."""
    return {file: _with_plan(file.read_text(encoding="utf-8"), language) for file, language in READMES.items()}


def _with_plan(text: str, language: str) -> str:
    command = f"`hvctl {' '.join(COMMAND)}`"
    lead = (
        f"例の環境を初めて適用する前の計画です（{command}）。"
        if language == "ja"
        else (f"The example lab before its first apply ({command}):")
    )
    shown = f"{lead}\n\n```\n{_plan(language)}```\n"
    return _PLACE.sub(lambda _: f"<!-- plan -->\n{shown}<!-- /plan -->\n", text)


def _plan(language: str) -> str:
    told = {"COLUMNS": "112", "NO_COLOR": "1", "HVCTL_LAB_PASSWORD": "any", "HVCTL_LANG": language}
    before = {name: os.environ.get(name) for name in told}
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(io.StringIO()) as out:
        os.environ.update(told)
        try:
            main(COMMAND, _connect)
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
    return out.getvalue()


def _connect(connection: Connection, wire: Wire) -> Transport:
    state = ROOT / "mocks" / "hosts" / f"{connection.name}.yaml"
    return TwinTransport(SimulatedHost.from_yaml(state)) if state.exists() else _Refusing(connection)


class _Refusing:
    """The lab's third host, in the words of the wire."""

    requests = 0

    def __init__(self, connection: Connection) -> None:
        self._target = f"{connection.host}:{connection.port}"

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        raise self._refusal()

    def info(self) -> HostInfo:
        raise self._refusal()

    def stop(self) -> None: ...

    def close(self) -> None: ...

    def _refusal(self) -> TransportError:
        hint = "is WinRM running there, and the port right (5986 https, 5985 http)?"
        return TransportError(f"connection refused by {self._target} (5 tries in 8 s)", hint=hint)
