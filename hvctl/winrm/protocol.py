"""What the client writes to the runner: the bootstrap on the command line, then lines of JSON on stdin."""

from __future__ import annotations

import base64
import getpass
import hashlib
import json
import re
import socket
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
    "base64_text",
    "bootstrap",
    "encode_action",
    "encode_batch",
    "encode_stage",
    "host_info",
    "put_line",
    "source_line",
    "source_sha",
    "staging_line",
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
def source_sha(name: str = "runner.ps1") -> str:
    return hashlib.sha256(_text(name).encode()).hexdigest()


def source_line(allow: Mapping[str, str], *, hold: bool = False) -> bytes:
    """The first line of a process: the runner, and the cmdlets it may call with the modules they are in.
    `hold`: the hello leaves with the first answer, so that it costs no Receive of its own."""
    return _source("runner.ps1", allow, hold)


def staging_line(allow: Mapping[str, str], *, hold: bool = False) -> bytes:
    """After `source_line`, in a process that is to take files: the half of the runner that does."""
    return _source("staging.ps1", allow, hold)


def _source(name: str, allow: Mapping[str, str], hold: bool) -> bytes:
    return _line({"src": _text(name), "sha": source_sha(name), "allow": dict(allow), "hold": hold})


@cache
def client_name() -> str:
    """Who changes a host, from where: for whoever finds its lock taken."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


def encode_batch(batch: Batch, batch_id: str) -> bytes:
    """Raises LineTooLongError."""
    body: dict[str, Any] = {
        "action": "batch",
        "mode": batch.mode,
        "deadline_s": batch.deadline_s,
        "steps": steps_of(batch),
    }
    if batch.mode == "change":
        body["client"] = client_name()
    if batch.lease is not None:
        one = batch.lease
        body["lease"] = {"id": one.id, "do": one.do, "s": one.seconds, "owner": one.owner, "over": one.over}
    return _envelope(body, batch_id)


def encode_action(action: Literal["journal", "stop"], of: str, batch_id: str) -> bytes:
    """Ask for the journal of the batch `of`, or that it stops after its current step (from a second shell)."""
    return _envelope({"action": action, "of": of}, batch_id)


def encode_stage(do: Literal["files", "open", "close", "remove"], run: str, batch_id: str, **body: Any) -> bytes:
    """About the files of a run in the host's staging folder. "files": whole small ones; "open" and "close" frame the
    lines of `put_line`; "remove" the folder."""
    return _envelope({"action": "stage", "do": do, "run": run, **body}, batch_id)


def put_line(batch_id: str, offset: int, data: bytes, *, packed: bool, answer: bool) -> bytes:
    """Bytes of the file that was opened under that id. `packed`: deflated; `answer`: say so when they are written."""
    flags = f"{'z' if packed else '-'}{'a' if answer else '-'}"
    return b"@put %s %s %d %s\n" % (batch_id.encode(), flags.encode(), offset, base64.b64encode(data))


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


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
