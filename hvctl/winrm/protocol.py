"""What the client writes to the runner: the bootstrap on the command line, then lines of JSON on stdin."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

from hvctl.call import Batch
from hvctl.winrm.frames import NO_BATCH, Decoder, Refusal, host_info
from hvctl.winrm.steps import steps_of

__all__ = [
    "COMMAND",
    "MAX_LINE",
    "NO_BATCH",
    "Decoder",
    "LineTooLongError",
    "Refusal",
    "bootstrap",
    "encode_action",
    "encode_batch",
    "host_info",
    "source_line",
    "source_sha",
]

VERSION = 1
MAX_LINE = 1_500_000
"""Characters: ConvertFrom-Json of WMF 3 and 4 takes 2,097,152 (winrm 3.3), and p stands escaped in the envelope."""

COMMAND = ("powershell.exe", "-NoLogo", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass")
"""What starts the bootstrap; "-EncodedCommand" and `bootstrap()` follow."""


class LineTooLongError(ValueError):
    """A batch that no Windows PowerShell is sure to read; a read batch may be split."""


@cache
def bootstrap() -> str:
    """The argument of -EncodedCommand. cmd.exe takes 8191 characters in all (winrm 3.2)."""
    text = re.sub(r"\n *", "\n", _text("bootstrap.ps1")).replace("{\n", "{").replace("\n}", "}")
    return base64.b64encode(text.encode("utf-16-le")).decode("ascii")


@cache
def source_sha() -> str:
    return hashlib.sha256(_text("runner.ps1").encode()).hexdigest()


def source_line(allow: Mapping[str, str], *, hold: bool = False) -> bytes:
    """The first line of a process: the runner, and the cmdlets it may call with the modules they are in.
    `hold`: the hello leaves with the first answer, so that it costs no Receive of its own."""
    return _line({"src": _text("runner.ps1"), "sha": source_sha(), "allow": dict(allow), "hold": hold})


def encode_batch(batch: Batch, batch_id: str) -> bytes:
    """Raises LineTooLongError."""
    body = {"action": "batch", "mode": batch.mode, "deadline_s": batch.deadline_s, "steps": steps_of(batch)}
    return _envelope(body, batch_id)


def encode_action(action: Literal["journal", "stop"], of: str, batch_id: str) -> bytes:
    """Ask for the journal of the batch `of`, or that it stops after its current step (from a second shell)."""
    return _envelope({"action": action, "of": of}, batch_id)


def _envelope(body: dict[str, Any], batch_id: str) -> bytes:
    # The id once more at the very end: all that shows a cut line where no hash can be made (winrm 7.4).
    p = json.dumps({**body, "batch_id": batch_id}, separators=(",", ":"))
    digest = hashlib.sha256(p.encode("ascii")).hexdigest()
    return _line({"v": VERSION, "batch_id": batch_id, "len": len(p), "sha256": digest, "p": p})


def _line(data: Mapping[str, Any]) -> bytes:
    line = json.dumps(data, separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > MAX_LINE:
        raise LineTooLongError(f"a batch of {len(line):,} characters; at most {MAX_LINE:,} can be sent at once")
    return line


@cache
def _text(name: str) -> str:
    return resources.files("hvctl.winrm").joinpath(name).read_text("utf-8")
