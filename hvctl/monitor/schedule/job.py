"""A drift check, or a reading of meters, that is to be run again and again: what, when, under which name."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hvctl.fleet.stop import GRACE_S
from hvctl.monitor.schedule.cron import Cron
from hvctl.text.duration import spoken

Verb = Literal["drift", "metering", "apply", "export"]
ABOUT: Mapping[Verb, str] = {
    "drift": "drift check",
    "metering": "reading of meters",
    "apply": "apply",
    "export": "exports that are due",
}
"""What a job does, by its verb."""
CHANGING: tuple[Verb, ...] = ("apply", "export")
"""Verbs that change hosts: what they leave undone is a failure, of which somebody has to hear."""


@dataclass(frozen=True)
class Job:
    """`command` is the whole command line, all paths absolute; `verb` is a word of it. `when`: seconds between two checks,
    or cron's fields. `environment`: variables that are no secrets. `secrets`: names of variables that the command wants to
    find. `grace`: seconds that the command may take to end once it is told to. Whatever format it becomes, no text of it
    can begin a line of its own there: ValueError."""

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
    grace: int = GRACE_S
    verb: Verb = "drift"
    allow: tuple[str, ...] = ()
    """Consents that it has, for who looks at what is installed; they stand in `command`."""

    def __post_init__(self) -> None:
        if fault := name_fault(self.name):
            raise ValueError(f"{shown(self.name)}: {fault}")
        if self.run_as and (fault := account_fault(self.run_as)):
            raise ValueError(f"{shown(self.run_as)}: {fault}")
        for text in self._texts():
            if fault := text_fault(text):
                raise ValueError(f"{shown(text)} {fault}")
        for name in (*self.secrets, *(n for n, _ in self.environment)):
            if fault := variable_fault(name):
                raise ValueError(f"{shown(name)}: {fault}")

    def _texts(self) -> Iterator[str]:
        yield from (*self.playbooks, *self.command, self.folder, self.secrets_file)
        for name, value in self.environment:
            yield f"{name}={value}"

    @property
    def about(self) -> str:
        return ABOUT[self.verb]

    @property
    def rhythm(self) -> str:
        return self.when.text if isinstance(self.when, Cron) else f"every {spoken(self.when)}"

    def note(self) -> str:
        """One line of JSON that `list` reads back from what was installed."""
        data = {"playbooks": self.playbooks, "when": self.rhythm, "splay": self.splay}
        more = {"verb": self.verb, "allow": self.allow}
        return json.dumps({**data, **(more if self.verb != "drift" else {})}, ensure_ascii=True)


@dataclass(frozen=True)
class Note:
    """What an installed schedule says of itself."""

    playbooks: tuple[str, ...]
    when: str
    splay: int
    verb: Verb = "drift"
    allow: tuple[str, ...] = ()

    @property
    def does(self) -> str:
        """What it does with the playbooks."""
        allowed = f" (allowed: {', '.join(self.allow)})" if self.allow else ""
        words = {
            "drift": "checks",
            "metering": "reads the meters of",
            "apply": f"applies{allowed}",
            "export": "exports what is due of",
        }
        return words[self.verb]

    @classmethod
    def read(cls, text: str) -> Note | None:
        try:
            data = json.loads(text)
            verb: Verb = next((v for v in ABOUT if v == data.get("verb")), "drift")
            allow = tuple(map(str, data.get("allow", ())))
            return cls(tuple(map(str, data["playbooks"])), str(data["when"]), int(data["splay"]), verb, allow)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def name_of(playbooks: Sequence[str]) -> str:
    """The same for the same playbooks: their file names, and where those say nothing in ASCII, a hash."""
    words = "-".join(Path(p).stem for p in playbooks)
    slug = re.sub(r"[^A-Za-z0-9_.]+", "-", words).strip("-.")[:60]
    if re.search(r"[A-Za-z0-9]", slug) and slug.isascii() and words.isascii():
        return slug
    return "-".join(w for w in (slug, hashlib.sha256("\0".join(playbooks).encode()).hexdigest()[:8]) if w)


def shown(text: str) -> str:
    """For a message: what cannot be seen is written out."""
    return "".join(c.encode("unicode_escape").decode() if _unseen(c) else c for c in text)


def _unseen(char: str) -> bool:
    """Control characters, separators of lines and paragraphs, halves of characters (of a file name that is not UTF-8),
    and those that turn the direction of writing."""
    return (
        unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs")
        or char in "\u061c\u200e\u200f"
        or ("\u202a" <= char <= "\u202e" or "\u2066" <= char <= "\u2069")
    )


def text_fault(text: str) -> str:
    """Why a text cannot stand in a schedule; "" if it can."""
    found = sorted({c for c in text if _unseen(c)})
    return f"holds a control character ({shown(''.join(found))}); rename it" if found else ""


def account_fault(name: str) -> str:
    """As useradd takes them, and as a directory has them (user@domain)."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*(@[A-Za-z0-9_.-]+)?", name):
        return ""
    return "not a valid account name; write the name of an account of this machine, or user@domain"


def variable_fault(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return ""
    return "not a valid name of an environment variable; systemd and a shell take letters, digits and '_'"


def name_fault(name: str) -> str:
    """What is wrong with a name that becomes part of file names and of a unit's name; "" if nothing is."""
    if re.fullmatch(r"[^\W_][\w.-]{0,99}", name) and len(escaped(name)) <= _LONGEST:
        return ""
    return (
        "a name is made of letters, digits, '_', '.' and '-', begins with a letter or digit, and has at most 100, "
        "or 19 such as 夜"
    )


_LONGEST = 235
"""Characters of a name in that of a unit, which has at most 255 with what stands around it (systemd.unit(5))."""


def escaped(name: str) -> str:
    """As systemd-escape(1) writes it: a unit's name is ASCII, and each byte of another character is \\x and two digits."""
    return "".join(c if c.isascii() else "".join(f"\\x{byte:02x}" for byte in c.encode()) for c in name)


def unescaped(text: str) -> str:
    found = re.sub(rb"\\x([0-9a-f]{2})", lambda match: bytes.fromhex(match[1].decode()), text.encode())
    return found.decode("utf-8", "replace")
