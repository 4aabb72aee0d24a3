"""What stands in a plan file."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from hvctl import __version__
from hvctl.text.diagnostic import ConfigError, Diagnostic

FORMAT = 2
AGAIN = "make the plan again with hvctl plan --out"

_VERSION = re.compile(rb'"hvctl_plan"\s*:\s*(\d{1,9})\b')


def _time(text: str) -> str:
    moment(text)
    return text


def moment(text: str) -> datetime:
    """Raises ValueError."""
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)


Word = Literal["disconnect", "restart", "recreate", "destroy", "management"]
Plain = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""One line of text."""
Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z?$"), AfterValidator(_time)]
"""UTC."""
Spot = Annotated[str, Field(pattern=r"^[1-9]\d{0,7}:[1-9]\d{0,7}$")]
"""line:column"""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SourceData(_Data):
    """A file that is sent: one of the control node, which must still have that hash, or a rendered text."""

    path: Plain | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    content: str | None = None


class AcceptData(_Data):
    """Known drift. `at`: line:column."""

    until: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d$")]
    reason: Annotated[str, Field(min_length=1, max_length=4096)]
    fields: list[Plain] = []
    at: Spot


class DesiredData(_Data):
    """A resource. `owner`: which of those before it stands around it. `file`, `marks`: where in a playbook it ("") and its
    fields ("dynamic.minimum") were written. `allow`: as its play has it."""

    kind: Plain
    fields: dict[str, JsonValue]
    owner: Annotated[int, Field(ge=0)] | None = None
    allow: list[Word] = []
    accept: list[AcceptData] = []
    source: SourceData | None = None
    file: Plain
    marks: dict[str, Spot]


class HostData(_Data):
    """`allow`: as --allow had it. `time`: by the host's clock. `steps`: to compare, never to run.
    `computer`, `user`: who answered, and to whom; "" where that may not be written."""

    name: Annotated[Plain, Field(min_length=1)]
    computer: Plain
    user: Plain
    time: Time | None = None
    allow: list[Word]
    desired: list[DesiredData]
    steps: list[JsonValue]


class FileData(_Data):
    hvctl_plan: Literal[2]
    hvctl: Annotated[str, Field(pattern=r"^[0-9A-Za-z.+-]{1,40}$")]
    created: Time
    hosts: list[HostData]


def is_sealed(text: bytes) -> bool:
    """Values that came encrypted stand in it as references."""
    return b'"vault_salt"' in text


def check_version(file: str, text: bytes) -> None:
    found = _VERSION.search(text)
    if found is None:
        raise ConfigError([Diagnostic(None, f"{file} is not a plan file", "make one with hvctl plan --out")])
    version = int(found[1])
    if version != FORMAT:
        whose, hint = ("an older", AGAIN) if version < FORMAT else ("a newer", f"apply it with that one, or {AGAIN}")
        raise ConfigError(
            [
                Diagnostic(
                    None,
                    f"{file} is a plan file of format {version}, written by {whose} hvctl; "
                    f"hvctl {__version__} reads format {FORMAT}",
                    hint,
                )
            ]
        )
