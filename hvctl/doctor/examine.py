"""Examines one host: looks at the way to it, asks it what is needed to judge, and writes down what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hvctl.call import Call, Transport, TransportError
from hvctl.config.connection import Connection
from hvctl.config.prepare import HostWork
from hvctl.contract import nearest
from hvctl.core.facts import Facts, read_batch
from hvctl.core.fields import Fields
from hvctl.core.questions import questions
from hvctl.core.resource import Resource
from hvctl.doctor.evidence import Examination, Symptom, Wanted, Way
from hvctl.doctor.questions import ALWAYS, FEATURES
from hvctl.kinds import kinds
from hvctl.kinds._host import HOST
from hvctl.kinds._servers import own_broker
from hvctl.winrm.faults import WireFault

Look = Callable[[Connection], Way]
Open = Callable[[Connection], Transport]
_HOPELESS = ("name", "refused", "connect", "certificate")
"""Seen on the way, so that logging on would fail alike, after more tries."""


def examine(work: HostWork, wanted: Wanted, look: Look, opened: Open, now: Callable[[], datetime]) -> Examination:
    """Never raises for what the host does. The transport is left open to the caller. Where something of the configuration
    is wrong, such as a password that cannot be had, only the way is looked at."""
    way = look(work.connection)
    asked = tuple(_asked(work.desired))
    seen = Examination(work.name, work.connection, now(), way, wanted=wanted, asked=asked, wrong=work.wrong)
    if work.wrong or (way.fault is not None and way.fault.kind in _HOPELESS):
        return seen
    try:
        transport = opened(work.connection)
        facts = _facts(transport, (*asked, *ALWAYS))
    except TransportError as error:
        return replace(seen, log_on=symptom_of(error))
    return replace(seen, facts=facts, now=now())


def _asked(wishes: Iterable[Resource]) -> Iterator[Call]:
    """What kinds ask of any host, and what these resources need."""
    for kind in kinds():
        yield from kind.survey()
    yield from questions(wishes)


def _facts(transport: Transport, asked: Sequence[Call]) -> Facts:
    """What a host lacks is asked about only where it lacks something."""
    batch = read_batch(asked)
    replies = transport.run(batch)
    info = transport.info()
    os = nearest(info.build) or "2012"
    found = Facts.of(os, info, batch, replies)
    if found.reply(HOST).rows:
        return found
    more = read_batch([FEATURES])
    return Facts(os, info, {**found.replies, **Facts.of(os, info, more, transport.run(more)).replies})


def symptom_of(error: TransportError) -> Symptom:
    """What it was at first: a fault of the wire is told as another where it says more of what became of a batch."""
    cause = error.__cause__
    while isinstance(cause, WireFault) and isinstance(cause.__cause__, WireFault):
        cause = cause.__cause__
    if isinstance(cause, WireFault):
        return Symptom(cause.kind, cause.code, cause.text, cause.advice, (cause.outside,))
    return Symptom("", text=error.message, hint=error.hint, outside=error.outside)


# --- what playbooks want --------------------------------------------------------------------------------------------


def wanted(wishes: Iterable[Resource], names: Sequence[str], forks: int, *, moves: bool = False) -> Wanted:
    """`names`: of the inventory, under which this run comes to the same machine; each has a shell of its own, and one more
    to stop what runs in it. `moves`: what is wanted of other hosts may be moved from this one."""
    shares: dict[str, None] = {}
    written: dict[str, Any] = {}
    guest_files, broker = False, ""
    certificates: dict[tuple[str, bool], None] = {}
    for wish in wishes:
        shares |= dict.fromkeys(_shares(wish))
        guest_files = guest_files or wish.file is not None
        if wish.kind == "host":
            written |= wish.written()
        if wish.kind in ("replica_server", "replication") and (thumbprint := wish.written().get("certificate")):
            certificates[str(thumbprint), wish.kind == "replica_server"] = None
            broker = own_broker(wish)
    return Wanted(
        shells=2 * max(1, min(len(names), forks)),
        names=tuple(names),
        shares=tuple(shares),
        live_migration=written.get("live_migration.enabled") is True,
        kerberos_migration=written.get("live_migration.authentication") == "kerberos",
        guest_files=guest_files,
        moves=moves,
        certificates=tuple(certificates),
        broker=broker,
    )


def _shares(value: Any) -> Iterator[str]:
    """Paths of other machines, in whatever is written."""
    match value:
        case str() if value.startswith("\\\\") and value[2:3] not in (".", "?", ""):
            server, _, rest = value[2:].partition("\\")
            yield f"\\\\{server}\\{rest.partition(chr(92))[0]}"
        case Fields():
            for name in value.model_fields_set:
                yield from _shares(getattr(value, name))
        case Mapping():
            for inner in value.values():
                yield from _shares(inner)
        case list() | tuple():
            for inner in value:
                yield from _shares(inner)
