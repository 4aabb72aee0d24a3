"""What was seen of one host: plain values that the judging rests on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from hvctl.call import Call
from hvctl.config.connection import Connection
from hvctl.core.facts import Facts
from hvctl.text.diagnostic import Diagnostic
from hvctl.text.foreign import Foreign

Stage = Literal[
    "configuration", "name", "port", "tls", "logon", "shell", "powershell", "rights", "hyper_v", "quotas", "time",
    "cluster", "domain", "folder", "wmi_v1",
]  # fmt: skip


@dataclass(frozen=True)
class Symptom:
    """A request that failed. `kind`: of a fault of the wire (`hvctl.winrm.faults.Kind`), "" where an answer came and was not
    whole. `code`: WS-Man's or HTTP's number. `hint`: the transport's own advice. `outside`: what of the text is the
    host's."""

    kind: str
    code: int = 0
    text: str = ""
    hint: str = ""
    outside: tuple[Foreign, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """`names`: DNS names and addresses it was issued for. `server`: whether its usages include a server's."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: datetime
    ends: datetime
    thumbprint: str
    self_signed: bool = False
    server: bool = True


@dataclass(frozen=True)
class Way:
    """The way to a host, as far as it is seen without logging on. `addresses`: its name resolves to them. `fault`: why
    an unauthenticated request got no answer, and whether the port `connects` all the same; else `status` of HTTP, the
    schemes it `offers`, and its `date` when it was `asked`. `open_ports`: WinRM's other ports on which something listens.
    `speaks`: what answers at the port, where it is not the scheme that the inventory says. `own_address`: of the control
    node, as the host sees it."""

    addresses: tuple[str, ...] = ()
    fault: Symptom | None = None
    connects: bool = False
    status: int = 0
    offers: tuple[str, ...] = ()
    date: datetime | None = None
    asked: datetime | None = None
    open_ports: tuple[int, ...] = ()
    speaks: Literal["", "http", "https"] = ""
    certificate: Certificate | None = None
    own_address: str = ""


@dataclass(frozen=True)
class Wanted:
    """What the playbooks want of the host that rests on more than the host. `shells`: at a time, of one account; `names`:
    of the inventory that stand for this machine; `shares`: of other machines, as \\\\server\\share; `moves`: VMs that may be
    on this host and are wanted on another one; `certificates`: of Hyper-V Replica, by thumbprint, and whether others
    connect by it; `broker`: the name by which they do, where the host is a node of a cluster."""

    shells: int = 2
    names: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    live_migration: bool = False
    kerberos_migration: bool = False
    moves: bool = False
    guest_files: bool = False
    certificates: tuple[tuple[str, bool], ...] = ()
    broker: str = ""


@dataclass(frozen=True)
class Examination:
    """`log_on`: why its WinRM did not answer, though it was asked; `facts`: what it answered. `asked`: what kinds and
    playbooks need of it, without the questions of this room. `wrong`: why it was not contacted."""

    host: str
    connection: Connection | None
    now: datetime
    way: Way | None = None
    log_on: Symptom | None = None
    facts: Facts | None = None
    wanted: Wanted = field(default_factory=Wanted)
    asked: tuple[Call, ...] = ()
    wrong: tuple[Diagnostic, ...] = ()
