"""No test is left out without a name that a run may require."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import AGAIN
from tests.requirements import FINDERS, HOW, lacking, main, needed, required

HERE = Path(__file__).parent
_SKIPS = re.compile(r"pytest\.(?:skip|importorskip)\(|mark\.skip(?:if)?\(|raise unittest\.SkipTest")

ELSEWHERE = {
    "inventory/test_scripts.py": 1,  # Windows runs no script by its first line
    "inventory/test_verbs.py": 1,
    "schedule/test_install.py": 1,  # the glob(3) of Linux
    "signals/test_start.py": 1,  # a module that not every typer imports
    "soak/test_encodings.py": 1,  # only with HVCTL_SOAK: some of them run in test_output.py
    "soak/test_lab_fleet.py": 1,  # only with HVCTL_SOAK: two minutes
    "test_output.py": 1,  # a system without /dev/full
    "test_places.py": 1,  # a system where names are no bytes
    "test_planfile.py": 1,  # cases of problems, which have no plan
    "test_real_host.py": 3,  # cases that cannot be brought about on a real host, by name
    "test_workers.py": 1,  # processes are forked on Linux only
}
"""How many skips a file has of its own: of the system, or of the case, which nothing that is installed would change."""


def test_every_other_skip_has_a_name() -> None:
    files = [f for f in HERE.rglob("*.py") if f.name not in ("requirements.py", "test_requirements.py")]
    found = Counter({str(f.relative_to(HERE)): len(_SKIPS.findall(f.read_text(encoding="utf-8"))) for f in files})
    assert dict(+found) == ELSEWHERE


@pytest.mark.parametrize("name", HOW)
def test_what_is_not_there_skips_by_name_and_fails_where_it_is_required(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HVCTL_REQUIRE", raising=False)
    with pytest.raises(pytest.skip.Exception, match=f"^{re.escape(name)}: "):
        lacking(name)
    monkeypatch.setenv("HVCTL_REQUIRE", f"{name}, ansible")
    with pytest.raises(pytest.fail.Exception, match=f"^{re.escape(name)}: "):
        needed(name, None)
    assert needed(name, "it") == "it"


def test_only_known_names_can_be_required() -> None:
    assert required({}) == frozenset()
    assert required({"HVCTL_REQUIRE": "engine, ,systemd,"}) == {"engine", "systemd"}
    with pytest.raises(ValueError, match="postgres is not one of ansible, "):
        required({"HVCTL_REQUIRE": "engine,postgres"})


def test_a_run_requires_what_is_there_and_what_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert FINDERS.keys() == HOW.keys()
    for name in ("HVCTL_REAL_HOST", "HVCTL_PWSH", "HVCTL_ANSIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HVCTL_CONTRACT", "contract")
    monkeypatch.setenv("HVCTL_REQUIRE", "engine")
    main("missing")
    missing = capsys.readouterr().out.split()
    assert {"ansible", "ansible.utils", "browser", "engine", "real_host", "systemd"} <= set(missing)
    assert "contract" not in missing
    main("required")
    out, err = capsys.readouterr()
    assert out.strip().split(",") == sorted({"engine", *HOW} - ({*missing} - {"engine"}))
    assert f"engine: {HOW['engine']}: its tests fail" in err.splitlines()
    assert f"systemd: {HOW['systemd']}: its tests are skipped" in err.splitlines()


def test_what_is_not_traced_is_there() -> None:
    for name in AGAIN:
        file, test = name.split("::")
        assert f"def {test}(" in (HERE / file).read_text(encoding="utf-8")
