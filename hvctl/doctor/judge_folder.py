"""Judges hvctl's own folder on a host: rights, room, and what earlier runs left there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from shlex import quote

from hvctl.doctor.cause import Cause
from hvctl.doctor.evidence import Examination
from hvctl.doctor.questions import JOURNALS, STAGED, VOLUMES, Told, is_denied
from hvctl.kinds._host import CLOCK, instant
from hvctl.kinds._owed import FILES as OWED
from hvctl.text.quoting import literal

ROOM = 200 << 20
"""Bytes that journals and files on their way to guests should have on the system's drive; an estimate."""
OLD_LEFT = timedelta(days=1)


def folder(e: Examination, told: Told) -> Iterator[Cause]:
    assert e.facts is not None
    account = e.facts.info.user or "ACCOUNT"
    failures = [f for call in (STAGED, JOURNALS, OWED) if (f := told.failure(call)) is not None]
    if any(is_denied(f) or f.kind.startswith("DirUnauthorizedAccess") for f in failures):
        yield Cause(
            "folder_denied", "folder", "limits",
            f"{account} may not read hvctl's folder, %ProgramData%\\hvctl: receipts of guest files and exports are unknown",
            f"icacls \"$env:ProgramData\\hvctl\" /grant {literal(f'{account}:(OI)(CI)RX')}", "host",
        )  # fmt: skip
    free = next((r.get("SizeRemaining") for r in told.rows(VOLUMES) if r.get("DriveLetter") == "C"), None)
    if isinstance(free, int) and free < ROOM:
        yield Cause(
            "disk_full", "folder", "limits",
            f"drive C: has {free >> 20} MB left: journals of changes, and files on their way to guests, may not fit",
            "Dism /Online /Cleanup-Image /StartComponentCleanup", "host",
        )  # fmt: skip
    owed = told.rows(OWED)
    staged = [row for row in told.rows(STAGED) if _age(row, told) > OLD_LEFT]
    if owed:
        yield Cause(
            "owed_start", "folder", "warns",
            f"hvctl took down {len(owed)} VM{'s' * (len(owed) != 1)} there and has not brought "
            f"{'them' if len(owed) > 1 else 'it'} up again",
            f"hvctl plan PLAYBOOK --limit {quote(e.host)}", "control node",
        )  # fmt: skip
    if staged:
        yield Cause(
            "staged_files", "folder", "warns",
            f"files that were on their way to guests lie there since more than a day ({len(staged)} runs)",
            'Remove-Item "$env:ProgramData\\hvctl\\staging\\*" -Recurse', "host",
        )  # fmt: skip


def _age(row: Mapping[str, object], told: Told) -> timedelta:
    """By the host's own clock."""
    try:
        return instant(told.first(CLOCK).get("LocalDateTime")) - instant(row.get("LastWriteTimeUtc"))
    except ValueError:
        return timedelta(0)
