"""Get-Volume."""

from __future__ import annotations

from typing import Any

from mocks.cmdlets.net_adapter import not_found
from mocks.command import Command, cmdlet
from mocks.objects import PsObject
from mocks.state import Volume

_TYPE = "Microsoft.Management.Infrastructure.CimInstance#ROOT/Microsoft/Windows/Storage/MSFT_Volume"


def volume_object(letter: str, volume: Volume) -> PsObject:
    properties: dict[str, Any] = {
        "DriveLetter": letter,
        "FileSystemLabel": volume.label,
        "FileSystem": volume.file_system,
        "DriveType": "Fixed",
        "HealthStatus": "Healthy",
        "OperationalStatus": "OK",
        "Size": volume.size,
        "SizeRemaining": volume.free,
        "PSComputerName": None,
    }
    return PsObject(_TYPE, properties, entity=volume)


@cmdlet("Get-Volume", module="host", takes=0.3)
def get(cmd: Command) -> None:
    args, volumes = cmd.args, cmd.state.volumes
    wanted = [t.upper() for t in args.texts("DriveLetter")]
    if args.text("FilePath"):
        wanted = [args.text("FilePath")[:1].upper()]
    for letter in wanted:
        if letter not in volumes:
            with cmd.trying():
                raise not_found(cmd, "MSFT_Volume", "DriveLetter", letter)
    labels = [t.lower() for t in args.texts("FileSystemLabel")]
    for letter, volume in volumes.items():
        if (not wanted or letter in wanted) and (not labels or volume.label.lower() in labels):
            cmd.emit(volume_object(letter, volume))
