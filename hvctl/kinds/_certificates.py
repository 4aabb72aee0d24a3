"""A certificate of the computer that Hyper-V Replica is to use: whether it can (replica-migration 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

from hvctl.call import Call, Row
from hvctl.core.changes import finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.values import Json, Plain
from hvctl.kinds._host import CLOCK, instant, now
from hvctl.kinds._servers import COMPUTER, full_name
from hvctl.text.diagnostic import Diagnostic, Level
from hvctl.text.visible import quoted

STORE = Call(
    "Get-ChildItem",
    {"LiteralPath": "Cert:\\LocalMachine\\My"},
    select=(
        *("Thumbprint", "Subject", "HasPrivateKey", "NotBefore", "NotAfter"),
        *("EnhancedKeyUsageList[ObjectId]", "DnsNameList[Unicode]"),
    ),
)
QUERIES = (STORE, COMPUTER, CLOCK)

USES = {"1.3.6.1.5.5.7.3.1": "server authentication", "1.3.6.1.5.5.7.3.2": "client authentication"}
"""Extended key usages that it must have, both."""

SOON = timedelta(days=30)
"""So long before its end it is said."""


def bare(text: object) -> str:
    """A thumbprint as it is compared: the dialogue of Windows shows it with spaces and in lower case."""
    return re.sub(r"[^0-9A-Fa-f]", "", str(text or "")).upper()


def _thumbprint(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Fa-f ]+", text) or len(bare(text)) != 40:
        raise ValueError(f"{quoted(text)} is not a thumbprint; write the 40 hex digits of the certificate")
    return bare(text)


class _ThumbprintCodec(Plain):
    def same(self, now: object, wanted: object) -> bool:
        return bare(now) == bare(wanted)

    def value(self, value: object) -> Json:
        return bare(value) or None


THUMBPRINT = _ThumbprintCodec()
Thumbprint = Annotated[str, AfterValidator(_thumbprint)]


def findings(
    thumbprint: str, field: str, facts: Facts, *, sets: bool, broker: str = "", receives: bool = False
) -> Iterator[Diagnostic]:
    """`sets`: it is to be set now; what is in place already and no longer good is told. `broker`: the full name of that of
    the cluster, where the host is a node; `receives`: others connect to it, and not it to others."""
    level: Level = "impossible" if sets else "warning"
    row = _row(thumbprint, facts)
    if row is None:
        text = f"there is no certificate {bare(thumbprint)} in LocalMachine\\My"
        yield finding(field, text, "import it there, with its private key", level)
        return
    if not row["HasPrivateKey"]:
        yield finding(field, "the certificate has no private key on this host", "import it with its key", level)
    # Without any usage it is good for all (RFC 5280, 4.2.1.12).
    uses = {str(use["ObjectId"]) for use in row.get("EnhancedKeyUsageList[ObjectId]") or ()}
    if missing := [text for oid, text in USES.items() if uses and oid not in uses]:
        text = f"the certificate is not for {' and '.join(missing)}"
        yield finding(field, text, "use one that is for client and server authentication", level)
    yield from _named(row, field, facts, level, broker, receives=receives)
    begins, ends, today = instant(row["NotBefore"]), instant(row["NotAfter"]), now(facts)
    if today < begins:
        yield finding(field, f"the certificate is valid from {begins:%Y-%m-%d} on only", "use another one", level)
    elif today >= ends:
        yield finding(field, f"the certificate has expired on {ends:%Y-%m-%d}", "renew it", level)
    elif ends - today <= SOON:
        days = -((today - ends) // timedelta(days=1))
        text = f"the certificate expires on {ends:%Y-%m-%d}, in {days} days"
        yield finding(field, text, "renew it: replication stops when it ends", "warning")


def _row(thumbprint: str, facts: Facts) -> Row | None:
    rows = facts.rows(STORE)
    if not rows and (failure := facts.reply(STORE).failure):
        raise UnreadableError(STORE, failure)
    return next((row for row in rows if bare(row["Thumbprint"]) == bare(thumbprint)), None)


def _named(row: Row, field: str, facts: Facts, level: Level, broker: str, *, receives: bool) -> Iterator[Diagnostic]:
    """A cluster has one for its broker's name, which others connect to, and one for each node, which they are sent on to
    (replica-migration 3; VB/20120313). Which of the two a node that sends is to show is in no source: either is taken."""
    own, names = full_name(facts), _names(row)
    told = ", ".join(sorted(names)) or "no name"
    wanted = (broker,) if broker and receives else (own, broker) if broker else (own,)
    if names.isdisjoint(name.casefold() for name in wanted):
        needed = wanted[0]
        what = f"{needed}, the broker's name by which others connect" if needed == broker else needed
        if f"*.{needed.partition('.')[2]}".casefold() in names:
            text = f"the certificate is for {told}; that Hyper-V takes a wildcard for {needed} is not known"
            yield finding(field, text, f"better use one for {needed}", "warning")
        else:
            yield finding(field, f"the certificate is for {told}, not for {what}", f"use one for {needed}", level)
    if broker and receives and not any(own.casefold() in _names(other) for other in facts.rows(STORE)):
        text = f"LocalMachine\\My has no certificate for {own}, to which the broker sends others on"
        yield finding(field, text, f"import one for {own}, or use one for both names", "warning")


def _names(row: Row) -> set[str]:
    """Without case: its alternative names, and that of its subject."""
    subject = re.search(r"(?:^|,)\s*CN=([^,]+)", str(row.get("Subject") or ""))
    names = {str(n["Unicode"]).casefold() for n in row.get("DnsNameList[Unicode]") or ()}
    return names | ({subject[1].strip().casefold()} if subject else set())
