"""Where the history lies: a file or a database's URL, and its name without any password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from hvctl.call import Secret
from hvctl.text.state import state_folder

FILE = "history.db"

_SQLITE = re.compile(r"sqlite(?:\+\w+)?:///([^?]+)")
"""sqlite:///relative.db, sqlite:////absolute.db"""


class HistoryError(Exception):
    """The history cannot be had: what is wrong, without any password, and what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


@dataclass(frozen=True)
class Place:
    """`url` may hold a password; `name` never does. `file`: the SQLite file, where it is one."""

    url: str = field(repr=False)
    name: str
    file: Path | None = None


def exists(place: Place) -> bool:
    return place.file is None or place.file.exists()


def place(given: str | None) -> Place:
    """Of a file's name or an SQLAlchemy URL; without either, the user's state directory (XDG_STATE_HOME, …)."""
    if given and "://" in given:
        found = _SQLITE.match(given)
        return Place(given, masked(given), Path(found[1]) if found else None)
    file = Path(given).expanduser() if given else state_folder() / FILE
    return Place(f"sqlite:///{file}", str(file), file)


def secrets_in(url: str) -> Iterator[Secret]:
    """The password of a database's URL, as it is written there and as it is; and what drivers take after "?"."""
    user, at, host = url.partition("://")[2].rpartition("@")
    words = [user.partition(":")[2]] if at else []
    words += re.findall(r"(?i)(?:pass|pwd|secret|token|key)\w*=([^&]*)", host.partition("?")[2])
    for word in filter(None, words):
        yield Secret(word)
        yield Secret(unquote(word))


def masked(url: str) -> str:
    """A URL as it may be shown: no password, and nothing after "?", where drivers take secrets too."""
    scheme, _, rest = url.partition("://")
    # The last "@": an unquoted password may hold one.
    user, at, host = rest.rpartition("@")
    said = user.partition(":")[0].partition("?")[0] + (":***" if ":" in user else "") + at
    return f"{scheme}://{said}{host.partition('?')[0]}"
