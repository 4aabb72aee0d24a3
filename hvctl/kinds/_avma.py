"""Automatic Virtual Machine Activation: what of it is the host's side (domain 19, operations 2).

Whether a guest is activated is seen in the guest alone; nothing here says it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hvctl.call import Call, Map, Row
from hvctl.contract import OS, at_least, title
from hvctl.core.changes import Change, Step, finding
from hvctl.core.facts import Facts, UnreadableError
from hvctl.core.values import UNKNOWN
from hvctl.kinds._guest_systems import GUEST_SYSTEMS
from hvctl.kinds._machine import Machine
from hvctl.kinds._services import GUIDS, SERVICES, guid_of, service_ref
from hvctl.kinds._vm import in_vm, vm_ref, vm_row
from hvctl.kinds.integration_services import IntegrationServices
from hvctl.text.diagnostic import Diagnostic

FIELD, DATA_EXCHANGE = "avma", "key_value_pair_exchange"

_EDITION = Call("Get-CimInstance", {"ClassName": "Win32_OperatingSystem"}, select=("OperatingSystemSKU", "Caption"))
# Without the filter every edition that Windows knows is evaluated, which takes long; rows of Windows itself only, and with
# a key (operations 2).
_LICENCES = Call(
    "Get-CimInstance",
    {
        "ClassName": "SoftwareLicensingProduct",
        "Filter": "ApplicationID='55c92734-d682-4d71-983e-d6ec3f16059f' AND PartialProductKey IS NOT NULL",
        "Property": ("Name", "LicenseStatus"),
    },
    select=("Name", "LicenseStatus"),
)
# The page names no provider, so the filter has none (operations 2).
_EVENTS = Call(
    "Get-WinEvent",
    {"FilterHashtable": Map({"LogName": "Application", "Id": 12310}), "MaxEvents": 10},
    select=("TimeCreated", "LevelDisplayName", "ProviderName", "Message"),
)
SURVEY = (_EDITION, _LICENCES, _EVENTS)

_SHOWN = 300
"""Characters of a message; `hvctl facts` has all of it."""
_DATACENTER = (8, 12, 147, 407)
"""OperatingSystemSKU of Datacenter, with a desktop, without, of the semi-annual channel and Azure Edition
(operations 2)."""
_LICENSED = 1
_STATUS: Mapping[int, str] = {
    0: "unlicensed", 1: "licensed", 2: "in its first grace period", 3: "in grace, as its hardware changed",
    4: "in grace, as not genuine", 5: "notifying that it is not activated", 6: "in an extended grace period",
}  # fmt: skip
_SINCE: Mapping[str, OS] = {
    "windows_server_2012_r2": "2012r2",
    "windows_server_2016": "2016",
    "windows_server_2019": "2019",
    "windows_server_2022": "2022",
    "windows_server_2025": "2025",
}
"""The guests, and the host from which on each of them is activated (domain 19)."""


@dataclass(frozen=True)
class _Lack:
    """What keeps a guest from being activated."""

    text: str
    hint: str


def wanted(vm: Machine) -> bool:
    return bool(vm.avma) and not vm.absent


def queries(vm: Machine) -> tuple[Call, ...]:
    return (*SURVEY, SERVICES) if wanted(vm) else ()


def rules(vm: Machine, os: OS) -> Iterator[Diagnostic]:
    if not wanted(vm):
        return
    if vm.guest_os is None:
        hint = f"write guest_os, one of {', '.join(_SINCE)}"
        yield finding(FIELD, "which guests a host activates depends on the guest", hint)
        return
    if (lack := _of_guest(vm, os)) is not None:
        yield finding(FIELD, lack.text, lack.hint)
    if _exchange_wanted(vm) is False:
        text = "the playbook switches data exchange off, which AVMA goes by"
        yield finding(FIELD, text, f"write integration_services: {{{DATA_EXCHANGE}: on}}")


def _of_guest(vm: Machine, os: OS) -> _Lack | None:
    word = vm.guest_os or ""
    guest = GUEST_SYSTEMS.get(word)
    name = guest.title if guest is not None else word
    if word not in _SINCE:
        return _Lack(f"{name} is not activated by AVMA", f"it activates {', '.join(_SINCE)}")
    if not at_least(os, _SINCE[word]):
        first = title(_SINCE[word])
        return _Lack(f"{title(os)} does not activate {name} by AVMA", f"hosts from {first} on do")
    return None


def _exchange_wanted(vm: Machine) -> bool | None:
    part = vm.part(IntegrationServices)
    return part.key_value_pair_exchange if part is not None else None


# --- what the host says ---------------------------------------------------------------------------------------------


def actual(vm: Machine, row: Row, facts: Facts) -> object:
    """Whether the host's side of it is in order."""
    try:
        return not any(_lacks(vm, facts)) and _exchange(vm, row, facts)
    except UnreadableError:
        return UNKNOWN


def _exchange(vm: Machine, row: Row, facts: Facts) -> bool:
    """On, or switched on by the section for it."""
    services = in_vm(SERVICES, row, facts)
    return bool(_exchange_wanted(vm)) or any(
        bool(s["Enabled"]) for s in services if guid_of(s["Id"]) == GUIDS[DATA_EXCHANGE]
    )


def _lacks(vm: Machine, facts: Facts) -> Iterator[_Lack]:
    """Raises UnreadableError."""
    if (lack := _of_guest(vm, facts.os)) is not None:
        yield lack
    system = _first(_EDITION, facts)
    sku = int(system["OperatingSystemSKU"])
    if sku not in _DATACENTER:
        text = f"the host is {system.get('Caption') or 'no Datacenter'} (SKU {sku}), and AVMA is Datacenter's alone"
        yield _Lack(text, "leave avma out, or put the VM on a Datacenter host")
        return
    found = [int(row["LicenseStatus"]) for row in facts.rows(_LICENCES)]
    if _LICENSED not in found:
        said = ", ".join(dict.fromkeys(_STATUS.get(status, str(status)) for status in found)) or "without a key"
        yield _Lack(f"Windows on the host is not activated: {said}", "activate the host")


def _first(query: Call, facts: Facts) -> Row:
    rows = facts.rows(query)
    if not rows:
        raise UnreadableError(query, facts.reply(query).failure)
    return rows[0]


def findings(vm: Machine, facts: Facts) -> Iterator[Diagnostic]:
    """A VM that is made is made without it, with a warning; of one that is there, it is a difference that stays."""
    if not wanted(vm):
        return
    made = vm_row(vm, facts) is None
    try:
        for lack in _lacks(vm, facts):
            yield finding(FIELD, lack.text, lack.hint, "warning" if made else "impossible")
    except UnreadableError as error:
        text = f"whether the host can activate guests is not known: {error}"
        yield finding(FIELD, text, "see that the account may read licences on it", "unknown", outside=(str(error),))
    if _speaks_for_host(vm):
        yield from _events(facts)


def _speaks_for_host(vm: Machine) -> bool:
    """Events do not say which VM they are of (operations 2), so one VM of a host tells of them."""
    return next((p for p in vm.beside(Machine) if wanted(p)), vm) is vm


def _events(facts: Facts) -> Iterator[Diagnostic]:
    rows = facts.reply(_EVENTS).rows
    if rows:
        time = str(rows[0]["TimeCreated"])[:16].replace("T", " ")
        message = " ".join(str(rows[0].get("Message") or "without a text").split())[:_SHOWN]
        text = f"the host's last event of AVMA, of one of its guests, at {time} UTC: {message}"
        yield finding(FIELD, text, "look in the guest whether it is activated", "warning", outside=(message,))


# --- changing -------------------------------------------------------------------------------------------------------


def note(vm: Machine, facts: Facts) -> str:
    row = vm_row(vm, facts)
    return "data exchange is off, which it goes by" if row is not None and not _exchange(vm, row, facts) else ""


def steps(vm: Machine, change: Change, facts: Facts) -> Iterator[Step]:
    service = service_ref(vm_ref(vm, facts), DATA_EXCHANGE)
    call = Call("Enable-VMIntegrationService", {"VMIntegrationService": service})
    yield Step(call, f"enable data exchange of {vm.key()}, for AVMA", (change.field,))
