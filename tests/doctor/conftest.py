"""A folder, an environment and certificates for the runs of these tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from mocks.tls import Authority, make_authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whose certificates do not end soon."""
    return make_authority(tmp_path_factory.mktemp("ca"), days=400)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where hvctl runs; nothing is written elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return tmp_path
