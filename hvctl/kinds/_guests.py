"""What the guest system that a playbook declares asks of its VM: rules over the table of `_guest_systems`.

An error is what keeps Hyper-V or the guest from doing what is wanted; a warning is where support ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hvctl.call import Call, Ref, Row
from hvctl.contract import OS, at_least, title
from hvctl.core.changes import finding
from hvctl.core.facts import Facts
from hvctl.core.resource import Resource
from hvctl.kinds._firmware import FirmwarePart
from hvctl.kinds._guest_systems import GUEST_SYSTEMS, GuestSystem
from hvctl.kinds._machine import Machine
from hvctl.kinds._memory import MemoryPart
from hvctl.kinds._processor import ProcessorPart
from hvctl.kinds._types import MB, shown_size
from hvctl.kinds._vm import ALL_VMS, VMS, in_vm, made_as, power, vm_row
from hvctl.kinds.guest_file import GuestFile
from hvctl.kinds.network_adapter import NetworkAdapter
from hvctl.kinds.security import Security
from hvctl.text.diagnostic import Diagnostic

_FIRMWARE = Call(
    "Get-VMFirmware",
    {"VM": Ref(VMS, {"Generation": 2}, many=True)},
    select=("VMId", "SecureBoot", "SecureBootTemplate"),
)
_ADAPTERS = Call("Get-VMNetworkAdapter", {"VM": ALL_VMS}, select=("VMId", "Name", "DynamicMacAddressEnabled"))
_WINDOWS, _CA = "microsoft_windows", "microsoft_uefi_certificate_authority"
_TEMPLATES: OS = "2016"
"""The version of Windows Server that templates came with (domain 5.4)."""
_PIECES = 128 * MB
"""Of memory, that Linux adds and gives up (domain 18)."""


def declared(vm: Machine) -> GuestSystem | None:
    return None if vm.guest_os is None or vm.absent else GUEST_SYSTEMS.get(vm.guest_os)


def queries(vm: Machine) -> tuple[Call, ...]:
    guest = declared(vm)
    if guest is None:
        return ()
    return (_FIRMWARE, _ADAPTERS) if guest.family == "linux" else (_FIRMWARE,)


# --- known without a host -------------------------------------------------------------------------------------------


def rules(vm: Machine, os: OS) -> Iterator[tuple[Resource, Diagnostic]]:
    """Of the VM and its sections."""
    guest = declared(vm)
    if guest is None:
        return
    if vm.generation is not None and vm.generation not in guest.generations:
        yield vm, _generation(guest, vm.generation, "generation")
    if guest.hosts is not None and os not in guest.hosts:
        text = f"Microsoft does not list {guest.title} as a guest of {title(os)}"
        yield vm, finding("guest_os", text, _listed_on(guest), "warning")
    for part in vm.parts:
        if not part.absent:
            for found in _of_part(part, guest, os):
                yield part, found


def _listed_on(guest: GuestSystem) -> str:
    hosts = guest.hosts or ()
    return f"it is listed for {title(hosts[0])} to {title(hosts[-1])}" if hosts else ""


def _generation(guest: GuestSystem, generation: int, field: str) -> Diagnostic:
    right = guest.generations[0]
    return finding(field, f"{guest.title} does not start in a generation {generation} VM", f"use generation {right}")


def _of_part(part: Resource, guest: GuestSystem, os: OS) -> Iterator[Diagnostic]:
    match part:
        case FirmwarePart():
            yield from _firmware(part, guest, os)
        case MemoryPart():
            yield from _memory(part, guest)
        case ProcessorPart():
            yield from _processor(part, guest)
        case GuestFile():
            yield from _guest_file(part, guest)
        case Security(tpm=False) if guest.tpm:
            yield finding("tpm", f"the setup of {guest.title} asks for a TPM", "write tpm: on", "warning")


def _firmware(part: FirmwarePart, guest: GuestSystem, os: OS) -> Iterator[Diagnostic]:
    """Only what is written: what the host has may be known later."""
    on, template = part.secure_boot, part.secure_boot_template
    if on is False or (on is None and template is None):
        return
    wrong = _refusal(guest, os, template)
    if wrong is not None:
        field = "secure_boot_template" if template is not None and wrong.template else "secure_boot"
        yield finding(field, wrong.text, wrong.hint)
    elif guest.family == "windows" and template not in (None, _WINDOWS):
        text = f"the template for {guest.title} is {_WINDOWS}"
        yield finding("secure_boot_template", text, "with another one it may not start", "warning")


def _memory(part: MemoryPart, guest: GuestSystem) -> Iterator[Diagnostic]:
    if part.startup is not None and part.startup < guest.least_memory:
        least = shown_size(guest.least_memory)
        yield finding("startup", f"the setup of {guest.title} asks for {least}", f"use {least} or more", "warning")
    if not part.dynamic:
        return
    if guest.dynamic_memory is False:
        text = f"{guest.title} neither takes nor gives up memory while it runs: it keeps what it starts with"
        yield finding("dynamic", text, "write dynamic: false", "warning")
    elif guest.family == "linux":
        dynamic = part.dynamic
        amounts = {
            "startup": part.startup,
            "dynamic.minimum": dynamic.minimum,
            "dynamic.maximum": dynamic.maximum,
        }
        for field, amount in amounts.items():
            if amount and amount % _PIECES:
                text = f"{shown_size(amount)} is no multiple of {shown_size(_PIECES)}: Linux may not be able to add it"
                near = amount // _PIECES * _PIECES
                hint = (
                    f"use {shown_size(near)} or {shown_size(near + _PIECES)}" if near else f"use {shown_size(_PIECES)}"
                )
                yield finding(field, text, hint, "warning")


def _processor(part: ProcessorPart, guest: GuestSystem) -> Iterator[Diagnostic]:
    most = guest.processors
    if most is not None and part.count is not None and part.count > most:
        text = f"{guest.title} is supported with up to {most:,} processors, not {part.count:,}"
        yield finding("count", text, f"use at most {most:,}", "warning")
    if part.count is not None and part.count < guest.least_processors:
        least = f"{guest.least_processors} processors"
        yield finding("count", f"the setup of {guest.title} asks for {least}", f"use {least} or more", "warning")
    if guest.whole_processor and part.compatibility_for_migration:
        text = f"{guest.title} needs POPCNT and SSE4.2, which this may hide from it"
        yield finding("compatibility_for_migration", text, "turn it off, unless the VM is seen to start", "warning")


def _guest_file(part: GuestFile, guest: GuestSystem) -> Iterator[Diagnostic]:
    if guest.file_copy is False:
        text = f"{guest.title} has no service that takes files from the host"
        yield finding("", text, "bring the file into it by other means")
    elif (guest.family == "windows") == part.destination.startswith("/"):
        hint = r"write C:\folder\file" if guest.family == "windows" else "write /folder/file"
        yield finding("destination", f"{part.destination} is no path of {guest.title}", hint)


# --- secure boot ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Refusal:
    """Why a guest does not start under secure boot. `template`: with another template it would."""

    text: str
    hint: str
    template: bool = False


def _refusal(guest: GuestSystem, os: OS, template: str | None) -> _Refusal | None:
    """While secure boot is on. A template that is not known is no reason."""
    off = "write firmware: {secure_boot: off}"
    if guest.signed is False:
        return _Refusal(f"{guest.title} does not start under secure boot", off)
    if guest.family == "linux" and not at_least(os, _TEMPLATES):
        return _Refusal(f"{title(os)} has no secure boot for Linux", off)
    if guest.family == "linux" and template == _WINDOWS:
        text = f"{guest.title} does not start under secure boot with the template of Windows"
        return _Refusal(text, f"write firmware: {{secure_boot_template: {_CA}}}, or secure_boot: off", template=True)
    return None


def _template(name: object) -> str | None:
    known = {"MicrosoftWindows".casefold(): _WINDOWS, "MicrosoftUEFICertificateAuthority".casefold(): _CA}
    return known.get(str(name).casefold())


def _as_it_will_be(vm: Machine, row: Row | None, facts: Facts) -> tuple[bool, str | None]:
    """Secure boot and its template: as written, else as the host has it, else as New-VM leaves it (domain 4.2)."""
    part = vm.part(FirmwarePart)
    on, template = (None, None) if part is None else (part.secure_boot, part.secure_boot_template)
    rows = in_vm(_FIRMWARE, row, facts) if row is not None else ()
    if rows:
        on = str(rows[0]["SecureBoot"]).casefold() == "on" if on is None else on
        template = _template(rows[0].get("SecureBootTemplate")) if template is None else template
    elif row is None:
        on, template = on is not False, template or _WINDOWS
    return bool(on), template


# --- known from the host --------------------------------------------------------------------------------------------


def findings(vm: Machine, fields: frozenset[str], facts: Facts) -> Iterator[Diagnostic]:
    """Of a VM as its host has it, or as it is made. `fields`: of the VM, that change."""
    guest = declared(vm)
    if guest is None:
        return
    row = vm_row(vm, facts)
    generation, _ = made_as(vm, row)
    if generation not in guest.generations:
        if vm.generation is None:  # what is written is judged already
            yield _weighed(_generation(guest, generation, "guest_os"), row, fields)
    elif generation == 2:
        on, template = _as_it_will_be(vm, row, facts)
        wrong = _refusal(guest, facts.os, template) if on else None
        if wrong is not None:
            yield _weighed(finding("guest_os", wrong.text, wrong.hint), row, fields)
    if guest.tpm and row is None and generation == 2 and vm.part(Security) is None:
        hint = "write security: {key_protector: local, tpm: on}"
        yield finding("guest_os", f"the setup of {guest.title} asks for a TPM, and a new VM has none", hint, "warning")
    if guest.family == "linux" and row is not None and row.get("IsClustered"):
        yield from _mac_addresses(vm, row, guest, facts)


def _weighed(found: Diagnostic, row: Row | None, fields: frozenset[str]) -> Diagnostic:
    """It holds back a VM that is made or started; one that is there is as it is, and stays."""
    if row is None:
        return found
    if "state" in fields and power(row) == "Off":
        return finding("state", found.message, found.hint)
    return finding("guest_os", found.message, found.hint, "warning")


def _mac_addresses(vm: Machine, row: Row, guest: GuestSystem, facts: Facts) -> Iterator[Diagnostic]:
    """Linux names an adapter by its address, which another node of the cluster would give anew (domain 18)."""
    written = {p.key(): p.mac_address for p in vm.parts_of(NetworkAdapter)}
    now = {str(r["Name"]): bool(r["DynamicMacAddressEnabled"]) for r in in_vm(_ADAPTERS, row, facts)}
    names = [
        name for name, dynamic in now.items() if (written.get(name) or ("dynamic" if dynamic else "")) == "dynamic"
    ]
    if names:
        text = f"{guest.title} may lose the settings of {', '.join(names)} when it moves to another node of the cluster"
        yield finding("guest_os", text, "write a mac_address for each", "warning")


def secure_boot(vm: Machine, fields: frozenset[str], facts: Facts) -> Iterator[Diagnostic]:
    """Of changes to the firmware of a VM that is there: whether its guest still starts afterwards."""
    guest, row = declared(vm), vm_row(vm, facts)
    touched = [f for f in ("secure_boot_template", "secure_boot") if f in fields]
    if guest is None or row is None or not touched:
        return
    on, template = _as_it_will_be(vm, row, facts)
    wrong = _refusal(guest, facts.os, template) if on else None
    if wrong is not None:
        yield finding(touched[0], wrong.text, wrong.hint)


def resizes_memory(vm: Machine) -> bool:
    """Whether its guest may take another amount of static memory while it runs, as far as is known."""
    guest = declared(vm)
    return guest is None or guest.memory_resize is not False


def resizing(vm: Machine, live: bool) -> Iterator[Diagnostic]:
    """Of a disk that grows, `live` or not."""
    guest = declared(vm)
    if live and guest is not None and guest.online_resize is False:
        text = f"{guest.title} sees the new size when it has restarted"
        yield finding("size", text, "restart it at a time that suits", "warning")
