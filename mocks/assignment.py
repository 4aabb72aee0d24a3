"""What an object that a cmdlet returned stores when a property of it is assigned: of a role and of a cluster (cluster 1.1)."""

from __future__ import annotations

from typing import Any

from mocks.cluster import NONE, Cluster, Part, Role
from mocks.objects import ErrorRecord, PsObject, Refusal
from mocks.state import HostState

GROUP = {
    "Priority": "priority",
    "AntiAffinityClassNames": "anti_affinity",
    "AutoFailbackType": "auto_failback",
    "FailbackWindowStart": "failback_start",
    "FailbackWindowEnd": "failback_end",
    "FailoverPeriod": "failover_period",
    "FailoverThreshold": "failover_threshold",
    "PersistentState": "persistent_state",
    "DefaultOwner": "default_owner",
    "Description": "description",
}
RESOURCE = {
    "RestartAction": "restart_action",
    "RestartThreshold": "restart_threshold",
    "RestartPeriod": "restart_period",
    "RetryPeriodOnFailure": "retry_period_on_failure",
}
"""Of the VM's resource."""
CLUSTER = {"DrainOnShutdown": "drain_on_shutdown", "ClusterEnforcedAntiAffinity": "enforced_anti_affinity"}
CLUSTER_2016 = {
    "ResiliencyLevel": "resiliency_level",
    "ResiliencyDefaultPeriod": "resiliency_default_period",
    "QuarantineThreshold": "quarantine_threshold",
    "QuarantineDuration": "quarantine_duration",
}
CLUSTER_LATE = {"MaximumParallelMigrations": "maximum_parallel_migrations"}
_WINDOW = ("FailbackWindowStart", "FailbackWindowEnd")


def cluster_table(state: HostState, cluster: Cluster) -> dict[str, str]:
    """Properties grow with versions (cluster 1.3)."""
    table = {k: v for k, v in CLUSTER.items() if k != "DrainOnShutdown" or state.at_least("2012r2")}
    table |= CLUSTER_2016 if state.at_least("2016") else {}
    return table | (CLUSTER_LATE if cluster.maximum_parallel_migrations is not None else {})


def shown(entity: Any, table: dict[str, str]) -> dict[str, Any]:
    """As the cmdlet's object has them: numbers without a sign, no booleans (cluster 1.3)."""
    return {name: _unsigned(getattr(entity, field)) for name, field in table.items()}


def _unsigned(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return NONE if value == -1 else list(value) if isinstance(value, list) else value


def assign(state: HostState, thing: Any, name: str, value: Any) -> None:
    """Raises Refusal."""
    entity = thing.entity if isinstance(thing, PsObject) else None
    table = GROUP if isinstance(entity, Role) else cluster_table(state, entity) if isinstance(entity, Cluster) else {}
    if isinstance(entity, Part) and entity.kind == "Virtual Machine":
        entity, table = entity.role, RESOURCE
    field = next((f for n, f in table.items() if n.casefold() == name.casefold()), None)
    if field is None:
        text = f"The property '{name}' cannot be found on this object. Verify that the property exists and can be set."
        kind = "System.Management.Automation.RuntimeException"
        raise Refusal(
            ErrorRecord("PropertyAssignmentException", "InvalidOperation", text, ((kind, -2146233087, text),))
        )
    now = getattr(entity, field)
    number = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(now, int) and not (number and 0 <= value <= NONE):  # UInt32 (types of the contract)
        text = f'Exception setting "{name}": "Cannot convert value to type System.UInt32."'
        kind = "System.Management.Automation.SetValueInvocationException"
        raise Refusal(ErrorRecord("ExceptionWhenSetting", "NotSpecified", text, ((kind, -2146233087, text),)))
    if isinstance(now, bool):
        value = bool(value)
    elif name in _WINDOW and value == NONE:
        value = -1
    setattr(entity, field, value)
