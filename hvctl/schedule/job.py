"""A drift check that is to be run again and again: what, when, under which name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hvctl.duration import spoken
from hvctl.schedule.cron import Cron

SKIPPED = 75
"""Exit status of a check that was left out since the one before still runs (EX_TEMPFAIL of sysexits.h): neither "in
sync" nor a fault."""


@dataclass(frozen=True)
class Job:
    """`command` is the whole command line, all paths absolute. `when`: seconds between two checks, or cron's fields.
    `environment`: variables that are no secrets. `secrets`: names of variables that the command wants to find."""

    name: str
    playbooks: tuple[str, ...]
    command: tuple[str, ...]
    folder: str
    when: int | Cron
    splay: int = 0
    environment: tuple[tuple[str, str], ...] = ()
    secrets: tuple[str, ...] = ()
    secrets_file: str = ""
    run_as: str = ""
    own_programs: bool = False
    """A secret comes from a program, which may be setuid (sudo) or keep to rules of its own."""

    @property
    def rhythm(self) -> str:
        return self.when.text if isinstance(self.when, Cron) else f"every {spoken(self.when)}"

    def note(self) -> str:
        """One line of JSON that `list` reads back from what was installed."""
        return json.dumps({"playbooks": self.playbooks, "when": self.rhythm, "splay": self.splay}, ensure_ascii=True)


@dataclass(frozen=True)
class Note:
    """What an installed schedule says of itself."""

    playbooks: tuple[str, ...]
    when: str
    splay: int

    @classmethod
    def read(cls, text: str) -> Note | None:
        try:
            data = json.loads(text)
            return cls(tuple(map(str, data["playbooks"])), str(data["when"]), int(data["splay"]))
        except (ValueError, TypeError, KeyError):
            return None


def name_of(playbooks: Sequence[str]) -> str:
    """The same for the same playbooks: their file names, and where those say nothing in ASCII, a hash."""
    words = "-".join(Path(p).stem for p in playbooks)
    slug = re.sub(r"[^A-Za-z0-9_.]+", "-", words).strip("-.")[:60]
    if re.search(r"[A-Za-z0-9]", slug) and slug.isascii() and words.isascii():
        return slug
    return "-".join(w for w in (slug, hashlib.sha256("\0".join(playbooks).encode()).hexdigest()[:8]) if w)


def name_fault(name: str) -> str:
    """What is wrong with a name that becomes part of file names and of a unit's name; "" if nothing is."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", name):
        return ""
    return (
        "a name is made of ASCII letters, digits, '_', '.' and '-', begins with a letter or digit, and has at most 100"
    )
