"""Each cause, and some two at once, planted in a simulated host: doctor names them in their order, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from mocks.catalogue import fault_named
from mocks.tls import Authority
from tests.doctor.rig import PASSWORD, USER, rig


@dataclass(frozen=True)
class Planted:
    """One of planted.yaml."""

    name: str
    causes: list[str]
    host: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    playbook: Mapping[str, Any] | None = None
    fail: tuple[str, ...] = ()
    ahead: int = 0
    later: int = 0
    scheme: str = "http"
    flaw: str = ""
    user: str = USER
    password: str = PASSWORD
    beside: int = 0  # healthy hosts


ALL = [Planted(**one) for one in yaml.safe_load(Path(__file__).with_name("planted.yaml").read_text(encoding="utf-8"))]


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.name)
def test_planted(one: Planted, folder: Path, capsys: pytest.CaptureFixture[str], authority: Authority) -> None:
    faults = [fault_named(text) for text in (*one.fail, *([one.flaw] if one.flaw else ()))]
    variables = {"ansible_password": one.password, **one.variables}
    hosts = [one.host, *[{}] * one.beside]
    with rig(
        folder, capsys, authority, faults, scheme=one.scheme, hosts=hosts, variables=variables, user=one.user
    ) as at:
        at.host.clock.sleep(one.later)
        at.ahead = timedelta(minutes=one.ahead)
        words = []
        if one.playbook is not None:
            (folder / "p.yml").write_text(yaml.safe_dump([{"hosts": "all", **one.playbook}]), encoding="utf-8")
            (folder / "a.txt").write_text("hello", encoding="utf-8")
            words = ["--playbook", "p.yml"]
        said = at.doctor(*words)
        assert at.changes() == []
    assert said.causes == one.causes, said.hosts[0]["causes"]
    causes = said.hosts[0]["causes"]
    assert said.status == (4 if any(c["weight"] != "warns" for c in causes) else 0)
    for cause in causes:
        assert cause["message"]
        assert cause["remedy"]
