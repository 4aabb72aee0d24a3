"""Batches that the twin and the real runner must answer alike; their answers are kept in golden/."""

from __future__ import annotations

from collections.abc import Mapping

from hvctl.call import (
    NULL,
    Assignment,
    Batch,
    Call,
    Ending,
    Guard,
    Home,
    Map,
    Matching,
    Ref,
    Retry,
    Secret,
    Task,
    Value,
)

VMS = Call("Get-VM", select=("Name", "State"))
SOME = Call("Get-VM", {"Name": ["web01", "nobody"]})
DB01 = Ref(Call("Get-VM"), {"Name": "DB01"})


def _reads(*calls: Call) -> Batch:
    return Batch(tuple(Task(f"q{n}", call) for n, call in enumerate(calls)))


def _refs(*refs: Ref) -> Batch:
    return _reads(*(Call("Get-VMNetworkAdapter", {"VM": ref}, ("VMName",)) for ref in refs))


def _held(name: str, refusals: tuple[str, ...], values: Mapping[str, Value], of: str = "DB01") -> Task:
    to = Ref(Call("Get-VM"), {"Name": of})
    return Task(
        name, Call("Set-VM", {"Name": "web01", "Notes": "held for ever"}), instead=Assignment(refusals, to, values)
    )


BATCHES: dict[str, Batch] = {
    "values_of_every_kind": _reads(
        Call(
            "Get-Odd",
            select=(
                *("Null", "Throwing", "Absent", "Yes", "Huge", "Negative", "Text", "Empty", "State", "Flags", "Id"),
                *("Uptime", "Created", "List[]", "One[]", "None[]", "Null[]", "List", "Inner", "Null.X", "Inner.X"),
                *("Inner.MaximumBandwidth", "Inners[MaximumBandwidth,X]", "Inner[MaximumBandwidth]", "Throwing.X"),
            ),
        ),
        Call("Set-Odd", select=("*",)),
        Call("Get-Odd"),
    ),
    "values_sent": Batch(
        (
            Task(
                "t",
                Call(
                    "Set-Odd",
                    {
                        "Map": Map({"Date": "/Date(0)/", "Iso": "2024-01-01T00:00:00Z", "A": 1, "": Map({"x": None})}),
                        "Eject": NULL,
                        "Flag": False,
                        "List": ["/Date(1)/", None, [1, [2], []], "$(x) `\" {0} '\n\u2028\U0001f600\x00", 2**64 - 1],
                        "Text": Secret("s3cret"),
                        "Many": Ref(Call("Get-VM"), {"State": "off"}, path="Id", many=True),
                    },
                ),
            ),
        ),
        "change",
    ),
    "rows_and_all_errors": _reads(
        Call("Get-VMHost", select=("Name",)),
        Call("Get-VM", {"Name": ["web01", "nobody", "noone"]}, ("Name",)),
        Call(
            "Get-VMNetworkAdapter", {"VM": Ref(Call("Get-VM", {"Name": ["web01", "nobody"]}), many=True)}, ("VMName",)
        ),
        Call("Get-VMNetworkAdapter", {"VM": Ref(Call("Get-VM", {"Name": "nobody"}), many=True)}, ("VMName",)),
    ),
    "commands_that_cannot_be_called": _reads(
        *(Call(name, select=("*",)) for name in ("Remove-Item", "Test-Absent", "Test-Alias"))
    ),
    "refs": _refs(
        Ref(VMS, many=True),
        DB01,
        Ref(VMS, {"Name": "nobody"}),
        Ref(VMS, {"State": "OFF"}),
        Ref(VMS, {"Nmae": "web01"}),
        Ref(VMS, {"Nmae": "web01"}, many=True, lenient=True),
        Ref(VMS, {"Name": "x"}, many=True),
        Ref(VMS, {"Id": Ending("-000000000001")}),
        Ref(VMS, {"Id": "00000000-0000-0000-0000-000000000000", "ProcessorCount": 1}),
        Ref(VMS, {"Name": "web01"}, path="Nmae"),
        Ref(Call("Get-VMNetworkAdapter", {"VM": Ref(VMS, many=True)}), {"VMName": "db01"}, path="VM"),
    ),
    "refs_within": _reads(
        *(
            Call("Set-Odd", {"Many": ref})
            for ref in (
                Ref(Call("Get-Odd"), {"MaximumBandwidth": Ending("0")}, within="Inners", many=True),
                Ref(Call("Get-Odd"), {"X": "nothing"}, within="Inners"),
                Ref(Call("Get-Odd"), within="Inner", path="MaximumBandwidth"),
                Ref(Call("Get-Odd"), within="Nmae"),
                Ref(Call("Get-Odd"), within="Null", many=True),
            )
        )
    ),
    "each_and_follow": _reads(
        Call(
            "Get-VHD",
            {"Path": ["c:\\c.avhdx", "C:\\C.AVHDX", "c:\\gone.vhdx", "c:\\loop.vhdx"]},
            select=("ParentPath", "Absent"),
            each="Path",
            follow="ParentPath",
        ),
        Call("Get-VHD", {"Path": ["c:\\a.vhdx"]}, select=("Absent",), each="Path"),
        Call("Get-VHD", {"Path": Ref(VMS, {"Name": "x"}, path="Name", many=True)}, ("Path",), each="Path"),
        Call("Get-VHD", {"Path": [Ref(VMS, {"Name": "x"}, path="Name", many=True), "c:\\a.vhdx"]}, ("Path",), "Path"),
        Call("Get-VMNetworkAdapter", {"VM": Ref(VMS, many=True)}, ("VMName",), each="VM"),
    ),
    "changes": Batch(
        (
            Task("a", Call("New-VM", {"Name": "db01"}), guard=Guard(Call("Get-VM"), {"Name": "DB01"}, most=0)),
            Task("b", Call("Set-VM", {"VM": DB01, "Notes": "x"}), needs=("a",)),
            Task("c", Call("New-VM", {"Name": "new"}, ("Name",)), guard=Guard(Call("Get-VM"), {"Name": "new"})),
            Task("d", Call("Set-VM", {"VM": Ref(Call("Get-VM"), {"Name": "new"}), "Notes": "y"}), needs=("c",)),
            Task("e", Call("Set-VM", {"VM": Ref(Call("Get-VM", {"Name": "nobody"})), "Notes": "z"})),
            Task("f", Call("Get-VM", {"Name": ["nobody", "noone"]}, ("Name",))),
            Task("g", Call("Get-VM", select=("Name",)), needs=("c", "f")),
        ),
        "change",
    ),
    "waits": Batch(
        (
            Task(
                "a",
                Call("Set-Odd", {"Text": Ref(Call("Get-Slow"), {"Ready": "yes"}, path="Ready")}),
                guard=Guard(Call("Get-Slow"), {"Ready": "yes"}, 1, 1, wait_s=60),
            ),
            Task(
                "b",
                Call("Set-VM", {"Name": "web01"}),
                guard=Guard(Call("Get-VM"), {"Name": "nobody"}, 1, 1, wait_s=5),
            ),
            Task("c", Call("Get-VM", select=("Name",)), needs=("b",)),
            Task(
                "d",
                Call("Set-VM", {"Name": "web01"}),
                guard=Guard(Call("Get-VM"), {"Nmae": "x"}, 1, 1, wait_s=60),
            ),
            Task("e", Call("Set-Odd", {"Path": Home("receipts\\*.txt"), "List": [Home("x")]})),
        ),
        "change",
    ),
    "retries": Batch(
        (
            Task("a", Call("Set-VM", {"Name": "web01", "Notes": "held"}), retry=Retry("ResourceBusy", 60)),
            Task("b", Call("Set-VM", {"Name": "web01", "Notes": "held for ever"}), retry=Retry("ResourceBusy", 25)),
            Task("c", Call("Set-VM", {"Name": "web01", "Notes": "held for ever"}), retry=Retry("Resource", 25)),
            Task("d", Call("Set-VM", {"Name": "web01"}), needs=("b",)),
        ),
        "change",
    ),
    "matching": Batch(
        (
            Task(
                "a", Call("Set-VM", {"Name": "web01"}), guard=Guard(Call("Get-Odd"), {"List": Matching("^A 1")}, 1, 1)
            ),
            Task(
                "b", Call("Set-VM", {"Name": "web01"}), guard=Guard(Call("Get-Odd"), {"List": Matching("(?!a)A")}, 1, 1)
            ),
            Task("c", Call("Set-VM", {"Name": "web01"}), guard=Guard(Call("Get-Odd"), {"None": Matching(".")}, 0, 0)),
            Task("d", Call("Set-VM", {"Name": "web01"}), guard=Guard(Call("Get-Odd"), {"Null": Matching("^$")}, 1, 1)),
        ),
        "change",
    ),
    "jobs": Batch(
        (
            Task("a", Call("Stop-VM", {"Name": "web01"}), job=True, limit_s=60),
            Task("b", Call("Stop-VM", {"Name": "web01", "Force": True}), job=True, limit_s=50),
            Task("c", Call("Stop-VM", {"Name": "web01", "TurnOff": True}), job=True),
        ),
        "change",
    ),
}


ASSIGNED = Batch(
    (
        _held("refused", ("Nothing", "resourcebusy"), {"Id": ("a", "b"), "ProcessorCount": 2**32 - 1}),
        _held("refused_otherwise", ("Nothing", "Resource"), {"ProcessorCount": 1}),
        _held("refused_too", ("ResourceBusy",), {"ProcessorCount": 1, "State": 1, "Id": "c"}),
        _held("of_nobody", ("ResourceBusy",), {"ProcessorCount": 1}, "nobody"),
    ),
    "change",
)
"""Which is answered otherwise where the language is restricted."""
