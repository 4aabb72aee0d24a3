"""Names of servers, as they are written, as they call themselves and as Hyper-V reads them back."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hvctl.call import Call
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.resource import Resource
from hvctl.core.values import Plain
from hvctl.text.number import is_whole

COMPUTER = Call(
    "Get-CimInstance",
    {"ClassName": "Win32_ComputerSystem"},
    select=("DNSHostName", "Domain", "PartOfDomain"),
)

_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def full_name(facts: Facts) -> str:
    """The name of the computer with its domain, if it is in one."""
    rows = facts.rows(COMPUTER)
    if not rows:
        raise UnreadableError(COMPUTER, facts.reply(COMPUTER).failure)
    name = str(rows[0]["DNSHostName"])
    return f"{name}.{rows[0]['Domain']}" if rows[0]["PartOfDomain"] else name


def in_domain(facts: Facts) -> bool:
    rows = facts.rows(COMPUTER)
    return bool(rows and rows[0]["PartOfDomain"])


def same_server(one: object, other: object) -> bool:
    """A host echoes its full name where a short one was given (replica-migration 1.1): where one of the two has no domain, it
    is not compared."""
    a, b = (str(name or "").strip().rstrip(".").casefold() for name in (one, other))
    if a == b:
        return True
    bare = "." not in a or "." not in b
    return bare and bool(a) and a.partition(".")[0] == b.partition(".")[0] and not (is_whole(a) or is_whole(b))


def host_named(one: Resource, server: str | None) -> str:
    """The name in the inventory of a server: of a host that is called so or looked for there; "" if there is none."""
    known = one.index.known
    if not server:
        return ""
    return known.get(server.rstrip(".").casefold(), "") if known else server


def broker_named(one: Resource, server: str | None) -> str:
    """The full name of a Hyper-V Replica Broker of the inventory that is meant; "" if it is none."""
    return one.index.known.broker(server or "")


def hosts_of(one: Resource, server: str | None) -> tuple[str, ...]:
    """The hosts of the inventory that a name stands for: one, or the nodes behind a broker."""
    if broker := broker_named(one, server):
        return one.index.known.shared[broker]
    host = host_named(one, server)
    return (host,) if host else ()


def own_broker(one: Resource) -> str:
    """That of the cluster which the host of a resource is a node of, by the inventory; "" for none."""
    return next((name for name, hosts in one.index.known.shared.items() if one.index.host in hosts), "")


def own_name(one: Resource, facts: Facts) -> str:
    """By which other servers know the sender: a node goes by its broker (replica-migration 1.1)."""
    return own_broker(one) or full_name(facts)


def admitting(sender: str) -> tuple[str, ...]:
    """What an authorization may be called that lets a server in (replica-migration 1.2)."""
    name = sender.casefold()
    return (name, f"*.{name.partition('.')[2]}", "*")


def among(name: object, names: Iterable[str]) -> bool:
    return any(same_server(name, other) for other in names)


def is_server_name(text: str) -> bool:
    """A short or a full name; an address is none: neither Kerberos nor a certificate knows it (replica-migration 3)."""
    labels = text.rstrip(".").split(".")
    return len(text) <= 255 and all(_LABEL.fullmatch(label) for label in labels) and not is_whole(labels[-1])


class _ServerCodec(Plain):
    free = True

    def same(self, now: object, wanted: object) -> bool:
        return same_server(now, wanted)


SERVER = _ServerCodec()
