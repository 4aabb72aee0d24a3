"""SoftwareLicensingProduct: the editions of Windows and how each is licensed (operations 2)."""

from __future__ import annotations

from typing import Any

from mocks.command import Command
from mocks.objects import PsObject
from mocks.wql import WqlError, matches

NAMESPACE, CLASS = "", "softwarelicensingproduct"


def show(cmd: Command) -> None:
    asked = {name.casefold() for name in cmd.args.texts("Property")}
    for number, licence in enumerate(cmd.state.licences):
        row: dict[str, Any] = {
            "ID": f"00000000-0000-4000-8000-{number:012}",
            "ApplicationID": licence.application,
            "Name": licence.name,
            "Description": f"Windows(R) Operating System, {licence.name.rsplit(',', 1)[-1].strip()}",
            "PartialProductKey": licence.key,
            "LicenseDependsOn": licence.depends_on,
            "LicenseStatus": licence.status,
        }
        try:
            if not matches(cmd.args.text("Filter"), row):
                continue
        except WqlError as error:
            # 0x80041017, invalid query
            raise cmd.fail(
                "HRESULT 0x80041017",
                "InvalidArgument",
                cmd.say("cim_query_invalid"),
                "Microsoft.Management.Infrastructure.CimException",
                hresult=-2147217385,
            ) from error
        # What was not asked for is there and empty.
        given = {k: v if not asked or k.casefold() in asked or k == "ID" else None for k, v in row.items()}
        name = "Microsoft.Management.Infrastructure.CimInstance#root/cimv2/SoftwareLicensingProduct"
        cmd.emit(PsObject(name, {**given, "PSComputerName": None}))
