"""The fields of the UEFI firmware of a VM (domain 5.4)."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from hvctl.core.fields import Setting
from hvctl.kinds._boot_order import BOOT_ORDER, ENTRIES, entry, once
from hvctl.kinds._types import ON_OFF, Flag, Words
from hvctl.kinds._vm import VmPart

TEMPLATES = Words(
    microsoft_windows="MicrosoftWindows",
    microsoft_uefi_certificate_authority="MicrosoftUEFICertificateAuthority",
    open_source_shielded_vm="OpenSourceShieldedVM",
)
PROTOCOLS = Words(ipv4="IPv4", ipv6="IPv6")
CONSOLES = Words(default="Default", com1="COM1", com2="COM2", none="None")


class FirmwarePart(VmPart):
    """What may be written of it."""

    secure_boot: Annotated[Flag | None, Setting("SecureBoot", "EnableSecureBoot", ON_OFF, off=True)] = None
    secure_boot_template: Annotated[str | None, TEMPLATES, Setting("SecureBootTemplate", codec=TEMPLATES, off=True)] = (
        None
    )
    preferred_network_boot_protocol: Annotated[
        str | None, PROTOCOLS, Setting("PreferredNetworkBootProtocol", codec=PROTOCOLS, off=True)
    ] = None
    console_mode: Annotated[str | None, CONSOLES, Setting("ConsoleMode", codec=CONSOLES, off=True)] = None
    pause_after_boot_failure: Annotated[Flag | None, Setting("PauseAfterBootFailure", codec=ON_OFF, off=True)] = None
    boot_order: Annotated[
        list[Annotated[str, AfterValidator(entry)]] | None,
        AfterValidator(once),
        Setting(BOOT_ORDER, "FirstBootDevice", ENTRIES, off=True),
    ] = None
    boot_order_only: Flag = False

    @model_validator(mode="after")
    def _only_of_an_order(self) -> Self:
        if self.boot_order_only and not self.boot_order:
            raise ValueError("boot_order_only leaves nothing to boot from; write boot_order too")
        return self
