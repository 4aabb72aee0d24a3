"""The integration services of a VM by component GUID: their names are localised (domain 11.1)."""

from __future__ import annotations

from hvctl.call import Call, Ending, Ref
from hvctl.core.facts import Facts
from hvctl.kinds._vm import ALL_VMS

SERVICES = Call(
    "Get-VMIntegrationService", {"VM": ALL_VMS}, select=("VMId", "Id", "Enabled", "PrimaryOperationalStatus")
)

GUIDS = {
    "guest_service_interface": "6C09BB55-D683-4DA0-8931-C9BF705F6480",
    "heartbeat": "84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47",
    "key_value_pair_exchange": "2A34B1C2-FD73-4043-8A5B-DD2159BC743F",
    "shutdown": "9F8233AC-BE49-4C79-8EE3-E7E1985B2077",
    "time_synchronization": "2497F4DE-E9FA-4204-80E4-4B75C46419C0",
    "vss": "5CED1297-4598-4915-A5FC-AD21BB4D02A4",
}


def guid_of(service_id: object) -> str:
    """The component's GUID: what follows the last backslash of `Microsoft:<VM>\\<component>`."""
    return str(service_id).rsplit("\\", 1)[-1].upper()


def shutdown_service(vm_id: object, facts: Facts) -> tuple[bool, bool] | None:
    """Whether that of a VM is enabled, and whether it is in contact with its guest; None where the host does not say. Without
    it Stop-VM fails at once: there is no console on which it could ask whether to force it (domain 4.4). Raises
    UnreadableError."""
    rows = [s for s in facts.of_key(SERVICES, "VMId", vm_id) if guid_of(s["Id"]) == GUIDS["shutdown"]]
    if not rows:
        return None
    return all(s["Enabled"] for s in rows), all(s["PrimaryOperationalStatus"] == "Ok" for s in rows)


def service_ref(vm: Ref, name: str) -> Ref:
    return Ref(Call("Get-VMIntegrationService", {"VM": vm}), {"Id": Ending(f"\\{GUIDS[name]}")})
