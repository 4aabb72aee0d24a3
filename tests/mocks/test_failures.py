"""Cmdlets that fail on demand."""

from __future__ import annotations

import pytest

from mocks.catalogue import arm, fault_named
from mocks.failures import NAMED, failure
from mocks.host import SimulatedHost
from mocks.wsman import Endpoint
from tests.mocks.hosts import DISK, done, one, one_vm, read, refused, run


def failing(*texts: str, os: str = "2022") -> SimulatedHost:
    on = one_vm(os, drives=[{"at": "scsi 0:0", "path": DISK}])
    arm(Endpoint(on, {}), [fault_named(text) for text in texts])
    return on


def weigh(on: SimulatedHost, weight: int) -> str:
    """The message of the refusal, if it is refused."""
    outcome = run(on, "Set-VMProcessor", VMName="web01", RelativeWeight=weight)
    return outcome.errors[0].message if outcome.errors else ""


def test_the_nth_call_fails_and_so_many_after_it() -> None:
    on = failing("set-vmprocessor:nth=2,times=2")
    assert [bool(weigh(on, n)) for n in (10, 20, 30, 40)] == [False, True, True, False]
    assert on.failures.events == [f"Set-VMProcessor: call {n} fails before its effect" for n in (2, 3)]
    assert on.failures.over


def test_only_calls_that_name_it_count() -> None:
    on = failing("Get-VMProcessor:of=WEB01,times=always")
    done(on, "New-VM", Name="other")
    done(on, "Get-VMProcessor", VMName="other")
    assert refused(on, "Get-VMProcessor", VMName="web01") == "InvalidState"
    assert refused(on, "Get-VMProcessor", VM=one(on, "Get-VM", Name="web01")) == "InvalidState", "objects by their name"
    assert not on.failures.over


def test_it_fails_before_its_effect_or_after() -> None:
    on = failing("Set-VMProcessor:phase=after", "Set-VM:phase=before")
    assert weigh(on, 300)
    assert read(on, "Get-VMProcessor", "RelativeWeight", VMName="web01") == 300
    assert refused(on, "Set-VM", Name="web01", Notes="n") == "InvalidState"
    assert read(on, "Get-VM", "Notes", Name="web01") == ""


def test_what_it_says() -> None:
    on = failing("Set-VMProcessor:error=Not now, please. Later.,hresult=0x80070020,id=OperationFailed")
    (error,) = run(on, "Set-VMProcessor", VMName="web01", RelativeWeight=10).errors
    assert error.message == "Not now, please. Later. (0x80070020)"
    assert error.id == "OperationFailed,Microsoft.HyperV.PowerShell.Commands.SetVMProcessor"
    assert error.category == "NotSpecified"
    on = failing("Set-VMProcessor:id=Odd,Some.Class,category=ResourceBusy", os="2012r2")
    (error,) = run(on, "Set-VMProcessor", VMName="web01", RelativeWeight=10).errors
    assert (error.id, error.category) == ("Odd,Some.Class", "ResourceBusy")
    on = failing("Remove-Item:error=item_in_use")
    (error,) = run(on, "Remove-Item", LiteralPath=DISK).errors
    assert DISK in error.message and error.id.endswith("Microsoft.PowerShell.Commands.RemoveItemCommand")


def test_it_takes_its_time_and_a_job_fails_at_its_end() -> None:
    on = failing("Stop-VM:seconds=300,error=stop_failed,times=2")
    assert run(on, "Stop-VM", Name="web01").took == pytest.approx(300.1)
    job = on.invoke("Stop-VM", {"Name": "web01", "AsJob": True}).job
    assert job is not None and job.duration == 300
    on.clock.sleep(300)
    assert job.finish().errors[0].message == "Failed to stop."


def test_by_chance_it_strikes_as_often_as_it_may_and_the_seed_repeats_it() -> None:
    def struck(seed: int) -> list[bool]:
        on = one_vm()
        arm(Endpoint(on, {}, seed=seed), [fault_named("Set-VMProcessor:chance=0.5,times=3")])
        return [bool(weigh(on, n)) for n in range(1, 20)]

    assert struck(1) == struck(1) != struck(2)
    assert sum(struck(1)) == 3


@pytest.mark.parametrize("name", NAMED)
def test_every_error_that_has_a_name_can_be_said(name: str) -> None:
    for os in ("2012r2", "2022"):
        assert weigh(failing(f"Set-VMProcessor:error={name}", os=os), 10)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Set-VMProcesor", "no fault 'Set-VMProcesor' and no cmdlet of that name"),
        ("Set-VM:often=2", "a failing cmdlet has no 'often'; it takes nth, times, chance, of, phase"),
        ("Set-VM:nth=two", "nth: 'two' is not a number"),
        ("Set-VM:nth=1.5", "nth: '1.5' is not a number"),
        ("Set-VM:phase=during", "phase: 'during' is not before or after"),
        ("Set-VM:nth=0", "nth: 0 is below 1"),
    ],
)
def test_what_is_no_fault_is_told(text: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        fault_named(text)
    assert says in str(caught.value)


def test_a_number_may_be_written_in_hexadecimal() -> None:
    assert failure("Set-VM:hresult=0x80070005").hresult == 0x80070005
