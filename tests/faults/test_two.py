"""Two applies at once on one host: one works, the other says who holds the lock."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hvctl.winrm.protocol import client_name
from mocks.catalogue import fault_named
from mocks.tls import Authority
from tests.faults.rig import rig


def test_one_of_two_applies_works_and_the_other_says_who_does(
    folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority
) -> None:
    begun, over = threading.Event(), threading.Event()

    def watch(action: str, phase: str, nth: int) -> None:
        if (action, phase, nth) == ("invoke", "before", 2):
            begun.set()
            over.wait(60)

    with rig(folder, capsys, authority, [fault_named("negotiate-only")], transport="ntlm") as at:
        at.endpoint.faults.watch = watch
        first = at.start("apply", "--auto-approve", "lab.yml")
        assert begun.wait(60)
        second = at.hvctl("apply", "--auto-approve", "lab.yml", "--json")
        over.set()
        assert (first.wait(), "done, in sync" in first.said) == (0, True), first.said
        assert second.status & 4
        said = second.data["report"]["error"]["message"]
        assert said.startswith("another apply holds the lock of HV01 (")
        assert f"from {client_name()}, pid 42" in said
        assert "since 2026-04-01 00:00:" in said
        assert {s["status"] for s in second.data["report"]["steps"]} == {"skipped"}
        assert at.done()["New-VM"] == 1
        assert at.endpoint.shells.open == 0
        assert at.hvctl("apply", "--auto-approve", "lab.yml").status == 0
