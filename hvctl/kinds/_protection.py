"""What the host says of a VM's security: both cmdlets answer without saying of which VM (domain 10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvctl.call import Call, Ref, Row
from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds._machine import Machine
from hvctl.kinds._vm import VMS

_NONE = 4
"""Bytes of a key protector that is none, as scripts of Microsoft's test for it (domain 10; ConvertTo-ShieldedVM of
https://www.powershellgallery.com/packages/GuardedFabricTools)."""


def security(name: str) -> Call:
    """Of the VM of that name."""
    select = ("TpmEnabled", "Shielded", "EncryptStateAndVmMigrationTraffic")
    return Call("Get-VMSecurity", {"VM": _vm(name)}, select=select)


def key_protector(name: str) -> Call:
    """Its length: what is in it cannot be compared (domain 10), and is nobody's to read."""
    return Call("Get-VMKeyProtector", {"VM": _vm(name)}, select=("Length",))


def _vm(name: str) -> Ref:
    return Ref(VMS, {"Name": name}, many=True)


def name_there(vm: Machine, row: Row) -> str:
    """The one of them that it has."""
    return next(n for n in vm.names if n.casefold() == str(row["Name"]).casefold())


def is_protected(query: Call, facts: Facts) -> bool:
    """Whether there is a key protector: an array of bytes, whether it comes in one piece or byte by byte."""
    reply = facts.reply(query)
    if not reply.rows and not reply.ok:
        raise UnreadableError(query, reply.failure)
    rows: tuple[Mapping[str, Any], ...] = reply.rows
    lengths = [int(row["Length"]) for row in rows if "Length" in row]
    return max(lengths, default=len(rows)) > _NONE
