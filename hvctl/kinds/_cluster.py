"""What a cluster says of its roles, read on a node of it (cluster 1.2): a VM that is not here may be owned elsewhere."""

from __future__ import annotations

from hvctl.call import Call, Row
from hvctl.core.facts import Facts, UnreadableError
from hvctl.kinds._vm import VMS

ROLES = Call(
    "Get-CimInstance",
    {"Namespace": "root/MSCluster", "ClassName": "MSCluster_ResourceGroup"},
    select=("Name", "GroupType", "OwnerNode"),
)
"""All groups: a WQL that names a property which a version lacks fails (cluster 1.3)."""

VIRTUAL_MACHINE = 111
"""GroupType of a clustered VM."""

_NO_NAMESPACE = "8004100E"
"""WBEM_E_INVALID_NAMESPACE: no cluster software here, so no cluster."""


def roles(facts: Facts) -> tuple[Row, ...]:
    """The clustered VMs of the cluster that the host is a node of; none on any other host. Raises UnreadableError where
    a node does not say."""
    failure = facts.reply(ROLES).failure
    if failure is not None:
        told = f"{failure.id} {failure.hresult or ''}".upper()
        node = any(row.get("IsClustered") for row in facts.rows(VMS))
        if _NO_NAMESPACE in told and not node:
            return ()
        raise UnreadableError(ROLES, failure)
    return tuple(row for row in facts.rows(ROLES) if row.get("GroupType") == VIRTUAL_MACHINE)


def is_node(facts: Facts) -> bool:
    """Whether cluster software answers on the host, or may; `roles` says what it holds."""
    failure = facts.reply(ROLES).failure
    return failure is None or _NO_NAMESPACE not in f"{failure.id} {failure.hresult or ''}".upper()


def owner_of(name: str, facts: Facts) -> str | None:
    """The node that owns the role of a VM of that name; None if the cluster has none, or there is no cluster. A role is
    called like its VM unless somebody renamed it; Virtual Machine Manager has a name of its own (cluster 2)."""
    usual = {name.casefold(), f"scvmm {name} resources".casefold()}
    found = (r for r in roles(facts) if str(r["Name"]).casefold() in usual)
    return next((str(r.get("OwnerNode") or "") for r in found), None)


def elsewhere(name: str, facts: Facts) -> str | None:
    """The other node, or "" for none, that owns the role of a VM of that name; None if it is here or nowhere."""
    owner = owner_of(name, facts)
    return None if owner is None or owner.casefold() == facts.info.computer.casefold() else owner


def roles_elsewhere(facts: Facts) -> bool:
    return any(str(r.get("OwnerNode") or "").casefold() != facts.info.computer.casefold() for r in roles(facts))
