"""Objects recorded on a real host, served as that host: `mocks/recordings/2012r2-objects` (see its README).

It answers reads by projecting the recorded objects as the runner would, and refuses changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hvctl.call import EACH, Batch, Call, Event, Failure, HostInfo, Ref, Reply, Row, TransportError
from hvctl.contract import OS, contract

OBJECTS = Path(__file__).parent / "recordings" / "2012r2-objects"
_TYPES = {
    "Get-VM": "VirtualMachine", "Get-VMHost": "VMHost", "Get-VMSwitch": "VMSwitch", "Get-VHD": "VirtualHardDisk",
    "Get-VMNetworkAdapter": "VMNetworkAdapter", "Get-VMHardDiskDrive": "HardDiskDrive", "Get-VMDvdDrive": "DvdDrive",
    "Get-VMFirmware": "VMFirmware", "Get-VMBios": "VMBios",
}  # fmt: skip
_ENUMS = {
    "BandwidthReservationMode": "VMSwitchBandwidthMode", "BootType": "BootSourceType", "StartupOrder": "BootDevice",
}  # fmt: skip
_DATE = re.compile(r"^/Date\((\d+)\)/$")


class RecordedHost:
    """A Transport. What was not recorded is a cmdlet that this host does not answer."""

    os: OS = "2012r2"

    def __init__(self, folder: Path = OBJECTS) -> None:
        self._objects = {f.stem: _flat(json.loads(f.read_text("utf-8"))) for f in folder.glob("*.json")}

    def run(self, batch: Batch, on_event: Callable[[Event], None] = lambda event: None) -> list[Reply]:
        if batch.mode != "read":
            raise TransportError("a recording cannot be changed")
        return [self._reply(task.call) for task in batch.tasks]

    def info(self) -> HostInfo:
        return HostInfo("MOCK-HOST", 9600, "Microsoft Windows Server 2012 R2", "4.0", "FullLanguage")

    @property
    def requests(self) -> int:
        return 0

    def stop(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing is open."""

    def _reply(self, call: Call) -> Reply:
        found = list(self._found(call))
        if found == [None]:
            return Reply(failures=(Failure(f"NotRecorded,{call.cmdlet}", "NotSpecified", "was not recorded"),))
        return Reply(tuple(self._row(call, o, each) for o, each in found))

    def _found(self, call: Call) -> Iterator[Any]:
        """(object, each value) of a call."""
        if call.cmdlet not in self._objects:
            yield None
            return
        objects = self._objects[call.cmdlet]
        if call.cmdlet == "Get-VMNetworkAdapter":
            objects = [o for o in objects if o["IsManagementOs"] == bool(call.params.get("ManagementOS"))]
        for name, value in call.params.items():
            if isinstance(value, Ref) and value.call.cmdlet == "Get-VM":
                ids = {vm["Id"] for vm in self._matching(value)}
                objects = [o for o in objects if o["VMId"] in ids]
            elif name == call.each:
                asked = [str(v).casefold() for v in self._values(value)]
                yield from ((o, o["Path"]) for o in objects if o["Path"].casefold() in asked)
                return
        yield from ((o, None) for o in objects)

    def _values(self, value: Any) -> Iterator[Any]:
        for one in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
            if isinstance(one, Ref):
                yield from (o[one.path] for o in self._matching(one) if o.get(one.path))
            else:
                yield one

    def _matching(self, ref: Ref) -> list[Mapping[str, Any]]:
        objects = self._objects.get(ref.call.cmdlet, [])
        return [o for o in objects if all(str(o.get(k)).casefold() == str(v).casefold() for k, v in ref.where.items())]

    def _row(self, call: Call, item: Mapping[str, Any], each: Any) -> Row:
        row: dict[str, Any] = {}
        for path in call.select:
            head = path.split("[")[0].split(".")
            if head[0] not in item:
                continue
            row[path] = self._value(_TYPES.get(call.cmdlet, ""), head[0], item[head[0]], head[1:], path)
        return {**row, EACH: each} if each is not None else row

    def _value(self, owner: str, name: str, value: Any, rest: Sequence[str], path: str) -> Any:
        if value is None or (rest and not isinstance(value, Mapping)):
            return None  # a nested object was cut to its type's name when it was recorded
        if rest:
            return self._value("", rest[0], value.get(rest[0]), rest[1:], path)
        if isinstance(value, Mapping) and "Ticks" in value:
            return value["Ticks"]
        if path.endswith("[]"):
            items = value if isinstance(value, list) else [value] if value != "" else []
            return [self._value(owner, name, v, (), "") for v in items]
        if "[" in path:
            if not all(isinstance(i, Mapping) for i in value):
                return None  # cut likewise
            inner = path[path.index("[") + 1 : -1].split(",")
            return [{p: self._value("", p, i.get(p.split(".")[0]), p.split(".")[1:], "") for p in inner} for i in value]
        if isinstance(value, str) and (date := _DATE.match(value)):
            return datetime.fromtimestamp(int(date[1]) / 1000, UTC).isoformat()
        return self._named(owner, name, value)

    def _named(self, owner: str, name: str, value: Any) -> Any:
        """Enums were recorded as numbers (observations 1)."""
        if not isinstance(value, int) or isinstance(value, bool):
            return value
        cls = contract(self.os).classes.get(owner)
        kind = _ENUMS.get(name) or (cls.properties.get(name, "") if cls else "").rstrip("?").removesuffix("[]")
        enum = contract(self.os).enums.get(kind)
        numbers = {n: member for member, n in enum.number.items()} if enum else {}
        return numbers.get(value, value)


def _flat(items: Any) -> list[Any]:
    return [o for i in items for o in _flat(i)] if isinstance(items, list) else [items]
