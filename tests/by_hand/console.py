"""Scripts in a real PowerShell, over the cmdlets of a simulated host; and what its parser says of them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hvctl.contract import OS
from mocks.engine import Engine, LanguageMode
from mocks.engine_spec import allowlist, description
from mocks.run import Host

_CONSOLE = Path(__file__).parent / "console.ps1"
_SYNTAX = """
foreach ($file in $input) {
    $tokens = $errors = $null
    $null = [Management.Automation.Language.Parser]::ParseInput([IO.File]::ReadAllText($file), [ref]$tokens, [ref]$errors)
    "@parsed $(@($errors | ForEach-Object { "$($_.Extent.StartLineNumber): $($_.Message)" }) -join '; ' -replace '\\s+', ' ')"
}
"""


class Console:
    """One process per version of Windows. `answers`: what is typed where a script asks."""

    def __init__(self, os: OS, mode: LanguageMode = "FullLanguage") -> None:
        command = ("-EncodedCommand", _encoded(_CONSOLE.read_text(encoding="utf-8")))
        self.engine = Engine(description(os), allowlist(), language_mode=mode, arguments=command)
        self._lines = _Lines(self.engine.process.stdout)

    def run(self, script: str, host: Host, answers: Sequence[str] = ()) -> str:
        """ "" where it ended well, else the error that ended it."""
        file = self.engine.folder / "script.ps1"
        file.write_bytes(script.encode("utf-8-sig"))
        self.engine.bind(host)
        self.engine.send("|".join([str(file), *answers]).encode() + b"\n")
        for line in self._lines:
            if self.engine.fault is not None:
                raise self.engine.fault
            if line.startswith(("@done", "@failed ")):
                return line.removeprefix("@done").removeprefix("@failed ")
        raise AssertionError(f"the console went away: {self.engine.errors}")

    def close(self) -> None:
        self.engine.close()


class Parser:
    """PowerShell's own parser."""

    def __init__(self, program: Path, folder: Path) -> None:
        command = [str(program), "-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand", _encoded(_SYNTAX)]
        self.program, self.folder = program, folder
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._lines = _Lines(self.process.stdout)

    def errors(self, script: str) -> str:
        assert self.process.stdin is not None
        file = self.folder / "parsed.ps1"
        file.write_bytes(script.encode("utf-8-sig"))
        self.process.stdin.write(f"{file}\n".encode())
        self.process.stdin.flush()
        return next(line for line in self._lines if line.startswith("@parsed")).removeprefix("@parsed").strip()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class _Lines:
    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.stream.readline()
        if not line:
            raise StopIteration
        return str(line.decode("utf-8", "replace").strip("\ufeff\r\n"))


def lint(program: Path, script: str, folder: Path) -> dict[str, Any]:
    """What the engine's own linter says, where it has one: parse errors, and what is newer than PowerShell 4."""
    file = folder / "linted.ps1"
    file.write_bytes(script.encode("utf-8-sig"))
    done = subprocess.run([str(program), "-Lint", str(file)], capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-le")).decode("ascii")
